//! Files that hold records: which of their fields are wanted, and the records one by one.
//!
//! | format | module | who reads it |
//! | --- | --- | --- |
//! | JSON lines | [`json`] | workers: lines can be cut apart without reading them |
//! | CSV, TSV | [`csv`] | the reader: a quoted field may hold line ends |
//! | Parquet | [`columns`] | the reader |
//! | MediaWiki dumps | [`mediawiki`] | the reader takes pages apart, workers read their markup |
//!
//! Further formats plug in here: a new [`Records`].

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, Read};

use serde::{Deserialize, Serialize};

use crate::cut::RecordCutter;
use crate::settings::TokenizeSettings;
use crate::{Error, Result};

pub(crate) mod columns;
pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod mediawiki;

/// The longest record, in bytes: a reader never holds more of one.
pub(crate) const MOST_BYTES: usize = 64 << 20;

/// A condition on a field of a record, written `FIELD OPERATOR VALUE`. Two numbers are compared as
/// numbers, anything else as text, byte by byte. A field that is missing or null differs from every
/// value, and no other condition on it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    field: String,
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Less,
    Greater,
}

/// As written; those of two characters first.
const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Condition, String> {
        let found = OPERATORS
            .iter()
            .filter_map(|&(sign, operator)| Some((text.find(sign)?, sign, operator)))
            .min_by_key(|(place, sign, _)| (*place, usize::MAX - sign.len()));
        let (place, sign, operator) = found.ok_or_else(|| {
            format!(
                "{text:?} is no condition; write one such as \"lang == en\" or \"score >= 0.5\""
            )
        })?;
        let field = text[..place].trim().to_owned();
        let value = text[place + sign.len()..].trim();
        let quoted = |mark| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value).to_owned();
        match field.is_empty() {
            true => Err(format!("{text:?} names no field")),
            false => Ok(Condition { field, operator, value }),
        }
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> String {
        condition.to_string()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = OPERATORS.iter().find(|(_, o)| *o == self.operator).map_or("", |(sign, _)| sign);
        write!(f, "{} {sign} {:?}", self.field, self.value)
    }
}

impl Condition {
    /// The name of the field.
    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    fn holds(&self, found: Option<&str>) -> bool {
        let Some(found) = found else { return self.operator == Operator::NotEqual };
        let order = compare(found.trim(), &self.value);
        match self.operator {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::LessOrEqual => order.is_le(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::Less => order.is_lt(),
            Operator::Greater => order.is_gt(),
        }
    }
}

/// The order of two values: as whole numbers, as decimal numbers, or else as text. `nan` and `inf` are
/// text.
fn compare(found: &str, value: &str) -> std::cmp::Ordering {
    if let (Ok(found), Ok(value)) = (found.parse::<i128>(), value.parse::<i128>()) {
        return found.cmp(&value);
    }
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    match (number(found), number(value)) {
        // Both are finite, so there is an order.
        (Some(found), Some(value)) => found.partial_cmp(&value).unwrap_or(found.total_cmp(&value)),
        _ => found.cmp(value),
    }
}

/// The fields of a record that are wanted: that of the text, those to keep, and those of conditions.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Their names, each once; the first is the text's.
    names: Vec<String>,
    /// Which of them to keep.
    kept: Vec<usize>,
    conditions: Vec<(usize, Condition)>,
}

impl Wanted {
    pub(crate) fn new(settings: &TokenizeSettings) -> Wanted {
        let mut wanted = Wanted {
            names: vec![settings.field.clone()],
            kept: Vec::new(),
            conditions: Vec::new(),
        };
        for name in &settings.metadata {
            let number = wanted.number(name);
            wanted.kept.push(number);
        }
        for condition in &settings.filter {
            let number = wanted.number(&condition.field);
            wanted.conditions.push((number, condition.clone()));
        }
        wanted
    }

    /// The number of a field that is not the text. One that is both has two numbers.
    fn number(&mut self, name: &str) -> usize {
        match self.names[1..].iter().position(|known| known == name) {
            Some(place) => place + 1,
            None => {
                self.names.push(name.to_owned());
                self.names.len() - 1
            }
        }
    }

    /// The names of the fields; the first is the text's.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the conditions hold of values by field number; that of the text is not looked at.
    pub(crate) fn admits(&self, values: &[Option<Cow<'_, str>>]) -> bool {
        self.conditions
            .iter()
            .all(|(number, condition)| condition.holds(values[*number].as_deref()))
    }

    /// The values to keep, of values by field number.
    pub(crate) fn kept<'v>(
        &self,
        values: &'v [Option<Cow<'_, str>>],
    ) -> impl Iterator<Item = Option<&'v str>> {
        self.kept.iter().map(|&number| values[number].as_deref())
    }
}

