//! The adapters of `rootstock generate`: one by its name, or several with their weights.
use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::WeightedAdapter;

use crate::{CliError, names};

/// What the request says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Adapters {
    /// Full name, or empty.
    pub(super) one: String,
    pub(super) several: Vec<WeightedAdapter>,
}

impl Adapters {
    /// From the values of `--adapter`: a name, or `NAME=WEIGHT` each.
    pub(super) fn parse(given: &[String]) -> Result<Self, CliError> {
        let name = |name: &str| names::artifact(Kind::Adapter, name);
        match given {
            [] => Ok(Self::default()),
            [one] if !one.contains('=') => Ok(Self { one: name(one)?, several: Vec::new() }),
            several => {
                let weighted = |text: &String| {
                    let (id, weight) = text.split_once('=').ok_or_else(|| missing(text))?;
                    let weight = weight.parse().map_err(|_| missing(text))?;
                    Ok(WeightedAdapter { name: name(id)?, weight: Some(weight) })
                };
                let several = several.iter().map(weighted).collect::<Result<_, CliError>>()?;
                Ok(Self { one: String::new(), several })
            }
        }
    }

    /// Full names of all.
    pub(super) fn names(&self) -> Vec<String> {
        let several = self.several.iter().map(|adapter| adapter.name.clone());
        std::iter::once(self.one.clone()).filter(|name| !name.is_empty()).chain(several).collect()
    }
}

fn missing(text: &str) -> CliError {
    CliError::refused(format!("--adapter {text}: of several adapters each needs a weight, as in NAME=0.5"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &[&str]) -> Result<Adapters, CliError> {
        Adapters::parse(&given.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn one_adapter_goes_by_its_name_and_several_with_their_weights() {
        assert_eq!(parse(&[]).unwrap(), Adapters::default());
        assert_eq!(parse(&["a"]).unwrap().one, "adapters/a");
        let several = parse(&["a=0.5", "adapters/b=-1"]).unwrap();
        assert_eq!(several.names(), ["adapters/a", "adapters/b"]);
        assert_eq!(several.several.iter().filter_map(|adapter| adapter.weight).sum::<f64>(), -0.5);
        assert_eq!(parse(&["a=2"]).unwrap().several.len(), 1);
    }

    #[test]
    fn a_missing_weight_and_one_that_is_no_number_are_told_apart_from_a_name() {
        for given in [&["a=0.5", "b"][..], &["a", "b"], &["a=", "b=1"], &["a=x", "b=1"]] {
            assert!(parse(given).unwrap_err().to_string().contains("needs a weight"));
        }
        assert!(parse(&["A b=1"]).unwrap_err().to_string().contains("A b"));
    }
}
