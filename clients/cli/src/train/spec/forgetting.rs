//! What a training file holds against forgetting.
use rootstock_artifacts::Kind;
use rootstock_client::proto::training::v1 as proto;

use super::named;
use crate::train::file::{Ewc, Replay, Retention};

pub(super) fn ewc(from: &Ewc) -> Result<proto::ElasticWeightConsolidation, String> {
    let fisher = named("ewc.fisher", Kind::Fisher, &from.fisher)?;
    Ok(proto::ElasticWeightConsolidation { fisher, lambda: from.lambda })
}

pub(super) fn replay(from: &Replay) -> Result<proto::Replay, String> {
    let dataset = named("replay.dataset", Kind::Dataset, &from.dataset)?;
    Ok(proto::Replay { dataset, ratio: from.ratio })
}

pub(super) fn retention(from: &Retention) -> Result<proto::Retention, String> {
    let dataset = named("retention.dataset", Kind::Dataset, &from.dataset)?;
    Ok(proto::Retention { dataset, min_ratio: from.min_ratio })
}
