//! Words and their ids, from tables with a column `word`.
//!
//! A row group at a time is in memory, and of its words only the stretch that holds what is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::Result;
use crate::parquet_file::{ParquetFile, guard};

/// Words that are suggested for one that is not there.
const SUGGESTIONS: usize = 3;

/// Whether rows of the table belong to words.
pub(crate) fn has_words(file: &ParquetFile) -> bool {
    file.has("word", "text")
}

/// The words of some ids; ids that are not there are left out.
pub(crate) fn texts(file: &ParquetFile, ids: &BTreeSet<u32>) -> Result<BTreeMap<u32, String>> {
    file.expect("id", "u32")?;
    file.expect("word", "text")?;
    let mut found = BTreeMap::new();
    for group in file.row_groups() {
        if file.bounds(&group, "id").is_some_and(|bounds| ids.range(bounds).next().is_none()) {
            continue;
        }
        let frame = file.read(&["id"], group.rows.clone())?;
        let wanted: Vec<(u64, u32)> = guard(file.path(), || {
            let column = frame.column("id")?.u32()?;
            let rows = group.rows.clone().zip(column.iter());
            Ok(rows
                .filter_map(|(row, id)| Some((row, id.filter(|id| ids.contains(id))?)))
                .collect())
        })?;
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { continue };
        let stretch = first.0..last.0 + 1;
        let words = words(file, stretch.clone())?;
        for (row, id) in wanted {
            if let Some(Some(word)) = words.get((row - stretch.start) as usize) {
                found.insert(id, word.clone());
            }
        }
        if found.len() == ids.len() {
            break;
        }
    }
    Ok(found)
}

/// The rows of a word, in ascending order; at most `limit`.
pub(crate) fn rows_of(file: &ParquetFile, word: &str, limit: usize) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    for group in file.row_groups() {
        if found.len() >= limit {
            break;
        }
        let frame = file.read(&["word"], group.rows.clone())?;
        guard(file.path(), || {
            let column = frame.column("word")?.str()?;
            let rows = group.rows.clone().zip(column.iter());
            found.extend(rows.filter(|(_, text)| *text == Some(word)).map(|(row, _)| row));
            Ok(())
        })?;
    }
    found.truncate(limit);
    Ok(found)
}

/// What to think of when the word is not in the table.
pub(crate) fn hint(file: &ParquetFile, word: &str) -> Result<String> {
    let wanted = letters(word);
    let allowed = (wanted.len() / 3).clamp(1, 2);
    // Rows of a vocabulary are in the order of frequency: of equally near words, the more usual.
    let mut nearest: Vec<(usize, u64, String)> = Vec::new();
    for group in file.row_groups() {
        let words = words(file, group.rows.clone())?;
        for (row, text) in group.rows.zip(words) {
            let Some(text) = text else { continue };
            let candidate = letters(&text);
            if candidate.len().abs_diff(wanted.len()) > allowed {
                continue;
            }
            let distance = distance(&wanted, &candidate);
            if distance <= allowed {
                nearest.push((distance, row, text));
                nearest.sort();
                nearest.truncate(SUGGESTIONS);
            }
        }
    }
    if nearest.is_empty() {
        return Ok(
            "words are spelled as the tokenizer wrote them, and a vocabulary leaves rare ones \
                   out"
            .to_owned(),
        );
    }
    let names: Vec<String> = nearest.into_iter().map(|(_, _, text)| format!("{text:?}")).collect();
    Ok(format!("did you mean {}?", names.join(" or ")))
}

fn words(file: &ParquetFile, rows: Range<u64>) -> Result<Vec<Option<String>>> {
    let frame = file.read(&["word"], rows)?;
    guard(file.path(), || {
        let column = frame.column("word")?.str()?;
        Ok(column.iter().map(|text| text.map(str::to_owned)).collect())
    })
}

fn letters(word: &str) -> Vec<char> {
    word.to_lowercase().chars().collect()
}

/// Letters to insert, remove or replace to make one word of the other.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    let mut current = vec![0; right.len() + 1];
    for (i, a) in left.iter().enumerate() {
        current[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = previous[j] + usize::from(a != b);
            current[j + 1] = replaced.min(previous[j + 1] + 1).min(current[j] + 1);
        }
        std::mem::swap(&mut previous, &mut current);
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;
    use crate::fixture::{Directory, write_parquet_with};

    fn with_words(check: impl FnOnce(&ParquetFile)) {
        let directory = Directory::new();
        let path = directory.path("words.parquet");
        let words = ["the", "king", "queen", "kings", "Paris", "東京"];
        let frame = df!("id" => [0u32, 1, 2, 3, 4, 5], "word" => words).unwrap();
        write_parquet_with(&path, frame, 2, None);
        check(&ParquetFile::open(&path).unwrap());
    }

    #[test]
    fn ids_become_words() {
        with_words(|file| {
            let found = texts(file, &BTreeSet::from([1, 5, 77])).unwrap();
            let expected = BTreeMap::from([(1, "king".to_owned()), (5, "東京".to_owned())]);
            assert_eq!(found, expected);
            assert!(texts(file, &BTreeSet::new()).unwrap().is_empty());
        });
    }

    #[test]
    fn words_become_rows() {
        with_words(|file| {
            assert_eq!(rows_of(file, "kings", 9).unwrap(), [3]);
            assert_eq!(rows_of(file, "kings", 0).unwrap(), [0u64; 0]);
            assert_eq!(rows_of(file, "kin", 9).unwrap(), [0u64; 0]);
        });
    }

    #[test]
    fn near_words_are_suggested() {
        with_words(|file| {
            assert_eq!(hint(file, "kng").unwrap(), "did you mean \"king\"?");
            assert_eq!(hint(file, "kingz").unwrap(), "did you mean \"king\" or \"kings\"?");
            assert_eq!(hint(file, "paris").unwrap(), "did you mean \"Paris\"?");
            assert!(hint(file, "xylophone").unwrap().contains("rare ones"));
        });
    }

    #[test]
    fn distances() {
        let check = |a: &str, b: &str, expected| {
            assert_eq!(distance(&letters(a), &letters(b)), expected, "{a} {b}");
            assert_eq!(distance(&letters(b), &letters(a)), expected, "{b} {a}");
        };
        check("", "", 0);
        check("", "abc", 3);
        check("kitten", "sitting", 3);
        check("Same", "same", 0);
    }
}
