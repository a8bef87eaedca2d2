//! The worker's heartbeat: it keeps the lease, hears of cancellation and pauses, and notices when there is nobody left to work for.

use std::time::Instant;

use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{
    args::WorkerArgs,
    fault::Fault,
    link::{Link, Wish},
    stop::{Ended, Stop},
};

/// Beats until the worker stops.
pub(super) async fn beat(link: Link, stop: Stop, args: WorkerArgs) {
    let mut ticks = interval(args.heartbeat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answered = Instant::now();
    loop {
        ticks.tick().await;
        if is_orphan(args.parent) {
            return stop.request(Ended::Orphaned);
        }
        // Not longer than the lease: a call that hangs must not hide that the lease is lost.
        let rest = args.lease_timeout.saturating_sub(answered.elapsed());
        match timeout(rest, link.heartbeat()).await {
            Ok(Ok(Wish::Work)) => answered = Instant::now(),
            Ok(Ok(Wish::Rest)) => {
                answered = Instant::now();
                stop.pause();
            }
            Ok(Ok(Wish::End)) => return stop.request(Ended::Cancelled),
            Ok(Err(Fault::Stop(ended))) => return stop.request(ended),
            Ok(Err(fault)) => tracing::warn!(?fault, "no answer to a heartbeat"),
            Err(_) => {}
        }
        if answered.elapsed() >= args.lease_timeout {
            return stop.request(Ended::Unreachable);
        }
    }
}

/// Watches, for a worker that holds no lease, whether there is still somebody to work for.
pub(super) async fn attend(stop: Stop, args: WorkerArgs) {
    let mut ticks = interval(args.heartbeat);
    loop {
        ticks.tick().await;
        if is_orphan(args.parent) {
            return stop.request(Ended::Orphaned);
        }
    }
}

/// Whether the process that started this one is gone: its children then belong to another.
#[cfg(unix)]
fn is_orphan(parent: Option<u32>) -> bool {
    parent.is_some_and(|parent| std::os::unix::process::parent_id() != parent)
}

/// Elsewhere the lease alone tells.
#[cfg(not(unix))]
fn is_orphan(_: Option<u32>) -> bool {
    false
}
