//! `lexmill neighbors`.

use std::path::Path;

use anyhow::{Result, bail};
use lexmill_embeddings::{Embeddings, Neighbors};
use lexmill_vocab::WordId;
use serde_json::json;

use crate::commands::vectors::{Vectors, missing};
use crate::output::{print, table};

/// A word and the words nearest to it.
struct Found<'a> {
    word: &'a str,
    /// Whether it is in the vocabulary; else its vector is that of its n-grams.
    known: bool,
    near: Vec<(WordId, f32)>,
}

/// Shows the nearest words of each word.
pub(crate) fn run(path: &Path, words: &[String], count: usize, json: bool) -> Result<()> {
    let vectors = Vectors::open(path)?;
    let embeddings = vectors.embeddings()?;
    let neighbors = Neighbors::new(&embeddings);
    let (mut all, mut unanswered) = (Vec::new(), None);
    for word in words {
        let near = match neighbors.by_word(word, count) {
            Some(near) => Some(near),
            // Zeros have no direction.
            None => vectors
                .vector(word)?
                .filter(|vector| vector.iter().any(|&value| value != 0.0))
                .map(|vector| neighbors.nearest(&vector, count, &[])),
        };
        match near {
            Some(near) => all.push(Found { word, known: vectors.knows(word), near }),
            None => unanswered = unanswered.or(Some(word)),
        }
    }
    print(&match json {
        true => as_json(&embeddings, &all),
        false => {
            let note = |found: &Found<'_>| match (found.known, vectors.hint(found.word)) {
                (true, _) => String::new(),
                (false, None) => " (not in the vocabulary: by its n-grams)".to_owned(),
                (false, Some(lower)) => {
                    format!(" (not in the vocabulary: by its n-grams; {lower:?} is)")
                }
            };
            all.iter().map(|found| found.text(&embeddings, &note(found))).collect()
        }
    })?;
    match (unanswered, &vectors) {
        (None, _) => Ok(()),
        (Some(word), Vectors::Known(_)) => Err(missing(&vectors, word, embeddings.len(), path)),
        (Some(word), Vectors::Any(_)) => bail!(
            "{word:?} is not among the {} words of {path:?}, and none of its n-grams has a vector",
            embeddings.len()
        ),
    }
}

/// A table of neighbours for each word that is known.
pub(crate) fn as_text(embeddings: &Embeddings, words: &[String], count: usize) -> String {
    let neighbors = Neighbors::new(embeddings);
    let of = |word: &String| {
        let near = neighbors.by_word(word, count)?;
        Some(Found { word, known: true, near }.text(embeddings, ""))
    };
    words.iter().filter_map(of).collect()
}

impl Found<'_> {
    fn text(&self, embeddings: &Embeddings, note: &str) -> String {
        let vocabulary = embeddings.vocabulary();
        let rows: Vec<Vec<String>> = self
            .near
            .iter()
            .map(|&(id, cosine)| {
                vec![
                    format!("  {}", vocabulary.word(id)),
                    format!("{cosine:.3}"),
                    vocabulary.count(id).to_string(),
                ]
            })
            .collect();
        let table = table(&["  neighbor", "cosine", "count"], &rows, &[1, 2]);
        format!("{}{note}\n{table}", self.word)
    }
}

fn as_json(embeddings: &Embeddings, all: &[Found<'_>]) -> String {
    let vocabulary = embeddings.vocabulary();
    let of = |found: &Found<'_>| {
        let near: Vec<_> = found
            .near
            .iter()
            .map(|&(id, cosine)| {
                json!({
                    "word": vocabulary.word(id),
                    "cosine": cosine,
                    "count": vocabulary.count(id),
                })
            })
            .collect();
        json!({ "word": found.word, "known": found.known, "neighbors": near })
    };
    let all: Vec<_> = all.iter().map(of).collect();
    format!("{:#}\n", json!(all))
}
