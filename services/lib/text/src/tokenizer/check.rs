//! Checks on tokenizer.json before anything is built: tokenizers 0.23 panics on bad merges
//! (tokenizers#2094) and drops what its vocabulary lacks without a word.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::TokenizerError;
use super::file::{MergeFile, ModelFile, TOKENIZER_JSON, TokenizerFile, shown};
use super::table::{Alphabet, bytes_by_char};

/// The highest number of ids, far above any published vocabulary.
pub(crate) const MAX_VOCAB: usize = 1 << 22;
/// The longest replacement or prefix a normalizer may insert: it multiplies the text.
pub(crate) const MAX_CONTENT_BYTES: usize = 32;
/// The longest regular expression of a pre-tokenizer or normalizer.
const MAX_PATTERN_BYTES: usize = 4096;
/// The largest product of all counted repetitions in one regular expression: it multiplies the program.
const MAX_REPETITIONS: u64 = 10_000;
/// How deep and how wide sequences of components may be.
const MAX_DEPTH: usize = 4;
const MAX_STEPS: usize = 32;

const NORMALIZERS: &[&str] = &[
    "BertNormalizer",
    "ByteLevel",
    "Lowercase",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Prepend",
    "Replace",
    "Strip",
    "StripAccents",
];
const PRE_TOKENIZERS: &[&str] = &[
    "BertPreTokenizer",
    "ByteLevel",
    "Digits",
    "Metaspace",
    "Punctuation",
    "Split",
    "UnicodeScripts",
    "Whitespace",
    "WhitespaceSplit",
];
const POST_PROCESSORS: &[&str] = &["BertProcessing", "ByteLevel", "RobertaProcessing", "TemplateProcessing"];

/// Checks everything that building from the file relies on, and gives back the merges as pairs.
///
/// # Errors
/// The first field that can't be applied.
pub(crate) fn check(
    file: &mut TokenizerFile,
    alphabet: &Alphabet,
) -> Result<Vec<(String, String)>, TokenizerError> {
    component(file.normalizer.as_ref(), "normalizer", "normalizers", NORMALIZERS, MAX_DEPTH)?;
    component(file.pre_tokenizer.as_ref(), "pre_tokenizer", "pretokenizers", PRE_TOKENIZERS, MAX_DEPTH)?;
    component(file.post_processor.as_ref(), "post_processor", "processors", POST_PROCESSORS, MAX_DEPTH)?;
    vocabulary(&file.model)?;
    coverage(&file.model, alphabet)?;
    added_tokens(file)?;
    if let Some(processor) = &file.post_processor {
        special_ids(processor, "post_processor", &ids_by_text(file))?;
    }
    let merges = std::mem::take(&mut file.model.merges);
    merge_pairs(merges, &file.model)
}

/// An error about a field of tokenizer.json.
pub(crate) fn refuse(field: impl Into<String>, problem: impl Into<String>) -> TokenizerError {
    TokenizerError::Field { file: TOKENIZER_JSON, field: field.into(), problem: problem.into() }
}

fn component(
    value: Option<&Value>,
    field: &str,
    children: &str,
    allowed: &[&str],
    depth: usize,
) -> Result<(), TokenizerError> {
    let Some(value) = value else { return Ok(()) };
    let Some(kind) = value.get("type").and_then(Value::as_str) else {
        return Err(refuse(format!("{field}.type"), "is missing"));
    };
    if kind == "Sequence" {
        let steps = value.get(children).and_then(Value::as_array);
        let steps = steps.ok_or_else(|| refuse(format!("{field}.{children}"), "is not a list"))?;
        if depth == 0 || steps.len() > MAX_STEPS {
            return Err(refuse(field, format!("sequences over {MAX_DEPTH} deep or {MAX_STEPS} long")));
        }
        return steps.iter().enumerate().try_for_each(|(i, step)| {
            component(Some(step), &format!("{field}.{children}[{i}]"), children, allowed, depth - 1)
        });
    }
    if !allowed.contains(&kind) {
        let problem = format!("\"{}\" is not supported; supported: {}", shown(kind), allowed.join(", "));
        return Err(refuse(format!("{field}.type"), problem));
    }
    contents(value, field)
}

fn contents(value: &Value, field: &str) -> Result<(), TokenizerError> {
    for key in ["content", "prepend"] {
        if let Some(text) = value.get(key).and_then(Value::as_str)
            && text.len() > MAX_CONTENT_BYTES
        {
            return Err(refuse(format!("{field}.{key}"), format!("is over {MAX_CONTENT_BYTES} bytes")));
        }
    }
    let Some(pattern) = value.get("pattern") else { return Ok(()) };
    let text = pattern.get("String").or_else(|| pattern.get("Regex")).and_then(Value::as_str);
    let text = text.ok_or_else(|| refuse(format!("{field}.pattern"), "needs a String or a Regex"))?;
    if text.is_empty() || text.len() > MAX_PATTERN_BYTES {
        return Err(refuse(format!("{field}.pattern"), format!("must have 1 to {MAX_PATTERN_BYTES} bytes")));
    }
    if repetitions(text) > MAX_REPETITIONS {
        let problem = format!("counted repetitions multiply to more than {MAX_REPETITIONS}");
        return Err(refuse(format!("{field}.pattern"), problem));
    }
    Ok(())
}

