//! What a tokenize stage counted: nothing is replaced, cut or dropped in silence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clean::CleaningCounts;

/// Counts of a tokenize stage, or of a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenizeReport {
    /// Corpus files.
    pub files: u64,
    /// Corpus files with nothing in them.
    pub empty_files: u64,
    /// Text, after decompression.
    pub bytes: u64,
    /// Documents with at least one token.
    pub documents: u64,
    /// Documents without any token; they are left out.
    pub empty_documents: u64,
    /// Tokens.
    pub tokens: u64,
    /// Different words, to within 2 % or so; the vocabulary has the exact number.
    pub types: u64,
    /// Records read of files that hold such.
    pub records: u64,
    /// Records whose text is missing or null, left out.
    pub records_without_text: u64,
    /// The fields of the first of these.
    pub other_fields: String,
    /// Records that lack a field of `metadata` or `filter`, by field.
    pub missing_fields: BTreeMap<String, u64>,
    /// Records left out by `filter`.
    pub records_filtered: u64,
    /// Records that can't be read, left out.
    pub bad_records: u64,
    /// Pages of a wiki that are no articles: redirects, and those of other namespaces.
    pub not_articles: u64,
    /// Documents and records that are not in the sample.
    pub sampled_out: u64,
    /// Ill-formed UTF-8 sequences that became U+FFFD.
    pub invalid_utf8_replaced: u64,
    /// NUL bytes that became spaces.
    pub nul_bytes: u64,
    /// Byte order marks taken off the start of files.
    pub byte_order_marks: u64,
    /// Carriage returns that do not end a line with the line feed after them: white space.
    pub lone_carriage_returns: u64,
    /// Words longer than `max_word_bytes`, dropped.
    pub words_too_long: u64,
    /// Documents so long that they go on in another shard. Context windows do not notice.
    pub documents_continued: u64,
    /// Stretches without white space so long that they were cut between two characters.
    pub long_runs_cut: u64,
    /// The longest document or record, or part of one in a shard, in bytes of text.
    pub longest_document_bytes: u64,
    /// What the steps of cleaning changed.
    pub cleaning: CleaningCounts,
    /// Tokens by the script of their first letter, by its Unicode name; `Common` without any.
    pub scripts: BTreeMap<String, u64>,
}

impl TokenizeReport {
    /// Adds another part's counts.
    pub fn add(&mut self, other: &TokenizeReport) {
        self.files += other.files;
        self.empty_files += other.empty_files;
        self.bytes += other.bytes;
        self.documents += other.documents;
        self.empty_documents += other.empty_documents;
        self.tokens += other.tokens;
        self.types += other.types;
        self.records += other.records;
        self.records_without_text += other.records_without_text;
        if self.other_fields.is_empty() {
            self.other_fields.clone_from(&other.other_fields);
        }
        for (field, records) in &other.missing_fields {
            *self.missing_fields.entry(field.clone()).or_default() += records;
        }
        self.records_filtered += other.records_filtered;
        self.bad_records += other.bad_records;
        self.not_articles += other.not_articles;
        self.sampled_out += other.sampled_out;
        self.invalid_utf8_replaced += other.invalid_utf8_replaced;
        self.nul_bytes += other.nul_bytes;
        self.byte_order_marks += other.byte_order_marks;
        self.lone_carriage_returns += other.lone_carriage_returns;
        self.words_too_long += other.words_too_long;
        self.documents_continued += other.documents_continued;
        self.long_runs_cut += other.long_runs_cut;
        self.longest_document_bytes = self.longest_document_bytes.max(other.longest_document_bytes);
        self.cleaning.add(&other.cleaning);
        for (script, tokens) in &other.scripts {
            *self.scripts.entry(script.clone()).or_default() += tokens;
        }
    }

    /// All counts by name; those of steps of cleaning as `cleaning.NAME`, of scripts as
    /// `scripts.NAME`.
    pub fn rows(&self) -> Vec<(String, u64)> {
        fn add(prefix: &str, value: &serde_json::Value, rows: &mut Vec<(String, u64)>) {
            let Some(fields) = value.as_object() else { return };
            for (name, value) in fields {
                match value.as_u64() {
                    Some(count) => rows.push((format!("{prefix}{name}"), count)),
                    None => add(&format!("{prefix}{name}."), value, rows),
                }
            }
        }
        let mut rows = Vec::new();
        add("", &serde_json::to_value(self).expect("plain data"), &mut rows);
        rows
    }

    /// What a person should know, in sentences; empty if the corpus was clean.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                notices.push(format!("{count} {what}"));
            }
        };
        say(self.empty_files, "corpus files were empty");
        say(self.invalid_utf8_replaced, "ill-formed UTF-8 sequences became U+FFFD");
        say(self.nul_bytes, "NUL bytes became spaces");
        say(self.byte_order_marks, "byte order marks were taken off");
        say(
            self.lone_carriage_returns,
            "carriage returns stand without a line feed; they count as spaces, not as line ends",
        );
        say(self.words_too_long, "words were longer than max_word_bytes and were dropped");
        say(self.documents_continued, "times a document went on in the next shard");
        say(self.long_runs_cut, "stretches without white space were cut between two characters");
        say(self.records_without_text, "records had no text and were left out");
        for (field, &records) in &self.missing_fields {
            say(records, &format!("records have no text or number in {field:?}"));
        }
        say(self.records_filtered, "records were left out by the filter");
        say(self.bad_records, "records could not be read and were left out");
        say(self.not_articles, "pages were no articles and were left out");
        say(self.sampled_out, "documents are not in the sample");
        notices.extend(self.cleaning.notices());
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_added() {
        // Through JSON, so that a field that `add` forgets is found.
        fn ones(value: &mut serde_json::Value) {
            match value {
                serde_json::Value::Number(_) => *value = 1.into(),
                serde_json::Value::String(text) => "a".clone_into(text),
                serde_json::Value::Object(fields) => fields.values_mut().for_each(ones),
                _ => {}
            }
        }
        let mut value = serde_json::to_value(TokenizeReport::default()).unwrap();
        ones(&mut value);
        value["scripts"]["Latin"] = 1.into();
        value["missing_fields"]["date"] = 1.into();
        let ones: TokenizeReport = serde_json::from_value(value).unwrap();
        let mut sum = TokenizeReport::default();
        sum.add(&ones);
        assert_eq!(sum, ones);
        sum.add(&ones);
        fn check(name: &str, value: &serde_json::Value) {
            match value {
                serde_json::Value::Object(fields) => fields.iter().for_each(|(n, v)| check(n, v)),
                serde_json::Value::String(text) => assert_eq!(text, "a"),
                _ if name == "longest_document_bytes" => assert_eq!(value, 1),
                _ => assert_eq!(value, 2, "{name}"),
            }
        }
        check("", &serde_json::to_value(&sum).unwrap());
        assert!(sum.notices().len() >= 13);
        assert!(TokenizeReport::default().notices().is_empty());
    }
}
