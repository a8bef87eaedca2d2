use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use rootstock_kernels::{LossOptions, cross_entropy_sum};

use super::*;
use crate::{
    DropoutKey, forward_backward, save_tensors,
    testing::{Ends, Pairs, assert_close, batch, families, flat, tiny, untied},
};

const IDS: [u32; 12] = [3, 60, 7, 7, 0, 21, 5, 44, 9, 2, 2, 17];

fn fresh(config: Config) -> Decoder {
    Decoder::init(config, 1, &Device::Cpu).unwrap()
}

fn cache() -> KvCache {
    KvCache::new(&tiny(), Format::F32, 16, &Device::Cpu).unwrap()
}

#[test]
fn a_fresh_model_depends_on_its_seed_and_has_the_tensors_of_its_configuration() {
    for config in [tiny(), untied()].into_iter().chain(families()) {
        let decoder = fresh(config.clone());
        let found: Vec<_> =
            decoder.named_tensors().unwrap().into_iter().map(|(name, t)| (name, t.dims().to_vec())).collect();
        let expected: Vec<_> = config.tensors().into_iter().map(|spec| (spec.name, spec.shape)).collect();
        assert_eq!(found, expected);
        // Panels have whole columns, so odd sizes take a little more.
        let bytes = 4 * config.parameters();
        assert!(decoder.bytes() >= bytes && decoder.bytes() < 2 * bytes, "{} for {bytes}", decoder.bytes());
    }
    let table =
        |seed| flat(&Decoder::init(tiny(), seed, &Device::Cpu).unwrap().named_tensors().unwrap()[0].1);
    assert_eq!(table(1), table(1));
    assert_ne!(table(1), table(2));
}

#[test]
fn cached_steps_give_the_bits_of_the_whole_sequence() {
    std::iter::once(untied()).chain(families()).for_each(cached_steps);
}

fn cached_steps(config: Config) {
    let decoder = fresh(config.clone());
    let adapter = Pairs::new(&config, 3, 0.5);
    for adapter in [None, Some(&adapter as &dyn Adapter)] {
        let whole = decoder.forward_all(&IDS, adapter).unwrap();
        let mut cache = cache();
        decoder.forward(&IDS[..5], &mut cache, adapter).unwrap();
        for position in 5..IDS.len() {
            let logits = decoder.forward(&IDS[position..=position], &mut cache, adapter).unwrap();
            assert_close("logits", &logits, &whole.get(position).unwrap(), 0.0);
        }
        assert_eq!(cache.len(), IDS.len());
    }
}

#[test]
fn a_step_of_base_rows_asks_for_no_grouped_product() {
    let (decoder, pairs) = (fresh(tiny()), Pairs::new(&tiny(), 3, 0.0));
    let mut caches = [cache(), cache(), cache()];
    let grouped = |adapters: [Option<&dyn Adapter>; 3], caches: &mut [KvCache; 3]| -> usize {
        let with = |(cache, adapter)| Continued { ids: &IDS[..2], cache, adapter, wants: Wanted::Last };
        let sequences: Vec<_> = caches.iter_mut().zip(adapters).map(with).collect();
        let of = |layer: &Layer| {
            let weights = layer.packed().unwrap();
            let map = |projection| layer.map(projection, &sequences, &weights);
            let maps = Projection::ALL.map(map);
            maps.iter().map(|map| map.groups.len() + map.factors.len()).sum::<usize>()
        };
        decoder.layers().iter().map(of).sum()
    };
    assert_eq!(grouped([None; 3], &mut caches), 0);
    // Neighbours share a group; one of the seven projections has no pair.
    assert_eq!(grouped([Some(&pairs), Some(&pairs), None], &mut caches), 2 * 6);
    assert_eq!(grouped([Some(&pairs), None, Some(&pairs)], &mut caches), 2 * 2 * 6);
}

#[test]
fn rows_keep_their_bits_beside_others_with_ends_of_their_own() {
    for config in [tiny(), untied()] {
        let (decoder, ends) = (fresh(config.clone()), Ends::new(&config));
        let adapters = [None, Some(&ends as &dyn Adapter), None, Some(&ends)];
        let mut caches = [cache(), cache(), cache(), cache()];
        let with = |(cache, adapter)| Continued { ids: &IDS, cache, adapter, wants: Wanted::Last };
        let mut sequences: Vec<_> = caches.iter_mut().zip(adapters).map(with).collect();
        let together = decoder.forward_batch(&mut sequences).unwrap();
        for (row, adapter) in adapters.into_iter().enumerate() {
            let alone = decoder.forward(&IDS, &mut cache(), adapter).unwrap();
            assert_close("logits", &together.get(row).unwrap(), &alone, 0.0);
        }
        assert_ne!(flat(&together.get(0).unwrap()), flat(&together.get(1).unwrap()));
    }
}

