//! What was asked, in JSON and back: written beside the answer, so that it can be asked again.
use rootstock_client::proto::inference::v1::generate_request::Input;
use rootstock_client::proto::inference::v1::{
    ChatMessage, ChatMessages, GenerateRequest, LogitBias, SamplingParams, TokenIds,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::constraint;
use crate::CliError;

/// A request with every parameter that is in effect; the seed is left to be filled in by who knows it.
pub(super) fn written(request: &GenerateRequest) -> Value {
    let mut asked = json!({
        "model": request.model,
        "adapter": request.adapter,
        "adapters": request.adapters.iter().map(|part| json!({"name": part.name, "weight": part.weight})).collect::<Vec<_>>(),
        "sampling": request.sampling.as_ref().map(sampling),
    });
    match &request.input {
        Some(Input::Prompt(text)) => asked["prompt"] = json!(text),
        Some(Input::PromptIds(ids)) => asked["prompt_ids"] = json!(ids.ids),
        Some(Input::Messages(chat)) => {
            let message = |said: &ChatMessage| json!({"role": said.role, "content": said.content});
            asked["messages"] = chat.messages.iter().map(message).collect();
        }
        None => {}
    }
    asked
}

fn sampling(params: &SamplingParams) -> Value {
    let bias = |bias: &LogitBias| json!({"token_id": bias.token_id, "bias": bias.bias});
    json!({
        "max_tokens": params.max_tokens,
        "temperature": params.temperature,
        "top_k": params.top_k,
        "top_p": params.top_p.unwrap_or(1.0),
        "min_p": params.min_p,
        "repetition_penalty": params.repetition_penalty.unwrap_or(1.0),
        "presence_penalty": params.presence_penalty,
        "frequency_penalty": params.frequency_penalty,
        "logit_bias": params.logit_bias.iter().map(bias).collect::<Vec<_>>(),
        "min_tokens": params.min_tokens,
        "stop_token_ids": params.stop_token_ids,
        "seed": params.seed,
        "stop": params.stop,
        "logprobs": params.logprobs,
        "prompt_logprobs": params.prompt_logprobs,
        "ignore_eos": params.ignore_eos,
        "constraint": constraint::written(params.constraint.as_ref()),
        "n": params.n,
    })
}

/// Prompt and parameters of what [`written`] wrote into the field `request` of a record; whom to ask is left out, because
/// names may have moved since.
pub(super) fn read(record: &Value) -> Result<GenerateRequest, CliError> {
    let request = &record["request"];
    let input = match ["prompt", "prompt_ids", "messages"].map(|name| request.get(name).is_some()) {
        [true, false, false] => Input::Prompt(field(record, "request.prompt")?),
        [false, false, true] => Input::Messages(ChatMessages { messages: messages(record)? }),
        [false, true, false] => Input::PromptIds(TokenIds { ids: field(record, "request.prompt_ids")? }),
        _ => {
            return Err(CliError::refused(
                "request.prompt: must be there, or prompt_ids, or messages, and one alone",
            ));
        }
    };
    let sampling = Some(read_sampling(record)?);
    Ok(GenerateRequest { input: Some(input), sampling, ..GenerateRequest::default() })
}

fn read_sampling(record: &Value) -> Result<SamplingParams, CliError> {
    let path = |name: &str| format!("request.sampling.{name}");
    let number = |name| field::<f64>(record, &path(name));
    let count = |name| field::<i32>(record, &path(name));
    Ok(SamplingParams {
        max_tokens: count("max_tokens")?,
        temperature: number("temperature")?,
        top_k: count("top_k")?,
        top_p: Some(number("top_p")?),
        min_p: number("min_p")?,
        repetition_penalty: Some(number("repetition_penalty")?),
        presence_penalty: number("presence_penalty")?,
        frequency_penalty: number("frequency_penalty")?,
        logit_bias: biases(record)?,
        min_tokens: count("min_tokens")?,
        stop_token_ids: field(record, &path("stop_token_ids"))?,
        seed: Some(field(record, &path("seed"))?),
        stop: field(record, &path("stop"))?,
        logprobs: field(record, &path("logprobs"))?,
        // As with `n`, older records have none.
        prompt_logprobs: field(record, &path("prompt_logprobs"))?,
        ignore_eos: field(record, &path("ignore_eos"))?,
        constraint: constraint::read(record, &path("constraint"))?,
        // Records from before there were several have none.
        n: field::<Option<_>>(record, &path("n"))?.unwrap_or_default(),
    })
}

fn messages(record: &Value) -> Result<Vec<ChatMessage>, CliError> {
    let path = "request.messages";
    let count = field::<Vec<Value>>(record, path)?.len();
    let message = |index| {
        let part = |name: &str| format!("{path}.{index}.{name}");
        Ok(ChatMessage { role: field(record, &part("role"))?, content: field(record, &part("content"))? })
    };
    (0..count).map(message).collect()
}

fn biases(record: &Value) -> Result<Vec<LogitBias>, CliError> {
    let path = "request.sampling.logit_bias";
    let count = field::<Vec<Value>>(record, path)?.len();
    let bias = |index| {
        let part = |name: &str| format!("{path}.{index}.{name}");
        Ok(LogitBias { token_id: field(record, &part("token_id"))?, bias: field(record, &part("bias"))? })
    };
    (0..count).map(bias).collect()
}

/// What a record holds at a path of names and indices with dots between them; what isn't there reads as null.
pub(super) fn field<T: DeserializeOwned>(record: &Value, path: &str) -> Result<T, CliError> {
    let value = record.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or(&Value::Null);
    T::deserialize(value).map_err(|error| {
        let missing = value.is_null().then(|| "is missing".to_owned());
        CliError::refused(format!("{path}: {}", missing.unwrap_or_else(|| error.to_string())))
    })
}

#[cfg(test)]
mod tests {
    use rootstock_client::proto::inference::v1::output_constraint::Kind;
    use rootstock_client::proto::inference::v1::{Choices, OutputConstraint};

    use super::*;

    fn request() -> GenerateRequest {
        let params = SamplingParams {
            max_tokens: 7,
            temperature: 0.8,
            top_k: 40,
            top_p: Some(0.95),
            min_p: 0.01,
            repetition_penalty: Some(1.1),
            presence_penalty: -0.5,
            frequency_penalty: 0.25,
            logit_bias: vec![LogitBias { token_id: 3, bias: -0.1 }],
            min_tokens: 2,
            stop_token_ids: vec![9],
            seed: Some(u64::MAX),
            stop: vec!["\n\"".into()],
            logprobs: Some(2),
            prompt_logprobs: Some(0),
            ignore_eos: true,
            constraint: None,
            n: 3,
        };
        let input = Some(Input::PromptIds(TokenIds { ids: vec![1, 2] }));
        GenerateRequest { input, sampling: Some(params), ..GenerateRequest::default() }
    }

    fn record() -> Value {
        let text = json!({"request": written(&request())}).to_string();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_request_reads_back_as_it_was_asked() {
        assert_eq!(read(&record()).unwrap(), request());
        let text = GenerateRequest { input: Some(Input::Prompt("问\n".into())), ..request() };
        assert_eq!(read(&json!({"request": written(&text)})).unwrap(), text);
        let messages = vec![ChatMessage { role: "user".into(), content: "问".into() }];
        let chat = GenerateRequest { input: Some(Input::Messages(ChatMessages { messages })), ..request() };
        assert_eq!(read(&json!({"request": written(&chat)})).unwrap(), chat);
    }

    #[test]
    fn what_the_text_was_held_to_reads_back() {
        let choice = Kind::Choice(Choices { texts: vec!["yes".into(), "no".into()] });
        for kind in [Kind::Json(r#"{"type": "object"}"#.into()), Kind::Regex(r"\d+".into()), choice] {
            let mut asked = request();
            let params = asked.sampling.as_mut().unwrap();
            params.constraint = Some(OutputConstraint { kind: Some(kind) });
            assert_eq!(read(&json!({"request": written(&asked)})).unwrap(), asked);
        }
    }

    #[test]
    fn defaults_are_written_as_the_numbers_that_are_in_effect() {
        let asked = written(&GenerateRequest { sampling: Some(SamplingParams::default()), ..request() });
        assert_eq!(
            (&asked["sampling"]["top_p"], &asked["sampling"]["repetition_penalty"]),
            (&json!(1.0), &json!(1.0))
        );
    }

    #[test]
    fn a_bad_record_is_refused_by_the_name_of_its_field() {
        let refused = |path: &str, value: Value| {
            let mut record = record();
            *record.pointer_mut(&format!("/{}", path.replace('.', "/"))).unwrap() = value;
            read(&record).unwrap_err().to_string()
        };
        for (path, value) in [
            ("request.prompt_ids", json!("x")),
            ("request.sampling.temperature", json!("hot")),
            ("request.sampling.seed", json!(-1)),
            ("request.sampling.seed", Value::Null),
            ("request.sampling.logit_bias.0.bias", json!([])),
        ] {
            let message = refused(path, value);
            assert!(message.starts_with(&format!("{path}: ")), "{message}");
        }
        assert!(read(&json!([])).unwrap_err().to_string().contains("request.prompt"));
    }
}
