//! One Parquet file: what its footer says, and some of its rows.
//!
//! Rows are read by column and range, so that no more of a file is in memory than the row groups
//! asked for. The eager reader serves better here than a lazy scan: it reads the columns it is asked
//! for and doesn't look at the types of the others, and ranges come from the footer's statistics.

use std::fs::File;
use std::io::Read;
use std::ops::{Range, RangeInclusive};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::{
    ArrowSchema, DataFrame, FileMetadataRef, ParallelStrategy, ParquetReader, PolarsResult,
    SerReader,
};
use serde_json::Value as Json;

use crate::report::Value;
use crate::{Error, Result, cells, types};

/// The key of Lexmill's metadata in a Parquet file.
const METADATA_KEY: &str = "lexmill";

/// A Parquet file whose footer has been read.
pub(crate) struct ParquetFile {
    path: PathBuf,
    bytes: u64,
    metadata: FileMetadataRef,
    schema: Arc<ArrowSchema>,
}

/// A column, as the schema has it.
#[derive(Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Bytes in the file, compressed.
    pub(crate) bytes: u64,
    pub(crate) readable: bool,
}

/// Rows of a file that were written together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowGroup {
    index: usize,
    pub(crate) rows: Range<u64>,
}

impl ParquetFile {
    pub(crate) fn open(path: &Path) -> Result<ParquetFile> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let bytes = file.metadata().map_err(Error::io("open", path))?.len();
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).map_err(Error::io("read", path))?;
        if magic != b"PAR1" {
            return Err(Error::NotParquet { path: path.to_owned() });
        }
        guard(path, || {
            let mut reader = ParquetReader::new(file);
            let schema = reader.schema()?;
            let metadata = reader.get_metadata()?.clone();
            Ok(ParquetFile { path: path.to_owned(), bytes, metadata, schema })
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn rows(&self) -> u64 {
        self.metadata.num_rows as u64
    }

    /// The program that wrote the file.
    pub(crate) fn created_by(&self) -> Option<&str> {
        self.metadata.created_by.as_deref()
    }

    /// What Lexmill noted about the file.
    pub(crate) fn own_metadata(&self) -> Option<Json> {
        let pairs = self.metadata.key_value_metadata.as_ref()?;
        let own = pairs.iter().find(|pair| pair.key == METADATA_KEY)?;
        serde_json::from_str(own.value.as_deref()?).ok()
    }

    /// The names of the compressions of the columns.
    pub(crate) fn compression(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for group in &self.metadata.row_groups {
            for chunk in group.parquet_columns() {
                let name = format!("{:?}", chunk.compression()).to_lowercase();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names.join(", ")
    }

    pub(crate) fn columns(&self) -> Vec<Column> {
        let described = self.schema.iter().map(|(name, field)| Column {
            name: name.to_string(),
            kind: types::name(&field.dtype),
            bytes: self.column_bytes(name),
            readable: types::is_readable(&field.dtype),
        });
        described.collect()
    }

    fn column_bytes(&self, name: &str) -> u64 {
        let chunks = self.metadata.row_groups.iter().filter_map(|group| {
            let chunks = group.columns_under_root_iter(name)?;
            Some(
                chunks
                    .map(|chunk| u64::try_from(chunk.compressed_size()).unwrap_or(0))
                    .sum::<u64>(),
            )
        });
        chunks.sum()
    }

    /// Whether there is such a column, of a type called so.
    pub(crate) fn has(&self, column: &str, kind: &str) -> bool {
        self.schema.get(column).is_some_and(|field| types::name(&field.dtype) == kind)
    }

    /// Checks that there is such a column.
    pub(crate) fn expect(&self, column: &str, kind: &'static str) -> Result<()> {
        if self.has(column, kind) {
            return Ok(());
        }
        let found: Vec<String> =
            self.columns().iter().map(|found| format!("{} ({})", found.name, found.kind)).collect();
        Err(Error::Column {
            path: self.path.clone(),
            column: column.to_owned(),
            expected: kind,
            found: found.join(", "),
        })
    }

    pub(crate) fn row_groups(&self) -> Vec<RowGroup> {
        let mut start = 0;
        let groups = self.metadata.row_groups.iter().enumerate().map(|(index, group)| {
            let rows = start..start + group.num_rows() as u64;
            start = rows.end;
            RowGroup { index, rows }
        });
        groups.collect()
    }

    /// The smallest and the largest value of a u32 column in a row group, if the footer knows.
    pub(crate) fn bounds(&self, group: &RowGroup, column: &str) -> Option<RangeInclusive<u32>> {
        let group = self.metadata.row_groups.get(group.index)?;
        let chunk = group.columns_under_root_iter(column)?.next()?;
        let statistics = chunk.statistics(&self.metadata.footer_buf)?.ok()?;
        let numbers = statistics.as_int32()?;
        // Parquet keeps u32 in the bits of an i32. Old writers also compared them so.
        let (least, most) = (numbers.min_value? as u32, numbers.max_value? as u32);
        (least <= most).then_some(least..=most)
    }

    /// Some columns of a range of rows.
    pub(crate) fn read(&self, columns: &[&str], rows: Range<u64>) -> Result<DataFrame> {
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        let names = columns.iter().map(|&name| name.to_owned()).collect();
        let slice = (to_usize(rows.start), to_usize(rows.end - rows.start));
        guard(&self.path, || {
            // The strategy that leaves row groups outside the range alone.
            let mut reader = ParquetReader::new(file)
                .with_columns(Some(names))
                .with_slice(Some(slice))
                .read_parallel(ParallelStrategy::RowGroups);
            reader.set_metadata(self.metadata.clone());
            reader.finish()
        })
    }

    /// Some columns of a range of rows, as values.
    pub(crate) fn values(&self, columns: &[&str], rows: Range<u64>) -> Result<Vec<Vec<Value>>> {
        if columns.is_empty() || rows.is_empty() {
            return Ok(Vec::new());
        }
        let frame = self.read(columns, rows)?;
        guard(&self.path, || cells::rows(&frame))
    }
}

/// Polars panics on some damaged files, and on types it was built without; for a reader of outside
/// bytes that is an error like any other.
pub(crate) fn guard<T>(path: &Path, read: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::damaged(path, error.to_string())),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Error::damaged(path, message.unwrap_or("its pages contradict its footer")))
        }
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;
    use serde_json::json;

    use super::*;
    use crate::fixture::{Directory, write_parquet, write_parquet_with};

    fn numbers() -> DataFrame {
        df!("center" => [0u32, 0, 2, 2, 2, 4, 4, 6], "units" => [1u64, 2, 3, 4, 5, 6, 7, 8])
            .unwrap()
    }

    #[test]
    fn the_footer_tells_rows_columns_and_bounds() {
        let directory = Directory::new();
        let path = directory.path("a.parquet");
        write_parquet_with(&path, numbers(), 3, Some(json!({ "units_per_count": 2520 })));
        let file = ParquetFile::open(&path).unwrap();
        assert_eq!(file.rows(), 8);
        assert_eq!(file.bytes(), std::fs::metadata(&path).unwrap().len());
        assert_eq!(file.own_metadata(), Some(json!({ "units_per_count": 2520 })));
        assert_eq!(file.compression(), "zstd");
        let kinds: Vec<String> = file
            .columns()
            .into_iter()
            .map(|column| format!("{} {}", column.name, column.kind))
            .collect();
        assert_eq!(kinds, ["center u32", "units u64"]);
        assert!(file.columns().iter().all(|column| column.bytes > 0 && column.readable));
        let groups = file.row_groups();
        assert_eq!(groups.last().unwrap().rows.end, 8);
        assert_eq!(file.bounds(&groups[0], "center").map(|bounds| *bounds.start()), Some(0));
        assert_eq!(file.bounds(&groups[groups.len() - 1], "center").map(|b| *b.end()), Some(6));
        assert_eq!(file.bounds(&groups[0], "other"), None);
    }

    #[test]
    fn any_range_of_rows_can_be_read() {
        let directory = Directory::new();
        let path = directory.path("a.parquet");
        write_parquet_with(&path, numbers(), 3, None);
        let file = ParquetFile::open(&path).unwrap();
        for start in 0..8 {
            for end in start..=8 {
                let rows = file.values(&["units"], start..end).unwrap();
                let expected: Vec<Vec<Value>> =
                    (start..end).map(|row| vec![Value::Count(row + 1)]).collect();
                assert_eq!(rows, expected, "{start}..{end}");
            }
        }
    }

    #[test]
    fn columns_are_checked_by_name_and_type() {
        let directory = Directory::new();
        let path = directory.path("a.parquet");
        write_parquet(&path, numbers());
        let file = ParquetFile::open(&path).unwrap();
        assert!(file.expect("center", "u32").is_ok());
        let error = file.expect("word", "text").unwrap_err().to_string();
        assert!(
            error.contains("\"word\"") && error.contains("center (u32), units (u64)"),
            "{error}"
        );
    }

    #[test]
    fn panics_become_errors() {
        let error =
            guard(Path::new("x.parquet"), || -> PolarsResult<()> { panic!("no such type") });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("x.parquet") && error.contains("no such type"), "{error}");
    }

    #[test]
    fn damage_is_an_error_that_names_the_file() {
        let directory = Directory::new();
        let (path, cut) = (directory.path("a.parquet"), directory.path("cut.parquet"));
        write_parquet(&path, numbers());
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            crate::fixture::write(&cut, &whole[..length]);
            let error = ParquetFile::open(&cut).err().expect("the footer is at the end");
            assert!(error.to_string().contains("cut.parquet"), "{error}");
            assert_eq!(matches!(error, Error::NotParquet { .. }), length < 4, "{length}: {error}");
        }
    }
}
