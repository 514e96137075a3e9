//! `lexmill neighbors`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use lexmill_embeddings::{Embeddings, Neighbors, export};
use lexmill_store::Manifest;
use serde_json::json;

use crate::output::{print, table};

/// Shows the nearest words of each word.
pub(crate) fn run(path: &Path, words: &[String], count: usize, json: bool) -> Result<()> {
    let embeddings = Embeddings::read(&find(path)?)?;
    let missing: Vec<&String> =
        words.iter().filter(|word| embeddings.vocabulary().id(word).is_none()).collect();
    let text = match json {
        true => as_json(&embeddings, words, count),
        false => as_text(&embeddings, words, count),
    };
    print(&text)?;
    if let [word, ..] = missing[..] {
        let hint = match embeddings.vocabulary().id(&word.to_lowercase()) {
            Some(_) => format!("; {:?} is", word.to_lowercase()),
            None => String::new(),
        };
        bail!(
            "{word:?} is not among the {} words of {path:?}{hint}",
            embeddings.vocabulary().len()
        );
    }
    Ok(())
}

/// The embeddings in a run directory, or the path itself.
pub(crate) fn find(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() || path.join("manifest.json").exists() {
        return Ok(path.to_owned());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)?.flatten() {
        let manifest = Manifest::read(&entry.path()).ok().flatten();
        if manifest.is_some_and(|manifest| manifest.key.stage == export::KIND) {
            found.push(entry.path());
        }
    }
    found.sort();
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => bail!("{path:?} holds no finished export stage"),
        _ => bail!("{path:?} holds several export stages, name one: {found:?}"),
    }
}

/// A line of neighbours for each word that is known.
pub(crate) fn as_text(embeddings: &Embeddings, words: &[String], count: usize) -> String {
    let neighbors = Neighbors::new(embeddings);
    let mut out = String::new();
    for word in words {
        let Some(near) = neighbors.by_word(word, count) else { continue };
        let rows: Vec<Vec<String>> = near
            .iter()
            .map(|&(id, cosine)| {
                let vocabulary = embeddings.vocabulary();
                vec![
                    format!("  {}", vocabulary.word(id)),
                    format!("{cosine:.3}"),
                    vocabulary.count(id).to_string(),
                ]
            })
            .collect();
        out += &format!("{word}\n{}", table(&["  neighbor", "cosine", "count"], &rows, &[1, 2]));
    }
    out
}

fn as_json(embeddings: &Embeddings, words: &[String], count: usize) -> String {
    let neighbors = Neighbors::new(embeddings);
    let of = |word: &String| {
        let near = neighbors.by_word(word, count)?;
        let near: Vec<_> = near
            .iter()
            .map(|&(id, cosine)| {
                let vocabulary = embeddings.vocabulary();
                json!({
                    "word": vocabulary.word(id),
                    "cosine": cosine,
                    "count": vocabulary.count(id),
                })
            })
            .collect();
        Some(json!({ "word": word, "neighbors": near }))
    };
    let all: Vec<_> = words.iter().filter_map(of).collect();
    format!("{:#}\n", json!(all))
}
