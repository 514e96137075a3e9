//! Every pipeline that people are given is a good one.

use std::path::{Path, PathBuf};

use crate::lab::{Lab, Outcome, files_below};

/// The pipelines in a folder of the repository.
fn pipelines(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let files = files_below(&folder).into_iter();
    let files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    assert!(!files.is_empty(), "{folder:?}");
    files
}

#[test]
fn all_of_them_pass_validation() {
    let files = [pipelines("pipelines"), pipelines("benches/pipelines")].concat();
    let lab = Lab::new();
    for file in files {
        // From a directory that has none of their corpora, and with no variable set.
        let mut command = lab.command("validate");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LEXMILL") || name == "CARGO_HOME" {
                command.env_remove(name);
            }
        }
        let outcome = Outcome::of(command.arg(&file)).done();
        let start = format!("{}: fine: ", file.display());
        assert!(outcome.stdout.starts_with(&start), "{}", outcome.stdout);
        let left = files_below(&lab.path(""));
        assert!(left.is_empty(), "{file:?} left {left:?}");
    }
}

#[test]
fn each_begins_with_a_comment_that_has_its_command() {
    for file in pipelines("pipelines") {
        let text = std::fs::read_to_string(&file).unwrap();
        let comment: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        let command = format!("run pipelines/{}", file.file_name().unwrap().to_string_lossy());
        assert!(comment.iter().any(|line| line.contains(&command)), "{file:?}: no {command:?}");
    }
}

#[test]
fn their_tests_of_tokens_pass() {
    let lab = Lab::new();
    let mut tests = 0;
    for file in pipelines("pipelines") {
        let outcome = Outcome::of(lab.command("test").arg(&file)).done();
        let passed = outcome.stdout.split(' ').next().unwrap().parse::<u32>().unwrap();
        tests += passed;
    }
    assert!(tests > 0);
}
