use super::*;
use lexmill_embeddings::Embeddings;
use lexmill_vocab::Vocabulary;
use proptest::prelude::*;

/// Words about two things, and some about neither.
fn model() -> UnitVectors {
    let mut random = Random::named(&[4]);
    let (mut names, mut floats) = (Vec::new(), Vec::new());
    for (kind, centre) in
        [("red", [1.0, 0.0, 0.0]), ("sad", [0.0, 1.0, 0.0]), ("the", [0.0, 0.0, 1.0])]
    {
        for i in 0..20 {
            names.push(format!("{kind}{i}"));
            floats.extend(centre.map(|x: f32| x + 0.5 * (random.unit_f32() - 0.5)));
        }
    }
    let vocabulary = Vocabulary::from_ordered(names.iter().map(|name| (name.as_str(), 1))).unwrap();
    UnitVectors::new(Embeddings::new(vocabulary, 3, floats).unwrap(), true)
}

/// Texts of two labels, two in three of one; every tenth without a known word.
fn texts(count: u32) -> String {
    let mut random = Random::named(&[5]);
    let mut lines = String::from("text,label\n");
    for i in 0..count {
        let kind = if i % 3 == 0 { "sad" } else { "red" };
        let words = match i % 10 {
            9 => "Unknown words only".to_owned(),
            _ => format!("The{} {kind}{} nowhere", random.below(20), random.below(20)),
        };
        lines += &format!("\"{words}.\",{kind}\n");
    }
    lines
}

fn read(
    content: &str,
    name: &str,
    settings: &EvaluateSettings,
    bytes: u64,
) -> Result<LabelledTexts> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    let model = model();
    LabelledTexts::read(&path, &[&model, &model], settings, bytes)
}

#[test]
fn labels_are_learned_from_averaged_vectors() {
    let settings = EvaluateSettings { bootstrap: 200, ..EvaluateSettings::default() };
    let texts = read(&texts(300), "a.csv", &settings, u64::MAX).unwrap();
    assert_eq!((texts.total(), texts.tokens), (300, 900));
    let predictions = texts.predictions(0, &settings);
    assert_eq!(predictions.iter().flatten().count(), 270);
    let scores = texts.scores(0, &predictions, &settings);
    assert_eq!((scores.covered, scores.tokens), (270, (540, 900)));
    assert!(scores.accuracy.0 > 0.97 && scores.macro_f1.0 > 0.97, "{scores:?}");
    assert!((scores.majority - 2.0 / 3.0).abs() < 0.02, "{scores:?}");
    assert!((scores.oov_wrong[0] - scores.accuracy.0 * 0.9).abs() < 1e-12);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| texts.predictions(1, &settings)), predictions);
    let [accuracy, f1] = texts.compare([&predictions, &predictions], &settings);
    assert_eq!((accuracy.common, accuracy.scores.0), (270, scores.accuracy.0));
    assert_eq!((f1.difference(), f1.p), (0.0, 1.0));
    let wrong: Vec<Option<u32>> = predictions.iter().map(|p| p.map(|p| 1 - p)).collect();
    let [accuracy, _] = texts.compare([&predictions, &wrong], &settings);
    assert!(accuracy.interval.0 > 0.9 && accuracy.p < 0.02, "{accuracy:?}");
}

#[test]
fn every_format_of_records_gives_the_same_texts() {
    use lexmill_store::table::{Column, write_table};
    let settings = EvaluateSettings::default();
    let csv = texts(40);
    let rows: Vec<(&str, &str)> =
        csv.lines().skip(1).map(|line| line.trim_matches('"').split_once("\",").unwrap()).collect();
    let expected = read(&csv, "a.csv", &settings, u64::MAX).unwrap();
    let json = |&(text, label): &(&str, &str)| {
        serde_json::json!({ "text": text, "label": label }).to_string() + "\n"
    };
    let json: String = rows.iter().map(json).collect();
    let tsv = |&(text, label): &(&str, &str)| format!("{label}\t{text}\n");
    let tsv: String = rows.iter().map(tsv).collect();
    let directory = tempfile::tempdir().unwrap();
    let parquet = directory.path().join("a.parquet");
    let columns = vec![
        ("label", Column::text(rows.iter().map(|row| row.1))),
        ("text", Column::text(rows.iter().map(|row| row.0))),
    ];
    write_table(&parquet, "", columns, &serde_json::Value::Null).unwrap();
    let model = model();
    for found in [
        read(&json, "a.jsonl", &settings, u64::MAX),
        read(&format!("label\ttext\n{tsv}"), "a.tsv", &settings, u64::MAX),
        LabelledTexts::read(&parquet, &[&model, &model], &settings, u64::MAX),
    ] {
        let found = found.unwrap();
        assert_eq!((&found.names, &found.labels), (&expected.names, &expected.labels));
        assert_eq!(found.features[1].means, expected.features[1].means);
        assert_eq!(found.tokens, expected.tokens);
    }
}

