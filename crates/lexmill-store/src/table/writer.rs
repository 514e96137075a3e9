//! Writing a table batch by batch.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{
    ArrayRef, FixedSizeListArray, Float32Array, Float64Array, RecordBatch, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};
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
}

/// The values of a column in a batch.
#[derive(Debug, Clone)]
pub struct Column(ArrayRef);

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
        assert_eq!(values.len() % dim, 0, "whole vectors");
        let array = FixedSizeListArray::new(
            element(),
            i32::try_from(dim).expect("a dimension fits 31 bits"),
            Arc::new(Float32Array::from(values)),
            None,
        );
        Column(Arc::new(array))
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

fn element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Float32, false))
}

fn data_type(column: ColumnType) -> DataType {
    match column {
        ColumnType::Text | ColumnType::UniqueText => DataType::Utf8,
        ColumnType::U32 => DataType::UInt32,
        ColumnType::U64 => DataType::UInt64,
        ColumnType::F32 => DataType::Float32,
        ColumnType::F64 => DataType::Float64,
        ColumnType::Vector(dim) => DataType::FixedSizeList(
            element(),
            i32::try_from(dim).expect("a dimension fits 31 bits"),
        ),
    }
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
        let floats =
            |column: ColumnType| if let ColumnType::Vector(dim) = column { dim } else { 0 };
        let row_bytes = 4 * columns.iter().map(|&(_, column)| floats(column)).sum::<usize>();
        if let Some(rows) = (VECTOR_GROUP_BYTES as usize).checked_div(row_bytes) {
            builder = builder.set_max_row_group_row_count(Some(rows.clamp(1 << 8, 1 << 15)));
        }
        for &(name, column) in columns {
            if column == ColumnType::UniqueText {
                let leaf = ColumnPath::new(vec![name.into()]);
                builder = builder.set_column_dictionary_enabled(leaf, false);
            }
            if let ColumnType::Vector(_) = column {
                // Floats have no repeats for a dictionary; their bytes split by significance compress.
                let leaf = ColumnPath::new(vec![name.into(), "list".into(), "element".into()]);
                builder = builder
                    .set_column_dictionary_enabled(leaf.clone(), false)
                    .set_column_encoding(leaf, Encoding::BYTE_STREAM_SPLIT);
            }
        }
        let fields: Vec<Field> = columns
            .iter()
            .map(|&(name, column)| Field::new(name, data_type(column), false))
            .collect();
        TableWriter::with(path, Arc::new(Schema::new(fields)), builder, metadata)
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
