//! From a data set's files to rows of token ids.

use std::sync::Arc;

use rootstock_client::FetchedArtifact;
use rootstock_text::{LabelledText, TextTokenizer, causal_blocks};

use super::{
    apart::fingerprint,
    encode::{Encoder, How},
    fault::Fault,
    files::{documents, files, labelled_texts},
    infilling::{Infilling, denoising},
    inputs::blocking,
    labelled::Labelled,
    masked::{MaskedTexts, Words},
    questions::{Asking, Questions},
    rows::Rows,
};
use crate::spec::{Denoiser, Masked, Objective};

/// A document is encoded in pieces of about this many bytes.
const PIECE_BYTES: usize = 64 << 10;
/// A piece without a line end is cut here, whatever stands there.
const MAX_PIECE_BYTES: usize = 512 << 10;

/// Reads data sets for one job.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) encoder: Encoder,
    pub(crate) tokenizer: Arc<TextTokenizer>,
    pub(crate) objective: Objective,
    pub(crate) seed: u64,
}

/// What a data set holds.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) rows: Rows,
    /// Rows left out because they are too long or would teach nothing once cut, or texts that hold tokens which are put in.
    pub(super) dropped: u64,
    /// Rows of which a part was cut off.
    pub(super) truncated: u64,
    /// Fingerprints of documents, whose rows depend on what stands around them; empty for other rows.
    pub(super) documents: Vec<u64>,
}

impl From<Rows> for Read {
    fn from(rows: Rows) -> Self {
        Self { rows, dropped: 0, truncated: 0, documents: Vec::new() }
    }
}

impl Reader {
    /// Reads a whole data set; `field` is the one that names it.
    pub(super) async fn read(&self, field: &'static str, dataset: &FetchedArtifact) -> Result<Read, Fault> {
        let files = Arc::new(files(field, dataset)?);
        match &self.objective {
            Objective::Classification(classification) => {
                let texts = blocking(move || labelled_texts(field, &files, None)).await?;
                self.classification(texts.into_iter().map(|(_, text)| text), classification.max_length).await
            }
            Objective::Supervised { prompt_template, paraphrase_columns, max_length, truncation, .. } => {
                let asking = Asking { template: *prompt_template, paraphrases: paraphrase_columns.clone() };
                let (contents, tokenizer) = (Arc::clone(&files), Arc::clone(&self.tokenizer));
                let read = move || Questions::read(field, &contents, &asking, &tokenizer, None);
                let questions = blocking(read).await?;
                self.supervised((field, files), questions, (*max_length, *truncation)).await
            }
            Objective::Causal { .. } | Objective::Infilling { .. } | Objective::Masked(_) => {
                let documents = blocking(move || documents(field, &files, None)).await?;
                let texts: Vec<String> = documents.into_iter().map(|(_, text)| text).collect();
                let documents = texts.iter().map(fingerprint).collect();
                Ok(Read { documents, ..self.blocks(texts).await? })
            }
        }
    }

    /// Rows that documents are cut into.
    async fn blocks(&self, documents: Vec<String>) -> Result<Read, Fault> {
        match &self.objective {
            Objective::Infilling { max_length, denoisers } => {
                self.infilling(documents, denoisers, *max_length).await
            }
            Objective::Masked(masked) => self.masked(documents, *masked).await,
            objective => self.causal(documents, objective.longest().0).await,
        }
    }

    async fn causal(&self, documents: Vec<String>, block_size: usize) -> Result<Read, Fault> {
        let documents = self.encoded(documents).await?;
        let eos = self.tokenizer.special_tokens().eos.as_ref().map(|token| token.id);
        let packed = causal_blocks(documents, eos, block_size);
        tracing::info!(
            documents = packed.documents,
            tokens = packed.tokens,
            blocks = packed.blocks.len(),
            "text read"
        );
        Ok(Rows::Causal(packed.blocks).into())
    }

    async fn infilling(
        &self,
        documents: Vec<String>,
        denoisers: &[Denoiser],
        max_length: usize,
    ) -> Result<Read, Fault> {
        let denoising = denoising(denoisers, &self.tokenizer)?;
        let documents = self.encoded(documents).await?;
        let how = (max_length, self.seed);
        let (infilling, dropped) = blocking(move || Infilling::new(documents, denoising, how)).await?;
        Ok(Read { dropped, ..Rows::Infilling(infilling).into() })
    }

