//! Training of all weights: parts of a model, and tokens that are added to it.

use super::*;

#[test]
fn parts_of_a_model_to_train_are_for_one_that_is_there() {
    let full = |trainable: &str| {
        let trainable_modules = vec![trainable.to_owned()];
        let full = proto::FullMethod { trainable_modules, unfreeze_every_steps: 5, ..Default::default() };
        Some(training_spec::Method::Full(full))
    };
    let mut spec = causal();
    spec.method = full("lm_head");
    assert_eq!(refused(&spec).0, "spec.new_model");
    spec.start = Some(ProtoStart::BaseModel("baseModels/tiny".into()));
    let Method::Full(checked) = Spec::try_from(&spec).unwrap().method else { panic!("not full") };
    assert_eq!((checked.trainable_modules, checked.unfreeze_every_steps), (vec!["lm_head".into()], Some(5)));
    spec.method = full("re:(");
    assert_eq!(refused(&spec).0, "spec.full.trainable_modules[0]");
}

#[test]
fn tokens_are_added_where_all_weights_are_trained_and_within_bounds() {
    let full = |tokens: &[&str]| {
        let mut spec = causal();
        spec.start = Some(ProtoStart::BaseModel("baseModels/tiny".into()));
        spec.added_tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        spec
    };
    assert_eq!(Spec::try_from(&full(&["<a>", "<b>"])).unwrap().added_tokens, ["<a>", "<b>"]);
    let lora = proto::TrainingSpec { added_tokens: vec!["<a>".into()], ..supervised() };
    let new = proto::TrainingSpec { added_tokens: vec!["<a>".into()], ..causal() };
    let many: Vec<String> = (0..1025).map(|i| format!("<{i}>")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (spec, field) in [
        (lora, "spec.added_tokens"),
        (new, "spec.added_tokens"),
        (full(&many), "spec.added_tokens"),
        (full(&["<a>", ""]), "spec.added_tokens[1]"),
        (full(&[&"x".repeat(129)]), "spec.added_tokens[0]"),
        (full(&["<a>", "<a>"]), "spec.added_tokens[1]"),
    ] {
        assert_eq!(refused(&spec).0, field);
    }
}
