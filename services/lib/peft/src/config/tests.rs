//! What of PEFT's settings is read, written and refused.

use proptest::prelude::*;

use super::*;

/// Every key of PEFT 0.21's own file, to which a test makes its changes.
const SAVED_BY_PEFT: &[u8] = include_bytes!("../../../../../tests/golden/lora/adapter_config.json");

fn with(field: &str, value: Value) -> Result<LoraConfig, PeftError> {
    let mut saved: Value = serde_json::from_slice(SAVED_BY_PEFT).unwrap();
    saved[field] = value;
    LoraConfig::from_json(saved.to_string().as_bytes())
}

fn refusal(field: &str, value: Value) -> String {
    let message = with(field, value).unwrap_err().to_string();
    assert!(message.contains(field), "{message} does not name {field}");
    message
}

#[test]
fn a_file_saved_by_peft_is_read() {
    let config = LoraConfig::from_json(SAVED_BY_PEFT).unwrap();
    assert_eq!((config.r, config.lora_alpha, config.lora_dropout), (4, 8.0, 0.0));
    assert_eq!(config.task_type.as_deref(), Some("CAUSAL_LM"));
    assert!(matches!(&config.target_modules, TargetModules::Names(names) if names.len() == 7));
}

#[test]
fn a_written_file_reads_as_the_same_settings() {
    for target_modules in [
        TargetModules::AllLinear,
        TargetModules::from(&["q_proj", "mlp.up_proj"][..]),
        TargetModules::Pattern(r".*\.[qv]_proj".to_owned()),
    ] {
        let config = LoraConfig {
            r: 16,
            lora_alpha: 0.1,
            lora_dropout: 0.05,
            layers_to_transform: matches!(target_modules, TargetModules::Names(_)).then(|| vec![1, 0]),
            layers_pattern: match target_modules {
                TargetModules::Names(_) => vec!["layers".to_owned(), "h".to_owned()],
                _ => Vec::new(),
            },
            target_modules,
            exclude_modules: Some(TargetModules::Pattern(".*mlp.*".to_owned())),
            // In an order that sorting would change, and with it what counts.
            rank_pattern: vec![("q_proj".to_owned(), 4), ("0.self_attn.q_proj".to_owned(), 2)],
            alpha_pattern: vec![("q_proj".to_owned(), 4.0), ("0.self_attn.q_proj".to_owned(), 0.5)],
            use_dora: true,
            init_lora_weights: InitLoraWeights::Gaussian,
            modules_to_save: vec![SavedModule::Embedding, SavedModule::Head],
            use_rslora: true,
            bias: Biases::All,
            base_model_name_or_path: Some("base \"x\" 模型".to_owned()),
            task_type: None,
            inference_mode: false,
        };
        assert_eq!(LoraConfig::from_json(config.to_json().as_bytes()).unwrap(), config);
    }
}

#[test]
fn a_whole_alpha_is_written_as_an_integer() {
    assert!(LoraConfig::default().to_json().contains("\"lora_alpha\": 8,"));
}

#[test]
fn what_is_not_supported_is_refused_by_the_name_of_its_field() {
    for (field, value) in [
        ("peft_type", json!("IA3")),
        ("bias", json!("some")),
        ("modules_to_save", json!(["lm_head", "norm"])),
        ("ensure_weight_tying", json!(true)),
        ("layer_replication", json!([[0, 1]])),
        ("fan_in_fan_out", json!(true)),
        ("trainable_token_indices", json!([1, 2])),
        ("target_parameters", json!(["experts"])),
        ("init_lora_weights", json!("pissa_niter_16")),
        ("init_lora_weights", json!("olora")),
        ("task_type", json!("SEQ_CLS")),
        ("a_field_of_tomorrow", json!(1)),
    ] {
        assert!(refusal(field, value).contains("is not supported"), "{field}");
    }
}

