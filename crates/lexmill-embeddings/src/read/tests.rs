use std::io::Write;

use super::*;
use lexmill_store::table::{Column, write_table};
use proptest::prelude::*;
use serde_json::Value;

fn read_bytes(bytes: &[u8]) -> Result<Embeddings> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vectors.txt");
    std::fs::write(&path, bytes).unwrap();
    Embeddings::read(&path)
}

fn words(embeddings: &Embeddings) -> Vec<&str> {
    embeddings.vocabulary().words().collect()
}

fn check(text: &str, expected: &[(&str, &[f32])]) {
    let read = read_bytes(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(words(&read), expected.iter().map(|row| row.0).collect::<Vec<_>>(), "{text:?}");
    for (id, row) in expected.iter().enumerate() {
        assert_eq!(read.vector(id as u32), row.1, "{text:?}");
    }
}

fn check_error(bytes: &[u8], expected: &str) {
    let error = read_bytes(bytes).unwrap_err().to_string();
    assert!(error.contains(expected), "{:?}: {error}", String::from_utf8_lossy(bytes));
    assert!(error.contains("vectors.txt"), "{error}");
}

#[test]
fn both_text_formats_with_their_variants() {
    let rows: [(&str, &[f32]); 2] = [("the", &[1.0, -2.5]), ("é", &[3e-5, 4.0])];
    check("the 1 -2.5\né 3e-5 4\n", &rows);
    check("the 1 -2.5\né 3e-5 4", &rows);
    check("2 2\nthe 1 -2.5\né 3e-5 4\n", &rows);
    check("2 2\nthe 1 -2.5 \né 3e-5 4 \n", &rows);
    check("2 2\r\nthe 1 -2.5\r\né 3e-5 4\r\n", &rows);
    check("2\t2\nthe\t1\t-2.5\né\t3e-5\t4\n\n", &rows);
    check("\u{FEFF}the 1 -2.5\né 3e-5 4\n", &rows);
    check("\u{FEFF}2 2\nthe 1 -2.5\né 3e-5 4\n", &rows);
}

#[test]
fn words_may_have_spaces_and_be_numbers() {
    check(
        "the 1 2\n. . . 3 4\nat name@domain.com 5 6\n1 7 8\n",
        &[
            ("the", &[1.0, 2.0]),
            (". . .", &[3.0, 4.0]),
            ("at name@domain.com", &[5.0, 6.0]),
            ("1", &[7.0, 8.0]),
        ],
    );
}

#[test]
fn the_row_that_glove_does_not_count_is_taken() {
    check("1 1\na 1\n<unk> 2\n", &[("a", &[1.0]), ("<unk>", &[2.0])]);
    check_error(b"1 1\na 1\nb 2\n", "has 2 rows, but its header says 1");
}

#[test]
fn errors_name_the_line() {
    check_error(b"a 1 2\nb 1\n", "line 2: 1 values after the word instead of 2");
    check_error(b"a 1 2\nb 1 2 3\n", "line 2: 3 values after the word instead of 2");
    check_error(b"2 3\na 1 2 3\nb 1 2\n", "line 3: 2 values after the word instead of 3");
    check_error(b"2 3\na 1 2 3 4\n", "line 2: 4 values after the word instead of 3");
    check_error(b"2 3\n 1 2 3\n", "line 2: 2 values after the word instead of 3");
    check_error(b"a 1 2\nb 1 x\n", "line 2: \"x\" is not a number");
    check_error(b"a 1 x\n", "line 1: \"x\" is not a number");
    check_error(b"a 1 2\nb 1 NaN\n", "line 2: the value NaN is not finite");
    check_error(b"a 1 2\nb 1 1e99\n", "line 2: the value 1e99 is not finite");
    check_error(b"a 1 2\n\nb 1 2\na 3 4\n", "the word \"a\" stands twice, in rows 1 and 3");
    check_error(b"a 1 2\n\xFF 1 2\n", "line 2: it is not UTF-8");
    check_error(b"3 2\na 1 2\nb 1 2\n", "has 2 rows, but its header says 3; it was cut off");
    check_error(b"", "holds no words");
    check_error(b"\n\n", "holds no words");
    check_error(b"word\n", "line 1: a word without values");
    check_error(b"3 0\n", "line 1: a word without values");
    check_error(b"0 3\n", "holds no words");
}

#[test]
fn a_header_allocates_nothing() {
    check_error(b"18446744073709551615 9000000000000000000\na 1 2\n", "line 2: 2 values");
    check_error(b"18446744073709551615 2\na 1 2\n", "has 1 rows");
}

#[test]
fn a_line_without_end_is_refused() {
    let most = text::MAX_LINE_BYTES as usize;
    let endless = vec![b'x'; most + 10];
    check_error(&endless, "line 1: it is longer than");
    for length in [most + 10, 3 * most] {
        let line = "x".repeat(length);
        check_error(format!("a 1\n{line}").as_bytes(), "line 2: it is longer than");
        check_error(format!("a 1\nb 2\n{line} 1\nc 3\n").as_bytes(), "line 3: it is longer than");
    }
}

#[test]
fn compressed_text_is_known_by_its_content() {
    let text = b"2 2\na 1 2\nb 3 4\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&text[..], 1).unwrap();
    for bytes in [&gzip, &zstd] {
        assert_eq!(read_bytes(bytes).unwrap().vectors(), [1.0, 2.0, 3.0, 4.0]);
        check_error(&bytes[..bytes.len() - 3], "could not read");
    }
}

/// word2vec's binary format, with or without line ends after rows.
fn binary(header: &str, rows: &[(&[u8], [f32; 3])], end: &[u8]) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    for (word, values) in rows {
        bytes.extend_from_slice(word);
        bytes.push(b' ');
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend_from_slice(end);
    }
    bytes
}

