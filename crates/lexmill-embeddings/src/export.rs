//! The stage `export`: a trained model to embeddings in the formats people use.
//!
//! Reads a model's table ([`crate::model`]), writes one file a format:
//!
//! | format | file | layout |
//! | --- | --- | --- |
//! | `parquet` | `embeddings.parquet` | `word` text, `vector` vector(dim), `count` u64; the settings and the model's provenance in its metadata |
//! | `word2vec-text` | `embeddings.word2vec.txt` | a line `rows dim`, then a word and its values a line |
//! | `word2vec-binary` | `embeddings.word2vec.bin` | a line `rows dim`, then a row each: the word, a space, `dim` f32 (little-endian), a line end |
//! | `glove-text` | `embeddings.glove.txt` | a word and its values a line |
//! | `fasttext-vec` | `embeddings.vec` | as `word2vec-text`, under the name that fastText's tools expect |
//! | `fasttext-bin` | `embeddings.fasttext.bin` | the complete model, with n-grams and output rows: what fastText and gensim can train on |
//!
//! Rows are in word id order: most frequent first. Which vectors is a setting: `sum` is W + C (what
//! GloVe's authors use; Pennington et al. 2014, section 4.2), `word` is W (what word2vec and fastText
//! write), `context` is C, `concatenated` is \[W|C\] with `2 dim` values; `auto` is `sum` of a GloVe
//! model and `word` of any other. `fasttext-bin` holds all of a model whatever is chosen. Values are
//! written to text with the fewest digits that read back to the same bits. All formats but `parquet`
//! and `fasttext-bin` separate by spaces, so a word with white space in it is an error there; in
//! `fasttext-bin` a word with a NUL is.
//!
//! The model streams through in batches; memory does not grow with its rows. A format that is done is
//! not written again when the stage is taken up after a cut.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use lexmill_store::table::{Batch, Column, ColumnType, TableReader, TableWriter};
use lexmill_store::{
    AtomicFile, Error as StoreError, FileEntry, Manifest, Progress, Resources, StageKey,
    StageWriter, UnitRecord,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::{CONTEXT_VECTOR, COUNT, KINDS, PARAMETERS, VECTOR, WORD, read_model};
use crate::{Error, Result};

mod fasttext_bin;

/// The stage's kind.
pub const KIND: &str = "export";
/// Raised when the same settings give other bytes.
pub const VERSION: u32 = 2;

/// Rows that one worker turns into text at a time.
const TEXT_ROWS: usize = 256;

/// A file format for embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A Parquet table.
    Parquet,
    /// Text with a header, as word2vec writes it.
    Word2vecText,
    /// Binary, as word2vec writes it.
    Word2vecBinary,
    /// Text without a header, as GloVe writes it.
    GloveText,
    /// Text with a header, as fastText writes it.
    FasttextVec,
    /// A complete model, as fastText writes it.
    FasttextBin,
}

impl Format {
    /// Its name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Word2vecText => "word2vec-text",
            Format::Word2vecBinary => "word2vec-binary",
            Format::GloveText => "glove-text",
            Format::FasttextVec => "fasttext-vec",
            Format::FasttextBin => "fasttext-bin",
        }
    }

    /// The file it goes to, below the stage directory.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Parquet => "embeddings.parquet",
            Format::Word2vecText => "embeddings.word2vec.txt",
            Format::Word2vecBinary => "embeddings.word2vec.bin",
            Format::GloveText => "embeddings.glove.txt",
            Format::FasttextVec => "embeddings.vec",
            Format::FasttextBin => "embeddings.fasttext.bin",
        }
    }
}

/// Which vectors of a model become the embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VectorChoice {
    /// W + C of a GloVe model, W of any other.
    #[default]
    Auto,
    /// W + C.
    Sum,
    /// W.
    Word,
    /// C.
    Context,
    /// \[W|C\], twice as long.
    Concatenated,
}