#[test]
fn an_adapter_changes_the_logits_as_its_merged_weights_do() {
    let (config, adapter) = (tiny(), Pairs::new(&tiny(), 3, 0.0));
    let decoder = fresh(config.clone());
    let mut tensors: BTreeMap<String, Tensor> = decoder.named_tensors().unwrap().into_iter().collect();
    for ((layer, projection), pair) in &adapter.pairs {
        let name = projection.weight_name(*layer);
        let update = (pair.b.tensor().unwrap().matmul(&pair.a.tensor().unwrap()).unwrap() * pair.scale)
            .unwrap()
            .detach();
        tensors.insert(name.clone(), (&tensors[&name] + update).unwrap());
    }
    let merged = Decoder::from_tensors(config, tensors, &Device::Cpu).unwrap();
    let found = decoder.forward_all(&IDS, Some(&adapter)).unwrap();
    assert_close("logits", &found, &merged.forward_all(&IDS, None).unwrap(), 1e-5);
    let base = decoder.forward_all(&IDS, None).unwrap();
    assert_ne!(flat(&found), flat(&base));
}

#[test]
fn logits_carry_no_tape() {
    let (decoder, adapter) = (fresh(tiny()), Pairs::new(&tiny(), 2, 0.0));
    assert!(!decoder.forward_all(&IDS, Some(&adapter)).unwrap().track_op());
}

#[test]
fn a_refused_call_leaves_the_cache_as_it_was() {
    let (decoder, mut cache) = (fresh(tiny()), cache());
    let first = decoder.forward(&IDS, &mut cache, None).unwrap();
    let error = decoder.forward(&IDS, &mut cache, None).unwrap_err().to_string();
    assert!(error.contains("24 tokens do not fit the cache of 16"), "{error}");
    assert!(matches!(decoder.forward(&[], &mut cache, None), Err(ModelError::EmptyInput)));
    let error = decoder.forward(&[1, 61], &mut cache, None).unwrap_err().to_string();
    assert!(error.contains("token id 61 at position 1"), "{error}");
    assert_eq!((cache.len(), cache.capacity()), (12, 16));
    cache.truncate(11);
    assert_eq!(flat(&decoder.forward(&IDS[11..], &mut cache, None).unwrap()).len(), flat(&first).len());
    assert!(cache.bytes() > 0 && !cache.is_empty());
}

#[test]
fn weights_survive_a_round_trip_through_shards() {
    let dir = tempfile::tempdir().unwrap();
    let decoder = fresh(untied());
    let tensors = decoder.named_tensors().unwrap();
    let (first, second) = tensors.split_at(tensors.len() / 2);
    let files = [dir.path().join("a.safetensors"), dir.path().join("b.safetensors")];
    save_tensors(&files[0], first, &BTreeMap::new()).unwrap();
    save_tensors(&files[1], second, &BTreeMap::new()).unwrap();
    let loaded = Decoder::load(untied(), &files, DType::F32, &Device::Cpu).unwrap();
    let expected = decoder.forward_all(&IDS, None).unwrap();
    assert_close("logits", &loaded.forward_all(&IDS, None).unwrap(), &expected, 0.0);
    // bf16 keeps eight bits of each weight.
    let narrow = Decoder::load(untied(), &files, DType::BF16, &Device::Cpu).unwrap();
    assert_close("bf16 logits", &narrow.forward_all(&IDS, None).unwrap(), &expected, 0.05);
    assert!(narrow.bytes() < loaded.bytes());
    // int8 keeps seven bits of the largest of 64, and of inputs too: the worst of 732 logits is off by several deviations of 1 %.
    let int8 = Decoder::load(untied(), &files, Format::Int8, &Device::Cpu).unwrap();
    assert_close("int8 logits", &int8.forward_all(&IDS, None).unwrap(), &expected, 0.1);
    assert!(int8.bytes() < narrow.bytes());
}

#[test]
fn a_model_loaded_as_int8_answers_with_adapters_and_is_not_trained() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.safetensors");
    let (fresh, adapter) = (fresh(tiny()), Pairs::new(&tiny(), 3, 0.0));
    save_tensors(&file, &fresh.named_tensors().unwrap(), &BTreeMap::new()).unwrap();
    let mut decoder = Decoder::load(tiny(), &[file], Format::Int8, &Device::Cpu).unwrap();
    let expected = fresh.forward_all(&IDS, Some(&adapter)).unwrap();
    let found = decoder.forward_all(&IDS, Some(&adapter)).unwrap();
    assert_close("logits with an adapter", &found, &expected, 0.1);

    let (key, batch) = (DropoutKey::default(), batch(5));
    let parameters = &adapter.parameters;
    let refused = forward_backward(&decoder, Some(&adapter), parameters, &batch, 1.0, key).unwrap_err();
    assert!(refused.to_string().contains("load it as f32 or bf16 to train"), "{refused}");
    let refused = decoder.set_trainable(Some(Format::Bf16)).unwrap_err();
    assert!(matches!(refused, ModelError::AnswersAlone));
}

