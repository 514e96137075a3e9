//! Headers of a Parquet file, looked through before the library reads them.
//!
//! What it does not know the library passes over element by element, as many as a list is said to have. Some
//! take no bytes (booleans; and of a page's header, which is read from the file as it comes, all that lie
//! behind its end), and so a file of two kilobytes kept it busy for many minutes. Here no list may have more
//! elements than there are bytes, and none that take none.
//!
//! The library goes by the numbers of fields and takes their types for granted. So that it reads what was
//! looked through here, fields of the format (parquet.thrift; and the compact protocol of Thrift) must have
//! their types.

use self::Type::{Binary, Bool, Byte, Double, I16, I32, I64, List, Struct};

/// Nested structures and lists at most, as in the library.
const DEPTH: u32 = 64;

/// The type of a field.
#[derive(Clone, Copy)]
enum Type {
    Bool,
    Byte,
    I16,
    I32,
    I64,
    Double,
    Binary,
    List(&'static Type),
    Struct(Fields),
}

/// The fields of a structure or a union, by number.
type Fields = &'static [(i16, Type)];

const STATISTICS: Fields = &[
    (1, Binary),
    (2, Binary),
    (3, I64),
    (4, I64),
    (5, Binary),
    (6, Binary),
    (7, Bool),
    (8, Bool),
    (9, I64),
];

const PAGE_HEADER: Fields = &[
    (1, I32),
    (2, I32),
    (COMPRESSED_SIZE, I32),
    (4, I32),
    (5, Struct(&[(1, I32), (2, I32), (3, I32), (4, I32), (5, Struct(STATISTICS))])),
    (6, Struct(&[])),
    (7, Struct(&[(1, I32), (2, I32), (3, Bool)])),
    (
        8,
        Struct(&[
            (1, I32),
            (2, I32),
            (3, I32),
            (4, I32),
            (5, I32),
            (6, I32),
            (7, Bool),
            (8, Struct(STATISTICS)),
        ]),
    ),
];
/// Of a page, without its header.
const COMPRESSED_SIZE: i16 = 3;
/// The [`kind`](PageHeader::kind) of pages that hold a dictionary.
pub(super) const DICTIONARY_PAGE: i64 = 2;

const EMPTY: Type = Struct(&[]);
const TIME: Type = Struct(&[(1, Bool), (2, Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))]);

const LOGICAL_TYPE: Fields = &[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, I32), (2, I32)])),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Binary)])),
    (18, Struct(&[(1, Binary), (2, I32)])),
    (19, EMPTY),
];

const SCHEMA_ELEMENT: Fields = &[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, Binary),
    (5, I32),
    (6, I32),
    (7, I32),
    (8, I32),
    (9, I32),
    (10, Struct(LOGICAL_TYPE)),
];

const KEY_VALUE: Fields = &[(1, Binary), (2, Binary)];

const BOUNDING_BOX: Fields = &[
    (1, Double),
    (2, Double),
    (3, Double),
    (4, Double),
    (5, Double),
    (6, Double),
    (7, Double),
    (8, Double),
];

const COLUMN_METADATA: Fields = &[
    (1, I32),
    (2, List(&I32)),
    (3, List(&Binary)),
    (4, I32),
    (5, I64),
    (6, I64),
    (7, I64),
    (8, List(&Struct(KEY_VALUE))),
    (9, I64),
    (10, I64),
    (11, I64),
    (12, Struct(STATISTICS)),
    (13, List(&Struct(&[(1, I32), (2, I32), (3, I32)]))),
    (14, I64),
    (15, I32),
    (16, Struct(&[(1, I64), (2, List(&I64)), (3, List(&I64))])),
    (17, Struct(&[(1, Struct(BOUNDING_BOX)), (2, List(&I32))])),
];

const COLUMN_CHUNK: Fields = &[
    (1, Binary),
    (2, I64),
    (3, Struct(COLUMN_METADATA)),
    (4, I64),
    (5, I32),
    (6, I64),
    (7, I32),
    (8, Struct(&[(1, EMPTY), (2, Struct(&[(1, List(&Binary)), (2, Binary)]))])),
    (9, Binary),
];

const ROW_GROUP: Fields = &[
    (1, List(&Struct(COLUMN_CHUNK))),
    (2, I64),
    (3, I64),
    (4, List(&Struct(&[(1, I32), (2, Bool), (3, Bool)]))),
    (5, I64),
    (6, I64),
    (7, I16),
];

const CIPHER: Type = Struct(&[(1, Binary), (2, Binary), (3, Bool)]);

