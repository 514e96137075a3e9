//! Text to token shards: speed beside Hugging Face's tokenizers and jieba, compressed input, memory on
//! text of many languages, and the same bytes always.
//!
//! Bars: Unicode words and lower case ≥ 100 MB a CPU second and ≥ 5 times the whitespace
//! pre-tokenizer; Chinese ≥ 10 times jieba, with F1 ≥ 0.99 against its words; zstd and gzip at ≥ 0.6 of
//! plain text's speed; all languages, repeated to 3 GB, < 1 GiB at 2 threads; identical shards.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::{AtomicFile, ByteSize};
use lexmill_vocab::Interner;

use super::identity::{Killing, differences, verdict};
use crate::child;
use crate::corpus::{self, Text};
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, bar, mebibytes, say, seconds, thousands, times};
use crate::word2vec::TOKENS;

/// The threads that bytes are compared for.
const THREADS: [u32; 3] = [1, 2, 8];
const PEAK_BYTES: u64 = 1 << 30;
/// Bytes of Chinese that jieba is given: it takes minutes for all.
const CHINESE_BYTES: usize = 10 << 20;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// A Python with the packages tokenizers and jieba
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
    /// All languages are repeated to this length
    #[arg(long, value_name = "BYTES", default_value = "3GB")]
    largest: ByteSize,
    /// How often to kill
    #[arg(long, value_name = "N", default_value_t = 20)]
    kills: u32,
    /// Only these
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "speed,chinese,compressed,memory,identity"
    )]
    parts: Vec<Part>,
}

/// A part of the bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Unicode words and lower case
    Speed,
    /// Chinese beside jieba
    Chinese,
    /// zstd and gzip beside plain text
    Compressed,
    /// Peak memory on all languages
    Memory,
    /// Threads and kills
    Identity,
}

impl Options {
    /// As the command line has it.
    pub(crate) fn flags(&self) -> String {
        let python = if self.python.is_some() { " --python PYTHON" } else { "" };
        let parts = self.parts.iter().filter_map(clap::ValueEnum::to_possible_value);
        let parts: Vec<String> = parts.map(|part| part.get_name().to_owned()).collect();
        let parts = parts.join(",");
        format!("{python} --parts {parts} --largest {} --kills {}", self.largest.0, self.kills)
    }
}

/// Measures it.
pub(crate) fn measure(lab: &Lab, options: &Options) -> Result<Report> {
    let mut report = Report::new();
    for &part in &options.parts {
        match part {
            Part::Speed => speed(lab, options, &mut report)?,
            Part::Chinese => chinese(lab, options, &mut report)?,
            Part::Compressed => compressed(lab, &mut report)?,
            Part::Memory => memory(lab, options, &mut report)?,
            Part::Identity => identity(lab, options, &mut report)?,
        }
    }
    Ok(report)
}

/// The median of a figure over runs, each with nothing done before.
fn median(job: &Job, runs: u32, figure: fn(&child::Cost) -> f64) -> Result<f64> {
    let mut found = Vec::new();
    for _ in 0..runs {
        job.clear()?;
        found.push(figure(&job.run()?));
    }
    job.clear()?;
    found.sort_by(f64::total_cmp);
    Ok(found[found.len() / 2])
}

