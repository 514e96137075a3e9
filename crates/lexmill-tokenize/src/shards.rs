//! Token shards of a finished stage, for the stages that read them.

use std::path::{Path, PathBuf};

use lexmill_store::{Error, Manifest, Result};
use serde_json::{Value, json};

use crate::tokenize::{KIND, SHARDS, WORDS};

/// The kinds of stages that hold token shards: what one makes, later stages take from any of them.
pub const TOKEN_STAGES: &[&str] = &[KIND, "phrases"];

/// A token shard of a corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its name, without folder and ending.
    pub name: String,
    /// Its table of tokens.
    pub path: PathBuf,
    /// BLAKE3 of that file.
    pub hash: String,
    /// Its table of words with their counts.
    pub words: PathBuf,
    /// Tokens in it.
    pub tokens: u64,
    /// Documents that begin in it.
    pub documents: u64,
    /// Whether its last document goes on in the next shard.
    pub continued: bool,
}

/// The file of shard `name` in one of the folders [`SHARDS`] and [`WORDS`].
pub fn shard_file(folder: &str, name: &str) -> String {
    format!("{folder}/{name}.parquet")
}

/// The unit of shard `name` in journals and manifests. Its report has at least `tokens`, `documents`
/// and `documents_continued`.
pub fn shard_unit(name: &str) -> String {
    format!("shard {name}")
}

/// The token shards in the directory of a finished stage, in the order of the corpus, and the stage's
/// manifest.
///
/// # Errors
/// If it is no finished stage of [`TOKEN_STAGES`], or its manifest does not know a shard.
pub fn token_shards(directory: &Path) -> Result<(Manifest, Vec<Shard>)> {
    let manifest = Manifest::expect(directory, TOKEN_STAGES)?;
    let shards = manifest.entries(SHARDS).zip(manifest.entries(WORDS));
    let shards = shards
        .map(|(shard, words)| {
            let name = Path::new(&shard.path).file_stem().unwrap_or_default().to_string_lossy();
            let report = manifest.units.get(&shard_unit(&name)).unwrap_or(&Value::Null);
            let number = |field: &str| {
                report[field].as_u64().ok_or_else(|| {
                    Error::corrupt(directory, format!("its manifest does not know {name:?}"))
                })
            };
            Ok(Shard {
                path: directory.join(&shard.path),
                hash: shard.blake3.clone(),
                words: directory.join(&words.path),
                tokens: number("tokens")?,
                documents: number("documents")?,
                continued: number("documents_continued")? > 0,
                name: name.into_owned(),
            })
        })
        .collect::<Result<_>>()?;
    Ok((manifest, shards))
}

/// How the tokens of a stage came about, for tables made of them: its key, and under `made_from`
/// that of the stage before it, if it was made of other tokens.
pub fn provenance(manifest: &Manifest) -> Value {
    let mut value = json!(manifest.key);
    if let Some(before) = manifest.report.get("made_from") {
        value["made_from"] = before.clone();
    }
    value
}
