//! `lexmill report` and `lexmill explore`.

use std::path::Path;

use anyhow::{Context, Result};
use lexmill_embeddings::{ReadOptions, Vectors};
use lexmill_pipeline::watch;
use lexmill_view::explore::{Model, explore as serve};
use lexmill_view::report::{ReportSettings, report as write};
use rayon::ThreadPoolBuilder;

use crate::args::RunSettings;
use crate::args::vectors::{ExploreArgs, ReportArgs};
use crate::observer::Reporter;
use crate::output::print;

/// Writes the report of a run.
pub(crate) fn report(settings: &RunSettings, args: &ReportArgs) -> Result<()> {
    let output = args.output.clone().unwrap_or_else(|| args.run.join("report.html"));
    let wanted = ReportSettings { map_words: args.map_words as usize, words: args.asked.clone() };
    let reporter = Reporter::new(settings);
    let written =
        watch("report", &reporter, |progress| write(&args.run, &output, &wanted, progress));
    reporter.over();
    written?;
    print(&format!("{}\n", output.display()))
}

/// Serves a page to explore embeddings, until somebody ends it.
pub(crate) fn explore(settings: &RunSettings, args: &ExploreArgs) -> Result<()> {
    // Questions are answered on threads of the server's own.
    let threads = settings.resources().threads;
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .with_context(|| format!("could not start {threads} worker threads"))?;
    let open = |path: &Path, options: &ReadOptions| -> Result<Model> {
        Ok(Model::new(path, Vectors::open(path, options)?, args.map_words as usize)?)
    };
    let mut models = vec![open(&args.source.path, &args.source.options())?];
    if let Some(other) = &args.other {
        models.push(open(other, &ReadOptions::default())?);
    }
    serve(models, args.port, |address| {
        let text = format!("http://localhost:{}\n", address.port());
        // Whoever reads this may have gone already.
        let _told = print(&text);
        if !settings.quiet {
            crate::output::tell("open this address in a browser; Ctrl-C ends it");
        }
    })?;
    Ok(())
}
