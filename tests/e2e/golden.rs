//! What transformers and PEFT computed: directories they wrote, imported with the command line, give the same tokens.
use rootstock_client::proto::inference::v1::WeightedAdapter;
use rootstock_test_support::streams::ids_request;
use rootstock_test_support::{Server, fixtures, generate, rootstock};
use serde_json::Value;

use crate::ROOTSTOCK;

fn ids(values: &Value) -> Vec<u32> {
    values.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_directories_give_the_greedy_tokens_of_transformers_and_peft() {
    // The golden tokens are computed in f32, whatever the file holds.
    let server = rootstock_test_support::ServerOptions::new(ROOTSTOCK)
        .env("ROOTSTOCK_INFERENCE_WEIGHT_DTYPE", "f32")
        .start()
        .await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    for model in ["tied", "untied"] {
        run(&["models", "import", fixtures::golden(model).to_str().unwrap(), "--name", model]).await.ok();
    }
    for adapter in ["lora", "rslora"] {
        let dir = fixtures::golden(adapter);
        run(&["adapters", "import", dir.to_str().unwrap(), "--name", adapter, "--base", "tied"]).await.ok();
        run(&["adapters", "publish", adapter]).await.ok();
    }
    let values = fixtures::golden_values();
    let (prompt, long) = (ids(&values["ids"]), ids(&values["long_ids"])[..16].to_vec());
    let clients = server.clients();
    for (name, model, adapter, prompt) in [
        ("tied", "baseModels/tied", "", &prompt),
        ("untied", "baseModels/untied", "", &long),
        ("lora", "", "adapters/lora", &prompt),
        ("rslora", "", "adapters/rslora", &prompt),
    ] {
        let expected = ids(&values["greedy"][name]);
        let request = ids_request(model, adapter, prompt.clone(), i32::try_from(expected.len()).unwrap());
        assert_eq!(generate(&clients, request).await.unwrap().ids, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_adapter_is_admitted_published_and_gives_pefts_tokens_beside_the_others() {
    let server = rootstock_test_support::ServerOptions::new(ROOTSTOCK)
        .env("ROOTSTOCK_INFERENCE_WEIGHT_DTYPE", "f32")
        .start()
        .await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    for model in ["tied", "untied"] {
        run(&["models", "import", fixtures::golden(model).to_str().unwrap(), "--name", model]).await.ok();
    }
    let (values, kinds) = (fixtures::golden_values(), fixtures::golden("kinds.json"));
    let kinds: Value = serde_json::from_slice(&std::fs::read(kinds).unwrap()).unwrap();
    let (prompt, long) = (ids(&values["ids"]), ids(&values["long_ids"])[..20].to_vec());
    let mut requests = Vec::new();
    for (id, dir, base) in [
        ("dora", "kinds/dora", "tied"),
        ("patterns", "kinds/patterns", "tied"),
        ("tied-head", "kinds/tied_head", "tied"),
        ("tied-ends", "kinds/tied_ends", "tied"),
        ("saved", "kinds/saved", "untied"),
        ("ends", "kinds/ends", "untied"),
        ("lora", "lora", "tied"),
        ("rslora", "rslora", "tied"),
    ] {
        let path = fixtures::golden(dir);
        run(&["adapters", "import", path.to_str().unwrap(), "--name", id, "--base", base]).await.ok();
        run(&["adapters", "publish", id]).await.ok();
        if let Some(expected) = kinds.get(dir.trim_start_matches("kinds/")) {
            let prompt = if base == "tied" { &prompt } else { &long };
            requests.push((ids_request("", &format!("adapters/{id}"), prompt.clone(), 6), ids(expected)));
        }
    }
    let mut sum = ids_request("", "", prompt.clone(), 6);
    sum.adapters = [("adapters/lora", 0.7), ("adapters/rslora", -0.4)]
        .map(|(name, weight)| WeightedAdapter { name: name.into(), weight: Some(weight) })
        .into();
    requests.push((sum, ids(&kinds["sum"])));
    let clients = server.clients();
    let asked = requests.iter().map(|(request, _)| generate(&clients, request.clone()));
    for (answer, (request, expected)) in futures::future::join_all(asked).await.into_iter().zip(&requests) {
        assert_eq!(&answer.unwrap().ids, expected, "{} {:?}", request.adapter, request.adapters);
    }
    // The golden models have no tokenizer, so that a prompt gets as far as that.
    let refused = run(&["generate", "--adapter", "lora=0.7,rslora=-0.4", "--prompt", "a"]).await.refused();
    assert!(refused.contains("no tokenizer"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_what_was_imported() {
    let server = Server::start(ROOTSTOCK).await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    let model = fixtures::model_dir();
    run(&["models", "import", model.path().to_str().unwrap(), "--name", "tiny"]).await.ok();
    let lora = fixtures::golden("lora");
    let version =
        run(&["adapters", "import", lora.to_str().unwrap(), "--name", "a", "--base", "tiny", "--json"])
            .await
            .json();
    let digest = version["digest"].as_str().unwrap();
    let target = tempfile::tempdir().unwrap();
    let (models, adapters) = (target.path().join("model"), target.path().join("adapter"));
    run(&["models", "export", "tiny", models.to_str().unwrap()]).await.ok();
    run(&["adapters", "export", &format!("a/versions/{digest}"), adapters.to_str().unwrap()]).await.ok();
    for (from, to) in [(model.path(), &models), (lora.as_path(), &adapters)] {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let copy = std::fs::read(to.join(entry.file_name())).unwrap();
            assert_eq!(copy, std::fs::read(entry.path()).unwrap(), "{:?}", entry.file_name());
        }
        assert_eq!(std::fs::read_dir(from).unwrap().count(), std::fs::read_dir(to).unwrap().count());
    }
    let again = run(&["models", "export", "tiny", models.to_str().unwrap()]).await.refused();
    assert!(again.contains("is not empty"), "{again}");
}
