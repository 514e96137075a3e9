//! Words out of text.
//!
//! Further segmenters plug in here: a new arm of [`Words`].

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use icu_segmenter::options::WordBreakInvariantOptions;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};
use jieba_rs::Jieba;
use memchr::memchr;
use regex::Regex;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

use crate::clean::{Cleaner, placeholder};
use crate::lowercase::Lowercase;
use crate::settings::{Normalization, SegmenterKind, TokenizeSettings};
use crate::{Error, Result};
use runs::{Writing, runs};

mod ascii;
#[cfg(feature = "mecab")]
pub(crate) mod mecab;
mod runs;

/// Normalizes text and cuts it into words.
#[derive(Clone)]
pub(crate) struct Segmenter {
    words: Words,
    normalization: Normalization,
    lowercase: bool,
    locale: Option<Arc<Lowercase>>,
    /// Whether text may hold placeholders.
    placeholders: bool,
    buffer: String,
}

/// How text is cut.
#[derive(Clone)]
enum Words {
    Whitespace,
    Unicode,
    Characters,
    Chinese(Arc<Jieba>),
    Icu(WordSegmenterBorrowed<'static>),
    Mecab(Arc<Mecab>),
    /// Chinese, what has no spaces, and Japanese if it has a dictionary.
    Auto(Arc<Jieba>, WordSegmenterBorrowed<'static>, Option<Arc<Mecab>>),
    Pattern(Regex),
    #[cfg(feature = "huggingface")]
    Tokenizer(Arc<Pieces>),
}

/// A tokenizer and its pieces by their numbers.
#[cfg(feature = "huggingface")]
struct Pieces {
    path: std::path::PathBuf,
    tokenizer: tokenizers::Tokenizer,
    pieces: rustc_hash::FxHashMap<u32, String>,
}

fn jieba(settings: &TokenizeSettings) -> Result<Arc<Jieba>> {
    let mut jieba = Jieba::new();
    if let Some(path) = &settings.user_dictionary {
        let read = |source| Error::Read { path: path.clone(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        let line = |line: &str| -> Option<(String, Option<usize>, Option<String>)> {
            let mut parts = line.split_whitespace();
            let word = parts.next()?.to_owned();
            let mut rest = parts.peekable();
            let count = rest.peek().and_then(|part| part.parse().ok());
            if count.is_some() {
                rest.next();
            }
            Some((word, count, rest.next().map(str::to_owned)))
        };
        for (word, count, tag) in text.trim_start_matches('\u{FEFF}').lines().filter_map(line) {
            jieba.add_word(&word, count, tag.as_deref());
        }
    }
    Ok(Arc::new(jieba))
}

#[cfg(feature = "mecab")]
use mecab::Mecab;

/// Where there is none.
#[cfg(not(feature = "mecab"))]
enum Mecab {}

#[cfg(not(feature = "mecab"))]
impl Mecab {
    fn open(path: &Path) -> Result<Mecab> {
        let problem = "can't be used: this program was built without the feature mecab";
        Err(Error::Format { path: path.to_owned(), problem: problem.to_owned() })
    }

    fn cut(&self, _: &str, _: &mut impl FnMut(&str)) {
        match *self {}
    }
}

fn icu() -> WordSegmenterBorrowed<'static> {
    WordSegmenter::new_auto(WordBreakInvariantOptions::default())
}

#[cfg(feature = "huggingface")]
fn tokenizer(path: &Path) -> Result<Words> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(read)?;
    let failed = |error: &dyn std::fmt::Display| Error::Format {
        path: path.to_owned(),
        problem: format!("is no tokenizer.json that can be read: {error}"),
    };
    // For batches of a model: a corpus is neither cut nor padded, and nothing is left to chance.
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| failed(&e))?;
    for (place, field) in [("", "truncation"), ("", "padding"), ("/model", "dropout")] {
        if let Some(serde_json::Value::Object(fields)) = json.pointer_mut(place)
            && fields.contains_key(field)
        {
            fields.insert(field.to_owned(), serde_json::Value::Null);
        }
    }
    let tokenizer =
        tokenizers::Tokenizer::from_bytes(json.to_string()).map_err(|error| failed(&error))?;
    let pieces = tokenizer.get_vocab(true).into_iter().map(|(piece, id)| (id, piece)).collect();
    Ok(Words::Tokenizer(Arc::new(Pieces { path: path.to_owned(), tokenizer, pieces })))
}

#[cfg(not(feature = "huggingface"))]
fn tokenizer(path: &Path) -> Result<Words> {
    let problem = "can't be used: this program was built without the feature huggingface";
    Err(Error::Format { path: path.to_owned(), problem: problem.to_owned() })
}

impl Segmenter {
    pub(crate) fn new(settings: &TokenizeSettings) -> Result<Segmenter> {
        let words = match settings.segmenter {
            SegmenterKind::Whitespace => Words::Whitespace,
            SegmenterKind::UnicodeWords => Words::Unicode,
            SegmenterKind::Characters => Words::Characters,
            SegmenterKind::Chinese => Words::Chinese(jieba(settings)?),
            SegmenterKind::Icu => Words::Icu(icu()),
            SegmenterKind::Mecab => {
                let path = settings.dictionary.as_deref().unwrap_or(Path::new(""));
                Words::Mecab(Arc::new(Mecab::open(path)?))
            }
            SegmenterKind::Auto => {
                let japanese = settings.dictionary.as_deref().map(Mecab::open).transpose()?;
                Words::Auto(jieba(settings)?, icu(), japanese.map(Arc::new))
            }
            SegmenterKind::Pattern => {
                let pattern = settings.pattern.as_deref().unwrap_or_default();
                Words::Pattern(Regex::new(pattern).map_err(|error| Error::Pattern {
                    pattern: pattern.to_owned(),
                    problem: error.to_string(),
                })?)
            }
            SegmenterKind::Tokenizer => {
                tokenizer(settings.tokenizer.as_deref().unwrap_or(Path::new("")))?
            }
        };
        let locale = match &settings.lowercase_locale {
            None => None,
            Some(locale) => {
                let lowercase = Lowercase::new(locale)
                    .map_err(|problem| Error::Pattern { pattern: locale.clone(), problem })?;
                Some(Arc::new(lowercase))
            }
        };
        Ok(Segmenter {
            words,
            normalization: settings.normalization,
            lowercase: settings.lowercase,
            locale,
            placeholders: Cleaner::new(&settings.clean).placeholders(),
            buffer: String::new(),
        })
    }

