//! Texts out of which spans are cut each time they are seen: the tokens that this takes, looked up in the tokenizer, and the rows.

use std::sync::Arc;

use rootstock_kernels::Random;
use rootstock_text::{Denoised, Denoiser as Mixed, Denoising, MIN_DENOISED, TextTokenizer, document_blocks};

use super::fault::{Fault, of_job};
use crate::spec::Denoiser;

/// Most sentinels looked for; T5 has 100, UL2 as many.
const MAX_SENTINELS: usize = 1024;

/// Texts and how they are denoised.
#[derive(Clone, Debug)]
pub(crate) struct Infilling {
    pub(crate) texts: Vec<Vec<u32>>,
    denoising: Arc<Denoising>,
    seed: u64,
}

impl Infilling {
    /// Cuts documents into texts, and gives the number of those left out because they hold tokens that are put in.
    pub(crate) fn new(
        documents: impl IntoIterator<Item = Vec<u32>>,
        denoising: Denoising,
        (max_length, seed): (usize, u64),
    ) -> Result<(Self, u64), Fault> {
        let length = denoising.text_length(max_length);
        if length < MIN_DENOISED {
            let field = "spec.infilling.max_length";
            return Err(Fault::Job(format!("{field} is {max_length}, in which no text fits; raise it")));
        }
        let cut = document_blocks(documents, length);
        tracing::info!(documents = cut.documents, tokens = cut.tokens, cut = cut.cut, "text read");
        let (texts, refused): (Vec<_>, Vec<_>) =
            cut.blocks.into_iter().partition(|text| denoising.accepts(text));
        Ok((Self { texts, denoising: Arc::new(denoising), seed }, refused.len() as u64))
    }

    /// A text as it is seen in the pass `epoch`.
    pub(super) fn drawn(&self, row: usize, epoch: u64) -> Denoised {
        self.denoise(row, Random::named(self.seed, "denoising").child(epoch))
    }

    /// A text as it is validated: the same each time.
    pub(super) fn fixed(&self, row: usize) -> Denoised {
        self.denoise(row, Random::named(self.seed, "denoising for validation"))
    }

    fn denoise(&self, row: usize, random: Random) -> Denoised {
        let random = random.child(row as u64);
        self.denoising.denoise(&self.texts[row], |n| random.uniform(n))
    }

    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let texts = rows.iter().map(|row| self.texts[*row].clone()).collect();
        Self { texts, denoising: self.denoising.clone(), seed: self.seed }
    }

    /// The same texts, out of which another seed cuts.
    pub(super) fn drawn_by(&self, seed: u64) -> Self {
        Self { seed, ..self.clone() }
    }

    /// The texts of both, which are denoised alike.
    pub(super) fn joined(mut self, other: Self) -> Self {
        self.texts.extend(other.texts);
        self
    }

    pub(super) fn highest_id(&self) -> Option<u32> {
        self.texts.iter().flatten().copied().max().max(self.denoising.written().max())
    }
}

/// Looks up what the denoisers write.
pub(super) fn denoising(denoisers: &[Denoiser], tokenizer: &TextTokenizer) -> Result<Denoising, Fault> {
    let Some(eos) = tokenizer.special_tokens().eos.as_ref().map(|token| token.id) else {
        let message =
            "the tokenizer has no eos_token, which ends each row; name one in tokenizer_config.json";
        return Err(Fault::Job(message.to_owned()));
    };
    let sentinel = |number: usize| tokenizer.token_to_id(&format!("<extra_id_{number}>"));
    let sentinels = (0..MAX_SENTINELS).map_while(sentinel).collect();
    let mixed = denoisers.iter().enumerate().map(|(i, denoiser)| {
        let prefix = denoiser.prefix_token.as_ref().map(|token| {
            tokenizer.token_to_id(token).ok_or_else(|| {
                let field = format!("spec.infilling.denoisers[{i}].prefix_token");
                Fault::Job(format!(
                    "{field}: the tokenizer has no token {token}; train one with it as a special token"
                ))
            })
        });
        Ok(Mixed { corruption: denoiser.corruption, prefix: prefix.transpose()?, weight: denoiser.weight })
    });
    let mixed = mixed.collect::<Result<_, Fault>>()?;
    Denoising::new(mixed, sentinels, eos).map_err(|error| match error {
        rootstock_text::DenoiseError::NoSentinels => Fault::Job(
            "spec.infilling: the tokenizer has no sentinel <extra_id_0>; train one with <extra_id_0>, <extra_id_1> and \
             so on as special tokens"
                .to_owned(),
        ),
        error => of_job("spec.infilling")(&error),
    })
}
