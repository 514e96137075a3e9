//! One stage alone.

use std::path::{Path, PathBuf};

use anyhow::Result;
use lexmill_pipeline::{Kind, run_stage};

use crate::args::RunSettings;
use crate::observer::Reporter;
use crate::output::print;

/// Runs a stage on finished stage directories, and shows the scores of one that makes such.
pub(crate) fn run(
    settings: &RunSettings,
    kind: Kind,
    table: toml::Table,
    inputs: &[PathBuf],
    output: &Path,
    json: bool,
) -> Result<()> {
    let reporter = Reporter::stopping_on_signals(settings)?;
    run_stage(kind, table, inputs, output, &settings.resources(), &reporter)?;
    match kind {
        Kind::Evaluate if json => print(&super::scores::as_json(output)?),
        Kind::Evaluate if !settings.quiet => print(&super::scores::as_text(output)?),
        _ => Ok(()),
    }
}
