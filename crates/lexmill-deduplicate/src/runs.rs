//! More records than fit in memory, in order.
//!
//! A *record* is a few numbers, compared from the first to the last. [`Sorter`] takes all records and
//! then gives them back sorted; [`Queue`] gives the least at any time, and takes more that come later.
//! What does not fit is written out in sorted *runs*: files without a name in the stage's directory,
//! which are gone when they are used up, or the process ends. A run is no unit of resume: what records
//! are made from is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lexmill_store::Error as StoreError;
use lexmill_store::merge::Merge;

use crate::{Error, Result};

/// Numbers by which records are sorted.
pub(crate) type Record<const N: usize> = [u64; N];

/// Runs merged at a time.
const FAN_IN: usize = if cfg!(test) { 3 } else { 64 };

/// The fewest records held in memory, whatever there is of it.
const LEAST_RECORDS: u64 = if cfg!(test) { 8 } else { 1 << 12 };

/// Bytes read or written of a run at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// Records that `bytes` have room for.
fn room<const N: usize>(bytes: u64) -> usize {
    (bytes / (N as u64 * 8)).max(LEAST_RECORDS) as usize
}

/// A sorted run on the disk.
pub(crate) struct Run<const N: usize> {
    file: BufReader<File>,
    left: u64,
    directory: PathBuf,
}

impl<const N: usize> Run<N> {
    /// Writes sorted records out, below `directory`.
    fn write(directory: &Path, records: impl Iterator<Item = Result<Record<N>>>) -> Result<Run<N>> {
        let failed = |e: io::Error| StoreError::io("write a sorted run to", directory)(e);
        let file = tempfile::tempfile_in(directory).map_err(failed)?;
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut left = 0;
        for record in records {
            let bytes = record?.map(u64::to_le_bytes);
            writer.write_all(bytes.as_flattened()).map_err(failed)?;
            left += 1;
        }
        let mut file = writer.into_inner().map_err(|e| failed(e.into_error()))?;
        file.rewind().map_err(failed)?;
        tracing::debug!(records = left, "a sorted run went to the disk");
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Run { file, left, directory: directory.to_owned() })
    }

    fn read(&mut self) -> Result<Record<N>> {
        let mut bytes = [[0; 8]; N];
        let read = self.file.read_exact(bytes.as_flattened_mut());
        read.map_err(|e| StoreError::io("read a sorted run in", &self.directory)(e))?;
        Ok(bytes.map(u64::from_le_bytes))
    }
}

impl<const N: usize> Iterator for Run<N> {
    type Item = Result<Record<N>>;

    fn next(&mut self) -> Option<Result<Record<N>>> {
        self.left = self.left.checked_sub(1)?;
        Some(self.read())
    }
}

/// Sorts any number of records.
pub(crate) struct Sorter<const N: usize> {
    directory: PathBuf,
    threads: usize,
    /// The most records in memory.
    most: usize,
    records: Vec<Record<N>>,
    /// Runs that were merged so many times, so that no more than a few files are open.
    levels: Vec<Vec<Run<N>>>,
}

impl<const N: usize> Sorter<N> {
    /// With runs in `directory`, within so many bytes of memory, for at most `expected` records.
    pub(crate) fn new(directory: &Path, bytes: u64, expected: u64, threads: usize) -> Sorter<N> {
        let most = room::<N>(bytes);
        // Room for all at once: growing would need twice the memory for a moment.
        let records = Vec::with_capacity((most as u64).min(expected) as usize);
        let directory = directory.to_owned();
        Sorter { directory, threads: threads.max(1), most, records, levels: Vec::new() }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// If a run can't be written.
    pub(crate) fn push(&mut self, record: Record<N>) -> Result<()> {
        if self.records.len() >= self.most {
            self.spill()?;
        }
        self.records.push(record);
        Ok(())
    }

    /// Sorts stretches of what is in memory, a thread each; returns their length.
    fn sort(&mut self) -> usize {
        let stretch = self.records.len().div_ceil(self.threads).max(1);
        let mut stretches = self.records.chunks_mut(stretch);
        let own = stretches.next();
        std::thread::scope(|scope| {
            for stretch in stretches {
                scope.spawn(|| stretch.sort_unstable());
            }
            own.into_iter().for_each(<[Record<N>]>::sort_unstable);
        });
        stretch
    }

    fn spill(&mut self) -> Result<()> {
        let stretch = self.sort();
        let stretches = self.records.chunks(stretch).map(|s| s.iter().map(|&r| Ok::<_, Error>(r)));
        let mut run = Run::write(&self.directory, Merge::new(stretches)?)?;
        self.records.clear();
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let runs = &mut self.levels[level];
            runs.push(run);
            if runs.len() < FAN_IN {
                break;
            }
            run = Run::write(&self.directory, Merge::new(runs.drain(..))?)?;
        }
        Ok(())
    }

