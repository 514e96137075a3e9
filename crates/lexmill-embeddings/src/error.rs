//! What can go wrong with embeddings and their files.

use std::path::{Path, PathBuf};

use crate::format::{FORMATS, Format};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of reading, holding or writing embeddings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table or a stage directory could not be read or written.
    #[error(transparent)]
    Store(#[from] lexmill_store::Error),
    /// A line of a text file is wrong.
    #[error("{path:?}, line {line}: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// The header of a word2vec file promises another number of rows than there are.
    #[error("{path:?} has {found} rows, but its header says {expected}{}", cut_off(*.expected, *.found))]
    Rows {
        /// The file.
        path: PathBuf,
        /// Rows by the header.
        expected: u64,
        /// Rows that are there.
        found: u64,
    },
    /// A file holds no embeddings.
    #[error("{path:?} holds no words")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A table can't be embeddings: a word twice, a value that is not finite.
    #[error("{path:?} can't be used as embeddings: {source}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A word stands twice.
    #[error("the word {word:?} stands twice, in rows {} and {}", .rows[0], .rows[1])]
    DuplicateWord {
        /// The word.
        word: String,
        /// Where, from 1; a header is no row.
        rows: [u64; 2],
    },
    /// A vector holds a NaN or an infinity.
    #[error("the vector of {word:?} holds {value}")]
    NotFinite {
        /// Its word.
        word: String,
        /// The first such value.
        value: f32,
    },
    /// Words and floats don't make a matrix.
    #[error("{words} words with {dim} dimensions need {words} × {dim} floats, there are {floats}")]
    Shape {
        /// Words of the vocabulary.
        words: usize,
        /// Floats of a vector.
        dim: usize,
        /// Floats there are.
        floats: usize,
    },
    /// A trained model lacks vectors that the export wants.
    #[error(
        "the model {path:?} has no column {column:?}, which vectors = {wanted:?} needs; \
         use vectors = \"word\""
    )]
    NoVectors {
        /// The model's table.
        path: PathBuf,
        /// The column it lacks.
        column: String,
        /// The setting.
        wanted: &'static str,
    },
    /// A word can't be written to a format, whose separator it holds.
    #[error(
        "the word {word:?} has {} in it (or nothing), so the format {format:?} can't hold \
         it; take another format (\"parquet\" holds any word)",
        separator(format)
    )]
    Separator {
        /// The word.
        word: String,
        /// The format's name in the settings.
        format: &'static str,
    },
    /// A model that fastText does not have.
    #[error(
        "{path:?} is a {kind} model, and the format \"fasttext-bin\" holds skipgram and cbow models \
         only; use \"fasttext-vec\" for its vectors"
    )]
    NotFastText {
        /// The model's stage directory.
        path: PathBuf,
        /// Its kind.
        kind: String,
    },
    /// A binary file is not whole, or not what it seems to be.
    #[error("{path:?} is not a whole {format} file: {problem}")]
    Binary {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        format: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A quantized model of fastText's.
    #[error(
        "{path:?} is a quantized model of fastText's, which is not read; use the .bin it was made \
         from, or write its words with \"fasttext print-word-vectors\" and read that text"
    )]
    Quantized {
        /// The file.
        path: PathBuf,
    },
    /// A file of another program's that is known and not read.
    #[error("{path:?} is {what}, which is not read: {help}")]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What helps.
        help: &'static str,
    },
    /// The words of an array are nowhere.
    #[error(
        "the words of {path:?} are not there: one a line is expected in {expected:?}, or name their file \
         with --words"
    )]
    NoWords {
        /// The array.
        path: PathBuf,
        /// Where its words are looked for first.
        expected: PathBuf,
    },
    /// A file of words does not fit the vectors beside it.
    #[error("{path:?}, line {lines}: {problem}")]
    Words {
        /// The file of words.
        path: PathBuf,
        /// Lines read of it.
        lines: u64,
        /// What is wrong.
        problem: String,
    },
    /// A file's name does not say what it is to be.
    #[error(
        "the name {path:?} does not say in which format it is to be written: name it with --to (one of \
         {formats}), or let it end in .parquet, .arrow, .txt, .glove.txt, .vec, .bin, .fasttext.bin, \
         .safetensors, .npy, .fifu or .tsv", formats = formats()
    )]
    UnknownFormat {
        /// The name.
        path: PathBuf,
    },
    /// A format that holds 32-bit floats only.
    #[error(
        "the format {format:?} does not hold {precision}: take \"parquet\", \"arrow\", \"safetensors\" or \"npy\""
    )]
    Precision {
        /// The format.
        format: &'static str,
        /// The precision.
        precision: &'static str,
    },
    /// A file that nobody could read if it were compressed.
    #[error(
        "{path:?} can't be compressed: no program reads {format:?} so; leave out the .gz or .zst"
    )]
    NotPacked {
        /// The name.
        path: PathBuf,
        /// The format.
        format: &'static str,
    },
    /// A value that 16-bit floats do not reach.
    #[error(
        "the vector of {word:?} holds {value}, which is beyond 16-bit floats; take f32 or int8"
    )]
    BeyondF16 {
        /// Its word.
        word: String,
        /// The value.
        value: f32,
    },
    /// Rows that came before and are not there any more, or the other way round.
    #[error("{path:?} has changed while it was read")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file of words that is not needed.
    #[error("--words names a file of words, but {path:?} has its words in itself")]
    WordsTwice {
        /// The embeddings.
        path: PathBuf,
    },
    /// An export that was not made in a format.
    #[error("{path:?} holds no file in the format {format:?}; it was exported as: {found}")]
    NotExported {
        /// The stage directory.
        path: PathBuf,
        /// The format asked for.
        format: &'static str,
        /// The formats it has.
        found: String,
    },
    /// Vectors so long that their covariance does not fit in memory.
    #[error(
        "components of vectors of {dim} dimensions can't be removed: at most {most} dimensions are taken"
    )]
    TooManyDimensions {
        /// Dimensions.
        dim: usize,
        /// The most that are taken.
        most: usize,
    },
    /// Nothing is left of embeddings.
    #[error("no word of {path:?} is to be kept: none of {wanted:?} is in it")]
    NothingKept {
        /// The embeddings.
        path: PathBuf,
        /// The list of words.
        wanted: PathBuf,
    },
    /// More components are to be removed than would leave any.
    #[error(
        "{components} components can't be removed from vectors of {dim} dimensions: name fewer than {dim}"
    )]
    Components {
        /// Components to remove.
        components: usize,
        /// Dimensions.
        dim: usize,
    },
    /// A run without vectors.
    #[error("{path:?} holds no finished export stage or model")]
    NoneInRun {
        /// The run directory.
        path: PathBuf,
    },
    /// A run with several vectors.
    #[error("{path:?} holds several {what}, name one: {stages:?}")]
    SeveralInRun {
        /// The run directory.
        path: PathBuf,
        /// What there are several of.
        what: &'static str,
        /// Their directories.
        stages: Vec<PathBuf>,
    },
    /// An export into no format.
    #[error(
        "formats is empty: name at least one of {formats}", formats = formats()
    )]
    NoFormats,
    /// Worker threads could not be started.
    #[error("could not start {threads} worker threads: {source}")]
    Threads {
        /// How many.
        threads: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
}

