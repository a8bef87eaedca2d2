//! Base and adapter scored in one call.
use futures::StreamExt;
use rootstock_client::ErrorReason;
use rootstock_client::proto::inference::v1::{
    CreateEvaluationRequest, Evaluation, EvaluationSpec, EvaluationState,
};
use rootstock_test_support::{Server, fixtures, jobs, rootstock};

use crate::{ROOTSTOCK, refusal};

fn request(targets: &[&str]) -> CreateEvaluationRequest {
    CreateEvaluationRequest {
        spec: Some(EvaluationSpec {
            dataset: "datasets/rows".into(),
            model: "baseModels/tiny".into(),
            targets: targets.iter().map(|target| (*target).to_owned()).collect(),
            prompt_template: "qa_en".into(),
            max_tokens: 8,
            ..EvaluationSpec::default()
        }),
        ..CreateEvaluationRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn base_and_adapter_are_compared_in_one_evaluation() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let digest = jobs::train(&clients, jobs::lora_spec("colours", 60, 0)).await;
    clients.adapters().publish_adapter("adapters/colours", &digest, None).await.unwrap();

    let evaluations = clients.evaluation();
    let created = evaluations.create_evaluation(request(&["", "adapters/colours"])).await.unwrap();
    let seen: Vec<Evaluation> =
        evaluations.watch_evaluation(&created.name).map(|seen| seen.unwrap()).collect().await;
    let ended = seen.last().unwrap();
    assert_eq!(ended.state(), EvaluationState::Succeeded, "{}", ended.error);
    assert_eq!((ended.total_rows, ended.completed_rows), (40, 40));
    let [base, adapter] = &ended.results[..] else { panic!("two targets, two results") };
    assert_eq!((base.adapter_digest.as_str(), adapter.adapter_digest.as_str()), ("", digest.as_str()));
    assert!(adapter.perplexity < base.perplexity, "{} {}", adapter.perplexity, base.perplexity);
    for result in [base, adapter] {
        let share = result.keyword_accuracy.unwrap();
        let hits = result.items.iter().filter(|item| item.keywords_missing.is_empty()).count();
        assert_eq!((share.total, share.hits), (20, i32::try_from(hits).unwrap()));
        assert!(share.lower <= share.value && share.value <= share.upper);
        assert_eq!(result.items.len(), 20);
        assert!(result.items[3].instruction.contains("colour 3"));
    }
    let [compared] = &ended.comparisons[..] else { panic!("{:?}", ended.comparisons) };
    assert_eq!((compared.target, compared.baseline), (1, 0));
    let loss = compared.negative_log_likelihood.unwrap();
    assert!(loss.upper < 0.0 && loss.p_value < 0.05, "training lowers the loss of every row: {loss:?}");
    let evidence = clients.checkpoint().get_artifact(&ended.evidence_digest).await.unwrap();
    assert_eq!(evidence.blobs[0].path, "evaluation.json");
    assert!(evaluations.list_evaluations().await.unwrap().iter().any(|listed| listed.name == created.name));
    let missing = evaluations.create_evaluation(request(&["adapters/nobody"])).await;
    refusal(missing, ErrorReason::NotFound);

    let targets = ["--targets", "base,colours", "--prompt-template", "qa_en", "--max-tokens", "8"];
    let verb = ["evaluate", "--dataset", "rows", "--model", "tiny"];
    let told =
        rootstock(ROOTSTOCK, server.endpoint(), &[&verb[..], &targets, &["--json"]].concat()).await.json();
    assert_eq!(told["results"][1]["perplexity"].as_f64(), Some(adapter.perplexity), "the same again");
    let table = rootstock(ROOTSTOCK, server.endpoint(), &[&verb[..], &targets].concat()).await.ok();
    assert!(table.contains("adapters/colours") && table.contains("base"), "{table}");
    assert!(table.contains("AGAINST"), "{table}");
    assert_eq!(told["comparisons"][0]["baseline"], "base");

    let gate = ["--gate", "perplexity", "--baseline", "base", "--max-p-value", "0.05", "--publish", "better"];
    let passed = [&verb[..], &targets, &gate, &["--json"]].concat();
    let passed = rootstock(ROOTSTOCK, server.endpoint(), &passed).await.json();
    assert_eq!(
        (&passed["gate"]["passed"], &passed["gate"]["published_generation"]),
        (&true.into(), &1.into())
    );
    let published = clients.adapters().list_adapters().await.unwrap();
    assert!(published.iter().any(|adapter| adapter.name == "adapters/better" && adapter.digest == digest));
    let gate = ["--gate", "perplexity", "--threshold", "1", "--publish", "better"];
    let failed = [&verb[..], &targets, &gate].concat();
    let failed = rootstock(ROOTSTOCK, server.endpoint(), &failed).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stdout.contains("PERPLEXITY"), "the scores are told all the same");
    assert!(failed.stderr.contains("did not pass the gate: perplexity of adapters/colours"), "{failed:?}");
    let generations = clients.checkpoint().get_alias("adapters/better").await.unwrap().generation;
    assert_eq!(generations, 1, "a failed gate publishes nothing");
}
