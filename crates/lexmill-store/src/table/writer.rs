//! Writing a table batch by batch.

use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow_array::builder::StringBuilder;
use arrow_array::{
    ArrayRef, FixedSizeListArray, Float16Array, Float32Array, Float64Array, Int8Array, RecordBatch,
    UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use half::f16;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use serde_json::Value;

use super::METADATA_KEY;
use crate::workers::share;
use crate::{AtomicFile, Error, FileEntry, Progress, Result};

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
    writer: SerializedFileWriter<AtomicFile>,
    groups: ArrowRowGroupWriterFactory,
    /// What encodes the columns of the row group that is begun, of each as many as it has leaves. They
    /// share nothing, so each can be on a thread of its own, and the bytes are the same.
    encoders: Vec<Vec<ArrowColumnWriter>>,
    /// Rows in it, and the most that there are to be.
    in_group: usize,
    group_rows: usize,
    threads: usize,
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
        let group_rows = properties.max_row_group_row_count().unwrap_or(usize::MAX);
        let file = AtomicFile::create(path)?;
        let (writer, groups) = ArrowWriter::try_new(file, schema.clone(), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(Error::parquet(path))?;
        Ok(TableWriter {
            writer,
            groups,
            encoders: Vec::new(),
            in_group: 0,
            group_rows,
            threads: 1,
            schema,
            path: path.to_owned(),
            rows: 0,
        })
    }

    /// Encodes columns of vectors on up to so many threads.
    #[must_use]
    pub fn on_threads(self, threads: usize) -> TableWriter {
        TableWriter { threads, ..self }
    }

    /// Appends rows: one column each, in the order of the schema, all of one length.
    ///
    /// # Errors
    /// If the file can't be written.
    ///
    /// # Panics
    /// If the columns don't fit the schema or each other.
    pub fn write(&mut self, columns: Vec<Column>) -> Result<()> {
        let arrays = columns.into_iter().map(|column| column.0).collect();
        let batch =
            RecordBatch::try_new(self.schema.clone(), arrays).expect("columns fit the schema");
        let rows = batch.num_rows();
        self.rows += rows as u64;
        let mut written = 0;
        while written < rows {
            let part = (rows - written).min(self.group_rows - self.in_group);
            self.encode(&batch.slice(written, part))?;
            written += part;
            self.in_group += part;
            if self.in_group == self.group_rows {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Encodes rows of one row group.
    fn encode(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.encoders.is_empty() {
            let group = self.writer.flushed_row_groups().len();
            let encoders = self.groups.create_column_writers(group);
            let leaves = self.writer.schema_descr();
            let encoders = encoders.map_err(Error::parquet(&self.path))?;
            for (leaf, encoder) in encoders.into_iter().enumerate() {
                let column = leaves.get_column_root_idx(leaf);
                self.encoders.resize_with(self.encoders.len().max(column + 1), Vec::new);
                self.encoders[column].push(encoder);
            }
        }
        let (threads, path) = (self.wide(), &self.path);
        let columns = self.schema.fields().iter().zip(batch.columns());
        let encode = |((field, array), encoders): ((&FieldRef, &ArrayRef), &mut Vec<_>)| {
            let leaves = compute_leaves(field, array).map_err(Error::parquet(path))?;
            let mut each = encoders.iter_mut().zip(&leaves);
            each.try_for_each(|(encoder, leaf): (&mut ArrowColumnWriter, _)| encoder.write(leaf))
                .map_err(Error::parquet(path))
        };
        on_threads(threads, columns.zip(&mut self.encoders), encode)?;
        Ok(())
    }

    /// Threads that there is work for: those of columns of vectors.
    fn wide(&self) -> usize {
        let vectors = |field: &&FieldRef| matches!(field.data_type(), DataType::FixedSizeList(..));
        self.threads.min(self.schema.fields().iter().filter(vectors).count())
    }

    /// Writes the row group that is begun, if there is one.
    fn end_group(&mut self) -> Result<()> {
        if self.in_group == 0 {
            return Ok(());
        }
        self.in_group = 0;
        let (threads, path) = (self.wide(), &self.path);
        let close = |encoders: Vec<ArrowColumnWriter>| {
            let chunks = encoders.into_iter().map(ArrowColumnWriter::close);
            chunks.collect::<Result<Vec<ArrowColumnChunk>, _>>().map_err(Error::parquet(path))
        };
        let chunks = on_threads(threads, std::mem::take(&mut self.encoders).into_iter(), close)?;
        let mut group = self.writer.next_row_group().map_err(Error::parquet(path))?;
        for chunk in chunks.into_iter().flatten() {
            chunk.append_to_row_group(&mut group).map_err(Error::parquet(path))?;
        }
        group.close().map_err(Error::parquet(path))?;
        Ok(())
    }

    /// Completes the table; `name` is how a manifest will call it.
    ///
    /// # Errors
    /// If the file can't be written; it is then not there.
    pub fn finish(mut self, name: &str) -> Result<FileEntry> {
        self.end_group()?;
        let file = self.writer.into_inner().map_err(Error::parquet(&self.path))?;
        file.commit(name, self.rows)
    }
}

/// What `work` makes of each item, in their order, on up to so many threads.
fn on_threads<I: Send, T: Send>(
    threads: usize,
    items: impl Iterator<Item = I>,
    work: impl Fn(I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    if threads < 2 {
        return items.map(work).collect();
    }
    let items: Vec<Mutex<Option<I>>> = items.map(|item| Mutex::new(Some(item))).collect();
    let done = share(threads, items.len(), &Progress::new(), |tasks| {
        let each = tasks.map(|task| {
            let item = items[task].lock().expect("no holder panics").take();
            Ok((task, work(item.expect("a task is taken once"))?))
        });
        each.collect::<Result<Vec<_>>>()
    })?;
    let mut done: Vec<(usize, T)> = done.into_iter().flatten().collect();
    done.sort_unstable_by_key(|&(task, _)| task);
    Ok(done.into_iter().map(|(_, made)| made).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The library's own writer puts the same batches into the same bytes, whatever the threads.
    #[test]
    fn tables_are_those_of_the_library_on_any_threads() {
        let directory = tempfile::tempdir().unwrap();
        let columns = [
            ("word", ColumnType::Text),
            ("vector", ColumnType::Vector(7)),
            ("count", ColumnType::U64),
            ("context_vector", ColumnType::Vector(5)),
        ];
        let schema = Arc::new(schema(&columns));
        let batch = |first: u64, rows: u64| {
            let words: Vec<String> =
                (first..first + rows).map(|i| format!("w{}", i % 90)).collect();
            let numbers = |dim| (0..rows * dim).map(|i| (first + i) as f32 / 3.0).collect();
            vec![
                Column::text(words.iter().map(String::as_str)),
                Column::vectors(numbers(7), 7),
                Column::u64((first..first + rows).collect()),
                Column::vectors(numbers(5), 5),
            ]
        };
        // Batches that end in, at and far behind the end of a row group.
        let sizes = [1, 99, 100, 0, 250, 3, 47, 40];
        let properties = || properties().set_max_row_group_row_count(Some(100));
        let firsts = sizes.iter().scan(0, |next, size| Some(std::mem::replace(next, *next + size)));
        let batches: Vec<Vec<Column>> =
            firsts.zip(sizes).map(|(first, rows)| batch(first, rows)).collect();
        let expected = {
            let metadata = KeyValue::new(METADATA_KEY.to_owned(), Value::Null.to_string());
            let properties = properties().set_key_value_metadata(Some(vec![metadata])).build();
            let mut writer =
                ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).unwrap();
            for columns in &batches {
                let arrays = columns.iter().map(|column| column.0.clone()).collect();
                writer.write(&RecordBatch::try_new(schema.clone(), arrays).unwrap()).unwrap();
            }
            writer.into_inner().unwrap()
        };
        for threads in [1, 2, 5] {
            let path = directory.path().join(format!("{threads}.parquet"));
            let mut table = TableWriter::with(&path, schema.clone(), properties(), &Value::Null)
                .unwrap()
                .on_threads(threads);
            batches.iter().for_each(|columns| table.write(columns.clone()).unwrap());
            let entry = table.finish("table").unwrap();
            assert_eq!(entry.rows, sizes.iter().sum::<u64>());
            assert!(std::fs::read(&path).unwrap() == expected, "{threads} threads");
        }
    }
}
