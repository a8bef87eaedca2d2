//! Tokenizers, chat templates, prompt templates, and data-set rows as token ids with a loss mask.
//!
//! Everything here is plain computation: no async, no gRPC, no files and no clock. What comes from
//! outside (tokenizer.json, chat templates, data sets) is bounded and checked before it is used, and a
//! refusal names the field, row or byte it is about.
#![forbid(unsafe_code)]

pub mod audit;
pub mod augment;
pub mod causal;
pub mod chat;
pub mod clean;
pub mod denoise;
pub mod documents;
mod files;
pub mod masked;
pub mod metrics;
pub mod mix;
pub mod prompt;
mod records;
pub mod rows;
mod sampling;
pub mod similar;
pub mod stream;
pub mod supervised;
pub mod tokenizer;
pub mod train;

pub use audit::{AuditedRow, Fate, Finding, RowOf, Suspicion, Trained, audit, length_histogram};
pub use augment::{Replacement, TokenDropout, token_dropout};
pub use causal::{CausalBlocks, causal_blocks, document_blocks};
pub use chat::{ChatMessage, ChatTemplate, ChatTemplateError};
pub use clean::{Cleaner, Cleaning, Removal};
pub use denoise::{Corruption, DenoiseError, Denoised, Denoiser, Denoising, MIN_DENOISED};
pub use documents::{DocumentError, DocumentFormat, parse_documents, scan_documents};
pub use files::DataFormat;
pub use masked::{MaskError, MaskedExample, MaskedText, Masking, Unit, words};
pub use mix::{Mix, MixError, MixedRow, Shares};
pub use prompt::{EncodedPrompt, Prompt, PromptError, PromptTemplate};
pub use rows::{
    FieldProblem, JudgedRow, LabelledText, RecordFormat, Row, RowError, parse_judged_rows,
    parse_labelled_texts, parse_rows, parse_rows_of, scan_labelled_texts, scan_rows,
};
pub use similar::NearDuplicates;
pub use stream::StreamDecoder;
pub use supervised::{
    IGNORE_INDEX, Supervised, SupervisedCounts, SupervisedExample, Truncation, encode_row, supervised_example,
};
pub use tokenizer::{
    Encoding, SpecialToken, SpecialTokens, TextTokenizer, TokenizerError, TokenizerSources, UnknownId,
};
pub use train::{
    TokenizerFiles, TrainError, TrainOptions, UNIGRAM_UNKNOWN, WORDPIECE_UNKNOWN, WordPieceOptions,
    train_byte_level_bpe, train_unigram, train_wordpiece,
};
