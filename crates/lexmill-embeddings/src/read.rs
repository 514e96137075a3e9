//! Reading embeddings from the formats people have them in.
//!
//! | what | how it is known | layout |
//! | --- | --- | --- |
//! | export stage | a directory | its Parquet file if it has one, else another |
//! | model | a `glove`, `skipgram` or `cbow` stage's directory | W + C of `glove`, W of the others |
//! | Parquet | starts with `PAR1` | columns `word` (text), `vector` (list of f32), `count` (u64, optional) |
//! | fastText `.bin` | starts with its magic number | [`crate::FastTextFile`]; not compressed |
//! | word2vec text, fastText `.vec` | first line is two whole numbers | `rows dim`, then a word and its values a line |
//! | word2vec binary | the same, and what follows the first word is not text | `rows dim` and a line end, then a word, a space, `dim` f32 (little-endian), and a line end or not |
//! | GloVe text | everything else | a word and its values a line; the first line gives `dim` |
//!
//! Text and word2vec's binary format may be compressed with gzip or zstd, which is seen from the first
//! bytes. In binary files, words that are not UTF-8 are left out (some programs cut words in the midst
//! of a character), and a warning says how many. Fields stand between
//! spaces or tabs. GloVe's 840B vectors have words with spaces in them, so the *last* `dim` fields are
//! the vector and all before is the word; but a line that has numbers where the word goes on has too
//! many values, which is an error. Counts are 0 where a file has none. Stanford's GloVe writes a row
//! `<unk>` that its header does not count: that one row more is taken.
//!
//! Nothing is allocated because a header or footer says so: memory follows the bytes that are there.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use lexmill_store::table::{Batch, TableReader};
use lexmill_store::{Error as StoreError, Manifest};
use lexmill_vocab::{Interner, Vocabulary};

use crate::export::{self, Format};
use crate::model::{COUNT, KINDS, PARAMETERS, VECTOR, WORD};
use crate::{Embeddings, Error, FastTextFile, LineProblem, Result};

/// The longest line taken: half a million values of usual length.
const MAX_LINE_BYTES: u64 = 8 << 20;
/// Bytes that decide between text and binary: a header, a word and some values.
const PEEK_BYTES: u64 = 1 << 16;
/// The longest word in a binary file.
const MAX_WORD_BYTES: u64 = 1 << 16;
const BUFFER_BYTES: usize = 1 << 18;
const BATCH_ROWS: usize = 1 << 12;
const UNKNOWN: &str = "<unk>";

impl Embeddings {
    /// Reads embeddings: the directory of an export or of a trained model, a Parquet file, the text or
    /// binary format of word2vec, GloVe or fastText.
    ///
    /// # Errors
    /// If the file can't be read, or is not what it seems to be: a wrong number of values, not a
    /// number, a word twice, invalid UTF-8 (in text each with its line), or fewer rows than its header says.
    /// Quantized models of fastText's are not read.
    pub fn read(path: &Path) -> Result<Embeddings> {
        if path.is_dir() {
            return read_stage(path);
        }
        let file = File::open(path).map_err(StoreError::io("open", path))?;
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
        let start = reader.fill_buf().map_err(StoreError::io("read", path))?;
        if start.starts_with(b"PAR1") {
            return read_parquet(path);
        }
        if FastTextFile::starts_like(start) {
            return FastTextFile::open(path)?.embeddings();
        }
        let mut reader: Box<dyn BufRead> = if start.starts_with(&[0x1F, 0x8B]) {
            let decoder = flate2::bufread::MultiGzDecoder::new(reader);
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        } else if start.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) {
            let decoder =
                zstd::Decoder::with_buffer(reader).map_err(StoreError::io("read", path))?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        } else {
            Box::new(reader)
        };
        // What follows may come in small pieces from a decoder, so enough of it is put together.
        let mut start = Vec::new();
        (&mut reader)
            .take(PEEK_BYTES)
            .read_to_end(&mut start)
            .map_err(StoreError::io("read", path))?;
        if FastTextFile::starts_like(&start) {
            let (path, format) = (path.to_owned(), "fastText .bin");
            let problem = "it is compressed: decompress it first".to_owned();
            return Err(Error::Binary { path, format, problem });
        }
        let header = binary_header(&start);
        let reader: Box<dyn BufRead> = Box::new(std::io::Cursor::new(start).chain(reader));
        match header {
            Some(header) => read_binary(path, reader, header),
            None => read_text(path, reader),
        }
    }
}

