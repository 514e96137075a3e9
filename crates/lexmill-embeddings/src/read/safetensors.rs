//! safetensors files: a JSON header that says where tensors lie, and the tensors.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use lexmill_store::Error as StoreError;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::numbers::{Matrix, Number, Place, Scaled};
use crate::rows::Source;
use crate::{Error, Result};

const FORMAT: &str = "safetensors";
/// The header's length stands before it.
const LENGTH_BYTES: u64 = 8;
/// As the reference program has it.
const MAX_HEADER_BYTES: u64 = 100_000_000;
/// The tensor of vectors and that of scales, as we write them.
pub(crate) const VECTORS: &str = "embeddings";
pub(crate) const SCALES: &str = "scales";

/// Whether a file that starts so is one: a length, and JSON.
pub(super) fn starts_like(start: &[u8]) -> bool {
    let Some((length, header)) = start.split_first_chunk::<8>() else { return false };
    let sensible = (2..=MAX_HEADER_BYTES).contains(&u64::from_le_bytes(*length));
    sensible && header.first() == Some(&b'{')
}

/// Opens the tensor `embeddings`, or the only one that is a matrix of numbers.
pub(super) fn open(path: &Path) -> Result<Box<dyn Source>> {
    let (header, start) = header(path)?;
    let tensors = header.tensors();
    let mut matrices: Vec<(&str, &TensorInfo)> = tensors
        .iter()
        .filter(|(_, info)| info.shape.len() == 2 && number(info.dtype).is_some())
        .map(|(name, info)| (name.as_str(), *info))
        .collect();
    matrices.sort_by_key(|(name, _)| *name);
    let named = matrices.iter().find(|(name, _)| *name == VECTORS);
    let (name, info) = match (named, &matrices[..]) {
        (Some(found), _) => *found,
        (None, [only]) => *only,
        (None, []) => return Err(wrong(path, "it holds no matrix of f16, bf16, f32, f64 or i8")),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            let problem = format!(
                "it holds several matrices ({}), and none is called {VECTORS:?}",
                names.join(", ")
            );
            return Err(wrong(path, problem));
        }
    };
    let place = place(info, start);
    let numbers = Matrix::open(path, place, FORMAT)?;
    if place.number != Number::I8 {
        return Ok(Box::new(numbers));
    }
    let scales = header.info(SCALES).filter(|scales| {
        scales.dtype == Dtype::F32 && scales.shape.iter().product::<usize>() == info.shape[0]
    });
    let Some(scales) = scales else {
        let problem = format!(
            "{name:?} holds 8-bit numbers, and there is no tensor {SCALES:?} with an f32 for each row"
        );
        return Err(wrong(path, problem));
    };
    let scales = Place { dim: 1, rows: place.rows, ..self::place(scales, start) };
    Ok(Box::new(Scaled { numbers, scales: Matrix::open(path, scales, FORMAT)? }))
}

fn place(info: &TensorInfo, start: u64) -> Place {
    Place {
        at: start.saturating_add(info.data_offsets.0 as u64),
        rows: info.shape.first().copied().unwrap_or(1) as u64,
        dim: info.shape.get(1).copied().unwrap_or(1) as u64,
        number: number(info.dtype).unwrap_or(Number::F32),
    }
}

fn number(dtype: Dtype) -> Option<Number> {
    Some(match dtype {
        Dtype::F16 => Number::F16,
        Dtype::BF16 => Number::Bf16,
        Dtype::F32 => Number::F32,
        Dtype::F64 => Number::F64,
        Dtype::I8 => Number::I8,
        _ => return None,
    })
}

/// The header, and where the tensors begin.
fn header(path: &Path) -> Result<(Metadata, u64)> {
    let failed = || StoreError::io("read", path);
    let mut file = File::open(path).map_err(StoreError::io("open", path))?;
    let length = file.metadata().map_err(failed())?.len();
    let mut first = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut first).map_err(failed())?;
    let header = u64::from_le_bytes(first);
    if header > MAX_HEADER_BYTES || header > length.saturating_sub(LENGTH_BYTES) {
        let problem =
            format!("its header has {header} bytes, and the file {length}: it was cut off");
        return Err(wrong(path, problem));
    }
    let mut text = vec![0; header as usize];
    file.read_exact(&mut text).map_err(failed())?;
    let metadata = serde_json::from_slice(&text).map_err(|error| wrong(path, error))?;
    Ok((metadata, LENGTH_BYTES + header))
}

fn wrong(path: &Path, problem: impl ToString) -> Error {
    Error::Binary { path: path.to_owned(), format: FORMAT, problem: problem.to_string() }
}
