//! Elements of HTML and MediaWiki, and their tags.

use memchr::memchr2;

/// What happens to an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// The tags go, the content stays.
    Inline,
    /// As `Inline`, but what stands before and after is not one word.
    Block,
    /// Goes with its content; its place in `DROPPED`.
    Dropped(usize),
    /// The content is not markup; its place in `LITERAL`.
    Literal(usize),
}

// All sorted. Any other name in `<>` is text, as it is for MediaWiki.
#[rustfmt::skip]
pub(super) const DROPPED: [&str; 30] = [
    "categorytree", "ce", "charinsert", "chem", "dynamicpagelist", "gallery", "graph", "hiero",
    "imagemap", "includeonly", "indicator", "inputbox", "mapframe", "maplink", "math", "pagelist",
    "pagequality", "pages", "quiz", "ref", "references", "rss", "score", "script", "source",
    "style", "syntaxhighlight", "templatedata", "templatestyles", "timeline",
];
pub(super) const REF: &str = "ref";
pub(super) const LITERAL: [&str; 2] = ["nowiki", "pre"];
#[rustfmt::skip]
pub(super) const BLOCK: &[&str] = &[
    "blockquote", "br", "caption", "center", "col", "colgroup", "dd", "div", "dl", "dt", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "poem", "tabber", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "ul",
];
#[rustfmt::skip]
pub(super) const INLINE: &[&str] = &[
    "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i",
    "img", "ins", "kbd", "langconvert", "languages", "link", "mark", "meta", "noinclude",
    "onlyinclude", "phonos", "q", "rb", "rp", "rt", "rtc", "ruby", "s", "samp", "section", "small",
    "span", "strike", "strong", "sub", "sup", "time", "translate", "tt", "tvar", "u", "var", "wbr",
];

/// Longer names are no element.
pub(super) const MAX_NAME_BYTES: usize = 16;

/// The element of a name, in whatever case.
fn element(name: &[u8]) -> Option<Element> {
    let mut lower = [0; MAX_NAME_BYTES];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let place = |names: &[&str]| names.binary_search_by(|known| known.as_bytes().cmp(lower)).ok();
    if let Some(place) = place(&DROPPED) {
        Some(Element::Dropped(place))
    } else if place(INLINE).is_some() {
        Some(Element::Inline)
    } else if place(BLOCK).is_some() {
        Some(Element::Block)
    } else {
        place(&LITERAL).map(Element::Literal)
    }
}

/// A tag of a known element.
pub(super) struct Tag {
    pub(super) element: Element,
    pub(super) len: usize,
    /// `</b>`
    pub(super) end: bool,
    /// `<b/>`
    pub(super) empty: bool,
}

impl Tag {
    /// The tag at the start of `bytes`, which begin with `<`.
    pub(super) fn read(bytes: &[u8]) -> Option<Tag> {
        let end = bytes.get(1) == Some(&b'/');
        let start = 1 + usize::from(end);
        let name = bytes.get(start..)?.iter().take(MAX_NAME_BYTES + 1);
        let name_end = start + name.take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if !bytes.get(name_end).is_some_and(|byte| b" \t\r\n/>\\".contains(byte)) {
            return None;
        }
        let element = element(&bytes[start..name_end])?;
        let close = name_end + memchr2(b'<', b'>', &bytes[name_end..])?;
        let empty = bytes[..close].trim_ascii_end().ends_with(b"/");
        (bytes[close] == b'>').then_some(Tag { element, len: close + 1, end, empty })
    }
}
