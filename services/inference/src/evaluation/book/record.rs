//! One row of the database, and the evaluation that it stands for.

use prost::Message;
use rootstock_proto::inference::v1 as proto;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::Error,
    evaluation::{Evaluation, Item, Spec, State, TargetResult},
};

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Record {
    number: i64,
    id: String,
    spec: Vec<u8>,
    pinned: String,
    total_rows: i64,
    completed_rows: i64,
    state: i64,
    results: String,
    items: String,
    comparisons: String,
    gate: String,
    evidence_digest: String,
    error: String,
    create_micros: i64,
    end_micros: Option<i64>,
}

impl TryFrom<Record> for Evaluation {
    type Error = Error;

    fn try_from(record: Record) -> Result<Self, Error> {
        let mut results: Vec<TargetResult> = parse("results", &record.results)?;
        let items: Vec<Vec<Item>> = parse("items", &record.items)?;
        for (result, items) in results.iter_mut().zip(items) {
            result.items = items;
        }
        let evidence = match record.evidence_digest.as_str() {
            "" => None,
            digest => Some(digest.parse().map_err(|error| unreadable("evidence_digest", error))?),
        };
        let spec = proto::EvaluationSpec::decode(record.spec.as_slice())
            .map_err(|error| unreadable("spec", error))?;
        Ok(Self {
            number: record.number,
            id: record.id.parse().map_err(|error| unreadable("id", error))?,
            spec: Spec::try_from(spec)?,
            pinned: parse("pinned", &record.pinned)?,
            state: state(record.state)?,
            completed_rows: usize::try_from(record.completed_rows)
                .map_err(|error| unreadable("rows", error))?,
            total_rows: usize::try_from(record.total_rows).map_err(|error| unreadable("rows", error))?,
            results,
            comparisons: parse("comparisons", &record.comparisons)?,
            gate: parse("gate", &record.gate)?,
            evidence,
            error: record.error,
            create_micros: record.create_micros,
            end_micros: record.end_micros,
        })
    }
}

pub(super) fn encode_spec(spec: &Spec) -> Vec<u8> {
    proto::EvaluationSpec::from(spec).encode_to_vec()
}

pub(super) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::internal("a record can't be written", error))
}

fn parse<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

fn state(number: i64) -> Result<State, Error> {
    let all = [State::Queued, State::Running, State::Succeeded, State::Failed, State::Cancelled];
    let found = all.into_iter().find(|state| *state as i64 == number);
    found.ok_or_else(|| unreadable("state", number))
}

fn unreadable(column: &str, error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("the evaluation store holds an unreadable {column}: {error}"))
}

#[cfg(test)]
mod tests;
