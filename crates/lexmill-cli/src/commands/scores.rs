//! The table of an evaluate stage.

use std::path::Path;

use anyhow::Result;
use lexmill_embeddings::AnalogyMethod;
use lexmill_eval::evaluate::SCORES;
use lexmill_eval::{Comparison, Conditions, Kind, Score, read_conditions, read_scores};
use serde_json::{Value, json};

use crate::output::{percent, table, thousands};

/// The scores of a finished evaluate stage, for people.
pub(crate) fn as_text(stage: &Path) -> Result<String> {
    let path = stage.join(SCORES);
    let (scores, conditions) = (read_scores(&path)?, read_conditions(&path)?);
    let analogies = format!("Analogies ({}, % right)", method(&conditions));
    let classification = format!("Classification (%, {} folds)", conditions.folds);
    let mut out = String::new();
    for (kind, title) in [
        (Kind::Similarity, "Word similarity (Spearman x 100)"),
        (Kind::Analogy, &analogies),
        (Kind::Categorization, "Categorization (purity x 100)"),
        (Kind::Outliers, "Outlier detection (%)"),
        (Kind::Classification, &classification),
    ] {
        let of_kind: Vec<&Score> = scores.iter().filter(|score| score.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let names = names(kind);
        let header = [names, &["score", "95% interval", "OOV wrong", "covered"]].concat();
        let right = [names.len(), names.len() + 2, names.len() + 3];
        let rows: Vec<Vec<String>> = of_kind
            .iter()
            .map(|score| {
                let mut row = named(score);
                row.extend([
                    percent(score.score),
                    interval((score.low, score.high)),
                    percent(score.score_oov_wrong),
                    format!("{} of {}", thousands(score.covered), thousands(score.total)),
                ]);
                row
            })
            .collect();
        out += &format!("{title}\n{}\n", table(&header, &rows, &right));
        let compared = |score: &&Score| Some(compared(named(score), score.comparison.as_ref()?));
        let rows: Vec<Vec<String>> = of_kind.iter().filter_map(compared).collect();
        if !rows.is_empty() {
            let columns = ["score", "baseline", "difference", "95% interval", "p", "both cover"];
            let header = [names, &columns].concat();
            let right = [0, 1, 2, 4, 5].map(|column| names.len() + column);
            out += &format!(
                "The same compared with the baseline\n{}\n",
                table(&header, &rows, &right)
            );
        }
    }
    Ok(out + &told(&conditions, &scores))
}

/// The columns that tell a row of this kind from others.
fn names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Similarity | Kind::Analogy => &["test set", "section", "vocabulary"],
        Kind::Categorization | Kind::Outliers | Kind::Classification => &["test set", "measure"],
    }
}

/// What stands in the columns of [`names`].
fn named(score: &Score) -> Vec<String> {
    if matches!(score.kind, Kind::Similarity | Kind::Analogy) {
        return vec![score.set.clone(), score.section.clone(), score.vocabulary.clone()];
    }
    vec![score.set.clone(), score.measure.title().to_owned()]
}

fn compared(mut row: Vec<String>, comparison: &Comparison) -> Vec<String> {
    let difference = comparison.difference() * 100.0;
    let p = comparison.p;
    row.extend([
        percent(comparison.scores.0),
        percent(comparison.scores.1),
        if difference.is_nan() { "-".to_owned() } else { format!("{difference:+.1}") },
        interval(comparison.interval),
        if p.is_nan() { "-".to_owned() } else { format!("{p:.3}") },
        thousands(comparison.common),
    ]);
    row
}

fn interval((low, high): (f64, f64)) -> String {
    if low.is_nan() { String::new() } else { format!("{} to {}", percent(low), percent(high)) }
}

fn method(conditions: &Conditions) -> &'static str {
    match conditions.analogy_method {
        AnalogyMethod::CosAdd => "3CosAdd",
        AnalogyMethod::CosMul => "3CosMul",
    }
}

/// What the scores depend on, in sentences.
fn told(conditions: &Conditions, scores: &[Score]) -> String {
    let shape = |shape: &lexmill_eval::Shape| {
        format!("{} words of {} dimensions", thousands(shape.words as u64), shape.dimensions)
    };
    let mut out = format!("Embeddings: {}", shape(&conditions.embeddings));
    if let Some(baseline) = &conditions.baseline {
        out += &format!("; baseline: {}", shape(baseline));
    }
    let case = if conditions.lowercase { "case folded" } else { "case kept" };
    out += &format!("; {case}, vectors scaled to {}.\n", conditions.normalization);
    out += "What is not covered is left out of \"score\" and wrong in \"OOV wrong\".\n";
    if scores.iter().any(|score| score.kind == Kind::Analogy) {
        let among = match conditions.restrict {
            0 => String::new(),
            top => format!(" and among the {} most frequent", thousands(top as u64)),
        };
        out += &format!("Analogies by {}, among all words{among}.\n", method(conditions));
    }
    match conditions.bootstrap {
        0 => out,
        draws => {
            let (draws, seed) = (thousands(draws as u64), conditions.seed);
            out + &format!("Intervals from {draws} draws of items, seed {seed}.\n")
        }
    }
}

/// The scores of a finished evaluate stage, for programs; what can't be computed is null.
pub(crate) fn as_json(stage: &Path) -> Result<String> {
    let path = stage.join(SCORES);
    let compared = |comparison: &Comparison| {
        json!({
            "common": comparison.common,
            "score": comparison.scores.0,
            "baseline_score": comparison.scores.1,
            "difference": comparison.difference(),
            "low": comparison.interval.0,
            "high": comparison.interval.1,
            "p": comparison.p,
        })
    };
    let scores: Vec<Value> = read_scores(&path)?
        .iter()
        .map(|score| {
            json!({
                "set": score.set,
                "kind": score.kind.name(),
                "measure": score.measure.name(),
                "section": score.section,
                "vocabulary": score.vocabulary,
                "score": score.score,
                "low": score.low,
                "high": score.high,
                "score_oov_wrong": score.score_oov_wrong,
                "covered": score.covered,
                "total": score.total,
                "coverage": score.coverage(),
                "comparison": score.comparison.as_ref().map(compared),
            })
        })
        .collect();
    let conditions = read_conditions(&path)?;
    Ok(format!("{:#}\n", json!({ "conditions": conditions, "scores": scores })))
}
