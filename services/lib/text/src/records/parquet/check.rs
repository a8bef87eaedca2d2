//! What a Parquet file says of its own sizes, looked at before its reader believes it: a number that is too large would end the process,
//! not the reading.

use parquet::basic::{Compression, Type as PhysicalType};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::schema::types::Type;

use super::shapes::{FOOTER, PAGE_HEADER};
use super::thrift::{Damaged, Note, Walk};
use super::{DAMAGED, MAX_BYTES, caught, unreadable};
use crate::records::{MAX_ROWS, RowError};

/// The longest footer.
const MAX_FOOTER_BYTES: usize = 4 << 20;
/// The deepest schema.
const MAX_DEPTH: usize = 16;
/// The footer's length and the magic number after it.
const TAIL: usize = 8;
const MAGIC: &[u8] = b"PAR1";
/// Three bytes of Snappy stand for 64 at most.
const MAX_GAIN: usize = 22;
/// PLAIN, PLAIN_DICTIONARY, RLE and RLE_DICTIONARY; the reader believes the lengths in others.
const ENCODINGS: [usize; 4] = [0, 2, 3, 8];

impl From<Damaged> for RowError {
    fn from(_: Damaged) -> Self {
        unreadable(DAMAGED)
    }
}

/// Checks the footer's size, its form, and the depth of the schema.
pub(super) fn footer(bytes: &[u8]) -> Result<(), RowError> {
    let (rest, tail) = bytes.split_last_chunk::<TAIL>().ok_or(Damaged)?;
    let ([a, b, c, d, ..], true) = (tail, tail.ends_with(MAGIC)) else { return Err(Damaged.into()) };
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let start = rest.len().checked_sub(length).ok_or(Damaged)?;
    if length > MAX_FOOTER_BYTES {
        let problem =
            format!("its footer has {length} bytes, more than {MAX_FOOTER_BYTES}; cut the file into several");
        return Err(unreadable(&problem));
    }
    let mut walk = Walk::new(&rest[start..]);
    walk.fields(FOOTER)?;
    schema(&walk.noted)
}

/// Elements of a schema come depth first, each with the number of its children.
fn schema(noted: &[(Note, usize)]) -> Result<(), RowError> {
    let elements = noted.iter().filter(|(note, _)| *note == Note::Element).count();
    // Of each open group the children that are still to come.
    let mut open: Vec<usize> = Vec::new();
    for (note, number) in noted {
        if *note == Note::Element {
            while open.pop_if(|children| *children == 0).is_some() {}
            open.last_mut().into_iter().for_each(|children| *children -= 1);
        } else if *number > elements {
            return Err(Damaged.into());
        } else if *number > 0 {
            open.push(*number);
        }
        if open.len() > MAX_DEPTH {
            return Err(unreadable(&format!("its columns are nested deeper than {MAX_DEPTH}")));
        }
    }
    Ok(())
}

/// Checks the pages of the columns that are wanted.
pub(super) fn pages(bytes: &[u8], metadata: &ParquetMetaData, wanted: &Type) -> Result<(), RowError> {
    let mut decoded = 0;
    for group in metadata.row_groups() {
        let mut entries = 0;
        for column in group.columns() {
            let path = column.column_path().parts();
            if wanted.get_fields().iter().any(|field| Some(field.name()) == path.first().map(String::as_str))
            {
                chunk(bytes, column, (&mut decoded, &mut entries))?;
            }
        }
        if entries > MAX_ROWS {
            let problem =
                format!("a row group's dictionaries have more than {MAX_ROWS} entries; write smaller ones");
            return Err(unreadable(&problem));
        }
    }
    Ok(())
}

/// Checks the pages of a column in a row group.
fn chunk(
    bytes: &[u8],
    column: &ColumnChunkMetaData,
    (decoded, entries): (&mut usize, &mut usize),
) -> Result<(), RowError> {
    let (start, length) = caught(|| Ok(column.byte_range()))?;
    let range = |start: u64, length: u64| {
        let start = usize::try_from(start).ok()?;
        bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
    };
    let mut rest = range(start, length).ok_or(Damaged)?;
    while !rest.is_empty() {
        let mut walk = Walk::new(rest);
        walk.fields(PAGE_HEADER)?;
        let page = Page::new(&walk.noted);
        page.check(column)?;
        *decoded += page.decoded.max(page.stored);
        *entries += page.entries;
        if *decoded > MAX_BYTES {
            let problem = format!("its pages have more than {MAX_BYTES} bytes; cut the file into several");
            return Err(unreadable(&problem));
        }
        let header = rest.len() - walk.left();
        rest = rest.get(header + page.stored..).ok_or(Damaged)?;
    }
    Ok(())
}

/// What a page's header says.
#[derive(Default)]
struct Page {
    decoded: usize,
    stored: usize,
    /// Of a dictionary.
    entries: usize,
    /// Of data.
    encodings: Vec<usize>,
}

impl Page {
    fn new(noted: &[(Note, usize)]) -> Self {
        let mut page = Self::default();
        for (note, number) in noted {
            match note {
                Note::Decoded => page.decoded = *number,
                Note::Stored => page.stored = *number,
                Note::DictionaryValues => page.entries = *number,
                Note::Encoding => page.encodings.push(*number),
                Note::Element | Note::Children => {}
            }
        }
        page
    }

    fn check(&self, column: &ColumnChunkMetaData) -> Result<(), RowError> {
        let bytes = match column.compression() {
            Compression::UNCOMPRESSED => self.stored,
            _ => self.decoded,
        };
        let too_many = self.entries.checked_mul(least_bytes(column)).is_none_or(|least| least > bytes);
        if too_many || self.decoded > (self.stored + 1).saturating_mul(MAX_GAIN) {
            return Err(Damaged.into());
        }
        if self.encodings.iter().any(|encoding| !ENCODINGS.contains(encoding)) {
            let name = column.column_path().string();
            let problem = format!("column {name:?} is delta encoded; write it as PLAIN or with a dictionary");
            return Err(unreadable(&problem));
        }
        Ok(())
    }
}

/// The fewest bytes of a value.
fn least_bytes(column: &ColumnChunkMetaData) -> usize {
    match column.column_type() {
        PhysicalType::BOOLEAN => 1,
        PhysicalType::BYTE_ARRAY | PhysicalType::INT32 | PhysicalType::FLOAT => 4,
        PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
        PhysicalType::INT96 => 12,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => column.column_descr().type_length().max(1) as usize,
    }
}
