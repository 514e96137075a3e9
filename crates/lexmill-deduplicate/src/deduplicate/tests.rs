//! The stage against naive ones in memory.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use lexmill_store::table::TableReader;
use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::table::vocabulary::WordsReader;
use lexmill_store::{Manifest, Progress, Resources, StageKey, StageWriter};
use lexmill_tokenize::shards::{TOKEN_STAGES, shard_unit, token_shards, write_shard};
use lexmill_tokenize::tokenize;
use lexmill_vocab::Interner;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::banding::Banding;
use crate::minhash::{MinHash, similarity};
use crate::near::MOST_KEPT;
use crate::{DeduplicateSettings, Method, deduplicate};

type Document = Vec<String>;
/// Shard and row of what is dropped, the same of what is kept, similarity.
type Row = (String, u32, String, u32, f64);

/// How a document lies in shards: the tokens of its parts, of which each but the first begins a shard,
/// and whether the first does.
#[derive(Debug, Clone)]
struct Laid {
    parts: Vec<Document>,
    breaks: bool,
}

/// Rows of shards: their part, and their tokens.
type Shards = Vec<Vec<(u32, Document)>>;

/// Shards of documents, and for each whether its last document goes on.
fn shards(documents: &[Laid]) -> (Shards, Vec<bool>) {
    let (mut shards, mut continued): (Shards, Vec<bool>) = (vec![Vec::new()], vec![false]);
    for document in documents {
        if document.breaks {
            shards.push(Vec::new());
            continued.push(false);
        }
        for (part, tokens) in (0..).zip(&document.parts) {
            if part > 0 {
                *continued.last_mut().unwrap() = true;
                shards.push(Vec::new());
                continued.push(false);
            }
            // As `tokenize`: where a document begins is kept, an empty rest of one is not.
            if part == 0 || !tokens.is_empty() {
                shards.last_mut().unwrap().push((part, tokens.clone()));
            }
        }
    }
    (shards, continued)
}

struct Lab {
    directory: tempfile::TempDir,
    /// Where each document begins: its shard's name, its row.
    places: Vec<(String, u32)>,
}

/// Names that do not sort as shards do.
fn name(shard: usize) -> String {
    format!("{:04x}-{shard}", (shard * 40_503 + 7) % 65_536)
}

