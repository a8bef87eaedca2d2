//! Cleaning of a data set: records that repeat others, are too short or too long, hold foreign characters, are of another language or
//! repeat themselves are taken out, and each is counted by the first filter that wanted it out.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use serde_json::Value;
use sha2::{Digest, Sha256};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::documents::paragraphs;
use crate::records::{MAX_LINE_BYTES, RecordFormat, RowError, each, utf8};
use crate::similar::NearDuplicates;

/// The most bytes of what stays of a file.
const MAX_KEPT_BYTES: usize = 1 << 30;
/// Characters of the runs that a text repeats or doesn't.
const RUN: usize = 10;

/// What stays in.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cleaning {
    /// Takes out records that say the same as an earlier one.
    pub exact_duplicates: bool,
    /// Takes out records that are alike to an earlier one by this much, in 0..=1; see [`NearDuplicates`].
    pub near_duplicates: Option<f64>,
    /// Fewest characters of a record.
    pub min_characters: usize,
    /// Most characters of a record.
    pub max_characters: Option<usize>,
    /// Largest share of characters that are no letters, digits, punctuation, symbols or space: control characters, and what stands for
    /// bytes that could not be read.
    pub max_foreign_share: Option<f64>,
    /// Smallest share of Han characters among the letters.
    pub min_han_share: Option<f64>,
    /// Smallest share of Latin letters among the letters.
    pub min_latin_share: Option<f64>,
    /// Largest share of runs of ten characters that stood in the record before.
    pub max_repetition: Option<f64>,
}

/// Why a record was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Removal {
    /// It can't be read.
    Unreadable,
    /// It is too short or too long.
    Length,
    /// It holds too many foreign characters.
    Characters,
    /// It is of another language.
    Language,
    /// It repeats itself.
    Repetition,
    /// It says the same as an earlier one.
    ExactDuplicate,
    /// It is alike to an earlier one.
    NearDuplicate,
}

impl Removal {
    /// All reasons, in the order in which they are asked.
    pub const ALL: [Self; 7] = [
        Self::Unreadable,
        Self::Length,
        Self::Characters,
        Self::Language,
        Self::Repetition,
        Self::ExactDuplicate,
        Self::NearDuplicate,
    ];
}

/// Cleans the files of one data set, one after the other; duplicates are found across them.
#[derive(Debug)]
pub struct Cleaner {
    cleaning: Cleaning,
    seen: HashSet<[u8; 32]>,
    near: Option<NearDuplicates>,
    /// Records read.
    pub read: u64,
    removed: [u64; Removal::ALL.len()],
}

impl Cleaner {
    /// A cleaner that has seen nothing.
    pub fn new(cleaning: Cleaning) -> Self {
        let near = cleaning.near_duplicates.map(NearDuplicates::new);
        Self { cleaning, seen: HashSet::new(), near, read: 0, removed: [0; Removal::ALL.len()] }
    }

    /// Records taken out for this reason.
    pub fn removed(&self, why: Removal) -> u64 {
        self.removed[why as usize]
    }

    /// Records kept.
    pub fn kept(&self) -> u64 {
        self.read - self.removed.iter().sum::<u64>()
    }

    /// The records that stay of a file, as JSON lines; keys are in their order in the alphabet.
    ///
    /// # Errors
    /// A file that can't be read on.
    pub fn records(&mut self, bytes: &[u8], format: RecordFormat) -> Result<Vec<u8>, RowError> {
        let mut kept = Vec::new();
        each(bytes, format, &[], &mut |_, record: Result<Value, RowError>| {
            match record {
                Ok(mut record) if record.is_object() => {
                    record.sort_all_objects();
                    if self.keeps(&texts(&record)) {
                        kept.extend(record.to_string().into_bytes());
                        kept.push(b'\n');
                    }
                    self.room()?;
                    if kept.len() > MAX_KEPT_BYTES {
                        let problem =
                            format!("more than {MAX_KEPT_BYTES} bytes stay; cut the file into several");
                        return Err(RowError::File { problem });
                    }
                }
                Err(error @ (RowError::TooMany { .. } | RowError::File { .. })) => return Err(error),
                Ok(_) | Err(_) => self.remove(Removal::Unreadable),
            }
            Ok(())
        })?;
        Ok(kept)
    }

