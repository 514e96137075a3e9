//! Token shards to sketches of their documents: what tells which of them are the same.
//!
//! A shard's sketches are a file of their own, a unit of resume: a record for each document of
//! `min_tokens` or more that begins in the shard, in order. A record is the document's row in the shard
//! (u32), and 128 bits of BLAKE3 over its words, or its signature (u32 each), all little-endian. Words
//! count by their own hash, since ids differ from shard to shard.
//!
//! A document that goes on in later shards belongs to the one it begins in; whoever has that one reads
//! on. So those later shards are read twice, which are few unless documents are longer than shards.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::workers::share;
use lexmill_store::{AtomicFile, Error as StoreError, Progress, StageWriter, UnitRecord};
use lexmill_tokenize::shards::{Shard, threads_with_room};
use serde_json::Value;

use crate::Result;
use crate::minhash::MinHash;
use crate::settings::{DeduplicateSettings, Method};

/// Bytes of memory for a token: its id, while the list of these grows, and what is being decoded; twice,
/// as another shard may be open that its last document goes on in.
const TOKEN_BYTES: u64 = 32;

/// Words hashed in one go.
const BLOCK: usize = 512;

/// A shard's number in the corpus and a number in the shard, as one that sorts as documents stand.
pub(crate) fn place(shard: usize, number: u32) -> u64 {
    (shard as u64) << 32 | u64::from(number)
}

/// The shard and the number of a place.
pub(crate) fn split(place: u64) -> (usize, u32) {
    ((place >> 32) as usize, place as u32)
}

/// Bytes of a record.
pub(crate) fn width(settings: &DeduplicateSettings) -> usize {
    match settings.method {
        Method::Exact => 4 + 16,
        Method::Minhash => 4 + 4 * settings.permutations as usize,
    }
}

/// The folder of sketches below the stage directory.
pub(crate) const FOLDER: &str = "sketches";

fn sketch_file(name: &str) -> String {
    format!("{FOLDER}/{name}.bin")
}

/// The sketches of a shard.
#[derive(Debug, Clone)]
pub(crate) struct Sketches {
    path: PathBuf,
    /// Records.
    pub(crate) documents: u64,
}

impl Sketches {
    /// Calls `take` with each record of `width` bytes, and its number.
    ///
    /// # Errors
    /// If the file can't be read; those of `take`.
    pub(crate) fn for_each(
        &self,
        width: usize,
        mut take: impl FnMut(u32, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let file = File::open(&self.path).map_err(StoreError::io("open", &self.path))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut record = vec![0; width];
        for number in 0..self.documents as u32 {
            let read = reader.read_exact(&mut record);
            read.map_err(|e| StoreError::io("read", &self.path)(e))?;
            take(number, &record)?;
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Little-endian numbers of four bytes each.
pub(crate) fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes))
}

/// A shard in memory.
#[derive(Default)]
struct Text {
    tokens: Tokens,
    /// A hash of each word, by id.
    words: Vec<u128>,
}

impl Text {
    fn read(&mut self, path: &Path) -> Result<()> {
        let words = &mut self.words;
        words.clear();
        let id = |word: &str| {
            words.push(short(&blake3::hash(word.as_bytes())));
            words.len() as u32 - 1
        };
        read_token_shard(path, id, &mut self.tokens)?;
        Ok(())
    }

    /// The tokens of a document that goes on in this shard.
    fn head(&self) -> &[u32] {
        self.tokens.rows().next().filter(|(part, _)| *part > 0).map_or(&[], |(_, ids)| ids)
    }
}

/// Half of a hash.
fn short(hash: &blake3::Hash) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

/// Makes sketches of documents, one after the other.
struct Sketcher {
    kind: SketchKind,
    tokens: u64,
    record: Vec<u8>,
}

enum SketchKind {
    Exact(Box<blake3::Hasher>, Vec<u8>),
    Minhash(Box<MinHash>),
}

impl Sketcher {
    fn new(settings: &DeduplicateSettings) -> Sketcher {
        let kind = match settings.method {
            Method::Exact => SketchKind::Exact(Box::default(), Vec::with_capacity(BLOCK * 16)),
            Method::Minhash => {
                let minhash = MinHash::new(settings.shingle, settings.permutations);
                SketchKind::Minhash(Box::new(minhash))
            }
        };
        Sketcher { kind, tokens: 0, record: Vec::with_capacity(width(settings)) }
    }

    fn begin(&mut self) {
        self.tokens = 0;
        match &mut self.kind {
            SketchKind::Exact(hasher, _) => {
                hasher.reset();
            }
            SketchKind::Minhash(minhash) => minhash.begin(),
        }
    }

