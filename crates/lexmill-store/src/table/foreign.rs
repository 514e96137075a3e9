//! Columns of Parquet files from elsewhere, as text, whatever their type.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::reader::{guard, missing, open};
use crate::{Error, Result};

/// Bytes of a batch, roughly.
const BATCH_BYTES: u64 = 4 << 20;
/// A file may hold a long text once and name it in each row: what it says of its size tells nothing then.
const MOST_BATCH_ROWS: u64 = 1 << 7;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(&'a str),
    /// A list of texts. Those that are null are left out.
    List(Vec<&'a str>),
    /// A number, a date or a truth value, as text.
    Scalar(String),
    /// Something that has no one text.
    Other,
}

/// Some columns of a Parquet file, batch by batch.
pub struct ForeignReader {
    reader: ParquetRecordBatchReader,
    path: PathBuf,
    fields: Vec<String>,
}

impl ForeignReader {
    /// Opens these columns. A name with dots leads into columns that are structs.
    ///
    /// # Errors
    /// If the file can't be read, is not Parquet, or lacks a column.
    pub fn open(path: &Path, fields: &[String]) -> Result<ForeignReader> {
        // What other programs note of their own types does not matter here: text stays text.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let (file, metadata) = open(path, options, None).map_err(Error::foreign)?;
        let schema = metadata.schema().clone();
        let mut roots = Vec::new();
        for field in fields {
            let root = match schema.index_of(field) {
                Ok(root) => Some(root),
                Err(_) => field.split('.').next().and_then(|root| schema.index_of(root).ok()),
            };
            roots.push(root.ok_or_else(|| missing(path, &schema, field, "text"))?);
        }
        let groups = metadata.metadata().row_groups();
        let bytes: i64 = groups
            .iter()
            .flat_map(|group| group.columns())
            .filter(|column| {
                let root = column.column_path().parts().first();
                root.is_some_and(|name| {
                    schema.index_of(name).is_ok_and(|index| roots.contains(&index))
                })
            })
            .map(|column| column.uncompressed_size().max(0))
            .sum();
        let rows = metadata.metadata().file_metadata().num_rows().max(1) as u64;
        let batch_rows =
            (BATCH_BYTES / (bytes.max(0) as u64 / rows).max(1)).clamp(1, MOST_BATCH_ROWS);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let builder = builder.with_projection(mask).with_batch_size(batch_rows as usize);
        let reader = guard(path, || builder.build()).map_err(Error::foreign)?;
        Ok(ForeignReader { reader, path: path.to_owned(), fields: fields.to_vec() })
    }
}

impl Iterator for ForeignReader {
    type Item = Result<ForeignBatch>;

    fn next(&mut self) -> Option<Result<ForeignBatch>> {
        let reader = &mut self.reader;
        let next = guard(&self.path, || reader.next().transpose().map_err(Into::into));
        let batch = match next {
            Ok(batch) => batch?,
            Err(error) => return Some(Err(error.foreign())),
        };
        let columns: Option<Vec<ForeignColumn>> =
            self.fields.iter().map(|field| find(&batch, field)).collect();
        Some(columns.map(|columns| ForeignBatch { rows: batch.num_rows(), columns }).ok_or_else(
            || {
                let unknown = self.fields.iter().find(|field| find(&batch, field).is_none());
                let name = unknown.map_or("", String::as_str);
                missing(&self.path, batch.schema_ref(), name, "text")
            },
        ))
    }
}

/// A column, and the structs that lead to it, of which each may be null.
struct ForeignColumn {
    values: ArrayRef,
    parents: Vec<ArrayRef>,
}

fn find(batch: &RecordBatch, field: &str) -> Option<ForeignColumn> {
    if let Some(values) = batch.column_by_name(field) {
        return Some(ForeignColumn { values: values.clone(), parents: Vec::new() });
    }
    let mut parts = field.split('.');
    let mut values = batch.column_by_name(parts.next()?)?.clone();
    let mut parents = Vec::new();
    for part in parts {
        let inner = values.as_struct_opt()?.column_by_name(part)?.clone();
        parents.push(std::mem::replace(&mut values, inner));
    }
    Some(ForeignColumn { values, parents })
}

/// Some rows of the columns asked for.
pub struct ForeignBatch {
    rows: usize,
    columns: Vec<ForeignColumn>,
}

impl ForeignBatch {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The cell in a row of the column asked for as number `column`.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn cell(&self, column: usize, row: usize) -> Cell<'_> {
        let ForeignColumn { values, parents } = &self.columns[column];
        if parents.iter().any(|parent| parent.is_null(row)) {
            return Cell::Null;
        }
        cell(values.as_ref(), row)
    }
}

