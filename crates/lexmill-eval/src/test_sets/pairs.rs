//! Pairs of words with human scores, a pair a line.
//!
//! A line is `word word score`; further fields are ignored. Fields stand between tabs, else `;`, else white
//! space, else `,`; a score may have a decimal comma. What looks like a header (before the first pair, a third
//! field that is not a number) is skipped and counted.

use std::path::Path;

use super::for_each_line;
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
mod tests {
    use super::super::written;
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _either = written(&bytes, WordPairs::read);
        }
    }
}
