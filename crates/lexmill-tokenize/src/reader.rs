//! Bytes of text out of a corpus file: plain, gzip or zstd, told apart by their first bytes.
//!
//! Further containers plug in here: a new arm of [`open`] that returns the decoded stream.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::{Error, Result};

const BUFFER: usize = 1 << 17;

/// Starts of files that are not text, and what to say about them.
const FOREIGN: [(&[u8], &str); 7] = [
    (
        b"BZh",
        "is compressed with bzip2, which is not read yet; pipe it: bzcat FILE | lexmill ... -",
    ),
    (
        b"\xFD7zXZ\0",
        "is compressed with xz, which is not read yet; pipe it: xzcat FILE | lexmill ... -",
    ),
    (b"PK\x03\x04", "is a zip archive; unpack it first"),
    (b"PAR1", "is a Parquet file, which is not read as a corpus yet"),
    (
        b"\xFF\xFE",
        "is UTF-16 (it starts with its byte order mark); convert it: iconv -f UTF-16 -t UTF-8",
    ),
    (
        b"\xFE\xFF",
        "is UTF-16 (it starts with its byte order mark); convert it: iconv -f UTF-16 -t UTF-8",
    ),
    (b"%PDF-", "is a PDF; extract its text first"),
];

/// Opens a corpus file, `-` being standard input. Returns the text and whether a UTF-8 byte order
/// mark was taken off its start.
pub(crate) fn open(path: &Path) -> Result<(Box<dyn Read + Send>, bool)> {
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
    } else {
        Box::new(raw)
    };
    let mut text = BufReader::with_capacity(BUFFER, text);
    let start = fill(&mut text).map_err(read)?;
    if let Some((_, problem)) = FOREIGN.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(Error::Format { path: path.to_owned(), problem: (*problem).to_owned() });
    }
    let mark = start.starts_with(b"\xEF\xBB\xBF");
    if mark {
        text.consume(3);
    }
    Ok((Box::new(text), mark))
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
    use std::io::Write;

    fn read(content: &[u8]) -> Result<(Vec<u8>, bool)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        File::options().create(true).append(true).open(&path).unwrap().write_all(content).unwrap();
        let (mut text, mark) = open(&path)?;
        let mut bytes = Vec::new();
        text.read_to_end(&mut bytes).map_err(|source| Error::Read { path, source })?;
        Ok((bytes, mark))
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compression_is_told_by_content() {
        let text = b"some text ".repeat(1000);
        let zst = zstd::encode_all(&text[..], 1).unwrap();
        assert_eq!(read(&text).unwrap(), (text.clone(), false));
        assert_eq!(read(&gzip(&text)).unwrap().0, text);
        assert_eq!(read(&zst).unwrap().0, text);
        // Several members or frames, one after another, are one text.
        assert_eq!(
            read(&[gzip(&text), gzip(b"end")].concat()).unwrap().0,
            [&text[..], b"end"].concat()
        );
        assert_eq!(read(&[zst.clone(), zst].concat()).unwrap().0, text.repeat(2));
        assert_eq!(read(b"").unwrap().0, b"");
        assert_eq!(read(b"\xEF\xBB\xBFa").unwrap(), (b"a".to_vec(), true));
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        let text = b"some text ".repeat(1000);
        for whole in [gzip(&text), zstd::encode_all(&text[..], 1).unwrap()] {
            let error = read(&whole[..whole.len() / 2]).unwrap_err().to_string();
            assert!(error.contains("could not read"), "{error}");
        }
    }

    #[test]
    fn what_is_not_text_is_refused() {
        for content in [&b"BZh91AY"[..], b"\xFD7zXZ\0\0", b"\xFF\xFEa\0", b"PAR1xxxx"] {
            assert!(matches!(read(content), Err(Error::Format { .. })));
        }
    }
}
