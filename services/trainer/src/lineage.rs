//! Version n + 1 from version n: the state of the job that made what another one starts from, found by what it made.

use crate::{
    error::Error,
    spec::Spec,
    store::{Lease, Resolved, Store},
};

const FIELD: &str = "spec.keep_optimizer_state";

impl Store {
    /// The state whose optimizer a job goes on with, or nothing.
    pub(crate) async fn optimizer_state(&self, spec: &Spec, resolved: &Resolved) -> Result<String, Error> {
        if !spec.keep_optimizer_state {
            return Ok(String::new());
        }
        let start = match resolved.adapter_digest.as_str() {
            "" => &resolved.base_digest,
            adapter => adapter,
        };
        let Some(Lease { job, resume }) = self.maker(start).await? else {
            let message = format!("no job is known that made {start}: it may have been deleted; take it out");
            return Err(Error::invalid(FIELD, message));
        };
        let (before, now) = (Spec::try_from(&job.spec)?.arguments.optim.name(), spec.arguments.optim.name());
        if before != now {
            let message = format!("{} was trained with {before}, whose state is nothing to {now}", job.id);
            return Err(Error::invalid(FIELD, message));
        }
        let last = job.progress.map_or(0, |progress| progress.step);
        match resume {
            Some((step, digest)) if step >= last => Ok(digest),
            _ => {
                let message = format!(
                    "{} made {start} and has no state after its last step, {last}; jobs with save_steps save one",
                    job.id
                );
                Err(Error::invalid(FIELD, message))
            }
        }
    }
}
