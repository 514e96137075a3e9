//! Dirty text: each oddity is read as stated, and counted in the report.

use std::process::{Command, Stdio};

use crate::lab::{Lab, Outcome, files_below, skip};

/// Tokenizes files to the stage `t`.
fn tokenize(files: &[(&str, &[u8])], flags: &str) -> (Lab, Outcome) {
    let lab = Lab::new();
    for (name, content) in files {
        lab.write(&format!("corpus/{name}"), content);
    }
    let outcome = lab.run(&format!("tokenize corpus/* -o t {flags}")).done();
    (lab, outcome)
}

/// Checks the documents that come of some files, their words put together by spaces, and the numbers
/// in the report that are not 0.
#[track_caller]
fn check(
    files: &[(&str, &[u8])],
    flags: &str,
    documents: &[&str],
    report: &[(&str, u64)],
) -> Outcome {
    let (lab, outcome) = tokenize(files, flags);
    let found: Vec<String> = lab.documents("t").iter().map(|words| words.join(" ")).collect();
    assert_eq!(found, documents);
    let tokens = documents.iter().map(|document| document.split(' ').count() as u64).sum::<u64>();
    let marks = lab.report("t", "byte_order_marks");
    let bytes = files.iter().map(|(_, content)| content.len() as u64).sum::<u64>();
    let mut expected = vec![
        ("bytes", bytes - 3 * marks),
        ("documents", documents.len() as u64),
        ("files", files.len() as u64),
        ("longest_document_bytes", lab.report("t", "longest_document_bytes")),
        ("tokens", tokens),
        ("types", lab.report("t", "types")),
    ];
    expected.extend(report);
    expected.sort_unstable();
    let manifest = lab.manifest("t");
    let mut counted: Vec<(&str, u64)> = manifest
        .report
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(name, count)| Some((name.as_str(), count.as_u64()?)))
        .filter(|(_, count)| *count > 0)
        .collect();
    counted.sort_unstable();
    assert_eq!(counted, expected);
    outcome
}

#[test]
fn line_ends_nul_bytes_and_marks() {
    let outcome = check(
        &[("a.txt", b"\xEF\xBB\xBFone two\r\nthree\0four\r\n\r\nfive\rsix \0\0\nlast")],
        "",
        &["one two", "three four", "five six", "last"],
        &[
            ("byte_order_marks", 1),
            ("empty_documents", 1),
            ("lone_carriage_returns", 1),
            ("nul_bytes", 3),
        ],
    );
    for notice in [
        "  note: 3 NUL bytes became spaces\n",
        "  note: 1 byte order marks were taken off\n",
        "  note: 1 carriage returns stand without a line feed",
    ] {
        assert!(outcome.stderr.contains(notice), "{notice:?} is not in\n{}", outcome.stderr);
    }
    // A mark in the middle of a file is text, and no part of a word.
    check(&[("a", "a \u{FEFF}b\n".as_bytes())], "", &["a b"], &[]);
    // White space takes the carriage return off as well.
    check(
        &[("a", b"a b\r\nc\rd\r\n")],
        "--segmenter whitespace",
        &["a b", "c d"],
        &[("lone_carriage_returns", 1)],
    );
}

#[test]
fn ill_formed_utf8_is_replaced_and_counted() {
    let dirty = b"caf\xE9 noir\nwei\xDFer \xFF\xFE\x80 \xF0\x9F\x98 end\nfine\n";
    let outcome = check(
        &[("a.txt", dirty)],
        "--segmenter whitespace",
        &["caf\u{FFFD} noir", "wei\u{FFFD}er \u{FFFD}\u{FFFD}\u{FFFD} \u{FFFD} end", "fine"],
        &[("invalid_utf8_replaced", 6)],
    );
    assert!(outcome.stderr.contains("  note: 6 ill-formed UTF-8 sequences became U+FFFD\n"));
    // With words by Unicode it separates them, and is none itself.
    check(
        &[("a.txt", dirty)],
        "",
        &["caf noir", "wei er end", "fine"],
        &[("invalid_utf8_replaced", 6)],
    );
}

#[test]
fn documents_are_lines_blocks_or_files() {
    let files: &[(&str, &[u8])] = &[
        ("a", b"a b\nc\n\n \t\r\nd e\r\n\r\n\r\n\nf"),
        ("b", b""),
        ("c", b"g\n\n"),
        ("d", b"\n\n"),
        ("e", b"h\ni"),
    ];
    let empty = ("empty_files", 1);
    let outcome = check(
        files,
        "",
        &["a b", "c", "d e", "f", "g", "h", "i"],
        &[empty, ("empty_documents", 8)],
    );
    assert!(outcome.stderr.contains("  note: 1 corpus files were empty\n"), "{}", outcome.stderr);
    check(
        files,
        "--documents files",
        &["a b c d e f", "g", "h i"],
        &[empty, ("empty_documents", 1)],
    );
    let (lab, _) = tokenize(files, "--documents blocks");
    let found: Vec<String> = lab.documents("t").iter().map(|words| words.join(" ")).collect();
    // A file's end ends a block, too.
    assert_eq!(found, ["a b c", "d e", "f", "g", "h i"]);
}

