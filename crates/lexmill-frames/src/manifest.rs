//! A stage's `manifest.json`, read for showing: it states what there is, and is not checked further.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::{Error, Result};

const MANIFEST: &str = "manifest.json";
/// How far above a file its stage's directory may lie.
const DEPTH: usize = 5;

/// A finished stage directory.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) directory: PathBuf,
    pub(crate) kind: String,
    pub(crate) version: Option<u64>,
    pub(crate) fingerprint: Option<String>,
    pub(crate) settings: Json,
    pub(crate) inputs: Json,
    pub(crate) report: Json,
    pub(crate) files: Vec<FileEntry>,
}

/// A file, as the manifest lists it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileEntry {
    /// Its path below the stage directory, with `/`.
    pub(crate) path: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Stage {
    /// The stage of a directory, or `None` if it has no manifest.
    pub(crate) fn read(directory: &Path) -> Result<Option<Stage>> {
        let path = directory.join(MANIFEST);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path)(e)),
        };
        let parsed = serde_json::from_str::<Json>(&text).map_err(|e| e.to_string());
        let stage = parsed.and_then(|manifest| Stage::from_json(directory, &manifest));
        stage.map(Some).map_err(|problem| Error::Manifest { path, problem })
    }

    fn from_json(directory: &Path, manifest: &Json) -> Result<Stage, String> {
        let field = |name: &str| manifest.get(name).cloned().unwrap_or(Json::Null);
        let kind = manifest["stage"].as_str().ok_or("it does not say which stage it is of")?;
        let listed = manifest["files"].as_array().ok_or("it has no list of files")?;
        let files: Option<Vec<FileEntry>> = listed.iter().map(FileEntry::from_json).collect();
        Ok(Stage {
            directory: directory.to_owned(),
            kind: kind.to_owned(),
            version: manifest["version"].as_u64(),
            fingerprint: manifest["fingerprint"].as_str().map(str::to_owned),
            settings: field("settings"),
            inputs: field("inputs"),
            report: field("report"),
            files: files.ok_or("one of its files has no path, rows or bytes")?,
        })
    }

    /// The stage a file or folder belongs to.
    pub(crate) fn above(path: &Path) -> Option<Stage> {
        let path = std::path::absolute(path).ok()?;
        path.ancestors().skip(1).take(DEPTH).find_map(|directory| Stage::read(directory).ok()?)
    }

    pub(crate) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Files that are not there as the manifest says, in words.
    pub(crate) fn problems(&self) -> Vec<String> {
        let problem = |file: &FileEntry| match std::fs::metadata(self.directory.join(&file.path)) {
            Err(_) => Some(format!("{} is missing", file.path)),
            Ok(found) if found.len() != file.bytes => {
                Some(format!("{} has {} bytes instead of {}", file.path, found.len(), file.bytes))
            }
            Ok(_) => None,
        };
        self.files.iter().filter_map(problem).collect()
    }
}

impl FileEntry {
    fn from_json(entry: &Json) -> Option<FileEntry> {
        Some(FileEntry {
            path: entry["path"].as_str()?.to_owned(),
            rows: entry["rows"].as_u64()?,
            bytes: entry["bytes"].as_u64()?,
        })
    }

    /// The table the file is a part of: its folder, without the parts that say `key=value`; a file
    /// at the top is a table of its own.
    pub(crate) fn table(&self) -> &str {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, _)) => folder,
            None => return &self.path,
        };
        let end = folder
            .split('/')
            .take_while(|part| !part.contains('='))
            .map(|part| part.len() + 1)
            .sum::<usize>();
        if end == 0 { folder } else { &folder[..end - 1] }
    }

    /// The number in a part of the path that says `key=number`.
    pub(crate) fn partition(&self, key: &str) -> Option<u64> {
        self.path.split('/').find_map(|part| {
            let (name, number) = part.split_once('=')?;
            if name == key { number.parse().ok() } else { None }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture::{Directory, write, write_manifest};

    fn file(path: &str) -> FileEntry {
        FileEntry { path: path.to_owned(), rows: 1, bytes: 1 }
    }

    #[test]
    fn files_belong_to_tables_and_blocks() {
        assert_eq!(file("words.parquet").table(), "words.parquet");
        assert_eq!(file("shards/0.parquet").table(), "shards");
        assert_eq!(file("model/input/0.parquet").table(), "model/input");
        let cell = file("cells/row_block=03/column_block=5/cells.parquet");
        assert_eq!(cell.table(), "cells");
        assert_eq!((cell.partition("row_block"), cell.partition("block")), (Some(3), None));
        assert_eq!(file("a=1/x.parquet").table(), "a=1");
    }

    #[test]
    fn a_manifest_is_found_from_below() {
        let directory = Directory::new();
        let below = directory.path("s/cells/row_block=0/cells.parquet");
        write(&below, b"123");
        let files = [("cells/row_block=0/cells.parquet", 7)];
        write_manifest(&directory.root().join("s"), json!({ "stage": "count" }), &files);
        let stage = Stage::above(&below).unwrap();
        assert_eq!((stage.kind.as_str(), stage.rows(), stage.bytes()), ("count", 7, 3));
        assert!(stage.problems().is_empty());
        write(&below, b"1234");
        let problems = Stage::above(&below).unwrap().problems();
        assert_eq!(problems, ["cells/row_block=0/cells.parquet has 4 bytes instead of 3"]);
        assert!(Stage::read(directory.root()).unwrap().is_none());
    }

    #[test]
    fn a_broken_manifest_is_named() {
        let directory = Directory::new();
        for text in ["{", "{}", r#"{"stage":"x"}"#, r#"{"stage":"x","files":[{"path":"a"}]}"#] {
            write(&directory.path("manifest.json"), text.as_bytes());
            let error = Stage::read(directory.root()).unwrap_err().to_string();
            assert!(error.contains("manifest.json"), "{error}");
        }
    }
}
