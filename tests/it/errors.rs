//! Every bad input gives one clear message and exit code 1 (2 where the command line is at fault);
//! nothing panics. That no run says "panicked" or dies by a signal is checked for every command in
//! these tests, in `lab`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lexmill_vocab::Random;

use crate::lab::{Lab, SMALL, STAGES, files_below, skip, text};

/// Tokenizes a file of this content.
fn tokenize(name: &str, content: &[u8], flags: &str) -> (Lab, crate::lab::Outcome) {
    let lab = Lab::new();
    lab.write(name, content);
    let outcome = lab.run(&format!("tokenize {name} -o t {flags}"));
    (lab, outcome)
}

/// What a program makes of standard input; `None` where there is no such program.
fn through(program: &str, content: &[u8]) -> Option<Vec<u8>> {
    let lab = Lab::new();
    let input = std::fs::File::open(lab.write("in", content)).unwrap();
    match Command::new(program).arg("-c").stdin(input).output() {
        Ok(output) if output.status.success() => Some(output.stdout),
        _ => {
            skip(&format!("there is no {program} here"));
            None
        }
    }
}

#[test]
fn a_corpus_that_is_not_there() {
    let lab = Lab::small();
    let with = |input: &str| SMALL.replace("\"corpus/*.txt\"", input);
    lab.write("p.toml", with("\"corpus/a.txt\", \"corpus/missing.txt\""));
    lab.run("run p.toml").failed(&["stage \"tokens\"", "corpus/missing.txt", "No such file"]);
    lab.write("p.toml", with("\"corpus/*.text\""));
    lab.run("run p.toml").failed(&[
        "stage \"tokens\"",
        "\"corpus/*.text\" matches no file",
        "looked in",
    ]);
    let plan = lab.run("plan p.toml").done().stdout;
    assert!(
        plan.contains("blocked") && plan.contains("\"corpus/*.text\" matches no file"),
        "{plan}"
    );
    lab.write("p.toml", with("\"${LEXMILL_NO_SUCH_VARIABLE}/x\""));
    lab.run("run p.toml").failed(&["LEXMILL_NO_SUCH_VARIABLE is not set"]);
    lab.write("p.toml", with("\"corpus/[a\""));
    lab.run("run p.toml").failed(&["\"corpus/[a\""]);
    std::fs::create_dir(lab.path("empty")).unwrap();
    lab.write("p.toml", with("\"empty\""));
    lab.run("run p.toml").failed(&["the input \"empty\" matches no file"]);
    lab.write("p.toml", with("\"@list\""));
    lab.run("run p.toml").failed(&["could not read \"list\""]);
    lab.run("run nowhere.toml").failed(&["could not read \"nowhere.toml\"", "No such file"]);
    lab.run("run corpus").failed(&["could not read \"corpus\""]);
    // Nothing was left behind that a run would trip over.
    lab.write("p.toml", SMALL);
    lab.run("run p.toml --to words").done();
}

#[test]
fn files_that_are_not_text() {
    for (name, content, parts) in [
        ("a.bz2", &b"BZh91AY&SY"[..], &["could not read \"a.bz2\""][..]),
        ("a.xz", b"\xFD7zXZ\0\0\x04", &["could not read \"a.xz\""]),
        ("table", b"PAR1....PAR1", &["table", "format = \"parquet\""]),
        ("a.zip", b"PK\x03\x04....", &["a.zip", "zip archive"]),
        ("a.parquet", b"PAR1....PAR1", &["a.parquet", "Parquet"]),
        ("a.pdf", b"%PDF-1.7\n", &["a.pdf", "PDF"]),
        ("le.txt", b"\xFF\xFEh\0i\0", &["le.txt", "UTF-16", "encoding = \"utf-16le\""]),
        ("be.txt", b"\xFE\xFF\0h\0i", &["be.txt", "UTF-16"]),
    ] {
        let (lab, outcome) = tokenize(name, content, "");
        outcome.failed(parts);
        assert!(!lab.path("t").exists(), "{name}");
    }
}

#[test]
fn compressed_files_that_are_cut() {
    let whole = text(1, 5000);
    for program in ["gzip", "zstd", "bzip2", "xz"] {
        let Some(packed) = through(program, whole.as_bytes()) else { continue };
        tokenize("whole", &packed, "").1.done();
        let (lab, outcome) = tokenize("cut.txt", &packed[..packed.len() - 20], "");
        outcome.failed(&["could not read \"cut.txt\""]);
        // Half of a corpus must not pass for all of it.
        assert!(!lab.path("t").exists(), "{program}");
        let mut bent = packed.clone();
        bent[packed.len() / 2] ^= 0x55;
        tokenize("bent.txt", &bent, "").1.failed(&["could not read \"bent.txt\""]);
    }
}

