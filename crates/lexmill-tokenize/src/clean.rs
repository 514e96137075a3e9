//! Cleaning of a document's text, before it is normalized and cut into words.
//!
//! Steps ([`CleaningStep`]) are applied in the order the user gave, each to what the one before
//! left. All take linear time, copy nothing before their first change, and see one document, or the
//! part of it that stands in one shard: markup that begins in one line and ends in another is only
//! known as such where documents are larger than lines.
//!
//! Placeholders are single characters for private use ([`placeholder`]) between two spaces, which
//! segmenters turn into `<url>` and so on; the same characters in the corpus are dropped.

use std::borrow::Cow;
use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use icu_properties::props::{GeneralCategory, WordBreak};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed};
use memchr::{memchr, memchr_iter, memchr2, memchr2_iter, memmem};
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use addresses::{emails, urls};
use html::strip_html;
use numbers::numbers;

mod addresses;
mod html;
mod numbers;

/// A step of cleaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleaningStep {
    /// HTML becomes text: tags, comments and declarations go, `<script>`, `<style>` and `<head>`
    /// with what is in them; entities are decoded, once. Formatting such as `<b>` or `<a>` leaves
    /// nothing behind, any other tag ends the line. A tag has a name right after `<`, so `a < b`
    /// and `<3` stay. What is never closed does not take the text after it along: of a comment or
    /// script without an end only `<!--` or `<script>` goes, and a `<` without its `>` stays. Best
    /// as the first step.
    StripHtml,
    /// Addresses that begin with `http://`, `https://`, `ftp://`, `ftps://` or `www.` become
    /// `<url>`, without the punctuation or the closing bracket after them. `example.com` stays.
    Urls,
    /// E-mail addresses become `<email>`. Best after `urls`, since some URLs hold one.
    Emails,
    /// Numbers become `<number>`, with their sign. Digits of any script count, and single `.,:'/-`
    /// and no-break spaces between digits belong to the number, as in `1,000.50`, `12:30` or
    /// `2020-01-31`. Digits in words (`b2b`, `5kg`, `2nd`, `v1.2`, `covid-19`) stay, and so do `%`
    /// and `$`.
    Numbers,
    /// Control and format characters are dropped, as soft hyphens, zero-width spaces, byte order
    /// marks and marks of direction, but not white space nor what shapes letters and emoji
    /// (joiners, tags, Arabic number signs). Not for text that divides words by U+200B, as Khmer
    /// does.
    Controls,
    /// A line that stands earlier in the same document is dropped. White space around it does not
    /// matter; blank lines stay.
    RepeatedLines,
}

impl CleaningStep {
    /// Whether the step writes placeholders.
    fn has_placeholder(self) -> bool {
        matches!(self, CleaningStep::Urls | CleaningStep::Emails | CleaningStep::Numbers)
    }
}

/// How often each step changed something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CleaningCounts {
    /// Tags, comments and declarations of HTML dropped.
    pub html_tags: u64,
    /// `<script>`, `<style>` and `<head>` dropped with what was in them.
    pub html_elements: u64,
    /// Entities of HTML decoded.
    pub html_entities: u64,
    /// URLs that became `<url>`.
    pub urls: u64,
    /// E-mail addresses that became `<email>`.
    pub emails: u64,
    /// Numbers that became `<number>`.
    pub numbers: u64,
    /// Control and format characters dropped, and characters that stand for placeholders.
    pub controls: u64,
    /// Repeated lines dropped.
    pub repeated_lines: u64,
}

impl CleaningCounts {
    /// Adds another part's counts.
    pub fn add(&mut self, other: &CleaningCounts) {
        self.html_tags += other.html_tags;
        self.html_elements += other.html_elements;
        self.html_entities += other.html_entities;
        self.urls += other.urls;
        self.emails += other.emails;
        self.numbers += other.numbers;
        self.controls += other.controls;
        self.repeated_lines += other.repeated_lines;
    }

