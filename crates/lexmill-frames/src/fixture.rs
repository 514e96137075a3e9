//! Small files for the tests, written by Polars itself.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use polars::prelude::{DataFrame, KeyValueMetadata, ParquetWriter};
use serde_json::Value as Json;

/// A directory of its own for a test; it goes away with the value.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lexmill-frames-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// Where a file of this name lies; the directories above it are made.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[expect(clippy::disallowed_methods, reason = "nobody reads a test's files while it writes them")]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

pub(crate) fn write_parquet(path: &Path, frame: DataFrame) {
    write_parquet_with(path, frame, 1 << 18, None);
}

/// Writes a table of row groups of about `group_rows`, with Lexmill's metadata.
pub(crate) fn write_parquet_with(
    path: &Path,
    mut frame: DataFrame,
    group_rows: usize,
    metadata: Option<Json>,
) {
    let mut bytes = Vec::new();
    let pairs = metadata.map(|own| vec![("lexmill".to_owned(), own.to_string())]);
    ParquetWriter::new(&mut bytes)
        .with_row_group_size(Some(group_rows))
        .with_key_value_metadata(pairs.map(KeyValueMetadata::from_static))
        .finish(&mut frame)
        .unwrap();
    write(path, &bytes);
}

/// Writes the manifest of a stage whose files are in place; their rows are given.
pub(crate) fn write_manifest(directory: &Path, own: Json, files: &[(&str, u64)]) {
    let entries: Vec<Json> = files
        .iter()
        .map(|(name, rows)| {
            let bytes = std::fs::metadata(directory.join(name)).unwrap().len();
            serde_json::json!({ "path": name, "rows": rows, "bytes": bytes, "blake3": "00" })
        })
        .collect();
    let mut manifest = serde_json::json!({
        "format": 1,
        "version": 1,
        "settings": {},
        "inputs": {},
        "fingerprint": "abc",
        "files": entries,
        "report": {},
    });
    for (name, value) in own.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    write(&directory.join("manifest.json"), manifest.to_string().as_bytes());
}
