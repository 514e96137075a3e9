//! The parameters of a model, and its tables.

use std::path::Path;

use lexmill_embeddings::model::{
    BUCKET, CONTEXT_VECTOR, COUNT, NGRAMS, NODE, NODES, OWN_VECTOR, PARAMETERS, VECTOR, WORD,
};
use lexmill_store::table::{Column, ColumnType, TableReader, TableWriter};
use lexmill_store::{Error as StoreError, FileEntry};
use lexmill_vocab::{BlockLayout, Random, Vocabulary};
use serde_json::Value;

use super::matrix::{Layout, Matrix};
use super::settings::Word2vecSettings;
use super::stream;
use super::subwords::WordRows;
use crate::Result;

/// How many rows of so many numbers are written or read at a time.
pub(crate) fn batch_rows(dim: usize) -> usize {
    ((1 << 22) / dim.max(1)).clamp(1, 1 << 12)
}

/// Input and output rows.
pub(crate) struct Model {
    /// A row for each word, then with subwords one for each bucket in use.
    pub(crate) input: Matrix,
    /// A row for each word, or with hierarchical softmax for each inner node.
    pub(crate) output: Matrix,
}

/// What a model's tables are made from, besides its parameters.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) settings: &'a Word2vecSettings,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) rows: Option<&'a WordRows>,
    pub(crate) input: BlockLayout,
    pub(crate) output: &'a Layout,
}

impl Shape<'_> {
    /// Bytes of memory for a model.
    pub(crate) fn bytes(&self) -> u64 {
        let rows = self.input.words() + self.output.rows();
        Matrix::bytes(rows, self.settings.dimensions)
    }

    pub(crate) fn zeros(&self) -> Model {
        let dim = self.settings.dimensions;
        Model {
            input: Matrix::zeros(Layout::Dealt(self.input), dim),
            output: Matrix::zeros(self.output.clone(), dim),
        }
    }

    /// Input rows uniform in ± `initial_range` / dimensions, output rows 0. A row's numbers come from
    /// the seed and its word's id or its bucket.
    pub(crate) fn initial(&self) -> Model {
        let mut model = self.zeros();
        let range = (self.settings.initial_range / self.settings.dimensions as f64) as f32;
        let words = self.vocabulary.len() as u32;
        model.input.randomize(range, |row| {
            let (role, number) = match row.checked_sub(words) {
                Some(i) => (1, self.rows.map_or(i, |rows| rows.buckets[i as usize])),
                None => (0, row),
            };
            Random::named(&[self.settings.seed, stream::INITIAL, role, u64::from(number)])
        });
        model
    }

    /// Writes the model's tables into `stage`, under `prefix`, side by side on the threads of rayon's
    /// pool. A whole model has the vectors that people want, too, where they are made of several rows.
    pub(crate) fn write(
        &self,
        model: &Model,
        stage: &Path,
        prefix: &str,
        whole: bool,
        metadata: &Value,
    ) -> Result<Vec<FileEntry>> {
        let parameters = || {
            let name = format!("{prefix}{PARAMETERS}");
            self.write_parameters(model, &stage.join(&name), &name, whole, metadata)
        };
        let rows_of = |name: &str, key: &str, rows: Vec<(u32, u32)>, matrix: &Matrix| {
            let name = format!("{prefix}{name}");
            write_rows(&stage.join(&name), &name, key, &rows, matrix, metadata)
        };
        let ngrams = || {
            let rows = self.rows?;
            // By bucket, as those who look for one expect.
            let first = self.vocabulary.len() as u32;
            let mut order: Vec<(u32, u32)> = rows.buckets.iter().copied().zip(first..).collect();
            order.sort_unstable();
            Some(rows_of(NGRAMS, BUCKET, order, &model.input))
        };
        let nodes = || {
            let all = (0..self.output.rows() as u32).map(|node| (node, node)).collect();
            let hierarchical = self.settings.hierarchical();
            hierarchical.then(|| rows_of(NODES, NODE, all, &model.output))
        };
        let (parameters, (ngrams, nodes)) = rayon::join(parameters, || rayon::join(ngrams, nodes));
        std::iter::once(parameters).chain(ngrams).chain(nodes).collect()
    }

    fn write_parameters(
        &self,
        model: &Model,
        path: &Path,
        name: &str,
        whole: bool,
        metadata: &Value,
    ) -> Result<FileEntry> {
        let dim = self.settings.dimensions;
        let vector = ColumnType::Vector(dim);
        let hierarchical = self.settings.hierarchical();
        let mut columns = vec![(WORD, ColumnType::Text), (COUNT, ColumnType::U64)];
        if self.rows.is_none() || whole {
            columns.push((VECTOR, vector));
        }
        if self.rows.is_some() {
            columns.push((OWN_VECTOR, vector));
        }
        if !hierarchical {
            columns.push((CONTEXT_VECTOR, vector));
        }
        let mut table =
            TableWriter::create(path, &columns, metadata)?.on_threads(rayon::current_num_threads());
        let words: Vec<u32> = (0..self.vocabulary.len() as u32).collect();
        for ids in words.chunks(batch_rows(dim)) {
            let vectors = |matrix: &Matrix| {
                let mut numbers = Vec::with_capacity(ids.len() * dim);
                ids.iter().for_each(|&id| matrix.extend(id, &mut numbers));
                Column::vectors(numbers, dim)
            };
            let mut columns = vec![
                Column::text(ids.iter().map(|&id| self.vocabulary.word(id))),
                Column::u64(ids.iter().map(|&id| self.vocabulary.count(id)).collect()),
            ];
            if let Some(rows) = self.rows.filter(|_| whole) {
                columns.push(Column::vectors(composed(model, rows, ids), dim));
            }
            if hierarchical {
                columns.push(vectors(&model.input));
            } else {
                let (input, output) =
                    rayon::join(|| vectors(&model.input), || vectors(&model.output));
                columns.extend([input, output]);
            }
            table.write(columns)?;
        }
        Ok(table.finish(name)?)
    }

    /// The vectors of all words, by id: those that `export` writes.
    pub(crate) fn vectors(&self, model: &Model) -> Vec<f32> {
        let ids: Vec<u32> = (0..self.vocabulary.len() as u32).collect();
        if let Some(rows) = self.rows {
            return composed(model, rows, &ids);
        }
        let mut numbers = Vec::with_capacity(ids.len() * self.settings.dimensions);
        ids.iter().for_each(|&id| model.input.extend(id, &mut numbers));
        numbers
    }

    /// Reads the tables that [`write`](Shape::write) wrote into `directory`.
    pub(crate) fn read(&self, directory: &Path) -> Result<Model> {
        let mut model = self.zeros();
        let own = if self.rows.is_some() { OWN_VECTOR } else { VECTOR };
        let path = directory.join(PARAMETERS);
        let mut columns = vec![own];
        if !self.settings.hierarchical() {
            columns.push(CONTEXT_VECTOR);
        }
        let batch_rows = batch_rows(self.settings.dimensions);
        let table = TableReader::open(&path, Some(&columns), batch_rows)?;
        check_rows(&path, table.rows(), self.vocabulary.len())?;
        let mut first = 0u32;
        for batch in table {
            let batch = batch?;
            let matrices = [(own, &mut model.input), (CONTEXT_VECTOR, &mut model.output)];
            for (column, matrix) in matrices.into_iter().take(columns.len()) {
                fill(&path, batch.vectors(column)?, first.., matrix)?;
            }
            first += batch.rows() as u32;
        }
        if let Some(rows) = self.rows {
            let path = directory.join(NGRAMS);
            let words = self.vocabulary.len() as u32;
            let row_of: std::collections::HashMap<u32, u32> =
                rows.buckets.iter().copied().zip(words..).collect();
            let table = TableReader::open(&path, Some(&[BUCKET, VECTOR]), batch_rows)?;
            check_rows(&path, table.rows(), rows.buckets.len())?;
            for batch in table {
                let batch = batch?;
                let mut ids = Vec::new();
                for bucket in batch.u32(BUCKET)? {
                    let problem =
                        || StoreError::corrupt(&path, format!("bucket {bucket} is not used"));
                    ids.push(*row_of.get(bucket).ok_or_else(problem)?);
                }
                fill(&path, batch.vectors(VECTOR)?, ids, &mut model.input)?;
            }
        }
        if self.settings.hierarchical() {
            let path = directory.join(NODES);
            let table = TableReader::open(&path, Some(&[VECTOR]), batch_rows)?;
            check_rows(&path, table.rows(), self.output.rows())?;
            let mut first = 0u32;
            for batch in table {
                let batch = batch?;
                fill(&path, batch.vectors(VECTOR)?, first.., &mut model.output)?;
                first += batch.rows() as u32;
            }
        }
        Ok(model)
    }
}

