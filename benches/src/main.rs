//! Measurements of every bar, on real text: `lexmill-benches BAR`.
//!
//! Runs the built `lexmill` command as a child process on the pipelines beside this package and
//! prints what it cost as a small Markdown table, to be kept in `RESULTS.md`. Nothing here calls the
//! libraries that are measured: the figures are those of the program that people run. `README.md`
//! says what each bar is and which data it needs.

mod bars;
mod child;
mod corpus;
mod job;
mod lab;
mod machine;
mod report;
mod word2vec;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use lexmill_store::ByteSize;

use crate::lab::Lab;
use crate::report::{Report, print, say};

/// Measures the bars: what Lexmill costs on real text.
#[derive(Debug, Parser)]
#[command(name = "lexmill-benches", max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    bar: Bar,
}

/// Where things lie, and how often to measure.
#[derive(Debug, clap::Args)]
struct Places {
    /// The lexmill program to measure [default: the one built beside this program]
    #[arg(long, global = true, value_name = "PATH")]
    lexmill: Option<PathBuf>,
    /// Where texts are unpacked and pipelines run; needs some gigabytes
    #[arg(long, global = true, value_name = "DIR", default_value = "runs/benches")]
    work: PathBuf,
    /// The data folder [default: $LEXMILL_DATA]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How often to measure [default: what suits the bar]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
}

#[derive(Debug, Subcommand)]
enum Bar {
    /// Text to a finished grid: CPU time of a token, disk of a cell
    Counting,
    /// The same with two threads against one: wall time
    Threads,
    /// GloVe: CPU time of a cell in an epoch
    Glove,
    /// Final loss and scores at the reference's settings, three seeds
    Scores,
    /// Peak memory and open files of counting much English within a small budget
    Memory {
        /// English is repeated to this length
        #[arg(long, value_name = "BYTES", default_value = "1.2GB")]
        largest: ByteSize,
        /// The small budget, and others to compare with
        #[arg(long, value_name = "BYTES", value_delimiter = ',', default_value = "1GiB,8GiB")]
        budgets: Vec<ByteSize>,
    },
    /// All the English there is, from text to vectors, killed again and again
    Soak {
        /// Seconds from one kill to the next
        #[arg(long, value_name = "N", default_value_t = 180)]
        every: u64,
    },
    /// The same bytes for all threads and budgets, and after being killed
    Identity {
        /// How often to kill
        #[arg(long, value_name = "N", default_value_t = 30)]
        kills: u32,
        /// Seed of the moments
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
    /// Wall time of a run that has nothing to do
    Noop,
    /// Cost of a token and of a cell as the text grows
    Scaling {
        /// English is repeated to this length
        #[arg(long, value_name = "BYTES", default_value = "1.2GB")]
        largest: ByteSize,
    },
    /// A clean build, with and without the feature that brings Polars
    Build,
    /// Stanford's GloVe beside Lexmill
    Peers {
        /// Folder with vocab_count, cooccur, shuffle and glove
        #[arg(long, value_name = "DIR")]
        glove: Option<PathBuf>,
    },
    /// Text to token shards: speed beside peers, compressed input, memory, the same bytes
    Tokenize(bars::tokenize::Options),
    /// Embeddings: reading, questions, a report; beside gensim
    Embeddings(bars::embeddings::Options),
    /// Scores of GloVe 6B 50d beside what is known of them
    KnownScores(bars::known_scores::Options),
    /// Skip-gram and CBOW: words a CPU second, beside word2vec.c, fastText and gensim
    #[command(name = "word2vec")]
    Word2vec(bars::word2vec::Options),
    /// Scores of skip-gram and CBOW, three seeds, beside the peers'
    #[command(name = "word2vec-scores")]
    Word2vecScores(bars::word2vec_scores::Options),
    /// The same bytes of every skip-gram and CBOW for all threads, and after being killed
    #[command(name = "word2vec-identity")]
    Word2vecIdentity(bars::word2vec_identity::Options),
    /// Peak memory of skip-gram and CBOW on much English
    #[command(name = "word2vec-memory")]
    Word2vecMemory(bars::word2vec_memory::Options),
}

impl Bar {
    /// As the command line has it, without where things lie.
    fn command(&self) -> String {
        match self {
            Bar::Counting => "counting".to_owned(),
            Bar::Threads => "threads".to_owned(),
            Bar::Glove => "glove".to_owned(),
            Bar::Scores => "scores".to_owned(),
            Bar::Memory { largest, budgets } => {
                let budgets: Vec<String> = budgets.iter().map(|b| b.0.to_string()).collect();
                format!("memory --largest {} --budgets {}", largest.0, budgets.join(","))
            }
            Bar::Soak { every } => format!("soak --every {every}"),
            Bar::Identity { kills, seed } => format!("identity --kills {kills} --seed {seed}"),
            Bar::Noop => "noop".to_owned(),
            Bar::Scaling { largest } => format!("scaling --largest {}", largest.0),
            Bar::Build => "build".to_owned(),
            Bar::Peers { .. } => "peers --glove DIR".to_owned(),
            Bar::Tokenize(options) => format!("tokenize{}", options.flags()),
            Bar::Embeddings(options) => format!("embeddings{}", options.flags()),
            Bar::KnownScores(_) => "known-scores --vectors FILE".to_owned(),
            Bar::Word2vec(options) => format!("word2vec{}", options.flags()),
            Bar::Word2vecScores(options) => format!("word2vec-scores{}", options.flags()),
            Bar::Word2vecIdentity(options) => format!("word2vec-identity{}", options.flags()),
            Bar::Word2vecMemory(options) => format!("word2vec-memory{}", options.flags()),
        }
    }

    fn measure(&self, lab: &Lab) -> Result<Report> {
        match self {
            Bar::Counting => bars::counting::measure(lab),
            Bar::Threads => bars::threads::measure(lab),
            Bar::Glove => bars::glove::measure(lab),
            Bar::Scores => bars::scores::measure(lab),
            Bar::Memory { largest, budgets } => bars::memory::measure(lab, largest.0, budgets),
            Bar::Soak { every } => bars::soak::measure(lab, *every),
            Bar::Identity { kills, seed } => bars::identity::measure(lab, *kills, *seed),
            Bar::Noop => bars::noop::measure(lab),
            Bar::Scaling { largest } => bars::scaling::measure(lab, largest.0),
            Bar::Build => bars::build::measure(lab),
            Bar::Peers { glove } => bars::peers::measure(lab, glove.as_deref()),
            Bar::Tokenize(options) => bars::tokenize::measure(lab, options),
            Bar::Embeddings(options) => bars::embeddings::measure(lab, options),
            Bar::KnownScores(options) => bars::known_scores::measure(lab, options),
            Bar::Word2vec(options) => bars::word2vec::measure(lab, options),
            Bar::Word2vecScores(options) => bars::word2vec_scores::measure(lab, options),
            Bar::Word2vecIdentity(options) => bars::word2vec_identity::measure(lab, options),
            Bar::Word2vecMemory(options) => bars::word2vec_memory::measure(lab, options),
        }
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let lab = Lab::open(&cli.places)?;
    // Before the work, which would show in the load.
    let header = machine::header(&cli.bar.command(), cli.places.runs, lab.program());
    let report = cli.bar.measure(&lab)?;
    print(&format!("{header}\n{}", report.to_markdown()))
}
