//! Sorted sources made one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// The items of sorted sources in order. Equal items of several sources all come, one after the other.
/// After an error nothing comes any more.
#[derive(Debug)]
pub struct Merge<S, T: Ord> {
    /// Those that are used up are dropped.
    sources: Vec<Option<S>>,
    /// The next item of each source that has one.
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

impl<S, T: Ord> Default for Merge<S, T> {
    /// Of no source.
    fn default() -> Merge<S, T> {
        Merge { sources: Vec::new(), heads: BinaryHeap::new() }
    }
}

impl<T: Ord, E, S: Iterator<Item = Result<T, E>>> Merge<S, T> {
    /// Of these sources, each sorted.
    ///
    /// # Errors
    /// If one can't be read.
    pub fn new(sources: impl IntoIterator<Item = S>) -> Result<Merge<S, T>, E> {
        let mut merge = Merge::default();
        sources.into_iter().try_for_each(|source| merge.add(source))?;
        Ok(merge)
    }

    /// One more source; what it has must not come before what was taken already.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn add(&mut self, mut source: S) -> Result<(), E> {
        if let Some(item) = source.next().transpose()? {
            self.heads.push(Reverse((item, self.sources.len())));
            self.sources.push(Some(source));
        }
        Ok(())
    }

    /// Sources that have something left.
    pub fn sources(&self) -> usize {
        self.heads.len()
    }

    /// The next item.
    pub fn peek(&self) -> Option<&T> {
        self.heads.peek().map(|Reverse((item, _))| item)
    }
}

impl<T: Ord, E, S: Iterator<Item = Result<T, E>>> Iterator for Merge<S, T> {
    type Item = Result<T, E>;

    fn next(&mut self) -> Option<Result<T, E>> {
        let mut top = self.heads.peek_mut()?;
        let source = top.0.1;
        match self.sources[source].as_mut().and_then(Iterator::next) {
            Some(Ok(item)) => {
                let Reverse((least, _)) = std::mem::replace(&mut *top, Reverse((item, source)));
                Some(Ok(least))
            }
            None => {
                self.sources[source] = None;
                let Reverse((least, _)) = PeekMut::pop(top);
                Some(Ok(least))
            }
            Some(Err(error)) => {
                drop(top);
                self.heads.clear();
                Some(Err(error))
            }
        }
    }
}

/// Merges sorted sources of keys and numbers; `sink` gets each key once, in order, with the sum of its
/// numbers.
///
/// # Errors
/// Those of the sources and of `sink`.
pub fn merge_counts<K: Ord, E>(
    sources: impl IntoIterator<Item = impl Iterator<Item = Result<(K, u64), E>>>,
    mut sink: impl FnMut(K, u64) -> Result<(), E>,
) -> Result<(), E> {
    let mut sum: Option<(K, u64)> = None;
    for item in Merge::new(sources)? {
        let (key, count) = item?;
        match &mut sum {
            Some((same, total)) if *same == key => *total += count,
            _ => {
                if let Some((key, count)) = sum.replace((key, count)) {
                    sink(key, count)?;
                }
            }
        }
    }
    sum.map_or(Ok(()), |(key, count)| sink(key, count))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn source(items: &[(u32, u64)]) -> impl Iterator<Item = Result<(u32, u64), String>> + '_ {
        items.iter().map(|item| if item.0 == 99 { Err("99".to_owned()) } else { Ok(*item) })
    }

    #[test]
    fn sums_are_those_of_a_map() {
        let sources: [&[(u32, u64)]; 4] =
            [&[(1, 2), (3, 1), (3, 5), (9, 9)], &[], &[(0, 1), (3, 4)], &[(9, 1)]];
        let mut expected: BTreeMap<u32, u64> = BTreeMap::new();
        sources.iter().copied().flatten().for_each(|(k, n)| *expected.entry(*k).or_default() += n);
        let mut found = Vec::new();
        merge_counts(sources.map(source), |key, count| {
            found.push((key, count));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_source_can_come_late_and_an_error_ends_it() {
        let mut merge = Merge::new([source(&[(1, 0), (5, 0)])]).unwrap();
        assert_eq!(merge.next(), Some(Ok((1, 0))));
        merge.add(source(&[(2, 0), (99, 0), (100, 0)])).unwrap();
        assert_eq!((merge.sources(), merge.peek()), (2, Some(&(2, 0))));
        assert_eq!(merge.next(), Some(Err("99".to_owned())));
        assert_eq!(merge.next(), None);
    }
}