#[test]
fn ill_formed_utf8_where_it_is_an_error() {
    let (_, outcome) = tokenize("l1.txt", b"caf\xE9 au lait\n", "--invalid-utf8 error");
    outcome.failed(&["\"l1.txt\"", "byte 3", "not valid UTF-8", "invalid_utf8 = \"replace\""]);
    tokenize("l1.txt", b"caf\xE9 au lait\n", "--invalid-utf8 replace").1.done();
    tokenize("u8.txt", "café\n".as_bytes(), "--invalid-utf8 error").1.done();
}

#[test]
fn corpora_with_nothing_in_them() {
    tokenize("a.txt", b"", "").1.failed(&["the corpus holds no tokens", "0 documents"]);
    tokenize("a.txt", b"\n \n...\n", "").1.failed(&["the corpus holds no tokens", "3 documents"]);
    let lab = Lab::new();
    lab.write("corpus/a.txt", "every word once\n");
    lab.write("p.toml", SMALL);
    lab.run("run p.toml").failed(&[
        "stage \"words\"",
        "no word occurs 3 times",
        "3 different words",
        "lower min_count",
    ]);
    lab.write("corpus/a.txt", "word\nword\nword\n");
    lab.run("run p.toml").failed(&["stage \"counts\"", "nothing to count", "within 4 words"]);
}

#[test]
fn mistakes_in_the_pipeline_file() {
    let lab = Lab::small();
    // A `@` in what is expected stands for the line of the mistake.
    let check = |from: &str, to: &str, parts: &[&str]| {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL, "{from}");
        let start = text.find(to).unwrap();
        let line = text[..start].matches('\n').count() + 1;
        lab.write("p.toml", text);
        let parts: Vec<String> =
            parts.iter().map(|part| part.replace('@', &line.to_string())).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        for command in ["validate", "run", "plan", "status"] {
            lab.run(&format!("{command} p.toml --dir r")).failed(&parts);
        }
        assert!(!lab.path("r").exists());
    };
    for (to, parts) in [
        ("windwo = 4", &["p.toml:@:1: unknown field \"windwo\"", "did you mean \"window\"?"][..]),
        ("colour = 4", &["p.toml:@:1: unknown field \"colour\"", "a count stage has window,"]),
        (
            "window = \"four\"",
            &["p.toml:@:1: window: invalid type: string \"four\"", "\n@ | window = \"four\"\n"],
        ),
        (
            "window = 0",
            &["p.toml:@:1: window must be from 1 to 1000", "   | ^^^^^^^^^^\n1 problem\n"],
        ),
        (
            "weighting = \"cubic\"",
            &["p.toml:@:1: weighting: unknown variant `cubic`", "`harmonic`"],
        ),
        ("window = = 4", &["p.toml:@:10: "]),
        ("window = 4\nwindow = 5", &["duplicate key"]),
    ] {
        check("window = 4", to, parts);
    }
    for (from, to, parts) in [
        (
            "seed = 3",
            "sede = 3",
            &["p.toml:@:1: unknown field \"sede\"", "did you mean \"seed\"?"][..],
        ),
        (
            "tokens = \"tokens\"",
            "tokens = \"tokns\"",
            &["p.toml:@:1: there is no stage \"tokns\"", "did you mean \"tokens\"?"],
        ),
        (
            "kind = \"glove\"",
            "kind = \"gloves\"",
            &["p.toml:@:1: unknown kind \"gloves\"", "did you mean \"glove\"?"],
        ),
        (
            "counts = \"counts\"",
            "counts = \"words\"",
            &["p.toml:@:1: counts takes a count stage, but \"words\" is a vocabulary stage"],
        ),
        ("counts = \"counts\"\n", "\n", &["[stages.glove]", "stage \"glove\" lacks counts"]),
        ("[stages.glove]", "[stages.glove", &["p.toml:@:14: "]),
        ("[stages.words]", "[stages.tokens]", &["duplicate key"]),
        ("name = \"small\"", "name = \"../up\"", &["p.toml:@:1: \"../up\" can't name a directory"]),
        ("dimensions = 8", "dimensions = -8", &["p.toml:@:1: dimensions: ", "-8"]),
        (
            "shard_bytes = \"64KiB\"",
            "shard_bytes = \"64QiB\"",
            &["p.toml:@:1: shard_bytes: \"64QiB\""],
        ),
    ] {
        check(from, to, parts);
    }
    // All of them at once.
    let text = SMALL.replace("window", "windwo").replace("epochs = 3", "epochs = 0");
    lab.write("p.toml", text);
    lab.run("validate p.toml").failed(&["\"windwo\"", "epochs must be from 1", "\n2 problems\n"]);
    lab.write("p.toml", "");
    lab.run("validate p.toml").failed(&["the pipeline has no stages"]);
    lab.write("p.toml", b"name = \"caf\xE9\"");
    lab.run("validate p.toml").failed(&["could not read \"p.toml\"", "UTF-8"]);
}

