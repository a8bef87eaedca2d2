//! The model that a job trains: read or made at random, with the adapter beside it.

use candle_core::{DType, Device};
use rootstock_client::FetchedArtifact;
use rootstock_model::{AnyConfig, Config as ModelConfig, Decoder, Format};
use rootstock_peft::{
    AdapterConfig, BottleneckAdapter, BottleneckConfig, CONFIG_FILE, LoraAdapter, LoraConfig, PeftError,
    VirtualTokens, VirtualTokensKind, WEIGHTS_FILE,
};
use rootstock_text::TextTokenizer;

use super::{
    encoder::{self, EncoderLearner},
    fault::{Fault, of_job},
    inputs::{read, weight_files},
    learner::Learner,
    prepare::Origin,
    trainee::Trainee,
    vocabulary,
};
use crate::{
    convert::{frozen_format, lora_config, product_format, virtual_tokens_config},
    spec::{Classification, Lora, Method, Objective},
};

/// The model of a job, with what it trains.
pub(super) fn learner(
    origin: &Origin,
    tokenizer: &TextTokenizer,
    base: Option<&FetchedArtifact>,
    adapter: Option<&FetchedArtifact>,
) -> Result<Trainee, Fault> {
    let arguments = &origin.spec.arguments;
    match AnyConfig::clone(&origin.config) {
        AnyConfig::Decoder(config) => decoder(origin, config, tokenizer, (base, adapter)).map(Trainee::from),
        AnyConfig::Encoder(mut config) => {
            if matches!(origin.spec.method, Method::Fisher(_)) {
                (config.hidden_dropout_prob, config.classifier_dropout) = (0.0, None);
            }
            let encoder = encoder::load(config, base, arguments.seed)?;
            let format = product_format(arguments.weight_dtype);
            let learner = match origin.spec.objective {
                Objective::Classification(Classification { freeze_encoder: true, .. }) => {
                    EncoderLearner::head(encoder, format)
                }
                _ => EncoderLearner::full(encoder, format),
            };
            learner.map(Trainee::from)
        }
    }
}

fn decoder(
    origin: &Origin,
    config: ModelConfig,
    tokenizer: &TextTokenizer,
    (base, adapter): (Option<&FetchedArtifact>, Option<&FetchedArtifact>),
) -> Result<Learner, Fault> {
    let spec = &origin.spec;
    let (seed, device) = (spec.arguments.seed, Device::Cpu);
    let failed = of_job("model");
    let decoder = match base {
        None => Decoder::init(config, seed, &device),
        Some(base) => {
            let format = match spec.method {
                Method::Full(_) | Method::Fisher(_) => Format::F32,
                Method::Lora(_) | Method::VirtualTokens(_) | Method::Bottleneck(_) => {
                    frozen_format(spec.arguments.weight_dtype, config.torch_dtype.as_deref())
                }
            };
            Decoder::load(vocabulary::stored(config, spec, base)?, &weight_files(base), format, &device)
        }
    };
    let mut decoder = decoder.map_err(|error| failed(&error))?;
    vocabulary::add_rows(&mut decoder, spec, tokenizer)?;
    decoder.set_recompute(spec.arguments.recompute);
    match &spec.method {
        Method::Full(_) => {
            let trained = spec.trained(decoder.config()).map_err(|error| of_job("method")(&error))?;
            let format = product_format(spec.arguments.weight_dtype);
            Learner::full(decoder, format, |name| trained.iter().any(|stage| stage.contains(name)))
        }
        Method::Fisher(_) => Learner::full(decoder, product_format(spec.arguments.weight_dtype), |_| true),
        Method::Lora(lora) => {
            let adapter = match adapter {
                None => LoraAdapter::start(&lora_config(lora, &origin.base_digest), &decoder, seed),
                Some(before) => {
                    let config = lora_of(&read(&before.files, CONFIG_FILE)?)?;
                    go_on(config, &read(&before.files, WEIGHTS_FILE)?, &decoder, lora)
                }
            };
            Ok(Learner::adapter(decoder, adapter.map_err(|error| of_job("adapter")(&error))?.into()))
        }
        Method::Bottleneck(config) => {
            let base_model_name_or_path = Some(origin.base_digest.clone());
            let config = BottleneckConfig { base_model_name_or_path, ..config.clone() };
            let adapter = BottleneckAdapter::init(&config, decoder.config(), seed, &device);
            Ok(Learner::adapter(decoder, adapter.map_err(|error| of_job("adapter")(&error))?.into()))
        }
        Method::VirtualTokens(tokens) => {
            let config = virtual_tokens_config(tokens, decoder.config(), &origin.base_digest);
            let init_ids = match &config.kind {
                VirtualTokensKind::Prompt { init_text: Some(text) } => tokenizer.encode_ids(text, true),
                _ => Ok(Vec::new()),
            };
            let init_ids = init_ids.map_err(|error| of_job("spec.prompt.prompt_tuning_init_text")(&error))?;
            if init_ids.is_empty() && matches!(config.kind, VirtualTokensKind::Prompt { init_text: Some(_) })
            {
                return Err(Fault::Job(
                    "spec.prompt.prompt_tuning_init_text has no tokens to begin as".into(),
                ));
            }
            let adapter = VirtualTokens::init(&config, &decoder, &init_ids, seed, &device);
            Ok(Learner::adapter(decoder, adapter.map_err(|error| of_job("adapter")(&error))?.into()))
        }
    }
}

/// The settings of an adapter that LoRA can go on with.
fn lora_of(config: &[u8]) -> Result<LoraConfig, Fault> {
    match AdapterConfig::from_json(config).map_err(|error| of_job("spec.base_adapter")(&error))? {
        AdapterConfig::Lora(config) => Ok(config),
        _ => {
            Err(Fault::Job("spec.base_adapter is not a LoRA, and lora goes on with no other adapters".into()))
        }
    }
}

/// An adapter in training, with another dropout where one is asked for.
fn go_on(
    mut config: LoraConfig,
    weights: &[u8],
    base: &Decoder,
    lora: &Lora,
) -> Result<LoraAdapter, PeftError> {
    if lora.lora_dropout > 0.0 {
        config.lora_dropout = lora.lora_dropout;
    }
    let json = config.to_json();
    LoraAdapter::from_bytes(json.as_bytes(), weights, base, DType::F32, base.device())?.into_trainable()
}