const FILE_METADATA: Fields = &[
    (1, I32),
    (2, List(&Struct(SCHEMA_ELEMENT))),
    (3, I64),
    (4, List(&Struct(ROW_GROUP))),
    (5, List(&Struct(KEY_VALUE))),
    (6, Binary),
    (7, List(&Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))),
    (8, Struct(&[(1, CIPHER), (2, CIPHER)])),
    (9, Binary),
];

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// It goes on behind the end of the bytes.
    End,
    /// It is not as the format has it.
    Malformed,
}

type Result<T> = std::result::Result<T, Problem>;

/// Looks through a file's metadata, the footer without its length.
pub(super) fn check_metadata(bytes: &[u8]) -> Result<()> {
    Cursor { bytes }.structure(FILE_METADATA, DEPTH, &mut |_, _| {})
}

/// The header of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Bytes of the header itself.
    pub(super) length: usize,
    /// What the page holds, by number.
    pub(super) kind: i64,
    /// Bytes of the page behind it, as it says.
    pub(super) compressed_size: i64,
}

/// Looks through the header of the page at the start of `bytes`.
pub(super) fn page_header(bytes: &[u8]) -> Result<PageHeader> {
    let mut cursor = Cursor { bytes };
    // The type of the page and its two sizes, which none can be without.
    let mut numbers = [None; COMPRESSED_SIZE as usize];
    cursor.structure(PAGE_HEADER, DEPTH, &mut |field, number| {
        let place = usize::try_from(field - 1).ok().and_then(|place| numbers.get_mut(place));
        if let Some(place) = place {
            *place = Some(number);
        }
    })?;
    let [Some(kind), Some(_), Some(compressed_size)] = numbers else {
        return Err(Problem::Malformed);
    };
    Ok(PageHeader { length: bytes.len() - cursor.bytes.len(), kind, compressed_size })
}

/// What is left of a header.
struct Cursor<'a> {
    bytes: &'a [u8],
}

impl Cursor<'_> {
    fn pass(&mut self, bytes: u64) -> Result<()> {
        let bytes = usize::try_from(bytes).map_err(|_| Problem::End)?;
        self.bytes = self.bytes.get(bytes..).ok_or(Problem::End)?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8> {
        let &byte = self.bytes.first().ok_or(Problem::End)?;
        self.bytes = &self.bytes[1..];
        Ok(byte)
    }

    /// Seven bits a byte, the lowest first.
    fn number(&mut self) -> Result<u64> {
        let (mut number, mut shift) = (0, 0u32);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift = shift.wrapping_add(7);
        }
    }

    /// Numbers with the sign in the lowest bit.
    fn signed(&mut self) -> Result<i64> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// Calls `seen` with the whole numbers among the fields.
    fn structure(
        &mut self,
        fields: Fields,
        depth: u32,
        seen: &mut dyn FnMut(i16, i64),
    ) -> Result<()> {
        let mut field = 0i16;
        loop {
            let head = self.byte()?;
            let kind = head & 0xf;
            if kind == 0 {
                return Ok(());
            }
            field = match head >> 4 {
                0 => self.signed()? as i16,
                step => field.checked_add(i16::from(step)).ok_or(Problem::Malformed)?,
            };
            match fields.iter().find(|(number, _)| *number == field) {
                Some(&(_, wanted)) => {
                    if !wanted.is(kind) {
                        return Err(Problem::Malformed);
                    }
                    let number = self.value(wanted, depth)?;
                    seen(field, number);
                }
                None => self.unknown(kind, depth)?,
            }
        }
    }

    /// A value of a type that is known; returns whole numbers.
    fn value(&mut self, of: Type, depth: u32) -> Result<i64> {
        let depth = depth.checked_sub(1).ok_or(Problem::Malformed)?;
        match of {
            // Of fields the type says which.
            Bool => {}
            Byte => self.pass(1)?,
            // Of longer numbers the library takes what fits.
            I16 => return Ok(i64::from(self.signed()? as i16)),
            I32 => return Ok(i64::from(self.signed()? as i32)),
            I64 => return self.signed(),
            Double => self.pass(8)?,
            Binary => {
                let length = self.number()?;
                self.pass(length)?;
            }
            List(element) => {
                let (kind, count) = self.list()?;
                if count > 0 && !element.is(kind) {
                    return Err(Problem::Malformed);
                }
                for _ in 0..count {
                    self.value(*element, depth)?;
                }
            }
            Struct(fields) => self.structure(fields, depth, &mut |_, _| {})?,
        }
        Ok(0)
    }

    /// A value that the format has not, by the type that it says it has.
    fn unknown(&mut self, kind: u8, depth: u32) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or(Problem::Malformed)?;
        match kind {
            1 | 2 => Ok(()),
            3 => self.pass(1),
            4..=6 => self.number().map(|_| ()),
            7 => self.pass(8),
            8 => {
                let length = self.number()?;
                self.pass(length)
            }
            9 | 10 => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.unknown(kind, depth))
            }
            11 => {
                let count = self.number()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                self.is_room_for(count)?;
                let (key, value) = (kinds >> 4, kinds & 0xf);
                if takes_nothing(key) && takes_nothing(value) {
                    return Err(Problem::Malformed);
                }
                (0..count).try_for_each(|_| {
                    self.unknown(key, depth)?;
                    self.unknown(value, depth)
                })
            }
            12 => self.structure(&[], depth, &mut |_, _| {}),
            13 => self.pass(16),
            _ => Err(Problem::Malformed),
        }
    }

    /// The type and the number of the elements of a list or a set.
    fn list(&mut self) -> Result<(u8, u64)> {
        let head = self.byte()?;
        let (kind, count) = (head & 0xf, u64::from(head >> 4));
        let count = if count == 15 { self.number()? } else { count };
        if count > 0 && takes_nothing(kind) {
            return Err(Problem::Malformed);
        }
        self.is_room_for(count)?;
        Ok((kind, count))
    }

    /// Each element takes a byte at least.
    fn is_room_for(&self, count: u64) -> Result<()> {
        if count <= self.bytes.len() as u64 { Ok(()) } else { Err(Problem::End) }
    }
}

