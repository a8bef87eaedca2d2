//! `rootstock train --keys`: every key of a training file with its type, its default and what it says.
use serde::Serialize;

use crate::table::Tabular;

/// A key of a training file. The defaults are those of the contract, which the server fills in.
#[derive(Debug, Serialize)]
pub(super) struct Key {
    pub(super) key: &'static str,
    r#type: &'static str,
    pub(super) default: &'static str,
    meaning: &'static str,
}

impl Tabular for Key {
    const HEADER: &'static [&'static str] = &["KEY", "TYPE", "DEFAULT", "MEANING"];

    fn cells(&self) -> Vec<String> {
        [self.key, self.r#type, self.default, self.meaning].map(str::to_owned).to_vec()
    }
}

const fn key(key: &'static str, r#type: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { key, r#type, default, meaning }
}

/// Every key, in the order in which a file is written.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("output", "name", "required", "what to call the result: a base model (full), Fisher information (fisher) or an adapter (all others)"),
    key("base_model", "name", "-", "the model to start from; either this, base_adapter, new_model or new_encoder"),
    key("base_adapter", "name", "-", "lora: the adapter to go on with, on its own base model and with its own configuration"),
    key("new_model", "mapping", "-", "a new decoder of random weights; either this or base_model"),
    key("new_model.tokenizer", "name", "required", "its tokenizer"),
    key("new_model.model_type", "choice", "llama", "its family: llama, mistral (a window on every layer), qwen2 (biases on queries, keys and values) or qwen3 (normed queries and keys)"),
    key("new_model.hidden_size", "integer", "required", "width of the residual stream"),
    key("new_model.intermediate_size", "integer", "required", "width of the feed-forward layers"),
    key("new_model.num_hidden_layers", "integer", "required", "number of layers"),
    key("new_model.num_attention_heads", "integer", "required", "number of attention heads"),
    key("new_model.num_key_value_heads", "integer", "as attention heads", "number of key/value heads"),
    key("new_model.head_dim", "integer", "hidden_size / heads", "width of a head; even"),
    key("new_model.max_position_embeddings", "integer", "required", "longest context in tokens"),
    key("new_model.sliding_window", "integer", "4096", "mistral: tokens that a layer sees, its own included"),
    key("new_model.rope_theta", "number", "10000", "base of the rotary frequencies"),
    key("new_model.tie_word_embeddings", "boolean", "false", "input and output embeddings are one matrix"),
    key("new_model.initializer_range", "number", "0.02", "standard deviation of the random weights"),
    key("new_encoder", "mapping", "-", "a new BERT of random weights, for masked and classification; either this or base_model"),
    key("new_encoder.tokenizer", "name", "required", "its tokenizer; masked needs a mask in it"),
    key("new_encoder.hidden_size", "integer", "required", "width of the residual stream"),
    key("new_encoder.intermediate_size", "integer", "required", "width of the feed-forward layers"),
    key("new_encoder.num_hidden_layers", "integer", "required", "number of layers"),
    key("new_encoder.num_attention_heads", "integer", "required", "number of attention heads"),
    key("new_encoder.max_position_embeddings", "integer", "required", "longest text in tokens"),
    key("new_encoder.type_vocab_size", "integer", "2", "kinds of tokens"),
    key("new_encoder.hidden_dropout_prob", "number", "0.1", "share of the numbers dropped while training"),
    key("new_encoder.initializer_range", "number", "0.02", "standard deviation of the random weights"),
    key("new_encoder.layer_norm_eps", "number", "1e-12", "added to the variance in LayerNorm"),
    key("dataset", "name", "required", "rows for supervised and classification, text for causal, infilling and masked"),
    key("mix", "mapping", "-", "several data sets, each seen in its share; instead of dataset"),
    key("mix.datasets", "list", "required", "the data sets of the mix; each has the keys below"),
    key("mix.datasets.dataset", "name", "required", "a data set of the mix"),
    key("mix.datasets.weight", "number", "-", "how often its rows are seen, in proportion to the others' weights"),
    key("mix.datasets.prompt_template", "choice", "as the job's", "supervised: how its rows become prompts"),
    key("mix.temperature", "number", "1", "without weights, shares go by rows to the power of 1 over this"),
    key("validation_dataset", "name", "-", "a data set to validate on; instead of validation_split"),
    key("validation_split", "number", "0", "share of the data held out for validation, 0 to 0.5"),
    key("objective", "choice", "required", "causal (the next token of text), supervised (the answer to an instruction), infilling (spans cut out of text), masked (hidden tokens) or classification (the label of a text), both for encoders"),
    key("block_size", "integer", "128", "causal, masked: tokens per block of text"),
    key("prompt_template", "choice", "required", "supervised: how a row becomes a prompt: qa_zh, qa_en, alpaca or chat"),
    key("max_length", "integer", "512", "supervised, classification: longest row in tokens, longer ones are left out unless truncation says otherwise; infilling: 128, documents are cut"),
    key("truncation", "choice", "drop", "supervised: what becomes of rows that are too long: drop, truncate_left (TRL's keep_end), truncate_right (TRL's keep_start, as LLaMA-Factory cuts) or error"),
    key("instruction_token_dropout", "number", "0", "supervised: share of instruction tokens left out, 0 to 0.9"),
    key("span_shuffle", "number", "0", "supervised: probability that a span of three instruction tokens is moved, 0 to 0.9"),
    key("paraphrase_columns", "name or list", "-", "supervised: columns with other wordings of the instruction, of which one is drawn each time"),
    key("denoisers", "list", "spans", "infilling: what is cut out of text; each has the keys below"),
    key("denoisers.corruption_rate", "number", "0.15", "infilling: share of the tokens that are cut out"),
    key("denoisers.mean_span_length", "number", "3", "infilling: mean length of a span in tokens"),
    key("denoisers.continuation", "boolean", "false", "infilling: cuts out all from some token on instead of spans"),
    key("denoisers.weight", "number", "1", "infilling: how often it is drawn, in proportion to the others"),
    key("denoisers.prefix_token", "token", "-", "infilling: a token of the tokenizer that begins its rows"),
    key("mlm_probability", "number", "0.15", "masked: share of the tokens that are chosen to be told"),
    key("whole_word_mask", "boolean", "false", "masked: tokens of one word are chosen together"),
    key("freeze_encoder", "boolean", "false", "classification: trains the head alone"),
    key("method", "choice", "required", "full (all weights); beside frozen weights lora (low-rank adapters), bottleneck (adapters behind or beside blocks), prefix (keys and values before each row) or prompt (rows in the place of embeddings before it); fisher trains nothing and measures how much each weight matters for the data"),
    key("r", "integer", "8", "lora: rank"),
    key("lora_alpha", "number", "8", "lora: the scale is lora_alpha / r"),
    key("lora_dropout", "number", "0", "lora: dropout before the low-rank product, from 0 to below 1"),
    key("target_modules", "name or list", "[q_proj, v_proj]", "lora: modules to adapt; all-linear takes all seven of the layers, and there are embed_tokens and lm_head"),
    key("use_rslora", "boolean", "false", "lora: the scale is lora_alpha / sqrt(r)"),
    key("use_dora", "boolean", "false", "lora: a learned magnitude for each output of an adapted module (DoRA)"),
    key("rank_pattern", "mapping", "-", "lora: other ranks, by a pattern for the end of a module's path"),
    key("alpha_pattern", "mapping", "-", "lora: other values of lora_alpha, in the same way"),
    key("exclude_modules", "name or list", "-", "lora: modules that are not adapted although target_modules names them"),
    key("layers_to_transform", "list", "all", "lora: numbers of the layers whose modules are adapted, from 0"),
    key("modules_to_save", "name or list", "-", "lora: modules trained whole beside it: embed_tokens, lm_head"),
    key("init_lora_weights", "choice", "as PEFT", "lora: gaussian draws the matrices A from N(0, 1/r^2)"),
    key("bias", "choice", "none", "lora: which of the base's biases are trained too: none, all or lora_only"),
    key("trainable_modules", "name or list", "all", "full: what is trained: names or ends of paths, or re: and a pattern for whole paths"),
    key("frozen_modules", "name or list", "-", "full: what of that is not trained"),
    key("unfreeze_every_steps", "integer", "0", "full: the top layer first, and after each so many steps the next lower one too"),
    key("add_tokens", "text or list", "-", "full: tokens that the tokenizer shall have too, several in one text with commas between them"),
    key("mh_adapter", "boolean", "false", "bottleneck: one behind the attention of each layer"),
    key("output_adapter", "boolean", "false", "bottleneck: one behind the feed-forward block; true if neither is set"),
    key("reduction_factor", "number", "16", "bottleneck: the model's width over its own"),
    key("non_linearity", "choice", "relu", "bottleneck: relu, gelu or swish"),
    key("scaling", "number", "1", "bottleneck: multiplies what is added"),
    key("original_ln_before", "boolean", "false", "bottleneck: reads the residual stream behind the block, not its output alone"),
    key("is_parallel", "boolean", "false", "bottleneck: stands beside the block and reads what comes before it"),
    key("num_virtual_tokens", "integer", "20", "prefix, prompt: how many stand before each row"),
    key("prompt_tuning_init", "choice", "RANDOM", "prompt: what it begins as: RANDOM or TEXT"),
    key("prompt_tuning_init_text", "text", "-", "prompt: with TEXT, the text whose embeddings it begins as"),
    key("prefix_projection", "boolean", "false", "prefix: trains two layers that make the keys and values"),
    key("encoder_hidden_size", "integer", "width of keys", "prefix: width between the two"),
    key("max_rows", "integer", "all", "fisher: how many rows are drawn to measure on"),
    key("ewc", "mapping", "-", "full: holds the weights that matter for earlier data (elastic weight consolidation)"),
    key("ewc.fisher", "name", "required", "what was measured on that data with method: fisher and the same base_model"),
    key("ewc.lambda", "number", "required", "how strongly they are held; 1e3 to 1e6 is where to begin"),
    key("replay", "mapping", "-", "sees earlier data again beside dataset"),
    key("replay.dataset", "name", "required", "the earlier data, for the same objective"),
    key("replay.ratio", "number", "required", "its share of the rows, above 0 and below 1"),
    key("retention", "mapping", "-", "fails the job when too little is left of earlier data"),
    key("retention.dataset", "name", "required", "the earlier data, for the same objective"),
    key("retention.min_ratio", "number", "0", "the least that its loss before training may be over that of the result; 0 only measures"),
    key("publication", "mapping", "-", "has the adapter evaluated once it is stored, and published if it passes; the job succeeds either way"),
    key("publication.name", "name", "as output", "the adapter to publish it as"),
    key("publication.dataset", "name", "required", "rows to evaluate it on: instruction, output and keywords"),
    key("publication.prompt_template", "choice", "as the job's", "how these rows become prompts"),
    key("publication.max_tokens", "integer", "64", "most tokens per answer"),
    key("publication.metric", "choice", "required", "what is looked at: keyword_accuracy, exact_match, token_f1 or perplexity"),
    key("publication.threshold", "number", "-", "what it must be at least, 0 to 1; for the perplexity at most, from 1 on"),
    key("publication.min_improvement", "number", "-", "by how much it must be better than what is published, or than the base model where nothing is; 0 is not worse"),
    key("publication.max_p_value", "number", "-", "how likely that may be by chance, such as 0.05"),
    key("publication.canary", "mapping", "-", "tries it beside what is published before it is judged"),
    key("publication.canary.share", "number", "required", "the share of the requests that get it, above 0 and below 1"),
    key("publication.canary.min_seconds", "integer", "0", "how long it stands before it is judged; `rootstock adapters rollback` ends it meanwhile"),
    key("learning_rate", "number", "5e-5", "its peak"),
    key("num_train_epochs", "number", "3", "passes over the data; not used with max_steps"),
    key("max_steps", "integer", "0", "optimizer steps; 0, or transformers' -1, leaves it to num_train_epochs"),
    key("per_device_train_batch_size", "integer", "8", "rows per forward pass"),
    key("gradient_accumulation_steps", "integer", "1", "forward passes per optimizer step"),
    key("warmup_steps", "integer", "0", "steps over which the learning rate rises from 0"),
    key("warmup_ratio", "number", "0", "the same as a share of all steps; only with warmup_steps 0"),
    key("lr_scheduler_type", "choice", "linear", "how the learning rate goes on after that: linear, cosine, cosine_with_restarts, cosine_with_min_lr, polynomial, constant, constant_with_warmup, inverse_sqrt or warmup_stable_decay"),
    key("lr_scheduler_kwargs", "mapping", "-", "what only some schedules have"),
    key("lr_scheduler_kwargs.num_cycles", "number", "0.5", "cosines: waves; cosine_with_restarts: how often it falls, once by default"),
    key("lr_scheduler_kwargs.min_lr", "number", "-", "cosine_with_min_lr: lowest learning rate"),
    key("lr_scheduler_kwargs.min_lr_rate", "number", "-", "cosine_with_min_lr: the same as a share of the peak"),
    key("lr_scheduler_kwargs.power", "number", "1", "polynomial: the power"),
    key("lr_scheduler_kwargs.lr_end", "number", "1e-7", "polynomial: last learning rate"),
    key("lr_scheduler_kwargs.timescale", "integer", "as warm-up", "inverse_sqrt: steps that its root counts in"),
    key("lr_scheduler_kwargs.num_decay_steps", "integer", "-", "warmup_stable_decay: steps over which the rate falls"),
    key("lr_scheduler_kwargs.num_stable_steps", "integer", "the rest", "warmup_stable_decay: steps before that"),
    key("lr_scheduler_kwargs.warmup_type", "choice", "linear", "warmup_stable_decay: how it rises: linear, cosine or 1-sqrt"),
    key("lr_scheduler_kwargs.decay_type", "choice", "cosine", "warmup_stable_decay: how it falls: linear, cosine or 1-sqrt"),
    key("lr_scheduler_kwargs.min_lr_ratio", "number", "0", "warmup_stable_decay: share of the peak at both ends"),
    key("optim", "choice", "adamw_torch", "what makes steps of gradients: adamw_torch, adafactor, sgd or lion_32bit"),
    key("optim_args", "mapping", "-", "what only some optimizers have"),
    key("optim_args.momentum", "number", "0", "sgd: share of the last update that is made again"),
    key("optim_args.nesterov", "boolean", "false", "sgd: looks ahead by one more update"),
    key("weight_decay", "number", "0", "weight decay of all but norms and biases"),
    key("adam_beta1", "number", "0.9", "adamw_torch, lion_32bit: decay of the first moment"),
    key("adam_beta2", "number", "0.999", "adamw_torch: decay of the second moment; lion_32bit: of its only one"),
    key("adam_epsilon", "number", "1e-8", "adamw_torch: added to the root of the second moment"),
    key("layerwise_lr_decay", "number", "1", "factor of the learning rate from each layer to the one below"),
    key("loraplus_lr_ratio", "number", "1", "lora: how many times the learning rate of A the matrices B have"),
    key("label_smoothing_factor", "number", "0", "share of each target that is spread over the vocabulary"),
    key("neftune_noise_alpha", "number", "0", "noise on the embeddings while training"),
    key("max_grad_norm", "number", "1", "norm to which gradients are clipped; 0 turns it off"),
    key("seed", "integer", "42", "of everything random"),
    key("logging_steps", "integer", "10", "steps between reports of the loss"),
    key("eval_steps", "integer", "0", "steps between validations; 0 validates only at the end"),
    key("save_steps", "integer", "0", "steps between saved states, and one after the last; 0 saves none, and a restart begins anew"),
    key("save_total_limit", "integer", "2", "how many saved states to keep"),
    key("early_stopping_patience", "integer", "0", "validations without improvement before it ends; 0 never"),
    key("early_stopping_threshold", "number", "0", "how much better counts as improvement"),
    key("weight_dtype", "choice", "as stored", "number format in which weights are multiplied: f32, bf16 or f16"),
    key("bf16", "boolean", "false", "the same as weight_dtype: bf16"),
    key("fp16", "boolean", "false", "the same as weight_dtype: f16, with dynamic loss scaling"),
    key("retry_in_f32", "boolean", "false", "where numbers are not finite, goes back to the last saved state and on in f32, once"),
    key("gradient_checkpointing", "boolean", "false", "layers run again instead of keeping activations: least memory"),
    key("activation_memory_bytes", "integer", "0", "as many layers run again as it takes to keep to this; 0 is no limit"),
    key("keep_optimizer_state", "boolean", "false", "goes on with the optimizer of the job that made base_model (full) or base_adapter (lora), which must have saved its last state"),
    key("stages", "list", "-", "stages of the job, one after the other; each has the keys below, and where it has none of these what the file says"),
    key("stages.dataset", "name", "as the job's", "its data set"),
    key("stages.mix", "mapping", "as the job's", "several data sets instead, with the keys of mix"),
    key("stages.trainable_modules", "name or list", "as the job's", "full: what it trains"),
    key("stages.frozen_modules", "name or list", "as the job's", "full: what of its trainable_modules it doesn't train; none where these are its own"),
    key("stages.max_steps", "integer", "as the job's", "its optimizer steps"),
    key("stages.num_train_epochs", "number", "as the job's", "passes over its data, instead of max_steps"),
    key("stages.learning_rate", "number", "as the job's", "its peak"),
    key("stages.warmup_steps", "integer", "as the job's", "steps over which the learning rate rises from 0"),
    key("stages.warmup_ratio", "number", "as the job's", "the same as a share of its steps"),
    key("priority", "integer", "0", "place among the jobs that wait, from -100 to 100: lower numbers begin first"),
];

