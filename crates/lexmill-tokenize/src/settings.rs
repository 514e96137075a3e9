//! What the pipeline file says about tokens and vocabulary.

use std::path::PathBuf;

use lexmill_store::ByteSize;
use serde::{Deserialize, Serialize};

use crate::clean::CleaningStep;
use crate::lowercase::Lowercase;
use crate::records::{Condition, mediawiki};

/// Settings of the `tokenize` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizeSettings {
    /// Corpus files: paths or patterns (`*`, `?`, `[...]`, `**`), directories (all files below them),
    /// `@FILE` for a list of such with one a line, `-` for standard input. `~` and `${NAME}` or
    /// `${NAME:-default}` stand for directories. Plain, gzip, zstd, bzip2 or xz, told apart by content.
    pub input: Vec<String>,
    /// Sentences written in the pipeline file itself, each a list of tokens that are taken as they
    /// are; each is a document.
    pub sentences: Vec<Vec<String>>,
    /// What the files hold.
    pub format: Format,
    /// Where the text of a record is: a column, or the path of a JSON field (`body.text`). A list of
    /// strings there is taken as tokens.
    pub field: String,
    /// Fields of records to keep beside their tokens, in `documents/`.
    pub metadata: Vec<String>,
    /// Conditions on fields of records, such as `lang == en` or `score >= 0.5`; a record stays if all
    /// hold.
    pub filter: Vec<Condition>,
    /// The share of records, or of documents of plain text, that is taken, drawn at random.
    pub sample: f64,
    /// Seed of that draw.
    pub seed: u64,
    /// What to do with records that can't be read.
    pub bad_records: BadRecords,
    /// The encoding of text, by its name on the web (`gb18030`, `big5`, `shift_jis`, `latin1`,
    /// `utf-16le`, ...).
    pub encoding: String,
    /// What a document is; by default a line of plain text, and a record otherwise. No context window
    /// crosses a document's end.
    pub documents: Option<Documents>,
    /// Steps of cleaning, before anything else, in this order.
    pub clean: Vec<CleaningStep>,
    /// How text becomes words.
    pub segmenter: SegmenterKind,
    /// What is a word, for the segmenter `pattern`: a regular expression.
    pub pattern: Option<String>,
    /// The `tokenizer.json` of the segmenter `tokenizer`.
    pub tokenizer: Option<PathBuf>,
    /// The directory of a dictionary of MeCab, for the segmenter `mecab`, and for Japanese by `auto`.
    pub dictionary: Option<PathBuf>,
    /// Words for the Chinese dictionary, one a line: `WORD`, `WORD COUNT` or `WORD COUNT TAG`, as
    /// jieba has them.
    pub user_dictionary: Option<PathBuf>,
    /// Unicode normalization, before segmentation.
    pub normalization: Normalization,
    /// Whether text is lower-cased.
    pub lowercase: bool,
    /// The language whose rules lower-casing follows, such as `tr`, `az`, `lt`.
    pub lowercase_locale: Option<String>,
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
            format: Format::Auto,
            field: "text".to_owned(),
            metadata: Vec::new(),
            filter: Vec::new(),
            sample: 1.0,
            seed: 1,
            bad_records: BadRecords::Error,
            encoding: UTF_8.to_owned(),
            documents: None,
            clean: Vec::new(),
            segmenter: SegmenterKind::UnicodeWords,
            pattern: None,
            tokenizer: None,
            dictionary: None,
            user_dictionary: None,
            normalization: Normalization::Nfc,
            lowercase: false,
            lowercase_locale: None,
            invalid_utf8: InvalidUtf8::Replace,
            max_word_bytes: 1000,
            shard_bytes: ByteSize(8 << 20),
        }
    }
}

/// The default encoding.
pub(crate) const UTF_8: &str = "utf-8";

