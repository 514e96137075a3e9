//! How word ids are dealt out to the blocks of a grid: id `i` belongs to block `i mod blocks`.
//!
//! Ids are frequency ranks, so every block gets its share of frequent and of rare words, and blocks
//! hold about the same number of tokens and of cells.

use crate::WordId;

/// `words` ids dealt out to `blocks` blocks.
///
/// A *slot* numbers the words block by block: block 0's words first, in id order, then block 1's.
/// Slots of one block are contiguous (some at the end of a block may be unused).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLayout {
    words: u32,
    blocks: u32,
    stride: u32,
}

/// The largest number of blocks that is chosen on its own.
const MAX_AUTOMATIC_BLOCKS: u32 = 64;
/// Words in a block below which fewer blocks are chosen: blocks this small already fit a cache.
const WORDS_PER_BLOCK: u32 = 4096;

impl BlockLayout {
    /// Lays `words` ids out in `blocks` blocks (at least one).
    pub fn new(words: usize, blocks: u32) -> BlockLayout {
        let words = u32::try_from(words).expect("a vocabulary holds fewer than 2^32 words");
        let blocks = blocks.max(1);
        BlockLayout { words, blocks, stride: words.div_ceil(blocks).max(1) }
    }

    /// The number of blocks for a vocabulary of this size: a power of two from 1 to 64, with 8
    /// from a thousand words on, so that eight workers always find work.
    pub fn automatic_blocks(words: usize) -> u32 {
        let words = u32::try_from(words).unwrap_or(u32::MAX);
        let wanted = words.div_ceil(WORDS_PER_BLOCK).next_power_of_two();
        let least = if words < 1000 { 1 } else { 8 };
        wanted.clamp(least, MAX_AUTOMATIC_BLOCKS)
    }

    /// The number of words.
    pub fn words(&self) -> usize {
        self.words as usize
    }

    /// The number of blocks.
    pub fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Slots in a block, used or not.
    pub fn stride(&self) -> u32 {
        self.stride
    }

    /// The number of slots, used or not: `blocks × stride`.
    pub fn slots(&self) -> usize {
        self.blocks as usize * self.stride as usize
    }

    /// The block of an id.
    pub fn block(&self, id: WordId) -> u32 {
        id % self.blocks
    }

    /// The place of an id within its block.
    pub fn index(&self, id: WordId) -> u32 {
        id / self.blocks
    }

    /// The id at place `index` of `block`; may lie past the vocabulary for the last place.
    pub fn id(&self, block: u32, index: u32) -> WordId {
        index * self.blocks + block
    }

    /// The slot of an id.
    pub fn slot(&self, id: WordId) -> u32 {
        self.block(id) * self.stride + self.index(id)
    }

    /// The id in a slot; may lie past the vocabulary for an unused slot.
    pub fn id_in_slot(&self, slot: u32) -> WordId {
        self.id(slot / self.stride, slot % self.stride)
    }

    /// The number of words in `block`.
    pub fn block_words(&self, block: u32) -> u32 {
        if block >= self.words { 0 } else { (self.words - block).div_ceil(self.blocks) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_a_permutation() {
        for words in [1usize, 2, 7, 8, 9, 100, 101] {
            for blocks in [1, 2, 3, 8, 16] {
                let layout = BlockLayout::new(words, blocks);
                let mut seen = vec![false; layout.slots()];
                for id in 0..words as u32 {
                    let slot = layout.slot(id);
                    assert!(!seen[slot as usize], "slot {slot} twice");
                    seen[slot as usize] = true;
                    assert_eq!(layout.id_in_slot(slot), id);
                    assert!(layout.index(id) < layout.block_words(layout.block(id)));
                }
                let total: u32 = (0..blocks).map(|b| layout.block_words(b)).sum();
                assert_eq!(total as usize, words);
            }
        }
    }

    #[test]
    fn automatic_blocks_grow_with_the_vocabulary() {
        let chosen: Vec<u32> =
            [5, 999, 1000, 52_014, 400_000, 3_000_000].map(BlockLayout::automatic_blocks).to_vec();
        assert_eq!(chosen, [1, 1, 8, 16, 64, 64]);
    }
}
