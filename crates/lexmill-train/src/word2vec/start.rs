//! Starting from vectors that are there already.

use std::collections::HashMap;
use std::path::Path;

use lexmill_embeddings::model::{
    BUCKET, CONTEXT_VECTOR, KINDS, NGRAMS, OWN_VECTOR, PARAMETERS, VECTOR, WORD,
};
use lexmill_embeddings::{Embeddings, Packing};
use lexmill_store::table::TableReader;
use lexmill_store::{Manifest, Progress};

use super::matrix::Matrix;
use super::model::{Model, Shape, batch_rows};
use crate::{Error, Result};

/// What the vectors at `path` are, in one hash: a model's stage directory by its fingerprint, a file by
/// its content.
///
/// # Errors
/// If there is no such file, or it can't be read.
pub fn start_hash(path: &Path) -> Result<String> {
    if is_model(path) {
        return Ok(Manifest::expect(path, KINDS)?.fingerprint);
    }
    Ok(lexmill_store::file_hash(path)?)
}

/// Whether `path` is a finished stage that holds a model.
fn is_model(path: &Path) -> bool {
    path.join(PARAMETERS).is_file()
}

/// Bytes of memory for the vectors at `path` while the model takes them over: those of a file are read
/// whole, and text has more bytes than its numbers. Compressed, they are taken to have four times as
/// many.
pub(crate) fn start_bytes(path: &Path) -> u64 {
    let times = if Packing::of_name(path) == Packing::None { 1 } else { 4 };
    let length = |file: std::fs::Metadata| if file.is_file() { file.len() } else { 0 };
    // What can't be read says so later.
    std::fs::metadata(path).map_or(0, length).saturating_mul(times)
}

/// Sets the rows of the words that are in the model or the embeddings at `path`; others stay as they
/// are. Returns how many words there were.
///
/// Of a model the output rows are taken over as well, where both are trained by negative sampling, and
/// the rows of n-grams, where both have the same. Words whose vectors had no n-grams get a row of their
/// own that makes the mean of all their rows that vector, nearly.
pub(crate) fn start_from(
    path: &Path,
    shape: &Shape<'_>,
    model: &mut Model,
    threads: usize,
    progress: &Progress,
) -> Result<usize> {
    if !is_model(path) {
        let embeddings = Embeddings::read(path)?;
        check_dim(path, embeddings.dim(), &model.input)?;
        let mut found = 0;
        for (id, word) in (0..).zip(shape.vocabulary.words()) {
            if let Some(vector) = embeddings.vector_of(word) {
                set_whole(shape, &mut model.input, id, vector);
                found += 1;
            }
        }
        return Ok(found);
    }
    let manifest = Manifest::expect(path, KINDS)?;
    progress.begin_comparing(manifest.bytes());
    manifest.expect_whole(path, threads, progress)?;
    let parameters = path.join(PARAMETERS);
    let mut first = TableReader::open(&parameters, None, 1)?;
    let settings = first.metadata()["settings"].clone();
    let has_outputs = first.next().transpose()?.is_some_and(|row| row.has(CONTEXT_VECTOR));
    let wanted = serde_json::to_value(shape.settings).expect("plain data");
    let same_ngrams = shape.rows.is_some()
        && ["subwords", "minn", "maxn", "bucket"].iter().all(|f| settings[*f] == wanted[*f]);
    let outputs = !shape.settings.hierarchical() && has_outputs;
    let vector = if same_ngrams { OWN_VECTOR } else { VECTOR };
    let mut columns = vec![WORD, vector];
    if outputs {
        columns.push(CONTEXT_VECTOR);
    }
    let mut found = 0;
    for batch in TableReader::open(&parameters, Some(&columns), batch_rows(model.input.dim))? {
        let batch = batch?;
        let (vectors, dim) = batch.vectors(vector)?;
        check_dim(&parameters, dim, &model.input)?;
        for (word, vector) in batch.text(WORD)?.iter().zip(vectors.chunks_exact(dim)) {
            if let Some(id) = shape.vocabulary.id(word) {
                found += 1;
                match same_ngrams {
                    true => model.input.set(id, vector),
                    false => set_whole(shape, &mut model.input, id, vector),
                }
            }
        }
        if outputs {
            let (vectors, dim) = batch.vectors(CONTEXT_VECTOR)?;
            check_dim(&parameters, dim, &model.output)?;
            for (word, vector) in batch.text(WORD)?.iter().zip(vectors.chunks_exact(dim)) {
                if let Some(id) = shape.vocabulary.id(word) {
                    model.output.set(id, vector);
                }
            }
        }
    }
    if let Some(rows) = shape.rows.filter(|_| same_ngrams) {
        let first = shape.vocabulary.len() as u32;
        let row_of: HashMap<u32, u32> = rows.buckets.iter().copied().zip(first..).collect();
        let ngrams = path.join(NGRAMS);
        for batch in
            TableReader::open(&ngrams, Some(&[BUCKET, VECTOR]), batch_rows(model.input.dim))?
        {
            let batch = batch?;
            let (vectors, dim) = batch.vectors(VECTOR)?;
            check_dim(&ngrams, dim, &model.input)?;
            for (bucket, vector) in batch.u32(BUCKET)?.iter().zip(vectors.chunks_exact(dim)) {
                if let Some(&row) = row_of.get(bucket) {
                    model.input.set(row, vector);
                }
            }
        }
    }
    Ok(found)
}

/// Makes a word's vector, the mean of its rows, what is given, as far as its own row can.
fn set_whole(shape: &Shape<'_>, input: &mut Matrix, id: u32, vector: &[f32]) {
    match shape.rows {
        None => input.set(id, vector),
        Some(rows) => {
            let scale = rows.of(id).len() as f32;
            let scaled: Vec<f32> = vector.iter().map(|x| x * scale).collect();
            input.set(id, &scaled);
        }
    }
}

fn check_dim(path: &Path, found: usize, matrix: &Matrix) -> Result<()> {
    if found == matrix.dim {
        return Ok(());
    }
    Err(Error::StartDimensions { path: path.to_owned(), found, wanted: matrix.dim })
}
