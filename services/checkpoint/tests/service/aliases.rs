//! Names that move: compare-and-swap, history, and watches that miss nothing.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use rootstock_client::proto::checkpoint::v1::{
    Alias, Canary, ListAliasesRequest, SetAliasRequest, WatchAliasesRequest, WatchAliasesResponse,
};
use rootstock_client::proto::common::v1::RunningRequests;
use rootstock_client::{ClientError, ErrorReason, EventStream, Expect};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Barrier;

use super::files::{adapter, base_model, dataset};
use super::harness::{Running, clients, reason, start};
use super::proxy::Proxy;

/// Commits data sets that differ; returns their digests.
async fn datasets(server: &Running, count: usize) -> Vec<String> {
    let mut digests = Vec::new();
    for index in 0..count {
        digests.push(server.commit(dataset(&format!("row {index}"))).await.unwrap().digest);
    }
    digests
}

async fn set(server: &Running, name: &str, digest: &str) -> Alias {
    server.client.set_alias(name, digest, Expect::Any).await.unwrap()
}

async fn next(watch: &mut EventStream<WatchAliasesResponse>) -> WatchAliasesResponse {
    let next = tokio::time::timeout(std::time::Duration::from_secs(20), watch.next());
    next.await.expect("a message in time").expect("no end").expect("no error")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_moves_only_from_where_its_reader_saw_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let [one, two] = datasets(&server, 2).await.try_into().unwrap();
    let move_to = |digest: &str, expect| server.client.set_alias("datasets/d", digest.to_owned(), expect);
    assert_eq!(reason(server.client.get_alias("datasets/d").await), ErrorReason::NotFound);
    assert_eq!(
        reason(move_to(&one, Expect::Etag("x".into())).await),
        ErrorReason::AliasMoved,
        "there is none"
    );
    let first = move_to(&one, Expect::Absent).await.unwrap();
    assert_eq!((first.generation, first.digest.as_str()), (1, one.as_str()));
    assert_eq!(reason(move_to(&two, Expect::Absent).await), ErrorReason::AliasMoved);
    let second = move_to(&two, Expect::Etag(first.etag.clone())).await.unwrap();
    assert_eq!(second.generation, 2);
    assert_eq!(reason(move_to(&one, Expect::Etag(first.etag)).await), ErrorReason::AliasMoved);
    assert_eq!(move_to(&two, Expect::Any).await.unwrap().generation, 3, "the same digest is a move too");
    assert_eq!(server.client.get_artifact("datasets/d").await.unwrap().digest, two);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_names_only_what_its_collection_is_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let base = server.commit(base_model(8)).await.unwrap();
    let version = server.commit(adapter(&base.digest, 8, 0)).await.unwrap();
    let refused = async |name: &str, digest: &str| {
        let error = server.client.set_alias(name, digest, Expect::Any).await.unwrap_err();
        (error.reason.unwrap(), error.field.unwrap_or_default())
    };
    assert_eq!(refused("adapters/a", &base.digest).await, (ErrorReason::InvalidField, "digest".into()));
    assert_eq!(refused("trainingStates/a", &base.digest).await, (ErrorReason::InvalidField, "name".into()));
    assert_eq!(refused("adapters/A", &base.digest).await, (ErrorReason::InvalidField, "name".into()));
    assert_eq!(refused("adapters/a", "sha256:0").await, (ErrorReason::InvalidField, "digest".into()));
    let gone = format!("sha256:{}", "0".repeat(64));
    assert_eq!(refused("adapters/a", &gone).await, (ErrorReason::NotFound, String::new()));
    let (name, etag) = ("adapters/a".into(), "e".into());
    let both = SetAliasRequest { name, digest: gone, etag, force: true, ..SetAliasRequest::default() };
    assert_eq!(server.client.move_alias(both).await.unwrap_err().field.as_deref(), Some("etag"));
    assert_eq!(server.client.list_aliases("").await.unwrap(), []);
    let alias = set(&server, "adapters/a", &version.digest).await;
    assert_eq!(alias.base_digest, base.digest);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_move_an_alias_at_once_exactly_one_wins_each_generation() {
    const WRITERS: usize = 8;
    const ROUNDS: i64 = 12;
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let digests = datasets(&server, WRITERS).await;
    let first = digests[0].clone();
    set(&server, "datasets/d", &first).await;
    let barrier = Arc::new(Barrier::new(WRITERS));
    let writers = digests.into_iter().map(|digest| {
        let (client, barrier) = (server.client.clone(), barrier.clone());
        tokio::spawn(async move {
            let mut won = Vec::new();
            for _ in 0..ROUNDS {
                let seen = client.get_alias("datasets/d").await.unwrap();
                barrier.wait().await;
                match client.set_alias("datasets/d", &digest, Expect::Etag(seen.etag)).await {
                    Ok(alias) => won.push((alias.generation, alias.digest)),
                    Err(error) => assert!(error.is(ErrorReason::AliasMoved), "{error:?}"),
                }
                barrier.wait().await;
            }
            won
        })
    });
    let mut won = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        won.extend(writer.await.unwrap());
    }
    won.sort();
    let generations: Vec<i64> = won.iter().map(|(generation, _)| *generation).collect();
    assert_eq!(generations, (2..=ROUNDS + 1).collect::<Vec<_>>(), "one winner for each, and none without");
    let alias = server.client.get_alias("datasets/d").await.unwrap();
    let told: Vec<_> = alias.history.iter().map(|move_| (move_.generation, move_.digest.clone())).collect();
    let mut expected = vec![(1, first)];
    expected.extend(won);
    // Who wins twice in a row sets no other version.
    expected.dedup_by(|later, earlier| later.1 == earlier.1);
    expected.reverse();
    assert_eq!(told, expected, "and the history tells who");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_has_the_last_16_moves_to_another_version_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let digests = datasets(&server, 2).await;
    for index in 0..20 {
        set(&server, "datasets/d", &digests[index % 2]).await;
    }
    // The same once more is a move, but to no other version.
    for _ in 0..20 {
        set(&server, "datasets/d", &digests[1]).await;
    }
    let before = server.client.get_alias("datasets/d").await.unwrap();
    server.stop().await;
    let server = start(dir.path()).await;
    let alias = server.client.get_alias("datasets/d").await.unwrap();
    assert_eq!(alias, before);
    assert_eq!(alias.generation, 40);
    let generations: Vec<i64> = alias.history.iter().map(|move_| move_.generation).collect();
    assert_eq!(generations, (5..=20).rev().collect::<Vec<_>>());
    assert_eq!(set(&server, "datasets/d", &digests[0]).await.generation, 41);
    server.stop().await;
}

