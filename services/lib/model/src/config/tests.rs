use serde_json::{Value, json};

use super::*;

fn llama() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 100, "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 100000.0,
        "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2
    })
}

fn parse(config: &Value) -> Result<Config, ConfigError> {
    Config::from_json(config.to_string().as_bytes())
}

fn with(field: &str, value: Value) -> Result<Config, ConfigError> {
    let mut config = llama();
    config[field] = value;
    parse(&config)
}

/// A model of another family, with more fields.
fn family(model_type: &str, more: Value) -> Result<Config, ConfigError> {
    let mut config = llama();
    config["architectures"] = Value::Null;
    config["model_type"] = json!(model_type);
    for (field, value) in more.as_object().unwrap() {
        config[field] = value.clone();
    }
    parse(&config)
}

#[track_caller]
fn refused(field: &str, value: Value, message: &str) {
    let error = with(field, value).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn a_llama_configuration_is_read_with_transformers_defaults() {
    let config = parse(&llama()).unwrap();
    assert_eq!((config.head_dim, config.num_key_value_heads, config.rope_theta), (8, 2, 1e5));
    assert_eq!((config.bos_token_id, config.eos_token_ids.as_slice()), (Some(1), &[2][..]));
    let mut bare = llama();
    for field in ["num_key_value_heads", "rope_theta", "eos_token_id", "tie_word_embeddings", "rms_norm_eps"]
    {
        bare.as_object_mut().unwrap().remove(field);
    }
    let config = parse(&bare).unwrap();
    assert_eq!((config.num_key_value_heads, config.rope_theta, config.rms_norm_eps), (4, 1e4, 1e-6));
    assert!(!config.tie_word_embeddings && config.eos_token_ids.is_empty());
}

#[test]
fn what_is_written_is_read_back_equal() {
    let mut scaled = parse(&llama()).unwrap();
    scaled.eos_token_ids = vec![2, 5];
    scaled.rope_scaling = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 256,
    };
    scaled.torch_dtype = Some("bfloat16".to_owned());
    for config in [scaled, with("rope_scaling", json!({"type": "linear", "factor": 2.0})).unwrap()] {
        let mut again = Config::from_json(config.to_json().as_bytes()).unwrap();
        again.torch_dtype = config.torch_dtype.clone();
        assert_eq!(again, config);
    }
}

