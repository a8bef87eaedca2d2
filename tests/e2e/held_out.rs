//! A small BERT, trained here on the demo's text, is asked for hidden tokens of paragraphs that it has never seen.
use std::collections::BTreeMap;
use std::path::Path;

use rootstock_client::Clients;
use rootstock_client::proto::inference::v1::FillMaskRequest;
use rootstock_client::proto::tokenization::v1::{EncodeRequest, Encoding};
use rootstock_test_support::{Server, rootstock};

use crate::ROOTSTOCK;

/// One of so many paragraphs is held out: the share that the demo holds out.
const HELD_OUT: usize = 20;
/// One of so many tokens is asked for, as masked training hides them.
const ASKED: usize = 7;
const VOCAB_SIZE: usize = 3072;

const BERT: &str = "output: bert\nnew_encoder:\n  tokenizer: pieces\n  hidden_size: 64\n  intermediate_size: 256\n  \
    num_hidden_layers: 2\n  num_attention_heads: 4\n  max_position_embeddings: 512\n  hidden_dropout_prob: 0\n\
    dataset: text\nobjective: masked\nblock_size: 64\nmethod: full\nlearning_rate: 3e-3\nwarmup_ratio: 0.1\n\
    per_device_train_batch_size: 32\nmax_steps: 600\nlogging_steps: 50\n";

/// All paragraphs of the demo's corpus: those to train on and those held out.
fn paragraphs() -> (Vec<String>, Vec<String>) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let entries = ["en", "zh"].map(|language| std::fs::read_dir(corpus.join(language)).unwrap());
    let mut files: Vec<_> = entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let text: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let paragraphs = text.iter().flat_map(|text| text.split("\n\n")).map(|text| text.trim().to_owned());
    let (held_out, taught): (Vec<_>, Vec<_>) =
        paragraphs.enumerate().partition(|(number, _)| number % HELD_OUT == 0);
    let texts = |numbered: Vec<(usize, String)>| numbered.into_iter().map(|(_, text)| text).collect();
    (texts(taught), texts(held_out))
}

async fn encode(clients: &Clients, texts: Vec<String>) -> Vec<Encoding> {
    let tokenizer = "tokenizers/pieces".to_owned();
    let request = EncodeRequest { tokenizer, texts, add_special_tokens: false, return_offsets: true };
    clients.tokenization().encode(request).await.unwrap().encodings
}

/// A text with some of its tokens hidden, and what they are. Tokens whose mask would be read as something else, such as the second
/// piece of a word, are not hidden.
async fn hidden(clients: &Clients, text: &str, encoding: &Encoding) -> (String, Vec<u32>) {
    let (mut masked, mut ids, mut expected) = (text.to_owned(), encoding.ids.clone(), Vec::new());
    // From the end on, so that the places before stay as they are.
    for token in (0..ids.len()).rev().filter(|token| token % ASKED == ASKED / 2) {
        let mut tried = masked.clone();
        let place = encoding.start_offsets[token] as usize..encoding.end_offsets[token] as usize;
        tried.replace_range(place, "[MASK]");
        let read = encode(clients, vec![tried.clone()]).await.remove(0).ids;
        let others_stay = read.len() == ids.len() && (0..ids.len()).all(|i| i == token || read[i] == ids[i]);
        if others_stay {
            expected.insert(0, encoding.ids[token]);
            (masked, ids) = (tried, read);
        }
    }
    (masked, expected)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_bert_fills_masks_of_held_out_text_far_better_than_chance() {
    let server = Server::start(ROOTSTOCK).await;
    let (clients, files) = (server.clients(), tempfile::tempdir().unwrap());
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    let (taught, held_out) = paragraphs();
    let lines: String =
        taught.iter().map(|text| format!("{}\n", serde_json::json!({ "text": text }))).collect();
    let [text, job] = [("text.jsonl", lines.as_str()), ("bert.yaml", BERT)].map(|(name, contents)| {
        let path = files.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    });
    run(&["data", "import", &text, "--name", "text"]).await.ok();
    let vocab_size = VOCAB_SIZE.to_string();
    let tokenizer = ["tokenizer", "train", "--name", "pieces", "--dataset", "text", "--model", "WordPiece"];
    run(&[&tokenizer[..], &["--vocab-size", &vocab_size]].concat()).await.ok();
    let trained = run(&["train", &job, "--json"]).await.json();
    assert_eq!(trained["state"], "succeeded", "{trained}");

    let (mut right, mut counts) = (0, BTreeMap::<u32, usize>::new());
    let encodings = encode(&clients, held_out.clone()).await;
    for (text, encoding) in held_out.iter().zip(&encodings) {
        let (text, expected) = hidden(&clients, text, encoding).await;
        if expected.is_empty() {
            continue;
        }
        let request = FillMaskRequest { model: "baseModels/bert".into(), text, top_k: 1 };
        let filled = clients.encoders().fill_mask(request).await.unwrap();
        assert_eq!(filled.masks.len(), expected.len());
        right += filled.masks.iter().zip(&expected).filter(|(mask, id)| mask.tokens[0].id == **id).count();
        expected.into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
    }
    let (masks, most_frequent) = (counts.values().sum::<usize>(), counts.values().max().unwrap());
    let accuracy = right as f64 / masks as f64;
    let always = *most_frequent as f64 / masks as f64;
    let chance = 1.0 / VOCAB_SIZE as f64;
    println!(
        "{right} of {masks} masks: {accuracy:.3}, {:.0} x chance; the most frequent token: {always:.3}",
        accuracy / chance
    );
    // 106 of 794 here: 0.134, or 410 x chance, where the most frequent token alone has 0.037.
    assert!(masks > 500, "{masks}");
    assert!(accuracy > 200.0 * chance, "{accuracy}");
    assert!(accuracy > 2.0 * always, "{accuracy} beside {always}");
}
