//! What is done, what is not, and why.

use std::collections::BTreeMap;
use std::path::Path;

use lexmill_store::{Manifest, Progress, StageKey, is_begun};
use lexmill_tokenize::tokenize;
use serde_json::Value;

use crate::definition::{Definition, Stage, nearest};
use crate::error::{Error, Result};
use crate::estimate::{Estimate, Sizes, estimate};
use crate::kinds::Outside;

/// How a stage stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Its result is there and is what would be made again.
    Fresh,
    /// There is no result.
    Missing {
        /// Whether work was begun and can be gone on with.
        begun: bool,
    },
    /// There is a result, but of other settings or inputs.
    Stale {
        /// What differs.
        reasons: Vec<String>,
    },
    /// What it reads from outside of the run can't be read; nothing will run before that is mended.
    Blocked {
        /// What is wrong.
        problem: String,
    },
    /// It depends on stages that will run first; if they give the same as before, it stays fresh.
    After {
        /// These stages.
        stages: Vec<String>,
        /// Whether a result is there.
        present: bool,
    },
}

/// A stage and how it stands.
#[derive(Debug, Clone)]
pub struct PlannedStage {
    /// The stage's name.
    pub id: String,
    /// Its kind.
    pub kind: &'static str,
    /// How it stands.
    pub condition: Condition,
    /// The manifest of the result that is there.
    pub manifest: Option<Manifest>,
    /// What a run would take, roughly.
    pub estimate: Estimate,
}

/// All stages and how they stand.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In the order in which they run.
    pub stages: Vec<PlannedStage>,
}

impl Plan {
    /// Looks at a run directory. Reads manifests, and corpus files that are new or touched; writes
    /// nothing but remembered hashes of corpus files.
    ///
    /// # Errors
    /// If a manifest can't be read.
    pub fn make(definition: &Definition, directory: &Path, threads: usize) -> Result<Plan> {
        let mut stages: Vec<PlannedStage> = Vec::new();
        let mut sizes = Sizes::default();
        for stage in &definition.stages {
            let cache = directory.is_dir().then(|| directory.join(crate::run::HASHES));
            let looked = stage.settings.look_outside(cache.as_deref(), threads, &Progress::new());
            let (outside, problem) = match looked {
                Ok(outside) => (outside, None),
                Err(error) => (Outside::default(), Some(error.to_string())),
            };
            let output = directory.join(&stage.id);
            let manifest = Manifest::read(&output)?;
            let waits: Vec<String> = stage
                .inputs
                .iter()
                .filter(|input| {
                    let planned = stages.iter().find(|planned| planned.id == **input);
                    planned.is_none_or(|planned| planned.condition != Condition::Fresh)
                })
                .cloned()
                .collect();
            let fingerprint = |input: &str| {
                let planned = stages.iter().find(|planned| planned.id == input);
                planned.and_then(|planned| planned.manifest.as_ref()).map(|m| &m.fingerprint)
            };
            let key = stage.settings.key(&outside, inputs(stage, fingerprint));
            // What differs whatever the inputs will be.
            let own = manifest.as_ref().map_or_else(Vec::new, |manifest| {
                let inputs = manifest.key.inputs.clone();
                differences(&manifest.key, &StageKey { inputs, ..key.clone() })
            });
            let condition = if let Some(problem) = problem {
                Condition::Blocked { problem }
            } else if waits.is_empty() {
                let live = outside.corpus.has_standard_input();
                condition(&output, manifest.as_ref(), &key, live)
            } else if own.is_empty() {
                Condition::After { stages: waits, present: manifest.is_some() }
            } else {
                Condition::Stale { reasons: own }
            };
            let estimate = estimate(stage, &outside, manifest.as_ref(), &mut sizes);
            let (id, kind) = (stage.id.clone(), stage.kind.name());
            stages.push(PlannedStage { id, kind, condition, manifest, estimate });
        }
        Ok(Plan { stages })
    }
}

/// Fingerprints of a stage's inputs by field; `fingerprint` gives that of a stage.
pub(crate) fn inputs<'a>(
    stage: &Stage,
    fingerprint: impl Fn(&str) -> Option<&'a String>,
) -> BTreeMap<String, String> {
    let fields = stage.kind.inputs().iter();
    fields
        .zip(&stage.inputs)
        .map(|((field, _), input)| {
            ((*field).to_owned(), fingerprint(input).cloned().unwrap_or_default())
        })
        .collect()
}

/// How a stage stands whose inputs are there.
pub(crate) fn condition(
    output: &Path,
    manifest: Option<&Manifest>,
    key: &StageKey,
    live: bool,
) -> Condition {
    let Some(manifest) = manifest else {
        // Units depend on the whole key, and on how the work is done; token shards on less.
        let purpose = match key.stage == tokenize::KIND {
            true => tokenize::purpose(key),
            false => key.hash(),
        };
        let begun = is_begun(output, |begun| begun.starts_with(&purpose));
        return Condition::Missing { begun };
    };
    let mut reasons = differences(&manifest.key, key);
    if live {
        reasons = vec!["it reads standard input, which can't be compared".to_owned()];
    }
    reasons.extend(manifest.missing(output));
    if reasons.is_empty() { Condition::Fresh } else { Condition::Stale { reasons } }
}

