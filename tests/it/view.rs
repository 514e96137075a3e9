//! What there is to look at: the report of a run, and the page to explore.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::lab::{Lab, text};

const PIPELINE: &str = r#"
name = "seen"
[stages.tokens]
kind = "tokenize"
input = ["corpus.txt"]
[stages.words]
kind = "vocabulary"
tokens = "tokens"
min_count = 5
[stages.counts]
kind = "count"
tokens = "tokens"
vocabulary = "words"
[stages.glove]
kind = "glove"
counts = "counts"
dimensions = 8
epochs = 4
[stages.vectors]
kind = "export"
model = "glove"
[stages.scores]
kind = "evaluate"
embeddings = "vectors"
similarity = ["sim <i>.txt"]
"#;

fn run() -> Lab {
    let lab = Lab::new();
    // An empty line, a NUL and a rare word: things that are dropped.
    lab.write("corpus.txt", format!("{}\n\n\0 seldom</script>\n", text(3, 20_000)));
    lab.write("sim <i>.txt", "ke li 5\nmo nu 3\nvy sta 2\nnosuchword ke 1\n");
    lab.write("p.toml", PIPELINE);
    lab.run("run p.toml --dir r").done();
    lab
}

#[test]
fn a_report_tells_of_the_run_in_one_file() {
    let lab = run();
    let told = lab.run("report r --word ke --word li --map-words 50").done().stdout;
    assert_eq!(told.trim_end(), "r/report.html");
    let html = std::fs::read_to_string(lab.path("r/report.html")).unwrap();
    for part in [
        "8-dimensional GloVe vectors for",
        "<dt>min_count</dt><dd>5</dd>",
        "Rank and frequency",
        "Loss of glove",
        "sim &#60;i&#62;",
        "Spearman’s ρ",
        "NUL bytes, now spaces",
        "Words that are not in the vocabulary",
        "Of sim &#60;i&#62;: pairs with a word that is not known",
        "data-word=\"ke\"",
        "var(--accent)",
        "<th scope=\"row\">counts</th>",
    ] {
        assert!(html.contains(part), "{part:?} is not in the report");
    }
    // It loads nothing, and nothing from data is markup.
    for part in ["src=\"http", "href=\"http", "url(http", "@import", "<i>"] {
        assert!(!html.contains(part), "{part:?} is in the report");
    }
    let data = html.split("id=\"map-data\">").nth(1).unwrap();
    let data: Value = serde_json::from_str(data.split("</script>").next().unwrap()).unwrap();
    assert_eq!(data["words"].as_array().unwrap().len(), data["x"].as_array().unwrap().len());
    // Times and memory of each stage are there.
    let history = std::fs::read_to_string(lab.path("r/.history.jsonl")).unwrap();
    assert_eq!(history.lines().count(), 6);
    let first: Value = serde_json::from_str(history.lines().next().unwrap()).unwrap();
    assert_eq!(first["stage"], "tokens");
    assert!(first["peak_memory_bytes"].as_u64().unwrap() > 1 << 20);

    // The same run, the same report; a report is no stage and makes none stale.
    lab.run("report r --word ke --word li --map-words 50 -o again.html --threads 1").done();
    assert_eq!(std::fs::read_to_string(lab.path("again.html")).unwrap(), html);
    assert!(lab.run("run p.toml --dir r").done().ran().is_empty());
    // A stage alone, and words that are chosen.
    lab.run("report r/vectors -o alone.html").done();
    let alone = std::fs::read_to_string(lab.path("alone.html")).unwrap();
    assert!(alone.contains("Neighbours") && !alone.contains("What was dropped"));
    // Two evaluations have a table each, with conditions of their own.
    let more = "--set stages.others={kind=\"evaluate\",embeddings=\"vectors\",similarity=[\"s.txt\"],\
                baseline=\"r/vectors\",bootstrap=7}";
    lab.write("s.txt", "ke li 5\nmo nu 3\nvy sta 2\n");
    lab.run(&format!("run p.toml --dir r {more}")).done();
    lab.run("report r -o two.html").done();
    let two = std::fs::read_to_string(lab.path("two.html")).unwrap();
    for part in
        ["<h3>others</h3>", "<h3>scores</h3>", "from 7 bootstrap draws", "Over baseline", "+0.0"]
    {
        assert!(two.contains(part), "{part:?} is not in the report");
    }
}

#[test]
fn a_report_of_nothing_is_an_error() {
    let lab = Lab::new();
    lab.write("empty/x", "");
    lab.run("report empty").failed(&["empty", "no finished stage"]);
    lab.run("report nowhere").failed(&["nowhere"]);
    lab.write("p.toml", PIPELINE);
    lab.write("corpus.txt", text(3, 2_000));
    lab.run("run p.toml --dir r --to words").done();
    lab.run("report r").done();
    let html = std::fs::read_to_string(lab.path("r/report.html")).unwrap();
    assert!(html.contains("Rank and frequency") && !html.contains("id=\"word-map\""));
    lab.run("run p.toml --dir r --to vectors").done();
    lab.run("report r --word nosuchword").failed(&["\"nosuchword\" is not among"]);
}

