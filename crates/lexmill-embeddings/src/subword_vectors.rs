//! Vectors for words that were never seen, from the n-grams they are made of.

use std::io::Read;
use std::path::{Path, PathBuf};

use lexmill_store::table::TableReader;
use lexmill_store::{Error as StoreError, Manifest};
use lexmill_vocab::Subwords;
use serde_json::Value;

use crate::export::{self, VectorChoice};
use crate::fasttext::{add, scale};
use crate::format::Format;
use crate::model::{self, BUCKET, NGRAMS, PARAMETERS, VECTOR};
use crate::{Embeddings, FastTextFile, Result};

/// A model with character n-grams, which has a vector for any word.
///
/// Of a `.bin` file only the dictionary is in memory, and rows are read when they are needed; of a
/// model's stage directory, the vectors of words and n-grams.
#[derive(Debug)]
pub struct SubwordVectors(Source);

#[derive(Debug)]
enum Source {
    File(FastTextFile),
    Model(Model),
}

/// A skipgram or cbow stage with n-grams.
#[derive(Debug)]
struct Model {
    /// Words with their composed vectors.
    embeddings: Embeddings,
    subwords: Subwords,
    /// The buckets that have a row, ascending. The rows of all others are zeros.
    buckets: Vec<u32>,
    /// Their rows end to end.
    rows: Vec<f32>,
}

impl SubwordVectors {
    /// Opens a fastText `.bin`, the stage directory of a model, or that of an export with a `.bin`.
    /// `None` if there is a file or a finished stage, but without n-grams.
    ///
    /// # Errors
    /// If it can't be read, is not whole, or contradicts itself.
    pub fn open(path: &Path) -> Result<Option<SubwordVectors>> {
        Ok(match place(path)? {
            Place::Nowhere => None,
            Place::File(file) => of_file(&file)?,
            Place::Model(manifest) => {
                manifest.expect_files(path, |_| true)?;
                Some(SubwordVectors(Source::Model(Model::read(path)?)))
            }
        })
    }

    /// Whether [`open`](SubwordVectors::open) would find n-grams; reads the dictionary of a `.bin` at
    /// most.
    ///
    /// # Errors
    /// If it can't be read, or contradicts itself.
    pub fn are_at(path: &Path) -> Result<bool> {
        Ok(match place(path)? {
            Place::Nowhere => false,
            Place::File(file) => of_file(&file)?.is_some(),
            Place::Model(_) => true,
        })
    }

    /// Floats of a vector.
    pub fn dim(&self) -> usize {
        match &self.0 {
            Source::File(file) => file.dim(),
            Source::Model(model) => model.embeddings.dim(),
        }
    }

    /// Whether a word is in the vocabulary.
    pub fn knows(&self, word: &str) -> bool {
        match &self.0 {
            Source::File(file) => file.id(word).is_some(),
            Source::Model(model) => model.embeddings.vocabulary().id(word).is_some(),
        }
    }

    /// The vector of any word, `dim` values: of a known one, the mean of its own row and its n-grams'
    /// rows; of another, the mean of the latter. Rows of n-grams that no known word has are zeros, and
    /// so is the vector of a word without n-grams. This is what fastText's `get_word_vector` gives.
    ///
    /// # Errors
    /// If the file can't be read, or holds a value that is not finite.
    pub fn vector(&self, word: &str) -> Result<Vec<f32>> {
        match &self.0 {
            Source::File(file) => file.vector(word),
            Source::Model(model) => Ok(match model.embeddings.vector_of(word) {
                Some(vector) => vector.to_vec(),
                None => model.unseen(word),
            }),
        }
    }

    /// All known words with their vectors.
    ///
    /// # Errors
    /// If the file can't be read, or holds a value that is not finite.
    pub fn embeddings(&self) -> Result<std::borrow::Cow<'_, Embeddings>> {
        match &self.0 {
            Source::File(file) => Ok(std::borrow::Cow::Owned(file.embeddings()?)),
            Source::Model(model) => Ok(std::borrow::Cow::Borrowed(&model.embeddings)),
        }
    }
}

/// Where n-grams may be.
enum Place {
    Nowhere,
    File(PathBuf),
    /// Of this manifest.
    Model(Box<Manifest>),
}

