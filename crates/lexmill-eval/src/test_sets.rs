//! Test sets from the files people have them in.
//!
//! | set | a line | besides |
//! | --- | --- | --- |
//! | [`WordPairs`] | `word word score`, further fields are ignored | header lines before the first pair |
//! | [`Analogies`] | `a b c d`: a is to b as c is to d | `: name` begins a section |
//!
//! Fields of a pair stand between tabs, else `;`, else white space, else `,`; a score may have a decimal
//! comma. Words of a question stand between white space. Lines end in LF, CRLF or a lone CR. Blank lines
//! and lines that start with `#` are left out. What looks like a header (before the first pair, a third
//! field that is not a number) is skipped and counted; anything else that is wrong is an error that
//! names the line.

use std::path::Path;

use lexmill_store::Error as StoreError;

use crate::{Error, LineProblem, Result};

/// Two words and how alike people find them.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The words.
    pub words: [String; 2],
    /// The mean judgement; its scale does not matter.
    pub score: f64,
}

/// A set of word pairs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WordPairs {
    /// The pairs in the order of the file.
    pub pairs: Vec<Pair>,
    /// Header lines that were skipped.
    pub skipped: usize,
}

/// A section of a set of analogies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// Its name; empty for questions before the first section line.
    pub name: String,
    /// The questions `a b c d`: a is to b as c is to d.
    pub questions: Vec<[String; 4]>,
}

impl Section {
    /// Whether its questions are about grammar: its name begins with `gram`, as in Google's set.
    pub fn is_syntactic(&self) -> bool {
        self.name.starts_with("gram")
    }
}

/// A set of analogies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Analogies {
    /// The sections in the order of the file; none is empty.
    pub sections: Vec<Section>,
}

impl WordPairs {
    /// Reads a file of word pairs.
    ///
    /// # Errors
    /// If it can't be read, a line is wrong, or there is no pair.
    pub fn read(path: &Path) -> Result<WordPairs> {
        let mut set = WordPairs::default();
        for_each_line(path, |line| {
            let fields = pair_fields(line);
            let &[first, second, score, ..] = fields.as_slice() else {
                return Err(LineProblem::PairFields { found: fields.len() });
            };
            match number(score) {
                Some(score) if !first.is_empty() && !second.is_empty() => {
                    set.pairs.push(Pair { words: [first.to_owned(), second.to_owned()], score });
                    Ok(())
                }
                Some(_) => Err(LineProblem::PairFields {
                    found: fields.iter().filter(|field| !field.is_empty()).count(),
                }),
                None if set.pairs.is_empty() => {
                    set.skipped += 1;
                    Ok(())
                }
                None => Err(LineProblem::Score { text: score.to_owned() }),
            }
        })?;
        if set.pairs.is_empty() {
            let wanted = "word pairs (lines of two words and a score)";
            return Err(Error::Empty { path: path.to_owned(), wanted });
        }
        Ok(set)
    }
}

impl Analogies {
    /// Reads a file of analogies in the format of Google's `questions-words.txt`.
    ///
    /// # Errors
    /// If it can't be read, a line is wrong, or there is no question.
    pub fn read(path: &Path) -> Result<Analogies> {
        let mut sections = vec![Section::default()];
        for_each_line(path, |line| {
            if let Some(name) = line.strip_prefix(':') {
                sections.push(Section { name: name.trim().to_owned(), questions: Vec::new() });
                return Ok(());
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let &[a, b, c, d] = words.as_slice() else {
                return Err(LineProblem::QuestionFields { found: words.len() });
            };
            let section = sections.last_mut().expect("one from the start");
            section.questions.push([a, b, c, d].map(str::to_owned));
            Ok(())
        })?;
        sections.retain(|section| !section.questions.is_empty());
        if sections.is_empty() {
            let wanted = "analogies (lines of four words)";
            return Err(Error::Empty { path: path.to_owned(), wanted });
        }
        Ok(Analogies { sections })
    }

    /// All questions in order.
    pub fn questions(&self) -> impl Iterator<Item = &[String; 4]> {
        self.sections.iter().flat_map(|section| &section.questions)
    }
}

/// Calls `take` with every line that is not blank or a comment, trimmed.
fn for_each_line(path: &Path, mut take: impl FnMut(&str) -> Result<(), LineProblem>) -> Result<()> {
    let bytes = std::fs::read(path).map_err(StoreError::io("read", path))?;
    let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(&bytes);
    for (index, line) in lines(bytes).enumerate() {
        let line = std::str::from_utf8(line).map_err(|_| LineProblem::InvalidUtf8);
        let taken = line.and_then(|line| match line.trim() {
            "" => Ok(()),
            line if line.starts_with('#') => Ok(()),
            line => take(line),
        });
        taken.map_err(|problem| Error::Line { path: path.to_owned(), line: index + 1, problem })?;
    }
    Ok(())
}

/// Lines that end in LF, CRLF, a lone CR or the end.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            rest = None;
            return Some(bytes);
        };
        let end_bytes = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = Some(&bytes[end + end_bytes..]);
        Some(&bytes[..end])
    })
}