fn text(array: &dyn Array, row: usize) -> Option<&str> {
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}

/// The texts of a list.
fn texts(array: &dyn Array, from: usize, to: usize) -> Cell<'_> {
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Cell::List(
            (from..to)
                .filter(|&row| array.is_valid(row))
                .filter_map(|row| text(array, row))
                .collect(),
        ),
        // A list of nothing but nulls has no type.
        DataType::Null => Cell::List(Vec::new()),
        _ => Cell::Other,
    }
}

fn cell(array: &dyn Array, row: usize) -> Cell<'_> {
    macro_rules! number {
        ($type:ty) => {
            Cell::Scalar(array.as_primitive::<$type>().value(row).to_string())
        };
    }
    macro_rules! time {
        ($type:ty, $units:expr) => {
            Cell::Scalar(timestamp(array.as_primitive::<$type>().value(row), $units))
        };
    }
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Scalar(array.as_boolean().value(row).to_string()),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        DataType::Decimal128(_, scale) => {
            Cell::Scalar(decimal(array.as_primitive::<Decimal128Type>().value(row), *scale))
        }
        DataType::Date32 => {
            Cell::Scalar(date(i64::from(array.as_primitive::<Date32Type>().value(row))))
        }
        DataType::Timestamp(TimeUnit::Second, _) => time!(TimestampSecondType, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) => time!(TimestampMillisecondType, 1_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => time!(TimestampMicrosecondType, 1_000_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            time!(TimestampNanosecondType, 1_000_000_000)
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.offsets();
            texts(list.values().as_ref(), offsets[row] as usize, offsets[row + 1] as usize)
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let offsets = list.offsets();
            texts(list.values().as_ref(), offsets[row] as usize, offsets[row + 1] as usize)
        }
        _ => text(array, row).map_or(Cell::Other, Cell::Text),
    }
}

/// A decimal number of so many digits after the point.
fn decimal(value: i128, scale: i8) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    match usize::try_from(scale) {
        Ok(0) => format!("{sign}{digits}"),
        Ok(scale) => {
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, part) = digits.split_at(digits.len() - scale);
            format!("{sign}{whole}.{part}")
        }
        Err(_) => format!("{sign}{digits}{}", "0".repeat(usize::from(scale.unsigned_abs()))),
    }
}

