//! MediaWiki markup to plain text: a page as it stands in a dump becomes lines of prose.
//!
//! What a reader of the page sees as running text stays. Templates go, as what they would write is not
//! known here, and so do tables, references, files, categories and formulas. Lines stay lines, blank
//! ones go, and every line ends in one line feed.
//!
//! One pass without recursion, in time linear in the page. An opening mark puts a [`Frame`] on a stack,
//! and its content is written like any text. The closing mark cuts the output back to where the frame
//! began, or keeps what the frame shows. So a mark that is never closed costs the mark alone:
//! - The content of `{{` and `{|` without an end stays, but for lines that begin with `|`: those are
//!   parameters and rows, and go wherever they stand.
//! - `[[` ends with its line; with the paragraph once it has a `|` or names a file. What follows its
//!   last `|` stays. `[http://x text` ends with its line, and the text stays.
//! - `<!--`, `<ref>` and other elements without an end tag lose the mark. So does a `<ref>` if another
//!   one comes before its end tag: most often a `/` was forgotten.
//! - A closing mark ends the nearest open one of its kind, and what was opened since counts as never
//!   closed. If it ends nothing it is taken out.

use memchr::{memchr, memchr2, memmem, memrchr};

pub(crate) use namespaces::Namespaces;
use namespaces::Target;
use scan::{
    MAX_TITLE_BYTES, SCHEMES, apostrophe, ends_in_letter, is_filler, is_flag, short_title,
    starts_with_name, switch, variant,
};
use tags::{DROPPED, Element, LITERAL, REF, Tag};

mod namespaces;
mod scan;
mod tags;

/// Appends the plain text of a page to `out`.
pub(crate) fn plain_text(markup: &str, namespaces: &Namespaces, out: &mut String) {
    Page {
        markup,
        bytes: markup.as_bytes(),
        namespaces,
        at: 0,
        line: out.len(),
        out,
        line_start: true,
        heading: false,
        removed: false,
        frames: Vec::new(),
        innermost: [None; NESTING_KINDS],
        no_comment_end: false,
        ends: [0; DROPPED.len() + LITERAL.len()],
        quotes: Quotes::default(),
    }
    .read();
}

/// Bytes that reading stops at: everywhere, or within markup of the language converter.
const EVERYWHERE: u8 = 1;
const IN_VARIANTS: u8 = 2;
const STOPS: [u8; 256] = {
    let mut stops = [0; 256];
    let marks = b"\n&'<[]_{|}";
    let mut i = 0;
    while i < marks.len() {
        stops[marks[i] as usize] = EVERYWHERE;
        i += 1;
    }
    stops[b';' as usize] = IN_VARIANTS;
    stops
};

/// An opened mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// So many `{` that no `}` has met yet.
    Braces(usize),
    /// `{|`
    Table,
    /// `[[`
    Link { target: Target, piped: bool },
    /// `-{`; `listed` if it goes on with a language and a colon.
    Variants { hidden: bool, listed: bool },
    /// From the second variant on.
    LaterVariants,
    /// `[http://...`, with so many `[`.
    External(usize),
    /// A line that begins with `|`, or the rest of one that begins with `{|`.
    Row,
}

/// The first so many kinds of marks may be closed from within others.
const NESTING_KINDS: usize = 4;
const BRACES: usize = 0;
const TABLE: usize = 1;
const LINK: usize = 2;
const VARIANTS: usize = 3;

impl Mark {
    fn kind(self) -> Option<usize> {
        match self {
            Mark::Braces(_) => Some(BRACES),
            Mark::Table => Some(TABLE),
            Mark::Link { .. } => Some(LINK),
            Mark::Variants { .. } => Some(VARIANTS),
            Mark::LaterVariants | Mark::External(_) | Mark::Row => None,
        }
    }
}

/// An opened mark with what it takes to go back to where it was opened.
///
/// From the bottom of the stack to the top, `start` never falls; `line <= start <= out.len()`.
#[derive(Debug, Clone, Copy)]
struct Frame {
    mark: Mark,
    /// Where its content begins in the output.
    start: usize,
    line: usize,
    heading: bool,
    /// The frame of the same kind that this one lies in.
    outer: Option<usize>,
}

