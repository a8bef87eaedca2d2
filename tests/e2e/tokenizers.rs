//! Tokenizers of BERT's and SentencePiece's kind: trained on text of the store, and imported beside a model. All with the command line.
use rootstock_test_support::{Server, fixtures, rootstock};
use serde_json::Value;

use crate::ROOTSTOCK;

/// BERT's own, cut down to the vocabulary of the model of the golden values.
const BERT: &str = r###"{"version": "1.0", "added_tokens": [], "normalizer": {"type": "BertNormalizer", "clean_text": true,
    "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}, "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
    "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "play": 5, "##ing": 6, "the": 7}}}"###;

fn ids(tokens: &Value) -> Vec<u64> {
    tokens.as_array().unwrap().iter().map(|token| token["id"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wordpiece_and_a_unigram_are_trained_and_berts_own_is_imported() {
    let server = Server::start(ROOTSTOCK).await;
    let files = tempfile::tempdir().unwrap();
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    let text = files.path().join("text.jsonl");
    std::fs::write(&text, fixtures::text(60)).unwrap();
    run(&["data", "import", text.to_str().unwrap(), "--name", "text"]).await.ok();

    let train = [
        "tokenizer",
        "train",
        "--name",
        "mine",
        "--dataset",
        "text",
        "--vocab-size",
        "200",
        "--json",
        "--model",
    ];
    let mut digests = Vec::new();
    for model in ["WordPiece", "Unigram"] {
        let trained = run(&[&train[..], &[model]].concat()).await.json();
        let again = run(&[&train[..], &[model]].concat()).await.json();
        assert_eq!(again["tokenizer_digest"], trained["tokenizer_digest"], "{model}");
        assert!(trained["vocab_size"].as_i64().unwrap() <= 200, "{trained}");
        let tokens = run(&["tokenize", "--tokenizer", "mine", "the", "--special", "--json"]).await.json();
        assert!(!ids(&tokens).contains(&1), "{model} knows its text: {tokens}");
        digests.push(trained["tokenizer_digest"].clone());
    }
    assert_ne!(digests[0], digests[1]);
    let refused = run(&[&train[..], &["Unigram", "--lowercase", "false"]].concat()).await.refused();
    assert!(refused.contains("word_piece is not for this model"), "{refused}");

    let bert = fixtures::copy_of("bert/masked_lm");
    std::fs::write(bert.path().join("tokenizer.json"), BERT).unwrap();
    run(&["models", "import", bert.path().to_str().unwrap(), "--name", "bert"]).await.ok();
    let tokens =
        ["tokenize", "--tokenizer", "baseModels/bert", "Playing the [MASK] game", "--special", "--json"];
    assert_eq!(ids(&run(&tokens).await.json()), [2, 5, 6, 7, 4, 1, 3]);
}
