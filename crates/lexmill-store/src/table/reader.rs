//! Reading a table batch by batch.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int32Type, Int64Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, LargeStringArray, OffsetSizeTrait, RecordBatch, StringArray, StringViewArray,
};
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type;
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use serde_json::Value;

use super::METADATA_KEY;
use super::thrift::{DICTIONARY_PAGE, PageHeader, Problem, check_metadata, page_header};
use crate::{Error, Result};

/// More than most headers of pages take.
const PAGE_HEADER_BYTES: u64 = 256;
/// More than any takes: statistics may hold long values.
const LARGEST_PAGE_HEADER: u64 = 16 << 20;

/// A table being read, batch by batch.
pub struct TableReader {
    reader: ParquetRecordBatchReader,
    path: PathBuf,
    rows: u64,
    groups: Vec<u64>,
    columns: Vec<String>,
    metadata: Value,
}

/// The place of a Parquet file on disk, opened: its footer and schema.
pub(crate) fn load(
    path: &Path,
    options: ArrowReaderOptions,
) -> Result<(File, ArrowReaderMetadata)> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    check_footer(path, &file)?;
    let metadata = guard(path, || ArrowReaderMetadata::load(&file, options.clone()))?;
    Ok((file, metadata))
}

/// Looks through the footer, see [`check_metadata`]. What is no footer at all is left to the library.
fn check_footer(path: &Path, file: &File) -> Result<()> {
    /// Its length and the format's name.
    const END: u64 = 8;
    let failed = || Error::io("read", path);
    let length = file.metadata().map_err(failed())?.len();
    let Some(end) = length.checked_sub(END) else { return Ok(()) };
    let mut last = [0; END as usize];
    file.read_exact_at(&mut last, end).map_err(failed())?;
    let [a, b, c, d, ..] = last;
    let metadata = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(start) = end.checked_sub(metadata).filter(|_| last.ends_with(b"PAR1")) else {
        return Ok(());
    };
    let mut bytes = vec![0; metadata as usize];
    file.read_exact_at(&mut bytes, start).map_err(failed())?;
    check_metadata(&bytes)
        .map_err(|_| Error::corrupt(path, "its footer is not one of a Parquet file".to_owned()))
}

/// Looks through the headers of the pages of a column chunk, see [`page_header`]; says whether one of them
/// may be a dictionary.
fn check_pages(path: &Path, file: &File, column: &ColumnChunkMetaData) -> Result<bool> {
    let end = file.metadata().map_err(Error::io("read", path))?.len();
    // The library says where it lies, or panics; then it will again.
    let Ok((mut at, mut left)) = caught(|| column.byte_range()) else { return Ok(false) };
    let mut dictionary = false;
    let mut bytes = Vec::new();
    while left > 0 && at < end {
        let mut room = PAGE_HEADER_BYTES;
        let header = loop {
            bytes.resize(room.min(end - at) as usize, 0);
            file.read_exact_at(&mut bytes, at).map_err(Error::io("read", path))?;
            match page_header(&bytes) {
                Err(Problem::End) if room < LARGEST_PAGE_HEADER.min(end - at) => room *= 16,
                header => break header,
            }
        };
        let Ok(PageHeader { length, kind, compressed_size }) = header else {
            let column = column.column_path().string();
            let problem = format!("the header of a page of its column {column:?} is damaged");
            return Err(Error::corrupt(path, problem));
        };
        dictionary |= kind == DICTIONARY_PAGE;
        // Where pages do not fit, the library says so when it reads them.
        let Ok(size) = u64::try_from(compressed_size) else { break };
        let size = size + length as u64;
        at = at.saturating_add(size);
        left = left.saturating_sub(size);
    }
    Ok(dictionary)
}

/// The same, to be read: all row groups, or one of them, which are looked through for that.
pub(crate) fn open(
    path: &Path,
    options: ArrowReaderOptions,
    group: Option<usize>,
) -> Result<(File, ArrowReaderMetadata)> {
    let (file, metadata) = load(path, options)?;
    let pages = Arc::new(file.try_clone().map_err(Error::io("open", path))?);
    let groups = metadata.metadata().row_groups().iter().enumerate();
    for (_, group) in groups.filter(|(i, _)| group.is_none_or(|group| group == *i)) {
        for column in group.columns() {
            if check_pages(path, &file, column)? {
                check_dictionaries(path, &pages, column, group.num_rows().max(0) as usize)?;
            }
        }
    }
    Ok((file, metadata))
}

