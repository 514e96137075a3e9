//! Lower-casing by the rules of a language.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_locale_core::LanguageIdentifier;

/// Lower case by the rules of a language: Turkish, Azerbaijani and Lithuanian have their own, all
/// others share those of Unicode.
#[derive(Debug, Clone)]
pub(crate) struct Lowercase {
    language: LanguageIdentifier,
    /// Letters whose small ones may be others than elsewhere.
    own: &'static [char],
}

impl Lowercase {
    /// The rules of the language of a BCP 47 tag, such as `tr` or `az-Latn-AZ`.
    ///
    /// # Errors
    /// If it is no such tag.
    pub(crate) fn new(locale: &str) -> Result<Lowercase, String> {
        // The longer codes of ISO 639 are valid, too, but `icu_casemap` would not know them.
        let (code, rest) = locale.split_once('-').map_or((locale, None), |(c, r)| (c, Some(r)));
        let code = match code.to_ascii_lowercase().as_str() {
            "tur" => "tr",
            "aze" => "az",
            "lit" => "lt",
            _ => code,
        };
        let tag = rest.map_or_else(|| code.to_owned(), |rest| format!("{code}-{rest}"));
        match LanguageIdentifier::try_from_str(&tag) {
            Ok(language) => {
                let own: &[char] = match language.language.as_str() {
                    "tr" | "az" => &['I', 'İ'],
                    "lt" => &['I', 'J', 'Į', 'Ì', 'Í', 'Ĩ'],
                    _ => &[],
                };
                Ok(Lowercase { language, own })
            }
            Err(_) => Err(format!(
                "{locale:?} is not a language tag (BCP 47): write a code such as \"tr\", or one \
                 with script and region such as \"az-Latn-AZ\""
            )),
        }
    }

    /// The text in lower case.
    pub(crate) fn lower<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut own = self.next_own(text, 0);
        if own.is_none() {
            return general_lower(text);
        }
        // What a letter becomes depends on its word at most, and the standard library is three
        // times as fast as `icu_casemap`.
        let mut lower = String::with_capacity(text.len() + 8);
        let mut done = 0;
        while let Some(at) = own {
            let start = text[done..at].rfind(' ').map_or(done, |space| done + space);
            let end = text[at..].find(' ').map_or(text.len(), |space| at + space);
            lower.push_str(&general_lower(&text[done..start]));
            let word = &text[start..end];
            lower.push_str(&CaseMapper::new().lowercase_to_string(word, &self.language));
            done = end;
            own = self.next_own(text, done);
        }
        lower.push_str(&general_lower(&text[done..]));
        Cow::Owned(lower)
    }

    /// Where the next letter with rules of its own stands.
    fn next_own(&self, text: &str, from: usize) -> Option<usize> {
        match self.own {
            [] => None,
            own => text[from..].find(own).map(|found| from + found),
        }
    }
}

fn general_lower(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lower_case_of_languages() {
        let lower = |locale, text| Lowercase::new(locale).unwrap().lower(text).into_owned();
        assert_eq!(lower("en", "ISTANBUL Iİı"), "istanbul ii\u{307}ı");
        for locale in ["tr", "TR", "tr-TR", "tur", "az-Latn-AZ", "aze"] {
            assert_eq!(lower(locale, "ISPARTA İZMİR ığdır"), "ısparta izmir ığdır", "{locale}");
            assert_eq!(lower(locale, "DIŞ"), "dış", "{locale}");
            assert_eq!(lower(locale, "IRAK"), "ırak", "{locale}");
            assert_eq!(lower(locale, "I\u{307}"), "i", "{locale}");
        }
        assert_eq!(
            lower("lt", "Ì Í Į\u{301} J\u{301} I"),
            "i\u{307}\u{300} i\u{307}\u{301} į\u{307}\u{301} j\u{307}\u{301} i"
        );
        assert_eq!(lower("el", "ΟΔΟΣ ΣΑΣ, Σ"), "οδος σας, σ");
        assert_eq!(lower("und", "ΟΔΟΣ STRASSE ẞ"), "οδος strasse ß");
        assert!(matches!(Lowercase::new("tr").unwrap().lower("abc i"), Cow::Borrowed(_)));
        assert!(Lowercase::new("pt-BR").is_ok());
        for locale in ["", "t", "turkish!", "tr_TR.UTF-8", "tr-", "-tr", "türk", "tr TR"] {
            let message = Lowercase::new(locale).unwrap_err();
            assert!(message.starts_with(&format!("{locale:?} is not a language tag")), "{message}");
        }
    }

    proptest! {
        #[test]
        fn lower_case_word_by_word(text in "[IİJÌĮiıa-zA-ZΣΑ-ω\u{300}-\u{310} '\n]{0,40}") {
            for locale in ["tr", "az", "lt", "de"] {
                let lower = Lowercase::new(locale).unwrap();
                let expected = CaseMapper::new().lowercase_to_string(&text, &lower.language);
                prop_assert_eq!(lower.lower(&text), expected, "{}", locale);
            }
        }
    }
}
