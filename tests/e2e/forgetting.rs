//! What is left of a first task when a second is learnt, shown by the binary itself.
use std::process::Stdio;

use serde_json::Value;

use crate::ROOTSTOCK;

#[tokio::test(flavor = "multi_thread")]
async fn more_is_left_of_a_first_task_where_weights_are_held_or_its_rows_are_seen_again() {
    let dir = tempfile::tempdir().unwrap();
    let plot = dir.path().join("left.svg");
    let run = tokio::process::Command::new(ROOTSTOCK)
        .args(["demo", "forgetting", "--quick", "--json", "--plot"])
        .arg(&plot)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = run.await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let report: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let figure = |way: &str, name: &str| report[way][name].as_f64().unwrap();
    for way in ["plain", "ewc", "replay", "lora"] {
        assert!(figure(way, "retention") >= 0.0, "{report}");
        assert!((0.0..=1.0).contains(&figure(way, "new_task")), "{report}");
    }
    assert!(report["first_task"].as_f64().unwrap() > 0.5 && report["seconds"].as_f64().unwrap() > 0.0);
    for way in ["ewc", "replay"] {
        assert!(figure(way, "retention") > figure("plain", "retention"), "{told}\n{report}");
    }
    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("replay"), "{svg}");
}
