//! A directory to try things in, the binary, and what it leaves.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::{Manifest, file_hash};
use lexmill_vocab::{Interner, Random};
use serde_json::Value;

/// A temporary directory; programs run in it.
pub(crate) struct Lab {
    directory: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote to standard output.
    pub(crate) stdout: String,
    /// What it wrote to standard error.
    pub(crate) stderr: String,
}

/// What tells whether a file was written again: its inode, length and time.
pub(crate) type Stamps = BTreeMap<String, (u64, u64, SystemTime)>;

/// A small pipeline over `corpus/*.txt`, every stage short but large enough for several shards and
/// blocks.
pub(crate) const SMALL: &str = r#"
name = "small"
seed = 3

[stages.tokens]
kind = "tokenize"
input = ["corpus/*.txt"]
shard_bytes = "64KiB"

[stages.words]
kind = "vocabulary"
tokens = "tokens"
min_count = 3

[stages.counts]
kind = "count"
tokens = "tokens"
vocabulary = "words"
window = 4

[stages.glove]
kind = "glove"
counts = "counts"
dimensions = 8
x_max = 10
epochs = 3

[stages.vectors]
kind = "export"
model = "glove"
formats = ["parquet", "word2vec-text", "glove-text"]
"#;

/// The stages of [`SMALL`] in order.
pub(crate) const STAGES: [&str; 5] = ["tokens", "words", "counts", "glove", "vectors"];

impl Lab {
    pub(crate) fn new() -> Lab {
        Lab { directory: tempfile::tempdir().unwrap() }
    }

    /// A lab with [`SMALL`] in `p.toml` and three files of a corpus.
    pub(crate) fn small() -> Lab {
        let lab = Lab::new();
        lab.write("p.toml", SMALL);
        for (seed, name) in (1..).zip(["a", "c", "d"]) {
            lab.corpus(&format!("corpus/{name}.txt"), seed, 20_000);
        }
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file; its directory is made if need be.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Writes a corpus file of about so many tokens.
    pub(crate) fn corpus(&self, name: &str, seed: u64, tokens: usize) -> PathBuf {
        self.write(name, text(seed, tokens))
    }

    /// The program with arguments separated by spaces.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lexmill"));
        command
            .args(args.split_whitespace())
            .current_dir(self.directory.path())
            .env_remove("LEXMILL_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &str) -> Outcome {
        Outcome::of(&mut self.command(args))
    }

    /// Runs the program to its end with something on standard input.
    pub(crate) fn run_with_input(&self, args: &str, input: &Path) -> Outcome {
        Outcome::of(self.command(args).stdin(std::fs::File::open(input).unwrap()))
    }

    /// Starts the program; what it says goes to the file `log`, after what is there.
    pub(crate) fn start(&self, args: &str, log: &str) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(self.path(log)).unwrap();
        self.command(args).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    /// The manifest of a stage, which must be finished.
    pub(crate) fn manifest(&self, stage: &str) -> Manifest {
        Manifest::read(&self.path(stage)).unwrap().unwrap_or_else(|| panic!("no stage {stage}"))
    }

    /// A number of a stage's report.
    pub(crate) fn report(&self, stage: &str, name: &str) -> u64 {
        let report = self.manifest(stage).report;
        report[name].as_u64().unwrap_or_else(|| panic!("{stage} reports no {name}: {report}"))
    }

    /// BLAKE3 of every file that the manifests in a run directory list; each is checked.
    pub(crate) fn tables(&self, run: &str) -> BTreeMap<String, String> {
        let mut tables = BTreeMap::new();
        for entry in std::fs::read_dir(self.path(run)).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_dir() {
                continue;
            }
            let Some(manifest) = Manifest::read(&path).unwrap() else { continue };
            let stage = path.file_name().unwrap().to_string_lossy().into_owned();
            for file in &manifest.files {
                let found = file_hash(&path.join(&file.path)).unwrap();
                assert_eq!(
                    found, file.blake3,
                    "{path:?} {} is not what its manifest says",
                    file.path
                );
                tables.insert(format!("{stage}/{}", file.path), found);
            }
        }
        assert!(!tables.is_empty(), "no tables in {run}");
        tables
    }

    /// Stamps of every file below a directory, but for the run's own lock and notes.
    pub(crate) fn stamps(&self, directory: &str) -> Stamps {
        let mut stamps = Stamps::new();
        for path in files_below(&self.path(directory)) {
            let name = path.strip_prefix(self.path(directory)).unwrap().to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let metadata = std::fs::metadata(&path).unwrap();
            let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
            let stamp = (inode, metadata.len(), metadata.modified().unwrap());
            stamps.insert(name.into_owned(), stamp);
        }
        stamps
    }

    /// The documents in the shards of a tokenize stage, their parts put together.
    pub(crate) fn documents(&self, stage: &str) -> Vec<Vec<String>> {
        let manifest = self.manifest(stage);
        let (mut words, mut tokens) = (Interner::new(), Tokens::default());
        let mut documents: Vec<Vec<String>> = Vec::new();
        for path in manifest.paths(&self.path(stage), "shards") {
            read_token_shard(&path, |word| words.intern(word), &mut tokens).unwrap();
            for (part, ids) in tokens.rows() {
                if part == 0 {
                    documents.push(Vec::new());
                }
                let document = documents.last_mut().expect("a document begins with part 0");
                document.extend(ids.iter().map(|&id| words.word(id).to_owned()));
            }
        }
        documents
    }

    /// What `plan --json` says of each stage: its condition.
    pub(crate) fn conditions(&self, args: &str) -> Vec<String> {
        let plan = self.run(&format!("plan --json {args}")).done();
        let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
        let stages = plan["stages"].as_array().unwrap();
        stages.iter().map(|stage| stage["condition"].as_str().unwrap().to_owned()).collect()
    }
}

