//! What stands at a place of a page.

use memchr::memchr;

/// How an external link may begin.
pub(super) const SCHEMES: &[&str] =
    &["http://", "https://", "ftp://", "//", "mailto:", "news:", "irc://", "ircs://", "git://"];

/// Titles have up to 255 bytes. A link with more before its `|` is none.
pub(super) const MAX_TITLE_BYTES: usize = 512;

/// Whether `bytes` start with this name, in whatever case, and not with a longer one.
pub(super) fn starts_with_name(bytes: &[u8], name: &str) -> bool {
    bytes.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        && !bytes.get(name.len()).is_some_and(u8::is_ascii_alphanumeric)
}

/// What templates leave behind between parentheses.
pub(super) fn is_filler(c: char) -> bool {
    c.is_whitespace() || ",;:/-–—，；：、".contains(c)
}

pub(super) fn is_flag(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b";+- ".contains(&byte)
}

/// How much of `bytes` is a language and a colon.
pub(super) fn variant(bytes: &[u8]) -> Option<usize> {
    let name = bytes.trim_ascii_start();
    let rest = name[language(name)?..].trim_ascii_start();
    rest.starts_with(b":").then(|| bytes.len() - rest.len() + 1)
}

/// How much of `bytes` looks like the code of a language: `de`, `zh-min-nan`, `be-x-old`.
pub(super) fn language(bytes: &[u8]) -> Option<usize> {
    let mut len = bytes.iter().take(4).take_while(|byte| byte.is_ascii_lowercase()).count();
    if !(2..=3).contains(&len) {
        return None;
    }
    while bytes.get(len) == Some(&b'-') {
        let part = bytes[len + 1..].iter().take(11);
        match part.take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()).count() {
            part @ 1..=10 => len += 1 + part,
            _ => return None,
        }
    }
    Some(len)
}

pub(super) fn is_language(prefix: &str) -> bool {
    prefix == "simple" || language(prefix.as_bytes()) == Some(prefix.len())
}

/// What `[[title|]]` shows: neither the namespace nor what tells titles apart.
pub(super) fn short_title(title: &str) -> &str {
    let title = title.split_once(':').map_or(title, |(_, name)| name).trim();
    let end = if title.ends_with(')') {
        title.rfind(" (")
    } else if title.ends_with('）') {
        title.rfind('（')
    } else {
        title.find(", ")
    };
    title[..end.unwrap_or(title.len())].trim_end()
}

/// How much of `rest`, which follows `__`, is a name without small letters and the `__` behind it.
pub(super) fn switch(rest: &str) -> Option<usize> {
    /// Of a name, in characters.
    const MOST: usize = 40;
    for (i, c) in rest.char_indices().take(MOST) {
        if rest[i..].starts_with("__") {
            return (i > 1).then_some(i + 2);
        }
        let is_named = match c.is_ascii() {
            true => c.is_ascii_uppercase() || c == '_',
            false => !c.is_whitespace() && !c.is_lowercase(),
        };
        if !is_named {
            return None;
        }
    }
    None
}

pub(super) fn ends_in_letter(text: &str) -> bool {
    text.ends_with(char::is_alphabetic)
}

/// Which three quotes of a line are an apostrophe and two. As in MediaWiki: none, unless the numbers
/// of bold and of italic marks are both odd; then the first behind a single letter, else the first
/// behind a word.
pub(super) fn apostrophe(line: &str) -> Option<usize> {
    let (mut bold, mut italic) = (0, 0);
    let (mut after_letter, mut after_word) = (None, None);
    let mut from = 0;
    while let Some(found) = memchr(b'\'', &line.as_bytes()[from..]) {
        let start = from + found;
        let run = line.as_bytes()[start..].iter().take_while(|&&byte| byte == b'\'');
        let count = run.count();
        from = start + count;
        bold += usize::from(count > 2);
        italic += usize::from(count == 2 || count > 4);
        if count == 3 && ends_in_letter(&line[..start]) {
            let mut before = line[..start].chars().rev().skip(1);
            match before.next().is_some_and(char::is_alphanumeric) {
                true => after_word.get_or_insert(start),
                false => after_letter.get_or_insert(start),
            };
        }
    }
    after_letter.or(after_word).filter(|_| bold % 2 == 1 && italic % 2 == 1)
}
