//! Joining phrases in token shards.
//!
//! Greedy, from left to right: where two words that stand side by side make a phrase, they are joined,
//! and the next pair begins behind them. A shard's text alone does not say how its first token fares
//! if a document goes on from the shard before: whether that took it depends on the tokens back to
//! the last pair that is no phrase. This is settled beforehand, for the few shards where the two
//! words at the border make a phrase. A phrase across a border stands in the first of the two shards.

use std::collections::BTreeMap;
use std::path::Path;

use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::table::{Column, TableReader, write_table};
use lexmill_store::{StageWriter, UnitRecord};
use lexmill_tokenize::shards::{Shard, shard_file, shard_unit, write_shard};
use lexmill_vocab::{Interner, Vocabulary};
use serde_json::{Value, json};

use crate::Result;
use crate::pairs::{Link, NONE, PairMap, pair};

/// A pair that is joined.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phrase {
    pub(crate) first: String,
    pub(crate) second: String,
    /// The two in one.
    pub(crate) joined: String,
    pub(crate) count: u64,
    pub(crate) score: f64,
}

/// All pairs that are joined.
#[derive(Debug)]
pub(crate) struct Phrases {
    pub(crate) list: Vec<Phrase>,
    /// Their words.
    words: Interner,
    /// Places in `list` by pairs of ids of `words`.
    places: PairMap<u32>,
}

impl Phrases {
    pub(crate) fn new(list: Vec<Phrase>) -> Phrases {
        let (mut words, mut places) = (Interner::new(), PairMap::default());
        for (place, phrase) in (0..).zip(&list) {
            let (first, second) = (words.intern(&phrase.first), words.intern(&phrase.second));
            places.insert(pair(first, second), place);
        }
        Phrases { list, words, places }
    }

    fn place(&self, first: u32, second: u32) -> Option<u32> {
        match first == NONE || second == NONE {
            true => None,
            false => self.places.get(&pair(first, second)).copied(),
        }
    }

    /// The phrase that these two words make.
    fn of(&self, first: &str, second: &str) -> Option<u32> {
        self.place(self.words.get(first)?, self.words.get(second)?)
    }
}

/// What a shard has to know of those beside it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Borders {
    /// Shards whose first token was joined to the one before it.
    taken: BTreeMap<usize, bool>,
    /// The phrase that a shard's last word makes with the word after it.
    ahead: BTreeMap<usize, u32>,
}

/// A piece of the joined text.
enum Piece {
    /// The token at this place of its row.
    Token(usize),
    /// A phrase.
    Phrase(u32),
}

/// Goes through a row from `start`; returns whether its last token is left over, and so may begin
/// a phrase with the token after it. `ids` are ids of the phrases' words.
fn scan(phrases: &Phrases, ids: &[u32], start: usize, mut piece: impl FnMut(Piece)) -> bool {
    let mut i = start;
    while i + 1 < ids.len() {
        match phrases.place(ids[i], ids[i + 1]) {
            Some(phrase) => {
                piece(Piece::Phrase(phrase));
                i += 2;
            }
            None => {
                piece(Piece::Token(i));
                i += 1;
            }
        }
    }
    i < ids.len()
}

impl Borders {
    /// Finds out what happens at the borders of shards: reads those shards again whose last word
    /// makes a phrase with the next one. `words` are those that the links' ids mean.
    ///
    /// # Errors
    /// If a shard can't be read.
    pub(crate) fn find(
        phrases: &Phrases,
        links: &[Link],
        words: &Vocabulary,
        shards: &[Shard],
    ) -> Result<Borders> {
        let mut borders = Borders::default();
        let mut text = Tokens::default();
        // In the order of the corpus, so that a shard's own start is known before its end.
        for link in links {
            let phrase = phrases.of(words.word(link.first), words.word(link.second));
            let Some(phrase) = phrase else { continue };
            let look = |word: &str| phrases.words.get(word).unwrap_or(NONE);
            read_token_shard(&shards[link.before].path, look, &mut text)?;
            let taken = borders.taken(link.before);
            let last = text.rows().enumerate().last().is_some_and(|(row, (part, ids))| {
                let start = usize::from(taken && row == 0 && part > 0);
                scan(phrases, ids, start, |_| ())
            });
            borders.taken.insert(link.after, last);
            if last {
                borders.ahead.insert(link.before, phrase);
            }
        }
        Ok(borders)
    }

    fn taken(&self, shard: usize) -> bool {
        self.taken.get(&shard).copied().unwrap_or(false)
    }
}

const JOINED: &str = "joined";

/// Joins the phrases of one shard after another.
pub(crate) struct Joiner<'a> {
    phrases: &'a Phrases,
    borders: &'a Borders,
    /// The shard as it is, in ids of `words`.
    text: Tokens,
    words: Interner,
    /// For each of these words, its id among the phrases' words, and in `out_words` once it is there.
    known: Vec<u32>,
    placed: Vec<u32>,
    /// The same of a row.
    row: Vec<u32>,
    /// The shard joined.
    out: Tokens,
    out_words: Interner,
    /// By phrase: its id in `out_words`, and how often it was joined in this shard.
    phrase_ids: Vec<u32>,
    joined: Vec<u64>,
}

