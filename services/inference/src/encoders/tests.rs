use std::{collections::BTreeMap, sync::LazyLock};

use candle_core::Device;
use rootstock_artifacts::Kind;
use rootstock_model::{Encoder, EncoderConfig, EncoderRow, Task, save_tensors};
use rootstock_runtime::ErrorReason;
use rootstock_text::{TextTokenizer, TokenizerFiles, TrainOptions, train_byte_level_bpe};

use super::*;
use crate::{
    config::Config,
    publish::Change,
    store::Running,
    tests::{World, request},
};

const LABELS: [&str; 3] = ["no", "yes", "both"];

/// Bytes, a few merges, and BERT's special tokens around a text.
fn files() -> &'static TokenizerFiles {
    static FILES: LazyLock<TokenizerFiles> = LazyLock::new(|| {
        let special = ["<|endoftext|>", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
        let options =
            TrainOptions { vocab_size: 290, special_tokens: special.into(), ..TrainOptions::default() };
        train_byte_level_bpe(["a river runs to the sea"; 4].iter(), &options).unwrap()
    });
    &FILES
}

fn tokenizer() -> TextTokenizer {
    TextTokenizer::from_files(&files().tokenizer_json, Some(&files().tokenizer_config_json)).unwrap()
}

fn encoder(task: Task, seed: u64) -> Encoder {
    let json = br#"{"architectures": ["BertForMaskedLM"], "model_type": "bert", "vocab_size": 290, "hidden_size": 16,
        "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 40,
        "initializer_range": 0.3}"#;
    let config = EncoderConfig { task, ..EncoderConfig::from_json(json).unwrap() };
    Encoder::init(config, seed, &Device::Cpu).unwrap()
}

fn classifier(seed: u64) -> Encoder {
    encoder(Task::Classification(LABELS.map(str::to_owned).into()), seed)
}

/// Stores an encoder as a base model with an alias.
fn put(world: &World, id: &str, encoder: &Encoder) -> Digest {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    save_tensors(&path, &encoder.named_tensors().unwrap(), &BTreeMap::new()).unwrap();
    let files = BTreeMap::from([
        ("config.json".to_owned(), encoder.config().to_json().into_bytes()),
        ("model.safetensors".to_owned(), std::fs::read(path).unwrap()),
        ("tokenizer.json".to_owned(), files().tokenizer_json.clone()),
        ("tokenizer_config.json".to_owned(), files().tokenizer_config_json.clone()),
    ]);
    let digest = world.store.put(Kind::BaseModel, files, None, "");
    world.store.point(&format!("baseModels/{id}"), digest);
    digest
}

/// Served: a decoder, a classifier and a filler of masks.
async fn world() -> (World, Encoder, Encoder) {
    let world = World::start(Config::default()).await;
    let (labels, masks) = (classifier(1), encoder(Task::MaskedLm, 2));
    world.store.put_model("decoder", 1);
    put(&world, "labels", &labels);
    put(&world, "masks", &masks);
    (world, labels, masks)
}

fn classify(model: &str, texts: &[&str]) -> Classify {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    Classify { model: format!("baseModels/{model}").parse().unwrap(), texts }
}

fn fill(model: &str, text: &str) -> FillMask {
    FillMask { model: format!("baseModels/{model}").parse().unwrap(), text: text.to_owned(), top_k: 4 }
}

