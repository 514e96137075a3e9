//! The stage `export`: a trained model to embeddings in the formats people use.
//!
//! Reads a model's table ([`crate::model`]), writes `embeddings.*` for each format; how they look is in
//! [`crate::Format`] and README's table. The Parquet and Arrow files carry the settings and the model's
//! provenance in their metadata.
//!
//! Rows are in word id order: most frequent first. Which vectors is a setting: `sum` is W + C (what
//! GloVe's authors use; Pennington et al. 2014, section 4.2), `word` is W (what word2vec and fastText
//! write), `context` is C, `concatenated` is \[W|C\] with `2 dim` values; `auto` is `sum` of a GloVe
//! model and `word` of any other. `fasttext-bin` holds all of a model whatever is chosen: n-grams and
//! output rows, what fastText and gensim can train on. A word that a format can't hold, such as one with
//! white space in text, is an error that names it.
//!
//! The model streams through in batches; memory does not grow with its rows, but for `finalfusion`,
//! which begins with all words. A format that is done is not written again when the stage is taken up
//! after a cut.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lexmill_store::table::{Batch, TableReader};
use lexmill_store::{
    Error as StoreError, FileEntry, Manifest, Progress, Resources, StageKey, StageWriter,
    UnitRecord,
};
use lexmill_vocab::Interner;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::format::{Format, Precision};
use crate::model::{CONTEXT_VECTOR, COUNT, KINDS, PARAMETERS, VECTOR, WORD, read_model};
use crate::read::first_not_finite;
use crate::rows::{Rows, Source};
use crate::write::{Head, create, fasttext_bin};
use crate::{Error, Result};

/// The stage's kind.
pub const KIND: &str = "export";
/// Raised when the same settings give other bytes.
pub const VERSION: u32 = 2;

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
    let threads = resources.threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("export-{index}"))
        .build()
        .map_err(|source| Error::Threads { threads, source })?;
    let stage = StageWriter::begin(output, &key.hash(), resources.threads, progress)?;
    progress.begin("rows", rows * formats.len() as u64);
    let (mut files, mut report) = (Vec::new(), Value::Null);
    for format in formats {
        let record = match stage.unit(format.name()) {
            Some(record) => {
                progress.advance(rows);
                record.clone()
            }
            None => {
                progress.go_on()?;
                let path = stage.path(format.file_name());
                let (files, dim) = match format {
                    Format::FasttextBin => {
                        let name = format.file_name();
                        let (file, dim) =
                            fasttext_bin::write_model(model, &kind, &path, name, progress)?;
                        (vec![file], dim)
                    }
                    _ => pool.install(|| write(model, choice, format, &path, progress))?,
                };
                let report = json!({ "rows": rows, "dim": dim });
                let unit = format.name().to_owned();
                let record = UnitRecord { unit, files, report };
                stage.record(&record)?;
                record
            }
        };
        files.extend(record.files);
        report = record.report;
    }
    Ok(stage.finish(key, files, BTreeMap::new(), report)?)
}

/// Writes the chosen vectors of a model in a format; returns the dimension too.
fn write(
    model: &Path,
    choice: VectorChoice,
    format: Format,
    path: &Path,
    progress: &Progress,
) -> Result<(Vec<FileEntry>, usize)> {
    let mut source = ModelSource::open(model, choice)?;
    let mut words = Interner::new();
    let mut counts = Vec::new();
    if format.begins_with_words() {
        for batch in read_model(model, &[])? {
            let batch = batch?;
            for word in batch.text(WORD)?.iter() {
                words.intern(word);
            }
            counts.extend_from_slice(batch.u64(COUNT)?);
        }
    }
    let head = Head {
        rows: source.reader.rows(),
        dim: source.dim,
        counted: true,
        words: format.begins_with_words().then_some((&words, &counts[..])),
        metadata: json!({
            "stage": KIND,
            "version": VERSION,
            "settings": { "vectors": choice },
            "model": source.reader.metadata(),
        }),
    };
    if head.dim == 0 {
        return Err(Error::Empty { path: source.path });
    }
    let mut sink = create(path, format, Precision::F32, &head)?;
    while let Some(rows) = source.next_rows()? {
        sink.write(&rows)?;
        progress.advance(rows.len() as u64);
    }
    Ok((sink.finish(format.file_name())?, source.dim))
}

/// All words of a finished model with the vectors that [`VectorChoice::Auto`] chooses.
pub(crate) fn auto_source(model: &Path, kind: &str) -> Result<Box<dyn Source>> {
    Ok(Box::new(ModelSource::open(model, VectorChoice::Auto.of_model(kind))?))
}

fn open(vectors: VectorChoice, model: &Path) -> Result<TableReader> {
    read_model(model, vectors.columns()).map_err(|error| match error {
        StoreError::Column { path, column, .. } if vectors.columns().contains(&column.as_str()) => {
            Error::NoVectors { path, column, wanted: vectors.name() }
        }
        other => other.into(),
    })
}

/// The words of a model with the vectors that were chosen.
struct ModelSource {
    reader: TableReader,
    choice: VectorChoice,
    path: PathBuf,
    /// 0 of a model without words.
    dim: usize,
    /// What was read to know the dimension.
    first: Option<Rows>,
    found: u64,
}

impl ModelSource {
    fn open(model: &Path, choice: VectorChoice) -> Result<ModelSource> {
        let reader = open(choice, model)?;
        let path = model.join(PARAMETERS);
        let mut source = ModelSource { reader, choice, path, dim: 0, first: None, found: 0 };
        source.first = source.read_rows()?;
        Ok(source)
    }

    fn read_rows(&mut self) -> Result<Option<Rows>> {
        let Some(batch) = self.reader.next().transpose()? else { return Ok(None) };
        let (vectors, dim) = combine(self.choice, &batch, &self.path)?;
        if self.dim != 0 && self.dim != dim {
            let problem = format!("its vectors have {} and then {dim} dimensions", self.dim);
            return Err(StoreError::corrupt(&self.path, problem).into());
        }
        self.dim = dim;
        let mut rows = Rows::of_vectors(vectors);
        for word in batch.text(WORD)?.iter() {
            rows.push_word(word);
        }
        // A sum of two that are finite may not be.
        if let Some(place) = first_not_finite(&rows.vectors) {
            let (word, value) = (rows.word(place / dim.max(1)).to_owned(), rows.vectors[place]);
            return Err(Error::NotFinite { word, value }.in_file(&self.path));
        }
        rows.counts.extend_from_slice(batch.u64(COUNT)?);
        Ok(Some(rows))
    }
}

impl Source for ModelSource {
    fn dim(&self) -> usize {
        self.dim
    }

    fn rows(&self) -> Option<u64> {
        Some(self.reader.rows())
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        let rows = match self.first.take() {
            Some(rows) => Some(rows),
            None => self.read_rows()?,
        };
        self.found += rows.as_ref().map_or(0, |rows| rows.len() as u64);
        if rows.is_none() && self.found != self.reader.rows() {
            let (said, found) = (self.reader.rows(), self.found);
            let problem = format!("its footer says {said} rows, it has {found}");
            return Err(StoreError::corrupt(&self.path, problem).into());
        }
        Ok(rows)
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

#[cfg(test)]
mod tests;
