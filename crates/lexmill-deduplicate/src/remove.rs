//! Shards without the documents that are dropped.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::workers::share;
use lexmill_store::{FileEntry, Manifest, Progress, StageWriter, UnitRecord};
use lexmill_tokenize::shards::{Shard, shard_file, shard_unit, threads_with_room, write_shard};
use lexmill_tokenize::tokenize::{SHARDS, WORDS};
use lexmill_vocab::Interner;
use serde_json::json;

use crate::duplicates::{Fate, Fates};
use crate::{Error, Result};

/// Bytes of memory for a token: before and after, and the tables being encoded.
const TOKEN_BYTES: u64 = 32;

/// Removing under way.
pub(crate) struct Removing<'a> {
    /// The stage that the tokens come from.
    pub(crate) input: &'a Path,
    pub(crate) manifest: &'a Manifest,
    pub(crate) shards: &'a [Shard],
    pub(crate) stage: &'a StageWriter,
    pub(crate) threads: usize,
    pub(crate) data_bytes: u64,
    pub(crate) progress: &'a Progress,
}

impl Removing<'_> {
    /// Writes the shards that are not there yet, by the table of duplicates; returns the records of
    /// all, in order.
    ///
    /// # Errors
    /// If a table can't be read or the disk refuses.
    pub(crate) fn remove(&self, table: &Path) -> Result<Vec<UnitRecord>> {
        let tokens = |shard: &Shard| shard.tokens;
        self.progress.begin("tokens", self.shards.iter().map(tokens).sum());
        let threads = threads_with_room(self.shards, TOKEN_BYTES, self.data_bytes, self.threads);
        let rows = self.manifest.entries(SHARDS).map(|file| file.rows as u32).collect();
        let fates = Mutex::new(Fates::open(table, self.shards, rows)?);
        let files: HashMap<&str, &FileEntry> =
            self.manifest.files.iter().map(|file| (file.path.as_str(), file)).collect();
        let made = share(threads, self.shards.len(), self.progress, |tasks| {
            let mut remover = Remover::default();
            let mut records = Vec::new();
            // A task is to take the next shard: the table is read in its order.
            for _ in tasks {
                let Some(fate) = fates.lock().expect("no holder panics").next(table)? else {
                    break;
                };
                let shard = &self.shards[fate.shard];
                let record = match self.stage.unit(&shard_unit(&shard.name)) {
                    Some(record) => record.clone(),
                    None => self.shard(&fate, &files, &mut remover)?,
                };
                self.progress.advance(shard.tokens);
                records.push((fate.shard, record));
            }
            Ok::<_, Error>(records)
        })?;
        let mut records: Vec<(usize, UnitRecord)> = made.into_iter().flatten().collect();
        records.sort_unstable_by_key(|(number, _)| *number);
        Ok(records.into_iter().map(|(_, record)| record).collect())
    }

    /// Makes one shard; takes it over as it is if it loses nothing.
    fn shard(
        &self,
        fate: &Fate,
        known: &HashMap<&str, &FileEntry>,
        remover: &mut Remover,
    ) -> Result<UnitRecord> {
        let shard = &self.shards[fate.shard];
        let names = [SHARDS, WORDS].map(|folder| shard_file(folder, &shard.name));
        let mut files: Vec<FileEntry> =
            names.iter().filter_map(|name| known.get(name.as_str()).copied().cloned()).collect();
        let mut tokens = shard.tokens;
        if fate.dropped.is_empty() {
            files.iter().try_for_each(|file| self.stage.adopt(self.input, file))?;
        } else {
            remover.remove(&shard.path, &fate.dropped)?;
            files = write_shard(self.stage, &shard.name, &remover.out_words, &remover.out)?;
            tokens = remover.out.ids.len() as u64;
        }
        let record = UnitRecord {
            unit: shard_unit(&shard.name),
            files,
            report: json!({
                "tokens": tokens,
                "documents": shard.documents - fate.duplicates,
                "documents_continued": u64::from(fate.continued),
                "duplicates": fate.duplicates,
            }),
        };
        self.stage.record_soon(&record)?;
        Ok(record)
    }
}

/// Takes rows out of one shard after another.
#[derive(Default)]
struct Remover {
    /// The shard as it is, in ids of `words`.
    text: Tokens,
    words: Interner,
    /// For each of these words, its id in `out_words` once it is there.
    placed: Vec<Option<u32>>,
    /// What is left.
    out: Tokens,
    out_words: Interner,
}

impl Remover {
    /// Reads a shard without the rows `dropped`, which are in order.
    fn remove(&mut self, path: &Path, dropped: &[u32]) -> Result<()> {
        let words = &mut self.words;
        words.clear();
        read_token_shard(path, |word| words.intern(word), &mut self.text)?;
        self.placed.clear();
        self.placed.resize(words.len(), None);
        self.out.clear();
        self.out_words.clear();
        let mut dropped = dropped.iter().peekable();
        for (row, (part, ids)) in (0u32..).zip(self.text.rows()) {
            if dropped.next_if_eq(&&row).is_some() {
                continue;
            }
            for &id in ids {
                let placed = &mut self.placed[id as usize];
                let place = || self.out_words.intern(words.word(id));
                self.out.ids.push(*placed.get_or_insert_with(place));
            }
            self.out.ends.push(self.out.ids.len());
            self.out.parts.push(part);
        }
        Ok(())
    }
}
