use std::path::PathBuf;

use super::*;
use crate::Embeddings;
use crate::fixture::{Shape, write_model};
use crate::format::FORMATS;
use lexmill_store::table::{Column, write_table};
use lexmill_vocab::Subwords;

fn key(stage: &str) -> StageKey {
    let settings = Value::Null;
    StageKey { stage: stage.to_owned(), version: 1, settings, inputs: BTreeMap::new() }
}

fn resources(threads: usize) -> Resources {
    Resources::new(threads, 1 << 30)
}

const DIM: usize = 3;

/// A finished model stage: words `w0`, `w1`, ... besides the given ones, W from i, C from i / 8.
fn model(directory: &Path, rows: usize, first: &str, contexts: bool) -> PathBuf {
    let target = directory.join("model");
    let stage = StageWriter::begin(&target, "p", 1, &Progress::new()).unwrap();
    let words: Vec<String> =
        (0..rows).map(|i| if i == 0 { first.to_owned() } else { format!("w{i}") }).collect();
    let floats = |scale: f32| (0..rows * DIM).map(|i| i as f32 * scale - 0.1).collect::<Vec<f32>>();
    let mut columns = vec![
        (WORD, Column::text(words.iter().map(String::as_str))),
        (COUNT, Column::u64((0..rows as u64).rev().collect())),
        (VECTOR, Column::vectors(floats(1.0), DIM)),
        ("bias", Column::f32(vec![0.5; rows])),
    ];
    if contexts {
        columns.push((CONTEXT_VECTOR, Column::vectors(floats(0.125), DIM)));
    }
    let metadata = json!({ "model": "toy" });
    let entry = write_table(&stage.path(PARAMETERS), PARAMETERS, columns, &metadata).unwrap();
    stage.finish(key("glove"), vec![entry], BTreeMap::new(), Value::Null).unwrap();
    target
}

fn all_formats(vectors: VectorChoice) -> ExportSettings {
    // All but the one that holds models of other kinds, and one of them twice.
    let mut formats: Vec<Format> =
        FORMATS.into_iter().filter(|f| *f != Format::FasttextBin).collect();
    formats.push(Format::Parquet);
    ExportSettings { formats, vectors }
}

fn export(
    settings: &ExportSettings,
    model: &Path,
    output: &Path,
    threads: usize,
) -> Result<Manifest> {
    run(settings, model, output, key(KIND), &resources(threads), &Progress::new())
}

#[test]
fn every_format_reads_back_to_the_same_bits() {
    let directory = tempfile::tempdir().unwrap();
    let rows = 10_000; // More than two batches.
    let model = model(directory.path(), rows, "é", true);
    let output = directory.path().join("embeddings");
    let manifest = export(&all_formats(VectorChoice::Sum), &model, &output, 2).unwrap();
    assert_eq!(manifest.files.len(), 13);
    assert_eq!(manifest.report, json!({ "rows": rows, "dim": DIM }));
    let expected: Vec<f32> =
        (0..rows * DIM).map(|i| (i as f32 - 0.1) + (i as f32 * 0.125 - 0.1)).collect();
    for file in &manifest.files {
        assert_eq!(file.rows, rows as u64);
        if file.path.ends_with("words.txt") || file.path.ends_with("metadata.tsv") {
            continue;
        }
        let read = Embeddings::read(&output.join(&file.path)).unwrap();
        assert_eq!((read.dim(), read.len()), (DIM, rows));
        assert_eq!(read.vectors(), expected, "{}", file.path);
        assert_eq!(read.vocabulary().word(0), "é");
        let counted = ["parquet", "arrow", "tsv"].iter().any(|end| file.path.ends_with(end));
        let counted = if counted { rows as u64 - 1 } else { 0 };
        assert_eq!(read.vocabulary().count(0), counted);
    }
    let text = std::fs::read_to_string(output.join("embeddings.word2vec.txt")).unwrap();
    assert!(text.starts_with("10000 3\né -0.2 "), "{}", &text[..40]);

    // The directory as a whole, and the provenance in the Parquet file.
    assert_eq!(Embeddings::read(&output).unwrap().vectors(), expected);
    let reader = TableReader::open(&output.join("embeddings.parquet"), None, 1).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata["settings"]["vectors"], "sum");
    assert_eq!(metadata["model"], json!({ "model": "toy" }));

    // Threads don't show.
    let again = export(&all_formats(VectorChoice::Sum), &model, &directory.path().join("b"), 1);
    assert_eq!(again.unwrap().files, manifest.files);
}

#[test]
fn the_vectors_are_those_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let model = model(directory.path(), 2, "a", true);
    let output = directory.path().join("embeddings");
    let check = |vectors, expected: &[f32]| {
        let settings = ExportSettings { vectors, ..ExportSettings::default() };
        export(&settings, &model, &output, 1).unwrap();
        assert_eq!(Embeddings::read(&output).unwrap().vector(1), expected, "{vectors:?}");
    };
    let word = [2.9, 3.9, 4.9];
    let context = [0.275, 0.4, 0.525];
    check(VectorChoice::Word, &word);
    check(VectorChoice::Context, &context);
    check(VectorChoice::Concatenated, &[word, context].concat());
    let sum: Vec<f32> = word.iter().zip(context).map(|(w, c)| w + c).collect();
    check(VectorChoice::Sum, &sum);
    // The same of the model itself, a GloVe model here.
    check(VectorChoice::Auto, &sum);
    assert_eq!(Embeddings::read(&model).unwrap().vector(1), sum);
}

