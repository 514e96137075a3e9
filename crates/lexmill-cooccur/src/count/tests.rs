//! The stage against a naive count in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lexmill_store::table::counts::CountsReader;
use lexmill_store::{ByteSize, Manifest, Progress, Resources, StageKey};
use lexmill_tokenize::{
    Corpus, SegmenterKind, TokenizeSettings, VocabularySettings, tokenize, vocabulary,
};
use lexmill_vocab::Vocabulary;
use proptest::prelude::*;

use crate::{Contexts, CountSettings, Grid, Unknown, Weighting, Weights, count};

type Cells = BTreeMap<(String, String), u64>;

/// Counts every pair of positions of every document.
fn naive(documents: &[Vec<&str>], vocabulary: &Vocabulary, settings: &CountSettings) -> Cells {
    let weights = Weights::new(settings.weighting, settings.window);
    let mut cells = Cells::new();
    for document in documents {
        let mut words: Vec<Option<&str>> =
            document.iter().map(|w| vocabulary.id(w).map(|_| *w)).collect();
        if settings.unknown == Unknown::Skip {
            words.retain(Option::is_some);
        }
        for (i, center) in words.iter().enumerate() {
            for (j, context) in words.iter().enumerate() {
                let (Some(center), Some(context)) = (center, context) else { continue };
                let wanted = match settings.contexts {
                    Contexts::Symmetric => i != j,
                    Contexts::Left => j < i,
                    Contexts::Right => j > i,
                };
                let distance = i.abs_diff(j);
                if wanted && distance <= settings.window as usize {
                    *cells.entry(((*center).into(), (*context).into())).or_default() +=
                        weights.by_distance()[distance - 1];
                }
            }
        }
    }
    cells
}

struct Lab {
    directory: tempfile::TempDir,
    shard_bytes: u64,
    min_count: u64,
}

impl Lab {
    fn new(shard_bytes: u64, min_count: u64) -> Lab {
        Lab { directory: tempfile::tempdir().unwrap(), shard_bytes, min_count }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the texts as files and runs everything up to the counts.
    fn count(
        &self,
        texts: &[&str],
        settings: &CountSettings,
        resources: &Resources,
        to: &str,
    ) -> crate::Result<Manifest> {
        let files: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(i, text)| {
                let path = self.path(&format!("{i}.txt"));
                std::fs::write(&path, text).unwrap();
                path.to_string_lossy().into_owned()
            })
            .collect();
        let tokens = TokenizeSettings {
            input: files,
            segmenter: SegmenterKind::Whitespace,
            shard_bytes: ByteSize(self.shard_bytes),
            ..TokenizeSettings::default()
        };
        let corpus = Corpus::scan(&tokens, None, 1, &Progress::new()).unwrap();
        let progress = Progress::new();
        tokenize::run(&tokens, &corpus, &self.path("tokens"), resources, &progress)?;
        let words =
            VocabularySettings { min_count: self.min_count, ..VocabularySettings::default() };
        let key = |stage: &str, settings: serde_json::Value| StageKey {
            stage: stage.to_owned(),
            version: 1,
            settings,
            // As if the inputs differed each time: staleness is not what is tested here.
            inputs: BTreeMap::from([("texts".to_owned(), texts.concat())]),
        };
        let (tokens, vocabulary) = (self.path("tokens"), self.path("words"));
        let words_key = key(vocabulary::KIND, serde_json::to_value(&words).unwrap());
        vocabulary::run(&words, &tokens, &vocabulary, words_key, resources, &progress)?;
        let counts_key = key(count::KIND, serde_json::to_value(settings).unwrap());
        count::run(settings, &tokens, &vocabulary, &self.path(to), counts_key, resources, &progress)
    }

    fn vocabulary(&self) -> Vocabulary {
        vocabulary::read(&self.path("words")).unwrap()
    }
}

fn cells(directory: &Path) -> Cells {
    let grid = Grid::open(directory).unwrap();
    let vocabulary = grid.vocabulary().unwrap();
    let mut cells = Cells::new();
    for row in 0..grid.layout().blocks() {
        for column in 0..grid.layout().blocks() {
            let mut last = None;
            for block in CountsReader::open(&grid.shard(row, column).0, 100).unwrap() {
                let block = block.unwrap();
                let (centers, contexts, units) = block.columns();
                for i in 0..block.cells() {
                    assert_eq!(grid.layout().block(centers[i]), row);
                    assert_eq!(grid.layout().block(contexts[i]), column);
                    assert!(last < Some((centers[i], contexts[i])), "cells are sorted");
                    last = Some((centers[i], contexts[i]));
                    let word = |id| vocabulary.word(id).to_owned();
                    cells.insert((word(centers[i]), word(contexts[i])), units[i]);
                }
            }
        }
    }
    cells
}

