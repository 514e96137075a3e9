use std::path::PathBuf;
use std::sync::LazyLock;

use super::*;
use crate::format::{FORMATS, beside};
use crate::{Embeddings, dot, norm};
use lexmill_store::table::{Column, write_table};
use lexmill_vocab::Random;
use proptest::prelude::*;
use serde_json::Value;

const DIM: usize = 5;

/// Words that any format can hold, hard as they are.
fn hard_words() -> Vec<String> {
    let mut words: Vec<String> = [
        "the",
        "\"quoted\"",
        "it's",
        "a,b",
        "\\n",
        "<script>",
        "😀",
        "👩‍👩‍👧",
        "שלום",
        "نص",
        "3",
        "-1e5",
        "NaN",
        "日本",
        "#x",
        "e\u{301}",
        "{}",
        "|",
        "%s",
        "</s>",
    ]
    .map(str::to_owned)
    .to_vec();
    words.push("é".repeat(500));
    words
}

/// A Parquet file of random vectors, most of them odd in some way.
fn table(path: &Path, words: &[String], dim: usize) -> Vec<f32> {
    let mut random = Random::named(&[7]);
    let mut vectors: Vec<f32> =
        (0..words.len() * dim).map(|_| (random.unit_f32() - 0.5) * 3.0).collect();
    for (place, odd) in [-0.0, 1e-45, f32::MAX, f32::MIN_POSITIVE, 16_777_217.0].iter().enumerate()
    {
        if place < vectors.len() {
            vectors[place] = *odd;
        }
    }
    write(path, words, &vectors, dim);
    vectors
}

fn write(path: &Path, words: &[String], vectors: &[f32], dim: usize) {
    let columns = vec![
        ("word", Column::text(words.iter().map(String::as_str))),
        ("vector", Column::vectors(vectors.to_vec(), dim)),
        ("count", Column::u64((0..words.len() as u64).rev().collect())),
    ];
    write_table(path, "", columns, &Value::Null).unwrap();
}

fn to(from: &Path, target: &Path, settings: &ConvertSettings) -> Result<Converted> {
    convert(from, &ReadOptions::default(), target, settings, &Progress::new())
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn words_of(embeddings: &Embeddings) -> Vec<String> {
    embeddings.vocabulary().words().map(str::to_owned).collect()
}

fn holds_counts(format: Format) -> bool {
    matches!(format, Format::Parquet | Format::Arrow | Format::FasttextBin | Format::Tsv)
}

#[test]
fn every_pair_of_formats_keeps_words_and_bits() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let words = hard_words();
    let vectors = table(&path("start.parquet"), &words, DIM);
    let plain = ConvertSettings::default();
    for a in FORMATS {
        let first = path(&format!("a-{}", a.file_name()));
        let made = to(&path("start.parquet"), &first, &plain).unwrap();
        assert_eq!((made.format, made.rows, made.dim), (a, words.len() as u64, DIM));
        for b in FORMATS {
            let second = path(&format!("b-{}", b.file_name()));
            to(&first, &second, &plain).unwrap_or_else(|e| panic!("{a:?} to {b:?}: {e}"));
            let read = Embeddings::read(&second).unwrap();
            assert_eq!(words_of(&read), words, "{a:?} to {b:?}");
            assert_eq!(bits(read.vectors()), bits(&vectors), "{a:?} to {b:?}");
            // A fastText model has none that never occur.
            let count = match (holds_counts(a) && holds_counts(b), b) {
                (true, _) => words.len() as u64 - 1,
                (false, Format::FasttextBin) => 1,
                (false, _) => 0,
            };
            assert_eq!(read.vocabulary().count(0), count, "{a:?} to {b:?}");
        }
    }
    // No file is left that is not whole.
    let hidden = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    assert!(!std::fs::read_dir(directory.path()).unwrap().any(|entry| hidden(entry.unwrap())));
}

