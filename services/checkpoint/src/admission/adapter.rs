//! Adapters: a configuration that can be applied, and tensors that fit the base model they are for.
use std::collections::BTreeMap;

use rootstock_artifacts::Digest;
use rootstock_artifacts::check::TensorInfo;
use rootstock_model::{AnyConfig, Config};
use rootstock_peft::{AdapterConfig, CONFIG_FILE, PeftError, TensorHeader};

use super::{AdmissionError, Base, Inspection, MAX_CONFIG_BYTES};

impl Inspection {
    /// An adapter artifact.
    pub(super) fn adapter(
        mut self,
        tensors: &BTreeMap<String, Vec<TensorInfo>>,
    ) -> Result<Option<Digest>, AdmissionError> {
        let base = self.base.take().ok_or(AdmissionError::Field {
            field: "artifact.base_digest",
            problem: "must name the base model that the adapter is for",
        })?;
        let AnyConfig::Decoder(shape) = &base.config else {
            let problem = "that one is an encoder, and adapters are for decoders".to_owned();
            return Err(AdmissionError::Base { base: base.digest, problem });
        };
        let bytes = self.small(CONFIG_FILE, MAX_CONFIG_BYTES)?.unwrap_or_default();
        let config = AdapterConfig::from_json(&bytes).map_err(|error| refusal(error, CONFIG_FILE))?;
        let weights = config.weights_file();
        if let Some((other, _)) = tensors.iter().find(|(file, _)| *file != weights) {
            let problem = format!("the weights of an adapter of this kind belong into {weights}");
            return Err(AdmissionError::file(other, problem));
        }
        check_named_base(&config, &base)?;
        let headers: Vec<TensorHeader> = tensors
            .values()
            .flatten()
            .map(|tensor| (tensor.name.clone(), tensor.shape.clone(), tensor.dtype))
            .collect();
        config
            .check_tensors(shape, &headers)
            .map_err(|error| judge(error, &config, (base.digest, shape), &headers))?;
        match (self.tokenizer_digest, base.tokenizer_digest) {
            (Some(given), Some(of_base)) if given != of_base => Err(AdmissionError::Tokenizer(format!(
                "tokenizer_digest is {given}, but that of the base model is {of_base}"
            ))),
            (given, of_base) => Ok(given.or(of_base)),
        }
    }
}

/// An adapter made here names its base by digest; what PEFT writes is a label that says nothing.
fn check_named_base(config: &AdapterConfig, base: &Base) -> Result<(), AdmissionError> {
    let label = config.base_model_name_or_path().unwrap_or_default();
    let named = label.rsplit('/').next().and_then(|last| last.parse::<Digest>().ok());
    match named {
        Some(named) if named != base.digest => {
            let problem = format!("{CONFIG_FILE}: base_model_name_or_path is {named}");
            Err(AdmissionError::Base { base: base.digest, problem })
        }
        _ => Ok(()),
    }
}

/// One tensor with a wrong shape is a mistake in that tensor. Several are the dimensions of another model.
fn judge(
    error: PeftError,
    config: &AdapterConfig,
    (base, shape): (Digest, &Config),
    tensors: &[TensorHeader],
) -> AdmissionError {
    if matches!(error, PeftError::Shape { .. }) && misshapen(config, shape, tensors) > 1 {
        return AdmissionError::Base { base, problem: error.to_string() };
    }
    refusal(error, config.weights_file())
}

/// How many tensors have a place in the base model, but another shape than it asks for.
fn misshapen(config: &AdapterConfig, base: &Config, tensors: &[TensorHeader]) -> usize {
    let Ok(shapes) = config.expected_shapes(base) else { return 0 };
    tensors.iter().filter(|(name, shape, _)| shapes.get(name).is_some_and(|wanted| wanted != shape)).count()
}

fn refusal(error: PeftError, weights: &str) -> AdmissionError {
    let message = error.to_string();
    // The messages about the configuration name the file themselves.
    let plain = message
        .strip_prefix(CONFIG_FILE)
        .map_or(message.as_str(), |rest| rest.trim_start_matches([':', ' ']));
    match error {
        PeftError::Pickle { file } => AdmissionError::Pickle { file },
        PeftError::Json(_) | PeftError::Field { .. } | PeftError::Unsupported { .. } => {
            AdmissionError::file(CONFIG_FILE, plain)
        }
        PeftError::Format { file, problem } => AdmissionError::file(&file, problem),
        PeftError::Io { file, source } => AdmissionError::read(&file, source),
        _ => AdmissionError::tensor(weights, message),
    }
}
