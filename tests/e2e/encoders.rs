//! An encoder from nothing: a tokenizer with a mask, a model that learns hidden tokens, and then labels. All with the command line.
use rootstock_test_support::{Server, fixtures, rootstock};

use crate::ROOTSTOCK;

const ENCODER: &str = "output: encoder\nnew_encoder:\n  tokenizer: bert\n  hidden_size: 32\n  intermediate_size: 64\n  \
    num_hidden_layers: 2\n  num_attention_heads: 4\n  max_position_embeddings: 64\n  hidden_dropout_prob: 0\n\
    dataset: text\nvalidation_split: 0.1\nobjective: masked\nwhole_word_mask: true\nmethod: full\nlearning_rate: 5e-3\n\
    max_steps: 20\nlogging_steps: 5\n";

const CLASSIFIER: &str = "output: classifier\nbase_model: encoder\ndataset: labels\nobjective: classification\n\
    freeze_encoder: true\nmethod: full\nmax_steps: 4\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_is_trained_and_stored() {
    let server = Server::start(ROOTSTOCK).await;
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    let encoder = write("encoder.yaml", ENCODER);

    run(&["data", "import", &write("text.jsonl", &fixtures::text(60)), "--name", "text"]).await.ok();
    let special = ["[CLS]", "[SEP]", "[MASK]"].map(|token| ["--special-token", token]);
    let tokenizer = ["tokenizer", "train", "--name", "bert", "--dataset", "text", "--vocab-size", "290"];
    run(&[&tokenizer[..], special.as_flattened()].concat()).await.ok();
    let trained = run(&["train", &encoder, "--json"]).await.json();
    assert_eq!(trained["state"], "succeeded", "{trained}");
    let labels = "{\"text\": \"a river\", \"label\": 0}\n{\"text\": \"a sea\", \"label\": 1}\n".repeat(4);
    run(&["data", "import", &write("labels.jsonl", &labels), "--name", "labels"]).await.ok();
    let trained = run(&["train", &write("classifier.yaml", CLASSIFIER), "--json"]).await.json();
    assert_eq!(trained["state"], "succeeded", "{trained}");
    let on = ENCODER.split_once("dataset").unwrap().1;
    let causal = format!("output: other\nbase_model: encoder\ndataset{on}").replace("masked", "causal");
    let causal = causal.replace("whole_word_mask: true\n", "");
    let refused = run(&["train", &write("causal.yaml", &causal)]).await.refused();
    assert!(refused.contains("causal needs a decoder"), "{refused}");
}