/// The embeddings in a directory.
fn read_stage(directory: &Path) -> Result<Embeddings> {
    let kinds: Vec<&str> = [export::KIND].iter().chain(KINDS).copied().collect();
    let manifest = Manifest::expect(directory, &kinds)?;
    if manifest.key.stage != export::KIND {
        return read_trained(directory, &manifest.key.stage);
    }
    let formats = [
        Format::Parquet,
        Format::Word2vecBinary,
        Format::Word2vecText,
        Format::GloveText,
        Format::FasttextVec,
        Format::FasttextBin,
    ];
    let name = formats
        .iter()
        .map(|format| format.file_name())
        .find(|name| manifest.files.iter().any(|file| file.path == *name))
        .ok_or_else(|| Error::Empty { path: directory.to_owned() })?;
    Embeddings::read(&directory.join(name))
}

fn read_trained(directory: &Path, kind: &str) -> Result<Embeddings> {
    let path = directory.join(PARAMETERS);
    let mut words = Interner::new();
    let (mut counts, mut vectors, mut dim) = (Vec::new(), Vec::new(), 0);
    export::each_batch(directory, kind, |batch, values, found_dim| {
        add_words(&mut words, batch, &path)?;
        counts.extend_from_slice(batch.u64(COUNT)?);
        vectors.extend_from_slice(values);
        dim = found_dim;
        Ok(())
    })?;
    finish(&path, words, counts, dim, vectors)
}

/// Adds the words of a batch, none of which was there before.
fn add_words(words: &mut Interner, batch: &Batch, path: &Path) -> Result<()> {
    for word in batch.text(WORD)?.iter() {
        let rows = words.len();
        if (words.intern(word) as usize) < rows {
            return Err(Error::DuplicateWord { word: word.to_owned() }.in_file(path));
        }
    }
    Ok(())
}

fn read_parquet(path: &Path) -> Result<Embeddings> {
    let with_counts = TableReader::open(path, Some(&[WORD, VECTOR, COUNT]), BATCH_ROWS);
    let (reader, mut has_counts) = match with_counts {
        Ok(reader) => (reader, true),
        Err(StoreError::Column { column, .. }) if column == COUNT => {
            (TableReader::open(path, Some(&[WORD, VECTOR]), BATCH_ROWS)?, false)
        }
        Err(error) => return Err(error.into()),
    };
    let mut words = Interner::new();
    let (mut counts, mut vectors, mut dim) = (Vec::new(), Vec::new(), None);
    for batch in reader {
        let batch = batch?;
        add_words(&mut words, &batch, path)?;
        match has_counts.then(|| batch.u64(COUNT)) {
            Some(Ok(batch)) => counts.extend_from_slice(batch),
            Some(Err(error)) => {
                tracing::warn!(?path, %error, "counts of another type are left out");
                has_counts = false;
            }
            None => {}
        }
        let (values, batch_dim) = batch.vectors(VECTOR)?;
        if *dim.get_or_insert(batch_dim) != batch_dim {
            let problem = format!("its column {VECTOR:?} has vectors of several lengths");
            return Err(StoreError::corrupt(path, problem).into());
        }
        vectors.extend_from_slice(values);
    }
    if !has_counts {
        counts.clear();
    }
    finish(path, words, counts, dim.unwrap_or(0), vectors)
}