#[test]
fn words_that_a_format_can_not_hold_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let lines = [Format::Npy, Format::Safetensors, Format::Tsv];
    let all = [Format::Parquet, Format::Arrow, Format::Finalfusion];
    let check = |word: &str, holders: &[Format]| {
        write(&path("a.parquet"), &[word.to_owned(), "b".to_owned()], &[1.0, 2.0], 1);
        for format in FORMATS {
            let target = path(format.file_name());
            let made = to(&path("a.parquet"), &target, &ConvertSettings::default());
            if holders.contains(&format) {
                made.unwrap();
                assert_eq!(
                    words_of(&Embeddings::read(&target).unwrap()),
                    [word, "b"],
                    "{format:?}"
                );
                std::fs::remove_file(target).unwrap();
            } else {
                let error = made.unwrap_err().to_string();
                assert!(error.contains(&format!("{word:?}")), "{format:?}: {error}");
                assert!(error.contains(format.name()) && !target.exists(), "{error}");
            }
        }
    };
    let with = |more: &[Format]| [&all[..], more].concat();
    check("new york", &[&with(&lines)[..], &[Format::FasttextBin]].concat());
    check("a\u{A0}b", &[&with(&lines)[..], &[Format::FasttextBin]].concat());
    check("a\tb", &with(&[Format::Npy, Format::Safetensors, Format::FasttextBin]));
    check("a\nb", &with(&[Format::FasttextBin]));
    check("", &with(&[Format::Npy, Format::Safetensors, Format::FasttextBin]));
    let others: Vec<Format> = FORMATS.into_iter().filter(|f| *f != Format::FasttextBin).collect();
    check("a\0b", &others);
    let marked = [Format::GloveText, Format::Npy, Format::Safetensors, Format::Tsv];
    let others: Vec<Format> = FORMATS.into_iter().filter(|f| !marked.contains(f)).collect();
    check("\u{FEFF}a", &others);
}

#[test]
fn one_dimension_and_a_number_for_a_word_are_no_header() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("a.parquet"), &["7".to_owned(), "8".to_owned()], &[3.0, 2.0], 1);
    for format in FORMATS {
        to(&path("a.parquet"), &path(format.file_name()), &ConvertSettings::default()).unwrap();
        let read = Embeddings::read(&path(format.file_name())).unwrap();
        assert_eq!(
            (words_of(&read).join(" "), read.vectors()),
            ("7 8".to_owned(), &[3.0, 2.0][..])
        );
    }
}

#[test]
fn fewer_bits_keep_to_the_stated_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut random = Random::named(&[9]);
    let words = hard_words();
    let vectors: Vec<f32> =
        (0..words.len() * DIM).map(|_| (random.unit_f32() - 0.5) * 3.0).collect();
    write(&path("start.parquet"), &words, &vectors, DIM);
    for precision in [Precision::F16, Precision::Int8] {
        let settings = ConvertSettings { precision, ..ConvertSettings::default() };
        let mut first: Option<Vec<u32>> = None;
        for format in FORMATS {
            let target = path(format.file_name());
            let made = to(&path("start.parquet"), &target, &settings);
            if !format.carries(precision) {
                let error = made.unwrap_err().to_string();
                assert!(error.contains(format.name()) && error.contains(precision.name()));
                continue;
            }
            made.unwrap();
            let read = Embeddings::read(&target).unwrap();
            assert_eq!(words_of(&read), words);
            for (row, (found, value)) in read.vectors().iter().zip(&vectors).enumerate() {
                let vector = &vectors[row / DIM * DIM..][..DIM];
                let most = vector.iter().fold(0.0f32, |most, value| most.max(value.abs()));
                let bound = match precision {
                    Precision::Int8 => most / 253.9,
                    _ => value.abs() / 2048.0 + 3e-8,
                };
                assert!((found - value).abs() <= bound, "{format:?} {found} {value}");
            }
            // The same numbers in every format.
            let found = bits(read.vectors());
            assert_eq!(*first.get_or_insert_with(|| found.clone()), found, "{format:?}");
        }
    }
}

