//! Text out of a corpus file: plain, gzip, zstd, bzip2 or xz, told apart by their first bytes, and
//! decoded from the encoding that the settings name.
//!
//! Further containers plug in here: a new arm of [`open`] that returns the decoded stream.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::{Decoder, DecoderResult, Encoding};

use crate::{Error, Result};

const BUFFER: usize = 1 << 17;

/// Starts of files that are not text, and what to say about them.
const FOREIGN: [(&[u8], &str); 6] = [
    (b"PK\x03\x04", "is a zip archive; unpack it first"),
    (b"7z\xBC\xAF\x27\x1C", "is a 7z archive; unpack it first"),
    (b"PAR1", "is a Parquet file; set format = \"parquet\", or name it so: FILE.parquet"),
    (b"\xFF\xFE", "is UTF-16 (it starts with its byte order mark); set encoding = \"utf-16le\""),
    (b"\xFE\xFF", "is UTF-16 (it starts with its byte order mark); set encoding = \"utf-16be\""),
    (b"%PDF-", "is a PDF; extract its text first"),
];

/// Opens a corpus file, `-` being standard input, and decodes it if it is in another `encoding` than
/// UTF-8. Returns the text and whether a byte order mark was taken off its start.
pub(crate) fn open(
    path: &Path,
    encoding: Option<&'static Encoding>,
) -> Result<(Box<dyn BufRead + Send>, bool)> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let raw: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).map_err(read)?)
    };
    let mut raw = BufReader::with_capacity(BUFFER, raw);
    let start = fill(&mut raw).map_err(read)?;
    let text: Box<dyn Read + Send> = if start.starts_with(b"\x1F\x8B") {
        Box::new(flate2::bufread::MultiGzDecoder::new(raw))
    } else if start.starts_with(b"\x28\xB5\x2F\xFD") || is_skippable_zstd(start) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(raw).map_err(read)?;
        // Files made with `zstd --long` need up to 2 GiB of window.
        decoder.window_log_max(31).map_err(read)?;
        Box::new(decoder)
    } else if start.starts_with(b"BZh") {
        Box::new(bzip2::bufread::MultiBzDecoder::new(raw))
    } else if start.starts_with(b"\xFD7zXZ\0") {
        Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(raw))
    } else {
        Box::new(raw)
    };
    let mut text = BufReader::with_capacity(BUFFER, text);
    let start = fill(&mut text).map_err(read)?;
    if let Some(encoding) = encoding {
        let mark = Encoding::for_bom(start).is_some_and(|(marked, _)| marked == encoding);
        let decoder = encoding.new_decoder_with_bom_removal();
        let decoded =
            Decoded { inner: text, decoder, encoding, read: 0, text: String::new(), at: 0 };
        return Ok((Box::new(BufReader::with_capacity(BUFFER, decoded)), mark));
    }
    if let Some((_, problem)) = FOREIGN.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(Error::Format { path: path.to_owned(), problem: (*problem).to_owned() });
    }
    let mark = start.starts_with(b"\xEF\xBB\xBF");
    if mark {
        text.consume(3);
    }
    Ok((Box::new(text), mark))
}

/// Bytes of another encoding, read as UTF-8.
struct Decoded<R> {
    inner: R,
    decoder: Decoder,
    encoding: &'static Encoding,
    /// Bytes taken from `inner`.
    read: u64,
    text: String,
    /// How much of `text` is given away.
    at: usize,
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.text.len() {
            self.text.clear();
            self.at = 0;
            let bytes = fill(&mut self.inner)?;
            let last = bytes.is_empty();
            let room = self.decoder.max_utf8_buffer_length_without_replacement(bytes.len());
            self.text.reserve(room.unwrap_or(4 * BUFFER));
            let (result, taken) =
                self.decoder.decode_to_string_without_replacement(bytes, &mut self.text, last);
            self.inner.consume(taken);
            self.read += taken as u64;
            if let DecoderResult::Malformed(length, after) = result {
                let offset = self.read.saturating_sub(u64::from(length) + u64::from(after));
                return Err(std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    format!(
                        "byte {offset} of its text is not {}; set encoding to the one it has",
                        self.encoding.name()
                    ),
                ));
            }
            if last && self.text.is_empty() {
                return Ok(0);
            }
        }
        let given = (self.text.len() - self.at).min(buffer.len());
        buffer[..given].copy_from_slice(&self.text.as_bytes()[self.at..][..given]);
        self.at += given;
        Ok(given)
    }
}

