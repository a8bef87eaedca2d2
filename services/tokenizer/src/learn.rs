//! Trains a tokenizer on a stored data set, stores it, and points its alias at it.

use std::path::PathBuf;

use rootstock_client::{ArtifactDraft, ErrorReason, Expect, Kind, Progress, Source};
use rootstock_text::{
    DocumentFormat, TokenizerFiles, TrainOptions, parse_documents, train_byte_level_bpe, train_unigram,
    train_wordpiece,
};

use crate::Error;
use crate::convert::{Model, Training};
use crate::registry::{Registry, TOKENIZER, TOKENIZER_CONFIG};

impl Registry {
    /// Trains and stores a tokenizer; returns the digest of its artifact.
    pub(crate) async fn learn(&self, training: Training) -> Result<String, Error> {
        let alias = training.alias.to_string();
        let expect = self.alias_as_it_is(&alias).await?;
        let dataset = self.dataset(&training.dataset.to_string()).await?;
        let files: Vec<(String, PathBuf)> =
            dataset.files.iter().map(|(name, path)| (name.clone(), path.clone())).collect();
        let (model, options) = (training.model, training.options);
        let learned =
            self.tasks.spawn_blocking("tokenizer-train", move || learn(&files, model, &options)).await??;
        let draft = ArtifactDraft {
            files: vec![
                (TOKENIZER.to_owned(), Source::from(learned.tokenizer_json)),
                (TOKENIZER_CONFIG.to_owned(), Source::from(learned.tokenizer_config_json)),
            ],
            ..ArtifactDraft::new(Kind::Tokenizer).parent(&alias)
        };
        let checkpoint = self.clients.checkpoint();
        let stored = checkpoint.upload_artifact(draft, &Progress::none()).await;
        let digest = stored.map_err(|error| Error::remote(error, "name"))?.digest;
        let moved = checkpoint.set_alias(&alias, &digest, expect).await;
        moved.map_err(|error| Error::remote(error, "name"))?;
        Ok(digest)
    }

    /// What the alias must still be when it is moved.
    async fn alias_as_it_is(&self, alias: &str) -> Result<Expect, Error> {
        match self.clients.checkpoint().get_alias(alias).await {
            Ok(found) => Ok(Expect::Etag(found.etag)),
            Err(error) if error.is(ErrorReason::NotFound) => Ok(Expect::Absent),
            Err(error) => Err(Error::remote(error, "name")),
        }
    }
}

fn learn(files: &[(String, PathBuf)], model: Model, options: &TrainOptions) -> Result<TokenizerFiles, Error> {
    let mut documents = Vec::new();
    for (name, path) in files {
        let bytes = std::fs::read(path)
            .map_err(|source| Error::Io { what: "a data set in the cache can't be read", source })?;
        let parsed = parse_documents(&bytes, DocumentFormat::from_name(name));
        documents.extend(parsed.map_err(|source| Error::Document { file: name.clone(), source })?);
    }
    let texts = documents.iter();
    let trained = match model {
        Model::Bpe => train_byte_level_bpe(texts, options),
        Model::WordPiece(wordpiece) => train_wordpiece(texts, wordpiece, options),
        Model::Unigram => train_unigram(texts, options),
    };
    trained.map_err(|error| Error::training(&error))
}

#[cfg(test)]
mod tests {
    use rootstock_text::WordPieceOptions;

    use super::*;

    #[test]
    fn a_tokenizer_is_learned_from_all_files_and_a_bad_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(dir.path().join(name), bytes).unwrap();
            (name.to_owned(), dir.path().join(name))
        };
        let good = [
            file("a.txt", b"low lower lowest low lower"),
            file("b.jsonl", b"{\"text\": \"newest newer new\"}\n"),
        ];
        let options = TrainOptions { vocab_size: 270, ..TrainOptions::default() };
        let learned = learn(&good, Model::Bpe, &options).unwrap();
        assert!(String::from_utf8(learned.tokenizer_json).unwrap().contains("low"));

        let chat_template = Some("{% for %}".to_owned());
        let special_tokens = ["<|endoftext|>", "[UNK]", "<unk>"].map(str::to_owned).to_vec();
        let small = TrainOptions { vocab_size: 40, special_tokens, ..options.clone() };
        for (model, piece) in
            [(Model::WordPiece(WordPieceOptions::default()), "##"), (Model::Unigram, "▁new")]
        {
            let learned = learn(&good, model, &small).unwrap();
            assert!(String::from_utf8(learned.tokenizer_json).unwrap().contains(piece), "{model:?}");
        }
        let long = WordPieceOptions { max_input_chars_per_word: 1000, ..WordPieceOptions::default() };
        let refused = learn(&good, Model::WordPiece(long), &small).unwrap_err();
        let longest = "word_piece.max_input_chars_per_word";
        assert!(matches!(&refused, Error::Invalid { field, .. } if field == longest), "{refused}");

        let refused =
            learn(&good, Model::Bpe, &TrainOptions { chat_template, ..options.clone() }).unwrap_err();
        assert!(matches!(&refused, Error::Invalid { field, .. } if field == "chat_template"), "{refused}");

        let bad = [file("c.jsonl", b"{\"text\": \"fine\"}\n{\"words\": 1}\n")];
        let error = learn(&bad, Model::Bpe, &options).unwrap_err().to_string();
        assert!(error.starts_with("c.jsonl: row 2 (line 2)"), "{error}");
    }
}
