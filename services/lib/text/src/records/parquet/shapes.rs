//! The structs of Parquet's footer and page headers (parquet.thrift of parquet-format 2.12), encryption aside.

use super::thrift::{
    Note,
    Shape::{self, Binary, Bool, Byte, Double, Int16, Int32, Int64, List, Name, Struct},
};

const INT: Shape = Int32(None);
const UNIT: Shape = Struct(&[]);

/// `FileMetaData`
pub(super) const FOOTER: &[Shape] = &[
    INT,
    List(&Struct(SCHEMA_ELEMENT)),
    Int64,
    List(&Struct(ROW_GROUP)),
    List(&KEY_VALUE),
    Binary,
    List(&Struct(&[UNIT, UNIT])),
];

/// `PageHeader`
pub(super) const PAGE_HEADER: &[Shape] = &[
    INT,
    Int32(Some(Note::Decoded)),
    Int32(Some(Note::Stored)),
    INT,
    Struct(&[INT, ENCODING, INT, INT, STATISTICS]),
    UNIT,
    Struct(&[Int32(Some(Note::DictionaryValues)), INT, Bool]),
    Struct(&[INT, INT, INT, ENCODING, INT, INT, Bool, STATISTICS]),
];

const ENCODING: Shape = Int32(Some(Note::Encoding));
const KEY_VALUE: Shape = Struct(&[Binary, Binary]);
const STATISTICS: Shape = Struct(&[Binary, Binary, Int64, Int64, Binary, Binary, Bool, Bool, Int64]);

const SCHEMA_ELEMENT: &[Shape] =
    &[INT, INT, INT, Name, Int32(Some(Note::Children)), INT, INT, INT, INT, Struct(LOGICAL_TYPE)];

const TIME: Shape = Struct(&[Bool, Struct(&[UNIT, UNIT, UNIT])]);

const LOGICAL_TYPE: &[Shape] = &[
    UNIT,
    UNIT,
    UNIT,
    UNIT,
    Struct(&[INT, INT]),
    UNIT,
    TIME,
    TIME,
    // Unused.
    UNIT,
    Struct(&[Byte, Bool]),
    UNIT,
    UNIT,
    UNIT,
    UNIT,
    UNIT,
    Struct(&[Byte]),
    Struct(&[Binary]),
    Struct(&[Binary, INT]),
    UNIT,
];

const ROW_GROUP: &[Shape] =
    &[List(&Struct(COLUMN_CHUNK)), Int64, Int64, List(&Struct(&[INT, Bool, Bool])), Int64, Int64, Int16];

const COLUMN_CHUNK: &[Shape] = &[Binary, Int64, Struct(COLUMN_META_DATA), Int64, INT, Int64, INT];

const COLUMN_META_DATA: &[Shape] = &[
    INT,
    List(&INT),
    List(&Binary),
    INT,
    Int64,
    Int64,
    Int64,
    List(&KEY_VALUE),
    Int64,
    Int64,
    Int64,
    STATISTICS,
    List(&Struct(&[INT, INT, INT])),
    Int64,
    INT,
    Struct(&[Int64, List(&Int64), List(&Int64)]),
    Struct(&[Struct(&[Double, Double, Double, Double, Double, Double, Double, Double]), List(&INT)]),
];
