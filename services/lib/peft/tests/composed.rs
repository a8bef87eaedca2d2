//! Holds training steps and answers composed of candle's operations, as devices without kernels compute them, against the CPU's kernels.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "cases/steps.rs"]
mod steps;
#[path = "../../kernels/tests/cases/told.rs"]
mod told;

use candle_core::Device;
use rootstock_kernels::with_composed;
use told::Told;

macro_rules! composed_as_fused {
    ($($story:ident),* $(,)?) => {
        $(
            #[test]
            fn $story() {
                let fused = Told::by(steps::$story, &Device::Cpu);
                told::same(&fused, &with_composed(|| Told::by(steps::$story, &Device::Cpu)));
            }
        )*
    };
}

steps::every_story!(composed_as_fused);
