//! `rootstock generate --replay`: asks what a record of `--json` says again, by digests, and compares the tokens.
use std::path::PathBuf;

use futures::StreamExt;
use rootstock_client::proto::inference::v1::generate_response::Message;
use rootstock_client::proto::inference::v1::{GenerateRequest, GenerationStarted, WeightedAdapter};
use serde_json::Value;

use super::asked::{self, field};
use crate::check::blocking;
use crate::{CliError, Context};

/// The arguments that the file stands for.
pub(super) const OTHERS: [&str; 28] = [
    "model",
    "adapter",
    "routing_key",
    "priority",
    "prompt",
    "prompt_template",
    "chat",
    "max_tokens",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "min_tokens",
    "stop_token_id",
    "seed",
    "stop",
    "logprobs",
    "prompt_logprobs",
    "ignore_eos",
    "json_schema",
    "regex",
    "choice",
    "n",
    "json",
];

pub(super) async fn run(file: PathBuf, context: &Context) -> Result<(), CliError> {
    let name = file.display().to_string();
    let in_file = |error: CliError| CliError::refused(format!("{name}: {error}"));
    let record = blocking(move || read(&file)).await?;
    let request = request(&record).map_err(in_file)?;
    let expected = completions(&record).map_err(in_file)?;
    let mut stream = context.clients().generation().generate(request).await?;
    let mut given = vec![Vec::new(); expected.len()];
    while let Some(response) = stream.next().await {
        let response = response?;
        let index = usize::try_from(response.index).unwrap_or(usize::MAX);
        match response.message {
            Some(Message::Started(started)) => check(&record, &started, context)?,
            Some(Message::Delta(delta)) => {
                if let Some(ids) = given.get_mut(index) {
                    ids.extend(delta.tokens.iter().map(|token| token.id));
                }
            }
            Some(Message::Finished(_) | Message::Prompt(_)) | None => {}
        }
    }
    for (index, (expected, ids)) in expected.iter().zip(&given).enumerate() {
        if let Some(difference) = difference(expected, ids) {
            let of = if index == 0 { String::new() } else { format!("completion {index}: ") };
            return Err(CliError::refused(format!("the answer is another one: {of}{difference}")));
        }
    }
    context.line(format!("the same {} tokens", given.iter().map(Vec::len).sum::<usize>()))
}

fn read(file: &PathBuf) -> Result<Value, CliError> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|source| CliError::io(name.clone(), source))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        CliError::refused(format!("{name}: is not what `rootstock generate --json` prints: {error}"))
    })
}

/// The same request of the same versions.
fn request(record: &Value) -> Result<GenerateRequest, CliError> {
    let others = record["others"].as_array().into_iter().flatten();
    let moved = |part: &Value| part["switches"].as_array().is_some_and(|switches| !switches.is_empty());
    if std::iter::once(record).chain(others).any(moved) {
        let message =
            "the answer moved to another version of its adapter on the way, which can't be replayed";
        return Err(CliError::refused(format!("switches: {message}")));
    }
    Ok(GenerateRequest {
        model: field(record, "base_digest")?,
        adapter: field(record, "adapter_digest")?,
        adapters: adapters(record)?,
        ..asked::read(record)?
    })
}

/// The parts of a sum, which other records leave out.
fn adapters(record: &Value) -> Result<Vec<WeightedAdapter>, CliError> {
    let count = field::<Option<Vec<Value>>>(record, "adapters")?.unwrap_or_default().len();
    let part = |index| {
        let name = field(record, &format!("adapters.{index}.digest"))?;
        Ok(WeightedAdapter { name, weight: Some(field(record, &format!("adapters.{index}.weight"))?) })
    };
    (0..count).map(part).collect()
}

/// The tokens of each completion, as many as were asked for.
fn completions(record: &Value) -> Result<Vec<Vec<u32>>, CliError> {
    let asked: Option<usize> = field(record, "request.sampling.n")?;
    let others = (0..asked.unwrap_or(1).saturating_sub(1)).map(|index| format!("others.{index}.tokens"));
    std::iter::once("tokens".to_owned()).chain(others).map(|path| tokens(record, &path)).collect()
}

fn tokens(record: &Value, path: &str) -> Result<Vec<u32>, CliError> {
    let count = field::<Vec<Value>>(record, path)?.len();
    (0..count).map(|index| field(record, &format!("{path}.{index}.id"))).collect()
}

/// Refuses what can't give the same tokens, before it has given any.
fn check(record: &Value, started: &GenerationStarted, context: &Context) -> Result<(), CliError> {
    for (name, what, now) in [
        ("tokenizer_digest", "tokenizer", &started.tokenizer_digest),
        ("dispatch", "dispatch path", &started.dispatch),
        ("weight_format", "format of the weights", &started.weight_format),
    ] {
        let then: String = field(record, name)?;
        if then != *now {
            let message = format!("can't be replayed: the {what} was {then}, and the server's is {now}");
            return Err(CliError::refused(message));
        }
    }
    let then: String = field(record, "engine_version")?;
    if then != started.engine_version {
        let now = &started.engine_version;
        context.note(format!("warning: the engine's version was {then}, and the server's is {now}"));
    }
    Ok(())
}

/// Where two answers part.
fn difference(expected: &[u32], ids: &[u32]) -> Option<String> {
    let parted = expected.iter().zip(ids).position(|(then, now)| then != now);
    match parted {
        Some(index) => Some(format!("token {index} (from 0) was {}, and is {}", expected[index], ids[index])),
        None if expected.len() == ids.len() => None,
        None => Some(format!("it had {} tokens, and has {} that begin alike", expected.len(), ids.len())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_part_at_the_first_token_that_differs_or_where_one_ends() {
        assert_eq!(difference(&[1, 2], &[1, 2]), None);
        assert_eq!(difference(&[1, 2, 3], &[1, 4, 5]).unwrap(), "token 1 (from 0) was 2, and is 4");
        assert!(difference(&[1, 2, 3], &[1, 2]).unwrap().contains("had 3 tokens, and has 2"));
        assert!(difference(&[], &[1]).is_some());
    }

    #[test]
    fn what_moved_on_the_way_is_refused_before_it_is_asked() {
        let refused = request(&json!({"switches": [{"at_token": 3}]})).unwrap_err().to_string();
        assert!(refused.contains("another version of its adapter"), "{refused}");
    }

    #[test]
    fn tokens_and_adapters_of_a_bad_record_are_named() {
        let bad = json!({"tokens": [{"id": 1}, {"id": "x"}]});
        let message = completions(&bad).unwrap_err().to_string();
        assert!(message.starts_with("tokens.1.id: "), "{message}");
        let short = json!({"tokens": [], "others": [], "request": {"sampling": {"n": 2}}});
        let message = completions(&short).unwrap_err().to_string();
        assert_eq!(message, "others.0.tokens: is missing");
        let message = adapters(&json!({"adapters": [{"digest": "d"}]})).unwrap_err().to_string();
        assert_eq!(message, "adapters.0.weight: is missing");
        assert!(request(&json!({})).unwrap_err().to_string().starts_with("base_digest: "));
    }
}
