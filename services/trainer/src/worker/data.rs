//! From a data set's files to rows of token ids.

use std::sync::Arc;

use rootstock_client::FetchedArtifact;
use rootstock_proto::tokenization::v1::Encoding;
use rootstock_text::{
    DocumentFormat, EncodedPrompt, LabelledText, Prompt, PromptTemplate, Row, Supervised, SupervisedExample,
    TextTokenizer, causal_blocks, parse_documents, parse_labelled_texts, parse_rows, supervised_example,
};

use super::{
    encode::{Encoder, How},
    fault::{Fault, of_job},
    infilling::{Infilling, denoising},
    inputs::{blocking, read},
    labelled::Labelled,
    masked::{MaskedTexts, Words},
    rows::Rows,
};
use crate::spec::{Denoiser, Masked, Objective};

/// A document is encoded in pieces of about this many bytes.
const PIECE_BYTES: usize = 64 << 10;
/// A piece without a line end is cut here, whatever stands there.
const MAX_PIECE_BYTES: usize = 512 << 10;

/// Reads data sets for one job.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) encoder: Encoder,
    pub(super) tokenizer: Arc<TextTokenizer>,
    pub(super) objective: Objective,
    pub(super) seed: u64,
}

/// What a data set holds.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) rows: Rows,
    /// Rows left out because they are too long, or texts that hold tokens which are put in.
    pub(super) dropped: u64,
}

