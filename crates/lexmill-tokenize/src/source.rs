//! The files of a group, read one after another and cut into segments.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::cut::{Cut, Cutter, Form, RecordCutter, Segment};
use crate::input::CorpusFile;
use crate::reader::Taken;
use crate::records::columns::ParquetRows;
use crate::records::csv::Rows;
use crate::records::mediawiki::Pages;
use crate::records::{MOST_BYTES, RecordCounts, Records, Wanted};
use crate::report::TokenizeReport;
use crate::settings::{Documents, Format, TokenizeSettings};
use crate::wikitext::Namespaces;
use crate::{Error, Result, reader};

/// Who takes segments: false if no more are wanted.
pub(crate) type Sink<'s> = dyn FnMut(Segment, &Arc<Namespaces>) -> Result<bool> + 's;

/// Reads the files of a group; `told` gets the bytes that were read, as they lie on the disk, `sink` the
/// segments. Returns what was counted on the way, and whether all was read or `sink` wanted no more.
pub(crate) fn read_group(
    settings: &TokenizeSettings,
    wanted: &Wanted,
    files: &[CorpusFile],
    told: &mut dyn FnMut(u64),
    sink: &mut Sink<'_>,
) -> Result<(TokenizeReport, bool)> {
    let mut source = Source {
        settings,
        wanted,
        report: TokenizeReport::default(),
        text: None,
        records: RecordCutter::new(settings.shard_bytes.0 as usize),
        namespaces: Arc::new(Namespaces::new(std::iter::empty())),
        sink,
        taken: Taken::default(),
        told,
        told_of_file: 0,
    };
    for (number, file) in files.iter().enumerate() {
        if !source.file(number, file)? {
            return Ok((source.report, false));
        }
        if file.changed() {
            return Err(Error::Format {
                path: file.path.clone(),
                problem: "has changed while it was read; run again".to_owned(),
            });
        }
        source.tell(file.bytes);
        source.taken.store(0, Ordering::Relaxed);
        source.told_of_file = 0;
    }
    let whole = source.end_segments()?;
    Ok((source.report, whole))
}

struct Source<'s, 'f> {
    settings: &'s TokenizeSettings,
    wanted: &'s Wanted,
    report: TokenizeReport,
    /// Of files that are cut as text, of this format.
    text: Option<(Format, Cutter)>,
    /// Of others.
    records: RecordCutter,
    namespaces: Arc<Namespaces>,
    sink: &'s mut Sink<'f>,
    /// Bytes that were read of the file at hand.
    taken: Taken,
    told: &'s mut dyn FnMut(u64),
    told_of_file: u64,
}

impl Source<'_, '_> {
    /// Gives a segment away; returns whether more are wanted. What was read of the file up to then is
    /// told, but not more than it has.
    fn give(&mut self, segment: Segment, file: &CorpusFile) -> Result<bool> {
        self.tell(self.taken.load(Ordering::Relaxed).min(file.bytes));
        (self.sink)(segment, &self.namespaces)
    }

    /// Tells that so many bytes of the file at hand were read.
    fn tell(&mut self, bytes: u64) {
        (self.told)(bytes.saturating_sub(self.told_of_file));
        self.told_of_file = self.told_of_file.max(bytes);
    }

