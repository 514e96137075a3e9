//! Reading embeddings from the formats people have them in.
//!
//! | what | how it is known | layout |
//! | --- | --- | --- |
//! | export stage | a directory | its Parquet file if it has one, else another |
//! | model | a `glove`, `skipgram` or `cbow` stage's directory | W + C of `glove`, W of the others |
//! | Parquet, Arrow IPC | starts with `PAR1`, `ARROW1` | columns `word` (text), `vector` (list of f32, f64 or f16, or of i8 with a column `scale` f32), `count` (whole numbers, optional); also `token` and `embedding`, as others call them |
//! | fastText `.bin` | starts with its magic number | [`crate::FastTextFile`]; not compressed |
//! | NumPy `.npy` | starts with `\x93NUMPY` | `(rows, dim)` of f2, f4, f8, or i1 with `FILE.scales.npy`; words in `FILE.words.txt` |
//! | safetensors | a length and a JSON object | the tensor `embeddings`, or the only matrix, of F16, BF16, F32, F64, or I8 with a tensor `scales`; words in `FILE.words.txt` |
//! | finalfusion | starts with `FiFu` | words and their array; vectors are multiplied with their norms |
//! | TensorBoard's TSV | is called `.tsv` | values between tabs; words in `FILE.metadata.tsv` |
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
//! `<unk>` that its header does not count: that one row more is taken. A file of words has one a line;
//! where it has not that name (`FILE` is the whole name, such as `a.npy`), `a.words.txt`, `words.txt`, `vocab.txt` or `metadata.tsv` in the same directory is
//! taken. A `metadata.tsv` with several columns has their names in its first line.
//!
//! Nothing is allocated because a header or footer says so: memory follows the bytes that are there.
//! Text is parsed and Parquet decoded on the threads of the current rayon pool; the result does not
//! depend on them.

mod beside;
pub(crate) mod finalfusion;
mod npy;
mod numbers;
pub(crate) mod safetensors;
pub(crate) mod tables;
mod text;
mod word2vec_binary;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use lexmill_store::table::IPC_MAGIC;
use lexmill_store::{Error as StoreError, Manifest};
use lexmill_vocab::{Interner, Vocabulary};

use self::beside::Beside;
use self::finalfusion::FinalfusionSource;
use self::tables::TableSource;
use self::text::{Line, TextSource};
use self::word2vec_binary::BinarySource;
use crate::export;
use crate::fasttext::FastTextWords;
use crate::format::{FORMATS, Format};
use crate::model::KINDS;
use crate::rows::{Rows, Source};
use crate::{Embeddings, Error, FastTextFile, Result};

/// Bytes of text or binary that are read one after another.
type Input = Box<dyn BufRead + Send>;

/// Bytes that decide between text and binary: a header, a word and some values.
const PEEK_BYTES: u64 = 1 << 16;
const BUFFER_BYTES: usize = 1 << 18;
/// Rows that are read at a time, and the values that they may have together.
const BATCH_ROWS: usize = 1 << 12;
const BATCH_VALUES: usize = 1 << 22;
/// The most values of a vector.
const MAX_DIMENSIONS: u64 = 1 << 20;

/// Rows of a batch of vectors with so many values.
fn batch_rows(dim: usize) -> usize {
    (BATCH_VALUES / dim.max(1)).clamp(1, BATCH_ROWS)
}

/// What is known about a file besides its content.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Its format; else that is told from its content and name.
    pub format: Option<Format>,
    /// The file of words beside an array; else it is looked for.
    pub words: Option<PathBuf>,
}

impl Embeddings {
    /// Reads embeddings: the directory of an export or of a trained model, or a file in any of the
    /// formats above.
    ///
    /// # Errors
    /// If the file can't be read, or is not what it seems to be: a wrong number of values, not a
    /// number, a word twice, invalid UTF-8 (in text each with its line), or fewer rows than its header says.
    /// Quantized models of fastText's are not read.
    pub fn read(path: &Path) -> Result<Embeddings> {
        read(path, &ReadOptions::default())
    }
}

