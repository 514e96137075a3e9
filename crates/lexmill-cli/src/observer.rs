//! Progress on standard error: a bar on a terminal, plain lines elsewhere, JSON where asked for.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lexmill_pipeline::{Condition, Kind, Observer};
use lexmill_store::{ByteSize, Event, Manifest, Progress, Stop};

use crate::args::{LogFormat, RunSettings};
use crate::output::{duration, percent, tell, thousands};
use crate::signals::stop_on_signals;

/// How often a line tells of progress where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Tells people, or programs, what a run does.
pub(crate) struct Reporter {
    quiet: bool,
    json: bool,
    bar: Option<ProgressBar>,
    phase: Mutex<Option<Phase>>,
    stop: Stop,
    /// Whether it was told that a stop was asked for.
    stopping: AtomicBool,
}

/// A stretch of work that counts in one unit.
struct Phase {
    unit: &'static str,
    total: u64,
    begun: Instant,
    /// Done when it began to be watched: what an earlier process did.
    before: u64,
    told: Instant,
}

impl Reporter {
    pub(crate) fn new(settings: &RunSettings) -> Reporter {
        let json = settings.log_format == LogFormat::Json;
        let terminal = std::io::stderr().is_terminal() && !json && !settings.quiet;
        let bar = terminal.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("  {bar:30.cyan/dim} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Reporter {
            quiet: settings.quiet,
            json,
            bar,
            phase: Mutex::new(None),
            stop: Stop::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// The same for work that signals stop.
    pub(crate) fn stopping_on_signals(settings: &RunSettings) -> Result<Reporter> {
        let stop = stop_on_signals().context("could not take care of signals")?;
        Ok(Reporter { stop, ..Reporter::new(settings) })
    }

    /// Takes the bar away: some work is done.
    pub(crate) fn over(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message("");
            bar.finish_and_clear();
            bar.reset();
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(text)),
            None if !self.quiet && !self.json => tell(text),
            None => {}
        }
    }

    fn event(&self, stage: &str, event: &Event) {
        if self.json {
            match event {
                Event::Epoch { epoch, epochs, loss, seconds } => {
                    tracing::info!(stage, epoch, epochs, loss, seconds, "epoch");
                }
                Event::Scores { epoch, sets, mean, best, seconds } => {
                    let sets = scores(sets);
                    tracing::info!(stage, epoch, sets, mean, best, seconds, "scores");
                }
                Event::Resumed { epochs, parts, unit } => {
                    tracing::info!(stage, epochs, parts, unit, "goes on from a checkpoint");
                }
                Event::Notice(text) => tracing::info!(stage, notice = text, "notice"),
            }
        }
        self.say(&match event {
            Event::Epoch { epoch, epochs, loss, seconds } => {
                format!("  epoch {epoch}/{epochs}  loss {loss:.6}  {}", duration(*seconds))
            }
            Event::Scores { epoch, sets, mean, best, seconds } => {
                let mut text = format!("  scores x 100  {}", scores(sets));
                if sets.len() > 1 {
                    text += &format!(", mean {}", percent(*mean));
                }
                match best {
                    Some(best) if best == epoch => text += ", the best so far",
                    Some(best) => text += &format!(", the best was epoch {best}"),
                    None => {}
                }
                format!("{text}  {}", duration(*seconds))
            }
            Event::Resumed { epochs, parts, unit } => {
                let part = if *parts > 0 { format!(" and {parts} {unit}") } else { String::new() };
                format!("  goes on after {epochs} epochs{part}")
            }
            Event::Notice(text) => format!("  note: {text}"),
        });
    }
}

/// Scores on test sets, for people.
fn scores(sets: &[(String, f64)]) -> String {
    let sets = sets.iter().map(|(set, score)| format!("{set} {}", percent(*score)));
    sets.collect::<Vec<_>>().join(", ")
}

/// An amount of some unit.
fn amount(number: u64, unit: &str) -> String {
    match unit {
        "bytes" => ByteSize(number).to_string(),
        _ => format!("{} {unit}", thousands(number)),
    }
}

impl Observer for Reporter {
    fn stop(&self) -> Stop {
        self.stop.clone()
    }

    fn fresh(&self, stage: &str, kind: Kind) {
        self.over();
        if self.json {
            tracing::info!(stage, kind = kind.name(), "fresh");
        }
        self.say(&format!("{stage}: fresh"));
    }

