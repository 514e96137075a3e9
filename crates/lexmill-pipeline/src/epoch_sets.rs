//! The test sets that epochs of a trainer are scored on.
//!
//! Scores are those of an `evaluate` stage with its usual settings on what an `export` stage makes of the epoch's
//! model: Spearman's rho of word pairs, 3CosAdd among the 30,000 most frequent words, case folded. What changes
//! them changes the results of trainers that stop by them: their `VERSION` is raised then, too.

use std::path::Path;

use lexmill_embeddings::Embeddings;
use lexmill_eval::analogy::{Outcome, top_outcomes};
use lexmill_eval::similarity::similarity;
use lexmill_eval::{
    Analogies, EvaluateSettings, Kind, UnitVectors, WordPairs, test_set_hashes, test_set_name,
};
use lexmill_store::{Event, Progress};
use lexmill_train::scoring::{Scorer, Scoring, SetScore};

/// Test sets, read.
#[derive(Debug, Clone)]
pub(crate) struct EpochSets {
    sets: Vec<Set>,
    /// What they are, in order.
    pub(crate) hashes: Vec<String>,
    /// The settings of `evaluate` that they are scored with.
    settings: EvaluateSettings,
}

#[derive(Debug, Clone)]
struct Set {
    /// What it is called in the table: no other of its kind is.
    name: String,
    questions: Questions,
}

#[derive(Debug, Clone)]
enum Questions {
    Pairs(WordPairs),
    Analogies(Analogies),
}

impl EpochSets {
    /// Reads the sets that settings name; nothing if they name none.
    pub(crate) fn read(scoring: Scoring<'_>) -> lexmill_eval::Result<Option<EpochSets>> {
        if !scoring.is_on() {
            return Ok(None);
        }
        let settings = EvaluateSettings {
            similarity: scoring.similarity.to_vec(),
            analogies: scoring.analogies.to_vec(),
            // No intervals.
            bootstrap: 0,
            ..EvaluateSettings::default()
        };
        let mut sets: Vec<Set> = Vec::new();
        for (kind, path) in settings.test_sets() {
            let questions = match kind {
                Kind::Analogy => Questions::Analogies(Analogies::read(Path::new(path))?),
                _ => Questions::Pairs(WordPairs::read(Path::new(path))?),
            };
            let name = test_set_name(path);
            let others = (2..).map(|number| format!("{name} {number}"));
            let free = |name: &String| {
                !sets.iter().any(|set| set.name == *name && set.kind() == questions.kind())
            };
            let name = std::iter::once(name.clone()).chain(others).find(free).unwrap_or(name);
            sets.push(Set { name, questions });
        }
        let hashes = test_set_hashes(&settings)?;
        Ok(Some(EpochSets { sets, hashes, settings }))
    }

    /// Tells of lines that were taken for a header.
    pub(crate) fn tell(&self, progress: &Progress) {
        for set in &self.sets {
            if let Questions::Pairs(WordPairs { skipped: skipped @ 1.., .. }) = set.questions {
                let lines = if skipped == 1 { "line was" } else { "lines were" };
                let notice = format!("{}: {skipped} header {lines} skipped", set.name);
                progress.report(Event::Notice(notice));
            }
        }
    }
}

impl Questions {
    fn kind(&self) -> &'static str {
        match self {
            Questions::Pairs(_) => Kind::Similarity.name(),
            Questions::Analogies(_) => Kind::Analogy.name(),
        }
    }
}

impl Set {
    fn kind(&self) -> &'static str {
        self.questions.kind()
    }

    fn score(&self, vectors: &UnitVectors, settings: &EvaluateSettings) -> SetScore {
        let (score, covered, total) = match &self.questions {
            Questions::Pairs(pairs) => {
                let found = similarity(vectors, pairs, settings.bootstrap, settings.seed);
                (found.spearman, found.covered, found.total)
            }
            Questions::Analogies(analogies) => {
                let (method, top) = (settings.analogy_method, settings.restrict);
                let found = top_outcomes(vectors, analogies, method, top);
                let count = |wanted: fn(&Outcome) -> bool| {
                    found.iter().filter(|outcome| wanted(outcome)).count()
                };
                let right = count(|outcome| *outcome == Outcome::Right);
                let covered = count(|outcome| *outcome != Outcome::NotCovered);
                // NaN if nothing is covered.
                (right as f64 / covered as f64, covered, found.len())
            }
        };
        let (covered, total) = (covered as u64, total as u64);
        SetScore { set: self.name.clone(), kind: self.kind(), score, covered, total }
    }
}

impl Scorer for EpochSets {
    fn score(
        &self,
        embeddings: Embeddings,
    ) -> Result<Vec<SetScore>, Box<dyn std::error::Error + Send + Sync>> {
        let vectors = UnitVectors::new(embeddings, self.settings.lowercase);
        Ok(self.sets.iter().map(|set| set.score(&vectors, &self.settings)).collect())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests {
    use lexmill_vocab::Vocabulary;

    use super::*;

    #[test]
    fn sets_are_told_apart_and_say_what_they_cover() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let similarity =
            ["a/set.txt", "b/set.txt"].map(|name| write(name, "w v s\nA b 2\na C 1\nb x 3\n"));
        let analogies = [write("set.txt", "a b a c\nx a b c\n"), write("other.txt", "x y z a\n")];
        let scoring =
            Scoring { similarity: &similarity, analogies: &analogies, every: 1, patience: 0 };
        let sets = EpochSets::read(scoring).unwrap().unwrap();
        let words = Vocabulary::from_ordered([("a", 9), ("b", 5), ("c", 2)]).unwrap();
        let vectors = vec![1.0, 0.0, 1.0, 0.2, 0.0, 1.0];
        let found = sets.score(Embeddings::new(words, 2, vectors).unwrap()).unwrap();
        let found: Vec<_> =
            found.iter().map(|s| (s.set.as_str(), s.kind, s.covered, s.total)).collect();
        let expected = [
            ("set", "similarity", 2, 3),
            ("set 2", "similarity", 2, 3),
            ("set", "analogy", 1, 2),
            ("other", "analogy", 0, 1),
        ];
        assert_eq!(found, expected);
        assert_eq!((&sets.hashes[0], sets.hashes.len()), (&sets.hashes[1], 4));
        let none = Scoring { similarity: &[], analogies: &[], every: 1, patience: 0 };
        assert!(EpochSets::read(none).unwrap().is_none());
        let missing = ["nowhere.txt".to_owned()];
        let missing = Scoring { similarity: &missing, ..none };
        assert!(EpochSets::read(missing).unwrap_err().to_string().contains("nowhere.txt"));
    }
}