    /// What a person should know, in sentences; empty if nothing was changed.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                notices.push(format!("{count} {what}"));
            }
        };
        say(self.html_tags, "HTML tags and comments were dropped");
        say(
            self.html_elements,
            "HTML scripts, styles and heads were dropped with what was in them",
        );
        say(self.html_entities, "HTML entities were decoded");
        say(self.urls, "URLs became <url>");
        say(self.emails, "e-mail addresses became <email>");
        say(self.numbers, "numbers became <number>");
        say(self.controls, "control and format characters were dropped");
        say(self.repeated_lines, "lines that stand earlier in their document were dropped");
        notices
    }
}

// Near the end of the last plane for private use: fonts of icons fill plane 15 and the first
// thousands of plane 16.
/// Stands for a URL.
pub(crate) const URL: char = '\u{10fe01}';
/// Stands for an e-mail address.
pub(crate) const EMAIL: char = '\u{10fe02}';
/// Stands for a number.
pub(crate) const NUMBER: char = '\u{10fe03}';

const PLACEHOLDERS: [(char, &str); 3] = [(URL, "<url>"), (EMAIL, "<email>"), (NUMBER, "<number>")];
/// How all of them begin in UTF-8.
const PLACEHOLDER_BYTES: &[u8] = b"\xf4\x8f\xb8";

/// The token a character stands for, in text of a cleaner with
/// [placeholders](Cleaner::placeholders).
pub(crate) fn placeholder(c: char) -> Option<&'static str> {
    PLACEHOLDERS.iter().find(|(character, _)| *character == c).map(|(_, token)| *token)
}

/// Applies steps; keeps its buffers from one document to the next.
#[derive(Debug, Clone)]
pub(crate) struct Cleaner {
    steps: Vec<CleaningStep>,
    placeholders: bool,
    /// What the last step that changed something left.
    text: String,
    next: String,
    lines: HashTable<Line>,
}

impl Cleaner {
    pub(crate) fn new(steps: &[CleaningStep]) -> Cleaner {
        Cleaner {
            steps: steps.to_vec(),
            placeholders: steps.iter().any(|step| step.has_placeholder()),
            text: String::new(),
            next: String::new(),
            lines: HashTable::new(),
        }
    }

    /// Whether a [`placeholder`] in cleaned text stands for a token. If not, it is a character of
    /// the corpus.
    pub(crate) fn placeholders(&self) -> bool {
        self.placeholders
    }

    /// The cleaned text, which is `text` itself if nothing was to be done.
    pub(crate) fn clean<'a>(&'a mut self, text: &'a str, counts: &mut CleaningCounts) -> &'a str {
        let Cleaner { steps, placeholders, text: last, next, lines } = self;
        let mut changed = false;
        if *placeholders && drop_placeholders(Edit::begin(text, next), counts) {
            std::mem::swap(last, next);
            changed = true;
        }
        for step in steps {
            let edit = Edit::begin(if changed { last.as_str() } else { text }, next);
            let changes = match step {
                CleaningStep::StripHtml => strip_html(edit, *placeholders, counts),
                CleaningStep::Urls => urls(edit, counts),
                CleaningStep::Emails => emails(edit, counts),
                CleaningStep::Numbers => numbers(edit, counts),
                CleaningStep::Controls => controls(edit, counts),
                CleaningStep::RepeatedLines => repeated_lines(edit, lines, counts),
            };
            if changes {
                std::mem::swap(last, next);
                changed = true;
            }
        }
        if changed { last } else { text }
    }
}

/// A text copied with changes; nothing is copied before the first.
struct Edit<'t, 'o> {
    text: &'t str,
    out: &'o mut String,
    /// Where the text that was neither copied nor replaced begins.
    done: usize,
    changed: bool,
}

impl<'t, 'o> Edit<'t, 'o> {
    fn begin(text: &'t str, out: &'o mut String) -> Edit<'t, 'o> {
        out.clear();
        Edit { text, out, done: 0, changed: false }
    }

    /// Leaves out the bytes from `start` to `end`; returns the new text up to there.
    fn cut(&mut self, start: usize, end: usize) -> &mut String {
        self.out.push_str(&self.text[self.done..start]);
        self.done = end;
        self.changed = true;
        self.out
    }

