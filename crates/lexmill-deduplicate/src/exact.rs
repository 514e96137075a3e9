//! Documents with the same tokens: their hashes sorted, and the first of each kept.

use std::path::Path;

use lexmill_store::Progress;

use crate::Result;
use crate::duplicates::DuplicatesWriter;
use crate::runs::Sorter;
use crate::sketch::{Sketches, place};

/// Finds all documents that were there before, and writes them down in the order of the corpus.
///
/// # Errors
/// If sketches can't be read or the disk refuses.
pub(crate) fn find(
    sketches: &[Sketches],
    width: usize,
    directory: &Path,
    data_bytes: u64,
    threads: usize,
    progress: &Progress,
    table: &mut DuplicatesWriter<'_>,
) -> Result<()> {
    let documents = sketches.iter().map(|shard| shard.documents).sum();
    progress.begin("documents", documents);
    let mut hashes = Sorter::<3>::new(directory, data_bytes / 2, documents, threads);
    for (shard, sketches) in sketches.iter().enumerate() {
        sketches.for_each(width, |_, record| {
            let (row, hash) = record.split_at(4);
            let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
            hashes.push([number(&hash[..8]), number(&hash[8..]), place(shard, number(row) as u32)])
        })?;
        progress.advance(sketches.documents);
    }
    let mut dropped = Sorter::<2>::new(directory, data_bytes / 4, documents, threads);
    let mut first = None;
    for record in hashes.finish()? {
        let [upper, lower, document] = record?;
        match first {
            Some((kept, hash)) if hash == (upper, lower) => dropped.push([document, kept])?,
            _ => first = Some((document, (upper, lower))),
        }
    }
    for record in dropped.finish()? {
        let [document, kept] = record?;
        table.push(document, kept, 1.0)?;
    }
    Ok(())
}
