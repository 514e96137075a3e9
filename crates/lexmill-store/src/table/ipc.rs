//! Tables as Arrow IPC files ("Feather V2"), which people keep beside Parquet.
//!
//! A file from a stranger may say any length in its footer, so everything that is read or decompressed
//! is first held against the length of the file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::writer::FileWriter;
use arrow_ipc::{Block, Message, MetadataVersion, root_as_footer, root_as_message};
use arrow_schema::{ArrowError, Schema};
use serde_json::Value;

use super::reader::caught;
use super::writer::schema;
use super::{Batch, Column, ColumnType, METADATA_KEY};
use crate::{AtomicFile, Error, FileEntry, Result};

/// What such a file begins and ends with.
pub const MAGIC: &[u8] = b"ARROW1";
/// The footer's length and the magic bytes after it.
const TAIL_BYTES: u64 = 10;
/// What the buffers of a batch may unpack to, whatever its length; and times that length.
const MOST_UNPACKED: u64 = 1 << 30;
const MOST_EXPANSION: u64 = 256;

/// An Arrow IPC file being read, batch by batch.
pub struct IpcReader {
    file: File,
    path: PathBuf,
    length: u64,
    decoder: FileDecoder,
    blocks: std::vec::IntoIter<Block>,
    rows: u64,
    columns: Vec<String>,
}