#[test]
fn words_that_are_too_long_are_dropped_and_counted() {
    let long = "x".repeat(1001);
    let just = "y".repeat(1000);
    let text = format!("a {long} b {just}\n{long}\n");
    let outcome = check(
        &[("a", text.as_bytes())],
        "",
        &[&format!("a b {just}")],
        &[("words_too_long", 2), ("empty_documents", 1)],
    );
    assert!(outcome.stderr.contains("  note: 2 words were longer than max_word_bytes"));
    check(
        &[("a", b"ab abc \xC3\xA9\xC3\xA9\n")],
        "--max-word-bytes 3",
        &["ab abc"],
        &[("words_too_long", 1)],
    );
}

#[test]
fn a_line_of_thirty_megabytes_is_one_document() {
    // 2^25 bytes of six-letter words, all on one line; then a short one.
    let words = (1 << 25) / 8;
    let mut line = String::new();
    for i in 0..words {
        line.push_str(&format!("w{:06} ", i % 999_983 % 50_000));
    }
    line.push_str("\nend\n");
    let (lab, outcome) =
        tokenize(&[("a", line.as_bytes())], "--segmenter whitespace --shard-bytes 4MiB");
    let documents = lab.documents("t");
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0].len(), words);
    assert_eq!(documents[0].join(" "), line.lines().next().unwrap().trim_end());
    assert_eq!(documents[1], ["end"]);
    assert_eq!((lab.report("t", "documents"), lab.report("t", "tokens")), (2, words as u64 + 1));
    let continued = lab.report("t", "documents_continued");
    assert!((3..10).contains(&continued), "{continued}");
    assert_eq!(lab.report("t", "long_runs_cut"), 0);
    let notice = format!("  note: {continued} times a document went on in the next shard\n");
    assert!(outcome.stderr.contains(&notice), "{}", outcome.stderr);
    // No context window notices: the pairs of a window of 1 are those of one long line.
    let run = |command: &str| lab.run(command).done();
    run("vocabulary --tokens t -o v --min-count 1");
    run("count --tokens t --vocabulary v -o c --window 1 --weighting flat --memory 1GiB");
    let total = lab.manifest("c").report["total_count"].as_f64().unwrap();
    assert_eq!(total, 2.0 * (words as f64 - 1.0));
}

#[test]
fn a_stretch_without_white_space_is_cut_between_characters() {
    let text = "é".repeat(200_000);
    let (lab, outcome) =
        tokenize(&[("a", text.as_bytes())], "--shard-bytes 64KiB --max-word-bytes 1000000");
    let documents = lab.documents("t");
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].concat(), text);
    let cut = lab.report("t", "long_runs_cut");
    assert_eq!(documents[0].len() as u64, cut + 1);
    assert!(cut >= 2, "{cut}");
    assert_eq!(lab.report("t", "invalid_utf8_replaced"), 0);
    let notice =
        format!("  note: {cut} stretches without white space were cut between two characters\n");
    assert!(outcome.stderr.contains(&notice), "{}", outcome.stderr);
}

#[test]
fn normalization_and_case() {
    let text = "Cafe\u{301} ﬁn ＡＢ ΣΊΣΥΦΟΣ ǅ İ don't 3.14 x_y 東京 👍 end.\n".as_bytes();
    let files: &[(&str, &[u8])] = &[("a", text)];
    check(
        files,
        "--segmenter whitespace --normalization none",
        &["Cafe\u{301} ﬁn ＡＢ ΣΊΣΥΦΟΣ ǅ İ don't 3.14 x_y 東京 👍 end."],
        &[],
    );
    check(
        files,
        "--segmenter whitespace",
        &["Café ﬁn ＡＢ ΣΊΣΥΦΟΣ ǅ İ don't 3.14 x_y 東京 👍 end."],
        &[],
    );
    check(
        files,
        "--segmenter whitespace --normalization nfkc",
        &["Café fin AB ΣΊΣΥΦΟΣ Dž İ don't 3.14 x_y 東京 👍 end."],
        &[],
    );
    // Words only: no emoji, no full stop.
    check(files, "", &["Café ﬁn ＡＢ ΣΊΣΥΦΟΣ ǅ İ don't 3.14 x_y 東 京 end"], &[]);
    check(files, "--lowercase true", &["café ﬁn ａｂ σίσυφος ǆ i̇ don't 3.14 x_y 東 京 end"], &[]);
}

