//! Scores and when to stop by them; then trainers with a scorer that goes by a script.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use lexmill_cooccur::{CountSettings, count};
use lexmill_embeddings::model::PARAMETERS;
use lexmill_store::{Manifest, Resources, StageKey};
use lexmill_tokenize::{Corpus, TokenizeSettings, VocabularySettings, tokenize, vocabulary};
use lexmill_vocab::Random;

use super::*;
use crate::glove::{self, GloveSettings};
use crate::word2vec::{self, CbowSettings, Inputs, SkipgramSettings, Word2vecSettings};

fn scores(means: &[f64]) -> Scores {
    let row = |(epoch, mean): (u32, &f64)| {
        // Two sets about the mean, and one that is not covered.
        [("a", mean - 0.1, 5), ("b", mean + 0.1, 3), ("c", f64::NAN, 0)].map(
            |(set, score, covered)| Row {
                epoch,
                set: set.to_owned(),
                kind: "similarity".to_owned(),
                score: score.to_bits(),
                covered,
                total: 5,
            },
        )
    };
    Scores { rows: (1..).zip(means).flat_map(row).collect() }
}

struct Nobody;

impl Scorer for Nobody {
    fn score(
        &self,
        _: Embeddings,
    ) -> Result<Vec<SetScore>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Vec::new())
    }
}

#[test]
fn training_ends_when_nothing_has_improved_for_long() {
    let sets = ["a".to_owned()];
    let watch = |patience| {
        let scoring = Scoring { similarity: &sets, analogies: &[], every: 1, patience };
        Watch::new(scoring, Some(&Nobody), 9)
    };
    let nan = f64::NAN;
    for (means, best, after) in [
        (&[][..], None, 0),
        (&[nan, nan], None, 0),
        (&[0.3], Some(1), 0),
        (&[0.3, 0.5, 0.4], Some(2), 1),
        (&[0.3, 0.5, 0.4, 0.5], Some(2), 2),
        (&[0.3, nan, 0.2], Some(1), 2),
        (&[nan, -0.2, -0.1], Some(3), 0),
    ] {
        let scores = scores(means);
        let found = scores.best();
        assert_eq!(found.map(|(epoch, ..)| epoch), best, "{means:?}");
        assert_eq!(found.map_or(0, |(.., after)| after), after, "{means:?}");
        for patience in 1..4 {
            let over = best.is_some() && after >= patience;
            let watch = watch(patience);
            assert_eq!(watch.is_over(8, &scores), over, "{means:?}, {patience}");
            assert_eq!(watch.kept(&scores), best);
            assert!(watch.is_over(9, &scores));
        }
        assert!(!watch(0).is_over(8, &scores));
        assert_eq!(watch(0).kept(&scores), None);
    }
}

#[test]
fn scores_come_back_to_the_bit() {
    let directory = tempfile::tempdir().unwrap();
    let scores = scores(&[0.1, 0.7, f64::NAN]);
    let file = scores.write(directory.path(), &Value::Null).unwrap();
    assert_eq!((file.path.as_str(), file.rows), (SCORES, 9));
    assert_eq!(Scores::read(&directory.path().join(SCORES)).unwrap(), scores);
    let noted = serde_json::to_string(&scores).unwrap();
    assert_eq!(serde_json::from_str::<Scores>(&noted).unwrap(), scores);
}

#[test]
fn settings_without_test_sets_are_named() {
    let fields = |every, patience, sets: &[String]| -> Vec<&str> {
        let scoring = Scoring { similarity: &[], analogies: sets, every, patience };
        scoring.problems().into_iter().map(|(field, _)| field).collect()
    };
    assert!(fields(1, 0, &[]).is_empty() && fields(3, 2, &["a".to_owned()]).is_empty());
    assert_eq!(fields(2, 1, &[]), ["score_every", "patience"]);
    assert_eq!(fields(0, 0, &["a".to_owned()]), ["score_every"]);
}

/// Gives the first vectors that it sees the first score, other vectors the second, and so on; the same vectors
/// always the same.
struct Script {
    scores: Vec<f64>,
    seen: Mutex<Vec<Vec<u32>>>,
    /// Of which vectors, by number, it can't be asked.
    broken: Mutex<Option<usize>>,
}

