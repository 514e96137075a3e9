//! What a tokenize stage counted: nothing is replaced, cut or dropped in silence.

use serde::{Deserialize, Serialize};

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
    /// The longest document, or part of one in a shard, in bytes of text.
    pub longest_document_bytes: u64,
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
        self.invalid_utf8_replaced += other.invalid_utf8_replaced;
        self.nul_bytes += other.nul_bytes;
        self.byte_order_marks += other.byte_order_marks;
        self.lone_carriage_returns += other.lone_carriage_returns;
        self.words_too_long += other.words_too_long;
        self.documents_continued += other.documents_continued;
        self.long_runs_cut += other.long_runs_cut;
        self.longest_document_bytes = self.longest_document_bytes.max(other.longest_document_bytes);
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
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_added() {
        // Through JSON, so that a field that `add` forgets is found.
        let ones: TokenizeReport = {
            let mut value = serde_json::to_value(TokenizeReport::default()).unwrap();
            for (_, field) in value.as_object_mut().unwrap() {
                *field = 1.into();
            }
            serde_json::from_value(value).unwrap()
        };
        let mut sum = ones.clone();
        sum.add(&ones);
        for (name, field) in serde_json::to_value(&sum).unwrap().as_object().unwrap() {
            let expected = if name == "longest_document_bytes" { 1 } else { 2 };
            assert_eq!(field, expected, "{name}");
        }
        assert_eq!(sum.notices().len(), 8);
        assert!(TokenizeReport::default().notices().is_empty());
    }
}