#[test]
fn names_say_how_files_are_compressed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let words = hard_words();
    let vectors = table(&path("start.parquet"), &words, DIM);
    for end in ["gz", "zst"] {
        for format in FORMATS {
            let target = path(&format!("{}.{end}", format.file_name()));
            let made = to(&path("start.parquet"), &target, &ConvertSettings::default());
            if format.may_be_packed() {
                made.unwrap();
                let start = std::fs::read(&target).unwrap();
                let magic: &[u8] = if end == "gz" { &[0x1F, 0x8B] } else { &[0x28, 0xB5] };
                assert!(start.starts_with(magic));
                assert_eq!(bits(Embeddings::read(&target).unwrap().vectors()), bits(&vectors));
            } else {
                let error = made.unwrap_err().to_string();
                assert!(error.contains("can't be compressed"), "{error}");
            }
        }
    }
}

#[test]
fn rows_are_chosen_by_a_list_and_then_by_rank() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let words: Vec<String> = (0..10_000).map(|i| format!("w{i}")).collect();
    let vectors: Vec<f32> = (0..10_000).map(|i| i as f32).collect();
    write(&path("a.parquet"), &words, &vectors, 1);
    std::fs::write(path("list"), "w9000\r\nw7\n\nw5000\nnobody\nw7\n").unwrap();
    for format in FORMATS {
        let target = path(format.file_name());
        let mut settings =
            ConvertSettings { words: Some(path("list")), ..ConvertSettings::default() };
        let made = to(&path("a.parquet"), &target, &settings).unwrap();
        assert_eq!((made.rows, made.not_found), (3, 1));
        let read = Embeddings::read(&target).unwrap();
        assert_eq!(words_of(&read), ["w7", "w5000", "w9000"]);
        assert_eq!(read.vectors(), [7.0, 5000.0, 9000.0]);
        settings.top = Some(2);
        assert_eq!(to(&path("a.parquet"), &target, &settings).unwrap().rows, 2);
        settings.words = None;
        settings.top = Some(4500);
        assert_eq!(to(&path("a.parquet"), &target, &settings).unwrap().rows, 4500);
        assert_eq!(Embeddings::read(&target).unwrap().vectors(), &vectors[..4500]);
        settings.top = Some(1 << 40);
        assert_eq!(to(&path("a.parquet"), &target, &settings).unwrap().rows, 10_000);
    }
    std::fs::write(path("list"), "nobody\n").unwrap();
    let settings = ConvertSettings { words: Some(path("list")), ..ConvertSettings::default() };
    let error = to(&path("a.parquet"), &path("b.txt"), &settings).unwrap_err().to_string();
    assert!(error.contains("a.parquet") && error.contains("list"), "{error}");
}

#[test]
fn the_mean_and_components_go_and_lengths_become_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (rows, dim) = (600, 6);
    let mut random = Random::named(&[11]);
    let words: Vec<String> = (0..rows).map(|i| format!("w{i}")).collect();
    // Most of the variance along two directions, on a mean of 5.
    let mut vectors = Vec::new();
    for _ in 0..rows {
        let (a, b) = (random.unit_f32() * 40.0, random.unit_f32() * 20.0);
        let noise = |random: &mut Random| random.unit_f32() - 0.5;
        for i in 0..dim {
            let along = if i < 3 { a } else { 0.0 } + if i >= 3 { b } else { 0.0 };
            vectors.push(5.0 + along + noise(&mut random));
        }
    }
    write(&path("a.parquet"), &words, &vectors, dim);
    let run = |settings: &ConvertSettings| {
        to(&path("a.parquet"), &path("b.npy"), settings).unwrap();
        Embeddings::read(&path("b.npy")).unwrap()
    };
    let means = |embeddings: &Embeddings| -> Vec<f64> {
        let sum = |i: usize| embeddings.vectors().iter().skip(i).step_by(dim);
        (0..dim).map(|i| sum(i).map(|&x| f64::from(x)).sum::<f64>() / rows as f64).collect()
    };
    let mut settings = ConvertSettings { center: true, ..ConvertSettings::default() };
    let centered = run(&settings);
    assert!(means(&centered).iter().all(|mean| mean.abs() < 1e-5));
    let mean = vectors.iter().step_by(dim).map(|&x| f64::from(x)).sum::<f64>() / rows as f64;
    assert!((f64::from(centered.vector(3)[0]) - (f64::from(vectors[3 * dim]) - mean)).abs() < 1e-5);

    // Without the two directions only noise is left, at a right angle to both.
    settings.remove_components = 2;
    let removed = run(&settings);
    for id in 0..rows as u32 {
        let vector = removed.vector(id);
        assert!(vector.iter().all(|x| x.abs() < 1.0), "{vector:?}");
    }
    let first = dot(removed.vector(0), &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    assert!(first.abs() < 0.1, "{first}");
    settings.remove_components = dim;
    let error = to(&path("a.parquet"), &path("b.npy"), &settings).unwrap_err().to_string();
    assert!(error.contains("6 components") && error.contains("6 dimensions"), "{error}");

    settings = ConvertSettings { normalize: true, ..ConvertSettings::default() };
    let unit = run(&settings);
    for id in 0..rows as u32 {
        assert!((norm(unit.vector(id)) - 1.0).abs() < 1e-6);
    }
    // Threads do not show.
    settings.remove_components = 1;
    let bytes: Vec<Vec<u8>> = [1, 3]
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&settings));
            std::fs::read(path("b.npy")).unwrap()
        })
        .into();
    assert_eq!(bytes[0], bytes[1]);
}

