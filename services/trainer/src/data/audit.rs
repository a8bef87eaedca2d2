//! An audit: all the data of a specification, read as its job would.

use std::sync::Arc;

use bytes::Bytes;
use rootstock_artifacts::ArtifactName;
use rootstock_model::AnyConfig;
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};
use rootstock_text::{TextTokenizer, TokenizerError, TokenizerSources};

use super::{Budget, DataDesk, judge::Found, of_fault};
use crate::{
    convert::{Audit, Looked},
    error::Error,
    spec::{Spec, Start, Validation},
    store::Resolved,
    worker::{
        audit::Look,
        beside::Beside,
        data::Reader,
        encode::{Encoder, Service},
        fault::Fault,
        labelled,
    },
};

/// A reader of a specification's data, what it may still read, and which tokens its job adds.
struct Auditor<'d> {
    desk: &'d DataDesk,
    spec: &'d Spec,
    reader: Reader,
    first_added: u32,
    budget: Budget,
}

impl DataDesk {
    /// Tells what is wrong with the data of a specification, and what is suspicious. All ends with the call.
    pub(crate) async fn audit(&self, audit: Audit) -> Result<proto::AuditDatasetResponse, Error> {
        let (beside, _ends) = self.beside()?;
        let Audit { mut spec, max_examples } = audit;
        let resolved = self.resolver.resolve(&spec).await?;
        let config = self.config(&spec, &resolved).await?;
        if let (Some(config), true) = (&config, spec.default_length) {
            // A default length gives way to a shorter context, as in the job.
            let virtual_tokens = spec.method.virtual_tokens();
            spec.objective.shorten(config.max_position_embeddings().saturating_sub(virtual_tokens));
        }
        let (reader, first_added) = self.reader(&spec, &resolved, &beside).await?;
        let budget = Budget::default();
        let mut auditor = Auditor { desk: self, spec: &spec, reader, first_added, budget };
        let trained = auditor.trained(&resolved).await?;
        let (replay, retention) = (spec.replay.as_ref(), spec.retention.as_ref());
        let validation = match &spec.validation {
            Validation::Dataset(name) => Some(name),
            Validation::None | Validation::Split(_) => None,
        };
        let named = [validation, replay.map(|replay| &replay.dataset), retention.map(|kept| &kept.dataset)];
        let [validation, replay, retention] = auditor.others(named, &resolved).await?;
        let known = config.as_ref().and_then(labelled::known).map(<[String]>::to_vec);
        let found = Found { spec, known, first_added, trained, validation, replay, retention };
        let answer = beside.run(move |stop| Ok(found.answer(max_examples, stop)));
        answer.await.map_err(of_fault)
    }

    /// The configuration of the base model, where there is one.
    async fn config(&self, spec: &Spec, resolved: &Resolved) -> Result<Option<AnyConfig>, Error> {
        if matches!(spec.start, Start::New(_) | Start::NewEncoder(_)) {
            return Ok(None);
        }
        let field = spec.start.field();
        let base = artifact(field, &resolved.base_digest)?;
        let base = self.resolver.artifact(field, &base, &[ArtifactKind::BaseModel]).await?;
        self.resolver.config(field, &base).await
    }

    /// A reader with the tokenizer of the job, and the first of the tokens that the job adds.
    async fn reader(
        &self,
        spec: &Spec,
        resolved: &Resolved,
        beside: &Beside,
    ) -> Result<(Reader, u32), Error> {
        let field = "spec";
        let name = artifact(field, &resolved.tokenizer_artifact_digest)?;
        let kinds = [ArtifactKind::Tokenizer, ArtifactKind::BaseModel];
        let found = self.resolver.artifact(field, &name, &kinds).await?;
        let files = Files {
            json: self.file(field, &found, "tokenizer.json").await?.unwrap_or_default(),
            config: self.file(field, &found, "tokenizer_config.json").await?,
            template: self.file(field, &found, "chat_template.jinja").await?,
        };
        let added = spec.added_tokens.clone();
        let built = beside.run(move |_| files.tokenizers(&added));
        let (tokenizer, extended) = built.await.map_err(of_fault)?;
        let first_added = tokenizer.vocab_size() as u32;
        // What the job stores before it encodes, an audit keeps for itself.
        let (tokenizer, encoder) = match extended {
            Some(extended) => (Arc::clone(&extended), Encoder::Local(extended, beside.clone())),
            None => {
                let service = Service {
                    client: self.clients.tokenization(),
                    tokenizer: resolved.tokenizer_artifact_digest.clone(),
                    tokenizer_digest: resolved.tokenizer_digest.clone(),
                };
                (tokenizer, Encoder::Service(Box::new(service)))
            }
        };
        Ok((Reader::new(spec, encoder, tokenizer, beside.clone()), first_added))
    }
}

