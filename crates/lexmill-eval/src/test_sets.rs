//! Test sets from the files people have them in.
//!
//! | set | a line, or a file | besides |
//! | --- | --- | --- |
//! | [`WordPairs`] | `word word score` | further fields are ignored |
//! | [`Analogies`] | Google's `a b c d`; MSR's `a b c` beside a file of answers; BATS's `word answer/answer` | sections |
//! | [`Categories`] | `word category` | further fields are ignored |
//! | [`Outliers`] | words of a cluster, a blank line, outliers: a topic a file | a word may be a phrase |
//!
//! Lines end in LF, CRLF or a lone CR. Blank lines and lines that start with `#` are left out (but in sets of
//! outliers a blank line separates). Anything else that is wrong is an error that names the line.

use std::path::Path;

use lexmill_store::Error as StoreError;

use crate::{Error, LineProblem, Result};

mod analogies;
mod categories;
mod outliers;
mod pairs;

pub(crate) use analogies::answers_beside;
pub use analogies::{Analogies, Question, Section};
pub use categories::Categories;
pub use outliers::{Outliers, Topic};
pub use pairs::{Pair, WordPairs};

/// A file of a test set, whole. A test set is small: more than this is some other file.
const MOST_BYTES: u64 = 32 << 20;

fn content(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(StoreError::io("open", path))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(StoreError::io("read", path))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Error::TooLarge { path: path.to_owned(), most_mib: MOST_BYTES >> 20 });
    }
    if bytes.starts_with("\u{FEFF}".as_bytes()) {
        bytes.drain(..3);
    }
    Ok(bytes)
}

/// Calls `take` with every line that is not blank or a comment, trimmed.
fn for_each_line(path: &Path, mut take: impl FnMut(&str) -> Result<(), LineProblem>) -> Result<()> {
    every_line(path, |line| match line {
        "" => Ok(()),
        line => take(line),
    })
}

/// Calls `take` with every line that is not a comment, trimmed; blank lines as well.
fn every_line(path: &Path, mut take: impl FnMut(&str) -> Result<(), LineProblem>) -> Result<()> {
    let bytes = content(path)?;
    for (index, line) in lines(&bytes).enumerate() {
        let line = std::str::from_utf8(line).map_err(|_| LineProblem::InvalidUtf8);
        let taken = line.and_then(|line| match line.trim() {
            line if line.starts_with('#') => Ok(()),
            line => take(line),
        });
        taken.map_err(|problem| Error::Line { path: path.to_owned(), line: index + 1, problem })?;
    }
    Ok(())
}

/// Lines that end in LF, CRLF, a lone CR or the end.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            rest = None;
            return Some(bytes);
        };
        let end_bytes = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = Some(&bytes[end + end_bytes..]);
        Some(&bytes[..end])
    })
}

/// What a file or a directory is called in the table of scores: its name without its end.
fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What `read` makes of a file `set.txt` that holds these bytes.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
fn written<T>(bytes: &[u8], read: impl Fn(&Path) -> Result<T>) -> Result<T> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("set.txt");
    std::fs::write(&path, bytes).unwrap();
    read(&path)
}