#[test]
fn rotary_fields_are_found_where_each_release_of_transformers_puts_them() {
    let config = with("rope_parameters", json!({"rope_type": "default", "rope_theta": 5e5})).unwrap();
    assert_eq!((config.rope_theta, config.rope_scaling), (5e5, RopeScaling::None));
    let config = with("rope_scaling", json!({"rope_type": "linear", "factor": 4.0})).unwrap();
    assert_eq!((config.rope_theta, config.rope_scaling), (1e5, RopeScaling::Linear { factor: 4.0 }));
    let llama3 = json!({"rope_type": "llama3", "rope_theta": 5e5, "factor": 32.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
    let expected = RopeScaling::Llama3 {
        factor: 32.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    assert_eq!(with("rope_parameters", llama3).unwrap().rope_scaling, expected);
    refused(
        "rope_scaling",
        json!({"rope_type": "longrope", "factor": 2.0}),
        "rope_scaling.rope_type is \"longrope\"",
    );
    refused("rope_scaling", json!({"rope_type": "linear"}), "rope_scaling.factor is missing");
    refused("rope_scaling", json!(2), "rope_scaling must be a JSON object");
}

#[test]
fn another_architecture_is_refused_naming_it_and_what_is_supported() {
    refused("architectures", json!(["MambaForCausalLM"]), "architectures is [\"MambaForCausalLM\"]");
    refused("architectures", json!(["MambaForCausalLM"]), "LlamaForCausalLM");
    refused("model_type", json!("mamba"), "model_type is \"mamba\"");
    refused("model_type", json!("mamba"), "[\"llama\", \"mistral\", \"qwen2\", \"qwen3\", \"smollm3\"]");
    refused("model_type", json!("qwen2"), "architectures is LlamaForCausalLM, but model_type is \"qwen2\"");
    let mut unnamed = llama();
    unnamed["architectures"] = Value::Null;
    unnamed["model_type"] = Value::Null;
    assert!(parse(&unnamed).unwrap_err().to_string().contains("model_type is missing"));
}

#[test]
fn what_would_change_the_computation_is_refused_by_name() {
    refused("quantization_config", json!({"bits": 4}), "quantization_config");
    refused("attention_dropout", json!(0.1), "attention_dropout is 0.1");
    refused("rope_interleaved", json!(true), "rope_interleaved is true");
    refused("sliding_window", json!(8), "sliding_window is 8");
    for (model_type, field) in
        [("mistral", "attention_bias"), ("qwen2", "attention_bias"), ("qwen3", "mlp_bias")]
    {
        let error = family(model_type, json!({field: true})).unwrap_err().to_string();
        assert!(error.contains(&format!("{field} is true, which is not supported")), "{error}");
    }
    refused("hidden_act", json!("gelu"), "hidden_act is \"gelu\"");
    refused("partial_rotary_factor", json!(0.5), "partial_rotary_factor");
    let partial = json!({"rope_type": "default", "partial_rotary_factor": 0.5});
    refused("rope_parameters", partial, "rope_parameters.partial_rotary_factor is not 1");
    let unknown = json!({"rope_type": "yarn", "factor": 2.0, "llama_4_scaling_beta": 0.1});
    refused("rope_parameters", unknown, "rope_parameters.llama_4_scaling_beta is not known");
    assert!(with("attention_bias", json!(false)).is_ok());
}

#[test]
fn sizes_that_are_absent_wrong_or_do_not_fit_are_named() {
    refused("hidden_size", Value::Null, "hidden_size is missing");
    refused("hidden_size", json!(-3), "hidden_size is -3");
    refused("vocab_size", json!("many"), "vocab_size is \"many\"");
    refused("num_hidden_layers", json!(0), "num_hidden_layers");
    refused("num_key_value_heads", json!(3), "must divide num_attention_heads");
    refused("head_dim", json!(7), "head_dim must be even");
    refused("rms_norm_eps", json!(0), "rms_norm_eps");
    refused("eos_token_id", json!([1, "x"]), "eos_token_id holds \"x\"");
    assert!(Config::from_json(b"[]").unwrap_err().to_string().contains("not a JSON object"));
    assert!(Config::from_json(b"{").unwrap_err().to_string().contains("not a JSON object"));
}

#[test]
fn numbers_beyond_any_model_are_refused_before_anything_is_made_of_them() {
    refused("num_hidden_layers", json!(1_000_000_000_000_u64), "num_hidden_layers is 1000000000000");
    for field in ["vocab_size", "hidden_size", "intermediate_size", "head_dim", "max_position_embeddings"] {
        refused(field, json!(u64::MAX), &format!("{field} is 18446744073709551615"));
    }
    let mut wide = llama();
    (wide["num_attention_heads"], wide["head_dim"]) = (json!(1 << 20), json!(1 << 20));
    assert!(parse(&wide).unwrap_err().to_string().contains("num_attention_heads times head_dim"));
    refused("eos_token_id", json!([2, 100]), "eos_token_id is 100");
    refused("bos_token_id", json!(100), "bos_token_id is 100");
    refused("rope_theta", json!(1e-3), "rope_theta is 1e-3");
    refused("rope_theta", json!(1e300), "rope_theta is 1e300");
    refused("rope_scaling", json!({"type": "linear", "factor": 0.5}), "rope_scaling.factor is 5e-1");
    let upside_down = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0,
        "high_freq_factor": 1.0, "original_max_position_embeddings": 256});
    refused("rope_scaling", upside_down, "rope_scaling.low_freq_factor");
    // The largest that is taken still has a number of parameters.
    let mut largest = llama();
    for field in ["vocab_size", "hidden_size", "intermediate_size", "head_dim"] {
        largest[field] = json!(MAX_WIDTH);
    }
    (largest["num_attention_heads"], largest["num_key_value_heads"]) = (json!(1), json!(1));
    largest["num_hidden_layers"] = json!(MAX_LAYERS);
    assert!(parse(&largest).unwrap().parameters() > 1 << 58);
}

#[test]
fn tensors_are_listed_with_hugging_face_names_and_shapes() {
    let tensors = parse(&llama()).unwrap().tensors();
    assert_eq!(tensors.len(), 2 + 2 * 9);
    assert_eq!(tensors[2].name, "model.layers.0.self_attn.q_proj.weight");
    assert_eq!((tensors[3].shape.as_slice(), tensors[9].shape.as_slice()), (&[16, 32][..], &[32, 64][..]));
    let untied = with("tie_word_embeddings", json!(false)).unwrap();
    assert_eq!(untied.tensors().last().unwrap().name, HEAD);
    assert_eq!(untied.parameters(), parse(&llama()).unwrap().parameters() + 3200);
}

#[test]
fn each_family_has_the_defaults_of_transformers() {
    let qwen3 = family("qwen3", json!({})).unwrap();
    assert_eq!((qwen3.family, qwen3.head_dim, qwen3.layers), (Family::Qwen3, 128, Layers::default()));
    let mistral = family("mistral", json!({})).unwrap();
    assert_eq!(mistral.layers, Layers { sliding_window: Some(4096), ..Layers::default() });
    assert_eq!(family("mistral", json!({"sliding_window": null})).unwrap().layers, Layers::default());
    let smollm3 = family("smollm3", json!({"num_hidden_layers": 9, "rope_theta": null})).unwrap();
    assert_eq!((smollm3.layers.unrotated, smollm3.rope_theta), (vec![3, 7], 2e6));
    let bare = |model_type| {
        let mut config = llama();
        (config["architectures"], config["model_type"]) = (Value::Null, json!(model_type));
        (config["num_attention_heads"], config["hidden_size"]) = (json!(64), json!(128));
        config.as_object_mut().unwrap().remove("num_key_value_heads");
        parse(&config).unwrap().num_key_value_heads
    };
    assert_eq!(["llama", "mistral", "qwen2"].map(bare), [64, 8, 32]);
}

#[test]
fn windows_lie_on_the_layers_that_each_release_of_transformers_names() {
    let asked = |more: Value| {
        let mut fields = json!({"num_hidden_layers": 4, "use_sliding_window": true, "sliding_window": 8});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        family("qwen2", fields).unwrap().layers
    };
    let windowed = |full| Layers { sliding_window: Some(8), full, unrotated: vec![] };
    assert_eq!(asked(json!({"max_window_layers": 3})), windowed(vec![0, 1, 2]));
    assert_eq!(asked(json!({"max_window_layers": 0})), windowed(vec![]));
    assert_eq!(asked(json!({})), Layers::default());
    assert_eq!(asked(json!({"use_sliding_window": false})), Layers::default());
    let (full, sliding) = ("full_attention", "sliding_attention");
    let types = json!({"layer_types": [sliding, full, sliding, full], "max_window_layers": 3});
    assert_eq!(asked(types), windowed(vec![1, 3]));
    for (types, message) in [
        (json!(["chunked_attention", full]), "layer_types must name"),
        (json!([full]), "for each of 2 layers"),
        (json!([full, sliding]), "there is no sliding_window"),
    ] {
        let error = family("qwen3", json!({"layer_types": types})).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let error = family("mistral", json!({"sliding_window": 0})).unwrap_err().to_string();
    assert!(error.contains("sliding_window is 0"), "{error}");
    let error = family("smollm3", json!({"no_rope_layers": [1]})).unwrap_err().to_string();
    assert!(error.contains("no_rope_layers must hold"), "{error}");
}

#[test]
fn yarn_has_the_temperature_of_its_paper_unless_told_otherwise() {
    let of = |more: Value| {
        let mut yarn = json!({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256});
        yarn.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match with("rope_scaling", yarn).unwrap().rope_scaling {
            RopeScaling::Yarn { attention_factor, beta_fast, beta_slow, truncate, .. } => {
                assert_eq!((beta_fast, beta_slow, truncate), (32.0, 1.0, true));
                attention_factor
            }
            other => panic!("{other:?}"),
        }
    };
    let magnitude = |scale: f64| 0.1 * scale * 4_f64.ln() + 1.0;
    assert_eq!(of(json!({})), magnitude(1.0));
    assert_eq!(of(json!({"attention_factor": 1.5})), 1.5);
    assert_eq!(of(json!({"mscale": 2.0, "mscale_all_dim": 3.0})), magnitude(2.0) / magnitude(3.0));
    refused(
        "rope_scaling",
        json!({"type": "yarn", "factor": 2.0, "beta_slow": 40.0}),
        "rope_scaling.beta_slow",
    );
}

#[test]
fn every_family_is_written_so_that_it_is_read_back_equal() {
    for config in crate::testing::families() {
        let mut again = Config::from_json(config.to_json().as_bytes()).unwrap();
        again.torch_dtype = config.torch_dtype.clone();
        assert_eq!(again, config);
    }
}
