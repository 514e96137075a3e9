//! NumPy arrays.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use lexmill_store::Error as StoreError;
use npyz::{DType, NpyHeader, Order};

use super::numbers::{Matrix, Number, Place, Scaled};
use crate::format::{SCALES_END, beside};
use crate::rows::Source;
use crate::{Error, Result};

/// What such a file begins with.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
const FORMAT: &str = "NumPy .npy";
/// The longest header that is looked at.
const MAX_HEADER_BYTES: u64 = (1 << 16) + 12;

/// How many brackets may be opened in a header. That of a matrix has two, that of records a few. For each
/// that stands in another the library's parser takes some times as long.
const BRACKETS: usize = 8;

/// Opens an array `(rows, dim)` of floats, or one of 8-bit whole numbers with their scales beside it.
pub(super) fn open(path: &Path) -> Result<Box<dyn Source>> {
    let place = place(path)?;
    let numbers = Matrix::open(path, place, FORMAT)?;
    if place.number != Number::I8 {
        return Ok(Box::new(numbers));
    }
    let beside = beside(path, SCALES_END);
    let scales = self::place(&beside)?;
    if (scales.rows, scales.dim, scales.number) != (place.rows, 1, Number::F32) {
        return Err(wrong(&beside, format!("it should hold {} scales of type f4", place.rows)));
    }
    Ok(Box::new(Scaled { numbers, scales: Matrix::open(&beside, scales, FORMAT)? }))
}

/// The length of the header, with what stands before it: magic, version, and the length of its text in
/// two bytes, since version 2 in four. `None` if it is not all there.
fn header_bytes(start: &[u8]) -> Option<usize> {
    let rest = start.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let (before, text) = match version[0] {
        1 => (10, u32::from(u16::from_le_bytes(*rest.first_chunk()?))),
        _ => (12, u32::from_le_bytes(*rest.first_chunk()?)),
    };
    let bytes = usize::try_from(text).ok()?.checked_add(before)?;
    (bytes <= start.len()).then_some(bytes)
}

/// Where the numbers of an array lie. A vector is a matrix with one column.
fn place(path: &Path) -> Result<Place> {
    let mut file = File::open(path).map_err(StoreError::io("open", path))?;
    let mut start = Vec::new();
    let read = (&mut file).take(MAX_HEADER_BYTES).read_to_end(&mut start);
    read.map_err(StoreError::io("read", path))?;
    let at = header_bytes(&start).ok_or_else(|| wrong(path, "its header is not whole"))?;
    let opened = start[..at].iter().filter(|byte| matches!(byte, b'(' | b'[' | b'{')).count();
    if opened > BRACKETS {
        let problem = "its header has more brackets than one of a matrix of numbers";
        return Err(wrong(path, problem));
    }
    // Its message repeats the header.
    let header = NpyHeader::from_reader(&start[..at])
        .map_err(|_| wrong(path, "its header can't be read"))?;
    let at = at as u64;
    let DType::Plain(kind) = header.dtype() else {
        return Err(wrong(path, "it is an array of records, not of numbers"));
    };
    let kind = kind.to_string();
    let number = match kind.as_str() {
        "<f2" => Number::F16,
        "<f4" => Number::F32,
        "<f8" => Number::F64,
        "|i1" | "<i1" => Number::I8,
        _ => {
            let problem =
                format!("its numbers are of type {kind}; save it with .astype(\"float32\")");
            return Err(wrong(path, problem));
        }
    };
    let (rows, dim) = match *header.shape() {
        [rows, dim] => (rows, dim),
        [rows] => (rows, 1),
        ref shape => {
            let problem = format!("it has {} axes, and a matrix of vectors has two", shape.len());
            return Err(wrong(path, problem));
        }
    };
    if header.order() == Order::Fortran && dim > 1 && rows > 1 {
        let problem = "it lies column by column; save it with numpy.ascontiguousarray(...)";
        return Err(wrong(path, problem));
    }
    Ok(Place { at, rows, dim, number })
}

fn wrong(path: &Path, problem: impl ToString) -> Error {
    Error::Binary { path: path.to_owned(), format: FORMAT, problem: problem.to_string() }
}
