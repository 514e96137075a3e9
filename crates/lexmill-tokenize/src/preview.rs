//! What the first documents of a corpus become, and what a text does.

use std::path::Path;

use crate::input::{Corpus, format_of};
use crate::records::Wanted;
use crate::segment::Segmenter;
use crate::settings::{Format, TokenizeSettings};
use crate::source::read_group;
use crate::worker::{Made, Work, Worker};
use crate::{Result, TokenizeReport};

/// A document and its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its text before cleaning; empty for one that came as tokens.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<String>,
}

/// The first `count` documents that have tokens, and what was counted up to the end of the segment
/// in which the last of them lies.
///
/// # Errors
/// If a file can't be read.
pub fn preview(
    settings: &TokenizeSettings,
    count: usize,
    threads: usize,
) -> Result<(Vec<Document>, TokenizeReport)> {
    let mut settings = settings.clone();
    let corpus = if settings.sample < 1.0 {
        // What is drawn goes by the content of files, and by segments.
        Corpus::scan(&settings, None, threads, &lexmill_store::Progress::new())?
    } else {
        // Small segments: who looks at the first documents should not wait for more.
        settings.shard_bytes.0 = settings.shard_bytes.0.min(1 << 16);
        Corpus::list(&settings)?
    };
    let wanted = Wanted::new(&settings);
    let mut worker = worker(&settings, &wanted)?;
    settings.sentences.iter().for_each(|sentence| worker.sentence(sentence));
    let mut report = TokenizeReport::default();
    // One more, since the last may go on.
    let enough = |worker: &Worker<'_>| worker.made.report.documents > count as u64;
    for group in corpus.groups(settings.shard_bytes.0) {
        if enough(&worker) {
            break;
        }
        let number = group.number();
        let files = &corpus.files[group.files];
        let (read, _) =
            read_group(&settings, &wanted, files, &mut |_| {}, &mut |segment, namespaces| {
                let namespaces = namespaces.clone();
                worker.add(&mut Work { segment, files, group: number, namespaces })?;
                Ok(!enough(&worker))
            })?;
        report.add(&read);
    }
    report.add(&worker.made.report);
    let mut documents = documents(&worker.made);
    documents.truncate(count);
    Ok((documents, report))
}

/// The documents that each of some texts becomes, as the text of one record, or of a file of plain text.
///
/// # Errors
/// If what the settings name can't be read.
pub fn documents_of(settings: &TokenizeSettings, texts: &[&str]) -> Result<Vec<Vec<Document>>> {
    let formats: Vec<Format> =
        settings.input.iter().map(|name| format_of(Path::new(name), settings.format)).collect();
    let format = match formats.as_slice() {
        [first, rest @ ..] if rest.iter().all(|format| format == first) => *first,
        _ => Format::Text,
    };
    let wanted = Wanted::new(settings);
    let mut worker = worker(settings, &wanted)?;
    let mut all = Vec::new();
    for text in texts {
        worker.clear();
        worker.example(text, format)?;
        all.push(documents(&worker.made));
    }
    Ok(all)
}

fn worker<'a>(settings: &'a TokenizeSettings, wanted: &'a Wanted) -> Result<Worker<'a>> {
    let mut worker = Worker::new(settings, wanted, Segmenter::new(settings)?);
    worker.made.texts = Some(Vec::new());
    Ok(worker)
}

fn documents(made: &Made) -> Vec<Document> {
    let Made { words, tokens, texts, .. } = made;
    let mut documents: Vec<Document> = Vec::new();
    for ((part, ids), text) in tokens.rows().zip(texts.iter().flatten()) {
        let tokens = ids.iter().map(|&id| words.word(id).to_owned());
        match documents.last_mut() {
            // A document that goes on is one all the same.
            Some(document) if part > 0 => {
                document.text.push_str(text);
                document.tokens.extend(tokens);
            }
            _ => documents.push(Document { text: text.clone(), tokens: tokens.collect() }),
        }
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Documents, SegmenterKind};

    #[test]
    fn the_first_documents() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        std::fs::write(&path, "One line\n\n- \nand more\nthird\n").unwrap();
        let settings = TokenizeSettings {
            input: vec![path.to_string_lossy().into_owned()],
            lowercase: true,
            ..TokenizeSettings::default()
        };
        let (documents, report) = preview(&settings, 2, 1).unwrap();
        let tokens: Vec<Vec<String>> = documents.iter().map(|d| d.tokens.clone()).collect();
        assert_eq!(tokens, [vec!["one", "line"], vec!["and", "more"]]);
        assert_eq!(documents[0].text, "One line\n");
        assert_eq!(report.empty_documents, 2);
    }

    #[test]
    fn the_sample_is_that_of_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        let lines: Vec<String> = (0..40).map(|i| format!("line {i}\n")).collect();
        std::fs::write(&path, lines.concat()).unwrap();
        let settings = TokenizeSettings {
            input: vec![path.to_string_lossy().into_owned()],
            sample: 0.3,
            ..TokenizeSettings::default()
        };
        let corpus = Corpus::scan(&settings, None, 1, &lexmill_store::Progress::new()).unwrap();
        let output = directory.path().join("t");
        let resources = lexmill_store::Resources::new(1, 1 << 30);
        let progress = lexmill_store::Progress::new();
        crate::tokenize::run(&settings, &corpus, &output, &resources, &progress).unwrap();
        let (_, shards) = crate::shards::token_shards(&output).unwrap();
        let (mut words, mut tokens) = Default::default();
        let lookup = |word: &str| lexmill_vocab::Interner::intern(&mut words, word);
        lexmill_store::table::tokens::read_token_shard(&shards[0].path, lookup, &mut tokens)
            .unwrap();
        let run: Vec<Vec<String>> = tokens
            .rows()
            .map(|(_, ids)| ids.iter().map(|&id| words.word(id).to_owned()).collect())
            .collect();
        let (documents, _) = preview(&settings, 100, 1).unwrap();
        assert_eq!(documents.into_iter().map(|d| d.tokens).collect::<Vec<_>>(), run);
    }

    #[test]
    fn what_a_text_becomes() {
        let settings = TokenizeSettings {
            documents: Some(Documents::Sentences),
            segmenter: SegmenterKind::Auto,
            ..TokenizeSettings::default()
        };
        let texts = ["It rained. 我们在北京大学\nEnd", "Again"];
        let documents = documents_of(&settings, &texts).unwrap();
        assert_eq!(documents[1][0].tokens, ["Again"]);
        let tokens: Vec<String> = documents[0].iter().map(|d| d.tokens.join(" ")).collect();
        assert_eq!(tokens, ["It rained", "我们 在 北京大学", "End"]);
    }
}
