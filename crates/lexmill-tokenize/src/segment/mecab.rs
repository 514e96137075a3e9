//! Words by a dictionary of MeCab, as there are for Japanese and Korean: the cheapest path through a
//! lattice of words. Tried with ipadic.
//!
//! The dictionary is given as people get it, a directory of tables of words (`*.csv`) with `matrix.def`,
//! `char.def` and `unk.def`. It is compiled anew each time, which takes seconds, so that nothing stale
//! can lie about.

use std::borrow::Cow;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use lindera::dictionary::load_fs_dictionary;
use lindera::mode::Mode;
use lindera_dictionary::builder::DictionaryBuilder;
use lindera_dictionary::dictionary::metadata::Metadata;

use crate::{Error, Result};

/// Bytes of text in a lattice, at most: a lattice has a node for each word at each place.
const MOST_BYTES: usize = 1 << 13;

/// A compiled dictionary.
pub(super) struct Mecab(lindera::segmenter::Segmenter);

impl Mecab {
    /// Compiles the dictionary in a directory.
    pub(super) fn open(directory: &Path) -> Result<Mecab> {
        let failed = |problem: String| Error::Format { path: directory.to_owned(), problem };
        let tables = tables(directory)?;
        let (Some(first), true) = (tables.first(), directory.join("matrix.def").is_file()) else {
            return Err(failed(
                "has no *.csv and matrix.def; name the directory of a dictionary's source, such as \
                 /usr/share/mecab/dic/ipadic of Debian's package mecab-ipadic"
                    .to_owned(),
            ));
        };
        // Only what segmentation needs is read of a row.
        let metadata = serde_json::json!({
            "name": "mecab",
            "encoding": encoding(first)?,
            "default_word_cost": -10_000,
            "default_left_context_id": 0,
            "default_right_context_id": 0,
            "default_field_value": "*",
            "flexible_csv": true,
            "skip_invalid_cost_or_id": false,
            "normalize_details": false,
            "dictionary_schema":
                { "fields": ["surface", "left_context_id", "right_context_id", "cost"] },
            "user_dictionary_schema": { "fields": ["surface"] },
        });
        let compiled = || -> Result<Mecab, String> {
            let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
            let metadata =
                Metadata::load(metadata.to_string().as_bytes()).map_err(|e| e.to_string())?;
            let builder = DictionaryBuilder::new(metadata);
            builder.build_dictionary(directory, scratch.path()).map_err(|e| format!("{e:#}"))?;
            let dictionary = load_fs_dictionary(scratch.path()).map_err(|e| format!("{e:#}"))?;
            Ok(Mecab(lindera::segmenter::Segmenter::new(Mode::Normal, dictionary, None)))
        };
        let problem = match catch_unwind(AssertUnwindSafe(compiled)) {
            Ok(Ok(mecab)) => return Ok(mecab),
            Ok(Err(problem)) => problem,
            Err(_) => "its tables contradict each other".to_owned(),
        };
        Err(failed(format!("is no dictionary of MeCab that can be compiled: {problem}")))
    }

    /// Gives `sink` each word of a text, punctuation and white space included.
    pub(super) fn cut(&self, text: &str, sink: &mut impl FnMut(&str)) {
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(part_end(rest));
            match self.0.segment(Cow::Borrowed(part)) {
                Ok(tokens) => tokens.iter().for_each(|token| sink(&token.surface)),
                // Without a path through its lattice it is one word.
                Err(_) => sink(part),
            }
            rest = after;
        }
    }
}

/// Where to cut a text that is too long: after the last white space or full stop, or else
/// anywhere.
fn part_end(text: &str) -> usize {
    if text.len() <= MOST_BYTES {
        return text.len();
    }
    let most = text.floor_char_boundary(MOST_BYTES);
    let ends = |c: char| c.is_whitespace() || matches!(c, '。' | '、' | '.' | '！' | '？');
    match text[..most].char_indices().rev().find(|(_, c)| ends(*c)) {
        Some((place, c)) => place + c.len_utf8(),
        None => most,
    }
}

/// The tables of words of a dictionary, by name.
fn tables(directory: &Path) -> Result<Vec<PathBuf>> {
    let read = |source| Error::Read { path: directory.to_owned(), source };
    let mut tables = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            tables.push(path);
        }
    }
    tables.sort();
    Ok(tables)
}

/// UTF-8, or else EUC-JP, as older dictionaries of Japanese are.
fn encoding(table: &Path) -> Result<&'static str> {
    let read = |source| Error::Read { path: table.to_owned(), source };
    let mut start = Vec::new();
    let file = std::fs::File::open(table).map_err(read)?;
    file.take(1 << 16).read_to_end(&mut start).map_err(read)?;
    let whole_lines = start.iter().rposition(|&byte| byte == b'\n').unwrap_or(start.len());
    Ok(match std::str::from_utf8(&start[..whole_lines]) {
        Ok(_) => "UTF-8",
        Err(_) => "EUC-JP",
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A dictionary of a few words.
    pub(in crate::segment) fn write_dictionary(directory: &Path) {
        let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
        write(
            "words.csv",
            "東京都,0,0,1000,名詞\nに,0,0,100,助詞\n住ん,0,0,500,動詞\nでいる,0,0,500,動詞\n",
        );
        write("matrix.def", "1 1\n0 0 0\n");
        write(
            "char.def",
            "DEFAULT 0 1 0\nSPACE 0 1 0\nKANJI 0 0 2\nHIRAGANA 0 1 2\nALPHA 1 1 0\n\
             0x0020 SPACE\n0x3041..0x309F HIRAGANA\n0x4E00..0x9FFF KANJI\n\
             0x0041..0x005A ALPHA\n0x0061..0x007A ALPHA\n",
        );
        let categories = ["DEFAULT", "SPACE", "KANJI", "HIRAGANA", "ALPHA"];
        let unknown = categories.map(|category| format!("{category},0,0,5000,未知\n"));
        write("unk.def", &unknown.concat());
    }

    #[test]
    fn words_of_a_dictionary() {
        let directory = tempfile::tempdir().unwrap();
        write_dictionary(directory.path());
        let mecab = Mecab::open(directory.path()).unwrap();
        let cut = |text: &str| {
            let mut words = Vec::new();
            mecab.cut(text, &mut |word: &str| words.push(word.to_owned()));
            words
        };
        assert_eq!(cut("東京都に住んでいる。"), ["東京都", "に", "住ん", "でいる", "。"]);
        // Longer than a lattice may be.
        let long = "東京都に".repeat(5000);
        let words = cut(&long);
        assert_eq!(words.concat(), long);
        assert!(words.len() > 9_990 && words.len() < 10_020, "{}", words.len());
    }

    #[test]
    fn what_is_no_dictionary_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = |directory: &Path| Mecab::open(directory).err().unwrap().to_string();
        assert!(error(directory.path()).contains("matrix.def"));
        assert!(error(Path::new("/no/such/directory")).contains("/no/such/directory"));
        write_dictionary(directory.path());
        std::fs::write(directory.path().join("matrix.def"), "x y\n").unwrap();
        assert!(error(directory.path()).contains("can be compiled"));
    }
}