#[test]
fn mistakes_on_the_command_line() {
    let lab = Lab::small();
    lab.run("").misused(&["Usage: lexmill"]);
    lab.run("rnu p.toml").misused(&["unrecognized subcommand 'rnu'"]);
    lab.run("run").misused(&["<FILE>"]);
    lab.run("run p.toml --threads 0").misused(&["--threads", "0"]);
    lab.run("run p.toml --memory lots").misused(&["--memory", "4GiB or 500MB"]);
    lab.run("run p.toml --thread 2").misused(&["--threads"]);
    lab.run("count --tokens t -o o").misused(&["--vocabulary"]);
    lab.run("run p.toml --set window").failed(&["--set: ", "is not key=value"]);
    lab.run("run p.toml --set stages.count.window=2")
        .failed(&["there is no \"count\" in \"stages\"", "did you mean \"counts\"?"]);
    lab.run("run p.toml --set stages.counts.widow=2")
        .failed(&["unknown field \"widow\"", "did you mean \"window\"?"]);
    lab.run("run p.toml --only wrods")
        .failed(&["there is no stage \"wrods\"", "did you mean \"words\"?"]);
    lab.run("run p.toml --from vectors --to words").failed(&["there is no stage to run", "--from"]);
    lab.run("tokenize -o t").failed(&["input name at least one corpus file"]);
    lab.run("tokenize corpus/a.txt -o t --shard-bytes 1")
        .failed(&["shard_bytes must be from 64KiB to 256MiB"]);
    lab.run("tokenize corpus/a.txt -o t --documents pages")
        .failed(&["documents: unknown variant `pages`", "blocks"]);
    assert!(!lab.path("t").exists() && !lab.path("runs").exists());
}

#[test]
fn stages_that_are_not_what_is_asked_for() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r --to counts").done();
    lab.run("vocabulary --tokens r/words -o v").failed(&[
        "\"r/words\" is not a finished tokenize or deduplicate or phrases stage",
        "it is a vocabulary stage",
    ]);
    lab.run("count --tokens r/tokens --vocabulary r/tokens -o v")
        .failed(&["\"r/tokens\" is not a finished vocabulary stage"]);
    lab.run("vocabulary --tokens corpus -o v").failed(&[
        "\"corpus\" is not a finished tokenize or deduplicate or phrases stage",
        "it holds no manifest.json",
    ]);
    lab.run("vocabulary --tokens nowhere -o v").failed(&[
        "\"nowhere\" is not a finished tokenize or deduplicate or phrases stage",
        "no such directory",
    ]);
    lab.run("export --model r/counts -o v").failed(&[
        "\"r/counts\" is not a finished glove or skipgram or cbow stage",
        "it is a count stage",
    ]);
    lab.run("neighbors r ke").failed(&["\"r\" holds no finished export stage or model"]);
    lab.run("neighbors nowhere ke").failed(&["nowhere", "No such file"]);
    lab.run("neighbors p.toml ke").failed(&["p.toml"]);
    // A stage of another kind in the place of the result is not taken for it.
    let outcome = lab.run("vocabulary --tokens r/tokens -o r/counts --min-count 3").done();
    assert_eq!(outcome.stages()[0], ("vocabulary", "again: it was a count stage"));
}

