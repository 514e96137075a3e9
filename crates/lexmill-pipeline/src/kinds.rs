//! The kinds of stages: their inputs, settings, keys, and how each is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lexmill_cooccur::{CountSettings, count};
use lexmill_deduplicate::{DeduplicateSettings, deduplicate};
use lexmill_embeddings::export::{self, ExportSettings};
use lexmill_eval::{EvaluateSettings, TEST_SETS, embeddings_hash, evaluate};
use lexmill_phrases::{PhrasesSettings, phrases};
use lexmill_store::{Manifest, Progress, Resources, StageKey};
use lexmill_tokenize::{Corpus, TokenizeSettings, VocabularySettings, tokenize, vocabulary};
use lexmill_train::glove::{self, GloveSettings};
use lexmill_train::scoring::{SCORE_SETS, Scorer, Scoring};
use lexmill_train::word2vec::{self, Architecture, CbowSettings, SkipgramSettings};
use serde::de::DeserializeOwned;

use crate::epoch_sets::EpochSets;

/// A kind of stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Corpus files to token shards.
    Tokenize,
    /// Token shards to token shards without duplicates.
    Deduplicate,
    /// Token shards to token shards with phrases joined.
    Phrases,
    /// Token shards to the vocabulary.
    Vocabulary,
    /// Token shards to co-occurrence counts.
    Count,
    /// Counts to a GloVe model.
    Glove,
    /// Token shards to a skip-gram model.
    Skipgram,
    /// Token shards to a CBOW model.
    Cbow,
    /// A model to embeddings.
    Export,
    /// Embeddings to scores.
    Evaluate,
}

/// All kinds, each after the other kinds that it can read from; only `deduplicate` and `phrases` can read
/// from each other.
pub const KINDS: [Kind; 10] = [
    Kind::Tokenize,
    Kind::Deduplicate,
    Kind::Phrases,
    Kind::Vocabulary,
    Kind::Count,
    Kind::Glove,
    Kind::Skipgram,
    Kind::Cbow,
    Kind::Export,
    Kind::Evaluate,
];

/// The kinds that hold token shards: [`lexmill_tokenize::shards::TOKEN_STAGES`].
const TOKENS: &[Kind] = &[Kind::Tokenize, Kind::Deduplicate, Kind::Phrases];

impl Kind {
    /// Its name in the pipeline file and in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tokenize => tokenize::KIND,
            Kind::Deduplicate => deduplicate::KIND,
            Kind::Phrases => phrases::KIND,
            Kind::Vocabulary => vocabulary::KIND,
            Kind::Count => count::KIND,
            Kind::Glove => glove::KIND,
            Kind::Skipgram => Architecture::Skipgram.name(),
            Kind::Cbow => Architecture::Cbow.name(),
            Kind::Export => export::KIND,
            Kind::Evaluate => evaluate::KIND,
        }
    }

    /// What it makes, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Kind::Tokenize => "Read corpus files, write token shards",
            Kind::Deduplicate => "Drop documents that were there before, write token shards",
            Kind::Phrases => "Join collocations in token shards, write token shards",
            Kind::Vocabulary => "Merge the words of token shards into a vocabulary",
            Kind::Count => "Count co-occurrences in token shards, write a grid of shards",
            Kind::Glove => "Train GloVe vectors on counts",
            Kind::Skipgram => "Train skip-gram vectors (word2vec, fastText) on token shards",
            Kind::Cbow => "Train CBOW vectors (word2vec, fastText) on token shards",
            Kind::Export => "Write a model's embeddings as Parquet or text",
            Kind::Evaluate => {
                "Score embeddings: similarity, analogies, categories, outliers, classification"
            }
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Kind> {
        KINDS.into_iter().find(|kind| kind.name() == name)
    }

    /// Its inputs: the field in the file, and the kinds of stages it takes.
    pub fn inputs(self) -> &'static [(&'static str, &'static [Kind])] {
        match self {
            Kind::Tokenize => &[],
            Kind::Deduplicate | Kind::Phrases | Kind::Vocabulary => &[("tokens", TOKENS)],
            Kind::Count | Kind::Skipgram | Kind::Cbow => {
                &[("tokens", TOKENS), ("vocabulary", &[Kind::Vocabulary])]
            }
            Kind::Glove => &[("counts", &[Kind::Count])],
            Kind::Export => &[("model", &[Kind::Glove, Kind::Skipgram, Kind::Cbow])],
            Kind::Evaluate => &[("embeddings", &[Kind::Export])],
        }
    }

    /// Whether its inputs, where it is run alone, may be files from elsewhere, and stages of more kinds than a
    /// pipeline file may name: all that embeddings can be read from.
    pub fn takes_embeddings(self) -> bool {
        self == Kind::Evaluate
    }

    /// Its settings out of a table of fields.
    pub(crate) fn settings(self, table: toml::Table) -> Result<Settings, toml::de::Error> {
        fn read<T: DeserializeOwned>(table: toml::Table) -> Result<T, toml::de::Error> {
            toml::Value::Table(table).try_into()
        }
        Ok(match self {
            Kind::Tokenize => Settings::Tokenize(read(table)?),
            Kind::Deduplicate => Settings::Deduplicate(read(table)?),
            Kind::Phrases => Settings::Phrases(read(table)?),
            Kind::Vocabulary => Settings::Vocabulary(read(table)?),
            Kind::Count => Settings::Count(read(table)?),
            Kind::Glove => Settings::Glove(read(table)?),
            Kind::Skipgram => Settings::Skipgram(read(table)?),
            Kind::Cbow => Settings::Cbow(read(table)?),
            Kind::Export => Settings::Export(read(table)?),
            Kind::Evaluate => Settings::Evaluate(read(table)?),
        })
    }

    /// Whether results of this kind depend on random numbers.
    pub(crate) fn takes_seed(self) -> bool {
        matches!(self, Kind::Tokenize | Kind::Glove | Kind::Skipgram | Kind::Cbow | Kind::Evaluate)
    }
}

