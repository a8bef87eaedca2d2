//! From a data set's files to rows of token ids.

use std::sync::Arc;

use rootstock_client::FetchedArtifact;
use rootstock_proto::tokenization::v1::Encoding;
use rootstock_text::{LabelledText, TextTokenizer, causal_blocks};

use super::{
    apart::fingerprint,
    beside::Beside,
    encode::{Encoder, How},
    fault::Fault,
    files::{BadRow, Contents, Origin, Scan, documents, files, labelled_texts},
    infilling::{Infilling, denoising},
    labelled::Labelled,
    masked::{MaskedTexts, Words},
    questions::{Asking, Questions},
    rows::Rows,
};
use crate::spec::{Denoiser, Masked, Objective, Spec, TEMPLATE};

/// A document is encoded in pieces of about this many bytes.
const PIECE_BYTES: usize = 64 << 10;
/// A piece without a line end is cut here, whatever stands there.
const MAX_PIECE_BYTES: usize = 512 << 10;

/// Reads data sets for one job; all that computes does so beside the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(super) encoder: Encoder,
    tokenizer: Arc<TextTokenizer>,
    pub(super) objective: Objective,
    /// The field that names the template of prompts.
    template_field: String,
    seed: u64,
    pub(super) beside: Beside,
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

impl Read {
    /// What its documents say, or its rows, to tell whether others say the same.
    pub(super) fn said(&self) -> Vec<u64> {
        match self.documents.as_slice() {
            [] => self.rows.fingerprints(),
            documents => documents.to_vec(),
        }
    }
}

impl From<Rows> for Read {
    fn from(rows: Rows) -> Self {
        Self { rows, dropped: 0, truncated: 0, documents: Vec::new() }
    }
}

impl Reader {
    /// A reader of what a specification names beside the data that is trained on.
    pub(crate) fn new(spec: &Spec, encoder: Encoder, tokenizer: Arc<TextTokenizer>, beside: Beside) -> Self {
        let (objective, seed) = (spec.objective.clone(), spec.arguments.seed);
        Self { encoder, tokenizer, objective, template_field: TEMPLATE.to_owned(), seed, beside }
    }

    /// A reader of the data set with this number among those that are trained on, which may have a template of its own.
    pub(crate) fn of_set(&self, spec: &Spec, number: usize) -> Self {
        let mut reader = self.clone();
        if let (Objective::Supervised { prompt_template, .. }, Some((field, own))) =
            (&mut reader.objective, spec.template(number))
        {
            (*prompt_template, reader.template_field) = (own, field);
        }
        reader
    }

