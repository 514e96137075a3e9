//! What there is to see, as plain data: titled sections of named values and tables.
//!
//! A [`Report`] keeps values raw; [`Report::to_json`] hands them on so, [`Report::to_text`] makes
//! them readable (thousands separators, MiB, vectors and long texts cut short).

mod text;

use serde_json::{Map, Value as Json, json};

/// What there is to see about a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What the report is about.
    pub title: String,
    /// Its parts, the general ones first.
    pub sections: Vec<Section>,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// What it says.
    pub body: Body,
}

/// What a section says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// Named values, in an order that makes sense to a reader.
    Pairs(Vec<(String, Value)>),
    /// Rows under a header.
    Table(Table),
}

/// Rows under a header.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Names of the columns; they differ.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}

/// A value, raw.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: a null, or not known.
    Missing,
    /// Yes or no.
    Flag(bool),
    /// A string.
    Text(String),
    /// A number that names something: no separators.
    Id(u64),
    /// How many.
    Count(u64),
    /// A whole number that may be below zero.
    Signed(i64),
    /// A float.
    Number(f64),
    /// A single-precision float; its JSON has no more digits than it needs.
    Single(f32),
    /// A length in bytes.
    Bytes(u64),
    /// A part of a whole, from 0 to 1.
    Share(f64),
    /// The beginning of a list or a vector.
    List {
        /// The first elements: at most a thousand.
        first: Vec<Value>,
        /// Elements of the whole list.
        length: u64,
    },
    /// Settings, as a manifest has them.
    Json(Json),
}

impl Report {
    /// The report as text with aligned columns; ends with a line break.
    pub fn to_text(&self) -> String {
        text::render(self)
    }

    /// The report as JSON: `title`, and `sections`, each with a `title` and either `values` (an
    /// object) or `columns` (names) and `rows` (objects). A list too long to hand on whole is an
    /// object of `length` and `first`.
    pub fn to_json(&self) -> Json {
        let sections: Vec<Json> = self.sections.iter().map(Section::to_json).collect();
        json!({ "title": self.title, "sections": sections })
    }
}

impl Section {
    pub(crate) fn pairs<K: Into<String>>(
        title: impl Into<String>,
        pairs: impl IntoIterator<Item = (K, Value)>,
    ) -> Section {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Section { title: title.into(), body: Body::Pairs(pairs) }
    }

    pub(crate) fn table(title: impl Into<String>, table: Table) -> Section {
        Section { title: title.into(), body: Body::Table(table) }
    }

    fn to_json(&self) -> Json {
        match &self.body {
            Body::Pairs(pairs) => {
                let values: Map<String, Json> =
                    pairs.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
                json!({ "title": self.title, "values": values })
            }
            Body::Table(table) => {
                let rows: Vec<Json> = table.rows.iter().map(|row| table.row_json(row)).collect();
                json!({ "title": self.title, "columns": table.columns, "rows": rows })
            }
        }
    }
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Table {
        let columns = columns.iter().map(|&name| name.to_owned()).collect();
        Table { columns, rows: Vec::new() }
    }

    fn row_json(&self, row: &[Value]) -> Json {
        let cells = self.columns.iter().zip(row);
        Json::Object(cells.map(|(name, value)| (name.clone(), value.to_json())).collect())
    }
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// A number a stage reported, by its name: those called `…bytes` are lengths.
    pub(crate) fn reported(name: &str, value: &Json) -> Value {
        match (value.as_u64(), value.as_f64()) {
            (Some(number), _) if name.ends_with("bytes") => Value::Bytes(number),
            (Some(number), _) => Value::Count(number),
            (None, Some(number)) => Value::Number(number),
            (None, None) => Value::Json(value.clone()),
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Value::Missing => Json::Null,
            Value::Flag(flag) => json!(flag),
            Value::Text(text) => json!(text),
            Value::Id(number) | Value::Count(number) | Value::Bytes(number) => json!(number),
            Value::Signed(number) => json!(number),
            Value::Number(number) | Value::Share(number) => float_json(*number),
            // Through its shortest decimal form: 0.1 stays 0.1.
            Value::Single(number) => float_json(number.to_string().parse().unwrap_or(f64::NAN)),
            Value::List { first, length } => {
                let elements: Vec<Json> = first.iter().map(Value::to_json).collect();
                if first.len() as u64 == *length {
                    Json::Array(elements)
                } else {
                    json!({ "length": length, "first": elements })
                }
            }
            Value::Json(value) => value.clone(),
        }
    }
}

/// JSON has no infinities and no NaN; a null would hide what a reader looks for.
fn float_json(number: f64) -> Json {
    if number.is_finite() { json!(number) } else { json!(number.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_raw() {
        let table = Table {
            columns: vec!["word".to_owned(), "vector".to_owned(), "count".to_owned()],
            rows: vec![vec![
                Value::text("a\tb"),
                Value::List { first: vec![Value::Single(0.1), Value::Single(f32::NAN)], length: 2 },
                Value::Count(1_234_567),
            ]],
        };
        let long = Value::List { first: vec![Value::text("x")], length: 5000 };
        let report = Report {
            title: "t".to_owned(),
            sections: vec![
                Section::pairs("p", [("bytes", Value::Bytes(4096)), ("tokens", long)]),
                Section::table("rows", table),
            ],
        };
        let expected = json!({
            "title": "t",
            "sections": [
                { "title": "p", "values": { "bytes": 4096, "tokens": { "length": 5000, "first": ["x"] } } },
                {
                    "title": "rows",
                    "columns": ["word", "vector", "count"],
                    "rows": [{ "word": "a\tb", "vector": [0.1, "NaN"], "count": 1_234_567 }],
                },
            ],
        });
        assert_eq!(report.to_json(), expected);
    }

    #[test]
    fn reported_numbers_say_what_they_are() {
        assert_eq!(Value::reported("tokens", &json!(7)), Value::Count(7));
        assert_eq!(Value::reported("peak_bytes", &json!(7)), Value::Bytes(7));
        assert_eq!(Value::reported("loss", &json!(0.5)), Value::Number(0.5));
        assert_eq!(Value::reported("side", &json!("left")), Value::Json(json!("left")));
    }
}
