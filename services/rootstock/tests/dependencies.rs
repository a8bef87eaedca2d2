//! Holds the dependency directions of ARCHITECTURE.md against the manifests of the workspace.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Crates of the contract and of the network, which tensor and text code must not know.
const NETWORK: &[&str] =
    &["axum", "hyper", "prost", "rootstock-client", "rootstock-proto", "rootstock-runtime", "tokio", "tonic"];
/// Tensor and text code, each with the crates of this workspace that it may use.
const ML: &[(&str, &[&str])] = &[
    ("rootstock-kernels", &[]),
    ("rootstock-model", &["rootstock-kernels"]),
    ("rootstock-peft", &["rootstock-kernels", "rootstock-model"]),
    ("rootstock-text", &[]),
];
/// The four services.
const SERVICES: &[&str] =
    &["rootstock-checkpoint", "rootstock-inference", "rootstock-tokenizer", "rootstock-trainer"];

/// Each workspace crate with what its manifest depends on, tests left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = workspace.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let members =
        members.split(',').map(|member| member.trim().trim_matches('"')).filter(|member| !member.is_empty());
    members
        .map(|member| manifest(&fs::read_to_string(root.join(member).join("Cargo.toml")).unwrap()))
        .collect()
}

fn manifest(text: &str) -> (String, BTreeSet<String>) {
    let name = text.split("name = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (mut section, mut found) = (String::new(), BTreeSet::new());
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
        } else if section.ends_with("dependencies")
            && !section.ends_with("dev-dependencies")
            && line.contains('=')
        {
            let key = line.split(['=', ' ']).next().unwrap();
            found.insert(key.split('.').next().unwrap().to_owned());
        }
    }
    (name, found)
}

#[test]
fn tensor_and_text_crates_know_no_network_and_depend_one_way() {
    let all = dependencies();
    for (name, allowed) in ML {
        let found = &all[*name];
        let network: Vec<_> =
            found.iter().filter(|dependency| NETWORK.contains(&dependency.as_str())).collect();
        assert!(network.is_empty(), "{name} depends on {network:?}");
        let ours = found.iter().filter(|dependency| dependency.starts_with("rootstock-"));
        let wrong: Vec<_> = ours.filter(|dependency| !allowed.contains(&dependency.as_str())).collect();
        assert!(wrong.is_empty(), "{name} depends on {wrong:?}");
    }
}

#[test]
fn no_crate_but_the_binary_depends_on_a_service() {
    let all = dependencies();
    assert!(
        SERVICES.iter().all(|service| all["rootstock"].contains(*service)),
        "the binary mounts every service"
    );
    for (name, found) in all.iter().filter(|(name, _)| *name != "rootstock") {
        let services: Vec<_> =
            found.iter().filter(|dependency| SERVICES.contains(&dependency.as_str())).collect();
        assert!(services.is_empty(), "{name} depends on {services:?}");
    }
}

#[test]
fn services_reach_each_other_through_the_client_alone() {
    let all = dependencies();
    for service in SERVICES {
        assert!(all[*service].contains("rootstock-client"), "{service} has no client");
    }
    let client = &all["rootstock-client"];
    assert!(!client.contains("rootstock-runtime"), "a client needs no server");
}
