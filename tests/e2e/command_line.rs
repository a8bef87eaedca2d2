//! The verbs as scripts see them: tables and the same as JSON, a job that is left alone, a server that is configured.
use rootstock_test_support::cli::run as run_plain;
use rootstock_test_support::{Server, fixtures, jobs, rootstock};

use crate::ROOTSTOCK;

const TRAIN: &str = "output: colours\nbase_model: tiny\ndataset: rows\nobjective: supervised\nprompt_template: qa_en\n\
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
        (&["doctor"], "rootstock.training.v1.TrainingService"),
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
