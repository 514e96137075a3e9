//! Embeddings of fastText's and word2vec's, asked through the real program. What fastText and gensim
//! themselves say to these files is checked by `tests/interop/fasttext.py`.

use crate::lab::Lab;
use serde_json::Value;

/// A `.bin` of the words "cat" and "ab" with two dimensions and 30 buckets of n-grams of length 2.
/// The own row of word i is (i, 1), that of bucket b is (b, -1).
fn bin() -> Vec<u8> {
    let words = ["cat", "ab"];
    let mut bytes = Vec::new();
    for number in [793_712_314, 12, 2, 5, 3, 1, 5, 1, 2, 2, 30, 2, 2, 100] {
        bytes.extend(i32::to_le_bytes(number));
    }
    bytes.extend(1e-4f64.to_le_bytes());
    for number in [2, 2, 0] {
        bytes.extend(i32::to_le_bytes(number));
    }
    bytes.extend(12i64.to_le_bytes());
    bytes.extend((-1i64).to_le_bytes());
    for (word, count) in words.iter().zip([9i64, 3]) {
        bytes.extend(word.as_bytes());
        bytes.push(0);
        bytes.extend(count.to_le_bytes());
        bytes.push(0);
    }
    let rows: Vec<[f32; 2]> = (0..2)
        .map(|word| [word as f32, 1.0])
        .chain((0..30).map(|bucket| [bucket as f32, -1.0]))
        .collect();
    for matrix in [&rows[..], &[[0.5, 0.5]; 2]] {
        bytes.push(0);
        bytes.extend((matrix.len() as i64).to_le_bytes());
        bytes.extend(2i64.to_le_bytes());
        bytes.extend(matrix.iter().flatten().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

#[test]
fn a_bin_answers_for_any_word() {
    let lab = Lab::new();
    lab.write("m.bin", bin());
    let text = lab.run("vector m.bin cat x CAT").done().stdout;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(lines.iter().map(|line| line[0]).collect::<Vec<_>>(), ["cat", "x", "CAT"]);
    // Of <c ca at t> and the word itself; and of <x x>.
    assert_eq!((lines[0][2], lines[1][2], lines[2][2]), ("-0.6", "-1", "-1"));
    let json: Value =
        serde_json::from_str(&lab.run("vector m.bin cat x --json").done().stdout).unwrap();
    assert_eq!(json[0]["vector"][0].as_f64().map(|x| x as f32), lines[0][1].parse().ok());
    assert_eq!((&json[0]["known"], &json[1]["known"]), (&true.into(), &false.into()));

    let text = lab.run("neighbors m.bin ab CAT").done().stdout;
    assert!(text.contains("CAT (not in the vocabulary: by its n-grams; \"cat\" is)"), "{text}");
    let json: Value =
        serde_json::from_str(&lab.run("neighbors m.bin ab x --json").done().stdout).unwrap();
    assert_eq!((&json[0]["known"], &json[1]["known"]), (&true.into(), &false.into()));
    assert_eq!(json[0]["neighbors"][0]["word"], "cat");
    assert_eq!(json[0]["neighbors"][0]["count"], 9);

    // Without n-grams, or cut off, there is one clear message.
    lab.write("v.vec", "2 2\ncat 0.1 1\nab 1 0.25 \n");
    assert_eq!(lab.run("vector v.vec ab cat").done().stdout, "ab 1 0.25\ncat 0.1 1\n");
    lab.run("vector v.vec ab AB").failed(&["\"AB\" is not among the 2 words", "\"ab\" is"]);
    let whole = bin();
    lab.write("whole.bin", &whole);
    let outcome = lab.run("convert whole.bin words.fasttext.bin").done();
    assert!(outcome.stderr.contains("the n-grams of whole.bin are left out"), "{outcome:?}");
    let outcome = lab.run("convert whole.bin words.vec").done();
    assert!(!outcome.stderr.contains("n-grams"), "{outcome:?}");
    lab.write("cut.bin", &whole[..whole.len() - 1]);
    lab.run("vector cut.bin cat").failed(&["cut.bin", "was cut off"]);
    lab.run("neighbors cut.bin cat").failed(&["cut.bin", "was cut off"]);
}

#[test]
fn every_format_of_a_run_can_be_asked() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r --set stages.vectors.formats=[\"parquet\",\"word2vec-binary\",\"fasttext-vec\"]")
        .done();
    let expected = lab.run("vector r ke").done().stdout;
    assert!(expected.starts_with("ke "), "{expected}");
    for path in ["vectors", "glove", "vectors/embeddings.word2vec.bin", "vectors/embeddings.vec"] {
        assert_eq!(lab.run(&format!("vector r/{path} ke")).done().stdout, expected, "{path}");
    }
    lab.run("export --model r/glove --formats fasttext-bin -o no")
        .failed(&["is a glove model", "fasttext-vec"]);
}