    /// Gives `sink` each word of `text`, which must start and end where words do.
    ///
    /// # Errors
    /// If a tokenizer has no pieces for it.
    pub(crate) fn words(&mut self, text: &str, mut sink: impl FnMut(&str)) -> Result<()> {
        match self.words {
            Words::Whitespace | Words::Unicode => self.stretches(text, &mut sink),
            _ => self.all(text, &mut sink),
        }
    }

    /// White space ends words, and nothing before it matters to what comes after, for normalization and
    /// lower-casing as well: so each stretch of text between ASCII white space stands for itself.
    /// Most are plain letters and digits, which are one word without asking further.
    fn stretches(&mut self, text: &str, sink: &mut impl FnMut(&str)) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut text = text;
        if self.lowercase && self.locale.is_none() {
            buffer.clear();
            buffer.push_str(text);
            buffer.make_ascii_lowercase();
            text = &buffer;
        }
        let is_white = |byte: u8| matches!(byte, b' ' | b'\t'..=b'\r');
        let whole = matches!(self.words, Words::Whitespace);
        let bytes = text.as_bytes();
        let mut start = 0;
        while start < bytes.len() {
            if is_white(bytes[start]) {
                start += 1;
                continue;
            }
            let mut end = start + ascii::alphanumeric(&bytes[start..]);
            if self.locale.is_none() && bytes.get(end).is_none_or(|&byte| is_white(byte)) {
                sink(&text[start..end]);
                start = end;
                continue;
            }
            let mut all = 0;
            while let Some(&byte) = bytes.get(end)
                && !is_white(byte)
            {
                all |= byte;
                end += 1;
            }
            let stretch = &text[start..end];
            match all < 0x80 && self.locale.is_none() {
                true if whole => sink(stretch),
                true => ascii::words(stretch, sink),
                false => self.all(stretch, sink)?,
            }
            start = end;
        }
        self.buffer = buffer;
        Ok(())
    }

