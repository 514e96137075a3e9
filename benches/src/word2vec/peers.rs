//! The programs of the word2vec family that people come from, as child processes.
//!
//! What counts is training by itself, as far as each program lets one see it:
//!
//! | program | how |
//! | --- | --- |
//! | word2vec.c | the whole program with `-read-vocab`; the vocabulary is made before |
//! | fastText | the whole program less the same with `-epoch 0`, which reads the words, makes the first parameters and writes the files |
//! | gensim | its clocks around `train()`, in `benches/peers/gensim_train.py` |

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{DIMENSIONS, How, MIN_COUNT, Model, NEGATIVES, SAMPLE, WINDOW};
use crate::child::{self, Cost};
use crate::corpus::Text;
use crate::lab::Lab;
use crate::machine::root;

/// Where the peers are; those not given are left out.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Places {
    /// Folder with word2vec, as its makefile builds it
    #[arg(long, value_name = "DIR")]
    word2vec: Option<PathBuf>,
    /// The program fasttext, as its makefile builds it
    #[arg(long, value_name = "PATH")]
    fasttext: Option<PathBuf>,
    /// A Python that can import gensim
    #[arg(long, value_name = "PYTHON")]
    gensim: Option<PathBuf>,
}

impl Places {
    /// The flags of those given.
    pub(crate) fn flags(&self) -> String {
        let mut out = String::new();
        for (place, flag) in [
            (&self.word2vec, " --word2vec DIR"),
            (&self.fasttext, " --fasttext PATH"),
            (&self.gensim, " --gensim PYTHON"),
        ] {
            if place.is_some() {
                out.push_str(flag);
            }
        }
        out
    }
}

/// A program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    Word2vec,
    FastText,
    Gensim,
}

impl Program {
    pub(crate) const ALL: [Program; 3] = [Program::Word2vec, Program::FastText, Program::Gensim];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Program::Word2vec => "word2vec.c",
            Program::FastText => "fastText",
            Program::Gensim => "gensim",
        }
    }

    /// What files of its vectors begin with, and the flag that says where it is.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Program::Word2vec => "word2vec",
            Program::FastText => "fasttext",
            Program::Gensim => "gensim",
        }
    }

    /// Whether it is compared in this model. Without n-grams fastText is word2vec's skip-gram once
    /// more; its other models are not looked at.
    pub(crate) fn has(self, model: Model) -> bool {
        match self {
            Program::Word2vec => !model.subwords() && model != Model::CbowMean,
            Program::FastText => model == Model::Skipgram || model.subwords(),
            Program::Gensim => model != Model::CbowMean,
        }
    }

    /// How many times Lexmill's words a CPU second are to be this program's.
    pub(crate) fn gain(self, model: Model) -> Option<f64> {
        match (self, model) {
            (Program::Word2vec, Model::Skipgram) => Some(12.0),
            (Program::FastText, Model::Skipgram) => Some(8.0),
            (Program::Gensim, Model::Skipgram) => Some(4.0),
            (Program::Word2vec, Model::SkipgramHs | Model::Cbow) => Some(6.0),
            (Program::Gensim, Model::Cbow) => Some(3.0),
            (Program::FastText, Model::SkipgramSubwords) => Some(5.0),
            _ => None,
        }
    }
}

/// What training cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Training {
    /// CPU seconds, user and system.
    pub(crate) cpu: f64,
    /// Seconds on the clock.
    pub(crate) wall: f64,
}

impl From<Cost> for Training {
    fn from(cost: Cost) -> Training {
        Training { cpu: cost.cpu(), wall: cost.wall }
    }
}

/// The peers that are there, at work on a text in a directory.
pub(crate) struct Peers {
    programs: Vec<(Program, PathBuf)>,
    directory: PathBuf,
}

/// In the directory: word2vec.c keeps paths in 100 bytes.
const TEXT: &str = "text.txt";
const VOCABULARY: &str = "vocabulary.txt";
const OUTPUT: &str = "vectors";
const ANSWER: &str = "gensim.json";

