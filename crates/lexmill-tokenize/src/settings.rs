//! What the pipeline file says about tokens and vocabulary.

use lexmill_store::ByteSize;
use serde::{Deserialize, Serialize};

/// Settings of the `tokenize` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizeSettings {
    /// Corpus files: paths or patterns (`*`, `?`, `[...]`, `**`), `-` for standard input. `~` and
    /// `${NAME}` or `${NAME:-default}` stand for directories. Plain text, gzip or zstd, told apart by
    /// content.
    pub input: Vec<String>,
    /// Sentences written in the pipeline file itself, each a list of tokens that are taken as they
    /// are; each is a document.
    pub sentences: Vec<Vec<String>>,
    /// What a document is. No context window crosses a document's end.
    pub documents: Documents,
    /// How text becomes words.
    pub segmenter: SegmenterKind,
    /// Unicode normalization, before anything else.
    pub normalization: Normalization,
    /// Whether text is lower-cased.
    pub lowercase: bool,
    /// What to do with bytes that are not UTF-8.
    pub invalid_utf8: InvalidUtf8,
    /// Longer words are dropped, and counted.
    pub max_word_bytes: usize,
    /// Text in a shard, roughly.
    pub shard_bytes: ByteSize,
}

impl Default for TokenizeSettings {
    fn default() -> TokenizeSettings {
        TokenizeSettings {
            input: Vec::new(),
            sentences: Vec::new(),
            documents: Documents::Lines,
            segmenter: SegmenterKind::UnicodeWords,
            normalization: Normalization::Nfc,
            lowercase: false,
            invalid_utf8: InvalidUtf8::Replace,
            max_word_bytes: 1000,
            shard_bytes: ByteSize(8 << 20),
        }
    }
}

impl TokenizeSettings {
    /// What is wrong with the settings, field by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.input.is_empty() && self.sentences.is_empty() {
            problems.push(("input", "name at least one corpus file, or give sentences".to_owned()));
        }
        if !(1 << 16..=1 << 28).contains(&self.shard_bytes.0) {
            problems.push(("shard_bytes", "must be from 64KiB to 256MiB".to_owned()));
        }
        if self.max_word_bytes == 0 {
            problems.push(("max_word_bytes", "must be at least 1".to_owned()));
        }
        problems
    }
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Documents {
    /// Each line.
    Lines,
    /// Lines between blank lines (nothing but ASCII white space on them).
    Blocks,
    /// Each file.
    Files,
}

/// How text becomes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmenterKind {
    /// Whatever stands between white space (Unicode `White_Space`).
    Whitespace,
    /// Words by the default rules of Unicode (UAX #29) that have a letter or digit in them.
    UnicodeWords,
}

/// Unicode normalization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// None: text is taken as it is.
    None,
    /// Canonical composition.
    Nfc,
    /// Compatibility composition: also `ﬁ` to `fi`, full-width to half-width, and so on.
    Nfkc,
}

/// What to do with bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvalidUtf8 {
    /// Each ill-formed sequence becomes U+FFFD, and is counted.
    Replace,
    /// The stage stops.
    Error,
}

/// Settings of the `vocabulary` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VocabularySettings {
    /// Words that occur less often are left out.
    pub min_count: u64,
    /// Keep at most this many words, the most frequent.
    pub max_words: Option<usize>,
    /// Words that get the first ids, in this order, however often they occur.
    pub reserved: Vec<String>,
}

impl Default for VocabularySettings {
    fn default() -> VocabularySettings {
        VocabularySettings { min_count: 5, max_words: None, reserved: Vec::new() }
    }
}

impl VocabularySettings {
    /// What is wrong with the settings, field by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.max_words == Some(0) {
            problems.push(("max_words", "must be at least 1".to_owned()));
        }
        let mut seen = std::collections::BTreeSet::new();
        for word in &self.reserved {
            if !seen.insert(word) {
                problems.push(("reserved", format!("{word:?} stands there twice")));
            }
        }
        problems
    }
}