/// Refuses a dictionary that is said to have more values than its bytes can hold: for values of one
/// width the Parquet library makes room for as many as it is told, gigabytes for a file of a few bytes.
/// What else may be wrong with the pages is told when they are read.
fn check_dictionaries(
    path: &Path,
    file: &Arc<File>,
    column: &ColumnChunkMetaData,
    rows: usize,
) -> Result<()> {
    let width = match column.column_type() {
        // Read value by value; without dictionaries.
        Type::BYTE_ARRAY | Type::BOOLEAN => return Ok(()),
        Type::INT32 | Type::FLOAT => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => column.column_descr().type_length().max(1) as u64,
    };
    let pages = || SerializedPageReader::new(file.clone(), column, rows, None);
    let Ok(Ok(mut pages)) = caught(pages) else { return Ok(()) };
    while let Ok(Ok(Some(page))) = caught(|| pages.peek_next_page()) {
        if !page.is_dict {
            match caught(|| pages.skip_next_page()) {
                Ok(Ok(())) => continue,
                _ => break,
            }
        }
        let page = caught(|| pages.get_next_page());
        let Ok(Ok(Some(Page::DictionaryPage { buf, num_values, .. }))) = page else { break };
        let room = buf.len() as u64 / width;
        if u64::from(num_values) > room {
            let column = column.column_path().string();
            let problem = format!(
                "a dictionary of its column {column:?} is said to have {num_values} values, where it \
                 has room for {room}"
            );
            return Err(Error::corrupt(path, problem));
        }
    }
    Ok(())
}

/// The Parquet library panics on some damaged files; for a reader of outside bytes that is an error
/// like any other.
pub(crate) fn guard<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, parquet::errors::ParquetError>,
) -> Result<T> {
    match caught(read) {
        Ok(result) => result.map_err(Error::parquet(path)),
        Err(_) => Err(Error::Parquet {
            path: path.to_owned(),
            message: "its pages contradict its footer".to_owned(),
        }),
    }
}

thread_local! {
    static GUARDED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether this thread is where a panic becomes an error: nobody need be told of it otherwise. A program's
/// panic hook can ask.
pub fn panics_are_caught() -> bool {
    GUARDED.get()
}

/// Runs what may panic on damaged bytes.
pub(crate) fn caught<T>(read: impl FnOnce() -> T) -> std::thread::Result<T> {
    let before = GUARDED.replace(true);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    GUARDED.set(before);
    result
}

/// What Lexmill noted about the file; null for a file from elsewhere.
pub(crate) fn own_metadata(metadata: &ArrowReaderMetadata) -> Value {
    metadata
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == METADATA_KEY))
        .and_then(|pair| serde_json::from_str(pair.value.as_deref()?).ok())
        .unwrap_or(Value::Null)
}

impl TableReader {
    /// Opens a table. Only the named columns are read, or all; batches have at most `batch_rows`
    /// rows.
    ///
    /// # Errors
    /// If the file can't be read or is not Parquet.
    pub fn open(path: &Path, columns: Option<&[&str]>, batch_rows: usize) -> Result<TableReader> {
        TableReader::select(path, columns, batch_rows, None)
    }

    /// Opens one row group of a table; [`rows`](TableReader::rows) are still those of all.
    ///
    /// # Errors
    /// If the file can't be read, is not Parquet, or has no such row group.
    pub fn open_row_group(
        path: &Path,
        columns: Option<&[&str]>,
        batch_rows: usize,
        group: usize,
    ) -> Result<TableReader> {
        TableReader::select(path, columns, batch_rows, Some(group))
    }