impl Auditor<'_> {
    /// The data sets that are trained on.
    async fn trained(&mut self, resolved: &Resolved) -> Result<Vec<Looked>, Error> {
        let digests = match resolved.mix_digests.as_slice() {
            [] => std::slice::from_ref(&resolved.dataset_digest),
            mixed => mixed,
        };
        let mut looked = Vec::new();
        let datasets = self.spec.datasets().into_iter().zip(digests);
        for (number, ((field, name), digest)) in datasets.enumerate() {
            looked.push(self.look((&field, name), digest, Some(number)).await?);
        }
        Ok(looked)
    }

    /// Those beside them that are named: to validate on, to replay, to be retained.
    async fn others(
        &mut self,
        named: [Option<&ArtifactName>; 3],
        resolved: &Resolved,
    ) -> Result<[Option<Looked>; 3], Error> {
        let fields = ["spec.validation_dataset", "spec.replay.dataset", "spec.retention.dataset"];
        let digests =
            [&resolved.validation_dataset_digest, &resolved.replay_digest, &resolved.retention_digest];
        let mut looked = [None, None, None];
        for (i, name) in named.into_iter().enumerate() {
            if let Some(name) = name {
                looked[i] = Some(self.look((fields[i], name), digests[i], None).await?);
            }
        }
        Ok(looked)
    }

    /// Reads a data set, the one with this number among those that are trained on or another one.
    async fn look(
        &mut self,
        (field, name): (&str, &ArtifactName),
        digest: &str,
        number: Option<usize>,
    ) -> Result<Looked, Error> {
        let contents = self.desk.contents(field, &artifact(field, digest)?, &mut self.budget).await?;
        let files = contents.iter().map(|(name, _)| name.clone()).collect();
        // Other data has the template of a data set that is in no mix.
        let number = number.unwrap_or(usize::MAX);
        let look = Look { max_rows: self.budget.rows, first_added: self.first_added };
        let reader = self.reader.of_set(self.spec, number);
        let audited = Box::pin(reader.audit(field, Arc::new(contents), look)).await.map_err(of_fault)?;
        self.budget.rows = self.budget.rows.saturating_sub(audited.len());
        let template = self.spec.template(number).map_or("", |(_, template)| template.name());
        Ok(Looked { field: field.to_owned(), name: name.to_string(), template, files, audited })
    }
}

/// What a tokenizer is made from.
struct Files {
    json: Bytes,
    config: Option<Bytes>,
    template: Option<Bytes>,
}

impl Files {
    /// The tokenizer, and the one with more tokens, where there are some to add.
    fn tokenizers(
        &self,
        added: &[String],
    ) -> Result<(Arc<TextTokenizer>, Option<Arc<TextTokenizer>>), Fault> {
        let failed = |error: TokenizerError| Fault::Job(format!("the tokenizer: {error}"));
        let tokenizer = self.tokenizer(&self.json).map_err(failed)?;
        if added.is_empty() {
            return Ok((Arc::new(tokenizer), None));
        }
        let extended = tokenizer.extended(&self.json, added);
        let extended = extended.map_err(|error| Fault::Job(format!("spec.added_tokens: {error}")))?;
        let extended = self.tokenizer(&extended).map_err(failed)?;
        Ok((Arc::new(tokenizer), Some(Arc::new(extended))))
    }

    fn tokenizer(&self, json: &[u8]) -> Result<TextTokenizer, TokenizerError> {
        TextTokenizer::from_sources(&TokenizerSources {
            tokenizer_json: json,
            tokenizer_config: self.config.as_deref(),
            chat_template: self.template.as_deref(),
        })
    }
}

fn artifact(field: &str, digest: &str) -> Result<ArtifactName, Error> {
    digest.parse().map_err(|_| Error::invalid(field, "names no artifact"))
}
