//! Room for the measured load: a server's limits are there to refuse too much, and this much is asked for.

use super::load::Load;
use crate::bench::BenchError;
use crate::bench::model_dir::ModelDir;
use crate::serve::Settings;

/// Calls beside the clients': watches, health, imports.
const OTHER_CALLS: usize = 64;
/// Sequences may get their cache in blocks; none is longer than this.
const CACHE_BLOCK: usize = 256;
/// Keys and values are two f32 numbers.
const KEY_VALUE_BYTES: usize = 2 * size_of::<f32>();
/// Adapters are f32 in memory, and may be half of that in their files.
const ADAPTER_GROWTH: u64 = 2;

/// Raises the limits that this load would hit, and lowers none.
pub(super) fn make(
    settings: &mut Settings,
    load: &Load,
    model: &ModelDir,
    adapter_bytes: u64,
) -> Result<(), BenchError> {
    let server = &mut settings.server;
    let calls = load.concurrency + OTHER_CALLS;
    server.max_concurrent_requests = server.max_concurrent_requests.max(calls);
    let streams = u32::try_from(calls).unwrap_or(u32::MAX);
    server.max_concurrent_streams = server.max_concurrent_streams.max(streams);
    let inference = &mut settings.inference;
    inference.max_running = inference.max_running.max(load.concurrency);
    inference.max_queued = inference.max_queued.max(load.concurrency);
    inference.max_queued_per_tenant = inference.max_queued_per_tenant.max(load.concurrency);
    inference.max_queued_tokens = inference.max_queued_tokens.max(load.concurrency * load.prompt);
    // What is measured is computed.
    inference.prefix_cache = false;
    inference.kv_cache_bytes = inference.kv_cache_bytes.max(key_value_bytes(load, model));
    inference.adapter_memory_bytes = inference.adapter_memory_bytes.max(ADAPTER_GROWTH * adapter_bytes);
    inference.max_adapter_bytes = inference.max_adapter_bytes.max(inference.adapter_memory_bytes);
    inference.cache_bytes = inference.cache_bytes.max(2 * (model.bytes()? + adapter_bytes));
    Ok(())
}

fn key_value_bytes(load: &Load, model: &ModelDir) -> u64 {
    let config = &model.config;
    let tokens = (load.prompt + load.generate).next_multiple_of(CACHE_BLOCK);
    let per_token = config.num_hidden_layers * config.num_key_value_heads * config.head_dim * KEY_VALUE_BYTES;
    (load.concurrency * tokens * per_token) as u64
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_load_beyond_the_limits_raises_them_and_a_small_one_lowers_none() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tied");
        let model = ModelDir::read(&golden).unwrap();
        let room = |concurrency, adapter_bytes| {
            let mut settings = Settings::default();
            let load = Load { concurrency, ..Load::of_one(64, 64) };
            make(&mut settings, &load, &model, adapter_bytes).unwrap();
            (settings.server, settings.inference)
        };
        let before = Settings::default();
        let (server, inference) = room(1, 0);
        assert_eq!(server.max_concurrent_requests, before.server.max_concurrent_requests);
        assert_eq!(inference.kv_cache_bytes, before.inference.kv_cache_bytes);
        let (server, inference) = room(100_000, 1 << 40);
        assert!(server.max_concurrent_requests > 100_000 && server.max_concurrent_streams > 100_000);
        assert_eq!((inference.max_running, inference.max_queued), (100_000, 100_000));
        // 2 layers of 2 heads of 8 numbers, twice, in f32.
        assert!(inference.kv_cache_bytes >= 100_000 * 128 * 2 * 2 * 8 * 2 * 4);
        assert_eq!(inference.adapter_memory_bytes, 2 << 40);
    }
}
