//! The parameters of a model in blocks, and their table.

use std::path::Path;
use std::sync::Mutex;

use lexmill_embeddings::model::{
    BIAS, BIAS_GRADSQ, CONTEXT_BIAS, CONTEXT_BIAS_GRADSQ, CONTEXT_VECTOR, CONTEXT_VECTOR_GRADSQ,
    COUNT, VECTOR, VECTOR_GRADSQ, WORD,
};
use lexmill_store::table::{Column, ColumnType, TableReader, TableWriter};
use lexmill_store::{Error as StoreError, FileEntry};
use lexmill_vocab::{BlockLayout, Random, Vocabulary};
use serde_json::Value;

use super::step::RowLayout;
use crate::Result;

/// Rows written or read at a time.
const BATCH_ROWS: usize = 1 << 12;

/// Tells the streams of random numbers apart.
const INITIAL: u64 = 1;

/// One side of the model: words as centers, or as contexts. Blocks of rows, each owned by whoever
/// holds its lock.
pub(super) struct Side {
    pub(super) blocks: Vec<Mutex<Vec<f32>>>,
}

/// All parameters and their AdaGrad sums.
pub(super) struct Parameters {
    pub(super) words: BlockLayout,
    pub(super) row: RowLayout,
    pub(super) centers: Side,
    pub(super) contexts: Side,
}

impl Side {
    fn zeros(words: BlockLayout, row: RowLayout) -> Side {
        let block = |b| Mutex::new(vec![0.0; words.block_words(b) as usize * row.stride()]);
        Side { blocks: (0..words.blocks()).map(block).collect() }
    }

    /// The row of a word.
    fn row<T>(
        &self,
        words: BlockLayout,
        row: RowLayout,
        id: u32,
        f: impl FnOnce(&mut [f32]) -> T,
    ) -> T {
        let start = words.index(id) as usize * row.stride();
        let block = &self.blocks[words.block(id) as usize];
        let mut block = block.lock().expect("no holder panics");
        f(&mut block[start..start + row.stride()])
    }
}

impl Parameters {
    /// Bytes of memory for a model.
    pub(super) fn bytes(words: BlockLayout, row: RowLayout) -> u64 {
        2 * words.words() as u64 * row.stride() as u64 * 4
    }

    /// Each number of a vector, and each bias, uniform in [−½, ½) divided by the dimensions; AdaGrad
    /// sums 1. A word's numbers come from the seed and its id.
    pub(super) fn initial(words: BlockLayout, row: RowLayout, seed: u64) -> Parameters {
        let parameters = Parameters {
            words,
            row,
            centers: Side::zeros(words, row),
            contexts: Side::zeros(words, row),
        };
        let scale = 1.0 / row.dim as f32;
        for (role, side) in [(0, &parameters.centers), (1, &parameters.contexts)] {
            for id in 0..words.words() as u32 {
                let mut random = Random::named(&[seed, INITIAL, role, u64::from(id)]);
                side.row(words, row, id, |numbers| {
                    numbers[row.padded..2 * row.padded].fill(1.0);
                    for number in &mut numbers[..row.dim] {
                        *number = (random.unit_f32() - 0.5) * scale;
                    }
                    numbers[row.bias()] = (random.unit_f32() - 0.5) * scale;
                    numbers[row.bias() + 1] = 1.0;
                });
            }
        }
        parameters
    }

    /// Whether all numbers are finite.
    pub(super) fn finite(&self) -> bool {
        [&self.centers, &self.contexts].into_iter().all(|side| {
            side.blocks.iter().all(|block| {
                let block = block.lock().expect("no holder panics");
                // A sum of zeros times each number is 0 exactly if all are finite.
                block.chunks(1024).all(|c| c.iter().map(|x| x * 0.0).sum::<f32>() == 0.0)
            })
        })
    }

    /// W + C of each word, by id: the vectors that `export` writes.
    pub(super) fn sums(&self) -> Vec<f32> {
        let dim = self.row.dim;
        let mut sums = Vec::with_capacity(self.words.words() * dim);
        for id in 0..self.words.words() as u32 {
            let start = sums.len();
            self.centers.row(self.words, self.row, id, |w| sums.extend_from_slice(&w[..dim]));
            self.contexts.row(self.words, self.row, id, |c| {
                sums[start..].iter_mut().zip(&*c).for_each(|(sum, c)| *sum += c);
            });
        }
        sums
    }

