//! An adapter's way out of an alias again: as a canary that failed, or with the job that published it. Every move is made only from the
//! generation that was looked at, so nothing that others published is lost.

use rootstock_client::{ClientError, Clients, ErrorReason};
use rootstock_proto::{
    checkpoint::v1::Alias,
    inference::v1::{PublishAdapterRequest, PublishAdapterResponse},
};

/// How often an alias is looked at again because it moved meanwhile.
pub(crate) const MAX_ROUNDS: usize = 8;

/// What an alias stands for; `None` where nothing is published.
pub(crate) async fn standing(clients: &Clients, name: &str) -> Result<Option<Alias>, ClientError> {
    match clients.checkpoint().get_alias(name).await {
        Ok(alias) => Ok(Some(alias)),
        Err(error) if error.is(ErrorReason::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Publishes a version if the alias is still as it was looked at: for all requests, or as the canary of a share.
pub(crate) async fn publish(
    clients: &Clients,
    alias: &Alias,
    digest: &str,
    canary_share: Option<f64>,
) -> Result<PublishAdapterResponse, ClientError> {
    let request = PublishAdapterRequest {
        name: alias.name.clone(),
        digest: digest.to_owned(),
        expected_generation: Some(alias.generation),
        canary_share,
        ..PublishAdapterRequest::default()
    };
    clients.adapters().publish(request).await
}

/// Gives an alias back the version that it had, if `digest` is its canary, or its version since the generation `published`.
pub(crate) async fn take_back(
    clients: &Clients,
    name: &str,
    digest: &str,
    published: i64,
) -> Result<(), ClientError> {
    let mut round = 1;
    loop {
        let Some(alias) = standing(clients, name).await? else { return Ok(()) };
        let moved = if alias.canary.as_ref().is_some_and(|canary| canary.digest == digest) {
            publish(clients, &alias, &alias.digest, None).await.map(|_| ())
        } else if published > 0 && alias.generation == published {
            undo(clients, &alias).await
        } else {
            return Ok(());
        };
        match moved {
            Err(error) if error.is(ErrorReason::AliasMoved) && round < MAX_ROUNDS => round += 1,
            done => return done,
        }
    }
}

/// Undoes the last move of an alias.
async fn undo(clients: &Clients, alias: &Alias) -> Result<(), ClientError> {
    match Undo::of(alias) {
        Undo::Nothing => Ok(()),
        Undo::Publish(before) => publish(clients, alias, before, None).await.map(|_| ()),
        Undo::Retire => {
            let retired = clients.adapters().retire_adapter(&alias.name, Some(alias.generation)).await;
            retired.map(|_| ())
        }
    }
}

/// What undoes the last move of an alias.
#[derive(Debug, PartialEq, Eq)]
enum Undo<'a> {
    /// It set no other version.
    Nothing,
    /// The version that stood before.
    Publish(&'a str),
    /// Nothing stood before.
    Retire,
}

impl<'a> Undo<'a> {
    fn of(alias: &'a Alias) -> Self {
        // Moves to another version, the newest first.
        match alias.history.as_slice() {
            [set, ..] if set.generation < alias.generation => Self::Nothing,
            [_, before, ..] => Self::Publish(&before.digest),
            _ => Self::Retire,
        }
    }
}

#[cfg(test)]
mod tests {
    use rootstock_proto::checkpoint::v1::AliasRevision;

    use super::*;

    #[test]
    fn a_move_is_undone_only_if_it_set_another_version() {
        let alias = |generation: i64, history: &[(i64, &str)]| Alias {
            generation,
            history: history
                .iter()
                .map(|(generation, digest)| AliasRevision {
                    generation: *generation,
                    digest: (*digest).to_owned(),
                    ..AliasRevision::default()
                })
                .collect(),
            ..Alias::default()
        };
        assert_eq!(Undo::of(&alias(1, &[(1, "a")])), Undo::Retire);
        assert_eq!(Undo::of(&alias(2, &[(2, "b"), (1, "a")])), Undo::Publish("a"));
        // Published once more.
        assert_eq!(Undo::of(&alias(3, &[(2, "b"), (1, "a")])), Undo::Nothing);
        assert_eq!(Undo::of(&alias(2, &[(1, "a")])), Undo::Nothing);
    }
}
