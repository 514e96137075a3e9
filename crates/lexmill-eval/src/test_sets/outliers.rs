//! Sets of outliers: words of a topic, and words that don't belong to it.
//!
//! A file is a topic: its words, a word a line, then a blank line, then the outliers. A directory holds a
//! `.txt` file for each topic, as the set 8-8-8 does (Camacho-Collados and Navigli 2016). A word may be a
//! phrase, with spaces or underscores.

use std::path::Path;

use super::{every_line, stem};
use crate::inputs::text_files;
use crate::{Error, LineProblem, Result};

/// Words of a topic, and words that don't belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name: that of its file.
    pub name: String,
    /// The words that belong together; at least two.
    pub cluster: Vec<String>,
    /// Each of them is a question; at least one.
    pub outliers: Vec<String>,
}

/// A set of topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outliers {
    /// The topics, by the names of their files.
    pub topics: Vec<Topic>,
}

impl Outliers {
    /// Reads a topic, or all topics of a directory.
    ///
    /// # Errors
    /// If a file can't be read, is no topic or has more than 1000 words, or there is none.
    pub fn read(path: &Path) -> Result<Outliers> {
        let files = if path.is_dir() { text_files(path)? } else { vec![path.to_owned()] };
        let topics = files.iter().map(|file| topic(file)).collect::<Result<Vec<Topic>>>()?;
        if topics.is_empty() {
            let wanted = "topics (.txt files with words, a blank line, and outliers)";
            return Err(Error::Empty { path: path.to_owned(), wanted });
        }
        Ok(Outliers { topics })
    }
}

/// Words of a topic: the set 8-8-8 has 16. Every word is compared with every other.
const MOST_WORDS: usize = 1000;

fn topic(path: &Path) -> Result<Topic> {
    let (mut cluster, mut outliers, mut separated) = (Vec::new(), Vec::new(), false);
    every_line(path, |line| {
        match line {
            "" => separated |= !cluster.is_empty(),
            word if separated => outliers.push(word.to_owned()),
            word => cluster.push(word.to_owned()),
        }
        match cluster.len() + outliers.len() > MOST_WORDS {
            true => Err(LineProblem::TooMany { most: MOST_WORDS, what: "words of a topic" }),
            false => Ok(()),
        }
    })?;
    let wanted = match (cluster.len(), outliers.len()) {
        (0 | 1, _) => "words of a topic (two at least, a word a line)",
        (_, 0) => "outliers (they stand behind a blank line)",
        _ => return Ok(Topic { name: stem(path), cluster, outliers }),
    };
    Err(Error::Empty { path: path.to_owned(), wanted })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests {
    use super::super::written;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn topics() {
        let text = b"\nred\r\ndark blue\r\n\r\ncow\r\n\r\npig_iron\r\n";
        let set = written(text, Outliers::read).unwrap();
        let topic = &set.topics[0];
        assert_eq!(topic.name, "set");
        assert_eq!(
            (topic.cluster.join("+"), topic.outliers.join("+")),
            ("red+dark blue".to_owned(), "cow+pig_iron".to_owned())
        );
        for (text, expected) in [
            (&b"red\nblue\ncow\n"[..], "holds no outliers"),
            (b"red\n\ncow\n", "holds no words of a topic"),
            (b"", "holds no words"),
            (&b"red\n".repeat(1001), "line 1001: with it there are more than 1000 words"),
        ] {
            let error = written(text, Outliers::read).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("set.txt"), "{error}");
        }
        let directory = tempfile::tempdir().unwrap();
        let error = Outliers::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("holds no topics"), "{error}");
        for name in ["b.txt", "a.txt", "README"] {
            std::fs::write(directory.path().join(name), "x\ny\n\nz\n").unwrap();
        }
        let set = Outliers::read(directory.path()).unwrap();
        let names: Vec<&str> = set.topics.iter().map(|topic| topic.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _either = written(&bytes, Outliers::read);
        }
    }
}
