//! Reports as text: two spaces between columns, numbers to the right.
//!
//! Control characters come from corpora and would reach a terminal; they are shown escaped.

use serde_json::Value as Json;

use super::{Body, Report, Table, Value};

/// A cell takes at most this many columns of the terminal.
const CELL_WIDTH: usize = 72;
/// Numbers of a list that are shown.
const LIST_NUMBERS: usize = 4;

pub(super) fn render(report: &Report) -> String {
    let mut out = printable(&report.title);
    out.push('\n');
    for section in &report.sections {
        out.push('\n');
        out.push_str(&printable(&section.title));
        out.push('\n');
        match &section.body {
            Body::Pairs(pairs) => render_pairs(pairs, &mut out),
            Body::Table(table) => render_table(table, &mut out),
        }
    }
    out
}

fn render_pairs(pairs: &[(String, Value)], out: &mut String) {
    let mut lines = Vec::new();
    for (name, value) in pairs {
        flatten(name, value, &mut lines);
    }
    if lines.is_empty() {
        out.push_str("  (none)\n");
    }
    let width = lines.iter().map(|(name, _)| display_width(name)).max().unwrap_or(0);
    for (name, value) in lines {
        let padding = " ".repeat(width - display_width(&name));
        out.push_str(&format!("  {name}{padding}  {value}\n"));
    }
}

/// Nested settings as one line each: `window.size`.
fn flatten(name: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Json(Json::Object(fields)) if !fields.is_empty() => {
            for (field, value) in fields {
                flatten(&format!("{name}.{field}"), &Value::Json(value.clone()), lines);
            }
        }
        _ => lines.push((printable(name), cell(value))),
    }
}

