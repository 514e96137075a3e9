//! Records of every format: their text, what is kept of them, what is left out, and what is refused.

use std::path::Path;
use std::time::Duration;

use lexmill_store::table::{Column, TableReader, write_table};
use serde_json::{Value, json};

use crate::lab::{Killing, Lab, Outcome, files_below, skip, slow, text};

const JSON: &str = r#"{"id": 1, "lang": "en", "body": {"text": "One small <b>step</b> &amp; more"}}
{"id": 2, "lang": "de", "body": {"text": "ein Schritt"}}

{"id": 3, "lang": "en", "body": {"text": null}}
{"id": 4, "lang": "en", "body": {"text": "two\nlines at https://example.org/x, 3.5 km"}}
"#;

fn words(lab: &Lab, stage: &str) -> Vec<String> {
    lab.documents(stage).iter().map(|words| words.join(" ")).collect()
}

/// A column of all tables in `documents/`, in order, with the rows of the documents.
fn kept(lab: &Lab, stage: &str, column: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    for path in files_below(&lab.path(&format!("{stage}/documents"))) {
        for batch in TableReader::open(&path, None, 100).unwrap() {
            let batch = batch.unwrap();
            let (rows, values) = (batch.u64("row").unwrap(), batch.text(column).unwrap());
            found.extend(rows.iter().zip(values.iter()).map(|(&row, v)| (row, v.to_owned())));
        }
    }
    found
}

#[test]
fn json_lines() {
    let lab = Lab::new();
    lab.write("a.jsonl", JSON);
    let flags = "--field body.text --metadata id --metadata lang";
    lab.run(&format!("tokenize a.jsonl -o all {flags}")).done();
    assert_eq!(
        words(&lab, "all"),
        ["One small b step b amp more", "ein Schritt", "two lines at https example.org x 3.5 km"]
    );
    let ids = [(0, "1".to_owned()), (1, "2".to_owned()), (2, "4".to_owned())];
    assert_eq!(kept(&lab, "all", "id"), ids);
    assert_eq!(lab.report("all", "records"), 4);
    assert_eq!(lab.report("all", "records_without_text"), 1);

    let clean = "--clean strip-html --clean urls --clean numbers --documents lines";
    lab.run(&format!("tokenize a.jsonl -o some {flags} {clean} --filter lang==en")).done();
    assert_eq!(words(&lab, "some"), ["One small step more", "two", "lines at <url> <number> km"]);
    // Every line of a record has the record's fields.
    assert_eq!(kept(&lab, "some", "id").last().unwrap(), &(2, "4".to_owned()));
    assert_eq!(lab.manifest("some").report["cleaning"]["urls"], 1);
    assert_eq!(lab.report("some", "records_filtered"), 1);
    let table = TableReader::open(&lab.path("some/report.parquet"), None, 1000).unwrap();
    let rows: u64 = table.map(|batch| batch.unwrap().rows() as u64).sum();
    assert!(rows > 20);
}

#[test]
fn lists_of_strings_are_tokens() {
    let lab = Lab::new();
    lab.write("a.jsonl", "{\"t\": [\"New York\", \"is\", \"\", \"Big\"]}\n{\"t\": []}\n");
    lab.run("tokenize a.jsonl -o t --field t --lowercase true").done();
    assert_eq!(lab.documents("t"), [["New York", "is", "Big"]], "as they are");
    // Token shards are such files themselves.
    lab.run("tokenize t/shards/*.parquet -o again --field tokens").done();
    assert_eq!(lab.documents("again"), lab.documents("t"));
}

#[test]
fn tables() {
    let lab = Lab::new();
    lab.write("a.csv", "id,text\n1,\"first, with\nanother line\"\n2,second\n");
    lab.write("b.tsv", "text\tid\nthird \"as it is\t3\n");
    let columns =
        vec![("id", Column::u64(vec![4, 5])), ("text", Column::text(["fourth of these", "fifth"]))];
    write_table(&lab.path("c.parquet"), "c.parquet", columns, &json!({})).unwrap();
    lab.run("tokenize a.csv b.tsv c.parquet -o t --metadata id --filter id!=5").done();
    assert_eq!(
        words(&lab, "t"),
        ["first with another line", "second", "third as it is", "fourth of these"]
    );
    let ids: Vec<String> = kept(&lab, "t", "id").into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    // Files of several formats in one corpus.
    lab.write("d.jsonl", "{\"text\": \"second\"}\n");
    lab.write("e.txt", "plain\n");
    lab.run("tokenize d.jsonl a.csv e.txt d.jsonl -o all").done();
    assert_eq!(words(&lab, "all"), ["second", "first with another line", "second", "plain"]);
}

