//! Holds every op composed of candle's operations, as devices without kernels compute it, against the CPU's kernels.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "cases/ops.rs"]
mod ops;
#[path = "cases/told.rs"]
mod told;

use candle_core::Device;
use rootstock_kernels::with_composed;
use told::Told;

macro_rules! composed_as_fused {
    ($($story:ident),* $(,)?) => {
        $(
            #[test]
            fn $story() {
                let fused = Told::by(ops::$story, &Device::Cpu);
                told::same(&fused, &with_composed(|| Told::by(ops::$story, &Device::Cpu)));
            }
        )*
    };
}

ops::every_story!(composed_as_fused);