#[test]
fn what_is_wrong_is_named() {
    let settings = EvaluateSettings::default();
    let check = |content: &str, name: &str, bytes: u64, expected: &[&str]| {
        let error = read(content, name, &settings, bytes).unwrap_err().to_string();
        for part in expected {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    };
    check("text,label\na b,x\nc,\n", "a.csv", 1 << 20, &["a.csv", "text 2", "label_field"]);
    check("text,label\na,x\nc,x\n", "a.csv", 1 << 20, &["a.csv", "two different labels"]);
    check("text,kind\na,x\n", "a.csv", 1 << 20, &["a.csv", "label", "\"kind\""]);
    check("{\"body\": 1, \"label\": 2}\n", "a.jsonl", 1 << 20, &["a.jsonl", "text_field", "body"]);
    check(
        "{\"text\": \"a\", \"label\": 1}\n{\"te",
        "a.jsonl",
        1 << 20,
        &["a.jsonl", "line 2, at its byte"],
    );
    check(&texts(100), "a.csv", 2500, &["a.csv", "--memory"]);
    check("some text", "a.txt", 1 << 20, &["a.txt", "plain text"]);
    let many: String = (0..1002).map(|i| format!("a\t{i}\n")).collect();
    check(&format!("text\tlabel\n{many}"), "a.tsv", 1 << 20, &["a.tsv", "more than 1000"]);
    let error = LabelledTexts::read(Path::new("-"), &[], &settings, 1).unwrap_err().to_string();
    assert!(error.contains("\"-\""), "standard input can't be read twice: {error}");
}

proptest! {
    #[test]
    fn folds_are_as_even_as_can_be(
        labels in proptest::collection::vec(0u32..4, 0..60), parts in 2u32..7, seed in 0u64..9,
    ) {
        let of = folds(&labels, 4, parts, seed);
        let sizes = |wanted: &dyn Fn(u32) -> bool| -> Vec<usize> {
            let texts = |fold: u32| {
                of.iter().zip(&labels).filter(|(f, label)| **f == fold && wanted(**label)).count()
            };
            (0..parts).map(texts).collect()
        };
        for label in 0..5 {
            // The fifth is all of them.
            let sizes = sizes(&|other| other == label || label == 4);
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..60), format in 0usize..4,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (name, start) = [
            ("a.jsonl", "{\"text\": \"a\", \"label\": 1}\n"),
            ("a.csv", "text,label\n"),
            ("a.tsv", "text\tlabel\n"),
            ("a.parquet", "PAR1"),
        ][format];
        let path = directory.path().join(name);
        std::fs::write(&path, [start.as_bytes(), &bytes].concat()).unwrap();
        let settings = EvaluateSettings { bootstrap: 10, ..EvaluateSettings::default() };
        let model = model();
        if let Ok(texts) = LabelledTexts::read(&path, &[&model], &settings, 1 << 20) {
            let predictions = texts.predictions(0, &settings);
            texts.scores(0, &predictions, &settings);
        }
    }

    #[test]
    fn scores_are_those_of_the_formulas(
        known in proptest::collection::vec((0u32..3, 0u32..3), 1..40),
    ) {
        let mut counts = Counts::new(3);
        counts.of(&known, &vec![1; known.len()]);
        let right = known.iter().filter(|(label, said)| label == said).count();
        prop_assert_eq!(counts.accuracy(), Some(right as f64 / known.len() as f64));
        let count = |wanted: &dyn Fn(u32, u32) -> bool| {
            known.iter().filter(|(label, said)| wanted(*label, *said)).count() as f64
        };
        let f1: Vec<f64> = (0..3)
            .filter_map(|class| {
                let both = count(&|label, said| label == class && said == class);
                let only_said = count(&|label, said| label != class && said == class);
                let only_is = count(&|label, said| label == class && said != class);
                let all = 2.0 * both + only_said + only_is;
                (all > 0.0).then(|| 2.0 * both / all)
            })
            .collect();
        let expected = f1.iter().sum::<f64>() / f1.len() as f64;
        prop_assert!((counts.macro_f1().unwrap() - expected).abs() < 1e-12);
    }
}