impl Script {
    fn new(scores: &[f64]) -> Script {
        Script { scores: scores.to_vec(), seen: Mutex::default(), broken: Mutex::new(None) }
    }
}

fn bits(vectors: &[f32]) -> Vec<u32> {
    vectors.iter().map(|x| x.to_bits()).collect()
}

impl Scorer for Script {
    fn score(
        &self,
        embeddings: Embeddings,
    ) -> Result<Vec<SetScore>, Box<dyn std::error::Error + Send + Sync>> {
        let set = |name: &str, score, covered| SetScore {
            set: name.to_owned(),
            kind: "similarity",
            score,
            covered,
            total: 9,
        };
        if embeddings.dim() == 1 {
            return Ok(vec![set("script", f64::NAN, 9), set("empty", f64::NAN, 0)]);
        }
        let vectors = bits(embeddings.vectors());
        let mut seen = self.seen.lock().unwrap();
        let number = seen.iter().position(|other| *other == vectors).unwrap_or(seen.len());
        if *self.broken.lock().unwrap() == Some(number) {
            return Err("the scorer is broken".into());
        }
        if number == seen.len() {
            seen.push(vectors);
        }
        Ok(vec![set("script", self.scores[number], 9), set("empty", f64::NAN, 0)])
    }
}

#[derive(Clone)]
enum Trainer {
    Glove(GloveSettings),
    Word2vec(Word2vecSettings),
}

struct Lab {
    directory: tempfile::TempDir,
}

fn key(stage: &str, settings: &impl Serialize) -> StageKey {
    let settings = serde_json::to_value(settings).unwrap();
    StageKey { stage: stage.to_owned(), version: 1, settings, inputs: BTreeMap::new() }
}

fn resources(threads: usize, checkpoint_every: Duration) -> Resources {
    Resources { checkpoint_every, ..Resources::new(threads, 1 << 30) }
}

const SELDOM: Duration = Duration::from_secs(600);