impl Peers {
    /// Makes the directory and what the programs need before they train.
    pub(crate) fn prepare(lab: &Lab, places: &Places, text: &Text, name: &str) -> Result<Peers> {
        let mut programs = Vec::new();
        for program in Program::ALL {
            let place = match program {
                Program::Word2vec => places.word2vec.as_ref().map(|dir| dir.join("word2vec")),
                Program::FastText => places.fasttext.clone(),
                Program::Gensim => places.gensim.clone(),
            };
            let Some(place) = place else { continue };
            ensure!(place.is_file(), "there is no {}", place.display());
            // Without following links: a Python knows its packages by where it was called.
            let place = std::path::absolute(place).context("no working directory")?;
            programs.push((program, place));
        }
        let directory = lab.fresh(name)?;
        let peers = Peers { programs, directory };
        if !peers.programs.is_empty() {
            let link = peers.directory.join(TEXT);
            std::os::unix::fs::symlink(&text.pattern, &link)
                .with_context(|| format!("can't make {}", link.display()))?;
        }
        if let Some(word2vec) = peers.path(Program::Word2vec) {
            let mut command = peers.command(word2vec);
            command.args(["-train", TEXT, "-save-vocab", VOCABULARY, "-debug", "0"]);
            command.args(["-min-count", &MIN_COUNT.to_string()]);
            child::measure(&mut command)?;
        }
        Ok(peers)
    }

    /// Where it works.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Those there that have this model.
    pub(crate) fn with(&self, model: Model) -> impl Iterator<Item = Program> {
        self.programs.iter().map(|(program, _)| *program).filter(move |it| it.has(model))
    }

    /// A sentence about those not given.
    pub(crate) fn left_out(&self) -> Option<String> {
        let missing = Program::ALL.iter().filter(|program| self.path(**program).is_none());
        let missing: Vec<String> =
            missing.map(|program| format!("{} (--{})", program.name(), program.key())).collect();
        (!missing.is_empty()).then(|| format!("Not given, so left out: {}.", missing.join(", ")))
    }

    fn path(&self, program: Program) -> Option<&Path> {
        let found = self.programs.iter().find(|(there, _)| *there == program);
        found.map(|(_, path)| path.as_path())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).stdin(Stdio::null()).stdout(Stdio::null());
        // Idle threads of a linear algebra library would cost CPU time.
        command.env("OMP_NUM_THREADS", "1").env("OPENBLAS_NUM_THREADS", "1");
        command
    }

    /// Trains a model; `keep` is where its vectors go, as word2vec text. Without it they are written
    /// as cheaply as the program can, and removed.
    pub(crate) fn train(
        &self,
        program: Program,
        model: Model,
        how: &How,
        keep: Option<&Path>,
    ) -> Result<Training> {
        let Some(path) = self.path(program) else { bail!("{} is not given", program.name()) };
        let Some(rate) = model.learning_rate() else {
            bail!("{} has no {}", program.name(), model.name())
        };
        let rate = rate.to_string();
        let (training, vectors) = match program {
            Program::Word2vec => {
                let mut command = self.command(path);
                command.args(["-train", TEXT, "-read-vocab", VOCABULARY, "-output", OUTPUT]);
                command.args(["-cbow", if model.is_cbow() { "1" } else { "0" }]);
                command.args(["-hs", if model.hierarchical() { "1" } else { "0" }]);
                let negatives = if model.hierarchical() { 0 } else { NEGATIVES };
                command.args(["-negative", &negatives.to_string()]);
                command.args(["-size", &DIMENSIONS.to_string(), "-window", &WINDOW.to_string()]);
                command.args(["-sample", &SAMPLE.to_string(), "-alpha", &rate]);
                command.args(["-min-count", &MIN_COUNT.to_string()]);
                command.args(["-iter", &how.epochs.to_string(), "-debug", "0"]);
                command.args(["-threads", &how.threads.to_string()]);
                command.args(["-binary", if keep.is_some() { "0" } else { "1" }]);
                (child::measure(&mut command)?.into(), OUTPUT.to_owned())
            }
            Program::FastText => {
                let run = |epochs: u32| {
                    let mut command = self.command(path);
                    command.arg(model.kind()).args(["-input", TEXT, "-output", OUTPUT]);
                    command.args(["-loss", "ns", "-neg", &NEGATIVES.to_string()]);
                    command.args(["-dim", &DIMENSIONS.to_string(), "-ws", &WINDOW.to_string()]);
                    command.args(["-t", &SAMPLE.to_string(), "-lr", &rate]);
                    command.args(["-minCount", &MIN_COUNT.to_string()]);
                    let ngrams = if model.subwords() { ["3", "6"] } else { ["0", "0"] };
                    command.args(["-minn", ngrams[0], "-maxn", ngrams[1]]);
                    command.args(["-epoch", &epochs.to_string(), "-verbose", "0"]);
                    command.args(["-thread", &how.threads.to_string()]);
                    command.args(["-seed", &how.seed.to_string()]);
                    child::measure(&mut command)
                };
                let without = if keep.is_none() { run(0)? } else { Cost::default() };
                let with = run(how.epochs)?;
                let training =
                    Training { cpu: with.cpu() - without.cpu(), wall: with.wall - without.wall };
                (training, format!("{OUTPUT}.vec"))
            }
            Program::Gensim => {
                let mut command = self.command(path);
                command.arg(root().join("benches/peers/gensim_train.py")).args(["--text", TEXT]);
                command.args(["--model", if model.is_cbow() { "cbow" } else { "sg" }]);
                command.args(["--loss", if model.hierarchical() { "hs" } else { "ns" }]);
                if model.subwords() {
                    command.arg("--subwords");
                }
                command.args(["--dimensions", &DIMENSIONS.to_string()]);
                command.args(["--window", &WINDOW.to_string(), "--sample", &SAMPLE.to_string()]);
                command.args(["--negatives", &NEGATIVES.to_string(), "--learning-rate", &rate]);
                command.args(["--min-count", &MIN_COUNT.to_string()]);
                command.args(["--epochs", &how.epochs.to_string()]);
                command.args(["--threads", &how.threads.to_string()]);
                command.args(["--seed", &how.seed.to_string()]);
                if keep.is_some() {
                    command.args(["--save", OUTPUT]);
                }
                (self.ask(&mut command)?, OUTPUT.to_owned())
            }
        };
        if let Some(target) = keep {
            let made = self.directory.join(vectors);
            // It may be on another file system, where it can't be renamed to.
            let partial = target.with_extension("partial");
            std::fs::copy(&made, &partial)
                .and_then(|_| std::fs::rename(&partial, target))
                .with_context(|| {
                    format!("can't copy {} to {}", made.display(), target.display())
                })?;
        }
        for ending in ["", ".vec", ".bin"] {
            let path = self.directory.join(format!("{OUTPUT}{ending}"));
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("can't remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(training)
    }

    /// Runs the script and reads what its clocks said.
    fn ask(&self, command: &mut Command) -> Result<Training> {
        let path = self.directory.join(ANSWER);
        let file = File::options().create(true).write(true).truncate(true).open(&path);
        let file = file.with_context(|| format!("can't write {}", path.display()))?;
        child::measure(command.stdout(file))?;
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("can't read {}", path.display()))?;
        answer(&text).with_context(|| format!("gensim_train.py printed {text:?}"))
    }
}