/// A date of the proleptic Gregorian calendar, `YYYY-MM-DD`, of days since 1970-01-01.
fn date(days: i64) -> String {
    // Years begin in March here, so that the odd day of leap years comes last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A time in UTC as RFC 3339 has it.
fn timestamp(value: i64, units: i64) -> String {
    let seconds = value.div_euclid(units);
    let fraction = value.rem_euclid(units);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let digits = units.ilog10() as usize;
    let fraction: Cow<'_, str> = match fraction {
        0 => "".into(),
        _ => format!(".{fraction:0digits$}").into(),
    };
    format!("{}T{hour:02}:{minute:02}:{second:02}{fraction}Z", date(days))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::{
        BooleanArray, Date32Array, Float64Array, Int16Array, StringArray, StructArray,
        TimestampMillisecondArray,
    };
    use arrow_schema::{Field, Fields, Schema};
    use parquet::arrow::ArrowWriter;
    use proptest::prelude::*;
    use std::sync::Arc;

    #[test]
    fn decimals() {
        assert_eq!(decimal(1234, 2), "12.34");
        assert_eq!(decimal(-5, 3), "-0.005");
        assert_eq!(decimal(7, 0), "7");
        assert_eq!(decimal(7, -2), "700");
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(-719_162), "0001-01-01");
        assert_eq!(timestamp(-1, 1000), "1969-12-31T23:59:59.999Z");
        assert_eq!(timestamp(86_399, 1), "1970-01-01T23:59:59Z");
    }

    /// A file with a column of each type.
    fn write_all_types(path: &Path) {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("New York"), None, Some("is")]);
        lists.append_null();
        let inner = StringArray::from(vec!["deep", "hidden"]);
        let fields = Fields::from(vec![Field::new("text", DataType::Utf8, true)]);
        let nulls = Array::nulls(&StringArray::from(vec![Some(""), None])).cloned();
        let meta = StructArray::new(fields, vec![Arc::new(inner)], nulls);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("text", Arc::new(StringArray::from(vec![Some("a b"), None]))),
            ("tokens", Arc::new(lists.finish())),
            ("meta", Arc::new(meta)),
            ("n", Arc::new(Int16Array::from(vec![-3, 4]))),
            ("score", Arc::new(Float64Array::from(vec![0.5, 2.0]))),
            ("yes", Arc::new(BooleanArray::from(vec![true, false]))),
            ("day", Arc::new(Date32Array::from(vec![1, 2]))),
            ("time", Arc::new(TimestampMillisecondArray::from(vec![1500, 0]))),
        ];
        let schema: Vec<Field> = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(schema));
        let batch =
            RecordBatch::try_new(schema.clone(), columns.iter().map(|c| c.1.clone()).collect());
        let file = std::fs::File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
        writer.write(&batch.unwrap()).unwrap();
        writer.close().unwrap();
    }

    const NAMES: [&str; 8] = ["text", "tokens", "meta.text", "n", "score", "yes", "day", "time"];

    proptest! {
        #[test]
        fn damaged_files_are_read_or_refused(
            flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("t.parquet");
            write_all_types(&path);
            let mut bytes = std::fs::read(&path).unwrap();
            for (place, bit) in flips {
                let place = place.index(bytes.len());
                bytes[place] ^= 1 << bit;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            std::fs::write(&path, bytes).unwrap();
            let names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
            if let Ok(reader) = ForeignReader::open(&path, &names) {
                for batch in reader.take(3) {
                    let Ok(batch) = batch else { break };
                    for row in 0..batch.rows().min(5) {
                        (0..names.len()).for_each(|column| drop(batch.cell(column, row)));
                    }
                }
            }
        }
    }

    #[test]
    fn columns_of_many_types() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.parquet");
        write_all_types(&path);
        let names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
        let batch = ForeignReader::open(&path, &names).unwrap().next().unwrap().unwrap();
        let row = |row: usize| (0..names.len()).map(|column| batch.cell(column, row)).collect();
        let first: Vec<Cell<'_>> = row(0);
        let scalar = |text: &str| Cell::Scalar(text.to_owned());
        assert_eq!(
            first,
            [
                Cell::Text("a b"),
                Cell::List(vec!["New York", "is"]),
                Cell::Text("deep"),
                scalar("-3"),
                scalar("0.5"),
                scalar("true"),
                scalar("1970-01-02"),
                scalar("1970-01-01T00:00:01.500Z"),
            ]
        );
        let second: Vec<Cell<'_>> = row(1);
        assert_eq!(second[..3], [Cell::Null, Cell::Null, Cell::Null]);
        let error = ForeignReader::open(&path, &["body".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("body") && error.contains("tokens"), "{error}");
    }
}