impl Lab {
    /// A finished stage `tokens` that holds these documents.
    fn new(documents: &[Laid]) -> Lab {
        let directory = tempfile::tempdir().unwrap();
        let stage =
            StageWriter::begin(&directory.path().join("tokens"), "p", 1, &Progress::new()).unwrap();
        let (mut files, mut words, mut units) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut places = Vec::new();
        let (shards, continued) = shards(documents);
        for (number, (rows, goes_on)) in shards.iter().zip(continued).enumerate() {
            let (mut interner, mut tokens) = (Interner::new(), Tokens::default());
            for (row, (part, document)) in (0..).zip(rows) {
                tokens.ids.extend(document.iter().map(|word| interner.intern(word)));
                tokens.ends.push(tokens.ids.len());
                tokens.parts.push(*part);
                if *part == 0 {
                    places.push((name(number), row));
                }
            }
            let mut made =
                write_shard(&stage, &name(number), &interner, &tokens).unwrap().into_iter();
            files.extend(made.next());
            words.extend(made.next());
            let report = json!({
                "tokens": tokens.ids.len(),
                "documents": tokens.parts.iter().filter(|&&part| part == 0).count(),
                "documents_continued": u64::from(goes_on),
            });
            units.insert(shard_unit(&name(number)), report);
        }
        files.extend(words);
        let key = StageKey {
            stage: tokenize::KIND.to_owned(),
            version: 1,
            settings: Value::Null,
            inputs: BTreeMap::new(),
        };
        stage.finish(key, files, units, json!({})).unwrap();
        Lab { directory, places }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(
        &self,
        from: &str,
        to: &str,
        settings: &DeduplicateSettings,
        some: &Resources,
    ) -> crate::Result<Manifest> {
        let key = StageKey {
            stage: deduplicate::KIND.to_owned(),
            version: deduplicate::VERSION,
            settings: serde_json::to_value(settings).unwrap(),
            inputs: BTreeMap::new(),
        };
        let (from, to) = (self.path(from), self.path(to));
        deduplicate::run(settings, &from, &to, key, some, &Progress::new())
    }

    /// The documents of a stage, their parts put together; checks its tables of words and its counts.
    fn documents(&self, stage: &str) -> Vec<Document> {
        let (_, shards) = token_shards(&self.path(stage)).unwrap();
        let mut documents: Vec<Document> = Vec::new();
        let mut goes_on = false;
        for shard in shards {
            let (mut words, mut tokens) = (Interner::new(), Tokens::default());
            read_token_shard(&shard.path, |word| words.intern(word), &mut tokens).unwrap();
            assert_eq!(shard.tokens, tokens.ids.len() as u64);
            let mut begun = 0;
            for (part, ids) in tokens.rows() {
                if part == 0 {
                    documents.push(Vec::new());
                    begun += 1;
                }
                assert!(part == 0 || goes_on);
                let document = documents.last_mut().unwrap();
                document.extend(ids.iter().map(|&id| words.word(id).to_owned()));
            }
            assert_eq!(shard.documents, begun);
            goes_on = shard.continued;
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

    fn duplicates(&self, stage: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for batch in TableReader::open(&self.path(stage).join(deduplicate::FILE), None, 9).unwrap()
        {
            let batch = batch.unwrap();
            let (shard, row) = (batch.text("shard").unwrap(), batch.u32("row").unwrap());
            let kept = (batch.text("kept_shard").unwrap(), batch.u32("kept_row").unwrap());
            let similarity = batch.f64("similarity").unwrap();
            rows.extend((0..batch.rows()).map(|i| {
                let names = (shard.get(i).to_owned(), kept.0.get(i).to_owned());
                (names.0, row[i], names.1, kept.1[i], similarity[i])
            }));
        }
        rows
    }
}

/// For each document the one that is kept instead, and their similarity.
type Verdicts = Vec<Option<(usize, f64)>>;

fn naive_exact(documents: &[Document], settings: &DeduplicateSettings) -> Verdicts {
    let mut first: HashMap<&Document, usize> = HashMap::new();
    let all = documents.iter().enumerate();
    all.map(|(i, document)| {
        let kept = *first.entry(document).or_insert(i);
        let counts = document.len() as u64 >= settings.min_tokens;
        (kept != i && counts).then_some((kept, 1.0))
    })
    .collect()
}

fn naive_near(documents: &[Document], settings: &DeduplicateSettings) -> Verdicts {
    let banding = Banding::choose(settings.threshold, settings.permutations as usize);
    let mut minhash = MinHash::new(settings.shingle, settings.permutations);
    let mut buckets: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut signatures: Vec<Vec<u32>> = Vec::new();
    let mut verdicts = Verdicts::new();
    for (i, document) in documents.iter().enumerate() {
        minhash.begin();
        for word in document {
            let hash = blake3::hash(word.as_bytes());
            minhash.push(u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap()));
        }
        signatures.push(minhash.finish().to_vec());
        if (document.len() as u64) < settings.min_tokens {
            verdicts.push(None);
            continue;
        }
        let keys: Vec<u64> = banding.keys(&signatures[i]).collect();
        let mut others: Vec<usize> =
            keys.iter().filter_map(|key| buckets.get(key)).flatten().copied().collect();
        others.sort_unstable();
        let mut best: Option<(usize, f64)> = None;
        for other in others {
            let found = similarity(&signatures[i], &signatures[other]);
            if found >= settings.threshold && best.is_none_or(|(_, most)| found > most) {
                best = Some((other, found));
            }
        }
        if best.is_none() {
            for key in keys {
                let kept = buckets.entry(key).or_default();
                if kept.len() < MOST_KEPT {
                    kept.push(i);
                }
            }
        }
        verdicts.push(best);
    }
    verdicts
}

/// Documents of a few words, some of which are like others.
fn documents() -> impl Strategy<Value = Vec<Laid>> {
    let change = (any::<prop::sample::Index>(), "[a-f]");
    let document = (
        0usize..5,
        prop::collection::vec(change, 0..3),
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
    );
    let templates = prop::collection::vec(prop::collection::vec("[a-f]{1,2}", 0..30), 5);
    (templates, prop::collection::vec(document, 1..60)).prop_map(|(templates, documents)| {
        let lay = |(template, changes, cuts, changed, breaks): (usize, Vec<_>, Vec<_>, _, _)| {
            let mut tokens: Document = templates[template].clone();
            if changed && !tokens.is_empty() {
                for (place, word) in changes {
                    let place: prop::sample::Index = place;
                    *place.get_mut(&mut tokens) = word;
                }
            }
            let mut cuts: Vec<usize> =
                cuts.iter().map(|cut: &prop::sample::Index| cut.index(tokens.len() + 1)).collect();
            cuts.sort_unstable();
            // Most documents lie in one shard.
            cuts.truncate(if breaks { 2 } else { 0 });
            let mut parts = Vec::new();
            for cut in cuts.into_iter().rev() {
                parts.push(tokens.split_off(cut));
            }
            parts.push(tokens);
            parts.reverse();
            Laid { parts, breaks }
        };
        documents.into_iter().map(lay).collect()
    })
}

fn any_settings() -> impl Strategy<Value = DeduplicateSettings> {
    let near = (
        1u32..5,
        prop::sample::select(vec![1u32, 16, 40]),
        prop::sample::select(vec![0.2, 0.5, 0.8, 1.0]),
    );
    let near = near.prop_map(|(shingle, permutations, threshold)| DeduplicateSettings {
        method: Method::Minhash,
        shingle,
        permutations,
        threshold,
        ..DeduplicateSettings::default()
    });
    let method = prop_oneof![1 => Just(DeduplicateSettings::default()), 2 => near];
    (method, prop::sample::select(vec![0, 1, 7]))
        .prop_map(|(settings, min_tokens)| DeduplicateSettings { min_tokens, ..settings })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn duplicates_are_the_naive_ones_whatever_the_threads_and_the_memory(
        laid in documents(),
        settings in any_settings(),
    ) {
        let lab = Lab::new(&laid);
        let first = lab.run("tokens", "first", &settings, &Resources::new(1, 1 << 30)).unwrap();
        for (threads, memory) in [(1, 0), (3, 3000), (3, 1 << 30)] {
            let to = format!("t{threads}m{memory}");
            let same = lab.run("tokens", &to, &settings, &Resources::new(threads, memory)).unwrap();
            prop_assert_eq!(&same, &first, "{} threads, {} bytes", threads, memory);
            prop_assert_eq!(same.missing(&lab.path(&to)), None);
        }
        let documents = lab.documents("tokens");
        prop_assert_eq!(documents.len(), laid.len());
        let verdicts = match settings.method {
            Method::Exact => naive_exact(&documents, &settings),
            Method::Minhash => naive_near(&documents, &settings),
        };
        let place = |i: usize| lab.places[i].clone();
        let rows: Vec<Row> = verdicts.iter().enumerate().filter_map(|(i, verdict)| {
            let (kept, similarity) = (*verdict)?;
            Some((place(i).0, place(i).1, place(kept).0, place(kept).1, similarity))
        }).collect();
        let left: Vec<Document> = documents.iter().zip(&verdicts)
            .filter(|(_, verdict)| verdict.is_none()).map(|(document, _)| document.clone()).collect();
        prop_assert_eq!(lab.duplicates("first"), rows.clone());
        prop_assert_eq!(lab.documents("first"), left.clone());
        let tokens = |documents: &[Document]| documents.iter().map(Vec::len).sum::<usize>();
        for (field, number) in [
            ("documents", left.len()),
            ("documents_before", documents.len()),
            ("duplicates", rows.len()),
            ("tokens", tokens(&left)),
            ("tokens_dropped", tokens(&documents) - tokens(&left)),
        ] {
            prop_assert_eq!(&first.report[field], &json!(number), "{}", field);
        }
        // Nothing is left to drop: of what is the same, one is there.
        let again = lab.run("first", "again", &settings, &Resources::new(2, 0)).unwrap();
        if settings.method == Method::Exact {
            prop_assert_eq!(&again.report["duplicates"], &json!(0));
            let files = |m: &Manifest| -> Vec<_> { m.entries("shards").cloned().collect() };
            prop_assert_eq!(files(&again), files(&first));
        }
    }
}

fn words(text: &str) -> Document {
    text.split(' ').map(str::to_owned).collect()
}

fn whole(text: &str) -> Laid {
    Laid { parts: vec![words(text)], breaks: false }
}

#[test]
fn a_document_over_the_ends_of_shards_counts_as_a_whole() {
    let text = "a b c d e f g h i j";
    let tokens = words(text);
    let cut = |places: &[usize]| {
        let ends = places.iter().copied().chain([tokens.len()]);
        let starts = [0].into_iter().chain(places.iter().copied());
        let parts = starts.zip(ends).map(|(start, end)| tokens[start..end].to_vec()).collect();
        Laid { parts, breaks: false }
    };
    for settings in [
        DeduplicateSettings::default(),
        DeduplicateSettings { method: Method::Minhash, ..DeduplicateSettings::default() },
    ] {
        // The same in several pieces, with empty ones, and what is but a piece of it.
        let lab = Lab::new(&[
            cut(&[3, 5]),
            whole("a b c"),
            cut(&[]),
            cut(&[0, 0, 9]),
            whole("f g h i j"),
            cut(&[1, 10]),
        ]);
        lab.run("tokens", "unique", &settings, &Resources::new(2, 0)).unwrap();
        assert_eq!(
            lab.documents("unique"),
            [tokens.clone(), words("a b c"), words("f g h i j")],
            "{settings:?}"
        );
        let rows = lab.duplicates("unique");
        assert_eq!(rows.len(), 3);
        for ((shard, row, kept_shard, kept_row, similarity), i) in rows.into_iter().zip([2, 3, 5]) {
            assert_eq!((shard, row), lab.places[i]);
            assert_eq!((kept_shard, kept_row), lab.places[0]);
            assert_eq!(similarity, 1.0);
        }
    }
}

#[test]
fn short_documents_stay_if_they_are_to() {
    let lab = Lab::new(&["yes", "yes", "one two three", "one two three"].map(whole));
    for method in [Method::Exact, Method::Minhash] {
        for (min_tokens, left) in [(0, 2), (2, 3), (3, 3), (4, 4)] {
            let settings =
                DeduplicateSettings { method, min_tokens, ..DeduplicateSettings::default() };
            let manifest = lab.run("tokens", "unique", &settings, &Resources::new(1, 0)).unwrap();
            assert_eq!(manifest.report["documents"], left, "{settings:?}");
        }
    }
}

#[test]
fn near_duplicates_are_those_of_a_document_that_is_kept() {
    // Each differs from the one before by little, and from the first by more and more.
    let chain: Vec<Laid> = (0..10)
        .map(|i| {
            let word = |j: usize| format!("w{}", if j < 12 * i { 1000 + j } else { j });
            whole(&(0..200).map(word).collect::<Vec<_>>().join(" "))
        })
        .collect();
    let lab = Lab::new(&chain);
    let settings = DeduplicateSettings {
        method: Method::Minhash,
        threshold: 0.8,
        permutations: 256,
        ..DeduplicateSettings::default()
    };
    let manifest = lab.run("tokens", "unique", &settings, &Resources::new(1, 0)).unwrap();
    let rows = lab.duplicates("unique");
    assert_eq!(manifest.report["duplicates"], rows.len());
    // Joined transitively, one would be left.
    assert!((3..8).contains(&rows.len()), "{rows:?}");
    for (shard, row, kept_shard, kept_row, similarity) in &rows {
        assert!(*similarity >= 0.8 && (kept_shard, kept_row) < (shard, row));
        assert!(!rows.iter().any(|other| (&other.0, &other.1) == (kept_shard, kept_row)));
    }
    assert!(manifest.report["compared"].as_u64().unwrap() >= rows.len() as u64);
}

#[test]
fn a_run_goes_on_with_the_units_of_another() {
    let texts: Vec<String> = (0..90).map(|i| format!("{} and more of it", i % 31)).collect();
    let laid: Vec<Laid> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| Laid { parts: vec![words(text)], breaks: i % 7 == 6 })
        .collect();
    let lab = Lab::new(&laid);
    for method in [Method::Exact, Method::Minhash] {
        let settings = DeduplicateSettings { method, ..DeduplicateSettings::default() };
        let (whole_name, resumed) = (format!("whole-{method:?}"), format!("resumed-{method:?}"));
        let whole = lab.run("tokens", &whole_name, &settings, &Resources::new(1, 1 << 30)).unwrap();
        assert_eq!(whole.report["duplicates"], 59);
        // A shard that can't be read stops the run at one place after another.
        let (_, shards) = token_shards(&lab.path("tokens")).unwrap();
        assert!(shards.len() > 9);
        let stops = |i: usize, threads: usize| {
            let shard = &shards[i];
            let good = std::fs::read(&shard.path).unwrap();
            std::fs::write(&shard.path, vec![b'x'; good.len()]).unwrap();
            let run = lab.run("tokens", &resumed, &settings, &Resources::new(threads, 0));
            let error = run.unwrap_err().to_string();
            assert!(error.contains(&shard.name), "{error}");
            std::fs::write(&shard.path, good).unwrap();
        };
        (0..shards.len()).for_each(|i| stops(i, 1 + i % 3));
        // Now all are looked at, and those that lose something are read once more.
        let loses = |i: &usize| whole.units[&shard_unit(&shards[*i].name)]["duplicates"] != 0;
        let losing: Vec<usize> = (0..shards.len()).filter(loses).collect();
        assert!(losing.len() > 5);
        losing.into_iter().for_each(|i| stops(i, 1));
        let again = lab.run("tokens", &resumed, &settings, &Resources::new(2, 0)).unwrap();
        assert_eq!(again, whole);
        let mut left: Vec<_> = std::fs::read_dir(lab.path(&resumed))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["duplicates.parquet", "manifest.json", "shards", "words"]);
    }
}

#[test]
fn its_kind_is_one_that_holds_tokens() {
    assert!(TOKEN_STAGES.contains(&deduplicate::KIND));
}