    fn select(
        path: &Path,
        columns: Option<&[&str]>,
        batch_rows: usize,
        group: Option<usize>,
    ) -> Result<TableReader> {
        let (file, metadata) = open(path, ArrowReaderOptions::new(), group)?;
        let own = own_metadata(&metadata);
        let rows = metadata.metadata().file_metadata().num_rows().max(0) as u64;
        let groups = metadata.metadata().row_groups();
        let groups = groups.iter().map(|group| group.num_rows().max(0) as u64).collect();
        let names = metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let mask = match columns {
            None => ProjectionMask::all(),
            Some(names) => {
                let schema = builder.schema().clone();
                for name in names {
                    if schema.column_with_name(name).is_none() {
                        return Err(missing(path, &schema, name, "any"));
                    }
                }
                let roots: Vec<usize> =
                    names.iter().filter_map(|name| schema.index_of(name).ok()).collect();
                ProjectionMask::roots(builder.parquet_schema(), roots)
            }
        };
        let mut builder = builder.with_projection(mask).with_batch_size(batch_rows);
        if let Some(group) = group {
            if group >= builder.metadata().num_row_groups() {
                return Err(Error::corrupt(path, format!("it has no row group {group}")));
            }
            builder = builder.with_row_groups(vec![group]);
        }
        let reader = guard(path, || builder.build())?;
        Ok(TableReader {
            reader,
            path: path.to_owned(),
            rows,
            groups,
            columns: names,
            metadata: own,
        })
    }

    /// Rows of the whole table.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows of each row group of the whole table.
    pub fn row_groups(&self) -> &[u64] {
        &self.groups
    }

    /// The names of all columns of the table, whichever are read.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What Lexmill noted about the table; null for a file from elsewhere.
    pub fn metadata(&self) -> &Value {
        &self.metadata
    }
}

impl Iterator for TableReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let reader = &mut self.reader;
        let next = guard(&self.path, || reader.next().transpose().map_err(Into::into));
        match next {
            Ok(None) => None,
            Ok(Some(batch)) => Some(Ok(Batch::new(batch, &self.path))),
            Err(error) => Some(Err(error)),
        }
    }
}

/// Some rows of a table.
#[derive(Debug, Clone)]
pub struct Batch {
    batch: RecordBatch,
    path: PathBuf,
}

/// A column of strings.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a>(Strings<'a>);

#[derive(Debug, Clone, Copy)]
enum Strings<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl<'a> Text<'a> {
    /// The string in a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(&self, row: usize) -> &'a str {
        match self.0 {
            Strings::Small(array) => array.value(row),
            Strings::Large(array) => array.value(row),
            Strings::View(array) => array.value(row),
        }
    }

    /// All strings in order.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let rows = match self.0 {
            Strings::Small(array) => array.len(),
            Strings::Large(array) => array.len(),
            Strings::View(array) => array.len(),
        };
        (0..rows).map(move |row| self.get(row))
    }
}

impl Batch {
    pub(super) fn new(batch: RecordBatch, path: &Path) -> Batch {
        Batch { batch, path: path.to_owned() }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there is a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.batch.schema_ref().column_with_name(name).is_some()
    }

    fn column(&self, name: &str, expected: &'static str) -> Result<&dyn Array> {
        match self.batch.column_by_name(name) {
            Some(column) if column.null_count() == 0 => Ok(column.as_ref()),
            Some(_) => Err(Error::corrupt(&self.path, format!("its column {name:?} has nulls"))),
            None => Err(self.missing(name, expected)),
        }
    }

    fn missing(&self, name: &str, expected: &'static str) -> Error {
        missing(&self.path, self.batch.schema_ref(), name, expected)
    }