#[test]
fn values_out_of_range_are_refused_by_the_name_of_their_field() {
    for (field, value) in [
        ("r", json!(0)),
        ("r", json!(-4)),
        ("r", json!(MAX_RANK + 1)),
        ("r", json!("4")),
        ("lora_alpha", json!(0)),
        ("lora_alpha", json!(1e300)),
        ("lora_alpha", json!("8")),
        ("lora_dropout", json!(1.0)),
        ("lora_dropout", json!(-0.1)),
        ("use_rslora", json!("yes")),
        ("peft_type", Value::Null),
        ("target_modules", Value::Null),
        ("target_modules", json!([])),
        ("target_modules", json!([1])),
        ("target_modules", json!(7)),
        ("exclude_modules", json!([1])),
        ("exclude_modules", json!("(")),
        ("layers_to_transform", json!([-1])),
        ("layers_to_transform", json!("all")),
        ("layers_pattern", json!(["layers"])),
        ("rank_pattern", json!([])),
        ("rank_pattern", json!({ "q_proj": 0 })),
        ("rank_pattern", json!({ "q_proj": 1.5 })),
        ("rank_pattern", json!({ "(?!x)q_proj": 8 })),
        ("alpha_pattern", json!({ "q_proj": -1 })),
        ("alpha_pattern", json!({ "q_proj": "8" })),
        ("use_dora", json!("yes")),
        ("base_model_name_or_path", json!(7)),
    ] {
        refusal(field, value);
    }
}

#[test]
fn layers_narrow_a_list_of_names_alone() {
    let config = LoraConfig {
        target_modules: TargetModules::Pattern(".*q_proj".to_owned()),
        layers_to_transform: Some(vec![0]),
        ..LoraConfig::default()
    };
    assert!(config.validate().unwrap_err().to_string().contains("layers_to_transform"));
}

#[test]
fn one_layer_and_one_pattern_need_no_list() {
    let mut saved: Value = serde_json::from_slice(SAVED_BY_PEFT).unwrap();
    saved["layers_to_transform"] = json!(1);
    saved["layers_pattern"] = json!("layers");
    let config = LoraConfig::from_json(saved.to_string().as_bytes()).unwrap();
    assert_eq!(
        (config.layers_to_transform, config.layers_pattern),
        (Some(vec![1]), vec!["layers".to_owned()])
    );
}

#[test]
fn patterns_keep_the_order_they_have_in_the_file() {
    let text = String::from_utf8(SAVED_BY_PEFT.to_vec()).unwrap();
    let text = text.replace("\"rank_pattern\": {}", r#""rank_pattern": {"v": 3, "k": 2, "v": 1}"#);
    let config = LoraConfig::from_json(text.as_bytes()).unwrap();
    // As a Python dict: the first place, the last value.
    assert_eq!(config.rank_pattern, [("v".to_owned(), 1), ("k".to_owned(), 2)]);
}

#[test]
fn what_is_off_may_have_any_name() {
    for off in [Value::Null, json!(false), json!([]), json!({})] {
        assert!(with("a_field_of_tomorrow", off).is_ok());
    }
    for start in [json!(true), json!(false), json!("gaussian"), json!("eva")] {
        assert!(with("init_lora_weights", start).is_ok());
    }
}

#[test]
fn a_long_value_is_shortened_in_the_message() {
    let message = refusal("modules_to_save", json!(["模型".repeat(1000)]));
    assert!(message.len() < 300, "{message}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|flag| json!(flag)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

#[test]
fn a_number_of_many_digits_comes_back_as_it_was() {
    let config = with("lora_alpha", serde_json::json!(5.016199004793286e-258)).unwrap();
    assert_eq!(LoraConfig::from_json(config.to_json().as_bytes()).unwrap(), config);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = LoraConfig::from_json(&bytes);
    }

    #[test]
    fn no_value_of_any_field_makes_the_parser_panic(
        field in prop::sample::select(vec![
            "r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "bias", "peft_type", "task_type",
            "init_lora_weights", "inference_mode", "base_model_name_or_path", "exclude_modules", "layers_pattern",
            "layers_to_transform", "rank_pattern", "alpha_pattern", "use_dora", "modules_to_save", "x",
        ]),
        value in any_json(),
    ) {
        if let Ok(config) = with(field, value) {
            prop_assert!(config.validate().is_ok());
            prop_assert_eq!(LoraConfig::from_json(config.to_json().as_bytes()).unwrap(), config);
        }
    }
}