/// Puts together what was read; missing counts become 0.
fn finish(
    path: &Path,
    words: Interner,
    counts: Vec<u64>,
    dim: usize,
    vectors: Vec<f32>,
) -> Result<Embeddings> {
    if words.is_empty() {
        return Err(Error::Empty { path: path.to_owned() });
    }
    let counts = counts.into_iter().chain(std::iter::repeat(0));
    let vocabulary = Vocabulary::from_ordered(words.words().zip(counts))
        .map_err(|error| Error::DuplicateWord { word: error.word }.in_file(path))?;
    Embeddings::new(vocabulary, dim, vectors).map_err(|error| error.in_file(path))
}

/// Lines of a file, by number.
struct Lines<'p> {
    reader: Box<dyn BufRead>,
    path: &'p Path,
    number: u64,
    line: Vec<u8>,
}

impl Lines<'_> {
    /// The next line that is not blank, without its end.
    fn next_line(&mut self) -> Result<Option<&str>> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = (&mut self.reader)
                .take(MAX_LINE_BYTES + 1)
                .read_until(b'\n', &mut self.line)
                .map_err(StoreError::io("read", self.path))?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 > MAX_LINE_BYTES {
                return Err(self.error(LineProblem::TooLong { bytes: MAX_LINE_BYTES }));
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        match std::str::from_utf8(&self.line) {
            Ok(line) => Ok(Some(line.trim_end_matches(['\n', '\r']))),
            Err(_) => Err(self.error(LineProblem::InvalidUtf8)),
        }
    }

    fn error(&self, problem: LineProblem) -> Error {
        Error::Line { path: self.path.to_owned(), line: self.number, problem }
    }
}

fn read_text(path: &Path, reader: Box<dyn BufRead>) -> Result<Embeddings> {
    let mut lines = Lines { reader, path, number: 0, line: Vec::new() };
    let mut words = Interner::new();
    let mut vectors = Vec::new();
    let mut header = None;
    let mut dim = None;
    loop {
        let line = match lines.next_line()? {
            None => break,
            // A byte order mark may stand before the first line.
            Some(line) if dim.is_none() => line.strip_prefix('\u{FEFF}').unwrap_or(line),
            Some(line) => line,
        };
        let expected = match dim {
            Some(dim) => dim,
            None => {
                if let Some((rows, columns)) = header_line(line) {
                    header = Some(rows);
                    dim = Some(columns);
                    if columns == 0 {
                        return Err(lines.error(LineProblem::NoValues));
                    }
                    continue;
                }
                *dim.insert(fields(line).count().saturating_sub(1))
            }
        };
        let added = split_row(line, expected, &mut vectors).and_then(|word| {
            let rows = words.len();
            if (words.intern(word) as usize) < rows {
                return Err(LineProblem::DuplicateWord { word: word.to_owned() });
            }
            Ok(())
        });
        added.map_err(|problem| lines.error(problem))?;
    }
    if let Some(expected) = header {
        let found = words.len() as u64;
        let unknown_extra = found == expected.saturating_add(1) && words.get(UNKNOWN).is_some();
        if found != expected && !unknown_extra {
            return Err(Error::Rows { path: path.to_owned(), expected, found });
        }
    }
    finish(path, words, Vec::new(), dim.unwrap_or(0), vectors)
}

/// The header of a word2vec file in binary format that starts so, or `None` if it is text: the first
/// row reads as text, or there are no bytes in it that text does not have.
fn binary_header(start: &[u8]) -> Option<Header> {
    let line_end = |bytes: &[u8]| bytes.iter().position(|&byte| byte == b'\n');
    let bytes = line_end(start)? + 1;
    let (rows, dim) = header_line(std::str::from_utf8(&start[..bytes]).ok()?.trim_end())?;
    let row = &start[bytes..];
    let line = &row[..line_end(row).unwrap_or(row.len())];
    let line = std::str::from_utf8(line).map(|line| line.trim_end_matches('\r'));
    if line.is_ok_and(|line| split_row(line, dim, &mut Vec::new()).is_ok()) {
        return None;
    }
    let values = &row[row.iter().position(|&byte| byte == b' ')? + 1..];
    let values = &values[..values.len().min(dim.saturating_mul(4))];
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
    binary.then_some(Header { bytes, rows, dim })
}

