//! The Huffman tree of hierarchical softmax.
//!
//! Two words or nodes of the smallest counts are joined at a time, nodes before words where counts are
//! equal and of the words the last ranked first, as word2vec and fastText do it. Inner nodes are
//! numbered in the order in which they are made: the root is the last.

use std::collections::BinaryHeap;

use lexmill_vocab::Vocabulary;

use super::matrix::Layout;
use crate::lanes::prefetch_line;

/// For each word the inner nodes from the root to it, with the way it goes at each.
///
/// Nodes lie in blocks so that a path lies in two of them at most: block 0 has the nodes at the top of
/// the tree, each of the others one or a few of the subtrees below, which are about equally often on
/// the way. What a path has in a block is a piece; words of a subtree share the piece above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    words: Vec<Way>,
    /// Where each piece starts in `steps`, and where the last ends. Pieces of a block stand together,
    /// those of frequent words first.
    starts: Vec<u32>,
    steps: Vec<PathStep>,
    layout: Layout,
}

/// The way to a word: its pieces in block 0 and in another, as far as there are any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Way {
    top: Option<u32>,
    below: Option<u32>,
    block: u32,
}

/// The pieces of one block while they are found.
#[derive(Debug, Clone, Default)]
struct Pieces {
    ends: Vec<u32>,
    steps: Vec<PathStep>,
}

impl Pieces {
    /// Adds a piece, the node nearest to the word first; returns its number.
    fn add(&mut self, upwards: &[PathStep]) -> u32 {
        self.steps.extend(upwards.iter().rev());
        self.ends.push(self.steps.len() as u32);
        self.ends.len() as u32 - 1
    }
}

/// An inner node on the way to a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathStep(u32);

impl PathStep {
    /// The place of the node's row in its block.
    #[inline(always)]
    pub(crate) fn place(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// What is to be predicted at the node: 1 if the way goes to the child of the smaller count (in
    /// word2vec 1 minus the bit of the code).
    #[inline(always)]
    pub(crate) fn label(self) -> f32 {
        (self.0 & 1) as f32
    }
}

impl Tree {
    /// The tree of a vocabulary, its nodes in `blocks` blocks. `uses` says how often each word is
    /// predicted, about: blocks are balanced by that.
    pub(crate) fn new(vocabulary: &Vocabulary, uses: &[u64], blocks: u32) -> Tree {
        let words = vocabulary.len();
        // Ids are ranked by count, except those of reserved words.
        let mut ranked: Vec<u32> = (0..words as u32).collect();
        ranked.sort_by_key(|&id| (std::cmp::Reverse(vocabulary.count(id)), id));
        let inner = words.saturating_sub(1);
        // Places 0..words are the ranked words, those after them the inner nodes.
        let mut counts: Vec<u64> = ranked.iter().map(|&id| vocabulary.count(id)).collect();
        let mut parents = vec![(0u32, false); words + inner];
        let mut children = Vec::with_capacity(inner);
        let (mut next_word, mut next_node) = (words, 0);
        for node in 0..inner {
            let mut smallest = || {
                let word = next_word.checked_sub(1).map(|w| counts[w]);
                let inner = counts.get(words + next_node).filter(|_| next_node < node);
                match (word, inner) {
                    (Some(word), Some(&inner)) if word >= inner => {
                        next_node += 1;
                        words + next_node - 1
                    }
                    (None, _) => {
                        next_node += 1;
                        words + next_node - 1
                    }
                    _ => {
                        next_word -= 1;
                        next_word
                    }
                }
            };
            let (first, second) = (smallest(), smallest());
            counts.push(counts[first].saturating_add(counts[second]));
            parents[first] = (node as u32, true);
            parents[second] = (node as u32, false);
            children.push([first, second]);
        }
        // How often each place is on the way, by the same sums.
        let mut weights: Vec<u64> = ranked.iter().map(|&id| uses[id as usize]).collect();
        weights.resize(words + inner, 0);
        for place in 0..(words + inner).saturating_sub(1) {
            let parent = words + parents[place].0 as usize;
            weights[parent] = weights[parent].saturating_add(weights[place]);
        }
        let layout = lay_out(&parents, &children, &weights, blocks.max(1));
        let Layout::Placed { places, .. } = &layout else { unreachable!("nodes are placed") };
        // The piece above a subtree, or a word, is known by its last node and the way it goes there.
        let mut tops = std::collections::HashMap::new();
        let mut pieces = vec![Pieces::default(); blocks.max(1) as usize];
        let mut ways = vec![Way::default(); words];
        let (mut top, mut below) = (Vec::new(), Vec::new());
        for (place, &id) in ranked.iter().enumerate() {
            let (mut last, mut place, way) = (None, place, &mut ways[id as usize]);
            top.clear();
            below.clear();
            while inner > 0 && place != words + inner - 1 {
                let (node, label) = parents[place];
                let (block, at) = places[node as usize];
                let step = PathStep(at << 1 | u32::from(label));
                if block == 0 {
                    last.get_or_insert((node, label));
                    top.push(step);
                } else {
                    way.block = block;
                    below.push(step);
                }
                place = words + node as usize;
            }
            if let Some(last) = last {
                way.top = Some(*tops.entry(last).or_insert_with(|| pieces[0].add(&top)));
            }
            if !below.is_empty() {
                way.below = Some(pieces[way.block as usize].add(&below));
            }
        }
        // All pieces, block after block.
        let (mut starts, mut steps) = (vec![0], Vec::new());
        let mut firsts = Vec::new();
        for pieces in pieces {
            let all = u32::try_from(steps.len()).expect("paths hold fewer than 2^32 nodes");
            firsts.push(starts.len() as u32 - 1);
            starts.extend(pieces.ends.iter().map(|end| all + end));
            steps.extend(pieces.steps);
        }
        for way in &mut ways {
            way.below = way.below.map(|piece| piece + firsts[way.block as usize]);
        }
        Tree { words: ways, starts, steps, layout }
    }

