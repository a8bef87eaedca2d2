//! The shape of a BERT, read from and written as Hugging Face's `config.json`, refusing what this encoder can't compute.

use std::ops::RangeInclusive;

use rootstock_kernels::{Heads, Sight};
use serde_json::{Map, Value, json};

use crate::{
    ConfigError, MAX_LAYERS, MAX_WIDTH, TensorSpec,
    config::{fields::Fields, invalid},
};

/// The `model_type` of the encoder.
pub(crate) const MODEL_TYPE: &str = "bert";
/// Fields that must be off, because the encoder does not compute what they ask for.
const MUST_BE_OFF: [&str; 3] = ["add_cross_attention", "is_decoder", "quantization_config"];
/// Labels of a classifier whose configuration names none.
const DEFAULT_LABELS: usize = 2;
/// The most labels.
const MAX_LABELS: usize = 1 << 16;
/// Shares of numbers that may be dropped.
const DROPOUT: RangeInclusive<f64> = 0.0..=0.99;

/// What an encoder is for: which head it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Tells the ids of masked tokens (`BertForMaskedLM`).
    MaskedLm,
    /// Tells to which of these labels a sequence belongs (`BertForSequenceClassification`).
    Classification(Vec<String>),
}

/// The fields of Hugging Face's `BertConfig` that decide what is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderConfig {
    /// Which head there is.
    pub task: Task,
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream; `num_attention_heads` divides it.
    pub hidden_size: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads per layer.
    pub num_attention_heads: usize,
    /// The longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Kinds of tokens, such as those of a first and of a second sentence.
    pub type_vocab_size: usize,
    /// Added to the variance in LayerNorm.
    pub layer_norm_eps: f64,
    /// Standard deviation of freshly drawn weights.
    pub initializer_range: f64,
    /// Share of the numbers dropped after the embedding and each block while training.
    pub hidden_dropout_prob: f64,
    /// Share of the attention's weights dropped while training, which must be 0 for that: the weights are never all in memory.
    pub attention_probs_dropout_prob: f64,
    /// Share of the pooled numbers dropped before the classifier while training; `hidden_dropout_prob` if absent.
    pub classifier_dropout: Option<f64>,
    /// The token that fills up rows, when the model has one.
    pub pad_token_id: Option<u32>,
    /// The dtype named for the stored weights (`torch_dtype` or `dtype`), kept for writing back.
    pub torch_dtype: Option<String>,
}

impl Task {
    /// The `architectures` entries there are.
    pub(crate) const ARCHITECTURES: [&str; 2] = ["BertForMaskedLM", "BertForSequenceClassification"];

    /// The tasks there are, in words.
    pub(crate) fn supported() -> String {
        format!("architectures {:?} with model_type {MODEL_TYPE:?}", Self::ARCHITECTURES)
    }

    fn architecture(&self) -> &'static str {
        match self {
            Self::MaskedLm => Self::ARCHITECTURES[0],
            Self::Classification(_) => Self::ARCHITECTURES[1],
        }
    }

    fn parse(fields: &Fields) -> Result<Self, ConfigError> {
        let unsupported = |field: &'static str, found: String| ConfigError::Architecture {
            field,
            found,
            supported: Self::supported(),
        };
        if let Some(found) = fields.get("model_type").filter(|found| *found != MODEL_TYPE) {
            return Err(unsupported("model_type", found.to_string()));
        }
        let Some(found) = fields.get("architectures") else {
            return Err(unsupported("architectures", "missing".to_owned()));
        };
        match Self::ARCHITECTURES
            .map(|name| found.as_array().is_some_and(|all| all.iter().any(|n| n == name)))
        {
            [true, _] => Ok(Self::MaskedLm),
            [_, true] => Ok(Self::Classification(labels(fields)?)),
            _ => Err(unsupported("architectures", found.to_string())),
        }
    }
}

