//! Texts to measure on, unpacked, cut and repeated from the data folder into the working directory.
//!
//! What is there already is used again; names carry the length of what it was made from.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lexmill_store::AtomicFile;

use crate::lab::{Lab, remove};
use crate::report::say;

/// The corpora of all languages, in the order of their names.
const LANGUAGES: [&str; 7] =
    ["de-novels", "en-books", "en-wiki", "es-novels", "fr-novels", "ko-wiki", "zh-wiki"];

/// The parts of all English: their order is that of the corpus.
const ENGLISH: [&str; 2] = ["en-books", "en-wiki"];

/// A corpus: what the environment variable `LEXMILL_TEXT` says.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// A path or a pattern.
    pub(crate) pattern: String,
    /// Its length.
    pub(crate) bytes: u64,
}

/// The reference text, a document a line.
pub(crate) fn reference(lab: &Lab) -> Result<Text> {
    let path = unpack(lab, "reference/en50.txt.zst")?;
    let bytes = length(&path)?;
    Ok(Text { pattern: path.to_string_lossy().into_owned(), bytes })
}

/// The first `part` of `parts` of each English corpus, up to the end of a document.
pub(crate) fn english_part(lab: &Lab, part: u64, parts: u64) -> Result<Text> {
    prepare(lab, &format!("{part}-of-{parts}"), |source, name, directory| {
        let target = directory.join(format!("{name}.txt"));
        if part == parts {
            return link(source, &target);
        }
        let text =
            std::fs::read(source).with_context(|| format!("can't read {}", source.display()))?;
        let end = document_end(&text, text.len() as u64 * part / parts);
        write(&target, &mut &text[..end])
    })
}

/// All English, repeated as further files until it has `bytes`.
pub(crate) fn english_repeated(lab: &Lab, bytes: u64) -> Result<Text> {
    let once = english_part(lab, 1, 1)?.bytes;
    let times = bytes.div_ceil(once.max(1)).max(1);
    prepare(lab, &format!("{times}-times"), |source, name, directory| {
        (1..=times).try_for_each(|i| link(source, &directory.join(format!("{i:04}-{name}.txt"))))
    })
}

/// A file of the data folder, unpacked.
pub(crate) fn unpacked(lab: &Lab, name: &str) -> Result<Text> {
    let path = unpack(lab, name)?;
    let bytes = length(&path)?;
    Ok(Text { pattern: path.to_string_lossy().into_owned(), bytes })
}

/// The first lines of a text, of about so many bytes.
pub(crate) fn head(lab: &Lab, text: &Text, bytes: usize) -> Result<Text> {
    let target = lab.work(&format!("text/head-{bytes}-of-{}.txt", text.bytes));
    if !target.is_file() {
        let whole =
            std::fs::read(&text.pattern).with_context(|| format!("can't read {}", text.pattern))?;
        let from = bytes.min(whole.len());
        let end = whole[from..].iter().position(|&byte| byte == b'\n');
        write(&target, &mut &whole[..end.map_or(whole.len(), |end| from + end + 1)])?;
    }
    let bytes = length(&target)?;
    Ok(Text { pattern: target.to_string_lossy().into_owned(), bytes })
}

/// All languages, each a file, repeated as further files until there are `bytes`; once at least.
pub(crate) fn languages(lab: &Lab, bytes: u64) -> Result<Text> {
    let sources =
        LANGUAGES.map(|name| Ok((name, unpack(lab, &format!("corpora/{name}.txt.zst"))?)));
    let sources = sources.into_iter().collect::<Result<Vec<_>>>()?;
    let mut once = 0;
    for (_, source) in &sources {
        once += length(source)?;
    }
    let times = bytes.div_ceil(once.max(1)).max(1);
    let directory = lab.work(&format!("text/languages-{once}/{times}-times"));
    if !directory.is_dir() {
        let partial = directory.with_extension("partial");
        remove(&partial)?;
        std::fs::create_dir_all(&partial)
            .with_context(|| format!("can't make {}", partial.display()))?;
        for i in 1..=times {
            for (name, source) in &sources {
                link(source, &partial.join(format!("{i:04}-{name}.txt")))?;
            }
        }
        std::fs::rename(&partial, &directory)
            .with_context(|| format!("can't rename {}", partial.display()))?;
    }
    let pattern = directory.join("*.txt").to_string_lossy().into_owned();
    Ok(Text { pattern, bytes: once * times })
}

/// All English as the reference text is: a document a line, its words lower-cased between single
/// spaces, words being letters with apostrophes inside. What cuts at spaces alone reads it as Lexmill
/// does.
pub(crate) fn english_words(lab: &Lab) -> Result<Text> {
    let sources = ENGLISH.map(|corpus| unpack(lab, &format!("corpora/{corpus}.txt.zst")));
    let sources = sources.into_iter().collect::<Result<Vec<_>>>()?;
    let mut bytes = 0;
    for source in &sources {
        bytes += length(source)?;
    }
    let target = lab.work(&format!("text/english-words-{bytes}.txt"));
    if !target.is_file() {
        say(&format!("makes {}", target.display()));
        let mut file = AtomicFile::create(&target)?;
        for source in &sources {
            let text =
                File::open(source).with_context(|| format!("can't open {}", source.display()))?;
            documents(&mut BufReader::new(text), &mut file)
                .with_context(|| format!("cutting {} into words", source.display()))?;
        }
        file.commit("", 0)?;
    }
    let bytes = length(&target)?;
    Ok(Text { pattern: target.to_string_lossy().into_owned(), bytes })
}

