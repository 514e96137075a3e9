//! Words with their categories, a word a line: `word category`.
//!
//! Fields stand between tabs, else `;`, else `,`, else white space (the first two); further fields are ignored.
//! A line `word category` (or `concept`, `class`) at the beginning is a header, which is skipped and counted.

use std::path::Path;

use lexmill_vocab::Interner;

use super::for_each_line;
use crate::{Error, LineProblem, Result};

/// Words with their categories.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Categories {
    /// The words and the number of the category of each, in the order of the file. A word may be there
    /// several times, in several categories.
    pub words: Vec<(String, u32)>,
    /// The categories by number, in the order in which they come first.
    pub names: Vec<String>,
    /// Header lines that were skipped.
    pub skipped: usize,
}

/// Words and categories of a set: Battig has 5231 and 56. Every word is compared with every cluster.
const MOST_WORDS: usize = 100_000;
const MOST_CATEGORIES: usize = 1000;

impl Categories {
    /// Reads a file of words and categories, such as AP, BLESS, Battig or ESSLLI.
    ///
    /// # Errors
    /// If it can't be read, a line is wrong, there are fewer than two categories or more than 1000, or more
    /// than 100,000 words.
    pub fn read(path: &Path) -> Result<Categories> {
        let mut set = Categories::default();
        let mut names = Interner::new();
        for_each_line(path, |line| {
            let separator = ['\t', ';', ','].into_iter().find(|&mark| line.contains(mark));
            let fields: Vec<&str> = match separator {
                Some(mark) => line.split(mark).map(str::trim).take(2).collect(),
                None => line.split_whitespace().take(2).collect(),
            };
            let &[word, category] = fields.as_slice() else {
                return Err(LineProblem::CategoryFields { found: fields.len() });
            };
            if word.is_empty() || category.is_empty() {
                return Err(LineProblem::CategoryFields { found: 1 });
            }
            let header = |text: &str, names: [&str; 3]| {
                names.iter().any(|name| text.eq_ignore_ascii_case(name))
            };
            let first = set.words.is_empty() && set.skipped == 0;
            if first
                && header(word, ["word", "words", "concept"])
                && header(category, ["category", "categories", "class"])
            {
                set.skipped += 1;
                return Ok(());
            }
            set.words.push((word.to_owned(), names.intern(category)));
            if set.words.len() > MOST_WORDS {
                return Err(LineProblem::TooMany { most: MOST_WORDS, what: "words" });
            }
            if names.len() > MOST_CATEGORIES {
                return Err(LineProblem::TooMany { most: MOST_CATEGORIES, what: "categories" });
            }
            Ok(())
        })?;
        set.names = names.words().map(str::to_owned).collect();
        if set.names.len() < 2 {
            let wanted = "two categories (lines of a word and its category)";
            return Err(Error::Empty { path: path.to_owned(), wanted });
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::super::written;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_in_every_dress() {
        let expected = [("dog".to_owned(), 0), ("apple pie".to_owned(), 1), ("cat".to_owned(), 0)];
        for (text, skipped) in [
            ("dog\tanimal\tx\napple pie\tfood\ncat\tanimal\n", 0),
            ("Word;Category\ndog;animal\r\napple pie ; food\ncat;animal", 1),
            ("# AP\n\ndog,animal\napple pie,food\ncat,animal\n", 0),
        ] {
            let set = written(text.as_bytes(), Categories::read).unwrap();
            assert_eq!((&set.words[..], set.skipped), (&expected[..], skipped), "{text:?}");
            assert_eq!(set.names, ["animal", "food"]);
        }
        let set = written(b"dog animal\npie food\n", Categories::read).unwrap();
        assert_eq!(set.words.len(), 2);
    }

    #[test]
    fn wrong_lines_are_named() {
        let check = |text: &[u8], expected: &str| {
            let error = written(text, Categories::read).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("set.txt"), "{error}");
        };
        check(b"dog animal\npie\n", "line 2: 1 fields instead of a word and its category");
        check(b"dog\t\npie\tfood\n", "line 1: 1 fields");
        check(b"dog animal\ncat animal\n", "holds no two categories");
        check(b"", "holds no two categories");
        let many: String = (0..1002).map(|i| format!("word {i}\n")).collect();
        check(many.as_bytes(), "line 1001: with it there are more than 1000 categories");
        check(
            "word 1\n".repeat(100_001).as_bytes(),
            "line 100001: with it there are more than 100000",
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _either = written(&bytes, Categories::read);
        }
    }
}
