//! The command line: what was asked for, with which flags.
//!
//! A field in a pipeline file changes what is produced; a flag changes only how.

pub(crate) mod vectors;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use lexmill_pipeline::{KINDS, Kind, fields, read_value};
use lexmill_store::{ByteSize, Resources};

use self::vectors::{
    AnalogyArgs, ConvertArgs, ExploreArgs, NeighborsArgs, OddOneOutArgs, ReportArgs,
    SimilarityArgs, VectorArgs,
};
use crate::memory;

/// Word embeddings from large corpora, in stages that can be interrupted and give the same bytes
/// every time.
#[derive(Debug, Parser)]
#[command(name = "lexmill", version, max_term_width = 100)]
struct Cli {
    #[command(flatten, next_help_heading = "How to run, not what is made")]
    settings: RunSettings,
    #[command(subcommand)]
    command: Command,
}

/// How to run, whatever is run.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunSettings {
    /// Worker threads [default: all processors]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Most resident memory to take, such as 4GiB [default: half of the machine's, or of what a
    /// container or a batch system leaves to the process]
    #[arg(long, global = true, value_name = "BYTES")]
    memory: Option<ByteSize>,
    /// Most that the run directory, or a stage that is run alone, is to hold, such as 50GiB
    #[arg(long, global = true, value_name = "BYTES")]
    disk: Option<ByteSize>,
    /// Write a trainer's checkpoint at least this often, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 600)]
    checkpoint_every: u64,
    /// Also write a checkpoint after every N epochs
    #[arg(long, global = true, value_name = "N")]
    checkpoint_epochs: Option<u32>,
    /// Say nothing but errors and what was asked for
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// How progress and messages are written to standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// How progress and messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people, and a bar on a terminal
    Text,
    /// A JSON object a line
    Json,
}

impl RunSettings {
    /// What stages may use.
    pub(crate) fn resources(&self) -> Resources {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let available = memory::available();
        let memory = match (self.memory, available) {
            (Some(ByteSize(wanted)), Some(available)) if wanted > available => {
                tracing::warn!(
                    "--memory {} is more than the {} that there is for this process",
                    ByteSize(wanted),
                    ByteSize(available)
                );
                wanted
            }
            (Some(ByteSize(wanted)), _) => wanted,
            (None, available) => available.map_or(4 << 30, |available| available / 2),
        };
        Resources {
            threads: self.threads.map_or(processors, |threads| threads as usize),
            memory_bytes: memory,
            disk_bytes: self.disk.map(|disk| disk.0),
            checkpoint_every: Duration::from_secs(self.checkpoint_every),
            checkpoint_epochs: self.checkpoint_epochs,
        }
    }
}

