//! Jobs that were ended while they published: what they have published is to be taken back once no worker has them.

use prost::Message;
use rootstock_proto::training::v1 as proto;

use super::{Job, Store, rows::select_jobs};
use crate::error::Error;

impl Store {
    /// The oldest of these jobs.
    pub(crate) async fn withdrawals(&self, limit: u32) -> Result<Vec<Job>, Error> {
        let rows =
            sqlx::query(select_jobs!("WHERE withdraw = 1 AND lease_hash = '' ORDER BY number LIMIT ?"))
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(Job::try_from).collect()
    }

    /// Nothing that the job has published is left.
    pub(crate) async fn withdrawn(&self, job: &Job, result: &proto::PublicationResult) -> Result<(), Error> {
        sqlx::query("UPDATE jobs SET withdraw = 0, publication = ? WHERE number = ?")
            .bind(result.encode_to_vec())
            .bind(job.number)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
