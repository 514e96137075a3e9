//! From any format to any other, and what is done to vectors on the way.
//!
//! Rows stream through; in memory are the words, so that one that stands twice is found. A file is read
//! twice where its rows must be known before the first is written: their number, all words, or the mean
//! and the principal components of all vectors.
//!
//! What is asked for is done in this order: the words of a list are kept; of these the first `top` rows;
//! the mean of the vectors that are left is taken off; then their first principal components
//! ("All-but-the-Top", Mu and Viswanath 2018: v' = v − μ − Σᵢ uᵢ uᵢᵀ (v − μ)); then vectors are scaled to
//! length 1. Sums are in f64 and rounded to f32 once.

use std::path::{Path, PathBuf};

use lexmill_store::{
    Error as StoreError, Event, FileEntry, Manifest, Progress, parent, sync_directory,
};
use lexmill_vocab::Interner;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use crate::format::{Format, Precision};
use crate::model::KINDS;
use crate::moments::Moments;
use crate::read::{Checked, ReadOptions, first_not_finite, open};
use crate::rows::Rows;
use crate::write::{Head, check_format, create, fasttext_bin};
use crate::{Error, Result, SubwordVectors, normalize};

/// The most dimensions of vectors whose covariance is computed: half a gigabyte, three times.
const MOST_DIMENSIONS: usize = 8192;
/// The part of a vector's length that is left by rounding alone.
const NOISE: f64 = 1e-6;

/// What becomes of embeddings.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ConvertSettings {
    /// The format; else the one that the name of the output says.
    pub format: Option<Format>,
    /// How numbers are kept.
    pub precision: Precision,
    /// Keep this many rows, the first.
    pub top: Option<u64>,
    /// Keep the words of this file, one a line, in the order of the embeddings.
    #[serde(skip)]
    pub words: Option<PathBuf>,
    /// Take off the mean.
    pub center: bool,
    /// Take off this many of the first principal components, after the mean.
    pub remove_components: usize,
    /// Scale to length 1.
    pub normalize: bool,
}

impl ConvertSettings {
    /// Whether rows are written as they are.
    fn keeps_all(&self) -> bool {
        self.top.is_none() && self.words.is_none() && !self.changes_vectors()
    }

    fn changes_vectors(&self) -> bool {
        self.needs_moments() || self.normalize
    }

    fn needs_moments(&self) -> bool {
        self.center || self.remove_components > 0
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// The format.
    pub format: Format,
    /// Rows.
    pub rows: u64,
    /// Floats of a vector.
    pub dim: usize,
    /// Words of the list that are not among the embeddings.
    pub not_found: u64,
    /// The files, by their names in their directory.
    pub files: Vec<FileEntry>,
}

/// Reads embeddings and writes them to `to`, on the threads of the current rayon pool. Whatever was at
/// `to` stays until the new file is whole; of a format with a file of words, until both are.
///
/// # Errors
/// If `from` can't be read, `to` can't be written, or its format can't hold what it is to hold.
pub fn convert(
    from: &Path,
    read: &ReadOptions,
    to: &Path,
    settings: &ConvertSettings,
    progress: &Progress,
) -> Result<Converted> {
    let format = settings.format.map_or_else(|| Format::of_name(to), Ok)?;
    let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    check_format(to, format, settings.precision)?;
    if format == Format::FasttextBin
        && settings.keeps_all()
        && let Some(kind) = model_kind(from)?
    {
        progress.begin("rows", 0);
        let (file, dim) = fasttext_bin::write_model(from, &kind, to, &name, progress)?;
        sync_directory(parent(to))?;
        return Ok(Converted { format, rows: file.rows, dim, not_found: 0, files: vec![file] });
    }
    if format == Format::FasttextBin && SubwordVectors::are_at(from)? {
        progress.report(Event::Notice(format!(
            "the n-grams of {} are left out: the .bin has vectors for the words in it, none for others",
            from.display()
        )));
    }
    let wanted = settings.words.as_deref().map(word_list).transpose()?;
    let select = || Selection { wanted: wanted.as_ref(), left: settings.top, found: 0 };
    let first = open(from, read)?;
    let dim = first.dim();
    if settings.remove_components > 0 {
        if settings.remove_components >= dim {
            let components = settings.remove_components;
            return Err(Error::Components { components, dim });
        }
        if dim > MOST_DIMENSIONS {
            return Err(Error::TooManyDimensions { dim, most: MOST_DIMENSIONS });
        }
    }
    let known = match (&wanted, settings.top) {
        (Some(_), _) => None,
        (None, top) => first.rows().map(|rows| rows.min(top.unwrap_or(rows))),
    };
    let survey = match known {
        Some(_) if !settings.needs_moments() && !format.begins_with_words() => None,
        None if !settings.needs_moments() && !format.begins_with_rows() => None,
        _ => {
            progress.begin("rows (to be counted)", first.rows().unwrap_or(0));
            let checked = Checked::new(open(from, read)?, from);
            Some(Survey::take(checked, select(), settings, progress)?)
        }
    };
    let rows = survey.as_ref().map_or(known, |survey| Some(survey.rows));
    progress.begin("rows", rows.unwrap_or(0));
    let mut source = match &survey {
        Some(_) => Checked::again(first, from),
        None => Checked::new(first, from),
    };
    let mut selection = select();
    let mut next = || -> Result<Option<Rows>> {
        let mut gathered = Rows::default();
        while !selection.is_done()
            && let Some(mut rows) = source.next_rows()?
        {
            let whole = rows.len();
            selection.apply(&mut rows, dim);
            progress.advance(rows.len() as u64);
            // Of a list, a few words of each batch are left.
            gathered.append(rows);
            if gathered.len() >= whole {
                return Ok(Some(gathered));
            }
        }
        Ok((!gathered.is_empty()).then_some(gathered))
    };
    let Some(mut batch) = next()? else {
        return Err(match &settings.words {
            Some(wanted) => Error::NothingKept { path: from.to_owned(), wanted: wanted.to_owned() },
            None => Error::Empty { path: from.to_owned() },
        });
    };
    let head = Head {
        rows: rows.unwrap_or(0),
        dim,
        counted: !batch.counts.is_empty(),
        words: survey.as_ref().map(|survey| (&survey.words, &survey.counts[..])),
        metadata: json!({ "stage": "convert", "settings": settings }),
    };
    let mut sink = create(to, format, settings.precision, &head)?;
    let mut written = 0;
    loop {
        if let Some(survey) = &survey {
            survey.change(&mut batch.vectors, dim);
        }
        if let Some(place) = first_not_finite(&batch.vectors) {
            let (word, value) = (batch.word(place / dim).to_owned(), batch.vectors[place]);
            return Err(Error::NotFinite { word, value }.in_file(from));
        }
        if settings.normalize {
            normalize(&mut batch.vectors, dim);
        }
        if head.counted {
            batch.counts.resize(batch.len(), 0);
        }
        written += batch.len() as u64;
        sink.write(&batch)?;
        match next()? {
            Some(rows) => batch = rows,
            None => break,
        }
    }
    if rows.is_some_and(|rows| rows != written) {
        return Err(Error::Changed { path: from.to_owned() });
    }
    let files = sink.finish(&name)?;
    sync_directory(parent(to))?;
    let listed = wanted.as_ref().map_or(0, |words| words.len() as u64);
    let not_found = if settings.top.is_none() { listed - selection.found.min(listed) } else { 0 };
    Ok(Converted { format, rows: written, dim, not_found, files })
}

/// The length of a vector.
fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The kind of a trained model that fastText has too, if that is what is there.
fn model_kind(from: &Path) -> Result<Option<String>> {
    if !from.is_dir() {
        return Ok(None);
    }
    let kind = Manifest::read(from)?.map(|manifest| manifest.key.stage);
    Ok(kind.filter(|kind| kind != "glove" && KINDS.contains(&kind.as_str())))
}

/// The words of a list, one a line.
fn word_list(path: &Path) -> Result<Interner> {
    let text = std::fs::read(path).map_err(StoreError::io("read", path))?;
    let mut words = Interner::new();
    let text = text.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(&text);
    for (line, bytes) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let word = std::str::from_utf8(bytes).map_err(|_| {
            let problem = crate::LineProblem::InvalidUtf8;
            Error::Line { path: path.to_owned(), line, problem }
        })?;
        if !word.is_empty() {
            words.intern(word);
        }
    }
    Ok(words)
}