/// What stands in the field of the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Content<'a> {
    /// Nothing: it is missing or null.
    #[default]
    Missing,
    /// Text.
    Text(Cow<'a, str>),
    /// A list of strings, which are tokens.
    Tokens(Vec<Cow<'a, str>>),
    /// Neither: what it is instead.
    Other(&'static str),
}

/// What a reader of records counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RecordCounts {
    /// Records whose text is missing or null.
    pub(crate) without_text: u64,
    /// Left out by a condition.
    pub(crate) filtered: u64,
    /// That can't be read, and were skipped.
    pub(crate) bad: u64,
    /// Redirects, and pages of other namespaces.
    pub(crate) not_articles: u64,
    /// Ill-formed UTF-8 sequences replaced.
    pub(crate) invalid_utf8: u64,
    /// Bytes read.
    pub(crate) bytes: u64,
}

/// A file's records, in order.
pub(crate) trait Records {
    /// Gives `cutter` the next record that is wanted; false at the end.
    fn next(&mut self, cutter: &mut RecordCutter, counts: &mut RecordCounts) -> Result<bool>;

    /// Numbers and names of the namespaces of a wiki, once, after its first record.
    fn namespaces(&mut self) -> Option<Vec<(i32, String)>> {
        None
    }
}

/// Text of which a record may take [`MOST_BYTES`] and no more.
pub(crate) struct Limited {
    text: Box<dyn BufRead + Send>,
    left: usize,
    /// What to think of when a record is longer.
    hint: &'static str,
}

impl Limited {
    pub(crate) fn new(text: Box<dyn BufRead + Send>, hint: &'static str) -> Limited {
        Limited { text, left: MOST_BYTES, hint }
    }

    /// A new record begins.
    pub(crate) fn renew(&mut self) {
        self.left = MOST_BYTES;
    }
}

impl BufRead for Limited {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        let bytes = self.text.fill_buf()?;
        if self.left == 0 && !bytes.is_empty() {
            let most = MOST_BYTES >> 20;
            let problem = format!("a record goes on for more than {most} MiB; {}", self.hint);
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, problem));
        }
        Ok(&bytes[..bytes.len().min(self.left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.text.consume(bytes);
        self.left -= bytes;
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.fill_buf()?;
        let read = bytes.len().min(buffer.len());
        buffer[..read].copy_from_slice(&bytes[..read]);
        self.consume(read);
        Ok(read)
    }
}

/// The names of `found`, for a message; not all of very many.
pub(crate) fn named<'n>(found: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<String> = found.into_iter().map(|name| format!("{name:?}")).collect();
    match names.len() {
        0 => "none".to_owned(),
        1..=30 => names.join(", "),
        n => format!("{} and {} more", names[..30].join(", "), n - 30),
    }
}

/// That a file has no field of this name.
pub(crate) fn no_field<'n>(
    path: &std::path::Path,
    field: &str,
    found: impl IntoIterator<Item = &'n str>,
) -> Error {
    let problem = format!("has no field {field:?}; it has {}", named(found));
    Error::Format { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Condition {
        Condition::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn conditions() {
        assert!(condition("lang == en").holds(Some("en")));
        assert!(!condition("lang == en").holds(Some("de")));
        assert!(condition("lang==\"a b\"").holds(Some("a b")));
        assert!(condition("score >= 0.5").holds(Some("5e-1")));
        assert!(condition("score < 10").holds(Some("9")), "as numbers");
        assert!(condition("date < 1900-01-01").holds(Some("1899-12-31")), "as text");
        assert!(condition("lang == nan").holds(Some("nan")), "Min Nan, not a number");
        assert!(!condition("n == 9007199254740992").holds(Some("9007199254740993")));
        assert!(condition("n == 0.0").holds(Some("-0")));
        for text in ["x == 1", "x < 1", "x >= 1"] {
            assert!(!condition(text).holds(None), "{text}");
        }
        assert!(condition("x != 1").holds(None));
        for text in ["", "lang", "== en", "lang = en"] {
            assert!(Condition::try_from(text.to_owned()).is_err(), "{text}");
        }
        let written = condition("a.b<='q'").to_string();
        assert_eq!(written, "a.b <= \"q\"");
        assert_eq!(condition(&written), condition("a.b<='q'"));
    }

    #[test]
    fn the_field_of_the_text_can_be_kept_as_well() {
        let settings = TokenizeSettings {
            metadata: vec!["id".into(), "text".into()],
            filter: vec![condition("id > 3")],
            ..TokenizeSettings::default()
        };
        let wanted = Wanted::new(&settings);
        assert_eq!(wanted.names(), ["text", "id", "text"]);
        let values = [None, Some("4".into()), Some("t".into())];
        assert!(wanted.admits(&values));
        assert_eq!(wanted.kept(&values).collect::<Vec<_>>(), [Some("4"), Some("t")]);
    }
}
