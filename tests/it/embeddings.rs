//! Embeddings in any format: converted, and asked.

use serde_json::Value;

use crate::lab::Lab;

const TEXT: &str = "man 1 0 0.1 0\nwoman 1 0 0.1 1\nking 0 1 0.2 0\nqueen 0 1 0.2 1\nplum 0 0.1 -1 0.3\n\
                    pear 0.1 0 -1 0.2\nfig 0 0 -1 0.1\n";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("a.glove.txt", TEXT);
    lab
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_file_goes_through_every_format_and_comes_back() {
    let lab = lab();
    let mut from = "a.glove.txt".to_owned();
    for (index, name) in [
        "b.parquet",
        "b.arrow",
        "b.txt.gz",
        "b.bin.zst",
        "b.vec",
        "b.fasttext.bin",
        "b.safetensors",
        "b.npy",
        "b.fifu",
        "b.tsv",
        "c.glove.txt",
    ]
    .into_iter()
    .enumerate()
    {
        let to = format!("{index}/{name}");
        let made = lab.run(&format!("convert {from} {to} --json")).done();
        let made = json(&made.stdout);
        assert_eq!((&made["rows"], &made["dim"]), (&7.into(), &4.into()), "{to}");
        from = to;
    }
    assert_eq!(std::fs::read_to_string(lab.path("10/c.glove.txt")).unwrap(), TEXT);
    let told = lab.run("convert a.glove.txt x.npy --top 3 --dtype f16").done();
    assert_eq!(told.stdout, "");
    assert_eq!(told.stderr, "3 words of 4 dimensions as npy in x.npy, x.npy.words.txt, 167 B\n");
    let told = lab.run("convert a.glove.txt y.any --to arrow --dtype int8 --normalize").done();
    assert!(
        told.stderr.starts_with("7 words of 4 dimensions as arrow in y.any"),
        "{}",
        told.stderr
    );
    assert_eq!(lab.run("convert a.glove.txt x.vec --top 2 -q").done().stderr, "");
    assert_eq!(
        std::fs::read_to_string(lab.path("x.vec")).unwrap(),
        "2 4\nman 1 0 0.1 0\nwoman 1 0 0.1 1\n"
    );
}

#[test]
fn what_can_not_be_converted_is_said() {
    let lab = lab();
    lab.run("convert a.glove.txt b.nothing").failed(&["b.nothing", "--to"]);
    lab.run("convert a.glove.txt b.txt --dtype f16").failed(&["word2vec-text", "f16", "parquet"]);
    lab.run("convert a.glove.txt b.parquet.gz").failed(&["b.parquet.gz", "can't be compressed"]);
    lab.run("convert nowhere b.txt").failed(&["nowhere", "No such file"]);
    lab.run("convert a.glove.txt b.npy --remove-components 5").failed(&["5 components"]);
    lab.run("convert a.glove.txt b.npy --to nothing").misused(&["nothing", "glove-text"]);
    lab.write("b.glove.txt", "a 1 2\nnew york 3 4\n");
    lab.run("convert b.glove.txt b.vec").failed(&["\"new york\"", "fasttext-vec", "parquet"]);
    lab.write("c.glove.txt", "a 1 2\nb 3 4\na 5 6\n");
    let twice = "the word \"a\" stands twice, in rows 1 and 3";
    lab.run("convert c.glove.txt c.vec").failed(&["c.glove.txt", twice]);
    // Nothing that is there is lost, and nothing is half there.
    lab.write("d.vec", "what was here");
    lab.run("convert c.glove.txt d.vec").failed(&[twice]);
    assert_eq!(std::fs::read_to_string(lab.path("d.vec")).unwrap(), "what was here");
    let names = std::fs::read_dir(lab.path(".")).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["a.glove.txt", "b.glove.txt", "c.glove.txt", "d.vec"]);
}

#[test]
fn questions_are_answered_one_by_one_or_from_a_file() {
    let lab = lab();
    assert_eq!(lab.run("similarity a.glove.txt plum fig").done().stdout, "plum\tfig\t0.9772\n");
    lab.write("pairs.txt", "plum fig\nman\tking\n\n");
    let pairs = lab.run("similarity a.glove.txt -f pairs.txt").done().stdout;
    assert_eq!(pairs, "plum\tfig\t0.9772\nman\tking\t0.0195\n");
    for method in ["3cosadd", "3cosmul"] {
        let asked = format!("analogy a.glove.txt man king woman -n 2 --method {method}");
        let text = lab.run(&asked).done().stdout;
        assert!(text.starts_with("man : king :: woman : ?\n  answer"), "{text}");
        assert!(text.lines().nth(2).unwrap().starts_with("  queen"), "{text}");
    }
    lab.write("questions.txt", ": family\nman king woman queen\nplum pear fig man\n");
    let answers = json(&lab.run("analogy a.glove.txt -f questions.txt --json -n 1").done().stdout);
    assert_eq!(answers[0]["expected"], "queen");
    assert_eq!(answers[0]["answers"][0]["word"], "queen");
    assert_eq!(answers[1]["question"], serde_json::json!(["plum", "pear", "fig"]));
    assert_eq!(lab.run("odd-one-out a.glove.txt plum king fig pear").done().stdout, "king\n");
    lab.write("odd.txt", "plum\tking\tfig\tpear\nman woman fig\n");
    assert_eq!(lab.run("odd-one-out a.glove.txt -f odd.txt").done().stdout, "king\nfig\n");

    // Many words at once have the answers of each alone, on any number of threads.
    lab.write("words.txt", "man\nfig\nplum\nqueen\nking\n");
    let many = lab.run("neighbors a.glove.txt -f words.txt -n 3 --threads 1").done().stdout;
    assert_eq!(lab.run("neighbors a.glove.txt -f words.txt -n 3 --threads 3").done().stdout, many);
    let each: String = ["man", "fig", "plum", "queen", "king"]
        .map(|word| lab.run(&format!("neighbors a.glove.txt {word} -n 3")).done().stdout)
        .concat();
    assert_eq!(many, each);
    let few = json(&lab.run("neighbors a.glove.txt plum --restrict 4 --json").done().stdout);
    assert_eq!(few[0]["neighbors"].as_array().unwrap().len(), 4);
}

#[test]
fn questions_that_have_no_answer_are_said() {
    let lab = lab();
    let outcome = lab.run("similarity a.glove.txt plum fig plum figs").failed(&["\"figs\" is not"]);
    assert_eq!(outcome.stdout, "plum\tfig\t0.9772\n");
    lab.write("words.txt", "man\nMan\nnobody\nsomebody\n");
    lab.run("neighbors a.glove.txt -f words.txt").failed(&["\"Man\"", "\"man\" is", "2 more"]);
    lab.run("similarity a.glove.txt a b c").failed(&["3 words are no whole number", "2 words"]);
    lab.write("bad.txt", "plum fig\nplum\n");
    lab.run("similarity a.glove.txt -f bad.txt").failed(&["bad.txt", "line 2", "1 words"]);
    lab.write("bytes.txt", b"plum fig\n\xFF\xFE fig\n");
    lab.run("similarity a.glove.txt -f bytes.txt").failed(&["bytes.txt", "line 2", "UTF-8"]);
    lab.run("analogy a.glove.txt man king").misused(&[]);
    lab.run("similarity a.glove.txt -f nowhere.txt").failed(&["nowhere.txt"]);
    lab.run("neighbors a.glove.txt").misused(&["WORD"]);
    // What the content misleads about is said by a flag.
    lab.write("numbers.txt", "3 2\n4 5\n");
    lab.run("neighbors numbers.txt 3").failed(&["numbers.txt"]);
}
