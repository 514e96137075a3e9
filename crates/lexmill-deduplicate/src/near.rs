//! Documents that are nearly the same: candidates by bands, compared by their signatures.
//!
//! Documents are decided on in the order of the corpus. One is dropped if an earlier document that is
//! *kept* agrees with it in a band, and their signatures show the threshold or more. So every document
//! that is dropped has one in the result that is that similar to it, and the result holds no two
//! that were compared and are. (Joined transitively, a chain of documents could lose all but its first,
//! which need not resemble the last.)
//!
//! That order need not hold the documents in memory:
//!
//! 1. The bands' keys of all documents are sorted. Documents of the same key are a *bucket*; those that
//!    are alone in theirs fall away here. Each document learns which one comes next in the bucket.
//! 2. These links are sorted by document, and gone through. The kept documents of a bucket are passed on
//!    from each document to the next, through a queue on the disk (time-forward processing: Chiang et
//!    al. 1995); so a document finds with itself all that it is to be compared with.
//!
//! A bucket passes on at most [`MOST_KEPT`] documents, its first: where very many documents agree in a
//! band and are not similar (which takes a low threshold, and much that is common to all), comparing
//! each to each would never end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use lexmill_store::{Error as StoreError, Progress};

use crate::Result;
use crate::banding::Banding;
use crate::duplicates::DuplicatesWriter;
use crate::minhash::similarity;
use crate::runs::{Queue, Record, Sorter};
use crate::sketch::{Sketches, numbers, place, split};

/// The most kept documents of a bucket that later ones are compared with.
pub(crate) const MOST_KEPT: usize = if cfg!(test) { 3 } else { 64 };

/// No document.
const NONE: u64 = u64::MAX;

/// Near duplicates being found.
pub(crate) struct Finding<'a> {
    pub(crate) sketches: &'a [Sketches],
    pub(crate) width: usize,
    pub(crate) threshold: f64,
    pub(crate) banding: Banding,
    pub(crate) directory: &'a Path,
    pub(crate) data_bytes: u64,
    pub(crate) threads: usize,
    pub(crate) progress: &'a Progress,
}

impl Finding<'_> {
    /// Finds all documents that nearly were there before, and writes them down in the order of the
    /// corpus. Returns how many pairs were compared.
    ///
    /// # Errors
    /// If sketches can't be read or the disk refuses.
    pub(crate) fn find(&self, table: &mut DuplicatesWriter<'_>) -> Result<u64> {
        let (links, count) = self.links()?;
        self.progress.begin("links", count);
        let mut signatures = Signatures::new(self.sketches, self.width, self.data_bytes / 8);
        let mut queue = Queue::<3>::new(self.directory, self.data_bytes / 4);
        let mut links = links.finish()?;
        let mut compared = 0;
        // Of one document: its row and signature, its buckets with who is next there, and the kept
        // documents that come from each.
        let mut own = Vec::new();
        let mut buckets: Vec<(u64, u64)> = Vec::new();
        let mut kept: Vec<(u64, u64)> = Vec::new();
        let mut candidates: Vec<u64> = Vec::new();
        while let Some(&[document, ..]) = links.peek() {
            buckets.clear();
            while links.peek().is_some_and(|link| link[0] == document) {
                if let Some([_, bucket, next]) = links.next().transpose()? {
                    buckets.push((bucket, next));
                }
            }
            kept.clear();
            while let Some([_, bucket, other]) = queue.pop_if(|passed| passed[0] == document)? {
                kept.push((bucket, other));
            }
            self.progress.advance(buckets.len() as u64);
            candidates.clear();
            candidates.extend(kept.iter().map(|(_, other)| *other));
            candidates.sort_unstable();
            candidates.dedup();
            compared += candidates.len() as u64;
            if !candidates.is_empty() {
                own.clear();
                own.extend_from_slice(signatures.get(document)?);
            }
            let mut best = None;
            for &other in &candidates {
                let record = signatures.get(other)?;
                let similarity = similarity(&own[1..], &record[1..]);
                // Of several that are equally similar the first.
                if similarity >= self.threshold && best.is_none_or(|(most, _)| similarity > most) {
                    best = Some((similarity, place(split(other).0, record[0])));
                }
            }
            if let Some((similarity, other)) = best {
                table.push(place(split(document).0, own[0]), other, similarity)?;
            }
            for &(bucket, next) in buckets.iter().filter(|(_, next)| *next != NONE) {
                let passed = &kept[kept.partition_point(|(from, _)| *from < bucket)..];
                let passed = passed.iter().take_while(|(from, _)| *from == bucket);
                let itself = best.is_none().then_some(document);
                for other in passed.map(|(_, other)| *other).chain(itself).take(MOST_KEPT) {
                    queue.push([next, bucket, other])?;
                }
            }
        }
        Ok(compared)
    }

    /// For each document in each bucket that it is not alone in: the document, the bucket, and the
    /// next document there, or [`NONE`]. Says how many these are.
    fn links(&self) -> Result<(Sorter<3>, u64)> {
        let documents = self.sketches.iter().map(|shard| shard.documents).sum();
        self.progress.begin("documents", documents);
        let expected = documents * self.banding.bands as u64;
        let bytes = self.data_bytes;
        let mut keys = Sorter::<2>::new(self.directory, bytes / 2, expected, self.threads);
        let mut signature = Vec::new();
        for (shard, sketches) in self.sketches.iter().enumerate() {
            sketches.for_each(self.width, |number, record| {
                signature.clear();
                signature.extend(numbers(&record[4..]));
                let document = place(shard, number);
                self.banding.keys(&signature).try_for_each(|key| keys.push([key, document]))
            })?;
            self.progress.advance(sketches.documents);
        }
        let mut links = Sorter::new(self.directory, bytes / 4, expected, self.threads);
        let (mut buckets, mut count) = (0, 0);
        let mut link = |document: u64, bucket: u64, next: u64| {
            count += 1;
            links.push([document, bucket, next])
        };
        // The record before, and whether it stands in a bucket that has begun.
        let mut before: Option<(Record<2>, bool)> = None;
        for record in keys.finish()? {
            let record = record?;
            let same = before.filter(|(before, _)| before[0] == record[0]);
            match (before, same) {
                // Keys of two bands are the same by accident.
                (_, Some((before, _))) if before[1] == record[1] => continue,
                (_, Some((before, _))) => link(before[1], buckets, record[1])?,
                (Some((last, true)), None) => {
                    link(last[1], buckets, NONE)?;
                    buckets += 1;
                }
                (_, None) => {}
            }
            before = Some((record, same.is_some()));
        }
        if let Some((last, true)) = before {
            link(last[1], buckets, NONE)?;
        }
        Ok((links, count))
    }
}

