//! An encoder from nothing: a tokenizer with a mask, a model that learns hidden tokens, and then labels, and answers. All with the
//! command line.
use candle_core::{DType, Device};
use rootstock_client::ErrorReason;
use rootstock_client::proto::inference::v1::{ClassifyRequest, FillMaskRequest};
use rootstock_model::{Encoder, EncoderConfig, EncoderRow};
use rootstock_test_support::streams::{generate, ids_request};
use rootstock_test_support::{Server, fixtures, rootstock};
use rootstock_text::TextTokenizer;

use crate::{ROOTSTOCK, refusal};

const ENCODER: &str = "output: encoder\nnew_encoder:\n  tokenizer: bert\n  hidden_size: 32\n  intermediate_size: 64\n  \
    num_hidden_layers: 2\n  num_attention_heads: 4\n  max_position_embeddings: 64\n  hidden_dropout_prob: 0\n\
    dataset: text\nvalidation_split: 0.1\nobjective: masked\nwhole_word_mask: true\nmethod: full\nlearning_rate: 5e-3\n\
    max_steps: 20\nlogging_steps: 5\n";

const CLASSIFIER: &str = "output: classifier\nbase_model: encoder\ndataset: labels\nobjective: classification\n\
    freeze_encoder: true\nmethod: full\nmax_steps: 4\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_is_trained_stored_and_asked() {
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
    it_answers(&server).await;
    let on = ENCODER.split_once("dataset").unwrap().1;
    let causal = format!("output: other\nbase_model: encoder\ndataset{on}").replace("masked", "causal");
    let causal = causal.replace("whole_word_mask: true\n", "");
    let refused = run(&["train", &write("causal.yaml", &causal)]).await.refused();
    assert!(refused.contains("causal needs a decoder"), "{refused}");
}

/// What was trained classifies and fills masks; the command line shows what the call says, and each model refuses what it has no head
/// for.
async fn it_answers(server: &Server) {
    let clients = server.clients();
    let classify = async |model: &str, texts: &[&str]| {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        clients.encoders().classify(ClassifyRequest { model: format!("baseModels/{model}"), texts }).await
    };
    let fill = async |model: &str, text: &str| {
        let (model, text) = (format!("baseModels/{model}"), text.to_owned());
        clients.encoders().fill_mask(FillMaskRequest { model, text, top_k: 3 }).await
    };
    let together = classify("classifier", &["a river", "a sea", "a river"]).await.unwrap();
    let alone = classify("classifier", &["a sea"]).await.unwrap();
    assert_eq!(together.classifications[1], alone.classifications[0]);
    assert_eq!(together.binding, alone.binding);
    let labels = &alone.classifications[0].labels;
    let sum: f64 = labels.iter().map(|label| label.probability).sum();
    assert!(labels.len() == 2 && (sum - 1.0).abs() < 1e-9, "{labels:?}");
    let expected = by_library(server, "classifier", "a sea").await;
    // The labels are numbers, and their own ids.
    assert_are(labels.iter().map(|label| (label.label.parse().unwrap(), label.probability)), &expected[0]);
    let args = ["classify", "--model", "classifier", "a sea", "--json"];
    let shown = rootstock(ROOTSTOCK, server.endpoint(), &args).await.json();
    assert_eq!(shown["texts"][0]["labels"][0]["probability"].as_f64(), Some(labels[0].probability));
    assert_eq!(shown["binding"]["base_digest"], alone.binding.unwrap().base_digest);

    let filled = fill("encoder", "a [MASK] and a [MASK]").await.unwrap();
    assert_eq!(filled.masks.iter().map(|mask| mask.tokens.len()).collect::<Vec<_>>(), [3, 3]);
    let expected = by_library(server, "encoder", "a [MASK] and a [MASK]").await;
    for mask in &filled.masks {
        let tokens = mask.tokens.iter().map(|token| (token.id as usize, token.probability));
        assert_are(tokens, &expected[mask.position as usize]);
    }
    let args = ["fill-mask", "--model", "encoder", "a [MASK] and a [MASK]", "--top-k", "3", "--json"];
    let shown = rootstock(ROOTSTOCK, server.endpoint(), &args).await.json();
    assert_eq!(shown["masks"].as_array().unwrap().len(), 6);
    assert_eq!(shown["masks"][3]["id"], filled.masks[1].tokens[0].id);

    let refused = [
        refusal(classify("encoder", &["a sea"]).await, ErrorReason::InvalidField),
        refusal(fill("classifier", "[MASK]").await, ErrorReason::InvalidField),
        refusal(fill("encoder", "a sea").await, ErrorReason::InvalidField),
        refusal(classify("classifier", &["a sea", &"sea ".repeat(100)]).await, ErrorReason::ContextTooLong),
    ];
    for (refused, said) in refused.iter().zip(["ask FillMask", "ask Classify", "[MASK]", "texts[1] has"]) {
        assert!(refused.contains(said), "{refused}");
    }
    let request = ids_request("baseModels/classifier", "", vec![5], 1);
    let refused = refusal(generate(&clients, request).await.map(drop), ErrorReason::InvalidField);
    assert!(refused.contains("is an encoder"), "{refused}");
}

/// Probabilities by the library of what a stored model's head says of a text, of each of its rows.
async fn by_library(server: &Server, model: &str, text: &str) -> Vec<Vec<f64>> {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join(model);
    let export = ["models", "export", model, files.to_str().unwrap()];
    rootstock(ROOTSTOCK, server.endpoint(), &export).await.ok();
    let read = |name: &str| std::fs::read(files.join(name)).unwrap();
    let tokenizer =
        TextTokenizer::from_files(&read("tokenizer.json"), Some(&read("tokenizer_config.json"))).unwrap();
    let config = EncoderConfig::from_json(&read("config.json")).unwrap();
    let weights = [files.join("model.safetensors")];
    let encoder = Encoder::load(config, &weights, DType::F32, &Device::Cpu).unwrap();
    let ids = tokenizer.encode_ids(text, true).unwrap();
    let logits = encoder.logits(&[EncoderRow { types: vec![0; ids.len()], ids }]).unwrap();
    let softmax = |logits: Vec<f32>| {
        let weights: Vec<f64> = logits.into_iter().map(|logit| f64::from(logit).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    };
    logits.to_vec2().unwrap().into_iter().map(softmax).collect()
}

#[track_caller]
fn assert_are(said: impl Iterator<Item = (usize, f64)>, expected: &[f64]) {
    for (number, probability) in said {
        assert!((probability - expected[number]).abs() < 1e-12, "{number}: {probability}, {expected:?}");
    }
}