#[test]
fn word2vec_binary_as_word2vec_and_gensim_write_it() {
    let values = [[0.1, -2.5, 1e-9], [1.0, 0.0, 4.0]];
    let rows: [(&[u8], _); 2] = [("é".as_bytes(), values[0]), (b"</s>", values[1])];
    for end in [&b"\n"[..], b""] {
        let bytes = binary("2 3\n", &rows, end);
        for bytes in [bytes.clone(), zstd::encode_all(&bytes[..], 1).unwrap()] {
            let read = read_bytes(&bytes).unwrap();
            assert_eq!((words(&read), read.dim()), (vec!["é", "</s>"], 3));
            assert_eq!(read.vectors(), values.concat());
        }
        check_error(&binary("3 3\n", &rows, end), "has 2 rows, but its header says 3");
        check_error(&binary("1 3\n", &rows, end), "there is more after the 1 rows");
    }
    check_error(&binary("2 3\n", &[rows[0], rows[0]], b""), "\"é\" stands twice");
    let nan: [(&[u8], _); 1] = [(b"a", [1.0, f32::NAN, 1.0])];
    check_error(&binary("1 3\n", &nan, b"\n"), "\"a\" holds NaN");
    check_error(&binary("1 9000000000\n", &rows, b""), "9000000000 dimensions");
    check_error(&binary("99999999999 3\n", &rows, b""), "has 2 rows");
    // A word that was cut in a character is left out.
    let cut: [(&[u8], _); 2] = [(b"\xC3", values[0]), (b"b", values[1])];
    let read = read_bytes(&binary("2 3\n", &cut, b"\n")).unwrap();
    assert_eq!((words(&read), read.vectors()), (vec!["b"], &values[1][..]));
}

#[test]
fn parquet_with_and_without_counts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vectors.any");
    let write = |words: &[&str], vectors: &[f32], count: Option<Column>| {
        let mut columns = vec![
            ("word", Column::text(words.iter().copied())),
            ("vector", Column::vectors(vectors.to_vec(), 2)),
        ];
        columns.extend(count.map(|count| ("count", count)));
        write_table(&path, "", columns, &Value::Null).unwrap();
        Embeddings::read(&path)
    };
    let vectors = [1.0, 2.0, 3.0, 4.0];
    let counted = write(&["a b", "c"], &vectors, Some(Column::u64(vec![9, 8]))).unwrap();
    assert_eq!((words(&counted), counted.vectors()), (vec!["a b", "c"], &vectors[..]));
    assert_eq!(counted.vocabulary().counts(), [9, 8]);
    for count in [None, Some(Column::f32(vec![9.0, 8.0]))] {
        let plain = write(&["a b", "c"], &vectors, count).unwrap();
        assert_eq!(plain.vocabulary().counts(), [0, 0]);
    }

    let error = write(&["a", "a"], &vectors, None).unwrap_err().to_string();
    assert!(error.contains("vectors.any") && error.contains("\"a\" stands twice"), "{error}");
    let error = write(&["a", "b"], &[1.0, 2.0, 3.0, f32::NAN], None).unwrap_err().to_string();
    assert!(error.contains("vectors.any") && error.contains("\"b\" holds NaN"), "{error}");
    let error = write(&[], &[], None).unwrap_err();
    assert!(matches!(error, Error::Empty { .. }), "{error}");

    let column = ("word", Column::text(["a"]));
    write_table(&path, "", vec![column], &Value::Null).unwrap();
    let error = Embeddings::read(&path).unwrap_err().to_string();
    assert!(error.contains("no column \"vector\""), "{error}");
    check_error(b"PAR1\x15\x04 and nothing more", "can't be read as Parquet");
}

#[test]
fn what_is_not_there_or_not_an_export_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = Embeddings::read(&directory.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    let error = Embeddings::read(directory.path()).unwrap_err().to_string();
    assert!(error.contains("not a finished export or"), "{error}");
}

#[test]
fn long_text_is_read_in_blocks_and_errors_still_name_the_line() {
    let mut text = String::from("60000 3\n");
    for i in 0..60_000u32 {
        text += &format!("word{i} {i} -{i}.25 0.{i}\n");
        if i % 1000 == 7 {
            text.push('\n');
        }
    }
    let read_all = read_bytes(text.as_bytes()).unwrap();
    assert_eq!(read_all.len(), 60_000);
    for i in [0u32, 1, 31_999, 59_999] {
        assert_eq!(words(&read_all)[i as usize], format!("word{i}"));
        assert_eq!(read_all.vector(i)[..2], [i as f32, -(i as f32 + 0.25)]);
    }
    let broken = text.replace("word40000 40000 ", "word40000 x ");
    let line = broken.lines().position(|line| line.starts_with("word40000 ")).unwrap() + 1;
    check_error(broken.as_bytes(), &format!("line {line}: \"x\" is not a number"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _either = read_bytes(&bytes);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ 0-9a.é\t\r\n-]{0,60}") {
        let _either = read_bytes(text.as_bytes());
    }

    #[test]
    fn any_finite_value_reads_back_to_its_bits(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        prop_assume!(value.is_finite());
        let read = read_bytes(format!("a {value} 0.5\n").as_bytes()).unwrap();
        prop_assert_eq!(read.vectors()[0].to_bits(), bits);
    }
}
