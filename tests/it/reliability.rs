//! Damage that is found and mended, signals, and what a stranger may have put into a run directory.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use lexmill_vocab::Random;
use serde_json::Value;

use crate::lab::{Lab, files_below, slow};

#[test]
fn every_bit_that_flips_is_found_and_named() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r").done();
    // Remembered hashes are of files that are not too young.
    for file in files_below(&lab.path("corpus")) {
        crate::lab::set_age(&file, 100);
    }
    lab.run("run p.toml --dir r").done();
    let before = lab.run("verify r").done().stdout;
    assert!(before.contains("whole") && !before.contains("DAMAGED"), "{before}");
    let files: Vec<_> = files_below(&lab.path("r"))
        .into_iter()
        .filter(|path| std::fs::metadata(path).unwrap().len() > 0)
        .collect();
    let hidden = |name: &str| files.iter().any(|path| path.ends_with(name));
    assert!(hidden(".corpus-hashes.json") && hidden(".history.jsonl"), "{files:?}");
    assert!(!hidden(".status.json"), "it is of a stage at work");
    let mut random = Random::named(&[8]);
    let some = if slow() { 400 } else { 40 };
    for i in 0..some {
        // Small files would hardly be hit if every bit had the same chance.
        let path = match i < files.len().min(some / 2) {
            true => &files[i * files.len() / (some / 2)],
            false => &files[random.below(files.len() as u32) as usize],
        };
        let whole = std::fs::read(path).unwrap();
        let mut bent = whole.clone();
        bent[random.below(whole.len() as u32) as usize] ^= 1 << random.below(8);
        std::fs::write(path, bent).unwrap();
        let found = lab.run("verify r").failed(&["something is damaged", "--repair"]);
        let name = path.strip_prefix(lab.path("")).unwrap().to_str().unwrap();
        assert!(found.stdout.contains(name), "{name}: {}", found.stdout);
        std::fs::write(path, whole).unwrap();
    }
    assert_eq!(lab.run("verify r").done().stdout, before);
}

#[test]
fn repair_makes_only_what_is_damaged_and_makes_it_as_it_was() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r").done();
    let tables = lab.tables("r");
    let bend = |name: &str| {
        let path = lab.path(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 16;
        std::fs::write(path, bytes).unwrap();
    };
    let shard = lab.manifest("r/tokens").files[0].path.clone();
    let others = lab.stamps("r/counts");
    let shards = lab.stamps("r/tokens/shards");
    bend(&format!("r/tokens/{shard}"));
    bend("r/glove/manifest.json");
    std::fs::remove_file(lab.path("r/vectors/embeddings.glove.txt")).unwrap();
    lab.run("verify r").failed(&["3 things are damaged"]);
    let alone = lab.run("verify r/tokens").failed(&["something is damaged"]);
    assert!(alone.stdout.contains(&format!("\nr/tokens/{shard}: ")), "{}", alone.stdout);
    let json = lab.run("verify r --json").failed(&["3 things are damaged"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["stages"][2]["damage"][0]["file"], shard.as_str(), "{json}");
    // A run that would read something damaged does not.
    lab.run("run p.toml --dir r --set stages.counts.window=3").failed(&[
        &shard,
        "is damaged",
        "--repair",
    ]);
    assert_eq!(lab.stamps("r/counts"), others);

    let repaired = lab.run("verify r --repair p.toml").done();
    assert!(repaired.stderr.contains("stages made again: 3"), "{}", repaired.stderr);
    assert_eq!(lab.tables("r"), tables);
    assert_eq!(lab.stamps("r/counts"), others);
    // Of the shards, those that were whole were taken over.
    let now = lab.stamps("r/tokens/shards");
    let same = now.iter().filter(|(name, stamp)| shards.get(*name) == Some(stamp)).count();
    assert!(same > 0 && same < now.len(), "{same} of {}", now.len());
    assert!(lab.run("run p.toml --dir r").done().ran().is_empty());

    for (directory, why) in
        [("nowhere", "not a run directory"), ("r/tokens", "not a run directory")]
    {
        lab.run(&format!("verify {directory} --repair p.toml")).failed(&[why]);
    }
    assert!(!lab.path("nowhere").exists());
    lab.run("verify corpus").failed(&["holds no stage"]);
}

#[test]
fn what_is_asked_is_compared_and_a_manifest_of_another_program_is_not_ours() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r").done();
    let vectors = "r/vectors/embeddings.word2vec.txt";
    lab.run(&format!("neighbors {vectors} ke")).done();
    let whole = std::fs::read_to_string(lab.path(vectors)).unwrap();
    lab.write(vectors, whole.replacen('1', "2", 1));
    for path in [vectors, "r/vectors", "r"] {
        let asked = lab.run(&format!("neighbors {path} ke"));
        // The directory's answer is from another file, which is whole.
        if path == vectors {
            asked.failed(&[vectors, "is damaged"])
        } else {
            asked.done()
        };
    }
    lab.write("elsewhere/vectors/v.txt", whole);
    lab.write("elsewhere/manifest.json", "{\"name\": \"somebody's page\"}");
    lab.run("neighbors elsewhere/vectors/v.txt ke").done();
}

