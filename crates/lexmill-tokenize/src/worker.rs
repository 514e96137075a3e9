//! A segment to its tokens: records read, text cleaned, cut into documents and words.

use std::borrow::Cow;
use std::ops::Range;

use icu_segmenter::options::SentenceBreakInvariantOptions;
use icu_segmenter::{SentenceSegmenter, SentenceSegmenterBorrowed};
use lexmill_store::table::tokens::Tokens;
use lexmill_vocab::{Interner, Random};
use memchr::{memchr, memchr_iter, memmem};
use unicode_script::{Script, UnicodeScript};

use crate::clean::Cleaner;
use crate::cut::{Form, Segment};
use crate::input::CorpusFile;
use crate::reader::line_after;
use crate::records::json::{JsonReader, JsonRecord, keys};
use crate::records::{Content, Wanted, named};
use crate::report::TokenizeReport;
use crate::segment::Segmenter;
use crate::settings::{BadRecords, Documents, Format, InvalidUtf8, TokenizeSettings};
use crate::wikitext::{Namespaces, plain_text};
use crate::{Error, Result};

/// A segment, and what is needed to read it.
pub(crate) struct Work<'a> {
    pub(crate) segment: Segment,
    /// The files of its group.
    pub(crate) files: &'a [CorpusFile],
    /// Names the group for random numbers.
    pub(crate) group: u64,
    /// Of a dump of a wiki.
    pub(crate) namespaces: std::sync::Arc<Namespaces>,
}

/// Turns segments into tokens.
pub(crate) struct Worker<'a> {
    settings: &'a TokenizeSettings,
    wanted: &'a Wanted,
    json: JsonReader,
    cleaner: Option<Cleaner>,
    segmenter: Segmenter,
    sentences: SentenceSegmenterBorrowed<'static>,
    plain: String,
    /// What the segments since the last [`clear`](Worker::clear) hold.
    pub(crate) made: Made,
}

/// Tokens, and what belongs to them.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) words: Interner,
    pub(crate) tokens: Tokens,
    /// Of each document that begins here its row in `tokens`, if fields are kept.
    pub(crate) rows: Vec<u64>,
    /// By field the values kept, document by document.
    pub(crate) kept: Vec<Vec<String>>,
    pub(crate) report: TokenizeReport,
    /// The text of documents, row by row, if it was asked for.
    pub(crate) texts: Option<Vec<String>>,
}

/// How a document stands to the segments around it.
#[derive(Clone, Copy, Default)]
struct Around {
    part: u32,
    goes_on: bool,
}

/// Names random numbers of [`TokenizeSettings::sample`].
const SAMPLE: u64 = 0x7361_6D70_6C65;
/// In that name, the number of a document that goes on in the next segment.
const GOES_ON: u64 = u64::MAX;

