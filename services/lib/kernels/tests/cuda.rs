//! Holds every op on the first CUDA device against the CPU's kernels: `cargo test -p rootstock-kernels --features cuda --test cuda`.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "cases/ops.rs"]
mod ops;
#[path = "cases/told.rs"]
mod told;

use std::sync::LazyLock;

use candle_core::{Device, Tensor};
use rootstock_kernels::{
    Format, Heads, KeyValuePage, KeyValues, LinearInput, LinearWeight, Random, Sight, WeightArena,
    attention_cached, cuda_devices, linear,
};
use told::Told;

static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::new_cuda(0).unwrap());

macro_rules! device_as_cpu {
    ($($story:ident),* $(,)?) => {
        $(
            #[test]
            fn $story() {
                told::same(&Told::by(ops::$story, &Device::Cpu), &Told::by(ops::$story, &DEVICE));
            }
        )*
    };
}

ops::every_story!(device_as_cpu);

fn normal(shape: (usize, usize), device: &Device) -> Tensor {
    Random::new(1, 0).normal_tensor(shape, 0.0, 1.0, device).unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(call: candle_core::Result<T>, because: &str) {
    let error = call.unwrap_err().to_string();
    assert!(error.contains(because), "{error}");
}

#[test]
fn int8_is_for_the_cpu_alone() {
    let weight = LinearWeight::frozen_as(&normal((5, 4), &DEVICE), Format::Int8, &mut WeightArena::new(0));
    refused(weight, "load the model as bf16 or f32");
}

#[test]
fn an_input_and_a_weight_on_different_devices_are_refused() {
    let (x, w) = (normal((3, 4), &DEVICE), normal((5, 4), &Device::Cpu));
    for weight in [LinearWeight::frozen(&w).unwrap(), w.into()] {
        refused(linear(&LinearInput::from(&x), &weight), "linear: the input lies on Cuda");
        let x = x.to_device(&Device::Cpu).unwrap();
        let weight = LinearWeight::from(weight.tensor().unwrap().to_device(&DEVICE).unwrap());
        refused(linear(&LinearInput::from(&x), &weight), "linear: the input lies on Cpu");
    }
}

#[test]
fn pages_and_caches_of_the_cpu_are_refused() {
    let heads = Heads { query: 1, key_value: 1, dim: 2, sight: Sight::Past };
    let rows = normal((KeyValuePage::TOKENS, 2), &Device::Cpu);
    let [mut host, mut device] =
        [&Device::Cpu, &*DEVICE].map(|device| KeyValues::new(heads, Format::F32, device));
    host.append(&rows, &rows).unwrap();
    refused(device.attach(host.page(0).unwrap()), "append keys and values instead");
    let queries = rows.to_device(&DEVICE).unwrap();
    refused(attention_cached(&queries, &[(64, &host)], heads), "a cache in main memory");
    device.append(&queries, &queries).unwrap();
    assert!(device.page(0).is_none());
    refused(attention_cached(&rows, &[(64, &device)], heads), "a cache elsewhere");
}

#[test]
fn the_device_is_named_with_its_memory() {
    let devices = cuda_devices().unwrap().unwrap();
    assert!(devices[0].ends_with("GiB)"), "{devices:?}");
}
