//! A stream of text cut into segments of whole documents, and a segment into its documents.
//!
//! Where a cut falls depends on the text alone, not on how it arrives. A segment ends with the first
//! document that ends at or after `target` bytes. A document of plain text that does not end before
//! twice that is cut at the last white space before it, and goes on in the next segment as a further
//! *part*; a stretch without white space there is cut between two characters. Records are never cut.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

use crate::settings::Documents;

/// What the text of a segment is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// Plain text.
    #[default]
    Text,
    /// A JSON object a line.
    JsonLines,
    /// The text of records.
    Records,
    /// Records that are tokens, end to end.
    Tokens,
    /// Records of MediaWiki's markup.
    Wikitext,
}

/// Text of whole documents, but for the first, which may go on from the segment before, and the
/// last, which may go on in the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) form: Form,
    /// Its number within its group of files.
    pub(crate) number: usize,
    pub(crate) text: Vec<u8>,
    /// Where files, or records, end in `text`.
    pub(crate) ends: Vec<usize>,
    /// Where which files begin or go on in `text`.
    pub(crate) files: Vec<FileStart>,
    /// Which part of its document the segment starts with: 0 if with a whole document.
    pub(crate) first_part: u32,
    /// Whether it starts within a line that has something on it, so that this is not a blank one.
    pub(crate) mid_line: bool,
    /// Whether the last document goes on in the next segment.
    pub(crate) continued: bool,
    /// Whether it was cut between two characters for want of white space.
    pub(crate) run_cut: bool,
    /// Where tokens end in `text`, if it is such.
    pub(crate) token_ends: Vec<usize>,
    /// Record by record the values of fields to keep.
    pub(crate) values: Vec<Option<String>>,
}

/// Where a file begins, or goes on, in a segment's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStart {
    at: usize,
    /// Its number within the group.
    file: usize,
    /// Bytes of its text before that.
    before: u64,
}

impl Segment {
    /// Which file of the group a place is in, and the bytes of that file's text before it.
    pub(crate) fn place(&self, at: usize) -> (usize, u64) {
        match self.files.iter().rev().find(|start| start.at <= at) {
            Some(start) => (start.file, start.before + (at - start.at) as u64),
            None => (0, at as u64),
        }
    }
}

/// How text is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) form: Form,
    pub(crate) documents: Documents,
    /// Bytes of a segment, roughly.
    pub(crate) target: usize,
    /// Documents longer than twice that are cut, or else those longer than this are an error.
    pub(crate) whole: Option<usize>,
}

/// Cuts the text of one group of files.
pub(crate) struct Cutter {
    cut: Cut,
    /// Text held before it is cut.
    limit: usize,
    text: Vec<u8>,
    file_ends: Vec<usize>,
    files: Vec<FileStart>,
    part: u32,
    mid_line: bool,
    number: usize,
}

impl Cutter {
    /// Numbers segments from `number` on.
    pub(crate) fn new(cut: Cut, number: usize) -> Cutter {
        Cutter {
            cut,
            limit: 2 * cut.target,
            text: Vec::new(),
            file_ends: Vec::new(),
            files: Vec::new(),
            part: 0,
            mid_line: false,
            number,
        }
    }

    /// Marks the start of the group's file of this number.
    pub(crate) fn begin_file(&mut self, file: usize) {
        self.files.push(FileStart { at: self.text.len(), file, before: 0 });
    }

    /// Reads on until a segment is full or the file ends; `None` then.
    pub(crate) fn next_segment(&mut self, file: &mut dyn Read) -> io::Result<Option<Segment>> {
        loop {
            let missing = self.limit.saturating_sub(self.text.len()) as u64;
            file.take(missing).read_to_end(&mut self.text)?;
            if self.text.len() < self.limit {
                return Ok(None);
            }
            return Ok(Some(match (self.document_end(), self.cut.whole) {
                (Some(end), _) => self.split(end, false, false),
                (None, Some(most)) if self.limit < most => {
                    self.limit = (2 * self.limit).min(most);
                    continue;
                }
                (None, Some(most)) => {
                    let problem =
                        format!("a line of it is longer than {} MiB", most.div_ceil(1 << 20));
                    return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
                }
                (None, None) => {
                    // Short of the limit, so that there is something to go on with.
                    let last = self.limit - 1;
                    let from = self.cut.target;
                    let white = self.text[from..last].iter().rposition(|b| is_white(*b));
                    match white {
                        Some(place) => self.split(from + place + 1, true, false),
                        None => self.split(character_end(&self.text, last), true, true),
                    }
                }
            }));
        }
    }

    /// Marks the end of a file, which is the end of a document.
    pub(crate) fn end_file(&mut self) {
        if self.file_ends.last().copied().unwrap_or(0) < self.text.len() {
            self.file_ends.push(self.text.len());
        }
    }

