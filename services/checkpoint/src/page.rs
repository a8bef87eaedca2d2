//! Pages of lists: how large they are, and tokens that say where the next begins and for which request.
use rootstock_artifacts::Digest;

use crate::Error;

/// What a size of 0 means.
const DEFAULT_SIZE: i32 = 50;
/// The largest page.
const MAX_SIZE: i32 = 1000;
/// Hex digits of the request's digest in a token.
const REQUEST_DIGITS: usize = 16;

/// Which page of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many entries.
    pub(crate) size: usize,
    /// The key of the last entry of the page before.
    pub(crate) after: Option<String>,
    request: String,
}

impl Page {
    /// Reads the fields of a request; `filter` is what else the request says, since a token belongs to its request.
    pub(crate) fn parse(size: i32, token: &str, filter: &str) -> Result<Self, Error> {
        if size < 0 {
            return Err(Error::field("page_size", "must not be negative"));
        }
        let size = if size == 0 { DEFAULT_SIZE } else { size.min(MAX_SIZE) };
        let request = Digest::of(filter.as_bytes()).hex()[..REQUEST_DIGITS].to_owned();
        let after = if token.is_empty() { None } else { Some(read_token(token, &request)?) };
        Ok(Self { size: usize::try_from(size).unwrap_or(1), after, request })
    }

    /// The token of the page after the entry with this key.
    pub(crate) fn token(&self, key: &str) -> String {
        format!("{}{}", self.request, hex(key))
    }
}

fn read_token(token: &str, request: &str) -> Result<String, Error> {
    let refuse = || Error::field("page_token", "is not a token that this list returned for the same request");
    let key = token.strip_prefix(request).ok_or_else(refuse)?;
    unhex(key).ok_or_else(refuse)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<String> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let bytes = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(result: Result<Page, Error>) -> String {
        match result {
            Err(Error::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sizes_have_a_default_and_a_cap() {
        let size = |size| Page::parse(size, "", "").unwrap().size;
        assert_eq!((size(0), size(7), size(5000)), (50, 7, 1000));
        assert_eq!(field(Page::parse(-1, "", "")), "page_size");
    }

    #[test]
    fn a_token_goes_on_in_its_own_request_alone() {
        let token = Page::parse(0, "", "adapters/").unwrap().token("adapters/ä");
        assert_eq!(Page::parse(0, &token, "adapters/").unwrap().after.as_deref(), Some("adapters/ä"));
        assert_eq!(field(Page::parse(0, &token, "datasets/")), "page_token");
        for broken in ["x", &token[..token.len() - 1], &token.replace("c3", "zz"), &format!("{token}é")] {
            assert_eq!(field(Page::parse(0, broken, "adapters/")), "page_token", "{broken}");
        }
    }
}
