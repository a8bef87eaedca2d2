//! File names of artifacts, and which files each kind must have.
use crate::Kind;

/// Most files in one artifact.
pub const MAX_FILES: usize = 1000;
/// Longest file name.
pub const MAX_FILE_NAME_BYTES: usize = 128;

/// Whether `name` is of the form `[A-Za-z0-9._-]+`, not hidden, and no way out of a directory.
pub fn check_file_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !name.is_empty()
        && name.len() <= MAX_FILE_NAME_BYTES
        && !name.starts_with('.')
        && name.bytes().all(allowed)
}

/// What an artifact of this kind lacks, if it lacks something: a file name, or a pattern of which one must be there. What a data set may
/// be made of is for those to say who read it.
pub fn missing_file<'a>(kind: Kind, names: impl Iterator<Item = &'a str> + Clone) -> Option<&'static str> {
    let has = |wanted: &str| names.clone().any(|name| name == wanted);
    let has_ending =
        |endings: &[&str]| names.clone().any(|name| endings.iter().any(|end| name.ends_with(end)));
    let required: &[&'static str] = match kind {
        Kind::BaseModel => &["config.json"],
        Kind::Adapter => &["adapter_config.json"],
        Kind::TrainingState => &["trainer_state.json"],
        Kind::Tokenizer => &["tokenizer.json"],
        Kind::Evaluation => &["evaluation.json"],
        Kind::Fisher => &["fisher.safetensors"],
        Kind::Dataset => &[],
    };
    if let Some(missing) = required.iter().find(|name| !has(name)) {
        return Some(missing);
    }
    match kind {
        Kind::BaseModel | Kind::Adapter | Kind::TrainingState if !has_ending(&[".safetensors"]) => {
            Some("*.safetensors")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_never_leaves_its_directory() {
        for name in ["", ".", "..", "a/b", "a\\b", ".hidden", "a b", "ü.json", "a\0", &"a".repeat(129)] {
            assert!(!check_file_name(name), "{name}");
        }
        for name in ["config.json", "model-00001-of-00002.safetensors", "LICENSE", "a..b"] {
            assert!(check_file_name(name), "{name}");
        }
    }

    #[test]
    fn each_kind_says_what_it_lacks() {
        let lacks = |kind, names: &[&'static str]| missing_file(kind, names.iter().copied());
        assert_eq!(lacks(Kind::BaseModel, &["model.safetensors"]), Some("config.json"));
        assert_eq!(lacks(Kind::BaseModel, &["config.json"]), Some("*.safetensors"));
        assert_eq!(lacks(Kind::BaseModel, &["config.json", "model.safetensors"]), None);
        assert_eq!(lacks(Kind::Adapter, &["adapter_config.json"]), Some("*.safetensors"));
        assert_eq!(lacks(Kind::TrainingState, &["trainer_state.json"]), Some("*.safetensors"));
        assert_eq!(lacks(Kind::Tokenizer, &[]), Some("tokenizer.json"));
        assert_eq!(lacks(Kind::Evaluation, &[]), Some("evaluation.json"));
        assert_eq!(lacks(Kind::Fisher, &["model.safetensors"]), Some("fisher.safetensors"));
    }
}