    fn begins(&self, stage: &str, kind: Kind, condition: &Condition) {
        let why = match condition {
            Condition::Missing { begun: true } => "goes on where it stopped".to_owned(),
            Condition::Stale { reasons } => format!("again: {}", reasons.join("; ")),
            _ => "begins".to_owned(),
        };
        if self.json {
            tracing::info!(stage, kind = kind.name(), why, "begins");
        }
        self.say(&format!("{stage}: {why}"));
        *self.phase.lock().expect("no holder panics") = None;
    }

    fn works(&self, stage: &str, progress: &Progress) {
        for event in progress.take_events() {
            self.event(stage, &event);
        }
        if self.stop.is_asked() && !self.stopping.swap(true, Ordering::Relaxed) {
            if self.json {
                tracing::info!(stage, "stopping");
            }
            self.say("  stopping where work can go on from; again stops it at once");
        }
        let (done, total, unit) = progress.read();
        if unit.is_empty() {
            return;
        }
        let mut phase = self.phase.lock().expect("no holder panics");
        let now = Instant::now();
        if !phase.as_ref().is_some_and(|phase| phase.unit == unit && phase.total == total) {
            *phase = Some(Phase { unit, total, begun: now, before: done, told: now });
        }
        let Some(phase) = phase.as_mut() else { return };
        let seconds = (now - phase.begun).as_secs_f64();
        let rate = (done - phase.before.min(done)) as f64 / seconds.max(1e-9);
        let due = now - phase.told >= LINE_EVERY;
        if self.bar.is_none() && !due {
            return;
        }
        let mut text = match total {
            0 => amount(done, unit),
            _ => format!("{:.0}% of {}", done as f64 / total as f64 * 100.0, amount(total, unit)),
        };
        let mut left = None;
        if seconds > 0.5 {
            text += &format!(", {}/s", amount(rate as u64, unit));
            if total > done && rate > 0.0 {
                let seconds = (total - done) as f64 / rate;
                left = Some(seconds);
                text += &format!(", {} left", duration(seconds));
            }
        }
        let told = progress.told();
        if !told.is_empty() {
            text += &format!(", {told}");
        }
        match &self.bar {
            Some(bar) => {
                bar.set_length(total.max(1));
                bar.set_position(done.min(total));
                bar.set_message(text);
            }
            None => {
                phase.told = now;
                if self.json {
                    tracing::info!(stage, unit, done, total, rate, left, told, "progress");
                } else {
                    self.say(&format!("  {text}"));
                }
            }
        }
    }

    fn ends(&self, stage: &str, kind: Kind, manifest: &Manifest, took: Duration) {
        let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        let seconds = took.as_secs_f64();
        if self.json {
            let report = manifest.report.to_string();
            tracing::info!(stage, kind = kind.name(), seconds, bytes, report, "ends");
        }
        self.over();
        let count = |name: &str| manifest.report[name].as_u64().map(thousands);
        let mut parts = Vec::new();
        for (name, unit) in [
            ("documents", "documents"),
            ("tokens", "tokens"),
            ("types", "types"),
            ("duplicates", "duplicates"),
            ("phrases", "phrases"),
            ("words", "words"),
            ("cells", "cells"),
        ] {
            if let Some(number) = count(name) {
                parts.push(format!("{number} {unit}"));
            }
        }
        parts.push(ByteSize(bytes).to_string());
        self.say(&format!("{stage}: done in {}: {}", duration(seconds), parts.join(", ")));
        if kind == Kind::Tokenize {
            self.say(&format!("  {}", text_read(&manifest.report, seconds)));
        }
    }
}

/// What text a tokenize stage has read, and how fast.
fn text_read(report: &serde_json::Value, seconds: f64) -> String {
    let number = |name: &str| report[name].as_u64().unwrap_or(0);
    let bytes = number("bytes");
    let rate = ByteSize((bytes as f64 / seconds.max(1e-3)) as u64);
    let mut scripts: Vec<(u64, &str)> = report["scripts"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(script, tokens)| Some((tokens.as_u64()?, script.as_str())))
        .collect();
    scripts.sort_by_key(|&(tokens, script)| (std::cmp::Reverse(tokens), script));
    let all: u64 = scripts.iter().map(|(tokens, _)| tokens).sum();
    let share = |tokens: u64| 100.0 * tokens as f64 / all.max(1) as f64;
    let mut shown: Vec<String> = scripts
        .iter()
        .take(4)
        .map(|&(tokens, script)| format!("{script} {:.1} %", share(tokens)))
        .collect();
    if scripts.len() > 4 {
        shown.push(format!("{} more", scripts.len() - 4));
    }
    format!(
        "text: {} at {rate}/s, longest document {}; scripts: {}",
        ByteSize(bytes),
        ByteSize(number("longest_document_bytes")),
        shown.join(", ")
    )
}
