//! Writing a table batch by batch.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{
    ArrayRef, FixedSizeListArray, Float16Array, Float32Array, Float64Array, Int8Array, RecordBatch,
    UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};
use half::f16;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use serde_json::Value;

use super::METADATA_KEY;
use crate::{AtomicFile, Error, FileEntry, Result};

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8.
    Text,
    /// UTF-8, each value once, so that a dictionary would be work for nothing.
    UniqueText,
    /// 32-bit whole numbers.
    U32,
    /// 64-bit whole numbers.
    U64,
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// Vectors of this many 32-bit floats.
    Vector(usize),
    /// Vectors of this many 16-bit floats.
    HalfVector(usize),
    /// Vectors of this many 8-bit whole numbers.
    ByteVector(usize),
}

impl ColumnType {
    /// Bytes of a row's vector; 0 of other columns.
    fn vector_bytes(self) -> usize {
        match self {
            ColumnType::Vector(dim) => 4 * dim,
            ColumnType::HalfVector(dim) => 2 * dim,
            ColumnType::ByteVector(dim) => dim,
            _ => 0,
        }
    }
}

/// The values of a column in a batch.
#[derive(Debug, Clone)]
pub struct Column(pub(super) ArrayRef);

impl Column {
    /// Strings.
    pub fn text<'a>(values: impl IntoIterator<Item = &'a str>) -> Column {
        let mut builder = StringBuilder::new();
        for value in values {
            builder.append_value(value);
        }
        Column(Arc::new(builder.finish()))
    }

    /// 32-bit whole numbers.
    pub fn u32(values: Vec<u32>) -> Column {
        Column(Arc::new(UInt32Array::from(values)))
    }

    /// 64-bit whole numbers.
    pub fn u64(values: Vec<u64>) -> Column {
        Column(Arc::new(UInt64Array::from(values)))
    }

    /// 32-bit floats.
    pub fn f32(values: Vec<f32>) -> Column {
        Column(Arc::new(Float32Array::from(values)))
    }

    /// 64-bit floats.
    pub fn f64(values: Vec<f64>) -> Column {
        Column(Arc::new(Float64Array::from(values)))
    }

    /// Vectors of `dim` floats each, end to end.
    ///
    /// # Panics
    /// If `values.len()` is not a multiple of `dim`, or `dim` is 0.
    pub fn vectors(values: Vec<f32>, dim: usize) -> Column {
        Column::lists(Arc::new(Float32Array::from(values)), dim)
    }

    /// Vectors of `dim` 16-bit floats each, end to end.
    ///
    /// # Panics
    /// If `values.len()` is not a multiple of `dim`, or `dim` is 0.
    pub fn half_vectors(values: Vec<f16>, dim: usize) -> Column {
        Column::lists(Arc::new(Float16Array::from(values)), dim)
    }

    /// Vectors of `dim` 8-bit whole numbers each, end to end.
    ///
    /// # Panics
    /// If `values.len()` is not a multiple of `dim`, or `dim` is 0.
    pub fn byte_vectors(values: Vec<i8>, dim: usize) -> Column {
        Column::lists(Arc::new(Int8Array::from(values)), dim)
    }

    fn lists(values: ArrayRef, dim: usize) -> Column {
        assert_eq!(values.len() % dim, 0, "whole vectors");
        let element = element(values.data_type().clone());
        let dim = i32::try_from(dim).expect("a dimension fits 31 bits");
        Column(Arc::new(FixedSizeListArray::new(element, dim, values, None)))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn element(of: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", of, false))
}

fn data_type(column: ColumnType) -> DataType {
    let lists = |of: DataType, dim: usize| {
        let dim = i32::try_from(dim).expect("a dimension fits 31 bits");
        DataType::FixedSizeList(element(of), dim)
    };
    match column {
        ColumnType::Text | ColumnType::UniqueText => DataType::Utf8,
        ColumnType::U32 => DataType::UInt32,
        ColumnType::U64 => DataType::UInt64,
        ColumnType::F32 => DataType::Float32,
        ColumnType::F64 => DataType::Float64,
        ColumnType::Vector(dim) => lists(DataType::Float32, dim),
        ColumnType::HalfVector(dim) => lists(DataType::Float16, dim),
        ColumnType::ByteVector(dim) => lists(DataType::Int8, dim),
    }
}

/// The schema of a table with these columns.
pub(super) fn schema(columns: &[(&str, ColumnType)]) -> Schema {
    let field = |&(name, column): &(&str, ColumnType)| Field::new(name, data_type(column), false);
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

/// What all our files have in common.
pub(crate) fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by("lexmill".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("a valid level")))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
}

