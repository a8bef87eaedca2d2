//! The trial of an adapter: it stands beside the alias's version as its canary, for the share and the time that the job says.

use std::time::{Duration, SystemTime};

use rootstock_client::ErrorReason;
use rootstock_proto::checkpoint::v1::Alias;

use super::Publishing;
use crate::{
    canary::{MAX_ROUNDS, publish, standing},
    spec::Canary,
    worker::fault::Fault,
};

impl Publishing {
    /// Lets the adapter stand as the canary until it may be judged, if it shall.
    pub(super) async fn stand_trial(&mut self) -> Result<(), Fault> {
        let Some(canary) = self.publication.canary else { return Ok(()) };
        let Some(alias) = self.stand(canary).await? else { return Ok(()) };
        tokio::time::sleep(rest(&alias, canary)).await;
        // Whoever has ended it meanwhile has decided.
        self.stand(canary).await.map(|_| ())
    }

    /// Sees to it that the adapter is the canary; gives the alias, unless there is nothing to stand beside.
    async fn stand(&mut self, canary: Canary) -> Result<Option<Alias>, Fault> {
        let name = self.publication.name.to_string();
        for _ in 0..MAX_ROUNDS {
            let alias = standing(&self.clients, &name).await.map_err(|error| Fault::remote(&name, &error))?;
            let beside = alias.as_ref().and_then(|alias| alias.canary.as_ref());
            let ours = beside.is_some_and(|stands| stands.digest == self.digest);
            if self.result.canary_generation > 0 && !ours {
                // Also where the name was retired, or the adapter made its version.
                return Err(Fault::Job(format!("the canary of {name} was ended before it was judged")));
            }
            let Some(alias) = alias.filter(|alias| alias.digest != self.digest) else { return Ok(None) };
            match &alias.canary {
                Some(_) if ours => return self.stands(alias).await.map(Some),
                Some(other) => {
                    let told = format!("{name} has another canary already, {}; end that first", other.digest);
                    return Err(Fault::Job(told));
                }
                None => self.set(&alias, canary).await?,
            }
        }
        Err(Fault::Passing(format!("{name} moves again and again")))
    }

    async fn set(&self, alias: &Alias, canary: Canary) -> Result<(), Fault> {
        self.link.check().await?;
        match publish(&self.clients, alias, &self.digest, Some(canary.share)).await {
            Err(error) if !error.is(ErrorReason::AliasMoved) => Err(Fault::remote("the canary", &error)),
            _ => Ok(()),
        }
    }

    async fn stands(&mut self, alias: Alias) -> Result<Alias, Fault> {
        if self.result.canary_generation == 0 {
            self.result.canary_generation = alias.generation;
            self.report().await?;
        }
        Ok(alias)
    }
}

/// How long a canary is still to stand, by the clock of whoever moved the alias.
fn rest(alias: &Alias, canary: Canary) -> Duration {
    let all = Duration::from_secs(canary.min_seconds);
    let since = alias.update_time.and_then(|time| SystemTime::try_from(time).ok());
    let stood = since.and_then(|since| since.elapsed().ok()).unwrap_or_default();
    all.saturating_sub(stood)
}
