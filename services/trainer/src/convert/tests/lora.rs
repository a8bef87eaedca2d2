//! LoRA: what its configuration becomes, and what is none.

use rootstock_peft::SavedModule;

use super::*;

#[test]
fn the_names_of_lora_config_become_the_configuration_of_the_adapter() {
    let mut spec = supervised();
    let lora = |change: fn(&mut proto::LoraMethod)| {
        let mut lora = proto::LoraMethod {
            use_dora: true,
            target_modules: vec!["lm_head".into(), "q_proj".into()],
            rank_pattern: [("q_proj".to_owned(), 2)].into(),
            alpha_pattern: [("lm_head".to_owned(), 5.0)].into(),
            exclude_modules: vec!["layers.0.self_attn.q_proj".into()],
            modules_to_save: vec!["embed_tokens".into(), "embed_tokens".into()],
            init_lora_weights: "gaussian".into(),
            bias: "lora_only".into(),
            ..proto::LoraMethod::default()
        };
        change(&mut lora);
        Some(training_spec::Method::Lora(lora))
    };
    spec.method = lora(|_| ());
    let Method::Lora(checked) = Spec::try_from(&spec).unwrap().method else { panic!("not lora") };
    let config = lora_config(&checked, "sha256:base");
    assert_eq!(config.target_modules, vec!["q_proj".to_owned(), "lm_head".to_owned()].into());
    assert_eq!(
        (config.rank_pattern, config.alpha_pattern),
        (vec![("q_proj".into(), 2)], vec![("lm_head".into(), 5.0)])
    );
    assert_eq!(config.exclude_modules, Some(vec!["layers.0.self_attn.q_proj".to_owned()].into()));
    assert_eq!((config.layers_to_transform, config.modules_to_save), (None, vec![SavedModule::Embedding]));
    assert!(config.use_dora && config.init_lora_weights == InitLoraWeights::Gaussian);
    assert_eq!(config.bias, Biases::LoraOnly);
    for (change, field) in [
        (
            (|lora| lora.modules_to_save = vec!["q_proj".into()]) as fn(&mut proto::LoraMethod),
            "modules_to_save[0]",
        ),
        (|lora| lora.layers_to_transform = vec![-1], "layers_to_transform"),
        (|lora| lora.rank_pattern = [("k".to_owned(), 0)].into(), "rank_pattern[\"k\"]"),
        (|lora| lora.init_lora_weights = "pissa".into(), "init_lora_weights"),
        (|lora| lora.bias = "some".into(), "bias"),
    ] {
        spec.method = lora(change);
        assert_eq!(refused(&spec).0, format!("spec.lora.{field}"));
    }
}

#[test]
fn a_list_of_modules_without_end_is_refused() {
    let mut spec = supervised();
    let target_modules = vec!["q_proj".to_owned(); 65];
    spec.method =
        Some(training_spec::Method::Lora(proto::LoraMethod { target_modules, ..Default::default() }));
    assert_eq!(refused(&spec).0, "spec.lora.target_modules");
}
