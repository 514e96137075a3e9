//! Text out of HTML.

use super::*;

pub(super) fn strip_html(
    mut edit: Edit<'_, '_>,
    placeholders: bool,
    counts: &mut CleaningCounts,
) -> bool {
    let text = edit.text;
    let bytes = text.as_bytes();
    let mut markup = Markup { bytes, ..Markup::default() };
    let mut at = 0;
    while let Some(found) = memchr2(b'<', b'&', &bytes[at..]) {
        let start = at + found;
        at = start + 1;
        if bytes[start] == b'&' {
            if let Some((end, decoded)) = entity(text, start) {
                at = end;
                counts.html_entities += 1;
                let out = edit.cut(start, end);
                for c in decoded.chars() {
                    if placeholders && placeholder(c).is_some() {
                        counts.controls += 1;
                    } else {
                        out.push(c);
                    }
                }
            }
        } else if let Some(piece) = markup.piece(start) {
            at = piece.end;
            match piece.with_content {
                true => counts.html_elements += 1,
                false => counts.html_tags += 1,
            }
            let out = edit.cut(start, piece.end);
            if piece.ends_line && !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
        }
    }
    edit.finish()
}

/// The end of the entity at `start`, and what it stands for.
fn entity(text: &str, start: usize) -> Option<(usize, Cow<'_, str>)> {
    let bytes = text.as_bytes();
    let mut end = start + 1;
    end += usize::from(bytes.get(end) == Some(&b'#'));
    end += bytes[end..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    match bytes.get(end) {
        Some(b';') => end += 1,
        // A query of a URL: `?a=1&copy=2`.
        Some(b'=') => return None,
        _ => {}
    }
    let entity = &text[start..end];
    // In the way of attributes, where `&copy` without `;` must end with the word: `&copyright`
    // stays.
    let decoded = htmlize::unescape_attribute(entity);
    (decoded != entity).then_some((end, decoded))
}

/// Something to drop.
struct Piece {
    end: usize,
    ends_line: bool,
    /// An element, not just its tag.
    with_content: bool,
}

/// Looks for markup from the start to the end of a text.
#[derive(Default)]
struct Markup<'t> {
    bytes: &'t [u8],
    // What was sought once and does not come any more is not sought again, or time would be
    // quadratic.
    no_comment_end: bool,
    no_script_end: bool,
    no_style_end: bool,
    /// A head or body has begun. In TEI, a later `<head>` is a heading.
    head_passed: bool,
}

