//! The files that scores depend on, and what they are in hashes.

use std::path::{Path, PathBuf};

use lexmill_embeddings::{export, model};
use lexmill_store::{Error as StoreError, Manifest, file_hash};

use crate::test_sets::answers_beside;
use crate::{Error, EvaluateSettings, Result};

/// Files below a directory, and how deep they lie, at most: a test set has few.
const MOST_FILES: usize = 10_000;
const MOST_DEPTH: usize = 8;

/// What a test set is, in one hash for each: a file by its content; a directory by the names and the
/// contents of the `.txt` files below it; a file of questions with its answers beside it by both. In the
/// order of [`EvaluateSettings::test_sets`].
///
/// # Errors
/// If a file can't be read.
pub fn test_set_hashes(settings: &EvaluateSettings) -> Result<Vec<String>> {
    settings.test_sets().map(|(_, path)| test_set_hash(Path::new(path))).collect()
}

fn test_set_hash(path: &Path) -> Result<String> {
    if path.is_dir() {
        let mut all = String::new();
        for file in text_files(path)? {
            let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
            all += &format!("{name} {}\n", file_hash(&file)?);
        }
        return Ok(all);
    }
    let hash = file_hash(path)?;
    match answers_beside(path) {
        Some(answers) => Ok(format!("{hash} {}", file_hash(&answers)?)),
        None => Ok(hash),
    }
}

/// What embeddings are, in one hash: an export's or a model's stage directory by its fingerprint, any other
/// file by its content.
///
/// # Errors
/// If there is no such file or finished stage.
pub fn embeddings_hash(path: &Path) -> Result<String> {
    if path.is_dir() {
        let kinds: Vec<&str> = [export::KIND].iter().chain(model::KINDS).copied().collect();
        return Ok(Manifest::expect(path, &kinds)?.fingerprint);
    }
    Ok(file_hash(path)?)
}

/// The `.txt` files below a directory, by name; hidden ones are left out.
pub(crate) fn text_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut waiting = vec![(directory.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        let failed = || StoreError::io("list", &folder);
        for entry in std::fs::read_dir(&folder).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                if depth < MOST_DEPTH {
                    waiting.push((path, depth + 1));
                }
            } else if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("txt")) {
                files.push(path);
            }
            if files.len() + waiting.len() > MOST_FILES {
                return Err(Error::TooManyFiles { path: directory.to_owned(), most: MOST_FILES });
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests {
    use super::*;

    #[test]
    fn test_sets_count_by_content_and_names_in_directories() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        };
        let hash = |name: &str| test_set_hash(&directory.path().join(name)).unwrap();
        write("set/1_a/x.txt", "one");
        write("set/.hidden/y.txt", "no");
        write("set/notes", "no");
        write("questions", "a b c");
        let (first, file) = (hash("set"), hash("questions"));
        assert_eq!(first.lines().count(), 1);
        write("set/notes", "changed");
        assert_eq!(hash("set"), first);
        write("set/1_a/x.txt", "two");
        assert_ne!(hash("set"), first);
        write("answers", "d");
        assert!(hash("questions").starts_with(&file) && hash("questions") != file);
        assert!(embeddings_hash(directory.path()).is_err());
        assert_eq!(embeddings_hash(&directory.path().join("questions")).unwrap(), file);
    }
}