impl VectorChoice {
    /// Its name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            VectorChoice::Auto => "auto",
            VectorChoice::Sum => "sum",
            VectorChoice::Word => "word",
            VectorChoice::Context => "context",
            VectorChoice::Concatenated => "concatenated",
        }
    }

    /// Whether a finished export's words have the vectors that its model has for them, if that is one
    /// with n-grams.
    pub fn keeps_words(export: &Manifest) -> bool {
        let chosen = export.key.settings["vectors"].as_str();
        [VectorChoice::Auto, VectorChoice::Word].iter().any(|choice| chosen == Some(choice.name()))
    }

    /// What it is for a model of this kind: anything but `Auto`.
    fn of_model(self, kind: &str) -> VectorChoice {
        match self {
            VectorChoice::Auto if kind == "glove" => VectorChoice::Sum,
            VectorChoice::Auto => VectorChoice::Word,
            choice => choice,
        }
    }

    /// The model's columns it is made of.
    fn columns(self) -> &'static [&'static str] {
        match self {
            VectorChoice::Sum | VectorChoice::Concatenated => &[VECTOR, CONTEXT_VECTOR],
            VectorChoice::Auto | VectorChoice::Word => &[VECTOR],
            VectorChoice::Context => &[CONTEXT_VECTOR],
        }
    }
}

/// What an export makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportSettings {
    /// The formats to write.
    pub formats: Vec<Format>,
    /// The vectors to write.
    pub vectors: VectorChoice,
}

impl Default for ExportSettings {
    fn default() -> ExportSettings {
        ExportSettings { formats: vec![Format::Parquet], vectors: VectorChoice::default() }
    }
}

/// Exports the model in the stage directory `model` to the stage directory `output`.
///
/// # Errors
/// If the model can't be read or lacks the vectors wanted, a word does not fit a format, or the disk
/// refuses; formats written until then are kept for the next run.
pub fn run(
    settings: &ExportSettings,
    model: &Path,
    output: &Path,
    key: StageKey,
    resources: &Resources,
    progress: &Progress,
) -> Result<Manifest> {
    let mut formats = Vec::new();
    for &format in &settings.formats {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    if formats.is_empty() {
        return Err(Error::NoFormats);
    }
    let kind = Manifest::expect(model, KINDS)?.key.stage;
    let choice = settings.vectors.of_model(&kind);
    let rows = open(choice, model)?.rows();
    progress.begin("rows", rows * formats.len() as u64);
    let stage = StageWriter::begin(output, &key.hash())?;
    let (mut files, mut report) = (Vec::new(), Value::Null);
    for format in formats {
        let record = match stage.unit(format.name()) {
            Some(record) => {
                progress.advance(rows);
                record.clone()
            }
            None => {
                let read =
                    || Ok::<_, Error>(Rows::new(open(choice, model)?, choice, model, progress));
                let path = stage.path(format.file_name());
                let (file, dim) = match format {
                    Format::Parquet => write_parquet(read()?, &path)?,
                    Format::Word2vecText | Format::GloveText | Format::FasttextVec => {
                        write_text(read()?, &path, format, resources.threads)?
                    }
                    Format::Word2vecBinary => write_binary(read()?, &path)?,
                    Format::FasttextBin => fasttext_bin::write(model, &kind, &path, progress)?,
                };
                let report = json!({ "rows": file.rows, "dim": dim });
                let unit = format.name().to_owned();
                let record = UnitRecord { unit, files: vec![file], report };
                stage.record(&record)?;
                record
            }
        };
        files.extend(record.files);
        report = record.report;
    }
    Ok(stage.finish(key, files, BTreeMap::new(), report)?)
}

/// All words of a finished model with the vectors that [`VectorChoice::Auto`] chooses.
pub(crate) fn each_batch(
    model: &Path,
    kind: &str,
    mut take: impl FnMut(&Batch, &[f32], usize) -> Result<()>,
) -> Result<()> {
    let choice = VectorChoice::Auto.of_model(kind);
    let progress = Progress::new();
    let mut rows = Rows::new(open(choice, model)?, choice, model, &progress);
    while let Some((batch, vectors)) = rows.next_batch()? {
        take(&batch, &vectors, rows.dim)?;
    }
    Ok(())
}

fn open(vectors: VectorChoice, model: &Path) -> Result<TableReader> {
    read_model(model, vectors.columns()).map_err(|error| match error {
        StoreError::Column { path, column, .. } if vectors.columns().contains(&column.as_str()) => {
            Error::NoVectors { path, column, wanted: vectors.name() }
        }
        other => other.into(),
    })
}

/// The rows of a model in batches, with the vectors that were chosen.
struct Rows<'a> {
    reader: TableReader,
    choice: VectorChoice,
    path: std::path::PathBuf,
    progress: &'a Progress,
    /// 0 before the first batch.
    dim: usize,
}