/// Probabilities by the textbook, of each row that the head speaks of.
fn by_library(encoder: &Encoder, text: &str) -> (Vec<u32>, Vec<Vec<f64>>) {
    let ids = tokenizer().encode_ids(text, true).unwrap();
    let row = EncoderRow { types: vec![0; ids.len()], ids: ids.clone() };
    let logits = encoder.logits(&[row]).unwrap().to_vec2::<f32>().unwrap();
    let softmax = |logits: Vec<f32>| {
        let weights: Vec<f64> = logits.into_iter().map(|logit| f64::from(logit).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    };
    (ids, logits.into_iter().map(softmax).collect())
}

#[track_caller]
fn assert_descends(probabilities: impl Iterator<Item = f64>) {
    let probabilities: Vec<f64> = probabilities.collect();
    assert!(probabilities.windows(2).all(|pair| pair[0] >= pair[1]), "{probabilities:?}");
}

#[tokio::test]
async fn labels_are_as_likely_as_the_library_says_alone_and_among_other_texts() {
    let (world, labels, _) = world().await;
    let mut texts = vec!["a river", "", "the sea runs to a river"];
    texts.extend(["to the sea"; 20]);
    let answer = world.core.encoders.classify(classify("labels", &texts)).await.unwrap();
    assert_eq!((answer.said.len(), answer.binding.weights), (texts.len(), "f32"));
    assert_eq!(answer.binding.tokenizer, format!("sha256:{}", tokenizer().digest()));
    for (text, said) in texts.iter().zip(&answer.said) {
        let alone = world.core.encoders.classify(classify("labels", &[text])).await.unwrap();
        assert_eq!(alone.said, std::slice::from_ref(said));
        let (ids, expected) = by_library(&labels, text);
        assert_eq!((said.tokens, said.labels.len()), (ids.len(), LABELS.len()));
        assert_descends(said.labels.iter().map(|(_, probability)| *probability));
        for (name, probability) in &said.labels {
            let label = LABELS.iter().position(|label| label == name).unwrap();
            assert!((probability - expected[0][label]).abs() < 1e-12, "{text}: {said:?} {expected:?}");
        }
    }
}

#[tokio::test]
async fn masks_are_filled_where_they_stand_with_what_the_library_finds_most_likely() {
    let (world, _, masks) = world().await;
    let text = "a [MASK] runs to the [MASK]";
    let said = world.core.encoders.fill_mask(fill("masks", text)).await.unwrap().said;
    let (ids, expected) = by_library(&masks, text);
    let mask = tokenizer().special_tokens().mask.clone().unwrap().id;
    let positions: Vec<usize> = (0..ids.len()).filter(|position| ids[*position] == mask).collect();
    assert_eq!(said.masks.iter().map(|mask| mask.position).collect::<Vec<_>>(), positions);
    assert_eq!((positions.len(), said.tokens), (2, ids.len()));
    for mask in said.masks {
        let expected = &expected[mask.position];
        assert_descends(mask.tokens.iter().map(|token| token.probability));
        assert_eq!(mask.tokens.len(), 4);
        let least = mask.tokens[3].probability;
        assert_eq!(expected.iter().filter(|other| **other > least + 1e-12).count(), 3);
        for token in mask.tokens {
            assert!((token.probability - expected[token.id as usize]).abs() < 1e-12);
            assert_eq!(token.text, tokenizer().decode(&[token.id], false));
        }
    }
}

#[tokio::test]
async fn what_a_model_is_not_made_for_is_refused_with_what_to_ask_instead() {
    let (world, ..) = world().await;
    let encoders = &world.core.encoders;
    let sorting = async |model: &str| encoders.classify(classify(model, &["a"])).await.unwrap_err();
    let filling = async |model: &str, text: &str| encoders.fill_mask(fill(model, text)).await.unwrap_err();
    let generating = world.ask(request("baseModels/labels", "", 1)).await.unwrap_err();
    for (refused, field, said) in [
        (sorting("decoder").await, "model", "is a decoder"),
        (filling("decoder", "[MASK]").await, "model", "is a decoder"),
        (sorting("masks").await, "model", "has no labels; ask FillMask"),
        (filling("labels", "[MASK]").await, "model", "ask Classify"),
        (filling("masks", "a river").await, "text", "must have 1 to 512, each written [MASK]"),
        (generating, "model", "is an encoder"),
    ] {
        assert!(matches!(&refused, Error::Invalid { field: named, .. } if named == field), "{refused:?}");
        assert!(refused.to_string().contains(said), "{refused}");
    }
    let long = "river sea ".repeat(20);
    let refused = encoders.classify(classify("labels", &["a", &long])).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::ContextTooLong);
    assert!(refused.to_string().starts_with("texts[1] has "), "{refused}");
}

#[tokio::test]
async fn no_adapter_is_published_for_an_encoder() {
    let (world, labels, _) = world().await;
    let base = put(&world, "base", &labels);
    let adapter = world.store.put_adapter(base, 1);
    let change = Change::Version(Running::Finish);
    let refused = world.publish("adapters/a", adapter, change).await.unwrap_err();
    assert!(refused.to_string().contains("is an encoder"), "{refused}");
}

#[tokio::test]
async fn encoders_make_room_for_each_other_and_are_loaded_as_configured() {
    let world = World::start(Config { max_models: 1, ..Config::default() }).await;
    let (labels, masks) = (put(&world, "labels", &classifier(1)), put(&world, "masks", &classifier(2)));
    world.store.put_model("decoder", 1);
    let models = ["baseModels/labels".to_owned()].into();
    let world = world.restart(Config { max_models: 1, models, ..Config::default() }).await;
    let resident = |digest: Digest| world.core.publisher.binder.models.encoders.peek(&digest).is_some();
    assert!(resident(labels));
    world.tokens("baseModels/decoder", "", 1).await;
    assert!(resident(labels), "the decoder took its room");
    world.core.encoders.classify(classify("masks", &["a"])).await.unwrap();
    assert_eq!((resident(labels), resident(masks)), (false, true));
}

#[test]
fn an_answer_that_no_message_holds_is_refused_before_it_is_computed() {
    let labels = vec!["x".repeat(48); 4096];
    check_answer(12, &labels).unwrap();
    let refused = check_answer(13, &labels).unwrap_err().to_string();
    assert!(refused.contains("at most 12"), "{refused}");
}
