//! A network that cuts: transfers go on where they were, and watches lose nothing.
use std::time::Duration;

use futures::StreamExt;
use rootstock_client::{ArtifactDraft, Cache, Clients, Endpoints, Kind, Progress};
use rootstock_test_support::{Proxy, Server, fixtures, jobs};

use crate::ROOTSTOCK;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_and_a_download_survive_cuts_after_every_megabyte() {
    let server = Server::start(ROOTSTOCK).await;
    let proxy = Proxy::start(server.endpoint()).await;
    let clients = Clients::new(Endpoints::single(&proxy.endpoint()).unwrap()).unwrap();
    let text: String = (0..200_000).map(|line| format!("line {line} of a long text\n")).collect();
    let draft = ArtifactDraft::new(Kind::Dataset).parent("datasets/long").file("long.txt", text.clone());
    proxy.cut_after(2 << 20);
    let artifact = clients.checkpoint().upload_artifact(draft, &Progress::none()).await.unwrap();
    assert!(proxy.cuts() > 0, "the upload was cut");
    let uploads = proxy.cuts();
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path(), 1 << 30).unwrap();
    let fetched =
        clients.checkpoint().fetch_artifact(artifact.digest, &cache, &Progress::none()).await.unwrap();
    assert!(proxy.cuts() > uploads, "the download was cut");
    assert_eq!(std::fs::read_to_string(fetched.path("long.txt").unwrap()).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_cut_goes_on_without_loss_or_repetition() {
    let server = Server::start(ROOTSTOCK).await;
    let proxy = Proxy::start(server.endpoint()).await;
    fixtures::stage(&server.clients()).await;
    let clients = Clients::new(Endpoints::single(&proxy.endpoint()).unwrap()).unwrap();
    let job = jobs::create(&server.clients(), jobs::lora_spec("colours", 200, 5)).await.unwrap();
    let mut watch = clients.training().watch_training_job(&job.name, 0);
    let mut seen = Vec::new();
    let all = async {
        while let Some(event) = watch.next().await {
            seen.push(event.unwrap().event_id);
            if seen.len() % 7 == 0 {
                proxy.cut();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all).await.unwrap();
    let expected: Vec<i64> =
        jobs::events(&server.clients(), &job.name).await.iter().map(|event| event.event_id).collect();
    assert_eq!(seen, expected);
    assert!(proxy.cuts() > 1, "the watch was cut");
}
