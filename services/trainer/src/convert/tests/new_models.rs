//! Models of random weights: which can be computed, and what each family has.

use rootstock_model::Config;

use super::*;

#[test]
fn a_new_model_must_be_one_that_can_be_computed() {
    assert_eq!(refused(&new_model(|m| m.hidden_size = 0)).0, "spec.new_model.hidden_size");
    assert_eq!(refused(&new_model(|m| m.hidden_size = 36)).0, "spec.new_model.hidden_size");
    assert_eq!(refused(&new_model(|m| m.num_key_value_heads = 3)).0, "spec.new_model.num_key_value_heads");
    assert_eq!(refused(&new_model(|m| m.num_hidden_layers = -1)).0, "spec.new_model.num_hidden_layers");
    assert_eq!(refused(&new_model(|m| m.rope_theta = f64::NAN)).0, "spec.new_model.rope_theta");
    assert_eq!(refused(&new_model(|m| m.max_position_embeddings = 1)).0, "spec.causal.block_size");
}

#[test]
fn a_new_model_is_of_the_family_that_it_names() {
    let config = |change: fn(&mut proto::NewModel)| {
        let Start::New(model) = Spec::try_from(&new_model(change)).unwrap().start else {
            panic!("no new model")
        };
        let config = model_config(&model, 256, None, None);
        assert_eq!(Config::from_json(config.to_json().as_bytes()).unwrap(), config);
        (config.family.architecture(), config.head_dim, config.layers.sliding_window)
    };
    assert_eq!(config(|_| ()), ("LlamaForCausalLM", 8, None));
    assert_eq!(config(|m| m.model_type = "llama".into()), ("LlamaForCausalLM", 8, None));
    assert_eq!(config(|m| m.model_type = "mistral".into()), ("MistralForCausalLM", 8, Some(4096)));
    let windowed = config(|m| (m.model_type, m.sliding_window) = ("mistral".into(), 16));
    assert_eq!(windowed, ("MistralForCausalLM", 8, Some(16)));
    assert_eq!(config(|m| m.model_type = "qwen2".into()), ("Qwen2ForCausalLM", 8, None));
    // Wider heads than 36 over 4.
    let wide = config(|m| (m.model_type, m.hidden_size, m.head_dim) = ("qwen3".into(), 36, 16));
    assert_eq!(wide, ("Qwen3ForCausalLM", 16, None));
}

#[test]
fn what_a_family_does_not_have_is_refused_with_what_to_do() {
    let mistral =
        |sliding_window| new_model(|m| (m.model_type, m.sliding_window) = ("mistral".into(), sliding_window));
    let cases = [
        ("model_type", "llama, mistral, qwen2, qwen3", new_model(|m| m.model_type = "smollm3".into())),
        ("sliding_window", "set model_type mistral instead of llama", new_model(|m| m.sliding_window = 8)),
        ("sliding_window", "from 0 to 1048576", mistral(-1)),
        ("head_dim", "is 9, but must be even", new_model(|m| m.head_dim = 9)),
        ("head_dim", "from 0 to 16384", new_model(|m| m.head_dim = 16386)),
        ("hidden_size", "unless head_dim is set", new_model(|m| m.hidden_size = 36)),
    ];
    for (field, problem, spec) in cases {
        let (found, message) = refused(&spec);
        assert_eq!(found, format!("spec.new_model.{field}"));
        assert!(message.contains(problem), "{message}");
    }
}
