//! Stage `tokenize`: reads corpus files, writes token shards.
//!
//! | folder | table | one file per shard |
//! | --- | --- | --- |
//! | `shards/` | [`lexmill_store::table::tokens`] | the tokens, document by document |
//! | `words/` | [`lexmill_store::table::vocabulary`] | the shard's words with their counts, sorted |
//!
//! One thread reads the corpus and cuts it into segments of whole documents; workers turn a segment
//! into a shard each. Which text makes a shard depends on the corpus and `shard_bytes` alone. A shard
//! is named by the content of the files it comes from, so a run that was cut off, or a corpus that
//! has grown, makes only the shards that are not there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use lexmill_store::table::tokens::Tokens;
use lexmill_store::{FileEntry, Manifest, Progress, Resources, StageKey, StageWriter, UnitRecord};
use lexmill_vocab::Interner;
use memchr::{memchr, memchr_iter, memmem};
use serde_json::{Value, json};

use crate::cut::{Cutter, Segment};
use crate::input::{Corpus, Group};
use crate::report::TokenizeReport;
use crate::segment::Segmenter;
use crate::settings::{InvalidUtf8, TokenizeSettings};
use crate::shards::{shard_file, shard_unit, write_shard};
use crate::{Error, Result, reader};

/// The stage's kind.
pub const KIND: &str = "tokenize";
/// Raised when the same settings and corpus give other bytes.
pub const VERSION: u32 = 2;

/// Folder of the token tables.
pub const SHARDS: &str = "shards";
/// Folder of the tables of words.
pub const WORDS: &str = "words";

/// What the stage's result depends on.
pub fn key(settings: &TokenizeSettings, corpus: &Corpus) -> StageKey {
    // Where the files lie does not matter, only what is in them.
    let mut settings = serde_json::to_value(settings).expect("plain data");
    if let Value::Object(fields) = &mut settings {
        fields.remove("input");
    }
    StageKey {
        stage: KIND.to_owned(),
        version: VERSION,
        settings,
        inputs: BTreeMap::from([("corpus".to_owned(), corpus.fingerprint())]),
    }
}

/// What can be said of a stage directory's shards without their corpus.
fn purpose(key: &StageKey) -> String {
    StageKey { inputs: BTreeMap::new(), ..key.clone() }.hash()
}

/// Work on one group of files that is under way.
#[derive(Default)]
struct Open {
    /// Segments cut, once all are.
    segments: Option<usize>,
    done: usize,
    report: TokenizeReport,
}

struct Job<'a> {
    settings: &'a TokenizeSettings,
    corpus: &'a Corpus,
    stage: &'a StageWriter,
    progress: &'a Progress,
    stop: AtomicBool,
    open: Mutex<BTreeMap<String, Open>>,
    shards: Mutex<BTreeMap<String, UnitRecord>>,
}