impl<'a> Rows<'a> {
    fn new(
        reader: TableReader,
        choice: VectorChoice,
        model: &Path,
        progress: &'a Progress,
    ) -> Rows<'a> {
        Rows { reader, choice, path: model.join(PARAMETERS), progress, dim: 0 }
    }

    fn rows(&self) -> u64 {
        self.reader.rows()
    }

    /// The next batch, with its vectors end to end, each of `self.dim` values.
    fn next_batch(&mut self) -> Result<Option<(Batch, Vec<f32>)>> {
        let Some(batch) = self.reader.next().transpose()? else { return Ok(None) };
        let (vectors, dim) = combine(self.choice, &batch, &self.path)?;
        if self.dim != 0 && self.dim != dim {
            let problem = format!("its vectors have {} and then {dim} dimensions", self.dim);
            return Err(StoreError::corrupt(&self.path, problem).into());
        }
        self.dim = dim;
        self.progress.advance(batch.rows() as u64);
        Ok(Some((batch, vectors)))
    }

    /// Rows there must be, and rows there were.
    fn check(&self, found: u64) -> Result<()> {
        if found == 0 {
            return Err(Error::Empty { path: self.path.clone() });
        }
        if found != self.rows() {
            let problem = format!("its footer says {} rows, it has {found}", self.rows());
            return Err(StoreError::corrupt(&self.path, problem).into());
        }
        Ok(())
    }
}

/// The chosen vectors of a batch, and their dimension.
fn combine(choice: VectorChoice, batch: &Batch, path: &Path) -> Result<(Vec<f32>, usize)> {
    let mut sources = Vec::new();
    for column in choice.columns() {
        sources.push(batch.vectors(column)?);
    }
    let dim = sources[0].1;
    if dim == 0 || sources.iter().any(|source| source.1 != dim) {
        let dims: Vec<usize> = sources.iter().map(|source| source.1).collect();
        let problem = format!("its vectors have dimensions {dims:?}");
        return Err(StoreError::corrupt(path, problem).into());
    }
    Ok(match (choice, sources.as_slice()) {
        (VectorChoice::Sum, [(words, _), (contexts, _)]) => {
            (words.iter().zip(*contexts).map(|(w, c)| w + c).collect(), dim)
        }
        (VectorChoice::Concatenated, [(words, _), (contexts, _)]) => {
            let mut vectors = Vec::with_capacity(2 * words.len());
            for (word, context) in words.chunks_exact(dim).zip(contexts.chunks_exact(dim)) {
                vectors.extend_from_slice(word);
                vectors.extend_from_slice(context);
            }
            (vectors, 2 * dim)
        }
        _ => (sources[0].0.to_vec(), dim),
    })
}

