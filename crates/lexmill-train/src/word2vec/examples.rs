//! Kept tokens to training examples: an input word and what it has to predict.

use std::ops::Range;

use lexmill_vocab::{BlockLayout, Random};

use super::huffman::Tree;
use super::step::{Pair, Scratch, Step, paths, targets};
use super::stream;
use super::text::{START, contexts};
use crate::lanes::Lanes;

/// Kept tokens whose windows one worker cuts at a time.
pub(crate) const CUT_TOKENS: usize = 1 << 15;

/// How windows are cut.
#[derive(Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) window: u32,
    pub(crate) shrink: bool,
    pub(crate) seed: u64,
}

impl Windows {
    /// How far each center of `centers` reaches.
    pub(crate) fn reaches(&self, centers: &Range<usize>, name: [u64; 2]) -> Vec<u16> {
        if !self.shrink {
            return vec![self.window as u16; centers.len()];
        }
        let [epoch, portion] = name;
        let name = [self.seed, stream::WINDOWS, epoch, portion, centers.start as u64];
        let mut random = Random::named(&name);
        centers.clone().map(|_| random.below(self.window) as u16 + 1).collect()
    }
}

/// What a word is predicted through.
#[derive(Clone, Copy)]
pub(crate) enum Outputs<'a> {
    /// Its own row.
    Words(Split),
    /// The inner nodes on the way to it.
    Nodes(&'a Tree),
}

impl Outputs<'_> {
    pub(crate) fn blocks(self) -> u32 {
        match self {
            Outputs::Words(split) => split.blocks(),
            Outputs::Nodes(tree) => tree.layout().blocks(),
        }
    }

    /// Calls `f` with each block that holds output rows of a word, and the [`Pair::target`] there.
    #[inline(always)]
    pub(crate) fn of(self, word: u32, mut f: impl FnMut(u32, u32)) {
        match self {
            Outputs::Words(split) => {
                let (block, place) = split.of(word);
                f(block, place);
            }
            Outputs::Nodes(tree) => {
                tree.pieces_of(word).for_each(|(block, piece)| f(block, piece));
            }
        }
    }

    /// Trains input rows on what a column block has of their targets; the sum of the losses. See
    /// [`targets`] and [`paths`].
    pub(crate) fn train(
        self,
        step: &Step,
        (pairs, block): (&[Pair], u32),
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f64 {
        match self {
            Outputs::Words(_) => targets(step, pairs, rows, columns, rate, scratch),
            Outputs::Nodes(tree) => {
                // The top of the tree, unless it is all of it.
                let near = block == 0 && self.blocks() > 1;
                paths(step, pairs, tree, near, rows, columns, rate, scratch)
            }
        }
    }
}

/// Blocks of a power of two, for quick division.
#[derive(Clone, Copy)]
pub(crate) struct Split {
    shift: u32,
    mask: u32,
}

impl Split {
    pub(crate) fn new(layout: BlockLayout) -> Split {
        let blocks = layout.blocks();
        assert!(blocks.is_power_of_two(), "blocks are a power of two");
        Split { shift: blocks.trailing_zeros(), mask: blocks - 1 }
    }

    pub(crate) fn blocks(self) -> u32 {
        self.mask + 1
    }

    /// Block and place.
    #[inline(always)]
    pub(crate) fn of(self, id: u32) -> (u32, u32) {
        (id & self.mask, id >> self.shift)
    }
}

/// Items sorted by a small number, those of one number in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sorted<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy> Sorted<T> {
    #[inline(always)]
    pub(crate) fn items(&self, number: usize) -> &[T] {
        &self.items[self.starts[number] as usize..self.starts[number + 1] as usize]
    }

    /// [`items`](Sorted::items), none if there are fewer numbers.
    #[inline(always)]
    pub(crate) fn get(&self, number: usize) -> &[T] {
        if number + 1 < self.starts.len() { self.items(number) } else { &[] }
    }

    /// How many items there are of so many numbers.
    #[inline(always)]
    pub(crate) fn count(&self, number: usize, numbers: usize) -> usize {
        (self.starts[number + numbers] - self.starts[number]) as usize
    }

    /// How many numbers there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// `parts[starts[k]..starts[k + 1]]` are the items of number k.
    pub(crate) fn from_parts(starts: Vec<u32>, items: Vec<T>) -> Sorted<T> {
        Sorted { starts, items }
    }

    /// Where the items of each number start, and where the last end.
    pub(crate) fn starts(&self) -> &[u32] {
        &self.starts
    }

    pub(crate) fn all(&self) -> &[T] {
        &self.items
    }

    pub(crate) fn into_items(self) -> Vec<T> {
        self.items
    }

    /// Puts the items of each number in a random order.
    pub(crate) fn shuffle(&mut self, random: &mut Random) {
        for range in self.starts.windows(2) {
            random.shuffle(&mut self.items[range[0] as usize..range[1] as usize]);
        }
    }
}

/// A counting sort: every number is [`count`](Sorting::count)ed, then every item is
/// [`put`](Sorting::put).
pub(crate) struct Sorting<T> {
    places: Vec<u32>,
    sorted: Sorted<T>,
}

impl<T: Copy> Sorting<T> {
    pub(crate) fn new(numbers: usize) -> Sorting<T> {
        let places = vec![0; numbers + 1];
        Sorting { places, sorted: Sorted { starts: Vec::new(), items: Vec::new() } }
    }

    #[inline(always)]
    pub(crate) fn count(&mut self, number: u32) {
        self.places[number as usize + 1] += 1;
    }

