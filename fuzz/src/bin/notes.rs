//! Manifests, journals of interrupted stages, and a run's own notes: sealed by hand where the bytes are
//! JSON, so that what lies behind the seal is reached.
#![no_main]

use lexmill_store::{Manifest, Progress, StageWriter, partial_damage, read_sealed, write_sealed};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(init: lexmill_fuzz::begin(), |data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    let stage = lexmill_fuzz::directory().join("stage");
    let partial = lexmill_fuzz::directory().join("stage.partial");
    for directory in [&stage, &partial] {
        std::fs::create_dir_all(directory).expect("a directory");
    }
    let path = match kind % 4 {
        0 | 1 => stage.join("manifest.json"),
        2 => partial.join("journal.jsonl"),
        _ => partial.join("note.json"),
    };
    match serde_json::from_slice::<Value>(data) {
        Ok(value) if kind & 4 == 0 => write_sealed(&path, &value).expect("room"),
        _ => std::fs::write(&path, data).expect("room"),
    }
    let progress = Progress::new();
    if let Ok(Some(manifest)) = Manifest::read(&stage) {
        let _damage = manifest.damage(&stage, 1, &progress);
        let _strangers = manifest.strangers(&stage);
        let _whole = Manifest::expect(&stage, &["tokenize"]);
    }
    let _damage = partial_damage(&partial, 1, &progress);
    let _note = read_sealed::<Value>(&partial.join("note.json"));
    let _stage = StageWriter::begin(&stage, "purpose", 1, &progress);
    let _gone = std::fs::remove_dir_all(lexmill_fuzz::directory());
});
