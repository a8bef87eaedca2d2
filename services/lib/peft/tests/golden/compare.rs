//! Counts comparisons, keeps the worst, and fails above the tolerance, so that a run says how close it came.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Tensor};
use rootstock_kernels::Gradient;

use crate::Outcome;

/// Largest relative error allowed: of a number to itself, of a tensor's elements to its largest one.
const TOLERANCE: f64 = 1e-4;

/// The comparisons of one test.
pub(crate) struct Comparison {
    subject: &'static str,
    tensors: usize,
    numbers: usize,
    worst: (f64, String),
}

impl Comparison {
    pub(crate) fn new(subject: &'static str) -> Self {
        Self { subject, tensors: 0, numbers: 0, worst: (0.0, "nothing".to_owned()) }
    }

    pub(crate) fn number(&mut self, name: &str, actual: f64, expected: f64) {
        self.record(name, (actual - expected).abs() / expected.abs(), 1);
    }

    pub(crate) fn tensor(&mut self, name: &str, actual: &Tensor, expected: &Tensor) -> Outcome {
        assert_eq!(actual.dims(), expected.dims(), "shape of {name}");
        assert_eq!(actual.dtype(), DType::F32, "dtype of {name}");
        let (actual, expected) =
            (actual.flatten_all()?.to_vec1::<f32>()?, expected.flatten_all()?.to_vec1::<f32>()?);
        let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(f64::from(value.abs())));
        assert!(largest > 0.0, "{name} is expected to be zero: it proves nothing");
        let mut error = 0.0_f64;
        for (actual, expected) in actual.iter().zip(&expected) {
            assert!(actual.is_finite(), "{name} is not finite");
            error = error.max(f64::from((actual - expected).abs()) / largest);
        }
        self.record(name, error, expected.len());
        Ok(())
    }

    /// Compares by name; a name that only one side has is a failure.
    pub(crate) fn tensors(
        &mut self,
        subject: &str,
        actual: &BTreeMap<String, Gradient>,
        expected: &HashMap<String, Tensor>,
    ) -> Outcome {
        let mut names: Vec<_> = expected.keys().collect();
        names.sort();
        assert!(actual.keys().eq(names), "{subject}: the names of the tensors differ");
        for (name, gradient) in actual {
            self.tensor(&format!("{subject}: {name}"), &gradient.dense()?, &expected[name])?;
        }
        Ok(())
    }

    fn record(&mut self, name: &str, error: f64, numbers: usize) {
        self.tensors += 1;
        self.numbers += numbers;
        if error > self.worst.0 || error.is_nan() {
            self.worst = (error, name.to_owned());
        }
        assert!(error <= TOLERANCE, "{}: {name}: relative error {error:e}", self.subject);
    }

    /// Prints what was compared.
    pub(crate) fn finish(self) -> Outcome {
        let Self { subject, tensors, numbers, worst: (error, name) } = self;
        println!("golden: {subject}: {tensors} comparisons of {numbers} numbers, worst {error:.1e} ({name})");
        Ok(())
    }
}
