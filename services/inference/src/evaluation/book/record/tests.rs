//! What earlier versions have stored is still read.

use super::{super::Book, *};

/// As the first version wrote them: without token F1.
const RESULTS: &str = r#"[{"target":"","adapter_digest":null,"rows":1,
    "keyword_accuracy":{"value":1.0,"lower":0.2065,"upper":1.0,"hits":1,"total":1},
    "exact_match":{"value":0.0,"lower":0.0,"upper":0.7935,"hits":0,"total":1},"perplexity":2.5}]"#;
const ITEMS: &str = r#"[[{"row":0,"instruction":"q","expected":"a","answer":"b","keywords_found":["b"],
    "keywords_missing":[],"exact_match":false,"negative_log_likelihood":1.5,"expected_tokens":2}]]"#;

#[tokio::test]
async fn an_evaluation_stored_by_the_first_version_reads_without_what_it_did_not_compute() {
    let directory = tempfile::tempdir().unwrap();
    let book = Book::open(&directory.path().join("book.db"), 3).await.unwrap();
    let digest = rootstock_artifacts::Digest::of(b"any").to_string();
    let spec = proto::EvaluationSpec {
        dataset: digest.clone(),
        model: digest.clone(),
        targets: vec![String::new()],
        prompt_template: "qa_en".into(),
        ..proto::EvaluationSpec::default()
    };
    let insert = "INSERT INTO evaluations (id, spec, pinned, total_rows, completed_rows, state, results, items, \
                  evidence_digest, create_micros, end_micros) VALUES ('old', ?, ?, 1, 1, 3, ?, ?, ?, 1, 2)";
    sqlx::query(insert)
        .bind(spec.encode_to_vec())
        .bind(format!(r#"{{"dataset":"{digest}","model":"{digest}","adapters":[null]}}"#))
        .bind(RESULTS)
        .bind(ITEMS)
        .bind(&digest)
        .execute(&book.pool)
        .await
        .unwrap();
    let old = book.get(&"old".parse().unwrap()).await.unwrap();
    assert_eq!(old.state, State::Succeeded);
    let [result] = &old.results[..] else { panic!("{:?}", old.results) };
    assert_eq!((result.keyword_accuracy.hits, result.perplexity, result.token_f1), (1, 2.5, None));
    assert_eq!((result.items[0].answer.as_str(), result.items[0].token_f1), ("b", None));
    assert_eq!((old.comparisons.len(), old.gate.clone(), old.pinned.publish_generation), (0, None, None));
    assert_eq!(book.list(None, 1).await.unwrap()[0].name(), "evaluations/old");
}