    /// What is left when the group ends, in order.
    pub(crate) fn finish(&mut self) -> Option<Segment> {
        if self.text.is_empty() {
            return None;
        }
        let end = match self.document_end() {
            Some(end) if self.text.len() > self.cut.target => end,
            _ => self.text.len(),
        };
        Some(self.split(end, false, false))
    }

    fn split(&mut self, end: usize, continued: bool, run_cut: bool) -> Segment {
        let rest = self.text.split_off(end);
        let text = std::mem::replace(&mut self.text, rest);
        let kept = self.file_ends.partition_point(|&file_end| file_end <= end);
        let later = self.file_ends.split_off(kept).into_iter().map(|e| e - end).collect();
        let ends = std::mem::replace(&mut self.file_ends, later);
        let segment = Segment {
            form: self.cut.form,
            number: self.number,
            text,
            ends,
            files: self.split_files(end),
            first_part: self.part,
            mid_line: self.mid_line,
            continued,
            run_cut,
            ..Segment::default()
        };
        self.number += 1;
        self.limit = (2 * self.cut.target).max(self.text.len() + 1);
        let last_line = memrchr(b'\n', &segment.text).map_or(0, |place| place + 1);
        let goes_on = last_line == 0 && segment.mid_line;
        let begun = !segment.text[last_line..].iter().all(|b| is_white(*b));
        self.mid_line = continued && (goes_on || begun);
        self.part = match continued {
            false => 0,
            // The document that goes on began in this segment, or even before it.
            true => match segment.documents(self.cut.documents).count() {
                1 => self.part + 1,
                _ => 1,
            },
        };
        segment
    }

    /// Where files are in the text before `end`; what comes after it stays.
    fn split_files(&mut self, end: usize) -> Vec<FileStart> {
        let kept = self.files.partition_point(|start| start.at < end);
        let mut later = self.files.split_off(kept);
        later.iter_mut().for_each(|start| start.at -= end);
        let going_on = self.files.last().filter(|_| later.first().is_none_or(|next| next.at > 0));
        if let Some(&FileStart { at, file, before }) = going_on {
            later.insert(0, FileStart { at: 0, file, before: before + (end - at) as u64 });
        }
        std::mem::replace(&mut self.files, later)
    }

