//! The flags of commands that read embeddings.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lexmill_embeddings::convert::ConvertSettings;
use lexmill_embeddings::{AnalogyMethod, FORMATS, Format, Precision, ReadOptions};

/// Which embeddings.
#[derive(Debug, Clone, Args)]
pub(crate) struct Source {
    /// Embeddings: a file (Parquet, Arrow, word2vec, GloVe, fastText, safetensors, npy, finalfusion, TSV),
    /// an export, a trained model, or a run directory with one
    #[arg(value_name = "EMBEDDINGS")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

/// What a file does not say of itself.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reading {
    /// The format of the file, where its content misleads
    #[arg(long, value_name = "FORMAT", value_parser = format_names())]
    from: Option<String>,
    /// The file of words of an array, one a line [default: beside it]
    #[arg(long, value_name = "FILE")]
    words: Option<PathBuf>,
}

impl Source {
    /// How it is read.
    pub(crate) fn options(&self) -> ReadOptions {
        self.reading.options()
    }
}

impl Reading {
    fn options(&self) -> ReadOptions {
        let format = self.from.as_deref().and_then(Format::named);
        ReadOptions { format, words: self.words.clone() }
    }
}

/// What is asked, and how answers are given.
#[derive(Debug, Clone, Args)]
pub(crate) struct Asking {
    /// Read the questions from this file, one a line; - is standard input
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Of questions with several answers.
#[derive(Debug, Clone, Args)]
pub(crate) struct Best {
    /// How many
    #[arg(short = 'n', long, default_value_t = 10)]
    pub(crate) count: usize,
    /// Look for answers among the N most frequent words only
    #[arg(long, value_name = "N")]
    pub(crate) restrict: Option<usize>,
}

/// `lexmill neighbors`.
#[derive(Debug, Clone, Args)]
pub(crate) struct NeighborsArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The words; of models with n-grams, any words
    #[arg(value_name = "WORD", required_unless_present = "file")]
    pub(crate) asked: Vec<String>,
    #[command(flatten)]
    pub(crate) best: Best,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// `lexmill vector`.
#[derive(Debug, Clone, Args)]
pub(crate) struct VectorArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The words; of models with n-grams, any words
    #[arg(value_name = "WORD", required_unless_present = "file")]
    pub(crate) asked: Vec<String>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// `lexmill similarity`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimilarityArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Two words, or several pairs one after another; in a file, two a line, between tabs or spaces
    #[arg(value_name = "WORD WORD", required_unless_present = "file", num_args = 2..)]
    pub(crate) asked: Vec<String>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// `lexmill analogy`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AnalogyArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Three words A B C: A is to B as C is to what? In a file, three a line; a fourth is taken as the
    /// right answer, and lines that begin with a colon are left out
    #[arg(value_name = "A B C", required_unless_present = "file", num_args = 3..)]
    pub(crate) asked: Vec<String>,
    /// How the answer is found
    #[arg(long, value_enum, default_value_t = Method::ThreeCosAdd)]
    pub(crate) method: Method,
    #[command(flatten)]
    pub(crate) best: Best,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// How an analogy is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// The word nearest to B - A + C (Mikolov et al. 2013)
    #[value(name = "3cosadd")]
    ThreeCosAdd,
    /// The word with the largest cos(B) cos(C) / cos(A) (Levy and Goldberg 2014)
    #[value(name = "3cosmul")]
    ThreeCosMul,
}

impl Method {
    pub(crate) fn method(self) -> AnalogyMethod {
        match self {
            Method::ThreeCosAdd => AnalogyMethod::CosAdd,
            Method::ThreeCosMul => AnalogyMethod::CosMul,
        }
    }
}

/// `lexmill odd-one-out`.
#[derive(Debug, Clone, Args)]
pub(crate) struct OddOneOutArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Three words or more; in a file, those of a line
    #[arg(value_name = "WORD", required_unless_present = "file", num_args = 3..)]
    pub(crate) asked: Vec<String>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// `lexmill convert`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The file to write; its name says the format: .parquet, .arrow, .txt (word2vec), .glove.txt, .bin
    /// (word2vec), .vec, .fasttext.bin, .safetensors, .npy, .fifu, .tsv; text and word2vec's .bin also with
    /// .gz or .zst after it
    #[arg(value_name = "OUTPUT")]
    pub(crate) output: PathBuf,
    /// The format to write, whatever the name
    #[arg(long, value_name = "FORMAT", value_parser = format_names())]
    to: Option<String>,
    /// How numbers are kept: f16 and int8 in parquet, arrow, safetensors and npy
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    dtype: PrecisionArg,
    /// Keep the first N rows: the most frequent words, as files have them
    #[arg(long, value_name = "N")]
    top: Option<u64>,
    /// Keep the words of this file, one a line
    #[arg(long, value_name = "FILE")]
    only: Option<PathBuf>,
    /// Take the mean vector off
    #[arg(long)]
    center: bool,
    /// Take the mean and then the first N principal components off ("All-but-the-Top")
    #[arg(long, value_name = "N", default_value_t = 0)]
    remove_components: usize,
    /// Scale vectors to length 1, after all that
    #[arg(long)]
    normalize: bool,
    /// Write what was done as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `lexmill report`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReportArgs {
    /// A run directory, such as runs/NAME
    #[arg(value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// The file to write [default: report.html in it]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// A word whose neighbours are shown; can be given several times [default: some of the frequent words]
    #[arg(long = "word", value_name = "WORD")]
    pub(crate) asked: Vec<String>,
    /// Words on the map, the most frequent
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = map_words())]
    pub(crate) map_words: u32,
}

/// `lexmill explore`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExploreArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Other embeddings, to compare with
    #[arg(value_name = "EMBEDDINGS")]
    pub(crate) other: Option<PathBuf>,
    /// The port of this machine to serve the page at; 0: any that is free
    #[arg(long, value_name = "PORT", default_value_t = 8765)]
    pub(crate) port: u16,
    /// Words on the map, the most frequent
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = map_words())]
    pub(crate) map_words: u32,
}

fn map_words() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=20_000)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PrecisionArg {
    /// 32-bit floats
    F32,
    /// 16-bit floats
    F16,
    /// 8-bit whole numbers with a scale for each vector
    Int8,
}

impl ConvertArgs {
    /// What is to be made.
    pub(crate) fn settings(&self) -> ConvertSettings {
        ConvertSettings {
            format: self.to.as_deref().and_then(Format::named),
            precision: match self.dtype {
                PrecisionArg::F32 => Precision::F32,
                PrecisionArg::F16 => Precision::F16,
                PrecisionArg::Int8 => Precision::Int8,
            },
            top: self.top,
            words: self.only.clone(),
            center: self.center,
            remove_components: self.remove_components,
            normalize: self.normalize,
        }
    }
}

fn format_names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(FORMATS.map(Format::name))
}
