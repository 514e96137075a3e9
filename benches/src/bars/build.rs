//! A clean `cargo build --release`, and one of the command without the feature that brings Polars.
//!
//! Bars: 22 and 8 minutes on two idle cores. What cargo downloads is fetched before.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::child::{self, Cost};
use crate::lab::{Lab, remove};
use crate::machine::root;
use crate::report::{Report, bar, say};

/// What to build, the bar in minutes.
const BUILDS: [(&str, &[&str], f64); 2] = [
    ("`cargo build --release`", &[], 22.0),
    (
        "`cargo build --release -p lexmill-cli --no-default-features`",
        &["-p", "lexmill-cli", "--no-default-features"],
        8.0,
    ),
];

/// Measures it.
pub(crate) fn measure(lab: &Lab) -> Result<Report> {
    // Only what this machine compiles.
    let host = Command::new("rustc").args(["--print", "host-tuple"]).output();
    let host = host.context("can't start rustc")?.stdout;
    let host = String::from_utf8_lossy(&host).trim().to_owned();
    let fetched = cargo().args(["fetch", "--locked", "--target", &host]).status();
    let fetched = fetched.context("can't start cargo")?;
    anyhow::ensure!(fetched.success(), "cargo fetch --locked failed: {fetched}");
    let mut report = Report::new();
    let minutes = |seconds: f64| format!("{:.1} min", seconds / 60.0);
    for (name, arguments, limit) in BUILDS {
        let mut costs: Vec<Cost> = Vec::new();
        for _ in 0..lab.runs(1) {
            let target = lab.fresh("build-target")?;
            let mut command = cargo();
            command
                .args(["build", "--release", "--locked", "--offline", "--quiet"])
                .args(arguments)
                .env("CARGO_TARGET_DIR", &target);
            let cost = child::measure(&mut command)?;
            say(&format!("{name}: {} wall, {} CPU", minutes(cost.wall), minutes(cost.cpu())));
            costs.push(cost);
            remove(&target)?;
        }
        let wall = super::spread(&costs, |cost| cost.wall);
        let met = bar(&format!("< {limit:.0} min"), wall.median() < limit * 60.0);
        report.spread(&format!("{name}, wall"), &wall, minutes, met);
        let cpu = super::spread(&costs, Cost::cpu);
        report.spread(&format!("{name}, CPU"), &cpu, minutes, String::new());
    }
    Ok(report)
}

fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    // A compiler cache would build nothing.
    command.current_dir(root()).env_remove("RUSTC_WRAPPER").stdout(Stdio::null());
    command
}