    /// Writes the table of the model, `name` in the manifest.
    pub(super) fn write(
        &self,
        path: &Path,
        name: &str,
        vocabulary: &Vocabulary,
        metadata: &Value,
        threads: usize,
    ) -> Result<FileEntry> {
        let RowLayout { dim, padded } = self.row;
        let columns = [
            (WORD, ColumnType::Text),
            (COUNT, ColumnType::U64),
            (VECTOR, ColumnType::Vector(dim)),
            (BIAS, ColumnType::F32),
            (CONTEXT_VECTOR, ColumnType::Vector(dim)),
            (CONTEXT_BIAS, ColumnType::F32),
            (VECTOR_GRADSQ, ColumnType::Vector(dim)),
            (BIAS_GRADSQ, ColumnType::F32),
            (CONTEXT_VECTOR_GRADSQ, ColumnType::Vector(dim)),
            (CONTEXT_BIAS_GRADSQ, ColumnType::F32),
        ];
        let mut table = TableWriter::create(path, &columns, metadata)?.on_threads(threads);
        let ids: Vec<u32> = (0..vocabulary.len() as u32).collect();
        for ids in ids.chunks(BATCH_ROWS) {
            let mut columns = vec![
                Column::text(ids.iter().map(|&id| vocabulary.word(id))),
                Column::u64(ids.iter().map(|&id| vocabulary.count(id)).collect()),
            ];
            for first in [0, padded] {
                for side in [&self.centers, &self.contexts] {
                    let mut vectors = Vec::with_capacity(ids.len() * dim);
                    let mut biases = Vec::with_capacity(ids.len());
                    for &id in ids {
                        side.row(self.words, self.row, id, |numbers| {
                            vectors.extend_from_slice(&numbers[first..first + dim]);
                            biases.push(numbers[self.row.bias() + usize::from(first > 0)]);
                        });
                    }
                    columns.push(Column::vectors(vectors, dim));
                    columns.push(Column::f32(biases));
                }
            }
            table.write(columns)?;
        }
        Ok(table.finish(name)?)
    }

    /// Reads a table that [`write`](Parameters::write) wrote.
    pub(super) fn read(path: &Path, words: BlockLayout, row: RowLayout) -> Result<Parameters> {
        let parameters = Parameters {
            words,
            row,
            centers: Side::zeros(words, row),
            contexts: Side::zeros(words, row),
        };
        let table = TableReader::open(path, None, BATCH_ROWS)?;
        if table.rows() != words.words() as u64 {
            let problem = format!("it has {} words instead of {}", table.rows(), words.words());
            return Err(StoreError::corrupt(path, problem).into());
        }
        let mut first_id = 0u32;
        for batch in table {
            let batch = batch?;
            let sides = [
                (&parameters.centers, [(VECTOR, BIAS), (VECTOR_GRADSQ, BIAS_GRADSQ)]),
                (
                    &parameters.contexts,
                    [(CONTEXT_VECTOR, CONTEXT_BIAS), (CONTEXT_VECTOR_GRADSQ, CONTEXT_BIAS_GRADSQ)],
                ),
            ];
            for (side, columns) in sides {
                for (k, (vectors, biases)) in columns.into_iter().enumerate() {
                    let (vectors, dim) = batch.vectors(vectors)?;
                    let biases = batch.f32(biases)?;
                    if dim != row.dim {
                        let problem = format!("it has {dim} dimensions instead of {}", row.dim);
                        return Err(StoreError::corrupt(path, problem).into());
                    }
                    for ((id, vector), &bias) in
                        (first_id..).zip(vectors.chunks_exact(dim)).zip(biases)
                    {
                        side.row(words, row, id, |numbers| {
                            if k == 1 {
                                numbers[row.padded..2 * row.padded].fill(1.0);
                            }
                            let first = k * row.padded;
                            numbers[first..first + dim].copy_from_slice(vector);
                            numbers[row.bias() + k] = bias;
                        });
                    }
                }
            }
            first_id += batch.rows() as u32;
        }
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_vocab::WordCount;

    #[test]
    fn parameters_come_back_to_the_bit() {
        let count = |i: u64| WordCount { word: format!("w{i}"), count: 100 - i };
        let vocabulary = Vocabulary::ranked((0..37).map(count).collect(), None, &[]);
        let (words, row) = (BlockLayout::new(37, 4), RowLayout::new(5));
        let parameters = Parameters::initial(words, row, 3);
        assert!(parameters.finite());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.parquet");
        parameters.write(&path, "p", &vocabulary, &Value::Null, 3).unwrap();
        let again = Parameters::read(&path, words, row).unwrap();
        for (a, b) in
            [(&parameters.centers, &again.centers), (&parameters.contexts, &again.contexts)]
        {
            for (a, b) in a.blocks.iter().zip(&b.blocks) {
                let bits = |m: &Mutex<Vec<f32>>| {
                    m.lock().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<u32>>()
                };
                assert_eq!(bits(a), bits(b));
            }
        }
        assert!(Parameters::read(&path, BlockLayout::new(38, 4), row).is_err());
        again.centers.blocks[1].lock().unwrap()[2] = f32::INFINITY;
        assert!(!again.finite());
    }
}