impl Markup<'_> {
    /// The markup that begins with the `<` at `start`, if it is any.
    fn piece(&mut self, start: usize) -> Option<Piece> {
        let rest = &self.bytes[start..];
        let mark = |end| Some(Piece { end, ends_line: false, with_content: false });
        match rest.get(1)? {
            b'!' if rest.starts_with(b"<!--") => {
                if !self.no_comment_end {
                    // `<!-->` is a comment.
                    match memmem::find(&rest[2..], b"-->") {
                        Some(found) => return mark(start + 2 + found + 3),
                        None => self.no_comment_end = true,
                    }
                }
                mark(start + 4)
            }
            b'!' if rest.starts_with(b"<![CDATA[") => mark(start + 9),
            b'!' | b'?' if rest.get(2).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'[') => {
                mark(self.next_angle(start + 2)?)
            }
            b'/' => self.tag(start, start + 2, true),
            _ => self.tag(start, start + 1, false),
        }
    }

    fn tag(&mut self, start: usize, name_start: usize, closing: bool) -> Option<Piece> {
        let name_end = self.name_end(name_start)?;
        let end = self.tag_end(name_end)?;
        let mut name = [0; 8];
        let name = match name.get_mut(..name_end - name_start) {
            Some(name) => {
                name.copy_from_slice(&self.bytes[name_start..name_end]);
                name.make_ascii_lowercase();
                &*name
            }
            None => b"",
        };
        let content_end = if closing || self.bytes[start..end].ends_with(b"/>") {
            None
        } else {
            self.content_end(name, end)
        };
        Some(Piece {
            end: content_end.unwrap_or(end),
            ends_line: !is_formatting(name),
            with_content: content_end.is_some(),
        })
    }

    /// The end of an element whose content is dropped and whose first tag ends at `from`.
    fn content_end(&mut self, name: &[u8], from: usize) -> Option<usize> {
        match name {
            b"script" if !self.no_script_end => {
                let end = self.closing_tag(b"script", from);
                self.no_script_end = end.is_none();
                end
            }
            b"style" if !self.no_style_end => {
                let end = self.closing_tag(b"style", from);
                self.no_style_end = end.is_none();
                end
            }
            b"head" if !self.head_passed => {
                self.head_passed = true;
                let mut starts = memchr_iter(b'<', &self.bytes[from..]).map(|i| from + i);
                starts.find_map(|start| match self.bytes.get(start + 1)? {
                    // `</head>` may be left out.
                    b'b' | b'B' => self.is_named(start + 1, b"body").then_some(start),
                    b'/' => self.end_if_named(start + 2, b"head"),
                    _ => None,
                })
            }
            b"body" => {
                self.head_passed = true;
                None
            }
            _ => None,
        }
    }

    fn closing_tag(&self, name: &[u8], from: usize) -> Option<usize> {
        memmem::find_iter(&self.bytes[from..], b"</")
            .find_map(|found| self.end_if_named(from + found + 2, name))
    }

    fn is_named(&self, start: usize, name: &[u8]) -> bool {
        self.bytes.get(start..start + name.len()).is_some_and(|b| b.eq_ignore_ascii_case(name))
            && self.bytes.get(start + name.len()).is_none_or(|b| ends_name(*b))
    }

    fn end_if_named(&self, name_start: usize, name: &[u8]) -> Option<usize> {
        let name_end = name_start + name.len();
        self.is_named(name_start, name).then(|| self.tag_end(name_end).unwrap_or(name_end))
    }

    /// The end of a name that is one of a tag: `<http://...>` and `<me@example.com>` are none.
    fn name_end(&self, start: usize) -> Option<usize> {
        if !self.bytes.get(start)?.is_ascii_alphabetic() {
            return None;
        }
        let mut end = start + 1;
        loop {
            let next = self.bytes.get(end + 1);
            match self.bytes.get(end)? {
                b if b.is_ascii_alphanumeric() => end += 1,
                b'-' | b'_' | b'.' | b':' if next?.is_ascii_alphanumeric() => end += 2,
                b'/' if !ends_name(*next?) => return None,
                b if ends_name(*b) => return Some(end),
                _ => return None,
            }
        }
    }

    /// The end of the tag whose name ends at `from`: after the next `>` outside of quotes, or, if
    /// quotes don't match, after the next `>`. No `<` may come before that.
    fn tag_end(&self, from: usize) -> Option<usize> {
        self.quoted_tag_end(from).or_else(|| self.next_angle(from))
    }

    // Linear over all tags of a text: a quote takes any two of the states (outside, in double, in
    // single quotes) to two states again, tags begin outside, and whoever meets them outside gives
    // up. So no two scans that come by the same byte are in the same state.
    fn quoted_tag_end(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let mut rest = self.bytes[at..].iter();
            at += rest.position(|b| matches!(b, b'<' | b'>' | b'"' | b'\''))?;
            match self.bytes[at] {
                b'>' => return Some(at + 1),
                b'<' => return None,
                quote => {
                    if !self.bytes[from..at].trim_ascii_end().ends_with(b"=") {
                        return None;
                    }
                    at += 1;
                    at += memchr(quote, &self.bytes[at..])? + 1;
                }
            }
        }
    }

    /// After the next `>`, if no `<` comes before it.
    fn next_angle(&self, from: usize) -> Option<usize> {
        let next = from + memchr2_iter(b'<', b'>', &self.bytes[from..]).next()?;
        (self.bytes[next] == b'>').then_some(next + 1)
    }
}

fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/')
}

/// Elements that may begin or end within a word, by their names in lower case.
fn is_formatting(name: &[u8]) -> bool {
    matches!(
        name,
        b"a" | b"abbr"
            | b"acronym"
            | b"b"
            | b"bdi"
            | b"bdo"
            | b"big"
            | b"cite"
            | b"code"
            | b"data"
            | b"del"
            | b"dfn"
            | b"em"
            | b"font"
            | b"i"
            | b"ins"
            | b"kbd"
            | b"label"
            | b"mark"
            | b"nobr"
            | b"q"
            | b"rb"
            | b"rp"
            | b"rt"
            | b"ruby"
            | b"s"
            | b"samp"
            | b"small"
            | b"span"
            | b"strike"
            | b"strong"
            | b"sub"
            | b"sup"
            | b"time"
            | b"tt"
            | b"u"
            | b"var"
            | b"wbr"
    )
}
