//! The `lexmill` command.

mod args;
mod commands;
mod logging;
mod memory;
mod observer;
mod output;
mod signals;

use std::process::ExitCode;

fn main() -> ExitCode {
    let request = args::parse();
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // A library's panic on damaged bytes becomes an error, which is told.
        if !lexmill_store::table::panics_are_caught() {
            told(panic);
        }
    }));
    logging::start(&request.settings);
    let format = request.settings.log_format;
    match commands::execute(request) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has enough of it.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if let Some(code) = signals::exit_code() => {
            output::end_with(&format!("{error}"), format);
            ExitCode::from(code)
        }
        Err(error) => {
            output::complain(&error, format);
            ExitCode::FAILURE
        }
    }
}
