//! `lexmill vector`, and opening what it and `lexmill neighbors` ask.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use lexmill_embeddings::export::{self, VectorChoice};
use lexmill_embeddings::{Embeddings, SubwordVectors, model};
use lexmill_store::Manifest;

use crate::output::print;

/// Words with their vectors.
pub(crate) enum Vectors {
    /// Of known words only.
    Known(Embeddings),
    /// Of any word.
    Any(SubwordVectors),
}

impl Vectors {
    /// Opens a file, a stage or a run.
    pub(crate) fn open(path: &Path) -> Result<Vectors> {
        let path = find(path)?;
        Ok(match SubwordVectors::open(&path)? {
            Some(any) => Vectors::Any(any),
            None => Vectors::Known(Embeddings::read(&path)?),
        })
    }

    /// All known words.
    pub(crate) fn embeddings(&self) -> Result<Cow<'_, Embeddings>> {
        Ok(match self {
            Vectors::Known(embeddings) => Cow::Borrowed(embeddings),
            Vectors::Any(any) => any.embeddings()?,
        })
    }

    pub(crate) fn knows(&self, word: &str) -> bool {
        match self {
            Vectors::Known(embeddings) => embeddings.vocabulary().id(word).is_some(),
            Vectors::Any(any) => any.knows(word),
        }
    }

    /// The vector of a word, from its n-grams if need be and if there are any.
    pub(crate) fn vector(&self, word: &str) -> Result<Option<Vec<f32>>> {
        Ok(match self {
            Vectors::Known(embeddings) => embeddings.vector_of(word).map(<[f32]>::to_vec),
            Vectors::Any(any) => Some(any.vector(word)?),
        })
    }

    /// Another spelling of an unknown word that is known.
    pub(crate) fn hint(&self, word: &str) -> Option<String> {
        let lower = word.to_lowercase();
        (!self.knows(word) && self.knows(&lower)).then_some(lower)
    }
}

/// That a word is not there.
pub(crate) fn missing(vectors: &Vectors, word: &str, words: usize, path: &Path) -> anyhow::Error {
    let hint = vectors.hint(word).map_or_else(String::new, |lower| format!("; {lower:?} is"));
    anyhow!("{word:?} is not among the {words} words of {path:?}{hint}")
}

/// Shows the vector of each word.
pub(crate) fn run(path: &Path, words: &[String], json: bool) -> Result<()> {
    let vectors = Vectors::open(path)?;
    let mut found = Vec::new();
    for word in words {
        if let Some(vector) = vectors.vector(word)? {
            found.push((word, vector));
        }
    }
    print(&match json {
        true => {
            // Not by way of a `Value`, whose numbers are longer.
            let mut rows = Vec::new();
            for (word, vector) in &found {
                let known = vectors.knows(word);
                let (word, vector) = (serde_json::to_string(word)?, serde_json::to_string(vector)?);
                rows.push(format!(r#"{{"word":{word},"known":{known},"vector":{vector}}}"#));
            }
            format!("[{}]\n", rows.join(",\n"))
        }
        false => {
            let mut text = String::new();
            for (word, vector) in &found {
                export::text_line(&mut text, word, vector);
            }
            text
        }
    })?;
    match words.iter().find(|word| !found.iter().any(|(found, _)| found == word)) {
        Some(word) => Err(missing(&vectors, word, vectors.embeddings()?.len(), path)),
        None => Ok(()),
    }
}

/// What to read of a run directory: the one export in it, or the model it was made of if that has
/// n-grams, or the one model. Any other path is taken as it is.
fn find(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() || path.join("manifest.json").exists() {
        return Ok(path.to_owned());
    }
    let (mut exports, mut models) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(path)?.flatten() {
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
    let paths = |found: &[(PathBuf, Manifest)]| {
        let mut paths: Vec<PathBuf> = found.iter().map(|(path, _)| path.clone()).collect();
        paths.sort();
        paths
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
        ([], []) => bail!("{path:?} holds no finished export stage or model"),
        ([], _) => bail!("{path:?} holds several models, name one: {:?}", paths(&models)),
        _ => bail!("{path:?} holds several export stages, name one: {:?}", paths(&exports)),
    }
}
