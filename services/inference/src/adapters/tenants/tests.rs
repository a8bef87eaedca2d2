//! Tenants within their caps: each makes room from what it pays for itself, and nobody else's adapters go for it.

use std::time::Instant;

use rootstock_runtime::ErrorReason;

use super::*;
use crate::{
    config::Config,
    engine::Output,
    generation::Caller,
    publish::Change,
    store::Running,
    tests::{World, adapter_files, eventually, read, request, tiny_config},
};

/// Adapters of one base by number, and tenants that ask for them.
struct Stage {
    world: World,
    versions: Vec<Digest>,
}

impl Stage {
    /// A server whose sequences stop until their clients read.
    async fn new(config: Config) -> Self {
        let world = World::start(Config { output_buffer: 1, ..config }).await;
        let base = world.store.put_model("base", 1);
        let versions = (1..=5).map(|seed| world.store.put_adapter(base, seed)).collect();
        Self { world, versions }
    }

    /// A request that holds its adapter until it is read.
    async fn begin(&self, tenant: &str, number: usize) -> Result<Output, Error> {
        let caller = Caller { tenant: tenant.into(), received: Instant::now(), deadline: None };
        let name = format!("adapters/a/versions/{}", self.versions[number]);
        let (_, mut completions) =
            self.world.core.generation.generate(request("", &name, 20), caller).await?;
        Ok(completions.remove(0))
    }

    async fn ask(&self, tenant: &str, number: usize) {
        let (ids, end) = read(self.begin(tenant, number).await.unwrap()).await;
        assert_eq!((ids.len(), end.is_ok()), (20, true));
        self.idle(number).await;
    }

    /// Waits until nobody but the table of residents holds the adapter.
    async fn idle(&self, number: usize) {
        let adapters = &self.world.core.generation.binder.adapters;
        let version = || adapters.resident(&self.versions[number]);
        eventually("its lease is given back", || {
            version().is_none_or(|version| Arc::strong_count(&version) == 2)
        })
        .await;
    }

    fn resident(&self) -> Vec<usize> {
        let adapters = &self.world.core.generation.binder.adapters;
        (0..self.versions.len())
            .filter(|&number| adapters.resident(&self.versions[number]).is_some())
            .collect()
    }
}

fn two_each() -> Config {
    Config { max_adapters_per_tenant: 2, ..Config::default() }
}

fn one_in_bytes() -> u64 {
    let config = rootstock_peft::LoraConfig::from_json(&adapter_files(1)["adapter_config.json"]).unwrap();
    rootstock_peft::resident_bytes(&config, &tiny_config(), rootstock_model::Format::F32).unwrap() as u64
}

#[tokio::test]
async fn a_tenant_at_its_cap_drops_its_own_least_worth_and_no_other_tenants() {
    let by_bytes = Config { max_adapter_bytes_per_tenant: one_in_bytes() * 2, ..Config::default() };
    for config in [two_each(), by_bytes] {
        let stage = Stage::new(config).await;
        // The other tenant's is worth least of all: it is the oldest, and used once.
        stage.ask("b", 0).await;
        for number in [1, 2, 1] {
            stage.ask("a", number).await;
        }
        stage.ask("a", 3).await;
        assert_eq!(stage.resident(), [0, 1, 3]);
        stage.ask("b", 4).await;
        assert_eq!(stage.resident(), [0, 1, 3, 4]);
    }
}

#[tokio::test]
async fn a_tenant_that_uses_all_that_it_may_is_refused_and_others_are_served() {
    let stage = Stage::new(two_each()).await;
    let running = [stage.begin("a", 0).await.unwrap(), stage.begin("a", 1).await.unwrap()];
    let refused = stage.begin("a", 2).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::Overloaded);
    assert!(refused.to_string().contains("tenant a has 2 adapters"), "{refused}");
    let status = rootstock_runtime::status(refused);
    assert!(tonic_types::StatusExt::get_error_details(&status).retry_info().is_some(), "{status}");
    assert_eq!(stage.resident(), [0, 1], "what is refused is not loaded");
    // What it uses already costs nothing more, and another tenant has caps of its own.
    let again = stage.begin("a", 1).await.unwrap();
    stage.ask("b", 2).await;
    for output in running.into_iter().chain([again]) {
        assert!(read(output).await.1.is_ok());
    }
    stage.idle(0).await;
    stage.ask("a", 3).await;
}

#[tokio::test]
async fn what_only_another_tenant_uses_is_paid_for_by_that_one_when_the_payer_needs_the_room() {
    let stage = Stage::new(Config { max_adapters_per_tenant: 1, ..Config::default() }).await;
    stage.ask("a", 0).await;
    // It rides along, while it pays for one of its own.
    stage.ask("b", 1).await;
    let rides = stage.begin("b", 0).await.unwrap();
    stage.ask("a", 2).await;
    assert_eq!(stage.resident(), [0, 1, 2], "what is in use stays");
    assert!(read(rides).await.1.is_ok());
    stage.idle(0).await;
    // Now the other one pays for both, and makes room from them.
    stage.ask("b", 3).await;
    assert_eq!(stage.resident(), [2, 3]);
}

#[tokio::test]
async fn what_the_server_keeps_for_itself_costs_a_tenant_nothing_but_while_it_uses_it() {
    let stage = Stage::new(Config { max_adapters_per_tenant: 1, ..Config::default() }).await;
    stage.world.publish("adapters/a", stage.versions[0], Change::Version(Running::Finish)).await.unwrap();
    stage.world.core.publisher.pin(&"adapters/a".parse().unwrap(), true).await.unwrap();
    let running = stage.begin("a", 0).await.unwrap();
    assert_eq!(stage.begin("a", 1).await.unwrap_err().reason(), ErrorReason::Overloaded);
    drop(running);
    let tenants = &stage.world.core.generation.binder.adapters.tenants;
    eventually("its lease is given back", || tenants.paid.lock().values().all(|paid| paid.users.is_empty()))
        .await;
    stage.ask("a", 1).await;
    assert_eq!(stage.resident(), [0, 1]);
}

#[tokio::test]
async fn an_adapter_larger_than_a_tenants_cap_is_refused_before_it_is_loaded() {
    let most = one_in_bytes() - 1;
    let stage = Stage::new(Config { max_adapter_bytes_per_tenant: most, ..Config::default() }).await;
    let refused = stage.begin("a", 0).await.unwrap_err();
    assert!(refused.to_string().contains("raise inference.max_adapter_bytes_per_tenant"), "{refused}");
    assert!(stage.resident().is_empty());
}
