//! Words that stand in a file beside the vectors, a line each.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use lexmill_store::Error as StoreError;

use super::BUFFER_BYTES;
use super::text::MAX_LINE_BYTES;
use crate::format::{Format, beside, words_end};
use crate::rows::{Rows, Source};
use crate::{Error, LineProblem, Result};

/// Other names that the file of words has: beside the vectors of other programs.
const OTHER_NAMES: [&str; 3] = ["words.txt", "vocab.txt", "metadata.tsv"];

/// Vectors and a file with their words.
pub(super) struct Beside<S> {
    vectors: S,
    words: WordLines,
}

impl<S: Source> Beside<S> {
    /// Puts the vectors of `path` together with the words in `words`, or in the file that stands beside
    /// it under one of the usual names.
    pub(super) fn open(
        path: &Path,
        format: Format,
        vectors: S,
        words: Option<&Path>,
    ) -> Result<Beside<S>> {
        let found = match words {
            Some(words) => words.to_owned(),
            None => find(path, format)?,
        };
        Ok(Beside { vectors, words: WordLines::open(&found)? })
    }
}

fn find(path: &Path, format: Format) -> Result<PathBuf> {
    let own = beside(path, words_end(format));
    let directory = path.parent().unwrap_or(Path::new(""));
    let others = OTHER_NAMES.iter().map(|name| directory.join(name));
    let without_end = path.with_extension(words_end(format));
    let mut candidates = [own.clone(), without_end].into_iter().chain(others);
    candidates
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Error::NoWords { path: path.to_owned(), expected: own })
}

impl<S: Source> Source for Beside<S> {
    fn dim(&self) -> usize {
        self.vectors.dim()
    }

    fn rows(&self) -> Option<u64> {
        self.vectors.rows()
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        let dim = self.vectors.dim().max(1);
        let Some(mut rows) = self.vectors.next_rows()? else {
            return match self.words.next_line()? {
                false => Ok(None),
                true => Err(self.words.wrong("it has more lines than there are vectors")),
            };
        };
        for _ in 0..rows.vectors.len() / dim {
            if !self.words.next_line()? {
                return Err(self.words.wrong("it has fewer lines than there are vectors"));
            }
            let (word, count) = self.words.fields()?;
            rows.push_word(word);
            rows.counts.extend(count);
        }
        Ok(Some(rows))
    }
}

/// A file of words.
///
/// A file `.tsv` whose first line has a tab has columns, which that line names: the word is in the
/// column `word` (or `label` or `name`, or else the first), its count in `count`. Of any other file, a
/// line is a word.
struct WordLines {
    reader: BufReader<File>,
    path: PathBuf,
    number: u64,
    line: Vec<u8>,
    columns: Option<Columns>,
    /// The first line was looked at and is still to come.
    peeked: bool,
}

#[derive(Clone, Copy)]
struct Columns {
    word: usize,
    count: Option<usize>,
}

impl WordLines {
    fn open(path: &Path) -> Result<WordLines> {
        let file = File::open(path).map_err(StoreError::io("open", path))?;
        let mut lines = WordLines {
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            path: path.to_owned(),
            number: 0,
            line: Vec::new(),
            columns: None,
            peeked: false,
        };
        let tsv = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tsv"));
        if tsv && lines.next_line()? {
            let names: Vec<String> =
                lines.text()?.split('\t').map(|name| name.trim().to_lowercase()).collect();
            if names.len() > 1 {
                let at = |wanted: &str| names.iter().position(|name| name == wanted);
                let word = at("word").or(at("label")).or(at("name")).unwrap_or(0);
                lines.columns = Some(Columns { word, count: at("count") });
            } else {
                lines.peeked = true;
            }
        }
        Ok(lines)
    }

    /// Reads a line, if there is one more.
    fn next_line(&mut self) -> Result<bool> {
        if std::mem::take(&mut self.peeked) {
            return Ok(true);
        }
        self.line.clear();
        let read = (&mut self.reader)
            .take(MAX_LINE_BYTES + 1)
            .read_until(b'\n', &mut self.line)
            .map_err(StoreError::io("read", &self.path))?;
        if self.number == 0 && self.line.starts_with("\u{FEFF}".as_bytes()) {
            self.line.drain(..3);
        }
        self.number += u64::from(read > 0);
        if read as u64 > MAX_LINE_BYTES {
            return Err(self.problem(LineProblem::TooLong { bytes: MAX_LINE_BYTES }));
        }
        Ok(read > 0)
    }

    fn text(&self) -> Result<&str> {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        std::str::from_utf8(line).map_err(|_| self.problem(LineProblem::InvalidUtf8))
    }

    fn fields(&self) -> Result<(&str, Option<u64>)> {
        let text = self.text()?;
        let Some(columns) = self.columns else { return Ok((text, None)) };
        let field = |index: usize| text.split('\t').nth(index);
        let word = field(columns.word).ok_or_else(|| {
            let fields = columns.word + 1;
            self.problem(LineProblem::Columns { expected: fields })
        })?;
        let count = columns.count.map(|index| {
            let text = field(index).unwrap_or_default();
            let number = text.trim().parse::<u64>();
            number.map_err(|_| self.problem(LineProblem::NotACount { text: text.to_owned() }))
        });
        Ok((word, count.transpose()?))
    }

    fn problem(&self, problem: LineProblem) -> Error {
        Error::Line { path: self.path.clone(), line: self.number, problem }
    }

    fn wrong(&self, problem: &str) -> Error {
        Error::Words { path: self.path.clone(), lines: self.number, problem: problem.to_owned() }
    }
}
