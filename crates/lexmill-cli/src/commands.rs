//! One module for each command.

#[cfg(feature = "inspect")]
mod inspect;
mod neighbors;
mod pipeline;
mod scores;
mod stage;
mod tokens;
mod vectors;

use anyhow::Result;

use crate::args::{Request, Task};

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
        Task::Test(pipeline, json) => tokens::test(&pipeline, json),
        Task::Preview { table, count, json } => tokens::preview(settings, table, count, json),
        Task::Stage { kind, table, inputs, output, json } => {
            stage::run(settings, kind, table, &inputs, &output, json)
        }
        Task::Neighbors { embeddings, words, count, json } => {
            neighbors::run(&embeddings, &words, count, json)
        }
        Task::Vector { embeddings, words, json } => vectors::run(&embeddings, &words, json),
        #[cfg(feature = "inspect")]
        Task::Inspect { path, rows, word, json } => inspect::run(&path, rows, word, json),
    }
}
