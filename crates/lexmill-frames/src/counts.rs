//! Counts with the words behind their ids: the cells of a `count` stage.
//!
//! | file | columns |
//! | --- | --- |
//! | `cells/row_block=RR/column_block=CC/cells.parquet` | `center` u32, ascending in a file; `context` u32; `units` u64 |
//! | `words.parquet` | `id` u32, `word` text, `count` u64 |
//!
//! The cells of a center with id i lie in the row block i mod `report.blocks`, and a count is
//! `units / report.units_per_count`. So a word's contexts come from the files of one row block, from
//! the row groups whose footers admit the id, and from the stretch of rows that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::manifest::Stage;
use crate::parquet_file::{ParquetFile, guard};
use crate::report::{Section, Table, Value};
use crate::{Error, Result, words};

const WORDS: &str = "words.parquet";
/// Settings a reader of contexts wants to see: those that tell what a count means.
const SETTINGS: [&str; 4] = ["window", "weighting", "contexts", "unknown"];

/// A `count` stage.
pub(crate) struct Counts {
    directory: PathBuf,
    units_per_count: Option<u64>,
    blocks: Option<u64>,
    cells: Vec<Shard>,
    settings: Vec<(String, Value)>,
}

struct Shard {
    path: PathBuf,
    row_block: Option<u64>,
}

/// A cell: center, context, units.
type Cell = (u32, u32, u64);

impl Counts {
    /// The counts of a stage, if it has counts.
    pub(crate) fn of(stage: &Stage) -> Option<Counts> {
        if stage.kind != "count" || !stage.files.iter().any(|file| file.path == WORDS) {
            return None;
        }
        let cells = stage.files.iter().filter(|file| file.table() == "cells");
        let settings = SETTINGS.iter().filter_map(|&name| {
            Some((name.to_owned(), Value::Json(stage.settings.get(name)?.clone())))
        });
        Some(Counts {
            directory: stage.directory.clone(),
            units_per_count: stage.report["units_per_count"].as_u64().filter(|&units| units > 0),
            blocks: stage.report["blocks"].as_u64().filter(|&blocks| blocks > 0),
            cells: cells
                .map(|file| Shard {
                    path: stage.directory.join(&file.path),
                    row_block: file.partition("row_block"),
                })
                .collect(),
            settings: settings.collect(),
        })
    }

    /// Whether a table has cells.
    pub(crate) fn are_cells(file: &ParquetFile) -> bool {
        [("center", "u32"), ("context", "u32"), ("units", "u64")]
            .iter()
            .all(|(column, kind)| file.has(column, kind))
    }

    /// The first cells of a file, as many as there are up to `limit`.
    pub(crate) fn first(file: &ParquetFile, limit: u64) -> Result<Vec<Cell>> {
        let rows = 0..file.rows().min(limit);
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let frame = file.read(&["center", "context", "units"], rows)?;
        guard(file.path(), || {
            let centers = frame.column("center")?.u32()?.iter();
            let contexts = frame.column("context")?.u32()?.iter();
            let units = frame.column("units")?.u64()?.iter();
            let cells = centers.zip(contexts).zip(units);
            Ok(cells
                .filter_map(|((center, context), units)| Some((center?, context?, units?)))
                .collect())
        })
    }

    /// Cells with the words behind their ids.
    pub(crate) fn with_words(&self, cells: &[Cell]) -> Result<Table> {
        let ids = cells.iter().flat_map(|&(center, context, _)| [center, context]).collect();
        let names = self.texts(&ids)?;
        let amount = if self.units_per_count.is_some() { "count" } else { "units" };
        let mut table = Table::new(&["center", "center word", "context", "context word", amount]);
        for &(center, context, units) in cells {
            table.rows.push(vec![
                Value::Id(u64::from(center)),
                name(&names, center),
                Value::Id(u64::from(context)),
                name(&names, context),
                self.count(units),
            ]);
        }
        Ok(table)
    }

