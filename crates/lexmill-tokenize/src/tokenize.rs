//! Stage `tokenize`: reads corpus files, writes token shards.
//!
//! | folder | table | one file per shard |
//! | --- | --- | --- |
//! | `shards/` | [`lexmill_store::table::tokens`] | the tokens, document by document |
//! | `words/` | [`lexmill_store::table::vocabulary`] | the shard's words with their counts, sorted |
//! | `documents/` | `row`, and the fields of `metadata` | of documents that begin here, if fields are kept |
//!
//! `report.parquet` holds the report's counts. One thread reads the corpus and cuts it into segments of whole documents; workers turn a segment
//! into a shard each. Which text makes a shard depends on the corpus and `shard_bytes` alone. A shard
//! is named by the content of the files it comes from, so a run that was cut off, or a corpus that
//! has grown, makes only the shards that are not there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use lexmill_store::table::vocabulary::WordsReader;
use lexmill_store::table::{Column, ColumnType, TableWriter, write_table};
use lexmill_store::{
    Error as StoreError, Event, FileEntry, Manifest, Progress, Resources, StageKey, StageWriter,
    UnitRecord,
};
use serde_json::{Value, json};

use crate::cut::Segment;
use crate::distinct::Distinct;
use crate::input::{Corpus, CorpusFile, Group};
use crate::records::Wanted;
use crate::report::TokenizeReport;
use crate::segment::Segmenter;
use crate::settings::{ROW, TokenizeSettings};
use crate::shards::{shard_file, shard_unit, write_shard};
use crate::source::read_group;
use crate::wikitext::Namespaces;
use crate::worker::{Made, Work, Worker};
use crate::{Error, Result};

/// The stage's kind.
pub const KIND: &str = "tokenize";
/// Raised when the same settings and corpus give other bytes.
pub const VERSION: u32 = 3;

/// Folder of the token tables.
pub const SHARDS: &str = "shards";
/// Folder of the tables of words.
pub const WORDS: &str = "words";
/// Folder of the tables of fields kept.
pub const DOCUMENTS: &str = "documents";
/// The report as a table.
pub const REPORT_TABLE: &str = "report.parquet";

/// What the stage's result depends on.
pub fn key(settings: &TokenizeSettings, corpus: &Corpus) -> StageKey {
    // Where the files lie does not matter, only what is in them.
    let mut settings = serde_json::to_value(settings).expect("plain data");
    if let Value::Object(fields) = &mut settings {
        fields.remove("input");
        for (setting, hash) in &corpus.models {
            fields.insert(setting.clone(), hash.clone().into());
        }
        if fields.get("sample") == Some(&Value::from(1.0)) {
            // Nothing is drawn.
            fields.remove("seed");
        }
    }
    StageKey {
        stage: KIND.to_owned(),
        version: VERSION,
        settings,
        inputs: BTreeMap::from([("corpus".to_owned(), corpus.fingerprint())]),
    }
}

