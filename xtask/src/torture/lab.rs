//! The pipeline, where it runs, and what must be true of it afterwards.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lexmill_store::file_hash;
use lexmill_vocab::Random;

/// Every kind of stage, each small.
const PIPELINE: &str = r#"
name = "torture"
seed = 3

[stages.tokens]
kind = "tokenize"
input = ["corpus/*.jsonl"]
field = "text"
metadata = ["id"]
shard_bytes = "64KiB"

[stages.unique]
kind = "deduplicate"
tokens = "tokens"

[stages.joined]
kind = "phrases"
tokens = "unique"
min_count = 3

[stages.words]
kind = "vocabulary"
tokens = "joined"
min_count = 3

[stages.counts]
kind = "count"
tokens = "joined"
vocabulary = "words"
window = 4

[stages.glove]
kind = "glove"
counts = "counts"
dimensions = 8
x_max = 10
epochs = 3

[stages.skipgram]
kind = "skipgram"
tokens = "joined"
vocabulary = "words"
dimensions = 8
epochs = 2
portion_tokens = 20000
score_similarity = ["pairs.txt"]
patience = 2

[stages.tree]
kind = "skipgram"
tokens = "joined"
vocabulary = "words"
dimensions = 8
epochs = 1
loss = "hs"

[stages.ngrams]
kind = "skipgram"
tokens = "joined"
vocabulary = "words"
dimensions = 8
epochs = 1
subwords = true
bucket = 500

[stages.cbow]
kind = "cbow"
tokens = "joined"
vocabulary = "words"
dimensions = 8
epochs = 1

[stages.vectors]
kind = "export"
model = "glove"
formats = ["parquet", "word2vec-text", "npy", "safetensors"]

[stages.binary]
kind = "export"
model = "ngrams"
formats = ["fasttext-bin"]

[stages.scores]
kind = "evaluate"
embeddings = "vectors"
similarity = ["pairs.txt"]
bootstrap = 50
"#;

/// Longer than any run here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every file of a run directory with its hash, but for notes that differ from run to run.
pub(crate) type Files = BTreeMap<String, String>;

/// A directory with the pipeline, and the result of an undisturbed run.
pub(crate) struct Lab {
    program: PathBuf,
    directory: PathBuf,
    next: AtomicUsize,
    expected: Files,
    whole: Duration,
}

impl Lab {
    /// Prepares everything, and runs the pipeline once undisturbed.
    pub(crate) fn new(program: Option<PathBuf>, work: Option<PathBuf>) -> Result<Lab> {
        let beside = std::env::current_exe()?.with_file_name("lexmill");
        let program = program.unwrap_or(beside);
        ensure!(
            program.is_file(),
            "there is no {}: build it with cargo build --release --workspace",
            program.display()
        );
        let unique = format!("lexmill-torture-{}", std::process::id());
        let directory = work.unwrap_or_else(|| std::env::temp_dir().join(unique));
        std::fs::create_dir_all(directory.join("corpus"))?;
        let directory = directory.canonicalize()?;
        let lab = Lab {
            program: program.canonicalize()?,
            directory,
            next: AtomicUsize::new(0),
            expected: Files::new(),
            whole: Duration::ZERO,
        };
        lab.write("p.toml", PIPELINE)?;
        for file in 0..4 {
            lab.write(&format!("corpus/{file}.jsonl"), &corpus(file, 9_000))?;
        }
        lab.write("pairs.txt", &pairs())?;
        let run = lab.directory();
        let begun = Instant::now();
        let output = lab.run(&run, &["--threads", "2"], &[])?;
        let whole = begun.elapsed();
        ensure!(output.status.success(), "the undisturbed run failed:\n{}", stderr(&output));
        let expected = files(&run)?;
        ensure!(expected.len() > 60, "only {} files", expected.len());
        lab.forget(&run);
        Ok(Lab { expected, whole, ..lab })
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.directory.join(name);
        let same = std::fs::read_to_string(&path).is_ok_and(|there| there == text);
        if !same {
            std::fs::write(&path, text)?;
        }
        Ok(())
    }

    /// How long an undisturbed run takes.
    pub(crate) fn whole(&self) -> Duration {
        self.whole
    }

    /// What an undisturbed run leaves.
    pub(crate) fn expected(&self) -> &Files {
        &self.expected
    }

    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The library that has storage calls fail, to be preloaded.
    pub(crate) fn faults(&self) -> Result<String> {
        let library = std::env::current_exe()?.with_file_name("liblexmill_faults.so");
        ensure!(
            library.is_file(),
            "there is no {}: build it with cargo build --release --workspace",
            library.display()
        );
        Ok(library.to_string_lossy().into_owned())
    }

    /// A run directory that is not there yet.
    pub(crate) fn directory(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.directory.join(format!("run-{number}"))
    }

