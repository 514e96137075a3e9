//! `lexmill convert`.

use anyhow::Result;
use lexmill_embeddings::convert::convert;
use lexmill_embeddings::find;
use lexmill_pipeline::watch;
use lexmill_store::ByteSize;
use serde_json::json;

use crate::args::RunSettings;
use crate::args::vectors::ConvertArgs;
use crate::observer::Reporter;
use crate::output::{print, tell, thousands};

/// Reads embeddings and writes them in another format.
pub(crate) fn run(settings: &RunSettings, args: &ConvertArgs) -> Result<()> {
    let from = find(&args.source.path)?;
    let reporter = Reporter::new(settings);
    let options = args.source.options();
    let made = watch("convert", &reporter, |progress| {
        convert(&from, &options, &args.output, &args.settings(), progress)
    });
    reporter.over();
    let made = made?;
    let bytes: u64 = made.files.iter().map(|file| file.bytes).sum();
    if args.json {
        let files: Vec<&str> = made.files.iter().map(|file| file.path.as_str()).collect();
        return print(&format!(
            "{:#}\n",
            json!({
                "format": made.format,
                "rows": made.rows,
                "dim": made.dim,
                "bytes": bytes,
                "not_found": made.not_found,
                "files": files,
            })
        ));
    }
    if !settings.quiet {
        let missing = match made.not_found {
            0 => String::new(),
            words => format!(" ({} words of the list are not among them)", thousands(words)),
        };
        let names: Vec<&str> = made.files.iter().map(|file| file.path.as_str()).collect();
        tell(&format!(
            "{} words of {} dimensions as {} in {}, {}{missing}",
            thousands(made.rows),
            made.dim,
            made.format.name(),
            names.join(", "),
            ByteSize(bytes),
        ));
    }
    Ok(())
}
