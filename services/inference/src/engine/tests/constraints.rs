//! Texts that are held to something: whole, the same alone and among others, and nobody else's concern.

use serde_json::Value;

use super::*;
use crate::constraint::{Compiler, Constraint};

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 6},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "kind": {"enum": ["cat", "dog", "狐"]},
        "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}
    },
    "required": ["name", "age", "kind", "tags"],
    "additionalProperties": false
}"#;

impl Rig {
    async fn held_to(&self, constraint: &Constraint, prompt: &[u32], sampling: Sampling) -> Job {
        let compiler = Compiler::new(self.tasks.clone());
        let constraint = compiler.compile(constraint.clone(), Arc::clone(&self.model)).await.unwrap();
        let work = Generate {
            prompt: prompt.to_vec(),
            sampling,
            stop: Vec::new(),
            constraint: Some(constraint),
            prompt_logprobs: None,
        };
        Job { work: Work::Generate(work), ..self.job(&[], greedy(1)) }
    }
}

fn regex(regex: &str) -> Constraint {
    Constraint::Regex(regex.into())
}

fn sampled(seed: u64, max_tokens: usize) -> Sampling {
    Sampling { temperature: 1.0, seed, ..Sampling::greedy(max_tokens) }
}

/// Checks by hand what the schema says.
#[track_caller]
fn assert_fits(text: &str) {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let object = value.as_object().unwrap();
    assert_eq!(object.len(), 4, "{text:?}");
    assert!(object["name"].as_str().unwrap().chars().count() <= 6, "{text:?}");
    assert!(object["age"].as_u64().unwrap() <= 120, "{text:?}");
    assert!(["cat", "dog", "狐"].contains(&object["kind"].as_str().unwrap()), "{text:?}");
    let tags = object["tags"].as_array().unwrap();
    assert!(tags.len() <= 3 && tags.iter().all(Value::is_boolean), "{text:?}");
}

#[tokio::test]
async fn a_random_model_that_is_held_to_a_schema_says_json_that_fits() {
    let rig = Rig::new(limits());
    let schema = Constraint::Json(SCHEMA.into());
    for seed in 0..6 {
        let output = rig.engine.submit(rig.held_to(&schema, &[70], sampled(seed, 2000)).await).unwrap();
        let (ids, text, finished) = read(output).await;
        assert_eq!(finished.unwrap().reason, FinishReason::Eos, "{text:?}");
        assert_fits(&text);
        assert_eq!(text, tokenizer().decode(&ids, true));
    }
}

#[tokio::test]
async fn a_text_ends_where_its_regex_does_or_where_it_may_and_the_model_ends_it() {
    let rig = Rig::new(limits());
    let run = async |constraint: &Constraint, sampling| {
        read(rig.engine.submit(rig.held_to(constraint, &[70], sampling).await).unwrap()).await
    };
    for seed in 0..6 {
        let (ids, text, finished) = run(&regex("[a-f]{3}-[0-9]{2}(yes|no|模型)"), sampled(seed, 60)).await;
        let (head, tail) = text.split_at(6);
        assert!(head[..3].bytes().all(|b| (b'a'..=b'f').contains(&b)), "{text:?}");
        assert!(head[4..].bytes().all(|b| b.is_ascii_digit()) && &head[3..4] == "-", "{text:?}");
        assert!(["yes", "no", "模型"].contains(&tail), "{text:?}");
        assert_eq!(finished.unwrap().reason, FinishReason::Eos);
        assert_ne!(ids.last(), Some(&0), "no token is spent on the end");
        let choices = Constraint::Choice(vec!["the quick".into(), "the slow".into(), "问题".into()]);
        let text = run(&choices, sampled(seed, 60)).await.1;
        assert!(["the quick", "the slow", "问题"].contains(&text.as_str()), "{text:?}");
    }
    // One that may go on for ever: the end has its own logit.
    let ending = |min_tokens| Sampling { min_tokens, logit_bias: vec![(0, 100.0)], ..sampled(1, 60) };
    let (ids, text, finished) = run(&regex("[0-9]+"), ending(0)).await;
    assert_eq!((ids.len(), text.len(), finished.unwrap().reason), (2, 1, FinishReason::Eos));
    // It is masked before min_tokens, which a text that is complete doesn't wait for.
    assert_eq!(run(&regex("[0-9]+"), ending(9)).await.0.len(), 10);
    let (ids, text, finished) = run(&regex("[0-9]{4}"), ending(9)).await;
    assert!(ids.len() <= 4 && text.len() == 4, "{text:?}");
    assert_eq!(finished.unwrap().reason, FinishReason::Eos);
}

