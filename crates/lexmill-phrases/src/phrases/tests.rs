//! The stage against a naive one in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lexmill_store::table::TableReader;
use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::table::vocabulary::WordsReader;
use lexmill_store::{ByteSize, Manifest, Progress, Resources, StageKey};
use lexmill_tokenize::shards::{TOKEN_STAGES, token_shards};
use lexmill_tokenize::{Corpus, Documents, SegmenterKind, TokenizeSettings, tokenize};
use lexmill_vocab::Interner;
use proptest::prelude::*;

use crate::{PhrasesSettings, Score, Totals, phrases};

type Document = Vec<String>;
/// First, second, count, joined, bits of the score.
type Row = (String, String, u64, u64, u64);

/// What the stage must make of documents.
fn naive(documents: &[Document], settings: &PhrasesSettings) -> (Vec<Document>, Vec<Row>) {
    let mut words: BTreeMap<&str, u64> = BTreeMap::new();
    let mut pairs: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for document in documents {
        document.iter().for_each(|word| *words.entry(word).or_default() += 1);
        for two in document.windows(2) {
            *pairs.entry((&two[0], &two[1])).or_default() += 1;
        }
    }
    let totals = Totals {
        tokens: words.values().sum(),
        entries: (words.len() + pairs.len()) as u64,
        min_count: settings.min_count,
    };
    let score = |&(a, b): &(&str, &str), count: u64| match count >= settings.min_count {
        true => settings.score.of(count, words[a], words[b], &totals),
        false => f64::NEG_INFINITY,
    };
    let is_phrase = |pair: &(&str, &str)| score(pair, pairs[pair]) > settings.threshold();
    let mut times: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut joined = Vec::new();
    for document in documents {
        let (mut out, mut rest) = (Vec::new(), document.as_slice());
        while let [first, after @ ..] = rest {
            match after {
                [second, after @ ..] if is_phrase(&(first, second)) => {
                    *times.entry((first, second)).or_default() += 1;
                    out.push(format!("{first}{}{second}", settings.delimiter));
                    rest = after;
                }
                _ => {
                    out.push(first.clone());
                    rest = after;
                }
            }
        }
        joined.push(out);
    }
    let mut rows: Vec<(f64, Row)> = pairs
        .iter()
        .filter(|(pair, _)| is_phrase(pair))
        .map(|(pair, &count)| {
            let score = score(pair, count);
            let joined = times.get(pair).copied().unwrap_or(0);
            (score, (pair.0.to_owned(), pair.1.to_owned(), count, joined, score.to_bits()))
        })
        .collect();
    // Stable: ties stay in the order of spelling.
    rows.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.2.cmp(&a.1.2)));
    (joined, rows.into_iter().map(|(_, row)| row).collect())
}

struct Lab {
    directory: tempfile::TempDir,
}

