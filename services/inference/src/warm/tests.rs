//! What stays in memory, what comes back after a restart, and what is there before anybody asks.

use rootstock_runtime::ErrorReason;

use super::*;
use crate::{
    config::Config,
    publish::Change,
    store::Running,
    tests::{World, eventually, request},
};

const NAME: &str = "adapters/a";

/// A server with room for two adapters, and three of them.
async fn stage() -> (World, [Digest; 3]) {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digests = [1, 2, 3].map(|seed| world.store.put_adapter(base, seed));
    world.store.point("adapters/probe", digests[0]);
    world.tokens("", "adapters/probe", 1).await;
    let one = world.adapters().await[0].memory_bytes;
    let world = world.restart(Config { adapter_memory_bytes: 2 * one, ..Config::default() }).await;
    (world, digests)
}

fn resident(world: &World, digest: &Digest) -> bool {
    world.core.publisher.binder.adapters.resident(digest).is_some()
}

async fn pin(world: &World, name: &str, pinned: bool) -> Result<bool, Error> {
    let adapter = world.core.publisher.pin(&name.parse().unwrap(), pinned).await?;
    Ok(adapter.alias.pinned)
}

/// Uses adapters that the one before has to make room for.
async fn churn(world: &World, digests: &[Digest]) {
    for digest in digests {
        let name = format!("adapters/x/versions/{digest}");
        assert_eq!(world.tokens("", &name, 2).await.len(), 2);
    }
}

#[tokio::test]
async fn what_is_pinned_stays_in_memory_and_is_there_again_after_a_restart() {
    let (world, [pinned, other, third]) = stage().await;
    world.publish(NAME, pinned, Change::Version(Running::Finish)).await.unwrap();
    assert!(pin(&world, NAME, true).await.unwrap());
    churn(&world, &[other, third, other]).await;
    assert!(resident(&world, &pinned) && resident(&world, &other) && !resident(&world, &third));

    let one = world.adapters().await[0].memory_bytes;
    let config = Config { adapter_memory_bytes: 2 * one, ..Config::default() };
    let world = world.restart(config).await;
    assert!(resident(&world, &pinned), "before anybody asks");
    churn(&world, &[other, third]).await;
    assert!(resident(&world, &pinned));

    assert!(!pin(&world, NAME, false).await.unwrap());
    churn(&world, &[other, third, other, third]).await;
    assert!(!resident(&world, &pinned), "it may go again");
}

#[tokio::test]
async fn a_pin_follows_its_alias_and_ends_with_it() {
    let (world, [first, second, third]) = stage().await;
    world.publish(NAME, first, Change::Version(Running::Finish)).await.unwrap();
    pin(&world, NAME, true).await.unwrap();
    // Another server moves it; this one loads the new version without being asked.
    world.store.point(NAME, second);
    eventually("the new version is in memory", || resident(&world, &second)).await;
    let held =
        || world.core.publisher.warm.pins.lock().get(&NAME.parse().unwrap()).map(|pins| *pins[0].digest());
    eventually("the pin has moved on", || held() == Some(second)).await;
    churn(&world, &[first, third]).await;
    assert!(resident(&world, &second));
    world.core.publisher.retire(&NAME.parse().unwrap(), None).await.unwrap();
    eventually("the pin is gone", || held().is_none()).await;
}

#[tokio::test]
async fn what_does_not_fit_beside_what_is_pinned_cannot_be_pinned() {
    let (world, digests) = stage().await;
    for (name, digest) in ["adapters/a", "adapters/b"].into_iter().zip(&digests) {
        world.publish(name, *digest, Change::Version(Running::Finish)).await.unwrap();
        pin(&world, name, true).await.unwrap();
    }
    world.store.point("adapters/c", digests[2]);
    let refused = pin(&world, "adapters/c", true).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::Overloaded);
    assert!(refused.to_string().contains("adapter_memory_bytes"), "{refused}");
    assert!(!world.core.aliases.resolve(&"adapters/c".parse().unwrap()).await.unwrap().pinned);
    let missing = pin(&world, "adapters/none", true).await.unwrap_err();
    assert_eq!(missing.reason(), ErrorReason::NotFound);
}

#[tokio::test]
async fn the_next_version_of_an_adapter_in_use_is_loaded_before_anybody_asks() {
    let (world, [first, second, third]) = stage().await;
    world.store.point(NAME, first);
    world.store.point("adapters/unused", third);
    world.ask(request("", NAME, 1)).await.unwrap();
    world.store.point(NAME, second);
    world.store.point("adapters/unused", third);
    eventually("the new version is in memory", || resident(&world, &second)).await;
    assert!(!resident(&world, &third), "what nobody uses is left alone");
}

#[tokio::test]
async fn a_pin_moves_on_where_there_is_no_room_for_both_versions() {
    let (world, [first, second, _]) = stage().await;
    let one = world.core.publisher.binder.adapters.residents.used().1 / 2;
    let world = world.restart(Config { adapter_memory_bytes: one, ..Config::default() }).await;
    world.publish(NAME, first, Change::Version(Running::Finish)).await.unwrap();
    pin(&world, NAME, true).await.unwrap();
    world.store.point(NAME, second);
    eventually("the new version is in memory", || resident(&world, &second)).await;
    assert!(!resident(&world, &first));
}