impl Reader {
    /// Reads a whole data set; `field` is the one that names it.
    pub(super) async fn read(&self, field: &str, dataset: &FetchedArtifact) -> Result<Read, Fault> {
        let (files, field) = (files(field, dataset)?, field.to_owned());
        match &self.objective {
            Objective::Causal { block_size } => {
                let documents = blocking(move || documents(&field, &files)).await?;
                self.causal(documents, *block_size).await
            }
            Objective::Infilling { max_length, denoisers } => {
                let documents = blocking(move || documents(&field, &files)).await?;
                self.infilling(documents, denoisers, *max_length).await
            }
            Objective::Classification(classification) => {
                let texts = blocking(move || labelled_texts(&field, &files)).await?;
                self.classification(texts, classification.max_length).await
            }
            Objective::Masked(masked) => {
                let documents = blocking(move || documents(&field, &files)).await?;
                self.masked(documents, *masked).await
            }
            Objective::Supervised { prompt_template, max_length, .. } => {
                let (prompt_template, max_length) = (*prompt_template, *max_length);
                let tokenizer = Arc::clone(&self.tokenizer);
                let texts = blocking(move || questions(&field, &files, prompt_template, &tokenizer)).await?;
                self.supervised(texts, max_length).await
            }
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
        Ok(Read { rows: Rows::Causal(packed.blocks), dropped: 0 })
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
        Ok(Read { rows: Rows::Infilling(infilling), dropped })
    }

    async fn classification(&self, rows: Vec<LabelledText>, max_length: usize) -> Result<Read, Fault> {
        let (texts, labels): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (row.text, row.label)).unzip();
        let how = How { add_special_tokens: true, return_offsets: false };
        let encodings = self.encoder.encode(texts, how).await?;
        let all = encodings.len();
        let labelled = blocking(move || {
            let rows = encodings.into_iter().map(|encoding| encoding.ids).zip(labels);
            Ok(Labelled::new(rows.filter(|(ids, _)| (1..=max_length).contains(&ids.len()))))
        });
        let labelled = labelled.await?;
        let dropped = (all - labelled.rows.len()) as u64;
        Ok(Read { rows: Rows::Labelled(labelled), dropped })
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
        Ok(Read { rows: Rows::Masked(masked.await?), dropped: 0 })
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
    async fn encoded(&self, documents: Vec<String>) -> Result<Vec<Vec<u32>>, Fault> {
        let (counts, pieces) = self.pieces(documents);
        let how = How { add_special_tokens: false, return_offsets: false };
        let mut encodings = self.encoder.encode(pieces, how).await?.into_iter();
        let document =
            |count| encodings.by_ref().take(count).flat_map(|encoding| encoding.ids).collect::<Vec<u32>>();
        Ok(counts.into_iter().map(document).collect())
    }

    async fn supervised(&self, questions: Questions, max_length: usize) -> Result<Read, Fault> {
        let add_special_tokens = questions.prompts.first().is_some_and(|prompt| prompt.add_special);
        let texts = questions.prompts.iter().map(|prompt| prompt.text.clone()).collect();
        let prompts = self.encoder.encode(texts, How { add_special_tokens, return_offsets: true }).await?;
        let how = How { add_special_tokens: false, return_offsets: false };
        let answers = self.encoder.encode(questions.answers, how).await?;
        let mut read = Read { rows: Rows::Supervised(Vec::new()), dropped: 0 };
        let mut examples = Vec::with_capacity(prompts.len());
        for ((prompt, encoding), answer) in questions.prompts.iter().zip(prompts).zip(answers) {
            match example(&locate(prompt, encoding), &answer.ids, questions.eos, max_length) {
                Some(example) => examples.push(example),
                None => read.dropped += 1,
            }
        }
        tracing::info!(rows = examples.len(), dropped = read.dropped, "rows read");
        read.rows = Rows::Supervised(examples);
        Ok(read)
    }
}

type Contents = Vec<(String, Vec<u8>)>;

fn files(field: &str, dataset: &FetchedArtifact) -> Result<Contents, Fault> {
    let known = |name: &&String| [".jsonl", ".json", ".txt"].iter().any(|ending| name.ends_with(ending));
    let names: Vec<&String> = dataset.files.keys().filter(known).collect();
    if names.is_empty() {
        return Err(Fault::Job(format!("{field}: the data set has no *.jsonl, *.json or *.txt file")));
    }
    names.into_iter().map(|name| Ok((name.clone(), read(&dataset.files, name)?))).collect()
}

fn documents(field: &str, files: &Contents) -> Result<Vec<String>, Fault> {
    let mut documents = Vec::new();
    for (name, bytes) in files {
        let parsed = parse_documents(bytes, DocumentFormat::from_name(name));
        documents.extend(parsed.map_err(|error| of_job(format!("{field}: {name}"))(&error))?);
    }
    Ok(documents)
}

fn labelled_texts(field: &str, files: &Contents) -> Result<Vec<LabelledText>, Fault> {
    let mut texts = Vec::new();
    for (name, bytes) in files {
        let parsed = parse_labelled_texts(bytes);
        texts.extend(parsed.map_err(|error| of_job(format!("{field}: {name}"))(&error))?);
    }
    Ok(texts)
}

/// Rows as texts to be encoded.
struct Questions {
    prompts: Vec<Prompt>,
    answers: Vec<String>,
    eos: u32,
}

fn questions(
    field: &str,
    files: &Contents,
    template: PromptTemplate,
    tokenizer: &TextTokenizer,
) -> Result<Questions, Fault> {
    let Some(eos) = tokenizer.special_tokens().eos.as_ref().map(|token| token.id) else {
        let message =
            "the tokenizer has no eos_token, which ends each answer; name one in tokenizer_config.json";
        return Err(Fault::Job(message.to_owned()));
    };
    let strip = adds_space(tokenizer);
    let mut questions = Questions { prompts: Vec::new(), answers: Vec::new(), eos };
    for (name, bytes) in files {
        for row in parse_rows(bytes).map_err(|error| of_job(format!("{field}: {name}"))(&error))? {
            let (prompt, answer) = texts(&row, template, tokenizer)?;
            questions.prompts.push(prompt);
            questions.answers.push(if strip { continued(answer) } else { answer });
        }
    }
    Ok(questions)
}

fn texts(row: &Row, template: PromptTemplate, tokenizer: &TextTokenizer) -> Result<(Prompt, String), Fault> {
    let failed = of_job("spec.supervised.prompt_template");
    let prompt = template.render(row, tokenizer).map_err(|error| failed(&error))?;
    let answer = template.answer(row, tokenizer).map_err(|error| failed(&error))?;
    Ok((prompt, answer))
}

/// Whether the tokenizer puts a space before each text, so that a text which goes on from another must not bring one.
fn adds_space(tokenizer: &TextTokenizer) -> bool {
    let plain = tokenizer.encode_ids(" a", false).ok();
    plain.is_some() && tokenizer.encode_continuation(" a").ok() != plain
}

fn continued(answer: String) -> String {
    answer.strip_prefix(' ').map(str::to_owned).unwrap_or(answer)
}

/// A row that is too long is left out whole: half an answer teaches to stop anywhere.
fn example(prompt: &EncodedPrompt, answer: &[u32], eos: u32, max_length: usize) -> Option<SupervisedExample> {
    match supervised_example(prompt, answer, eos, max_length) {
        Supervised::Kept { example, cut: 0 } => Some(example),
        Supervised::Kept { .. } | Supervised::Dropped { .. } => None,
    }
}

/// Which tokens of a prompt are the user's words: those of which all but space is.
fn locate(prompt: &Prompt, encoding: Encoding) -> EncodedPrompt {
    let mut located = EncodedPrompt { ids: encoding.ids, user: Vec::new() };
    for (i, (start, end)) in encoding.start_offsets.iter().zip(&encoding.end_offsets).enumerate() {
        let (start, end) = (*start as usize, *end as usize);
        // A token that is part of a character has no text of its own; its whole range decides.
        let text = prompt.text.get(start..end).unwrap_or_default();
        let words = start + (text.len() - text.trim_start().len());
        let words = if text.trim().is_empty() { start..end } else { words..words + text.trim().len() };
        if words.is_empty()
            || !prompt.user.iter().any(|user| user.start <= words.start && words.end <= user.end)
        {
            continue;
        }
        match located.user.last_mut() {
            Some(last) if last.end == i => last.end = i + 1,
            _ => located.user.push(i..i + 1),
        }
    }
    located
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