    /// Normalizes, lower-cases and cuts a text as a whole.
    fn all(&self, text: &str, sink: &mut impl FnMut(&str)) -> Result<()> {
        let normal = self.normal(text);
        let lower = self.lower(&normal);
        // A small letter may have a form with its mark where the capital has none.
        let again = match lower {
            Cow::Owned(_) if !lower.is_ascii() => self.normal(&lower),
            _ => Cow::Borrowed(&lower[..]),
        };
        let mut done = Ok(());
        let mut each = |run: &str, writing| {
            if done.is_ok() {
                done = self.pieces(run, sink, |piece, sink| self.words.cut(piece, writing, sink));
            }
        };
        match self.words {
            Words::Auto(..) => runs(&again, each),
            _ => each(&again, Writing::Spaced),
        }
        done
    }

    /// A text in normal form.
    fn normal<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let quick = match self.normalization {
            _ if text.is_ascii() => IsNormalized::Yes,
            Normalization::None => IsNormalized::Yes,
            Normalization::Nfc => is_nfc_quick(text.chars()),
            Normalization::Nfkc => is_nfkc_quick(text.chars()),
        };
        match (quick, self.normalization) {
            (IsNormalized::Yes, _) => text.into(),
            (_, Normalization::Nfkc) => text.nfkc().collect::<String>().into(),
            _ => text.nfc().collect::<String>().into(),
        }
    }

    /// Gives `sink` the placeholders in a text, and `cut` what is between them.
    fn pieces<S: FnMut(&str)>(
        &self,
        text: &str,
        sink: &mut S,
        mut cut: impl FnMut(&str, &mut S) -> Result<()>,
    ) -> Result<()> {
        let mut rest = text;
        // They lie in the last plane, whose characters begin with this byte.
        let mut from = 0;
        while self.placeholders
            && let Some(place) = memchr(0xF4, &rest.as_bytes()[from..])
        {
            let place = from + place;
            let found = rest[place..].chars().next();
            let Some((c, name)) = found.and_then(|c| Some((c, placeholder(c)?))) else {
                from = place + 1;
                continue;
            };
            cut(&rest[..place], sink)?;
            sink(name);
            rest = &rest[place + c.len_utf8()..];
            from = 0;
        }
        cut(rest, sink)
    }

    fn lower<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match (&self.locale, self.lowercase) {
            (Some(locale), true) => locale.lower(text),
            (None, true) => text.to_lowercase().into(),
            (_, false) => text.into(),
        }
    }
}

impl Words {
    /// Cuts a text; `auto` by how it is written.
    fn cut(&self, text: &str, writing: Writing, sink: &mut impl FnMut(&str)) -> Result<()> {
        match self {
            Words::Whitespace => text.split_whitespace().for_each(sink),
            Words::Unicode => unicode_words(text, sink),
            Words::Characters => {
                text.graphemes(true).for_each(|character| if_word(character, sink));
            }
            Words::Chinese(jieba) => chinese(jieba, text, sink),
            Words::Icu(segmenter) => icu_words(*segmenter, text, sink),
            Words::Mecab(mecab) => mecab.cut(text, &mut |word: &str| if_word(word, sink)),
            Words::Auto(jieba, segmenter, japanese) => match (writing, japanese) {
                (Writing::Spaced, _) => unicode_words(text, sink),
                (Writing::Chinese, _) => chinese(jieba, text, sink),
                (Writing::Japanese, Some(mecab)) => {
                    mecab.cut(text, &mut |word: &str| if_word(word, sink));
                }
                (Writing::Japanese | Writing::Unspaced, _) => icu_words(*segmenter, text, sink),
            },
            Words::Pattern(pattern) => {
                let found = pattern.find_iter(text).map(|found| found.as_str());
                found.filter(|word| !word.is_empty()).for_each(sink);
            }
            #[cfg(feature = "huggingface")]
            Words::Tokenizer(pieces) => {
                let encoding = pieces.tokenizer.encode_fast(text, false).map_err(|error| {
                    Error::Tokenizer {
                        path: pieces.path.clone(),
                        text: text.chars().take(40).collect(),
                        problem: error.to_string(),
                    }
                })?;
                let found = encoding.get_ids().iter().filter_map(|id| pieces.pieces.get(id));
                found.for_each(|piece| sink(piece));
            }
        }
        Ok(())
    }
}

