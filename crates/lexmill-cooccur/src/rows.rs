//! Text in memory to rows of cells, a word at a time.
//!
//! The positions of each word are listed (a counting sort). A word's positions are walked, and each
//! neighbour's weight is added into a dense accumulator as long as the vocabulary, which stays in
//! cache; a bitmap of touched columns then gives the sorted row. It is Gustavson's row-wise sparse
//! product (ACM TOMS 4(3), 1978). Rows are independent of each other.

use lexmill_vocab::BlockLayout;

use crate::settings::Contexts;
use crate::text::{END, Text};
use crate::weights::Weights;

/// A row being summed: a sum for each slot, and which slots were touched.
pub(crate) struct Accumulator {
    sums: Vec<u64>,
    touched: Vec<u64>,
    slots: usize,
}

impl Accumulator {
    /// For this many slots, and one more that counts for nothing.
    pub(crate) fn new(slots: usize) -> Accumulator {
        let words = slots / 64 + 1;
        Accumulator { sums: vec![0; words * 64], touched: vec![0; words], slots }
    }

    /// Bytes of memory for this many slots.
    pub(crate) fn bytes(slots: usize) -> u64 {
        slots as u64 * 8 + slots as u64 / 8
    }

    /// Adds units to a slot (wrapping, so that they can be taken away again).
    #[inline(always)]
    pub(crate) fn add(&mut self, slot: u32, units: u64) {
        let slot = slot as usize;
        self.sums[slot] = self.sums[slot].wrapping_add(units);
        self.touched[slot / 64] |= 1 << (slot % 64);
    }

    /// Turns every sum into what takes it away.
    pub(crate) fn negate(&mut self) {
        for (word, &bits) in self.touched.iter().enumerate() {
            let mut left = bits;
            while left != 0 {
                let sum = &mut self.sums[word * 64 + left.trailing_zeros() as usize];
                *sum = sum.wrapping_neg();
                left &= left - 1;
            }
        }
    }

    /// The touched slots in order with their sums, where they are not 0; leaves the row empty.
    pub(crate) fn drain(&mut self, slots: &mut Vec<u32>, units: &mut Vec<u64>) {
        slots.clear();
        units.clear();
        for (word, bits) in self.touched.iter_mut().enumerate() {
            let mut left = std::mem::take(bits);
            while left != 0 {
                let slot = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let sum = std::mem::take(&mut self.sums[slot]);
                if sum != 0 && slot < self.slots {
                    slots.push(slot as u32);
                    units.push(sum);
                }
            }
        }
    }
}

/// Positions of the tokens of each row block, to be walked word by word.
pub(crate) struct Positions<'a> {
    text: &'a Text,
    layout: BlockLayout,
    contexts: Contexts,
    weights: &'a [u64],
    /// For consecutive stretches of the text, the positions of each block's tokens.
    stretches: Vec<Vec<Vec<u32>>>,
}

impl<'a> Positions<'a> {
    /// Bytes of memory for a token: its slot, its position, and its place in a sorted block.
    pub(crate) const BYTES_PER_TOKEN: u64 = 12;

