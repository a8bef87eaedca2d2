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
        json!({"rope_type": "yarn", "factor": 2.0}),
        "rope_scaling.rope_type is \"yarn\"",
    );
    refused("rope_scaling", json!({"rope_type": "linear"}), "rope_scaling.factor is missing");
    refused("rope_scaling", json!(2), "rope_scaling must be a JSON object");
}

#[test]
fn another_architecture_is_refused_naming_it_and_what_is_supported() {
    refused("architectures", json!(["MambaForCausalLM"]), "architectures is [\"MambaForCausalLM\"]");
    refused("architectures", json!(["MambaForCausalLM"]), "LlamaForCausalLM");
    refused("model_type", json!("qwen2"), "model_type is \"qwen2\"");
    let mut unnamed = llama();
    unnamed["architectures"] = Value::Null;
    unnamed["model_type"] = Value::Null;
    assert!(parse(&unnamed).unwrap_err().to_string().contains("model_type is missing"));
}

#[test]
fn what_would_change_the_computation_is_refused_by_name() {
    refused("attention_bias", json!(true), "attention_bias is true");
    refused("mlp_bias", json!(true), "mlp_bias is true");
    refused("quantization_config", json!({"bits": 4}), "quantization_config");
    refused("hidden_act", json!("gelu"), "hidden_act is \"gelu\"");
    refused("partial_rotary_factor", json!(0.5), "partial_rotary_factor");
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
