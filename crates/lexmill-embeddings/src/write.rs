//! Writing embeddings in the formats people use, some rows at a time.
//!
//! | format | files | layout |
//! | --- | --- | --- |
//! | `parquet`, `arrow` | one | `word` text, `vector` vector(dim), `count` u64 where counts are known; of `int8` a `scale` f32 too |
//! | `word2vec-text`, `fasttext-vec` | one | a line `rows dim`, then a word and its values a line |
//! | `word2vec-binary` | one | a line `rows dim`, then a row each: the word, a space, `dim` f32 (little-endian), a line end |
//! | `glove-text` | one | a word and its values a line |
//! | `fasttext-bin` | one | as fastText has a model: of a trained model all of it, of vectors alone these as its input rows, no n-grams and zeros for its output rows |
//! | `safetensors` | two | a tensor `embeddings` `(rows, dim)`, of `int8` a tensor `scales` `(rows)` too; `FILE.words.txt`, a word a line |
//! | `npy` | two or three | an array `(rows, dim)`; `FILE.words.txt`; of `int8` `FILE.scales.npy` `(rows)` |
//! | `finalfusion` | one | a simple vocabulary and an array; no norms, so vectors keep their lengths |
//! | `tsv` | two | values between tabs; `FILE.metadata.tsv`, a word a line, or `word` and `count` under that header |
//!
//! Values are written to text with the fewest digits that read back to the same bits. A word that a
//! format can't hold is an error that names it. Only Parquet, Arrow, fastText's `.bin` and TSV keep counts.

mod arrays;
pub(crate) mod fasttext_bin;
mod lines;
mod tables;

use std::io::{self, Write};
use std::path::Path;

use lexmill_store::{AtomicFile, Error as StoreError, FileEntry};
use lexmill_vocab::Interner;
use serde_json::Value;

pub use self::lines::text_line;
use crate::format::{Format, Packing, Precision};
use crate::rows::Rows;
use crate::{Error, Result};

/// What is known about embeddings before their first row is written.
pub(crate) struct Head<'a> {
    pub(crate) rows: u64,
    pub(crate) dim: usize,
    /// Whether all rows come with counts.
    pub(crate) counted: bool,
    /// All words, for formats that begin with them, and their counts, if there are any.
    pub(crate) words: Option<(&'a Interner, &'a [u64])>,
    /// For tables: what they were made from.
    pub(crate) metadata: Value,
}

/// A file of embeddings being written.
pub(crate) trait Sink {
    /// Appends rows.
    fn write(&mut self, rows: &Rows) -> Result<()>;

    /// Completes the files, the first of which a manifest will call `name`.
    fn finish(self: Box<Self>, name: &str) -> Result<Vec<FileEntry>>;
}

/// Whether a file of that name and format can hold that.
///
/// # Errors
/// If its format has no such numbers, or nobody could read it if it were compressed.
pub(crate) fn check_format(path: &Path, format: Format, precision: Precision) -> Result<()> {
    if !format.carries(precision) {
        return Err(Error::Precision { format: format.name(), precision: precision.name() });
    }
    if Packing::of_name(path) != Packing::None && !format.may_be_packed() {
        return Err(Error::NotPacked { path: path.to_owned(), format: format.name() });
    }
    Ok(())
}

/// Starts a file.
///
/// # Errors
/// If it can't be made, or the format does not hold what it is to hold.
pub(crate) fn create<'a>(
    path: &'a Path,
    format: Format,
    precision: Precision,
    head: &Head<'a>,
) -> Result<Box<dyn Sink + 'a>> {
    check_format(path, format, precision)?;
    Ok(match format {
        Format::Parquet | Format::Arrow => {
            Box::new(tables::TableSink::create(path, format, precision, head)?)
        }
        Format::Word2vecText | Format::GloveText | Format::FasttextVec | Format::Word2vecBinary => {
            Box::new(lines::LineSink::create(path, format, head)?)
        }
        Format::Tsv => Box::new(lines::TsvSink::create(path, head)?),
        Format::Npy => Box::new(arrays::NpySink::create(path, precision, head)?),
        Format::Safetensors => Box::new(arrays::SafetensorsSink::create(path, precision, head)?),
        Format::Finalfusion => Box::new(arrays::FinalfusionSink::create(path, head)?),
        Format::FasttextBin => Box::new(fasttext_bin::WordsSink::create(path, head)?),
    })
}

/// A file that is compressed as it is written, or not.
enum Packed {
    Plain(AtomicFile),
    Gzip(flate2::write::GzEncoder<AtomicFile>),
    Zstd(zstd::Encoder<'static, AtomicFile>),
}

impl Packed {
    /// Starts a file, compressed if its name says so.
    fn create(path: &Path) -> Result<Packed> {
        let file = AtomicFile::create(path)?;
        Ok(match Packing::of_name(path) {
            Packing::None => Packed::Plain(file),
            Packing::Gzip => {
                Packed::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default()))
            }
            Packing::Zstd => {
                let encoder = zstd::Encoder::new(file, 0).map_err(StoreError::io("write", path))?;
                Packed::Zstd(encoder)
            }
        })
    }

    /// Completes the file.
    fn commit(self, path: &Path, name: &str, rows: u64) -> Result<FileEntry> {
        let file = match self {
            Packed::Plain(file) => Ok(file),
            Packed::Gzip(encoder) => encoder.finish(),
            Packed::Zstd(encoder) => encoder.finish(),
        };
        Ok(file.map_err(StoreError::io("write", path))?.commit(name, rows)?)
    }
}

impl Write for Packed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Packed::Plain(file) => file.write(buffer),
            Packed::Gzip(encoder) => encoder.write(buffer),
            Packed::Zstd(encoder) => encoder.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packed::Plain(file) => file.flush(),
            Packed::Gzip(encoder) => encoder.flush(),
            Packed::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// An error of writing.
fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let error = StoreError::io("write", path);
    move |source| error(source).into()
}

/// A manifest's name of a file beside the one that it calls `name`.
fn name_beside(name: &str, end: &str) -> String {
    crate::format::beside(Path::new(name), end).to_string_lossy().into_owned()
}

/// Checks that no word has what separates words in the file.
fn check_words(rows: &Rows, format: Format, bad: impl Fn(&str) -> bool) -> Result<()> {
    match rows.words().find(|word| bad(word)) {
        Some(word) => Err(Error::Separator { word: word.to_owned(), format: format.name() }),
        None => Ok(()),
    }
}