#[test]
fn manifests_that_are_not_readable() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r --to words").done();
    let manifest = std::fs::read_to_string(lab.path("r/tokens/manifest.json")).unwrap();
    for content in [&manifest[..manifest.len() / 2], "", "[]", "{}", "not JSON at all"] {
        lab.write("r/tokens/manifest.json", content);
        for command in
            ["run p.toml --dir r", "plan p.toml --dir r", "vocabulary --tokens r/tokens -o v"]
        {
            lab.run(command).failed(&[
                "r/tokens/manifest.json\" can't be used",
                "`lexmill verify r --repair PIPELINE.toml` makes its stage again",
            ]);
        }
    }
    lab.write("r/tokens/manifest.json", manifest.replace("\"format\": 2", "\"format\": 99"));
    lab.run("run p.toml --dir r")
        .failed(&["r/tokens/manifest.json", "its format is 99, this program reads 2"]);
    // The advice works.
    std::fs::remove_dir_all(lab.path("r/tokens")).unwrap();
    assert_eq!(lab.run("run p.toml --dir r --to words").done().ran(), ["tokens"]);
}

#[test]
fn tables_that_are_cut() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r").done();
    for (table, stage, command) in [
        ("tokens", "tokenize or deduplicate or phrases", "vocabulary --tokens r/tokens -o v"),
        ("words", "vocabulary", "count --tokens r/tokens --vocabulary r/words -o v"),
        ("counts", "count", "glove --counts r/counts -o v"),
        ("glove", "glove or skipgram or cbow", "export --model r/glove -o v"),
    ] {
        let file = &lab.manifest(&format!("r/{table}")).files[0];
        let path = lab.path(&format!("r/{table}/{}", file.path));
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let not = format!("\"r/{table}\" is not a finished {stage} stage");
        lab.run(command).failed(&[&not, &file.path, "bytes instead of"]);
        std::fs::write(&path, whole).unwrap();
        assert!(!lab.path("v").exists());
    }
    // By itself, where no manifest tells the length.
    let whole = std::fs::read(lab.path("r/vectors/embeddings.parquet")).unwrap();
    lab.write("cut.parquet", &whole[..whole.len() / 2]);
    lab.run("neighbors cut.parquet ke").failed(&["cut.parquet"]);
}

/// Bits that flip on the disk are found before anything is made of them.
#[test]
fn tables_whose_bits_have_flipped() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r").done();
    let mut random = Random::named(&[5]);
    for (stage, command) in [
        ("tokens", "count --tokens r/tokens --vocabulary r/words -o v"),
        ("words", "count --tokens r/tokens --vocabulary r/words -o v"),
        ("counts", "glove --counts r/counts --dimensions 4 --epochs 1 -o v"),
        ("glove", "export --model r/glove -o v"),
        ("vectors", "neighbors r/vectors/embeddings.parquet ke"),
        ("words", "report r -o report.html"),
    ] {
        let file = &lab.manifest(&format!("r/{stage}")).files[0];
        let path = lab.path(&format!("r/{stage}/{}", file.path));
        let whole = std::fs::read(&path).unwrap();
        for i in 0..12 {
            let mut bent = whole.clone();
            // Half of them in the footer, where the structure is.
            let length = whole.len() as u32;
            let from = if i % 2 == 0 { length - length.min(1500) } else { 0 };
            for _ in 0..1 + random.below(4) {
                let place = from + random.below(length - from);
                bent[place as usize] ^= 1 << random.below(8);
            }
            std::fs::write(&path, &bent).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            lab.run(command).failed(&[&name, "is damaged", "content is not what was written"]);
            assert!(!lab.path("v").exists());
        }
        std::fs::write(&path, whole).unwrap();
        lab.run(command).done();
        let _none = std::fs::remove_dir_all(lab.path("v"));
    }
}

#[test]
fn a_stage_that_somebody_is_at() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r --to counts").done();
    let command = "glove --counts r/counts --dimensions 4 --epochs 100000 -o v";
    let mut child = lab.start(command, "log");
    // It has the stage once it writes there.
    while !lab.path("v.partial/journal.jsonl").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let holder = format!("\"v\" is in use by process {}", child.id());
    lab.run(command).failed(&[&holder, "wait for it to end, or use another directory"]);
    child.kill().unwrap();
    child.wait().unwrap();
    // Whoever died holds nothing.
    lab.run("glove --counts r/counts --dimensions 4 --epochs 2 -o v").done();
}

#[test]
fn a_model_that_does_not_fit() {
    let lab = Lab::small();
    lab.run("run p.toml --set stages.glove.dimensions=5000 --memory 100MiB").failed(&[
        "stage \"glove\"",
        "5000 dimensions takes",
        "but the memory is 100.0 MiB",
        "--memory",
    ]);
    // What came before it is done.
    let outcome = lab.run("run p.toml").done();
    assert_eq!(outcome.ran(), ["glove", "vectors"]);
}

