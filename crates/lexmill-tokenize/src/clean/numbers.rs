//! Numbers that stand for themselves.

use super::*;

const WORD_BREAK: CodePointMapDataBorrowed<'static, WordBreak> = CodePointMapData::new();
pub(super) const GENERAL_CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> =
    CodePointMapData::new();

/// What may stand between two digits of a number.
fn is_separator(c: char) -> bool {
    match c {
        '.' | ',' | ':' | '\'' | '/' | '-' => true,
        // Hyphen, no-break hyphen, right quotation mark, middle dot.
        '\u{2010}' | '\u{2011}' | '\u{2019}' | '\u{b7}' => true,
        // Decimal and thousands separators of Arabic.
        '\u{66b}' | '\u{66c}' => true,
        // No-break, figure, thin, and narrow no-break space.
        '\u{a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}' => true,
        _ => false,
    }
}

const SIGNS: [char; 4] = ['+', '-', '\u{2212}', '\u{b1}'];

/// Whether a digit and this character beside it are in one word by UAX #29. Not so those of
/// Chinese, Japanese or Thai.
pub(super) fn joins_digits(c: char) -> bool {
    match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || c == '_',
        false => matches!(
            WORD_BREAK.get(c),
            WordBreak::ALetter
                | WordBreak::HebrewLetter
                | WordBreak::ExtendNumLet
                | WordBreak::Extend
        ),
    }
}

/// Whether a character is a decimal digit, of any script.
pub(super) fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
        || (c >= '\u{660}' && GENERAL_CATEGORY.get(c) == GeneralCategory::DecimalNumber)
}

/// Whether a digit's UTF-8 may begin with this byte.
pub(super) fn may_begin_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | 0xd9 | 0xdb | 0xdf | 0xe0 | 0xe1 | 0xea | 0xef | 0xf0)
}

pub(super) fn numbers(mut edit: Edit<'_, '_>, counts: &mut CleaningCounts) -> bool {
    let text = edit.text;
    let mut at = 0;
    while let Some(found) = position(&text.as_bytes()[at..], may_begin_digit) {
        let digits = at + found;
        let end = number_end(text, digits);
        if end == digits {
            at = run_end(text, digits, |c| !c.is_ascii() && !is_digit(c));
            continue;
        }
        at = end;
        if let Some(start) = number_start(&text[edit.done..digits])
            && !text[end..].starts_with(joins_digits)
        {
            edit.replace(edit.done + start, end, NUMBER);
            counts.numbers += 1;
        }
    }
    edit.finish()
}

/// Where the number whose first digit may be at `start` ends.
fn number_end(text: &str, start: usize) -> usize {
    let mut rest = text[start..].chars();
    let mut end = start;
    while let Some(c) = rest.next() {
        if is_digit(c) {
            end = text.len() - rest.as_str().len();
        } else if end == start || !is_separator(c) || !rest.as_str().starts_with(is_digit) {
            break;
        }
    }
    end
}

/// Where in the text before digits their number begins, with sign and leading point; `None` if the
/// digits are part of a word.
fn number_start(before: &str) -> Option<usize> {
    if before.ends_with(joins_digits) {
        return None;
    }
    if let Some(name) = before.strip_suffix(['-', '\u{2010}', '\u{2011}'])
        && name.ends_with(joins_digits)
    {
        return None;
    }
    let free = |before: &str| {
        let open = |c: char| c.is_whitespace() || "([{=/\"'“‘„«".contains(c);
        before.chars().next_back().is_none_or(open)
    };
    let point = before.strip_suffix('.');
    let signed = |before: &str| before.strip_suffix(SIGNS).filter(|b| free(b)).map(str::len);
    if let Some(point) = point {
        if let Some(start) = signed(point) {
            return Some(start);
        }
        if free(point) {
            return Some(point.len());
        }
    }
    Some(signed(before).unwrap_or(before.len()))
}