/// Runs the stage.
///
/// # Errors
/// If a corpus file can't be read or is not text, or the disk refuses. Shards done stay for the next
/// run.
pub fn run(
    settings: &TokenizeSettings,
    corpus: &Corpus,
    output: &Path,
    resources: &Resources,
    progress: &Progress,
) -> Result<Manifest> {
    let mut key = key(settings, corpus);
    let live = corpus.has_standard_input();
    let purpose = match live {
        // What comes by standard input can't be compared with what came before: never go on with it.
        true => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("{}-{}-{}", purpose(&key), std::process::id(), now.as_nanos())
        }
        false => purpose(&key),
    };
    let stage = StageWriter::begin(output, &purpose)?;
    let previous = Manifest::read(output)?
        .filter(|old| !live && self::purpose(&old.key) == purpose && old.missing(output).is_none());
    let groups = corpus.groups(settings.shard_bytes.0);
    progress.begin("bytes", if live { 0 } else { corpus.bytes() });
    let job = Job {
        settings,
        corpus,
        stage: &stage,
        progress,
        stop: AtomicBool::new(false),
        open: Mutex::default(),
        shards: Mutex::new(stage.units().map(|unit| (unit.unit.clone(), unit.clone())).collect()),
    };
    if !settings.sentences.is_empty() {
        job.inline_sentences()?;
    }
    let mut todo = Vec::new();
    for group in &groups {
        let bytes: u64 = corpus.files[group.files.clone()].iter().map(|file| file.bytes).sum();
        let taken_over = match &previous {
            Some(previous) => job.take_over(previous, output, group)?,
            None => false,
        };
        if taken_over || stage.unit(&group_unit(&group.key)).is_some() {
            progress.advance(bytes);
        } else {
            todo.push(group);
        }
    }
    job.make(&todo, workers(settings, resources))?;

    let records = job.shards.into_inner().expect("no holder panics");
    let mut report = TokenizeReport::default();
    let (mut shards, mut words, mut units) = (Vec::new(), Vec::new(), BTreeMap::new());
    let sentences = (!settings.sentences.is_empty()).then_some(SENTENCES);
    for group in sentences.into_iter().chain(groups.iter().map(|group| group.key.as_str())) {
        let unit = &records[&group_unit(group)];
        report.add(&from_value(&unit.report["report"]));
        let segments = unit.report["segments"].as_u64().unwrap_or(0) as usize;
        for number in 0..segments {
            let record = &records[&shard_unit(&shard_name(group, number))];
            shards.extend(record.files.first().cloned());
            words.extend(record.files.get(1).cloned());
            units.insert(record.unit.clone(), record.report.clone());
            report.add(&from_value(&record.report));
        }
        units.insert(unit.unit.clone(), unit.report.clone());
    }
    if report.tokens == 0 {
        return Err(Error::NoTokens { documents: report.empty_documents });
    }
    for notice in report.notices() {
        progress.report(lexmill_store::Event::Notice(notice));
    }
    if live {
        let content: String = shards.iter().map(|file: &FileEntry| file.blake3.as_str()).collect();
        let hash = blake3::hash(content.as_bytes()).to_hex().to_string();
        key.inputs.insert("corpus".to_owned(), format!("standard input {hash}"));
    }
    shards.append(&mut words);
    let report = serde_json::to_value(&report).expect("plain data");
    Ok(stage.finish(key, shards, units, report)?)
}

const SENTENCES: &str = "sentences";

fn group_unit(group: &str) -> String {
    format!("group {group}")
}

fn shard_name(group: &str, number: usize) -> String {
    format!("{group}-{number:05}")
}