#[test]
fn what_is_missing_is_missed_at_its_stage_beside_other_mistakes() {
    let lab = Lab::new();
    lab.write(
        "p.toml",
        "[stages.a]\nkind = \"tokenize\"\ninput = [\"a.txt\"]\n\n\
         [stages.b]\nkind = \"tokenize\"\ninput = [\"a.txt\"]\nsegmenter = \"pattern\"\n\n\
         [stages.w]\nkind = \"vocabulary\"\ntokens = \"a\"\n\n\
         [stages.m]\nkind = \"skipgram\"\ntokens = \"a\"\nvocabulary = \"w\"\n\
         windw = 3\nwindow = 0\n",
    );
    lab.run("validate p.toml").failed(&[
        "p.toml:5:9: pattern must be given",
        "p.toml:18:1: unknown field \"windw\"",
        "p.toml:19:1: window must be from 1 to 1000",
        "3 problems",
    ]);
}

#[test]
fn training_that_diverges() {
    let lab = Lab::small();
    for set in ["learning_rate=1e30", "learning_rate=1e38"] {
        let args = format!("run p.toml --dir r --set stages.glove.{set} --checkpoint-every 0");
        lab.run(&args).failed(&[
            "stage \"glove\"",
            "training diverged in epoch 1",
            "no longer a finite number",
            "learning_rate (now 1",
            "gradient_clip (now 100)",
            "checkpoint",
        ]);
        assert!(!lab.path("r/glove").exists());
    }
    // Numbers may stay finite, and be of no use.
    lab.run("run p.toml --dir r --set stages.glove.learning_rate=1000").failed(&[
        "training diverged in epoch 1",
        "the mean loss is",
        "learning_rate (now 1000)",
    ]);
    // A good checkpoint stays, and what was trained before is not lost.
    let outcome = lab.run("run p.toml --dir r").done();
    assert_eq!(outcome.ran(), ["glove", "vectors"]);
    lab.run("run p.toml --dir r --set stages.glove.learning_rate=1e30")
        .failed(&["training diverged"]);
    assert!(lab.run("run p.toml --dir r").done().ran().is_empty());
}

#[test]
fn words_that_a_format_cannot_hold() {
    let lab = Lab::new();
    let sentences =
        "sentences = [[\"New York\", \"is\", \"big\"], [\"New York\", \"is\", \"old\"]]";
    let pipeline = SMALL
        .replace("input = [\"corpus/*.txt\"]", sentences)
        .replace("min_count = 3", "min_count = 1");
    lab.write("p.toml", &pipeline);
    lab.run("run p.toml --dir r").failed(&[
        "stage \"vectors\"",
        "\"New York\" has white space",
        "word2vec-text",
    ]);
    lab.run("run p.toml --dir r --set stages.vectors.formats=[\"parquet\"]").done();
    lab.run("neighbors r big").done();
}

#[test]
fn a_path_in_the_way() {
    let lab = Lab::small();
    lab.write("file", "");
    lab.run("run p.toml --dir file/r").failed(&["file/r", "Not a directory"]);
    lab.run("run p.toml --dir file").failed(&["\"file\""]);
    lab.run("tokenize corpus/a.txt -o file/t").failed(&["file/t", "Not a directory"]);
    lab.run("tokenize corpus/a.txt -o file").failed(&["file"]);
    assert_eq!(std::fs::read(lab.path("file")).unwrap(), b"");
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r").done();
    let mut child = lab
        .command("neighbors r ke li mo nu vy -n 3000")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// A small file system of its own; goes away when dropped.
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// `None` where that is not allowed.
    pub(crate) fn new(path: PathBuf, options: &str) -> Option<Mount> {
        std::fs::create_dir_all(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "lexmill-test"]).arg(&path);
        match mount.output() {
            Ok(output) if output.status.success() => Some(Mount(path)),
            _ => {
                skip("no file system can be mounted here");
                None
            }
        }
    }

    pub(crate) fn remount(&self, options: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{options}")]).arg(&self.0);
        assert!(mount.status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let gone =
            Command::new("umount").arg(&self.0).status().is_ok_and(|status| status.success());
        assert!(gone || std::thread::panicking(), "{:?} is still mounted", self.0);
    }
}