impl IpcReader {
    /// Opens a file.
    ///
    /// # Errors
    /// If it can't be read, or is not an Arrow IPC file.
    pub fn open(path: &Path) -> Result<IpcReader> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        guard(path, || IpcReader::with(file, length, path))
    }

    fn with(file: File, length: u64, path: &Path) -> Result<IpcReader> {
        let wrong = |message: &str| wrong(path, message);
        let smallest = TAIL_BYTES + MAGIC.len() as u64;
        let end = length.checked_sub(TAIL_BYTES).filter(|_| length >= smallest);
        let end = end.ok_or_else(|| wrong("it is too short: it was cut off"))?;
        let mut tail = [0; TAIL_BYTES as usize];
        file.read_exact_at(&mut tail, end).map_err(Error::io("read", path))?;
        if &tail[4..] != MAGIC {
            return Err(wrong("it does not end as such a file does: it was cut off"));
        }
        let footer_length = read_footer_length(tail).map_err(|error| arrow(path, &error))? as u64;
        let start = end.checked_sub(footer_length);
        let start = start.ok_or_else(|| wrong("its footer is longer than the file"))?;
        let mut footer = vec![0; footer_length as usize];
        file.read_exact_at(&mut footer, start).map_err(Error::io("read", path))?;
        let footer = root_as_footer(&footer).map_err(|error| wrong(&error.to_string()))?;
        let schema = footer.schema().ok_or_else(|| wrong("it has no schema"))?;
        let schema = try_fb_to_schema(schema).map_err(|error| arrow(path, &error))?;
        let schema = Arc::new(schema);
        let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        let mut reader = IpcReader {
            file,
            path: path.to_owned(),
            length,
            // Footers of one version with batches of another are about; the decoder takes that only
            // where it is told the first version. Batches say their own.
            decoder: FileDecoder::new(schema, MetadataVersion::V1),
            blocks: Vec::new().into_iter(),
            rows: 0,
            columns,
        };
        for block in footer.dictionaries().into_iter().flatten() {
            let bytes = reader.block(block)?;
            reader.decoder.read_dictionary(block, &bytes).map_err(|error| arrow(path, &error))?;
        }
        let blocks: Vec<Block> = footer.recordBatches().into_iter().flatten().copied().collect();
        for block in &blocks {
            let head = reader.bytes(block, 0)?;
            let rows = message(&head, path)?.header_as_record_batch().map_or(0, |b| b.length());
            let rows = u64::try_from(rows).ok().and_then(|rows| reader.rows.checked_add(rows));
            reader.rows = rows.ok_or_else(|| wrong("its batches have no sensible lengths"))?;
        }
        reader.blocks = blocks.into_iter();
        Ok(reader)
    }

    /// Rows of the whole table.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The names of all columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// A block's metadata and `body` bytes of what follows.
    fn bytes(&self, block: &Block, body: u64) -> Result<Buffer> {
        let problem = || wrong(&self.path, "a batch lies outside of the file");
        let at = u64::try_from(block.offset()).map_err(|_| problem())?;
        let head = u64::try_from(block.metaDataLength()).map_err(|_| problem())?;
        let bytes = head.checked_add(body).ok_or_else(problem)?;
        if at.checked_add(bytes).is_none_or(|end| end > self.length) {
            return Err(problem());
        }
        let mut buffer = vec![0; bytes as usize];
        self.file.read_exact_at(&mut buffer, at).map_err(Error::io("read", &self.path))?;
        Ok(Buffer::from_vec(buffer))
    }

    /// A whole block, whose buffers can be decompressed without harm.
    fn block(&self, block: &Block) -> Result<Buffer> {
        let body = u64::try_from(block.bodyLength())
            .map_err(|_| wrong(&self.path, "a batch has a negative length"))?;
        let bytes = self.bytes(block, body)?;
        let message = message(&bytes, &self.path)?;
        let batch = match message.header_as_dictionary_batch() {
            Some(dictionary) => dictionary.data(),
            None => message.header_as_record_batch(),
        };
        let compressed = batch.filter(|batch| batch.compression().is_some());
        let buffers = compressed.and_then(|batch| batch.buffers()).into_iter().flatten();
        let body = &bytes[block.metaDataLength() as usize..];
        let mut left = MOST_UNPACKED.max((body.len() as u64).saturating_mul(MOST_EXPANSION));
        for buffer in buffers.filter(|buffer| buffer.length() != 0) {
            let start = usize::try_from(buffer.offset()).ok();
            let end = start.zip(usize::try_from(buffer.length()).ok());
            let end = end.and_then(|(start, length)| start.checked_add(length));
            let packed = start.zip(end).and_then(|(start, end)| body.get(start..end));
            let packed =
                packed.ok_or_else(|| wrong(&self.path, "a buffer lies outside of its batch"))?;
            let prefix = packed.first_chunk::<8>().map_or(0, |prefix| i64::from_le_bytes(*prefix));
            // -1 says that the buffer is not compressed.
            let unpacked = u64::try_from(prefix).unwrap_or(packed.len() as u64);
            left = left.checked_sub(unpacked).ok_or_else(|| {
                wrong(&self.path, "its buffers claim to be larger than they can be")
            })?;
        }
        Ok(bytes)
    }

    fn batch(&self, block: &Block) -> Result<Option<RecordBatch>> {
        guard(&self.path, || {
            let bytes = self.block(block)?;
            let batch = self.decoder.read_record_batch(block, &bytes);
            batch.map_err(|error| arrow(&self.path, &error))
        })
    }
}

impl Iterator for IpcReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        loop {
            let block = self.blocks.next()?;
            match self.batch(&block) {
                Ok(None) => {}
                Ok(Some(batch)) => return Some(Ok(Batch::new(batch, &self.path))),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The message at the start of a block.
fn message<'a>(block: &'a [u8], path: &Path) -> Result<Message<'a>> {
    // Since 2019 a mark stands before the length of the metadata.
    let skipped = if block.starts_with(&[0xFF; 4]) { 8 } else { 4 };
    let message = block.get(skipped..).ok_or_else(|| wrong(path, "a batch has no metadata"))?;
    root_as_message(message).map_err(|error| wrong(path, &error.to_string()))
}

fn wrong(path: &Path, message: &str) -> Error {
    Error::Arrow { path: path.to_owned(), message: message.to_owned() }
}

fn arrow(path: &Path, error: &ArrowError) -> Error {
    wrong(path, &error.to_string())
}

/// As with Parquet, a damaged file may make the library panic.
fn guard<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    match caught(read) {
        Ok(result) => result,
        Err(_) => Err(wrong(path, "its batches contradict its schema")),
    }
}

