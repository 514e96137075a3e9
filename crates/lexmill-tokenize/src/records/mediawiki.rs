//! Dumps of a MediaWiki: the markup of their articles, page by page.
//!
//! Only pages of namespace 0 that are no redirects are articles. Of a page with several revisions the
//! last is taken.

use std::borrow::Cow;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Limited, MOST_BYTES, RecordCounts, Records, Wanted, no_field};
use crate::cut::{Form, RecordCutter};
use crate::{Error, Result};

/// The fields of a page.
pub(crate) const FIELDS: [&str; 3] = ["text", "title", "id"];

/// The pages of a dump.
pub(crate) struct Pages<'a> {
    path: PathBuf,
    reader: Reader<Limited>,
    wanted: &'a Wanted,
    /// By field number its place in [`FIELDS`].
    fields: Vec<usize>,
    buffer: Vec<u8>,
    page: Page,
    /// Elements that are open, but for those that are of no interest.
    open: Vec<Element>,
    /// What the dump says of its namespaces.
    namespaces: Vec<(i32, String)>,
    begun: bool,
}

/// A page as far as it is read.
#[derive(Default)]
struct Page {
    values: [String; FIELDS.len()],
    namespace: String,
    redirect: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Root,
    Namespace(i32),
    Page,
    Title,
    Id,
    Ns,
    Revision,
    Text,
    Other,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(
        path: &Path,
        text: Box<dyn BufRead + Send>,
        wanted: &'a Wanted,
    ) -> Result<Pages<'a>> {
        let place = |name: &String| {
            let place = FIELDS.iter().position(|field| field == name);
            place.ok_or_else(|| no_field(path, name, FIELDS))
        };
        Ok(Pages {
            path: path.to_owned(),
            reader: Reader::from_reader(Limited::new(text, "is it a dump of a wiki?")),
            wanted,
            fields: wanted.names().iter().map(place).collect::<Result<_>>()?,
            buffer: Vec::new(),
            page: Page::default(),
            open: Vec::new(),
            namespaces: Vec::new(),
            begun: false,
        })
    }

    fn failed(&self, problem: impl std::fmt::Display) -> Error {
        Error::Unreadable {
            path: self.path.clone(),
            place: format!("byte {} of its text", self.reader.buffer_position()),
            problem: problem.to_string(),
        }
    }

    /// Takes the text between tags.
    fn take(&mut self, text: &str) -> Result<()> {
        let too_long = |taken: &str| taken.len() + text.len() > MOST_BYTES;
        let into = match self.open.as_slice() {
            [Element::Root, Element::Page, Element::Title] => &mut self.page.values[1],
            [Element::Root, Element::Page, Element::Id] => &mut self.page.values[2],
            [Element::Root, Element::Page, Element::Ns] => &mut self.page.namespace,
            [Element::Root, Element::Page, Element::Revision, Element::Text] => {
                &mut self.page.values[0]
            }
            [.., Element::Namespace(_)] => match self.namespaces.last_mut() {
                Some((_, name)) => name,
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        if too_long(into) {
            return Err(self.failed(format!("a page is longer than {} MiB", MOST_BYTES >> 20)));
        }
        into.push_str(text);
        Ok(())
    }

    fn begin(&mut self, name: &str, key: Option<i32>) -> Result<()> {
        if !self.begun && name != "mediawiki" {
            return Err(Error::Format {
                path: self.path.clone(),
                problem: format!(
                    "is no dump of a MediaWiki: it starts with <{name}>, not with <mediawiki>; set \
                     format = \"text\" to read it as it is"
                ),
            });
        }
        self.begun = true;
        let element = match (self.open.last(), name) {
            (None, _) => Element::Root,
            (Some(Element::Root), "page") => {
                self.page = Page::default();
                Element::Page
            }
            (Some(Element::Page), "title") => Element::Title,
            (Some(Element::Page), "id") => Element::Id,
            (Some(Element::Page), "ns") => Element::Ns,
            (Some(Element::Page), "redirect") => {
                self.page.redirect = true;
                Element::Other
            }
            (Some(Element::Page), "revision") => Element::Revision,
            (Some(Element::Revision), "text") => {
                self.page.values[0].clear();
                Element::Text
            }
            (_, "namespace") => {
                let key = key.unwrap_or(0);
                self.namespaces.push((key, String::new()));
                Element::Namespace(key)
            }
            _ => Element::Other,
        };
        if self.open.len() > 64 {
            return Err(self.failed("its elements are nested too deeply"));
        }
        self.open.push(element);
        Ok(())
    }

    /// Reads on to the end of the next page; false at the end of the dump.
    fn read_page(&mut self) -> Result<bool> {
        loop {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            self.reader.get_mut().renew();
            let event = self.reader.read_event_into(&mut buffer);
            let mut ended = None;
            match event {
                Err(quick_xml::Error::Io(source)) => {
                    let source = std::io::Error::new(source.kind(), source.to_string());
                    return Err(Error::Read { path: self.path.clone(), source });
                }
                Err(error) => return Err(self.failed(error)),
                Ok(Event::Start(tag)) => {
                    let key = attribute(&tag);
                    self.begin(tag.name().as_ref(), key)?;
                }
                Ok(Event::Empty(tag)) => {
                    let key = attribute(&tag);
                    self.begin(tag.name().as_ref(), key)?;
                    ended = self.open.pop();
                }
                Ok(Event::End(_)) => ended = self.open.pop(),
                Ok(Event::Text(text)) => self.take(&text)?,
                Ok(Event::CData(text)) => self.take(&text)?,
                Ok(Event::GeneralRef(name)) => {
                    let character = name.resolve_char_ref();
                    match character {
                        Ok(Some(c)) => self.take(c.encode_utf8(&mut [0; 4]))?,
                        _ => match quick_xml::escape::resolve_predefined_entity(&name) {
                            Some(text) => self.take(text)?,
                            None => self.take(&format!("&{};", &*name))?,
                        },
                    }
                }
                Ok(Event::Eof) => {
                    return match (self.open.is_empty(), self.begun) {
                        (true, true) => Ok(false),
                        (true, false) => Err(Error::Format {
                            path: self.path.clone(),
                            problem: "is no dump of a MediaWiki: it has no <mediawiki> in it"
                                .to_owned(),
                        }),
                        (false, _) => {
                            Err(self.failed("the dump ends in the middle; fetch it again"))
                        }
                    };
                }
                Ok(_) => {}
            }
            self.buffer = buffer;
            if ended == Some(Element::Page) {
                return Ok(true);
            }
        }
    }
}

/// The attribute `key`, a number.
fn attribute(tag: &quick_xml::events::BytesStart<'_>) -> Option<i32> {
    let key = tag.try_get_attribute("key").ok()??;
    key.value.parse().ok()
}

impl Records for Pages<'_> {
    fn next(&mut self, cutter: &mut RecordCutter, counts: &mut RecordCounts) -> Result<bool> {
        loop {
            let before = self.reader.buffer_position();
            if !self.read_page()? {
                return Ok(false);
            }
            counts.bytes += self.reader.buffer_position() - before;
            let namespace = self.page.namespace.trim();
            if self.page.redirect || !matches!(namespace, "" | "0") {
                counts.not_articles += 1;
                continue;
            }
            let values: Vec<Option<Cow<'_, str>>> = self
                .fields
                .iter()
                .map(|&field| Some(Cow::Borrowed(self.page.values[field].as_str())))
                .collect();
            if !self.wanted.admits(&values) {
                counts.filtered += 1;
                continue;
            }
            let text = values[0].as_deref().unwrap_or_default();
            cutter.push_text(Form::Wikitext, text.as_bytes(), self.wanted.kept(&values));
            return Ok(true);
        }
    }

    fn namespaces(&mut self) -> Option<Vec<(i32, String)>> {
        let names = std::mem::take(&mut self.namespaces);
        (!names.is_empty()).then_some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TokenizeSettings;
    use proptest::prelude::*;

    type Read = (Vec<(String, Vec<Option<String>>)>, RecordCounts, Vec<(i32, String)>);

    fn pages(dump: &[u8], metadata: &[&str]) -> Result<Read> {
        let settings = TokenizeSettings {
            metadata: metadata.iter().map(|&name| name.to_owned()).collect(),
            ..TokenizeSettings::default()
        };
        let wanted = Wanted::new(&settings);
        let content = Box::new(std::io::Cursor::new(dump.to_vec()));
        let mut pages = Pages::new(Path::new("dump.xml"), content, &wanted)?;
        let mut cutter = RecordCutter::new(1 << 20);
        let mut counts = RecordCounts::default();
        let mut namespaces = Vec::new();
        while pages.next(&mut cutter, &mut counts)? {
            namespaces.extend(pages.namespaces().into_iter().flatten());
        }
        let segment = cutter.finish();
        let found = segment.map(|segment| segment.records().collect()).unwrap_or_default();
        Ok((found, counts, namespaces))
    }

    const DUMP: &str = r#"<?xml version="1.0"?><mediawiki xml:lang="de">
  <siteinfo><sitename>Probe</sitename><namespaces>
    <namespace key="0" /><namespace key="6">Datei</namespace>
  </namespaces></siteinfo>
  <page><title>Mühle &amp; Bach</title><ns>0</ns><id>7</id>
    <revision><id>99</id><text bytes="3">alt</text></revision>
    <revision><id>100</id><contributor><id>5</id></contributor>
      <text xml:space="preserve">Eine '''Mühle''' &lt;ref&gt;x&lt;/ref&gt; &#33; &quot;so&quot;&amp;nbsp;da</text></revision>
  </page>
  <page><title>Weg</title><ns>0</ns><id>8</id><redirect title="Mühle" /><revision><text>#REDIRECT [[Mühle]]</text></revision></page>
  <page><title>Talk:Mühle</title><ns>1</ns><id>9</id><revision><text>hm</text></revision></page>
  <page><title>Leer</title><ns>0</ns><id>10</id><revision><text /></revision></page>
</mediawiki>
"#;

    #[test]
    fn the_articles_of_a_dump() {
        let (found, counts, namespaces) = pages(DUMP.as_bytes(), &["title", "id"]).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (
                    "Eine '''Mühle''' <ref>x</ref> ! \"so\"&nbsp;da".to_owned(),
                    vec![some("Mühle & Bach"), some("7")]
                ),
                (String::new(), vec![some("Leer"), some("10")]),
            ]
        );
        assert_eq!(counts.not_articles, 2);
        assert_eq!(namespaces, [(0, String::new()), (6, "Datei".to_owned())]);
    }

    #[test]
    fn what_is_no_dump_is_refused() {
        let error = |dump: &str| pages(dump.as_bytes(), &[]).unwrap_err().to_string();
        assert!(error("<html><body/></html>").contains("<html>"));
        assert!(error(&DUMP[..DUMP.len() / 2]).contains("ends in the middle"));
        assert!(error("<mediawiki><page></revision></page></mediawiki>").contains("byte "));
        let error = pages(DUMP.as_bytes(), &["author"]).unwrap_err().to_string();
        assert!(error.contains("\"author\"") && error.contains("\"title\""), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            cut in 0..DUMP.len(),
            bytes in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let broken = [&DUMP.as_bytes()[..cut], &bytes, &DUMP.as_bytes()[cut..]].concat();
            let _either = pages(&broken, &["id"]);
        }
    }
}
