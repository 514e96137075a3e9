use super::*;
use crate::{Analogies, Measure, WordPairs};
use lexmill_store::table::{Column, write_table};
use serde_json::Value;
use std::time::Instant;

fn key(version: u32) -> StageKey {
    let (stage, settings) = (KIND.to_owned(), Value::Null);
    StageKey { stage, version, settings, inputs: BTreeMap::new() }
}

fn resources(threads: usize) -> Resources {
    Resources::new(threads, 1 << 30)
}

/// Embeddings in which countries are cities one step along, and two test sets.
fn toy(directory: &Path) -> (PathBuf, EvaluateSettings) {
    let words = ["Paris", "France", "Rome", "Italy", "Oslo", "Norway", "walk", "walked"];
    let vectors = vec![
        1.0, 0.0, 0.0, 0.1, /**/ 1.0, 0.0, 0.0, 1.0, //
        0.0, 1.0, 0.0, 0.1, /**/ 0.0, 1.0, 0.0, 1.0, //
        0.0, 0.0, 1.0, 0.1, /**/ 0.0, 0.0, 1.0, 1.0, //
        -1.0, 0.0, 0.0, 0.0, /**/ 0.0, 0.0, -1.0, 0.0,
    ];
    let path = directory.join("vectors.parquet");
    let columns = vec![("word", Column::text(words)), ("vector", Column::vectors(vectors, 4))];
    write_table(&path, "", columns, &Value::Null).unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(directory.join(name), text).unwrap();
        vec![directory.join(name).display().to_string()]
    };
    let similarity =
        write("pairs.txt", "a\tb\tscore\nParis\tFrance\t9\nparis\trome\t3\nwalk\tParis\t1\n");
    let analogies = write(
        "questions.txt",
        ": capitals\nParis France Rome Italy\nParis France Oslo Norway\nParis France Bern Nowhere\n\
         : gram1-past\nwalk walked Paris Rome\n",
    );
    (path, EvaluateSettings { similarity, analogies, restrict: 4, ..EvaluateSettings::default() })
}

fn run_toy(
    toy: &(PathBuf, EvaluateSettings),
    output: &Path,
    threads: usize,
    progress: &Progress,
) -> Result<Manifest> {
    run(&toy.1, &toy.0, output, key(VERSION), &resources(threads), progress)
}

#[test]
fn scores_in_order_with_coverage() {
    let directory = tempfile::tempdir().unwrap();
    let (toy, output) = (toy(directory.path()), directory.path().join("scores"));
    let progress = Progress::new();
    let manifest = run_toy(&toy, &output, 2, &progress).unwrap();
    assert_eq!(manifest.files.len(), 1);
    assert_eq!(progress.read(), (2, 2, "test sets"));
    let [Event::Notice(notice)] = &progress.take_events()[..] else { panic!("one notice") };
    assert!(notice.contains("pairs.txt: 1 header line was skipped"), "{notice}");

    let scores = read_scores(&output.join(SCORES)).unwrap();
    let shown: Vec<String> = scores
        .iter()
        .map(|s| {
            let (set, kind, right) = (&s.set, s.kind.name(), s.score_oov_wrong);
            format!(
                "{set} {kind} {} {}: {} {right:.3} {}/{}",
                s.vocabulary, s.section, s.score, s.covered, s.total
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "pairs similarity all total: 1 1.000 3/3",
            "questions analogy all total: 0.6666666666666666 0.500 3/4",
            "questions analogy all semantic: 1 0.667 2/3",
            "questions analogy all syntactic: 0 0.000 1/1",
            "questions analogy all capitals: 1 0.667 2/3",
            "questions analogy all gram1-past: 0 0.000 1/1",
            "questions analogy top 4 total: 1 0.250 1/4",
            "questions analogy top 4 semantic: 1 0.333 1/3",
            "questions analogy top 4 syntactic: NaN 0.000 0/1",
            "questions analogy top 4 capitals: 1 0.333 1/3",
            "questions analogy top 4 gram1-past: NaN 0.000 0/1",
        ]
    );
    assert_eq!((scores[1].low, scores[1].high), (0.0, 1.0));
    assert_eq!(scores[1].coverage(), 0.75);

    let again = run_toy(&toy, &directory.path().join("again"), 1, &Progress::new()).unwrap();
    assert_eq!(again.files, manifest.files, "threads don't show");
}

#[test]
fn a_set_that_is_done_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (mut toy, output) = (toy(directory.path()), directory.path().join("scores"));
    let questions = PathBuf::from(&toy.1.analogies[0]);
    let text = std::fs::read(&questions).unwrap();
    std::fs::write(&questions, "a b c\n").unwrap();
    let error = run_toy(&toy, &output, 1, &Progress::new()).unwrap_err().to_string();
    assert!(error.contains("questions.txt") && error.contains("line 1"), "{error}");
    assert!(!output.exists());
    // The pairs are not read again.
    std::fs::write(&questions, text).unwrap();
    std::fs::remove_file(&toy.1.similarity[0]).unwrap();
    run_toy(&toy, &output, 1, &Progress::new()).unwrap();
    assert_eq!(read_scores(&output.join(SCORES)).unwrap().len(), 11);

    toy.0 = directory.path().join("nowhere");
    let error = run(&toy.1, &toy.0, &output, key(9), &resources(1), &Progress::new());
    assert!(error.unwrap_err().to_string().contains("nowhere"));
    let nothing = EvaluateSettings::default();
    let error = run(&nothing, &toy.0, &output, key(9), &resources(1), &Progress::new());
    assert!(matches!(error, Err(Error::NoTestSets)));
}