/// The settings of a stage.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Settings {
    /// Of `tokenize`.
    Tokenize(TokenizeSettings),
    /// Of `deduplicate`.
    Deduplicate(DeduplicateSettings),
    /// Of `phrases`.
    Phrases(PhrasesSettings),
    /// Of `vocabulary`.
    Vocabulary(VocabularySettings),
    /// Of `count`.
    Count(CountSettings),
    /// Of `glove`.
    Glove(GloveSettings),
    /// Of `skipgram`.
    Skipgram(SkipgramSettings),
    /// Of `cbow`.
    Cbow(CbowSettings),
    /// Of `export`.
    Export(ExportSettings),
    /// Of `evaluate`.
    Evaluate(EvaluateSettings),
}

/// What a stage reads from outside the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outside {
    pub(crate) corpus: Corpus,
    pub(crate) hashes: Vec<String>,
    /// Of `evaluate`: what the embeddings to compare with are.
    pub(crate) baseline: Option<String>,
    /// Of trainers: what epochs are scored on.
    pub(crate) epoch_sets: Option<EpochSets>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Settings {
    /// What is wrong with them, field by field.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        match self {
            Settings::Tokenize(s) => s.problems(),
            Settings::Deduplicate(s) => s.problems(),
            Settings::Phrases(s) => s.problems(),
            Settings::Vocabulary(s) => s.problems(),
            Settings::Count(s) => s.problems(),
            Settings::Glove(s) => s.problems(),
            Settings::Skipgram(SkipgramSettings(s)) | Settings::Cbow(CbowSettings(s)) => {
                s.problems()
            }
            Settings::Export(s) if s.formats.is_empty() => {
                vec![("formats", "name at least one format".to_owned())]
            }
            Settings::Export(_) => Vec::new(),
            Settings::Evaluate(s) => s.problems(),
        }
    }

    /// What the settings of a trainer say about scores of epochs.
    fn scoring(&self) -> Option<Scoring<'_>> {
        match self {
            Settings::Glove(s) => Some(s.scoring()),
            Settings::Skipgram(SkipgramSettings(s)) | Settings::Cbow(CbowSettings(s)) => {
                Some(s.scoring())
            }
            _ => None,
        }
    }

    /// Looks at the files outside the run that the stage reads.
    pub(crate) fn look_outside(
        &self,
        cache: Option<&Path>,
        threads: usize,
        progress: &Progress,
    ) -> Result<Outside, Failure> {
        let mut outside = Outside::default();
        if let Some(scoring) = self.scoring() {
            outside.epoch_sets = EpochSets::read(scoring)?;
        }
        match self {
            Settings::Tokenize(settings) => {
                outside.corpus = Corpus::scan(settings, cache, threads, progress)?;
            }
            Settings::Evaluate(settings) => {
                outside.hashes = lexmill_eval::test_set_hashes(settings)?;
                let baseline =
                    settings.baseline.as_ref().map(|path| embeddings_hash(path.as_ref()));
                outside.baseline = baseline.transpose()?;
            }
            Settings::Skipgram(SkipgramSettings(s)) | Settings::Cbow(CbowSettings(s)) => {
                let hash = s.initial_vectors.as_ref().map(|path| word2vec::start_hash(path));
                outside.hashes = hash.transpose()?.into_iter().collect();
            }
            _ => {}
        }
        Ok(outside)
    }

    /// All that the stage's result depends on; `inputs` are fingerprints by field.
    pub(crate) fn key(&self, outside: &Outside, inputs: BTreeMap<String, String>) -> StageKey {
        fn key(
            stage: &str,
            version: u32,
            settings: &impl serde::Serialize,
            inputs: BTreeMap<String, String>,
        ) -> StageKey {
            let settings = serde_json::to_value(settings).expect("plain data");
            StageKey { stage: stage.to_owned(), version, settings, inputs }
        }
        /// Test sets count by content, and by the name they have in the table of scores.
        fn name_sets(key: &mut StageKey, fields: &[&str], hashes: &[String]) {
            for field in fields {
                // Indexing would put a field there that is not.
                let paths = key.settings.get_mut(field).and_then(serde_json::Value::as_array_mut);
                for path in paths.into_iter().flatten() {
                    *path = path.as_str().map(lexmill_eval::test_set_name).into();
                }
            }
            key.inputs.insert("test sets".to_owned(), hashes.join(" "));
        }
        let mut key = match self {
            Settings::Tokenize(s) => tokenize::key(s, &outside.corpus),
            Settings::Deduplicate(s) => key(deduplicate::KIND, deduplicate::VERSION, s, inputs),
            Settings::Phrases(s) => key(phrases::KIND, phrases::VERSION, s, inputs),
            Settings::Vocabulary(s) => key(vocabulary::KIND, vocabulary::VERSION, s, inputs),
            Settings::Count(s) => key(count::KIND, count::VERSION, s, inputs),
            Settings::Glove(s) => key(glove::KIND, glove::VERSION, s, inputs),
            Settings::Skipgram(SkipgramSettings(s)) | Settings::Cbow(CbowSettings(s)) => {
                let mut key = key(s.architecture.name(), word2vec::VERSION, s, inputs);
                // Vectors to start from count by content.
                if let Some(hash) = outside.hashes.first() {
                    key.settings["initial_vectors"] = true.into();
                    key.inputs.insert("initial vectors".to_owned(), hash.clone());
                }
                key
            }
            Settings::Export(s) => key(export::KIND, export::VERSION, s, inputs),
            Settings::Evaluate(s) => {
                let mut key = key(evaluate::KIND, evaluate::VERSION, s, inputs);
                name_sets(&mut key, &TEST_SETS, &outside.hashes);
                // So do other embeddings to compare with, by content alone.
                if let Some(hash) = &outside.baseline {
                    key.settings["baseline"] = true.into();
                    key.inputs.insert("baseline".to_owned(), hash.clone());
                }
                key
            }
        };
        if let Some(sets) = &outside.epoch_sets {
            name_sets(&mut key, &SCORE_SETS, &sets.hashes);
        }
        key
    }

    /// Runs the stage; `inputs` are directories in the order of [`Kind::inputs`].
    pub(crate) fn run(
        &self,
        outside: &Outside,
        inputs: &[PathBuf],
        output: &Path,
        key: StageKey,
        resources: &Resources,
        progress: &Progress,
    ) -> Result<Manifest, Failure> {
        let input = |i: usize| inputs.get(i).map_or(Path::new(""), PathBuf::as_path);
        let scorer = outside.epoch_sets.as_ref().map(|sets| {
            sets.tell(progress);
            sets as &dyn Scorer
        });
        Ok(match self {
            Settings::Tokenize(s) => {
                tokenize::run(s, &outside.corpus, output, resources, progress)?
            }
            Settings::Deduplicate(s) => {
                deduplicate::run(s, input(0), output, key, resources, progress)?
            }
            Settings::Phrases(s) => phrases::run(s, input(0), output, key, resources, progress)?,
            Settings::Vocabulary(s) => {
                vocabulary::run(s, input(0), output, key, resources, progress)?
            }
            Settings::Count(s) => {
                count::run(s, input(0), input(1), output, key, resources, progress)?
            }
            Settings::Glove(s) => {
                glove::run(s, scorer, input(0), output, key, resources, progress)?
            }
            Settings::Skipgram(SkipgramSettings(s)) | Settings::Cbow(CbowSettings(s)) => {
                let inputs = word2vec::Inputs { tokens: input(0), vocabulary: input(1) };
                word2vec::run(s, scorer, inputs, output, key, resources, progress)?
            }
            Settings::Export(s) => export::run(s, input(0), output, key, resources, progress)?,
            Settings::Evaluate(s) => evaluate::run(s, input(0), output, key, resources, progress)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_hold_tokens_are_the_same_everywhere() {
        let names: Vec<&str> = TOKENS.iter().map(|kind| kind.name()).collect();
        assert_eq!(names, lexmill_tokenize::shards::TOKEN_STAGES);
    }
}
