//! A matrix of numbers that lies in a file row by row, as several formats have it.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use lexmill_store::Error as StoreError;

use super::{BUFFER_BYTES, MAX_DIMENSIONS, batch_rows};
use crate::rows::{Rows, Source};
use crate::{Error, Result};

/// How a number lies in a file; all are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    F16,
    Bf16,
    F32,
    F64,
    I8,
}

impl Number {
    pub(super) fn bytes(self) -> u64 {
        match self {
            Number::I8 => 1,
            Number::F16 | Number::Bf16 => 2,
            Number::F32 => 4,
            Number::F64 => 8,
        }
    }

    fn decode(self, bytes: &[u8], values: &mut Vec<f32>) {
        fn each<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> f32, to: &mut Vec<f32>) {
            to.extend(bytes.as_chunks::<N>().0.iter().map(|&bytes| of(bytes)));
        }
        match self {
            Number::I8 => each(bytes, |b| f32::from(i8::from_le_bytes(b)), values),
            Number::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32(), values),
            Number::Bf16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32(), values),
            Number::F32 => each(bytes, f32::from_le_bytes, values),
            Number::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32, values),
        }
    }
}

/// Where a matrix lies, and its shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Bytes before it.
    pub(super) at: u64,
    pub(super) rows: u64,
    pub(super) dim: u64,
    pub(super) number: Number,
}

/// A matrix being read. Its rows have no words yet.
pub(super) struct Matrix {
    reader: BufReader<File>,
    path: PathBuf,
    rows: u64,
    dim: usize,
    number: Number,
    read: u64,
    bytes: Vec<u8>,
}

impl Matrix {
    /// Goes to a matrix; `format` is what the file is, for messages.
    ///
    /// # Errors
    /// If the file is too short for it, which is known before anything is allocated.
    pub(super) fn open(path: &Path, place: Place, format: &'static str) -> Result<Matrix> {
        let Place { at, rows, dim, number } = place;
        let mut file = File::open(path).map_err(StoreError::io("open", path))?;
        let length = file.metadata().map_err(StoreError::io("read", path))?.len();
        let bytes = rows.checked_mul(dim).and_then(|values| values.checked_mul(number.bytes()));
        let end = bytes.and_then(|bytes| bytes.checked_add(at));
        let dim_fits = dim <= MAX_DIMENSIONS && (dim > 0 || rows == 0);
        if end.is_none_or(|end| end > length) || !dim_fits {
            let problem = format!(
                "it says that it holds {rows} × {dim} numbers of {} bytes from byte {at} on, and it \
                 has {length} bytes: it was cut off, or is damaged",
                number.bytes()
            );
            return Err(Error::Binary { path: path.to_owned(), format, problem });
        }
        file.seek(SeekFrom::Start(at)).map_err(StoreError::io("read", path))?;
        Ok(Matrix {
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            path: path.to_owned(),
            rows,
            dim: dim as usize,
            number,
            read: 0,
            bytes: Vec::new(),
        })
    }

    /// The next rows' numbers end to end, up to `most` rows; nothing at the end.
    pub(super) fn next_values(&mut self, most: u64) -> Result<Vec<f32>> {
        let rows = most.min(self.rows - self.read);
        let values = rows as usize * self.dim;
        self.bytes.resize(values * self.number.bytes() as usize, 0);
        self.reader.read_exact(&mut self.bytes).map_err(StoreError::io("read", &self.path))?;
        self.read += rows;
        let mut numbers = Vec::with_capacity(values);
        self.number.decode(&self.bytes, &mut numbers);
        Ok(numbers)
    }
}

impl Source for Matrix {
    fn dim(&self) -> usize {
        self.dim
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        let values = self.next_values(batch_rows(self.dim) as u64)?;
        Ok((!values.is_empty()).then(|| Rows::of_vectors(values)))
    }
}

/// A matrix of whole numbers with a scale for each row.
pub(super) struct Scaled {
    pub(super) numbers: Matrix,
    /// A number a row.
    pub(super) scales: Matrix,
}

impl Source for Scaled {
    fn dim(&self) -> usize {
        self.numbers.dim
    }

    fn rows(&self) -> Option<u64> {
        self.numbers.rows()
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        let Some(mut rows) = self.numbers.next_rows()? else { return Ok(None) };
        let count = rows.vectors.len() / self.numbers.dim;
        scale(&mut rows.vectors, self.numbers.dim, &self.scales.next_values(count as u64)?);
        Ok(Some(rows))
    }
}

/// Multiplies each row with its scale.
pub(super) fn scale(vectors: &mut [f32], dim: usize, scales: &[f32]) {
    for (row, scale) in vectors.chunks_exact_mut(dim.max(1)).zip(scales) {
        for value in row {
            *value *= scale;
        }
    }
}