fn from_value(value: &Value) -> TokenizeReport {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

/// As many workers as there are threads, but no more than memory has room for.
fn workers(settings: &TokenizeSettings, resources: &Resources) -> usize {
    // A segment, its lower-cased text, its ids, and the table being encoded.
    let one = settings.shard_bytes.0 * 6;
    let room = (resources.data_bytes() / one).saturating_sub(1).max(1);
    resources.threads.clamp(1, room as usize)
}

impl Job<'_> {
    /// Takes a group's shards over from an earlier result, if it has all of them.
    fn take_over(&self, previous: &Manifest, from: &Path, group: &Group) -> Result<bool> {
        let name = group_unit(&group.key);
        let Some(report) = previous.units.get(&name) else { return Ok(false) };
        let segments = report["segments"].as_u64().unwrap_or(0) as usize;
        let mut records =
            vec![UnitRecord { unit: name, files: Vec::new(), report: report.clone() }];
        for number in 0..segments {
            let name = shard_name(&group.key, number);
            let unit = shard_unit(&name);
            let names = [shard_file(SHARDS, &name), shard_file(WORDS, &name)];
            let files: Vec<FileEntry> = names
                .iter()
                .filter_map(|name| previous.files.iter().find(|file| file.path == *name).cloned())
                .collect();
            let Some(report) = previous.units.get(&unit).filter(|_| files.len() == 2) else {
                return Ok(false);
            };
            records.push(UnitRecord { unit, files, report: report.clone() });
        }
        for record in &records {
            record.files.iter().try_for_each(|file| self.stage.adopt(from, file))?;
        }
        let mut shards = self.shards.lock().expect("no holder panics");
        shards.extend(records.into_iter().map(|record| (record.unit.clone(), record)));
        Ok(true)
    }

    /// Cuts and tokenizes groups of files.
    fn make(&self, groups: &[&Group], workers: usize) -> Result<()> {
        // Bounded: the reader waits here while every worker has a segment in hand and one waits.
        let (sender, receiver) = crossbeam_channel::bounded::<(String, String, Segment)>(1);
        std::thread::scope(|scope| {
            let mut handles = Vec::new();
            for _ in 0..workers {
                let receiver = receiver.clone();
                handles.push(scope.spawn(move || {
                    let mut worker = Worker::new(self.settings);
                    for (group, place, segment) in &receiver {
                        let made = worker.shard(self, &group, &place, segment);
                        if made.is_err() {
                            self.stop.store(true, Ordering::Relaxed);
                            return made;
                        }
                    }
                    Ok(())
                }));
            }
            drop(receiver);
            let mut read = Ok(());
            for group in groups {
                read = self.cut(group, &sender);
                if read.is_err() || self.stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            drop(sender);
            let mut made = Ok(());
            for handle in handles {
                made = made
                    .and(handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            made.and(read)
        })
    }

    fn cut(
        &self,
        group: &Group,
        sender: &crossbeam_channel::Sender<(String, String, Segment)>,
    ) -> Result<()> {
        let target = self.settings.shard_bytes.0 as usize;
        let mut cutter = Cutter::new(self.settings.documents, target);
        let mut report = TokenizeReport::default();
        let files = &self.corpus.files[group.files.clone()];
        let place = match files {
            [one] => format!("{:?}", one.path),
            [first, .., last] => format!("one of {:?} to {:?}", first.path, last.path),
            [] => String::new(),
        };
        let mut segments = 0;
        let mut send = |segment: Segment| {
            segments += 1;
            let done =
                self.stage.unit(&shard_unit(&shard_name(&group.key, segment.number))).is_some();
            match done {
                true => self.segment_done(&group.key),
                // Fails when all workers have stopped, which they do on an error of theirs.
                false => match sender.send((group.key.clone(), place.clone(), segment)) {
                    Ok(()) => Ok(()),
                    Err(_) => {
                        self.stop.store(true, Ordering::Relaxed);
                        Ok(())
                    }
                },
            }
        };
        for file in files {
            let (mut text, mark) = reader::open(&file.path)?;
            report.files += 1;
            report.byte_order_marks += u64::from(mark);
            let mut counted = Counted { inner: &mut *text, bytes: 0 };
            while let Some(segment) = cutter
                .next_segment(&mut counted)
                .map_err(|source| Error::Read { path: file.path.clone(), source })?
            {
                send(segment)?;
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
            }
            if file.changed() {
                return Err(Error::Format {
                    path: file.path.clone(),
                    problem: "has changed while it was read; run again".to_owned(),
                });
            }
            report.bytes += counted.bytes;
            report.empty_files += u64::from(counted.bytes == 0);
            cutter.end_file();
            self.progress.advance(file.bytes);
        }
        while let Some(segment) = cutter.finish() {
            send(segment)?;
        }
        if self.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        {
            let mut open = self.open.lock().expect("no holder panics");
            let entry = open.entry(group.key.clone()).or_default();
            entry.segments = Some(segments);
            entry.report = report;
        }
        self.close_if_done(&group.key)
    }

    fn segment_done(&self, group: &str) -> Result<()> {
        self.open.lock().expect("no holder panics").entry(group.to_owned()).or_default().done += 1;
        self.close_if_done(group)
    }

    /// Notes that a group is done once the last of its shards is.
    fn close_if_done(&self, group: &str) -> Result<()> {
        let closed = {
            let mut open = self.open.lock().expect("no holder panics");
            match open.get(group) {
                Some(entry) if entry.segments == Some(entry.done) => open.remove(group),
                _ => None,
            }
        };
        match closed {
            None => Ok(()),
            Some(entry) => {
                let report = json!({ "segments": entry.done, "report": entry.report });
                self.note(UnitRecord { unit: group_unit(group), files: Vec::new(), report })
            }
        }
    }

    fn note(&self, record: UnitRecord) -> Result<()> {
        self.stage.record_soon(&record)?;
        self.shards.lock().expect("no holder panics").insert(record.unit.clone(), record);
        Ok(())
    }

    /// The sentences of the settings, as a group of one shard.
    fn inline_sentences(&self) -> Result<()> {
        if self.stage.unit(&group_unit(SENTENCES)).is_some() {
            return Ok(());
        }
        let mut worker = Worker::new(self.settings);
        let mut report = TokenizeReport::default();
        for sentence in &self.settings.sentences {
            worker.tokens.ids.extend(sentence.iter().map(|word| worker.words.intern(word)));
            worker.end_document(0, false, &mut report);
        }
        worker.write(self, SENTENCES, 0, &report)?;
        let report = json!({ "segments": 1, "report": TokenizeReport::default() });
        self.note(UnitRecord { unit: group_unit(SENTENCES), files: Vec::new(), report })
    }
}

/// Counts the bytes that pass.
struct Counted<'a> {
    inner: &'a mut dyn std::io::Read,
    bytes: u64,
}

impl std::io::Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Turns segments into shards.
struct Worker<'a> {
    settings: &'a TokenizeSettings,
    segmenter: Segmenter,
    words: Interner,
    tokens: Tokens,
}

impl<'a> Worker<'a> {
    fn new(settings: &'a TokenizeSettings) -> Worker<'a> {
        Worker {
            settings,
            segmenter: Segmenter::new(settings),
            words: Interner::new(),
            tokens: Tokens::default(),
        }
    }

    fn shard(
        &mut self,
        job: &Job<'_>,
        group: &str,
        place: &str,
        mut segment: Segment,
    ) -> Result<()> {
        let mut report = TokenizeReport {
            documents_continued: u64::from(segment.continued),
            long_runs_cut: u64::from(segment.run_cut),
            ..TokenizeReport::default()
        };
        clean(&mut segment.text, &mut report);
        let valid = std::str::from_utf8(&segment.text).map_err(|e| e.valid_up_to());
        if let (Err(offset), InvalidUtf8::Error) = (valid, self.settings.invalid_utf8) {
            let offset = segment.offset + offset as u64;
            return Err(Error::InvalidUtf8 { place: place.to_owned(), offset });
        }
        for (i, range) in segment.documents(self.settings.documents).enumerate() {
            let part = if i == 0 { segment.first_part } else { 0 };
            let range_end = range.end;
            report.longest_document_bytes = report.longest_document_bytes.max(range.len() as u64);
            match valid {
                // Documents end at line ends or file ends: between characters of valid text.
                Ok(text) => match text.get(range.clone()) {
                    Some(document) => self.document(document, &mut report),
                    None => self.repaired(&segment.text[range], &mut report),
                },
                Err(_) => self.repaired(&segment.text[range], &mut report),
            }
            let goes_on = segment.continued && range_end == segment.text.len();
            self.end_document(part, goes_on, &mut report);
        }
        drop(segment.text);
        self.write(job, group, segment.number, &report)?;
        job.segment_done(group)
    }

    fn document(&mut self, text: &str, report: &mut TokenizeReport) {
        let (words, tokens) = (&mut self.words, &mut self.tokens);
        let longest = self.settings.max_word_bytes;
        self.segmenter.words(text, |word| {
            if word.len() <= longest {
                tokens.ids.push(words.intern(word));
            } else {
                report.words_too_long += 1;
            }
        });
    }

    /// A document that may hold ill-formed UTF-8.
    fn repaired(&mut self, bytes: &[u8], report: &mut TokenizeReport) {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                report.invalid_utf8_replaced += 1;
            }
        }
        self.document(&text, report);
    }

    /// Ends a document, or a part of one that goes on in the next shard.
    fn end_document(&mut self, part: u32, goes_on: bool, report: &mut TokenizeReport) {
        let start = self.tokens.ends.last().copied().unwrap_or(0);
        let tokens = self.tokens.ids.len() - start;
        // Where a document begins is kept even if its first tokens are in the next shard.
        if tokens > 0 || (part == 0 && goes_on) {
            self.tokens.ends.push(self.tokens.ids.len());
            self.tokens.parts.push(part);
            report.tokens += tokens as u64;
            report.documents += u64::from(part == 0);
        } else if part == 0 {
            report.empty_documents += 1;
        }
    }

    fn write(
        &mut self,
        job: &Job<'_>,
        group: &str,
        number: usize,
        report: &TokenizeReport,
    ) -> Result<()> {
        let shard = shard_name(group, number);
        let files = write_shard(job.stage, &shard, &self.words, &self.tokens)?;
        self.words.clear();
        self.tokens.clear();
        job.note(UnitRecord {
            unit: shard_unit(&shard),
            files,
            report: serde_json::to_value(report).expect("plain data"),
        })
    }
}

/// NUL bytes become spaces; carriage returns that stand alone are counted.
fn clean(text: &mut [u8], report: &mut TokenizeReport) {
    if memchr(0, text).is_some() {
        for byte in text.iter_mut().filter(|byte| **byte == 0) {
            *byte = b' ';
            report.nul_bytes += 1;
        }
    }
    let returns = memchr_iter(b'\r', text).count();
    if returns > 0 {
        report.lone_carriage_returns += (returns - memmem::find_iter(text, "\r\n").count()) as u64;
    }
}