    /// Where files can be put.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// `lexmill` on the pipeline.
    pub(crate) fn command(&self, run: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["run", "p.toml", "--dir"]).arg(run).args(arguments);
        self.ready(&mut command);
        command
    }

    /// Sets a command up to run here.
    pub(crate) fn ready(&self, command: &mut Command) {
        command
            .current_dir(&self.directory)
            .env_remove("LEXMILL_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null());
    }

    /// Runs the pipeline to its end, with a checkpoint wherever there can be one.
    pub(crate) fn run(
        &self,
        run: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Output> {
        let mut command = self.command(run, &["--checkpoint-every", "0"]);
        command.args(arguments).envs(environment.iter().copied());
        output(&mut command)
    }

    /// What `lexmill verify` says, which is not to fail.
    pub(crate) fn verify(&self, run: &Path) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command.arg("verify").arg(run);
        self.ready(&mut command);
        output(&mut command)
    }

    /// After a disturbance: the command ended well, or failed with one clear message; nothing that is
    /// there is damaged; and an undisturbed run ends with what must be there.
    pub(crate) fn recovers(&self, run: &Path, disturbed: &Output) -> Result<()> {
        one_clear_message(disturbed)?;
        if disturbed.status.success() {
            // It said that all was done. That an empty lock could not be removed is no harm: the next run
            // does it.
            let mut found = files(run)?;
            found.retain(|name, _| !name.ends_with("/lock"));
            self.compare(&found).context("it ended well, but")?;
        }
        self.goes_on(run)
    }

    /// Nothing that is there is damaged, and an undisturbed run ends with what must be there.
    pub(crate) fn goes_on(&self, run: &Path) -> Result<()> {
        if holds_a_stage(run) {
            let verified = self.verify(run)?;
            let said = String::from_utf8_lossy(&verified.stdout).into_owned();
            ensure!(verified.status.success(), "damage: {said}");
        }
        let again = self.run(run, &["--threads", "2"], &[])?;
        ensure!(again.status.success(), "going on failed: {}", stderr(&again));
        self.is_whole(run)
    }

    /// All files are those of the undisturbed run.
    pub(crate) fn is_whole(&self, run: &Path) -> Result<()> {
        self.compare(&files(run)?)
    }

    fn compare(&self, found: &Files) -> Result<()> {
        if *found == self.expected {
            return Ok(());
        }
        let names = self.expected.keys().chain(found.keys());
        let differ = names.filter(|name| found.get(*name) != self.expected.get(*name));
        let differ: Vec<&String> = differ.take(5).collect();
        bail!("these differ: {differ:?}")
    }

    /// Removes a run directory.
    pub(crate) fn forget(&self, run: &Path) {
        let _gone = std::fs::remove_dir_all(run);
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        let _gone = std::fs::remove_dir_all(&self.directory);
    }
}

/// Whether there is something that `verify` can look at.
fn holds_a_stage(run: &Path) -> bool {
    let entries = std::fs::read_dir(run).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.any(|path| ["manifest.json", "journal.jsonl"].iter().any(|name| path.join(name).exists()))
}

/// Runs a command to its end, which must come.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.with_context(|| format!("can't start {command:?}"))?;
    let id = child.id();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let begun = Instant::now();
            while !over.load(Ordering::Acquire) && begun.elapsed() < PATIENCE {
                std::thread::park_timeout(Duration::from_millis(200));
            }
            let late = !over.load(Ordering::Acquire);
            if late {
                send(id, "KILL");
            }
            late
        });
        let output = child.wait_with_output();
        over.store(true, Ordering::Release);
        watch.thread().unpark();
        let late = watch.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        ensure!(!late, "{command:?} hangs");
        Ok(output?)
    })
}

/// Sends a signal to a process.
pub(crate) fn send(process: u32, signal: &str) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{signal}")).arg(process.to_string()).stderr(Stdio::null());
    // It may have ended meanwhile.
    let _sent = kill.status();
}

/// What a command said on standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// That a command ended well, or failed with one message.
pub(crate) fn one_clear_message(output: &Output) -> Result<()> {
    let said = stderr(output);
    ensure!(!said.contains("panicked"), "a panic: {said}");
    match output.status.code() {
        Some(0) => Ok(()),
        Some(1) => {
            let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
            ensure!(errors == 1, "{errors} messages: {said}");
            Ok(())
        }
        code => bail!("it ended with {code:?}: {said}"),
    }
}

/// Hashes of all files below a run directory, but for what differs from run to run.
fn files(run: &Path) -> Result<Files> {
    let mut found = Files::new();
    let mut waiting = vec![run.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                waiting.push(path);
                continue;
            }
            let name = path.strip_prefix(run)?.to_string_lossy().into_owned();
            // Notes of the run itself, and what is left of one that could not be written.
            if !name.starts_with('.') {
                found.insert(name, file_hash(&path)?);
            }
        }
    }
    Ok(found)
}

/// Records of words whose frequencies fall as their ranks grow; some records come twice.
fn corpus(file: u64, tokens: usize) -> String {
    let mut random = Random::named(&[file, 99]);
    let mut text = String::new();
    let (mut written, mut id, mut last) = (0, 0, String::new());
    while written < tokens {
        let mut line = std::mem::take(&mut last);
        if line.is_empty() || random.below(12) > 0 {
            line.clear();
            for _ in 0..12 + random.below(40) {
                let rank = 900f64.powf(f64::from(random.unit_f32())) as u32;
                line += &word(rank);
                line.push(' ');
                // Words that come together.
                if rank == 7 {
                    line += "kelimo ";
                }
                written += 1;
            }
        }
        // Writing to a string does not fail.
        let _written = writeln!(text, "{{\"id\": \"{file}-{id}\", \"text\": \"{line}\"}}");
        id += 1;
        last = line;
    }
    text
}

/// The word of a rank.
fn word(mut rank: u32) -> String {
    let mut word = String::new();
    loop {
        word.push_str(["ba", "ke", "li", "mo", "nu", "ré", "sta", "vy"][rank as usize % 8]);
        rank /= 8;
        if rank == 0 {
            return word;
        }
    }
}

/// Pairs of words with scores.
fn pairs() -> String {
    (1..40u32).map(|i| format!("{}\t{}\t{}\n", word(i), word(i * 3 + 1), i % 10)).collect()
}