/// Test sets of the other kinds, on the words of [`toy`].
fn more(directory: &Path, settings: &EvaluateSettings) -> EvaluateSettings {
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(directory.join(name).parent().unwrap()).unwrap();
        std::fs::write(directory.join(name), text).unwrap();
        vec![directory.join(name).display().to_string()]
    };
    let texts: String = (0..12)
        .map(|i| match i % 4 {
            0 => "{\"text\": \"Paris, France!\", \"label\": \"one\"}\n",
            1 => "{\"text\": \"Rome in Italy\", \"label\": \"two\"}\n",
            2 => "{\"text\": \"France\", \"label\": \"one\"}\n",
            _ => "{\"text\": \"nothing\", \"label\": \"two\"}\n",
        })
        .collect();
    write("topics-8.8/colours.txt", "Paris\nFrance\n\nwalked\nOslo Norway\nnowhere\n");
    EvaluateSettings {
        categorization: write(
            "categories.tsv",
            "word\tcategory\nparis\t1\nfrance\t1\nrome\t2\nitaly\t2\nBern\t2\n",
        ),
        outliers: vec![directory.join("topics-8.8").display().to_string()],
        classification: write("texts.jsonl", &texts),
        folds: 3,
        ..settings.clone()
    }
}

#[test]
fn every_kind_of_test_set_and_a_baseline() {
    let directory = tempfile::tempdir().unwrap();
    let mut toy = toy(directory.path());
    toy.1 = more(directory.path(), &toy.1);
    let output = directory.path().join("scores");
    let manifest = run_toy(&toy, &output, 2, &Progress::new()).unwrap();
    let scores = read_scores(&output.join(SCORES)).unwrap();
    let shown: Vec<String> = scores
        .iter()
        .filter(|s| !matches!(s.kind, Kind::Similarity | Kind::Analogy))
        .map(|s| {
            let (set, kind, measure) = (&s.set, s.kind.name(), s.measure.name());
            let (score, wrong) = (s.score, s.score_oov_wrong);
            format!("{set} {kind} {measure}: {score:.3} {wrong:.3} {}/{}", s.covered, s.total)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "categories categorization purity: 1.000 0.800 4/5",
            "topics-8.8 outliers accuracy: 1.000 0.667 2/3",
            "topics-8.8 outliers opp: 1.000 0.667 2/3",
            "texts classification accuracy: 1.000 0.750 9/12",
            "texts classification macro-f1: 1.000 0.833 9/12",
            "texts classification majority: 0.667 0.500 9/12",
            "texts classification tokens: 0.714 0.714 15/21",
        ]
    );
    assert!(scores.iter().all(|score| score.comparison.is_none()));
    let conditions = read_conditions(&output.join(SCORES)).unwrap();
    assert_eq!((conditions.restrict, conditions.lowercase, conditions.folds), (4, true, 3));
    assert_eq!(conditions.embeddings, Shape { words: 8, dimensions: 4 });
    let again = run_toy(&toy, &directory.path().join("again"), 1, &Progress::new()).unwrap();
    assert_eq!(again.files, manifest.files, "threads don't show");

    // Others, that know fewer words and are wrong about Paris.
    let other = directory.path().join("other.txt");
    std::fs::write(
        &other,
        "Paris 0 1 0\nFrance 1 0 0\nRome 0 1 0.1\nItaly 0 1 1\nwalk 1 1 1\nwalked 0 0.1 1\n",
    )
    .unwrap();
    toy.1.baseline = Some(other.display().to_string());
    let output = directory.path().join("compared");
    let manifest = run_toy(&toy, &output, 2, &Progress::new()).unwrap();
    let compared = read_scores(&output.join(SCORES)).unwrap();
    let conditions = read_conditions(&output.join(SCORES)).unwrap();
    assert_eq!(conditions.baseline, Some(Shape { words: 6, dimensions: 3 }));
    for (alone, compared) in scores.iter().zip(&compared) {
        assert_eq!(alone.covered, compared.covered);
        assert!(alone.score == compared.score || alone.score.is_nan());
        let without = matches!(compared.measure, Measure::Majority | Measure::Tokens);
        assert_eq!(compared.comparison.is_none(), without, "{compared:?}");
    }
    let of = |kind: Kind| compared.iter().find(|s| s.kind == kind).unwrap();
    let similarity = of(Kind::Similarity).comparison.clone().unwrap();
    assert_eq!((similarity.common, similarity.scores), (3, (1.0, -0.5)));
    let purity = of(Kind::Categorization).comparison.clone().unwrap();
    assert_eq!((purity.common, purity.scores), (4, (1.0, 0.75)));
    // Of the outliers, Oslo Norway is unknown to the baseline.
    assert_eq!(of(Kind::Outliers).comparison.as_ref().unwrap().common, 1);
    assert_eq!(of(Kind::Analogy).comparison.as_ref().unwrap().common, 2);
    let again = run_toy(&toy, &directory.path().join("again2"), 1, &Progress::new()).unwrap();
    assert_eq!(again.files, manifest.files, "threads don't show");
    toy.1.baseline = Some("nowhere.bin".to_owned());
    let error = run_toy(&toy, &directory.path().join("no"), 1, &Progress::new()).unwrap_err();
    assert!(error.to_string().contains("nowhere.bin"), "{error}");
}