/// Where three quotes of a line are an apostrophe and two quotes.
#[derive(Debug, Default)]
struct Quotes {
    line_end: usize,
    apostrophe: Option<usize>,
}

/// A page being read.
struct Page<'a> {
    markup: &'a str,
    bytes: &'a [u8],
    namespaces: &'a Namespaces,
    /// The next byte to read.
    at: usize,
    out: &'a mut String,
    /// Where the line being written begins in the output.
    line: usize,
    /// Whether marks that count at the start of a line may come next.
    line_start: bool,
    /// Whether the line being written began with `=`.
    heading: bool,
    /// Whether nothing but spaces and punctuation was written since something was dropped.
    removed: bool,
    frames: Vec<Frame>,
    /// The innermost frame of each kind that nests.
    innermost: [Option<usize>; NESTING_KINDS],
    no_comment_end: bool,
    /// Where the next end tag of each element is, those of `DROPPED` first, then those of `LITERAL`:
    /// `usize::MAX` if there is none, out of date if it lies before `at`.
    ends: [usize; DROPPED.len() + LITERAL.len()],
    quotes: Quotes,
}

impl Page<'_> {
    fn read(&mut self) {
        let (markup, bytes) = (self.markup, self.bytes);
        while self.at < bytes.len() {
            if std::mem::take(&mut self.line_start) && self.out.len() == self.line {
                self.start_line();
                continue;
            }
            let marks = match self.innermost[VARIANTS] {
                None => EVERYWHERE,
                Some(_) => EVERYWHERE | IN_VARIANTS,
            };
            let from = self.at;
            let rest = &bytes[from..];
            let text = rest.iter().position(|&byte| STOPS[usize::from(byte)] & marks != 0);
            self.at = from + text.unwrap_or(rest.len());
            let Some(&mark) = bytes.get(self.at) else {
                self.push(&markup[from..]);
                break;
            };
            // The `-` of `-{` is no text, so it is looked for before the text is written.
            let dash = mark == b'{' && markup[from..self.at].ends_with('-');
            self.push(&markup[from..self.at - usize::from(dash)]);
            match mark {
                b'\n' => {
                    self.at += 1;
                    self.end_line();
                    self.line_start = true;
                }
                b'&' => self.entity(),
                b'\'' => self.quotes(),
                b'<' => self.angle(),
                b'[' => self.open_brackets(),
                b']' => self.close_brackets(),
                b'{' => self.open_braces(dash),
                b'}' => self.close_braces(),
                b'|' => self.pipe(),
                b'_' => self.underscores(),
                _ => self.semicolon(),
            }
        }
        self.end_line();
    }

    // Output.

    fn push(&mut self, text: &str) {
        let mut text = text;
        if self.removed && !text.is_empty() {
            text = self.without_empty_parentheses(text);
        }
        if self.out.len() == self.line {
            text = text.trim_start();
        }
        self.out.push_str(text);
    }

    /// Takes out parentheses that are empty now that something was dropped: the opening one from the
    /// output, the closing one from `text`, which comes next.
    fn without_empty_parentheses<'t>(&mut self, text: &'t str) -> &'t str {
        /// More spaces and punctuation are not looked through.
        const MOST: usize = 16;
        let mut text = text;
        loop {
            let rest = text.trim_start_matches(is_filler);
            if rest.is_empty() {
                return text;
            }
            let after = rest.strip_prefix([')', '）']);
            let floor = self.frames.last().map_or(self.line, |top| top.start.max(self.line));
            let mut before = self.out[floor..].char_indices().rev().take(MOST);
            let (Some(after), Some((place, '(' | '（'))) =
                (after, before.find(|&(_, c)| !is_filler(c)))
            else {
                self.removed = false;
                return text;
            };
            self.out.truncate(floor + place);
            text = after;
            if self.out.ends_with(' ') {
                text = text.strip_prefix(' ').unwrap_or(text);
            }
        }
    }

    /// Keeps words apart.
    fn push_space(&mut self) {
        if self.out.len() > self.line && !self.out.ends_with(' ') {
            self.out.push(' ');
        }
    }

    /// Notes that something was dropped.
    fn dropped(&mut self) {
        self.removed = true;
        self.line_start = self.out.len() == self.line;
    }

    /// Goes back to where a frame was opened.
    fn cut(&mut self, frame: &Frame) {
        self.out.truncate(frame.start);
        self.line = frame.line;
        self.heading = frame.heading;
    }

    // The stack.

    fn open(&mut self, mark: Mark) {
        let outer = mark.kind().and_then(|kind| self.innermost[kind].replace(self.frames.len()));
        self.frames.push(Frame {
            mark,
            start: self.out.len(),
            line: self.line,
            heading: self.heading,
            outer,
        });
    }

    fn close(&mut self) -> Option<Frame> {
        let frame = self.frames.pop()?;
        if let Some(kind) = frame.mark.kind() {
            self.innermost[kind] = frame.outer;
        }
        Some(frame)
    }

    /// Closes the frames from `index` on and cuts their content; the lowest of them.
    fn drop_from(&mut self, index: usize) -> Option<Frame> {
        let mut lowest = None;
        while self.frames.len() > index {
            lowest = self.close();
        }
        if let Some(frame) = &lowest {
            self.cut(frame);
        }
        lowest
    }

    // Lines.

    /// Skips marks that count at the start of a line only.
    fn start_line(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'*' | b'#' | b':' => self.at += 1,
                // In a list of variants it ends one.
                b';' if self.innermost[VARIANTS].is_none() => self.at += 1,
                b'=' => {
                    self.heading = true;
                    self.at += 1;
                }
                b'-' if self.run() >= 4 => self.at += self.run(),
                b'{' if self.next_is(1, b'|') && !self.next_is(2, b'}') => {
                    self.at += 2;
                    self.open(Mark::Table);
                    self.open(Mark::Row);
                }
                b'|' => return self.start_row(),
                _ => return,
            }
        }
    }

    /// At a `|` that begins a line.
    fn start_row(&mut self) {
        let (table, braces) = (self.innermost[TABLE], self.innermost[BRACES]);
        let table_end = self.next_is(1, b'}');
        match (table, self.frames.last()) {
            // The table is the inner one; `None` is less than any.
            (Some(index), _) if table_end && table > braces => {
                self.at += 2;
                self.drop_from(index);
                self.dropped();
            }
            _ if table_end && braces.is_none() => {
                self.at += 2;
                self.line_start = true;
            }
            // It stands before the text of the link.
            (_, Some(Frame { mark: Mark::Link { .. }, .. })) => {}
            _ => {
                self.at += 1;
                self.open(Mark::Row);
            }
        }
    }

    /// Ends the line being written, and frames that do not go on in the next.
    fn end_line(&mut self) {
        let mut blank = None;
        while let Some(top) = self.frames.last() {
            match top.mark {
                Mark::Row => {
                    self.drop_from(self.frames.len() - 1);
                }
                Mark::External(_)
                | Mark::Link { target: Target::Text | Target::Other, piped: false } => {
                    self.close();
                }
                Mark::Link { .. } if *blank.get_or_insert_with(|| self.blank_line_is_next()) => {
                    self.close();
                }
                _ => break,
            }
        }
        let mut line = self.out[self.line..].trim_end();
        if self.heading {
            line = line.trim_end_matches('=').trim_end();
        }
        let end = self.line + line.len();
        self.out.truncate(end);
        for frame in self.frames.iter_mut().rev().take_while(|frame| frame.start > end) {
            frame.start = end;
        }
        if end > self.line {
            self.out.push('\n');
        }
        self.line = self.out.len();
        self.heading = false;
        self.removed = false;
    }

    fn blank_line_is_next(&self) -> bool {
        let mut rest = self.bytes[self.at..].iter();
        rest.find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).is_none_or(|&byte| byte == b'\n')
    }

    // Marks: `at` is at their first byte.

    fn next_is(&self, further: usize, byte: u8) -> bool {
        self.bytes.get(self.at + further) == Some(&byte)
    }

    /// How often the byte at `at` stands there.
    fn run(&self) -> usize {
        let rest = &self.bytes[self.at..];
        rest.iter().take_while(|&byte| Some(byte) == rest.first()).count()
    }

    /// `{{`, `{{{`, `-{`
    fn open_braces(&mut self, dash: bool) {
        let count = self.run();
        if dash && (count == 1 || count == 3) {
            // Of three, two are a template's.
            self.at += 1;
            return self.open_variants();
        }
        self.at += count;
        if dash {
            self.push("-");
        }
        match count {
            1 => self.push("{"),
            _ => self.open(Mark::Braces(count)),
        }
    }

    fn close_braces(&mut self) {
        let mut count = self.run();
        self.at += count;
        while count > 0 {
            let (braces, variants) = (self.innermost[BRACES], self.innermost[VARIANTS]);
            match (braces, variants) {
                (_, Some(index)) if variants > braces && self.next_is(0, b'-') => {
                    self.at += 1;
                    return self.close_variants(index);
                }
                _ if count == 1 => return self.push("}"),
                (None, _) => return,
                (Some(index), _) => {
                    let frame = self.drop_from(index);
                    let Some(Frame { mark: Mark::Braces(opened), .. }) = frame else { return };
                    let met = opened.min(count);
                    count -= met;
                    match opened - met {
                        0 => {}
                        1 => self.push("{"),
                        more => self.open(Mark::Braces(more)),
                    }
                    self.dropped();
                }
            }
        }
    }

    /// Behind a `-{`: flags, and the first language.
    fn open_variants(&mut self) {
        /// Of flags, in bytes.
        const MOST: usize = 64;
        let rest = &self.bytes[self.at..];
        let mut hidden = false;
        if let Some(len) = rest.iter().take(MOST).position(|&byte| !is_flag(byte))
            && rest[len] == b'|'
        {
            let mut flags = rest[..len].split(|&byte| byte == b';');
            hidden =
                flags.any(|flag| matches!(flag.trim_ascii(), b"H" | b"T" | b"N" | b"D" | b"-"));
            self.at += len + 1;
        }
        let variant = variant(&self.bytes[self.at..]);
        self.at += variant.unwrap_or(0);
        self.open(Mark::Variants { hidden, listed: variant.is_some() });
    }

    fn semicolon(&mut self) {
        self.at += 1;
        let rest = &self.bytes[self.at..];
        match self.frames.last() {
            Some(Frame { mark: Mark::Variants { listed: true, .. }, .. })
                if variant(rest).is_some() || rest.trim_ascii_start().starts_with(b"}-") =>
            {
                self.open(Mark::LaterVariants);
            }
            _ => self.push(";"),
        }
    }

    fn close_variants(&mut self, index: usize) {
        while self.frames.len() > index
            && let Some(frame) = self.close()
        {
            match frame.mark {
                Mark::LaterVariants => self.cut(&frame),
                Mark::Variants { hidden: true, .. } if self.frames.len() == index => {
                    self.cut(&frame);
                    self.dropped();
                }
                _ => {}
            }
        }
    }

    /// `[[` and `[http://`
    fn open_brackets(&mut self) {
        let count = self.run();
        self.at += count;
        let scheme = SCHEMES.iter().find(|scheme| {
            let start = self.bytes.get(self.at..self.at + scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
        });
        match (scheme, count) {
            (Some(&"//"), 2..) | (None, _) => {
                if count == 1 || count == 3 {
                    self.push("[");
                }
                if count > 1 {
                    self.open_link();
                }
            }
            (Some(_), _) => {
                self.skip_address();
                self.open(Mark::External(count));
            }
        }
    }

    /// Skips an address and the spaces behind it.
    fn skip_address(&mut self) {
        /// Of a template in the address, in bytes.
        const MOST: usize = 256;
        loop {
            let rest = &self.markup[self.at..];
            let end = rest.find(|c: char| c.is_whitespace() || "[]<>\"{".contains(c));
            self.at += end.unwrap_or(rest.len());
            let rest = &self.bytes[self.at..];
            let near = &rest[..rest.len().min(MOST)];
            let line = &near[..memchr(b'\n', near).unwrap_or(near.len())];
            if line.starts_with(b"{{") {
                let Some(end) = memmem::find(line, b"}}") else { break };
                self.at += end + 2;
            } else if line.starts_with(b"{") {
                self.at += 1;
            } else {
                break;
            }
        }
        while self.next_is(0, b' ') || self.next_is(0, b'\t') {
            self.at += 1;
        }
    }

    /// Behind a `[[`.
    fn open_link(&mut self) {
        /// Of a prefix, in bytes.
        const MOST: usize = 100;
        while self.next_is(0, b' ') {
            self.at += 1;
        }
        let mut target = Target::Text;
        if self.next_is(0, b':') {
            // `[[:Category:X]]` only links to the category.
            self.at += 1;
        } else {
            let mut near = self.bytes[self.at..].iter().take(MOST);
            if let Some(len) = near.position(|byte| b":|[]{}<>#\n".contains(byte))
                && self.next_is(len, b':')
            {
                target = self.namespaces.target(&self.markup[self.at..self.at + len]);
            }
        }
        self.open(Mark::Link { target, piped: false });
    }

    /// A text follows, which is shown in place of what the link held so far.
    fn pipe(&mut self) {
        self.at += 1;
        let Some(Frame { mark: Mark::Link { target, piped }, .. }) = self.frames.last_mut() else {
            return self.push("|");
        };
        let (target, later) = (*target, std::mem::replace(piped, true));
        let Some(&frame) = self.frames.last() else { return };
        if later || target == Target::Hidden {
            return self.cut(&frame);
        }
        if self.out.len() - frame.start > MAX_TITLE_BYTES {
            self.close();
            return self.push("|");
        }
        if self.next_is(0, b']') && self.next_is(1, b']') {
            let shown = short_title(&self.out[frame.start..]).to_owned();
            self.cut(&frame);
            self.push(&shown);
        } else {
            self.cut(&frame);
        }
    }

    /// `]]` and `]`
    fn close_brackets(&mut self) {
        let mut count = self.run();
        self.at += count;
        while count > 0 {
            let link = self.innermost[LINK];
            match (self.frames.last(), link) {
                (Some(Frame { mark: Mark::External(opened), .. }), _)
                    if count != 2 || link.is_none() =>
                {
                    count -= count.min(*opened);
                    self.close();
                    self.dropped();
                }
                _ if count == 1 => return self.push("]"),
                (_, None) => count -= 2,
                (_, Some(index)) => {
                    count -= 2;
                    self.close_link(index);
                }
            }
        }
    }

    fn close_link(&mut self, index: usize) {
        while self.frames.len() > index + 1 {
            self.close();
        }
        if let Some(frame) = self.close()
            && let Mark::Link { target: Target::Hidden, .. }
            | Mark::Link { target: Target::Other, piped: false } = frame.mark
        {
            self.cut(&frame);
            self.dropped();
        }
    }

    /// Runs of `'` are bold and italics.
    fn quotes(&mut self) {
        let count = self.run();
        let kept = match count {
            1 | 4 => 1,
            2 | 5 => 0,
            3 => usize::from(self.is_apostrophe()),
            _ => count - 5,
        };
        let markup = self.markup;
        self.push(&markup[self.at..self.at + kept]);
        self.at += count;
    }

    /// Whether the three quotes here are an apostrophe and the start of italics, as in `l'''Iliade''`.
    fn is_apostrophe(&mut self) -> bool {
        if !ends_in_letter(&self.markup[..self.at]) {
            return false;
        }
        if self.at >= self.quotes.line_end {
            let start = memrchr(b'\n', &self.bytes[..self.at]).map_or(0, |place| place + 1);
            let rest = &self.bytes[self.at..];
            let line_end = self.at + memchr(b'\n', rest).unwrap_or(rest.len());
            let apostrophe = apostrophe(&self.markup[start..line_end]).map(|place| start + place);
            self.quotes = Quotes { line_end, apostrophe };
        }
        self.quotes.apostrophe == Some(self.at)
    }

    /// Comments and tags.
    fn angle(&mut self) {
        const COMMENT: &[u8] = b"<!--";
        let rest = &self.bytes[self.at..];
        if rest.starts_with(COMMENT) {
            self.at += COMMENT.len();
            if !self.no_comment_end {
                match memmem::find(&self.bytes[self.at..], b"-->") {
                    Some(end) => {
                        self.at += end + 3;
                        self.dropped();
                    }
                    None => self.no_comment_end = true,
                }
            }
            return;
        }
        let Some(tag) = Tag::read(rest) else {
            self.push("<");
            self.at += 1;
            return;
        };
        self.at += tag.len;
        let alone = tag.end || tag.empty;
        match tag.element {
            Element::Inline => self.line_start = self.out.len() == self.line,
            Element::Block => {
                self.push_space();
                self.line_start = self.out.len() == self.line;
            }
            Element::Dropped(_) if alone => self.dropped(),
            Element::Dropped(place) => {
                let name = DROPPED[place];
                if let Some(end) = self.content_end(place, name)
                    && !(name == REF && self.opens_before(end, name))
                {
                    self.at = end;
                    self.skip_end_tag(name);
                    self.dropped();
                }
            }
            Element::Literal(_) if alone => {}
            Element::Literal(place) => {
                let name = LITERAL[place];
                if let Some(end) = self.content_end(DROPPED.len() + place, name) {
                    self.literal(end);
                    self.skip_end_tag(name);
                }
            }
        }
    }

    /// Where the next end tag of an element is.
    fn content_end(&mut self, place: usize, name: &str) -> Option<usize> {
        if self.ends[place] < self.at {
            let mut from = self.at;
            self.ends[place] = loop {
                let Some(found) = memmem::find(&self.bytes[from..], b"</") else {
                    break usize::MAX;
                };
                from += found + 2;
                if starts_with_name(&self.bytes[from..], name) {
                    break from - 2;
                }
            };
        }
        Some(self.ends[place]).filter(|&end| end != usize::MAX)
    }

    /// Whether another element of this name begins before `end`.
    fn opens_before(&self, end: usize, name: &str) -> bool {
        let mut rest = &self.bytes[self.at..end];
        while let Some(found) = memchr(b'<', rest) {
            rest = &rest[found + 1..];
            if starts_with_name(rest, name)
                && let Some(close) = memchr2(b'<', b'>', rest)
                && rest[close] == b'>'
                && !rest[..close].trim_ascii_end().ends_with(b"/")
            {
                return true;
            }
        }
        false
    }

    fn skip_end_tag(&mut self, name: &str) {
        self.at += 2 + name.len();
        let rest = &self.bytes[self.at..];
        let tail = rest.trim_ascii_start();
        if tail.starts_with(b">") {
            self.at += rest.len() - tail.len() + 1;
        }
    }

    /// Writes what stands before `end` as it is, but for entities.
    fn literal(&mut self, end: usize) {
        let markup = self.markup;
        while self.at < end {
            let rest = &markup[self.at..end];
            let text = memchr2(b'\n', b'&', rest.as_bytes()).unwrap_or(rest.len());
            self.push(&rest[..text]);
            self.at += text;
            match rest.as_bytes().get(text) {
                Some(b'\n') => {
                    self.at += 1;
                    self.end_line();
                }
                Some(_) => self.entity(),
                None => {}
            }
        }
    }

    fn entity(&mut self) {
        /// The longest name has 31 letters.
        const MOST: usize = 32;
        let rest = &self.markup[self.at..];
        let name = rest.bytes().skip(1).take(MOST);
        let name = name.take_while(|&byte| byte.is_ascii_alphanumeric() || byte == b'#').count();
        if name > 0 && self.next_is(1 + name, b';') {
            let entity = &rest[..name + 2];
            let decoded = htmlize::unescape(entity);
            if decoded != entity {
                self.at += entity.len();
                return match decoded.contains(char::is_control) {
                    true => self.push(&decoded.replace(char::is_control, " ")),
                    false => self.push(&decoded),
                };
            }
        }
        self.at += 1;
        self.push("&");
    }

    /// `__TOC__` and the like.
    fn underscores(&mut self) {
        let count = self.run();
        let (before, rest) = self.markup.split_at(self.at);
        if count == 2
            && !before.ends_with(char::is_alphanumeric)
            && let Some(len) = switch(&rest[2..])
        {
            self.at += 2 + len;
            self.dropped();
        } else {
            self.push(&rest[..count]);
            self.at += count;
        }
    }
}

#[cfg(test)]
mod tests;