    fn replace(&mut self, start: usize, end: usize, placeholder: char) {
        self.cut(start, end).extend([' ', placeholder, ' ']);
    }

    /// Copies the rest; whether anything changed. If not, there is no new text.
    fn finish(self) -> bool {
        if self.changed {
            self.out.push_str(&self.text[self.done..]);
        }
        self.changed
    }
}

fn drop_placeholders(mut edit: Edit<'_, '_>, counts: &mut CleaningCounts) -> bool {
    let text = edit.text;
    for start in memmem::find_iter(text.as_bytes(), PLACEHOLDER_BYTES) {
        let c = text[start..].chars().next();
        if let Some(c) = c.filter(|c| placeholder(*c).is_some()) {
            edit.cut(start, start + c.len_utf8());
            counts.controls += 1;
        }
    }
    edit.finish()
}

fn controls(mut edit: Edit<'_, '_>, counts: &mut CleaningCounts) -> bool {
    let text = edit.text;
    let mut at = 0;
    while let Some(found) = position(&text.as_bytes()[at..], may_begin_control) {
        let start = at + found;
        let Some(c) = text[start..].chars().next() else { break };
        at = start + c.len_utf8();
        if is_control(c) {
            edit.cut(start, at);
            counts.controls += 1;
        } else {
            at = run_end(text, at, |c| !c.is_ascii() && !is_control(c));
        }
    }
    edit.finish()
}

/// Characters of the general categories Cc and Cf that neither are white space nor shape what is
/// around them.
fn is_control(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}'
        | '\u{e}'..='\u{1f}'
        | '\u{7f}'..='\u{84}'
        | '\u{86}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0001}'
    )
}

/// Whether UTF-8 of an [`is_control`] may begin with this byte.
fn may_begin_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 14..=31 | 127 | 0xc2 | 0xd8 | 0xe2 | 0xef | 0xf3)
}

/// A line seen, without the white space around it.
#[derive(Debug, Clone, Copy)]
struct Line {
    hash: u64,
    start: usize,
    end: usize,
}

fn repeated_lines(
    mut edit: Edit<'_, '_>,
    seen: &mut HashTable<Line>,
    counts: &mut CleaningCounts,
) -> bool {
    let text = edit.text;
    let mut start = 0;
    // To clear a table takes as long as it was large once.
    match seen.capacity() > 1 << 12 {
        true => *seen = HashTable::new(),
        false => seen.clear(),
    }
    for end in memchr_iter(b'\n', text.as_bytes()).map(|i| i + 1).chain([text.len()]) {
        // The line of most documents is their only one.
        if start == 0 && end == text.len() {
            return false;
        }
        let line = text[start..end].trim_start();
        let line_start = end - line.len();
        let line = line.trim_end();
        if !line.is_empty() {
            let hash = FxBuildHasher.hash_one(line);
            let same = |other: &Line| other.hash == hash && &text[other.start..other.end] == line;
            match seen.entry(hash, same, |other| other.hash) {
                Entry::Occupied(_) => {
                    edit.cut(start, end);
                    counts.repeated_lines += 1;
                }
                Entry::Vacant(entry) => {
                    entry.insert(Line { hash, start: line_start, end: line_start + line.len() });
                }
            }
        }
        start = end;
    }
    edit.finish()
}

/// Where the characters from `start` on that are `wanted` end.
fn run_end(text: &str, start: usize, mut wanted: impl FnMut(char) -> bool) -> usize {
    let rest = &text[start..];
    start + rest.find(|c| !wanted(c)).unwrap_or(rest.len())
}

/// Where the first byte that is `wanted` stands.
fn position(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (chunks, _) = bytes.as_chunks::<32>();
    // Without a branch for each byte the compiler compares all of a chunk at once.
    let none = |chunk: &[u8; 32]| !chunk.iter().fold(false, |any, b| any | wanted(*b));
    let start = 32 * chunks.iter().take_while(|chunk| none(chunk)).count();
    bytes[start..].iter().position(|b| wanted(*b)).map(|found| start + found)
}

#[cfg(test)]
mod tests;