/// The first line of a word2vec file.
struct Header {
    /// Its length, with its end.
    bytes: usize,
    rows: u64,
    dim: usize,
}

fn read_binary(path: &Path, mut reader: Box<dyn BufRead>, header: Header) -> Result<Embeddings> {
    let Header { bytes, rows, dim } = header;
    let wrong = |problem: String| {
        let (path, format) = (path.to_owned(), "word2vec binary");
        Error::Binary { path, format, problem }
    };
    let failed = || StoreError::io("read", path);
    let row_bytes = dim.saturating_mul(4) as u64;
    if dim == 0 || row_bytes > MAX_LINE_BYTES {
        return Err(wrong(format!("its header says that vectors have {dim} dimensions")));
    }
    std::io::copy(&mut (&mut reader).take(bytes as u64), &mut std::io::sink()).map_err(failed())?;
    let mut words = Interner::new();
    let (mut vectors, mut left_out) = (Vec::new(), 0u64);
    let (mut word, mut values) = (Vec::new(), Vec::new());
    for row in 0..rows {
        word.clear();
        values.clear();
        (&mut reader).take(MAX_WORD_BYTES).read_until(b' ', &mut word).map_err(failed())?;
        let ended = word.pop() == Some(b' ');
        (&mut reader).take(row_bytes).read_to_end(&mut values).map_err(failed())?;
        if !ended && word.len() as u64 + 1 == MAX_WORD_BYTES {
            return Err(wrong(format!("the word of row {} has no end", row + 1)));
        }
        if !ended || (values.len() as u64) < row_bytes {
            return Err(Error::Rows { path: path.to_owned(), expected: rows, found: row });
        }
        // The line end behind the values before, which not every program writes.
        let bytes = word.strip_prefix(b"\n").unwrap_or(&word);
        let Ok(text) = std::str::from_utf8(bytes) else {
            left_out += 1;
            continue;
        };
        let before = words.len();
        if (words.intern(text) as usize) < before {
            return Err(Error::DuplicateWord { word: text.to_owned() }.in_file(path));
        }
        let values = values.as_chunks::<4>().0;
        vectors.extend(values.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    }
    word.clear();
    (&mut reader).take(2).read_to_end(&mut word).map_err(failed())?;
    if !word.is_empty() && word != b"\n" {
        return Err(wrong(format!("there is more after the {rows} rows of its header")));
    }
    if left_out > 0 {
        tracing::warn!(?path, left_out, "words that are not UTF-8 are left out");
    }
    finish(path, words, Vec::new(), dim, vectors)
}

/// The rows and the dimension of a word2vec header: a line of just two whole numbers.
fn header_line(line: &str) -> Option<(u64, usize)> {
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

/// Appends the last `dim` fields of a line to `vectors` and returns what stands before them.
fn split_row<'l>(
    line: &'l str,
    dim: usize,
    vectors: &mut Vec<f32>,
) -> Result<&'l str, LineProblem> {
    let values = |found| LineProblem::Values { found, expected: dim };
    let count = || fields(line).count().saturating_sub(1);
    if dim == 0 {
        return Err(LineProblem::NoValues);
    }
    // A field takes two bytes, so that a header can't make us allocate more than the line has.
    if dim > line.len() / 2 {
        return Err(values(count()));
    }
    let bytes = line.as_bytes();
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
        let text = &line[start..end];
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
    let word = line[..end].trim_matches([' ', '\t']);
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

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests;