#[test]
fn a_bin_holds_what_fasttext_can_hold() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("embeddings");
    let formats = vec![Format::FasttextBin];
    let settings = ExportSettings { formats, vectors: VectorChoice::Auto };
    let glove = model(directory.path(), 2, "a", true);
    let error = export(&settings, &glove, &output, 1).unwrap_err().to_string();
    assert!(error.contains("is a glove model") && error.contains("fasttext-vec"), "{error}");

    let shape = Shape { kind: "cbow", subwords: None, hierarchical: false, dim: 2 };
    let model = directory.path().join("cbow");
    write_model(&model, &[("new york", 3), ("a", 2)], &shape);
    export(&settings, &model, &output, 1).unwrap();
    assert_eq!(Embeddings::read(&output).unwrap().vocabulary().word(0), "new york");
    let model = directory.path().join("nul");
    write_model(&model, &[("a\0b", 3), ("a", 2)], &shape);
    let error = export(&settings, &model, &output, 1).unwrap_err().to_string();
    assert!(error.contains("a NUL") && error.contains("a\\0b"), "{error}");
}

#[test]
fn a_model_that_contradicts_itself_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("embeddings");
    let settings =
        ExportSettings { formats: vec![Format::FasttextBin], vectors: VectorChoice::Auto };
    let subwords = Some(Subwords { minn: 2, maxn: 3, bucket: 20 });
    let shape = Shape { kind: "skipgram", subwords, hierarchical: false, dim: 2 };
    let model = directory.path().join("model");
    write_model(&model, &[("ab", 3), ("c", 2)], &shape);
    let path = model.join("ngrams.parquet");
    for buckets in [[3, 3], [4, 3], [3, 20]] {
        let columns = vec![
            ("bucket", Column::u32(buckets.to_vec())),
            ("vector", Column::vectors(vec![0.5; 4], 2)),
        ];
        write_table(&path, "", columns, &Value::Null).unwrap();
        fit_manifest(&model, "ngrams.parquet");
        let error = export(&settings, &model, &output, 1).unwrap_err().to_string();
        assert!(error.contains("do not ascend to below 20"), "{error}");
        let error = crate::SubwordVectors::open(&model).unwrap_err().to_string();
        assert!(error.contains("do not ascend to below 20"), "{error}");
    }
}

/// Writes into a manifest what a file is now.
fn fit_manifest(directory: &Path, name: &str) {
    let path = directory.join("manifest.json");
    let mut manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for file in manifest["files"].as_array_mut().unwrap() {
        if file["path"] == name {
            let file_path = directory.join(name);
            file["bytes"] = std::fs::metadata(&file_path).unwrap().len().into();
            file["blake3"] = lexmill_store::file_hash(&file_path).unwrap().into();
        }
    }
    manifest.as_object_mut().unwrap().remove("check");
    lexmill_store::write_sealed(&path, &manifest).unwrap();
}

#[test]
fn a_model_without_contexts_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let model = model(directory.path(), 2, "a", false);
    let output = directory.path().join("embeddings");
    for vectors in [VectorChoice::Sum, VectorChoice::Context, VectorChoice::Concatenated] {
        let settings = ExportSettings { vectors, ..ExportSettings::default() };
        let error = export(&settings, &model, &output, 1).unwrap_err().to_string();
        assert!(error.contains("context_vector") && error.contains(vectors.name()), "{error}");
    }
    let settings = ExportSettings { vectors: VectorChoice::Word, ..ExportSettings::default() };
    export(&settings, &model, &output, 1).unwrap();
}

#[test]
fn a_word_with_white_space_is_named_and_other_formats_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let model = model(directory.path(), 3, "new york", true);
    let output = directory.path().join("embeddings");
    let settings = all_formats(VectorChoice::Sum);
    let error = export(&settings, &model, &output, 1).unwrap_err().to_string();
    assert!(error.contains("new york") && error.contains("word2vec-text"), "{error}");
    assert!(!output.exists());
    let stage = StageWriter::begin(&output, &key(KIND).hash(), 1, &Progress::new()).unwrap();
    assert!(stage.unit("parquet").is_some());
    drop(stage);
    export(&ExportSettings::default(), &model, &output, 1).unwrap();
    assert_eq!(Embeddings::read(&output).unwrap().vocabulary().word(0), "new york");
}

#[test]
fn nothing_to_export_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let model = model(directory.path(), 0, "a", true);
    let output = directory.path().join("embeddings");
    let error = export(&all_formats(VectorChoice::Sum), &model, &output, 1).unwrap_err();
    assert!(matches!(error, Error::Empty { .. }), "{error}");
    let settings = ExportSettings { formats: Vec::new(), ..ExportSettings::default() };
    assert!(matches!(export(&settings, &model, &output, 1), Err(Error::NoFormats)));
    let error = export(&ExportSettings::default(), &output, &output, 1).unwrap_err().to_string();
    assert!(error.contains("glove or skipgram or cbow"), "{error}");
}

#[test]
fn settings_have_defaults_and_refuse_other_names() {
    let settings: ExportSettings =
        serde_json::from_str(r#"{"formats":["word2vec-text","glove-text"]}"#).unwrap();
    assert_eq!(settings.formats, [Format::Word2vecText, Format::GloveText]);
    assert_eq!(settings.vectors, VectorChoice::Auto);
    let text = serde_json::to_string(&ExportSettings::default()).unwrap();
    assert_eq!(text, r#"{"formats":["parquet"],"vectors":"auto"}"#);
    assert!(serde_json::from_str::<ExportSettings>(r#"{"format":"parquet"}"#).is_err());
}
