//! Loads happen once, and what is in use stays.

use std::sync::atomic::{AtomicUsize, Ordering};

use rootstock_runtime::{ErrorReason, Shutdown};

use super::*;

/// Something in memory, with what it reserved.
struct Thing {
    name: &'static str,
    amount: u64,
    _reservation: Reservation,
}

impl Weigh for Thing {
    fn weight(&self) -> u64 {
        self.amount
    }
}

fn residents(capacity: u64) -> Residents<Thing> {
    let kind = Kind {
        what: "things",
        key: "thing_bytes",
        capacity,
        load_cost: 2,
        count: Gauge::default(),
        used: Gauge::default(),
    };
    Residents::new(kind, Tasks::new(Shutdown::new()), Metrics::default())
}

async fn load(residents: &Residents<Thing>, name: &'static str, amount: u64) -> Loaded<Thing> {
    let inner = residents.clone();
    let load = || async move { Ok(Thing { name, amount, _reservation: inner.reserve(amount)? }) };
    residents.get_or_load(Digest::of(name.as_bytes()), load).await
}

fn there(residents: &Residents<Thing>, name: &str) -> bool {
    residents.peek(&Digest::of(name.as_bytes())).is_some()
}

#[tokio::test]
async fn however_many_ask_it_is_loaded_once() {
    let residents = residents(100);
    let loads = Arc::new(AtomicUsize::new(0));
    let (open, gate) = watch::channel(false);
    let ask = || {
        let (residents, loads, mut gate) = (residents.clone(), Arc::clone(&loads), gate.clone());
        async move {
            let inner = residents.clone();
            let load = || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                gate.wait_for(|open| *open).await.unwrap();
                Ok(Thing { name: "a", amount: 1, _reservation: inner.reserve(1)? })
            };
            residents.get_or_load(Digest::of(b"a"), load).await
        }
    };
    let asking: Vec<_> = (0..10).map(|_| tokio::spawn(ask())).collect();
    // Who asked first gives up; the load goes on for the others.
    tokio::task::yield_now().await;
    asking[0].abort();
    open.send_replace(true);
    for asked in asking.into_iter().skip(1) {
        assert_eq!(asked.await.unwrap().unwrap().name, "a");
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failed_load_fails_all_who_wait_and_is_tried_again_by_the_next() {
    let residents = residents(100);
    let failing = || async { Err(Error::NotFound("gone".into())) };
    let failed = residents.get_or_load(Digest::of(b"a"), failing).await;
    assert_eq!(failed.err().unwrap().reason(), ErrorReason::NotFound);
    assert_eq!(load(&residents, "a", 1).await.ok().unwrap().name, "a");
}

#[tokio::test]
async fn the_one_idle_longest_goes_and_what_is_in_use_never() {
    let residents = residents(3);
    let held = load(&residents, "held", 1).await.ok().unwrap();
    drop(load(&residents, "old", 1).await);
    drop(load(&residents, "new", 1).await);
    // Used again, "old" is the newer of the two.
    assert!(residents.get(&Digest::of(b"old")).is_some());
    drop(load(&residents, "next", 1).await);
    assert!(there(&residents, "held") && there(&residents, "old") && !there(&residents, "new"));
    // Two at once need both idle ones to go.
    let large = load(&residents, "large", 2).await.ok().unwrap();
    assert!(there(&residents, "held") && !there(&residents, "old") && !there(&residents, "next"));
    let refused = load(&residents, "more", 1).await.err().unwrap();
    assert_eq!(refused.reason(), ErrorReason::Overloaded);
    drop((large, held));
    assert!(load(&residents, "more", 3).await.is_ok());
    let too_large = load(&residents, "giant", 4).await.err().unwrap();
    assert!(too_large.to_string().contains("raise inference.thing_bytes"), "{too_large}");
}

#[tokio::test]
async fn a_budget_comes_back_when_what_took_it_is_gone() {
    let residents = residents(5);
    let first = residents.reserve(5).ok().unwrap();
    assert!(residents.reserve(1).is_err());
    drop(first);
    assert!(residents.reserve(5).is_ok());
}

/// Uses something in memory so many times.
fn use_it(residents: &Residents<Thing>, name: &str, times: usize) {
    for _ in 0..times {
        assert!(residents.get(&Digest::of(name.as_bytes())).is_some());
    }
}

#[tokio::test]
async fn what_is_used_more_stays_and_of_equals_the_one_idle_longest_goes() {
    let residents = residents(3);
    for name in ["often", "first", "second"] {
        drop(load(&residents, name, 1).await);
    }
    use_it(&residents, "often", 2);
    use_it(&residents, "second", 1);
    use_it(&residents, "first", 1);
    drop(load(&residents, "next", 1).await);
    assert!(there(&residents, "often") && there(&residents, "first") && !there(&residents, "second"));
    assert_eq!(residents.counts(), Counts { loads: 4, evictions: 1 });
}

#[tokio::test]
async fn what_is_large_goes_before_what_is_small() {
    let residents = residents(10);
    // A load costs 2 beside its size: (2 + 8) / 8 per unit of the large one, (2 + 1) / 1 of a small one.
    for (name, amount) in [("small", 1), ("large", 8), ("other", 1)] {
        drop(load(&residents, name, amount).await);
    }
    use_it(&residents, "large", 1);
    drop(load(&residents, "next", 1).await);
    assert!(there(&residents, "small") && there(&residents, "other") && !there(&residents, "large"));
}

#[tokio::test]
async fn what_was_used_much_but_long_ago_goes_in_the_end() {
    let residents = residents(2);
    drop(load(&residents, "once a hit", 1).await);
    use_it(&residents, "once a hit", 4);
    // Each drops the one before and the clock rises with it, until the old hit is worth no more than what came last.
    for name in ["1", "2", "3", "4", "5", "6"] {
        drop(load(&residents, name, 1).await);
    }
    assert!(!there(&residents, "once a hit"));
    assert!(there(&residents, "5") && there(&residents, "6"));
}
