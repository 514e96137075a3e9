//! Token shards of a finished stage, for the stages that read them.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use lexmill_store::table::tokens::{Tokens, write_token_shard};
use lexmill_store::table::vocabulary::write_words;
use lexmill_store::{Error, FileEntry, Manifest, Result, StageWriter, UnitRecord};
use lexmill_vocab::Interner;
use serde_json::{Value, json};

use crate::tokenize::{KIND, SHARDS, WORDS};

/// The kinds of stages that hold token shards: what one makes, later stages take from any of them.
pub const TOKEN_STAGES: &[&str] = &[KIND, "deduplicate", "phrases"];

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
    let counted: HashSet<&str> = manifest.entries(WORDS).map(|file| file.path.as_str()).collect();
    let shards = manifest
        .entries(SHARDS)
        .map(|shard| {
            let name = Path::new(&shard.path).file_stem().unwrap_or_default().to_string_lossy();
            let words = shard_file(WORDS, &name);
            if !counted.contains(words.as_str()) {
                let problem = format!("its manifest has no {words:?}");
                return Err(Error::corrupt(directory, problem));
            }
            let report = manifest.units.get(&shard_unit(&name)).unwrap_or(&Value::Null);
            let number = |field: &str| {
                report[field].as_u64().ok_or_else(|| {
                    Error::corrupt(directory, format!("its manifest does not know {name:?}"))
                })
            };
            Ok(Shard {
                path: directory.join(&shard.path),
                hash: shard.blake3.clone(),
                words: directory.join(&words),
                tokens: number("tokens")?,
                documents: number("documents")?,
                continued: number("documents_continued")? > 0,
                name: name.into_owned(),
            })
        })
        .collect::<Result<_>>()?;
    Ok((manifest, shards))
}

/// Writes the two tables of shard `name`: its tokens, which are ids of `words`, and its words with their
/// counts, sorted by bytes.
///
/// # Errors
/// If the disk refuses.
pub fn write_shard(
    stage: &StageWriter,
    name: &str,
    words: &Interner,
    tokens: &Tokens,
) -> Result<Vec<FileEntry>> {
    let mut counts = vec![0u64; words.len()];
    tokens.ids.iter().for_each(|&id| counts[id as usize] += 1);
    // By the first eight bytes, which tell most words apart.
    let start = |id: u32| {
        let bytes = words.bytes(id);
        let mut start = [0; 8];
        start[..bytes.len().min(8)].copy_from_slice(&bytes[..bytes.len().min(8)]);
        u64::from_be_bytes(start)
    };
    let mut order: Vec<(u64, u32)> = (0..words.len() as u32).map(|id| (start(id), id)).collect();
    order.sort_unstable_by(|&(a_start, a), &(b_start, b)| {
        a_start.cmp(&b_start).then_with(|| words.bytes(a).cmp(words.bytes(b)))
    });
    let sorted = order.iter().map(|&(_, id)| (words.word(id), counts[id as usize]));
    let file = shard_file(WORDS, name);
    let counted = write_words(&stage.path(&file), &file, sorted)?;
    let file = shard_file(SHARDS, name);
    let metadata = json!({ "tokens": tokens.ids.len() });
    let shard = write_token_shard(&stage.path(&file), &file, words, tokens, &metadata)?;
    Ok(vec![shard, counted])
}

/// As many threads as have room for the largest shard each, at so many bytes for a token; one at least.
pub fn threads_with_room(
    shards: &[Shard],
    token_bytes: u64,
    data_bytes: u64,
    threads: usize,
) -> usize {
    let largest = shards.iter().map(|shard| shard.tokens).max().unwrap_or(0).max(1);
    (data_bytes / (largest * token_bytes)).clamp(1, threads.max(1) as u64) as usize
}

/// The files and units of a stage whose shards have these records, in the order of manifests: all
/// tables of tokens, then all tables of words.
pub fn files_and_units(records: Vec<UnitRecord>) -> (Vec<FileEntry>, BTreeMap<String, Value>) {
    let mut units = BTreeMap::new();
    let (mut files, mut words) = (Vec::new(), Vec::new());
    for record in records {
        let mut made = record.files.into_iter();
        files.extend(made.next());
        words.extend(made.next());
        units.insert(record.unit, record.report);
    }
    files.append(&mut words);
    (files, units)
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