    /// A column of strings.
    ///
    /// # Errors
    /// If there is no such column of that type.
    pub fn text(&self, name: &str) -> Result<Text<'_>> {
        let column = self.column(name, "text")?;
        let strings = match column.data_type() {
            DataType::Utf8 => Strings::Small(column.as_string()),
            DataType::LargeUtf8 => Strings::Large(column.as_string()),
            DataType::Utf8View => Strings::View(column.as_string_view()),
            _ => return Err(self.missing(name, "text")),
        };
        Ok(Text(strings))
    }

    /// A column of 32-bit whole numbers.
    ///
    /// # Errors
    /// If there is no such column of that type.
    pub fn u32(&self, name: &str) -> Result<&[u32]> {
        let column = self.column(name, "u32")?.as_primitive_opt::<UInt32Type>();
        column.map(|array| &array.values()[..]).ok_or_else(|| self.missing(name, "u32"))
    }

    /// A column of 64-bit whole numbers.
    ///
    /// # Errors
    /// If there is no such column of that type.
    pub fn u64(&self, name: &str) -> Result<&[u64]> {
        let column = self.column(name, "u64")?.as_primitive_opt::<UInt64Type>();
        column.map(|array| &array.values()[..]).ok_or_else(|| self.missing(name, "u64"))
    }

    /// A column of 32-bit floats.
    ///
    /// # Errors
    /// If there is no such column of that type.
    pub fn f32(&self, name: &str) -> Result<&[f32]> {
        let column = self.column(name, "f32")?.as_primitive_opt::<Float32Type>();
        column.map(|array| &array.values()[..]).ok_or_else(|| self.missing(name, "f32"))
    }

    /// A column of 64-bit floats.
    ///
    /// # Errors
    /// If there is no such column of that type.
    pub fn f64(&self, name: &str) -> Result<&[f64]> {
        let column = self.column(name, "f64")?.as_primitive_opt::<Float64Type>();
        column.map(|array| &array.values()[..]).ok_or_else(|| self.missing(name, "f64"))
    }

    /// A column of vectors: their floats end to end, and the dimension. Lists that are not declared
    /// of one length are taken if they are.
    ///
    /// # Errors
    /// If there is no such column of that type, or the vectors differ in length.
    pub fn vectors(&self, name: &str) -> Result<(&[f32], usize)> {
        let lists = self.lists(name)?;
        let floats = lists
            .values
            .as_primitive_opt::<Float32Type>()
            .ok_or_else(|| self.missing(name, "list of f32"))?;
        Ok((&floats.values()[lists.range()], lists.dim))
    }

    /// A column of vectors of numbers, as 32-bit floats end to end, and the dimension: lists of f16,
    /// f32, f64 (rounded) or i8.
    ///
    /// # Errors
    /// As [`vectors`](Batch::vectors).
    pub fn numbers(&self, name: &str) -> Result<(Vec<f32>, usize)> {
        let lists = self.lists(name)?;
        let (values, range) = (lists.values, lists.range());
        let floats = match values.data_type() {
            DataType::Float32 => values.as_primitive::<Float32Type>().values()[range].to_vec(),
            DataType::Float64 => {
                let values = &values.as_primitive::<Float64Type>().values()[range];
                values.iter().map(|&value| value as f32).collect()
            }
            DataType::Float16 => {
                let values = &values.as_primitive::<Float16Type>().values()[range];
                values.iter().map(|value| value.to_f32()).collect()
            }
            DataType::Int8 => {
                let values = &values.as_primitive::<Int8Type>().values()[range];
                values.iter().map(|&value| f32::from(value)).collect()
            }
            _ => return Err(self.missing(name, "list of numbers")),
        };
        Ok((floats, lists.dim))
    }

    /// Whether a column holds lists of 8-bit whole numbers.
    pub fn has_bytes(&self, name: &str) -> bool {
        let kind = self.batch.column_by_name(name).map(|column| column.data_type());
        let (DataType::FixedSizeList(element, _)
        | DataType::List(element)
        | DataType::LargeList(element)) = kind.unwrap_or(&DataType::Null)
        else {
            return false;
        };
        *element.data_type() == DataType::Int8
    }

    /// A column of whole numbers that are not negative, of 32 or 64 bits.
    ///
    /// # Errors
    /// If there is no such column of that type.
    pub fn sizes(&self, name: &str) -> Result<Vec<u64>> {
        const EXPECTED: &str = "whole numbers, none negative";
        fn all<N: Copy + TryInto<u64>>(values: &[N]) -> Option<Vec<u64>> {
            values.iter().map(|&value| value.try_into().ok()).collect()
        }
        let column = self.column(name, EXPECTED)?;
        let values = match column.data_type() {
            DataType::UInt64 => all(column.as_primitive::<UInt64Type>().values()),
            DataType::UInt32 => all(column.as_primitive::<UInt32Type>().values()),
            DataType::Int64 => all(column.as_primitive::<Int64Type>().values()),
            DataType::Int32 => all(column.as_primitive::<Int32Type>().values()),
            _ => None,
        };
        values.ok_or_else(|| self.missing(name, EXPECTED))
    }

    fn lists(&self, name: &str) -> Result<Lists<'_>> {
        let column = self.column(name, "list of f32")?;
        let rows = column.len();
        let lists = match column.data_type() {
            DataType::FixedSizeList(_, dim) => {
                let list = column.as_fixed_size_list();
                let (values, dim) = (list.values(), *dim as usize);
                Lists { values, start: 0, dim, rows }
            }
            DataType::List(_) => self.variable::<i32>(name, column)?,
            DataType::LargeList(_) => self.variable::<i64>(name, column)?,
            _ => return Err(self.missing(name, "list of f32")),
        };
        if lists.values.null_count() > 0 {
            return Err(Error::corrupt(&self.path, format!("its column {name:?} has nulls")));
        }
        Ok(lists)
    }

    fn variable<'a, O: OffsetSizeTrait>(
        &'a self,
        name: &str,
        column: &'a dyn Array,
    ) -> Result<Lists<'a>> {
        let (list, rows) = (column.as_list::<O>(), column.len());
        let offsets = list.offsets();
        let dim = if rows == 0 { 0 } else { (offsets[1] - offsets[0]).as_usize() };
        if offsets.windows(2).any(|pair| (pair[1] - pair[0]).as_usize() != dim) {
            let problem = format!("its column {name:?} has vectors of several lengths");
            return Err(Error::corrupt(&self.path, problem));
        }
        Ok(Lists { values: list.values(), start: offsets[0].as_usize(), dim, rows })
    }
}

