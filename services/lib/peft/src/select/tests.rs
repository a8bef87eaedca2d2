//! Which modules each form of `target_modules` chooses, and at which rank; the choices were compared with PEFT 0.21.

use rootstock_model::Projection::{Down, Gate, K, O, Q, Up, V};

use serde_json::{Value, json};

use super::*;
use crate::{MAX_PATTERN_BYTES, TargetModules};

const BASE: &[u8] = include_bytes!("../../../../../tests/golden/tied/config.json");

fn base() -> Config {
    Config::from_json(BASE).unwrap()
}

/// Settings from some fields of PEFT's file.
fn config(fields: Value) -> LoraConfig {
    let mut object = json!({ "peft_type": "LORA", "r": 8, "lora_alpha": 16 });
    let fields = fields.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(fields);
    LoraConfig::from_json(object.to_string().as_bytes()).unwrap()
}

fn modules(fields: Value) -> Result<Vec<Module>, PeftError> {
    let targets = config(fields).targets(&base())?;
    Ok(targets.into_iter().map(|target| target.module).collect())
}

fn select(value: Value) -> Result<Vec<(usize, Projection)>, PeftError> {
    let target_modules = TargetModules::from_json("target_modules", &value)?;
    let config = LoraConfig { target_modules, ..LoraConfig::default() };
    let of_layer = |target: Target| match target.module {
        Module::Layer(layer, projection) => Some((layer, projection)),
        _ => None,
    };
    Ok(config.targets(&base())?.into_iter().filter_map(of_layer).collect())
}

/// The rank and scale of each module.
fn ranks(fields: Value) -> Vec<(usize, f64)> {
    let targets = config(fields).targets(&base()).unwrap();
    targets.into_iter().map(|target| (target.rank, target.scale)).collect()
}

fn refusal(value: Value) -> String {
    let message = select(value).unwrap_err().to_string();
    assert!(message.contains("target_modules"), "{message}");
    message
}

#[test]
fn a_name_chooses_the_modules_whose_path_ends_in_it() {
    assert_eq!(select(json!(["v_proj", "q_proj"])).unwrap(), [(0, Q), (0, V), (1, Q), (1, V)]);
    assert_eq!(select(json!(["1.self_attn.k_proj", "mlp.up_proj"])).unwrap(), [(0, Up), (1, K), (1, Up)]);
    assert_eq!(select(json!(["model.layers.0.mlp.gate_proj"])).unwrap(), [(0, Gate)]);
}

#[test]
fn all_linear_chooses_the_seven_projections_of_every_layer() {
    assert_eq!(select(json!("all-linear")).unwrap().len(), 14);
    assert_eq!(select(json!("ALL-LINEAR")).unwrap().len(), 14);
}

#[test]
fn a_pattern_must_match_the_whole_path() {
    assert_eq!(select(json!(r"model\.layers\.1\..*\.(q|v)_proj")).unwrap(), [(1, Q), (1, V)]);
    assert_eq!(select(json!(r".*down_proj")).unwrap(), [(0, Down), (1, Down)]);
    assert!(refusal(json!("q_proj")).contains("matches no linear module"));
    // Alternatives belong inside the match, not beside it.
    assert!(refusal(json!("layers|q_proj")).contains("matches no linear module"));
}

#[test]
fn a_name_that_chooses_nothing_is_refused_rather_than_skipped() {
    for name in ["c_attn", "proj", "head", "norm", "mlp", "", "5.self_attn.q_proj", "_proj"] {
        assert!(refusal(json!(["q_proj", name])).contains(&format!("{name:?}")), "{name}");
    }
}

#[test]
fn a_pattern_that_reaches_what_is_not_linear_is_refused_unless_that_is_excluded() {
    assert!(refusal(json!(".*")).contains("also matches model,"));
    assert!(refusal(json!(r".*mlp.*")).contains("also matches model.layers.0.mlp,"));
    let fields =
        json!({ "target_modules": ".*(mlp|mlp\\..*)", "exclude_modules": ["mlp", "act_fn", "up_proj"] });
    assert_eq!(modules(fields).unwrap().len(), 4);
}

#[test]
fn both_ends_are_chosen_by_their_names_and_not_as_linear_layers() {
    let fields = json!({ "target_modules": ["embed_tokens", "lm_head", "0.mlp.up_proj"] });
    assert_eq!(modules(fields).unwrap(), [Module::Layer(0, Up), Module::Embedding, Module::Head]);
    let fields = json!({ "target_modules": "(model.embed_tokens|.*1.*up_proj)" });
    assert_eq!(modules(fields).unwrap(), [Module::Layer(1, Up), Module::Embedding]);
    assert!(
        modules(json!({ "target_modules": "all-linear" }))
            .unwrap()
            .iter()
            .all(|m| matches!(m, Module::Layer(..)))
    );
}

#[test]
fn what_is_excluded_or_replaced_carries_no_pair() {
    for excluded in
        [json!(["k_proj", "v_proj", "model.layers.1.self_attn.o_proj"]), json!(".*[kv]_proj|.*1.*o_proj")]
    {
        let fields = json!({ "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"], "exclude_modules": excluded });
        let of = Module::Layer;
        assert_eq!(modules(fields).unwrap(), [of(0, Q), of(0, O), of(1, Q)]);
    }
    // Unlike as a target, the word is a pattern that matches nothing.
    let fields = json!({ "target_modules": ["q_proj"], "exclude_modules": "all-linear" });
    assert_eq!(modules(fields).unwrap().len(), 2);
    let fields = json!({ "target_modules": ["q_proj", "lm_head"], "modules_to_save": ["lm_head"] });
    assert_eq!(modules(fields).unwrap(), [Module::Layer(0, Q), Module::Layer(1, Q)]);
    let nothing = json!({ "target_modules": ["q_proj"], "exclude_modules": ["q_proj"] });
    assert!(modules(nothing).unwrap_err().to_string().contains("not excluded"));
}

