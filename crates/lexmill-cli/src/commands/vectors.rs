//! `lexmill vector`, and what all commands that ask embeddings have in common.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use lexmill_embeddings::{Vectors, text_line};

use crate::args::vectors::{Asking, VectorArgs};
use crate::output::print;

/// That a word is not there.
pub(crate) fn missing(vectors: &Vectors, word: &str, path: &Path) -> anyhow::Error {
    let words = match vectors.embeddings() {
        Ok(embeddings) => embeddings.len(),
        Err(error) => return error.into(),
    };
    match vectors {
        Vectors::Known(_) => {
            let hint =
                vectors.hint(word).map_or_else(String::new, |lower| format!("; {lower:?} is"));
            anyhow!("{word:?} is not among the {words} words of {path:?}{hint}")
        }
        Vectors::Any(_) => anyhow!(
            "{word:?} is not among the {words} words of {path:?}, and none of its n-grams has a vector"
        ),
    }
}

/// The vector of a word. Of one that is not in the vocabulary, that of its n-grams, if any has one: zeros
/// have no direction.
pub(crate) fn direction(vectors: &Vectors, word: &str) -> Result<Option<Vec<f32>>> {
    let vector = vectors.vector(word)?;
    Ok(vector.filter(|vector| vectors.knows(word) || vector.iter().any(|&value| value != 0.0)))
}

/// The questions: of the command line, each of `words` words (0: all of them one question), and of a file,
/// a line each. Words of a line stand between tabs, else between white space; where a question is one
/// word, it is the line.
pub(crate) fn questions(
    asked: &[String],
    asking: &Asking,
    words: usize,
) -> Result<Vec<Vec<String>>> {
    let mut questions: Vec<Vec<String>> = match words {
        _ if asked.is_empty() => Vec::new(),
        0 => vec![asked.to_vec()],
        _ => asked.chunks(words).map(<[String]>::to_vec).collect(),
    };
    if questions.last().is_some_and(|last| last.len() < words) {
        bail!("{} words are no whole number of questions of {words} words", asked.len());
    }
    let Some(path) = &asking.file else { return Ok(questions) };
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).context("could not read standard input")?;
    } else {
        bytes = std::fs::read(path).with_context(|| format!("could not read {path:?}"))?;
    }
    let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(&bytes);
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let line = std::str::from_utf8(line)
            .map_err(|_| anyhow!("{path:?}, line {number}: it is not UTF-8"))?
            .trim_end_matches('\r');
        // Google's set of analogies has its sections so.
        if line.trim().is_empty() || (words == 3 && line.starts_with(':')) {
            continue;
        }
        let fields: Vec<String> = match words {
            1 => vec![line.to_owned()],
            _ if line.contains('\t') => line.split('\t').map(|f| f.trim().to_owned()).collect(),
            _ => line.split_whitespace().map(str::to_owned).collect(),
        };
        let least = if words == 0 { 3 } else { words };
        if fields.iter().any(String::is_empty) {
            bail!("{path:?}, line {number}: a word is empty");
        }
        if fields.len() < least {
            bail!("{path:?}, line {number}: it has {} words and should have {least}", fields.len());
        }
        questions.push(fields);
    }
    Ok(questions)
}

/// Tells of the first of some words that are not there, and of how many more there are.
pub(crate) fn complain_of(vectors: &Vectors, path: &Path, unknown: &[&str]) -> Result<()> {
    let Some(first) = unknown.first() else { return Ok(()) };
    let error = missing(vectors, first, path);
    match unknown.len() {
        1 => Err(error),
        more => Err(anyhow!("{error}; {} more words are not", more - 1)),
    }
}

/// Shows the vector of each word.
pub(crate) fn run(args: &VectorArgs) -> Result<()> {
    let vectors = Vectors::open(&args.source.path, &args.source.options())?;
    let questions = questions(&args.asked, &args.asking, 1)?;
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for word in questions.iter().flatten() {
        match vectors.vector(word)? {
            Some(vector) => found.push((word, vector)),
            None => unknown.push(word.as_str()),
        }
    }
    print(&match args.asking.json {
        true => {
            // Not by way of a `Value`, whose numbers are longer.
            let mut rows = Vec::new();
            for (word, vector) in &found {
                let known = vectors.knows(word);
                let (word, vector) = (serde_json::to_string(word)?, serde_json::to_string(vector)?);
                rows.push(format!(r#"{{"word":{word},"known":{known},"vector":{vector}}}"#));
            }
            format!("[{}]\n", rows.join(",\n"))
        }
        false => {
            let mut text = String::new();
            for (word, vector) in &found {
                text_line(&mut text, word, vector);
            }
            text
        }
    })?;
    complain_of(&vectors, &args.source.path, &unknown)
}
