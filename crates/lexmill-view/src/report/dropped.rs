//! Everything that was dropped or changed on the way.

use lexmill_eval::Kind;

use super::gather::{Finished, Run};
use super::{percent, thousands};
use crate::Result;

/// Something that was dropped or changed, and how often.
pub(super) struct Dropped {
    pub(super) stage: String,
    pub(super) what: String,
    pub(super) count: String,
    pub(super) share: String,
}

/// Counts of a tokenize stage's report: what they are, and of what they are a part.
const TOKENIZE: [(&str, &str, &str); 14] = [
    ("empty_files", "Files with nothing in them", "files"),
    ("empty_documents", "Documents without any token, left out", "documents"),
    ("records_without_text", "Records without text, left out", "records"),
    ("records_filtered", "Records left out by the filter", "records"),
    ("bad_records", "Records that can't be read, left out", "records"),
    ("not_articles", "Pages that are no articles, left out", "records"),
    ("sampled_out", "Documents or records that are not in the sample", ""),
    ("words_too_long", "Words that are too long, dropped", "tokens"),
    ("invalid_utf8_replaced", "Ill-formed UTF-8 sequences, replaced by U+FFFD", ""),
    ("nul_bytes", "NUL bytes, now spaces", "bytes"),
    ("byte_order_marks", "Byte order marks, taken off", "files"),
    ("lone_carriage_returns", "Carriage returns that end no line, now white space", "bytes"),
    ("documents_continued", "Documents that go on in another shard", "documents"),
    ("long_runs_cut", "Stretches without white space, cut", ""),
];

impl Run {
    pub(super) fn dropped(&self) -> Result<Vec<Dropped>> {
        let mut rows = Vec::new();
        for stage in &self.finished {
            match stage.kind() {
                "tokenize" => tokenize(stage, &mut rows),
                "deduplicate" => deduplicate(stage, &mut rows),
                _ => {}
            }
        }
        if let Some((stage, [(types, type_share), (tokens, token_share)])) =
            self.vocabulary_losses()
        {
            add(&mut rows, stage, "Words that are not in the vocabulary", types, type_share);
            add(
                &mut rows,
                stage,
                "Their occurrences, which no vector knows of",
                tokens,
                token_share,
            );
        }
        for (stage, set, kind, missing, total) in self.not_covered()? {
            let what = match kind {
                Kind::Similarity => "pairs with a word that is not known",
                Kind::Analogy => "questions with a word that is not known",
                Kind::Categorization => "words that are not known",
                Kind::Outliers => "questions with a word or phrase that is not known",
                Kind::Classification => "texts without any known word",
            };
            let what = format!("Of {set}: {what}");
            add(&mut rows, stage, &what, missing, percent(missing, total, "the test set"));
        }
        Ok(rows)
    }
}

fn add(rows: &mut Vec<Dropped>, stage: &Finished, what: &str, count: u64, share: String) {
    if count > 0 {
        let (stage, what) = (stage.name.clone(), what.to_owned());
        rows.push(Dropped { stage, what, count: thousands(count), share });
    }
}

fn tokenize(stage: &Finished, rows: &mut Vec<Dropped>) {
    for (name, what, of) in TOKENIZE {
        let count = stage.number(name).unwrap_or(0);
        // What was left out is a part of all there were, not of those that are left.
        let mut whole = stage.number(of).unwrap_or(0);
        if matches!(name, "empty_documents" | "words_too_long" | "not_articles") {
            whole += count;
        }
        add(rows, stage, what, count, percent(count, whole, of));
    }
    let fields = stage.manifest.report["missing_fields"].as_object().into_iter().flatten();
    for (field, count) in fields {
        let count = count.as_u64().unwrap_or(0);
        let records = stage.number("records").unwrap_or(0);
        let what = format!("Records without the field {field:?}");
        add(rows, stage, &what, count, percent(count, records, "records"));
    }
    let steps = stage.manifest.report["cleaning"].as_object().into_iter().flatten();
    for (step, count) in steps {
        let what = format!("Changed by cleaning: {}", step.replace('_', " "));
        add(rows, stage, &what, count.as_u64().unwrap_or(0), String::new());
    }
}

fn deduplicate(stage: &Finished, rows: &mut Vec<Dropped>) {
    let documents = stage.number("documents").unwrap_or(0);
    let count = stage.number("duplicates").unwrap_or(0);
    let share = percent(count, documents + count, "documents");
    add(rows, stage, "Documents that were there before, dropped", count, share);
}