/// The fields of a line, trimmed.
fn pair_fields(line: &str) -> Vec<&str> {
    let split = |separator| line.split(separator).map(str::trim).collect::<Vec<_>>();
    if line.contains('\t') {
        return split('\t');
    }
    if line.contains(';') {
        return split(';');
    }
    let fields: Vec<&str> = line.split_whitespace().collect();
    if fields.len() < 3 && line.contains(',') { split(',') } else { fields }
}

/// A finite number, with a decimal point or comma.
fn number(text: &str) -> Option<f64> {
    let value: f64 = text.parse().or_else(|_| text.replacen(',', ".", 1).parse()).ok()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written<T>(bytes: &[u8], read: impl Fn(&Path) -> Result<T>) -> Result<T> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.txt");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    fn check(text: &str, expected: &[(&str, &str, f64)], skipped: usize) {
        let set = written(text.as_bytes(), WordPairs::read)
            .unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let found: Vec<(&str, &str, f64)> =
            set.pairs.iter().map(|p| (p.words[0].as_str(), p.words[1].as_str(), p.score)).collect();
        assert_eq!(found, expected, "{text:?}");
        assert_eq!(set.skipped, skipped, "{text:?}");
    }

    #[test]
    fn pairs_in_every_dress() {
        let pairs = [("love", "sex", 6.77), ("tiger", "cat", 7.0)];
        check("love\tsex\t6.77\ntiger\tcat\t7\n", &pairs, 0);
        check("love\tsex\t6.77\r\ntiger\tcat\t7\r\n", &pairs, 0);
        check("word 1\tword 2\tscore\rlove\tsex\t6.77\rtiger\tcat\t7", &pairs, 1);
        check("love sex 6.77\ntiger  cat  7 rest\n", &pairs, 0);
        check("love;sex;6,77\ntiger; cat ;7\n", &pairs, 0);
        check("Word 1,Word 2,Human (mean)\nlove,sex,6.77\ntiger, cat,7\n", &pairs, 1);
        check("# from\n\n\u{20}love sex 6,77\n#\ntiger cat 7\n", &pairs, 0);
        check("\u{FEFF}love sex 6.77\ntiger cat 7", &pairs, 0);
    }

    fn check_error(bytes: &[u8], expected: &str) {
        let error = written(bytes, WordPairs::read).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("set.txt"), "{error}");
    }

    #[test]
    fn wrong_pairs_name_the_line() {
        check_error(b"a b 1\nc d\n", "line 2: 2 fields instead of two words and a score");
        check_error(b"a b 1\r\n\r\nc d x\r\n", "line 3: the score \"x\" is not a number");
        check_error(b"a b 1\nc d NaN\n", "line 2: the score \"NaN\" is not a number");
        check_error(b"a\t\t1\n", "line 1: 2 fields");
        check_error(b"a b 1\rc \xFF 2\r", "line 2: it is not UTF-8");
        check_error(b"word1\tword2\tPOS\nold\tnew\tA\n", "holds no word pairs");
        check_error(b"", "holds no word pairs");
    }

    #[test]
    fn sections_of_analogies() {
        let text = b"a b c d\r\n: empty\r\n: gram1-x\r\n# no\r\ne f g h\r\ni j k l\r\n";
        let set = written(text, Analogies::read).unwrap();
        let shape: Vec<(&str, usize, bool)> = set
            .sections
            .iter()
            .map(|s| (s.name.as_str(), s.questions.len(), s.is_syntactic()))
            .collect();
        assert_eq!(shape, [("", 1, false), ("gram1-x", 2, true)]);
        assert_eq!(set.questions().nth(1).unwrap().join(" "), "e f g h");
        let error = written(b": x\na b c\n", Analogies::read).unwrap_err().to_string();
        assert!(error.contains("line 2: 3 words instead of four"), "{error}");
        let error = written(b": x\n", Analogies::read).unwrap_err().to_string();
        assert!(error.contains("holds no analogies"), "{error}");
        let error = Analogies::read(Path::new("/nowhere/x")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/x"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _either = written(&bytes, WordPairs::read);
            let _either = written(&bytes, Analogies::read);
        }
    }
}
