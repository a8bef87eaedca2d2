//! Small tokenizers that several tests share.

use std::sync::LazyLock;

use rootstock_text::{TextTokenizer, TokenizerFiles, TrainOptions, train_byte_level_bpe};
use serde_json::{Value, json};

pub(crate) const CORPUS: [&str; 6] = [
    "A language model predicts the next token from the tokens before it.",
    "Question: What does an adapter change?\nAnswer: It changes a few small matrices.",
    "Large models are trained once; adapters are trained many times, and cheaply.",
    "语言模型根据前面的词预测下一个词。适配器只改变很少的参数。",
    "问题: 什么是适配器?\n回答: 适配器是一个小矩阵。",
    "模型训练一次,适配器训练很多次。",
];

pub(crate) const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

pub(crate) fn options() -> TrainOptions {
    TrainOptions {
        vocab_size: 330,
        special_tokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned).to_vec(),
        eos: Some("<|im_end|>".to_owned()),
        pad: None,
        chat_template: Some(CHATML.to_owned()),
        ..TrainOptions::default()
    }
}

pub(crate) static FILES: LazyLock<TokenizerFiles> =
    LazyLock::new(|| train_byte_level_bpe(CORPUS.into_iter(), &options()).unwrap());

/// A byte-level BPE trained on the corpus above.
pub(crate) static TOKENIZER: LazyLock<TextTokenizer> = LazyLock::new(|| {
    TextTokenizer::from_files(&FILES.tokenizer_json, Some(&FILES.tokenizer_config_json)).unwrap()
});

/// A tokenizer in the manner of Llama 2: `▁` for the space, bytes as `<0xHH>`, BOS before each text.
pub(crate) fn sentencepiece_json() -> Value {
    let mut vocab = serde_json::Map::new();
    for (id, token) in ["<unk>", "<s>", "</s>"].iter().enumerate() {
        vocab.insert((*token).to_owned(), json!(id));
    }
    for byte in 0..=255_u32 {
        vocab.insert(format!("<0x{byte:02X}>"), json!(3 + byte));
    }
    for token in ["▁", "a", "b", "c", "▁a", "ab", "▁ab", "小"] {
        let id = vocab.len();
        vocab.insert(token.to_owned(), json!(id));
    }
    let special = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocab, "merges": ["▁ a", "a b", "▁a b"]}
    })
}

pub(crate) fn sentencepiece() -> TextTokenizer {
    let config = br#"{"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>"}"#;
    TextTokenizer::from_files(sentencepiece_json().to_string().as_bytes(), Some(config)).unwrap()
}

/// The byte-level tokenizer.json as a value that a test can break.
pub(crate) fn byte_level_json() -> Value {
    serde_json::from_slice(&FILES.tokenizer_json).unwrap()
}

pub(crate) fn load(value: &Value) -> Result<TextTokenizer, rootstock_text::TokenizerError> {
    TextTokenizer::from_files(value.to_string().as_bytes(), None)
}

/// Numbers of 0..1 that depend on key and counter alone.
pub(crate) fn uniform(key: u64) -> impl Fn(u64) -> f64 {
    move |counter| {
        let mut x = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ counter.wrapping_mul(0xD1B5_4A32_D192_ED03);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
