//! Tasks of this repository.

#![expect(clippy::disallowed_methods, reason = "files of a test bench need not appear whole")]

mod torture;

use std::process::ExitCode;

use clap::Parser;

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Interrupts, damages and starves runs of small pipelines in every way there is, and compares what
    /// comes out in the end with the result of an undisturbed run
    Torture(torture::Options),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Torture(options) => torture::torture(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Tells whoever watches.
fn say(text: &str) {
    use std::io::Write;
    // A closed standard error must not stop the work.
    let _told = writeln!(std::io::stderr(), "{text}");
}