    async fn classification(
        &self,
        rows: impl Iterator<Item = LabelledText>,
        max_length: usize,
    ) -> Result<Read, Fault> {
        let (texts, labels): (Vec<_>, Vec<_>) = rows.map(|row| (row.text, row.label)).unzip();
        let how = How { add_special_tokens: true, return_offsets: false };
        let encodings = self.encoder.encode(texts, how).await?;
        let all = encodings.len();
        let labelled = blocking(move || {
            let rows = encodings.into_iter().map(|encoding| encoding.ids).zip(labels);
            Ok(Labelled::new(rows.filter(|(ids, _)| (1..=max_length).contains(&ids.len()))))
        });
        let labelled = labelled.await?;
        let dropped = (all - labelled.rows.len()) as u64;
        Ok(Read { dropped, ..Rows::Labelled(labelled).into() })
    }

    async fn masked(&self, documents: Vec<String>, objective: Masked) -> Result<Read, Fault> {
        let (counts, pieces) = self.pieces(documents);
        let how = How { add_special_tokens: false, return_offsets: true };
        let encodings = self.encoder.encode(pieces.clone(), how).await?;
        let (tokenizer, seed) = (Arc::clone(&self.tokenizer), self.seed);
        let masked = blocking(move || {
            let mut words = pieces.iter().zip(encodings).map(|(piece, encoding)| {
                let offsets = encoding.start_offsets.into_iter().zip(encoding.end_offsets);
                Words::of_piece(piece, encoding.ids, offsets, &tokenizer)
            });
            let documents = counts.into_iter().map(|count| {
                let mut document = Words::default();
                words.by_ref().take(count).for_each(|piece| document.extend(piece));
                document
            });
            MaskedTexts::new(documents, &tokenizer, (&objective, seed))
        });
        Ok(Rows::Masked(masked.await?).into())
    }

    /// Documents in pieces to be encoded, and how many there are of each.
    fn pieces(&self, documents: Vec<String>) -> (Vec<usize>, Vec<String>) {
        let whole = adds_space(&self.tokenizer);
        let mut counts = Vec::with_capacity(documents.len());
        let mut pieces = Vec::new();
        for document in documents {
            let cut = cut(&document, !whole);
            counts.push(cut.len());
            pieces.extend(cut.into_iter().map(str::to_owned));
        }
        (counts, pieces)
    }

    /// The ids of whole documents, without special tokens.
    pub(super) async fn encoded(&self, documents: Vec<String>) -> Result<Vec<Vec<u32>>, Fault> {
        let (counts, pieces) = self.pieces(documents);
        let how = How { add_special_tokens: false, return_offsets: false };
        let mut encodings = self.encoder.encode(pieces, how).await?.into_iter();
        let document =
            |count| encodings.by_ref().take(count).flat_map(|encoding| encoding.ids).collect::<Vec<u32>>();
        Ok(counts.into_iter().map(document).collect())
    }
}

/// Whether the tokenizer puts a space before each text, so that a text which goes on from another must not bring one.
pub(super) fn adds_space(tokenizer: &TextTokenizer) -> bool {
    let plain = tokenizer.encode_ids(" a", false).ok();
    plain.is_some() && tokenizer.encode_continuation(" a").ok() != plain
}

/// Cuts a document into pieces: at line ends if they are free of tokens that cross them, otherwise only where it is too
/// long for one message.
fn cut(document: &str, at_lines: bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = document;
    while !rest.is_empty() {
        let first = if at_lines { PIECE_BYTES } else { MAX_PIECE_BYTES };
        let limit = MAX_PIECE_BYTES.min(rest.len());
        let line_end = (first..limit).find(|at| ends_line(rest, *at));
        let (piece, after) = rest.split_at(line_end.unwrap_or_else(|| rest.floor_char_boundary(limit)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// A place where no token crosses: after a line end, before what isn't space.
fn ends_line(text: &str, at: usize) -> bool {
    text.as_bytes()[at - 1] == b'\n' && text[at..].starts_with(|c: char| !c.is_whitespace())
}

#[cfg(test)]
mod tests;