impl EncoderConfig {
    /// Parses Hugging Face's `config.json`.
    ///
    /// # Errors
    /// Names the field that is missing, out of range, or asks for something this encoder does not compute.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        let fields = Fields::parse(bytes)?;
        let task = Task::parse(&fields)?;
        refuse_unsupported(&fields)?;
        let config = Self {
            task,
            vocab_size: fields.size("vocab_size")?,
            hidden_size: fields.size("hidden_size")?,
            intermediate_size: fields.size("intermediate_size")?,
            num_hidden_layers: fields.size("num_hidden_layers")?,
            num_attention_heads: fields.size("num_attention_heads")?,
            max_position_embeddings: fields.size_or("max_position_embeddings", 512)?,
            type_vocab_size: fields.size_or("type_vocab_size", 2)?,
            layer_norm_eps: fields.number_or("layer_norm_eps", 1e-12)?,
            initializer_range: fields.number_or("initializer_range", 0.02)?,
            hidden_dropout_prob: fields.number_or("hidden_dropout_prob", 0.1)?,
            attention_probs_dropout_prob: fields.number_or("attention_probs_dropout_prob", 0.1)?,
            classifier_dropout: fields
                .get("classifier_dropout")
                .map(|_| fields.number_or("classifier_dropout", 0.0))
                .transpose()?,
            pad_token_id: fields.token_ids("pad_token_id")?.first().copied(),
            torch_dtype: fields.text("torch_dtype").or_else(|| fields.text("dtype")).map(str::to_owned),
        };
        config.validate()?;
        Ok(config)
    }

    /// Checks that the fields are in range and fit together; `from_json` has done so already.
    ///
    /// # Errors
    /// Names the first field that does not fit.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("vocab_size", self.vocab_size, MAX_WIDTH),
            ("hidden_size", self.hidden_size, MAX_WIDTH),
            ("intermediate_size", self.intermediate_size, MAX_WIDTH),
            ("num_hidden_layers", self.num_hidden_layers, MAX_LAYERS),
            ("num_attention_heads", self.num_attention_heads, MAX_WIDTH),
            ("max_position_embeddings", self.max_position_embeddings, MAX_WIDTH),
            ("type_vocab_size", self.type_vocab_size, MAX_WIDTH),
        ];
        if let Some((field, size, most)) =
            sizes.into_iter().find(|(_, size, most)| !(1..=*most).contains(size))
        {
            return Err(invalid(field, &format!("is {size}, but must be at least 1 and at most {most}")));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(invalid("num_attention_heads", "must divide hidden_size"));
        }
        let shares = [
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ("classifier_dropout", self.classifier_dropout.unwrap_or_default()),
        ];
        if let Some((field, share)) = shares.into_iter().find(|(_, share)| !DROPOUT.contains(share)) {
            return Err(invalid(field, &format!("is {share}, but must lie between 0 and {}", DROPOUT.end())));
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0) {
            return Err(invalid("layer_norm_eps", "must lie between 0 and 1"));
        }
        if !(0.0..1e3).contains(&self.initializer_range) {
            return Err(invalid("initializer_range", "must not be negative, and below 1000"));
        }
        Ok(())
    }

    /// Writes the configuration as Hugging Face's `config.json`, indented, keys in a fixed order.
    pub fn to_json(&self) -> String {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("architectures", json!([self.task.architecture()]));
        put("attention_probs_dropout_prob", json!(self.attention_probs_dropout_prob));
        put("classifier_dropout", json!(self.classifier_dropout));
        put("hidden_act", json!("gelu"));
        put("hidden_dropout_prob", json!(self.hidden_dropout_prob));
        put("hidden_size", json!(self.hidden_size));
        put("initializer_range", json!(self.initializer_range));
        put("intermediate_size", json!(self.intermediate_size));
        put("layer_norm_eps", json!(self.layer_norm_eps));
        put("max_position_embeddings", json!(self.max_position_embeddings));
        put("model_type", json!(MODEL_TYPE));
        put("num_attention_heads", json!(self.num_attention_heads));
        put("num_hidden_layers", json!(self.num_hidden_layers));
        put("pad_token_id", json!(self.pad_token_id));
        put("position_embedding_type", json!("absolute"));
        put("tie_word_embeddings", json!(true));
        put("torch_dtype", json!(self.torch_dtype.as_deref().unwrap_or("float32")));
        put("type_vocab_size", json!(self.type_vocab_size));
        put("vocab_size", json!(self.vocab_size));
        if let Task::Classification(labels) = &self.task {
            let by_id = labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label)));
            put("id2label", Value::Object(by_id.collect()));
            let by_label = labels.iter().enumerate().map(|(id, label)| (label.clone(), json!(id)));
            put("label2id", Value::Object(by_label.collect()));
        }
        format!("{:#}\n", Value::Object(fields))
    }

    /// Every weight of the model, in forward order; the tied output projection is left out.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let (h, i) = (self.hidden_size, self.intermediate_size);
        let mut specs = Specs(Vec::new());
        specs.put(WORDS, &[self.vocab_size, h]);
        specs.put(POSITIONS, &[self.max_position_embeddings, h]);
        specs.put(TYPES, &[self.type_vocab_size, h]);
        specs.norm(EMBEDDING_NORM, h);
        for layer in 0..self.num_hidden_layers {
            let names = LayerNames::new(layer);
            names.qkv.iter().for_each(|name| specs.affine(name, h, h));
            specs.affine(&names.output, h, h);
            specs.norm(&names.attention_norm, h);
            specs.affine(&names.up, i, h);
            specs.affine(&names.down, h, i);
            specs.norm(&names.norm, h);
        }
        match &self.task {
            Task::MaskedLm => {
                specs.put(VOCABULARY_BIAS, &[self.vocab_size]);
                specs.affine(TRANSFORM, h, h);
                specs.norm(TRANSFORM_NORM, h);
            }
            Task::Classification(labels) => {
                specs.affine(POOLER, h, h);
                specs.affine(CLASSIFIER, labels.len(), h);
            }
        }
        specs.0
    }

    /// Whether weight files may hold a tensor of this name that nobody reads: copies of tied weights, positions that follow from the
    /// configuration, and the other heads that BERT was first trained with.
    pub fn passes_over(&self, name: &str) -> bool {
        let other_heads = self.task == Task::MaskedLm && name.starts_with("bert.pooler.");
        other_heads
            || name.starts_with("cls.seq_relationship.")
            || name == "bert.embeddings.position_ids"
            || ["cls.predictions.decoder.weight", "cls.predictions.decoder.bias"].contains(&name)
    }

    /// The name that a tensor has today: LayerNorm's weights were called gamma and beta in the first checkpoints.
    pub fn canonical(name: &str) -> String {
        let renamed = |old: &str, new: &str| Some(format!("{}.LayerNorm.{new}", name.strip_suffix(old)?));
        let weight = renamed(".LayerNorm.gamma", "weight").or_else(|| renamed(".LayerNorm.beta", "bias"));
        weight.unwrap_or_else(|| name.to_owned())
    }

    /// Number of trainable numbers in the whole model.
    pub fn parameters(&self) -> usize {
        self.tensors().iter().map(|spec| spec.shape.iter().product::<usize>()).sum()
    }

    pub(crate) fn heads(&self) -> Heads {
        let heads = self.num_attention_heads;
        Heads { query: heads, key_value: heads, dim: self.hidden_size / heads, sight: Sight::All }
    }
}

