//! Which CUDA devices this machine has, for those who built with them.

use candle_core::Result;

/// The CUDA devices of this machine in the order of their numbers, each by its name and memory; `None` where this was built without
/// the feature `cuda`.
///
/// # Errors
/// When the driver finds no device, or can't use one.
pub fn cuda_devices() -> Result<Option<Vec<String>>> {
    #[cfg(feature = "cuda")]
    {
        found().map(Some)
    }
    #[cfg(not(feature = "cuda"))]
    {
        Ok(None)
    }
}

#[cfg(feature = "cuda")]
fn found() -> Result<Vec<String>> {
    use candle_core::cuda_backend::{WrapErr, cudarc::driver::CudaContext};

    let describe = |number: usize| {
        let device = CudaContext::new(number).w()?;
        let memory = device.total_mem().w()? as f64 / f64::from(1 << 30);
        Ok(format!("{} ({memory:.0} GiB)", device.name().w()?))
    };
    (0..CudaContext::device_count().w()? as usize).map(describe).collect()
}