    /// The strongest contexts of a word, at most `limit`.
    pub(crate) fn contexts(&self, word: &str, limit: usize) -> Result<Vec<Section>> {
        let vocabulary = ParquetFile::open(&self.directory.join(WORDS))?;
        vocabulary.expect("id", "u32")?;
        vocabulary.expect("word", "text")?;
        let Some(&row) = words::rows_of(&vocabulary, word, 1)?.first() else {
            return Err(Error::UnknownWord {
                word: word.to_owned(),
                path: self.directory.clone(),
                hint: words::hint(&vocabulary, word)?,
            });
        };
        let mut pairs = vec![("word".to_owned(), Value::text(word))];
        let frame = vocabulary.read(&["id"], row..row + 1)?;
        let id = guard(vocabulary.path(), || Ok(frame.column("id")?.u32()?.get(0)))?;
        let id = id.ok_or_else(|| Error::damaged(vocabulary.path(), "a word has no id"))?;
        pairs.push(("id".to_owned(), Value::Id(u64::from(id))));
        if vocabulary.has("count", "u64") {
            let counted = vocabulary.values(&["count"], row..row + 1)?;
            pairs.extend(
                counted.into_iter().flatten().map(|count| ("occurrences".to_owned(), count)),
            );
        }
        let mut cells = self.row(id)?;
        let total: u128 = cells.iter().map(|&(_, units)| u128::from(units)).sum();
        pairs.push(("context words".to_owned(), Value::Count(cells.len() as u64)));
        pairs.push(self.total(total));
        pairs.extend(self.settings.iter().cloned());
        cells.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        cells.truncate(limit);
        let names = self.texts(&cells.iter().map(|&(context, _)| context).collect())?;
        let amount = if self.units_per_count.is_some() { "count" } else { "units" };
        let mut table = Table::new(&["context", amount, "share"]);
        for (context, units) in cells {
            let share = Value::Share(units as f64 / total as f64);
            table.rows.push(vec![name(&names, context), self.count(units), share]);
        }
        Ok(vec![
            Section::pairs(format!("The row of {word:?}"), pairs),
            Section::table("Strongest contexts", table),
        ])
    }

    /// All cells of a center: contexts and units.
    fn row(&self, center: u32) -> Result<Vec<(u32, u64)>> {
        let block = self.blocks.map(|blocks| u64::from(center) % blocks);
        let mut cells = Vec::new();
        for shard in &self.cells {
            let elsewhere = matches!((block, shard.row_block), (Some(a), Some(b)) if a != b);
            if !elsewhere {
                row_of(&ParquetFile::open(&shard.path)?, center, &mut cells)?;
            }
        }
        Ok(cells)
    }

    fn texts(&self, ids: &BTreeSet<u32>) -> Result<BTreeMap<u32, String>> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        words::texts(&ParquetFile::open(&self.directory.join(WORDS))?, ids)
    }

    fn count(&self, units: u64) -> Value {
        match self.units_per_count {
            Some(per_count) => Value::Number(units as f64 / per_count as f64),
            None => Value::Count(units),
        }
    }

    fn total(&self, units: u128) -> (String, Value) {
        match self.units_per_count {
            Some(per_count) => {
                ("total count".to_owned(), Value::Number(units as f64 / per_count as f64))
            }
            None => ("total units".to_owned(), Value::Number(units as f64)),
        }
    }
}

fn name(names: &BTreeMap<u32, String>, id: u32) -> Value {
    names.get(&id).map_or(Value::Missing, Value::text)
}