/// Whether the library passes over elements of this type without reading anything.
fn takes_nothing(kind: u8) -> bool {
    matches!(kind, 1 | 2)
}

impl Type {
    /// Whether this is what the protocol has this number for.
    fn is(self, kind: u8) -> bool {
        match self {
            Bool => matches!(kind, 1 | 2),
            Byte => kind == 3,
            I16 => kind == 4,
            I32 => kind == 5,
            I64 => kind == 6,
            Double => kind == 7,
            Binary => kind == 8,
            List(_) => kind == 9,
            Struct(_) => kind == 12,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float16Array, Float64Array,
        Int8Array, RecordBatch, StringArray, StructArray, Time64MicrosecondArray,
        TimestampMillisecondArray, UInt16Array,
    };
    use parquet::arrow::ArrowWriter;
    use parquet::file::metadata::{KeyValue, SortingColumn};
    use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
    use proptest::prelude::*;

    use super::*;

    /// A footer and the bytes before it, from a file.
    fn metadata(file: &[u8]) -> &[u8] {
        let end = file.len() - 8;
        let length = u32::from_le_bytes(file[end..end + 4].try_into().unwrap());
        &file[end - length as usize..end]
    }

    /// A table of columns of many types, with all that a writer may note about them.
    fn file(version: WriterVersion) -> Vec<u8> {
        let mut lists = ListBuilder::new(Int32Builder::new());
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for row in 0..500 {
            lists.values().append_value(row);
            lists.append(row % 3 > 0);
            maps.keys().append_value("key");
            maps.values().append_value(row);
            maps.append(true).unwrap();
        }
        let numbers = 0..500i64;
        let text: StringArray = numbers.clone().map(|i| Some(format!("word {i}"))).collect();
        let flags: BooleanArray =
            numbers.clone().map(|i| (i % 5 > 0).then_some(i % 2 == 0)).collect();
        let floats: Float64Array = numbers.clone().map(|i| Some(i as f64)).collect();
        let halves: Float16Array =
            numbers.clone().map(|i| Some(half::f16::from_f64(i as f64))).collect();
        let times: TimestampMillisecondArray = numbers.clone().map(Some).collect();
        let of_day: Time64MicrosecondArray = numbers.clone().map(Some).collect();
        let days: Date32Array = numbers.clone().map(|i| Some(i as i32)).collect();
        let money: Decimal128Array = numbers.clone().map(|i| Some(i128::from(i))).collect();
        let bytes: Int8Array = numbers.clone().map(|i| Some(i as i8)).collect();
        let shorts: UInt16Array = numbers.map(|i| Some(i as u16)).collect();
        let text: ArrayRef = Arc::new(text);
        let nested = StructArray::try_from(vec![("inner", text.clone())]).unwrap();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("text", text),
            ("flags", Arc::new(flags)),
            ("floats", Arc::new(floats)),
            ("halves", Arc::new(halves)),
            ("times", Arc::new(times.with_timezone_utc())),
            ("of_day", Arc::new(of_day)),
            ("days", Arc::new(days)),
            ("money", Arc::new(money)),
            ("bytes", Arc::new(bytes)),
            ("shorts", Arc::new(shorts)),
            ("nested", Arc::new(nested)),
            ("lists", Arc::new(lists.finish())),
            ("maps", Arc::new(maps.finish())),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let sorted = SortingColumn { column_idx: 0, descending: true, nulls_first: false };
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_write_page_header_statistics(true)
            .set_bloom_filter_enabled(true)
            .set_sorting_columns(Some(vec![sorted]))
            .set_key_value_metadata(Some(vec![KeyValue::new("key".to_owned(), None)]))
            .set_max_row_group_row_count(Some(200))
            .set_data_page_row_count_limit(50)
            .set_write_batch_size(10)
            .build();
        let mut writer =
            ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn footers_of_other_writers_are_as_the_format_has_them() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            assert_eq!(check_metadata(metadata(&file(version))), Ok(()));
        }
    }