    /// All are counted; `empty` fills the places meanwhile.
    pub(crate) fn counted(&mut self, empty: T) {
        for number in 1..self.places.len() {
            self.places[number] += self.places[number - 1];
        }
        self.sorted.starts = self.places.clone();
        self.sorted.items = vec![empty; self.places[self.places.len() - 1] as usize];
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, number: u32, item: T) {
        let place = &mut self.places[number as usize];
        self.sorted.items[*place as usize] = item;
        *place += 1;
    }

    pub(crate) fn done(self) -> Sorted<T> {
        self.sorted
    }
}

/// The skip-gram examples of a range of centers, by tile (`row block · column blocks + column
/// block`): the center is the input, and predicts each of its contexts. With hierarchical softmax each
/// context is the input and predicts the center, as in word2vec.c: the pairs are the same, but nodes
/// move by several inputs in a row, and that gives better vectors. Also how many predictions there are,
/// each of which has several examples with hierarchical softmax.
pub(crate) fn skipgram(
    kept: &[u32],
    centers: Range<usize>,
    reaches: &[u16],
    outputs: Outputs<'_>,
    inputs: Split,
) -> (Sorted<Pair>, u64) {
    #[inline(always)]
    fn walk(
        kept: &[u32],
        centers: Range<usize>,
        reaches: &[u16],
        outputs: Outputs<'_>,
        inputs: Split,
        mut f: impl FnMut(u32, Pair),
    ) -> u64 {
        let mut predictions = 0;
        for (center, &reach) in centers.zip(reaches) {
            if kept[center] == START {
                continue;
            }
            contexts(kept, center, reach as usize, |context| {
                let (input, predicted) = match outputs {
                    Outputs::Words(_) => (kept[center], context),
                    Outputs::Nodes(_) => (context, kept[center]),
                };
                let (row_block, row) = inputs.of(input);
                let first = row_block * outputs.blocks();
                predictions += 1;
                outputs.of(predicted, |block, target| f(first + block, Pair { row, target }));
            });
        }
        predictions
    }
    let mut sorting = Sorting::new((inputs.blocks() * outputs.blocks()) as usize);
    let range = centers.clone();
    walk(kept, range, reaches, outputs, inputs, |tile, _| sorting.count(tile));
    sorting.counted(Pair { row: 0, target: 0 });
    let put = |tile, pair| sorting.put(tile, pair);
    let predictions = walk(kept, centers, reaches, outputs, inputs, put);
    (sorting.done(), predictions)
}

#[cfg(test)]
mod tests {
    use lexmill_vocab::{Vocabulary, WordCount};

    use super::*;

    #[test]
    fn with_a_tree_contexts_predict_their_center() {
        let words =
            (0..21u32).map(|i| WordCount { word: format!("{i:02}"), count: 100 - u64::from(i) });
        let vocabulary = Vocabulary::ranked(words.collect(), None, &[]);
        let tree = Tree::new(&vocabulary, vocabulary.counts(), 2);
        let kept: Vec<u32> = vec![START, 3, 7, 20];
        let inputs = Split::new(BlockLayout::new(21, 4));
        let outputs = Outputs::Nodes(&tree);
        let (sorted, predictions) = skipgram(&kept, 1..4, &[1, 1, 2], outputs, inputs);
        assert_eq!(predictions, 5);
        let mut expected: Vec<Vec<Pair>> = vec![Vec::new(); 4 * 2];
        for (center, context) in [(3, 7), (7, 3), (7, 20), (20, 7), (20, 3)] {
            let (row_block, row) = inputs.of(context);
            outputs.of(center, |block, target| {
                expected[(row_block * 2 + block) as usize].push(Pair { row, target });
            });
        }
        for (tile, expected) in expected.iter().enumerate() {
            assert_eq!(sorted.items(tile), expected);
        }
    }

    #[test]
    fn examples_are_the_pairs_of_all_windows() {
        let mut random = Random::named(&[2]);
        let kept: Vec<u32> =
            (0..500).map(|i| if i % 37 == 0 { START } else { random.below(21) }).collect();
        let windows = Windows { window: 4, shrink: true, seed: 1 };
        let reaches = windows.reaches(&(100..400), [0, 0]);
        assert!(reaches.iter().all(|reach| (1..=4).contains(reach)));
        let (inputs, columns) =
            (Split::new(BlockLayout::new(21, 4)), Split::new(BlockLayout::new(21, 2)));
        let (sorted, predictions) =
            skipgram(&kept, 100..400, &reaches, Outputs::Words(columns), inputs);
        let mut expected: Vec<Vec<Pair>> = vec![Vec::new(); 8];
        for center in (100..400).filter(|&center| kept[center] != START) {
            let reach = usize::from(reaches[center - 100]);
            let same = |other: usize| {
                let between = &kept[center.min(other)..=center.max(other)];
                !between.contains(&START) && other != center
            };
            let before = (center - reach..center).rev();
            for other in before.chain(center + 1..=center + reach).filter(|&other| same(other)) {
                let (row, column) = (kept[center], kept[other]);
                let tile = (row % 4) * 2 + column % 2;
                expected[tile as usize].push(Pair { row: row / 4, target: column / 2 });
            }
        }
        for (tile, expected) in expected.iter().enumerate() {
            assert_eq!(sorted.items(tile), expected);
        }
        assert_eq!(predictions, sorted.all().len() as u64);
        let all = Windows { shrink: false, ..windows }.reaches(&(0..3), [0, 0]);
        assert_eq!(all, [4, 4, 4]);
    }
}
