//! Real dirty files, where there are some: `LEXMILL_DATA` names a directory with `dirty/` in it.

use std::path::PathBuf;

use crate::lab::{Lab, files_below, skip};

#[test]
fn dirty_files_are_read_and_their_oddities_counted() {
    let Some(data) = std::env::var_os("LEXMILL_DATA") else {
        skip("LEXMILL_DATA is not set");
        return;
    };
    let files = files_below(&PathBuf::from(data).join("dirty"));
    assert!(!files.is_empty(), "LEXMILL_DATA holds no dirty files");
    let lab = Lab::new();
    let odd = [
        "invalid_utf8_replaced",
        "nul_bytes",
        "byte_order_marks",
        "lone_carriage_returns",
        "words_too_long",
    ];
    let mut oddities = 0;
    for (i, file) in files.iter().enumerate() {
        for flags in ["", "--segmenter whitespace --normalization nfkc --documents blocks"] {
            // Paths are given as an argument of their own: they may have spaces.
            let mut command = lab.command(&format!("tokenize -o t{i} --shard-bytes 1MiB {flags}"));
            let outcome = crate::lab::Outcome::of(command.arg(file)).done();
            let counted: u64 = odd.iter().map(|name| lab.report(&format!("t{i}"), name)).sum();
            assert_eq!(
                counted > 0,
                outcome.stderr.contains("  note: "),
                "{file:?}: {}",
                outcome.stderr
            );
            oddities += counted;
            assert!(lab.report(&format!("t{i}"), "tokens") > 0, "{file:?}");
            // No replacement in the place of a byte that was text, and none that was not counted.
            let broken = lab.report(&format!("t{i}"), "invalid_utf8_replaced") > 0;
            let shown = lab
                .documents(&format!("t{i}"))
                .iter()
                .flatten()
                .any(|word| word.contains(char::REPLACEMENT_CHARACTER));
            assert!(broken || !shown, "{file:?}");
        }
        // Strictly, the same files are refused, by name.
        let strict = format!("tokenize -o s{i} --invalid-utf8 error");
        let strict = crate::lab::Outcome::of(lab.command(&strict).arg(file));
        if lab.report(&format!("t{i}"), "invalid_utf8_replaced") > 0 {
            let name = file.file_name().unwrap().to_string_lossy();
            strict.failed(&[&name, "is not valid UTF-8"]);
        } else {
            strict.done();
        }
    }
    assert!(oddities > 0, "nothing odd in {files:?}");
    // All of them together, from a pattern.
    let pattern = files[0].parent().unwrap().join("*");
    let mut command = lab.command("tokenize -o all");
    crate::lab::Outcome::of(command.arg(pattern)).done();
    assert_eq!(lab.report("all", "files"), files.len() as u64);
}
