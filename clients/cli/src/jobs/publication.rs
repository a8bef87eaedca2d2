//! What came of the publication of a job's adapter: as a line, and as JSON.
use rootstock_client::proto::training::v1::PublicationResult;
use serde::Serialize;

/// How far a publication has come, and how it ended.
#[derive(Debug, Serialize)]
pub(crate) struct Publication {
    published: bool,
    /// The generation of the alias that the adapter became.
    published_generation: Option<i64>,
    /// That of its canary.
    canary_generation: Option<i64>,
    reason: String,
    evaluation: String,
    /// Whether the gate was passed, once it has judged.
    passed: Option<bool>,
    /// The figures that the gate looked at.
    figures: String,
}

impl From<PublicationResult> for Publication {
    fn from(result: PublicationResult) -> Self {
        let passed = result.gate.as_ref().map(|gate| gate.passed);
        let gate = result.gate.unwrap_or_default();
        let known = |generation| Some(generation).filter(|generation| *generation > 0);
        Self {
            published: result.published,
            published_generation: known(gate.published_generation),
            canary_generation: known(result.canary_generation),
            reason: result.reason,
            evaluation: result.evaluation,
            passed,
            figures: gate.reason,
        }
    }
}

impl Publication {
    /// Whether it was published, or why not, or what is being done.
    pub(crate) fn told(&self) -> String {
        let Self { published_generation, canary_generation, reason, evaluation, .. } = self;
        match (published_generation, canary_generation) {
            (Some(generation), _) if self.published => {
                format!("published as generation {generation}: {}", self.figures)
            }
            _ if !reason.is_empty() => format!("not published: {reason}"),
            _ if !evaluation.is_empty() => format!("evaluated by {evaluation}"),
            (_, Some(generation)) => format!("tried as the canary of generation {generation}"),
            _ => "begins".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rootstock_client::proto::inference::v1::GateResult;

    use super::*;

    #[test]
    fn each_stage_of_a_publication_is_told() {
        let told = |result: &PublicationResult| Publication::from(result.clone()).told();
        let mut result = PublicationResult::default();
        assert_eq!(told(&result), "begins");
        result.canary_generation = 2;
        assert_eq!(told(&result), "tried as the canary of generation 2");
        result.evaluation = "evaluations/a".into();
        assert_eq!(told(&result), "evaluated by evaluations/a");
        let (passed, reason) = (true, "token_f1 is 1".to_owned());
        result.gate = Some(GateResult { passed, reason, published_generation: 3, ..GateResult::default() });
        let published = PublicationResult { published: true, ..result.clone() };
        assert_eq!(told(&published), "published as generation 3: token_f1 is 1");
        result.reason = "the job was cancelled".into();
        assert_eq!(told(&result), "not published: the job was cancelled");
    }
}