#[test]
fn standard_input_is_read_each_time() {
    let lab = Lab::new();
    let input = lab.write("in", "one two\nthree\n");
    let outcome = lab.run_with_input("tokenize - -o t", &input).done();
    assert_eq!(outcome.stages(), [("tokenize", "begins")]);
    assert_eq!(lab.documents("t"), [vec!["one", "two"], vec!["three"]]);
    assert_eq!(lab.report("t", "files"), 1);
    let other = lab.write("other", "four\n");
    let outcome = lab.run_with_input("tokenize - -o t", &other).done();
    let why = "again: it reads standard input, which can't be compared";
    assert_eq!(outcome.stages(), [("tokenize", why)]);
    assert_eq!(lab.documents("t"), [vec!["four"]]);
    // Between files, in the order given.
    lab.run_with_input("tokenize other - -o u", &input).done();
    assert_eq!(lab.documents("u").concat(), ["four", "one", "two", "three"]);
    lab.run("tokenize - -o v").failed(&["the corpus holds no tokens"]);
    // In a pipeline, what comes after is fresh if the same text came.
    lab.write(
        "p.toml",
        "[stages.tokens]\nkind = \"tokenize\"\ninput = [\"-\"]\n\
         [stages.words]\nkind = \"vocabulary\"\ntokens = \"tokens\"\nmin_count = 1\n",
    );
    let run = |input| lab.run_with_input("run p.toml --dir r", input).done();
    assert_eq!(run(&input).ran(), ["tokens", "words"]);
    assert_eq!(run(&input).ran(), ["tokens"]);
    assert_eq!(run(&other).ran(), ["tokens", "words"]);
}

#[test]
fn compressed_files_are_told_by_their_content() {
    let lab = Lab::new();
    let plain = lab.write("corpus/a.txt", crate::lab::text(4, 20_000));
    let inputs = |program: &str, args: &[&str]| -> Option<()> {
        let output = Command::new(program).args(args).arg(&plain).stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => {
                // The name says nothing of it.
                lab.write(&format!("{program}/a.txt"), output.stdout);
                Some(())
            }
            _ => {
                skip(&format!("there is no {program} here"));
                None
            }
        }
    };
    lab.run("tokenize corpus/a.txt -o plain").done();
    let read = |stage: &str| (lab.documents(stage), lab.report(stage, "bytes"));
    for (program, args) in
        [("gzip", &["-c"][..]), ("zstd", &["-c", "-q"]), ("bzip2", &["-c"]), ("xz", &["-c"])]
    {
        if inputs(program, args).is_none() {
            continue;
        }
        lab.run(&format!("tokenize {program}/a.txt -o {program}-t")).done();
        assert_eq!(read(&format!("{program}-t")), read("plain"), "{program}");
        // By a pipe as well.
        let packed = lab.path(&format!("{program}/a.txt"));
        lab.run_with_input(&format!("tokenize - -o {program}-p"), &packed).done();
        assert_eq!(read(&format!("{program}-p")), read("plain"), "{program}");
    }
}

#[test]
fn patterns_take_files_in_order_and_once() {
    let lab = Lab::new();
    for name in ["b.txt", "a.txt", "deep/er/c.txt", "deep/d.md", "we[ir]d.txt"] {
        let word = name.replace(|c: char| !c.is_alphanumeric(), "");
        lab.write(&format!("corpus/{name}"), format!("{word}\n"));
    }
    let read = |patterns: &str| -> Vec<String> {
        let stage = format!("t{}", files_below(&lab.path("")).len());
        lab.run(&format!("tokenize {patterns} -o {stage}")).done();
        lab.documents(&stage).concat()
    };
    assert_eq!(read("corpus/*.txt"), ["atxt", "btxt", "weirdtxt"]);
    assert_eq!(
        read("corpus/**/*"),
        ["atxt", "btxt", "deepdmd", "deeperctxt", "weirdtxt"],
        "folders are no files"
    );
    assert_eq!(read("corpus/deep/d.md corpus/*.txt"), ["deepdmd", "atxt", "btxt", "weirdtxt"]);
    assert_eq!(read("corpus/[!a].txt corpus/*.txt"), ["btxt", "atxt", "weirdtxt"]);
    assert_eq!(read("corpus"), ["atxt", "btxt", "deepdmd", "deeperctxt", "weirdtxt"]);
    lab.write("list", "corpus/deep\n\ncorpus/a.txt\n");
    assert_eq!(read("@list"), ["deepdmd", "deeperctxt", "atxt"]);
    // A file that is there is itself, whatever its name.
    assert_eq!(read("corpus/we[ir]d.txt"), ["weirdtxt"]);
    assert_eq!(read("${LEXMILL_NO_SUCH_VARIABLE:-corpus}/?.txt"), ["atxt", "btxt"]);
}
