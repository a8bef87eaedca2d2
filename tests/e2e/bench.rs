//! The measurements as scripts run them: one JSON object with every figure, and the same tokens alone as together.
use std::path::Path;

use rootstock_test_support::cli::run;
use rootstock_test_support::fixtures::{golden, model_dir};
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
async fn requests_without_grpc_get_the_tokens_that_they_get_over_it() {
    let (model, adapters) = (golden("tied"), golden("."));
    let args = ["serve", "--model", path(&model), "--adapters", path(&adapters), "--concurrency", "3"];
    let load = ["--prompt", "24", "--generate", "8", "--repeat", "3"];
    for (flags, transport) in [(&["--in-process"][..], "in_process"), (&[], "grpc")] {
        let report = measured(&[&args[..], &load, flags].concat()).await;
        assert_eq!((&report["transport"], &report["mismatches"]), (&transport.into(), &0.into()), "{report}");
        assert_positive(&report, &["output_tokens_per_second", "ttft_ms_p50", "itl_ms_p50"]);
    }
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
async fn versions_are_swapped_under_streams_and_every_answer_is_that_of_one_of_them() {
    let (model, adapters) = (golden("tied"), golden("."));
    let args = ["serve", "--model", path(&model), "--adapters", path(&adapters), "--concurrency", "2"];
    let load = ["--prompt", "12", "--generate", "6", "--weights", "stored", "--swaps", "6"];
    for streams in ["2", "0"] {
        let report = measured(&[&args[..], &load, &["--streams", streams]].concat()).await;
        assert_eq!((&report["mismatches"], &report["errors"]), (&0.into(), &0.into()), "{report}");
        assert_eq!(report["swaps"], 6);
        assert_positive(&report, &["swap_ms_p50", "swap_ms_p99", "publish_call_ms_p50"]);
        assert_positive(&report, &["ttft_ms_p50", "ttft_after_swap_ms_p50", "output_tokens_per_second"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_adapters_take_turns_in_the_room_that_few_have() {
    let model = golden("tied");
    let args = ["serve", "--model", path(&model), "--concurrency", "2", "--prompt", "8", "--generate", "3"];
    let made =
        ["--registered", "12", "--rank", "2", "--zipf", "0.5", "--requests", "30", "--weights", "stored"];
    let few = measured(&[&args[..], &made, &["--resident", "3", "--warm", "4"]].concat()).await;
    assert_positive(&few, &["output_tokens_per_second", "adapter_loads", "adapter_evictions"]);
    assert_eq!(
        (&few["mismatches"], &few["registered"], &few["resident"]),
        (&0.into(), &12.into(), &3.into())
    );
    let all = measured(&[&args[..], &made, &["--resident", "12", "--warm", "200"]].concat()).await;
    assert_eq!((&all["adapter_loads"], &all["adapter_evictions"]), (&0.into(), &0.into()), "{all}");
    assert!(few["resident_share"].as_f64() < Some(1.0) && all["resident_share"] == 1.0, "{few} {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base_model_answers_while_adapters_are_only_in_memory() {
    let (model, adapters) = (golden("tied"), golden("."));
    let args = ["serve", "--model", path(&model), "--adapters", path(&adapters), "--ask", "base"];
    let report =
        measured(&[&args[..], &["--concurrency", "2", "--prompt", "5", "--generate", "3"]].concat()).await;
    assert_eq!((&report["adapters_resident"], &report["mismatches"]), (&2.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn adapters_are_loaded_and_dropped_beside_streams() {
    let (model, adapters) = (golden("tied"), golden("."));
    let args = ["serve", "--model", path(&model), "--adapters", path(&adapters), "--concurrency", "2"];
    let report =
        measured(&[&args[..], &["--prompt", "12", "--generate", "40", "--load-churn", "1"]].concat()).await;
    assert_positive(&report, &["quiet_gap_ms_p50", "quiet_gap_ms_p999", "churn_gap_ms_p50"]);
    assert_positive(&report, &["churn_gap_ms_p999", "churn_p999_over_quiet_p50"]);
    assert_positive(&report, &["adapter_loads", "adapter_evictions"]);
    assert_eq!((&report["mismatches"], &report["errors"]), (&0.into(), &0.into()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_asked_for_too_much_does_what_it_can_and_recovers() {
    let model = golden("tied");
    let args = ["serve", "--model", path(&model), "--concurrency", "2", "--prompt", "8", "--generate", "100"];
    let report = measured(&[&args[..], &["--overload", "8", "--seconds", "1"]].concat()).await;
    assert_positive(&report, &["peak_tokens_per_second", "offered_requests", "goodput_tokens_per_second"]);
    assert_positive(&report, &["recovery_tokens_per_second", "rss_start_bytes", "rss_end_bytes"]);
    assert_positive(&report, &["goodput_over_peak", "recovery_over_peak"]);
    assert!(report["rejected"].as_u64() <= report["offered_requests"].as_u64(), "{report}");
    assert_eq!((&report["mismatches"], &report["errors"]), (&0.into(), &0.into()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_measured_beside_one_that_asks_for_more() {
    let model = golden("tied");
    let args = ["serve", "--model", path(&model), "--concurrency", "2", "--prompt", "8", "--generate", "100"];
    let report = measured(&[&args[..], &["--tenants", "1"]].concat()).await;
    assert_positive(&report, &["peak_tokens_per_second", "fair_tokens_per_second"]);
    assert_positive(&report, &["beside_fair_goodput", "beside_greedy_goodput"]);
    assert!(report["other_tenant_loss"].as_f64().is_some_and(|loss| loss < 1.0), "{report}");
    assert_eq!((&report["mismatches"], &report["errors"]), (&0.into(), &0.into()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_run_alone_and_beside_an_evaluation() {
    let model = model_dir();
    let args = ["serve", "--model", path(model.path()), "--concurrency", "2", "--evaluate", "1"];
    let load = ["--prompt", "12", "--generate", "20"];
    let report = measured(&[&args[..], &load].concat()).await;
    assert_positive(&report, &["alone_itl_ms_p50", "beside_itl_ms_p50", "beside_over_alone"]);
    assert_positive(&report, &["evaluated_rows"]);
    assert_eq!((&report["mismatches"], &report["errors"]), (&0.into(), &0.into()), "{report}");
    let without = golden("tied");
    let args =
        [&["bench", "serve", "--model", path(&without), "--concurrency", "2"], &args[5..], &load].concat();
    let refused = run(ROOTSTOCK, &args, &[]).await.refused();
    assert!(refused.contains("--evaluate takes a model with a tokenizer"), "{refused}");
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
async fn padding_can_be_computed_for_comparison_and_changes_no_loss() {
    let model = golden("tied");
    let args =
        ["train", "--model", path(&model), "--r", "4", "--batch", "8", "--steps", "2", "--dtype", "f32"];
    let args = [&args[..], &["--lengths", "log-uniform:4:64"]].concat();
    let packed = measured(&args).await;
    let padded = measured(&[&args[..], &["--padding"]].concat()).await;
    assert_positive(&packed, &["tokens_per_second", "step_ms_p50"]);
    let figure = |report: &Value, name: &str| report[name].as_f64().unwrap();
    assert_eq!((figure(&packed, "padding_share"), figure(&packed, "max_loss_error")), (0.0, 0.0));
    assert!(figure(&padded, "padding_share") > 0.3, "{padded}");
    assert!(figure(&padded, "max_loss_error") < 1e-5, "{padded}");
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
    let rank = run(ROOTSTOCK, &["bench", "train", "--model", path(&model), "--r", "0"], &[]).await.refused();
    assert!(rank.contains("--r is 0; a LoRA's rank is 1 to 4096"), "{rank}");
    let serve = ["bench", "serve", "--model", path(&model), "--concurrency", "1", "--generate", "8"];
    let refused = run(ROOTSTOCK, &[&serve[..], &["--prompt", "121"]].concat(), &[]).await.refused();
    assert!(refused.contains("--prompt 121 and --generate 8 don't fit"), "{refused}");
    let refused =
        run(ROOTSTOCK, &[&serve[..], &["--prompt", "8", "--swaps", "1"]].concat(), &[]).await.refused();
    assert!(refused.contains("--swaps takes 2 adapters"), "{refused}");
    let adapters = tempfile::tempdir().unwrap();
    let broken = adapters.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        std::fs::copy(golden("lora").join(file), broken.join(file)).unwrap();
    }
    let other = golden("untied");
    let serve = ["bench", "serve", "--model", path(&other), "--adapters", path(adapters.path())];
    let load = ["--concurrency", "1", "--prompt", "8", "--generate", "8"];
    let refused = run(ROOTSTOCK, &[&serve[..], &load].concat(), &[]).await.refused();
    let named = format!("error: {}: ", broken.display());
    assert!(refused.contains(&named) && !refused.contains("code: '"), "{refused}");
    assert!(!refused.contains("importing"), "{refused}");
    let serve =
        ["bench", "serve", "--model", "nowhere", "--concurrency", "1", "--prompt", "1", "--generate", "1"];
    let refused = run(ROOTSTOCK, &serve, &[]).await.refused();
    assert!(refused.contains("nowhere/config.json"), "{refused}");
}
