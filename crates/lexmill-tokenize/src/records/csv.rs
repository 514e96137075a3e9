//! CSV and TSV: a record a row, fields by the names in the first.

use std::borrow::Cow;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use ::csv::{ByteRecord, Position, Reader, ReaderBuilder};

use super::{Limited, RecordCounts, Records, Wanted, no_field};
use crate::cut::{Form, RecordCutter};
use crate::settings::{BadRecords, InvalidUtf8, TokenizeSettings};
use crate::{Error, Result};

const STRAY_QUOTE: &str = "there may be a quote without its other half (take format = \"tsv\" where \
                           quotes mean nothing)";

/// The rows of a file.
pub(crate) struct Rows<'a> {
    path: PathBuf,
    reader: Reader<Limited>,
    wanted: &'a Wanted,
    /// By field number the column.
    columns: Vec<usize>,
    /// Columns of the first row.
    width: usize,
    bad: BadRecords,
    invalid: InvalidUtf8,
    row: ByteRecord,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        path: &Path,
        text: Box<dyn BufRead + Send>,
        tabs: bool,
        wanted: &'a Wanted,
        settings: &TokenizeSettings,
    ) -> Result<Rows<'a>> {
        let mut reader = ReaderBuilder::new()
            .delimiter(if tabs { b'\t' } else { b',' })
            .quoting(!tabs)
            .flexible(true)
            .from_reader(Limited::new(text, STRAY_QUOTE));
        let header = reader.byte_headers().map_err(|error| read_error(path, error))?.clone();
        let columns = wanted
            .names()
            .iter()
            .map(|name| {
                let found = header.iter().position(|column| column.trim_ascii() == name.as_bytes());
                found.ok_or_else(|| {
                    let names: Vec<Cow<'_, str>> =
                        header.iter().map(String::from_utf8_lossy).collect();
                    no_field(path, name, names.iter().map(Cow::as_ref))
                })
            })
            // A file with nothing in it has no columns and no rows.
            .take(if header.is_empty() { 0 } else { usize::MAX })
            .collect::<Result<_>>()?;
        Ok(Rows {
            path: path.to_owned(),
            reader,
            wanted,
            columns,
            width: header.len(),
            bad: settings.bad_records,
            invalid: settings.invalid_utf8,
            row: ByteRecord::new(),
        })
    }
}

impl Records for Rows<'_> {
    fn next(&mut self, cutter: &mut RecordCutter, counts: &mut RecordCounts) -> Result<bool> {
        loop {
            self.reader.get_mut().renew();
            let before = self.reader.position().byte();
            let more = self.reader.read_byte_record(&mut self.row);
            if !more.map_err(|error| read_error(&self.path, error))? {
                return Ok(false);
            }
            counts.bytes += self.reader.position().byte() - before;
            let place = self.row.position().cloned().unwrap_or_else(Position::new);
            if self.row.len() != self.width {
                if self.bad == BadRecords::Skip {
                    counts.bad += 1;
                    continue;
                }
                return Err(Error::Record {
                    path: self.path.clone(),
                    place: format!("line {}", place.line()),
                    problem: format!(
                        "it has {} fields where the first line has {}",
                        self.row.len(),
                        self.width
                    ),
                });
            }
            let mut values = Vec::with_capacity(self.columns.len());
            for &column in &self.columns {
                let bytes = &self.row[column];
                let text = String::from_utf8_lossy(bytes);
                if let Cow::Owned(_) = text {
                    if self.invalid == InvalidUtf8::Error {
                        return Err(Error::InvalidUtf8 {
                            place: format!("{:?}", self.path),
                            offset: place.byte(),
                        });
                    }
                    counts.invalid_utf8 +=
                        bytes.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count()
                            as u64;
                }
                values.push(Some(text));
            }
            if !self.wanted.admits(&values) {
                counts.filtered += 1;
                continue;
            }
            let text = values[0].as_deref().unwrap_or_default();
            cutter.push_text(Form::Records, text.as_bytes(), self.wanted.kept(&values));
            return Ok(true);
        }
    }
}

