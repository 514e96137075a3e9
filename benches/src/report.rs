//! Results as Markdown, and what is said meanwhile.

use std::io::Write;

use anyhow::{Context, Result};

/// What is measured several times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    /// Of these values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Spread(values)
    }

    /// The middle one, or the mean of the two in the middle; NaN of nothing.
    pub(crate) fn median(&self) -> f64 {
        match self.0.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => self.0[n / 2],
            n => (self.0[n / 2 - 1] + self.0[n / 2]) / 2.0,
        }
    }

    /// The mean; NaN of nothing.
    pub(crate) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// The least; NaN of nothing.
    pub(crate) fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// The greatest; NaN of nothing.
    pub(crate) fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }
}

/// A bar and whether it is met, as the last column shows it.
pub(crate) fn bar(bar: &str, met: bool) -> String {
    format!("{bar}: {}", if met { "met" } else { "**missed**" })
}

/// The results of one bar.
#[derive(Debug)]
pub(crate) struct Report {
    center: &'static str,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Report {
    /// A report whose rows show medians.
    pub(crate) fn new() -> Report {
        Report { center: "median", rows: Vec::new(), notes: Vec::new() }
    }

    /// A report whose rows show means.
    pub(crate) fn of_means() -> Report {
        Report { center: "mean", ..Report::new() }
    }

    /// Adds a row of what was measured several times.
    pub(crate) fn spread(
        &mut self,
        name: &str,
        values: &Spread,
        show: impl Fn(f64) -> String,
        bar: String,
    ) {
        let center = if self.center == "mean" { values.mean() } else { values.median() };
        let shown = [center, values.min(), values.max()].map(show);
        self.rows.push([vec![name.to_owned()], shown.to_vec(), vec![bar]].concat());
    }

    /// Adds a row of what can't differ, or was looked at once.
    pub(crate) fn fact(&mut self, name: &str, value: String, bar: String) {
        self.rows.push(vec![name.to_owned(), value, String::new(), String::new(), bar]);
    }

    /// Adds text below the table: a paragraph, or a table of its own.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// All of it.
    pub(crate) fn to_markdown(&self) -> String {
        let mut parts = Vec::new();
        if !self.rows.is_empty() {
            parts.push(markdown(&["", self.center, "min", "max", "bar"], &self.rows));
        }
        parts.extend(self.notes.iter().map(|note| format!("{}\n", note.trim_end())));
        parts.join("\n")
    }
}

/// A Markdown table.
pub(crate) fn markdown(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let rule = vec!["---".to_owned(); header.len()];
    let mut out = line(&header) + &line(&rule);
    out.extend(rows.iter().map(|row| line(row)));
    out
}

/// Seconds.
pub(crate) fn seconds(x: f64) -> String {
    format!("{x:.2} s")
}

/// Microseconds, of seconds.
pub(crate) fn micros(x: f64) -> String {
    format!("{:.3} µs", x * 1e6)
}

/// Mebibytes, of bytes.
pub(crate) fn mebibytes(x: f64) -> String {
    format!("{:.0} MiB", x / 1_048_576.0)
}

/// A ratio.
pub(crate) fn times(x: f64) -> String {
    format!("{x:.2} ×")
}

/// A number with its thousands apart.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes results to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing the results")
}

/// Tells whoever waits how it goes.
pub(crate) fn say(text: &str) {
    // A closed standard error must not stop a measurement.
    let _told = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_markdown() {
        let mut report = Report::new();
        let times = Spread::of([3.0, 1.0, 2.0, 10.0]);
        report.spread("wall", &times, seconds, bar("≤ 2 s", false));
        report.fact("cells", thousands(29_244_718), String::new());
        report.note("A remark.");
        let expected = "\
|  | median | min | max | bar |
| --- | --- | --- | --- | --- |
| wall | 2.50 s | 1.00 s | 10.00 s | ≤ 2 s: **missed** |
| cells | 29,244,718 |  |  |  |

A remark.
";
        assert_eq!(report.to_markdown(), expected);
        assert_eq!(times.mean(), 4.0);
        assert!(Spread::default().median().is_nan() && Spread::default().max().is_nan());
    }
}