/// A pipeline file and what is changed in it.
#[derive(Debug, Clone, Args)]
pub(crate) struct PipelineArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Change a field of the file, such as stages.glove.dimensions=300
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The run directory [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// What is to be compared with what was written.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArgs {
    /// A run directory, or that of a stage
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Make the stages again of which something is damaged, by this pipeline file
    #[arg(long, value_name = "FILE")]
    pub(crate) repair: Option<PathBuf>,
    /// Change a field of the file, as it was changed for the run
    #[arg(long, value_name = "KEY=VALUE", requires = "repair")]
    pub(crate) set: Vec<String>,
    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run what is not done of a pipeline
    Run {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Run only these stages
        #[arg(long, value_name = "STAGE")]
        only: Vec<String>,
        /// Run this stage and what reads from it
        #[arg(long, value_name = "STAGE")]
        from: Option<String>,
        /// Run this stage and what it reads from
        #[arg(long, value_name = "STAGE")]
        to: Option<String>,
    },
    /// Show what is fresh, stale or missing, why, and what a run would take
    Plan {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Find every mistake in a pipeline file
    Validate {
        #[command(flatten)]
        pipeline: PipelineArgs,
    },
    /// Follow a run from another terminal
    Status {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Compare every file of a run with what was written: find flipped bits, lost and cut files
    Verify(VerifyArgs),
    /// Run the [[test]] blocks of a pipeline file: text in, expected tokens out
    Test {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// The nearest words by cosine
    Neighbors(NeighborsArgs),
    /// The cosine of pairs of words
    Similarity(SimilarityArgs),
    /// A is to B as C is to what?
    Analogy(AnalogyArgs),
    /// The word that is least like the others
    OddOneOut(OddOneOutArgs),
    /// The vectors of words, a line each: the word and its values
    Vector(VectorArgs),
    /// Write embeddings in another format
    Convert(ConvertArgs),
    /// Write a report of a run: one HTML file that is complete in itself
    Report(ReportArgs),
    /// Serve a page on this machine to explore embeddings
    Explore(ExploreArgs),
    /// Show a table, a stage or a run: settings, schema, sizes, first rows
    #[cfg(feature = "inspect")]
    Inspect {
        /// A Parquet file, a stage directory or a run directory
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Rows to show
        #[arg(short = 'n', long, default_value_t = 10)]
        rows: usize,
        /// Of counts: the strongest contexts of this word
        #[arg(long, value_name = "WORD")]
        word: Option<String>,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    /// Run a pipeline.
    Run {
        /// Which.
        pipeline: PipelineArgs,
        /// Only these stages.
        only: Vec<String>,
        /// This stage and what reads from it.
        from: Option<String>,
        /// This stage and what it reads from.
        to: Option<String>,
    },
    /// Show how a pipeline stands.
    Plan(PipelineArgs, bool),
    /// Check a pipeline file.
    Validate(PipelineArgs),
    /// Show how a run stands.
    Status(PipelineArgs, bool),
    /// Look for damage.
    Verify(VerifyArgs),
    /// Run the tests of a pipeline file.
    Test(PipelineArgs, bool),
    /// Show what the first documents of a corpus become.
    Preview {
        /// Settings of `tokenize`, as a pipeline file has them.
        table: toml::Table,
        /// How many documents.
        count: usize,
        /// As JSON.
        json: bool,
    },
    /// Run one stage alone.
    Stage {
        /// Which kind.
        kind: Kind,
        /// Its settings, as a pipeline file has them.
        table: toml::Table,
        /// Its inputs.
        inputs: Vec<PathBuf>,
        /// Where its result goes.
        output: PathBuf,
        /// Scores as JSON.
        json: bool,
    },
    /// Show the nearest words.
    Neighbors(NeighborsArgs),
    /// Show how alike words are.
    Similarity(SimilarityArgs),
    /// Answer analogies.
    Analogy(AnalogyArgs),
    /// Show the words that don't belong.
    OddOneOut(OddOneOutArgs),
    /// Show the vectors of words.
    Vector(VectorArgs),
    /// Write embeddings in another format.
    Convert(ConvertArgs),
    /// Write the report of a run.
    Report(ReportArgs),
    /// Serve a page to explore embeddings.
    Explore(ExploreArgs),
    /// Show a table or a directory.
    #[cfg(feature = "inspect")]
    Inspect {
        /// Which.
        path: PathBuf,
        /// Rows to show.
        rows: usize,
        /// The word whose contexts are wanted.
        word: Option<String>,
        /// As JSON.
        json: bool,
    },
}

/// A parsed command line.
#[derive(Debug)]
pub(crate) struct Request {
    /// How to run.
    pub(crate) settings: RunSettings,
    /// What to do.
    pub(crate) task: Task,
}

/// Parses the command line; ends the process with a message if it is wrong.
pub(crate) fn parse() -> Request {
    let mut command = Cli::command();
    for kind in KINDS {
        command = command.subcommand(stage_command(kind));
    }
    let matches = command.get_matches();
    if let Some((name, stage)) = matches.subcommand()
        && let Some(kind) = Kind::named(name)
    {
        let settings = RunSettings::from_arg_matches(stage).unwrap_or_else(|error| error.exit());
        return Request { settings, task: stage_task(kind, stage) };
    }
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let task = match cli.command {
        Command::Run { pipeline, only, from, to } => Task::Run { pipeline, only, from, to },
        Command::Plan { pipeline, json } => Task::Plan(pipeline, json),
        Command::Validate { pipeline } => Task::Validate(pipeline),
        Command::Status { pipeline, json } => Task::Status(pipeline, json),
        Command::Verify(args) => Task::Verify(args),
        Command::Test { pipeline, json } => Task::Test(pipeline, json),
        Command::Neighbors(args) => Task::Neighbors(args),
        Command::Similarity(args) => Task::Similarity(args),
        Command::Analogy(args) => Task::Analogy(args),
        Command::OddOneOut(args) => Task::OddOneOut(args),
        Command::Vector(args) => Task::Vector(args),
        Command::Convert(args) => Task::Convert(args),
        Command::Report(args) => Task::Report(args),
        Command::Explore(args) => Task::Explore(args),
        #[cfg(feature = "inspect")]
        Command::Inspect { path, rows, word, json } => Task::Inspect { path, rows, word, json },
    };
    Request { settings: cli.settings, task }
}

/// The command of a stage that is run alone: an input directory, an output directory, and a flag for
/// each setting.
fn stage_command(kind: Kind) -> clap::Command {
    let mut command = clap::Command::new(kind.name()).about(kind.about());
    for (field, kinds) in kind.inputs() {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        command = command.arg(
            clap::Arg::new(*field)
                .long(*field)
                .value_name(if kind.takes_embeddings() { "PATH" } else { "DIR" })
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help(match kind.takes_embeddings() {
                    true => "A file of embeddings (Parquet, or a format of word2vec, GloVe or fastText), an \
                             export, or a trained model"
                        .to_owned(),
                    false => format!("A finished {} stage", kinds.join(" or ")),
                }),
        );
    }
    command = command.arg(
        clap::Arg::new("output")
            .long("output")
            .short('o')
            .value_name("DIR")
            .required(kind != Kind::Tokenize)
            .value_parser(clap::value_parser!(PathBuf))
            .help("Where the result goes"),
    );
    if kind == Kind::Tokenize {
        command = command
            .mut_arg("output", |output| output.required_unless_present("preview"))
            .arg(
                clap::Arg::new("preview")
                    .long("preview")
                    .value_name("N")
                    .conflicts_with("output")
                    .value_parser(clap::value_parser!(u32).range(1..))
                    .help("Show what the first N documents become, and write nothing"),
            )
            .arg(
                clap::Arg::new("json")
                    .long("json")
                    .requires("preview")
                    .action(clap::ArgAction::SetTrue)
                    .help("Write the preview as JSON"),
            );
    }
    if kind == Kind::Evaluate {
        command = command.arg(
            clap::Arg::new("json")
                .long("json")
                .action(clap::ArgAction::SetTrue)
                .help("Write the scores as JSON"),
        );
    }
    for field in fields(kind) {
        let many = MANY.contains(&field.name);
        let mut arg = clap::Arg::new(field.name)
            .value_name("VALUE")
            .help(field.help)
            .action(if many { clap::ArgAction::Append } else { clap::ArgAction::Set });
        arg = match field.name {
            // Corpus files stand by themselves.
            "input" => arg.value_name("FILE").num_args(1..),
            name => arg.long(name.replace('_', "-")),
        };
        command = command.arg(arg);
    }
    command
}

/// Settings that are lists: their flags can be given several times.
const MANY: [&str; 14] = [
    "input",
    "sentences",
    "metadata",
    "filter",
    "clean",
    "reserved",
    "formats",
    "similarity",
    "analogies",
    "categorization",
    "outliers",
    "classification",
    "score_similarity",
    "score_analogies",
];

fn stage_task(kind: Kind, matches: &clap::ArgMatches) -> Task {
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned().unwrap_or_default();
    let inputs = kind.inputs().iter().map(|(field, _)| path(field)).collect();
    let mut table = toml::Table::new();
    for field in fields(kind) {
        let Some(values) = matches.get_many::<String>(field.name) else { continue };
        let values = values.map(|text| match field.name {
            "sentences" => {
                let words = text.split_whitespace().map(|word| toml::Value::from(word.to_owned()));
                toml::Value::Array(words.collect())
            }
            name if MANY.contains(&name) => toml::Value::String(text.clone()),
            // A year is a name here, and a path or a field is one whatever it looks like.
            "bias_step" | "baseline" | "text_field" | "label_field" => {
                toml::Value::String(text.clone())
            }
            _ => read_value(text),
        });
        let mut values: Vec<toml::Value> = values.collect();
        let value = match MANY.contains(&field.name) {
            true => toml::Value::Array(values),
            false => values.remove(0),
        };
        table.insert(field.name.to_owned(), value);
    }
    if kind == Kind::Tokenize
        && let Some(&count) = matches.get_one::<u32>("preview")
    {
        return Task::Preview { table, count: count as usize, json: matches.get_flag("json") };
    }
    let json = kind == Kind::Evaluate && matches.get_flag("json");
    Task::Stage { kind, table, inputs, output: path("output"), json }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        let mut command = Cli::command();
        for kind in KINDS {
            command = command.subcommand(stage_command(kind));
        }
        command.debug_assert();
    }
}