    /// The paragraphs that stay of a text.
    ///
    /// # Errors
    /// Bytes that are not UTF-8.
    pub fn text(&mut self, bytes: &[u8]) -> Result<String, RowError> {
        let paragraphs = paragraphs(utf8(bytes)?);
        let all = paragraphs.iter().filter(|text| !text.trim().is_empty());
        let kept: Vec<&str> = all.filter(|text| self.keeps(text)).map(|text| text.trim_end()).collect();
        self.room()?;
        Ok(if kept.is_empty() { String::new() } else { kept.join("\n\n") + "\n" })
    }

    /// Near duplicates are looked for among so many texts; others would be let be in silence.
    fn room(&self) -> Result<(), RowError> {
        if !self.near.as_ref().is_some_and(NearDuplicates::is_full) {
            return Ok(());
        }
        let problem = "1000000 records stay, the most among which near duplicates are looked for; \
                       cut the data set into several or turn near_duplicates off";
        Err(RowError::File { problem: problem.to_owned() })
    }

    fn keeps(&mut self, text: &str) -> bool {
        match self.judge(text) {
            None => self.read += 1,
            Some(why) => {
                self.remove(why);
                return false;
            }
        }
        true
    }

    fn remove(&mut self, why: Removal) {
        self.read += 1;
        self.removed[why as usize] += 1;
    }

    /// Cheap questions come first; what is out by one of them is no original that others are duplicates of.
    fn judge(&mut self, text: &str) -> Option<Removal> {
        if let Some(why) = self.cleaning.refusal(text) {
            return Some(why);
        }
        if self.cleaning.exact_duplicates && !self.seen.insert(Sha256::digest(text.as_bytes()).into()) {
            return Some(Removal::ExactDuplicate);
        }
        let alike = self.near.as_mut().and_then(|near| near.insert(text));
        alike.map(|_| Removal::NearDuplicate)
    }
}

impl Cleaning {
    fn refusal(&self, text: &str) -> Option<Removal> {
        if text.len() > MAX_LINE_BYTES {
            return Some(Removal::Length);
        }
        let characters = text.chars().count();
        let above = |limit: Option<f64>, share: fn(&str) -> f64| limit.is_some_and(|most| share(text) > most);
        let below =
            |limit: Option<f64>, share: fn(&str) -> f64| limit.is_some_and(|least| share(text) < least);
        if characters < self.min_characters || self.max_characters.is_some_and(|most| characters > most) {
            Some(Removal::Length)
        } else if above(self.max_foreign_share, foreign_share) {
            Some(Removal::Characters)
        } else if below(self.min_han_share, han_share) || below(self.min_latin_share, latin_share) {
            Some(Removal::Language)
        } else if above(self.max_repetition, repetition) {
            Some(Removal::Repetition)
        } else {
            None
        }
    }
}

/// All texts of a record, however deep, one after the other.
fn texts(value: &Value) -> String {
    fn collect<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
        match value {
            Value::String(text) => texts.push(text),
            Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
            Value::Object(fields) => fields.values().for_each(|value| collect(value, texts)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut found = Vec::new();
    collect(value, &mut found);
    found.join("\n")
}

/// Share of the characters that are no letters, marks, digits, punctuation, symbols or space.
pub fn foreign_share(text: &str) -> f64 {
    let foreign = |c: &char| {
        let group = c.general_category_group();
        *c == char::REPLACEMENT_CHARACTER || (group == GeneralCategoryGroup::Other && !c.is_whitespace())
    };
    share(text.chars().filter(foreign).count(), text.chars().count())
}

/// Share of Han characters among the letters.
pub fn han_share(text: &str) -> f64 {
    letter_share(
        text,
        |c| matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}'),
    )
}

/// Share of Latin letters among the letters, fullwidth ones included.
pub fn latin_share(text: &str) -> f64 {
    letter_share(text, |c| matches!(c, '\0'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' | '\u{FF21}'..='\u{FF5A}'))
}

fn letter_share(text: &str, wanted: impl Fn(char) -> bool) -> f64 {
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    share(letters().filter(|c| wanted(*c)).count(), letters().count())
}

/// Share of the runs of ten characters that stood in the text before.
pub fn repetition(text: &str) -> f64 {
    let characters: Vec<char> = text.chars().collect();
    let hasher = RandomState::new();
    let mut seen = HashSet::new();
    let again = characters.windows(RUN).filter(|run| !seen.insert(hasher.hash_one(run))).count();
    share(again, characters.len().saturating_sub(RUN - 1))
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
