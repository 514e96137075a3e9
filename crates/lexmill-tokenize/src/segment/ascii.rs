//! Words of ASCII text, by the rules of UAX #29 that matter there.

/// What an ASCII byte is to the rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    /// The underscore, which belongs to words but makes none.
    Connector,
    Other,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'_' => Class::Connector,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

#[inline(always)]
fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// The length of the letters and digits at the start.
#[inline(always)]
pub(super) fn alphanumeric(bytes: &[u8]) -> usize {
    let plain = |&byte: &u8| matches!(class(byte), Class::Letter | Class::Digit);
    bytes.iter().position(|byte| !plain(byte)).unwrap_or(bytes.len())
}

/// Gives `sink` each word of ASCII text that has a letter or digit in it. What is not ASCII is taken for
/// punctuation.
pub(super) fn words(text: &str, sink: &mut impl FnMut(&str)) {
    let bytes = text.as_bytes();
    let at = |place: usize| bytes.get(place).map_or(Class::Other, |&byte| class(byte));
    let mut start = 0;
    while start < bytes.len() {
        if at(start) == Class::Other {
            start += 1;
            continue;
        }
        let mut end = start;
        let mut is_word = false;
        loop {
            while at(end) != Class::Other {
                is_word |= at(end) != Class::Connector;
                end += 1;
            }
            // A mark between two letters or two digits joins them.
            let joins = match bytes.get(end) {
                Some(b'.' | b'\'') => at(end - 1) == at(end + 1) && at(end - 1) != Class::Connector,
                Some(b':') => at(end - 1) == Class::Letter && at(end + 1) == Class::Letter,
                Some(b',' | b';') => at(end - 1) == Class::Digit && at(end + 1) == Class::Digit,
                _ => false,
            };
            match joins {
                true => end += 1,
                false => break,
            }
        }
        if is_word {
            sink(&text[start..end]);
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn the_words_of_uax_29(text in "[ab1_ .,;:'\"@#&/A\\-\\t\\n\\r\u{1}\u{7f}]{0,20}|[\u{0}-\u{7f}]{0,20}") {
            let mut found = Vec::new();
            words(&text, &mut |word: &str| found.push(word.to_owned()));
            prop_assert_eq!(found, text.unicode_words().collect::<Vec<_>>());
        }
    }
}
