//! The two layers that make a prefix while it is trained (PEFT's `PrefixEncoder` with `prefix_projection`); they are not kept after.

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use rootstock_kernels::{LinearInput, LinearWeight, Random, add_bias, linear};

const NAMES: [&str; 5] = [
    "prompt_encoder.embedding.weight",
    "prompt_encoder.transform.0.bias",
    "prompt_encoder.transform.0.weight",
    "prompt_encoder.transform.2.bias",
    "prompt_encoder.transform.2.weight",
];

/// `W2 tanh(W1 e + b1) + b2` of each virtual token's e.
#[derive(Debug)]
pub(super) struct Encoder {
    /// In the order of [`NAMES`].
    variables: [Var; 5],
}

impl Encoder {
    /// Begun as PEFT does: e [n, width] from N(0, 1), the layers evenly from +-1/sqrt(inputs).
    pub(super) fn init(
        (tokens, width, hidden, outputs): (usize, usize, usize, usize),
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let draw = |name: &str, shape: &[usize], inputs: usize| {
            let (random, bound) = (Random::named(seed, name), 1.0 / (inputs as f64).sqrt());
            let drawn = match inputs {
                0 => random.normal_tensor(shape, 0.0, 1.0, device)?,
                _ => random.uniform_tensor(shape, -bound, bound, device)?,
            };
            Var::from_tensor(&drawn.to_dtype(DType::F32)?)
        };
        let [embedding, first_bias, first, second_bias, second] = NAMES;
        let variables = [
            draw(embedding, &[tokens, width], 0)?,
            draw(first_bias, &[hidden], width)?,
            draw(first, &[hidden, width], width)?,
            draw(second_bias, &[outputs], hidden)?,
            draw(second, &[outputs, hidden], hidden)?,
        ];
        Ok(Self { variables })
    }

    /// The variables by their names in PEFT.
    pub(super) fn parameters(&self) -> Vec<(String, Var)> {
        NAMES.iter().map(|name| (*name).to_owned()).zip(self.variables.iter().cloned()).collect()
    }

    /// The keys and values [n, outputs], f32, which a tape can follow back to the variables.
    pub(super) fn encode(&self) -> Result<Tensor> {
        let [embedding, first_bias, first, second_bias, second] =
            self.variables.each_ref().map(Var::as_tensor);
        let layer = |x: &Tensor, weight: &Tensor, bias: &Tensor| {
            add_bias(&linear(&LinearInput::from(x), &LinearWeight::from(weight.clone()))?, bias)
        };
        layer(&layer(embedding, first, first_bias)?.tanh()?, second, second_bias)
    }

    /// The variables' gradients, in their order, from that of the keys and values.
    pub(super) fn gradients(&self, of_output: &Tensor) -> Result<Vec<(String, Tensor)>> {
        let gradients = (self.encode()? * of_output)?.sum_all()?.backward()?;
        let of = |(name, variable): (String, Var)| match gradients.get(&variable) {
            Some(gradient) => Ok((name, gradient.clone())),
            None => bail!("nothing leads back to {name}"),
        };
        self.parameters().into_iter().map(of).collect()
    }
}