#[test]
fn layers_narrow_names_but_not_whole_paths() {
    let of = Module::Layer;
    for pattern in [Value::Null, json!("layers"), json!(["h", "layers"]), json!([]), json!("(la|x)yers")] {
        let fields = json!({
            "target_modules": ["q_proj", "lm_head", "model.layers.0.mlp.up_proj"],
            "layers_to_transform": [1], "layers_pattern": pattern,
        });
        assert_eq!(modules(fields).unwrap(), [of(0, Up), of(1, Q), Module::Head]);
    }
    let narrowed = |fields: Value| modules(fields).unwrap();
    let one = json!({ "target_modules": ["q_proj", "self_attn.v_proj"], "layers_to_transform": 0 });
    assert_eq!(narrowed(one), [of(0, Q), of(0, V)]);
    let none = json!({ "target_modules": ["q_proj"], "layers_to_transform": [] });
    assert_eq!(narrowed(none).len(), 2);
    let elsewhere =
        json!({ "target_modules": ["q_proj"], "layers_to_transform": [0], "layers_pattern": "h" });
    assert!(modules(elsewhere).is_err());
    let beyond = json!({ "target_modules": ["q_proj"], "layers_to_transform": [2] });
    assert!(modules(beyond).unwrap_err().to_string().contains("names layer 2, but the base model has 2"));
}

#[test]
fn the_first_pattern_that_matches_the_end_of_a_path_gives_rank_and_alpha() {
    let of = |patterns: Value| {
        let mut fields = json!({ "target_modules": ["q_proj", "v_proj"] });
        fields.as_object_mut().unwrap().extend(patterns.as_object().unwrap().clone());
        ranks(fields)
    };
    assert_eq!(of(json!({})), [(8, 2.0); 4]);
    assert_eq!(of(json!({ "rank_pattern": { "v_proj": 4 } })), [(8, 2.0), (4, 4.0), (8, 2.0), (4, 4.0)]);
    let both = json!({ "rank_pattern": { "1.self_attn.[qv]_proj": 2 }, "alpha_pattern": { "q_proj": 4 } });
    assert_eq!(of(both), [(8, 0.5), (8, 2.0), (2, 2.0), (2, 8.0)]);
    // The end must begin at a dot, and a part of a name is none.
    assert_eq!(of(json!({ "rank_pattern": { "proj": 4, "_proj": 4, "attn.q_proj": 4 } })), [(8, 2.0); 4]);
    assert_eq!(of(json!({ "rank_pattern": { "model.layers.0.self_attn.v_proj": 1 } }))[1], (1, 16.0));
    let rs = json!({ "use_rslora": true, "rank_pattern": { "q_proj": 4 } });
    assert_eq!((of(rs.clone())[0], of(rs)[1].1), ((4, 8.0), 16.0 / 8_f64.sqrt()));
}

#[test]
fn of_several_patterns_the_order_of_the_file_decides() {
    let of = |rank_pattern: &[(&str, usize)]| {
        let rank_pattern = rank_pattern.iter().map(|(key, rank)| ((*key).to_owned(), *rank)).collect();
        let target_modules = TargetModules::from(&["q_proj"][..]);
        let config = LoraConfig { rank_pattern, target_modules, ..LoraConfig::default() };
        config.targets(&base()).unwrap().iter().map(|target| target.rank).collect::<Vec<_>>()
    };
    assert_eq!(of(&[("q_proj", 1), ("0.self_attn.q_proj", 2)]), [1, 1]);
    assert_eq!(of(&[("0.self_attn.q_proj", 2), ("q_proj", 1)]), [2, 1]);
}

#[test]
fn dora_on_an_embedding_is_refused() {
    let fields = json!({ "target_modules": ["q_proj", "embed_tokens"], "use_dora": true });
    assert!(modules(fields).unwrap_err().to_string().contains("use_dora"));
}

#[test]
fn a_pattern_that_can_not_be_compiled_is_refused() {
    for pattern in ["a)|(b", "(?!x)q_proj", "(", &"a".repeat(MAX_PATTERN_BYTES + 1), r"(\w{1000}){1000}"] {
        refusal(json!(pattern));
    }
}

#[test]
fn patterns_that_match_nothing_or_give_one_module_two_values_are_refused_where_they_are_written() {
    let ranks = |entries: &[(&str, usize)]| {
        let rank_pattern = entries.iter().map(|(key, rank)| ((*key).to_owned(), *rank)).collect();
        LoraConfig { rank_pattern, ..LoraConfig::default() }
    };
    let base = base();
    ranks(&[("q_proj", 3), ("[kv]_proj", 4), ("self_attn.q_proj", 3)])
        .refuse_unclear_patterns(&base)
        .unwrap();
    let refused =
        |entries: &[(&str, usize)]| ranks(entries).refuse_unclear_patterns(&base).unwrap_err().to_string();
    let two = refused(&[("q_proj", 3), ("0.self_attn.q_proj", 4)]);
    assert!(two.contains("model.layers.0.self_attn.q_proj"), "{two}");
    let idle = refused(&[("q_proj", 3), ("x_proj", 4)]);
    assert!(idle.contains("\"x_proj\", which matches no module that is adapted"), "{idle}");
}
