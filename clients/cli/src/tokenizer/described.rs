//! A tokenizer as a row.
use rootstock_client::proto::tokenization::v1::Tokenizer;
use serde::Serialize;

use crate::table::{self, Tabular, or_dash};

#[derive(Debug, Serialize)]
pub(super) struct Described {
    name: String,
    artifact_digest: String,
    tokenizer_digest: String,
    vocab_size: i32,
    bos_token_id: Option<u32>,
    eos_token_id: Option<u32>,
    pad_token_id: Option<u32>,
    has_chat_template: bool,
}

impl From<Tokenizer> for Described {
    fn from(tokenizer: Tokenizer) -> Self {
        Self {
            name: tokenizer.name,
            artifact_digest: tokenizer.artifact_digest,
            tokenizer_digest: tokenizer.tokenizer_digest,
            vocab_size: tokenizer.vocab_size,
            bos_token_id: tokenizer.bos_token_id,
            eos_token_id: tokenizer.eos_token_id,
            pad_token_id: tokenizer.pad_token_id,
            has_chat_template: tokenizer.has_chat_template,
        }
    }
}

impl Tabular for Described {
    const HEADER: &'static [&'static str] =
        &["NAME", "ARTIFACT", "TOKENIZER", "VOCABULARY", "BOS", "EOS", "PAD", "CHAT TEMPLATE"];

    fn cells(&self) -> Vec<String> {
        self.row(table::short(&self.artifact_digest), table::short(&self.tokenizer_digest))
    }

    fn details(&self) -> Vec<String> {
        self.row(self.artifact_digest.clone(), self.tokenizer_digest.clone())
    }
}

impl Described {
    fn row(&self, artifact_digest: String, tokenizer_digest: String) -> Vec<String> {
        vec![
            self.name.clone(),
            artifact_digest,
            tokenizer_digest,
            self.vocab_size.to_string(),
            or_dash(self.bos_token_id),
            or_dash(self.eos_token_id),
            or_dash(self.pad_token_id),
            if self.has_chat_template { "yes" } else { "no" }.to_owned(),
        ]
    }
}