fn render_table(table: &Table, out: &mut String) {
    if table.rows.is_empty() {
        out.push_str("  (no rows)\n");
        return;
    }
    let header: Vec<String> = table.columns.iter().map(|name| printable(name)).collect();
    let rows: Vec<Vec<String>> =
        table.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let right: Vec<bool> = (0..header.len())
        .map(|i| table.rows.iter().all(|row| row.get(i).is_none_or(is_number)))
        .collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|i| {
            let cells = rows.iter().filter_map(|row| row.get(i)).map(|text| display_width(text));
            cells.max().unwrap_or(0).max(display_width(&header[i]))
        })
        .collect();
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    for line in [&header, &rule].into_iter().chain(&rows) {
        let mut text = String::new();
        for (i, value) in line.iter().enumerate().take(header.len()) {
            let padding = " ".repeat(widths[i] - display_width(value));
            text.push_str("  ");
            if right[i] {
                text.push_str(&padding);
                text.push_str(value);
            } else {
                text.push_str(value);
                text.push_str(&padding);
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
}

fn is_number(value: &Value) -> bool {
    !matches!(value, Value::Text(_) | Value::List { .. } | Value::Json(_) | Value::Flag(_))
}

/// A value on one line.
fn cell(value: &Value) -> String {
    match value {
        Value::Missing => "-".to_owned(),
        Value::Flag(flag) => flag.to_string(),
        Value::Text(text) | Value::Json(Json::String(text)) => cut(text),
        Value::Id(number) => number.to_string(),
        Value::Count(number) => thousands(&number.to_string()),
        Value::Signed(number) => thousands(&number.to_string()),
        Value::Number(number) => decimal(*number),
        Value::Single(number) => decimal(f64::from(*number)),
        Value::Bytes(bytes) => human_bytes(*bytes),
        Value::Share(share) => format!("{:.2} %", share * 100.0),
        Value::List { first, length } => list(first, *length),
        Value::Json(value) => cut(&value.to_string()),
    }
}

/// Words with spaces between them; of numbers, the first few.
fn list(first: &[Value], length: u64) -> String {
    if first.iter().any(|value| matches!(value, Value::Text(_))) {
        let mut text = String::new();
        for value in first {
            if let Value::Text(word) = value {
                text.push_str(word);
            } else {
                text.push_str(&cell(value));
            }
            text.push(' ');
            // What is past the cut need not be joined.
            if text.len() > 8 * CELL_WIDTH {
                break;
            }
        }
        return cut(text.trim_end());
    }
    let mut parts: Vec<String> = first.iter().take(LIST_NUMBERS).map(cell).collect();
    if length > parts.len() as u64 {
        parts.push("…".to_owned());
    }
    format!("[{}]", parts.join(", "))
}

/// At most [`CELL_WIDTH`] columns of a text, control characters escaped.
fn cut(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for character in text.chars() {
        let shown = shown(character);
        let next = width + display_width(&shown);
        if next > CELL_WIDTH {
            // Room for the ellipsis.
            while width >= CELL_WIDTH {
                width -= out.pop().map_or(width, character_width);
            }
            out.push('…');
            return out;
        }
        width = next;
        out.push_str(&shown);
    }
    out
}

fn shown(character: char) -> String {
    // The line and paragraph separators, and the marks that turn the direction of the text around.
    let turns = matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turns {
        character.escape_default().to_string()
    } else {
        character.to_string()
    }
}

fn printable(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// A whole number with commas: `-1,234,567`.
fn thousands(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let mut out = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Four decimals at most, none that say nothing; very small and very large numbers by their power.
fn decimal(number: f64) -> String {
    let magnitude = number.abs();
    if !number.is_finite() {
        return number.to_string();
    }
    if magnitude != 0.0 && !(1e-3..1e15).contains(&magnitude) {
        return format!("{number:.3e}");
    }
    let text = format!("{number:.4}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let whole = thousands(whole);
    if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") }
}

/// `17 B`, `1.5 KiB`, `3.4 GiB`.
fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    // As it will be printed: 1023.96 KiB is 1.0 MiB.
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

fn display_width(text: &str) -> usize {
    text.chars().map(character_width).sum()
}

/// Columns a character takes in a terminal, near enough for aligning words of most scripts.
fn character_width(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Section;
    use super::*;

    fn check(value: &Value, expected: &str) {
        assert_eq!(cell(value), expected);
    }

    #[test]
    fn numbers() {
        check(&Value::Id(12_345), "12345");
        check(&Value::Count(999), "999");
        check(&Value::Count(1_234_567), "1,234,567");
        check(&Value::Signed(-1234), "-1,234");
        check(&Value::Number(12_345.5), "12,345.5");
        check(&Value::Number(2.0), "2");
        check(&Value::Number(0.0), "0");
        check(&Value::Number(-0.00012), "-1.200e-4");
        check(&Value::Number(f64::NAN), "NaN");
        check(&Value::Share(0.0421), "4.21 %");
        check(&Value::Bytes(1023), "1023 B");
        check(&Value::Bytes(1536), "1.5 KiB");
        check(&Value::Bytes((1 << 20) - 1), "1.0 MiB");
        check(&Value::Bytes(u64::MAX), "16384.0 PiB");
    }

    #[test]
    fn lists() {
        let numbers = |n: usize| (0..n).map(|i| Value::Single(i as f32 / 2.0)).collect::<Vec<_>>();
        check(&Value::List { first: numbers(2), length: 2 }, "[0, 0.5]");
        check(&Value::List { first: numbers(9), length: 100 }, "[0, 0.5, 1, 1.5, …]");
        check(&Value::List { first: vec![], length: 0 }, "[]");
        let words: Vec<Value> = ["the", "cat"].into_iter().map(Value::text).collect();
        check(&Value::List { first: words, length: 2 }, "the cat");
    }

    #[test]
    fn long_and_strange_texts() {
        let cut_short = cell(&Value::text("x".repeat(500)));
        assert_eq!(display_width(&cut_short), CELL_WIDTH);
        assert!(cut_short.ends_with("x…"));
        check(&Value::text("x".repeat(CELL_WIDTH)), &"x".repeat(CELL_WIDTH));
        assert!(display_width(&cell(&Value::text("語".repeat(500)))) <= CELL_WIDTH);
        check(&Value::text("a\u{1b}[31m\nb\u{202e}"), "a\\u{1b}[31m\\nb\\u{202e}");
    }

    #[test]
    fn a_whole_report() {
        let mut table = Table::new(&["word", "count"]);
        table.rows.push(vec![Value::text("the"), Value::Count(12_000)]);
        table.rows.push(vec![Value::text("東京"), Value::Count(7)]);
        let settings = serde_json::json!({ "size": 10, "side": "left" });
        let report = Report {
            title: "counts".to_owned(),
            sections: vec![
                Section::pairs("Settings", [("window", Value::Json(settings))]),
                Section::pairs("Report", Vec::<(String, Value)>::new()),
                Section::table("Rows", table),
                Section::table("Nothing", Table::new(&["a"])),
            ],
        };
        let expected = "\
counts

Settings
  window.side  left
  window.size  10

Report
  (none)

Rows
  word   count
  ----  ------
  the   12,000
  東京       7

Nothing
  (no rows)
";
        let text = report.to_text();
        // A build of serde_json may keep the order of the fields, or sort them.
        let swapped = text.replace(
            "  window.size  10\n  window.side  left\n",
            "  window.side  left\n  window.size  10\n",
        );
        assert_eq!(swapped, expected);
    }
}