/// Reads embeddings of which more is known than their place: as [`Embeddings::read`].
///
/// # Errors
/// As [`Embeddings::read`].
pub fn read(path: &Path, options: &ReadOptions) -> Result<Embeddings> {
    collect(Checked::new(open(path, options)?, path))
}

/// Opens embeddings for reading some rows at a time.
///
/// # Errors
/// If there are none, or they are damaged as far as their first bytes tell.
pub fn open(path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>> {
    if path.is_dir() {
        return open_stage(path, options);
    }
    Manifest::expect_file(path)?;
    let file = File::open(path).map_err(StoreError::io("open", path))?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let start = reader.fill_buf().map_err(StoreError::io("read", path))?;
    let packed = start.starts_with(&GZIP) || start.starts_with(&ZSTD);
    let format = options.format.or_else(|| by_content(start, path));
    if options.words.is_some()
        && !matches!(format, Some(Format::Npy | Format::Safetensors | Format::Tsv))
    {
        return Err(Error::WordsTwice { path: path.to_owned() });
    }
    if format.is_none()
        && !packed
        && let Some((what, help)) = other_file(start)
    {
        return Err(Error::OtherFile { path: path.to_owned(), what, help });
    }
    match format {
        None => {}
        Some(Format::Parquet) => return Ok(Box::new(TableSource::parquet(path)?)),
        Some(Format::Arrow) => return Ok(Box::new(TableSource::arrow(path)?)),
        Some(Format::FasttextBin) => {
            return Ok(Box::new(FastTextWords::new(FastTextFile::open(path)?)));
        }
        Some(Format::Finalfusion) => return Ok(Box::new(FinalfusionSource::open(path)?)),
        Some(format @ (Format::Npy | Format::Safetensors | Format::Tsv)) => {
            let vectors: Box<dyn Source> = match format {
                Format::Npy => npy::open(path)?,
                Format::Safetensors => safetensors::open(path)?,
                _ => Box::new(TextSource::open(path, Box::new(reader), Line::Values, Some(false))?),
            };
            return Ok(Box::new(Beside::open(path, format, vectors, options.words.as_deref())?));
        }
        Some(_) => {}
    }
    let reader = if packed { unpack(path, reader)? } else { Box::new(reader) };
    open_rows(path, reader, format, packed)
}

/// A word and its values, then the next.
fn open_rows(
    path: &Path,
    mut reader: Input,
    format: Option<Format>,
    packed: bool,
) -> Result<Box<dyn Source>> {
    // What follows may come in small pieces from a decoder, so enough of it is put together.
    let mut start = Vec::new();
    (&mut reader).take(PEEK_BYTES).read_to_end(&mut start).map_err(StoreError::io("read", path))?;
    let inner = path.with_extension("");
    if let Some(found) = by_content(&start, &inner).filter(|_| packed && format.is_none()) {
        let (path, format) = (path.to_owned(), found.name());
        let problem = "it is compressed: decompress it first".to_owned();
        return Err(Error::Binary { path, format, problem });
    }
    let header = match format {
        Some(Format::Word2vecBinary) => word2vec_binary::any_header(&start),
        Some(_) => None,
        None => word2vec_binary::header(&start),
    };
    if header.is_none() && format == Some(Format::Word2vecBinary) {
        let (path, format) = (path.to_owned(), "word2vec binary");
        let problem = "its first line is not two whole numbers".to_owned();
        return Err(Error::Binary { path, format, problem });
    }
    let reader: Input = Box::new(std::io::Cursor::new(start).chain(reader));
    Ok(match header {
        Some(header) => Box::new(BinarySource::open(path, reader, header)?),
        None => {
            let has_header = format.map(|format| format != Format::GloveText);
            Box::new(TextSource::open(path, reader, Line::WordAndValues, has_header)?)
        }
    })
}

const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

fn unpack(path: &Path, mut reader: BufReader<File>) -> Result<Input> {
    let start = reader.fill_buf().map_err(StoreError::io("read", path))?;
    Ok(if start.starts_with(&GZIP) {
        let decoder = flate2::bufread::MultiGzDecoder::new(reader);
        Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
    } else {
        let decoder = zstd::Decoder::with_buffer(reader).map_err(StoreError::io("read", path))?;
        Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
    })
}

/// The format of a file that starts so, but for those that are rows of words and values.
fn by_content(start: &[u8], path: &Path) -> Option<Format> {
    // A word of text could be the same letters; what follows them in these files is no text.
    let binary = |magic: &[u8]| {
        let rest = start.strip_prefix(magic);
        rest.is_some_and(|rest| rest.iter().take(64).any(|&byte| byte < 9) || rest.is_empty())
    };
    if binary(b"PAR1") {
        return Some(Format::Parquet);
    }
    if binary(IPC_MAGIC) {
        return Some(Format::Arrow);
    }
    if start.starts_with(npy::MAGIC) {
        return Some(Format::Npy);
    }
    if start.starts_with(finalfusion::MAGIC) {
        return Some(Format::Finalfusion);
    }
    if FastTextFile::starts_like(start) {
        return Some(Format::FasttextBin);
    }
    if safetensors::starts_like(start) {
        return Some(Format::Safetensors);
    }
    let tsv = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tsv"));
    tsv.then_some(Format::Tsv)
}

/// What a file that starts so is, if it is known to be nothing that is read, and what helps.
fn other_file(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let known: [(&[u8], &str, &str); 8] = [
        (
            b"\xFF\xFF\xFF\xFF",
            "an Arrow IPC stream",
            "write it as a file: pyarrow.feather.write_feather",
        ),
        (b"FEA1", "a Feather file of version 1", "write it again with a newer pandas or pyarrow"),
        (
            b"PK\x03\x04",
            "a zip archive, as .npz files are",
            "unpack it, or save the array with numpy.save",
        ),
        (b"BZh91AY&SY", "compressed with bzip2", "unpack it, or compress it with gzip or zstd"),
        (b"\xFD7zXZ", "compressed with xz", "unpack it, or compress it with gzip or zstd"),
        (b"\x80\x03", "a pickle of Python's", "in gensim, write it with save_word2vec_format"),
        (b"\x80\x04", "a pickle of Python's", "in gensim, write it with save_word2vec_format"),
        (b"\x89HDF", "an HDF5 file", "save its matrix with numpy.save, and its words one a line"),
    ];
    let found = known.into_iter().find(|(magic, ..)| start.starts_with(magic));
    // Of letters alone, what follows them tells.
    let found = found.filter(|_| start.iter().take(64).any(|&byte| byte < 9 || byte == 0xFF));
    // Words may hold a NUL, but no text begins with many.
    let zeros = start.iter().take(64).filter(|&&byte| byte == 0).count();
    let binary = ("a binary file of no kind that is known", "convert it to a format that is");
    let unknown = zeros >= 8 && word2vec_binary::any_header(start).is_none();
    found.map(|(_, what, help)| (what, help)).or(unknown.then_some(binary))
}

/// The embeddings in a directory.
fn open_stage(directory: &Path, options: &ReadOptions) -> Result<Box<dyn Source>> {
    let kinds: Vec<&str> = [export::KIND].iter().chain(KINDS).copied().collect();
    let manifest = Manifest::expect(directory, &kinds)?;
    if manifest.key.stage != export::KIND {
        manifest.expect_files(directory, |_| true)?;
        if options.words.is_some() {
            return Err(Error::WordsTwice { path: directory.to_owned() });
        }
        return export::auto_source(directory, &manifest.key.stage);
    }
    let there = |format: &Format| manifest.files.iter().any(|file| file.path == format.file_name());
    let found: Vec<Format> = FORMATS.into_iter().filter(there).collect();
    let format = match options.format {
        None => {
            found.first().copied().ok_or_else(|| Error::Empty { path: directory.to_owned() })?
        }
        Some(wanted) if found.contains(&wanted) => wanted,
        Some(wanted) => {
            let names: Vec<&str> = found.iter().map(|format| format.name()).collect();
            let (path, format) = (directory.to_owned(), wanted.name());
            return Err(Error::NotExported { path, format, found: names.join(", ") });
        }
    };
    // The file itself is looked at when it is opened; with an array goes the file of its words.
    let words = |name: &str| name.starts_with(format.file_name()) && name != format.file_name();
    manifest.expect_files(directory, words)?;
    let options = ReadOptions { format: Some(format), words: options.words.clone() };
    open(&directory.join(format.file_name()), &options)
}

/// Rows that can be embeddings: no word twice, and all values finite. Keeps the words.
pub(crate) struct Checked<'p> {
    source: Box<dyn Source>,
    path: &'p Path,
    words: Interner,
    counts: Vec<u64>,
    /// Whether an earlier pass has seen that no word stands twice.
    seen: bool,
}