    /// Where the rows of the nodes lie.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The most steps of a piece.
    pub(crate) fn longest(&self) -> usize {
        self.starts.windows(2).map(|piece| piece[1] - piece[0]).max().unwrap_or(0) as usize
    }

    /// The pieces of the way to a word, each with its block.
    #[inline(always)]
    pub(crate) fn pieces_of(&self, id: u32) -> impl Iterator<Item = (u32, u32)> {
        let Way { top, below, block } = self.words[id as usize];
        top.map(|top| (0, top)).into_iter().chain(below.map(|below| (block, below)))
    }

    /// The nodes of a piece, from the root on.
    #[inline(always)]
    pub(crate) fn piece(&self, piece: u32) -> &[PathStep] {
        let (start, end) = (self.starts[piece as usize], self.starts[piece as usize + 1]);
        &self.steps[start as usize..end as usize]
    }

    /// Asks the processor for a piece, see [`prefetch_line`].
    #[inline(always)]
    pub(crate) fn prefetch(&self, piece: u32) {
        if let Some(first) = self.steps.get(self.starts[piece as usize] as usize) {
            prefetch_line(first);
        }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> u64 {
        (self.words.len() * size_of::<Way>()
            + (self.starts.len() + self.steps.len()) * 4
            + self.layout.rows() * 8) as u64
    }
}

/// Deals the nodes out to blocks. Places below `weights.len() - children.len()` are words, those after
/// them nodes, each after its children.
fn lay_out(
    parents: &[(u32, bool)],
    children: &[[usize; 2]],
    weights: &[u64],
    blocks: u32,
) -> Layout {
    let inner = children.len();
    let words = weights.len() - inner;
    // The subtree most often on the way gives its root to the top, until there are enough.
    let mut subtrees = BinaryHeap::new();
    if blocks > 1 && inner > 0 {
        subtrees.push((weights[words + inner - 1], inner - 1));
    }
    while subtrees.len() < blocks as usize
        && let Some((_, root)) = subtrees.pop()
    {
        let nodes = children[root].iter().filter(|&&place| place >= words);
        subtrees.extend(nodes.map(|&place| (weights[place], place - words)));
    }
    // Each goes, the heaviest first, to the block that has least.
    let mut places = vec![(0u32, 0u32); inner];
    let mut loads = vec![0u64; blocks as usize];
    for (weight, root) in subtrees.into_sorted_vec().into_iter().rev() {
        let block = (1..blocks).min_by_key(|&block| (loads[block as usize], block)).unwrap_or(0);
        loads[block as usize] = loads[block as usize].saturating_add(weight);
        places[root].0 = block;
    }
    // What lies below goes with it. The first of a block are those nearest to the root.
    let mut sizes = vec![0u32; blocks as usize];
    for node in (0..inner).rev() {
        if places[node].0 == 0 && node + 1 < inner {
            places[node].0 = places[parents[words + node].0 as usize].0;
        }
        let size = &mut sizes[places[node].0 as usize];
        places[node].1 = *size;
        *size += 1;
    }
    Layout::Placed { places: places.into(), sizes: sizes.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_vocab::WordCount;

    fn vocabulary(counts: &[u64]) -> Vocabulary {
        let word = |(i, &count): (usize, &u64)| WordCount { word: format!("{i:03}"), count };
        Vocabulary::ranked(counts.iter().enumerate().map(word).collect(), None, &[])
    }

    fn tree(counts: &[u64], blocks: u32) -> Tree {
        let vocabulary = vocabulary(counts);
        Tree::new(&vocabulary, vocabulary.counts(), blocks)
    }

    /// Nodes and labels from the root on.
    fn path(tree: &Tree, id: u32) -> Vec<(u32, bool)> {
        let Layout::Placed { places, .. } = tree.layout() else { panic!("nodes are placed") };
        let node = |at| places.iter().position(|&place| place == at).unwrap() as u32;
        tree.pieces_of(id)
            .flat_map(|(block, piece)| tree.piece(piece).iter().map(move |&step| (block, step)))
            .map(|(block, step)| (node((block, step.place() as u32)), step.label() == 1.0))
            .collect()
    }

    #[test]
    fn small_trees_by_hand() {
        assert!(path(&tree(&[7], 1), 0).is_empty());
        assert_eq!(path(&tree(&[7, 2], 4), 1), [(0, true)]);
        assert_eq!(path(&tree(&[7, 2], 4), 0), [(0, false)]);
        // 1 + 2 = 3 (node 0), 3 + 3: the node comes first where a word counts the same.
        let tree = tree(&[3, 2, 1], 2);
        assert_eq!(path(&tree, 2), [(1, true), (0, true)]);
        assert_eq!(path(&tree, 1), [(1, true), (0, false)]);
        assert_eq!(path(&tree, 0), [(1, false)]);
    }

    #[test]
    fn codes_are_prefix_free_and_as_short_as_they_can_be() {
        let counts: Vec<u64> = (1..200u64).map(|i| 10_000 / i + i % 7).collect();
        let tree = tree(&counts, 1);
        let mut sorted = counts.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let found: u64 = (0..).zip(&sorted).map(|(id, n)| n * path(&tree, id).len() as u64).sum();
        // The cost of an optimal code is the sum of all merged weights.
        let mut heap: BinaryHeap<_> = counts.iter().map(|&c| std::cmp::Reverse(c)).collect();
        let mut best = 0;
        while heap.len() > 1 {
            let sum = heap.pop().unwrap().0 + heap.pop().unwrap().0;
            best += sum;
            heap.push(std::cmp::Reverse(sum));
        }
        assert_eq!(found, best);
        let code = |id| path(&tree, id).iter().map(|s| s.1).collect::<Vec<bool>>();
        let codes: std::collections::BTreeSet<Vec<bool>> = (0..199).map(code).collect();
        assert_eq!(codes.len(), 199);
        let list: Vec<_> = codes.iter().collect();
        assert!(list.windows(2).all(|pair| !pair[1].starts_with(pair[0])));
    }

    #[test]
    fn paths_are_the_same_in_any_blocks() {
        let counts: Vec<u64> = (1..300u64).map(|i| 20_000 / i + 1).collect();
        let whole = tree(&counts, 1);
        for blocks in [2, 3, 8, 64, 512] {
            let tree = tree(&counts, blocks);
            let mut uses = vec![0; blocks as usize];
            for id in 0..counts.len() as u32 {
                assert_eq!(path(&tree, id), path(&whole, id));
                for (block, piece) in tree.pieces_of(id) {
                    assert!(!tree.piece(piece).is_empty());
                    uses[block as usize] += counts[id as usize];
                }
            }
            // Blocks but the first are about equally much on the way.
            if blocks == 8 {
                let below = &uses[1..];
                let (least, most) = (below.iter().min().unwrap(), below.iter().max().unwrap());
                assert!(most < &(3 * least), "{uses:?}");
            }
        }
    }
}
