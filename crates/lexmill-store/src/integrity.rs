//! Damage that is found before it is used: notes that carry their own hash, and files compared with
//! those their manifest lists.

use std::path::{Component, Path};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::commit::write_whole;
use crate::history::is_run;
use crate::{Error, FileEntry, Progress, Result, file_hash_while, workers};

/// Digits of a hash.
const DIGITS: usize = 64;
/// What stands before the hash: in one line, and in a text of several.
const BEFORE: [&str; 2] = [",\"check\":\"", ",\n  \"check\": \""];
/// What stands behind it.
const BEHIND: [&str; 2] = ["\"}", "\"\n}\n"];

/// A JSON object with one member more, `check`: BLAKE3 of all that stands before it. Any bit of the
/// whole that flips is noticed by [`unseal`]. `lines`: in a form to be read by people, which ends a line;
/// otherwise in one line that has no end.
pub(crate) fn seal(value: &impl Serialize, lines: bool) -> String {
    let to_text = if lines { serde_json::to_string_pretty } else { serde_json::to_string };
    let mut text = to_text(value).expect("plain data");
    text.truncate(text.len() - 1);
    text.truncate(text.trim_end().len());
    let check = blake3::hash(text.as_bytes()).to_hex();
    text + BEFORE[usize::from(lines)] + &check + BEHIND[usize::from(lines)]
}

/// What was sealed; `None` if it is not as it was.
pub(crate) fn unseal<T: DeserializeOwned>(text: &str) -> Option<T> {
    let whole = BEFORE.iter().zip(BEHIND).any(|(before, behind)| {
        let Some(rest) = text.strip_suffix(behind) else { return false };
        let Some((rest, check)) = rest.split_at_checked(rest.len().saturating_sub(DIGITS)) else {
            return false;
        };
        let sealed = rest.strip_suffix(before);
        sealed.is_some_and(|sealed| blake3::hash(sealed.as_bytes()).to_hex().as_str() == check)
    });
    whole.then(|| serde_json::from_str(text).ok()).flatten()
}

/// Writes a note of the program's own, as one JSON object that carries its hash.
///
/// # Errors
/// If the disk refuses.
pub fn write_sealed(path: &Path, value: &impl Serialize) -> Result<()> {
    write_whole(path, seal(value, true).as_bytes())
}

/// Reads such a note; `None` if there is none, or it is not what was written.
pub fn read_sealed<T: DeserializeOwned>(path: &Path) -> Option<T> {
    unseal(std::str::from_utf8(&std::fs::read(path).ok()?).ok()?)
}

/// Whether such a note is what was written; `None` if there is none.
pub fn is_sealed(path: &Path) -> Option<bool> {
    path.exists().then(|| read_sealed::<serde_json::Value>(path).is_some())
}

/// A file that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Its path below the stage directory.
    pub file: String,
    /// What is wrong with it, in words.
    pub problem: String,
}

/// Reads the files of a directory and compares them with what was noted of them, counting bytes as
/// they are read. The damaged ones come in the order of `files`.
///
/// # Errors
/// [`Error::Stopped`] only.
pub(crate) fn damaged(
    directory: &Path,
    files: &[FileEntry],
    threads: usize,
    progress: &Progress,
) -> Result<Vec<Damage>> {
    let found = workers::share(threads, files.len(), progress, |tasks| {
        let mut found = Vec::new();
        for task in tasks {
            let file = &files[task];
            if let Some(problem) = problem(&directory.join(&file.path), file, progress)? {
                found.push((task, Damage { file: file.path.clone(), problem }));
            }
        }
        Ok::<_, Error>(found)
    })?;
    let mut found = found.concat();
    found.sort_by_key(|(task, _)| *task);
    Ok(found.into_iter().map(|(_, damage)| damage).collect())
}

