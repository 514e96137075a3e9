//! finalfusion's format.
//!
//! All numbers are little-endian. A file is the magic `FiFu`, a u32 version (0), a u32 number of chunks
//! and a u32 for the kind of each; then the chunks: u32 kind, u64 bytes that follow, content.
//!
//! | kind | chunk | content |
//! | --- | --- | --- |
//! | 1 | simple vocabulary | u64 words; a word is a u32 length and its bytes |
//! | 2 | array | u64 rows, u32 dim, u32 type (10: f32), padding, values |
//! | 3, 7 | vocabulary with buckets | u64 words, u32 minn, u32 maxn, u32 buckets; words |
//! | 4 | quantized array | not read |
//! | 5 | metadata | TOML |
//! | 6 | norms | u64 number, u32 type, padding, the length of each vector, which the array has not |
//! | 8 | vocabulary with n-grams | u64 words, u64 n-grams, u32 minn, u32 maxn; words |
//!
//! Padding is 1 to 4 bytes, up to the next multiple of 4 in the file. Rows after those of words are
//! n-grams'.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use lexmill_store::Error as StoreError;

use super::numbers::{Matrix, Number, Place, scale};
use super::{BUFFER_BYTES, batch_rows};
use crate::rows::{Rows, Source};
use crate::{Error, Result};

/// What such a file begins with: its magic and the version 0.
pub(crate) const MAGIC: &[u8] = b"FiFu\0\0\0\0";
pub(crate) const SIMPLE_VOCABULARY: u32 = 1;
pub(crate) const ARRAY: u32 = 2;
const BUCKETS: [u32; 2] = [3, 7];
const QUANTIZED: u32 = 4;
const NORMS: u32 = 6;
const EXPLICIT: u32 = 8;
/// The type f32.
pub(crate) const F32: u32 = 10;
const FORMAT: &str = "finalfusion";
const MAX_WORD_BYTES: u32 = 1 << 16;
const MAX_CHUNKS: u32 = 64;

/// Bytes up to where numbers begin that are to lie at a multiple of 4.
pub(crate) fn padding(position: u64) -> u64 {
    4 - position % 4
}

/// A finalfusion file being read.
pub(super) struct FinalfusionSource {
    words: Chunk,
    rows: u64,
    read: u64,
    vectors: Matrix,
    norms: Option<Matrix>,
}

impl FinalfusionSource {
    pub(super) fn open(path: &Path) -> Result<FinalfusionSource> {
        let mut file = Chunk::open(path)?;
        let mut magic = [0; MAGIC.len()];
        file.fill(&mut magic)?;
        if magic != MAGIC {
            return Err(wrong(path, "it does not begin as such a file of version 0 does"));
        }
        let chunks = file.u32()?;
        if chunks > MAX_CHUNKS {
            return Err(wrong(path, format!("it says that it has {chunks} chunks")));
        }
        file.skip(u64::from(chunks) * 4)?;
        let (mut words, mut vectors, mut norms) = (None, None, None);
        for _ in 0..chunks {
            let (kind, bytes) = (file.u32()?, file.u64()?);
            let start = file.position()?;
            match kind {
                SIMPLE_VOCABULARY | EXPLICIT => {
                    let count = file.u64()?;
                    let skip = if kind == EXPLICIT { 16 } else { 0 };
                    words = Some((count, start + 8 + skip));
                }
                _ if BUCKETS.contains(&kind) => words = Some((file.u64()?, start + 20)),
                ARRAY => {
                    let (rows, dim) = (file.u64()?, u64::from(file.u32()?));
                    vectors = Some(file.place(rows, dim)?);
                }
                NORMS => {
                    let rows = file.u64()?;
                    norms = Some(file.place(rows, 1)?);
                }
                QUANTIZED => return Err(wrong(path, "it is quantized, which is not read")),
                _ => {}
            }
            file.go_to(start.saturating_add(bytes))?;
        }
        let (Some((rows, at)), Some(vectors)) = (words, vectors) else {
            return Err(wrong(path, "it has no vocabulary or no array of vectors"));
        };
        // A word takes 4 bytes and more.
        let norms_fit = norms.is_none_or(|norms| norms.rows >= rows);
        if rows > vectors.rows || !norms_fit || rows > file.length / 4 {
            return Err(wrong(path, format!("it has {rows} words and fewer vectors or norms")));
        }
        file.go_to(at)?;
        let norms = norms.map(|norms| Matrix::open(path, norms, FORMAT)).transpose()?;
        let vectors = Matrix::open(path, vectors, FORMAT)?;
        Ok(FinalfusionSource { words: file, rows, read: 0, vectors, norms })
    }
}

impl Source for FinalfusionSource {
    fn dim(&self) -> usize {
        self.vectors.dim()
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        let count = (self.rows - self.read).min(batch_rows(self.vectors.dim()) as u64);
        if count == 0 {
            return Ok(None);
        }
        let mut rows = Rows::of_vectors(self.vectors.next_values(count)?);
        for _ in 0..count {
            let word = self.words.word()?;
            rows.push_word(&word);
        }
        if let Some(norms) = &mut self.norms {
            scale(&mut rows.vectors, self.vectors.dim(), &norms.next_values(count)?);
        }
        self.read += count;
        Ok(Some(rows))
    }
}

/// A file that is read from chunk to chunk.
struct Chunk {
    reader: BufReader<File>,
    path: std::path::PathBuf,
    length: u64,
}

impl Chunk {
    fn open(path: &Path) -> Result<Chunk> {
        let file = File::open(path).map_err(StoreError::io("open", path))?;
        let length = file.metadata().map_err(StoreError::io("read", path))?.len();
        let reader = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Chunk { reader, path: path.to_owned(), length })
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.reader.read_exact(bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => wrong(&self.path, "it was cut off"),
            _ => StoreError::io("read", &self.path)(error).into(),
        })
    }

    fn u32(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn u64(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn position(&mut self) -> Result<u64> {
        Ok(self.reader.stream_position().map_err(StoreError::io("read", &self.path))?)
    }

    fn go_to(&mut self, position: u64) -> Result<()> {
        if position > self.length {
            return Err(wrong(&self.path, "a chunk is longer than the file: it was cut off"));
        }
        self.reader.seek(SeekFrom::Start(position)).map_err(StoreError::io("read", &self.path))?;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        let position = self.position()?;
        self.go_to(position.saturating_add(bytes))
    }

    /// Where numbers lie whose type comes next.
    fn place(&mut self, rows: u64, dim: u64) -> Result<Place> {
        let kind = self.u32()?;
        if kind != F32 {
            return Err(wrong(&self.path, format!("its numbers are of the unknown type {kind}")));
        }
        let position = self.position()?;
        Ok(Place { at: position + padding(position), rows, dim, number: Number::F32 })
    }

    fn word(&mut self) -> Result<String> {
        let length = self.u32()?;
        if length > MAX_WORD_BYTES {
            return Err(wrong(&self.path, format!("a word has {length} bytes")));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| wrong(&self.path, "a word is not UTF-8"))
    }
}

fn wrong(path: &Path, problem: impl ToString) -> Error {
    Error::Binary { path: path.to_owned(), format: FORMAT, problem: problem.to_string() }
}