#[test]
fn words_beside_an_array_are_found_or_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    table(&path("a.parquet"), &hard_words(), DIM);
    to(&path("a.parquet"), &path("x.npy"), &ConvertSettings::default()).unwrap();
    std::fs::rename(path("x.npy.words.txt"), path("other")).unwrap();
    let error = Embeddings::read(&path("x.npy")).unwrap_err().to_string();
    assert!(error.contains("x.npy.words.txt") && error.contains("--words"), "{error}");
    std::fs::copy(path("other"), path("x.words.txt")).unwrap();
    assert_eq!(Embeddings::read(&path("x.npy")).unwrap().vocabulary().word(0), "the");
    std::fs::remove_file(path("x.words.txt")).unwrap();
    let options = ReadOptions { words: Some(path("other")), ..ReadOptions::default() };
    let mut source = open(&path("x.npy"), &options).unwrap();
    assert_eq!(source.next_rows().unwrap().unwrap().word(0), "the");

    std::fs::write(path("vocab.txt"), "a\nb\n").unwrap();
    let error = Embeddings::read(&path("x.npy")).unwrap_err().to_string();
    assert!(error.contains("vocab.txt") && error.contains("fewer lines"), "{error}");
    let more: String = (0..99).map(|i| format!("w{i}\n")).collect();
    std::fs::write(path("vocab.txt"), more).unwrap();
    let error = Embeddings::read(&path("x.npy")).unwrap_err().to_string();
    assert!(error.contains("more lines"), "{error}");
}

#[test]
fn the_metadata_of_a_projector_may_have_columns() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("v.tsv"), "1\t2\n3\t4").unwrap();
    std::fs::write(path("metadata.tsv"), "Count\tWord\n7\ta b\n5\t\"c\"").unwrap();
    let read = Embeddings::read(&path("v.tsv")).unwrap();
    assert_eq!(words_of(&read), ["a b", "\"c\""]);
    assert_eq!(read.vocabulary().counts(), [7, 5]);
    std::fs::write(path("metadata.tsv"), "Count\tWord\n7\ta b\n5\n").unwrap();
    let error = Embeddings::read(&path("v.tsv")).unwrap_err().to_string();
    assert!(error.contains("line 3: it has fewer than 2 columns"), "{error}");
    std::fs::write(path("v.tsv"), "1\t2\n3\t4\t5\n").unwrap();
    let error = Embeddings::read(&path("v.tsv")).unwrap_err().to_string();
    assert!(error.contains("v.tsv") && error.contains("line 2: 3 values"), "{error}");
}

#[test]
fn what_is_left_by_rounding_is_nothing_and_what_overflows_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let words: Vec<String> = (0..4).map(|i| format!("w{i}")).collect();
    // All along one direction.
    write(&path("a.parquet"), &words, &[1.0, 2.0, 2.0, 4.0, 3.0, 6.0, -1.0, -2.0], 2);
    let settings =
        ConvertSettings { remove_components: 1, normalize: true, ..ConvertSettings::default() };
    to(&path("a.parquet"), &path("b.npy"), &settings).unwrap();
    assert_eq!(Embeddings::read(&path("b.npy")).unwrap().vectors(), [0.0; 8]);
    write(&path("a.parquet"), &words, &[3.4e38, -3.4e38, -3.4e38, -3.4e38], 1);
    let settings = ConvertSettings { center: true, ..ConvertSettings::default() };
    let error = to(&path("a.parquet"), &path("c.npy"), &settings).unwrap_err().to_string();
    assert!(error.contains("\"w0\" holds inf") && !path("c.npy").exists(), "{error}");
}

