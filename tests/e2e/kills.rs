//! Workers, and now and then the server, killed at random moments of every method and objective: each job goes on by itself and ends
//! with the bits of a run that nothing disturbed.
use std::time::{Duration, Instant};

use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_client::proto::training::v1::training_spec::{Method, Objective, Start};
use rootstock_client::proto::training::v1::{
    BottleneckMethod, CausalObjective, ClassificationObjective, FullMethod, InfillingObjective, LoraMethod,
    MaskedObjective, NewEncoder, NewModel, PrefixTuningMethod, PromptTuningMethod, TrainingArguments,
    TrainingSpec, TrainingStage,
};
use rootstock_kernels::Random;
use rootstock_test_support::server::signal;
use rootstock_test_support::{Server, fixtures, jobs, rootstock};

use crate::ROOTSTOCK;

/// Kills unless `ROOTSTOCK_KILLS` says otherwise.
const KILLS: u64 = 13;
/// Decides when they come.
const SEED: u64 = 6;
/// Every so many kills are the server's, with its worker.
const SERVERS: u64 = 4;
const STEPS: i64 = 40;
const SAVE_STEPS: i64 = 4;

fn adapter(method: Method) -> TrainingSpec {
    TrainingSpec { method: Some(method), ..jobs::lora_spec("killed", STEPS, SAVE_STEPS) }
}

fn full(start: Start, dataset: &str, objective: Objective) -> TrainingSpec {
    TrainingSpec {
        output: "baseModels/killed".into(),
        dataset: format!("datasets/{dataset}"),
        start: Some(start),
        objective: Some(objective),
        ..adapter(Method::Full(FullMethod::default()))
    }
}

fn new_model() -> Start {
    Start::NewModel(NewModel {
        tokenizer: "tokenizers/special".into(),
        hidden_size: 32,
        intermediate_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        max_position_embeddings: 128,
        ..NewModel::default()
    })
}

fn new_encoder() -> Start {
    Start::NewEncoder(NewEncoder {
        tokenizer: "tokenizers/special".into(),
        hidden_size: 32,
        intermediate_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        max_position_embeddings: 64,
        ..NewEncoder::default()
    })
}

/// Other weights, rates and lengths one after the other; no stage ends where a state is saved anyway.
fn stages() -> Vec<TrainingStage> {
    let first = TrainingStage {
        trainable_modules: vec!["layers.1".into(), "model.norm".into()],
        max_steps: 13,
        ..TrainingStage::default()
    };
    let second = TrainingStage { learning_rate: 1e-3, max_steps: 9, ..TrainingStage::default() };
    let third = TrainingStage {
        frozen_modules: vec!["embed_tokens".into()],
        max_steps: STEPS - 22,
        warmup_steps: Some(3),
        ..TrainingStage::default()
    };
    vec![first, second, third]
}

/// Every method and every objective.
fn specs() -> Vec<(&'static str, TrainingSpec)> {
    let tiny = || Start::BaseModel("baseModels/tiny".into());
    let supervised = || jobs::lora_spec("killed", STEPS, SAVE_STEPS).objective.expect("it has an objective");
    let lora = LoraMethod { r: 4, lora_alpha: 8.0, lora_dropout: 0.1, ..LoraMethod::default() };
    let dora = LoraMethod { use_dora: true, ..lora.clone() };
    let unfreezing = FullMethod { unfreeze_every_steps: 9, ..FullMethod::default() };
    let stopping = |spec: TrainingSpec| {
        let arguments = spec.arguments.unwrap_or_default();
        let arguments = TrainingArguments { eval_steps: 3, early_stopping_patience: 1000, ..arguments };
        TrainingSpec { arguments: Some(arguments), ..spec }
    };
    let classification = Objective::Classification(ClassificationObjective::default());
    let masked = Objective::Masked(MaskedObjective { block_size: 32, ..MaskedObjective::default() });
    let infilling =
        Objective::Infilling(InfillingObjective { max_length: 48, ..InfillingObjective::default() });
    let causal = Objective::Causal(CausalObjective { block_size: 32 });
    let full_supervised = full(tiny(), "rows", supervised());
    vec![
        ("lora", adapter(Method::Lora(lora.clone()))),
        ("dora", adapter(Method::Lora(dora))),
        ("bottleneck", adapter(Method::Bottleneck(BottleneckMethod::default()))),
        (
            "prefix",
            adapter(Method::Prefix(PrefixTuningMethod {
                num_virtual_tokens: 4,
                prefix_projection: true,
                ..Default::default()
            })),
        ),
        (
            "prompt",
            adapter(Method::Prompt(PromptTuningMethod { num_virtual_tokens: 4, ..Default::default() })),
        ),
        ("full", full_supervised.clone()),
        ("stages", TrainingSpec { stages: stages(), ..full_supervised.clone() }),
        ("unfreezing", TrainingSpec { method: Some(Method::Full(unfreezing)), ..full_supervised }),
        ("early stopping", stopping(adapter(Method::Lora(lora)))),
        ("causal", full(new_model(), "text", causal)),
        ("infilling", full(new_model(), "text", infilling)),
        ("masked", full(new_encoder(), "text", masked)),
        ("classification", full(new_encoder(), "labels", classification)),
    ]
}

