//! A model stage as a trainer would leave it, with numbers from a random stream: for the tests of this
//! crate and for `examples/random_model.rs`.

use std::collections::BTreeMap;
use std::path::Path;

use lexmill_store::table::{Column, write_table};
use lexmill_store::{Progress, StageKey, StageWriter};
use lexmill_vocab::{Random, Subwords};
use serde_json::{Value, json};

/// What kind of model.
#[derive(Debug, Clone)]
pub(crate) struct Shape<'a> {
    pub(crate) kind: &'a str,
    pub(crate) subwords: Option<Subwords>,
    pub(crate) hierarchical: bool,
    pub(crate) dim: usize,
}

/// The words of fixtures, with their counts.
pub(crate) const WORDS: [(&str, u64); 9] = [
    ("the", 90),
    ("</s>", 80),
    ("cat", 40),
    ("cats", 40),
    ("über", 21),
    ("naïve", 9),
    ("日本語", 5),
    ("a", 2),
    ("😀", 1),
];

/// Writes the stage directory of a model of these words.
pub(crate) fn write_model(directory: &Path, words: &[(&str, u64)], shape: &Shape<'_>) {
    let (dim, rows) = (shape.dim, words.len());
    let floats = |purpose: u64, rows: usize| -> Vec<f32> {
        let mut random = Random::named(&[purpose]);
        (0..rows * dim).map(|_| random.unit_f32() - 0.5).collect()
    };
    let stage = StageWriter::begin(directory, "fixture", 1, &Progress::new()).unwrap();
    let own = floats(1, rows);
    let mut vectors = own.clone();
    let mut files = Vec::new();
    let metadata = json!({
        "model": shape.kind,
        "settings": {
            "dimensions": dim,
            "window": 5,
            "epochs": 3,
            "negatives": 4,
            "loss": if shape.hierarchical { "hs" } else { "ns" },
            "sample": 1e-4,
            "learning_rate": 0.05,
            "subwords": shape.subwords.is_some(),
            "minn": shape.subwords.map_or(3, |subwords| subwords.minn),
            "maxn": shape.subwords.map_or(6, |subwords| subwords.maxn),
            "bucket": shape.subwords.map_or(2_000_000, |subwords| subwords.bucket),
        },
        "vocabulary": { "min_count": 1 },
        "tokens": words.iter().map(|word| word.1).sum::<u64>(),
    });
    if let Some(subwords) = shape.subwords {
        let mut buckets = Vec::new();
        let mut of_word = Vec::new();
        for &(word, _) in words {
            subwords.buckets(word, &mut of_word);
            buckets.extend_from_slice(&of_word);
        }
        buckets.sort_unstable();
        buckets.dedup();
        let ngrams = floats(2, buckets.len());
        for (&(word, _), vector) in words.iter().zip(vectors.chunks_exact_mut(dim)) {
            subwords.buckets(word, &mut of_word);
            for bucket in &of_word {
                let row = buckets.binary_search(bucket).unwrap();
                for (sum, value) in vector.iter_mut().zip(&ngrams[row * dim..]) {
                    *sum += value;
                }
            }
            let factor = (1.0 / (of_word.len() + 1) as f64) as f32;
            vector.iter_mut().for_each(|value| *value *= factor);
        }
        let columns =
            vec![("bucket", Column::u32(buckets)), ("vector", Column::vectors(ngrams, dim))];
        let name = "ngrams.parquet";
        files.push(write_table(&stage.path(name), name, columns, &Value::Null).unwrap());
    }
    if shape.hierarchical {
        let columns = vec![
            ("node", Column::u32((0..rows as u32 - 1).collect())),
            ("vector", Column::vectors(floats(3, rows - 1), dim)),
        ];
        let name = "nodes.parquet";
        files.push(write_table(&stage.path(name), name, columns, &Value::Null).unwrap());
    }
    let mut columns = vec![
        ("word", Column::text(words.iter().map(|word| word.0))),
        ("count", Column::u64(words.iter().map(|word| word.1).collect())),
        ("vector", Column::vectors(vectors, dim)),
    ];
    if shape.subwords.is_some() {
        columns.push(("own_vector", Column::vectors(own, dim)));
    }
    if !shape.hierarchical {
        columns.push(("context_vector", Column::vectors(floats(4, rows), dim)));
    }
    let name = "parameters.parquet";
    files.insert(0, write_table(&stage.path(name), name, columns, &metadata).unwrap());
    let key = StageKey {
        stage: shape.kind.to_owned(),
        version: 1,
        settings: Value::Null,
        inputs: BTreeMap::new(),
    };
    stage.finish(key, files, BTreeMap::new(), Value::Null).unwrap();
}