/// The product of the upper bounds of all `{n,m}` in a pattern.
fn repetitions(pattern: &str) -> u64 {
    pattern
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(inside, _)| inside))
        .filter(|inside| inside.bytes().all(|b| b.is_ascii_digit() || b == b',' || b == b' '))
        .filter_map(|inside| inside.rsplit(',').find(|n| !n.trim().is_empty()))
        .map(|n| n.trim().parse().unwrap_or(u64::MAX))
        .fold(1, u64::saturating_mul)
}

fn vocabulary(model: &ModelFile) -> Result<(), TokenizerError> {
    if model.vocab.is_empty() {
        return Err(refuse("model.vocab", "is empty"));
    }
    let mut seen: HashMap<u32, &str> = HashMap::with_capacity(model.vocab.len());
    for (token, &id) in &model.vocab {
        if id as usize >= MAX_VOCAB {
            return Err(refuse("model.vocab", format!("id {id} is over the limit of {MAX_VOCAB}")));
        }
        if let Some(other) = seen.insert(id, token) {
            let problem = format!("id {id} is given to both \"{}\" and \"{}\"", shown(token), shown(other));
            return Err(refuse("model.vocab", problem));
        }
    }
    if model.dropout.is_some_and(|p| p != 0.0) {
        let problem = "must be null: the same text has to give the same tokens every time";
        return Err(refuse("model.dropout", problem));
    }
    match &model.unk_token {
        Some(unk) if !model.vocab.contains_key(unk) => {
            Err(refuse("model.unk_token", format!("\"{}\" is not in the vocabulary", shown(unk))))
        }
        _ => Ok(()),
    }
}

/// A symbol that is in no token and has no stand-in is left out of the ids in silence; find that out now.
fn coverage(model: &ModelFile, alphabet: &Alphabet) -> Result<(), TokenizerError> {
    if model.unk_token.is_some() {
        return Ok(());
    }
    let affix = [&model.continuing_subword_prefix, &model.end_of_word_suffix];
    if affix.into_iter().flatten().any(|text| !text.is_empty()) {
        return Err(refuse(
            "model.unk_token",
            "is needed with a subword prefix or suffix: text would be lost",
        ));
    }
    let missing: Vec<u8> = match alphabet {
        Alphabet::ByteLevel => {
            let lacks =
                |(c, byte): (char, u8)| (!model.vocab.contains_key(c.to_string().as_str())).then_some(byte);
            bytes_by_char().into_iter().filter_map(lacks).collect()
        }
        Alphabet::Pieces(_) if model.byte_fallback == Some(true) => {
            let lacks = |byte: &u8| !model.vocab.contains_key(&format!("<0x{byte:02X}>"));
            (0..=255).filter(lacks).collect()
        }
        Alphabet::Pieces(_) | Alphabet::WordPiece { .. } => {
            return Err(refuse(
                "model.unk_token",
                "is needed where byte_fallback is off: text would be lost",
            ));
        }
    };
    let lost = missing.into_iter().filter(|&byte| occurs_in_utf8(byte)).min();
    match lost {
        Some(byte) => {
            let problem =
                format!("has no symbol for byte 0x{byte:02X}, and no unk_token: text would be lost");
            Err(refuse("model.vocab", problem))
        }
        None => Ok(()),
    }
}

fn occurs_in_utf8(byte: u8) -> bool {
    !matches!(byte, 0xC0 | 0xC1 | 0xF5..=0xFF)
}

fn added_tokens(file: &TokenizerFile) -> Result<(), TokenizerError> {
    let taken: HashSet<u32> = file.model.vocab.values().copied().collect();
    for (i, token) in file.added_tokens.iter().enumerate() {
        let field = format!("added_tokens[{i}]");
        if token.content.is_empty() {
            return Err(refuse(format!("{field}.content"), "is empty"));
        }
        if token.id as usize >= MAX_VOCAB {
            return Err(refuse(format!("{field}.id"), format!("is over the limit of {MAX_VOCAB}")));
        }
        let own = file.model.vocab.get(&token.content);
        if own != Some(&token.id) && (own.is_some() || taken.contains(&token.id)) {
            let problem = format!(
                "\"{}\" has id {}, which the vocabulary gives differently",
                shown(&token.content),
                token.id
            );
            return Err(refuse(format!("{field}.id"), problem));
        }
    }
    Ok(())
}

