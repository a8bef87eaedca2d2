//! Prompt and prefix tuning: how many virtual tokens, and what makes them.

use rootstock_model::Config;
use rootstock_peft::{MAX_ENCODER_WIDTH, MAX_VIRTUAL_TOKENS, VirtualTokensConfig, VirtualTokensKind};
use rootstock_proto::training::v1 as proto;

use super::numbers::Fields;
use crate::{error::Error, spec::VirtualTokens};

const PROMPT: Fields = Fields { path: "spec.prompt" };
const PREFIX: Fields = Fields { path: "spec.prefix" };
/// PEFT has no default; its examples have as many.
const TOKENS: usize = 20;
/// Longest text that a prompt begins as, in bytes: more than the most virtual tokens can hold.
const MAX_TEXT_BYTES: usize = 1 << 16;

pub(super) fn prompt_tuning(from: &proto::PromptTuningMethod) -> Result<VirtualTokens, Error> {
    const TEXT: &str = "prompt_tuning_init_text";
    let text = &from.prompt_tuning_init_text;
    let begins_as_text = match proto::PromptTuningInit::try_from(from.prompt_tuning_init) {
        Ok(init) => init == proto::PromptTuningInit::Text,
        Err(_) => return Err(PROMPT.invalid("prompt_tuning_init", "is unknown; set RANDOM or TEXT")),
    };
    match (begins_as_text, text.trim().is_empty()) {
        (true, true) => return Err(PROMPT.invalid(TEXT, "is missing, but prompt_tuning_init is TEXT")),
        (false, false) => {
            return Err(PROMPT.invalid(TEXT, "is only for prompt_tuning_init TEXT; set that, or take it out"));
        }
        _ if text.len() > MAX_TEXT_BYTES => {
            return Err(PROMPT.invalid(TEXT, format!("must have at most {MAX_TEXT_BYTES} bytes")));
        }
        _ => {}
    }
    let init_text = begins_as_text.then(|| text.clone());
    tokens(PROMPT, from.num_virtual_tokens, VirtualTokensKind::Prompt { init_text })
}

pub(super) fn prefix_tuning(from: &proto::PrefixTuningMethod) -> Result<VirtualTokens, Error> {
    const WIDTH: &str = "encoder_hidden_size";
    let width = PREFIX.size(WIDTH, from.encoder_hidden_size, 0, MAX_ENCODER_WIDTH)?;
    if width > 0 && !from.prefix_projection {
        return Err(PREFIX.invalid(WIDTH, "is only for prefix_projection; set that, or take it out"));
    }
    let encoder_hidden_size = from.prefix_projection.then_some(width);
    tokens(PREFIX, from.num_virtual_tokens, VirtualTokensKind::Prefix { encoder_hidden_size })
}

fn tokens(fields: Fields, number: i32, kind: VirtualTokensKind) -> Result<VirtualTokens, Error> {
    let num_virtual_tokens = fields.size("num_virtual_tokens", number, TOKENS, MAX_VIRTUAL_TOKENS)?;
    Ok(VirtualTokens { num_virtual_tokens, kind })
}

/// PEFT's configuration of the adapter; `base_digest` stands where PEFT has the base model's name.
pub(crate) fn virtual_tokens_config(
    tokens: &VirtualTokens,
    base: &Config,
    base_digest: &str,
) -> VirtualTokensConfig {
    let mut kind = tokens.kind.clone();
    if let VirtualTokensKind::Prefix { encoder_hidden_size: Some(width @ 0) } = &mut kind {
        *width = base.num_key_value_heads * base.head_dim;
    }
    VirtualTokensConfig {
        num_virtual_tokens: tokens.num_virtual_tokens,
        kind,
        base_model_name_or_path: Some(base_digest.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_prompt_begins_as_random_numbers_or_as_a_text_that_must_be_there() {
        let random = proto::PromptTuningMethod::default();
        let tokens = prompt_tuning(&random).unwrap();
        assert_eq!(
            (tokens.num_virtual_tokens, tokens.kind),
            (20, VirtualTokensKind::Prompt { init_text: None })
        );
        let init = proto::PromptTuningInit::Text.into();
        let text = proto::PromptTuningMethod { prompt_tuning_init: init, ..random.clone() };
        assert!(refused(prompt_tuning(&text)).contains("is missing"));
        let alone = proto::PromptTuningMethod { prompt_tuning_init_text: "Answer:".into(), ..random };
        assert!(refused(prompt_tuning(&alone)).contains("prompt_tuning_init TEXT"));
        let both = proto::PromptTuningMethod { num_virtual_tokens: 3, prompt_tuning_init: init, ..alone };
        let kind = VirtualTokensKind::Prompt { init_text: Some("Answer:".into()) };
        assert_eq!(prompt_tuning(&both).unwrap(), VirtualTokens { num_virtual_tokens: 3, kind });
        let many = proto::PromptTuningMethod { num_virtual_tokens: 5000, ..both };
        assert!(refused(prompt_tuning(&many)).contains("from 0 to 4096"));
    }

    #[test]
    fn a_prefix_is_as_wide_as_its_keys_unless_it_says_otherwise() {
        let base = Config::from_json(
            br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 64, "hidden_size": 32,
            "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}"#,
        )
        .unwrap();
        let width = |prefix_projection, encoder_hidden_size| {
            let method =
                proto::PrefixTuningMethod { prefix_projection, encoder_hidden_size, num_virtual_tokens: 0 };
            prefix_tuning(&method).map(|tokens| virtual_tokens_config(&tokens, &base, "sha256:0").kind)
        };
        let kind = |encoder_hidden_size| VirtualTokensKind::Prefix { encoder_hidden_size };
        assert_eq!(width(false, 0).unwrap(), kind(None));
        assert_eq!(width(true, 0).unwrap(), kind(Some(16)));
        assert_eq!(width(true, 7).unwrap(), kind(Some(7)));
        assert!(refused(width(false, 7)).contains("prefix_projection"));
    }
}
