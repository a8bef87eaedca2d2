//! FullMethod: which weights are trained, in names that can be looked up.

use rootstock_proto::training::v1 as proto;

use super::numbers::Fields;
use crate::{error::Error, modules::Modules, spec::Full};

const FULL: Fields = Fields { path: "spec.full" };
/// Most entries of a list.
const MAX_ENTRIES: usize = 64;
const MAX_STEPS: u64 = 1 << 40;

pub(super) fn full(from: &proto::FullMethod) -> Result<Full, Error> {
    let every = FULL.whole("unfreeze_every_steps", from.unfreeze_every_steps, 0, MAX_STEPS)?;
    Ok(Full {
        trainable_modules: entries("trainable_modules", &from.trainable_modules)?,
        frozen_modules: entries("frozen_modules", &from.frozen_modules)?,
        unfreeze_every_steps: Some(every).filter(|steps| *steps > 0),
    })
}

fn entries(field: &str, entries: &[String]) -> Result<Vec<String>, Error> {
    if entries.len() > MAX_ENTRIES {
        return Err(FULL
            .invalid(field, format!("has {} entries, but must have at most {MAX_ENTRIES}", entries.len())));
    }
    Modules::parse(entries)
        .map_err(|(index, problem)| FULL.invalid(&format!("{field}[{index}]"), problem))?;
    Ok(entries.to_vec())
}