/// A table being written.
pub struct TableWriter {
    writer: ArrowWriter<AtomicFile>,
    schema: Arc<Schema>,
    path: std::path::PathBuf,
    rows: u64,
}

/// Bytes of vectors in a row group, which is in memory while it is written.
pub const VECTOR_GROUP_BYTES: u64 = 16 << 20;

impl TableWriter {
    /// Starts the table `path` with these columns.
    ///
    /// # Errors
    /// If the file can't be made.
    pub fn create(
        path: &Path,
        columns: &[(&str, ColumnType)],
        metadata: &Value,
    ) -> Result<TableWriter> {
        let mut builder = properties();
        let row_bytes = columns.iter().map(|(_, column)| column.vector_bytes()).sum::<usize>();
        if let Some(rows) = (VECTOR_GROUP_BYTES as usize).checked_div(row_bytes) {
            builder = builder.set_max_row_group_row_count(Some(rows.clamp(1 << 8, 1 << 15)));
        }
        for &(name, column) in columns {
            if column == ColumnType::UniqueText {
                let leaf = ColumnPath::new(vec![name.into()]);
                builder = builder.set_column_dictionary_enabled(leaf, false);
            }
            if column.vector_bytes() > 0 {
                // Numbers have no repeats for a dictionary.
                let leaf = ColumnPath::new(vec![name.into(), "list".into(), "element".into()]);
                builder = builder.set_column_dictionary_enabled(leaf.clone(), false);
                if let ColumnType::Vector(_) = column {
                    // The bytes of floats split by significance compress. Readers take that of 32-bit
                    // floats, and some of them of no others.
                    builder = builder.set_column_encoding(leaf, Encoding::BYTE_STREAM_SPLIT);
                }
            }
        }
        TableWriter::with(path, Arc::new(schema(columns)), builder, metadata)
    }

    pub(crate) fn with(
        path: &Path,
        schema: Arc<Schema>,
        properties: WriterPropertiesBuilder,
        metadata: &Value,
    ) -> Result<TableWriter> {
        let properties = properties
            .set_key_value_metadata(Some(vec![KeyValue::new(
                METADATA_KEY.to_owned(),
                metadata.to_string(),
            )]))
            .build();
        let file = AtomicFile::create(path)?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))
            .map_err(Error::parquet(path))?;
        Ok(TableWriter { writer, schema, path: path.to_owned(), rows: 0 })
    }

    /// Appends rows: one column each, in the order of the schema, all of one length.
    ///
    /// # Errors
    /// If the file can't be written.
    ///
    /// # Panics
    /// If the columns don't fit the schema or each other.
    pub fn write(&mut self, columns: Vec<Column>) -> Result<()> {
        self.rows += columns.first().map_or(0, Column::len) as u64;
        let arrays = columns.into_iter().map(|column| column.0).collect();
        let batch =
            RecordBatch::try_new(self.schema.clone(), arrays).expect("columns fit the schema");
        self.writer.write(&batch).map_err(Error::parquet(&self.path))
    }

    /// Completes the table; `name` is how a manifest will call it.
    ///
    /// # Errors
    /// If the file can't be written; it is then not there.
    pub fn finish(self, name: &str) -> Result<FileEntry> {
        let file = self.writer.into_inner().map_err(Error::parquet(&self.path))?;
        file.commit(name, self.rows)
    }
}

/// Writes a table in one go.
///
/// # Errors
/// If the file can't be written.
///
/// # Panics
/// If the columns are not of one length.
pub fn write_table(
    path: &Path,
    name: &str,
    columns: Vec<(&str, Column)>,
    metadata: &Value,
) -> Result<FileEntry> {
    let schema = Arc::new(Schema::new(
        columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.0.data_type().clone(), false))
            .collect::<Vec<_>>(),
    ));
    let mut writer = TableWriter::with(path, schema, properties(), metadata)?;
    writer.write(columns.into_iter().map(|(_, column)| column).collect())?;
    writer.finish(name)
}