    /// Takes the document's next tokens, ids of `words`.
    fn add(&mut self, ids: &[u32], words: &[u128]) {
        self.tokens += ids.len() as u64;
        match &mut self.kind {
            SketchKind::Exact(hasher, bytes) => {
                for ids in ids.chunks(BLOCK) {
                    bytes.clear();
                    ids.iter().for_each(|&id| bytes.extend(words[id as usize].to_le_bytes()));
                    hasher.update(bytes);
                }
            }
            SketchKind::Minhash(minhash) => {
                ids.iter().for_each(|&id| minhash.push(words[id as usize] as u64));
            }
        }
    }

    /// Ends the document, which begins in `row`; returns its record.
    fn finish(&mut self, row: u32) -> &[u8] {
        let record = &mut self.record;
        record.clear();
        record.extend(row.to_le_bytes());
        match &mut self.kind {
            SketchKind::Exact(hasher, _) => record.extend(short(&hasher.finalize()).to_le_bytes()),
            SketchKind::Minhash(minhash) => {
                record.extend(minhash.finish().iter().flat_map(|number| number.to_le_bytes()));
            }
        }
        record
    }
}

/// Sketching under way.
pub(crate) struct Sketching<'a> {
    pub(crate) settings: &'a DeduplicateSettings,
    pub(crate) shards: &'a [Shard],
    pub(crate) stage: &'a StageWriter,
    pub(crate) threads: usize,
    pub(crate) data_bytes: u64,
    pub(crate) progress: &'a Progress,
}

impl Sketching<'_> {
    /// Makes the sketches of all shards that are not there yet; returns those of all, in order.
    ///
    /// # Errors
    /// If a shard can't be read or the disk refuses. Sketches done stay for the next process.
    pub(crate) fn sketch(&self) -> Result<Vec<Sketches>> {
        let tokens = |shard: &Shard| shard.tokens;
        self.progress.begin("tokens", self.shards.iter().map(tokens).sum());
        let threads = threads_with_room(self.shards, TOKEN_BYTES, self.data_bytes, self.threads);
        let made = share(threads, self.shards.len(), self.progress, |tasks| {
            let mut sketcher = Sketcher::new(self.settings);
            let (mut text, mut later) = (Text::default(), Text::default());
            let mut made = Vec::new();
            for number in tasks {
                let name = sketch_file(&self.shards[number].name);
                let documents = match self.stage.unit(&name) {
                    Some(done) => done.files.first().map_or(0, |file| file.rows),
                    None => self.shard(number, &name, &mut sketcher, &mut text, &mut later)?,
                };
                self.progress.advance(self.shards[number].tokens);
                made.push((number, Sketches { path: self.stage.path(&name), documents }));
            }
            Ok::<_, crate::Error>(made)
        })?;
        let mut made: Vec<(usize, Sketches)> = made.into_iter().flatten().collect();
        made.sort_unstable_by_key(|(number, _)| *number);
        Ok(made.into_iter().map(|(_, sketches)| sketches).collect())
    }

    /// Writes the sketches of one shard; returns how many there are.
    fn shard(
        &self,
        number: usize,
        name: &str,
        sketcher: &mut Sketcher,
        text: &mut Text,
        later: &mut Text,
    ) -> Result<u64> {
        let shard = &self.shards[number];
        let path = self.stage.path(name);
        let mut file = AtomicFile::create(&path)?;
        let mut documents = 0;
        if shard.documents > 0 {
            text.read(&shard.path)?;
            let rows = text.tokens.parts.len();
            for (row, (_, ids)) in
                text.tokens.rows().enumerate().filter(|(_, (part, _))| *part == 0)
            {
                sketcher.begin();
                sketcher.add(ids, &text.words);
                if row + 1 == rows && shard.continued {
                    self.read_on(number, sketcher, later)?;
                }
                if sketcher.tokens >= self.settings.min_tokens {
                    let write = file.write_all(sketcher.finish(row as u32));
                    write.map_err(|e| StoreError::io("write", &path)(e))?;
                    documents += 1;
                }
            }
        }
        let files = vec![file.commit(name, documents)?];
        self.stage.record_soon(&UnitRecord {
            unit: name.to_owned(),
            files,
            report: Value::Null,
        })?;
        Ok(documents)
    }

    /// Takes what a document has in the shards after `number`, in which it begins.
    fn read_on(&self, number: usize, sketcher: &mut Sketcher, later: &mut Text) -> Result<()> {
        for shard in &self.shards[number + 1..] {
            later.read(&shard.path)?;
            sketcher.add(later.head(), &later.words);
            if shard.documents > 0 || !shard.continued {
                break;
            }
        }
        Ok(())
    }
}
