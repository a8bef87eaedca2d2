//! Proof of what a job has done: its steps made again have the bits that were saved and stored, and a flipped one is found.
use rootstock_client::Clients;
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_test_support::{Server, fixtures, jobs, rootstock};

use crate::ROOTSTOCK;

/// Flips a bit in the middle of a file of an artifact, as it lies in the store; once more puts it back.
async fn flip(server: &Server, clients: &Clients, artifact: &str, name: &str) {
    let artifact = clients.checkpoint().get_artifact(artifact).await.unwrap();
    let blob = artifact.blobs.iter().find(|blob| blob.path == name).unwrap();
    let hex = blob.digest.strip_prefix("sha256:").unwrap();
    let path = server.data_dir().join("checkpoint/blobs").join(&hex[..2]).join(hex);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_made_again_have_the_bits_that_were_kept_and_a_flipped_one_is_found() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let job = jobs::create(&clients, jobs::lora_spec("proved", 12, 4)).await.unwrap().name;
    let result = jobs::succeeded(&clients, &job).await.result_digest;
    let verify = async |args: &[&str]| {
        rootstock(ROOTSTOCK, server.endpoint(), &[&["jobs", "verify", &job], args].concat()).await
    };
    let compared = |checks: serde_json::Value| -> Vec<(i64, String)> {
        let checks = checks.as_array().unwrap().clone();
        assert!(checks.iter().all(|check| check["difference"] == ""), "{checks:?}");
        let place = |check: &serde_json::Value| {
            (check["step"].as_i64().unwrap(), check["compared"].as_str().unwrap().to_owned())
        };
        checks.iter().map(place).filter(|(_, what)| what != "gradient norm and learning rate").collect()
    };
    let end = [(12, "saved state".to_owned()), (12, "result".to_owned())];
    assert_eq!(compared(verify(&["--json"]).await.json()), end);
    let whole = compared(verify(&["--from-beginning", "--json"]).await.json());
    assert_eq!(whole, [&[(8, "saved state".to_owned())], &end[..]].concat());
    assert_eq!(
        compared(verify(&["--from-beginning", "--max-steps", "9", "--json"]).await.json()),
        whole[..1]
    );

    flip(&server, &clients, &result, "adapter_model.safetensors").await;
    let found = verify(&[]).await;
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stderr.contains("after step 12, adapter_model.safetensors"), "{}", found.stderr);
    flip(&server, &clients, &result, "adapter_model.safetensors").await;
    assert_eq!(compared(verify(&["--json"]).await.json()), end);

    let mut states = jobs::events(&clients, &job).await.into_iter().filter_map(|event| match event.event {
        Some(Event::StateSaved(saved)) => Some(saved),
        _ => None,
    });
    let last = states.next_back().unwrap();
    assert!(last.chain_digest.starts_with("sha256:"), "{last:?}");
    flip(&server, &clients, &last.digest, "moments.safetensors").await;
    let found = verify(&["--from-beginning"]).await;
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stderr.contains("after step 12, moments.safetensors"), "{}", found.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_is_not_verified_and_one_that_rests_is() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let job = jobs::create(&clients, jobs::lora_spec("rests", 100_000, 5)).await.unwrap().name;
    jobs::event(&clients, &job, "a state is saved", |event| match event {
        Event::StateSaved(saved) if saved.step >= 10 => Some(()),
        _ => None,
    })
    .await;
    let run =
        async |verb: &str| rootstock(ROOTSTOCK, server.endpoint(), &["jobs", verb, &job, "--json"]).await;
    assert!(run("verify").await.refused().contains("pause it first"));
    let pausing = run("pause").await.json();
    assert!(["pausing", "paused"].contains(&pausing["state"].as_str().unwrap()), "{pausing}");
    let worker = server.workers();
    rootstock_test_support::eventually(jobs::JOB_TIMEOUT, "the job rests", || async {
        (run("show").await.json()["state"] == "paused").then_some(())
    })
    .await;
    assert!(
        worker.iter().all(|pid| !rootstock_test_support::server::lives(*pid)),
        "nothing of it is in memory"
    );
    let checks = run("verify").await.json();
    assert!(checks.as_array().unwrap().iter().any(|check| check["compared"] == "saved state"), "{checks}");
    assert_eq!(run("resume").await.json()["state"], "queued");
    run("cancel").await.ok();
}