/// Which rows are kept.
struct Selection<'a> {
    wanted: Option<&'a Interner>,
    /// Rows that may still come.
    left: Option<u64>,
    found: u64,
}

impl Selection<'_> {
    fn keeps_all(&self) -> bool {
        self.wanted.is_none() && self.left.is_none()
    }

    fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    fn apply(&mut self, rows: &mut Rows, dim: usize) {
        rows.retain(dim, |_, word| {
            let keep =
                self.wanted.is_none_or(|wanted| wanted.get(word).is_some()) && self.left != Some(0);
            if keep {
                self.found += 1;
                self.left = self.left.map(|left| left - 1);
            }
            keep
        });
    }
}

/// What must be known before the first row is written.
struct Survey {
    rows: u64,
    words: Interner,
    counts: Vec<u64>,
    mean: Vec<f64>,
    /// The components to take off, each of length 1.
    components: Vec<Vec<f64>>,
}

impl Survey {
    fn take(
        mut checked: Checked<'_>,
        mut selection: Selection<'_>,
        settings: &ConvertSettings,
        progress: &Progress,
    ) -> Result<Survey> {
        let dim = checked.dim();
        let mut moments = Moments::new(dim, settings.remove_components > 0);
        let all = selection.keeps_all();
        let (mut words, mut counts) = (Interner::new(), Vec::new());
        while !selection.is_done()
            && let Some(mut rows) = checked.next_rows()?
        {
            selection.apply(&mut rows, dim);
            progress.advance(rows.len() as u64);
            if settings.needs_moments() {
                moments.add(&rows.vectors);
            }
            if !all {
                for word in rows.words() {
                    words.intern(word);
                }
                counts.extend_from_slice(&rows.counts);
            }
        }
        if all {
            (words, counts) = checked.into_words()?;
        }
        if counts.len() != words.len() {
            counts.clear();
        }
        let components = moments.components(settings.remove_components);
        let mean = if settings.needs_moments() { moments.mean() } else { Vec::new() };
        Ok(Survey { rows: words.len() as u64, words, counts, mean, components })
    }

    /// Takes the mean and the components off.
    fn change(&self, vectors: &mut [f32], dim: usize) {
        if self.mean.is_empty() {
            return;
        }
        vectors.par_chunks_mut(dim).for_each(|vector| {
            let mut centered: Vec<f64> =
                vector.iter().zip(&self.mean).map(|(&x, mean)| f64::from(x) - mean).collect();
            let before = length(&centered);
            for component in &self.components {
                let share: f64 = centered.iter().zip(component).map(|(x, u)| x * u).sum();
                for (x, u) in centered.iter_mut().zip(component) {
                    *x -= share * u;
                }
            }
            // What is left of a vector within the components is rounding.
            let noise = !self.components.is_empty() && length(&centered) < before * NOISE;
            for (to, x) in vector.iter_mut().zip(centered) {
                *to = if noise { 0.0 } else { x as f32 };
            }
        });
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests;
