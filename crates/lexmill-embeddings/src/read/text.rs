//! Text: a word and its values a line, or only values.
//!
//! Lines are taken a block at a time, whose pieces are parsed on as many threads as there are.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use lexmill_store::Error as StoreError;
use rayon::prelude::*;

use super::Input;
use crate::rows::{Rows, Source};
use crate::{Error, LineProblem, Result};

/// The longest line taken: half a million values of usual length.
pub(super) const MAX_LINE_BYTES: u64 = 8 << 20;
/// Text that is parsed before more is read.
const BLOCK_BYTES: u64 = 8 << 20;
/// Text that one thread parses at a time.
const PIECE_BYTES: usize = 1 << 18;
const UNKNOWN: &str = "<unk>";

/// What stands in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A word and its values. The last fields are the values; what stands before them is the word.
    WordAndValues,
    /// Values.
    Values,
}

/// A text file being read.
pub(super) struct TextSource {
    reader: Input,
    path: PathBuf,
    line: Line,
    dim: usize,
    /// Rows by the header.
    header: Option<u64>,
    /// What was read and not parsed yet.
    block: Vec<u8>,
    /// The number of the first line in it, from 0.
    first_line: u64,
    found: u64,
    unknown: bool,
}

impl TextSource {
    /// Starts to read a file, whose first line that is not blank is a header or gives the dimension.
    /// `has_header` says whether there is one, where that is known.
    pub(super) fn open(
        path: &Path,
        mut reader: Input,
        line: Line,
        has_header: Option<bool>,
    ) -> Result<TextSource> {
        let (mut first, mut number) = (Vec::new(), 0);
        loop {
            first.clear();
            let read = (&mut reader)
                .take(MAX_LINE_BYTES + 1)
                .read_until(b'\n', &mut first)
                .map_err(StoreError::io("read", path))?;
            if read as u64 > MAX_LINE_BYTES {
                let problem = LineProblem::TooLong { bytes: MAX_LINE_BYTES };
                return Err(error(path, number, problem));
            }
            if read == 0 || !is_blank(&first) {
                break;
            }
            number += 1;
        }
        // A byte order mark may stand before the first line.
        let start = if first.starts_with("\u{FEFF}".as_bytes()) { 3 } else { 0 };
        let text = std::str::from_utf8(&first[start..])
            .map_err(|_| error(path, number, LineProblem::InvalidUtf8))?
            .trim_end_matches(['\n', '\r']);
        let header = header_line(text).filter(|_| has_header != Some(false));
        if header.is_none() && has_header == Some(true) && !text.is_empty() {
            return Err(error(path, number, LineProblem::NoHeader));
        }
        let words = usize::from(line == Line::WordAndValues);
        let dim = header.map_or_else(|| fields(text).count().saturating_sub(words), |h| h.1);
        if dim == 0 && !text.is_empty() {
            return Err(error(path, number, LineProblem::NoValues));
        }
        first.drain(..start);
        if header.is_some() {
            first.clear();
            number += 1;
        }
        Ok(TextSource {
            reader,
            path: path.to_owned(),
            line,
            dim,
            header: header.map(|header| header.0),
            block: first,
            first_line: number,
            found: 0,
            unknown: false,
        })
    }

    /// Reads on until there are whole lines to parse, and says where they end; 0 at the end.
    fn fill(&mut self) -> Result<usize> {
        loop {
            let read = (&mut self.reader)
                .take(BLOCK_BYTES)
                .read_to_end(&mut self.block)
                .map_err(StoreError::io("read", &self.path))?;
            if (read as u64) < BLOCK_BYTES {
                return Ok(self.block.len());
            }
            if let Some(end) = self.block.iter().rposition(|&byte| byte == b'\n') {
                return Ok(end + 1);
            }
            if self.block.len() as u64 > MAX_LINE_BYTES {
                let problem = LineProblem::TooLong { bytes: MAX_LINE_BYTES };
                return Err(error(&self.path, self.first_line, problem));
            }
        }
    }

    fn parse(&mut self, end: usize) -> Result<Rows> {
        let pieces = pieces(&self.block[..end]);
        let parsed: Vec<Piece> =
            pieces.par_iter().map(|piece| parse(piece, self.line, self.dim)).collect();
        let mut all = Rows::with_capacity(
            parsed.iter().map(|piece| piece.rows.len()).sum(),
            if parsed.len() > 1 { self.dim } else { 0 },
        );
        let one = parsed.len() == 1;
        for piece in parsed {
            if let Some(problem) = piece.problem {
                return Err(error(&self.path, self.first_line + piece.lines, problem));
            }
            self.first_line += piece.lines;
            if one {
                return Ok(piece.rows);
            }
            for word in piece.rows.words() {
                all.push_word(word);
            }
            all.vectors.extend_from_slice(&piece.rows.vectors);
        }
        Ok(all)
    }
}

impl Source for TextSource {
    fn dim(&self) -> usize {
        self.dim
    }