fn ids_by_text(file: &TokenizerFile) -> HashMap<&str, u32> {
    let added = file.added_tokens.iter().map(|token| (token.content.as_str(), token.id));
    file.model.vocab.iter().map(|(token, &id)| (token.as_str(), id)).chain(added).collect()
}

/// What a post-processor inserts must be tokens of this vocabulary.
fn special_ids(value: &Value, field: &str, ids: &HashMap<&str, u32>) -> Result<(), TokenizerError> {
    match value.get("type").and_then(Value::as_str) {
        Some("Sequence") => {
            let steps = value.get("processors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            steps
                .iter()
                .enumerate()
                .try_for_each(|(i, step)| special_ids(step, &format!("{field}.processors[{i}]"), ids))
        }
        Some("TemplateProcessing") => template(value, field, ids),
        Some("BertProcessing" | "RobertaProcessing") => ["sep", "cls"].iter().try_for_each(|key| {
            let pair = value.get(key);
            let text = pair.and_then(|p| p.get(0)).and_then(Value::as_str);
            let id = pair.and_then(|p| p.get(1)).and_then(Value::as_u64);
            same_id(text, id, &format!("{field}.{key}"), ids)
        }),
        _ => Ok(()),
    }
}

fn template(value: &Value, field: &str, ids: &HashMap<&str, u32>) -> Result<(), TokenizerError> {
    let tokens = value.get("special_tokens").and_then(Value::as_object);
    let tokens = tokens.ok_or_else(|| refuse(format!("{field}.special_tokens"), "is missing"))?;
    for (name, token) in tokens {
        let field = format!("{field}.special_tokens.{}", shown(name));
        let list = |key: &str| token.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let (texts, numbers) = (list("tokens"), list("ids"));
        if texts.is_empty() || texts.len() != numbers.len() {
            return Err(refuse(field, "needs as many ids as tokens, and at least one"));
        }
        for (text, id) in texts.iter().zip(numbers) {
            same_id(text.as_str(), id.as_u64(), &field, ids)?;
        }
    }
    let pieces = value.get("single").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut sequences = 0;
    for (i, piece) in pieces.iter().enumerate() {
        let field = format!("{field}.single[{i}]");
        let id = |kind: &str| piece.get(kind).and_then(|p| p.get("id")).and_then(Value::as_str);
        match (id("SpecialToken"), id("Sequence")) {
            (Some(name), None) if tokens.contains_key(name) => {}
            (None, Some("A")) => sequences += 1,
            _ => return Err(refuse(field, "is neither sequence A nor one of special_tokens")),
        }
    }
    if sequences != 1 {
        return Err(refuse(format!("{field}.single"), "must hold the text (sequence A) once"));
    }
    Ok(())
}

fn same_id(
    text: Option<&str>,
    id: Option<u64>,
    field: &str,
    ids: &HashMap<&str, u32>,
) -> Result<(), TokenizerError> {
    match (text, id) {
        (Some(text), Some(id)) if ids.get(text).is_some_and(|&own| u64::from(own) == id) => Ok(()),
        (Some(text), Some(id)) => {
            Err(refuse(field, format!("\"{}\" with id {id} is not in the vocabulary", shown(text))))
        }
        _ => Err(refuse(field, "needs the text and the id of a token")),
    }
}

fn merge_pairs(merges: Vec<MergeFile>, model: &ModelFile) -> Result<Vec<(String, String)>, TokenizerError> {
    let prefix = model.continuing_subword_prefix.as_deref().unwrap_or_default();
    let mut pairs = Vec::with_capacity(merges.len());
    let mut joined = String::new();
    for (i, merge) in merges.into_iter().enumerate() {
        let field = || format!("model.merges[{i}]");
        let Some((left, right)) = pair_of(merge).map_err(|problem| refuse(field(), problem))? else {
            continue;
        };
        let Some(rest) = right.strip_prefix(prefix) else {
            return Err(refuse(field(), "the right side lacks continuing_subword_prefix"));
        };
        joined.clear();
        joined.push_str(&left);
        joined.push_str(rest);
        for token in [&left, &right, &joined] {
            if !model.vocab.contains_key(token) {
                let problem = format!("\"{}\" is not in the vocabulary", shown(token));
                return Err(refuse(field(), problem));
            }
        }
        pairs.push((left, right));
    }
    Ok(pairs)
}

fn pair_of(merge: MergeFile) -> Result<Option<(String, String)>, &'static str> {
    match merge {
        MergeFile::Pair(left, right) => Ok(Some((left, right))),
        MergeFile::Line(line) if line.starts_with("#version") => Ok(None),
        MergeFile::Line(line) => match line.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => Ok(Some((left.to_owned(), right.to_owned()))),
            _ => Err("must be two tokens with one space between"),
        },
    }
}