/// Appends the cells of a center in one file.
fn row_of(file: &ParquetFile, center: u32, cells: &mut Vec<(u32, u64)>) -> Result<()> {
    if !Counts::are_cells(file) {
        file.expect("center", "u32")?;
        file.expect("context", "u32")?;
        file.expect("units", "u64")?;
    }
    for group in file.row_groups() {
        if file.bounds(&group, "center").is_some_and(|bounds| !bounds.contains(&center)) {
            continue;
        }
        let frame = file.read(&["center"], group.rows.clone())?;
        let stretch = guard(file.path(), || {
            let column = frame.column("center")?.u32()?;
            let mut rows =
                group.rows.clone().zip(column.iter()).filter(|&(_, id)| id == Some(center));
            // The column ascends, so that nothing else lies between the first and the last; it is
            // checked again below.
            let first = rows.next().map(|(row, _)| row);
            let last = rows.last().map(|(row, _)| row).or(first);
            Ok(first.zip(last))
        })?;
        let Some((first, last)) = stretch else { continue };
        let frame = file.read(&["center", "context", "units"], first..last + 1)?;
        guard(file.path(), || {
            let centers = frame.column("center")?.u32()?.iter();
            let contexts = frame.column("context")?.u32()?.iter();
            let units = frame.column("units")?.u64()?.iter();
            for ((id, context), units) in centers.zip(contexts).zip(units) {
                if let (true, Some(context), Some(units)) = (id == Some(center), context, units) {
                    cells.push((context, units));
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use polars::prelude::df;
    use serde_json::json;

    use super::*;
    use crate::fixture::{Directory, write_manifest, write_parquet_with};
    use crate::report::Body;

    const VOCABULARY: [&str; 6] = ["the", "cat", "sat", "on", "a", "mat"];
    const BLOCKS: u32 = 2;

    /// Units of a cell, for every pair of words but some.
    fn units(center: u32, context: u32) -> Option<u64> {
        let value = u64::from((center * 7 + context * 5) % 9);
        (value > 1).then_some(value * 1260)
    }

    /// A miniature of what the `count` stage writes, in `name` below the directory.
    pub(crate) fn write_stage(directory: &Directory, name: &str) {
        let words = df!(
            "id" => (0..VOCABULARY.len() as u32).collect::<Vec<_>>(),
            "word" => VOCABULARY,
            "count" => [60u64, 50, 40, 30, 20, 10],
        );
        write_parquet_with(
            &directory.path(&format!("{name}/words.parquet")),
            words.unwrap(),
            4,
            None,
        );
        let mut files = Vec::new();
        let (mut cells, mut total_units) = (0, 0);
        for row_block in 0..BLOCKS {
            for column_block in 0..BLOCKS {
                let (mut centers, mut contexts, mut counted) = (vec![], vec![], vec![]);
                for center in (row_block..VOCABULARY.len() as u32).step_by(BLOCKS as usize) {
                    for context in (column_block..VOCABULARY.len() as u32).step_by(BLOCKS as usize)
                    {
                        if let Some(units) = units(center, context) {
                            centers.push(center);
                            contexts.push(context);
                            counted.push(units);
                        }
                    }
                }
                let file = format!(
                    "cells/row_block={row_block:02}/column_block={column_block:02}/cells.parquet"
                );
                files.push((file.clone(), centers.len() as u64));
                cells += centers.len();
                total_units += counted.iter().sum::<u64>();
                let frame = df!("center" => centers, "context" => contexts, "units" => counted);
                let metadata = Some(json!({ "units_per_count": 2520 }));
                let path = directory.path(&format!("{name}/{file}"));
                write_parquet_with(&path, frame.unwrap(), 3, metadata);
            }
        }
        files.push(("words.parquet".to_owned(), VOCABULARY.len() as u64));
        let manifest = json!({
            "stage": "count",
            "settings": {
                "window": 10,
                "weighting": "harmonic",
                "contexts": "symmetric",
                "unknown": "skip",
                "blocks": BLOCKS,
            },
            "inputs": { "tokens": "aa", "vocabulary": "bb" },
            "report": {
                "cells": cells,
                "words": VOCABULARY.len(),
                "blocks": BLOCKS,
                "units_per_count": 2520,
                "total_count": total_units as f64 / 2520.0,
            },
        });
        let files: Vec<(&str, u64)> =
            files.iter().map(|(file, rows)| (file.as_str(), *rows)).collect();
        write_manifest(&directory.root().join(name), manifest, &files);
    }

    fn counts(directory: &Directory) -> Counts {
        write_stage(directory, "counts");
        let stage = Stage::read(&directory.root().join("counts")).unwrap().unwrap();
        Counts::of(&stage).unwrap()
    }

    #[test]
    fn every_row_is_found_whole() {
        let directory = Directory::new();
        let counts = counts(&directory);
        for center in 0..VOCABULARY.len() as u32 {
            let mut found = counts.row(center).unwrap();
            found.sort_unstable();
            let all = (0..VOCABULARY.len() as u32)
                .filter_map(|context| Some((context, units(center, context)?)));
            assert_eq!(found, all.collect::<Vec<_>>(), "{center}");
        }
        assert!(counts.row(99).unwrap().is_empty());
    }

    #[test]
    fn only_the_row_block_is_opened() {
        let directory = Directory::new();
        let counts = counts(&directory);
        std::fs::remove_dir_all(directory.root().join("counts/cells/row_block=01")).unwrap();
        assert!(counts.row(2).is_ok());
        let error = counts.row(3).unwrap_err().to_string();
        assert!(error.contains("row_block=01"), "{error}");
    }

    #[test]
    fn contexts_are_sorted_by_count() {
        let directory = Directory::new();
        let counts = counts(&directory);
        let sections = counts.contexts("cat", 3).unwrap();
        let Body::Table(table) = &sections[1].body else { panic!("{sections:?}") };
        assert_eq!(table.columns, ["context", "count", "share"]);
        let mut expected: Vec<(u64, u32)> =
            (0..6).filter_map(|context| Some((units(1, context)?, context))).collect();
        let total: u64 = expected.iter().map(|(units, _)| units).sum();
        expected.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let expected: Vec<Vec<Value>> = expected
            .into_iter()
            .take(3)
            .map(|(units, context)| {
                vec![
                    Value::text(VOCABULARY[context as usize]),
                    Value::Number(units as f64 / 2520.0),
                    Value::Share(units as f64 / total as f64),
                ]
            })
            .collect();
        assert_eq!(table.rows, expected);
        let Body::Pairs(pairs) = &sections[0].body else { panic!("{sections:?}") };
        assert!(pairs.contains(&("occurrences".to_owned(), Value::Count(50))), "{pairs:?}");
        assert!(pairs.contains(&("total count".to_owned(), Value::Number(total as f64 / 2520.0))));
        assert!(
            pairs.contains(&("contexts".to_owned(), Value::Json(json!("symmetric")))),
            "{pairs:?}"
        );
    }

    #[test]
    fn an_unknown_word_comes_with_a_hint() {
        let directory = Directory::new();
        let error = counts(&directory).contexts("Mat", 3).unwrap_err().to_string();
        assert!(error.contains("\"Mat\"") && error.contains("did you mean \"mat\""), "{error}");
    }
}