/// A move that says what it likes.
fn move_to(name: &str, digest: &str) -> SetAliasRequest {
    SetAliasRequest { name: name.into(), digest: digest.into(), force: true, ..SetAliasRequest::default() }
}

fn beside(digest: &str) -> Option<Canary> {
    Some(Canary { digest: digest.into(), share: 0.25 })
}

#[tokio::test(flavor = "multi_thread")]
async fn canary_pin_and_policy_are_part_of_the_record_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let [one, two] = datasets(&server, 2).await.try_into().unwrap();
    let request = SetAliasRequest {
        canary: beside(&two),
        pinned: Some(true),
        running_requests: RunningRequests::Abort.into(),
        ..move_to("datasets/d", &one)
    };
    let alias = server.client.move_alias(request).await.unwrap();
    assert_eq!((alias.canary.clone(), alias.pinned), (beside(&two), true));
    assert_eq!(alias.running_requests(), RunningRequests::Abort);
    server.stop().await;

    let server = start(dir.path()).await;
    assert_eq!(server.client.get_alias("datasets/d").await.unwrap(), alias);
    assert_eq!(reason(server.client.delete_artifact(&two).await), ErrorReason::InUse, "a canary is kept");
    let next = set(&server, "datasets/d", &one).await;
    assert_eq!((next.canary, next.pinned, next.generation), (None, true, 2), "a pin stays, a canary ends");
    let unpinned = SetAliasRequest { pinned: Some(false), ..move_to("datasets/d", &one) };
    assert!(!server.client.move_alias(unpinned).await.unwrap().pinned);
    server.client.delete_artifact(&two).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_of_the_collection_s_kind_and_of_the_same_base() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let (base, other) =
        (server.commit(base_model(8)).await.unwrap(), server.commit(base_model(16)).await.unwrap());
    let version = server.commit(adapter(&base.digest, 8, 0)).await.unwrap();
    let foreign = server.commit(adapter(&other.digest, 16, 0)).await.unwrap();
    for wrong in [&base.digest, &foreign.digest] {
        let request = SetAliasRequest { canary: beside(wrong), ..move_to("adapters/a", &version.digest) };
        let refused = server.client.move_alias(request).await.unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("canary.digest"), "{refused}");
    }
    assert_eq!(reason(server.client.get_alias("adapters/a").await), ErrorReason::NotFound);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_alias_names_nothing_and_comes_back_with_the_next_generation() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let [one, two] = datasets(&server, 2).await.try_into().unwrap();
    assert_eq!(reason(server.client.retire_alias("datasets/d", "").await), ErrorReason::NotFound);
    let first = set(&server, "datasets/d", &one).await;
    assert_eq!(reason(server.client.retire_alias("datasets/d", "stale").await), ErrorReason::AliasMoved);
    let mut watch = server.client.watch_aliases("datasets/", 0);
    assert_eq!(next(&mut watch).await.alias.unwrap(), first);
    assert!(next(&mut watch).await.synced);

    let retired = server.client.retire_alias("datasets/d", &first.etag).await.unwrap();
    assert!(retired.retired);
    assert_eq!((retired.generation, &retired.digest), (2, &one));
    assert_eq!(next(&mut watch).await.alias.unwrap(), retired, "the watch brings it");
    assert_eq!(reason(server.client.get_alias("datasets/d").await), ErrorReason::NotFound);
    assert_eq!(reason(server.client.get_artifact("datasets/d").await), ErrorReason::NotFound);
    assert_eq!(server.client.list_aliases("").await.unwrap(), []);
    assert_eq!(
        reason(server.client.retire_alias("datasets/d", "").await),
        ErrorReason::NotFound,
        "only once"
    );
    server.client.delete_artifact(&one).await.unwrap();
    server.stop().await;

    let server = start(dir.path()).await;
    let mut watch = server.client.watch_aliases("datasets/", 0);
    assert_eq!(next(&mut watch).await.alias.unwrap(), retired, "who comes later is told too");
    let back = server.client.set_alias("datasets/d", &two, Expect::Absent).await.unwrap();
    assert_eq!((back.generation, back.retired), (3, false));
    server.stop().await;
}

