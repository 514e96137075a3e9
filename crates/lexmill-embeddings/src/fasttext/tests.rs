use super::*;
use crate::Format;
use crate::SubwordVectors;
use crate::export::{self, ExportSettings, VectorChoice};
use crate::fixture::{Shape, WORDS, write_model};
use lexmill_store::table::TableReader;
use lexmill_store::{Progress, Resources, StageKey};

const SUBWORDS: Subwords = Subwords { minn: 2, maxn: 4, bucket: 50 };

fn shape(subwords: Option<Subwords>, hierarchical: bool) -> Shape<'static> {
    Shape { kind: if hierarchical { "cbow" } else { "skipgram" }, subwords, hierarchical, dim: 3 }
}

/// Writes a model and its exports; the path of the `.bin`.
fn export(directory: &Path, shape: &Shape<'_>) -> PathBuf {
    let (model, output) = (directory.join("model"), directory.join("vectors"));
    write_model(&model, &WORDS, shape);
    let formats =
        vec![Format::Parquet, Format::Word2vecBinary, Format::FasttextVec, Format::FasttextBin];
    let settings = ExportSettings { formats, vectors: VectorChoice::Auto };
    let key = StageKey {
        stage: export::KIND.to_owned(),
        version: 1,
        settings: serde_json::to_value(&settings).unwrap(),
        inputs: Default::default(),
    };
    let resources = Resources::new(1, 1 << 30);
    export::run(&settings, &model, &output, key, &resources, &Progress::new()).unwrap();
    output.join(Format::FasttextBin.file_name())
}

/// A column of vectors of a table, end to end.
fn column(path: &Path, name: &str) -> Vec<f32> {
    let batches = TableReader::open(path, Some(&[name]), 100).unwrap();
    batches.flat_map(|batch| batch.unwrap().vectors(name).unwrap().0.to_vec()).collect()
}

#[test]
fn a_model_comes_back_whole() {
    for (subwords, hierarchical) in
        [(Some(SUBWORDS), false), (Some(SUBWORDS), true), (None, false), (None, true)]
    {
        let directory = tempfile::tempdir().unwrap();
        let path = export(directory.path(), &shape(subwords, hierarchical));
        let model = directory.path().join("model");
        let file = FastTextFile::open(&path).unwrap();
        assert_eq!(file.words().collect::<Vec<_>>(), WORDS);
        assert_eq!((file.dim(), file.len(), file.output_rows()), (3, 9, 9));
        let settings = file.settings();
        assert_eq!(settings.subwords, subwords.unwrap_or(Subwords::NONE));
        assert_eq!((settings.window, settings.epochs, settings.negatives), (5, 3, 4));
        assert_eq!((settings.sample, settings.tokens, settings.min_count), (1e-4, 288, 1));
        let expected = match hierarchical {
            true => (FastTextModel::Cbow, FastTextLoss::Hierarchical),
            false => (FastTextModel::Skipgram, FastTextLoss::Negative),
        };
        assert_eq!((settings.model, settings.loss), expected);

        let mut row = [0.0; 3];
        let parameters = model.join("parameters.parquet");
        let own = if subwords.is_some() { "own_vector" } else { "vector" };
        for (id, expected) in (0..).zip(column(&parameters, own).chunks_exact(3)) {
            file.input_row(id, &mut row).unwrap();
            assert_eq!(row, expected);
        }
        let output = match hierarchical {
            true => {
                let nodes = column(&model.join("nodes.parquet"), "vector");
                nodes.iter().map(|value| -value).chain([0.0; 3]).collect()
            }
            false => column(&parameters, "context_vector"),
        };
        for (id, expected) in (0..).zip(output.chunks_exact(3)) {
            file.output_row(id, &mut row).unwrap();
            assert_eq!(row, expected);
        }

        // Composed vectors are those of the model, to the bit, from every source.
        let vectors = column(&parameters, "vector");
        for path in [&path, &model, &path.with_file_name("embeddings.word2vec.bin")] {
            assert_eq!(Embeddings::read(path).unwrap().vectors(), vectors, "{path:?}");
        }
        for path in [path.with_file_name("embeddings.vec"), directory.path().join("vectors")] {
            assert_eq!(Embeddings::read(&path).unwrap().vectors(), vectors, "{path:?}");
        }
        let vec = std::fs::read_to_string(path.with_file_name("embeddings.vec")).unwrap();
        assert!(vec.starts_with("9 3\nthe "), "{vec}");
    }
}

#[test]
fn unseen_words_are_the_mean_of_their_ngrams() {
    let directory = tempfile::tempdir().unwrap();
    let path = export(directory.path(), &shape(Some(SUBWORDS), false));
    let file = FastTextFile::open(&path).unwrap();
    let mut buckets = Vec::new();
    SUBWORDS.buckets("catty", &mut buckets);
    let mut expected = vec![0.0f32; 3];
    for &bucket in &buckets {
        let mut row = [0.0; 3];
        file.bucket_row(bucket, &mut row).unwrap();
        for (sum, value) in expected.iter_mut().zip(row) {
            *sum += value;
        }
    }
    expected.iter_mut().for_each(|sum| *sum *= (1.0 / buckets.len() as f64) as f32);
    assert!(expected.iter().any(|&value| value != 0.0));
    for source in [&path, &directory.path().join("model"), &directory.path().join("vectors")] {
        let vectors = SubwordVectors::open(source).unwrap().unwrap();
        assert_eq!(vectors.dim(), 3);
        assert!(vectors.knows("cat") && !vectors.knows("catty"));
        assert_eq!(vectors.vector("catty").unwrap(), expected, "{source:?}");
        let cat = vectors.embeddings().unwrap().vector_of("cat").unwrap().to_vec();
        assert_eq!(vectors.vector("cat").unwrap(), cat);
    }
    // Nothing to answer from.
    let plain = tempfile::tempdir().unwrap();
    let path = export(plain.path(), &shape(None, false));
    for source in [&path, &plain.path().join("model"), &plain.path().join("vectors")] {
        assert!(SubwordVectors::open(source).unwrap().is_none(), "{source:?}");
    }
    assert!(SubwordVectors::open(&path.with_file_name("embeddings.vec")).unwrap().is_none());
}

