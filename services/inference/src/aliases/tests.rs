//! The table follows the store through cuts, and nothing else.

use rootstock_artifacts::Digest;
use rootstock_runtime::ErrorReason;

use super::*;
use crate::tests::{MemoryStore, eventually};

fn follow(store: &Arc<MemoryStore>) -> (Aliases, Shutdown) {
    let aliases = Aliases::new(store.clone(), Metrics::default());
    let shutdown = Shutdown::new();
    tokio::spawn(aliases.clone().follow(shutdown.clone()));
    (aliases, shutdown)
}

fn name(text: &str) -> AliasName {
    text.parse().unwrap()
}

fn digest_of(aliases: &Aliases, text: &str) -> Option<Digest> {
    aliases.get(&name(text)).map(|alias| alias.digest)
}

#[tokio::test]
async fn moves_arrive_in_order_and_a_cut_loses_none() {
    let store = MemoryStore::new();
    let base = store.put_model("base", 1);
    let (first, second) = (store.put_adapter(base, 1), store.put_adapter(base, 2));
    store.point("adapters/a", first);
    let (aliases, _shutdown) = follow(&store);
    aliases.synced().await;
    assert_eq!(digest_of(&aliases, "adapters/a"), Some(first));

    store.cut();
    let moved = store.point("adapters/a", second);
    let seen = aliases.wait_for(&name("adapters/a"), moved.generation).await.unwrap();
    assert_eq!((seen.digest, seen.generation), (second, 2));
    // It went on after what it had, not from the beginning.
    eventually("the watch was opened again", || store.watches_after().len() >= 2).await;
    assert_eq!(store.watches_after()[..2], [0, 2]);
}

#[tokio::test]
async fn an_alias_set_a_moment_ago_is_found() {
    let store = MemoryStore::new();
    let (aliases, _shutdown) = follow(&store);
    aliases.synced().await;
    let base = store.put_model("base", 1);
    let resolved = aliases.resolve(&name("baseModels/base")).await.unwrap();
    assert_eq!((resolved.digest, resolved.generation), (base, 1));
    let missing = aliases.resolve(&name("adapters/none")).await.unwrap_err();
    assert_eq!(missing.reason(), ErrorReason::NotFound);
    assert!(missing.to_string().contains("adapters/none"), "{missing}");
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for_and_its_table_kept() {
    let store = MemoryStore::new();
    let base = store.put_model("base", 1);
    let (aliases, _shutdown) = follow(&store);
    aliases.synced().await;
    store.set_away(true);
    store.cut();
    assert_eq!(digest_of(&aliases, "baseModels/base"), Some(base));
    let unknown = aliases.resolve(&name("adapters/a")).await.unwrap_err();
    assert_eq!(unknown.reason(), ErrorReason::DependencyUnavailable);
    store.set_away(false);
    store.point("adapters/a", store.put_adapter(base, 1));
    assert_eq!(aliases.resolve(&name("adapters/a")).await.unwrap().generation, 1);
}

#[tokio::test]
async fn lists_are_by_name_and_of_one_kind() {
    let store = MemoryStore::new();
    let base = store.put_model("base", 1);
    let adapter = store.put_adapter(base, 1);
    for id in ["c", "a", "b"] {
        store.point(&format!("adapters/{id}"), adapter);
    }
    let (aliases, _shutdown) = follow(&store);
    aliases.synced().await;
    let names = |after: Option<&str>, limit| -> Vec<String> {
        let after = after.map(name);
        let listed = aliases.list(Kind::Adapter, after.as_ref(), limit);
        listed.iter().map(|alias| alias.name.to_string()).collect()
    };
    assert_eq!(names(None, 10), ["adapters/a", "adapters/b", "adapters/c"]);
    assert_eq!(names(Some("adapters/a"), 1), ["adapters/b"]);
}
