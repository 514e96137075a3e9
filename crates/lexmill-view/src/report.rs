//! The report of a run: one HTML file that is complete in itself.
//!
//! It tells what the pipeline was, of its corpus and vocabulary, of loss and scores over time, shows a map
//! of the frequent words with search and zoom, the neighbours of some words, the scores with their
//! intervals, everything that was dropped or changed on the way, and what all that took in time, memory and
//! disk. It asks no other file and no network, and is readable on a phone, in the dark and on paper.
//!
//! What it tells comes from the manifests and tables of the run directory; times and memory from its
//! history ([`lexmill_store::history`]). The same directory gives the same report.

mod dropped;
mod gather;
mod stages;
mod training;

use std::io::Write;
use std::path::Path;

use askama::Template;
use lexmill_embeddings::{Embeddings, Neighbors, Query, ReadOptions, Scored, Vectors};
use lexmill_store::{AtomicFile, Error as StoreError, Progress};
use lexmill_vocab::WordId;
use serde_json::json;

use self::dropped::Dropped;
use self::gather::{Cost, Figure, Run, Total};
use self::stages::StageRow;
use self::training::{Evaluated, TrainingPlot};
use crate::{Error, Result, WordMap};

const STYLE: &str = include_str!("../assets/style.css");
const MAP_SCRIPT: &str = include_str!("../assets/map.js");
const REPORT_SCRIPT: &str = include_str!("../assets/report.js");
/// Words whose neighbours are shown if none are named.
const CHOSEN: usize = 12;
/// Their neighbours.
const NEAREST: usize = 10;

/// What a report shows.
#[derive(Debug, Clone)]
pub struct ReportSettings {
    /// Words on the map.
    pub map_words: usize,
    /// Words whose neighbours are shown; if none are named, some of the frequent ones.
    pub words: Vec<String>,
}

