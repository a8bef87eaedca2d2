//! More tokens for a tokenizer: entries of `added_tokens`, with ids behind all that there are.

use serde_json::{Value, json};

use super::check::refuse;
use super::file::shown;
use super::{TextTokenizer, TokenizerError};

impl TextTokenizer {
    /// The tokenizer.json that this tokenizer was built from with more tokens. As transformers' `add_tokens` has them they are no
    /// special tokens; unlike there they are looked for in a text as it is, before it is normalized. The first has the id
    /// [`TextTokenizer::vocab_size`].
    ///
    /// # Errors
    /// Names the first that is empty or a token already, or says why the file is none.
    pub fn extended(&self, tokenizer_json: &[u8], tokens: &[String]) -> Result<Vec<u8>, TokenizerError> {
        let failed = |error: serde_json::Error| refuse("added_tokens", error.to_string());
        let mut file: Value = serde_json::from_slice(tokenizer_json).map_err(failed)?;
        let added = file.as_object_mut().map(|file| file.entry("added_tokens").or_insert_with(|| json!([])));
        let added = added.and_then(Value::as_array_mut);
        let added = added.ok_or_else(|| refuse("added_tokens", "is no list"))?;
        for (i, token) in tokens.iter().enumerate() {
            if token.is_empty() || tokens[..i].contains(token) || self.token_to_id(token).is_some() {
                let problem = format!("\"{}\" is empty or a token already; take it out", shown(token));
                return Err(refuse(format!("added_tokens[{i}]"), problem));
            }
            added.push(json!({
                "id": self.vocab_size() + i, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": false,
            }));
        }
        serde_json::to_vec(&file).map_err(failed)
    }
}