/// Files of every form one after another, some with nothing in them: each record is a document.
#[test]
fn files_of_all_forms_in_any_order() {
    let lab = Lab::new();
    lab.write("a.txt", "plain text\n");
    lab.write("b.jsonl", "{\"tokens\": \"from json\"}\n{\"tokens\": [\"json\", \"list\"]}\n");
    lab.write("c.csv", "tokens\nfrom csv\n");
    lab.write("d.csv", "tokens\n");
    lab.write("e.tsv", "");
    lab.run("tokenize a.txt c.csv -o t --field tokens").done();
    std::fs::copy(files_below(&lab.path("t/shards")).first().unwrap(), lab.path("f.parquet"))
        .unwrap();
    let text = vec![("tokens", Column::text(["from parquet"]))];
    write_table(&lab.path("g.parquet"), "g", text, &json!({})).unwrap();
    let none = vec![("tokens", Column::text([]))];
    write_table(&lab.path("h.parquet"), "h", none, &json!({})).unwrap();
    lab.write("i.parquet", "");
    let files = [
        ("a.txt", 1),
        ("b.jsonl", 2),
        ("c.csv", 1),
        ("d.csv", 0),
        ("e.tsv", 0),
        ("f.parquet", 1),
        ("g.parquet", 1),
        ("h.parquet", 0),
        ("i.parquet", 0),
    ];
    let mut random = lexmill_vocab::Random::named(&[5]);
    for round in 0..40 {
        let chosen: Vec<_> = (0..6).map(|_| files[random.below(9) as usize]).collect();
        // A file is read once, however often it is named.
        let mut links = Vec::new();
        for (i, (name, _)) in chosen.iter().enumerate() {
            let link = format!("r{round}/{i}-{name}");
            lab.write(&link, std::fs::read(lab.path(name)).unwrap());
            links.push(link);
        }
        let expected: usize = chosen.iter().map(|(_, documents)| documents).sum();
        let outcome = lab.run(&format!("tokenize {} -o t{round} --field tokens", links.join(" ")));
        match expected {
            0 => drop(outcome.failed(&["no tokens"])),
            _ => {
                outcome.done();
                assert_eq!(lab.documents(&format!("t{round}")).len(), expected, "{chosen:?}");
            }
        }
    }
}

#[test]
fn a_dump_of_a_wiki() {
    let lab = Lab::new();
    let page = |title: &str, ns: &str, redirect: &str, text: &str| {
        format!(
            "<page><title>{title}</title><ns>{ns}</ns>{redirect}<id>1</id>\
             <revision><text>{text}</text></revision></page>\n"
        )
    };
    let names = "<namespaces><namespace key=\"6\">Datei</namespace></namespaces>";
    let markup = "A '''mill''' {{convert|3|m}}grinds [[grain|corn]].&lt;ref&gt;x&lt;/ref&gt;\n\
                  [[Datei:M.jpg|thumb|A picture]]";
    let dump = format!(
        "<mediawiki><siteinfo>{names}</siteinfo>{}{}{}</mediawiki>",
        page("Mill", "0", "", markup),
        page("Talk:Mill", "1", "", "no"),
        page("Milk", "0", "<redirect title=\"Mill\"/>", "#REDIRECT [[Mill]]"),
    );
    lab.write("w.xml", dump);
    lab.run("tokenize w.xml -o t --metadata title").done();
    assert_eq!(words(&lab, "t"), ["A mill grinds corn"]);
    assert_eq!(lab.report("t", "not_articles"), 2);
    assert_eq!(kept(&lab, "t", "title"), [(0, "Mill".to_owned())]);
}

#[test]
fn encodings() {
    let lab = Lab::new();
    let utf16: Vec<u8> = "\u{FEFF}Grüße 你好\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    lab.write("utf16.txt", utf16);
    lab.run("tokenize utf16.txt -o t --encoding utf-16le").done();
    assert_eq!(words(&lab, "t"), ["Grüße 你 好"]);
    assert_eq!(lab.report("t", "byte_order_marks"), 1);
    lab.write("gb.txt", b"\xC4\xE3\xBA\xC3 ok \xFF\xFF\n");
    lab.run("tokenize gb.txt -o x --encoding gb18030").failed(&["gb.txt", "byte 8", "gb18030"]);
    let unknown = lab.run("tokenize gb.txt -o x --encoding klingon");
    unknown.failed(&["encoding", "\"klingon\"", "gb18030"]);
}

