//! One module for each command.

mod convert;
#[cfg(feature = "inspect")]
mod inspect;
mod neighbors;
mod pipeline;
mod questions;
mod scores;
mod stage;
mod tokens;
mod vectors;
mod verify;
mod view;

use anyhow::{Context, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::args::{Request, RunSettings, Task};

/// Does what was asked for.
pub(crate) fn execute(request: Request) -> Result<()> {
    let settings = &request.settings;
    match request.task {
        Task::Run { pipeline, only, from, to } => {
            pipeline::run(settings, &pipeline, &only, from.as_deref(), to.as_deref())
        }
        Task::Plan(pipeline, json) => pipeline::plan(settings, &pipeline, json),
        Task::Validate(pipeline) => pipeline::validate(&pipeline),
        Task::Status(pipeline, json) => pipeline::status(&pipeline, json),
        Task::Verify(args) => verify::run(settings, &args),
        Task::Test(pipeline, json) => tokens::test(&pipeline, json),
        Task::Preview { table, count, json } => tokens::preview(settings, table, count, json),
        Task::Stage { kind, table, inputs, output, json } => {
            stage::run(settings, kind, table, &inputs, &output, json)
        }
        Task::Neighbors(args) => pool(settings)?.install(|| neighbors::run(&args)),
        Task::Similarity(args) => pool(settings)?.install(|| questions::similarity(&args)),
        Task::Analogy(args) => pool(settings)?.install(|| questions::analogy(&args)),
        Task::OddOneOut(args) => pool(settings)?.install(|| questions::odd(&args)),
        Task::Vector(args) => pool(settings)?.install(|| vectors::run(&args)),
        Task::Convert(args) => pool(settings)?.install(|| convert::run(settings, &args)),
        Task::Report(args) => pool(settings)?.install(|| view::report(settings, &args)),
        Task::Explore(args) => view::explore(settings, &args),
        #[cfg(feature = "inspect")]
        Task::Inspect { path, rows, word, json } => inspect::run(&path, rows, word, json),
    }
}

/// The threads of commands that are no stage.
pub(crate) fn pool(settings: &RunSettings) -> Result<ThreadPool> {
    let threads = settings.resources().threads;
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.with_context(|| format!("could not start {threads} worker threads"))
}
