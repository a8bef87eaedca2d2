//! EncoderService's messages.

use rootstock_artifacts::Kind;
use rootstock_kernels::dispatch;
use rootstock_proto::inference::v1 as proto;

use super::{count, generation::check_text, reference};
use crate::{
    encoders::{Answer, Binding, Classified, Classify, FillMask, Filled, Likely, Mask},
    error::Error,
};

const MAX_TEXTS: usize = 64;
const DEFAULT_TOP_K: usize = 5;
const MAX_TOP_K: usize = 100;

impl TryFrom<proto::ClassifyRequest> for Classify {
    type Error = Error;

    fn try_from(request: proto::ClassifyRequest) -> Result<Self, Error> {
        let texts = request.texts.len();
        if !(1..=MAX_TEXTS).contains(&texts) {
            return Err(Error::invalid("texts", format!("has {texts} entries; must have 1 to {MAX_TEXTS}")));
        }
        for (index, text) in request.texts.iter().enumerate() {
            check_text(&format!("texts[{index}]"), text)?;
        }
        let model = reference("model", Kind::BaseModel, &request.model)?;
        Ok(Self { model, texts: request.texts })
    }
}

impl TryFrom<proto::FillMaskRequest> for FillMask {
    type Error = Error;

    fn try_from(request: proto::FillMaskRequest) -> Result<Self, Error> {
        check_text("text", &request.text)?;
        let model = reference("model", Kind::BaseModel, &request.model)?;
        Ok(Self { model, text: request.text, top_k: top_k(request.top_k)? })
    }
}

fn top_k(value: i32) -> Result<usize, Error> {
    match usize::try_from(value) {
        Ok(0) => Ok(DEFAULT_TOP_K),
        Ok(value) if value <= MAX_TOP_K => Ok(value),
        _ => Err(Error::invalid("top_k", format!("is {value}; must be in [0, {MAX_TOP_K}]"))),
    }
}

impl From<Binding> for proto::EncoderBinding {
    fn from(binding: Binding) -> Self {
        Self {
            base_digest: binding.base.to_string(),
            tokenizer_digest: binding.tokenizer,
            dispatch: dispatch().name().to_owned(),
            weight_format: binding.weights.to_owned(),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl From<Answer<Vec<Classified>>> for proto::ClassifyResponse {
    fn from(answer: Answer<Vec<Classified>>) -> Self {
        let classifications = answer.said.into_iter().map(Into::into).collect();
        Self { binding: Some(answer.binding.into()), classifications }
    }
}

impl From<Classified> for proto::Classification {
    fn from(classified: Classified) -> Self {
        let labels = classified.labels.into_iter();
        let labels = labels.map(|(label, probability)| proto::LabelProbability { label, probability });
        Self { labels: labels.collect(), tokens: count(classified.tokens) }
    }
}

impl From<Answer<Filled>> for proto::FillMaskResponse {
    fn from(Answer { binding, said }: Answer<Filled>) -> Self {
        let masks = said.masks.into_iter().map(Into::into).collect();
        Self { binding: Some(binding.into()), masks, tokens: count(said.tokens) }
    }
}

impl From<Mask> for proto::FilledMask {
    fn from(mask: Mask) -> Self {
        let tokens = mask.tokens.into_iter().map(Into::into).collect();
        Self { position: count(mask.position), tokens }
    }
}

impl From<Likely> for proto::MaskToken {
    fn from(Likely { id, text, probability }: Likely) -> Self {
        Self { id, text, probability }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::tests::refused;

    fn classify(texts: Vec<String>) -> proto::ClassifyRequest {
        proto::ClassifyRequest { model: "baseModels/a".into(), texts }
    }

    fn fill(top_k: i32) -> proto::FillMaskRequest {
        proto::FillMaskRequest { model: "baseModels/a".into(), text: "[MASK]".into(), top_k }
    }

    #[test]
    fn each_value_out_of_its_range_is_named() {
        let text = String::from("a");
        let long = "x".repeat((1 << 20) + 1);
        for (request, field) in [
            (classify(vec![]), "texts"),
            (classify(vec![text.clone(); 65]), "texts"),
            (classify(vec![text.clone(), long.clone()]), "texts[1]"),
            (proto::ClassifyRequest { model: String::new(), ..classify(vec![text.clone()]) }, "model"),
            (proto::ClassifyRequest { model: "adapters/a".into(), ..classify(vec![text.clone()]) }, "model"),
        ] {
            assert_eq!(refused(Classify::try_from(request)), field);
        }
        for (request, field) in [
            (fill(-1), "top_k"),
            (fill(101), "top_k"),
            (proto::FillMaskRequest { text: long, ..fill(1) }, "text"),
            (proto::FillMaskRequest { model: "a b".into(), ..fill(1) }, "model"),
        ] {
            assert_eq!(refused(FillMask::try_from(request)), field);
        }
        assert_eq!(Classify::try_from(classify(vec![text; 64])).unwrap().texts.len(), 64);
        assert_eq!([0, 1, 100].map(|top_k| FillMask::try_from(fill(top_k)).unwrap().top_k), [5, 1, 100]);
    }
}