#[cfg(test)]
mod tests {
    use super::super::file::{
        Denoiser, Ewc, Mix, MixedDataset, NewEncoder, NewModel, OptimArgs, Replay, Retention,
        SchedulerKwargs, Stage, TrainFile, known_keys,
    };
    use super::super::publication::{Canary, Publication};
    use super::*;

    #[test]
    fn every_key_that_is_read_is_described_and_no_other() {
        let nested = [
            ("new_model", known_keys::<NewModel>()),
            ("new_encoder", known_keys::<NewEncoder>()),
            ("optim_args", known_keys::<OptimArgs>()),
            ("ewc", known_keys::<Ewc>()),
            ("replay", known_keys::<Replay>()),
            ("retention", known_keys::<Retention>()),
            ("publication", known_keys::<Publication>()),
            ("publication.canary", known_keys::<Canary>()),
            ("denoisers", known_keys::<Denoiser>()),
            ("mix", known_keys::<Mix>()),
            ("stages", known_keys::<Stage>()),
            ("mix.datasets", known_keys::<MixedDataset>()),
            ("lr_scheduler_kwargs", known_keys::<SchedulerKwargs>()),
        ];
        let within = |(key, keys): (&'static str, Vec<String>)| {
            keys.into_iter().map(move |name| format!("{key}.{name}"))
        };
        let mut read: Vec<String> =
            known_keys::<TrainFile>().into_iter().chain(nested.map(within).into_iter().flatten()).collect();
        let mut described: Vec<&str> = KEYS.iter().map(|key| key.key).collect();
        read.sort_unstable();
        described.sort_unstable();
        assert_eq!(described, read);
    }
}
