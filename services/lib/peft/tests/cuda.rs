//! Holds training steps and answers on the first CUDA device against the CPU's: `cargo test -p rootstock-peft --features cuda --test cuda`.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "cases/steps.rs"]
mod steps;
#[path = "../../kernels/tests/cases/told.rs"]
mod told;

use std::sync::LazyLock;

use candle_core::Device;
use told::Told;

static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::new_cuda(0).unwrap());

macro_rules! device_as_cpu {
    ($($story:ident),* $(,)?) => {
        $(
            #[test]
            fn $story() {
                told::same(&Told::by(steps::$story, &Device::Cpu), &Told::by(steps::$story, &DEVICE));
            }
        )*
    };
}

steps::every_story!(device_as_cpu);