impl<'p> Checked<'p> {
    pub(crate) fn new(source: Box<dyn Source>, path: &'p Path) -> Checked<'p> {
        Checked { source, path, words: Interner::new(), counts: Vec::new(), seen: false }
    }

    /// The same of a file that was read to its end before.
    pub(crate) fn again(source: Box<dyn Source>, path: &'p Path) -> Checked<'p> {
        Checked { seen: true, ..Checked::new(source, path) }
    }

    pub(crate) fn dim(&self) -> usize {
        self.source.dim()
    }

    /// The next rows.
    pub(crate) fn next_rows(&mut self) -> Result<Option<Rows>> {
        let Some(rows) = self.source.next_rows()? else { return Ok(None) };
        for word in rows.words().filter(|_| !self.seen) {
            let (row, words) = (self.words.len() as u64, self.words.len());
            let id = self.words.intern(word);
            if (id as usize) < words {
                let rows = [u64::from(id) + 1, row + 1];
                let error = Error::DuplicateWord { word: word.to_owned(), rows };
                return Err(error.in_file(self.path));
            }
        }
        let dim = self.dim().max(1);
        if let Some(place) = first_not_finite(&rows.vectors) {
            let (word, value) = (rows.word(place / dim).to_owned(), rows.vectors[place]);
            return Err(Error::NotFinite { word, value }.in_file(self.path));
        }
        if self.counts.len() + rows.len() == self.words.len() {
            self.counts.extend_from_slice(&rows.counts);
        }
        Ok(Some(rows))
    }

    /// The words so far, and their counts if all rows had some.
    pub(crate) fn into_words(self) -> Result<(Interner, Vec<u64>)> {
        if self.words.is_empty() {
            return Err(Error::Empty { path: self.path.to_owned() });
        }
        let counts = if self.counts.len() == self.words.len() { self.counts } else { Vec::new() };
        Ok((self.words, counts))
    }
}

/// The first value that is a NaN or an infinity.
pub(crate) fn first_not_finite(values: &[f32]) -> Option<usize> {
    // 0 × x is 0 just where x is finite; a sum of these vectorizes, a search does not.
    let chunk = 1024;
    let suspect = values.chunks(chunk).position(|chunk| {
        let mut sums = [0.0f32; 8];
        let (eights, rest) = chunk.as_chunks::<8>();
        for eight in eights {
            for (sum, value) in sums.iter_mut().zip(eight) {
                *sum += 0.0 * value;
            }
        }
        sums.iter().any(|sum| *sum != 0.0) || rest.iter().any(|value| !value.is_finite())
    })?;
    let start = suspect * chunk;
    values[start..].iter().position(|value| !value.is_finite()).map(|place| start + place)
}

/// All rows in memory.
fn collect(mut checked: Checked<'_>) -> Result<Embeddings> {
    let dim = checked.dim();
    let mut vectors = Vec::new();
    // A file of this many bytes was seen to hold them, or they are in a table that is checked as it is read.
    if let Some(rows) = checked.source.rows() {
        let most = std::fs::metadata(checked.path).map_or(0, |file| file.len());
        vectors.reserve((rows.saturating_mul(dim as u64)).min(most / 2) as usize);
    }
    while let Some(rows) = checked.next_rows()? {
        vectors.extend_from_slice(&rows.vectors);
    }
    let path = checked.path;
    let (words, counts) = checked.into_words()?;
    let counts = counts.into_iter().chain(std::iter::repeat(0));
    let vocabulary = Vocabulary::from_words(words, counts);
    Embeddings::new(vocabulary, dim, vectors).map_err(|error| error.in_file(path))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests;
