//! The objective of a training file, with the keys that are its own.
use rootstock_client::proto::training::v1 as proto;

use super::listed;
use crate::train::file::{Denoiser, Objective, TrainFile, Truncation};

pub(super) fn objective_of(
    file: &TrainFile,
    objective: Objective,
) -> Result<proto::training_spec::Objective, String> {
    use proto::training_spec::Objective as Of;
    Ok(match objective {
        Objective::Causal => {
            Of::Causal(proto::CausalObjective { block_size: file.block_size.unwrap_or_default() })
        }
        Objective::Supervised => Of::Supervised(proto::SupervisedObjective {
            prompt_template: file
                .prompt_template
                .clone()
                .ok_or("prompt_template is missing; write qa_zh, qa_en, alpaca or chat")?,
            max_length: file.max_length.unwrap_or_default(),
            truncation: truncation(file.truncation).into(),
            instruction_token_dropout: file.instruction_token_dropout.unwrap_or_default(),
            span_shuffle: file.span_shuffle.unwrap_or_default(),
            paraphrase_columns: listed(file.paraphrase_columns.as_ref()),
        }),
        Objective::Infilling => Of::Infilling(proto::InfillingObjective {
            max_length: file.max_length.unwrap_or_default(),
            denoisers: denoisers(file.denoisers.as_deref().unwrap_or_default())?,
        }),
        Objective::Classification => Of::Classification(proto::ClassificationObjective {
            max_length: file.max_length.unwrap_or_default(),
            freeze_encoder: file.freeze_encoder.unwrap_or_default(),
        }),
        Objective::Masked => Of::Masked(proto::MaskedObjective {
            mlm_probability: file.mlm_probability.unwrap_or_default(),
            whole_word_mask: file.whole_word_mask.unwrap_or_default(),
            block_size: file.block_size.unwrap_or_default(),
        }),
    })
}

fn truncation(truncation: Option<Truncation>) -> proto::Truncation {
    match truncation {
        None => proto::Truncation::Unspecified,
        Some(Truncation::Drop) => proto::Truncation::Drop,
        Some(Truncation::TruncateLeft) => proto::Truncation::TruncateLeft,
        Some(Truncation::TruncateRight) => proto::Truncation::TruncateRight,
        Some(Truncation::Error) => proto::Truncation::Error,
    }
}

fn denoisers(denoisers: &[Denoiser]) -> Result<Vec<proto::Denoiser>, String> {
    use proto::denoiser::Corruption;
    let denoiser = |(i, from): (usize, &Denoiser)| {
        let (corruption_rate, mean_span_length) = (from.corruption_rate, from.mean_span_length);
        if from.continuation && (corruption_rate != 0.0 || mean_span_length != 0.0) {
            return Err(format!("denoisers[{i}].continuation cuts out no spans; take it or their keys out"));
        }
        let corruption = if from.continuation {
            Corruption::Continuation(proto::ContinuationCorruption {})
        } else {
            Corruption::Spans(proto::SpanCorruption { corruption_rate, mean_span_length })
        };
        let (weight, prefix_token) = (from.weight, from.prefix_token.clone());
        Ok(proto::Denoiser { corruption: Some(corruption), weight, prefix_token })
    };
    denoisers.iter().enumerate().map(denoiser).collect()
}