    /// The number of the next segment.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The first end of a document at or after `target`.
    fn document_end(&self) -> Option<usize> {
        let text = &self.text;
        let from = self.cut.target.min(text.len());
        let file_end = self.file_ends.iter().copied().find(|&end| end >= from);
        let end = match self.cut.documents {
            Documents::Files => None,
            // Sentences are found within lines, records of text are lines.
            Documents::Lines | Documents::Sentences | Documents::Records => {
                let from = from.saturating_sub(1);
                memchr(b'\n', &text[from..]).map(|place| from + place + 1)
            }
            Documents::Blocks => {
                let before = from.saturating_sub(1);
                let mut start = memrchr(b'\n', &text[..before]).map_or(0, |place| place + 1);
                loop {
                    match memchr(b'\n', &text[start..]) {
                        None => break None,
                        Some(length) => {
                            let end = start + length + 1;
                            let begun = start == 0 && self.mid_line;
                            let blank = !begun && text[start..end].iter().all(|b| is_white(*b));
                            if end >= from && blank {
                                break Some(end);
                            }
                            start = end;
                        }
                    }
                }
            }
        };
        match (end, file_end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// The end of the last whole character at or before `limit` (of text that may not be UTF-8).
fn character_end(text: &[u8], limit: usize) -> usize {
    let start = (limit.saturating_sub(4)..limit).rev().find(|&i| text[i] & 0xC0 != 0x80);
    match start {
        None => limit,
        Some(start) => {
            let length = match text[start] {
                0xF0.. => 4,
                0xE0.. => 3,
                0xC0.. => 2,
                _ => 1,
            };
            if start + length > limit { start } else { limit }
        }
    }
}

/// ASCII white space.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

impl Segment {
    /// The documents, as ranges of the text; line ends and blank lines are in them. Of documents that
    /// are sentences, the lines they stand in.
    pub(crate) fn documents(
        &self,
        kind: Documents,
    ) -> impl Iterator<Item = std::ops::Range<usize>> {
        let text = &self.text[..];
        let mut start = 0;
        let mut ends = self.ends.iter().copied().peekable();
        std::iter::from_fn(move || {
            if start >= text.len() {
                return None;
            }
            let limit = loop {
                match ends.peek() {
                    Some(&end) if end <= start => ends.next(),
                    Some(&end) => break end,
                    None => break text.len(),
                };
            };
            let end = match kind {
                Documents::Files | Documents::Records => limit,
                Documents::Lines | Documents::Sentences => {
                    memchr(b'\n', &text[start..limit]).map_or(limit, |place| start + place + 1)
                }
                Documents::Blocks => {
                    let mut line = start;
                    loop {
                        match memchr(b'\n', &text[line..limit]) {
                            None => break limit,
                            Some(length) => {
                                let end = line + length + 1;
                                let begun = line == 0 && self.mid_line;
                                if !begun && text[line..end].iter().all(|b| is_white(*b)) {
                                    break end;
                                }
                                line = end;
                            }
                        }
                    }
                }
            };
            let document = start..end;
            start = end;
            Some(document)
        })
    }
}

/// Gathers records until there are enough for a segment.
pub(crate) struct RecordCutter {
    target: usize,
    segment: Segment,
    /// Bytes of values kept in it.
    kept_bytes: usize,
    /// The segment before it, which ended because records of another form came.
    ended: Option<Segment>,
}

impl RecordCutter {
    /// Numbers segments from 0 on.
    pub(crate) fn new(target: usize) -> RecordCutter {
        RecordCutter { target, segment: Segment::default(), kept_bytes: 0, ended: None }
    }

    /// Goes on with segments of this number; there are none at hand.
    pub(crate) fn begin(&mut self, number: usize) {
        debug_assert!(self.ended.is_none() && self.segment.ends.is_empty(), "records at hand");
        self.segment = Segment { number, ..Segment::default() };
    }

    /// Adds a record of text. Whoever adds one asks [`full`](RecordCutter::full) before the next.
    pub(crate) fn push_text<'v>(
        &mut self,
        form: Form,
        text: &[u8],
        values: impl Iterator<Item = Option<&'v str>>,
    ) {
        self.form(form);
        self.segment.text.extend_from_slice(text);
        self.end(values);
    }

    /// Adds a record of tokens.
    pub(crate) fn push_tokens<'t>(
        &mut self,
        tokens: impl Iterator<Item = &'t str>,
        values: impl Iterator<Item = Option<&'t str>>,
    ) {
        self.form(Form::Tokens);
        for token in tokens {
            self.segment.text.extend_from_slice(token.as_bytes());
            self.segment.token_ends.push(self.segment.text.len());
        }
        self.end(values);
    }

    fn form(&mut self, form: Form) {
        if form != self.segment.form && !self.segment.ends.is_empty() {
            debug_assert!(self.ended.is_none(), "nobody asked for the segment before");
            self.ended = self.next();
        }
        self.segment.form = form;
    }

    fn end<'v>(&mut self, values: impl Iterator<Item = Option<&'v str>>) {
        self.segment.ends.push(self.segment.text.len());
        for value in values {
            self.kept_bytes += value.map_or(0, str::len) + size_of::<Option<String>>();
            self.segment.values.push(value.map(str::to_owned));
        }
    }

    /// A segment, if there is enough for one; there may be another.
    pub(crate) fn full(&mut self) -> Option<Segment> {
        if self.ended.is_some() {
            return self.ended.take();
        }
        // Many empty records are much, too.
        let Segment { text, ends, token_ends, .. } = &self.segment;
        let bytes = text.len() + 8 * (ends.len() + token_ends.len()) + self.kept_bytes;
        if bytes >= self.target { self.next() } else { None }
    }

    /// What is at hand, segment by segment.
    pub(crate) fn finish(&mut self) -> Option<Segment> {
        self.ended.take().or_else(|| self.next())
    }

    fn next(&mut self) -> Option<Segment> {
        if self.segment.ends.is_empty() {
            return None;
        }
        self.kept_bytes = 0;
        let Segment { form, number, .. } = self.segment;
        let next = Segment { form, number: number + 1, ..Segment::default() };
        Some(std::mem::replace(&mut self.segment, next))
    }

    /// The number of the next segment.
    pub(crate) fn number(&self) -> usize {
        self.segment.number
    }
}

