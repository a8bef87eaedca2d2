//! Which modules each form of `target_modules` chooses; the choices were compared with PEFT 0.21.

use rootstock_model::Projection::{Down, Gate, K, Q, Up, V};

use super::*;

const BASE: &[u8] = include_bytes!("../../../../../tests/golden/tied/config.json");

fn base() -> Config {
    Config::from_json(BASE).unwrap()
}

fn select(value: Value) -> Result<Vec<(usize, Projection)>, PeftError> {
    TargetModules::from_json(&value)?.select(&base())
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
    assert!(refusal(json!("model|q_proj")).contains("matches no linear module"));
}

#[test]
fn a_name_that_chooses_nothing_is_refused_rather_than_skipped() {
    for name in ["c_attn", "proj", "lm_head", "embed_tokens", "", "5.self_attn.q_proj", "_proj"] {
        assert!(refusal(json!(["q_proj", name])).contains(&format!("{name:?}")), "{name}");
    }
}

#[test]
fn a_pattern_that_reaches_the_head_is_refused() {
    assert!(refusal(json!(".*")).contains("lm_head"));
}

#[test]
fn a_pattern_that_can_not_be_compiled_is_refused() {
    for pattern in ["a)|(b", "(?!x)q_proj", "(", &"a".repeat(MAX_PATTERN_BYTES + 1), r"(\w{1000}){1000}"] {
        refusal(json!(pattern));
    }
}