impl Outcome {
    pub(crate) fn of(command: &mut Command) -> Outcome {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (status, stdout, stderr) = std::thread::scope(|scope| {
            let stdout = scope.spawn(move || read(&mut stdout));
            let stderr = scope.spawn(move || read(&mut stderr));
            (end(&mut child), stdout.join().unwrap(), stderr.join().unwrap())
        });
        let Some(status) = status else { panic!("{command:?} did not end; it said:\n{stderr}") };
        let outcome = Outcome { code: status.code(), stdout, stderr };
        assert!(!outcome.stderr.contains("panicked"), "{command:?}: {outcome:?}");
        assert!(outcome.code.is_some(), "{command:?}: {status}: {outcome:?}");
        outcome
    }

    /// Checks that it went well.
    #[track_caller]
    pub(crate) fn done(self) -> Outcome {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Checks that it failed with one error that has all these parts.
    #[track_caller]
    pub(crate) fn failed(self, parts: &[&str]) -> Outcome {
        assert_eq!(self.code, Some(1), "{self:?}");
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in\n{}", self.stderr);
        }
        self
    }

    /// Checks that the command line was refused with all these parts.
    #[track_caller]
    pub(crate) fn misused(self, parts: &[&str]) -> Outcome {
        assert_eq!(self.code, Some(2), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in\n{}", self.stderr);
        }
        self
    }

    /// What standard error says of each stage when its turn came: `("words", "fresh")`.
    pub(crate) fn stages(&self) -> Vec<(&str, &str)> {
        let lines = self.stderr.lines().filter(|line| !line.starts_with(' '));
        lines
            .filter_map(|line| line.split_once(": "))
            .filter(|(stage, what)| *stage != "error" && !what.starts_with("done in "))
            .collect()
    }

    /// The stages that ran; all others named must have been fresh.
    #[track_caller]
    pub(crate) fn ran(&self) -> Vec<&str> {
        for (stage, what) in self.stages() {
            let begins = ["begins", "goes on where it stopped", "fresh"].contains(&what);
            assert!(begins || what.starts_with("again: "), "{stage}: {what}\n{}", self.stderr);
        }
        let stages = self.stages().into_iter().filter(|(_, what)| *what != "fresh");
        stages.map(|(stage, _)| stage).collect()
    }
}

/// How a test kills runs of `p.toml`: with which threads and flags it starts them, after how long at
/// most, and how often.
pub(crate) struct Killing<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) seed: u64,
    pub(crate) threads: &'a [u32],
    pub(crate) flags: &'a [&'a str],
    pub(crate) longest: Duration,
    pub(crate) kills: u64,
}

impl Killing<'_> {
    /// Kills runs at random moments, each time taken up again with other threads and flags, until there
    /// were enough kills; `begin` makes a run directory, `check` sees it when a run is whole. Returns all
    /// that the runs said.
    pub(crate) fn until_done(&self, begin: impl Fn(&str), check: impl Fn(&str)) -> String {
        let mut random = Random::named(&[self.seed]);
        let (mut kills, mut round) = (0, 0);
        while kills < self.kills {
            let run = format!("killed-{}-{round}", self.seed);
            begin(&run);
            loop {
                let threads = self.threads[random.below(self.threads.len() as u32) as usize];
                let flags = self.flags[random.below(self.flags.len() as u32) as usize];
                let args = format!("run p.toml --dir {run} --threads {threads} {flags}");
                let wait = self.longest.mul_f32(random.unit_f32());
                let mut child = self.lab.start(&args, "log");
                let started = Instant::now();
                let mut ended = None;
                // Enough is enough: the last one may run to its end.
                while ended.is_none() && (kills >= self.kills || started.elapsed() < wait) {
                    std::thread::sleep(Duration::from_millis(1));
                    ended = child.try_wait().unwrap();
                }
                let Some(status) = ended else {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    kills += 1;
                    continue;
                };
                let log = || std::fs::read_to_string(self.lab.path("log")).unwrap();
                assert!(status.success(), "after {kills} kills: {status}\n{}", log());
                break;
            }
            check(&run);
            round += 1;
        }
        std::fs::read_to_string(self.lab.path("log")).unwrap()
    }
}

/// Longer than anything here takes: whoever is not done by then waits for nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a process ended; `None` if it had to be killed.
fn end(child: &mut Child) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

fn read(stream: &mut dyn Read) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every file below a directory.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Sets a file's time as far back as tells it apart from any time of now.
pub(crate) fn set_age(path: &Path, seconds: u64) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

/// Lines of words whose frequencies fall as their rank grows, some capitalized, some not ASCII, with
/// an empty line now and then.
pub(crate) fn text(seed: u64, tokens: usize) -> String {
    const WORDS: f64 = 4000.0;
    let mut random = Random::named(&[seed, 77]);
    let mut text = String::new();
    let mut written = 0;
    while written < tokens {
        let length = 4 + random.below(20);
        for i in 0..length {
            // A rank drawn with density 1/rank.
            let rank = WORDS.powf(f64::from(random.unit_f32())) as u32;
            let mut word = word(rank);
            if i == 0 {
                word[..1].make_ascii_uppercase();
            }
            let end = if i + 1 == length { ".\n" } else { " " };
            write!(text, "{word}{end}").unwrap();
        }
        if random.below(9) == 0 {
            text.push('\n');
        }
        written += length as usize;
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

/// Whether the long versions of tests were asked for.
pub(crate) fn slow() -> bool {
    std::env::var_os("RUN_SLOW_TESTS").is_some_and(|value| value != "0" && !value.is_empty())
}

/// Says that a test can't do its work on this machine.
#[expect(clippy::print_stderr, reason = "shown by the test harness")]
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
}
