//! Words out of text.
//!
//! Further segmenters plug in here: a new arm of [`Segmenter::words`].

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

use crate::settings::{Normalization, SegmenterKind, TokenizeSettings};

/// Normalizes text and cuts it into words.
#[derive(Debug, Clone)]
pub(crate) struct Segmenter {
    kind: SegmenterKind,
    normalization: Normalization,
    lowercase: bool,
    buffer: String,
}

impl Segmenter {
    pub(crate) fn new(settings: &TokenizeSettings) -> Segmenter {
        Segmenter {
            kind: settings.segmenter,
            normalization: settings.normalization,
            lowercase: settings.lowercase,
            buffer: String::new(),
        }
    }

    /// Gives `sink` each word of `text`, which must start and end where words do.
    pub(crate) fn words(&mut self, text: &str, sink: impl FnMut(&str)) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if text.is_ascii() {
            if self.lowercase {
                buffer.clear();
                buffer.push_str(text);
                buffer.make_ascii_lowercase();
                self.cut(&buffer, sink);
            } else {
                self.cut(text, sink);
            }
        } else {
            let mut text = text;
            let quick = match self.normalization {
                Normalization::None => IsNormalized::Yes,
                Normalization::Nfc => is_nfc_quick(text.chars()),
                Normalization::Nfkc => is_nfkc_quick(text.chars()),
            };
            if quick != IsNormalized::Yes {
                buffer.clear();
                match self.normalization {
                    Normalization::Nfkc => buffer.extend(text.nfkc()),
                    _ => buffer.extend(text.nfc()),
                }
                text = &buffer;
            }
            match self.lowercase {
                true => self.cut(&text.to_lowercase(), sink),
                false => self.cut(text, sink),
            }
        }
        self.buffer = buffer;
    }

    fn cut(&self, text: &str, mut sink: impl FnMut(&str)) {
        match self.kind {
            SegmenterKind::Whitespace => between_white_space(text, sink),
            // No word of UAX #29 holds white space, so each stretch stands for itself, and most are
            // plain letters and digits, which are one word without asking further.
            SegmenterKind::UnicodeWords => between_white_space(text, |stretch| {
                if stretch.bytes().all(|b| b.is_ascii_alphanumeric()) {
                    sink(stretch);
                } else {
                    stretch.unicode_words().for_each(&mut sink);
                }
            }),
        }
    }
}

fn between_white_space(text: &str, sink: impl FnMut(&str)) {
    if text.is_ascii() {
        // U+000B is white space in Unicode, but not for `split_ascii_whitespace`.
        text.split(|c: char| matches!(c, ' ' | '\t'..='\r'))
            .filter(|w| !w.is_empty())
            .for_each(sink);
    } else {
        text.split_whitespace().for_each(sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(settings: &TokenizeSettings, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        Segmenter::new(settings).words(text, |word| words.push(word.to_owned()));
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

    proptest! {
        #[test]
        fn the_quick_way_gives_the_words_of_uax_29(text in "[a-zA-Z0-9'._ \t\né\u{301}中\u{3000}😀א-]{0,40}") {
            let s = TokenizeSettings { normalization: Normalization::None, ..settings(SegmenterKind::UnicodeWords, false) };
            let expected: Vec<&str> = text.unicode_words().collect();
            prop_assert_eq!(words(&s, &text), expected);
        }

        #[test]
        fn any_text_is_cut_without_a_panic(text in any::<String>()) {
            for kind in [SegmenterKind::UnicodeWords, SegmenterKind::Whitespace] {
                for word in words(&settings(kind, true), &text) {
                    prop_assert!(!word.is_empty() && !word.contains(char::is_whitespace));
                }
            }
        }
    }
}