#[tokio::test]
async fn a_text_that_is_cut_says_so_and_a_bias_wins_over_no_constraint() {
    let rig = Rig::new(limits());
    let biased = Sampling { logit_bias: vec![(70, 100.0)], ..sampled(1, 5) };
    let job = rig.held_to(&regex("[0-9]{40}"), &[70], biased).await;
    let (ids, text, finished) = read(rig.engine.submit(job).unwrap()).await;
    assert!(text.bytes().all(|byte| byte.is_ascii_digit()), "{text:?}");
    assert_eq!((ids.len(), finished.unwrap().reason), (5, FinishReason::Length));
}

#[tokio::test]
async fn log_probabilities_are_the_models_own() {
    let rig = Rig::new(limits());
    let sampling = Sampling { logprobs: Some(1), ..Sampling::greedy(1) };
    let mut free = rig.engine.submit(rig.job(&[70], sampling.clone())).unwrap();
    let mut held = rig.engine.submit(rig.held_to(&regex("[0-9]"), &[70], sampling).await).unwrap();
    let (Some(Event::Delta(free)), Some(Event::Delta(held))) = (free.next().await, held.next().await) else {
        panic!("no token")
    };
    assert_eq!(free.token.top, held.token.top);
    assert!(held.token.logprob.unwrap() < free.token.logprob.unwrap());
}

#[tokio::test]
async fn texts_are_the_same_alone_and_among_others_who_are_held_to_something_or_nothing() {
    let rig = Rig::new(limits());
    let constraints = [
        Some(Constraint::Json(SCHEMA.into())),
        None,
        Some(regex("[a-z]{1,40}")),
        None,
        Some(regex("(ab|问题)*")),
    ];
    let job = async |place: usize| {
        let sampling = sampled(place as u64, 60);
        match &constraints[place] {
            Some(constraint) => rig.held_to(constraint, &[70], sampling).await,
            None => rig.job(&[70], sampling),
        }
    };
    let mut alone = Vec::new();
    for place in 0..constraints.len() {
        alone.push(read(rig.engine.submit(job(place).await).unwrap()).await.0);
    }
    let mut together = Vec::new();
    for place in 0..constraints.len() {
        together.push(job(place).await);
    }
    let outputs: Vec<Output> = together.into_iter().map(|job| rig.engine.submit(job).unwrap()).collect();
    let together = futures::future::join_all(outputs.into_iter().map(read)).await;
    for (together, alone) in together.iter().zip(&alone) {
        assert_eq!(&together.0, alone);
    }
}

#[tokio::test]
async fn who_is_preempted_goes_on_in_the_grammar_where_it_was() {
    let ample = Rig::new(limits());
    let rig = Rig::new(Limits { cache_bytes: cache_for(3), ..limits() });
    let constraint = regex("([a-f]{3}[0-9]{3}){30}");
    let mut outputs = Vec::new();
    for n in 0..3 {
        let job = rig.held_to(&constraint, &prompt(n, 40), sampled(n.into(), 120)).await;
        outputs.push(rig.engine.submit(job).unwrap());
    }
    for (n, output) in (0..3).zip(outputs) {
        let job = ample.held_to(&constraint, &prompt(n, 40), sampled(n.into(), 120)).await;
        assert_eq!(read(output).await.0, read(ample.engine.submit(job).unwrap()).await.0, "sequence {n}");
    }
    assert!(rig.engine.shared.metrics.preemptions.get() > 0);
}

#[tokio::test]
async fn a_text_that_takes_too_much_work_fails_alone() {
    let rig = Rig::new(limits());
    let job = rig.held_to(&regex(r"(?s)(.*[a-zA-Z].{40}|.*[^a-m].{41}){5}"), &[70], sampled(1, 2000)).await;
    let (held, free) = (rig.engine.submit(job).unwrap(), rig.submit(&[70], 300));
    let failure = read(held).await.2.unwrap_err();
    assert_eq!(failure.reason, ErrorReason::InvalidField);
    assert!(failure.message.contains("too many"), "{}", failure.message);
    assert_eq!(read(free).await.0.len(), 300);
}