fn load_with(change: impl Fn(&mut Vec<(String, Tensor)>)) -> ModelError {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.safetensors");
    let mut tensors = fresh(tiny()).named_tensors().unwrap();
    change(&mut tensors);
    save_tensors(&file, &tensors, &BTreeMap::new()).unwrap();
    Decoder::load(tiny(), &[file], DType::F32, &Device::Cpu).unwrap_err()
}

#[test]
fn a_tensor_missing_unknown_or_of_another_shape_is_named() {
    let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu).unwrap();
    let missing = load_with(|t| t.retain(|(name, _)| !name.contains("layers.1.mlp.up")));
    assert!(missing.to_string().contains("lack model.layers.1.mlp.up_proj.weight"), "{missing}");
    let unknown = load_with(|t| t.push(("model.layers.2.mlp.bias".to_owned(), zeros(1))));
    assert!(unknown.to_string().contains("no place for: model.layers.2.mlp.bias"), "{unknown}");
    let shape = load_with(|t| t[1].1 = zeros(23));
    assert!(shape.to_string().contains("input_layernorm.weight has shape [23]"), "{shape}");
}

#[test]
fn files_that_are_absent_doubled_or_something_else_are_named_without_their_folder() {
    let dir = tempfile::tempdir().unwrap();
    let load = |names: &[&str]| {
        let files: Vec<_> = names.iter().map(|name| dir.path().join(name)).collect();
        Decoder::load(tiny(), &files, DType::F32, &Device::Cpu).unwrap_err().to_string()
    };
    save_tensors(&dir.path().join("a"), &fresh(tiny()).named_tensors().unwrap(), &BTreeMap::new()).unwrap();
    std::fs::write(dir.path().join("pickle.bin"), b"\x80\x02}q\x00.").unwrap();
    assert!(load(&["absent"]).starts_with("absent: "));
    assert!(load(&["pickle.bin"]).starts_with("pickle.bin is not a valid safetensors file"));
    assert!(load(&["a", "a"]).contains("stored in more than one weight file"));
    assert!(load(&[]).contains("and 15 more"));
}

#[test]
fn a_stored_copy_of_a_tied_head_and_old_rotary_buffers_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.safetensors");
    let mut tensors = fresh(tiny()).named_tensors().unwrap();
    tensors.push((HEAD.to_owned(), tensors[0].1.clone()));
    let frequencies = Tensor::zeros(5, DType::F32, &Device::Cpu).unwrap();
    tensors.push(("model.layers.0.self_attn.rotary_emb.inv_freq".to_owned(), frequencies));
    save_tensors(&file, &tensors, &BTreeMap::new()).unwrap();
    Decoder::load(tiny(), &[file], DType::F32, &Device::Cpu).unwrap();
}

#[test]
fn variables_are_shown_by_the_decoder_as_they_change() {
    let mut decoder = fresh(tiny());
    let before = decoder.forward_all(&IDS, None).unwrap();
    let parameters = decoder.set_trainable(None).unwrap();
    assert_close("logits", &decoder.forward_all(&IDS, None).unwrap(), &before, 0.0);
    let (_, table) = &parameters[0];
    table.set(&table.affine(0.5, 0.1).unwrap().detach()).unwrap();
    assert_ne!(flat(&decoder.forward_all(&IDS, None).unwrap()), flat(&before));
    let again = decoder.set_trainable(None).unwrap();
    assert!(again.iter().zip(&parameters).all(|(a, b)| a.1.as_tensor().id() == b.1.as_tensor().id()));
}

#[test]
fn the_loss_falls_by_candles_tape_alone() {
    // The same forward pass over tracked tensors: what the written backward pass is compared with elsewhere.
    let tensors: BTreeMap<String, Tensor> = fresh(tiny())
        .named_tensors()
        .unwrap()
        .into_iter()
        .map(|(name, t)| (name, Var::from_tensor(&t).unwrap().into_inner()))
        .collect();
    let decoder = Decoder::from_tensors(tiny(), tensors.clone(), &Device::Cpu).unwrap();
    let labels: Vec<i64> = IDS.iter().map(|id| i64::from(*id)).collect();
    let segments = Segments::new(&[IDS.len()]);
    let loss = || {
        let hidden = decoder.hidden(&IDS, &segments, None).unwrap();
        cross_entropy_sum(&hidden, decoder.head().numbers(), &labels, &LossOptions::default()).unwrap()
    };
    let before = loss();
    let gradients = before.backward().unwrap();
    for tensor in tensors.values() {
        let step = (gradients.get(tensor).unwrap() * 1e-3).unwrap();
        Var::from_tensor(tensor).unwrap().set(&(tensor.detach() - step).unwrap()).unwrap();
    }
    assert!(loss().to_scalar::<f32>().unwrap() < before.to_scalar::<f32>().unwrap());
}
