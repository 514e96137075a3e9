//! Records with some of their fields, for who wants more of them than tokens: one after the other, none kept.

use crate::input::Corpus;
use crate::records::Wanted;
use crate::segment::Segmenter;
use crate::settings::{Format, TokenizeSettings};
use crate::source::read_group;
use crate::worker::{Made, Work, Worker};
use crate::{Error, Result, TokenizeReport};

/// Gives `each` the tokens of every record that has any, and its fields named in `metadata` (empty where
/// they are missing), in the order of the files. Returns what was counted on the way.
///
/// # Errors
/// If a file can't be read, or is plain text, which has no fields.
pub fn each_record<E: From<Error>>(
    settings: &TokenizeSettings,
    mut each: impl FnMut(&[&str], &[&str]) -> Result<(), E>,
) -> Result<TokenizeReport, E> {
    let corpus = Corpus::list(settings)?;
    if let Some(file) = corpus.files.iter().find(|file| file.format == Format::Text) {
        let problem = "is plain text, which has no fields; name files that end in .jsonl, .csv, .tsv or \
                       .parquet (or in these and .gz, .zst, .bz2, .xz)";
        let (path, problem) = (file.path.clone(), problem.to_owned());
        return Err(Error::Format { path, problem }.into());
    }
    let wanted = Wanted::new(settings);
    let mut worker = Worker::new(settings, &wanted, Segmenter::new(settings)?);
    let mut report = TokenizeReport::default();
    let mut failed = None;
    for group in corpus.groups(settings.shard_bytes.0) {
        let number = group.number();
        let files = &corpus.files[group.files];
        let (read, _) =
            read_group(settings, &wanted, files, &mut |_| {}, &mut |segment, namespaces| {
                let namespaces = namespaces.clone();
                worker.clear();
                worker.add(&mut Work { segment, files, group: number, namespaces })?;
                report.add(&worker.made.report);
                failed = records(&worker.made, &mut each).err();
                Ok(failed.is_none())
            })?;
        report.add(&read);
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(report)
}

/// Records are whole documents, so rows of tokens and of fields are the same.
fn records<E>(
    made: &Made,
    each: &mut impl FnMut(&[&str], &[&str]) -> Result<(), E>,
) -> Result<(), E> {
    let (mut tokens, mut fields) = (Vec::new(), Vec::new());
    for (row, (_, ids)) in made.tokens.rows().enumerate() {
        tokens.clear();
        tokens.extend(ids.iter().map(|&id| made.words.word(id)));
        fields.clear();
        fields.extend(made.kept.iter().map(|column| column.get(row).map_or("", String::as_str)));
        each(&tokens, &fields)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_store::ByteSize;

    fn read(name: &str, content: &str) -> Result<(Vec<String>, TokenizeReport)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        let settings = TokenizeSettings {
            input: vec![path.to_string_lossy().into_owned()],
            metadata: vec!["label".to_owned()],
            shard_bytes: ByteSize(1 << 16),
            ..TokenizeSettings::default()
        };
        let mut found = Vec::new();
        let report = each_record::<Error>(&settings, |tokens, fields| {
            found.push(format!("{}={}", fields.join("+"), tokens.join(" ")));
            Ok(())
        })?;
        Ok((found, report))
    }

    #[test]
    fn records_with_their_fields() {
        let json = "{\"text\": \"One, two.\", \"label\": 1}\n{\"text\": \"...\", \"label\": 2}\n\
                    {\"text\": \"three\"}\n";
        let (found, report) = read("a.jsonl", json).unwrap();
        assert_eq!(found, ["1=One two", "=three"]);
        assert_eq!(report.empty_documents, 1);
        let (found, _) = read("a.csv", "label,text\nx,\"a\nb\"\ny,c\n").unwrap();
        assert_eq!(found, ["x=a b", "y=c"]);
        // More than a segment.
        let many: String = (0..20_000).map(|i| format!("l{i}\tword{i}\n")).collect();
        let (found, _) = read("a.tsv", &format!("label\ttext\n{many}")).unwrap();
        assert_eq!(found.len(), 20_000);
        assert!((0..).zip(&found).all(|(i, found)| *found == format!("l{i}=word{i}")));
        let error = read("a.txt", "text").unwrap_err().to_string();
        assert!(error.contains("a.txt") && error.contains("plain text"), "{error}");
    }

    #[test]
    fn who_reads_can_stop() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.csv");
        std::fs::write(&path, "text\na\nb\n").unwrap();
        let settings = TokenizeSettings {
            input: vec![path.to_string_lossy().into_owned()],
            ..TokenizeSettings::default()
        };
        let mut seen = 0;
        let stopped = each_record(&settings, |_, _| {
            seen += 1;
            Err(Error::Format { path: path.clone(), problem: "is enough".to_owned() })
        });
        assert!(stopped.unwrap_err().to_string().contains("is enough") && seen == 1);
    }
}
