//! The Huffman tree of hierarchical softmax.
//!
//! Two words or nodes of the smallest counts are joined at a time, nodes before words where counts are
//! equal and of the words the last ranked first, as word2vec and fastText do it. Inner nodes are
//! numbered in the order in which they are made: the root is the last.

use lexmill_vocab::Vocabulary;

/// For each word the inner nodes from the root to it, with the way it goes at each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    starts: Vec<usize>,
    steps: Vec<PathStep>,
}

/// An inner node on the way to a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathStep(u32);

impl PathStep {
    pub(crate) fn node(self) -> u32 {
        self.0 >> 1
    }

    /// What is to be predicted at the node: 1 if the way goes to the child of the smaller count (in
    /// word2vec 1 minus the bit of the code).
    pub(crate) fn label(self) -> bool {
        self.0 & 1 == 1
    }
}

impl Tree {
    pub(crate) fn new(vocabulary: &Vocabulary) -> Tree {
        let words = vocabulary.len();
        // Ids are ranked by count, except those of reserved words.
        let mut ranked: Vec<u32> = (0..words as u32).collect();
        ranked.sort_by_key(|&id| (std::cmp::Reverse(vocabulary.count(id)), id));
        let inner = words.saturating_sub(1);
        // Places 0..words are the ranked words, those after them the inner nodes.
        let mut counts: Vec<u64> = ranked.iter().map(|&id| vocabulary.count(id)).collect();
        let mut parents = vec![(0u32, false); words + inner];
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
        }
        let mut place_of = vec![0; words];
        ranked.iter().enumerate().for_each(|(place, &id)| place_of[id as usize] = place);
        let mut tree = Tree { starts: vec![0], steps: Vec::new() };
        for place in place_of {
            let (first, mut place) = (tree.steps.len(), place);
            while inner > 0 && place != words + inner - 1 {
                let (node, label) = parents[place];
                tree.steps.push(PathStep(node << 1 | u32::from(label)));
                place = words + node as usize;
            }
            tree.steps[first..].reverse();
            tree.starts.push(tree.steps.len());
        }
        tree
    }

    /// The way from the root to a word.
    #[inline(always)]
    pub(crate) fn path(&self, id: u32) -> &[PathStep] {
        &self.steps[self.starts[id as usize]..self.starts[id as usize + 1]]
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> u64 {
        (self.starts.len() * 8 + self.steps.len() * 4) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_vocab::WordCount;

    fn tree(counts: &[u64]) -> Tree {
        let word = |(i, &count): (usize, &u64)| WordCount { word: format!("{i:03}"), count };
        let counted = counts.iter().enumerate().map(word).collect();
        Tree::new(&Vocabulary::ranked(counted, None, &[]))
    }

    fn path(tree: &Tree, id: u32) -> Vec<(u32, bool)> {
        tree.path(id).iter().map(|s| (s.node(), s.label())).collect()
    }

    #[test]
    fn small_trees_by_hand() {
        assert!(path(&tree(&[7]), 0).is_empty());
        assert_eq!(path(&tree(&[7, 2]), 1), [(0, true)]);
        assert_eq!(path(&tree(&[7, 2]), 0), [(0, false)]);
        // 1 + 2 = 3 (node 0), 3 + 3: the node comes first where a word counts the same.
        let tree = tree(&[3, 2, 1]);
        assert_eq!(path(&tree, 2), [(1, true), (0, true)]);
        assert_eq!(path(&tree, 1), [(1, true), (0, false)]);
        assert_eq!(path(&tree, 0), [(1, false)]);
    }

    #[test]
    fn codes_are_prefix_free_and_as_short_as_they_can_be() {
        let counts: Vec<u64> = (1..200u64).map(|i| 10_000 / i + i % 7).collect();
        let tree = tree(&counts);
        let mut sorted = counts.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let found: u64 = (0..).zip(&sorted).map(|(id, n)| n * tree.path(id).len() as u64).sum();
        // The cost of an optimal code is the sum of all merged weights.
        let mut heap: std::collections::BinaryHeap<_> =
            counts.iter().map(|&c| std::cmp::Reverse(c)).collect();
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
}
