//! What a publish makes of an alias record.

use rootstock_artifacts::{AliasName, Digest};

use crate::{
    error::Error,
    store::{Alias, Canary, Running, Target},
};

/// What a version becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    /// The version of all requests; running ones do this.
    Version(Running),
    /// The canary of this share of the requests.
    Canary(f64),
}

impl Change {
    /// The record that follows on the one before.
    pub(super) fn target(
        self,
        name: &AliasName,
        digest: Digest,
        base: Digest,
        before: Option<&Alias>,
    ) -> Result<Target, Error> {
        let other_base = before.is_some_and(|alias| alias.base.is_some_and(|present| present != base));
        match self {
            Self::Version(Running::Switch) if other_base => Err(Error::BaseMismatch(format!(
                "running requests of {name} can't switch to {digest}, which was made for another base model; let them \
                 finish, or abort them"
            ))),
            Self::Version(running) => Ok(Target { digest, canary: None, pinned: None, running }),
            Self::Canary(_) if other_base => Err(Error::BaseMismatch(format!(
                "{digest} can't be a canary of {name}, whose version was made for another base model"
            ))),
            Self::Canary(share) => beside(name, Canary { digest, share }, before),
        }
    }
}

/// A canary stands beside a version, and is another one.
fn beside(name: &AliasName, canary: Canary, before: Option<&Alias>) -> Result<Target, Error> {
    let alone = || {
        Error::WrongState(format!(
            "{name} has no version that a canary could stand beside; publish one first"
        ))
    };
    let digest = before.ok_or_else(alone)?.digest;
    if digest == canary.digest {
        return Err(Error::invalid(
            "digest",
            format!("is {name}'s version already; a canary is another one"),
        ));
    }
    Ok(Target { digest, canary: Some(canary), pinned: None, running: Running::Finish })
}