/// Whether word2vec.c (2017), as it is, trains the last of so many threads for one epoch instead of
/// several: where the part of the text from that thread's start on has fewer words than a thread is to
/// train, the thread comes to the end of the file, and takes its later epochs to be at the end at once.
pub(crate) fn ends_early(text: &Path, threads: u64) -> Result<bool> {
    let read = || format!("can't read {}", text.display());
    let mut file = BufReader::new(File::open(text).with_context(read)?);
    let start = file.get_ref().metadata().with_context(read)?.len() / threads * (threads - 1);
    let (mut at, mut all, mut last) = (0, 0u64, 0u64);
    let mut in_word = false;
    loop {
        let part = file.fill_buf().with_context(read)?;
        if part.is_empty() {
            break;
        }
        for &byte in part {
            // The end of a line is a word, too.
            let words = u64::from(byte == b'\n') + u64::from(in_word && byte.is_ascii_whitespace());
            in_word = !byte.is_ascii_whitespace();
            all += words;
            last += if at >= start { words } else { 0 };
            at += 1;
        }
        let length = part.len();
        file.consume(length);
    }
    Ok(last < all / threads)
}

fn answer(text: &str) -> Option<Training> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    Some(Training { cpu: value["cpu"].as_f64()?, wall: value["wall"].as_f64()? })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they read")]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_understood() {
        let training = answer("{\"gensim\": \"4.4.0\", \"cpu\": 1.5, \"wall\": 1}\n").unwrap();
        assert_eq!((training.cpu, training.wall), (1.5, 1.0));
        assert!(answer("").is_none() && answer("{\"cpu\": 1}").is_none());
    }

    #[test]
    fn an_end_with_few_words_comes_early() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("text.txt");
        let (long, short) =
            ("internationalization\n".repeat(100), "a b c d e f g h i\n".repeat(100));
        for (text, early) in [([&*short, &long].concat(), true), ([long, short].concat(), false)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(ends_early(&path, 2).unwrap(), early);
        }
    }

    #[test]
    fn bars_are_on_what_a_program_has() {
        use clap::ValueEnum;
        for program in Program::ALL {
            for &model in Model::value_variants() {
                assert!(program.gain(model).is_none() || program.has(model));
            }
        }
    }
}