fn is_skippable_zstd(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..])
}

/// The first bytes; a pipe may give them in pieces, but never an empty piece before the end.
fn fill(reader: &mut impl BufRead) -> std::io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    reader.fill_buf()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn read_as(content: &[u8], encoding: &str) -> Result<(Vec<u8>, bool)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        File::options().create(true).append(true).open(&path).unwrap().write_all(content).unwrap();
        let encoding = Encoding::for_label(encoding.as_bytes()).unwrap();
        let (mut text, mark) = open(&path, Some(encoding).filter(|&e| e != encoding_rs::UTF_8))?;
        let mut bytes = Vec::new();
        text.read_to_end(&mut bytes).map_err(|source| Error::Read { path, source })?;
        Ok((bytes, mark))
    }

    fn read(content: &[u8]) -> Result<(Vec<u8>, bool)> {
        read_as(content, "utf-8")
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(text: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 1).unwrap()
    }

    const CONTAINERS: [fn(&[u8]) -> Vec<u8>; 4] = [gzip, bzip, xz, zstd];

    #[test]
    fn compression_is_told_by_content() {
        let text = b"some text ".repeat(1000);
        assert_eq!(read(&text).unwrap(), (text.clone(), false));
        for container in CONTAINERS {
            assert_eq!(read(&container(&text)).unwrap().0, text);
            // Several members or frames, one after another, are one text.
            assert_eq!(
                read(&[container(&text), container(b"end")].concat()).unwrap().0,
                [&text[..], b"end"].concat()
            );
        }
        assert_eq!(read(b"").unwrap().0, b"");
        assert_eq!(read(b"\xEF\xBB\xBFa").unwrap(), (b"a".to_vec(), true));
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        let text: Vec<u8> = (0..5000u32).flat_map(u32::to_le_bytes).collect();
        for container in CONTAINERS {
            let whole = container(&text);
            let error = read(&whole[..whole.len() / 2]).unwrap_err().to_string();
            assert!(error.contains("could not read"), "{error}");
        }
    }

    #[test]
    fn what_is_not_text_is_refused() {
        for content in
            [&b"PK\x03\x04zip"[..], b"\xFF\xFEa\0", b"\xFE\xFF\0a", b"PAR1xxxx", b"%PDF-1"]
        {
            assert!(matches!(read(content), Err(Error::Format { .. })));
        }
    }

    #[test]
    fn other_encodings_are_decoded() {
        let text = "漢字とかな, grüße";
        for name in ["gb18030", "utf-16le", "utf-16be"] {
            let bytes = match name {
                "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                _ => encoding_rs::GB18030.encode(text).0.into_owned(),
            };
            assert_eq!(read_as(&bytes, name).unwrap().0, text.as_bytes(), "{name}");
            assert_eq!(read_as(&gzip(&bytes), name).unwrap().0, text.as_bytes(), "{name}");
        }
        assert_eq!(read_as(b"\xFF\xFEa\0", "utf-16le").unwrap(), (b"a".to_vec(), true));
        assert_eq!(read_as(b"gr\xFC\xDFe", "latin1").unwrap().0, "grüße".as_bytes());
    }

    #[test]
    fn a_wrong_encoding_is_an_error_with_its_place() {
        let bytes = [&b"plain text, then "[..], b"\x81\x20", &b"x".repeat(300_000)].concat();
        let error = read_as(&bytes, "shift_jis").unwrap_err().to_string();
        assert!(error.contains("byte 17 ") && error.contains("Shift_JIS"), "{error}");
        // An odd number of bytes.
        let error = read_as(b"a\0b", "utf-16le").unwrap_err().to_string();
        assert!(error.contains("byte 2 "), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            start in prop::sample::select(vec![
                &b""[..], b"\x1F\x8B\x08\0", b"\x28\xB5\x2F\xFD", b"BZh9", b"\xFD7zXZ\0", b"\x50\x2A\x4D\x18",
            ]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            encoding in prop::sample::select(vec!["utf-8", "gb18030", "big5", "shift_jis", "utf-16le", "latin1"]),
        ) {
            let content = [start, &bytes[..]].concat();
            if let Ok((text, _)) = read_as(&content, encoding)
                && encoding != "utf-8"
            {
                prop_assert!(String::from_utf8(text).is_ok());
            }
        }
    }
}
