//! Pipeline files, and what is changed in them.
#![no_main]

use lexmill_pipeline::{Definition, render_problems};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lexmill_fuzz::begin(), |data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, set) = text.split_once('\0').unwrap_or((text, ""));
    let set: Vec<String> = set.split('\0').filter(|set| !set.is_empty()).map(str::to_owned).collect();
    if let Err(problems) = Definition::parse(text, "name", &set) {
        assert!(!problems.is_empty());
        let _shown = render_problems("p.toml".as_ref(), text, &problems);
    }
});
