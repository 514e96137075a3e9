//! What a stage will take, roughly, before it runs.
//!
//! From the sizes of what is there, or else from what English text gives: 5.9 bytes a token, words
//! growing with the square root of the tokens, cells from the counts of a Wikipedia sample. Good
//! enough to see that a disk is too small by half; not more.

use lexmill_deduplicate::Method;
use lexmill_store::Manifest;
use lexmill_train::scoring::Scoring;
use lexmill_train::word2vec::{CbowSettings, SkipgramSettings};

use crate::definition::Stage;
use crate::kinds::{Outside, Settings};

/// What a stage takes: bytes on disk, and the least memory it can do with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Bytes of its result.
    pub disk_bytes: u64,
    /// Bytes that it takes on disk besides while it runs.
    pub scratch_bytes: u64,
    /// The least memory it needs; with more it writes less to the disk.
    pub memory_bytes: u64,
}

/// Sizes that later stages go by.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sizes {
    documents: f64,
    tokens: f64,
    words: f64,
    cells: f64,
    dimensions: f64,
    buckets: f64,
}

/// Checkpoints that a trainer keeps, and the memory for the vectors that it has scored.
fn scored(scoring: Scoring<'_>, sizes: &Sizes) -> (f64, f64) {
    let checkpoints = if scoring.patience > 0 { 2.0 } else { 1.0 };
    let vectors = sizes.words * (sizes.dimensions * 4.0 + 120.0) + 3e7;
    (checkpoints, if scoring.is_on() { vectors } else { 0.0 })
}

/// Text in a compressed byte.
const COMPRESSION: f64 = 3.3;

pub(crate) fn estimate(
    stage: &Stage,
    outside: &Outside,
    manifest: Option<&Manifest>,
    sizes: &mut Sizes,
) -> Estimate {
    let known = |name: &str| manifest.and_then(|manifest| manifest.report[name].as_f64());
    let (disk, scratch, memory) = match &stage.settings {
        Settings::Tokenize(settings) => {
            let text: f64 = outside
                .corpus
                .files
                .iter()
                .map(|file| {
                    let name = file.path.to_string_lossy();
                    let packed = [".gz", ".zst", ".bz2", ".xz", ".parquet"];
                    let packed = packed.iter().any(|end| name.ends_with(end));
                    file.bytes as f64 * if packed { COMPRESSION } else { 1.0 }
                })
                .sum();
            let inline: usize = settings.sentences.iter().map(Vec::len).sum();
            sizes.tokens = known("tokens").unwrap_or(text / 5.9 + inline as f64);
            sizes.documents = known("documents").unwrap_or(sizes.tokens / 50.0);
            (sizes.tokens * 2.4, 0.0, settings.shard_bytes.0 as f64 * 8.0)
        }
        Settings::Deduplicate(settings) => {
            // A hash or a signature of each document, and where they are more than fit in memory, these
            // or the keys of bands sorted.
            let document = match settings.method {
                Method::Exact => 20.0 + 24.0,
                Method::Minhash => f64::from(settings.permutations) * (4.0 + 16.0 / 13.0),
            };
            let scratch = sizes.documents * document;
            sizes.tokens = known("tokens").unwrap_or(sizes.tokens);
            sizes.documents = known("documents").unwrap_or(sizes.documents);
            (sizes.tokens * 2.4, scratch, 1e8)
        }
        Settings::Phrases(_) => {
            // Of English text 5 % are joined; a pair in three is new, until they repeat.
            let pairs = sizes.tokens * 0.3 * (8e6 / sizes.tokens.max(1.0)).powf(0.2).min(3.0);
            let disk = sizes.tokens * 2.4;
            sizes.tokens = known("tokens").unwrap_or(sizes.tokens * 0.95);
            (disk, pairs * 6.0, sizes.tokens.sqrt() * 2000.0 + 1e8)
        }
        Settings::Vocabulary(settings) => {
            let guess =
                18.0 * sizes.tokens.sqrt() * (5.0 / (settings.min_count.max(1) as f64)).sqrt();
            let most = settings.max_words.map_or(f64::INFINITY, |max| max as f64);
            sizes.words = known("words").unwrap_or(guess.min(most).min(sizes.tokens));
            (sizes.words * 12.0, 0.0, sizes.words * 80.0)
        }
        Settings::Count(settings) => {
            let pairs = sizes.tokens * 2.0 * f64::from(settings.window);
            // 0.18 new cells for a pair at 8 M tokens, falling slowly as cells repeat.
            let new = 0.18 * (8e6 / sizes.tokens.max(1.0)).powf(0.2).min(3.0);
            let guess = (pairs * new.min(1.0)).min(sizes.words * sizes.words);
            sizes.cells = known("cells").unwrap_or(guess);
            (sizes.cells * 3.2, sizes.cells * 8.0, sizes.words * 120.0 + 6e7)
        }
        Settings::Glove(settings) => {
            sizes.dimensions = settings.dimensions as f64;
            let parameters = sizes.words * 4.0 * (sizes.dimensions + 2.0) * 4.0;
            let (checkpoints, vectors) = scored(settings.scoring(), sizes);
            (parameters, parameters * checkpoints, parameters * 1.05 + vectors + 1e8)
        }
        Settings::Skipgram(SkipgramSettings(settings)) | Settings::Cbow(CbowSettings(settings)) => {
            sizes.dimensions = settings.dimensions as f64;
            sizes.buckets = if settings.subwords { f64::from(settings.bucket) } else { 0.0 };
            // N-grams of 3 to 6 characters: some nine new ones for a word, up to all buckets.
            let ngrams = (sizes.words * 9.0).min(f64::from(settings.bucket));
            let rows = 2.0 * sizes.words + if settings.subwords { ngrams } else { 0.0 };
            let parameters = rows * sizes.dimensions * 4.0;
            let (checkpoints, vectors) = scored(settings.scoring(), sizes);
            (parameters, parameters * checkpoints, parameters * 1.05 + vectors + 3e8)
        }
        Settings::Export(settings) => {
            let each: f64 = settings
                .formats
                .iter()
                .map(|format| match format.name() {
                    "parquet" | "word2vec-binary" => 4.0,
                    "fasttext-bin" => 8.0,
                    _ => 11.0,
                })
                .sum();
            // A fastText .bin has a row for every bucket.
            let bins = settings.formats.iter().filter(|format| format.name() == "fasttext-bin");
            let buckets = bins.count() as f64 * sizes.buckets * 4.0;
            (sizes.dimensions * (sizes.words * each + buckets), 0.0, 5e7)
        }
        Settings::Evaluate(settings) => {
            // A baseline is taken to be as large.
            let models = if settings.baseline.is_some() { 2.0 } else { 1.0 };
            (1e5, 0.0, sizes.words * sizes.dimensions * 8.0 * models + 5e7)
        }
    };
    let actual: Option<u64> = manifest.map(|m| m.files.iter().map(|file| file.bytes).sum());
    Estimate {
        disk_bytes: actual.unwrap_or(disk as u64),
        scratch_bytes: scratch as u64,
        memory_bytes: memory as u64,
    }
}
