//! Other methods of fine-tuning than LoRA, from the training file to an answer beside all others.
use futures::future::join_all;
use rootstock_test_support::streams::ids_request;
use rootstock_test_support::{Server, fixtures, generate, rootstock};

use crate::ROOTSTOCK;

/// Each has an example.
const METHODS: [&str; 3] = ["prompt", "prefix", "bottleneck"];
const REQUESTS: usize = 16;
const TOKENS: i32 = 12;

fn path_of(file: &std::path::Path) -> String {
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_is_trained_published_swapped_and_answers_beside_the_others_as_alone() {
    let server = Server::start(ROOTSTOCK).await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    fixtures::stage(&server.clients()).await;
    let import = async |name: &str, dir: &str| {
        let dir = path_of(&fixtures::golden(dir));
        run(&["adapters", "import", &dir, "--name", name, "--base", "tiny"]).await.ok();
        run(&["adapters", "publish", name]).await.ok();
    };
    import("lora", "lora").await;
    import("dora", "kinds/dora").await;
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for method in METHODS {
        let example = std::fs::read_to_string(examples.join(method).with_extension("yaml")).unwrap();
        let here = example
            .replace("base_model: small", "base_model: tiny")
            .replace("dataset: talks", "dataset: rows");
        let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        std::fs::write(file.path(), here).unwrap();
        let trained = run(&["train", &path_of(file.path()), "--json"]).await.json();
        assert_eq!(trained["state"], "succeeded", "{trained}");
        run(&["adapters", "publish", method]).await.ok();
    }

    let adapters: Vec<String> =
        ["lora", "dora"].iter().chain(&METHODS).map(|name| format!("adapters/{name}")).collect();
    let request = |number: usize| {
        let adapter = adapters.get(number % (adapters.len() + 1)).map_or("", String::as_str);
        let ids = (0..30 + number as u32).map(|place| 1 + place * 37 % 255).collect();
        ids_request("baseModels/tiny", adapter, ids, TOKENS)
    };
    let clients = server.clients();
    let mut alone = Vec::new();
    for number in 0..REQUESTS {
        alone.push(generate(&clients, request(number)).await.unwrap().ids);
    }
    let together = join_all((0..REQUESTS).map(|number| generate(&clients, request(number)))).await;
    for (number, (found, expected)) in together.into_iter().zip(&alone).enumerate() {
        assert_eq!(&found.unwrap().ids, expected, "{number}");
    }

    // Request 2 is the first of the prompt; another version of it takes over.
    import("prompt", "soft/prompt").await;
    assert_ne!(generate(&clients, request(2)).await.unwrap().ids, alone[2]);
}
