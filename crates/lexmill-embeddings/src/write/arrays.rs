//! Arrays, with their words before them or beside them.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lexmill_store::{AtomicFile, FileEntry};
use npyz::{AutoSerialize, WriteOptions, WriterBuilder};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::lines::WordFile;
use super::{Head, Sink, failed, name_beside};
use crate::format::{Format, Precision, SCALES_END, beside};
use crate::precision::{halves, quantized};
use crate::read::finalfusion::{ARRAY, F32, MAGIC, SIMPLE_VOCABULARY, padding};
use crate::read::safetensors::{SCALES, VECTORS};
use crate::rows::Rows;
use crate::{Error, Result};

/// The values of some rows as bytes, and their scales if they have such.
fn encode(rows: &Rows, dim: usize, precision: Precision) -> Result<(Vec<u8>, Vec<f32>)> {
    Ok(match precision {
        Precision::F32 => (le_bytes(&rows.vectors), Vec::new()),
        Precision::F16 => {
            let halves = halves(rows, dim)?;
            (halves.iter().flat_map(|half| half.to_le_bytes()).collect(), Vec::new())
        }
        Precision::Int8 => {
            let (numbers, scales) = quantized(&rows.vectors, dim);
            (numbers.iter().flat_map(|number| number.to_le_bytes()).collect(), scales)
        }
    })
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Bytes of a value.
fn width(precision: Precision) -> u64 {
    match precision {
        Precision::F32 => 4,
        Precision::F16 => 2,
        Precision::Int8 => 1,
    }
}

/// A NumPy array, its words, and its scales if there are any.
pub(super) struct NpySink<'a> {
    file: AtomicFile,
    path: &'a Path,
    words: WordFile,
    scales: Option<(AtomicFile, PathBuf)>,
    dim: usize,
    precision: Precision,
}

impl<'a> NpySink<'a> {
    pub(super) fn create(
        path: &'a Path,
        precision: Precision,
        head: &Head<'_>,
    ) -> Result<NpySink<'a>> {
        let mut file = AtomicFile::create(path)?;
        let shape = [head.rows, head.dim as u64];
        match precision {
            Precision::F32 => npy_head::<f32>(&mut file, &shape),
            Precision::F16 => npy_head::<half::f16>(&mut file, &shape),
            Precision::Int8 => npy_head::<i8>(&mut file, &shape),
        }
        .map_err(failed(path))?;
        let scales = match precision {
            Precision::Int8 => {
                let path = beside(path, SCALES_END);
                let mut file = AtomicFile::create(&path)?;
                npy_head::<f32>(&mut file, &shape[..1]).map_err(failed(&path))?;
                Some((file, path))
            }
            _ => None,
        };
        let words = WordFile::create(path, Format::Npy, false)?;
        Ok(NpySink { file, path, words, scales, dim: head.dim, precision })
    }
}

fn npy_head<N: AutoSerialize>(file: &mut AtomicFile, shape: &[u64]) -> std::io::Result<()> {
    let kind = N::default_dtype();
    WriteOptions::new_header_only().dtype(kind).shape(shape).writer(file).write_header_only()?;
    Ok(())
}

impl Sink for NpySink<'_> {
    fn write(&mut self, rows: &Rows) -> Result<()> {
        let (bytes, scales) = encode(rows, self.dim, self.precision)?;
        self.words.write(rows)?;
        self.file.write_all(&bytes).map_err(failed(self.path))?;
        if let Some((file, path)) = &mut self.scales {
            file.write_all(&le_bytes(&scales)).map_err(failed(path))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, name: &str) -> Result<Vec<FileEntry>> {
        let words = self.words.done(name);
        let rows = words.2;
        let mut files = vec![(self.file, name.to_owned(), rows), words];
        files.extend(self.scales.map(|(file, _)| (file, name_beside(name, SCALES_END), rows)));
        Ok(AtomicFile::commit_together(files)?)
    }
}

/// A safetensors file and its words.
pub(super) struct SafetensorsSink<'a> {
    file: AtomicFile,
    path: &'a Path,
    words: WordFile,
    /// They come after the vectors: a number a word is kept until then.
    scales: Vec<f32>,
    dim: usize,
    precision: Precision,
}

impl<'a> SafetensorsSink<'a> {
    pub(super) fn create(
        path: &'a Path,
        precision: Precision,
        head: &Head<'_>,
    ) -> Result<SafetensorsSink<'a>> {
        let header = header(head.rows, head.dim, precision);
        let header = header.map_err(|problem| {
            let (path, format) = (path.to_owned(), "safetensors");
            Error::Binary { path, format, problem }
        })?;
        let mut file = AtomicFile::create(path)?;
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed(path))?;
        file.write_all(&header).map_err(failed(path))?;
        let words = WordFile::create(path, Format::Safetensors, false)?;
        Ok(SafetensorsSink { file, path, words, scales: Vec::new(), dim: head.dim, precision })
    }
}