fn place(path: &Path) -> Result<Place> {
    if !path.is_dir() {
        let mut start = Vec::new();
        let file = std::fs::File::open(path).map_err(StoreError::io("open", path))?;
        file.take(4).read_to_end(&mut start).map_err(StoreError::io("read", path))?;
        return Ok(match FastTextFile::starts_like(&start) {
            true => Place::File(path.to_owned()),
            false => Place::Nowhere,
        });
    }
    let Some(manifest) = Manifest::read(path)? else { return Ok(Place::Nowhere) };
    let has = |name: &str| manifest.files.iter().any(|file| file.path == name);
    if manifest.key.stage == export::KIND {
        // A .bin's words have the vectors of the other files only if W was chosen.
        let name = Format::FasttextBin.file_name();
        return Ok(match has(name) && VectorChoice::keeps_words(&manifest) {
            true => Place::File(path.join(name)),
            false => Place::Nowhere,
        });
    }
    Ok(match model::KINDS.contains(&manifest.key.stage.as_str()) && has(NGRAMS) {
        true => Place::Model(Box::new(manifest)),
        false => Place::Nowhere,
    })
}

fn of_file(path: &Path) -> Result<Option<SubwordVectors>> {
    Manifest::expect_file(path)?;
    let file = FastTextFile::open(path)?;
    let some = !file.settings().subwords.is_none();
    Ok(some.then_some(SubwordVectors(Source::File(file))))
}

impl Model {
    fn read(directory: &Path) -> Result<Model> {
        let metadata = model::read_model(directory, &[])?.metadata().clone();
        let subwords = subwords(&directory.join(PARAMETERS), &metadata)?;
        let embeddings = Embeddings::read(directory)?;
        let path = directory.join(NGRAMS);
        let (mut buckets, mut rows) = (Vec::new(), Vec::new());
        for batch in TableReader::open(&path, Some(&[BUCKET, VECTOR]), model::BATCH_ROWS)? {
            let batch = batch?;
            let (values, dim) = batch.vectors(VECTOR)?;
            if dim != embeddings.dim() && batch.rows() > 0 {
                let problem = format!(
                    "its vectors have {dim} dimensions, those of words {}",
                    embeddings.dim()
                );
                return Err(StoreError::corrupt(&path, problem).into());
            }
            buckets.extend_from_slice(batch.u32(BUCKET)?);
            rows.extend_from_slice(values);
        }
        let ascending = buckets.is_sorted_by(|a, b| a < b);
        if !ascending || buckets.last().is_some_and(|&last| last >= subwords.bucket) {
            let problem = format!("its buckets do not ascend to below {}", subwords.bucket);
            return Err(StoreError::corrupt(&path, problem).into());
        }
        if rows.iter().any(|value| !value.is_finite()) {
            return Err(StoreError::corrupt(&path, "it holds values that are not finite").into());
        }
        Ok(Model { embeddings, subwords, buckets, rows })
    }

    fn unseen(&self, word: &str) -> Vec<f32> {
        let dim = self.embeddings.dim();
        let mut buckets = Vec::new();
        self.subwords.buckets(word, &mut buckets);
        let mut vector = vec![0.0; dim];
        for bucket in &buckets {
            if let Ok(index) = self.buckets.binary_search(bucket) {
                add(&mut vector, &self.rows[index * dim..][..dim]);
            }
        }
        scale(&mut vector, buckets.len());
        vector
    }
}

/// The n-grams of a model, by the metadata of its table `path`; [`Subwords::NONE`] of one without.
///
/// # Errors
/// If the settings are not there or not numbers in range.
pub(crate) fn subwords(path: &Path, metadata: &Value) -> Result<Subwords> {
    let settings = &metadata[model::SETTINGS];
    if settings[model::SUBWORDS].as_bool() != Some(true) {
        return Ok(Subwords::NONE);
    }
    let number = |name: &str| {
        let value = settings[name].as_u64().and_then(|value| u32::try_from(value).ok());
        let most = if name == model::MAXN { Subwords::MOST_CHARACTERS } else { u32::MAX };
        value.filter(|value| *value <= most).ok_or_else(|| {
            let problem = format!("its metadata have {} as settings.{name}", settings[name]);
            StoreError::corrupt(path, problem)
        })
    };
    Ok(Subwords {
        minn: number(model::MINN)?,
        maxn: number(model::MAXN)?,
        bucket: number(model::BUCKETS)?,
    })
}