impl Lab {
    fn new() -> Lab {
        let lab = Lab { directory: tempfile::tempdir().unwrap() };
        let mut random = Random::named(&[1]);
        let mut sentence = || (0..12).map(|_| format!("w{}", random.below(30))).collect();
        let sentences = (0..120).map(|_| sentence()).collect();
        let settings = TokenizeSettings { sentences, ..TokenizeSettings::default() };
        let corpus = Corpus::scan(&settings, None, 1, &Progress::new()).unwrap();
        let (resources, progress) = (resources(1, SELDOM), Progress::new());
        let (tokens, words) = (lab.path("tokens"), lab.path("words"));
        tokenize::run(&settings, &corpus, &tokens, &resources, &progress).unwrap();
        let settings = VocabularySettings { min_count: 1, ..VocabularySettings::default() };
        let of = key(vocabulary::KIND, &settings);
        vocabulary::run(&settings, &tokens, &words, of, &resources, &progress).unwrap();
        let settings = CountSettings { blocks: Some(4), ..CountSettings::default() };
        let of = key(count::KIND, &settings);
        let counts = lab.path("counts");
        count::run(&settings, &tokens, &words, &counts, of, &resources, &progress).unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn train(
        &self,
        trainer: &Trainer,
        script: Option<&Script>,
        output: &str,
        resources: &Resources,
    ) -> Result<Manifest, Error> {
        let (output, progress) = (self.path(output), Progress::new());
        let scorer = script.map(|script| script as &dyn Scorer);
        match trainer {
            Trainer::Glove(s) => {
                let key = key(glove::KIND, s);
                glove::run(s, scorer, &self.path("counts"), &output, key, resources, &progress)
            }
            Trainer::Word2vec(s) => {
                let (tokens, vocabulary) = (self.path("tokens"), self.path("words"));
                let inputs = Inputs { tokens: &tokens, vocabulary: &vocabulary };
                let key = key(s.architecture.name(), s);
                word2vec::run(s, scorer, inputs, &output, key, resources, &progress)
            }
        }
    }

    /// What `export` makes of a finished model, as bits.
    fn vectors(&self, trainer: &Trainer, output: &str) -> Vec<u32> {
        let mut vectors = Vec::new();
        let path = self.path(output).join(PARAMETERS);
        for batch in TableReader::open(&path, None, 1000).unwrap() {
            let batch = batch.unwrap();
            let words = batch.vectors("vector").unwrap().0;
            match trainer {
                Trainer::Glove(_) => {
                    let contexts = batch.vectors("context_vector").unwrap().0;
                    vectors.extend(words.iter().zip(contexts).map(|(w, c)| w + c));
                }
                Trainer::Word2vec(_) => vectors.extend(words),
            }
        }
        bits(&vectors)
    }
}

fn trainers(patience: u32, every: u32, epochs: u32) -> Vec<(&'static str, Trainer)> {
    let sets = vec!["named".to_owned()];
    let glove = GloveSettings {
        dimensions: 3,
        epochs,
        score_similarity: sets.clone(),
        score_every: every,
        patience,
        ..GloveSettings::default()
    };
    let with = |mut settings: Word2vecSettings, hierarchical: bool| {
        settings.dimensions = 3;
        settings.epochs = epochs;
        settings.portion_tokens = Some(1000);
        settings.bucket = 50;
        settings.sample = 0.0;
        settings.score_analogies = sets.clone();
        settings.score_every = every;
        settings.patience = patience;
        if hierarchical {
            settings.loss = word2vec::LossKind::HierarchicalSoftmax;
        }
        Trainer::Word2vec(settings)
    };
    let mut subwords = SkipgramSettings::default().0;
    subwords.subwords = true;
    vec![
        ("glove", Trainer::Glove(glove)),
        ("skipgram", with(SkipgramSettings::default().0, false)),
        ("skipgram-subwords", with(subwords, false)),
        ("cbow-hs", with(CbowSettings::default().0, true)),
    ]
}

/// Best in epoch 2, not as good in 3 and 4; what would come then is not asked for.
const SCRIPT: [f64; 7] = [0.1, 0.5, 0.3, 0.5, 0.9, 0.9, 0.9];

#[test]
fn the_best_epoch_is_kept_whatever_is_cut() {
    let lab = Lab::new();
    for (name, trainer) in trainers(2, 1, 7) {
        let script = Script::new(&SCRIPT);
        let straight = lab.train(&trainer, Some(&script), name, &resources(2, SELDOM)).unwrap();
        let expected = json!({
            "epochs": 4, "stopped_early": true, "best_epoch": 2, "best_score": 0.5, "model_epoch": 2,
        });
        assert_eq!(straight.report["scores"], expected, "{name}");
        assert_eq!(script.seen.lock().unwrap().len(), 4, "{name}");
        assert!(lab.vectors(&trainer, name) == script.seen.lock().unwrap()[1], "{name}");
        let scores = Scores::read(&lab.path(name).join(SCORES)).unwrap();
        let means: Vec<_> = scores.means().collect();
        assert_eq!(means, [(1, 0.1), (2, 0.5), (3, 0.3), (4, 0.5)], "{name}");
        assert_eq!(scores.rows.len(), 8);

        for broken in 0..4 {
            for (threads, checkpoint_every) in [(1, Duration::ZERO), (3, SELDOM)] {
                let run = format!("{name}-{broken}-{threads}");
                let resources = resources(threads, checkpoint_every);
                *script.broken.lock().unwrap() = Some(broken);
                let error = lab.train(&trainer, Some(&script), &run, &resources).unwrap_err();
                let told = format!("can't score epoch {}: the scorer is broken", broken + 1);
                assert_eq!(error.to_string(), told);
                *script.broken.lock().unwrap() = None;
                let again = lab.train(&trainer, Some(&script), &run, &resources).unwrap();
                assert_eq!(again.files, straight.files, "{run}");
                assert_eq!(again.report, straight.report, "{run}");
                let left: Vec<_> = std::fs::read_dir(lab.path(&run)).unwrap().collect();
                assert_eq!(left.len(), straight.files.len() + 1, "{run}: {left:?}");
            }
        }
        // Nothing but the vectors of the first run was ever seen.
        assert_eq!(script.seen.lock().unwrap().len(), 4, "{name}");
    }
}

#[test]
fn without_patience_all_epochs_are_trained_and_some_are_scored() {
    let lab = Lab::new();
    for (name, trainer) in trainers(0, 3, 7) {
        let script = Script::new(&[0.9, 0.2, 0.3]);
        let found = lab.train(&trainer, Some(&script), name, &resources(2, SELDOM)).unwrap();
        let expected = json!({
            "epochs": 7, "stopped_early": false, "best_epoch": 3, "best_score": 0.9, "model_epoch": 7,
        });
        assert_eq!(found.report["scores"], expected, "{name}");
        let scores = Scores::read(&lab.path(name).join(SCORES)).unwrap();
        let epochs: Vec<u32> = scores.means().map(|(epoch, _)| epoch).collect();
        assert_eq!(epochs, [3, 6, 7], "{name}");
        assert!(lab.vectors(&trainer, name) == script.seen.lock().unwrap()[2], "{name}");
    }
}

#[test]
fn all_epochs_without_a_late_improvement_end_in_the_best() {
    let lab = Lab::new();
    for (name, trainer) in trainers(9, 1, 3) {
        let script = Script::new(&[0.1, 0.4, 0.2]);
        let found = lab.train(&trainer, Some(&script), name, &resources(1, SELDOM)).unwrap();
        assert_eq!(found.report["scores"]["model_epoch"], 2, "{name}");
        assert_eq!(found.report["scores"]["stopped_early"], false, "{name}");
        assert!(lab.vectors(&trainer, name) == script.seen.lock().unwrap()[1], "{name}");
        // The last may be the best.
        let script = Script::new(&[0.1, 0.4, 0.5]);
        let run = format!("{name}-last");
        let found = lab.train(&trainer, Some(&script), &run, &resources(1, SELDOM)).unwrap();
        assert_eq!(found.report["scores"]["model_epoch"], 3, "{name}");
        assert!(lab.vectors(&trainer, &run) == script.seen.lock().unwrap()[2], "{name}");
    }
}

#[test]
fn more_epochs_of_glove_go_on_with_the_scores_of_fewer() {
    let lab = Lab::new();
    let glove = |patience, epochs| trainers(patience, 2, epochs).swap_remove(0).1;
    let script = Script::new(&[0.3, 0.2, 0.1, 0.4, 0.5]);
    let quick = resources(1, SELDOM);
    let straight = lab.train(&glove(0, 6), Some(&script), "straight", &quick).unwrap();
    // The third epoch is the last here and is scored, but not in a run of six.
    lab.train(&glove(0, 3), Some(&script), "more", &quick).unwrap();
    assert_eq!(script.seen.lock().unwrap().len(), 4);
    let more = lab.train(&glove(0, 6), Some(&script), "more", &quick).unwrap();
    assert_eq!(more.files, straight.files);
    assert_eq!(more.report, straight.report);
    // A model of the best epoch can't be gone on from.
    let script = Script::new(&[0.3, 0.2, 0.4]);
    lab.train(&glove(5, 4), Some(&script), "best", &quick).unwrap();
    let best = lab.train(&glove(5, 6), Some(&script), "best", &quick).unwrap();
    let straight = lab.train(&glove(5, 6), Some(&script), "best-straight", &quick).unwrap();
    assert_eq!(best.files, straight.files);
    assert_eq!(best.report["scores"]["model_epoch"], 6);
}

#[test]
fn patience_needs_something_that_is_covered() {
    struct Empty;
    impl Scorer for Empty {
        fn score(
            &self,
            _: Embeddings,
        ) -> Result<Vec<SetScore>, Box<dyn std::error::Error + Send + Sync>> {
            let (set, kind) = ("other language".to_owned(), "analogy");
            Ok(vec![SetScore { set, kind, score: f64::NAN, covered: 0, total: 5 }])
        }
    }
    let sets = ["a".to_owned()];
    let scoring = Scoring { similarity: &[], analogies: &sets, every: 1, patience: 3 };
    let words = Vocabulary::from_ordered([("a", 1)]).unwrap();
    let progress = Progress::new();
    let error = Watch::new(scoring, Some(&Empty), 5).begin(&words, &progress).unwrap_err();
    assert!(error.to_string().contains("covered by the vocabulary of 1 words"), "{error}");
    let scoring = Scoring { patience: 0, ..scoring };
    Watch::new(scoring, Some(&Empty), 5).begin(&words, &progress).unwrap();
    let told = format!("{:?}", progress.take_events());
    assert!(told.contains("other language"), "{told}");
}
