//! Cuts comma-separated values into records (RFC 4180), strictly: where a quote stands astray, a lenient reader takes the rows that
//! follow for a part of its field.

use std::borrow::Cow;

use super::super::MAX_LINE_BYTES;
use super::MAX_COLUMNS;

/// A record as it is written.
#[derive(Debug)]
pub(super) struct Record<'b> {
    /// The line it begins on, from 1.
    pub(super) line: usize,
    /// Where it begins, in bytes.
    pub(super) begin: usize,
    /// Its fields, or those up to the first that is more than a record may have.
    pub(super) fields: Vec<Cow<'b, [u8]>>,
    /// How many fields it has.
    pub(super) count: usize,
}

/// A quote that stands where none may, and the line that its record begins on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Astray {
    pub(super) line: usize,
    pub(super) problem: String,
    /// Whether what follows can't be told apart any more.
    pub(super) to_the_end: bool,
}

/// The records of a file. After a quote astray they go on with the next line, where that can be told.
#[derive(Debug)]
pub(super) struct Records<'b> {
    bytes: &'b [u8],
    at: usize,
    line: usize,
}

/// Why a field can't be read.
enum Broken {
    /// A quote inside a field that doesn't begin with one.
    Inside,
    /// Something follows a quote that should be the last of its field.
    Behind,
    /// A quote is not closed before the end of the file, or for longer than records may be.
    Open,
}

impl<'b> Records<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Goes past a line end, if one is here.
    fn line_end(&mut self) -> bool {
        let bytes = match &self.bytes[self.at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => return false,
        };
        self.at += bytes;
        self.line += 1;
        true
    }

    fn record(&mut self) -> Result<Record<'b>, Broken> {
        let mut record = Record { line: self.line, begin: self.at, fields: Vec::new(), count: 0 };
        loop {
            let field = if self.peek() == Some(b'"') { self.quoted()? } else { self.plain()? };
            record.count += 1;
            if record.count <= MAX_COLUMNS {
                record.fields.push(field);
            }
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => break,
            }
        }
        self.line_end();
        Ok(record)
    }

    /// A field without quotes, up to what ends it.
    fn plain(&mut self) -> Result<Cow<'b, [u8]>, Broken> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| matches!(byte, b',' | b'\r' | b'\n'));
        let field = &rest[..end.unwrap_or(rest.len())];
        self.at += field.len();
        if field.contains(&b'"') { Err(Broken::Inside) } else { Ok(Cow::Borrowed(field)) }
    }

    /// A field in quotes, in which two stand for one.
    fn quoted(&mut self) -> Result<Cow<'b, [u8]>, Broken> {
        self.at += 1;
        let mut field = Cow::Borrowed(&self.bytes[self.at..self.at]);
        loop {
            let rest = &self.bytes[self.at..];
            let part = &rest[..rest.iter().position(|byte| *byte == b'"').ok_or(Broken::Open)?];
            if field.len() + part.len() > MAX_LINE_BYTES {
                return Err(Broken::Open);
            }
            join(&mut field, part);
            self.at += part.len() + 1;
            self.line += part.iter().filter(|byte| **byte == b'\n').count();
            match self.peek() {
                Some(b'"') => {
                    join(&mut field, b"\"");
                    self.at += 1;
                }
                None | Some(b',' | b'\r' | b'\n') => return Ok(field),
                Some(_) => return Err(Broken::Behind),
            }
        }
    }

    fn astray(&mut self, line: usize, broken: &Broken) -> Astray {
        let problem = match broken {
            Broken::Inside => {
                "has a quote inside a field that doesn't begin with one; put the whole field in quotes, and write \"\" \
                 for each quote inside"
                    .to_owned()
            }
            Broken::Behind => format!(
                "has text behind the quote that ends a field, on line {}; write \"\" for a quote inside a field",
                self.line
            ),
            Broken::Open => format!(
                "begins a field with a quote that nothing closes within {MAX_LINE_BYTES} bytes or before the end of the file; \
                 close it, or write \"\" for a quote inside a field"
            ),
        };
        let to_the_end = matches!(broken, Broken::Open);
        if to_the_end {
            self.at = self.bytes.len();
        }
        while self.at < self.bytes.len() && !self.line_end() {
            self.at += 1;
        }
        Astray { line, problem, to_the_end }
    }
}

fn join<'b>(field: &mut Cow<'b, [u8]>, part: &'b [u8]) {
    if field.is_empty() {
        *field = Cow::Borrowed(part);
    } else {
        field.to_mut().extend_from_slice(part);
    }
}

impl<'b> Iterator for Records<'b> {
    type Item = Result<Record<'b>, Astray>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.line_end() {}
        self.peek()?;
        let line = self.line;
        Some(self.record().map_err(|broken| self.astray(line, &broken)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<Vec<String>> {
        let text_of = |field: Cow<'_, [u8]>| String::from_utf8(field.into_owned()).unwrap();
        let record =
            |record: Result<Record<'_>, Astray>| record.unwrap().fields.into_iter().map(text_of).collect();
        Records::new(text.as_bytes()).map(record).collect()
    }

    #[test]
    fn fields_hold_commas_line_ends_and_quotes_where_they_are_quoted() {
        assert_eq!(
            fields("a,\"b, \"\"c\"\"\nd\"\r\n\r\n,\n\"\",\"\"\"\""),
            [["a", "b, \"c\"\nd"], ["", ""], ["", "\""]]
        );
        assert_eq!(fields("a\rb\r"), [["a"], ["b"]]);
        assert!(fields("\n\r\n").is_empty());
    }

    #[test]
    fn lines_are_counted_through_quoted_fields() {
        let lines = Records::new(b"a\n\"b\nb\"\n\nc").map(|record| record.unwrap().line);
        assert_eq!(lines.collect::<Vec<_>>(), [1, 2, 5]);
    }

    #[test]
    fn more_fields_than_a_record_may_have_are_counted_and_not_kept() {
        let many = ",".repeat(MAX_COLUMNS + 10);
        let record = Records::new(many.as_bytes()).next().unwrap().unwrap();
        assert_eq!((record.fields.len(), record.count), (MAX_COLUMNS, MAX_COLUMNS + 11));
    }
}