/// Lists of one length, end to end in `values` from `start`.
struct Lists<'a> {
    values: &'a ArrayRef,
    start: usize,
    dim: usize,
    rows: usize,
}

impl Lists<'_> {
    fn range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.rows * self.dim
    }
}

pub(crate) fn missing(
    path: &Path,
    schema: &SchemaRef,
    name: &str,
    expected: &'static str,
) -> Error {
    let found: Vec<String> =
        schema.fields().iter().map(|f| format!("{} ({})", f.name(), f.data_type())).collect();
    Error::Column {
        path: path.to_owned(),
        column: name.to_owned(),
        expected,
        found: found.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_by_fuzzing(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/table/found").join(name);
        let error = TableReader::open(&path, None, 1 << 10).err().unwrap().to_string();
        assert!(error.contains(name), "{error}");
        error
    }

    /// 381 bytes for which the library would take 3.6 GB.
    #[test]
    fn a_dictionary_that_is_said_to_be_large_is_refused() {
        found_by_fuzzing("large-dictionary.parquet");
        // The same in a table that is whole but for this.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table.parquet");
        let columns = vec![("n", super::super::Column::u32((0..100).collect()))];
        super::super::write_table(&path, "table", columns, &Value::Null).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        // A field of the type i32 that is 100; and 8,191.
        let number = bytes.windows(3).position(|at| at == [0x15, 0xc8, 0x01]).unwrap();
        bytes[number + 1..number + 3].copy_from_slice(&[0xfe, 0x7f]);
        std::fs::write(&path, bytes).unwrap();
        let error = TableReader::open(&path, None, 10).err().unwrap().to_string();
        let expected = "a dictionary of its column \"n\" is said to have 8191 values, where it has room for 100";
        assert!(error.contains(expected), "{error}");
    }

    /// 2,140 bytes for which the library would take eight minutes.
    #[test]
    fn a_list_without_end_is_refused() {
        let error = found_by_fuzzing("endless-list.parquet");
        assert!(error.contains("its footer is not one of a Parquet file"), "{error}");
    }

    /// The library looks for the pages of this one behind the end of the file.
    #[test]
    fn the_header_of_a_page_is_looked_through() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table.parquet");
        let columns = vec![("n", super::super::Column::u32((0..100).collect()))];
        super::super::write_table(&path, "table", columns, &Value::Null).unwrap();
        assert!(TableReader::open(&path, None, 10).is_ok());
        let mut bytes = std::fs::read(&path).unwrap();
        // Its first field becomes one that the format has not: a list of 2^31 - 1 floats.
        bytes[4..11].copy_from_slice(&[0xc9, 0xf7, 0xff, 0xff, 0xff, 0xff, 0x07]);
        std::fs::write(&path, bytes).unwrap();
        let error = TableReader::open(&path, None, 10).err().unwrap().to_string();
        assert!(error.contains("the header of a page of its column \"n\" is damaged"), "{error}");
    }
}
