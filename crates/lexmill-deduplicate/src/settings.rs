//! What the pipeline file says about duplicates.

use serde::{Deserialize, Serialize};

/// When a document counts as one that was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// It has the same tokens in the same order.
    Exact,
    /// Its shingles are nearly the same, by MinHash.
    Minhash,
}

/// Settings of the `deduplicate` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeduplicateSettings {
    /// What a duplicate is.
    pub method: Method,
    /// Of minhash: tokens in a row that make a shingle.
    pub shingle: u32,
    /// Of minhash: hash functions, so numbers of a signature.
    pub permutations: u32,
    /// Of minhash: documents at least this similar are duplicates (Jaccard, as signatures show it).
    pub threshold: f64,
    /// Documents of fewer tokens are kept in any case, and nothing is dropped for their sake.
    pub min_tokens: u64,
}

impl Default for DeduplicateSettings {
    fn default() -> DeduplicateSettings {
        DeduplicateSettings {
            method: Method::Exact,
            shingle: 5,
            permutations: 128,
            threshold: 0.8,
            min_tokens: 0,
        }
    }
}

impl DeduplicateSettings {
    /// What is wrong with the settings, field by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=1000).contains(&self.shingle) {
            problems.push(("shingle", "must be from 1 to 1000".to_owned()));
        }
        if !(1..=10_000).contains(&self.permutations) {
            problems.push(("permutations", "must be from 1 to 10000".to_owned()));
        }
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            problems.push(("threshold", "must be more than 0 and at most 1".to_owned()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        let fine = DeduplicateSettings::default();
        assert_eq!(fine.problems(), []);
        for (bad, field) in [
            (DeduplicateSettings { shingle: 0, ..fine.clone() }, "shingle"),
            (DeduplicateSettings { permutations: 0, ..fine.clone() }, "permutations"),
            (DeduplicateSettings { permutations: 10_001, ..fine.clone() }, "permutations"),
            (DeduplicateSettings { threshold: 0.0, ..fine.clone() }, "threshold"),
            (DeduplicateSettings { threshold: 1.1, ..fine.clone() }, "threshold"),
            (DeduplicateSettings { threshold: f64::NAN, ..fine.clone() }, "threshold"),
        ] {
            let found: Vec<&str> = bad.problems().into_iter().map(|(field, _)| field).collect();
            assert_eq!(found, [field]);
        }
        assert_eq!(DeduplicateSettings { threshold: 1.0, ..fine }.problems(), []);
    }
}
