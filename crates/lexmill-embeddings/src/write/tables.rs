//! Tables: Parquet and Arrow IPC.

use std::path::Path;

use lexmill_store::FileEntry;
use lexmill_store::table::{Column, ColumnType, IpcWriter, TableWriter};

use super::{Head, Sink};
use crate::Result;
use crate::format::{Format, Precision};
use crate::model::{COUNT, VECTOR, WORD};
use crate::precision::{halves, quantized};
use crate::read::tables::SCALE;
use crate::rows::Rows;

enum Writer {
    Parquet(TableWriter),
    Arrow(IpcWriter),
}

/// A table of embeddings.
pub(super) struct TableSink {
    writer: Writer,
    dim: usize,
    precision: Precision,
    counted: bool,
}

impl TableSink {
    pub(super) fn create(
        path: &Path,
        format: Format,
        precision: Precision,
        head: &Head<'_>,
    ) -> Result<TableSink> {
        let dim = head.dim;
        let vector = match precision {
            Precision::F32 => ColumnType::Vector(dim),
            Precision::F16 => ColumnType::HalfVector(dim),
            Precision::Int8 => ColumnType::ByteVector(dim),
        };
        let mut columns = vec![(WORD, ColumnType::Text), (VECTOR, vector)];
        if precision == Precision::Int8 {
            columns.push((SCALE, ColumnType::F32));
        }
        if head.counted {
            columns.push((COUNT, ColumnType::U64));
        }
        let writer = match format {
            Format::Arrow => Writer::Arrow(IpcWriter::create(path, &columns, &head.metadata)?),
            _ => Writer::Parquet(TableWriter::create(path, &columns, &head.metadata)?),
        };
        Ok(TableSink { writer, dim, precision, counted: head.counted })
    }
}

impl Sink for TableSink {
    fn write(&mut self, rows: &Rows) -> Result<()> {
        let (dim, vectors) = (self.dim, &rows.vectors);
        let mut columns = vec![Column::text(rows.words())];
        match self.precision {
            Precision::F32 => columns.push(Column::vectors(vectors.clone(), dim)),
            Precision::F16 => columns.push(Column::half_vectors(halves(rows, dim)?, dim)),
            Precision::Int8 => {
                let (numbers, scales) = quantized(vectors, dim);
                columns.push(Column::byte_vectors(numbers, dim));
                columns.push(Column::f32(scales));
            }
        }
        if self.counted {
            columns.push(Column::u64(rows.counts.clone()));
        }
        match &mut self.writer {
            Writer::Parquet(writer) => writer.write(columns)?,
            Writer::Arrow(writer) => writer.write(columns)?,
        }
        Ok(())
    }

    fn finish(self: Box<Self>, name: &str) -> Result<Vec<FileEntry>> {
        Ok(vec![match self.writer {
            Writer::Parquet(writer) => writer.finish(name)?,
            Writer::Arrow(writer) => writer.finish(name)?,
        }])
    }
}