/// What differs between two keys, in words.
fn differences(old: &StageKey, new: &StageKey) -> Vec<String> {
    let mut reasons = Vec::new();
    if old.stage != new.stage {
        return vec![format!("it was a {} stage", old.stage)];
    }
    if old.version != new.version {
        reasons.push(format!(
            "it was made by version {} of the algorithm, this is version {}",
            old.version, new.version
        ));
    }
    let empty = serde_json::Map::new();
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_else(|| empty.clone());
    let (old_settings, new_settings) = (fields(&old.settings), fields(&new.settings));
    for (name, value) in &new_settings {
        let before = old_settings.get(name).unwrap_or(&Value::Null);
        if before != value {
            reasons.push(format!("{name} was {before}, is {value}"));
        }
    }
    // Some settings are in a key only where they are given; others may be those of an earlier version.
    for (name, before) in old_settings.iter().filter(|(name, _)| !new_settings.contains_key(*name))
    {
        reasons.push(format!("{name} was {before}, is not set"));
    }
    for (role, fingerprint) in &new.inputs {
        if old.inputs.get(role) != Some(fingerprint) {
            reasons.push(match role.as_str() {
                "corpus" => "the corpus files have changed".to_owned(),
                role => format!("its input {role} has changed"),
            });
        }
    }
    reasons
}

/// The stages that `--only`, `--from` and `--to` select, in order.
///
/// # Errors
/// If one of them names no stage, or there is none that all of them select.
pub fn resolve_selection(
    definition: &Definition,
    only: &[String],
    from: Option<&str>,
    to: Option<&str>,
) -> Result<Vec<String>> {
    let ids: Vec<&str> = definition.stages.iter().map(|stage| stage.id.as_str()).collect();
    let known = |name: &str| {
        if ids.contains(&name) {
            return Ok(());
        }
        let hint = nearest(name, ids.iter().copied());
        Err(Error::NoSuchStage {
            name: name.to_owned(),
            known: ids.join(", "),
            hint: hint.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default(),
        })
    };
    only.iter().map(String::as_str).chain(from).chain(to).try_for_each(known)?;
    // What reads from `from`, and what `to` reads from, directly or not.
    let mut downstream: Vec<&str> = from.into_iter().collect();
    for stage in &definition.stages {
        if stage.inputs.iter().any(|input| downstream.contains(&input.as_str())) {
            downstream.push(&stage.id);
        }
    }
    let mut upstream: Vec<&str> = to.into_iter().collect();
    for stage in definition.stages.iter().rev() {
        if upstream.contains(&stage.id.as_str()) {
            upstream.extend(stage.inputs.iter().map(String::as_str));
        }
    }
    let selected: Vec<String> = ids
        .into_iter()
        .filter(|id| only.is_empty() || only.iter().any(|name| name == id))
        .filter(|id| from.is_none() || downstream.contains(id))
        .filter(|id| to.is_none() || upstream.contains(id))
        .map(str::to_owned)
        .collect();
    match selected.is_empty() && !definition.stages.is_empty() {
        true => Err(Error::NothingSelected),
        false => Ok(selected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: &str = r#"
[stages.tokens]
kind = "tokenize"
sentences = [["a", "b"]]
[stages.words]
kind = "vocabulary"
tokens = "tokens"
[stages.counts]
kind = "count"
tokens = "tokens"
vocabulary = "words"
[stages.glove]
kind = "glove"
counts = "counts"
"#;

    fn selected(only: &[&str], from: Option<&str>, to: Option<&str>) -> Vec<String> {
        let definition = Definition::parse(PIPELINE, "p", &[]).unwrap();
        let only: Vec<String> = only.iter().map(|s| (*s).to_owned()).collect();
        resolve_selection(&definition, &only, from, to).unwrap()
    }

    #[test]
    fn selections() {
        assert_eq!(selected(&[], None, None), ["tokens", "words", "counts", "glove"]);
        assert_eq!(selected(&["counts"], None, None), ["counts"]);
        assert_eq!(selected(&[], Some("words"), None), ["words", "counts", "glove"]);
        assert_eq!(selected(&[], None, Some("words")), ["tokens", "words"]);
        assert_eq!(selected(&[], Some("words"), Some("counts")), ["words", "counts"]);
        let definition = Definition::parse(PIPELINE, "p", &[]).unwrap();
        let error = resolve_selection(&definition, &["glov".to_owned()], None, None).unwrap_err();
        assert!(error.to_string().contains("did you mean \"glove\"?"), "{error}");
    }

    #[test]
    fn reasons_name_what_differs() {
        let key = |settings: Value, corpus: &str| StageKey {
            stage: "glove".to_owned(),
            version: 1,
            settings,
            inputs: BTreeMap::from([("counts".to_owned(), corpus.to_owned())]),
        };
        let old = key(serde_json::json!({"epochs": 5, "seed": 1}), "x");
        let new = key(serde_json::json!({"epochs": 9, "seed": 1}), "y");
        assert_eq!(differences(&old, &new), ["epochs was 5, is 9", "its input counts has changed"]);
        let less = key(serde_json::json!({"epochs": 5}), "x");
        assert_eq!(differences(&old, &less), ["seed was 1, is not set"]);
        assert!(differences(&old, &old.clone()).is_empty());
    }
}
