//! The service as a process builds it, before the other services are there.

use std::time::Instant;

use rootstock_client::{ClientOptions, Endpoints};
use rootstock_runtime::ErrorReason;

use super::*;
use crate::{
    generation::Caller,
    tests::{PATIENCE, request},
};

#[tokio::test]
async fn without_its_store_it_starts_and_says_that_it_cannot_serve_yet() {
    let dir = tempfile::tempdir().unwrap();
    // A port that nobody listens on: one that was just given back.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let options = ClientOptions { deadline: Duration::from_millis(300), ..ClientOptions::default() };
    let endpoints = Endpoints::single(&format!("http://127.0.0.1:{port}")).unwrap();
    let (shutdown, health) = (Shutdown::new(), Health::new());
    let tasks = Tasks::new(shutdown.clone());
    let deps = Deps {
        clients: Clients::with_options(endpoints, options).unwrap(),
        metrics: Registry::new(),
        health: health.clone(),
        shutdown: shutdown.clone(),
        tasks: tasks.clone(),
        data_dir: dir.path().to_owned(),
    };
    let handle = build(Config::default(), deps).await.unwrap();
    assert_eq!(health.is_serving(GENERATION), Some(false));
    let caller = Caller { tenant: "t".into(), received: Instant::now(), deadline: None };
    let refused = handle.core.generation.generate(request("baseModels/a", "", 1), caller).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::DependencyUnavailable, "{refused}");
    assert!(dir.path().join(OWN_DIR).join(EVALUATIONS_FILE).is_file());
    shutdown.request();
    handle.shutdown().await;
    tasks.join(PATIENCE).await.unwrap();
}

#[test]
fn names_of_models_in_the_configuration_are_checked() {
    assert_eq!(configured(&["baseModels/a".into()]).unwrap().len(), 1);
    for wrong in ["adapters/a", "a", ""] {
        let problem = configured(&[wrong.into()]).unwrap_err();
        assert_eq!(problem.key, "models");
    }
}