#[test]
fn a_word_without_ngrams_is_zeros() {
    let directory = tempfile::tempdir().unwrap();
    let subwords = Subwords { minn: 4, maxn: 4, bucket: 50 };
    let path = export(directory.path(), &shape(Some(subwords), false));
    for source in [&path, &directory.path().join("model")] {
        let vectors = SubwordVectors::open(source).unwrap().unwrap();
        assert_eq!(vectors.vector("b").unwrap(), [0.0; 3]);
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let subwords = Some(Subwords { minn: 3, maxn: 3, bucket: 4 });
    let path = export(directory.path(), &shape(subwords, false));
    for name in ["embeddings.fasttext.bin", "embeddings.word2vec.bin", "embeddings.vec"] {
        let whole = std::fs::read(path.with_file_name(name)).unwrap();
        let cut = directory.path().join("cut.any");
        // The last line end may be missing, and of the last number in a text some digits.
        let needed = match name {
            "embeddings.vec" => whole.iter().rposition(|&byte| byte == b' ').unwrap() + 2,
            "embeddings.word2vec.bin" => whole.len() - 1,
            _ => whole.len(),
        };
        for length in 0..needed {
            std::fs::write(&cut, &whole[..length]).unwrap();
            let error = Embeddings::read(&cut).unwrap_err().to_string();
            assert!(error.contains("cut.any"), "{name} {length}: {error}");
        }
        let longer = [&whole[..], b"zz"].concat();
        std::fs::write(&cut, longer).unwrap();
        assert!(Embeddings::read(&cut).unwrap_err().to_string().contains("cut.any"));
    }
}

/// Places of numbers in the file: dim, then the sizes of the dictionary.
const DIM: usize = 8;
const MODEL: usize = 8 + 7 * 4;
const BUCKET: usize = 8 + 8 * 4;
const ENTRIES: usize = 8 + 12 * 4 + 8;

#[test]
fn contradictions_are_named_and_allocate_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = export(directory.path(), &shape(Some(SUBWORDS), false));
    let whole = std::fs::read(&path).unwrap();
    // By itself: of a stage's file the manifest tells what it must be.
    let path = directory.path().join("alone.fasttext.bin");
    let dictionary: usize = WORDS.iter().map(|(word, _)| word.len() + 10).sum();
    let quantized = ENTRIES + 28 + dictionary;
    let check = |at: usize, bytes: &[u8], expected: &str| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        std::fs::write(&path, changed).unwrap();
        let error = Embeddings::read(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("fasttext.bin"), "{error}");
    };
    let huge = i32::MAX.to_le_bytes();
    check(4, &[13], "version is 13");
    check(DIM, &huge, "not 59 × 2147483647");
    check(DIM, &[0; 4], "no dimensions");
    check(MODEL, &[9], "unknown kind 9");
    check(BUCKET, &huge, "2147483656 × 3");
    check(BUCKET, &(-1i32).to_le_bytes(), "number of buckets is -1");
    check(ENTRIES, &huge, "2147483647 entries");
    check(ENTRIES, &[huge, huge].concat(), "needs 2147483647 × 10 bytes");
    check(ENTRIES + 28 + 4 + 8, &[1], "entry 0 of its dictionary has type 1");
    check(quantized, &[1], "quantized");
    check(quantized + 1, &i64::MAX.to_le_bytes(), "9223372036854775807 × 3");
    check(quantized + 17, &f32::NAN.to_le_bytes(), "\"the\" holds NaN");
    // Another word gets the spelling of the first.
    let cat = whole.windows(4).position(|window| window == b"cat\0").unwrap();
    check(cat, b"the", "\"the\" stands twice");
    // A compressed file, and a file that is not UTF-8 in one word.
    std::fs::write(&path, zstd::encode_all(&whole[..], 1).unwrap()).unwrap();
    let error = Embeddings::read(&path).unwrap_err().to_string();
    assert!(error.contains("decompress it"), "{error}");
    let mut changed = whole.clone();
    changed[cat] = 0xFF;
    std::fs::write(&path, changed).unwrap();
    let file = FastTextFile::open(&path).unwrap();
    assert_eq!((file.left_out(), file.len(), file.id("cats")), (1, 8, Some(2)));
    let cats = file.vector("cats").unwrap();
    std::fs::write(&path, whole).unwrap();
    assert_eq!(Embeddings::read(&path).unwrap().vector_of("cats"), Some(&cats[..]));
}

#[test]
fn damage_anywhere_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = export(directory.path(), &shape(Some(SUBWORDS), false));
    let whole = std::fs::read(&path).unwrap();
    for at in 0..ENTRIES + 200 {
        for value in [0x00, 0x7F, 0xFF] {
            let mut changed = whole.clone();
            changed[at] = value;
            std::fs::write(&path, changed).unwrap();
            if let Err(error) = Embeddings::read(&path) {
                assert!(error.to_string().contains("fasttext.bin"), "{error}");
            }
        }
    }
}