    /// Ends the segment at hand: what comes is of another form.
    fn end_segments(&mut self) -> Result<bool> {
        if let Some((_, mut cutter)) = self.text.take() {
            while let Some(segment) = cutter.finish() {
                if !(self.sink)(segment, &self.namespaces)? {
                    return Ok(false);
                }
            }
            self.records.begin(cutter.number());
        }
        while let Some(segment) = self.records.finish() {
            if !(self.sink)(segment, &self.namespaces)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn file(&mut self, number: usize, file: &CorpusFile) -> Result<bool> {
        self.report.files += 1;
        let going_on = match (&self.text, file.format) {
            (Some((before, _)), now) => *before == now,
            (None, Format::Csv | Format::Tsv | Format::Parquet) => true,
            // Every dump has namespaces of its own.
            (None, _) => false,
        };
        if !going_on && !self.end_segments()? {
            return Ok(false);
        }
        match file.format {
            Format::Auto | Format::Text | Format::JsonLines => self.cut_text(number, file),
            _ => self.read_records(file),
        }
    }

    fn cut_text(&mut self, number: usize, file: &CorpusFile) -> Result<bool> {
        if file.format == Format::Text && !self.settings.filter.is_empty() {
            return Err(Error::Format {
                path: file.path.clone(),
                problem:
                    "is plain text, which has no fields to filter by; take it out of input, or \
                          say what it is with format"
                        .to_owned(),
            });
        }
        let encoding = self.settings.encoding_other_than_utf_8();
        let (text, mark) = reader::open(&file.path, encoding, &self.taken)?;
        self.report.byte_order_marks += u64::from(mark);
        let target = self.settings.shard_bytes.0 as usize;
        let cut = match file.format {
            Format::JsonLines => Cut {
                form: Form::JsonLines,
                documents: Documents::Lines,
                target,
                whole: Some(MOST_BYTES.max(2 * target)),
            },
            _ => Cut {
                form: Form::Text,
                documents: self.settings.documents_of(Format::Text),
                target,
                whole: None,
            },
        };
        let next = self.records.number();
        let open = self.text.take();
        let (_, mut cutter) = open.unwrap_or_else(|| (file.format, Cutter::new(cut, next)));
        cutter.begin_file(number);
        let mut counted = Counted { inner: text, bytes: 0 };
        while let Some(segment) = cutter
            .next_segment(&mut counted)
            .map_err(|source| Error::Read { path: file.path.clone(), source })?
        {
            if !self.give(segment, file)? {
                return Ok(false);
            }
        }
        cutter.end_file();
        self.text = Some((file.format, cutter));
        self.report.bytes += counted.bytes;
        self.report.empty_files += u64::from(counted.bytes == 0);
        Ok(true)
    }

    fn read_records(&mut self, file: &CorpusFile) -> Result<bool> {
        let (settings, wanted) = (self.settings, self.wanted);
        if file.bytes == 0 && file.path != Path::new("-") {
            self.report.empty_files += 1;
            return Ok(true);
        }
        let mut counts = RecordCounts::default();
        let taken = self.taken.clone();
        let mut open = || -> Result<_> {
            let (text, mark) =
                reader::open(&file.path, settings.encoding_other_than_utf_8(), &taken)?;
            self.report.byte_order_marks += u64::from(mark);
            Ok(text)
        };
        let going_on = match file.format {
            Format::Parquet => {
                let mut rows = ParquetRows::new(&file.path, wanted)?;
                self.take_all(&mut rows, &mut counts, file)?
            }
            Format::Mediawiki => {
                // Those of the dump before are not this one's.
                self.namespaces = Arc::new(Namespaces::new(std::iter::empty()));
                let mut pages = Pages::new(&file.path, open()?, wanted)?;
                self.take_all(&mut pages, &mut counts, file)?
            }
            format => {
                let tabs = format == Format::Tsv;
                let mut rows = Rows::new(&file.path, open()?, tabs, wanted, settings)?;
                self.take_all(&mut rows, &mut counts, file)?
            }
        };
        let report = &mut self.report;
        report.records += counts.without_text + counts.filtered + counts.bad;
        report.records_without_text += counts.without_text;
        report.records_filtered += counts.filtered;
        report.bad_records += counts.bad;
        report.not_articles += counts.not_articles;
        report.invalid_utf8_replaced += counts.invalid_utf8;
        report.bytes += counts.bytes;
        Ok(going_on)
    }

    fn take_all(
        &mut self,
        source: &mut dyn Records,
        counts: &mut RecordCounts,
        file: &CorpusFile,
    ) -> Result<bool> {
        while source.next(&mut self.records, counts)? {
            if let Some(names) = source.namespaces() {
                self.namespaces = Arc::new(Namespaces::new(names.into_iter()));
            }
            while let Some(segment) = self.records.full() {
                if !self.give(segment, file)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// Counts the bytes that pass.
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: std::io::Read> std::io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}
