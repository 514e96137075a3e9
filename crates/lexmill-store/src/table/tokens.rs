//! Token shards: the corpus as words, document by document.
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `part` | u32 | 0 where a document begins; k for the k-th row that goes on with the same one |
//! | `tokens` | list of text, dictionary-encoded | the tokens in order |
//!
//! Rows are in corpus order. A shard is one row group, so that it has one dictionary: a reader maps
//! each different word once and takes over the keys. Tools that know nothing of this read words.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type as Keys, UInt32Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use lexmill_vocab::Interner;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::data_type::Int32Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;
use serde_json::Value;

use super::METADATA_KEY;
use super::pages::encode_lists;
use super::reader::{guard, load, missing, open, own_metadata};
use super::writer::properties;
use crate::{AtomicFile, Error, FileEntry, Result};

fn schema() -> Schema {
    let element = Arc::new(Field::new("element", DataType::Utf8, false));
    Schema::new(vec![
        Field::new("part", DataType::UInt32, false),
        Field::new("tokens", DataType::List(element), false),
    ])
}

/// Tokens as ids, document by document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All tokens of all rows.
    pub ids: Vec<u32>,
    /// Where each row ends in `ids`.
    pub ends: Vec<usize>,
    /// For each row, 0 where a document begins, or its number as a continuation.
    pub parts: Vec<u32>,
}

impl Tokens {
    /// The rows: their part and their tokens.
    pub fn rows(&self) -> impl Iterator<Item = (u32, &[u32])> {
        self.parts.iter().enumerate().map(|(row, &part)| {
            let start = if row == 0 { 0 } else { self.ends[row - 1] };
            (part, &self.ids[start..self.ends[row]])
        })
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.ends.clear();
        self.parts.clear();
    }
}

/// Writes a shard; `tokens.ids` are ids of `words`, all of them below `words.len()`.
///
/// # Errors
/// If the file can't be written.
pub fn write_token_shard(
    path: &Path,
    name: &str,
    words: &Interner,
    tokens: &Tokens,
    metadata: &Value,
) -> Result<FileEntry> {
    let rows = tokens.parts.len();
    let file = AtomicFile::create(path)?;
    let write = || -> Result<AtomicFile, ParquetError> {
        let properties = properties().set_key_value_metadata(Some(vec![KeyValue::new(
            METADATA_KEY.to_owned(),
            metadata.to_string(),
        )]));
        let schema = ArrowSchemaConverter::new().convert(&schema())?;
        let properties = Arc::new(properties.build());
        let mut writer = SerializedFileWriter::new(file, schema.root_schema_ptr(), properties)?;
        let mut group = writer.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            let parts: Vec<i32> = tokens.parts.iter().map(|&part| part as i32).collect();
            column.typed::<Int32Type>().write_batch(&parts, None, None)?;
            column.close()?;
        }
        let words = (0..words.len() as u32).map(|id| words.bytes(id));
        let (bytes, close) = encode_lists(schema.column(1), words, tokens)?;
        group.append_column(&Bytes::from(bytes), close)?;
        group.close()?;
        writer.into_inner()
    };
    write().map_err(Error::parquet(path))?.commit(name, rows as u64)
}

/// Rows read at a time.
const BATCH_ROWS: usize = 1 << 13;