/// Signatures on the disk, each after the row of its document. Those looked at last are remembered.
struct Signatures<'a> {
    sketches: &'a [Sketches],
    /// Numbers of a record.
    numbers: usize,
    /// Files that are open, each in the place of its number modulo theirs.
    files: Vec<Option<(usize, File)>>,
    /// Documents whose records are remembered, and these.
    documents: Vec<u64>,
    records: Vec<u32>,
    bytes: Vec<u8>,
}

/// Files open at a time.
const OPEN_FILES: usize = if cfg!(test) { 2 } else { 64 };

impl<'a> Signatures<'a> {
    /// With records of `width` bytes, within so much memory.
    fn new(sketches: &'a [Sketches], width: usize, bytes: u64) -> Signatures<'a> {
        let all: u64 = sketches.iter().map(|shard| shard.documents).sum();
        let places = (bytes / (width as u64 + 8)).min(all).max(1) as usize;
        Signatures {
            sketches,
            numbers: width / 4,
            files: (0..OPEN_FILES).map(|_| None).collect(),
            documents: vec![NONE; places],
            records: vec![0; places * width / 4],
            bytes: vec![0; width],
        }
    }

    /// The row and the signature of a document.
    fn get(&mut self, document: u64) -> Result<&[u32]> {
        let (shard, number) = split(document);
        let slot = (lexmill_vocab::mix(document) % self.documents.len() as u64) as usize;
        let record = &mut self.records[slot * self.numbers..][..self.numbers];
        if self.documents[slot] != document {
            let path = self.sketches[shard].path();
            let open = &mut self.files[shard % OPEN_FILES];
            let file = match open {
                Some((number, file)) if *number == shard => file,
                _ => {
                    let file = File::open(path).map_err(StoreError::io("open", path))?;
                    &mut open.insert((shard, file)).1
                }
            };
            let offset = u64::from(number) * self.bytes.len() as u64;
            let read = file.read_exact_at(&mut self.bytes, offset);
            read.map_err(|e| StoreError::io("read", path)(e))?;
            record.iter_mut().zip(numbers(&self.bytes)).for_each(|(to, number)| *to = number);
            self.documents[slot] = document;
        }
        Ok(record)
    }
}