#[test]
fn what_is_said_of_a_file_counts() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let options = |format, words: Option<&str>| ReadOptions { format, words: words.map(path) };
    let read = |name: &str, options: &ReadOptions| crate::read(&path(name), options);
    // Two whole numbers are a header, or a word with its value.
    std::fs::write(path("a.txt"), "2 1\n3 4\n").unwrap();
    assert!(read("a.txt", &options(None, None)).is_err());
    let found = read("a.txt", &options(Some(Format::GloveText), None)).unwrap();
    assert_eq!((words_of(&found).join(" "), found.vectors()), ("2 3".to_owned(), &[1.0, 4.0][..]));
    std::fs::write(path("b.txt"), "a 1 2\n").unwrap();
    let error = read("b.txt", &options(Some(Format::Word2vecText), None)).unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("two whole numbers"), "{error}");
    let error = read("b.txt", &options(None, Some("a.txt"))).unwrap_err().to_string();
    assert!(error.contains("has its words in itself"), "{error}");
    // Words that begin as files of other kinds do.
    for word in ["PAR1", "ARROW1x", "BZh", "FEA1", "FiFu", "PK"] {
        std::fs::write(path("c.txt"), format!("{word} 1 2\n")).unwrap();
        assert_eq!(words_of(&read("c.txt", &options(None, None)).unwrap()), [word]);
    }
    // What is compressed and should not be.
    std::fs::write(path("x.metadata.tsv"), "a\n").unwrap();
    for (name, bytes) in [("x.tsv.gz", &b"1\t2\n"[..]), ("x.npy.gz", b"\x93NUMPY\x01\0")] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, bytes).unwrap();
        std::fs::write(path(name), gzip.finish().unwrap()).unwrap();
        let error = read(name, &options(None, None)).unwrap_err().to_string();
        assert!(error.contains("decompress it first"), "{error}");
    }
    std::fs::write(path("v.tsv"), "1\t2\n3\t4\n").unwrap();
    std::fs::write(path("metadata.tsv"), "word\tcount\na\t7\nb\t5.0\n").unwrap();
    let error = read("v.tsv", &options(None, None)).unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("\"5.0\""), "{error}");
}

/// A small file in each format.
fn one_of_each(directory: &Path) -> Vec<(Format, PathBuf)> {
    let words: Vec<String> = ["a", "é", "日本"].map(str::to_owned).to_vec();
    write(&directory.join("start.parquet"), &words, &[0.5, 1.0, -2.0, 3.0, 4.5, 1e-9], 2);
    FORMATS
        .into_iter()
        .map(|format| {
            let path = directory.join(format.file_name());
            to(&directory.join("start.parquet"), &path, &ConvertSettings::default()).unwrap();
            (format, path)
        })
        .collect()
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (format, path) in one_of_each(directory.path()) {
        let bytes = std::fs::read(&path).unwrap();
        for cut in 0..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            match Embeddings::read(&path) {
                Err(error) => assert!(error.to_string().contains("embeddings."), "{error}"),
                // Text says nothing where its last number or its last line is cut off.
                Ok(read) => {
                    let text = [Format::GloveText, Format::Word2vecText, Format::FasttextVec];
                    let last = format == Format::Word2vecBinary && cut + 1 == bytes.len();
                    let said = text.contains(&format) || format == Format::Tsv || last;
                    assert!(said && read.len() <= 3, "{format:?} {cut}");
                }
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Embeddings::read(&path).unwrap().len(), 3);
    }
}

