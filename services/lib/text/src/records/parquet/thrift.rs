//! A strict walk over structs in Thrift's compact protocol: fields of known types in rising order, and nothing besides. What it lets
//! pass, any reader reads the same, so that numbers can be looked at before memory is taken for them.

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Bool,
    Byte,
    Int16,
    /// A number of 32 bits, which may be noted.
    Int32(Option<Note>),
    Int64,
    Double,
    Binary,
    /// The name of an element of the schema, which is noted.
    Name,
    List(&'static Shape),
    /// Field 1 is the first.
    Struct(&'static [Shape]),
}

/// A number that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// An element of the schema; its number is none.
    Element,
    Children,
    Decoded,
    Stored,
    Encoding,
    DictionaryValues,
}

/// What is still to be read.
pub(super) struct Walk<'b> {
    rest: &'b [u8],
    /// The numbers noted so far.
    pub(super) noted: Vec<(Note, usize)>,
}

/// The bytes are not as they must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damaged;

impl<'b> Walk<'b> {
    pub(super) fn new(rest: &'b [u8]) -> Self {
        Self { rest, noted: Vec::new() }
    }

    /// Bytes that are still to be read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Reads the fields of a struct.
    pub(super) fn fields(&mut self, shapes: &[Shape]) -> Result<(), Damaged> {
        let mut id = 0;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Ok(());
            }
            let (delta, kind) = (usize::from(header >> 4), header & 0xF);
            // The long form of a field's number would let fields come twice.
            if delta == 0 {
                return Err(Damaged);
            }
            id += delta;
            self.field(shapes.get(id - 1).ok_or(Damaged)?, kind)?;
        }
    }

    fn field(&mut self, shape: &Shape, kind: u8) -> Result<(), Damaged> {
        match (shape, kind) {
            // Its value is part of its kind.
            (Shape::Bool, 1 | 2) => Ok(()),
            _ if kind == shape.kind() => self.value(shape),
            _ => Err(Damaged),
        }
    }

    fn value(&mut self, shape: &Shape) -> Result<(), Damaged> {
        match shape {
            Shape::Bool | Shape::Byte => self.skip(1),
            Shape::Int16 | Shape::Int64 => self.number().map(|_| ()),
            Shape::Int32(None) => self.int32().map(|_| ()),
            Shape::Int32(Some(note)) => {
                let number = self.int32()?.try_into().map_err(|_| Damaged)?;
                self.noted.push((*note, number));
                Ok(())
            }
            Shape::Double => self.skip(8),
            Shape::Binary => self.binary(),
            Shape::Name => {
                self.noted.push((Note::Element, 0));
                self.binary()
            }
            Shape::List(of) => self.list(of),
            Shape::Struct(shapes) => self.fields(shapes),
        }
    }

    fn binary(&mut self) -> Result<(), Damaged> {
        let bytes = self.number()?;
        self.skip(bytes.try_into().map_err(|_| Damaged)?)
    }

    fn list(&mut self, of: &Shape) -> Result<(), Damaged> {
        let header = self.byte()?;
        if header == 0 {
            return Ok(());
        }
        let length = match header >> 4 {
            15 => self.number()?,
            short => u64::from(short),
        };
        if header & 0xF != of.kind() {
            return Err(Damaged);
        }
        (0..length).try_for_each(|_| self.value(of))
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.rest.split_first().ok_or(Damaged)?;
        self.rest = rest;
        Ok(*first)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Damaged> {
        self.rest = self.rest.get(bytes..).ok_or(Damaged)?;
        Ok(())
    }

    fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        // The tenth byte has the last bit.
        match self.byte()? {
            last @ (0 | 1) => Ok(number | u64::from(last) << 63),
            _ => Err(Damaged),
        }
    }

    fn int32(&mut self) -> Result<i32, Damaged> {
        let zigzag = u32::try_from(self.number()?).map_err(|_| Damaged)?;
        Ok((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32))
    }
}

impl Shape {
    /// The number that stands for it.
    fn kind(&self) -> u8 {
        match self {
            Self::Bool => 2,
            Self::Byte => 3,
            Self::Int16 => 4,
            Self::Int32(_) => 5,
            Self::Int64 => 6,
            Self::Double => 7,
            Self::Binary | Self::Name => 8,
            Self::List(_) => 9,
            Self::Struct(_) => 12,
        }
    }
}
