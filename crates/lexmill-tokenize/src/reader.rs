//! Text out of a corpus file: plain, gzip, zstd, bzip2 or xz, told apart by their first bytes, and
//! decoded from the encoding that the settings name.
//!
//! Further containers plug in here: a new arm of [`open`] that returns the decoded stream.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{Decoder, DecoderResult, Encoding};

use crate::{Error, Result};

const BUFFER: usize = 1 << 17;

/// What stands where in files that are not text, and what to say about them.
const FOREIGN: [(usize, &[u8], &str); 5] = [
    (0, b"PK\x03\x04", "is a zip archive; unpack it first"),
    (0, b"7z\xBC\xAF\x27\x1C", "is a 7z archive; unpack it first"),
    (257, b"ustar", "is a tar archive; unpack it first"),
    (0, b"PAR1", "is a Parquet file; set format = \"parquet\", or name it so: FILE.parquet"),
    (0, b"%PDF-", "is a PDF; extract its text first"),
];

/// Bytes that were read of a file as it lies on the disk, packed or not.
pub(crate) type Taken = Arc<AtomicU64>;

/// A file of which is counted what was read.
struct Counted {
    file: File,
    taken: Taken,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens a corpus file, `-` being standard input, and decodes it if it is in another `encoding` than
/// UTF-8. Returns the text and whether a byte order mark was taken off its start.
pub(crate) fn open(
    path: &Path,
    encoding: Option<&'static Encoding>,
    taken: &Taken,
) -> Result<(Box<dyn BufRead + Send>, bool)> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let raw: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(Counted { file: File::open(path).map_err(read)?, taken: taken.clone() })
    };
    let (start, raw) = start_of(raw).map_err(read)?;
    let raw = BufReader::with_capacity(BUFFER, raw);
    let text: Box<dyn Read + Send> = if start.starts_with(b"\x1F\x8B") {
        Box::new(flate2::bufread::MultiGzDecoder::new(raw))
    } else if start.starts_with(b"\x28\xB5\x2F\xFD") || is_skippable_zstd(&start) {
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
    let (start, text) = start_of(text).map_err(read)?;
    let mut text = BufReader::with_capacity(BUFFER, text);
    let refused = |problem: String| Error::Format { path: path.to_owned(), problem };
    if let Some((.., problem)) = FOREIGN
        .iter()
        .find(|(at, magic, _)| start.get(*at..).is_some_and(|start| start.starts_with(magic)))
    {
        return Err(refused((*problem).to_owned()));
    }
    let marked = Encoding::for_bom(&start);
    let wanted = encoding.unwrap_or(encoding_rs::UTF_8);
    if let Some((marked, _)) = marked.filter(|(marked, _)| *marked != wanted) {
        let name = marked.name().to_ascii_lowercase();
        return Err(refused(format!(
            "is {} (it starts with its byte order mark); set encoding = {name:?}",
            marked.name()
        )));
    }
    let mark = marked.map_or(0, |(_, length)| length);
    // The mark is in the buffer: the start that was gathered comes first, in one piece.
    text.fill_buf().map_err(read)?;
    text.consume(mark);
    let Some(encoding) = encoding else { return Ok((Box::new(text), mark > 0)) };
    let decoded = Decoded {
        inner: text,
        decoder: encoding.new_decoder_without_bom_handling(),
        encoding,
        read: mark as u64,
        text: String::new(),
        at: 0,
        ended: false,
    };
    Ok((Box::new(BufReader::with_capacity(BUFFER, decoded)), mark > 0))
}