#[test]
fn sets_of_the_same_name_go_by_their_path() {
    let settings = EvaluateSettings {
        similarity: ["a/x.txt", "b/x.txt", "y.txt"].map(str::to_owned).to_vec(),
        analogies: vec!["z".to_owned()],
        ..EvaluateSettings::default()
    };
    let names: Vec<String> = tasks(&settings).into_iter().map(|task| task.name).collect();
    assert_eq!(names, ["a/x.txt", "b/x.txt", "y", "z"]);
}

/// Against gensim's scores of the whole GloVe 6B, of which the data folder has the first 50,000 rows.
#[test]
#[expect(clippy::print_stderr, reason = "a test says that it was left out, and its timings")]
fn real_vectors_score_as_gensim_scores_them() {
    let Some(data) = std::env::var_os("LEXMILL_DATA").map(PathBuf::from) else {
        eprintln!("skipped: LEXMILL_DATA is not set");
        return;
    };
    let start = Instant::now();
    let read = Embeddings::read(&data.join("models/glove.6B.50d.top50k.txt.zst")).unwrap();
    eprintln!("read {} × {}: {:?}", read.len(), read.dim(), start.elapsed());
    assert_eq!((read.len(), read.dim()), (50_000, 50));
    let neighbors = lexmill_embeddings::Neighbors::new(&read);
    let start = Instant::now();
    let near = neighbors.by_word("red", 4).unwrap();
    let near: Vec<&str> = near.iter().map(|&(id, _)| read.vocabulary().word(id)).collect();
    eprintln!("neighbours of red: {near:?}, {:?}", start.elapsed());
    assert!(near.contains(&"blue") || near.contains(&"yellow"));

    // Expected: ρ over known pairs and over all, by a separate program on the same 50,000 rows; and
    // gensim's over 400,000 (models/reference-scores-glove.6B.50d.txt), which has the rare pairs too.
    let reference = [
        ("EN-WS-353-ALL.txt", 348, 0.524691, 0.499327, 0.5033),
        ("EN-WS-353-SIM.txt", 199, 0.616100, 0.567941, 0.5732),
        ("EN-WS-353-REL.txt", 251, 0.466491, 0.459354, 0.4657),
        ("EN-SIMLEX-999.txt", 995, 0.265187, 0.259131, 0.2631),
        ("EN-MEN-TR-3k.txt", 2890, 0.666903, 0.612266, 0.6523),
        ("EN-RG-65.txt", 61, 0.645733, 0.552901, 0.6021),
    ];
    let eval = |name: &str| data.join("eval").join(name).display().to_string();
    let settings = EvaluateSettings {
        similarity: reference.iter().map(|row| eval(row.0)).collect(),
        analogies: vec![eval("questions-words.txt")],
        ..EvaluateSettings::default()
    };
    let models = Models { ours: UnitVectors::new(read, true), baseline: None };
    for (task, (name, covered, known, all, gensim)) in tasks(&settings).iter().zip(reference) {
        let start = Instant::now();
        let (scores, _) = score_with(task, &settings, &models, &resources(2)).unwrap();
        eprintln!("{:?}, {:?}", scores[0], start.elapsed());
        let found = &scores[0];
        assert_eq!(found.covered, covered, "{name}");
        assert!((found.score - known).abs() < 1e-4, "{name}");
        assert!((found.score_oov_wrong - all).abs() < 1e-4, "{name}");
        assert!(found.low < gensim && gensim < found.high, "{name}");
    }

    let start = Instant::now();
    let tasks = tasks(&settings);
    let (scores, _) =
        score_with(&tasks[tasks.len() - 1], &settings, &models, &resources(2)).unwrap();
    eprintln!("analogies: {:?}", start.elapsed());
    let right = |section: &str| {
        let row = scores.iter().find(|s| s.section == section && s.vocabulary == "top 30000");
        let row = row.unwrap();
        ((row.score * row.covered as f64).round() as u64, row.covered)
    };
    for score in &scores {
        eprintln!("{score:?}");
    }
    // Among the 30,000 most frequent words nothing is missing here: question for question the same.
    assert_eq!(right("total").1, 14_877);
    assert!(right("total").0.abs_diff(7393) <= 3, "{:?}", right("total"));
    assert_eq!(right("capital-world"), (2006, 2715));
    assert_eq!(right("gram6-nationality-adjective"), (1362, 1445));
    assert_eq!(right("family"), (259, 342));

    // By 3CosMul, against a program of a few lines that follows the formula.
    let settings =
        EvaluateSettings { analogy_method: lexmill_embeddings::AnalogyMethod::CosMul, ..settings };
    let (scores, _) =
        score_with(&tasks[tasks.len() - 1], &settings, &models, &resources(2)).unwrap();
    let top = |s: &&crate::Score| s.section == "total" && s.vocabulary == "top 30000";
    let row = scores.iter().find(top).unwrap();
    let right = (row.score * row.covered as f64).round() as u64;
    assert!(right.abs_diff(6453) <= 3, "{right}");
}