    /// Lists the positions of `text`, which must have fewer than 2³² tokens.
    pub(crate) fn new(
        text: &'a Text,
        layout: BlockLayout,
        contexts: Contexts,
        weights: &'a Weights,
        threads: usize,
    ) -> Positions<'a> {
        assert!(u32::try_from(text.slots.len()).is_ok(), "a run has fewer than 2^32 tokens");
        let (stride, blocks) = (layout.stride(), layout.blocks() as usize);
        let length = text.slots.len().div_ceil(threads.max(1)).max(1);
        let list = |(number, slots): (usize, &[u32])| {
            let known = |slot: u32| (slot as usize) < layout.slots();
            let mut lengths = vec![0usize; blocks];
            for &slot in slots.iter().filter(|&&slot| known(slot)) {
                lengths[(slot / stride) as usize] += 1;
            }
            let mut lists: Vec<Vec<u32>> = lengths.into_iter().map(Vec::with_capacity).collect();
            for (position, &slot) in (number * length..).zip(slots) {
                if known(slot) {
                    lists[(slot / stride) as usize].push(position as u32);
                }
            }
            lists
        };
        let stretches = std::thread::scope(|scope| {
            let workers: Vec<_> = text
                .slots
                .chunks(length)
                .enumerate()
                .map(|stretch| scope.spawn(move || list(stretch)))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
                .collect()
        });
        Positions { text, layout, contexts, weights: weights.by_distance(), stretches }
    }

    /// Counts the rows of a block in order. For each word that occurs, `row` gets its slot, and its
    /// sums to drain.
    pub(crate) fn rows<E>(
        &self,
        block: u32,
        sums: &mut Accumulator,
        mut row: impl FnMut(u32, &mut Accumulator) -> Result<(), E>,
    ) -> Result<(), E> {
        let first_slot = block * self.layout.stride();
        let positions =
            || self.stretches.iter().flat_map(|blocks| &blocks[block as usize]).copied();
        let slots = &self.text.slots[..];
        let mut ends = vec![0u32; self.layout.stride() as usize + 1];
        for position in positions() {
            ends[(slots[position as usize] - first_slot) as usize + 1] += 1;
        }
        for i in 1..ends.len() {
            ends[i] += ends[i - 1];
        }
        // Each start moves to the word's end while its positions are put in place.
        let mut sorted = vec![0u32; positions().count()];
        for position in positions() {
            let end = &mut ends[(slots[position as usize] - first_slot) as usize];
            sorted[*end as usize] = position;
            *end += 1;
        }
        let mut start = 0;
        for index in 0..self.layout.stride() {
            let end = ends[index as usize] as usize;
            if start < end {
                self.neighbours(&sorted[start..end], sums);
                row(first_slot + index, sums)?;
            }
            start = end;
        }
        Ok(())
    }

    /// Adds the weights of all neighbours of the positions.
    fn neighbours(&self, positions: &[u32], sums: &mut Accumulator) {
        let slots = &self.text.slots[..];
        let window = self.weights.len();
        // A token that was counted before lacks only the contexts that are new.
        let new = self.text.lead;
        for batch in positions.chunks(AHEAD) {
            // A rare word's windows lie far apart, and each would be waited for on its own. These
            // loads do not depend on each other: the processor fetches many windows at once.
            let last = slots.len() - 1;
            let mut seen = 0;
            for &position in batch {
                let position = position as usize;
                seen ^=
                    slots[position.saturating_sub(window)] ^ slots[(position + window).min(last)];
            }
            std::hint::black_box(seen);
            for &position in batch {
                let position = position as usize;
                if self.contexts != Contexts::Right && position >= new {
                    let before = &slots[position.saturating_sub(window)..position];
                    for (&slot, &weight) in before.iter().rev().zip(self.weights) {
                        if slot == END {
                            break;
                        }
                        sums.add(slot, weight);
                    }
                }
                if self.contexts != Contexts::Left {
                    let skipped = new.saturating_sub(position + 1).min(window);
                    let from = (position + 1 + skipped).min(slots.len());
                    let after = &slots[from..(position + 1 + window).min(slots.len())];
                    for (&slot, &weight) in after.iter().zip(&self.weights[skipped..]) {
                        if slot == END {
                            break;
                        }
                        sums.add(slot, weight);
                    }
                }
            }
        }
    }
}

/// Windows that are fetched ahead of being counted.
const AHEAD: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drained_row_is_sorted_and_the_next_one_starts_empty() {
        let mut sums = Accumulator::new(130);
        for (slot, units) in [(129, 1), (0, 2), (64, 3), (129, 4), (63, 5), (130, 9)] {
            sums.add(slot, units);
        }
        sums.add(63, 5u64.wrapping_neg());
        let (mut slots, mut units) = (Vec::new(), Vec::new());
        sums.drain(&mut slots, &mut units);
        assert_eq!((&slots[..], &units[..]), (&[0, 64, 129][..], &[2, 3, 5][..]));
        sums.drain(&mut slots, &mut units);
        assert!(slots.is_empty());
    }
}