/// What is wrong with a file. Bytes count as progress as they are read, those of a file that is not read
/// at once.
///
/// # Errors
/// [`Error::Stopped`] only.
fn problem(path: &Path, file: &FileEntry, progress: &Progress) -> Result<Option<String>> {
    let problem = match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => "it is missing".to_owned(),
        Err(e) => format!("it can't be looked at: {e}"),
        Ok(found) if !found.is_file() => "it is not a file".to_owned(),
        Ok(found) if found.len() != file.bytes => {
            format!("it has {} bytes instead of {}", found.len(), file.bytes)
        }
        Ok(_) => {
            let hash = file_hash_while(path, |bytes| {
                progress.advance(bytes);
                progress.go_on()
            });
            return match hash {
                Ok(hash) if hash == file.blake3 => Ok(None),
                Ok(_) => Ok(Some("its content is not what was written".to_owned())),
                Err(Error::Stopped) => Err(Error::Stopped),
                Err(e) => Ok(Some(e.to_string())),
            };
        }
    };
    progress.advance(file.bytes);
    Ok(Some(problem))
}

/// Whether a path from a manifest stays below its directory.
pub(crate) fn stays_below(path: &str) -> bool {
    let mut components = Path::new(path).components().peekable();
    components.peek().is_some() && components.all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a file is what was noted of it.
///
/// # Errors
/// [`Error::Damaged`] if it is not.
pub(crate) fn expect_whole(directory: &Path, file: &FileEntry) -> Result<()> {
    let path = directory.join(&file.path);
    match problem(&path, file, &Progress::new())? {
        None => Ok(()),
        Some(problem) => Err(Error::Damaged { path, problem, advice: advice(directory) }),
    }
}

/// What to do about damage in a stage directory.
pub(crate) fn advice(directory: &Path) -> String {
    let run = match directory.parent() {
        Some(run) if run.as_os_str().is_empty() => Path::new("."),
        Some(run) => run,
        None => directory,
    };
    match is_run(run) {
        true => {
            format!(
                "`lexmill verify {} --repair PIPELINE.toml` makes its stage again",
                run.display()
            )
        }
        false => {
            format!("remove {directory:?}, and make it again with the command that made it")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn any_bit_that_flips_breaks_the_seal() {
        let value = json!({"a": [1, {"b": "c}"}], "x": 0.1, "empty": {}});
        for lines in [false, true] {
            let text = seal(&value, lines);
            assert_eq!(text.ends_with('\n'), lines);
            let mut opened: Value = unseal(&text).unwrap();
            opened.as_object_mut().unwrap().remove("check");
            assert_eq!(opened, value);
            for bit in 0..8 * text.len() {
                let mut bytes = text.clone().into_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                if let Ok(text) = String::from_utf8(bytes) {
                    assert_eq!(unseal::<Value>(&text), None, "{text}");
                }
            }
            for end in 0..text.len() {
                assert_eq!(unseal::<Value>(&text[..end]), None);
            }
        }
        // Text that is not ours.
        for text in ["", "{}", "\"}", &format!("é{}", "0".repeat(200))] {
            assert_eq!(unseal::<Value>(text), None);
        }
    }

    #[test]
    fn damage_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let entry = |name: &str, content: &[u8]| FileEntry {
            path: name.to_owned(),
            rows: 0,
            bytes: content.len() as u64,
            blake3: blake3::hash(content).to_hex().to_string(),
        };
        let files: Vec<FileEntry> =
            ["a", "b", "c", "d", "e"].iter().map(|name| entry(name, name.as_bytes())).collect();
        for (name, content) in [("a", "a"), ("b", "x"), ("c", "cc"), ("e", "e")] {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        for threads in [1, 3] {
            let progress = Progress::new();
            let found = damaged(directory.path(), &files, threads, &progress).unwrap();
            let names: Vec<&str> = found.iter().map(|damage| damage.file.as_str()).collect();
            assert_eq!(names, ["b", "c", "d"]);
            assert!(found[0].problem.contains("content") && found[1].problem.contains("2 bytes"));
            assert_eq!(progress.read().0, 5);
        }
        assert!(expect_whole(directory.path(), &files[0]).is_ok());
        let error = expect_whole(directory.path(), &files[1]).unwrap_err().to_string();
        assert!(error.contains("/b\" is damaged"), "{error}");
    }

    #[test]
    fn a_path_from_a_stranger_stays_in_the_directory() {
        for good in ["a", "shards/a.parquet", "..a/b"] {
            assert!(stays_below(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../a", "a/../../b", "./a", "a/.."] {
            assert!(!stays_below(bad), "{bad}");
        }
    }
}
