//! Adapters that the measurement makes itself: random ones on queries and values, as many as wanted.

use candle_core::{DType, Device, Tensor};
use futures::{StreamExt, TryStreamExt, stream};
use rootstock_client::{ArtifactDraft, Clients, Expect, Kind, Progress};
use rootstock_kernels::Random;
use rootstock_model::{Config, Format, LinearWeight, Projection};
use rootstock_peft::{CONFIG_FILE, Half, LoraConfig, TargetModules, WEIGHTS_FILE, tensor_name};

use super::store::{Stored, StoredAdapter};
use crate::bench::BenchError;
use crate::bench::tokens::SEED;

/// The maps that have a pair each.
const PROJECTIONS: [Projection; 2] = [Projection::Q, Projection::V];
/// Alpha, in ranks.
const ALPHA_PER_RANK: f64 = 2.0;
/// Spread of the weights.
const SPREAD: f64 = 0.02;
/// Adapters that are stored at a time.
const PARALLEL: usize = 8;

/// What the adapters are like.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) rank: usize,
    pub(super) base: Config,
}

impl Shape {
    /// Each matrix by its name: A [r, in] and B [out, r].
    fn matrices(&self) -> impl Iterator<Item = (String, (usize, usize))> {
        let maps = (0..self.base.num_hidden_layers).flat_map(|layer| PROJECTIONS.map(|map| (layer, map)));
        maps.flat_map(|(layer, map)| {
            let (outputs, inputs) = map.shape(&self.base);
            [
                (tensor_name(layer, map, Half::A), (self.rank, inputs)),
                (tensor_name(layer, map, Half::B), (outputs, self.rank)),
            ]
        })
    }

    /// Bytes that one takes in the server's memory.
    pub(super) fn bytes(&self, format: Format) -> u64 {
        let bytes = |(_, (rows, columns))| LinearWeight::packed_bytes(rows, columns, format) as u64;
        self.matrices().map(bytes).sum()
    }

    fn config(&self) -> String {
        let lora = LoraConfig {
            r: self.rank,
            lora_alpha: ALPHA_PER_RANK * self.rank as f64,
            target_modules: TargetModules::from(&PROJECTIONS[..]),
            ..LoraConfig::default()
        };
        lora.to_json()
    }

    /// The weights of the adapter of this number; computes.
    fn weights(&self, number: usize) -> Result<Vec<u8>, BenchError> {
        let random = Random::new(SEED, number as u64);
        let mut tensors: Vec<(String, Tensor)> = Vec::new();
        for (index, (name, shape)) in self.matrices().enumerate() {
            let values = random.child(index as u64).normal_tensor(shape, 0.0, SPREAD, &Device::Cpu)?;
            tensors.push((name, values.to_dtype(DType::BF16)?));
        }
        let failed = |error| BenchError::Unexpected(format!("an adapter can't be written: {error}"));
        safetensors::serialize(tensors, None).map_err(failed)
    }
}

/// Stores `count` adapters and points a name at each; nothing is loaded.
pub(super) async fn store(
    clients: &Clients,
    stored: &Stored,
    shape: &Shape,
    count: usize,
) -> Result<Vec<StoredAdapter>, BenchError> {
    let adapters = stream::iter(0..count).map(|number| store_one(clients, stored, shape, number));
    adapters.buffered(PARALLEL).try_collect().await
}

async fn store_one(
    clients: &Clients,
    stored: &Stored,
    shape: &Shape,
    number: usize,
) -> Result<StoredAdapter, BenchError> {
    let making = shape.clone();
    let weights = tokio::task::spawn_blocking(move || making.weights(number)).await??;
    let name = format!("adapters/made-{number}");
    let draft = ArtifactDraft::new(Kind::Adapter)
        .parent(&name)
        .base_digest(&stored.base.digest)
        .tokenizer_digest(&stored.base.tokenizer_digest)
        .file(CONFIG_FILE, shape.config())
        .file(WEIGHTS_FILE, weights);
    let digest = clients.checkpoint().upload_artifact(draft, &Progress::none()).await?.digest;
    clients.checkpoint().set_alias(&name, &digest, Expect::Absent).await?;
    Ok(StoredAdapter { name, digest })
}

#[cfg(test)]
mod tests {
    use rootstock_model::Decoder;
    use rootstock_peft::LoraAdapter;

    use super::*;
    use crate::bench::model_dir::ModelDir;

    #[test]
    fn what_is_made_loads_as_an_adapter_of_the_bytes_that_are_reckoned_with() {
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tied");
        let shape = Shape { rank: 3, base: ModelDir::read(&golden).unwrap().config };
        let base = Decoder::init(shape.base.clone(), 0, &Device::Cpu).unwrap();
        let (config, weights) = (shape.config(), shape.weights(0).unwrap());
        for (dtype, format) in [(DType::BF16, Format::Bf16), (DType::F32, Format::F32)] {
            let loaded = LoraAdapter::from_bytes(config.as_bytes(), &weights, &base, dtype, &Device::Cpu);
            assert_eq!(loaded.unwrap().bytes() as u64, shape.bytes(format));
        }
        assert_eq!(shape.weights(0).unwrap(), weights);
        assert_ne!(shape.weights(1).unwrap(), weights);
    }
}
