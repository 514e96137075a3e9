//! Parquet files: a record a row.

use std::borrow::Cow;
use std::path::Path;

use lexmill_store::table::{Cell, ForeignBatch, ForeignReader};

use super::{MOST_BYTES, RecordCounts, Records, Wanted};
use crate::cut::{Form, RecordCutter};
use crate::{Error, Result};

/// The rows of a Parquet file.
pub(crate) struct ParquetRows<'a> {
    path: std::path::PathBuf,
    reader: ForeignReader,
    wanted: &'a Wanted,
    batch: Option<ForeignBatch>,
    /// The next row of the batch, and of the file.
    next: usize,
    row: u64,
}

impl<'a> ParquetRows<'a> {
    pub(crate) fn new(path: &Path, wanted: &'a Wanted) -> Result<ParquetRows<'a>> {
        let reader = ForeignReader::open(path, wanted.names())?;
        Ok(ParquetRows { path: path.to_owned(), reader, wanted, batch: None, next: 0, row: 0 })
    }
}

impl Records for ParquetRows<'_> {
    fn next(&mut self, cutter: &mut RecordCutter, counts: &mut RecordCounts) -> Result<bool> {
        loop {
            let batch = match &self.batch {
                Some(batch) if self.next < batch.rows() => batch,
                _ => match self.reader.next() {
                    None => return Ok(false),
                    Some(batch) => {
                        self.next = 0;
                        self.batch = Some(batch?);
                        continue;
                    }
                },
            };
            let row = self.next;
            self.next += 1;
            self.row += 1;
            let mut values: Vec<Option<Cow<'_, str>>> = vec![None];
            for (field, name) in self.wanted.names().iter().enumerate().skip(1) {
                values.push(match batch.cell(field, row) {
                    Cell::Null => None,
                    Cell::Text(text) => Some(text.into()),
                    Cell::List(texts) => Some(texts.join(" ").into()),
                    Cell::Scalar(text) => Some(text.into()),
                    Cell::Other => {
                        let problem = format!("has a column {name:?} that can't be kept as text");
                        return Err(Error::Format { path: self.path.clone(), problem });
                    }
                });
            }
            if !self.wanted.admits(&values) {
                counts.filtered += 1;
                continue;
            }
            let bytes = match batch.cell(0, row) {
                Cell::Null => {
                    counts.without_text += 1;
                    continue;
                }
                Cell::Text(text) => {
                    cutter.push_text(Form::Records, text.as_bytes(), self.wanted.kept(&values));
                    text.len()
                }
                Cell::List(tokens) => {
                    cutter.push_tokens(tokens.iter().copied(), self.wanted.kept(&values));
                    tokens.iter().map(|token| token.len()).sum()
                }
                Cell::Scalar(_) | Cell::Other => {
                    let field = &self.wanted.names()[0];
                    return Err(Error::Format {
                        path: self.path.clone(),
                        problem: format!(
                            "has no text in its column {field:?}, nor lists of strings; name another \
                             as field"
                        ),
                    });
                }
            };
            if bytes > MOST_BYTES {
                return Err(Error::Unreadable {
                    path: self.path.clone(),
                    place: format!("row {}", self.row),
                    problem: format!("its text is longer than {} MiB", MOST_BYTES >> 20),
                });
            }
            counts.bytes += bytes as u64;
            return Ok(true);
        }
    }
}