pub(crate) const WORDS: &str = "bert.embeddings.word_embeddings.weight";
pub(crate) const POSITIONS: &str = "bert.embeddings.position_embeddings.weight";
pub(crate) const TYPES: &str = "bert.embeddings.token_type_embeddings.weight";
pub(crate) const EMBEDDING_NORM: &str = "bert.embeddings.LayerNorm";
pub(crate) const VOCABULARY_BIAS: &str = "cls.predictions.bias";
pub(crate) const TRANSFORM: &str = "cls.predictions.transform.dense";
pub(crate) const TRANSFORM_NORM: &str = "cls.predictions.transform.LayerNorm";
pub(crate) const POOLER: &str = "bert.pooler.dense";
pub(crate) const CLASSIFIER: &str = "classifier";

/// The modules of a layer by their paths in transformers' `BertLayer`.
pub(crate) struct LayerNames {
    pub(crate) qkv: [String; 3],
    pub(crate) output: String,
    pub(crate) attention_norm: String,
    pub(crate) up: String,
    pub(crate) down: String,
    pub(crate) norm: String,
}

impl LayerNames {
    pub(crate) fn new(layer: usize) -> Self {
        let path = |module: &str| format!("bert.encoder.layer.{layer}.{module}");
        Self {
            qkv: ["query", "key", "value"].map(|name| path(&format!("attention.self.{name}"))),
            output: path("attention.output.dense"),
            attention_norm: path("attention.output.LayerNorm"),
            up: path("intermediate.dense"),
            down: path("output.dense"),
            norm: path("output.LayerNorm"),
        }
    }
}

