//! A Parquet column chunk of lists of words, encoded from keys that are known already.
//!
//! The library's own dictionary encoder hashes every value again to find its key, which took a tenth
//! of the time from text to counts. Here the keys are the tokens' ids and the dictionary page is the
//! shard's words, so a page is just packed bits. Layout: a dictionary page (PLAIN byte arrays), then
//! data pages of version 1: repetition levels, definition levels, keys, all in the RLE / bit-packing
//! hybrid (Parquet format specification, "Encodings"), each page compressed as a whole.

use std::io::Read;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::tokens::Tokens;

/// Tokens of a page, more or less: pages end with documents.
const PAGE_TOKENS: usize = 1 << 17;
/// The compression level of all our pages.
const LEVEL: i32 = 1;

/// Encodes the column `description`, whose values are lists of words without nulls. Returns the
/// chunk's bytes and what the file's footer says of it.
pub(super) fn encode_lists<'a>(
    description: ColumnDescPtr,
    words: impl Iterator<Item = &'a [u8]>,
    tokens: &Tokens,
) -> Result<(Vec<u8>, ColumnCloseResult)> {
    let mut sink = TrackedWrite::new(Vec::new());
    let mut pages = SerializedPageWriter::new(&mut sink);
    let mut specs = Vec::new();

    let mut dictionary = Vec::new();
    let mut count = 0u32;
    for word in words {
        dictionary.extend_from_slice(&(word.len() as u32).to_le_bytes());
        dictionary.extend_from_slice(word);
        count += 1;
    }
    let page = Page::DictionaryPage {
        buf: compress(&dictionary)?.into(),
        num_values: count,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    specs.push(pages.write_page(CompressedPage::new(page, dictionary.len()))?);

    let width = (32 - count.saturating_sub(1).leading_zeros()).max(1);
    let mut first_row = 0;
    while first_row < tokens.ends.len() {
        let start = if first_row == 0 { 0 } else { tokens.ends[first_row - 1] };
        let mut end_row = first_row + 1;
        while end_row < tokens.ends.len() && tokens.ends[end_row] - start <= PAGE_TOKENS {
            end_row += 1;
        }
        let (content, values) = data_page(tokens, first_row..end_row, start, width);
        let page = Page::DataPage {
            buf: compress(&content)?.into(),
            num_values: values,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        specs.push(pages.write_page(CompressedPage::new(page, content.len()))?);
        first_row = end_row;
    }
    pages.close()?;
    let bytes = sink.into_inner()?;
    let close = close(description, &specs, bytes.len(), tokens.ends.len())?;
    Ok((bytes, close))
}

/// The content of a data page before compression, and the number of its levels.
fn data_page(
    tokens: &Tokens,
    rows: std::ops::Range<usize>,
    first_token: usize,
    width: u32,
) -> (Vec<u8>, u32) {
    let ids = &tokens.ids[first_token..tokens.ends[rows.end - 1]];
    let (mut repetition, mut definition) = (Bits::new(1), Bits::new(1));
    let mut start = first_token;
    for row in rows {
        let length = tokens.ends[row] - start;
        start = tokens.ends[row];
        // An empty list is one level of each kind and no value.
        repetition.push(0);
        definition.push(u32::from(length > 0));
        for _ in 1..length {
            repetition.push(1);
            definition.push(1);
        }
    }
    let levels = repetition.count;
    let mut content = Vec::with_capacity(ids.len() * width as usize / 8 + levels / 4 + 64);
    for level in [repetition, definition] {
        let encoded = level.finish();
        content.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
        content.extend_from_slice(&encoded);
    }
    content.push(width as u8);
    let mut keys = Bits::new(width);
    ids.iter().for_each(|&id| keys.push(id));
    content.extend_from_slice(&keys.finish());
    (content, levels as u32)
}

/// One bit-packed run of numbers of `width` bits.
struct Bits {
    width: u32,
    packed: Vec<u8>,
    pending: u64,
    bits: u32,
    count: usize,
}

impl Bits {
    fn new(width: u32) -> Bits {
        Bits { width, packed: Vec::new(), pending: 0, bits: 0, count: 0 }
    }

    #[inline(always)]
    fn push(&mut self, number: u32) {
        self.pending |= u64::from(number) << self.bits;
        self.bits += self.width;
        self.count += 1;
        if self.bits >= 32 {
            self.packed.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.bits -= 32;
        }
    }

    /// The run with its header: groups of eight, padded with zeros.
    fn finish(mut self) -> Vec<u8> {
        let groups = self.count.div_ceil(8);
        self.packed.extend_from_slice(&self.pending.to_le_bytes());
        self.packed.resize(groups * self.width as usize, 0);
        let mut run = Vec::with_capacity(self.packed.len() + 5);
        let mut header = (groups as u64) << 1 | 1;
        while header >= 0x80 {
            run.push(header as u8 | 0x80);
            header >>= 7;
        }
        run.push(header as u8);
        run.append(&mut self.packed);
        run
    }
}

fn compress(content: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    zstd::stream::read::Encoder::new(content, LEVEL)
        .and_then(|mut encoder| encoder.read_to_end(&mut compressed))
        .map_err(|error| ParquetError::External(Box::new(error)))?;
    Ok(compressed)
}

fn close(
    description: ColumnDescPtr,
    specs: &[PageWriteSpec],
    bytes: usize,
    rows: usize,
) -> Result<ColumnCloseResult> {
    let data = &specs[1..];
    let uncompressed: usize = specs.iter().map(|spec| spec.uncompressed_size).sum();
    let values: u64 = data.iter().map(|spec| u64::from(spec.num_values)).sum();
    let metadata = ColumnChunkMetaData::builder(description)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
        .set_num_values(values as i64)
        .set_total_compressed_size(bytes as i64)
        .set_total_uncompressed_size(uncompressed as i64)
        .set_dictionary_page_offset(Some(specs[0].offset as i64))
        .set_data_page_offset(data.first().map_or(bytes as u64, |spec| spec.offset) as i64)
        .build()?;
    Ok(ColumnCloseResult {
        bytes_written: bytes as u64,
        rows_written: rows as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_packed_from_the_lowest_bit_on() {
        // The example of the Parquet specification: 0 to 7 in three bits each.
        let mut bits = Bits::new(3);
        (0..8).for_each(|number| bits.push(number));
        assert_eq!(bits.finish(), [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        let mut bits = Bits::new(32);
        bits.push(u32::MAX);
        bits.push(7);
        assert_eq!(bits.finish()[..9], [3, 255, 255, 255, 255, 7, 0, 0, 0]);
        assert_eq!(Bits::new(5).finish(), [1]);
    }
}