impl TokenizeSettings {
    /// What is wrong with the settings, field by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut say = |field, problem: &str| problems.push((field, problem.to_owned()));
        if self.input.is_empty() && self.sentences.is_empty() {
            say("input", "name at least one corpus file, or give sentences");
        }
        if !(1 << 16..=1 << 28).contains(&self.shard_bytes.0) {
            say("shard_bytes", "must be from 64KiB to 256MiB");
        }
        if self.max_word_bytes == 0 {
            say("max_word_bytes", "must be at least 1");
        }
        if !(self.sample > 0.0 && self.sample <= 1.0) {
            say("sample", "must be more than 0, and 1 at most");
        }
        if self.field.is_empty() {
            say("field", "must name a column or a JSON field");
        }
        if encoding_rs::Encoding::for_label_no_replacement(self.encoding.as_bytes()).is_none() {
            say(
                "encoding",
                &format!(
                    "{:?} is no encoding known here; some are utf-8, utf-16le, latin1, gb18030, big5, shift_jis, euc-kr",
                    self.encoding
                ),
            );
        }
        if self.encoding_other_than_utf_8().is_some() && self.format == Format::Parquet {
            say("encoding", "does not apply to Parquet, whose text is always UTF-8");
        }
        match (self.format, self.documents) {
            (Format::Text, Some(Documents::Records)) => {
                say(
                    "documents",
                    "can't be records: plain text has none; take lines, blocks, sentences or files",
                );
            }
            (format, Some(Documents::Files)) if format.has_records() => {
                say(
                    "documents",
                    "can't be files where these hold records; take records, lines, blocks or sentences",
                );
            }
            _ => {}
        }
        if self.format == Format::Text {
            if !self.metadata.is_empty() {
                say("metadata", "needs records, and plain text has none");
            }
            if !self.filter.is_empty() {
                say("filter", "needs records, and plain text has none");
            }
        }
        if self.format == Format::Mediawiki {
            let known = |name: &str| mediawiki::FIELDS.contains(&name);
            let problem = "has a name that is no field of a dump: these are text, title and id";
            if !known(&self.field) {
                say("field", problem);
            }
            if self.metadata.iter().any(|name| !known(name)) {
                say("metadata", problem);
            }
            if self.filter.iter().any(|condition| !known(condition.field())) {
                say("filter", problem);
            }
        }
        if self.format == Format::Parquet && self.input.iter().any(|input| input == "-") {
            say(
                "input",
                "can't be standard input for Parquet, which is not read from start to end",
            );
        }
        for (i, name) in self.metadata.iter().enumerate() {
            if self.metadata[..i].contains(name) || name == ROW {
                say("metadata", &format!("has {name:?} twice, or it is the column of row numbers"));
            }
        }
        for (field, given, needed) in [
            ("pattern", self.pattern.is_some(), self.segmenter == SegmenterKind::Pattern),
            ("tokenizer", self.tokenizer.is_some(), self.segmenter == SegmenterKind::Tokenizer),
        ] {
            match (given, needed) {
                (false, true) => say(field, &format!("must be given for the segmenter {field:?}")),
                (true, false) => say(field, &format!("is for the segmenter {field:?} alone")),
                _ => {}
            }
        }
        match (self.dictionary.is_some(), self.segmenter) {
            (false, SegmenterKind::Mecab) => {
                say("dictionary", "must be given for the segmenter \"mecab\"");
            }
            (true, SegmenterKind::Mecab | SegmenterKind::Auto) | (false, _) => {}
            (true, _) => say("dictionary", "is for the segmenters \"mecab\" and \"auto\""),
        }
        let chinese = matches!(self.segmenter, SegmenterKind::Chinese | SegmenterKind::Auto);
        if self.user_dictionary.is_some() && !chinese {
            say("user_dictionary", "is for the segmenters \"chinese\" and \"auto\"");
        }
        if let Some(pattern) = &self.pattern
            && let Err(error) = regex::Regex::new(pattern)
        {
            say("pattern", &format!("is no regular expression: {error}"));
        }
        if let Some(locale) = &self.lowercase_locale {
            if !self.lowercase {
                say("lowercase_locale", "needs lowercase = true");
            }
            if let Err(problem) = Lowercase::new(locale) {
                say("lowercase_locale", &problem);
            }
        }
        problems
    }

    /// What a document of a file of this format is.
    pub(crate) fn documents_of(&self, format: Format) -> Documents {
        match (self.documents, format.has_records()) {
            (None | Some(Documents::Records), false) => Documents::Lines,
            (None | Some(Documents::Files), true) => Documents::Records,
            (Some(documents), _) => documents,
        }
    }

    /// The encoding of text, if it is another one.
    pub(crate) fn encoding_other_than_utf_8(&self) -> Option<&'static encoding_rs::Encoding> {
        encoding_rs::Encoding::for_label_no_replacement(self.encoding.as_bytes())
            .filter(|&encoding| encoding != encoding_rs::UTF_8)
    }
}

/// The column of `documents/` tables that holds the document's row in the table of tokens.
pub(crate) const ROW: &str = "row";

/// What corpus files hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Told apart by the file's name (`.jsonl`, `.ndjson`, `.csv`, `.tsv`, `.parquet`, `.xml`, with
    /// `.gz` and so on behind it or not); plain text otherwise.
    #[default]
    Auto,
    /// Plain text.
    Text,
    /// A JSON object a line.
    JsonLines,
    /// Comma-separated values, with a line of column names (RFC 4180).
    Csv,
    /// Tab-separated values, with a line of column names; quotes are characters like any other.
    Tsv,
    /// A Parquet file.
    Parquet,
    /// A dump of a MediaWiki (`*-pages-articles.xml`): the text of its articles.
    Mediawiki,
}

impl Format {
    /// Whether it holds records, which have fields.
    pub(crate) fn has_records(self) -> bool {
        !matches!(self, Format::Auto | Format::Text)
    }

    /// Its name in a pipeline file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Auto => "auto",
            Format::Text => "text",
            Format::JsonLines => "json-lines",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Parquet => "parquet",
            Format::Mediawiki => "mediawiki",
        }
    }
}

/// What to do with records that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadRecords {
    /// The stage stops and says where.
    Error,
    /// They are left out, and counted.
    Skip,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Documents {
    /// Each line.
    Lines,
    /// Lines between blank lines (nothing but ASCII white space on them).
    Blocks,
    /// Each sentence of a line, by the default rules of Unicode (UAX #29).
    Sentences,
    /// Each file of plain text.
    Files,
    /// Each record of a format that has such.
    Records,
}

/// How text becomes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmenterKind {
    /// By script, run by run: Chinese by `chinese`, Japanese by `mecab` if there is a `dictionary`, other
    /// scripts that are written without spaces by `icu`, the rest by `unicode-words`.
    Auto,
    /// Whatever stands between white space (Unicode `White_Space`).
    Whitespace,
    /// Words by the default rules of Unicode (UAX #29) that have a letter or digit in them.
    UnicodeWords,
    /// Each character that a person sees (extended grapheme cluster) that has a letter or digit.
    Characters,
    /// Chinese by jieba's dictionary and hidden Markov model; the rest by `unicode-words`.
    Chinese,
    /// Words by ICU: UAX #29, with dictionaries and models for Chinese and Japanese, Thai, Lao, Khmer
    /// and Burmese.
    Icu,
    /// Words of a dictionary of MeCab, for Japanese or Korean.
    Mecab,
    /// Matches of a regular expression.
    Pattern,
    /// Pieces of a Hugging Face `tokenizer.json` (WordPiece, BPE, Unigram).
    Tokenizer,
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