impl<'a> Worker<'a> {
    pub(crate) fn new(
        settings: &'a TokenizeSettings,
        wanted: &'a Wanted,
        segmenter: Segmenter,
    ) -> Worker<'a> {
        let made = Made { kept: vec![Vec::new(); settings.metadata.len()], ..Made::default() };
        Worker {
            settings,
            wanted,
            json: JsonReader::new(wanted),
            cleaner: (!settings.clean.is_empty()).then(|| Cleaner::new(&settings.clean)),
            segmenter,
            sentences: SentenceSegmenter::new(SentenceBreakInvariantOptions::default()),
            plain: String::new(),
            made,
        }
    }

    /// Forgets what was made, keeping the memory.
    pub(crate) fn clear(&mut self) {
        let made = &mut self.made;
        made.words.clear();
        made.tokens.clear();
        made.rows.clear();
        made.kept.iter_mut().for_each(Vec::clear);
        made.report = TokenizeReport::default();
        if let Some(texts) = &mut made.texts {
            texts.clear();
        }
    }

    /// Adds the documents of a segment.
    pub(crate) fn add(&mut self, work: &mut Work<'_>) -> Result<()> {
        let segment = &mut work.segment;
        let report = &mut self.made.report;
        report.documents_continued += u64::from(segment.continued);
        report.long_runs_cut += u64::from(segment.run_cut);
        without_nul(&mut segment.text, report);
        match work.segment.form {
            Form::Text => self.text(work),
            Form::JsonLines => self.json_lines(work),
            Form::Records | Form::Tokens | Form::Wikitext => self.records(work),
        }
    }

    /// Counts how many tokens begin with a letter of which script.
    pub(crate) fn count_scripts(&mut self) {
        let Made { words, tokens, report, .. } = &mut self.made;
        let mut counts = vec![0u64; words.len()];
        tokens.ids.iter().for_each(|&id| counts[id as usize] += 1);
        let mut scripts = std::collections::HashMap::<Script, u64>::new();
        let mut latin = 0;
        for (id, count) in (0..).zip(counts) {
            if words.bytes(id).first().is_some_and(u8::is_ascii_alphabetic) {
                latin += count;
                continue;
            }
            let letters = words.word(id).chars().filter(|c| c.is_alphabetic());
            let script = letters
                .map(|c| c.script())
                .find(|script| !matches!(script, Script::Common | Script::Inherited));
            *scripts.entry(script.unwrap_or(Script::Common)).or_default() += count;
        }
        *scripts.entry(Script::Latin).or_default() += latin;
        let found = scripts.into_iter().filter(|(_, count)| *count > 0);
        report.scripts = found.map(|(script, n)| (script.full_name().to_owned(), n)).collect();
    }

    fn text(&mut self, work: &Work<'_>) -> Result<()> {
        let segment = &work.segment;
        let returns = memchr_iter(b'\r', &segment.text).count();
        if returns > 0 {
            let ends = memmem::find_iter(&segment.text, "\r\n").count();
            self.made.report.lone_carriage_returns += (returns - ends) as u64;
        }
        let valid = self.validated(work)?;
        let documents = self.settings.documents_of(Format::Text);
        for (i, range) in segment.documents(documents).enumerate() {
            let around = Around {
                part: if i == 0 { segment.first_part } else { 0 },
                goes_on: segment.continued && range.end == segment.text.len(),
            };
            let longest = &mut self.made.report.longest_document_bytes;
            *longest = (*longest).max(range.len() as u64);
            if !self.sampled(work, i, around) {
                continue;
            }
            let text = self.repaired(&segment.text, valid, range);
            match documents {
                Documents::Sentences => self.documents(&text, documents, around, &[])?,
                _ => self.document(&text, around, &[])?,
            }
        }
        Ok(())
    }

    fn records(&mut self, work: &Work<'_>) -> Result<()> {
        let segment = &work.segment;
        let valid = self.validated(work)?;
        let documents = self.settings.documents_of(Format::Csv);
        let width = self.settings.metadata.len();
        self.made.report.records += segment.ends.len() as u64;
        let mut token_ends = segment.token_ends.iter().copied().peekable();
        let mut start = 0;
        for (i, &end) in segment.ends.iter().enumerate() {
            let range = start..end;
            start = end;
            let longest = &mut self.made.report.longest_document_bytes;
            *longest = (*longest).max(range.len() as u64);
            let sampled = self.sampled(work, i, Around::default());
            let kept = &segment.values[i * width..(i + 1) * width];
            if segment.form == Form::Tokens {
                let mut from = range.start;
                while let Some(token_end) = token_ends.next_if(|&token_end| token_end <= range.end)
                {
                    if sampled && token_end > from {
                        let token = self.repaired(&segment.text, valid, from..token_end);
                        self.token(&token);
                    }
                    from = token_end;
                }
                if sampled {
                    self.end_document(Around::default(), "", kept);
                }
                continue;
            }
            if !sampled {
                continue;
            }
            let text = self.repaired(&segment.text, valid, range);
            if segment.form == Form::Wikitext {
                let mut plain = std::mem::take(&mut self.plain);
                plain.clear();
                plain_text(&text, &work.namespaces, &mut plain);
                let done = self.documents(&plain, documents, Around::default(), kept);
                self.plain = plain;
                done?;
            } else {
                self.documents(&text, documents, Around::default(), kept)?;
            }
        }
        Ok(())
    }

    fn json_lines(&mut self, work: &Work<'_>) -> Result<()> {
        let segment = &work.segment;
        let valid = self.validated(work)?;
        let documents = self.settings.documents_of(Format::JsonLines);
        for (i, range) in segment.documents(Documents::Lines).enumerate() {
            let at = range.start;
            let longest = &mut self.made.report.longest_document_bytes;
            *longest = (*longest).max(range.len() as u64);
            let line = self.repaired(&segment.text, valid, range);
            if line.trim_ascii().is_empty() {
                continue;
            }
            self.made.report.records += 1;
            if !self.sampled(work, i, Around::default()) {
                continue;
            }
            let bad = |offset: usize, problem: String| {
                let (file, before) = segment.place(at);
                let path = work.files[file].path.clone();
                let encoding = self.settings.encoding_other_than_utf_8();
                let line = match line_after(&path, encoding, before) {
                    Some(line) => format!("line {line}"),
                    None => format!("the line at byte {before} of its text"),
                };
                Error::Record { path, place: format!("{line}, at its byte {offset}"), problem }
            };
            let JsonRecord { text, values } = match self.json.read(&line) {
                Ok(record) => record,
                Err((offset, problem)) => match self.settings.bad_records {
                    BadRecords::Error => return Err(bad(offset, problem)),
                    BadRecords::Skip => {
                        self.made.report.bad_records += 1;
                        continue;
                    }
                },
            };
            for (name, value) in self.wanted.names().iter().zip(&values).skip(1) {
                if value.is_none() {
                    *self.made.report.missing_fields.entry(name.clone()).or_default() += 1;
                }
            }
            if !self.wanted.admits(&values) {
                self.made.report.records_filtered += 1;
                continue;
            }
            let kept: Vec<Option<String>> =
                self.wanted.kept(&values).map(|value| value.map(str::to_owned)).collect();
            match text {
                Content::Missing => {
                    self.made.report.records_without_text += 1;
                    let known = &mut self.made.report.other_fields;
                    if known.is_empty() {
                        *known = named(keys(&line).iter().map(String::as_str));
                    }
                }
                Content::Text(text) if text.contains('\0') => {
                    let mut bytes = text.into_owned().into_bytes();
                    without_nul(&mut bytes, &mut self.made.report);
                    let text = String::from_utf8_lossy(&bytes);
                    self.documents(&text, documents, Around::default(), &kept)?;
                }
                Content::Text(text) => {
                    self.documents(&text, documents, Around::default(), &kept)?;
                }
                Content::Tokens(tokens) => {
                    let some = tokens.iter().filter(|token| !token.is_empty());
                    some.for_each(|token| self.token(token));
                    self.end_document(Around::default(), "", &kept);
                }
                Content::Other(what) => match self.settings.bad_records {
                    BadRecords::Error => {
                        let field = &self.settings.field;
                        let problem = format!(
                            "{field:?} is {what}, neither text nor a list of strings; name another \
                             field"
                        );
                        return Err(bad(0, problem));
                    }
                    BadRecords::Skip => self.made.report.bad_records += 1,
                },
            }
        }
        Ok(())
    }

    /// The text, if all of it is UTF-8; an error if it must be and is not.
    fn validated<'t>(&self, work: &'t Work<'_>) -> Result<Option<&'t str>> {
        match std::str::from_utf8(&work.segment.text) {
            Ok(text) => Ok(Some(text)),
            Err(error) if self.settings.invalid_utf8 == InvalidUtf8::Error => {
                let (file, offset) = work.segment.place(error.valid_up_to());
                let path = &work.files[file].path;
                let place = match line_after(path, None, offset) {
                    Some(line) => format!("{path:?}, line {line}"),
                    None => format!("{path:?}"),
                };
                Err(Error::InvalidUtf8 { place, offset })
            }
            Err(_) => Ok(None),
        }
    }

    /// A range of text, with U+FFFD for what is not UTF-8.
    fn repaired<'t>(
        &mut self,
        text: &'t [u8],
        valid: Option<&'t str>,
        range: Range<usize>,
    ) -> Cow<'t, str> {
        // Documents end at line ends, or where files or records do.
        if let Some(text) = valid.and_then(|valid| valid.get(range.clone())) {
            return text.into();
        }
        let bytes = &text[range];
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                self.made.report.invalid_utf8_replaced += 1;
            }
        }
        text.into()
    }

    /// Whether a document or record is in the sample.
    fn sampled(&mut self, work: &Work<'_>, number: usize, around: Around) -> bool {
        if self.settings.sample >= 1.0 {
            return true;
        }
        // One that goes on over several segments is named by that in which it began.
        let (part, segment) = (around.part, work.segment.number as u64);
        let begun = segment - u64::from(part).min(segment);
        let number = if part > 0 || around.goes_on { GOES_ON } else { number as u64 };
        let mut random = Random::named(&[self.settings.seed, SAMPLE, work.group, begun, number]);
        let taken = f64::from(random.unit_f32()) < self.settings.sample;
        self.made.report.sampled_out += u64::from(!taken && part == 0);
        taken
    }

    /// The documents in a text.
    fn documents(
        &mut self,
        text: &str,
        documents: Documents,
        around: Around,
        kept: &[Option<String>],
    ) -> Result<()> {
        match documents {
            Documents::Records | Documents::Files => self.document(text, around, kept),
            Documents::Lines => {
                let lines: Vec<&str> = text.lines().collect();
                self.each(&lines, around, kept)
            }
            Documents::Blocks => {
                let mut blocks = Vec::new();
                let (mut start, mut line_start) = (0, 0);
                for line in text.split_inclusive('\n') {
                    line_start += line.len();
                    if line.trim_ascii().is_empty() {
                        blocks.push(&text[start..line_start]);
                        start = line_start;
                    }
                }
                blocks.push(&text[start..]);
                self.each(&blocks, around, kept)
            }
            Documents::Sentences => {
                let mut sentences = Vec::new();
                for line in text.lines() {
                    let mut breaks = self.sentences.segment_str(line);
                    let mut start = breaks.next().unwrap_or(0);
                    for end in breaks {
                        sentences.push(&line[start..end]);
                        start = end;
                    }
                }
                self.each(&sentences, around, kept)
            }
        }
    }

    fn each(&mut self, documents: &[&str], around: Around, kept: &[Option<String>]) -> Result<()> {
        if documents.is_empty() {
            self.document("", around, kept)?;
        }
        for (i, document) in documents.iter().enumerate() {
            let around = Around {
                part: if i == 0 { around.part } else { 0 },
                goes_on: around.goes_on && i + 1 == documents.len(),
            };
            self.document(document, around, kept)?;
        }
        Ok(())
    }

    fn document(&mut self, text: &str, around: Around, kept: &[Option<String>]) -> Result<()> {
        let Made { words, tokens, report, .. } = &mut self.made;
        let cleaned = match &mut self.cleaner {
            Some(cleaner) => cleaner.clean(text, &mut report.cleaning),
            None => text,
        };
        let longest = self.settings.max_word_bytes;
        self.segmenter.words(cleaned, |word| {
            if word.len() <= longest {
                tokens.ids.push(words.intern(word));
            } else {
                report.words_too_long += 1;
            }
        })?;
        self.end_document(around, text, kept);
        Ok(())
    }

    /// A token as it is.
    fn token(&mut self, token: &str) {
        if token.len() <= self.settings.max_word_bytes {
            self.made.tokens.ids.push(self.made.words.intern(token));
        } else {
            self.made.report.words_too_long += 1;
        }
    }

    /// A document of these tokens, as they are.
    pub(crate) fn sentence(&mut self, tokens: &[String]) {
        tokens.iter().for_each(|token| self.token(token));
        self.end_document(Around::default(), "", &[]);
    }

    /// The documents in a text of a pipeline file.
    pub(crate) fn example(&mut self, text: &str, format: Format) -> Result<()> {
        let documents = self.settings.documents_of(format);
        if format == Format::Mediawiki {
            let mut plain = String::new();
            plain_text(text, &Namespaces::new(std::iter::empty()), &mut plain);
            return self.documents(&plain, documents, Around::default(), &[]);
        }
        self.documents(text, documents, Around::default(), &[])
    }

    /// Ends a document, or a part of one that goes on in the next segment.
    fn end_document(&mut self, around: Around, text: &str, kept: &[Option<String>]) {
        let Around { part, goes_on } = around;
        let Made { tokens, rows, kept: columns, report, texts, .. } = &mut self.made;
        let start = tokens.ends.last().copied().unwrap_or(0);
        let count = tokens.ids.len() - start;
        // Where a document begins is kept even if its first tokens are in the next shard.
        if count > 0 || (part == 0 && goes_on) {
            if part == 0 && !columns.is_empty() {
                rows.push(tokens.ends.len() as u64);
                // Plain text beside files of records has nothing to keep.
                for (i, column) in columns.iter_mut().enumerate() {
                    column.push(kept.get(i).cloned().flatten().unwrap_or_default());
                }
            }
            tokens.ends.push(tokens.ids.len());
            tokens.parts.push(part);
            report.tokens += count as u64;
            report.documents += u64::from(part == 0);
            if let Some(texts) = texts {
                texts.push(text.to_owned());
            }
        } else if part == 0 {
            report.empty_documents += 1;
        }
    }
}

/// NUL bytes become spaces, and are counted.
fn without_nul(text: &mut [u8], report: &mut TokenizeReport) {
    if memchr(0, text).is_some() {
        for byte in text.iter_mut().filter(|byte| **byte == 0) {
            *byte = b' ';
            report.nul_bytes += 1;
        }
    }
}