#[cfg(test)]
impl Segment {
    /// Records: their text, and the values kept.
    pub(crate) fn records(&self) -> impl Iterator<Item = (String, Vec<Option<String>>)> {
        let kept = self.values.len().checked_div(self.ends.len()).unwrap_or(0);
        self.ends.iter().enumerate().map(move |(i, &end)| {
            let start = if i == 0 { 0 } else { self.ends[i - 1] };
            let text = String::from_utf8_lossy(&self.text[start..end]).into_owned();
            (text, self.values[i * kept..(i + 1) * kept].to_vec())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives bytes a few at a time.
    struct Drip<'a>(&'a [u8], usize);
    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buffer.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn cut(files: &[&[u8]], kind: Documents, target: usize, drip: usize) -> Vec<Segment> {
        let form = Form::Text;
        let mut cutter = Cutter::new(Cut { form, documents: kind, target, whole: None }, 0);
        let mut segments = Vec::new();
        for (i, file) in files.iter().enumerate() {
            cutter.begin_file(i);
            let mut reader = Drip(file, drip);
            while let Some(segment) = cutter.next_segment(&mut reader).unwrap() {
                segments.push(segment);
            }
            cutter.end_file();
        }
        while let Some(segment) = cutter.finish() {
            segments.push(segment);
        }
        segments
    }

    /// Documents put together again from all segments, white space at the ends taken off.
    fn documents(segments: &[Segment], kind: Documents) -> Vec<Vec<u8>> {
        let mut documents: Vec<Vec<u8>> = Vec::new();
        for segment in segments {
            for (i, range) in segment.documents(kind).enumerate() {
                let text = &segment.text[range];
                match (i, segment.first_part) {
                    (0, 1..) => documents.last_mut().unwrap().extend_from_slice(text),
                    _ => documents.push(text.to_vec()),
                }
            }
        }
        documents.iter_mut().for_each(|d| *d = d.trim_ascii().to_vec());
        documents.retain(|d| !d.is_empty());
        documents
    }

    /// The same by reading each file whole.
    fn naive(files: &[&[u8]], kind: Documents) -> Vec<Vec<u8>> {
        let mut documents = Vec::new();
        for file in files {
            let mut current = Vec::new();
            for line in file.split_inclusive(|&b| b == b'\n') {
                let blank = line.trim_ascii().is_empty() && line.ends_with(b"\n");
                current.extend_from_slice(line);
                if kind == Documents::Lines || (kind == Documents::Blocks && blank) {
                    documents.push(std::mem::take(&mut current));
                }
            }
            documents.push(current);
        }
        documents.iter_mut().for_each(|d| *d = d.trim_ascii().to_vec());
        documents.retain(|d| !d.is_empty());
        documents
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn documents_survive_any_cut(
            files in prop::collection::vec("[ab é\n\r]{0,60}", 0..5),
            target in 4usize..20,
            drip in 1usize..9,
        ) {
            let files: Vec<&[u8]> = files.iter().map(|file| file.as_bytes()).collect();
            for kind in [Documents::Lines, Documents::Blocks, Documents::Files] {
                let segments = cut(&files, kind, target, drip);
                prop_assert_eq!(&segments, &cut(&files, kind, target, 1000));
                prop_assert_eq!(documents(&segments, kind), naive(&files, kind));
                for (i, segment) in segments.iter().enumerate() {
                    prop_assert!(segment.text.len() <= 2 * target && !segment.text.is_empty());
                    prop_assert!(std::str::from_utf8(&segment.text).is_ok());
                    prop_assert_eq!(segment.number, i);
                    let next = segments.get(i + 1).map_or(0, |next| next.first_part);
                    prop_assert_eq!(segment.continued, next > 0);
                    for at in 0..segment.text.len() {
                        let (file, before) = segment.place(at);
                        prop_assert_eq!(segment.text[at], files[file][before as usize]);
                    }
                }
            }
        }
    }

    #[test]
    fn lines_that_must_stay_whole_do() {
        let cut =
            Cut { form: Form::JsonLines, documents: Documents::Lines, target: 4, whole: Some(20) };
        let mut cutter = Cutter::new(cut, 0);
        let mut text: &[u8] = b"a\n0123456789abcde\nb\nc\n";
        let mut segments = Vec::new();
        while let Some(segment) = cutter.next_segment(&mut text).unwrap() {
            segments.push(segment);
        }
        cutter.end_file();
        segments.extend(std::iter::from_fn(|| cutter.finish()));
        let texts: Vec<&str> =
            segments.iter().map(|s| std::str::from_utf8(&s.text).unwrap()).collect();
        assert_eq!(texts, ["a\n0123456789abcde\n", "b\nc\n"]);
        assert!(Cutter::new(cut, 0).next_segment(&mut &[b'x'; 30][..]).is_err());
    }

    #[test]
    fn a_document_goes_on_in_numbered_parts() {
        let segments = cut(&[b"short\naaaa bbbb cccc dddd eeee\nend"], Documents::Lines, 6, 100);
        let parts: Vec<(&str, u32)> = segments
            .iter()
            .map(|s| (std::str::from_utf8(&s.text).unwrap(), s.first_part))
            .collect();
        assert_eq!(parts, [("short\n", 0), ("aaaa bbbb ", 0), ("cccc dddd ", 1), ("eeee\nend", 2)]);
    }

    #[test]
    fn a_stretch_without_white_space_is_cut_between_characters() {
        let segments = cut(&["ééééééé".as_bytes()], Documents::Lines, 3, 100);
        assert!(segments.iter().all(|s| std::str::from_utf8(&s.text).is_ok()));
        assert!(segments[0].run_cut && segments[0].text.len() == 4);
        let whole: Vec<u8> = segments.iter().flat_map(|s| s.text.clone()).collect();
        assert_eq!(whole, "ééééééé".as_bytes());
    }
}