    /// Reads a whole data set; `field` is the one that names it.
    pub(super) async fn read(&self, field: &str, dataset: FetchedArtifact) -> Result<Read, Fault> {
        let field: Arc<str> = field.into();
        let named = Arc::clone(&field);
        let files = Arc::new(self.beside.run(move |_| files(&named, &dataset)).await?);
        match &self.objective {
            Objective::Classification(classification) => {
                let scan = move |scan: &mut Scan<'_>| labelled_texts(&field, &files, scan);
                let (rows, _) = self.scanned(None, scan).await?;
                self.classification(rows, classification.max_length).await
            }
            Objective::Supervised { max_length, truncation, .. } => {
                let (questions, _) = self.questions(&field, &files, None).await?;
                self.supervised(field, files, questions, (*max_length, *truncation)).await
            }
            Objective::Causal { .. } | Objective::Infilling { .. } | Objective::Masked(_) => {
                let scan = move |scan: &mut Scan<'_>| {
                    let documents = documents(&field, &files, scan)?;
                    let texts: Vec<String> = documents.into_iter().map(|(_, text)| text).collect();
                    Ok((texts.iter().map(fingerprint).collect(), texts))
                };
                let ((documents, texts), _) = self.scanned(None, scan).await?;
                Ok(Read { documents, ..self.blocks(texts).await? })
            }
        }
    }

    /// What is made of the records of files, and those that can't be used; the first of these ends the reading, unless there may be so many
    /// rows.
    pub(super) async fn scanned<T: Send + 'static>(
        &self,
        max_rows: Option<usize>,
        read: impl FnOnce(&mut Scan<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<(T, Vec<BadRow>), Fault> {
        let scanned = self.beside.run(move |stop| {
            let mut scan = max_rows.map_or_else(|| Scan::strict(stop), |rows| Scan::tolerant(stop, rows));
            let read = read(&mut scan)?;
            Ok((read, scan.into_bad()))
        });
        scanned.await
    }

    /// All rows of instructions, rendered.
    pub(super) async fn questions(
        &self,
        field: &Arc<str>,
        files: &Arc<Contents>,
        max_rows: Option<usize>,
    ) -> Result<(Questions, Vec<BadRow>), Fault> {
        let Objective::Supervised { prompt_template, paraphrase_columns, .. } = &self.objective else {
            return Err(Fault::Job("only supervised training has prompts".to_owned()));
        };
        let asking = Asking {
            template: *prompt_template,
            template_field: self.template_field.clone(),
            paraphrases: paraphrase_columns.clone(),
        };
        let (field, files, tokenizer) = (Arc::clone(field), Arc::clone(files), Arc::clone(&self.tokenizer));
        self.scanned(max_rows, move |scan| Questions::read(&field, &files, (&asking, &tokenizer), scan)).await
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
        let packed = self.beside.run(move |_| Ok(causal_blocks(documents, eos, block_size))).await?;
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
        let made = self.beside.run(move |_| Infilling::new(documents, denoising, how));
        let (infilling, dropped) = made.await?;
        Ok(Read { dropped, ..Rows::Infilling(infilling).into() })
    }

    async fn classification(
        &self,
        rows: Vec<(Origin, LabelledText)>,
        max_length: usize,
    ) -> Result<Read, Fault> {
        let (rows, encodings) = self.encode_labelled(rows).await?;
        let labelled = self.beside.run(move |_| {
            let all = rows.len();
            let ids = encodings.into_iter().map(|encoding| encoding.ids);
            let rows = ids.zip(rows.into_iter().map(|(_, row)| row.label));
            let labelled = Labelled::new(rows.filter(|(ids, _)| (1..=max_length).contains(&ids.len())));
            let dropped = (all - labelled.rows.len()) as u64;
            Ok(Read { dropped, ..Rows::Labelled(labelled).into() })
        });
        labelled.await
    }

    /// Texts with labels, and their ids with the tokens that stand around a text.
    pub(super) async fn encode_labelled(
        &self,
        rows: Vec<(Origin, LabelledText)>,
    ) -> Result<(Vec<(Origin, LabelledText)>, Vec<Encoding>), Fault> {
        let cloned = self.beside.run(move |_| {
            let texts = rows.iter().map(|(_, row)| row.text.clone()).collect();
            Ok((rows, texts))
        });
        let (rows, texts) = cloned.await?;
        let how = How { add_special_tokens: true, return_offsets: false };
        Ok((rows, self.encoder.encode(texts, how).await?))
    }

    async fn masked(&self, documents: Vec<String>, objective: Masked) -> Result<Read, Fault> {
        let (counts, pieces) = self.pieces(documents).await?;
        let how = How { add_special_tokens: false, return_offsets: true };
        let encodings = self.encoder.encode(pieces.clone(), how).await?;
        let (tokenizer, seed) = (Arc::clone(&self.tokenizer), self.seed);
        let masked = self.beside.run(move |_| {
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
    async fn pieces(&self, documents: Vec<String>) -> Result<(Vec<usize>, Vec<String>), Fault> {
        let tokenizer = Arc::clone(&self.tokenizer);
        let cut = self.beside.run(move |_| {
            let whole = adds_space(&tokenizer);
            let mut counts = Vec::with_capacity(documents.len());
            let mut pieces = Vec::new();
            for document in documents {
                let cut = cut(&document, !whole);
                counts.push(cut.len());
                pieces.extend(cut.into_iter().map(str::to_owned));
            }
            Ok((counts, pieces))
        });
        cut.await
    }

    /// The ids of whole documents, without special tokens.
    pub(super) async fn encoded(&self, documents: Vec<String>) -> Result<Vec<Vec<u32>>, Fault> {
        let (counts, pieces) = self.pieces(documents).await?;
        let how = How { add_special_tokens: false, return_offsets: false };
        let encodings = self.encoder.encode(pieces, how).await?;
        let joined = self.beside.run(move |_| {
            let mut encodings = encodings.into_iter();
            let document = |count| encodings.by_ref().take(count).flat_map(|encoding| encoding.ids).collect();
            Ok(counts.into_iter().map(document).collect())
        });
        joined.await
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