/// What may be on the disk is limited before there is no room on it.
#[test]
fn a_disk_allowance() {
    let lab = Lab::small();
    lab.run("run p.toml --dir straight --disk 1GiB").done();
    lab.run("run p.toml --dir r --disk 400KB")
        .failed(&["--disk leaves 3", "allow more; nothing was begun"]);
    assert!(!lab.path("r/tokens.partial").exists());
    let plan = lab.run("plan p.toml --dir r --disk 400KB").done().stdout;
    assert!(plan.contains(" KiB, which may not be enough"), "{plan}");
    // What is there counts. Of what is begun, nobody knows how much is there, so that it is tried.
    std::fs::create_dir_all(lab.path("r/tokens.partial")).unwrap();
    lab.write("r/other", "x".repeat(1 << 20));
    lab.run("run p.toml --dir r --disk 1MB").failed(&[
        "\"r\" and what is being made take 1.",
        "--disk allows",
        "what is done is kept",
    ]);
    lab.run("tokenize corpus -o t --disk 1GiB").done();
    std::fs::remove_file(lab.path("r/other")).unwrap();
    lab.run("run p.toml --dir r --disk 1GiB").done();
    assert_eq!(lab.tables("r"), lab.tables("straight"));
}

#[test]
fn a_full_disk() {
    let lab = Lab::small();
    lab.run("run p.toml --dir straight").done();
    let Some(mount) = Mount::new(lab.path("disk"), "size=16k") else { return };
    // Too small by far: nobody needs to begin.
    lab.run("run p.toml --dir disk/r").failed(&[
        "are free on the disk",
        "--dir",
        "nothing was begun",
    ]);
    assert!(!lab.path("disk/r/tokens.partial").exists());
    // Of what is begun, nobody knows how much is there.
    std::fs::create_dir(lab.path("disk/r/tokens.partial")).unwrap();
    // Room for a little more each time: every stage finds itself without space somewhere, the
    // vocabulary, which takes a few kilobytes, as well.
    let mut failures = Vec::new();
    for kib in (16..600).step_by(8).chain((600..6000).step_by(96)) {
        mount.remount(&format!("size={kib}k"));
        let outcome = lab.run("run p.toml --dir disk/r --checkpoint-every 0 --threads 2");
        if outcome.stderr.contains("error: ") {
            let outcome = outcome.failed(&[
                "\"disk/r",
                "No space left on device",
                "free some space and run again",
            ]);
            failures.push(outcome.stages().last().map(|(stage, _)| (*stage).to_owned()));
        } else {
            outcome.done();
            break;
        }
    }
    failures.dedup();
    let stages: Vec<&str> = failures.iter().flatten().map(String::as_str).collect();
    assert!(STAGES[..4].iter().all(|stage| stages.contains(stage)), "{stages:?}");
    assert_eq!(lab.tables("disk/r"), lab.tables("straight"));
    let strays = files_below(&lab.path("disk")).into_iter();
    let strays: Vec<_> = strays.filter(|path| path.to_string_lossy().ends_with(".tmp")).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[test]
fn a_disk_that_may_only_be_read() {
    let lab = Lab::small();
    let Some(mount) = Mount::new(lab.path("disk"), "size=16m") else { return };
    lab.run("run p.toml --dir disk/r").done();
    mount.remount("ro");
    let what = "Read-only file system";
    lab.run("run p.toml --dir disk/new").failed(&["disk/new", what]);
    lab.run("run p.toml --dir disk/r").failed(&["disk/r", what]);
    lab.run("tokenize corpus/a.txt -o disk/t").failed(&["disk/t", what]);
    // Looking is allowed.
    assert_eq!(lab.conditions("p.toml --dir disk/r"), ["fresh"; 5]);
    lab.run("status p.toml --dir disk/r").done();
    lab.run("neighbors disk/r ke").done();
}

#[test]
fn a_directory_that_may_not_be_written() {
    let lab = Lab::small();
    let closed = lab.path("closed");
    std::fs::create_dir(&closed).unwrap();
    let mut mode = std::fs::metadata(&closed).unwrap().permissions();
    mode.set_readonly(true);
    std::fs::set_permissions(&closed, mode).unwrap();
    if std::fs::write(Path::new(&closed).join("probe"), "").is_ok() {
        skip("this user may write everywhere");
        return;
    }
    lab.run("run p.toml --dir closed/r").failed(&["closed/r", "Permission denied"]);
}