impl<'a> Joiner<'a> {
    /// Bytes of memory for a token: before and after, its row, and the tables being encoded.
    pub(crate) const TOKEN_BYTES: u64 = 32;

    pub(crate) fn new(phrases: &'a Phrases, borders: &'a Borders) -> Joiner<'a> {
        Joiner {
            phrases,
            borders,
            text: Tokens::default(),
            words: Interner::new(),
            known: Vec::new(),
            placed: Vec::new(),
            row: Vec::new(),
            out: Tokens::default(),
            out_words: Interner::new(),
            phrase_ids: Vec::new(),
            joined: Vec::new(),
        }
    }

    /// Writes shard `number` with its phrases joined, and notes that it is done.
    ///
    /// # Errors
    /// If it can't be read or written.
    pub(crate) fn shard(
        &mut self,
        stage: &StageWriter,
        number: usize,
        shard: &Shard,
    ) -> Result<UnitRecord> {
        self.read(&shard.path)?;
        self.join(number);
        let record = self.write(stage, shard)?;
        stage.record_soon(&record)?;
        Ok(record)
    }

    fn read(&mut self, path: &Path) -> Result<()> {
        self.words.clear();
        let words = &mut self.words;
        read_token_shard(path, |word| words.intern(word), &mut self.text)?;
        let known = self.words.words().map(|word| self.phrases.words.get(word).unwrap_or(NONE));
        self.known.clear();
        self.known.extend(known);
        Ok(())
    }

    fn join(&mut self, number: usize) {
        let phrases = self.phrases;
        self.out.clear();
        self.out_words.clear();
        self.placed.clear();
        self.placed.resize(self.words.len(), NONE);
        self.phrase_ids.clear();
        self.phrase_ids.resize(phrases.list.len(), NONE);
        self.joined.clear();
        self.joined.resize(phrases.list.len(), 0);
        let rows = self.text.parts.len();
        for (row, (part, tokens)) in self.text.rows().enumerate() {
            self.row.clear();
            self.row.extend(tokens.iter().map(|&id| self.known[id as usize]));
            let taken = row == 0 && part > 0 && self.borders.taken(number);
            let start = self.out.ids.len();
            let mut put = |piece: Piece| {
                let (id, word) = match piece {
                    Piece::Token(i) => {
                        let id = tokens[i];
                        (&mut self.placed[id as usize], self.words.word(id))
                    }
                    Piece::Phrase(phrase) => {
                        self.joined[phrase as usize] += 1;
                        let joined = phrases.list[phrase as usize].joined.as_str();
                        (&mut self.phrase_ids[phrase as usize], joined)
                    }
                };
                if *id == NONE {
                    *id = self.out_words.intern(word);
                }
                self.out.ids.push(*id);
            };
            if scan(phrases, &self.row, usize::from(taken), &mut put) {
                let ahead = self.borders.ahead.get(&number).filter(|_| row + 1 == rows);
                put(ahead.map_or(Piece::Token(tokens.len() - 1), |&phrase| Piece::Phrase(phrase)));
            }
            // As in `tokenize`: where a document begins is kept, an empty rest of one is not.
            if self.out.ids.len() > start || part == 0 {
                self.out.ends.push(self.out.ids.len());
                self.out.parts.push(part);
            }
        }
    }

    fn write(&self, stage: &StageWriter, shard: &Shard) -> Result<UnitRecord> {
        let mut files = write_shard(stage, &shard.name, &self.out_words, &self.out)?;
        let tokens = self.out.ids.len();
        let name = shard_file(JOINED, &shard.name);
        let found = || (0u32..).zip(&self.joined).filter(|(_, times)| **times > 0);
        let columns = vec![
            ("phrase", Column::u32(found().map(|(phrase, _)| phrase).collect())),
            ("joined", Column::u64(found().map(|(_, times)| *times).collect())),
        ];
        files.push(write_table(&stage.path(&name), &name, columns, &Value::Null)?);
        Ok(UnitRecord {
            unit: shard_unit(&shard.name),
            files,
            report: json!({
                "tokens": tokens,
                "documents": shard.documents,
                "documents_continued": u64::from(shard.continued),
                "joined": self.joined.iter().sum::<u64>(),
            }),
        })
    }
}

/// How often each phrase was joined in all shards.
///
/// # Errors
/// If a table can't be read.
pub(crate) fn times_joined(
    phrases: &Phrases,
    stage: &StageWriter,
    shards: &[Shard],
) -> Result<Vec<u64>> {
    let mut times = vec![0u64; phrases.list.len()];
    for shard in shards {
        let path = stage.path(&shard_file(JOINED, &shard.name));
        for batch in TableReader::open(&path, None, 1 << 13)? {
            let batch = batch?;
            for (&phrase, &joined) in batch.u32("phrase")?.iter().zip(batch.u64("joined")?) {
                let Some(sum) = times.get_mut(phrase as usize) else {
                    let problem = "it names a phrase that there is not";
                    return Err(lexmill_store::Error::corrupt(&path, problem).into());
                };
                *sum += joined;
            }
        }
    }
    Ok(times)
}