/// CPU seconds that a peer takes for a text.
fn peer(python: &Path, peer: &str, text: &Path, save: Option<&Path>) -> Result<f64> {
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/cut_words.py"));
    command.args(["--peer", peer, "--text"]).arg(text);
    if let Some(save) = save {
        command.arg("--save").arg(save);
    }
    let output = command.output().with_context(|| format!("can't run {}", python.display()))?;
    if !output.status.success() {
        bail!("{peer}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let found: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    found["cpu"].as_f64().context("the peer's script says no CPU time")
}

fn megabytes_a_second(bytes: u64, cpu: f64) -> String {
    format!("{:.1} MB/s", bytes as f64 / cpu / 1e6)
}

fn speed(lab: &Lab, options: &Options, report: &mut Report) -> Result<()> {
    let text = corpus::unpacked(lab, "corpora/en-wiki.txt.zst")?;
    let job = Job::tokens(lab, &text, "tokenize").threads(1);
    let cpu = median(&job, lab.runs(3), child::Cost::cpu)?;
    let rate = text.bytes as f64 / cpu / 1e6;
    let name = format!("English, {} B: unicode-words, lower case, 1 thread", thousands(text.bytes));
    report.fact(&name, megabytes_a_second(text.bytes, cpu), bar("≥ 100 MB/s", rate >= 100.0));
    say(&format!("English: {} CPU", seconds(cpu)));
    if let Some(python) = &options.python {
        let theirs = peer(python, "whitespace", Path::new(&text.pattern), None)?;
        let name = "Hugging Face's whitespace pre-tokenizer (in Python)";
        report.fact(name, megabytes_a_second(text.bytes, theirs), String::new());
        let ratio = theirs / cpu;
        report.fact("CPU / Lexmill's", times(ratio), bar("≥ 5 ×", ratio >= 5.0));
    }
    Ok(())
}

fn chinese(lab: &Lab, options: &Options, report: &mut Report) -> Result<()> {
    let whole = corpus::unpacked(lab, "corpora/zh-wiki.txt.zst")?;
    let job = |text: &Text| {
        Job::tokens(lab, text, "tokenize")
            .threads(1)
            .set("stages.tokens.segmenter", "chinese")
            .set("stages.tokens.documents", "lines")
            .set("stages.tokens.lowercase", "false")
            .set("stages.tokens.normalization", "none")
    };
    let cpu = median(&job(&whole), lab.runs(3), child::Cost::cpu)?;
    let name = format!("Chinese, {} B: jieba's words, 1 thread", thousands(whole.bytes));
    report.fact(&name, megabytes_a_second(whole.bytes, cpu), String::new());
    say(&format!("Chinese: {} CPU", seconds(cpu)));
    let Some(python) = &options.python else { return Ok(()) };
    let part = corpus::head(lab, &whole, CHINESE_BYTES)?;
    let saved = lab.work("jieba.txt");
    let theirs = peer(python, "jieba", Path::new(&part.pattern), None)? / part.bytes as f64;
    let name = format!("jieba in Python, {} B", thousands(part.bytes));
    report.fact(&name, format!("{:.2} MB/s", 1e-6 / theirs), String::new());
    let ratio = theirs * whole.bytes as f64 / cpu;
    report.fact("CPU a byte / Lexmill's", times(ratio), bar("≥ 10 ×", ratio >= 10.0));

    peer(python, "jieba", Path::new(&part.pattern), Some(&saved))?;
    let job = job(&part);
    job.clear()?;
    job.run()?;
    let ours = documents(&job)?;
    job.clear()?;
    let text = std::fs::read_to_string(&part.pattern)?;
    let theirs = std::fs::read_to_string(&saved)?;
    let f1 = f1(&text, &ours, &theirs)?;
    report.fact("F1 of words against jieba's", format!("{f1:.5}"), bar("≥ 0.99", f1 >= 0.99));
    std::fs::remove_file(&saved).context("removing jieba's words")
}

/// The tokens of a finished job, document by document.
fn documents(job: &Job) -> Result<Vec<Vec<String>>> {
    let mut documents = Vec::new();
    for file in job.manifest(TOKENS)?.entries("shards") {
        let (mut words, mut tokens) = (Interner::new(), Tokens::default());
        let path = job.directory().join(TOKENS).join(&file.path);
        read_token_shard(&path, |word| words.intern(word), &mut tokens)?;
        let word = |&id: &u32| words.word(id).to_owned();
        documents.extend(tokens.rows().map(|(_, ids)| ids.iter().map(word).collect()));
    }
    Ok(documents)
}

/// F1 of the words of two segmentations of a text, line by line: a word is right if the other has one
/// that begins and ends at the same places. Lines without words have no document.
fn f1(text: &str, ours: &[Vec<String>], theirs: &str) -> Result<f64> {
    fn spans<'w>(
        line: &str,
        words: impl Iterator<Item = &'w str>,
    ) -> Result<std::collections::BTreeSet<(usize, usize)>> {
        let mut from = 0;
        words
            .map(|word| {
                let place = line[from..].find(word).with_context(|| {
                    format!("{word:?} is not in its line {line:?} where it should be")
                })?;
                let start = from + place;
                from = start + word.len();
                Ok((start, from))
            })
            .collect()
    }
    let mut documents = ours.iter();
    let (mut common, mut all) = (0, 0);
    for (line, theirs) in text.lines().zip(theirs.lines()) {
        let theirs = spans(line, theirs.split('\t').filter(|word| !word.is_empty()))?;
        if theirs.is_empty() {
            continue;
        }
        let ours = documents.next().context("Lexmill has fewer documents than there are lines")?;
        let ours = spans(line, ours.iter().map(String::as_str))?;
        common += ours.intersection(&theirs).count();
        all += ours.len() + theirs.len();
    }
    Ok(2.0 * common as f64 / all as f64)
}

fn compressed(lab: &Lab, report: &mut Report) -> Result<()> {
    let plain = corpus::unpacked(lab, "corpora/en-wiki.txt.zst")?;
    let mut files = vec![("plain", plain.clone())];
    for (name, program, flags) in [
        ("zstd", "zstd", &["-q", "-c", "-3"][..]),
        ("gzip", "gzip", &["-c", "-6"]),
        ("bzip2", "bzip2", &["-c"]),
        ("xz", "xz", &["-c", "-1"]),
    ] {
        let target = lab.work(&format!("text/english.{name}"));
        if !target.is_file() {
            say(&format!("makes {}", target.display()));
            let output = Command::new(program).args(flags).arg(&plain.pattern).output();
            let Some(output) = output.ok().filter(|output| output.status.success()) else {
                report.note(format!("There is no {program} here."));
                continue;
            };
            let mut file = AtomicFile::create(&target)?;
            file.write_all(&output.stdout)?;
            file.commit("", 0)?;
        }
        let pattern = target.to_string_lossy().into_owned();
        files.push((name, Text { pattern, bytes: plain.bytes }));
    }
    let mut first = None;
    for (name, text) in files {
        let job = Job::tokens(lab, &text, "tokenize");
        let cpu = median(&job.clone().threads(1), lab.runs(3), child::Cost::cpu)?;
        let wall = median(&job.threads(2), lab.runs(3), |cost| cost.wall)?;
        let &mut (cpu_plain, wall_plain) = first.get_or_insert((cpu, wall));
        let ratios = (cpu_plain / cpu, wall_plain / wall);
        say(&format!("{name}: {} CPU, {} wall", seconds(cpu), seconds(wall)));
        let verdict = match name {
            "zstd" | "gzip" => bar("≥ 0.6 × by CPU", ratios.0 >= 0.6),
            _ => String::new(),
        };
        report.fact(
            &format!("English from {name}: speed / plain's, CPU at 1 thread; wall at 2"),
            format!("{:.2} ×; {:.2} ×", ratios.0, ratios.1),
            verdict,
        );
    }
    Ok(())
}

fn many(lab: &Lab, text: &Text, directory: &str) -> Job {
    Job::tokens(lab, text, directory).set("stages.tokens.segmenter", "auto")
}

fn memory(lab: &Lab, options: &Options, report: &mut Report) -> Result<()> {
    let text = corpus::languages(lab, options.largest.0)?;
    let job = many(lab, &text, "tokenize-memory").threads(2);
    job.clear()?;
    let cost = job.run()?;
    let name =
        format!("all languages, {} B, by script, 2 threads: peak memory", thousands(text.bytes));
    let met = bar("< 1024 MiB", cost.peak_bytes < PEAK_BYTES);
    report.fact(&name, mebibytes(cost.peak_bytes as f64), met);
    report.fact("its speed", megabytes_a_second(text.bytes, cost.cpu()), String::new());
    report.fact("its tokens", thousands(job.reported(TOKENS, "tokens")?), String::new());
    job.clear()
}

fn identity(lab: &Lab, options: &Options, report: &mut Report) -> Result<()> {
    let text = corpus::languages(lab, 0)?;
    let job = many(lab, &text, "tokenize-identity")
        .set("stages.tokens.clean", r#"["strip-html","urls","numbers","repeated-lines"]"#)
        .set("stages.tokens.sample", 0.5);
    let mut first = None;
    let mut wrong = Vec::new();
    for threads in THREADS {
        job.clear()?;
        let cost = job.clone().threads(threads).run()?;
        let tables = job.tables()?;
        let (expected, _) = first.get_or_insert_with(|| (tables.clone(), cost.wall));
        let differ = differences(expected, &tables);
        say(&format!("{threads} threads: {} of {} files differ", differ.len(), tables.len()));
        wrong.extend(differ.first().map(|file| format!("{threads} threads: {file}")));
    }
    let Some((expected, whole)) = first else { return Ok(()) };
    let name = format!("all languages once, threads 1, 2, 8; {} files", expected.len());
    report.fact(&name, verdict(&wrong), bar("identical", wrong.is_empty()));
    job.clear()?;
    let clear = || job.clear();
    let killing =
        Killing { job: &job, expected: &expected, longest: whole * 0.5, seed: 1, clear: &clear };
    let outcome = killing.run(options.kills)?;
    let name = format!("{} kills, {} runs to the end", options.kills, outcome.ends);
    report.fact(&name, verdict(&outcome.wrong), bar("identical", outcome.wrong.is_empty()));
    job.clear()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_of_words() {
        let ours = [vec!["ab".to_owned(), "c".to_owned()], vec!["d".to_owned()]];
        assert_eq!(f1("ab, c\n--\nd\n", &ours, "ab\tc\n\nd\n").unwrap(), 1.0);
        // Of four words one is common.
        let found = f1("abc\n", &[vec!["a".to_owned(), "bc".to_owned()]], "a\tb\tc\n").unwrap();
        assert!((found - 2.0 / 5.0).abs() < 1e-12);
        assert!(f1("abc\n", &[vec!["x".to_owned()]], "a\n").is_err());
    }
}
