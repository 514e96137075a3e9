//! The vectors that a person means by a path: of a file, a stage, or the one export or model of a run;
//! with vectors for words never seen, where the model has such.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use lexmill_store::{Error as StoreError, Manifest};

use crate::export::{self, VectorChoice};
use crate::format::Format;
use crate::read::{ReadOptions, read};
use crate::{Embeddings, Error, Result, SubwordVectors, model};

/// Words with their vectors.
#[derive(Debug)]
pub enum Vectors {
    /// Of known words only.
    Known(Embeddings),
    /// Of any word.
    Any(SubwordVectors),
}

impl Vectors {
    /// Opens a file, a stage directory or a run directory. Of a run directory it is the one export in it,
    /// or the model it was made of if that has n-grams, or the one model.
    ///
    /// # Errors
    /// If there are no vectors, or several, or they can't be read.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Vectors> {
        let path = find(path)?;
        let any = match options.format {
            None | Some(Format::FasttextBin) => SubwordVectors::open(&path)?,
            Some(_) => None,
        };
        Ok(match any {
            Some(any) => Vectors::Any(any),
            None => Vectors::Known(read(&path, options)?),
        })
    }

    /// All known words.
    ///
    /// # Errors
    /// If the file can't be read, or holds a value that is not finite.
    pub fn embeddings(&self) -> Result<Cow<'_, Embeddings>> {
        Ok(match self {
            Vectors::Known(embeddings) => Cow::Borrowed(embeddings),
            Vectors::Any(any) => any.embeddings()?,
        })
    }

    /// Floats of a vector.
    pub fn dim(&self) -> usize {
        match self {
            Vectors::Known(embeddings) => embeddings.dim(),
            Vectors::Any(any) => any.dim(),
        }
    }

    /// Whether a word is in the vocabulary.
    pub fn knows(&self, word: &str) -> bool {
        match self {
            Vectors::Known(embeddings) => embeddings.vocabulary().id(word).is_some(),
            Vectors::Any(any) => any.knows(word),
        }
    }

    /// The vector of a word, from its n-grams if need be and if there are any.
    ///
    /// # Errors
    /// If the file can't be read, or holds a value that is not finite.
    pub fn vector(&self, word: &str) -> Result<Option<Vec<f32>>> {
        Ok(match self {
            Vectors::Known(embeddings) => embeddings.vector_of(word).map(<[f32]>::to_vec),
            Vectors::Any(any) => Some(any.vector(word)?),
        })
    }

    /// Another spelling of an unknown word that is known.
    pub fn hint(&self, word: &str) -> Option<String> {
        let lower = word.to_lowercase();
        (!self.knows(word) && self.knows(&lower)).then_some(lower)
    }
}

/// What to read of a path: of a run directory the stage that is meant; any other path is taken as it is.
///
/// # Errors
/// If a run directory holds no vectors, or several.
pub fn find(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() || path.join("manifest.json").exists() {
        return Ok(path.to_owned());
    }
    let (mut exports, mut models) = (Vec::new(), Vec::new());
    let entries = std::fs::read_dir(path).map_err(StoreError::io("read", path))?;
    for entry in entries.flatten() {
        match Manifest::read(&entry.path()).ok().flatten() {
            Some(manifest) if manifest.key.stage == export::KIND => {
                exports.push((entry.path(), manifest));
            }
            Some(manifest) if model::KINDS.contains(&manifest.key.stage.as_str()) => {
                models.push((entry.path(), manifest));
            }
            _ => {}
        }
    }
    let several = |what: &'static str, found: &[(PathBuf, Manifest)]| {
        let mut stages: Vec<PathBuf> = found.iter().map(|(path, _)| path.clone()).collect();
        stages.sort();
        Error::SeveralInRun { path: path.to_owned(), what, stages }
    };
    match (&exports[..], &models[..]) {
        ([(export, of)], _) => {
            let same = VectorChoice::keeps_words(of);
            let model = models.iter().find(|(_, model)| {
                let inputs: Vec<&String> = of.key.inputs.values().collect();
                let ngrams = model.files.iter().any(|file| file.path == model::NGRAMS);
                same && ngrams && inputs.contains(&&model.fingerprint)
            });
            Ok(model.map_or(export, |(path, _)| path).clone())
        }
        ([], [(model, _)]) => Ok(model.clone()),
        ([], []) => Err(Error::NoneInRun { path: path.to_owned() }),
        ([], _) => Err(several("models", &models)),
        _ => Err(several("export stages", &exports)),
    }
}