impl Lab {
    /// Text, tokenized.
    fn new(text: &str, shard_bytes: u64, documents: Documents) -> Lab {
        let lab = Lab { directory: tempfile::tempdir().unwrap() };
        let path = lab.path("text.txt");
        std::fs::write(&path, text).unwrap();
        let settings = TokenizeSettings {
            input: vec![path.to_string_lossy().into_owned()],
            segmenter: SegmenterKind::Whitespace,
            shard_bytes: ByteSize(shard_bytes),
            documents: Some(documents),
            ..TokenizeSettings::default()
        };
        let corpus = Corpus::scan(&settings, None, 1, &Progress::new()).unwrap();
        let (some, progress) = (Resources::new(1, 1 << 30), Progress::new());
        tokenize::run(&settings, &corpus, &lab.path("tokens"), &some, &progress).unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn join(&self, from: &str, to: &str, settings: &PhrasesSettings, some: &Resources) -> Manifest {
        let key = StageKey {
            stage: phrases::KIND.to_owned(),
            version: phrases::VERSION,
            settings: serde_json::to_value(settings).unwrap(),
            inputs: BTreeMap::new(),
        };
        let (from, to) = (self.path(from), self.path(to));
        phrases::run(settings, &from, &to, key, some, &Progress::new()).unwrap()
    }

    /// The documents of a stage, their parts put together; checks its tables of words and its counts.
    fn documents(&self, stage: &str) -> Vec<Document> {
        let (_, shards) = token_shards(&self.path(stage)).unwrap();
        let mut documents: Vec<Document> = Vec::new();
        for shard in shards {
            let (mut words, mut tokens) = (Interner::new(), Tokens::default());
            let own =
                read_token_shard(&shard.path, |word| words.intern(word), &mut tokens).unwrap();
            assert_eq!(own["tokens"], tokens.ids.len());
            assert_eq!(shard.tokens, tokens.ids.len() as u64);
            let mut begun = 0;
            for (part, ids) in tokens.rows() {
                if part == 0 {
                    documents.push(Vec::new());
                    begun += 1;
                }
                let document = documents.last_mut().unwrap();
                document.extend(ids.iter().map(|&id| words.word(id).to_owned()));
            }
            assert_eq!(shard.documents, begun);
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            tokens
                .ids
                .iter()
                .for_each(|&id| *counts.entry(words.word(id).into()).or_default() += 1);
            let mut listed = Vec::new();
            let reader = WordsReader::open(&shard.words).unwrap();
            reader.for_each(|word, count| listed.push((word.to_owned(), count))).unwrap();
            assert_eq!(listed, counts.into_iter().collect::<Vec<_>>());
        }
        documents
    }

    fn phrases(&self, stage: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for batch in TableReader::open(&self.path(stage).join(phrases::FILE), None, 100).unwrap() {
            let batch = batch.unwrap();
            let (first, second) = (batch.text("first").unwrap(), batch.text("second").unwrap());
            let (counts, joined) = (batch.u64("count").unwrap(), batch.u64("joined").unwrap());
            let scores = batch.f64("score").unwrap();
            for row in 0..batch.rows() {
                let words = (first.get(row).to_owned(), second.get(row).to_owned());
                let score = scores[row].to_bits();
                rows.push((words.0, words.1, counts[row], joined[row], score));
            }
        }
        rows
    }
}

fn tables(manifest: &Manifest) -> Vec<(String, String)> {
    manifest.files.iter().map(|file| (file.path.clone(), file.blake3.clone())).collect()
}

/// Settings under which small texts have phrases.
fn any_settings() -> impl Strategy<Value = PhrasesSettings> {
    let scores = vec![
        (Score::Word2phrase, 0.0),
        (Score::Word2phrase, 1.1),
        (Score::Gensim, 0.3),
        (Score::Npmi, -1.0),
        (Score::Npmi, 0.1),
        (Score::LogLikelihood, 0.5),
    ];
    (prop::sample::select(scores), 1u64..4).prop_map(|((score, threshold), min_count)| {
        PhrasesSettings { score, threshold: Some(threshold), min_count, ..Default::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn phrases_equal_the_naive_ones_whatever_the_threads_and_the_memory(
        text in "([a-c] {1,3}){3,9}([a-d_ ]{1,30}\n){0,9}([a-d] {0,9}){0,60}",
        settings in any_settings(),
        shard_bytes in 6u64..90,
        whole_files in any::<bool>(),
    ) {
        let unit = if whole_files { Documents::Files } else { Documents::Lines };
        let lab = Lab::new(&text, shard_bytes, unit);
        let first = lab.join("tokens", "first", &settings, &Resources::new(1, 1 << 30));
        let second = lab.join("first", "second", &settings, &Resources::new(1, 1 << 30));
        for (threads, memory) in [(1, 0), (3, 3000), (3, 1 << 30)] {
            let to = format!("t{threads}m{memory}");
            let same = lab.join("tokens", &to, &settings, &Resources::new(threads, memory));
            prop_assert_eq!(&same, &first, "{} threads, {} bytes", threads, memory);
            prop_assert_eq!(same.missing(&lab.path(&to)), None);
        }
        let mut documents = lab.documents("tokens");
        for (stage, manifest) in [("first", first), ("second", second)] {
            let (joined, rows) = naive(&documents, &settings);
            prop_assert_eq!(lab.documents(stage), joined.clone());
            prop_assert_eq!(lab.phrases(stage), rows);
            let tokens: usize = joined.iter().map(Vec::len).sum();
            prop_assert_eq!(&manifest.report["tokens"], &serde_json::json!(tokens));
            documents = joined;
        }
    }
}

#[test]
fn a_phrase_is_found_over_the_ends_of_shards() {
    // One document in shards of a token or two, all of whose neighbours are phrases.
    let text = "aa bb ".repeat(50) + "aa";
    let settings =
        PhrasesSettings { min_count: 1, threshold: Some(0.0), ..PhrasesSettings::default() };
    for shard_bytes in 3..9 {
        let lab = Lab::new(&text, shard_bytes, Documents::Files);
        assert!(token_shards(&lab.path("tokens")).unwrap().1.len() > 10);
        let manifest = lab.join("tokens", "joined", &settings, &Resources::new(2, 0));
        let mut expected = vec!["aa_bb".to_owned(); 50];
        expected.push("aa".to_owned());
        assert_eq!(lab.documents("joined"), [expected]);
        assert_eq!(manifest.report["joined"], 50);
        assert_eq!(manifest.report["tokens_before"], 101);
        assert_eq!(lab.phrases("joined").len(), 2);
    }
}

#[test]
fn a_run_goes_on_with_the_units_of_another() {
    let text = "new york is not york new\nlos angeles is new\n".repeat(30);
    let settings = PhrasesSettings { threshold: Some(1.0), ..PhrasesSettings::default() };
    let lab = Lab::new(&text, 100, Documents::Lines);
    let whole = lab.join("tokens", "whole", &settings, &Resources::new(1, 1 << 30));
    // A shard that can't be read stops the run at one place after another.
    let (_, shards) = token_shards(&lab.path("tokens")).unwrap();
    let key = whole.key.clone();
    for (i, shard) in shards.iter().enumerate().step_by(3).chain([(0, &shards[0])]) {
        let good = std::fs::read(&shard.path).unwrap();
        std::fs::write(&shard.path, vec![b'x'; good.len()]).unwrap();
        let (from, to) = (lab.path("tokens"), lab.path("resumed"));
        let some = Resources::new(1 + i % 3, 0);
        let run = phrases::run(&settings, &from, &to, key.clone(), &some, &Progress::new());
        assert!(run.is_err(), "shard {i}");
        std::fs::write(&shard.path, good).unwrap();
    }
    let resumed = lab.join("tokens", "resumed", &settings, &Resources::new(2, 0));
    assert_eq!(tables(&resumed), tables(&whole));
    assert_eq!(resumed, whole);
}

#[test]
fn its_kind_is_one_that_holds_tokens() {
    assert!(TOKEN_STAGES.contains(&phrases::KIND));
}
