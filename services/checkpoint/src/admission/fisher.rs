//! Fisher information: numbers for weights of the base model that it was measured on.
use std::collections::BTreeMap;

use rootstock_artifacts::Digest;
use rootstock_artifacts::check::TensorInfo;
use rootstock_artifacts::check::safetensors::Dtype;

use super::{AdmissionError, Inspection};

impl Inspection {
    /// An artifact of Fisher information.
    pub(super) fn fisher(
        self,
        tensors: &BTreeMap<String, Vec<TensorInfo>>,
    ) -> Result<Option<Digest>, AdmissionError> {
        let base = self.base.ok_or(AdmissionError::Field {
            field: "artifact.base_digest",
            problem: "must name the base model that the Fisher information was measured on",
        })?;
        let weights: BTreeMap<String, Vec<usize>> =
            base.config.tensors().into_iter().map(|spec| (spec.name, spec.shape)).collect();
        for (file, tensor) in
            tensors.iter().flat_map(|(file, tensors)| tensors.iter().map(move |tensor| (file, tensor)))
        {
            if tensor.dtype != Dtype::F32 || weights.get(&tensor.name) != Some(&tensor.shape) {
                let problem = format!(
                    "tensor `{}`, {:?} {:?}, is none of the base model's weights as F32",
                    tensor.name, tensor.dtype, tensor.shape
                );
                return Err(AdmissionError::tensor(file, problem));
            }
        }
        Ok(self.tokenizer_digest.or(base.tokenizer_digest))
    }
}
