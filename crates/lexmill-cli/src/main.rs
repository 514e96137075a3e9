//! The `lexmill` command.

mod args;
mod commands;
mod logging;
mod observer;
mod output;

use std::process::ExitCode;

fn main() -> ExitCode {
    let request = args::parse();
    logging::start(&request.settings);
    match commands::execute(request) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has enough of it.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}