impl Default for ReportSettings {
    fn default() -> ReportSettings {
        ReportSettings { map_words: 5000, words: Vec::new() }
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: String,
    lede: String,
    stages: Vec<StageRow>,
    unfinished: Vec<String>,
    figures: Vec<Figure>,
    frequencies: Option<String>,
    training: Vec<TrainingPlot>,
    /// Words on the map, as people write the number.
    map: Option<String>,
    words: String,
    neighbors: Vec<Column>,
    /// The stage whose vectors are shown.
    shown: String,
    evaluated: Vec<Evaluated>,
    /// Whether the run's own text is known.
    knows_the_corpus: bool,
    dropped: Vec<Dropped>,
    costs: Vec<Cost>,
    total: Total,
    map_data: String,
    version: &'static str,
    style: &'static str,
    map_script: &'static str,
    report_script: &'static str,
}

/// A word whose neighbours are shown.
struct Chosen {
    word: String,
    vector: Vec<f32>,
}

/// A word and its nearest ones, with cosines.
struct Column {
    word: String,
    nearest: Vec<(String, String)>,
}

/// Writes the report of the run directory `run` to `output`.
///
/// # Errors
/// If no finished stage is in it, one of its tables can't be read, a word that was named is not there, or
/// the report can't be written.
pub fn report(
    run: &Path,
    output: &Path,
    settings: &ReportSettings,
    progress: &Progress,
) -> Result<()> {
    progress.begin("% of the report", 100);
    let gathered = Run::gather(run)?;
    let vectors = match gathered.vectors() {
        Some(path) => Some((Vectors::open(&path, &ReadOptions::default())?, path)),
        None => None,
    };
    progress.advance(20);
    let (mut map, mut neighbors, mut map_data) = (None, Vec::new(), json!({ "words": [] }));
    let mut words = 0;
    if let Some((vectors, path)) = &vectors {
        let embeddings = vectors.embeddings()?;
        words = embeddings.len();
        let chosen = chosen(vectors, &embeddings, settings, path)?;
        neighbors = columns(&embeddings, &chosen);
        progress.advance(10);
        let mut told = 0;
        let placed = WordMap::new(&embeddings, settings.map_words, |done| {
            let now = (done * 60.0) as u64;
            progress.advance(now.saturating_sub(told));
            told = told.max(now);
        })?;
        map_data = map_json(&embeddings, &placed);
        map = Some(thousands(placed.len() as u64));
    }
    let page = Page {
        title: gathered.name(),
        lede: gathered.lede(),
        stages: gathered.stages(),
        unfinished: gathered.unfinished(),
        figures: gathered.figures(),
        frequencies: gathered.frequencies()?,
        training: gathered.training()?,
        map,
        words: thousands(words as u64),
        neighbors,
        shown: gathered.shown().map_or_else(String::new, |stage| stage.name.clone()),
        evaluated: gathered.evaluated()?,
        knows_the_corpus: gathered.knows_the_corpus(),
        dropped: gathered.dropped()?,
        costs: gathered.costs(),
        total: gathered.total(),
        map_data: in_script(&map_data.to_string()),
        version: env!("CARGO_PKG_VERSION"),
        style: STYLE,
        map_script: MAP_SCRIPT,
        report_script: REPORT_SCRIPT,
    };
    let html = page.render()?;
    let mut file = AtomicFile::create(output)?;
    file.write_all(html.as_bytes()).map_err(StoreError::io("write", output))?;
    file.commit("", 0)?;
    Ok(())
}

/// The words on the map with their places.
pub(crate) fn map_json(embeddings: &Embeddings, map: &WordMap) -> serde_json::Value {
    let vocabulary = embeddings.vocabulary();
    let words: Vec<&str> = vocabulary.words().take(map.len()).collect();
    // Four digits are a fraction of a pixel.
    let places = |values: &[f32]| -> Vec<f64> {
        values.iter().map(|&value| (f64::from(value) * 1e4).round() / 1e4).collect()
    };
    let counts = &vocabulary.counts()[..map.len()];
    let counts = counts.iter().any(|&count| count > 0).then_some(counts);
    json!({ "words": words, "x": places(&map.x), "y": places(&map.y), "counts": counts })
}

/// The words whose neighbours are shown: those named, or frequent ones of four letters and more, from
/// ranks spread evenly on a logarithmic scale.
fn chosen(
    vectors: &Vectors,
    embeddings: &Embeddings,
    settings: &ReportSettings,
    path: &Path,
) -> Result<Vec<Chosen>> {
    if !settings.words.is_empty() {
        let look_up = |word: &String| match vectors.vector(word)? {
            Some(vector) => Ok(Chosen { word: word.clone(), vector }),
            None => Err(Error::UnknownWord { word: word.clone(), path: path.to_owned() }),
        };
        return settings.words.iter().map(look_up).collect();
    }
    let vocabulary = embeddings.vocabulary();
    let readable = |word: &str| {
        word.chars().all(char::is_alphabetic)
            && (word.chars().count() >= 4 || !word.is_ascii() && word.chars().count() >= 2)
    };
    let (first, last) = ((embeddings.len() / 100).clamp(1, 100), embeddings.len() / 2);
    let mut found: Vec<WordId> = Vec::new();
    for step in 0..CHOSEN {
        let share = step as f64 / CHOSEN as f64;
        let rank = (first as f64) * (last.max(first) as f64 / first as f64).powf(share);
        let from = rank as usize;
        let mut ids = (from..embeddings.len().min(from + 1000)).map(|id| id as WordId);
        found.extend(ids.find(|&id| readable(vocabulary.word(id)) && !found.contains(&id)));
    }
    let named = |&id: &WordId| {
        let (word, vector) = (vocabulary.word(id).to_owned(), embeddings.vector(id).to_vec());
        Chosen { word, vector }
    };
    Ok(found.iter().map(named).collect())
}

fn columns(embeddings: &Embeddings, chosen: &[Chosen]) -> Vec<Column> {
    let vocabulary = embeddings.vocabulary();
    let query = |chosen: &Chosen| Query {
        vector: chosen.vector.clone(),
        exclude: vocabulary.id(&chosen.word).into_iter().collect(),
    };
    let queries: Vec<Query> = chosen.iter().map(query).collect();
    let answers = Neighbors::new(embeddings).nearest_all(&queries, NEAREST);
    let column = |(chosen, nearest): (&Chosen, Vec<Scored>)| {
        let named = |(id, cosine)| (vocabulary.word(id).to_owned(), format!("{cosine:.2}"));
        Column { word: chosen.word.clone(), nearest: nearest.into_iter().map(named).collect() }
    };
    chosen.iter().zip(answers).map(column).collect()
}

/// JSON that can stand in a script element.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// A number with its thousands apart.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            // A narrow space that does not break.
            out.push('\u{202F}');
        }
        out.push(digit);
    }
    out
}

/// Seconds as people say them.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{} min {:02} s", s as u64 / 60, s as u64 % 60),
        s => format!("{} h {:02} min", s as u64 / 3600, s as u64 / 60 % 60),
    }
}

/// A part of a whole in percent; nothing if there is no whole.
fn percent(part: u64, whole: u64, of: &str) -> String {
    match part as f64 / whole as f64 * 100.0 {
        _ if whole == 0 => String::new(),
        share if part > 0 && share < 0.1 => format!("< 0.1 % of {of}"),
        share => format!("{share:.1} % of {of}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_not_become_markup() {
        let json = in_script(&json!({ "words": ["</script><!--"] }).to_string());
        assert!(!json.contains('<'), "{json}");
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["words"][0], "</script><!--");
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(thousands(1_234_567), "1\u{202F}234\u{202F}567");
        assert_eq!(duration(0.04) + &duration(125.0), "0.0 s2 min 05 s");
        assert_eq!(percent(1, 100_000, "words"), "< 0.1 % of words");
        assert_eq!(
            (percent(1, 8, "words"), percent(0, 0, "words")),
            ("12.5 % of words".into(), String::new())
        );
    }
}