#[test]
fn records_that_are_not_right() {
    let lab = Lab::new();
    lab.write("a.jsonl", "{\"text\": \"fine\"}\n{\"text\": \"cut\n{\"text\": 3}\n");
    let error = lab.run("tokenize a.jsonl -o t");
    error.failed(&["a.jsonl", "line 2, at its byte", "bad_records = \"skip\""]);
    assert!(!lab.path("t").exists());
    lab.run("tokenize a.jsonl -o t --bad-records skip").done();
    assert_eq!((words(&lab, "t").len(), lab.report("t", "bad_records")), (1, 2));

    lab.write("b.jsonl", "{\"body\": \"x\", \"id\": 1}\n");
    lab.run("tokenize b.jsonl -o u").failed(&["none of 1 records", "\"text\"", "\"body\", \"id\""]);
    lab.write("c.csv", "a,b\n1,2\n");
    lab.run("tokenize c.csv -o u").failed(&["c.csv", "no field \"text\"", "\"a\", \"b\""]);
    lab.write("d.xml", "<html>x</html>");
    lab.run("tokenize d.xml -o u").failed(&["d.xml", "no dump of a MediaWiki", "\"text\""]);
    lab.run("tokenize d.xml -o u --format text").done();
    lab.write("e.parquet", "PAR1 but no more");
    lab.run("tokenize e.parquet -o v").failed(&["e.parquet"]);
    lab.run("tokenize a.jsonl -o v --filter lang=en").failed(&["filter", "lang == en"]);
    lab.run("tokenize d.xml -o v --format text --metadata id").failed(&["metadata", "records"]);
    let files = lab.run("tokenize a.jsonl -o v --format json-lines --documents files");
    files.failed(&["documents", "records"]);
    // What there is no way around does not advise one.
    let page = "<mediawiki><page><title>x</title></mediawiki>";
    lab.write("f.xml", page);
    let outcome = lab.run("tokenize f.xml -o v").failed(&["f.xml", "byte "]);
    assert!(!outcome.stderr.contains("bad_records"), "{}", outcome.stderr);
    let foreign = lab.run("tokenize e.parquet -o v").failed(&["can't be read as Parquet"]);
    assert!(!foreign.stderr.contains("delete it"), "{}", foreign.stderr);
    lab.write("g.csv", b"text\ngr\xfc");
    lab.run("tokenize g.csv -o csv --encoding latin1").done();
    lab.write("h.jsonl", "{\"text\": \"a\", \"lang\": \"en\"}\n");
    let none = lab.run("tokenize h.jsonl -o v --filter lang==de");
    none.failed(&["no tokens", "1 left out by the filter"]);
    let misspelt = lab.run("tokenize h.jsonl -o m --metadata date").done();
    assert!(misspelt.stderr.contains("no text or number in \"date\""), "{}", misspelt.stderr);
    lab.write("i.txt", "plain\n");
    lab.run("tokenize i.txt h.jsonl -o v --filter lang==en").failed(&["i.txt", "plain text"]);
    lab.write("long.jsonl", format!("{{\"text\": \"{}\"}}\n", "x ".repeat(34 << 20)));
    lab.run("tokenize long.jsonl -o v").failed(&["long.jsonl", "longer than 64 MiB"]);
}

