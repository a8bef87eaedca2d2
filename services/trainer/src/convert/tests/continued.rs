//! What a job goes on with: an adapter, and the optimizer of the job before.

use super::*;

#[test]
fn an_adapter_that_is_gone_on_with_keeps_its_configuration() {
    let mut spec = supervised();
    spec.start = Some(ProtoStart::BaseAdapter("adapters/greeter".into()));
    let mut with = |method: training_spec::Method| {
        spec.method = Some(method);
        Spec::try_from(&spec)
    };
    let lora = |lora_dropout, r| proto::LoraMethod { lora_dropout, r, ..Default::default() };
    let started = with(training_spec::Method::Lora(lora(0.1, 0))).unwrap();
    assert!(matches!(started.start, Start::Adapter(_)));
    for (method, refused) in [
        (training_spec::Method::Lora(lora(0.1, 8)), "spec.lora"),
        (training_spec::Method::Full(proto::FullMethod::default()), "spec.base_adapter"),
    ] {
        assert!(matches!(with(method), Err(Error::Invalid { field, .. }) if field == refused));
    }
}

#[test]
fn an_optimizer_is_gone_on_with_by_what_the_job_before_has_trained() {
    let keeping = |spec: proto::TrainingSpec| proto::TrainingSpec { keep_optimizer_state: true, ..spec };
    let full = proto::TrainingSpec { output: "baseModels/b".into(), method: causal().method, ..supervised() };
    assert!(Spec::try_from(&keeping(full)).unwrap().keep_optimizer_state);
    let start = Some(ProtoStart::BaseAdapter("adapters/a".into()));
    assert!(Spec::try_from(&keeping(proto::TrainingSpec { start, ..supervised() })).is_ok());
    for other in [supervised(), causal()] {
        let (field, message) = refused(&keeping(other));
        assert_eq!(field, "spec.keep_optimizer_state");
        assert!(message.contains("base_adapter and lora"), "{message}");
    }
}
