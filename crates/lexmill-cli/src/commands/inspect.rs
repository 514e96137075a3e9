//! `lexmill inspect`.

use std::path::Path;

use anyhow::Result;
use lexmill_frames::{Options, inspect};
use lexmill_store::Manifest;

use crate::output::print;

/// Shows a table or a directory.
pub(crate) fn run(path: &Path, rows: usize, word: Option<String>, json: bool) -> Result<()> {
    if path.is_file() {
        Manifest::expect_file(path)?;
    }
    // What the table library panics on becomes an error; its own message would only confuse.
    std::panic::set_hook(Box::new(|_| {}));
    let shown = inspect(path, &Options { rows, word });
    drop(std::panic::take_hook());
    let report = shown?;
    match json {
        true => print(&format!("{:#}\n", report.to_json())),
        false => print(&report.to_text()),
    }
}
