//! Stage `deduplicate`: reads token shards, drops documents that were there before, writes token shards.
//!
//! | file | table |
//! | --- | --- |
//! | `shards/`, `words/` | as `tokenize` writes them, under the same names |
//! | `duplicates.parquet` | the documents that were dropped, and what is kept of each: see below |
//!
//! Columns of `duplicates.parquet`, in the order of the corpus:
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `shard`, `row` | text, u32 | the document that is dropped: its first row, in that shard of the input |
//! | `kept_shard`, `kept_row` | text, u32 | the earlier document that is kept |
//! | `similarity` | f64 | of the two: 1 with `exact`, else as their signatures show it |
//!
//! The first document of its kind is kept, in the order of the corpus. A document may go on in later
//! shards: it counts as a whole, and is dropped as a whole. A shard that loses nothing is taken over as
//! it is; one that loses everything is still there, with no row.
//!
//! Three passes: sketches of all documents, a unit of resume a shard; duplicates among them, in memory or
//! sorted on the disk, one unit; the shards again, a unit each.

use std::path::Path;

use lexmill_store::{Event, Manifest, Progress, Resources, StageKey, StageWriter, UnitRecord};
use lexmill_tokenize::shards::{Shard, files_and_units, provenance, token_shards};
use serde_json::{Value, json};

use crate::banding::Banding;
use crate::duplicates::DuplicatesWriter;
use crate::near::Finding;
use crate::remove::Removing;
use crate::settings::{DeduplicateSettings, Method};
use crate::sketch::{FOLDER, Sketching, width};
use crate::{Result, exact};

/// The stage's kind.
pub const KIND: &str = "deduplicate";
/// Raised when the same settings and tokens give other bytes.
pub const VERSION: u32 = 1;
/// The table of dropped documents in the stage directory.
pub const FILE: &str = "duplicates.parquet";

/// The unit of that table.
const UNIT: &str = "duplicates";

/// Runs the stage on a finished stage of [`TOKEN_STAGES`](lexmill_tokenize::shards::TOKEN_STAGES).
///
/// # Errors
/// If the tokens can't be read or the disk refuses. Units done stay for the next run.
pub fn run(
    settings: &DeduplicateSettings,
    tokens: &Path,
    output: &Path,
    key: StageKey,
    resources: &Resources,
    progress: &Progress,
) -> Result<Manifest> {
    let (manifest, shards) = token_shards(tokens)?;
    let stage = StageWriter::begin(output, &key.hash(), resources.threads, progress)?;
    let found = match stage.unit(UNIT) {
        Some(found) => found.clone(),
        None => find(settings, &shards, &stage, resources, progress)?,
    };
    let removing = Removing {
        input: tokens,
        manifest: &manifest,
        shards: &shards,
        stage: &stage,
        threads: resources.threads.max(1),
        data_bytes: resources.data_bytes(),
        progress,
    };
    let records = removing.remove(&stage.path(FILE))?;

    let sum = |field: &str| -> u64 {
        records.iter().filter_map(|record| record.report[field].as_u64()).sum()
    };
    let (documents, left) = (sum("documents"), sum("tokens"));
    let documents_before: u64 = shards.iter().map(|shard| shard.documents).sum();
    let tokens_before: u64 = shards.iter().map(|shard| shard.tokens).sum();
    let (dropped, gone) = (documents_before - documents, tokens_before - left);
    let (are, nearly) = match settings.method {
        Method::Exact => ("were there before", ""),
        Method::Minhash => ("were there before or nearly so", " or nearly so"),
    };
    progress.report(Event::Notice(match dropped {
        0 => format!("no document was there before{nearly}: nothing was dropped"),
        _ => format!(
            "{dropped} of {documents_before} documents {are} and were dropped, with {gone} of \
             {tokens_before} tokens; {FILE} lists them"
        ),
    }));
    let mut report = json!({
        "documents": documents,
        "documents_before": documents_before,
        "duplicates": dropped,
        "tokens": left,
        "tokens_before": tokens_before,
        "tokens_dropped": gone,
        "made_from": provenance(&manifest),
    });
    if let (Value::Object(report), Value::Object(more)) = (&mut report, found.report) {
        report.extend(more);
    }
    let (mut files, units) = files_and_units(records);
    files.extend(found.files);
    Ok(stage.finish(key, files, units, report)?)
}

/// Finds the duplicates and writes their table.
fn find(
    settings: &DeduplicateSettings,
    shards: &[Shard],
    stage: &StageWriter,
    resources: &Resources,
    progress: &Progress,
) -> Result<UnitRecord> {
    let (threads, data_bytes) = (resources.threads.max(1), resources.data_bytes());
    let sketching = Sketching { settings, shards, stage, threads, data_bytes, progress };
    let (sketches, width) = (sketching.sketch()?, width(settings));
    let directory = stage.directory();
    let mut table = DuplicatesWriter::create(&stage.path(FILE), shards)?;
    let report = match settings.method {
        Method::Exact => {
            exact::find(&sketches, width, directory, data_bytes, threads, progress, &mut table)?;
            json!({})
        }
        Method::Minhash => {
            let threshold = settings.threshold;
            let banding = Banding::choose(threshold, settings.permutations as usize);
            let finding = Finding {
                sketches: &sketches,
                width,
                threshold,
                banding,
                directory,
                data_bytes,
                threads,
                progress,
            };
            let compared = finding.find(&mut table)?;
            json!({ "bands": banding.bands, "band_rows": banding.rows, "compared": compared })
        }
    };
    let found = UnitRecord { unit: UNIT.to_owned(), files: vec![table.finish(FILE)?], report };
    stage.record(&found)?;
    // No longer needed; whatever stays goes when the stage is finished.
    let _gone = std::fs::remove_dir_all(stage.path(FOLDER));
    Ok(found)
}

#[cfg(test)]
mod tests;