fn tables(directory: &Path) -> Vec<(String, String)> {
    let manifest = Manifest::read(directory).unwrap().unwrap();
    manifest.files.iter().map(|file| (file.path.clone(), file.blake3.clone())).collect()
}

fn documents<'a>(texts: &[&'a str]) -> Vec<Vec<&'a str>> {
    texts.iter().flat_map(|t| t.lines()).map(|line| line.split_whitespace().collect()).collect()
}

fn any_settings() -> impl Strategy<Value = CountSettings> {
    (
        1u32..12,
        prop::sample::select(vec![Weighting::Harmonic, Weighting::Flat, Weighting::Linear]),
        prop::sample::select(vec![Contexts::Symmetric, Contexts::Left, Contexts::Right]),
        prop::sample::select(vec![Unknown::Skip, Unknown::Gap]),
        1u32..5,
    )
        .prop_map(|(window, weighting, contexts, unknown, blocks)| CountSettings {
            window,
            weighting,
            contexts,
            unknown,
            blocks: Some(blocks),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn counts_equal_the_naive_count(
        text in "([a-g]{1,2} ){3,9}([a-g ]{1,30}\n){0,12}[a-g ]{0,120}",
        settings in any_settings(),
        shard_bytes in 20u64..200,
        threads in 1usize..4,
        tight in any::<bool>(),
    ) {
        let lab = Lab::new(shard_bytes, 2);
        let memory = if tight { 400 } else { 1 << 30 };
        match lab.count(&[&text], &settings, &Resources::new(threads, memory), "counts") {
            Ok(_) => {
                let expected = naive(&documents(&[&text]), &lab.vocabulary(), &settings);
                prop_assert_eq!(cells(&lab.path("counts")), expected);
            }
            Err(error) => {
                let error = error.to_string();
                let empty = error.contains("nothing to count") || error.contains("no word occurs");
                prop_assert!(empty, "{}", error);
            }
        }
    }

    #[test]
    fn a_grown_corpus_gives_the_bytes_of_a_full_recount(
        old in "([a-f]{1,2} ){10,20}\n([a-h]{1,2}[ \n]){20,80}",
        new in "([a-h]{1,2}[ \n]){1,60}",
        settings in any_settings(),
        tight in any::<bool>(),
    ) {
        let lab = Lab::new(60, 3);
        let memory = if tight { 400 } else { 1 << 30 };
        let some = Resources::new(2, memory);
        if lab.count(&[&old], &settings, &some, "counts").is_ok() {
            let grown = lab.count(&[&old, &new], &settings, &some, "counts");
            let whole = lab.count(&[&old, &new], &settings, &Resources::new(1, 1 << 30), "fresh");
            prop_assert_eq!(grown.is_ok(), whole.is_ok());
            if whole.is_ok() {
                let expected = naive(&documents(&[&old, &new]), &lab.vocabulary(), &settings);
                prop_assert_eq!(cells(&lab.path("fresh")), expected);
                prop_assert_eq!(tables(&lab.path("counts")), tables(&lab.path("fresh")));
            }
        }
    }
}

#[test]
fn a_grown_corpus_is_not_counted_anew() {
    let lab = Lab::new(100, 2);
    let old = "the cat sat on the mat\nthe dog sat on the cat\n".repeat(40);
    let settings = CountSettings { blocks: Some(3), ..CountSettings::default() };
    let some = Resources::new(1, 1 << 30);
    lab.count(&[&old], &settings, &some, "counts").unwrap();
    // A word that was below the threshold crosses it, in one old document of many.
    let old = old + "a rare cat sat on the mat\n";
    lab.count(&[&old], &settings, &some, "counts").unwrap();
    let key = StageKey {
        stage: count::KIND.to_owned(),
        version: count::VERSION,
        settings: serde_json::to_value(&settings).unwrap(),
        inputs: BTreeMap::new(),
    };
    let new = "the rare dog sat\n";
    lab.count(&[&old, new], &settings, &some, "elsewhere").unwrap();
    let (_, shards) = super::token_shards(&lab.path("tokens")).unwrap();
    let growth =
        crate::growth::Growth::find(&lab.path("counts"), &key, &shards, 2, &Progress::new())
            .unwrap();
    assert!(growth.is_some(), "the earlier counts are taken up");
    lab.count(&[&old, new], &settings, &some, "counts").unwrap();
    assert_eq!(tables(&lab.path("counts")), tables(&lab.path("elsewhere")));
    // A shard that was taken out can't be taken away: everything is counted anew.
    lab.count(&[new, &new.repeat(9)], &settings, &some, "counts").unwrap();
    let expected = naive(&documents(&[new, &new.repeat(9)]), &lab.vocabulary(), &settings);
    assert_eq!(cells(&lab.path("counts")), expected);
}
