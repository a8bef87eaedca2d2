//! The memory that a job takes by its estimate, and the memory that its worker then has: within a fifth of each other. And in what
//! pages a server's memory lies.
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_client::proto::training::v1::training_spec::{Method, Objective, Start};
use rootstock_client::proto::training::v1::{
    BottleneckMethod, CausalObjective, FullMethod, LoraMethod, NewModel, Optimizer, TrainingArguments,
    TrainingSpec, WeightDtype,
};
use rootstock_test_support::server::ServerOptions;
use rootstock_test_support::{Server, fixtures, jobs};

use crate::ROOTSTOCK;

/// How far an estimate may be from what is measured.
const APART: f64 = 0.2;
const STEPS: i64 = 3;
const BLOCK: i32 = 128;

fn spec(method: Method, arguments: TrainingArguments) -> TrainingSpec {
    let full = matches!(method, Method::Full(_));
    TrainingSpec {
        output: if full { "baseModels/measured".into() } else { "adapters/measured".into() },
        dataset: "datasets/text".into(),
        start: Some(Start::BaseModel("baseModels/wide".into())),
        objective: Some(Objective::Causal(CausalObjective { block_size: BLOCK })),
        method: Some(method),
        arguments: Some(TrainingArguments { max_steps: STEPS, logging_steps: 1, ..arguments }),
        ..TrainingSpec::default()
    }
}

/// A model of 27 million parameters: large beside the process that trains it.
fn wide() -> TrainingSpec {
    let model = NewModel {
        tokenizer: "baseModels/tiny".into(),
        hidden_size: 512,
        intermediate_size: 1536,
        num_hidden_layers: 8,
        num_attention_heads: 8,
        max_position_embeddings: 256,
        tie_word_embeddings: true,
        ..NewModel::default()
    };
    let arguments = TrainingArguments { per_device_train_batch_size: 8, ..TrainingArguments::default() };
    TrainingSpec {
        output: "baseModels/wide".into(),
        start: Some(Start::NewModel(model)),
        ..spec(Method::Full(FullMethod::default()), arguments)
    }
}

fn measured() -> Vec<(&'static str, TrainingSpec)> {
    let full = || Method::Full(FullMethod::default());
    let lora = || {
        let target_modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
        let target_modules = target_modules.map(str::to_owned).into();
        Method::Lora(LoraMethod { r: 16, target_modules, ..LoraMethod::default() })
    };
    let rows = |rows| TrainingArguments { per_device_train_batch_size: rows, ..TrainingArguments::default() };
    let frugal =
        TrainingArguments { gradient_checkpointing: true, optim: Optimizer::Adafactor.into(), ..rows(8) };
    let narrow = TrainingArguments {
        gradient_checkpointing: true,
        weight_dtype: WeightDtype::Bf16.into(),
        ..rows(16)
    };
    vec![
        ("a new model", wide()),
        ("full, states saved", spec(full(), TrainingArguments { save_steps: 2, ..rows(4) })),
        ("full, frugal", spec(full(), frugal)),
        ("lora", spec(lora(), rows(8))),
        ("lora, bf16, layers again", spec(lora(), narrow)),
        ("bottlenecks", spec(Method::Bottleneck(BottleneckMethod::default()), rows(12))),
    ]
}

/// What a trainer without memory says that a job takes, in MiB.
async fn estimated(server: &Server, spec: TrainingSpec) -> f64 {
    let refused = jobs::create(&server.clients(), spec).await.unwrap_err().message;
    let figure = refused.strip_prefix("takes ").and_then(|rest| rest.split(' ').next());
    figure.and_then(|figure| figure.parse().ok()).unwrap_or_else(|| panic!("no figure in {refused:?}"))
}

/// The most that its worker then had, in MiB.
async fn taken(server: &Server, spec: TrainingSpec) -> f64 {
    let job = jobs::create(&server.clients(), spec).await.unwrap().name;
    jobs::succeeded(&server.clients(), &job).await;
    let resident =
        jobs::events(&server.clients(), &job).await.into_iter().filter_map(|event| match event.event {
            Some(Event::Progress(progress)) => Some(progress.resident_bytes),
            _ => None,
        });
    resident.max().unwrap_or_default() as f64 / f64::from(1 << 20)
}

#[tokio::test(flavor = "multi_thread")]
async fn six_different_jobs_take_what_was_estimated() {
    let rich = Server::start(ROOTSTOCK).await;
    fixtures::stage(&rich.clients()).await;
    fixtures::store_data(&rich.clients(), "text", "text.jsonl", fixtures::text(300)).await.unwrap();
    let poor = ServerOptions::new(ROOTSTOCK)
        .args(&["--role", "trainer"])
        .env("ROOTSTOCK_CHECKPOINT_ENDPOINT", rich.endpoint())
        .env("ROOTSTOCK_TOKENIZATION_ENDPOINT", rich.endpoint())
        .env("ROOTSTOCK_TRAINER_MEMORY_BYTES", "1MiB");
    let poor = poor.start().await;
    let mut wrong = Vec::new();
    for (name, spec) in measured() {
        let (estimated, taken) = (estimated(&poor, spec.clone()).await, taken(&rich, spec).await);
        eprintln!("{name}: {estimated:.0} MiB estimated, {taken:.0} MiB taken");
        if (estimated / taken - 1.0).abs() > APART {
            wrong.push(format!("{name}: {estimated:.0} MiB estimated, {taken:.0} MiB taken"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// glibc's heap, which a server never gives back, where the system gives large pages to who asks for them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[tokio::test]
async fn a_servers_heap_lies_in_large_pages() {
    if !std::fs::exists("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or(false) {
        return;
    }
    let server = Server::start(ROOTSTOCK).await;
    let maps = std::fs::read_to_string(format!("/proc/{}/smaps", server.pid())).unwrap();
    let (mut heap, mut asked) = (false, 0);
    for line in maps.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        if range.is_some_and(|(from, _)| u64::from_str_radix(from, 16).is_ok()) {
            heap = line.ends_with("[heap]");
        }
        asked += usize::from(heap && line.starts_with("VmFlags:") && line.contains(" hg"));
    }
    assert!(asked > 0, "the system was not asked for the heap's pages");
}
