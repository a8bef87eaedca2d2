//! What a story tells on a device: tensors by name, held against what the same story tells on another.

use std::fmt::Debug;

use candle_core::{DType, Device, Result, Tensor};

/// The share of the largest number by which f32 results may differ.
pub(crate) const F32: f32 = 1e-4;
/// What has no larger number is the rounding of what cancels.
const SMALLEST: f32 = 1e-2;

/// What a device tells.
pub(crate) struct Told {
    pub(crate) device: Device,
    /// By name, and how far another device's may lie from them.
    tensors: Vec<(String, Tensor, f32)>,
}

/// Holds what one run of a story tells against another's; all differences are shown.
#[track_caller]
pub(crate) fn same(expected: &Told, found: &Told) {
    assert_eq!(expected.tensors.len(), found.tensors.len());
    assert!(!expected.tensors.is_empty());
    let differences: Vec<String> =
        expected.tensors.iter().zip(&found.tensors).filter_map(|(a, b)| difference(a, b)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn difference(expected: &(String, Tensor, f32), found: &(String, Tensor, f32)) -> Option<String> {
    let ((name, expected, tolerance), (told, found, _)) = (expected, found);
    if told != name || expected.dims() != found.dims() {
        return Some(format!("{told} is {:?}, not {name} {:?}", found.dims(), expected.dims()));
    }
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (expected, found) = (flat(expected), flat(found));
    let scale = expected.iter().fold(SMALLEST, |max, number| max.max(number.abs()));
    let far = |(a, b): (&f32, &f32)| if b.is_finite() { (a - b).abs() / scale } else { f32::INFINITY };
    let apart = expected.iter().zip(&found).map(far).enumerate();
    let (place, worst) = apart.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (worst > *tolerance).then(|| {
        let (a, b) = (expected[place], found[place]);
        format!("{name}[{place}] is {b} and not {a}: off by {worst:e} of {scale}, more than {tolerance:e}")
    })
}

impl Told {
    /// What a story tells on this device.
    pub(crate) fn by<E: Debug>(story: fn(&mut Self) -> std::result::Result<(), E>, device: &Device) -> Self {
        let mut told = Self { device: device.clone(), tensors: Vec::new() };
        story(&mut told).unwrap();
        told
    }

    pub(crate) fn tell(&mut self, name: impl Into<String>, tensor: &Tensor, tolerance: f32) -> Result<()> {
        let here = tensor.detach().to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous()?;
        self.tensors.push((name.into(), here, tolerance));
        Ok(())
    }

    pub(crate) fn tell_number(&mut self, name: &str, number: f64) -> Result<()> {
        self.tell(name, &Tensor::new(number as f32, &Device::Cpu)?, F32)
    }
}
