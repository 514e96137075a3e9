//! word2vec's binary format, with the line end after each row or without.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use lexmill_store::Error as StoreError;

use super::text::{MAX_LINE_BYTES, header_line, is_row};
use super::{Input, batch_rows};
use crate::rows::{Rows, Source};
use crate::{Error, Result};

/// The longest word.
const MAX_WORD_BYTES: u64 = 1 << 16;

/// The first line of a word2vec file.
pub(super) struct Header {
    /// Its length, with its end.
    bytes: usize,
    rows: u64,
    dim: usize,
}

/// The header of a word2vec file in binary format that starts so, or `None` if it is text: the first
/// row reads as text, or there are no bytes in it that text does not have.
pub(super) fn header(start: &[u8]) -> Option<Header> {
    let header = any_header(start)?;
    let row = &start[header.bytes..];
    let line = &row[..line_end(row).unwrap_or(row.len())];
    let line = std::str::from_utf8(line).map(|line| line.trim_end_matches('\r'));
    if line.is_ok_and(|line| is_row(line, header.dim)) {
        return None;
    }
    let values = &row[row.iter().position(|&byte| byte == b' ')? + 1..];
    let values = &values[..values.len().min(header.dim.saturating_mul(4))];
    // A character that goes on behind what we look at says nothing.
    let (text, ill_formed) = match std::str::from_utf8(values) {
        Ok(text) => (text, false),
        Err(error) => {
            let text = std::str::from_utf8(&values[..error.valid_up_to()]).unwrap_or_default();
            (text, error.error_len().is_some())
        }
    };
    let binary =
        ill_formed || text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n'));
    binary.then_some(header)
}

/// The header of a file that is known to be in binary format.
pub(super) fn any_header(start: &[u8]) -> Option<Header> {
    let bytes = line_end(start)? + 1;
    let (rows, dim) = header_line(std::str::from_utf8(&start[..bytes]).ok()?.trim_end())?;
    Some(Header { bytes, rows, dim })
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n')
}

/// A file in binary format being read.
pub(super) struct BinarySource {
    reader: Input,
    path: PathBuf,
    rows: u64,
    dim: usize,
    row: u64,
    left_out: u64,
    word: Vec<u8>,
    values: Vec<u8>,
}

impl BinarySource {
    pub(super) fn open(path: &Path, mut reader: Input, header: Header) -> Result<BinarySource> {
        let Header { bytes, rows, dim } = header;
        if dim == 0 || dim.saturating_mul(4) as u64 > MAX_LINE_BYTES {
            return Err(wrong(path, format!("its header says that vectors have {dim} dimensions")));
        }
        std::io::copy(&mut (&mut reader).take(bytes as u64), &mut std::io::sink())
            .map_err(StoreError::io("read", path))?;
        let (word, values) = (Vec::new(), Vec::new());
        let path = path.to_owned();
        Ok(BinarySource { reader, path, rows, dim, row: 0, left_out: 0, word, values })
    }

    /// Reads a row; a word that is not UTF-8 is left out.
    fn read_row(&mut self, rows: &mut Rows) -> Result<()> {
        let failed = || StoreError::io("read", &self.path);
        let row_bytes = self.dim as u64 * 4;
        self.word.clear();
        self.values.clear();
        let reader = &mut self.reader;
        reader.take(MAX_WORD_BYTES).read_until(b' ', &mut self.word).map_err(failed())?;
        let ended = self.word.pop() == Some(b' ');
        reader.take(row_bytes).read_to_end(&mut self.values).map_err(failed())?;
        if !ended && self.word.len() as u64 + 1 == MAX_WORD_BYTES {
            return Err(wrong(&self.path, format!("the word of row {} has no end", self.row + 1)));
        }
        if !ended || (self.values.len() as u64) < row_bytes {
            let (path, expected, found) = (self.path.clone(), self.rows, self.row);
            return Err(Error::Rows { path, expected, found });
        }
        // The line end behind the values before, which not every program writes.
        let bytes = self.word.strip_prefix(b"\n").unwrap_or(&self.word);
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                rows.push_word(text);
                let values = self.values.as_chunks::<4>().0;
                rows.vectors.extend(values.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
            Err(_) => self.left_out += 1,
        }
        self.row += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let mut rest = Vec::new();
        let reader = &mut self.reader;
        reader.take(2).read_to_end(&mut rest).map_err(StoreError::io("read", &self.path))?;
        if !rest.is_empty() && rest != b"\n" {
            let problem = format!("there is more after the {} rows of its header", self.rows);
            return Err(wrong(&self.path, problem));
        }
        if self.left_out > 0 {
            let (path, left_out) = (&self.path, self.left_out);
            tracing::warn!(?path, left_out, "words that are not UTF-8 are left out");
        }
        Ok(())
    }
}

impl Source for BinarySource {
    fn dim(&self) -> usize {
        self.dim
    }

    fn rows(&self) -> Option<u64> {
        // Words may have to be left out.
        None
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        let mut rows = Rows::default();
        while self.row < self.rows && rows.len() < batch_rows(self.dim) {
            self.read_row(&mut rows)?;
        }
        if !rows.is_empty() {
            return Ok(Some(rows));
        }
        self.end()?;
        Ok(None)
    }
}

fn wrong(path: &Path, problem: String) -> Error {
    Error::Binary { path: path.to_owned(), format: "word2vec binary", problem }
}