    fn rows(&self) -> Option<u64> {
        // Stanford's GloVe writes a row that its header does not count.
        None
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        loop {
            let end = self.fill()?;
            if end == 0 {
                break;
            }
            let rows = self.parse(end)?;
            self.block.drain(..end);
            self.found += (rows.vectors.len() / self.dim.max(1)) as u64;
            self.unknown |= self.header.is_some() && rows.words().any(|word| word == UNKNOWN);
            if !rows.vectors.is_empty() {
                return Ok(Some(rows));
            }
        }
        if let Some(expected) = self.header {
            let found = self.found;
            let unknown_extra = found == expected.saturating_add(1) && self.unknown;
            if found != expected && !unknown_extra {
                return Err(Error::Rows { path: self.path.clone(), expected, found });
            }
        }
        Ok(None)
    }
}

fn error(path: &Path, line: u64, problem: LineProblem) -> Error {
    Error::Line { path: path.to_owned(), line: line + 1, problem }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// A block in pieces of whole lines.
fn pieces(mut block: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while block.len() > PIECE_BYTES {
        let end = block[PIECE_BYTES..].iter().position(|&byte| byte == b'\n');
        let Some(end) = end else { break };
        let (piece, rest) = block.split_at(PIECE_BYTES + end + 1);
        pieces.push(piece);
        block = rest;
    }
    if !block.is_empty() {
        pieces.push(block);
    }
    pieces
}

/// Some lines, parsed.
struct Piece {
    rows: Rows,
    /// Lines up to the end, or before the one that is wrong.
    lines: u64,
    problem: Option<LineProblem>,
}

fn parse(text: &[u8], line: Line, dim: usize) -> Piece {
    let mut piece = Piece { rows: Rows::default(), lines: 0, problem: None };
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (bytes, after) = rest.split_at(end);
        rest = after;
        if !is_blank(bytes) {
            let row = std::str::from_utf8(bytes).map_err(|_| LineProblem::InvalidUtf8);
            let row = row.and_then(|row| {
                let row = row.trim_end_matches(['\n', '\r']);
                if row.len() as u64 > MAX_LINE_BYTES {
                    return Err(LineProblem::TooLong { bytes: MAX_LINE_BYTES });
                }
                let word = split_row(row, dim, line, &mut piece.rows.vectors)?;
                if line == Line::WordAndValues {
                    piece.rows.push_word(word);
                }
                Ok(())
            });
            if let Err(problem) = row {
                piece.problem = Some(problem);
                return piece;
            }
        }
        piece.lines += 1;
    }
    piece
}

/// The rows and the dimension of a word2vec header: a line of just two whole numbers.
pub(super) fn header_line(line: &str) -> Option<(u64, usize)> {
    let mut fields = fields(line);
    let (rows, dim) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some((rows, dim))
}

fn is_separator(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t']).filter(|field| !field.is_empty())
}

/// Whether a line is a row of that dimension.
pub(super) fn is_row(line: &str, dim: usize) -> bool {
    split_row(line, dim, Line::WordAndValues, &mut Vec::new()).is_ok()
}

/// Appends the last `dim` fields of a line to `vectors` and returns what stands before them.
fn split_row<'l>(
    row: &'l str,
    dim: usize,
    line: Line,
    vectors: &mut Vec<f32>,
) -> Result<&'l str, LineProblem> {
    let words = usize::from(line == Line::WordAndValues);
    let values = |found| LineProblem::Values { found, expected: dim };
    let count = || fields(row).count().saturating_sub(words);
    if dim == 0 {
        return Err(LineProblem::NoValues);
    }
    // A field takes two bytes, so that a header can't make us allocate more than the line has.
    if dim > row.len().div_ceil(2) {
        return Err(values(count()));
    }
    let bytes = row.as_bytes();
    let first = vectors.len();
    vectors.resize(first + dim, 0.0);
    let mut end = bytes.len();
    for slot in vectors[first..].iter_mut().rev() {
        while end > 0 && is_separator(bytes[end - 1]) {
            end -= 1;
        }
        let mut start = end;
        while start > 0 && !is_separator(bytes[start - 1]) {
            start -= 1;
        }
        let text = &row[start..end];
        *slot = match text.parse::<f32>() {
            Ok(value) if value.is_finite() => value,
            parsed => {
                let found = count();
                return Err(match parsed {
                    // The word itself was taken for a value.
                    _ if found < dim => values(found),
                    Ok(_) => LineProblem::NotFinite { text: text.to_owned() },
                    Err(_) => LineProblem::NotANumber { text: text.to_owned() },
                });
            }
        };
        end = start;
    }
    let word = row[..end].trim_matches([' ', '\t']);
    if line == Line::Values {
        return if word.is_empty() { Ok(word) } else { Err(values(count())) };
    }
    let mut rest = fields(word);
    if rest.next().is_none() {
        return Err(values(count()));
    }
    let mut rest = rest.peekable();
    if rest.peek().is_some() && rest.all(|field| field.parse::<f32>().is_ok()) {
        return Err(values(count()));
    }
    Ok(word)
}