fn write_parquet(mut rows: Rows<'_>, path: &Path) -> Result<(FileEntry, usize)> {
    let metadata = json!({
        "stage": KIND,
        "version": VERSION,
        "settings": { "vectors": rows.choice },
        "model": rows.reader.metadata(),
    });
    let mut writer = None;
    let mut written = 0;
    while let Some((batch, vectors)) = rows.next_batch()? {
        let open = match &mut writer {
            Some(writer) => writer,
            None => {
                let vector = ColumnType::Vector(rows.dim);
                let columns =
                    [(WORD, ColumnType::Text), (VECTOR, vector), (COUNT, ColumnType::U64)];
                writer.insert(TableWriter::create(path, &columns, &metadata)?)
            }
        };
        written += batch.rows() as u64;
        open.write(vec![
            Column::text(batch.text(WORD)?.iter()),
            Column::vectors(vectors, rows.dim),
            Column::u64(batch.u64(COUNT)?.to_vec()),
        ])?;
    }
    rows.check(written)?;
    let writer = writer.expect("at least one batch was written");
    Ok((writer.finish(Format::Parquet.file_name())?, rows.dim))
}

fn write_text(
    mut rows: Rows<'_>,
    path: &Path,
    format: Format,
    threads: usize,
) -> Result<(FileEntry, usize)> {
    let threads = threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("export-{index}"))
        .build()
        .map_err(|source| Error::Threads { threads, source })?;
    let mut file = AtomicFile::create(path)?;
    let mut written = 0;
    while let Some((batch, vectors)) = rows.next_batch()? {
        if written == 0 && format != Format::GloveText {
            writeln!(file, "{} {}", rows.rows(), rows.dim)
                .map_err(StoreError::io("write", path))?;
        }
        written += batch.rows() as u64;
        let words = words(&batch, format)?;
        // Formatting a float takes 20 times as long as reading it, so this is where threads help.
        let texts: Vec<String> = pool.install(|| {
            words
                .par_chunks(TEXT_ROWS)
                .zip(vectors.par_chunks(TEXT_ROWS * rows.dim))
                .map(|(words, vectors)| {
                    let mut text = String::with_capacity(vectors.len() * 13);
                    for (word, vector) in words.iter().zip(vectors.chunks_exact(rows.dim)) {
                        text_line(&mut text, word, vector);
                    }
                    text
                })
                .collect()
        });
        for text in texts {
            file.write_all(text.as_bytes()).map_err(StoreError::io("write", path))?;
        }
    }
    rows.check(written)?;
    Ok((file.commit(format.file_name(), written)?, rows.dim))
}

fn write_binary(mut rows: Rows<'_>, path: &Path) -> Result<(FileEntry, usize)> {
    let format = Format::Word2vecBinary;
    let mut file = AtomicFile::create(path)?;
    let mut written = 0;
    let mut bytes = Vec::new();
    while let Some((batch, vectors)) = rows.next_batch()? {
        bytes.clear();
        if written == 0 {
            bytes.extend_from_slice(format!("{} {}\n", rows.rows(), rows.dim).as_bytes());
        }
        written += batch.rows() as u64;
        for (word, vector) in words(&batch, format)?.iter().zip(vectors.chunks_exact(rows.dim)) {
            bytes.extend_from_slice(word.as_bytes());
            bytes.push(b' ');
            bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
            bytes.push(b'\n');
        }
        file.write_all(&bytes).map_err(StoreError::io("write", path))?;
    }
    rows.check(written)?;
    Ok((file.commit(format.file_name(), written)?, rows.dim))
}

/// The words of a batch, all of which can stand in a file whose fields are separated by white space.
fn words(batch: &Batch, format: Format) -> Result<Vec<&str>> {
    let words: Vec<&str> = batch.text(WORD)?.iter().collect();
    match words.iter().find(|word| word.is_empty() || word.contains(char::is_whitespace)) {
        Some(word) => Err(Error::Separator { word: (*word).to_owned(), format: format.name() }),
        None => Ok(words),
    }
}

/// Appends a line of the text formats: the word and its values, with the fewest digits that read back.
pub fn text_line(text: &mut String, word: &str, vector: &[f32]) {
    text.push_str(word);
    for value in vector {
        write!(text, " {value}").expect("a String takes any text");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests;
