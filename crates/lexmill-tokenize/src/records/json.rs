//! JSON lines: the wanted fields of an object, without building the rest of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Content, Wanted};

/// Reads records; remembers where fields are.
#[derive(Debug, Clone)]
pub(crate) struct JsonReader {
    /// Keys that lead to fields, and the numbers of these. A name with dots is a path, or a key as it
    /// stands.
    paths: Vec<(Vec<String>, usize)>,
    fields: usize,
}

/// The wanted fields of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonRecord<'a> {
    /// What the text's field holds.
    pub(crate) text: Content<'a>,
    /// By field number what the others hold, as text; nothing for that of the text.
    pub(crate) values: Vec<Option<Cow<'a, str>>>,
}

impl JsonReader {
    pub(crate) fn new(wanted: &Wanted) -> JsonReader {
        let mut paths = Vec::new();
        for (field, name) in wanted.names().iter().enumerate() {
            paths.push((name.split('.').map(str::to_owned).collect(), field));
            if name.contains('.') {
                paths.push((vec![name.clone()], field));
            }
        }
        JsonReader { paths, fields: wanted.names().len() }
    }

    /// The wanted fields of an object, or what is wrong with the line and at which byte of it.
    pub(crate) fn read<'a>(&self, line: &'a str) -> Result<JsonRecord<'a>, (usize, String)> {
        let mut record = JsonRecord { text: Content::Missing, values: vec![None; self.fields] };
        let leading: Vec<usize> = (0..self.paths.len()).collect();
        let mut json = serde_json::Deserializer::from_str(line);
        let walk = Walk { paths: &self.paths, depth: 0, leading, record: &mut record };
        walk.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| {
            let text = error.to_string();
            // The line is the only one: what serde says of it would mislead.
            let text = text.split(" at line ").next().unwrap_or("").to_owned();
            (error.column().saturating_sub(1), text)
        })?;
        Ok(record)
    }
}