struct Specs(Vec<TensorSpec>);

impl Specs {
    fn put(&mut self, name: &str, shape: &[usize]) {
        self.0.push(TensorSpec { name: name.to_owned(), shape: shape.to_vec() });
    }

    fn affine(&mut self, module: &str, outputs: usize, inputs: usize) {
        self.put(&format!("{module}.weight"), &[outputs, inputs]);
        self.put(&format!("{module}.bias"), &[outputs]);
    }

    fn norm(&mut self, module: &str, width: usize) {
        self.put(&format!("{module}.weight"), &[width]);
        self.put(&format!("{module}.bias"), &[width]);
    }
}

fn refuse_unsupported(fields: &Fields) -> Result<(), ConfigError> {
    MUST_BE_OFF.into_iter().try_for_each(|field| fields.refuse_on(field))?;
    for (field, only) in [
        ("hidden_act", "gelu"),
        ("position_embedding_type", "absolute"),
        ("problem_type", "single_label_classification"),
    ] {
        if let Some(found) = fields.get(field).filter(|found| *found != only) {
            return Err(invalid(field, &format!("is {found}, but only \"{only}\" is supported")));
        }
    }
    if fields.flag_or("tie_word_embeddings", true)? {
        return Ok(());
    }
    Err(invalid("tie_word_embeddings", "is false, which is not supported"))
}

/// The labels by id: those that `id2label` names, or as many as `num_labels` says.
fn labels(fields: &Fields) -> Result<Vec<String>, ConfigError> {
    let Some(value) = fields.get("id2label") else {
        let count = fields.size_or("num_labels", DEFAULT_LABELS)?;
        if count > MAX_LABELS {
            return Err(invalid("num_labels", &format!("is {count}, but must be at most {MAX_LABELS}")));
        }
        return check_labels((0..count).map(|id| format!("LABEL_{id}")).collect());
    };
    let names = value.as_object().ok_or_else(|| invalid("id2label", "must be a JSON object"))?;
    let name = |id: usize| names.get(&id.to_string()).and_then(Value::as_str).map(str::to_owned);
    let labels: Option<Vec<String>> = (0..names.len()).map(name).collect();
    check_labels(labels.ok_or_else(|| invalid("id2label", "must name a label for each id from 0 on"))?)
}

fn check_labels(labels: Vec<String>) -> Result<Vec<String>, ConfigError> {
    if labels.len() > 1 {
        return Ok(labels);
    }
    Err(invalid("id2label", "must name at least two labels; regression is not supported"))
}
