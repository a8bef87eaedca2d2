//! What training begins with: a model, an adapter, or random weights.
use rootstock_artifacts::Kind;
use rootstock_client::proto::training::v1 as proto;

use super::named;
use crate::train::file::{NewEncoder, TrainFile};

pub(super) fn start(file: &TrainFile) -> Result<proto::training_spec::Start, String> {
    use proto::training_spec::Start;
    if let Some(name) = &file.base_adapter {
        if file.base_model.is_some() || file.new_model.is_some() || file.new_encoder.is_some() {
            return Err(
                "base_adapter has a base model of its own; take base_model, new_model and new_encoder out"
                    .into(),
            );
        }
        return named("base_adapter", Kind::Adapter, name).map(Start::BaseAdapter);
    }
    match (&file.base_model, &file.new_model, &file.new_encoder) {
        (Some(name), None, None) => named("base_model", Kind::BaseModel, name).map(Start::BaseModel),
        (None, None, Some(model)) => new_encoder(model).map(Start::NewEncoder),
        (None, Some(model), None) => Ok(Start::NewModel(proto::NewModel {
            tokenizer: named("new_model.tokenizer", Kind::Tokenizer, &model.tokenizer)?,
            model_type: model.model_type.clone(),
            hidden_size: model.hidden_size,
            intermediate_size: model.intermediate_size,
            num_hidden_layers: model.num_hidden_layers,
            num_attention_heads: model.num_attention_heads,
            num_key_value_heads: model.num_key_value_heads,
            head_dim: model.head_dim,
            max_position_embeddings: model.max_position_embeddings,
            sliding_window: model.sliding_window,
            rope_theta: model.rope_theta,
            tie_word_embeddings: model.tie_word_embeddings,
            initializer_range: model.initializer_range,
        })),
        (None, None, None) => {
            Err("base_model is missing; name a base model, or describe a new_model or a new_encoder".into())
        }
        _ => Err("base_model, new_model and new_encoder exclude each other; leave one".into()),
    }
}

fn new_encoder(model: &NewEncoder) -> Result<proto::NewEncoder, String> {
    Ok(proto::NewEncoder {
        tokenizer: named("new_encoder.tokenizer", Kind::Tokenizer, &model.tokenizer)?,
        hidden_size: model.hidden_size,
        intermediate_size: model.intermediate_size,
        num_hidden_layers: model.num_hidden_layers,
        num_attention_heads: model.num_attention_heads,
        max_position_embeddings: model.max_position_embeddings,
        type_vocab_size: model.type_vocab_size,
        hidden_dropout_prob: model.hidden_dropout_prob,
        initializer_range: model.initializer_range,
        layer_norm_eps: model.layer_norm_eps,
    })
}