    /// All records in order.
    ///
    /// # Errors
    /// If a run can't be written or read.
    pub(crate) fn finish(mut self) -> Result<Sorted<N>> {
        if !self.levels.is_empty() {
            // Whoever takes the records has the memory for themselves.
            self.spill()?;
            self.records = Vec::new();
        }
        let (stretch, records) = (self.sort(), Arc::new(self.records));
        let stretches = (0..records.len()).step_by(stretch).map(|start| {
            let end = records.len().min(start + stretch);
            Source::Memory { records: records.clone(), next: start, end }
        });
        let runs = self.levels.into_iter().flatten().map(Source::Disk);
        Merge::new(stretches.chain(runs))
    }
}

/// Sorted records.
pub(crate) type Sorted<const N: usize> = Merge<Source<N>, Record<N>>;

/// Where sorted records come from.
pub(crate) enum Source<const N: usize> {
    /// A sorted stretch of them.
    Memory {
        /// All stretches.
        records: Arc<Vec<Record<N>>>,
        /// Where this one goes on.
        next: usize,
        /// Where it ends.
        end: usize,
    },
    /// A run.
    Disk(Run<N>),
}

impl<const N: usize> Iterator for Source<N> {
    type Item = Result<Record<N>>;

    fn next(&mut self) -> Option<Result<Record<N>>> {
        match self {
            Source::Memory { records, next, end } => {
                let record = records[*next..*end].first().copied()?;
                *next += 1;
                Some(Ok(record))
            }
            Source::Disk(run) => run.next(),
        }
    }
}

/// Records of which the least comes first. One that is added must not come before those that were
/// taken.
pub(crate) struct Queue<const N: usize> {
    directory: PathBuf,
    /// The most records in memory.
    most: usize,
    records: BinaryHeap<Reverse<Record<N>>>,
    runs: Merge<Run<N>, Record<N>>,
}

impl<const N: usize> Queue<N> {
    /// Empty, with runs in `directory`, within so many bytes of memory.
    pub(crate) fn new(directory: &Path, bytes: u64) -> Queue<N> {
        // The heap grows by doubling, and is copied as it does.
        let (directory, most) = (directory.to_owned(), room::<N>(bytes / 2));
        Queue { directory, most, records: BinaryHeap::new(), runs: Merge::default() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// If a run can't be written.
    pub(crate) fn push(&mut self, record: Record<N>) -> Result<()> {
        if self.records.len() >= self.most {
            let sorted = std::mem::take(&mut self.records).into_sorted_vec();
            let sorted = sorted.into_iter().rev().map(|Reverse(record)| Ok(record));
            self.runs.add(Run::write(&self.directory, sorted)?)?;
            if self.runs.sources() > FAN_IN {
                let rest = std::mem::take(&mut self.runs);
                self.runs.add(Run::write(&self.directory, rest)?)?;
            }
        }
        self.records.push(Reverse(record));
        Ok(())
    }

    /// The least record, if `wanted` says so.
    ///
    /// # Errors
    /// If a run can't be read.
    pub(crate) fn pop_if(
        &mut self,
        wanted: impl Fn(&Record<N>) -> bool,
    ) -> Result<Option<Record<N>>> {
        let here = self.records.peek().map(|Reverse(record)| record);
        let there = self.runs.peek();
        let from_memory = match (here, there) {
            (Some(here), Some(there)) => here <= there,
            (here, _) => here.is_some(),
        };
        let least = if from_memory { here } else { there };
        if !least.is_some_and(wanted) {
            return Ok(None);
        }
        match from_memory {
            true => Ok(self.records.pop().map(|Reverse(record)| record)),
            false => self.runs.next().transpose(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_come_back_sorted_whatever_the_memory(
            records in prop::collection::vec((0u64..9, any::<u64>()), 0..300),
            bytes in prop::sample::select(vec![0u64, 500, 1 << 20]),
            threads in 1usize..5,
        ) {
            let directory = tempfile::tempdir().unwrap();
            let mut records: Vec<_> = records.into_iter().map(|(a, b)| [a, b]).collect();
            let mut sorter = Sorter::new(directory.path(), bytes, 40, threads);
            records.iter().try_for_each(|&record| sorter.push(record)).unwrap();
            let sorted: Result<Vec<Record<2>>> = sorter.finish().unwrap().collect();
            records.sort_unstable();
            prop_assert_eq!(sorted.unwrap(), records);
            prop_assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        }

        /// As it is used: time goes on, and what is added is due later.
        #[test]
        fn a_queue_is_a_sorted_set(
            added in prop::collection::vec(prop::collection::vec((1u64..60, any::<u64>()), 0..9), 0..90),
            bytes in prop::sample::select(vec![0u64, 1 << 20]),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let (mut queue, mut set) = (Queue::new(directory.path(), bytes), BTreeSet::new());
            for (now, later) in (0u64..).zip(added.into_iter().chain(vec![Vec::new(); 60])) {
                while let Some(least) = queue.pop_if(|record| record[0] <= now).unwrap() {
                    prop_assert_eq!(set.pop_first(), Some(least));
                }
                prop_assert!(set.first().is_none_or(|first: &Record<2>| first[0] > now));
                for (after, number) in later {
                    if set.insert([now + after, number]) {
                        queue.push([now + after, number]).unwrap();
                    }
                }
            }
            prop_assert!(set.is_empty());
        }
    }
}
