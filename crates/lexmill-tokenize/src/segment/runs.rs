//! Runs of text by how their script is written: with spaces between words or without.

/// How a script is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// With white space between words, as most scripts are.
    Spaced,
    /// Chinese characters, in a text that is not Japanese.
    Chinese,
    /// Japanese: kana, and Han in a text that has these.
    Japanese,
    /// Thai, Lao, Khmer, Burmese and their neighbours.
    Unspaced,
}

/// What a character says of the run it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Spaced,
    Han,
    Kana,
    SouthEastAsian,
}

fn class(c: char) -> Class {
    match c {
        '\0'..='\u{0DFF}' => Class::Spaced,
        // Thai, Lao; Myanmar; Khmer; Tai Le to New Tai Lue; Khmer symbols; Tai Tham; Myanmar
        // extended; Tai Viet.
        '\u{0E00}'..='\u{0EFF}'
        | '\u{1000}'..='\u{109F}'
        | '\u{1780}'..='\u{17FF}'
        | '\u{1950}'..='\u{19FF}'
        | '\u{1A20}'..='\u{1AAF}'
        | '\u{A9E0}'..='\u{A9FF}'
        | '\u{AA60}'..='\u{AADF}' => Class::SouthEastAsian,
        // The iteration mark and the ideographic zero are letters of words.
        '\u{3005}' | '\u{3007}' => Class::Han,
        '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{FF66}'..='\u{FF9F}' => Class::Kana,
        '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}' => Class::Han,
        _ => Class::Spaced,
    }
}

/// Calls `each` with every run of a text that is written in one way, in order.
///
/// Han is Japanese in a text that has one kana or more to ten Han characters, and Chinese otherwise:
/// the odd kana of a Chinese text is a name or a face.
pub(crate) fn runs<'t>(text: &'t str, mut each: impl FnMut(&'t str, Writing)) {
    if text.is_ascii() {
        each(text, Writing::Spaced);
        return;
    }
    let (mut han, mut kana) = (0u64, 0u64);
    for c in text.chars() {
        match class(c) {
            Class::Han => han += 1,
            Class::Kana => kana += 1,
            Class::Spaced | Class::SouthEastAsian => {}
        }
    }
    let japanese = kana > 0 && 10 * kana >= han;
    let writing = |c: char| match class(c) {
        Class::Spaced => Writing::Spaced,
        Class::Han if !japanese => Writing::Chinese,
        Class::Han | Class::Kana => Writing::Japanese,
        Class::SouthEastAsian => Writing::Unspaced,
    };
    let mut start = 0;
    let mut current = None;
    for (place, c) in text.char_indices() {
        let next = writing(c);
        if let Some(before) = current.filter(|&before| before != next) {
            each(&text[start..place], before);
            start = place;
        }
        current = Some(next);
    }
    if let Some(writing) = current {
        each(&text[start..], writing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &str) -> Vec<(&str, Writing)> {
        let mut found = Vec::new();
        runs(text, |run, writing| found.push((run, writing)));
        found
    }

    #[test]
    fn runs_of_a_mixed_text() {
        use Writing::{Chinese, Japanese, Spaced, Unspaced};
        assert_eq!(all("only ascii"), [("only ascii", Spaced)]);
        assert_eq!(
            all("é 中文, ไทย 한국"),
            [
                ("é ", Spaced),
                ("中文", Chinese),
                (", ", Spaced),
                ("ไทย", Unspaced),
                (" 한국", Spaced)
            ]
        );
        assert_eq!(all("東京に"), [("東京に", Japanese)]);
        let mostly = format!("{}の", "中".repeat(30));
        assert_eq!(all(&mostly).len(), 2);
        assert_eq!(all(""), [("", Spaced)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "[a é中のไ한 \u{20000}]{0,30}") {
            let found = all(&text);
            prop_assert!(found.windows(2).all(|pair| pair[0].1 != pair[1].1));
            prop_assert_eq!(&found.iter().map(|(run, _)| *run).collect::<String>(), &text);
        }
    }
}