#[test]
fn a_damaged_checkpoint_is_not_gone_on_with() {
    let lab = Lab::small();
    lab.write("p.toml", crate::lab::SMALL.replace("epochs = 3", "epochs = 400"));
    lab.run("run p.toml --dir r --to counts").done();
    let mut child = lab.start("run p.toml --dir r --checkpoint-every 0", "log");
    let partial = lab.path("r/glove.partial");
    let checkpoint = || {
        let entries = std::fs::read_dir(&partial).into_iter().flatten().flatten();
        let mut paths = entries.map(|entry| entry.path());
        paths.find(|path| path.to_string_lossy().contains("/checkpoint-"))
    };
    let noted = || std::fs::read_to_string(partial.join("journal.jsonl")).unwrap_or_default();
    while noted().lines().count() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let whole = lab.run("verify r").done();
    assert!(whole.stdout.contains("begun, whole so far"), "{}", whole.stdout);
    let path = checkpoint().unwrap();
    for path in [path.clone(), partial.join("journal.jsonl")] {
        let mut bytes = std::fs::read(&path).unwrap();
        let place = bytes.len() * 2 / 3;
        bytes[place] ^= 2;
        std::fs::write(&path, bytes).unwrap();
    }
    lab.run("verify r").failed(&["damaged"]);
    let again = lab.run("run p.toml --dir r").done();
    assert!(!again.stderr.contains("goes on after"), "{}", again.stderr);
    let damaged = again.stderr.lines().filter(|line| line.contains("is damaged")).count();
    assert!(damaged > 0, "{}", again.stderr);
}

#[test]
fn a_signal_stops_where_work_can_go_on_from() {
    let lab = Lab::small();
    lab.write("p.toml", crate::lab::SMALL.replace("epochs = 3", "epochs = 60"));
    lab.run("run p.toml --dir straight").done();
    let straight = lab.tables("straight");
    for (signal, code, stage) in [("INT", 130, "glove.partial"), ("TERM", 143, "glove.partial")] {
        let run = format!("stopped-{signal}");
        let mut child = lab.start(&format!("run p.toml --dir {run} --threads 2"), "log");
        // Training has begun, and no checkpoint is due for a long time.
        while !lab.path(&format!("{run}/{stage}/journal.jsonl")).exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended early");
            std::thread::sleep(Duration::from_millis(1));
        }
        let pid = child.id().to_string();
        let kill = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
        assert!(kill.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let log = std::fs::read_to_string(lab.path("log")).unwrap();
        assert!(log.contains("stopped as asked"), "{log}");
        let again = lab.run(&format!("run p.toml --dir {run}")).done();
        assert!(again.stderr.contains("goes on after"), "{}", again.stderr);
        assert_eq!(lab.tables(&run), straight);
    }
}

#[test]
fn a_run_directory_from_a_stranger_leads_nowhere_else() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r --to words").done();
    lab.write("precious/journal.jsonl", "not yours");
    lab.write("precious/other", "not yours");
    // Work in progress that is said to lie elsewhere.
    symlink(lab.path("precious"), lab.path("r/counts.partial")).unwrap();
    lab.run("run p.toml --dir r").failed(&["counts.partial", "is left alone"]);
    std::fs::remove_file(lab.path("r/counts.partial")).unwrap();
    // A result elsewhere is replaced here, and stays there.
    lab.run("run p.toml --dir other --to words --set stages.words.min_count=5").done();
    std::fs::remove_dir_all(lab.path("r/words")).unwrap();
    symlink(lab.path("other/words"), lab.path("r/words")).unwrap();
    lab.run("run p.toml --dir r --to words").done();
    assert!(!lab.path("r/words").is_symlink());
    assert!(lab.path("other/words/manifest.json").exists());
    // A manifest whose seal is right, but which names files elsewhere.
    let path = lab.path("r/words/manifest.json");
    let mut manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("check");
    for outside in ["../../precious/other", "/etc/passwd", "a/../../x"] {
        manifest["files"][0]["path"] = outside.into();
        lexmill_store::write_sealed(&path, &manifest).unwrap();
        lab.run("run p.toml --dir r --only counts")
            .failed(&["words/manifest.json", "not below it"]);
        lab.run("verify r").failed(&["something is damaged"]);
    }
    for name in ["precious/journal.jsonl", "precious/other"] {
        assert_eq!(std::fs::read_to_string(lab.path(name)).unwrap(), "not yours");
    }
}
