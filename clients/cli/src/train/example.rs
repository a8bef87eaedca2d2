//! `rootstock train --example`: training files to begin with.
use clap::ValueEnum;

/// Which training file to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Example {
    /// Pre-training on text, from random weights
    Causal,
    /// Pre-training on text out of which spans are cut
    Infilling,
    /// Pre-training of an encoder on text of which tokens are hidden
    Masked,
    /// Fine-tuning of an encoder that tells the label of a text
    Classification,
    /// Fine-tuning of an adapter on rows of instruction, input and output
    Supervised,
}

impl Example {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Causal => include_str!("causal.yaml"),
            Self::Infilling => include_str!("infilling.yaml"),
            Self::Masked => include_str!("masked.yaml"),
            Self::Classification => include_str!("classification.yaml"),
            Self::Supervised => include_str!("supervised.yaml"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rootstock_client::proto::training::v1::training_spec::{Method, Objective, Start};

    use super::super::spec;
    use super::*;

    #[test]
    fn every_example_is_a_training_file() {
        let causal = spec::parse(Example::Causal.text().as_bytes()).unwrap();
        assert!(matches!(causal.start, Some(Start::NewModel(_))), "it needs no model to begin with");
        assert!(matches!(causal.objective, Some(Objective::Causal(_))));
        let infilling = spec::parse(Example::Infilling.text().as_bytes()).unwrap();
        assert!(matches!(infilling.objective, Some(Objective::Infilling(_))));
        let masked = spec::parse(Example::Masked.text().as_bytes()).unwrap();
        assert!(matches!(masked.objective, Some(Objective::Masked(_))));
        assert!(matches!(masked.start, Some(Start::NewEncoder(_))));
        let classification = spec::parse(Example::Classification.text().as_bytes()).unwrap();
        assert!(matches!(classification.objective, Some(Objective::Classification(_))));
        assert_eq!(
            classification.start,
            Some(Start::BaseModel(masked.output)),
            "it goes on from the encoder"
        );
        let supervised = spec::parse(Example::Supervised.text().as_bytes()).unwrap();
        assert!(matches!(supervised.objective, Some(Objective::Supervised(_))));
        assert!(matches!(supervised.method, Some(Method::Lora(_))));
        let made = causal.output;
        assert_eq!(supervised.start, Some(Start::BaseModel(made)), "the one goes on from the other");
    }
}
