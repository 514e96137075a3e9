//! Word similarity and analogies of each model, beside those of the programs people come from: same
//! settings, five epochs, means over the seeds.
//!
//! Bar: on no set more than a point below the peer, and above it on most. Peers' vectors are word2vec
//! text files, `PROGRAM-MODEL-SEED.txt` (`gensim-skipgram-1.txt`), scored here by the code of the stage
//! `evaluate`. Those that are missing are trained where the program is given, and kept: they take long.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use lexmill_eval::{EvaluateSettings, Score, evaluate, read_scores};
use lexmill_store::{Progress, Resources, StageKey};

use crate::job::Job;
use crate::lab::{Lab, remove};
use crate::machine::processors;
use crate::report::{Report, bar, markdown, say, seconds};
use crate::word2vec::peers::{Peers, Program, ends_early};
use crate::word2vec::{Compared, How, Model, SCORES, VECTORS};

const EPOCHS: u32 = 5;
/// How far below its peer a score may be.
const NOISE: f64 = 1.0;

/// What is compared: name, test set, section, words.
const SETS: [(&str, &str, &str, &str); 9] = [
    ("WS353", "EN-WS-353-ALL", "total", "all"),
    ("WS353 sim", "EN-WS-353-SIM", "total", "all"),
    ("WS353 rel", "EN-WS-353-REL", "total", "all"),
    ("SimLex", "EN-SIMLEX-999", "total", "all"),
    ("MEN", "EN-MEN-TR-3k", "total", "all"),
    ("RG65", "EN-RG-65", "total", "all"),
    ("analogies", "questions-words", "total", "top 30000"),
    ("semantic", "questions-words", "semantic", "top 30000"),
    ("syntactic", "questions-words", "syntactic", "top 30000"),
];
type Scores = [f64; SETS.len()];

/// What to score.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    compared: Compared,
    /// Folder of the peers' vectors of the text, PROGRAM-MODEL-SEED.txt
    #[arg(long, value_name = "DIR")]
    peer_vectors: Option<PathBuf>,
}

impl Options {
    /// As the command line has it.
    pub(crate) fn flags(&self) -> String {
        let vectors = if self.peer_vectors.is_some() { " --peer-vectors DIR" } else { "" };
        format!("{}{vectors}", self.compared.flags())
    }
}

/// Threads of word2vec.c, see [`ends_early`]. With one it always trains a single epoch.
const WORD2VEC_THREADS: u32 = 2;

/// Measures it.
pub(crate) fn measure(lab: &Lab, options: &Options) -> Result<Report> {
    let text = options.compared.text.prepare(lab)?;
    let peers = Peers::prepare(lab, &options.compared.peers, &text, "word2vec-scores-peers")?;
    let seeds = lab.runs(3);
    let mut report = Report::of_means();
    let mut covered = BTreeMap::new();
    let mut rows = Vec::new();
    for &model in &options.compared.models {
        let mut ours = Vec::new();
        if !options.compared.peers_only {
            let job =
                model.job(Job::word2vec(lab, &text, "word2vec-scores")).every_test_set(lab)?;
            let stage = format!("stages.{}", model.kind());
            let job = match &options.compared.preset {
                Some(preset) => job.set(&format!("{stage}.preset"), preset),
                None => job,
            };
            let job = job.set(&format!("{stage}.epochs"), EPOCHS).to(SCORES);
            for seed in 1..=seeds {
                for stage in [model.kind(), VECTORS, SCORES] {
                    job.clear_stage(stage)?;
                }
                let cost = job.clone().set(&format!("{stage}.seed"), seed).run()?;
                let table = job.directory().join(SCORES).join(evaluate::SCORES);
                ours.push(pick(&read_scores(&table)?, &mut covered)?);
                say(&format!("{}, seed {seed}: {} wall", model.name(), seconds(cost.wall)));
            }
            rows.push(row(model, "Lexmill", &ours, None));
        }
        for program in Program::ALL.into_iter().filter(|program| program.has(model)) {
            let mut theirs = Vec::new();
            for seed in 1..=seeds {
                let Some(file) = vectors(options, &peers, program, model, seed)? else { continue };
                theirs.push(pick(&score(lab, &file)?, &mut covered)?);
                say(&format!("{} scored", file.display()));
            }
            if !theirs.is_empty() {
                rows.push(row(model, program.name(), &theirs, (!ours.is_empty()).then_some(&ours)));
            }
        }
    }
    if rows.is_empty() {
        bail!("nothing to score: give --peer-vectors DIR, or leave --peers-only away");
    }
    let names = SETS.map(|(name, ..)| match covered.get(name) {
        Some(covered) => format!("{name} ({covered})"),
        None => name.to_owned(),
    });
    let mut header = vec!["model", "program", "runs"];
    header.extend(names.iter().map(String::as_str));
    header.push("bar");
    report.note(markdown(&header, &rows));
    report.note(format!(
        "Means over the runs, {EPOCHS} epochs; behind a peer's score, how far Lexmill is above it. \
         Bar: at most {NOISE} point below on any set, above on most. Similarity is Spearman × 100, \
         pairs with an unknown word left out; analogies are among the 30,000 most frequent words. In \
         brackets: pairs or questions covered."
    ));
    let with_word2vec = rows.iter().any(|row| row[1] == Program::Word2vec.name());
    if with_word2vec && ends_early(Path::new(&text.pattern), WORD2VEC_THREADS.into())? {
        report.note(
            "word2vec.c: of this text it trains the second half for one epoch only, unless it was \
             mended (README.md).",
        );
    }
    if options.peer_vectors.is_none() {
        report.note("No peers: give --peer-vectors DIR.");
    }
    remove(peers.directory())?;
    remove(&lab.work("word2vec-scores"))?;
    Ok(report)
}