/// Every test set in the data folder can be read.
#[test]
#[expect(clippy::print_stderr, reason = "a test says that it was left out")]
fn real_test_sets_are_read_whole() {
    let Some(data) = std::env::var_os("LEXMILL_DATA").map(PathBuf::from) else {
        eprintln!("skipped: LEXMILL_DATA is not set");
        return;
    };
    for (name, pairs, skipped) in [
        ("EN-WS-353-ALL.txt", 353, 0),
        ("EN-SIMLEX-999.txt", 999, 0),
        ("EN-MEN-TR-3k.txt", 3000, 0),
        ("wordsim-240.txt", 240, 0),
        ("simlex-german.txt", 999, 1),
        ("wordsim353-german.txt", 350, 1),
    ] {
        let set = WordPairs::read(&data.join("eval").join(name)).unwrap();
        assert_eq!((set.pairs.len(), set.skipped), (pairs, skipped), "{name}");
    }
    for (name, questions, sections, syntactic) in [
        ("questions-words.txt", 19_544, 14, 9),
        ("CA_translated.txt", 953, 3, 0),
        ("de-google-analogies.txt", 18_552, 13, 8),
    ] {
        let set = Analogies::read(&data.join("eval").join(name)).unwrap();
        assert_eq!((set.questions().count(), set.sections.len()), (questions, sections), "{name}");
        let found = set.sections.iter().filter(|section| section.group == "syntactic").count();
        assert_eq!(found, syntactic, "{name}");
    }
}