/// A page that is served until it is dropped.
struct Page {
    child: Child,
    port: String,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Page {
    fn open(lab: &Lab, args: &str) -> Page {
        let mut command = lab.command(&format!("explore {args} --port 0"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("http://localhost:").unwrap().to_owned();
        Page { child, port }
    }

    /// The status, the head and the body of an answer; `host` may go on with more lines.
    fn get_as(&self, path: &str, host: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.get_as(path, &format!("localhost:{}", self.port));
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    fn map(&self, model: usize) -> Value {
        loop {
            match self.get(&format!("/api/map?model={model}")) {
                (200, map) => return map,
                (202, progress) => assert!(progress["progress"].is_number()),
                other => panic!("{other:?}"),
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn the_page_answers_what_it_is_asked() {
    let lab = Lab::new();
    let mut vectors = String::from("60 3\n");
    for i in 0..60 {
        let angle = f64::from(i) * 0.1;
        vectors += &format!("w{i} {} {} 0.2\n", angle.cos(), angle.sin());
    }
    lab.write("one.vec", &vectors);
    lab.write("two.vec", "3 2\nw0 1 0\n<b> 1 0.1\nW0 0 1\n");
    let page = Page::open(&lab, "one.vec two.vec --map-words 40");
    let (_, models) = page.get("/api/models");
    assert_eq!((&models[0]["name"], &models[0]["words"]), (&"one".into(), &60.into()));
    assert_eq!((&models[0]["mapped"], &models[1]["dim"]), (&40.into(), &2.into()));
    let map = page.map(0);
    assert_eq!(map["words"].as_array().unwrap().len(), 40);
    assert_eq!(map["counts"], Value::Null);
    page.map(1);

    let (status, found) = page.get("/api/neighbors?word=w5&count=2");
    assert_eq!((status, &found["known"], &found["rank"]), (200, &true.into(), &6.into()));
    let near: Vec<&str> = found["neighbors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["word"].as_str().unwrap())
        .collect();
    assert!(near.contains(&"w4") && near.contains(&"w6"), "{near:?}");
    assert!(found["x"].as_f64().unwrap() <= 1.0);
    // A word that is not on the map has a place all the same.
    let (_, found) = page.get("/api/neighbors?word=w50&count=500");
    assert!(found["placed"] == true && found["y"].is_number());
    assert_eq!(found["neighbors"].as_array().unwrap().len(), 59);
    let (_, words) = page.get("/api/complete?prefix=w1&count=3");
    assert_eq!(words, serde_json::json!(["w1", "w10", "w11"]));
    let (_, answers) = page.get("/api/analogy?a=w1&b=w2&c=w3&method=3cosmul&count=1");
    assert_eq!(answers["answers"].as_array().unwrap().len(), 1);

    let (status, refused) = page.get("/api/neighbors?word=W9x");
    assert_eq!(
        (status, &refused["suggestions"][0], &refused["suggestions"][1]),
        (404, &"w9".into(), &"w0".into())
    );
    let (_, refused) = page.get("/api/neighbors?model=1&word=%3Ci%3E");
    assert_eq!(refused["suggestions"], serde_json::json!(["<b>"]));
    assert_eq!(page.get("/api/neighbors?model=7&word=w1").0, 404);
    let (status, refused) = page.get("/api/neighbors?model=x&word=w1");
    assert!(status == 400 && refused["error"].as_str().unwrap().contains("model"), "{refused}");
    assert_eq!(page.get("/api/analogy?a=w1&b=w2&c=w3&method=4cos").0, 400);
    assert_eq!(page.get("/api/neighbors").0, 400);
    assert_eq!(page.get("/etc/passwd").0, 404);
    assert_eq!(page.get("/../Cargo.toml").0, 404);
}

#[test]
fn the_page_is_for_this_machine_only() {
    let lab = Lab::new();
    lab.write("one.vec", "2 2\na 1 0\nb 0 1\n");
    let page = Page::open(&lab, "one.vec");
    for path in ["/", "/style.css", "/map.js", "/explore.js"] {
        let (status, head, body) = page.get_as(path, "localhost");
        assert!(status == 200 && body.len() > 1000, "{path}");
        assert!(head.contains("content-security-policy: default-src 'self'"), "{head}");
    }
    // A page from elsewhere whose name was made to point here.
    assert_eq!(page.get_as("/api/models", "evil.example").0, 403);
    assert_eq!(page.get_as("/api/models", "evil.example:80").0, 403);
    assert_eq!(page.get_as("/api/models", "127.0.0.1:1234").0, 200);
    // What a browser asks on behalf of another page.
    for more in [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: http://evil.example",
        "Origin: null",
    ] {
        let host = format!("localhost:{}\r\n{more}", page.port);
        assert_eq!(page.get_as("/api/models", &host).0, 403, "{more}");
    }
    for more in [
        "Sec-Fetch-Site: same-origin".to_owned(),
        format!("Origin: http://localhost:{}", page.port),
    ] {
        let host = format!("localhost:{}\r\n{more}", page.port);
        assert_eq!(page.get_as("/api/models", &host).0, 200, "{more}");
    }
    let taken = format!("explore one.vec --port {}", page.port);
    lab.run(&taken).failed(&[&page.port, "--port"]);
    lab.run("explore nowhere.vec").failed(&["nowhere.vec"]);
}