fn read_error(path: &Path, error: ::csv::Error) -> Error {
    let place = error.position().map(|place| format!("line {}", place.line()));
    match error.into_kind() {
        ::csv::ErrorKind::Io(source) => Error::Read { path: path.to_owned(), source },
        kind => Error::Unreadable {
            path: path.to_owned(),
            place: place.unwrap_or_else(|| "its start".to_owned()),
            problem: format!("{kind:?}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Condition, MOST_BYTES};
    use proptest::prelude::*;

    type Read = (Vec<(String, Vec<Option<String>>)>, RecordCounts);

    fn rows(text: &[u8], tabs: bool, settings: &TokenizeSettings) -> Result<Read> {
        let wanted = Wanted::new(settings);
        let content = Box::new(std::io::Cursor::new(text.to_vec()));
        let mut rows = Rows::new(Path::new("f.csv"), content, tabs, &wanted, settings)?;
        let mut cutter = RecordCutter::new(1 << 20);
        let mut counts = RecordCounts::default();
        while rows.next(&mut cutter, &mut counts)? {}
        let segment = cutter.finish();
        let found = segment.map(|segment| segment.records().collect()).unwrap_or_default();
        Ok((found, counts))
    }

    fn settings(metadata: &[&str], filter: &[&str]) -> TokenizeSettings {
        TokenizeSettings {
            metadata: metadata.iter().map(|&name| name.to_owned()).collect(),
            filter: filter.iter().map(|&c| Condition::try_from(c.to_owned()).unwrap()).collect(),
            ..TokenizeSettings::default()
        }
    }

    #[test]
    fn columns_by_name() {
        let text = b"id,text,lang\r\n1,\"two\nlines, \"\"quoted\"\"\",en\r\n2,drei,de\r\n3,,en\r\n";
        let (found, counts) = rows(text, false, &settings(&["id"], &["lang == en"])).unwrap();
        assert_eq!(
            found,
            [
                ("two\nlines, \"quoted\"".into(), vec![Some("1".into())]),
                (String::new(), vec![Some("3".into())])
            ]
        );
        assert_eq!(counts.filtered, 1);
        let (found, _) = rows(b"text\tn\n\"as it is\t5\n", true, &settings(&[], &[])).unwrap();
        assert_eq!(found, [("\"as it is".into(), vec![])]);
        assert_eq!(rows(b"", false, &settings(&[], &[])).unwrap().0, []);
    }

    #[test]
    fn odd_rows_are_refused_or_counted() {
        let text = b"text,n\nfine,1\nno second\nalso,2,too\n";
        let error = rows(text, false, &settings(&[], &[])).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("1 fields"), "{error}");
        let skip = TokenizeSettings { bad_records: BadRecords::Skip, ..settings(&[], &[]) };
        let (found, counts) = rows(text, false, &skip).unwrap();
        assert_eq!((found.len(), counts.bad), (1, 2));
        let error = rows(b"body,n\nx,1\n", false, &settings(&[], &[])).unwrap_err().to_string();
        assert!(error.contains("\"text\"") && error.contains("\"body\", \"n\""), "{error}");
        let (_, counts) = rows(b"text\na\xFFb\xC3\n", false, &settings(&[], &[])).unwrap();
        assert_eq!(counts.invalid_utf8, 2);
    }

    #[test]
    fn a_stray_quote_does_not_take_all_memory() {
        let mut text = b"text\n\"no end".to_vec();
        text.resize(MOST_BYTES + (1 << 20), b'x');
        let error = rows(&text, false, &settings(&[], &[])).unwrap_err().to_string();
        assert!(error.contains("quote"), "{error}");
    }

    proptest! {
        #[test]
        fn fields_survive(fields in prop::collection::vec(("[a,\"\n\r é]{0,8}", "[b\", ]{0,4}"), 0..6)) {
            let mut writer = ::csv::Writer::from_writer(Vec::new());
            writer.write_record(["text", "n"]).unwrap();
            for (text, n) in &fields {
                writer.write_record([text, n]).unwrap();
            }
            let bytes = writer.into_inner().unwrap();
            let (found, _) = rows(&bytes, false, &settings(&["n"], &[])).unwrap();
            let expected: Vec<_> =
                fields.into_iter().map(|(text, n)| (text, vec![Some(n)])).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), tabs: bool) {
            let all = [&b"text,n\n"[..], &bytes].concat();
            let _either = rows(&all, tabs, &settings(&[], &[]));
            let _either = rows(&bytes, tabs, &settings(&["n"], &[]));
        }
    }
}