/// The keys of a JSON object, for a message.
pub(crate) fn keys(line: &str) -> Vec<String> {
    let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(line);
    object.map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

/// Goes through the value at `depth`, which these paths lead to or through.
struct Walk<'w, 'a> {
    paths: &'w [(Vec<String>, usize)],
    depth: usize,
    leading: Vec<usize>,
    record: &'w mut JsonRecord<'a>,
}

impl<'a> Walk<'_, 'a> {
    /// The fields that are this very value.
    fn ending(&self) -> Vec<usize> {
        let paths = self.leading.iter().map(|&path| &self.paths[path]);
        paths.filter(|(keys, _)| keys.len() == self.depth).map(|(_, field)| *field).collect()
    }

    fn set(self, content: Content<'a>) {
        for field in self.ending() {
            if field == 0 {
                self.record.text = content.clone();
                continue;
            }
            self.record.values[field] = match &content {
                Content::Missing | Content::Other(_) => None,
                Content::Text(text) => Some(text.clone()),
                Content::Tokens(list) => Some(list.join(" ").into()),
            };
        }
    }

    /// A value that is no text, but can be kept as such.
    fn set_scalar(self, value: String, what: &'static str) {
        for field in self.ending() {
            match field {
                0 => self.record.text = Content::Other(what),
                _ => self.record.values[field] = Some(value.clone().into()),
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.depth {
            0 => deserializer.deserialize_map(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.set(Content::Text(text.into()));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.set(Content::Text(text.to_owned().into()));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.set(Content::Missing);
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.set_scalar(truth.to_string(), "true or false");
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.set_scalar(number.to_string(), "a number");
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.set_scalar(number.to_string(), "a number");
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.set_scalar(number.to_string(), "a number");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut strings = Some(Vec::new());
        while let Some(item) = list.next_element_seed(Item)? {
            match (&mut strings, item) {
                (Some(strings), Some(text)) => strings.push(text),
                _ => strings = None,
            }
        }
        self.set(match strings {
            Some(strings) => Content::Tokens(strings),
            None => Content::Other("a list of other things than strings"),
        });
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(leading) =
            map.next_key_seed(Key { paths: self.paths, depth: self.depth, leading: &self.leading })?
        {
            if leading.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                let depth = self.depth + 1;
                let record = &mut *self.record;
                map.next_value_seed(Walk { paths: self.paths, depth, leading, record })?;
            }
        }
        if self.depth > 0 {
            self.set(Content::Other("an object"));
        }
        Ok(())
    }
}

/// A key: the paths it is on.
struct Key<'w> {
    paths: &'w [(Vec<String>, usize)],
    depth: usize,
    leading: &'w [usize],
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Vec<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Vec<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Vec<usize>, E> {
        let leads = |&&path: &&usize| {
            self.paths[path].0.get(self.depth).is_some_and(|wanted| wanted == key)
        };
        Ok(self.leading.iter().filter(leads).copied().collect())
    }
}

/// An item of a list, if it is a string.
struct Item;

impl<'de> DeserializeSeed<'de> for Item {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned().into()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Condition;
    use crate::settings::TokenizeSettings;
    use proptest::prelude::*;

    fn reader(field: &str, metadata: &[&str], filter: &[&str]) -> JsonReader {
        let condition = |text: &&str| Condition::try_from((*text).to_owned()).unwrap();
        JsonReader::new(&Wanted::new(&TokenizeSettings {
            field: field.to_owned(),
            metadata: metadata.iter().map(|&name| name.to_owned()).collect(),
            filter: filter.iter().map(condition).collect(),
            ..TokenizeSettings::default()
        }))
    }

    #[test]
    fn a_field_by_its_path() {
        let line = r#"{"id": 7, "a": {"x": [1], "text": "l\u00e9o\n"}, "text": null, "b": 1.5}"#;
        let record = reader("a.text", &["id", "b", "a.nothing"], &[]).read(line).unwrap();
        assert_eq!(record.text, Content::Text("léo\n".into()));
        assert_eq!(record.values, [None, Some("7".into()), Some("1.5".into()), None]);
        assert_eq!(reader("text", &[], &[]).read(line).unwrap().text, Content::Missing);
        assert_eq!(reader("id", &[], &[]).read(line).unwrap().text, Content::Other("a number"));
        assert_eq!(reader("a", &[], &[]).read(line).unwrap().text, Content::Other("an object"));
        assert_eq!(keys(line), ["a", "b", "id", "text"]);
        let dotted = reader("a.b", &["c.d"], &[]).read(r#"{"a.b": "t", "c": {"d": 1}}"#).unwrap();
        assert_eq!(
            (dotted.text, dotted.values[1].as_deref()),
            (Content::Text("t".into()), Some("1"))
        );
    }

    #[test]
    fn a_list_of_strings_is_tokens() {
        let line = r#"{"tokens": ["New York", "is"], "mixed": ["a", 1, {"b": []}], "none": []}"#;
        let text = |field| reader(field, &[], &[]).read(line).unwrap().text;
        assert_eq!(text("tokens"), Content::Tokens(vec!["New York".into(), "is".into()]));
        assert_eq!(text("none"), Content::Tokens(Vec::new()));
        assert!(matches!(text("mixed"), Content::Other(_)));
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        let reader = reader("text", &[], &[]);
        for line in ["[]", "\"text\"", "3", "{", "{\"text\": \"a\"} x", "{\"text\": \"a\nb\"}", ""]
        {
            assert!(reader.read(line).is_err(), "{line}");
        }
        let (place, problem) = reader.read("{\"text\": nul}").unwrap_err();
        assert_eq!(place, 12);
        assert!(!problem.contains("line"), "{problem}");
    }

    proptest! {
        /// Against reading the whole value.
        #[test]
        fn as_serde_has_it(
            text in any::<String>(),
            other in prop::collection::vec(any::<String>(), 0..3),
            number in any::<i32>(),
        ) {
            let value = serde_json::json!({
                "x": {"text": text, "n": number}, "text": other, "y": [{"text": text}, number],
            });
            let line = value.to_string();
            let record = reader("x.text", &["x.n", "text"], &["y != 1"]).read(&line).unwrap();
            prop_assert_eq!(record.text, Content::Text(text.into()));
            let (number, joined) = (number.to_string(), other.join(" "));
            prop_assert_eq!(record.values[1].as_deref(), Some(number.as_str()));
            prop_assert_eq!(record.values[2].as_deref(), Some(joined.as_str()));
            prop_assert_eq!(&record.values[3], &None);
        }

        #[test]
        fn any_line_is_read_or_refused(line in "[\\[\\]{}\":,a-c0-9.\\\\ tx\\-]{0,60}") {
            let _either = reader("a.b", &["a"], &["c == 1"]).read(&line);
        }
    }
}