/// The number, from 1, of the line that begins after so many bytes of a file's text; nothing if it can't
/// be read once more.
pub(crate) fn line_after(
    path: &Path,
    encoding: Option<&'static Encoding>,
    bytes: u64,
) -> Option<u64> {
    // A pipe is over, or would wait for ever.
    if !path.metadata().is_ok_and(|file| file.is_file()) {
        return None;
    }
    let (text, _) = open(path, encoding, &Taken::default()).ok()?;
    let mut before = text.take(bytes);
    let mut line = 1;
    loop {
        let part = before.fill_buf().ok()?;
        if part.is_empty() {
            return Some(line);
        }
        line += memchr::memchr_iter(b'\n', part).count() as u64;
        let length = part.len();
        before.consume(length);
    }
}

/// Bytes that tell what a file is.
const START: usize = 512;

/// The first bytes, and all bytes. A pipe gives them in pieces.
fn start_of<R: Read>(mut inner: R) -> std::io::Result<(Vec<u8>, impl Read + use<R>)> {
    let mut start = Vec::with_capacity(START);
    inner.by_ref().take(START as u64).read_to_end(&mut start)?;
    Ok((start.clone(), std::io::Cursor::new(start).chain(inner)))
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
    /// The decoder has seen the end, and must not be asked again.
    ended: bool,
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.text.clear();
            self.at = 0;
            let bytes = match self.inner.fill_buf() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
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
            self.ended = last;
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
        let (mut text, mark) =
            open(&path, Some(encoding).filter(|&e| e != encoding_rs::UTF_8), &Taken::default())?;
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

    type Container = fn(&[u8]) -> Vec<u8>;
    const CONTAINERS: [Container; 4] = [gzip, bzip, xz, zstd];

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
    fn lines_are_counted_in_the_text() {
        let directory = tempfile::tempdir().unwrap();
        let text = b"\xEF\xBB\xBFone\ntwo\r\n\nfour";
        for (name, bytes) in [("a.txt", text.to_vec()), ("a.gz", gzip(text))] {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            for (before, line) in [(0, 1), (3, 1), (4, 2), (9, 3), (10, 4)] {
                assert_eq!(line_after(&path, None, before), Some(line), "{name} {before}");
            }
        }
        assert_eq!(line_after(Path::new("-"), None, 0), None);
        assert_eq!(line_after(directory.path(), None, 0), None);
    }

    /// A pipe that gives a byte at a time.
    struct Drip<'a>(&'a [u8]);
    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let some = self.0.len().min(buffer.len()).min(1);
            buffer[..some].copy_from_slice(&self.0[..some]);
            self.0 = &self.0[some..];
            Ok(some)
        }
    }

    #[test]
    fn the_start_of_a_pipe_is_gathered() {
        let (start, mut all) = start_of(Drip(b"some text")).unwrap();
        assert_eq!(start, b"some text");
        let mut text = String::new();
        all.read_to_string(&mut text).unwrap();
        assert_eq!(text, "some text");
    }

    #[test]
    fn a_mark_of_another_encoding_is_an_error() {
        let error = |content: &[u8], encoding| read_as(content, encoding).unwrap_err().to_string();
        assert!(error(b"\xFF\xFEa\0", "latin1").contains("encoding = \"utf-16le\""));
        assert!(error(b"\xFE\xFF\0a", "utf-16").contains("encoding = \"utf-16be\""));
        assert!(error(b"\xEF\xBB\xBFa", "gb18030").contains("encoding = \"utf-8\""));
        assert!(error(b"PK\x03\x04zip", "latin1").contains("zip"));
        let mut tar = vec![b'a'; 600];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(error(&gzip(&tar), "utf-8").contains("tar"));
    }

    #[test]
    fn a_reader_that_is_asked_again_at_the_end_says_so_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        for content in [&b""[..], b"gr\xFC\xDFe"] {
            std::fs::write(&path, content).unwrap();
            let (mut text, _) =
                open(&path, Some(encoding_rs::WINDOWS_1252), &Taken::default()).unwrap();
            std::io::copy(&mut text, &mut std::io::sink()).unwrap();
            for _ in 0..3 {
                assert_eq!(text.read(&mut [0; 8]).unwrap(), 0);
            }
        }
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