/// A peer's file of vectors: found, or made where the program is given.
fn vectors(
    options: &Options,
    peers: &Peers,
    program: Program,
    model: Model,
    seed: u32,
) -> Result<Option<PathBuf>> {
    let Some(folder) = &options.peer_vectors else { return Ok(None) };
    let file = folder.join(format!("{}-{}-{seed}.txt", program.key(), model.name()));
    if !file.is_file() {
        if !peers.with(model).any(|there| there == program) {
            return Ok(None);
        }
        std::fs::create_dir_all(folder)
            .with_context(|| format!("can't make {}", folder.display()))?;
        let threads = match program {
            Program::Word2vec => WORD2VEC_THREADS,
            // From a file each of n threads lowers the learning rate by 1/n of what it should.
            Program::Gensim => 1,
            Program::FastText => 2,
        };
        let how = How { threads, epochs: EPOCHS, seed, preset: None };
        let training = peers.train(program, model, &how, Some(&file))?;
        say(&format!("{} made: {} CPU", file.display(), seconds(training.cpu)));
    }
    Ok(Some(file))
}

/// Scores a file of vectors as the stage `evaluate` does.
fn score(lab: &Lab, vectors: &Path) -> Result<Vec<Score>> {
    let (similarity, analogies) = lab.every_test_set()?;
    let settings =
        EvaluateSettings { similarity, analogies, bootstrap: 0, ..EvaluateSettings::default() };
    let key = StageKey {
        stage: evaluate::KIND.to_owned(),
        version: evaluate::VERSION,
        settings: serde_json::Value::Null,
        inputs: BTreeMap::new(),
    };
    let resources = Resources::new(processors(), 4 << 30);
    let output = lab.work("word2vec-peer-scores");
    remove(&output)?;
    evaluate::run(&settings, vectors, &output, key, &resources, &Progress::new())?;
    let scores = read_scores(&output.join(evaluate::SCORES))?;
    remove(&output)?;
    Ok(scores)
}

/// The scores that are compared, × 100.
fn pick(scores: &[Score], covered: &mut BTreeMap<&'static str, u64>) -> Result<Scores> {
    let mut out = [f64::NAN; SETS.len()];
    for ((name, set, section, vocabulary), out) in SETS.into_iter().zip(&mut out) {
        let row = scores.iter().find(|score| {
            (&*score.set, &*score.section, &*score.vocabulary) == (set, section, vocabulary)
        });
        let row = row.with_context(|| format!("no score of {set}, {section}, {vocabulary}"))?;
        *out = row.score * 100.0;
        covered.insert(name, row.covered);
    }
    Ok(out)
}

fn mean(runs: &[Scores], set: usize) -> f64 {
    runs.iter().map(|scores| scores[set]).sum::<f64>() / runs.len() as f64
}

/// A program's row; a peer's is compared with Lexmill's runs.
fn row(model: Model, name: &str, runs: &[Scores], ours: Option<&Vec<Scores>>) -> Vec<String> {
    let mut cells = vec![model.name().to_owned(), name.to_owned(), runs.len().to_string()];
    let (mut above, mut below) = (0, Vec::new());
    for (set, (name, ..)) in SETS.iter().enumerate() {
        let score = mean(runs, set);
        let Some(ours) = ours else {
            cells.push(format!("{score:.1}"));
            continue;
        };
        let gain = mean(ours, set) - score;
        above += usize::from(gain > 0.0);
        // What can't be scored is not within any noise.
        if gain < -NOISE || gain.is_nan() {
            below.push(*name);
        }
        cells.push(format!("{score:.1} ({gain:+.1})"));
    }
    cells.push(match ours {
        None => String::new(),
        Some(_) => {
            let met = below.is_empty() && 2 * above > SETS.len();
            let mut text = bar(&format!("above on {above} of {}", SETS.len()), met);
            if !below.is_empty() {
                text.push_str(&format!(" ({})", below.join(", ")));
            }
            text
        }
    });
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_compared_set_by_set() {
        let (ours, mut theirs) = ([50.0; SETS.len()], [49.5; SETS.len()]);
        let cells = row(Model::Cbow, "gensim", &[theirs], Some(&vec![ours]));
        assert_eq!(cells[..4], ["cbow", "gensim", "1", "49.5 (+0.5)"]);
        assert_eq!(cells.last().unwrap(), "above on 9 of 9: met");
        theirs[3] = 51.5;
        let cells = row(Model::Cbow, "gensim", &[theirs], Some(&vec![ours]));
        assert_eq!(cells.last().unwrap(), "above on 8 of 9: **missed** (SimLex)");
        let alone = row(Model::Cbow, "Lexmill", &[ours, theirs], None);
        assert_eq!((&*alone[2], &*alone[6], &*alone[12]), ("2", "50.8", ""));
    }
}