/// Paragraphs with empty lines between documents, to documents' words a line.
fn documents(text: &mut dyn BufRead, out: &mut dyn Write) -> io::Result<()> {
    let (mut line, mut document) = (String::new(), String::new());
    loop {
        line.clear();
        let over = text.read_line(&mut line)? == 0;
        if over || line.trim().is_empty() {
            if !document.is_empty() {
                document.push('\n');
                out.write_all(document.as_bytes())?;
                document.clear();
            }
            if over {
                return Ok(());
            }
        }
        words(&line, &mut document);
    }
}

fn words(line: &str, document: &mut String) {
    let mut inside = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_alphabetic() {
            if !inside && !document.is_empty() {
                document.push(' ');
            }
            inside = true;
            document.extend(character.to_lowercase());
        } else if matches!(character, '\'' | '\u{2019}')
            && inside
            && characters.peek().is_some_and(|next| next.is_alphabetic())
        {
            document.push('\'');
        } else {
            inside = false;
        }
    }
}

/// A folder of English files, made by `make` from each unpacked corpus, its name and the folder.
fn prepare(lab: &Lab, name: &str, make: impl Fn(&Path, &str, &Path) -> Result<()>) -> Result<Text> {
    let mut sources = Vec::new();
    for corpus in ENGLISH {
        sources.push((corpus, unpack(lab, &format!("corpora/{corpus}.txt.zst"))?));
    }
    let mut bytes = 0;
    for (_, source) in &sources {
        bytes += length(source)?;
    }
    let directory = lab.work(&format!("text/english-{bytes}/{name}"));
    if !directory.is_dir() {
        say(&format!("makes {}", directory.display()));
        let partial = directory.with_extension("partial");
        remove(&partial)?;
        std::fs::create_dir_all(&partial)
            .with_context(|| format!("can't make {}", partial.display()))?;
        for (corpus, source) in &sources {
            make(source, corpus, &partial)?;
        }
        std::fs::rename(&partial, &directory)
            .with_context(|| format!("can't rename {}", partial.display()))?;
    }
    let mut bytes = 0;
    let list = std::fs::read_dir(&directory);
    for entry in list.with_context(|| format!("can't list {}", directory.display()))? {
        bytes +=
            length(&entry.with_context(|| format!("can't list {}", directory.display()))?.path())?;
    }
    Ok(Text { pattern: directory.join("*.txt").to_string_lossy().into_owned(), bytes })
}

/// A compressed file of the data folder, unpacked.
fn unpack(lab: &Lab, name: &str) -> Result<PathBuf> {
    let source = lab.data(name)?;
    let stem = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
    let stem = stem.trim_end_matches(".zst").trim_end_matches(".txt");
    let target = lab.work(&format!("text/{stem}-{}.txt", length(&source)?));
    if !target.is_file() {
        say(&format!("unpacks {}", source.display()));
        let file =
            File::open(&source).with_context(|| format!("can't open {}", source.display()))?;
        let mut text = zstd::stream::read::Decoder::new(file)
            .with_context(|| format!("{} is not zstd", source.display()))?;
        write(&target, &mut text).with_context(|| format!("unpacking {}", source.display()))?;
    }
    Ok(target)
}

fn write(target: &Path, text: &mut dyn io::Read) -> Result<()> {
    let mut file = AtomicFile::create(target)?;
    io::copy(text, &mut file)
        .and_then(|_| file.flush())
        .with_context(|| format!("can't write {}", target.display()))?;
    file.commit("", 0)?;
    Ok(())
}

/// The same file under another name, without a copy where the file system allows.
fn link(source: &Path, target: &Path) -> Result<()> {
    if std::fs::hard_link(source, target).is_ok() {
        return Ok(());
    }
    let mut file =
        File::open(source).with_context(|| format!("can't open {}", source.display()))?;
    write(target, &mut file)
}

fn length(path: &Path) -> Result<u64> {
    let file =
        std::fs::metadata(path).with_context(|| format!("can't look at {}", path.display()))?;
    Ok(file.len())
}

/// Where the document ends that `place` is in: behind the next blank line.
fn document_end(text: &[u8], place: u64) -> usize {
    let place = (place as usize).min(text.len());
    let blank = text[place..].windows(2).position(|two| two == b"\n\n");
    blank.map_or(text.len(), |at| place + at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_becomes_words() {
        let text = "The dog's\u{2019} 3 BONES, won\u{2019}t\n'tis\n\n\n42\n\nÉté\n";
        let mut out = Vec::new();
        documents(&mut text.as_bytes(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "the dog's bones won't tis\nété\n");
    }

    #[test]
    fn texts_are_cut_between_documents() {
        let text = b"one\ntwo\n\nthree\n\nfour\n";
        assert_eq!(
            [0, 3, 8, 9, 15, 16, 21, 99].map(|at| document_end(text, at)),
            [9, 9, 16, 16, 21, 21, 21, 21]
        );
    }
}
