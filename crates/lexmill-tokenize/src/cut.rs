//! A stream of text cut into segments of whole documents, and a segment into its documents.
//!
//! Where a cut falls depends on the text alone, not on how it arrives. A segment ends with the first
//! document that ends at or after `target` bytes. A document that does not end before twice that is
//! cut at the last white space before it, and goes on in the next segment as a further *part*; a
//! stretch without white space there is cut between two characters.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

use crate::settings::Documents;

/// Text of whole documents, but for the first, which may go on from the segment before, and the
/// last, which may go on in the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its number within its group of files.
    pub(crate) number: usize,
    /// Bytes of the group's text before it.
    pub(crate) offset: u64,
    pub(crate) text: Vec<u8>,
    /// Where files end in `text`.
    pub(crate) file_ends: Vec<usize>,
    /// Which part of its document the segment starts with: 0 if with a whole document.
    pub(crate) first_part: u32,
    /// Whether it starts within a line that has something on it, so that this is not a blank one.
    pub(crate) mid_line: bool,
    /// Whether the last document goes on in the next segment.
    pub(crate) continued: bool,
    /// Whether it was cut between two characters for want of white space.
    pub(crate) run_cut: bool,
}

/// Cuts the text of one group of files.
pub(crate) struct Cutter {
    documents: Documents,
    target: usize,
    text: Vec<u8>,
    file_ends: Vec<usize>,
    part: u32,
    mid_line: bool,
    number: usize,
    offset: u64,
}

impl Cutter {
    pub(crate) fn new(documents: Documents, target: usize) -> Cutter {
        Cutter {
            documents,
            target,
            text: Vec::new(),
            file_ends: Vec::new(),
            part: 0,
            mid_line: false,
            number: 0,
            offset: 0,
        }
    }

    /// Reads on until a segment is full or the file ends; `None` then.
    pub(crate) fn next_segment(&mut self, file: &mut dyn Read) -> io::Result<Option<Segment>> {
        let limit = 2 * self.target;
        let missing = limit.saturating_sub(self.text.len()) as u64;
        file.take(missing).read_to_end(&mut self.text)?;
        if self.text.len() < limit {
            return Ok(None);
        }
        Ok(Some(match self.document_end() {
            Some(end) => self.split(end, false, false),
            None => {
                // Short of the limit, so that there is something to go on with.
                let last = limit - 1;
                let white = self.text[self.target..last].iter().rposition(|b| is_white(*b));
                match white {
                    Some(place) => self.split(self.target + place + 1, true, false),
                    None => self.split(character_end(&self.text, last), true, true),
                }
            }
        }))
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
            Some(end) if self.text.len() > self.target => end,
            _ => self.text.len(),
        };
        Some(self.split(end, false, false))
    }

    fn split(&mut self, end: usize, continued: bool, run_cut: bool) -> Segment {
        let rest = self.text.split_off(end);
        let text = std::mem::replace(&mut self.text, rest);
        let kept = self.file_ends.partition_point(|&file_end| file_end <= end);
        let later = self.file_ends.split_off(kept).into_iter().map(|e| e - end).collect();
        let file_ends = std::mem::replace(&mut self.file_ends, later);
        let segment = Segment {
            number: self.number,
            offset: self.offset,
            text,
            file_ends,
            first_part: self.part,
            mid_line: self.mid_line,
            continued,
            run_cut,
        };
        self.number += 1;
        self.offset += segment.text.len() as u64;
        let last_line = memrchr(b'\n', &segment.text).map_or(0, |place| place + 1);
        let goes_on = last_line == 0 && segment.mid_line;
        let begun = !segment.text[last_line..].iter().all(|b| is_white(*b));
        self.mid_line = continued && (goes_on || begun);
        self.part = match continued {
            false => 0,
            // The document that goes on began in this segment, or even before it.
            true => match segment.documents(self.documents).count() {
                1 => self.part + 1,
                _ => 1,
            },
        };
        segment
    }

    /// The first end of a document at or after `target`.
    fn document_end(&self) -> Option<usize> {
        let text = &self.text;
        let from = self.target.min(text.len());
        let file_end = self.file_ends.iter().copied().find(|&end| end >= from);
        let end = match self.documents {
            Documents::Files => None,
            Documents::Lines => {
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
    /// The documents, as ranges of the text; line ends and blank lines are in them.
    pub(crate) fn documents(
        &self,
        kind: Documents,
    ) -> impl Iterator<Item = std::ops::Range<usize>> {
        let text = &self.text[..];
        let mut start = 0;
        let mut ends = self.file_ends.iter().copied().peekable();
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
                Documents::Files => limit,
                Documents::Lines => {
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
        let mut cutter = Cutter::new(kind, target);
        let mut segments = Vec::new();
        for file in files {
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
                }
            }
        }
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
