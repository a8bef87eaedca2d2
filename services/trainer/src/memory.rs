//! Whether a new model can be trained in this machine's memory, told when the job is created and not when it is killed.

use rootstock_proto::tokenization::v1::Tokenizer;

use crate::{
    convert::model_config,
    error::Error,
    spec::{Spec, Start},
};

/// Bytes for each parameter: the weight, its gradient and its two moments, in f32.
const BYTES_PER_PARAMETER: u64 = 16;
/// Where Linux says how much memory there is; elsewhere nothing is checked.
const MEMINFO: &str = "/proc/meminfo";

/// Refuses a new model that this machine has no memory for.
pub(crate) fn check(spec: &Spec, tokenizer: &Tokenizer) -> Result<(), Error> {
    let total = std::fs::read_to_string(MEMINFO).ok().and_then(|text| total(&text));
    match total {
        Some(total) => within(spec, tokenizer, total),
        None => Ok(()),
    }
}

fn within(spec: &Spec, tokenizer: &Tokenizer, total: u64) -> Result<(), Error> {
    let Start::New(model) = &spec.start else { return Ok(()) };
    let vocab_size = usize::try_from(tokenizer.vocab_size).unwrap_or_default();
    let parameters = model_config(model, vocab_size, None, None).parameters() as u64;
    let needed = parameters.saturating_mul(BYTES_PER_PARAMETER);
    if needed <= total {
        return Ok(());
    }
    let message = format!(
        "has {parameters} parameters, whose weights, gradients and moments take {} MiB, but this machine has {} MiB; \
         make it smaller",
        needed >> 20,
        total >> 20
    );
    Err(Error::invalid("spec.new_model", message))
}

/// Bytes of memory, of what the system says.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::tests::causal;

    #[test]
    fn a_new_model_that_cannot_fit_is_refused_with_the_figures() {
        let total = total("MemTotal:       1024 kB\nMemFree:  12 kB\n").unwrap();
        assert_eq!(total, 1 << 20);
        let spec = Spec::try_from(&causal()).unwrap();
        let tokenizer = |vocab_size| Tokenizer { vocab_size, ..Tokenizer::default() };
        within(&spec, &tokenizer(256), total).unwrap();
        match within(&spec, &tokenizer(4096), total) {
            Err(Error::Invalid { field, message }) => {
                assert_eq!(field, "spec.new_model");
                assert!(message.contains("MiB"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}
