//! What an encoder's answer is from, as `--json` prints it.
use rootstock_client::proto::inference::v1::EncoderBinding;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Binding {
    base_digest: String,
    tokenizer_digest: String,
    dispatch: String,
    weight_format: String,
    engine_version: String,
}

impl From<EncoderBinding> for Binding {
    fn from(binding: EncoderBinding) -> Self {
        Self {
            base_digest: binding.base_digest,
            tokenizer_digest: binding.tokenizer_digest,
            dispatch: binding.dispatch,
            weight_format: binding.weight_format,
            engine_version: binding.engine_version,
        }
    }
}