/// An Arrow IPC file being written; each [`write`](IpcWriter::write) makes a batch.
pub struct IpcWriter {
    writer: FileWriter<AtomicFile>,
    schema: Arc<Schema>,
    path: PathBuf,
    rows: u64,
}

impl IpcWriter {
    /// Starts the file `path` with these columns.
    ///
    /// # Errors
    /// If the file can't be made.
    pub fn create(
        path: &Path,
        columns: &[(&str, ColumnType)],
        metadata: &Value,
    ) -> Result<IpcWriter> {
        let pairs = [(METADATA_KEY.to_owned(), metadata.to_string())];
        let schema = Arc::new(schema(columns).with_metadata(pairs));
        let file = AtomicFile::create(path)?;
        let writer =
            FileWriter::try_new(file, &schema).map_err(|error| write_error(path, error))?;
        Ok(IpcWriter { writer, schema, path: path.to_owned(), rows: 0 })
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
        self.writer.write(&batch).map_err(|error| write_error(&self.path, error))
    }

    /// Completes the file; `name` is how a manifest will call it.
    ///
    /// # Errors
    /// If the file can't be written; it is then not there.
    pub fn finish(self, name: &str) -> Result<FileEntry> {
        let file = self.writer.into_inner().map_err(|error| write_error(&self.path, error))?;
        file.commit(name, self.rows)
    }
}

fn write_error(path: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::io("write", path)(source),
        other => arrow(path, &other),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(path: &Path, batches: usize) {
        let columns = [("word", ColumnType::Text), ("vector", ColumnType::Vector(2))];
        let mut writer = IpcWriter::create(path, &columns, &Value::Null).unwrap();
        for i in 0..batches {
            let words = [format!("a{i}"), "é".to_owned()];
            let text = Column::text(words.iter().map(String::as_str));
            writer.write(vec![text, Column::vectors(vec![i as f32, 1.5, -0.0, 3.0], 2)]).unwrap();
        }
        assert_eq!(writer.finish("x").unwrap().rows, 2 * batches as u64);
    }

    fn read(path: &Path) -> Result<(u64, Vec<String>, Vec<f32>)> {
        let reader = IpcReader::open(path)?;
        let rows = reader.rows();
        let (mut words, mut vectors) = (Vec::new(), Vec::new());
        for batch in reader {
            let batch = batch?;
            words.extend(batch.text("word")?.iter().map(str::to_owned));
            vectors.extend_from_slice(batch.vectors("vector")?.0);
        }
        Ok((rows, words, vectors))
    }

    #[test]
    fn what_is_written_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.arrow");
        write(&path, 2);
        let (rows, words, vectors) = read(&path).unwrap();
        assert_eq!((rows, words.join(" ")), (4, "a0 é a1 é".to_owned()));
        assert_eq!(vectors, [0.0, 1.5, -0.0, 3.0, 1.0, 1.5, -0.0, 3.0]);
        write(&path, 0);
        assert_eq!(read(&path).unwrap(), (0, vec![], vec![]));
    }

    #[test]
    fn other_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.arrow");
        for bytes in [&b""[..], b"ARROW1", b"ARROW1\0\0ARROW1", b"ARROW1\0\0\xFF\xFF\xFF\x7FARROW1"]
        {
            std::fs::write(&path, bytes).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("a.arrow") && error.contains("Arrow IPC"), "{error}");
        }
    }

    proptest! {
        /// Whatever byte is changed and wherever the file is cut: rows or an error, no panic.
        #[test]
        fn damage_does_not_get_through(at in 0usize..2000, byte: u8, cut in 0usize..2000) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a.arrow");
            write(&path, 1);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            std::fs::write(&path, &bytes).unwrap();
            let _rows_or_error = read(&path);
            let cut = cut % bytes.len();
            std::fs::write(&path, &bytes[..cut]).unwrap();
            prop_assert!(read(&path).is_err());
        }
    }
}