    #[test]
    fn headers_of_pages_lie_one_behind_the_other() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let file = bytes::Bytes::from(file(version));
            let reader = parquet::file::reader::SerializedFileReader::new(file.clone()).unwrap();
            use parquet::file::reader::FileReader;
            let mut pages = 0;
            for column in reader.metadata().row_groups().iter().flat_map(|group| group.columns()) {
                let (start, length) = column.byte_range();
                let (mut at, end) = (start as usize, (start + length) as usize);
                while at < end {
                    let header = page_header(&file[at..]).unwrap();
                    assert_eq!(page_header(&file[at..at + header.length - 1]), Err(Problem::End));
                    at += header.length + header.compressed_size as usize;
                    pages += 1;
                }
                assert_eq!(at, end);
            }
            assert!(pages > 100, "{pages}");
        }
    }

    /// A field of a structure whose number is that many above the one before.
    fn field(step: u8, kind: u8) -> u8 {
        step << 4 | kind
    }

    #[test]
    fn lists_without_end_are_refused() {
        // Field 12 of a footer, which the format has not; then its end.
        let footer = |kind: u8, rest: &[u8]| {
            let mut bytes = vec![field(12, kind)];
            bytes.extend_from_slice(rest);
            bytes.push(0);
            check_metadata(&bytes)
        };
        let many = [0xff, 0xff, 0xff, 0xff, 0x07];
        let list = |element: u8| [&[0xf0 | element][..], &many].concat();
        assert_eq!(footer(9, &[0x23, 1, 2]), Ok(()));
        assert_eq!(footer(10, &[0x05]), Ok(()));
        for element in [1, 2] {
            assert_eq!(footer(9, &list(element)), Err(Problem::Malformed));
            assert_eq!(footer(9, &[0x10 | element]), Err(Problem::Malformed));
        }
        for element in [3, 5, 7, 8, 9, 12, 13] {
            assert_eq!(footer(9, &list(element)), Err(Problem::End));
            assert_eq!(footer(10, &list(element)), Err(Problem::End));
        }
        // Maps of booleans to booleans, and of others.
        assert_eq!(footer(11, &[&many[..], &[0x11]].concat()), Err(Problem::End));
        assert_eq!(footer(11, &[1, 0x12, 0, 0, 0]), Err(Problem::Malformed));
        assert_eq!(footer(11, &[1, 0x13, 7]), Ok(()));
        // A page without a type and a size.
        assert_eq!(page_header(&[0]), Err(Problem::Malformed));
        let sizes = [field(1, 5), 0, field(1, 5), 0, field(1, 5), 20, 0];
        assert_eq!(page_header(&sizes), Ok(PageHeader { length: 7, kind: 0, compressed_size: 10 }));
        // A type of 2^32 + 2, which the library takes for 2.
        let long = [field(1, 5), 0x84, 0x80, 0x80, 0x80, 0x20, field(1, 5), 0, field(1, 5), 20, 0];
        assert_eq!(page_header(&long).map(|header| header.kind), Ok(DICTIONARY_PAGE));
        // Behind the end of a page's header the library would read on and on.
        let page = [&[field(12, 9)][..], &list(7)].concat();
        assert_eq!(page_header(&page), Err(Problem::End));
        // Lists in lists, deeper than the library goes.
        assert_eq!(footer(9, &[0x19; 80]), Err(Problem::Malformed));
    }

    #[test]
    fn fields_of_the_format_have_their_types() {
        // The number of rows as bytes, in which a list could hide.
        assert_eq!(check_metadata(&[field(3, 8), 1, 0, 0]), Err(Problem::Malformed));
        assert_eq!(check_metadata(&[field(3, 6), 1, 0]), Ok(()));
        // A field's number in full.
        assert_eq!(check_metadata(&[field(0, 8), 6, 1, 0, 0]), Err(Problem::Malformed));
        assert_eq!(check_metadata(&[field(2, 9), 0, 0]), Ok(()));
        assert_eq!(check_metadata(&[field(2, 9), 0x15, 0, 0]), Err(Problem::Malformed));
    }

    proptest! {
        /// Whatever comes, it ends, and what is cut short is not taken for whole.
        #[test]
        fn any_bytes_have_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _any = check_metadata(&bytes);
            if let Ok(header) = page_header(&bytes) {
                prop_assert!(header.length <= bytes.len());
                prop_assert_eq!(page_header(&bytes[..header.length]), Ok(header));
            }
        }
    }
}
