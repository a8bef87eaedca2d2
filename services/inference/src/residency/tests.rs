//! The watch tells each change in time, the latest state of each adapter, and nothing twice.

use futures::{StreamExt, stream::BoxStream};
use rootstock_runtime::{ErrorReason, Shutdown};

use super::*;
use crate::{
    config::Config,
    metrics::Metrics,
    publish::Change,
    store::Running,
    tests::{PATIENCE, World, request},
};

const NAME: &str = "adapters/a";

/// Reads until a message satisfies; gives it.
async fn until(
    watch: &mut BoxStream<'static, Result<Changes, Error>>,
    what: &str,
    holds: impl Fn(&Changes) -> bool,
) -> Changes {
    let found = async {
        loop {
            let changes = watch.next().await.unwrap().unwrap();
            if holds(&changes) {
                return changes;
            }
        }
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("never came: {what}"))
}

#[tokio::test]
async fn a_watch_begins_with_all_and_then_tells_moves_leases_and_retirement() {
    let world = World::start(Config { output_buffer: 1, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    let digest = world.store.put_adapter(base, 1);
    let mut watch = world.core.publisher.residency.watch().boxed();
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!((first.adapters, first.synced, first.totals.counts.loads), (Vec::new(), true, 0));

    world.store.point(NAME, digest);
    let stored = until(&mut watch, "the new alias", |changes| !changes.adapters.is_empty()).await;
    assert_eq!((stored.adapters[0].tier, stored.adapters[0].memory_bytes), (Tier::Stored, 0));
    let (_, running) = world.begin(request("", NAME, 20)).await.unwrap();
    let leased =
        |leases| move |changes: &Changes| changes.adapters.iter().any(|adapter| adapter.leases == leases);
    let used = until(&mut watch, "a lease", leased(1)).await;
    assert_eq!(used.adapters[0].tier, Tier::InMemory);
    assert_eq!((used.totals.counts.loads, used.totals.memory_bytes), (1, used.adapters[0].memory_bytes));
    drop(running);
    until(&mut watch, "the end of the lease", leased(0)).await;
    world.core.publisher.retire(&NAME.parse().unwrap(), None).await.unwrap();
    let retired = until(&mut watch, "the retirement", |changes| !changes.retired.is_empty()).await;
    assert_eq!((retired.retired, retired.adapters), (vec![NAME.parse().unwrap()], Vec::new()));
}

/// Nothing is said of a table that is not complete: who reads it would take what is lacking for retired.
#[tokio::test]
async fn a_list_and_a_watch_wait_for_the_table_of_aliases() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    world.store.point(NAME, world.store.put_adapter(base, 1));
    let aliases = Aliases::new(world.store.clone(), Metrics::default());
    let residency = Residency { aliases: aliases.clone(), ..world.core.publisher.residency.clone() };
    let refused = residency.list(None, 10).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::DependencyUnavailable);
    let mut watch = residency.watch().boxed();
    assert!(futures::poll!(watch.next()).is_pending(), "told what a table without aliases holds");

    tokio::spawn(aliases.follow(Shutdown::new()));
    let first = timeout(PATIENCE, watch.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((first.adapters.len(), first.synced), (1, true));
    assert_eq!(residency.list(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn many_changes_at_once_are_told_as_the_last_of_them() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digests = [world.store.put_adapter(base, 1), world.store.put_adapter(base, 2)];
    world.publish(NAME, digests[0], Change::Version(Running::Finish)).await.unwrap();
    let mut watch = world.core.publisher.residency.watch().boxed();
    watch.next().await.unwrap().unwrap();
    for round in 0..50 {
        world.publish(NAME, digests[round % 2], Change::Version(Running::Finish)).await.unwrap();
    }
    let at_last = |changes: &Changes| changes.adapters.iter().any(|adapter| adapter.alias.generation == 51);
    let began = Instant::now();
    let mut rounds = 1;
    while !at_last(&watch.next().await.unwrap().unwrap()) {
        rounds += 1;
    }
    assert!(rounds <= 2 + began.elapsed().as_millis() / ROUND.as_millis(), "{rounds} rounds");
}

#[tokio::test]
async fn very_many_adapters_come_in_messages_of_bounded_size() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digest = world.store.put_adapter(base, 1);
    for id in 0..=PAGE {
        world.store.point(&format!("adapters/a{id}"), digest);
    }
    let last = format!("adapters/a{PAGE}").parse().unwrap();
    world.core.aliases.wait_for(&last, 1).await.unwrap();
    let mut watch = world.core.publisher.residency.watch().boxed();
    let pages = [watch.next().await.unwrap().unwrap(), watch.next().await.unwrap().unwrap()];
    assert_eq!(pages.each_ref().map(|page| (page.adapters.len(), page.synced)), [(PAGE, false), (1, true)]);
}
