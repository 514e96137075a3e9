//! What the first documents of a corpus become, and what a text does.

use crate::input::Corpus;
use crate::records::Wanted;
use crate::segment::Segmenter;
use crate::settings::TokenizeSettings;
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
    corpus: &Corpus,
    count: usize,
) -> Result<(Vec<Document>, TokenizeReport)> {
    // Small segments: who looks at the first documents should not wait for more.
    let mut settings = settings.clone();
    settings.shard_bytes.0 = settings.shard_bytes.0.min(1 << 16);
    let wanted = Wanted::new(&settings);
    let mut worker = worker(&settings, &wanted)?;
    settings.sentences.iter().for_each(|sentence| worker.sentence(sentence));
    let mut report = TokenizeReport::default();
    for group in corpus.groups(settings.shard_bytes.0) {
        if worker.made.tokens.ends.len() >= count {
            break;
        }
        let files = &corpus.files[group.files];
        let read =
            read_group(&settings, &wanted, files, &mut |_| {}, &mut |segment, namespaces| {
                let namespaces = namespaces.clone();
                worker.add(&mut Work { segment, files, group: 0, namespaces })?;
                Ok(worker.made.tokens.ends.len() < count)
            })?;
        report.add(&read.unwrap_or_default());
    }
    report.add(&worker.made.report);
    let mut documents = documents(worker.made);
    documents.truncate(count);
    Ok((documents, report))
}

/// The documents that a text becomes, as the text of one record.
///
/// # Errors
/// If what the settings name can't be read.
pub fn documents_of(settings: &TokenizeSettings, text: &str) -> Result<Vec<Document>> {
    let wanted = Wanted::new(settings);
    let mut worker = worker(settings, &wanted)?;
    worker.example(text);
    Ok(documents(worker.made))
}

fn worker<'a>(settings: &'a TokenizeSettings, wanted: &'a Wanted) -> Result<Worker<'a>> {
    let mut worker = Worker::new(settings, wanted, Segmenter::new(settings)?);
    worker.made.texts = Some(Vec::new());
    Ok(worker)
}

fn documents(made: Made) -> Vec<Document> {
    let Made { words, tokens, texts, .. } = made;
    let mut documents: Vec<Document> = Vec::new();
    for ((part, ids), text) in tokens.rows().zip(texts.unwrap_or_default()) {
        let tokens = ids.iter().map(|&id| words.word(id).to_owned());
        match documents.last_mut() {
            // A document that goes on is one all the same.
            Some(document) if part > 0 => {
                document.text.push_str(&text);
                document.tokens.extend(tokens);
            }
            _ => documents.push(Document { text, tokens: tokens.collect() }),
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
        let corpus = Corpus::scan(&settings, None, 1).unwrap();
        let (documents, report) = preview(&settings, &corpus, 2).unwrap();
        let tokens: Vec<Vec<String>> = documents.iter().map(|d| d.tokens.clone()).collect();
        assert_eq!(tokens, [vec!["one", "line"], vec!["and", "more"]]);
        assert_eq!(documents[0].text, "One line\n");
        assert_eq!(report.empty_documents, 2);
    }

    #[test]
    fn what_a_text_becomes() {
        let settings = TokenizeSettings {
            documents: Some(Documents::Sentences),
            segmenter: SegmenterKind::Auto,
            ..TokenizeSettings::default()
        };
        let documents = documents_of(&settings, "It rained. 我们在北京大学\nEnd").unwrap();
        let tokens: Vec<String> = documents.iter().map(|d| d.tokens.join(" ")).collect();
        assert_eq!(tokens, ["It rained", "我们 在 北京大学", "End"]);
    }
}
