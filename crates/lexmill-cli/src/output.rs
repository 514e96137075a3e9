//! What goes to standard output and standard error.

use std::io::{self, Write};

use anyhow::Result;
use serde_json::json;

use crate::args::LogFormat;

/// Writes data to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Tells people something on standard error.
pub(crate) fn tell(text: &str) {
    // A closed standard error must not stop the work.
    let _told = writeln!(io::stderr(), "{text}");
}

/// Tells why the program ends, as an object where messages are JSON. Whatever `LEXMILL_LOG` leaves out,
/// it is told.
pub(crate) fn end_with(text: &str, format: LogFormat) {
    match format {
        LogFormat::Text => tell(text),
        LogFormat::Json => tell(&json!({ "level": "ERROR", "message": text }).to_string()),
    }
}

/// Tells of an error, with its causes where they add something.
pub(crate) fn complain(error: &anyhow::Error, format: LogFormat) {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text += &format!("\n  because: {cause}");
        }
    }
    end_with(&text, format);
}

/// Whether the error is that nobody reads our output any more.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Rows of text in columns; the columns in `right` are set flush right.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = header.len();
    let length = |text: &str| text.chars().count();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| length(&row[column]));
        cells.chain([length(header[column])]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&header).chain(rows) {
        let mut line = String::new();
        for (column, text) in row.iter().enumerate() {
            let pad = " ".repeat(widths[column] - length(text));
            match right.contains(&column) {
                true => line += &format!("{pad}{text}  "),
                false => line += &format!("{text}{pad}  "),
            }
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
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

/// A score from 0 to 1 as the tables of papers have it, ×100; `-` where there is none.
pub(crate) fn percent(score: f64) -> String {
    if score.is_nan() { "-".to_owned() } else { format!("{:.1}", score * 100.0) }
}

/// Seconds as people say them.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1}s"),
        s if s < 120.0 => format!("{s:.0}s"),
        s if s < 7200.0 => format!("{}m {:02}s", s as u64 / 60, s as u64 % 60),
        s => format!("{}h {:02}m", s as u64 / 3600, s as u64 / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.04, 61.0, 125.0, 7300.0].map(duration), ["0.0s", "61s", "2m 05s", "2h 01m"]);
        let rows = [vec!["a".into(), "10".into()], vec!["bb".into(), "5".into()]];
        assert_eq!(table(&["word", "n"], &rows, &[1]), "word   n\na     10\nbb     5\n");
    }
}