#[test]
fn threads_kills_and_seeds() {
    let lab = Lab::new();
    let mut lines = String::new();
    for (i, line) in text(7, 60_000).lines().enumerate() {
        let value = json!({ "id": i, "text": format!("<p>{line}</p> 中文分词 {i}") });
        lines += &format!("{value}\n");
    }
    lab.write("corpus/a.jsonl", &lines);
    lab.corpus("corpus/b.txt", 8, 20_000);
    lab.write(
        "p.toml",
        r#"
name = "p"
[stages.tokens]
kind = "tokenize"
input = ["corpus"]
shard_bytes = "64KiB"
segmenter = "auto"
clean = ["strip-html", "numbers"]
metadata = ["id"]
sample = 0.5
"#,
    );
    lab.run("run p.toml --dir one --threads 1").done();
    let expected = lab.tables("one");
    assert!(expected.len() > 20, "{expected:?}");
    for threads in [2, 3, 8] {
        lab.run(&format!("run p.toml --dir t{threads} --threads {threads}")).done();
        assert_eq!(lab.tables(&format!("t{threads}")), expected, "{threads} threads");
    }
    let taken = lab.report("one/tokens", "documents") as f64;
    let left = lab.report("one/tokens", "sampled_out") as f64;
    assert!((0.4..0.6).contains(&(taken / (taken + left))), "{taken}, {left}");
    lab.run("run p.toml --dir other --set seed=9").done();
    assert_ne!(lab.tables("other"), expected);
    // Without a draw the seed is nothing that tokens depend on.
    lab.run("run p.toml --dir whole --set stages.tokens.sample=1.0").done();
    let again = lab.run("run p.toml --dir whole --set stages.tokens.sample=1.0 --set seed=9");
    assert!(again.done().ran().is_empty());
    let killing = Killing {
        lab: &lab,
        seed: 11,
        threads: &[1, 2, 8],
        flags: &[""],
        longest: Duration::from_millis(400),
        kills: if slow() { 20 } else { 5 },
    };
    killing.until_done(|_| {}, |run| assert_eq!(lab.tables(run), expected));
}

/// What an earlier run left does not show.
#[test]
fn a_corpus_that_was_another_before() {
    let lab = Lab::new();
    lab.corpus("a.txt", 1, 5_000);
    lab.write("b.jsonl", format!("{{\"text\": \"{}\"}}\nbroken\n", "other words ".repeat(9)));
    lab.run("tokenize a.txt -o straight").done();
    lab.run("tokenize b.jsonl a.txt -o t").failed(&["b.jsonl"]);
    lab.write("c.txt", "quite other words in another file\n");
    lab.run("tokenize c.txt b.jsonl a.txt -o t").failed(&["b.jsonl"]);
    lab.run("tokenize a.txt -o t").done();
    assert_eq!(lab.manifest("t").fingerprint, lab.manifest("straight").fingerprint);
}

#[test]
fn previews_and_tests() {
    let lab = Lab::new();
    lab.write("a.jsonl", JSON);
    let shown = lab.run("tokenize a.jsonl --field body.text --clean strip-html --preview 2").done();
    assert!(shown.stdout.contains("-> One small step more"), "{}", shown.stdout);
    assert!(shown.stdout.contains("ein Schritt") && !shown.stdout.contains("example"));
    assert_eq!(files_below(&lab.path("")).len(), 1, "nothing is written");
    let json = lab.run("tokenize a.jsonl --field body.text --preview 1 --json").done();
    let value: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(value["documents"][0]["tokens"][0], "One");
    lab.run("tokenize a.jsonl").misused(&["--output"]);

    let file = r#"
[stages.tokens]
kind = "tokenize"
input = ["nowhere"]
segmenter = "auto"
lowercase = true
clean = ["emails"]

[[test]]
text = "Ask ME@example.org: 北京大学"
tokens = ["ask", "<email>", "北京大学"]
"#;
    lab.write("p.toml", file);
    assert_eq!(lab.run("test p.toml").done().stdout, "1 passed, 0 failed\n");
    lab.write("q.toml", file.replace("\"ask\"", "\"Ask\""));
    let failed = lab.run("test q.toml").failed(&["a test of \"q.toml\" failed"]);
    assert!(failed.stdout.contains("expected: Ask"), "{}", failed.stdout);
}

#[test]
fn texts_in_many_languages() {
    let Some(data) = std::env::var_os("LEXMILL_DATA") else {
        skip("LEXMILL_DATA is not set");
        return;
    };
    let lab = Lab::new();
    let texts = files_below(&Path::new(&data).join("parallel-udhr"));
    let mut command = lab.command("tokenize -o t --segmenter auto --documents sentences");
    Outcome::of(command.args(&texts)).done();
    let scripts = &lab.manifest("t").report["scripts"];
    for script in ["Latin", "Han", "Hangul", "Arabic", "Devanagari", "Hebrew", "Cyrillic"] {
        assert!(scripts[script].as_u64().unwrap_or(0) > 1000, "{script}: {scripts}");
    }
}