/// Gives `sink` a stretch of text if it has a letter or digit in it, without white space that a mark
/// may have been put on.
fn if_word(text: &str, sink: &mut impl FnMut(&str)) {
    let is_word = |text: &&str| text.chars().any(char::is_alphanumeric);
    text.split_whitespace().filter(is_word).for_each(sink);
}

fn unicode_words(text: &str, sink: &mut impl FnMut(&str)) {
    match text.is_ascii() {
        true => ascii::words(text, sink),
        // By the rules a space with a vowel sign on it is a word: here it is the sign.
        false => text.split_whitespace().flat_map(str::unicode_words).for_each(sink),
    }
}

fn chinese(jieba: &Jieba, text: &str, sink: &mut impl FnMut(&str)) {
    for token in jieba.cut(text, true) {
        if_word(token.word, sink);
    }
}

fn icu_words(segmenter: WordSegmenterBorrowed<'_>, text: &str, sink: &mut impl FnMut(&str)) {
    let mut start = 0;
    for end in segmenter.segment_str(text) {
        if_word(&text[start..end], sink);
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    fn words(settings: &TokenizeSettings, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut segmenter = Segmenter::new(settings).unwrap();
        segmenter.words(text, |word| words.push(word.to_owned())).unwrap();
        words
    }

    fn settings(segmenter: SegmenterKind, lowercase: bool) -> TokenizeSettings {
        TokenizeSettings { segmenter, lowercase, ..TokenizeSettings::default() }
    }

    #[test]
    fn words_of_real_text() {
        let unicode = settings(SegmenterKind::UnicodeWords, true);
        assert_eq!(
            words(&unicode, "The quick (\"brown\") fox can't jump 32.3 feet, right?\r\n"),
            ["the", "quick", "brown", "fox", "can't", "jump", "32.3", "feet", "right"]
        );
        assert_eq!(
            words(&unicode, "ΟΔΟΣ Straße\u{3000}ＡＢ x_y — …"),
            ["οδος", "straße", "ａｂ", "x_y"]
        );
        let plain = settings(SegmenterKind::Whitespace, false);
        assert_eq!(words(&plain, "a-b,\tC\u{b}d\u{a0}é\n"), ["a-b,", "C", "d", "é"]);
    }

    #[test]
    fn normal_forms() {
        let mut s = settings(SegmenterKind::Whitespace, false);
        assert_eq!(words(&s, "e\u{301}"), ["é"]);
        s.normalization = Normalization::None;
        assert_eq!(words(&s, "e\u{301}"), ["e\u{301}"]);
        s.normalization = Normalization::Nfkc;
        assert_eq!(words(&s, "ﬁn Ａ"), ["fin", "A"]);
    }

    fn cut(segmenter: SegmenterKind, text: &str) -> Vec<String> {
        words(&settings(segmenter, false), text)
    }

    #[test]
    fn text_without_spaces() {
        assert_eq!(
            cut(SegmenterKind::Chinese, "我们在北京大学学习，GPT-4 很好。"),
            ["我们", "在", "北京大学", "学习", "GPT-4", "很", "好"]
        );
        assert_eq!(
            cut(SegmenterKind::Icu, "ภาษาไทยสวย abc-def"),
            ["ภาษา", "ไทย", "สวย", "abc", "def"]
        );
        assert_eq!(cut(SegmenterKind::Characters, "e\u{301}a 中文。"), ["é", "a", "中", "文"]);
        assert_eq!(cut(SegmenterKind::Characters, " \u{1C24}"), ["\u{1C24}"], "a mark on a space");
    }

    #[test]
    fn by_script_run_by_run() {
        assert_eq!(
            cut(SegmenterKind::Auto, "The 北京大学 and ภาษาไทย, l'été 3.5 한국어를"),
            ["The", "北京大学", "and", "ภาษา", "ไทย", "l'été", "3.5", "한국어를"]
        );
        // Where there is kana, Han is Japanese.
        assert_eq!(
            cut(SegmenterKind::Auto, "東京都に住んでいます。"),
            cut(SegmenterKind::Icu, "東京都に住んでいます。")
        );
    }

    #[cfg(feature = "mecab")]
    #[test]
    fn a_dictionary_of_mecab() {
        let directory = tempfile::tempdir().unwrap();
        mecab::tests::write_dictionary(directory.path());
        let with = |segmenter| TokenizeSettings {
            dictionary: Some(directory.path().to_owned()),
            ..settings(segmenter, false)
        };
        let text = "東京都に住んでいる。";
        assert_eq!(words(&with(SegmenterKind::Mecab), text), ["東京都", "に", "住ん", "でいる"]);
        let mixed = words(&with(SegmenterKind::Auto), "The 東京都に住んでいる can't");
        assert_eq!(mixed, ["The", "東京都", "に", "住ん", "でいる", "can't"]);
    }

    #[test]
    fn a_dictionary_of_ones_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("words.txt");
        std::fs::write(&path, "石墨烯电池 20000 n\n\n云端科技\n").unwrap();
        let own = TokenizeSettings {
            user_dictionary: Some(path),
            ..settings(SegmenterKind::Chinese, false)
        };
        let text = "云端科技做石墨烯电池";
        assert_eq!(words(&own, text), ["云端科技", "做", "石墨烯电池"]);
        assert_ne!(cut(SegmenterKind::Chinese, text), words(&own, text));
    }

    #[test]
    fn a_pattern_of_ones_own() {
        let own = TokenizeSettings {
            pattern: Some("[#@]?[a-z]+|[0-9]*".to_owned()),
            ..settings(SegmenterKind::Pattern, true)
        };
        assert_eq!(words(&own, "#Rust, by @me in 2026"), ["#rust", "by", "@me", "in", "2026"]);
    }

    #[cfg(feature = "huggingface")]
    #[test]
    fn a_tokenizer_of_hugging_face() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        let json = serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": null, "decoder": null,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": {"[UNK]": 0, "em": 1, "##bed": 2, "##ding": 3, "word": 4}},
        });
        std::fs::write(&path, json.to_string()).unwrap();
        let own = TokenizeSettings {
            tokenizer: Some(path.clone()),
            ..settings(SegmenterKind::Tokenizer, false)
        };
        assert_eq!(
            words(&own, "Word embedding, x"),
            ["word", "em", "##bed", "##ding", "[UNK]", "[UNK]"]
        );
        // Made for a model's batches: a corpus is whole, and the same each time.
        let mut batched = json.clone();
        batched["truncation"] = serde_json::json!({
            "max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right" });
        batched["padding"] = serde_json::json!({
            "strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]" });
        std::fs::write(&path, batched.to_string()).unwrap();
        assert_eq!(words(&own, "Word embedding"), ["word", "em", "##bed", "##ding"]);
        // No piece for a word, and none for unknown ones.
        let mut strict = json.clone();
        strict["model"] =
            serde_json::json!({"type": "WordLevel", "unk_token": "?", "vocab": {"a": 0}});
        std::fs::write(&path, strict.to_string()).unwrap();
        let error = Segmenter::new(&own).unwrap().words("a b", |_| {}).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json") && error.contains("a b"), "{error}");
        std::fs::write(&path, "{}").unwrap();
        let error = Segmenter::new(&own).err().unwrap().to_string();
        assert!(error.contains("tokenizer.json"), "{error}");
    }

    #[test]
    fn placeholders_are_tokens_for_every_segmenter() {
        use crate::clean::{CleaningStep, NUMBER, URL};
        let text = format!("see {URL} ({NUMBER})é{URL}");
        for kind in [SegmenterKind::UnicodeWords, SegmenterKind::Auto, SegmenterKind::Chinese] {
            let with =
                TokenizeSettings { clean: vec![CleaningStep::Urls], ..settings(kind, false) };
            assert_eq!(words(&with, &text), ["see", "<url>", "<number>", "é", "<url>"], "{kind:?}");
            assert_eq!(cut(kind, &text), ["see", "é"], "characters like any other otherwise");
        }
    }

    #[test]
    fn placeholders_do_not_show_in_the_words_around_them() {
        use crate::clean::{CleaningStep, NUMBER};
        let with = TokenizeSettings {
            clean: vec![CleaningStep::Numbers],
            ..settings(SegmenterKind::Auto, false)
        };
        let text = |between: &str| format!("東京都知事選挙 {between} 年に行われました。");
        let mut plain = words(&with, &text("1"));
        let place = plain.iter().position(|word| word == "1").unwrap();
        plain[place] = "<number>".to_owned();
        assert_eq!(words(&with, &text(&NUMBER.to_string())), plain);
    }

    #[test]
    fn a_mark_on_a_space_does_not_make_it_a_word() {
        for kind in [SegmenterKind::UnicodeWords, SegmenterKind::Auto, SegmenterKind::Icu] {
            for space in [" ", "\u{a0}"] {
                assert_eq!(
                    cut(kind, &format!("a{space}\u{DDD} é")),
                    ["a", "\u{DDD}", "é"],
                    "{kind:?}"
                );
            }
        }
    }

    #[test]
    fn every_segmenter_gives_one_form_of_a_word() {
        for kind in [SegmenterKind::UnicodeWords, SegmenterKind::Auto, SegmenterKind::Icu] {
            assert_eq!(words(&settings(kind, true), "J\u{30C} Ϊ\u{301}"), ["ǰ", "ΐ"], "{kind:?}");
        }
    }

    #[test]
    fn lower_case_of_a_language() {
        let turkish = TokenizeSettings {
            lowercase_locale: Some("tr".to_owned()),
            ..settings(SegmenterKind::UnicodeWords, true)
        };
        assert_eq!(words(&turkish, "ISPARTA İzmir"), ["ısparta", "izmir"]);
    }

    proptest! {
        #[test]
        fn the_quick_way_gives_what_the_whole_text_does(
            text in "[a-zA-Z0-9'._: \t\néΣσΟJΪ\u{30C}\u{331}\u{308}\u{301}\u{327}\u{a0}ﬁ中\u{3000}😀א\u{130}-]{0,40}",
            lowercase: bool,
            normalization in prop::sample::select(vec![
                Normalization::None, Normalization::Nfc, Normalization::Nfkc,
            ]),
        ) {
            let normal_form = |text: &str| -> String {
                match normalization {
                    Normalization::None => text.to_owned(),
                    Normalization::Nfc => text.nfc().collect(),
                    Normalization::Nfkc => text.nfkc().collect(),
                }
            };
            let mut normal = normal_form(&text);
            if lowercase {
                normal = normal_form(&normal.to_lowercase());
            }
            let s = TokenizeSettings {
                normalization,
                ..settings(SegmenterKind::UnicodeWords, lowercase)
            };
            let expected = normal.split_whitespace().flat_map(str::unicode_words);
            prop_assert_eq!(words(&s, &text), expected.collect::<Vec<_>>());
            let s = TokenizeSettings { segmenter: SegmenterKind::Whitespace, ..s };
            prop_assert_eq!(words(&s, &text), normal.split_whitespace().collect::<Vec<_>>());
        }

        #[test]
        fn any_text_is_cut_without_a_panic(text in any::<String>()) {
            for segmenter in &*EVERY {
                segmenter.clone().words(&text, |word| {
                    assert!(!word.is_empty() && !word.contains(char::is_whitespace), "{word:?}");
                }).unwrap();
            }
        }

        #[test]
        fn mixed_scripts_are_cut_without_a_panic(
            text in "[a9 .'_\n中国的学习东京にでいるカไทยสวยកខမြန한국어اب\u{301}\u{200d}😀]{0,60}",
        ) {
            for segmenter in &*EVERY {
                segmenter.clone().words(&text, |word| {
                    assert!(!word.is_empty() && !word.contains(char::is_whitespace), "{word:?}");
                }).unwrap();
            }
        }
    }

    /// Every segmenter that needs no file.
    static EVERY: LazyLock<Vec<Segmenter>> = LazyLock::new(|| {
        let kinds = [
            SegmenterKind::UnicodeWords,
            SegmenterKind::Whitespace,
            SegmenterKind::Characters,
            SegmenterKind::Icu,
            SegmenterKind::Chinese,
            SegmenterKind::Auto,
        ];
        kinds.iter().map(|&kind| Segmenter::new(&settings(kind, true)).unwrap()).collect()
    });
}