/// What is wrong with a line of a text file of embeddings.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// The first line should say how many rows and dimensions there are.
    #[error("it should hold two whole numbers: the rows and the dimensions")]
    NoHeader,
    /// Not a word and `dim` values.
    #[error("{found} values after the word instead of {expected}")]
    Values {
        /// Values there are.
        found: usize,
        /// The dimension, from the header or the first line.
        expected: usize,
    },
    /// A value that can't be parsed.
    #[error("{text:?} is not a number")]
    NotANumber {
        /// The value as it stands there.
        text: String,
    },
    /// A NaN or an infinity.
    #[error("the value {text} is not finite")]
    NotFinite {
        /// The value as it stands there.
        text: String,
    },
    /// A count that is none.
    #[error("the count {text:?} is not a whole number")]
    NotACount {
        /// What stands there.
        text: String,
    },
    /// A line of a table of words that has too few columns.
    #[error("it has fewer than {expected} columns")]
    Columns {
        /// Columns up to that of words.
        expected: usize,
    },
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    InvalidUtf8,
    /// Longer than any row is.
    #[error("it is longer than {bytes} bytes: this is not a text file of embeddings")]
    TooLong {
        /// The longest line taken.
        bytes: u64,
    },
    /// The dimension would be 0.
    #[error("a word without values")]
    NoValues,
}

fn separator(format: &str) -> &'static str {
    match format {
        "fasttext-bin" => "a NUL",
        "npy" | "safetensors" => "a line end or a byte order mark",
        "tsv" => "a tab, line end or byte order mark",
        _ => "white space or a byte order mark",
    }
}

fn formats() -> String {
    FORMATS.map(Format::name).join(", ")
}

fn cut_off(expected: u64, found: u64) -> &'static str {
    if found < expected { "; it was cut off" } else { "" }
}

impl Error {
    /// Says which file another error is about.
    pub(crate) fn in_file(self, path: &Path) -> Error {
        Error::Content { path: path.to_owned(), source: Box::new(self) }
    }
}
