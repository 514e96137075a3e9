//! Token shards to an array of slots in memory.

use std::path::{Path, PathBuf};

use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_vocab::{BlockLayout, Vocabulary};

use crate::Result;
use crate::settings::Unknown;

/// Marks the end of a document.
pub(crate) const END: u32 = u32::MAX;
const UNKNOWN: u32 = u32::MAX;

/// Tokens of consecutive shards.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// Slots of the words, [`END`] between documents, and `layout.slots()` for a word outside the
    /// vocabulary that keeps its place.
    pub(crate) slots: Vec<u32>,
    /// The first `lead` tokens were counted before; only their pairs with later ones count here.
    pub(crate) lead: usize,
}

/// How words become slots.
#[derive(Clone, Copy)]
pub(crate) struct Slots<'a> {
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) layout: BlockLayout,
    pub(crate) unknown: Unknown,
}

impl Slots<'_> {
    fn read(&self, path: &Path) -> Result<Tokens> {
        let mut tokens = Tokens::default();
        let lookup =
            |word: &str| self.vocabulary.id(word).map_or(UNKNOWN, |id| self.layout.slot(id));
        read_token_shard(path, lookup, &mut tokens)?;
        Ok(tokens)
    }

    /// Appends a document's tokens, or those of a part of it.
    pub(crate) fn append(&self, tokens: &[u32], slots: &mut Vec<u32>) {
        match self.unknown {
            Unknown::Skip => slots.extend(tokens.iter().filter(|&&slot| slot != UNKNOWN)),
            Unknown::Gap => {
                let gap = self.layout.slots() as u32;
                slots.extend(tokens.iter().map(|&slot| if slot == UNKNOWN { gap } else { slot }));
            }
        }
    }

    /// Reads the shards `range` of `paths`, `threads` at a time, into `room` tokens and marks. If the first begins within a
    /// document, its last `window` tokens before that are put in front.
    pub(crate) fn load(
        &self,
        paths: &[PathBuf],
        range: std::ops::Range<usize>,
        room: usize,
        window: usize,
        threads: usize,
    ) -> Result<Text> {
        // Room for all at once: growing would need twice the memory for a moment.
        let mut text = Text { slots: Vec::with_capacity(room + window), lead: 0 };
        let mut first = true;
        for batch in paths[range.clone()].chunks(threads.max(1)) {
            let shards = std::thread::scope(|scope| {
                let workers: Vec<_> =
                    batch.iter().map(|path| scope.spawn(move || self.documents(path))).collect();
                workers
                    .into_iter()
                    .map(|worker| worker.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
                    .collect::<Result<Vec<Vec<u32>>>>()
            })?;
            for shard in shards {
                // What does not start with a document goes on with one.
                if let Some(&slot) = shard.first()
                    && std::mem::take(&mut first)
                    && slot != END
                {
                    text.slots.append(&mut self.tail(paths, range.start, window)?);
                    text.lead = text.slots.len();
                }
                text.slots.extend_from_slice(&shard);
            }
        }
        Ok(text)
    }

    /// The slots of a shard, with [`END`] before each document that begins in it.
    fn documents(&self, path: &Path) -> Result<Vec<u32>> {
        let shard = self.read(path)?;
        let mut slots = Vec::with_capacity(shard.ids.len() + shard.parts.len());
        for (part, tokens) in shard.rows() {
            if part == 0 {
                slots.push(END);
            }
            self.append(tokens, &mut slots);
        }
        Ok(slots)
    }

    /// The last `window` tokens of the document that goes on in shard `next`.
    fn tail(&self, paths: &[PathBuf], next: usize, window: usize) -> Result<Vec<u32>> {
        let mut tail = Vec::new();
        for path in paths[..next].iter().rev() {
            let shard = self.read(path)?;
            let Some((part, tokens)) = shard.rows().last() else { continue };
            let mut slots = Vec::new();
            self.append(tokens, &mut slots);
            slots.append(&mut tail);
            tail = slots;
            if part == 0 || tail.len() >= window {
                break;
            }
        }
        tail.drain(..tail.len().saturating_sub(window));
        Ok(tail)
    }
}