/// The mean of each word's rows: fastText's word vector.
fn composed(model: &Model, rows: &WordRows, ids: &[u32]) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(ids.len() * model.input.dim);
    let (mut row, mut sum) = (Vec::new(), vec![0.0f32; model.input.dim]);
    for &id in ids {
        sum.fill(0.0);
        let rows = rows.of(id);
        for &part in rows {
            row.clear();
            model.input.extend(part, &mut row);
            sum.iter_mut().zip(&row).for_each(|(sum, x)| *sum += x);
        }
        let scale = 1.0 / rows.len() as f32;
        numbers.extend(sum.iter().map(|x| x * scale));
    }
    numbers
}

fn write_rows(
    path: &Path,
    name: &str,
    key: &str,
    rows: &[(u32, u32)],
    matrix: &Matrix,
    metadata: &Value,
) -> Result<FileEntry> {
    let dim = matrix.dim;
    let columns = [(key, ColumnType::U32), (VECTOR, ColumnType::Vector(dim))];
    let mut table = TableWriter::create(path, &columns, metadata)?;
    for rows in rows.chunks(batch_rows(dim)) {
        let mut numbers = Vec::with_capacity(rows.len() * dim);
        rows.iter().for_each(|&(_, row)| matrix.extend(row, &mut numbers));
        let keys = rows.iter().map(|&(key, _)| key).collect();
        table.write(vec![Column::u32(keys), Column::vectors(numbers, dim)])?;
    }
    Ok(table.finish(name)?)
}

fn check_rows(path: &Path, found: u64, expected: usize) -> Result<()> {
    if found == expected as u64 {
        return Ok(());
    }
    Err(StoreError::corrupt(path, format!("it has {found} rows instead of {expected}")).into())
}

fn fill(
    path: &Path,
    (vectors, dim): (&[f32], usize),
    ids: impl IntoIterator<Item = u32>,
    matrix: &mut Matrix,
) -> Result<()> {
    if dim != matrix.dim {
        let problem = format!("it has {dim} dimensions instead of {}", matrix.dim);
        return Err(StoreError::corrupt(path, problem).into());
    }
    for (id, vector) in ids.into_iter().zip(vectors.chunks_exact(dim)) {
        matrix.set(id, vector);
    }
    Ok(())
}