async fn stage(server: &Server) {
    let clients = server.clients();
    fixtures::stage(&clients).await;
    fixtures::store_data(&clients, "text", "text.jsonl", fixtures::text(60)).await.unwrap();
    let label =
        |n| format!("{{\"text\": \"river {n}\", \"label\": 0}}\n{{\"text\": \"sea {n}\", \"label\": 1}}\n");
    let labels: String = (0..10).map(label).collect();
    fixtures::store_data(&clients, "labels", "labels.jsonl", labels).await.unwrap();
    let special = ["[CLS]", "[SEP]", "[MASK]", "<extra_id_0>", "<extra_id_1>", "<extra_id_2>"]
        .map(|token| ["--special-token", token]);
    let tokenizer = ["tokenizer", "train", "--name", "special", "--dataset", "text", "--vocab-size", "290"];
    rootstock(ROOTSTOCK, server.endpoint(), &[&tokenizer[..], special.as_flattened()].concat()).await.ok();
}

/// The digest that nothing disturbed, and how long the job took.
async fn undisturbed(server: &Server, spec: TrainingSpec) -> (String, Duration) {
    let began = Instant::now();
    let digest = jobs::train(&server.clients(), spec).await;
    (digest, began.elapsed())
}

/// Waits for the moment and kills the worker, or the server with it; tells whether the job had not ended yet.
async fn kill(server: &mut Server, job: &str, moment: Duration, number: u64) -> bool {
    if tokio::time::timeout(moment, jobs::ended(&server.clients(), job)).await.is_ok() {
        return false;
    }
    if number.is_multiple_of(SERVERS) {
        server.kill9(true).await;
        server.start_again().await;
        return true;
    }
    let workers = server.workers();
    for worker in &workers {
        signal("KILL", *worker).await;
    }
    !workers.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_at_random_moments_of_every_method_changes_no_bit() {
    let kills = std::env::var("ROOTSTOCK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let mut server = Server::start(ROOTSTOCK).await;
    stage(&server).await;
    let random = Random::named(SEED, "kills");
    let specs = specs();
    let (mut struck, mut resumed, mut before) = (0, 0, Vec::new());
    for (_, spec) in &specs {
        before.push(undisturbed(&server, spec.clone()).await);
    }
    for number in 0..kills {
        let place = number as usize % specs.len();
        let ((method, spec), (digest, took)) = (&specs[place], &before[place]);
        let moment = took.mul_f64(random.uniform(number));
        let job = jobs::create(&server.clients(), spec.clone()).await.unwrap().name;
        struck += u64::from(kill(&mut server, &job, moment, number).await);
        let ended = jobs::succeeded(&server.clients(), &job).await;
        assert_eq!(
            &ended.result_digest, digest,
            "{method}, killed after {moment:?} (seed {SEED}, kill {number})"
        );
        let events = jobs::events(&server.clients(), &job).await;
        let on = events.iter().any(|event| matches!(event.event, Some(Event::Resumed(_))));
        resumed += u64::from(on);
    }
    eprintln!("{kills} kills, {struck} of them before the end, {resumed} jobs went on from a saved state");
    assert!(struck * 2 > kills && resumed > 0, "{struck} of {kills} kills struck, {resumed} jobs resumed");
}
