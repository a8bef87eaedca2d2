//! The measurements as scripts run them: one JSON object with every figure, and the same tokens alone as together.
use std::path::Path;

use rootstock_test_support::cli::run;
use rootstock_test_support::fixtures::golden;
use serde_json::Value;

use crate::ROOTSTOCK;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a measurement that prints its JSON object and nothing else.
async fn measured(args: &[&str]) -> Value {
    let stdout = run(ROOTSTOCK, &[&["bench"], args, &["--json"]].concat(), &[]).await.ok();
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(&stdout).unwrap()
}

#[track_caller]
fn assert_positive(report: &Value, figures: &[&str]) {
    for figure in figures {
        assert!(report[figure].as_f64().is_some_and(|value| value > 0.0), "{figure} in {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_clients_with_two_adapters_get_the_tokens_that_each_gets_alone() {
    let (model, adapters) = (golden("tied"), golden("."));
    let args = ["serve", "--model", path(&model), "--adapters", path(&adapters), "--concurrency", "3"];
    let load = ["--prompt", "24", "--generate", "8", "--repeat", "3", "--weights", "stored"];
    let report = measured(&[&args[..], &load].concat()).await;
    assert_positive(&report, &["output_tokens_per_second", "ttft_ms_p50", "ttft_ms_p99"]);
    assert_positive(&report, &["itl_ms_p50", "itl_ms_p99", "gap_ms_p999"]);
    assert_positive(&report, &["decode_tokens_per_second", "prefill_tokens_per_second", "peak_rss_bytes"]);
    assert_eq!(report["mismatches"], 0);
    assert_eq!(report["weight_format"], "bf16");
    assert!(report["dispatch"].is_string(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_clients_are_asked_one_after_the_other() {
    let model = golden("untied");
    let args = ["serve", "--model", path(&model), "--concurrency", "3", "--requests", "7"];
    let report =
        measured(&[&args[..], &["--prompt", "5", "--generate", "3", "--weights", "f32"]].concat()).await;
    assert_eq!((&report["mismatches"], &report["weight_format"]), (&0.into(), &"f32".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_of_int8_is_served_with_adapters_and_tells_so() {
    let (model, adapters) = (golden("tied"), golden("."));
    let args = ["serve", "--model", path(&model), "--adapters", path(&adapters), "--concurrency", "3"];
    let load = ["--prompt", "24", "--generate", "8", "--repeat", "3", "--weights", "int8"];
    let report = measured(&[&args[..], &load].concat()).await;
    assert_eq!((&report["mismatches"], &report["weight_format"]), (&0.into(), &"int8".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn training_tells_its_speed_and_how_exact_its_gradients_are() {
    // 2^-8 is what rounding to bf16 costs once; several roundings follow each other in a backward pass.
    const BF16_ERROR: f64 = 8.0 / 256.0;
    let model = golden("tied");
    for method in ["lora", "full"] {
        let args = ["train", "--model", path(&model), "--method", method, "--r", "4", "--check"];
        let report = measured(&[&args[..], &["--batch", "2", "--seq", "16", "--steps", "3"]].concat()).await;
        assert_positive(&report, &["tokens_per_second", "step_ms_p50", "peak_rss_bytes", "loss_first"]);
        let (first, last) = (report["loss_first"].as_f64().unwrap(), report["loss_last"].as_f64().unwrap());
        assert!(last < first, "{method} learns its batch: {report}");
        let error = report["max_gradient_error"].as_f64().unwrap();
        assert!((0.0..BF16_ERROR).contains(&error), "{method}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_a_summary_and_no_check_is_made_unasked() {
    let model = golden("untied");
    let args = ["bench", "train", "--model", path(&model), "--batch", "1", "--seq", "8", "--steps", "2"];
    let outcome =
        run(ROOTSTOCK, &[&args[..], &["--recompute", "always", "--dtype", "f32"]].concat(), &[]).await;
    assert_eq!(outcome.stderr.lines().filter(|line| line.starts_with("step ")).count(), 3, "{outcome:?}");
    let summary = outcome.ok();
    assert!(summary.contains("tokens_per_second") && !summary.contains("max_gradient_error"), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_measured_is_refused_by_name() {
    let model = golden("tied");
    let train = ["bench", "train", "--model", path(&model), "--seq", "4096"];
    let refused = run(ROOTSTOCK, &train, &[]).await.refused();
    assert!(refused.contains("--seq is 4096; this model takes 2 to 128 tokens"), "{refused}");
    let serve =
        ["bench", "serve", "--model", "nowhere", "--concurrency", "1", "--prompt", "1", "--generate", "1"];
    let refused = run(ROOTSTOCK, &serve, &[]).await.refused();
    assert!(refused.contains("nowhere/config.json"), "{refused}");
}