/// Reads a shard, or any table with a column `tokens` of lists of strings; `lookup` gives each
/// different word its number, and is asked once for a word of a row group. `part` is optional.
///
/// # Errors
/// If the file can't be read or has no such column.
pub fn read_token_shard(
    path: &Path,
    mut lookup: impl FnMut(&str) -> u32,
    tokens: &mut Tokens,
) -> Result<Value> {
    tokens.clear();
    let (file, metadata) = load(path, ArrowReaderOptions::new().with_skip_arrow_metadata(true))?;
    let own = own_metadata(&metadata);
    let found = metadata.schema().clone();
    // Whatever wrote the file: ask for the words as a dictionary.
    let Some((_, lists)) = found.column_with_name("tokens") else {
        return Err(missing(path, &found, "tokens", "list of text"));
    };
    let DataType::List(element) = lists.data_type() else {
        return Err(missing(path, &found, "tokens", "list of text"));
    };
    if !matches!(element.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        return Err(missing(path, &found, "tokens", "list of text"));
    }
    let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields: Vec<Field> = found
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            "tokens" => {
                let element = element.as_ref().clone().with_data_type(words.clone());
                field.as_ref().clone().with_data_type(DataType::List(Arc::new(element)))
            }
            _ => field.as_ref().clone(),
        })
        .collect();
    drop((file, metadata));
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    let (file, metadata) = open(path, options, None)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let mut reader = guard(path, || builder.with_batch_size(BATCH_ROWS).build())?;
    let mut mapped: Vec<u32> = Vec::new();
    let mut dictionary: Option<ArrayRef> = None;
    while let Some(batch) = guard(path, || reader.next().transpose().map_err(Into::into))? {
        let lists = batch.column_by_name("tokens").expect("checked above").as_list::<i32>();
        let keyed = lists.values().as_dictionary::<Keys>();
        if lists.null_count() > 0 || keyed.null_count() > 0 {
            return Err(Error::corrupt(path, "its column \"tokens\" has nulls"));
        }
        let values = keyed.values();
        if !dictionary.as_ref().is_some_and(|known| Arc::ptr_eq(known, values)) {
            let words = values.as_string::<i32>();
            mapped.clear();
            mapped.extend((0..words.len()).map(|i| lookup(words.value(i))));
            dictionary = Some(values.clone());
        }
        let offsets = lists.offsets();
        let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
        let base = tokens.ids.len();
        for &key in &keyed.keys().values()[first..last] {
            let Some(&id) = mapped.get(key as usize) else {
                return Err(Error::corrupt(path, "a token points past the words"));
            };
            tokens.ids.push(id);
        }
        tokens.ends.extend(offsets[1..].iter().map(|&end| base + end as usize - first));
        match batch.column_by_name("part") {
            Some(parts) => match parts.as_primitive_opt::<UInt32Type>() {
                Some(parts) => tokens.parts.extend_from_slice(parts.values()),
                None => return Err(missing(path, &batch.schema(), "part", "u32")),
            },
            None => tokens.parts.resize(tokens.ends.len(), 0),
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(documents: &[&[&str]]) -> (Interner, Tokens) {
        let (mut words, mut tokens) = (Interner::new(), Tokens::default());
        for document in documents {
            tokens.ids.extend(document.iter().map(|word| words.intern(word)));
            tokens.ends.push(tokens.ids.len());
            tokens.parts.push(0);
        }
        (words, tokens)
    }

    #[test]
    fn a_shard_comes_back_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.parquet");
        let long: Vec<String> = (0..20_000).map(|i| format!("w{}", i % 7001)).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        let (words, mut tokens) = shard(&[&["a", "b", "a"], &[], &long, &["é", "b"]]);
        tokens.parts[3] = 1;
        let entry = write_token_shard(&path, "s", &words, &tokens, &Value::Null).unwrap();
        assert_eq!(entry.rows, 4);
        let (mut again, mut asked) = (Tokens::default(), 0);
        let lookup = |word: &str| {
            asked += 1;
            words.get(word).unwrap()
        };
        read_token_shard(&path, lookup, &mut again).unwrap();
        assert_eq!(again, tokens);
        assert_eq!(asked, words.len(), "each word is looked up once");
    }

    #[test]
    fn a_shard_without_rows_is_one_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.parquet");
        let (words, tokens) = shard(&[]);
        write_token_shard(&path, "s", &words, &tokens, &Value::Null).unwrap();
        let mut again = Tokens::default();
        read_token_shard(&path, |_| 0, &mut again).unwrap();
        assert_eq!(again, tokens);
    }

    #[test]
    fn another_table_is_refused_by_its_column() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.parquet");
        let columns = vec![("text", crate::table::Column::text(["a"]))];
        crate::table::write_table(&path, "s", columns, &Value::Null).unwrap();
        let error = read_token_shard(&path, |_| 0, &mut Tokens::default()).unwrap_err().to_string();
        assert!(error.contains("\"tokens\"") && error.contains("text (Utf8)"), "{error}");
    }

    #[test]
    fn damage_is_an_error_not_a_panic() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.parquet");
        let (words, tokens) = shard(&[&["a", "b", "a"], &["c"]]);
        write_token_shard(&path, "s", &words, &tokens, &Value::Null).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let damaged = directory.path().join("d.parquet");
        for cut in 0..whole.len() {
            std::fs::write(&damaged, &whole[..cut]).unwrap();
            let error = read_token_shard(&damaged, |_| 0, &mut Tokens::default()).unwrap_err();
            assert!(error.to_string().contains("d.parquet"), "{error}");
        }
    }
}
