//! Messages of the libraries, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::{LogFormat, RunSettings};

/// Starts writing messages. `LEXMILL_LOG` chooses which, such as `lexmill_cooccur=debug`.
pub(crate) fn start(settings: &RunSettings) {
    let default = match (settings.quiet, settings.log_format) {
        (true, _) => "error",
        (false, LogFormat::Text) => "warn",
        (false, LogFormat::Json) => "info",
    };
    let filter = EnvFilter::try_from_env("LEXMILL_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => builder.without_time().with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
