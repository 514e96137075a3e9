//! `lexmill neighbors`.

use anyhow::Result;
use lexmill_embeddings::{Embeddings, Neighbors, Query, Scored, Vectors};
use serde_json::{Value, json};

use crate::args::vectors::{Best, NeighborsArgs};
use crate::commands::vectors::{complain_of, direction, questions};
use crate::output::{print, table};

/// A word and the words nearest to it.
struct Found<'a> {
    word: &'a str,
    /// Whether it is in the vocabulary; else its vector is that of its n-grams.
    known: bool,
    near: Vec<Scored>,
}

/// Shows the nearest words of each word.
pub(crate) fn run(args: &NeighborsArgs) -> Result<()> {
    let vectors = Vectors::open(&args.source.path, &args.source.options())?;
    let embeddings = vectors.embeddings()?;
    let questions = questions(&args.asked, &args.asking, 1)?;
    let (mut words, mut queries, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for word in questions.iter().flatten() {
        match direction(&vectors, word)? {
            Some(vector) => {
                let exclude = embeddings.vocabulary().id(word).into_iter().collect();
                queries.push(Query { vector, exclude });
                words.push(word.as_str());
            }
            None => unknown.push(word.as_str()),
        }
    }
    let answers = searched(&embeddings, &args.best).nearest_all(&queries, args.best.count);
    let found = words.into_iter().zip(answers).map(|(word, near)| {
        let known = vectors.knows(word);
        Found { word, known, near }
    });
    print(&match args.asking.json {
        true => {
            let all: Vec<Value> = found.map(|found| found.json(&embeddings)).collect();
            format!("{:#}\n", json!(all))
        }
        false => {
            let note = |found: &Found<'_>| match (found.known, vectors.hint(found.word)) {
                (true, _) => String::new(),
                (false, None) => " (not in the vocabulary: by its n-grams)".to_owned(),
                (false, Some(lower)) => {
                    format!(" (not in the vocabulary: by its n-grams; {lower:?} is)")
                }
            };
            found.map(|found| found.text(&embeddings, &note(&found))).collect()
        }
    })?;
    complain_of(&vectors, &args.source.path, &unknown)
}

/// Where answers are looked for.
pub(crate) fn searched<'e>(embeddings: &'e Embeddings, best: &Best) -> Neighbors<'e> {
    Neighbors::new(embeddings).among(best.restrict.unwrap_or(usize::MAX))
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
        let table = answers_text(embeddings, "neighbor", "cosine", &self.near);
        format!("{}{note}\n{table}", self.word)
    }

    fn json(&self, embeddings: &Embeddings) -> Value {
        let near = answers_json(embeddings, "cosine", &self.near);
        json!({ "word": self.word, "known": self.known, "neighbors": near })
    }
}

/// Some words with their scores and counts, as a table.
pub(crate) fn answers_text(
    embeddings: &Embeddings,
    word: &str,
    score: &str,
    answers: &[Scored],
) -> String {
    let vocabulary = embeddings.vocabulary();
    let rows: Vec<Vec<String>> = answers
        .iter()
        .map(|&(id, score)| {
            let count = vocabulary.count(id).to_string();
            vec![format!("  {}", vocabulary.word(id)), format!("{score:.3}"), count]
        })
        .collect();
    table(&[&format!("  {word}"), score, "count"], &rows, &[1, 2])
}

/// Some words with their scores and counts, as JSON.
pub(crate) fn answers_json(embeddings: &Embeddings, score: &str, answers: &[Scored]) -> Value {
    let vocabulary = embeddings.vocabulary();
    let answers = answers.iter().map(|&(id, value)| {
        json!({ "word": vocabulary.word(id), score: value, "count": vocabulary.count(id) })
    });
    answers.collect()
}