#[test]
fn a_header_that_lies_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(directory.path().join("words.txt"), "a\n").unwrap();
        let error = Embeddings::read(&path).unwrap_err().to_string();
        let stem = name.split('.').next().unwrap();
        assert!(error.contains(&format!("/{stem}.")), "{error}");
    };
    check("a.vec", b"1000000000000000000 300\na 1 2\n");
    check("a.bin", b"1000000000000000000 2\na \0\0\x80\x3f\0\0\x80\x3f");
    check("b.bin", b"2 1000000000000000000\na \0\0\x80\x3f\0\0\x80\x3f");
    let npy = |shape: &str, kind: &str| {
        let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        while (text.len() + 11) % 64 != 0 {
            text.push(' ');
        }
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((text.len() as u16 + 1).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(b"\n\0\0\x80\x3f");
        bytes
    };
    check("a.npy", &npy("(1000000000000000000, 1000000000)", "<f4"));
    check("a.npy", &npy("(1000000000000000000, 0)", "<f4"));
    check("a.npy", b"\x93NUMPY\x02\0\xF0\xFF\xFF\xFF{");
    check("a.npy", b"\x93NUMPY\x01\0\x02\0{}");
    check("a.npy", &npy("(2, 3, 4)", "<f4"));
    check("a.npy", &npy("(1, 1)", "<c8"));
    check("a.npy", &npy("(1, 1)", "|i1"));
    check("a.npy", &npy("(1, 1)", ">f4"));
    // Read to its end, either would take longer than anybody lives.
    check("a.npy", &npy(&"{".repeat(60), "<f4"));
    check("a.npy", &npy(&"{'}': ".repeat(60), "<f4"));
    check("a.npy", &npy(&"{".repeat(7), "<f4"));
    let safetensors = |header: &str| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 8]);
        bytes
    };
    let tensor = |dtype: &str, shape: &str, end: u64| {
        let entry = format!(r#""dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]"#);
        safetensors(&format!("{{\"x\":{{{entry}}}}}"))
    };
    check("a.safetensors", &tensor("F32", "[1000000000000000000,1]", 4_000_000_000_000_000_000));
    check("a.safetensors", &tensor("F32", "[4,4]", 8));
    check("a.safetensors", &tensor("F32", "[8]", 32));
    check("a.safetensors", &tensor("I8", "[2,4]", 8));
    check("a.safetensors", b"\xFF\xFF\xFF\x04\0\0\0\0{}");
    let mut fifu = b"FiFu\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0".to_vec();
    fifu.extend(u64::MAX.to_le_bytes());
    fifu.extend(u64::MAX.to_le_bytes());
    check("a.fifu", &fifu);
    check("a.fifu", b"FiFu\0\0\0\0\xFF\xFF\xFF\xFF");
}

proptest! {
    /// Whatever bytes are changed in a file of any format: it is read or refused, without a panic.
    #[test]
    fn damage_is_read_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        which in 0usize..11,
    ) {
        // They are written once, and copied to be damaged.
        static WHOLE: LazyLock<(tempfile::TempDir, Vec<(Format, PathBuf)>)> = LazyLock::new(|| {
            let directory = tempfile::tempdir().unwrap();
            let files = one_of_each(directory.path());
            (directory, files)
        });
        let directory = tempfile::tempdir().unwrap();
        let whole = &WHOLE.1[which].1;
        let path = directory.path().join(whole.file_name().unwrap());
        let mut bytes = std::fs::read(whole).unwrap();
        for end in ["words.txt", "metadata.tsv"] {
            if beside(whole, end).exists() {
                std::fs::copy(beside(whole, end), beside(&path, end)).unwrap();
            }
        }
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        if let Ok(read) = Embeddings::read(&path) {
            prop_assert!(read.vectors().iter().all(|value| value.is_finite()));
        }
    }

    /// A format's first bytes and then anything.
    #[test]
    fn anything_after_the_magic_is_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        which in 0usize..5,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let magic: [&[u8]; 5] = [
            b"\x93NUMPY\x01\0",
            b"FiFu\0\0\0\0",
            b"ARROW1\0\0",
            b"PAR1\x15\0",
            b"\x40\0\0\0\0\0\0\0{\"x\":{\"dtype\":\"F32\",",
        ];
        std::fs::write(&path, [magic[which], &bytes].concat()).unwrap();
        prop_assert!(Embeddings::read(&path).is_err());
    }
}
