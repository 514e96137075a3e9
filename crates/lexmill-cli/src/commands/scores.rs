//! The table of an evaluate stage.

use std::path::Path;

use anyhow::Result;
use lexmill_eval::{Kind, Score, evaluate::SCORES, read_scores};

use crate::output::{table, thousands};

/// The scores of a finished evaluate stage, for people.
pub(crate) fn as_text(stage: &Path) -> Result<String> {
    let scores = read_scores(&stage.join(SCORES))?;
    let percent = |x: f64| if x.is_nan() { "-".to_owned() } else { format!("{:.1}", x * 100.0) };
    let row = |score: &Score| {
        let interval = match score.low.is_nan() {
            true => String::new(),
            false => format!("{} to {}", percent(score.low), percent(score.high)),
        };
        vec![
            score.set.clone(),
            score.section.clone(),
            score.vocabulary.clone(),
            percent(score.score),
            interval,
            percent(score.score_oov_wrong),
            format!("{} of {}", thousands(score.covered), thousands(score.total)),
        ]
    };
    let header = |score| {
        ["test set", "section", "vocabulary", score, "95% interval", "OOV wrong", "covered"]
    };
    let mut out = String::new();
    for (kind, title, name) in [
        (Kind::Similarity, "Word similarity (Spearman x 100)", "score"),
        (Kind::Analogy, "Analogies (3CosAdd, % right)", "score"),
    ] {
        let rows: Vec<Vec<String>> = scores.iter().filter(|s| s.kind == kind).map(row).collect();
        if !rows.is_empty() {
            out += &format!("{title}\n{}\n", table(&header(name), &rows, &[3, 5, 6]));
        }
    }
    Ok(out.trim_end().to_owned() + "\n")
}
