//! The verbs as scripts see them: tables and the same as JSON, a job that is left alone, a server that is configured.
use std::process::Stdio;
use std::time::Duration;

use rootstock_client::proto::training::v1::TrainingJobState;
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_test_support::cli::run as run_plain;
use rootstock_test_support::{Server, fixtures, jobs, rootstock};

use crate::ROOTSTOCK;

const TRAIN: &str = "output: colours\nbase_model: tiny\ndataset: rows\nobjective: supervised\nprompt_template: qa_en\nmax_length: 96\n\
    method: lora\nmax_steps: 3\nper_device_train_batch_size: 4\n";

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_there_as_json() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let digest = jobs::train(&clients, jobs::lora_spec("colours", 2, 0)).await;
    clients.adapters().publish_adapter("adapters/colours", &digest, None).await.unwrap();
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    for (verb, name) in [
        (&["models", "list"][..], "baseModels/tiny"),
        (&["data", "list"], "datasets/rows"),
        (&["adapters", "list"], "adapters/colours"),
        (&["adapters", "versions", "colours"], digest.as_str()),
        (&["jobs", "list"], "adapters/colours"),
    ] {
        let table = run(verb).await.ok();
        assert!(table.contains(name), "{verb:?}: {table}");
        let json = run(&[verb, &["--json"]].concat()).await.json();
        let rows = json.as_array().expect("an array");
        assert_eq!(rows.len() + 1, table.lines().count(), "{verb:?}: one line for each and one of titles");
        assert!(rows.iter().any(|row| row.to_string().contains(name)), "{verb:?}: {json}");
    }
    let tokens = run(&["tokenize", "--tokenizer", "baseModels/tiny", "hé", "--json"]).await.json();
    let ids: Vec<_> = tokens.as_array().unwrap().iter().map(|token| token["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [u64::from(b'h') + 1, 0xC3 + 1, 0xA9 + 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_of_the_machine_and_of_every_service() {
    let server = Server::start(ROOTSTOCK).await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    let text = run(&["doctor"]).await.ok();
    assert!(text.contains("GFLOP/s") && text.contains("rootstock.training.v1.TrainingService"), "{text}");
    let json = run(&["doctor", "--json"]).await.json();
    assert!(json["machine"]["dispatch"].is_string(), "{json}");
    let services = json["services"].as_array().unwrap();
    assert!(services.len() == 4 && services.iter().all(|service| service["serving"] == true), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_job_is_watched_and_deleted_later() {
    let server = Server::start(ROOTSTOCK).await;
    fixtures::stage(&server.clients()).await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), TRAIN).unwrap();
    let file = file.path().to_str().unwrap();
    run(&["train", file, "--validate-only"]).await.ok();
    assert!(server.clients().training().list_training_jobs().await.unwrap().is_empty());
    let name = run(&["train", file, "--id", "mine", "--detach"]).await.ok();
    assert_eq!(name.trim(), "trainingJobs/mine");
    let watched = run(&["jobs", "watch", "mine"]).await;
    assert!(watched.stderr.contains("adapters publish colours"), "{}", watched.stderr);
    let digest = watched.ok().trim().to_owned();
    let shown = run(&["jobs", "show", "mine", "--json"]).await.json();
    assert_eq!(
        (shown["state"].as_str(), shown["result_digest"].as_str()),
        (Some("succeeded"), Some(digest.as_str()))
    );
    run(&["jobs", "delete", "mine"]).await.ok();
    assert!(run(&["jobs", "show", "mine"]).await.refused().contains("NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_verified_and_deleted_once_its_name_is_retired() {
    let server = Server::start(ROOTSTOCK).await;
    fixtures::stage(&server.clients()).await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    let data = run(&["data", "list", "--json"]).await.json();
    let (name, digest) = (data[0]["name"].as_str().unwrap(), data[0]["digest"].as_str().unwrap());
    assert!(run(&["artifacts", "verify", digest]).await.ok().contains("is intact"));
    let refused = run(&["artifacts", "delete", digest]).await.refused();
    assert!(refused.contains("IN_USE") && refused.contains("aliases retire"), "{refused}");
    let retired = run(&["aliases", "retire", name]).await;
    assert!(retired.stderr.contains(digest), "{}", retired.stderr);
    assert!(retired.ok().contains("retired as generation 2"));
    let again = run(&["aliases", "set", name, digest]).await.ok();
    assert_eq!(again, format!("{name} stands for {digest} as generation 3\n"));
    assert!(run(&["aliases", "retire", name]).await.ok().contains("retired as generation 4"));
    assert!(run(&["artifacts", "delete", digest]).await.ok().contains("freed"));
    assert!(run(&["artifacts", "verify", digest]).await.refused().contains("NOT_FOUND"));
    assert!(run(&["aliases", "retire", name]).await.refused().contains("NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_layered_and_a_typo_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[trainer]\nworkers = 2\nmax_queued = 5\n").unwrap();
    let config = file.path().to_str().unwrap();
    let args = ["serve", "--config", config, "--listen", "127.0.0.1:9", "--print-config"];
    let printed = run_plain(ROOTSTOCK, &args, &[("ROOTSTOCK_TRAINER_MAX_QUEUED", "7")]).await.ok();
    for line in ["listen = \"127.0.0.1:9\"", "workers = 2", "max_queued = 7", "[telemetry]", "[checkpoint]"] {
        assert!(printed.contains(line), "{line} is not in\n{printed}");
    }
    std::fs::write(file.path(), "[trainer]\nworkerz = 2\n").unwrap();
    let refused = run_plain(ROOTSTOCK, &args, &[]).await.refused();
    assert!(refused.contains("did you mean workers?"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_watching_and_not_the_job() {
    use rootstock_test_support::server::signal;
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let job = jobs::create(&clients, jobs::lora_spec("colours", 100_000, 0)).await.unwrap();
    let mut verb = tokio::process::Command::new(ROOTSTOCK);
    verb.args(["jobs", "watch", &job.name]).env("ROOTSTOCK_ENDPOINT", server.endpoint()).kill_on_drop(true);
    let watching = verb.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    jobs::event(&clients, &job.name, "a step is made", |event| match event {
        Event::Progress(progress) => (progress.step > 0).then_some(()),
        _ => None,
    })
    .await;
    let pid = watching.id().unwrap();
    let interrupt = async {
        loop {
            // Until it listens for the signal, which it does as soon as it watches.
            tokio::time::sleep(Duration::from_millis(300)).await;
            signal("INT", pid).await;
        }
    };
    let ended = tokio::select! {
        ended = watching.wait_with_output() => ended.unwrap(),
        () = interrupt => unreachable!("it never ends"),
    };
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("goes on") && told.contains("rootstock jobs watch"), "{told}");
    assert_eq!(ended.status.code(), Some(130), "{told}");
    let state = clients.training().get_training_job(&job.name).await.unwrap().state();
    assert_eq!(state, TrainingJobState::Running);
    rootstock(ROOTSTOCK, server.endpoint(), &["jobs", "cancel", &job.name]).await.ok();
}