/// What a stage directory's shards depend on, whatever other files the corpus has: as hash.
pub fn purpose(key: &StageKey) -> String {
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
    wanted: Wanted,
    segmenter: Segmenter,
    corpus: &'a Corpus,
    stage: &'a StageWriter,
    progress: &'a Progress,
    stop: AtomicBool,
    open: Mutex<BTreeMap<String, Open>>,
    types: Mutex<Distinct>,
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
    let stage = StageWriter::begin(output, &purpose, resources.threads, progress)?;
    // One that is damaged has nothing to take over.
    let previous = Manifest::read(output).ok().flatten();
    let previous = previous.filter(|old| !live && self::purpose(&old.key) == purpose);
    let groups = corpus.groups(settings.shard_bytes.0);
    progress.begin("bytes", if live { 0 } else { corpus.bytes() });
    let job = Job {
        settings,
        wanted: Wanted::new(settings),
        segmenter: Segmenter::new(settings)?,
        corpus,
        stage: &stage,
        progress,
        stop: AtomicBool::new(false),
        open: Mutex::default(),
        types: Mutex::default(),
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
    let before = job.words_of_shards(&groups);
    for file in &before {
        let mut types = job.types.lock().expect("no holder panics");
        let mut words = WordsReader::open(&stage.path(&file.path))?;
        while let Some((word, _)) = words.next_word()? {
            types.add(word.as_bytes());
        }
    }
    job.make(&todo, workers(settings, resources))?;

    let types = job.types.into_inner().expect("no holder panics").estimate();
    let records = job.shards.into_inner().expect("no holder panics");
    let mut report = TokenizeReport::default();
    let (mut shards, mut words, mut documents) = (Vec::new(), Vec::new(), Vec::new());
    let mut units = BTreeMap::new();
    let sentences = (!settings.sentences.is_empty()).then_some(SENTENCES);
    for group in sentences.into_iter().chain(groups.iter().map(|group| group.key.as_str())) {
        let unit = &records[&group_unit(group)];
        report.add(&from_value(&unit.report["report"]));
        let segments = unit.report["segments"].as_u64().unwrap_or(0) as usize;
        for number in 0..segments {
            let record = &records[&shard_unit(&shard_name(group, number))];
            shards.extend(record.files.first().cloned());
            words.extend(record.files.get(1).cloned());
            documents.extend(record.files.get(2).cloned());
            units.insert(record.unit.clone(), record.report.clone());
            report.add(&from_value(&record.report));
        }
        units.insert(unit.unit.clone(), unit.report.clone());
    }
    report.types = types;
    if report.tokens == 0 && report.records > 0 && report.records == report.records_without_text {
        let found = match report.other_fields.as_str() {
            "" => String::new(),
            fields => format!("; the first has {fields}"),
        };
        let (field, records) = (settings.field.clone(), report.records);
        return Err(Error::NoField { field, records, found });
    }
    if report.tokens == 0 {
        let left_out = [
            (report.records_filtered, "left out by the filter"),
            (report.records_without_text, "without text"),
            (report.bad_records, "that can't be read"),
            (report.not_articles, "that are no articles"),
            (report.sampled_out, "not in the sample"),
        ];
        let left_out = left_out.iter().filter(|(count, _)| *count > 0);
        let left_out = left_out.map(|(count, what)| format!("; {count} {what}")).collect();
        return Err(Error::NoTokens { documents: report.empty_documents, left_out });
    }
    for notice in report.notices() {
        progress.report(Event::Notice(notice));
    }
    if live {
        let content: String = shards.iter().map(|file: &FileEntry| file.blake3.as_str()).collect();
        let hash = blake3::hash(content.as_bytes()).to_hex().to_string();
        key.inputs.insert("corpus".to_owned(), format!("standard input {hash}"));
    }
    shards.append(&mut words);
    shards.append(&mut documents);
    shards.push(write_report(&stage, &report)?);
    let report = serde_json::to_value(&report).expect("plain data");
    Ok(stage.finish(key, shards, units, report)?)
}

/// The report as a table of names and counts.
fn write_report(stage: &StageWriter, report: &TokenizeReport) -> Result<FileEntry> {
    let rows = report.rows();
    let names = Column::text(rows.iter().map(|(name, _)| name.as_str()));
    let counts = Column::u64(rows.iter().map(|(_, count)| *count).collect());
    let columns = vec![("name", names), ("count", counts)];
    Ok(write_table(&stage.path(REPORT_TABLE), REPORT_TABLE, columns, &json!({}))?)
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
    /// The tables of words of shards of the corpus that are there already.
    fn words_of_shards(&self, groups: &[Group]) -> Vec<FileEntry> {
        let shards = self.shards.lock().expect("no holder panics");
        let of_group = |group: &Group| {
            let prefix = shard_unit(&format!("{}-", group.key));
            let after = shards.range(prefix.clone()..);
            let of_it = after.take_while(move |(name, _)| name.starts_with(&prefix));
            of_it.filter_map(|(_, unit)| unit.files.get(1).cloned()).collect::<Vec<_>>()
        };
        groups.iter().flat_map(of_group).collect()
    }

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
            let mut names = vec![shard_file(SHARDS, &name), shard_file(WORDS, &name)];
            if !self.settings.metadata.is_empty() {
                names.push(shard_file(DOCUMENTS, &name));
            }
            let files: Vec<FileEntry> = names
                .iter()
                .filter_map(|name| previous.files.iter().find(|file| file.path == *name).cloned())
                .collect();
            let Some(report) = previous.units.get(&unit).filter(|_| files.len() == names.len())
            else {
                return Ok(false);
            };
            records.push(UnitRecord { unit, files, report: report.clone() });
        }
        for file in records.iter().flat_map(|record| &record.files) {
            match self.stage.adopt(from, file) {
                Ok(()) => {}
                Err(StoreError::Damaged { path, problem, .. }) => {
                    let notice = format!("{path:?} is damaged: {problem}; it is made again");
                    self.progress.report(Event::Notice(notice));
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let mut shards = self.shards.lock().expect("no holder panics");
        shards.extend(records.into_iter().map(|record| (record.unit.clone(), record)));
        Ok(true)
    }

    /// Cuts and tokenizes groups of files.
    fn make(&self, groups: &[&Group], workers: usize) -> Result<()> {
        // Bounded: the reader waits here while every worker has a segment in hand and one waits.
        let (sender, receiver) = crossbeam_channel::bounded::<(&str, Work<'_>)>(1);
        std::thread::scope(|scope| {
            let mut handles = Vec::new();
            for _ in 0..workers {
                let receiver = receiver.clone();
                handles.push(scope.spawn(move || {
                    let mut worker = self.worker();
                    for (group, mut work) in &receiver {
                        let number = work.segment.number;
                        let mut made = worker.add(&mut work);
                        drop(work);
                        if made.is_ok() {
                            made = self.write(&mut worker, group, number);
                        }
                        if made.is_err() {
                            self.stop.store(true, Ordering::Relaxed);
                            return made;
                        }
                        self.segment_done(group)?;
                        if self.progress.is_to_stop() {
                            self.stop.store(true, Ordering::Relaxed);
                            break;
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
            made.and(read)?;
            // Without an error, nobody stopped but who was asked to; then not all need be done.
            match self.stop.load(Ordering::Relaxed) {
                true => Ok(self.progress.go_on()?),
                false => Ok(()),
            }
        })
    }

    fn worker(&self) -> Worker<'_> {
        Worker::new(self.settings, &self.wanted, self.segmenter.clone())
    }

    fn cut<'g>(
        &'g self,
        group: &'g Group,
        sender: &crossbeam_channel::Sender<(&'g str, Work<'g>)>,
    ) -> Result<()> {
        let files: &'g [CorpusFile] = &self.corpus.files[group.files.clone()];
        let mut segments = 0;
        let mut sink = |segment: Segment, namespaces: &Arc<Namespaces>| {
            segments += 1;
            let done =
                self.stage.unit(&shard_unit(&shard_name(&group.key, segment.number))).is_some();
            if done {
                self.segment_done(&group.key)?;
            } else {
                let work =
                    Work { segment, files, group: group.number(), namespaces: namespaces.clone() };
                // Fails when all workers have stopped, which they do on an error of theirs.
                if sender.send((&group.key, work)).is_err() {
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            Ok(!self.stop.load(Ordering::Relaxed))
        };
        let mut told = |bytes| self.progress.advance(bytes);
        let (report, whole) = read_group(self.settings, &self.wanted, files, &mut told, &mut sink)?;
        if !whole {
            // Whoever stopped it has an error to tell.
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
        let mut worker = self.worker();
        self.settings.sentences.iter().for_each(|sentence| worker.sentence(sentence));
        self.write(&mut worker, SENTENCES, 0)?;
        let report = json!({ "segments": 1, "report": TokenizeReport::default() });
        self.note(UnitRecord { unit: group_unit(SENTENCES), files: Vec::new(), report })
    }

    /// Writes the tables of a shard.
    fn write(&self, worker: &mut Worker<'_>, group: &str, number: usize) -> Result<()> {
        worker.count_scripts();
        let shard = shard_name(group, number);
        let Made { words, tokens, rows, kept, report, .. } = &worker.made;
        let mut files = write_shard(self.stage, &shard, words, tokens)?;
        if !kept.is_empty() {
            let file = shard_file(DOCUMENTS, &shard);
            let mut columns = vec![(ROW, ColumnType::U64)];
            columns.extend(self.settings.metadata.iter().map(|n| (n.as_str(), ColumnType::Text)));
            let mut table = TableWriter::create(&self.stage.path(&file), &columns, &json!({}))?;
            let mut values = vec![Column::u64(rows.clone())];
            values
                .extend(kept.iter().map(|column| Column::text(column.iter().map(String::as_str))));
            table.write(values)?;
            files.push(table.finish(&file)?);
        }
        let mut types = Distinct::default();
        (0..words.len() as u32).for_each(|id| types.add(words.bytes(id)));
        self.types.lock().expect("no holder panics").merge(&types);
        let report = serde_json::to_value(report).expect("plain data");
        worker.clear();
        self.note(UnitRecord { unit: shard_unit(&shard), files, report })
    }
}
