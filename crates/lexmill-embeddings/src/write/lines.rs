//! A row after another: text, word2vec's binary format, and TSV with its words beside it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lexmill_store::{AtomicFile, FileEntry};
use rayon::prelude::*;

use super::{Head, Packed, Sink, check_words, failed, name_beside};
use crate::Result;
use crate::format::{Format, beside, words_end};
use crate::rows::Rows;

/// Rows that one thread turns into text at a time.
const TEXT_ROWS: usize = 256;

/// Appends a line of the text formats: the word and its values, with the fewest digits that read back.
pub fn text_line(text: &mut String, word: &str, vector: &[f32]) {
    text.push_str(word);
    for value in vector {
        write!(text, " {value}").expect("a String takes any text");
    }
    text.push('\n');
}

/// The text of some rows, made on all threads: formatting a float takes 20 times as long as reading it.
fn texts(rows: &Rows, dim: usize, line: impl Fn(&mut String, &str, &[f32]) + Sync) -> Vec<String> {
    let starts: Vec<usize> = (0..rows.len()).step_by(TEXT_ROWS).collect();
    let piece = |&start: &usize| {
        let end = rows.len().min(start + TEXT_ROWS);
        let mut text = String::with_capacity((end - start) * (dim * 13 + 8));
        for row in start..end {
            line(&mut text, rows.word(row), &rows.vectors[row * dim..(row + 1) * dim]);
        }
        text
    };
    starts.par_iter().map(piece).collect()
}

/// A file of words and values.
pub(super) struct LineSink<'a> {
    file: Packed,
    path: &'a Path,
    format: Format,
    dim: usize,
    written: u64,
    bytes: Vec<u8>,
}

impl<'a> LineSink<'a> {
    pub(super) fn create(path: &'a Path, format: Format, head: &Head<'_>) -> Result<LineSink<'a>> {
        let mut file = Packed::create(path)?;
        if format != Format::GloveText {
            writeln!(file, "{} {}", head.rows, head.dim).map_err(failed(path))?;
        }
        Ok(LineSink { file, path, format, dim: head.dim, written: 0, bytes: Vec::new() })
    }
}

impl Sink for LineSink<'_> {
    fn write(&mut self, rows: &Rows) -> Result<()> {
        // In the first line of a file without a header a mark of the byte order is none of the word.
        let marked = |word: &str| {
            self.format == Format::GloveText && self.written == 0 && word.starts_with('\u{FEFF}')
        };
        check_words(rows, self.format, |word| {
            word.is_empty() || word.contains(char::is_whitespace) || marked(word)
        })?;
        self.written += rows.len() as u64;
        if self.format == Format::Word2vecBinary {
            self.bytes.clear();
            for (word, vector) in rows.words().zip(rows.vectors.chunks_exact(self.dim)) {
                self.bytes.extend_from_slice(word.as_bytes());
                self.bytes.push(b' ');
                self.bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
                self.bytes.push(b'\n');
            }
            return self.file.write_all(&self.bytes).map_err(failed(self.path));
        }
        // A number and a whole number in the first line would be a header.
        let one = self.dim == 1 && self.format == Format::GloveText;
        let line = |text: &mut String, word: &str, vector: &[f32]| match one {
            true => writeln!(text, "{word} {:?}", vector[0]).expect("a String takes any text"),
            false => text_line(text, word, vector),
        };
        for text in texts(rows, self.dim, line) {
            self.file.write_all(text.as_bytes()).map_err(failed(self.path))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, name: &str) -> Result<Vec<FileEntry>> {
        Ok(vec![self.file.commit(self.path, name, self.written)?])
    }
}

/// A file of words beside an array, one a line.
pub(super) struct WordFile {
    file: AtomicFile,
    path: PathBuf,
    format: Format,
    counted: bool,
    written: u64,
}

impl WordFile {
    /// Starts the one beside `path`. With counts, which a TSV has, its first line names the columns.
    pub(super) fn create(path: &Path, format: Format, counted: bool) -> Result<WordFile> {
        let path = beside(path, words_end(format));
        let mut file = AtomicFile::create(&path)?;
        let counted = counted && format == Format::Tsv;
        if counted {
            file.write_all(b"word\tcount\n").map_err(failed(&path))?;
        }
        Ok(WordFile { file, path, format, counted, written: 0 })
    }

    pub(super) fn write(&mut self, rows: &Rows) -> Result<()> {
        let tsv = self.format == Format::Tsv;
        // In the first line a mark of the byte order is none of the word.
        let marked = |word: &str| self.written == 0 && word.starts_with('\u{FEFF}');
        check_words(rows, self.format, |word| {
            word.contains(['\n', '\r'])
                || (tsv && (word.is_empty() || word.contains('\t')))
                || marked(word)
        })?;
        let mut text = String::new();
        for (row, word) in rows.words().enumerate() {
            text.push_str(word);
            if let Some(count) = rows.counts.get(row).filter(|_| self.counted) {
                write!(text, "\t{count}").expect("a String takes any text");
            }
            text.push('\n');
        }
        self.written += rows.len() as u64;
        self.file.write_all(text.as_bytes()).map_err(failed(&self.path))
    }

    /// The file, ready to be completed with that beside which it stands, its name and rows.
    pub(super) fn done(self, name: &str) -> (AtomicFile, String, u64) {
        (self.file, name_beside(name, words_end(self.format)), self.written)
    }
}

/// Values between tabs, and their words.
pub(super) struct TsvSink<'a> {
    file: AtomicFile,
    words: WordFile,
    path: &'a Path,
    dim: usize,
}

impl<'a> TsvSink<'a> {
    pub(super) fn create(path: &'a Path, head: &Head<'_>) -> Result<TsvSink<'a>> {
        let file = AtomicFile::create(path)?;
        let words = WordFile::create(path, Format::Tsv, head.counted)?;
        Ok(TsvSink { file, words, path, dim: head.dim })
    }
}

impl Sink for TsvSink<'_> {
    fn write(&mut self, rows: &Rows) -> Result<()> {
        self.words.write(rows)?;
        let line = |text: &mut String, _: &str, vector: &[f32]| {
            for (index, value) in vector.iter().enumerate() {
                let tab = if index == 0 { "" } else { "\t" };
                write!(text, "{tab}{value}").expect("a String takes any text");
            }
            text.push('\n');
        };
        for text in texts(rows, self.dim, line) {
            self.file.write_all(text.as_bytes()).map_err(failed(self.path))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, name: &str) -> Result<Vec<FileEntry>> {
        let words = self.words.done(name);
        let files = vec![(self.file, name.to_owned(), words.2), words];
        Ok(AtomicFile::commit_together(files)?)
    }
}