/// A catalog as the first version of its tables had it, with one alias.
async fn old_catalog(dir: &Path, digest: &str) {
    let migrations = tempfile::tempdir().unwrap();
    let first = "0001_catalog.sql";
    std::fs::copy(
        format!("{}/migrations/{first}", env!("CARGO_MANIFEST_DIR")),
        migrations.path().join(first),
    )
    .unwrap();
    std::fs::create_dir_all(dir.join("checkpoint")).unwrap();
    let options = SqliteConnectOptions::new().filename(dir.join("checkpoint/catalog.sqlite"));
    let mut connection = options.create_if_missing(true).connect().await.unwrap();
    Migrator::new(migrations.path()).await.unwrap().run(&mut connection).await.unwrap();
    let manifest = r#"{"kind":"dataset","blobs":[]}"#;
    let artifact =
        "INSERT INTO artifacts (digest, kind, manifest, create_micros) VALUES (?, 'dataset', ?, 1)";
    sqlx::query(artifact).bind(digest).bind(manifest).execute(&mut connection).await.unwrap();
    let event = "INSERT INTO alias_events (name, kind, generation, digest, etag, set_micros)
                 VALUES ('datasets/d', 'dataset', 1, ?, 'etag', 1)";
    sqlx::query(event).bind(digest).execute(&mut connection).await.unwrap();
    let alias = "INSERT INTO aliases (name, kind, digest, event_id) VALUES ('datasets/d', 'dataset', ?, 1)";
    sqlx::query(alias).bind(digest).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_from_before_there_were_canaries_are_served_and_move_on() {
    let dir = tempfile::tempdir().unwrap();
    let digest = format!("sha256:{}", "0a".repeat(32));
    old_catalog(dir.path(), &digest).await;
    let server = start(dir.path()).await;
    let alias = server.client.get_alias("datasets/d").await.unwrap();
    assert_eq!((alias.digest.as_str(), alias.generation, alias.etag.as_str()), (digest.as_str(), 1, "etag"));
    assert_eq!((alias.canary, alias.pinned, alias.retired), (None, false, false));
    assert_eq!(set(&server, "datasets/d", &digest).await.generation, 2);
    assert_eq!(reason(server.client.delete_artifact(&digest).await), ErrorReason::InUse);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_what_is_then_that_this_was_all_then_each_move() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let digests = datasets(&server, 2).await;
    let base = server.commit(base_model(8)).await.unwrap();
    set(&server, "datasets/a", &digests[0]).await;
    set(&server, "baseModels/b", &base.digest).await;
    set(&server, "datasets/c", &digests[0]).await;
    let moved = set(&server, "datasets/a", &digests[1]).await;

    let mut watch = server.client.watch_aliases("datasets/", 0);
    let (first, second, third) = (next(&mut watch).await, next(&mut watch).await, next(&mut watch).await);
    assert_eq!(first.alias.unwrap().name, "datasets/c");
    assert_eq!(second.alias, Some(moved), "in the order of the last moves, each once");
    assert!(third.synced && third.alias.is_none() && third.event_id == 4);
    set(&server, "baseModels/b", &base.digest).await;
    let later = set(&server, "datasets/c", &digests[1]).await;
    assert_eq!(
        next(&mut watch).await,
        WatchAliasesResponse { event_id: 6, alias: Some(later), synced: false }
    );

    let mut resumed = server.client.watch_aliases("", 3);
    let names: Vec<_> = [next(&mut resumed).await, next(&mut resumed).await, next(&mut resumed).await]
        .map(|message| (message.event_id, message.alias.unwrap().name))
        .into();
    let expected = [(4, "datasets/a"), (5, "baseModels/b"), (6, "datasets/c")];
    assert_eq!(names, expected.map(|(id, name)| (id, name.to_owned())), "moves since then, all of them");
    assert!(next(&mut resumed).await.synced);
    for (prefix, after) in [("", 7), ("", -1), ("data", 0)] {
        let request = WatchAliasesRequest { prefix: prefix.into(), after_event_id: after };
        let refused = server.client.raw().watch_aliases(request).await.map_err(ClientError::from);
        assert_eq!(reason(refused), ErrorReason::InvalidField);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_loses_nothing_however_often_the_link_is_cut() {
    const MOVES: i64 = 200;
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let digests = datasets(&server, 2).await;
    let names = ["datasets/a", "datasets/b", "datasets/c"];
    // A frame or two of moves with their histories, and the connection is gone.
    let proxy = Proxy::start(server.address, 40_000).await;
    let mut watch = clients(proxy.address).checkpoint().watch_aliases("datasets/", 0);
    let mover = {
        let client = server.client.clone();
        tokio::spawn(async move {
            for index in 0..MOVES * 3 {
                let digest = &digests[(index / 3 % 2) as usize];
                client.set_alias(names[(index % 3) as usize], digest, Expect::Any).await.unwrap();
            }
        })
    };
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    let mut last_event = 0;
    while last.len() < 3 || last.values().any(|generation| *generation < MOVES) {
        let message = next(&mut watch).await;
        let Some(alias) = message.alias else { continue };
        assert!(message.event_id > last_event, "in order, each once");
        last_event = message.event_id;
        if let Some(before) = last.insert(alias.name.clone(), alias.generation) {
            assert_eq!(alias.generation, before + 1, "{}: no move is missing", alias.name);
        }
    }
    mover.await.unwrap();
    assert!(proxy.cuts() >= 10, "only {} cuts", proxy.cuts());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_over_a_restart_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let digests = datasets(&server, 1).await;
    set(&server, "datasets/d", &digests[0]).await;
    let mut watch = server.client.watch_aliases("datasets/", 0);
    assert_eq!(next(&mut watch).await.event_id, 1);
    assert!(next(&mut watch).await.synced);
    server.stop().await;
    let server = start(dir.path()).await;
    set(&server, "datasets/d", &digests[0]).await;
    let mut watch = server.client.watch_aliases("datasets/", 1);
    assert_eq!(next(&mut watch).await.alias.unwrap().generation, 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_are_listed_by_name_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let digests = datasets(&server, 1).await;
    let base = server.commit(base_model(8)).await.unwrap();
    for name in ["datasets/c", "datasets/a", "datasets/b"] {
        set(&server, name, &digests[0]).await;
    }
    set(&server, "baseModels/m", &base.digest).await;
    let page = async |prefix: &str, page_size, page_token: &str| {
        let request = ListAliasesRequest { prefix: prefix.into(), page_size, page_token: page_token.into() };
        let page = server.client.raw().list_aliases(request).await.map_err(ClientError::from)?.into_inner();
        let names: Vec<String> = page.aliases.into_iter().map(|alias| alias.name).collect();
        Ok::<_, ClientError>((names, page.next_page_token))
    };
    let (names, token) = page("datasets/", 2, "").await.unwrap();
    assert_eq!(names, ["datasets/a", "datasets/b"]);
    assert_eq!(page("datasets/", 2, &token).await.unwrap(), (vec!["datasets/c".to_owned()], String::new()));
    assert_eq!(page("", 4, "").await.unwrap().1, "", "a page that is just full is the last");
    assert_eq!(
        page("", 0, &token).await.unwrap_err().field.as_deref(),
        Some("page_token"),
        "of another request"
    );
    assert_eq!(page("", -1, "").await.unwrap_err().field.as_deref(), Some("page_size"));
    server.stop().await;
}