/// The JSON before the tensors.
fn header(rows: u64, dim: usize, precision: Precision) -> Result<Vec<u8>, String> {
    let too_large = || "it would be larger than memory can be".to_owned();
    let rows_here = usize::try_from(rows).map_err(|_| too_large())?;
    let end = rows_here
        .checked_mul(dim)
        .and_then(|values| values.checked_mul(width(precision) as usize))
        .ok_or_else(too_large)?;
    let dtype = match precision {
        Precision::F32 => Dtype::F32,
        Precision::F16 => Dtype::F16,
        Precision::Int8 => Dtype::I8,
    };
    let vectors = TensorInfo { dtype, shape: vec![rows_here, dim], data_offsets: (0, end) };
    let mut tensors = vec![(VECTORS.to_owned(), vectors)];
    if precision == Precision::Int8 {
        let data_offsets = (end, end + rows_here * 4);
        let scales = TensorInfo { dtype: Dtype::F32, shape: vec![rows_here], data_offsets };
        tensors.push((SCALES.to_owned(), scales));
    }
    let notes = HashMap::from([(
        "words".to_owned(),
        "one a line in the file beside it whose name goes on with .words.txt".to_owned(),
    )]);
    let metadata = Metadata::new(Some(notes), tensors).map_err(|error| error.to_string())?;
    let mut header = serde_json::to_vec(&metadata).map_err(|error| error.to_string())?;
    // Readers map the file and want the numbers at a multiple of 8.
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

impl Sink for SafetensorsSink<'_> {
    fn write(&mut self, rows: &Rows) -> Result<()> {
        let (bytes, scales) = encode(rows, self.dim, self.precision)?;
        self.words.write(rows)?;
        self.scales.extend(scales);
        self.file.write_all(&bytes).map_err(failed(self.path))
    }

    fn finish(mut self: Box<Self>, name: &str) -> Result<Vec<FileEntry>> {
        self.file.write_all(&le_bytes(&self.scales)).map_err(failed(self.path))?;
        let words = self.words.done(name);
        let files = vec![(self.file, name.to_owned(), words.2), words];
        Ok(AtomicFile::commit_together(files)?)
    }
}

/// A finalfusion file.
pub(super) struct FinalfusionSink<'a> {
    file: AtomicFile,
    path: &'a Path,
    written: u64,
}

impl<'a> FinalfusionSink<'a> {
    pub(super) fn create(path: &'a Path, head: &Head<'_>) -> Result<FinalfusionSink<'a>> {
        let (words, _) = head.words.expect("a format that begins with words gets them");
        let wrong = |problem: &str| {
            let (path, problem) = (path.to_owned(), problem.to_owned());
            Error::Binary { path, format: "finalfusion", problem }
        };
        let dim = u32::try_from(head.dim).map_err(|_| wrong("its dimension needs 33 bits"))?;
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        for number in [2, SIMPLE_VOCABULARY, ARRAY, SIMPLE_VOCABULARY] {
            bytes.extend(u32::to_le_bytes(number));
        }
        let length: u64 = 8 + words.words().map(|word| 4 + word.len() as u64).sum::<u64>();
        bytes.extend(length.to_le_bytes());
        bytes.extend(head.rows.to_le_bytes());
        let mut position = bytes.len() as u64 + length - 8;
        let mut file = AtomicFile::create(path)?;
        file.write_all(&bytes).map_err(failed(path))?;
        for word in words.words() {
            // Words are far below 4 GiB: they were interned.
            file.write_all(&(word.len() as u32).to_le_bytes()).map_err(failed(path))?;
            file.write_all(word.as_bytes()).map_err(failed(path))?;
        }
        // The array's own head: kind, length, rows, dim and type, then padding.
        position += 4 + 8 + 8 + 4 + 4;
        let padding = padding(position);
        let values = head.rows * u64::from(dim) * 4;
        bytes.clear();
        bytes.extend(ARRAY.to_le_bytes());
        bytes.extend((8 + 4 + 4 + padding + values).to_le_bytes());
        bytes.extend(head.rows.to_le_bytes());
        bytes.extend(dim.to_le_bytes());
        bytes.extend(F32.to_le_bytes());
        bytes.resize(bytes.len() + padding as usize, 0);
        file.write_all(&bytes).map_err(failed(path))?;
        Ok(FinalfusionSink { file, path, written: 0 })
    }
}

impl Sink for FinalfusionSink<'_> {
    fn write(&mut self, rows: &Rows) -> Result<()> {
        self.written += rows.len() as u64;
        self.file.write_all(&le_bytes(&rows.vectors)).map_err(failed(self.path))
    }

    fn finish(self: Box<Self>, name: &str) -> Result<Vec<FileEntry>> {
        Ok(vec![self.file.commit(name, self.written)?])
    }
}
