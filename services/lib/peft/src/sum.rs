//! A weighted sum of several LoRAs, put together for one request: PEFT's `add_weighted_adapter(combination_type="cat")` without the copy.

use rootstock_kernels::LoraPair;
use rootstock_model::{Adapter, Projection, Update};

use crate::{LoraAdapter, PeftError, adapter::slot};

/// `W + sum of weight_i * scale_i * B_i A_i`, added pair after pair in the order given. It shares the numbers of its parts.
#[derive(Debug)]
pub struct WeightedSum {
    /// The pairs of each layer and projection, in forward order.
    slots: Vec<Vec<LoraPair>>,
}

impl WeightedSum {
    /// The sum of adapters for one base model.
    ///
    /// # Errors
    /// When an adapter has more than LoRA pairs on projections ([`LoraAdapter::beyond_lora`]), or was made for another number of layers.
    pub fn new(parts: &[(&LoraAdapter, f64)]) -> Result<Self, PeftError> {
        let layers = parts.first().map_or(0, |(adapter, _)| adapter.num_layers());
        let mut slots = vec![Vec::new(); layers * Projection::ALL.len()];
        for (adapter, weight) in parts {
            if let Some(field) = adapter.beyond_lora() {
                let problem = format!("an adapter with {field} can't be part of a weighted sum");
                return Err(PeftError::Base(problem));
            }
            if adapter.num_layers() != layers {
                let problem = format!("it was made for {} layers, others for {layers}", adapter.num_layers());
                return Err(PeftError::Base(problem));
            }
            for layer in 0..layers {
                for projection in Projection::ALL {
                    let pair = adapter.lora(layer, projection).map(LoraPair::detach);
                    let weighted = pair.map(|pair| LoraPair { scale: pair.scale * weight, ..pair });
                    slots[slot(layer, projection)].extend(weighted);
                }
            }
        }
        Ok(Self { slots })
    }
}

impl Adapter for WeightedSum {
    fn update(&self, layer: usize, projection: Projection) -> Update<'_> {
        let pairs = self.slots.get(slot(layer, projection)).map_or(&[][..], Vec::as_slice);
        Update { pairs, ..Update::default() }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};
    use rootstock_model::{Config, Decoder};

    use super::*;
    use crate::{LoraConfig, TargetModules};

    fn base() -> Config {
        Config::from_json(include_bytes!("../../../../tests/golden/tied/config.json")).unwrap()
    }

    fn adapter(r: usize, targets: &[&str]) -> LoraAdapter {
        let config = LoraConfig { r, target_modules: TargetModules::from(targets), ..LoraConfig::default() };
        let adapter = LoraAdapter::init(&config, &base(), r as u64, &Device::Cpu).unwrap();
        for (_, variable) in adapter.parameters() {
            let numbers = Tensor::rand(-0.5_f32, 0.5, variable.shape(), &Device::Cpu).unwrap();
            variable.set(&numbers).unwrap();
        }
        adapter.frozen()
    }

    #[test]
    fn each_projection_has_the_pairs_of_all_parts_in_order_and_their_weights() {
        let (first, second) = (adapter(4, &["q_proj", "v_proj"]), adapter(8, &["v_proj", "up_proj"]));
        let sum = WeightedSum::new(&[(&first, 0.5), (&second, -2.0)]).unwrap();
        let scales = |projection| -> Vec<f64> {
            sum.update(1, projection).pairs.iter().map(|pair| pair.scale).collect()
        };
        assert_eq!(scales(Projection::Q), [1.0]);
        assert_eq!(scales(Projection::V), [1.0, -2.0]);
        assert_eq!(scales(Projection::Up), [-2.0]);
        assert!(scales(Projection::K).is_empty() && sum.update(9, Projection::Q).is_nothing());
    }

    #[test]
    fn halves_of_one_adapter_make_it_whole() {
        let (decoder, adapter) =
            (Decoder::init(base(), 1, &Device::Cpu).unwrap(), adapter(4, &["q_proj", "down_proj"]));
        let halves = WeightedSum::new(&[(&adapter, 0.25), (&adapter, 0.75)]).unwrap();
        let whole = decoder.forward_all(&[5, 6, 7], Some(&adapter)).unwrap();
        let sum = decoder.forward_all(&[5, 6, 7], Some(&halves)).unwrap();
        let largest = |tensor: Tensor| -> f32 {
            tensor.abs().unwrap().max_all().unwrap().to_dtype(DType::F32).unwrap().to_scalar().unwrap()
        };
        assert!(largest((&whole - &sum).unwrap()) < 1e-5 * largest(whole));
    }
}
