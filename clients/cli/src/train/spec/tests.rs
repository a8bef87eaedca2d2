//! Which specification a training file makes, and what is told of one that makes none.
use super::*;
use proto::training_spec::{Method as MethodOf, Start};

const LORA: &str = "output: greeter\nbase_model: tiny\ndataset: facts\nobjective: supervised\n\
                    prompt_template: qa_zh\nmethod: lora\nr: 16\ntarget_modules: all-linear\n\
                    learning_rate: 1e-3\nmax_steps: 20\nseed: 7\nlr_scheduler_type: cosine\n";

fn refusal(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err()
}

#[test]
fn the_names_of_trainers_and_adapters_make_a_specification() {
    let spec = parse(LORA.as_bytes()).unwrap();
    assert_eq!((spec.output.as_str(), spec.dataset.as_str()), ("adapters/greeter", "datasets/facts"));
    assert_eq!(spec.start, Some(Start::BaseModel("baseModels/tiny".into())));
    let Some(MethodOf::Lora(lora)) = spec.method else { panic!("not lora") };
    assert_eq!((lora.r, lora.target_modules.len()), (16, 7));
    let arguments = spec.arguments.unwrap();
    assert_eq!((arguments.learning_rate, arguments.max_steps, arguments.seed), (1e-3, 20, Some(7)));
    assert_eq!(arguments.lr_scheduler_type(), proto::LrSchedulerType::Cosine);
    assert_eq!(arguments.max_grad_norm, None, "what is not set is left to the server");
    let by_epochs = parse(LORA.replace("max_steps: 20", "max_steps: -1").as_bytes()).unwrap();
    assert_eq!(by_epochs.arguments.unwrap().max_steps, 0);
}

#[test]
fn what_is_trained_and_at_which_rank_is_named_as_in_peft() {
    let text = format!(
        "{LORA}use_dora: true\nrank_pattern: {{q_proj: 2, k_proj: 4}}\nalpha_pattern: {{q_proj: 3}}\n\
         exclude_modules: layers.0.mlp.up_proj\nlayers_to_transform: [0, 1]\nmodules_to_save: [lm_head]\n"
    );
    let Some(MethodOf::Lora(lora)) = parse(text.as_bytes()).unwrap().method else { panic!("not lora") };
    assert!(lora.use_dora);
    assert_eq!(lora.rank_pattern, [("k_proj".to_owned(), 4), ("q_proj".to_owned(), 2)].into());
    assert_eq!((lora.layers_to_transform, lora.modules_to_save), (vec![0, 1], vec!["lm_head".to_owned()]));
    let text = "output: t\nbase_model: t\ndataset: d\nobjective: causal\nmethod: full\n\
                trainable_modules: [lm_head, layers.1]\nunfreeze_every_steps: 5\n";
    let Some(MethodOf::Full(full)) = parse(text.as_bytes()).unwrap().method else { panic!("not full") };
    assert_eq!((full.trainable_modules.len(), full.unfreeze_every_steps), (2, 5));
    let goes_on = "output: t\nbase_adapter: a\ndataset: d\nobjective: causal\nmethod: lora\n";
    let start = parse(goes_on.as_bytes()).unwrap().start;
    assert_eq!(start, Some(Start::BaseAdapter("adapters/a".into())));
    assert!(refusal(&format!("{goes_on}base_model: b\n")).starts_with("base_adapter has a base model"));
    let foreign = refusal(&format!("{LORA}frozen_modules: [lm_head]\n"));
    assert!(foreign.starts_with("frozen_modules is only for method: full"), "{foreign}");
}

#[test]
fn an_optimizer_has_the_name_it_has_in_transformers() {
    let sgd = format!("{LORA}optim: sgd\noptim_args: {{momentum: 0.9, nesterov: true}}\n");
    let arguments = parse(sgd.as_bytes()).unwrap().arguments.unwrap();
    assert_eq!(arguments.optim(), proto::Optimizer::Sgd);
    assert_eq!(arguments.optim_args, Some(proto::OptimArgs { momentum: 0.9, nesterov: true }));
    let optim =
        |name: &str| parse(format!("{LORA}optim: {name}\n").as_bytes()).unwrap().arguments.unwrap().optim();
    assert_eq!(optim("adamw_torch"), proto::Optimizer::Adamw);
    assert_eq!(optim("lion_32bit"), proto::Optimizer::Lion);
    let typo = refusal(&sgd.replace("momentum", "momentun"));
    assert_eq!(typo, "unknown key optim_args.momentun; did you mean momentum?");
}

#[test]
fn virtual_tokens_and_bottlenecks_have_the_names_of_their_libraries() {
    let begins = "output: greeter\nbase_model: tiny\ndataset: facts\nobjective: causal\n";
    let parsed = |rest: &str| parse(format!("{begins}{rest}").as_bytes());
    let prompt =
        "method: prompt\nnum_virtual_tokens: 8\nprompt_tuning_init: TEXT\nprompt_tuning_init_text: Answer\n";
    let Some(MethodOf::Prompt(found)) = parsed(prompt).unwrap().method else { panic!("no prompt") };
    assert_eq!((found.num_virtual_tokens, found.prompt_tuning_init_text.as_str()), (8, "Answer"));
    assert_eq!(found.prompt_tuning_init(), proto::PromptTuningInit::Text);
    let prefix = "method: prefix\nprefix_projection: true\nencoder_hidden_size: 12\n";
    let Some(MethodOf::Prefix(found)) = parsed(prefix).unwrap().method else { panic!("no prefix") };
    assert_eq!((found.num_virtual_tokens, found.prefix_projection, found.encoder_hidden_size), (0, true, 12));
    let narrow = "method: bottleneck\nmh_adapter: true\noutput_adapter: true\nnon_linearity: swish\n";
    let Some(MethodOf::Bottleneck(found)) = parsed(narrow).unwrap().method else { panic!("no bottleneck") };
    assert_eq!((found.mh_adapter, found.non_linearity.as_str(), found.scaling), (true, "swish", 0.0));
    let foreign = parsed(&format!("{prefix}prompt_tuning_init: RANDOM\n")).unwrap_err();
    assert_eq!(foreign, "prompt_tuning_init is only for method: prompt; take it out");
}

#[test]
fn added_tokens_are_a_list_or_one_text_with_commas() {
    let tokens = |rest: &str| {
        let full = "output: t\nbase_model: t\ndataset: d\nobjective: causal\nmethod: full\n";
        parse(format!("{full}{rest}").as_bytes()).unwrap().added_tokens
    };
    assert_eq!(tokens("add_tokens: ['<a>', 'b,c']\n"), ["<a>", "b,c"]);
    assert_eq!(tokens("add_tokens: <a>, <b>\n"), ["<a>", "<b>"]);
    assert!(refusal(&format!("{LORA}add_tokens: x\n")).starts_with("add_tokens is only for method: full"));
}

#[test]
fn what_matters_is_measured_by_one_file_and_held_by_another() {
    let begins = "output: tiny\nbase_model: tiny\ndataset: facts\nobjective: causal\n";
    let parsed = |rest: &str| parse(format!("{begins}{rest}").as_bytes());
    let measured = parsed("method: fisher\nmax_rows: 50\n").unwrap();
    assert_eq!(measured.output, "fishers/tiny");
    assert!(matches!(measured.method, Some(MethodOf::Fisher(fisher)) if fisher.max_rows == 50));
    let held = parsed("method: full\newc: {fisher: tiny, lambda: 20}\n").unwrap().ewc.unwrap();
    assert_eq!((held.fisher.as_str(), held.lambda), ("fishers/tiny", 20.0));
    let kept = "replay: {dataset: old, ratio: 0.2}\nretention: {dataset: old, min_ratio: 0.9}\n";
    let kept = parsed(&format!("method: lora\n{kept}")).unwrap();
    assert_eq!(kept.replay.unwrap().ratio, 0.2);
    assert_eq!(kept.retention.unwrap().dataset, "datasets/old");
    let foreign = parsed("method: lora\newc: {fisher: tiny, lambda: 20}\n").unwrap_err();
    assert_eq!(foreign, "ewc is only for method: full; take it out");
}

#[test]
fn a_number_format_is_named_once() {
    let dtype = |rest: &str| {
        parse(format!("{LORA}{rest}").as_bytes()).map(|spec| spec.arguments.unwrap().weight_dtype())
    };
    assert_eq!(dtype("fp16: true\n"), Ok(proto::WeightDtype::F16));
    assert_eq!(dtype("bf16: true\nfp16: false\n"), Ok(proto::WeightDtype::Bf16));
    assert_eq!(dtype("weight_dtype: float16\n"), Ok(proto::WeightDtype::F16));
    assert!(dtype("bf16: true\nfp16: true\n").unwrap_err().contains("exclude each other"));
    assert!(dtype("weight_dtype: f16\nfp16: true\n").is_err());
}

#[test]
fn a_schedule_brings_its_own_settings() {
    let text = LORA.replace("lr_scheduler_type: cosine", "lr_scheduler_type: cosine_with_min_lr");
    let text = format!("{text}lr_scheduler_kwargs:\n  min_lr: 1e-5\n  num_cycles: 1.5\n");
    let arguments = parse(text.as_bytes()).unwrap().arguments.unwrap();
    assert_eq!(arguments.lr_scheduler_type(), proto::LrSchedulerType::CosineWithMinLr);
    let kwargs = arguments.lr_scheduler_kwargs.unwrap();
    assert_eq!((kwargs.min_lr, kwargs.min_lr_rate, kwargs.num_cycles), (Some(1e-5), None, 1.5));
    let typo = refusal(&text.replace("min_lr:", "minlr:"));
    assert_eq!(typo, "unknown key lr_scheduler_kwargs.minlr; did you mean min_lr?");
}

#[test]
fn what_becomes_of_long_rows_and_how_questions_change_is_chosen() {
    use proto::training_spec::Objective;
    let supervised = |rest: &str| {
        let text = format!("{LORA}{rest}");
        let Some(Objective::Supervised(supervised)) = parse(text.as_bytes()).unwrap().objective else {
            panic!("not supervised")
        };
        supervised
    };
    let known = [
        ("drop", proto::Truncation::Drop),
        ("truncate_left", proto::Truncation::TruncateLeft),
        ("keep_end", proto::Truncation::TruncateLeft),
        ("truncate_right", proto::Truncation::TruncateRight),
        ("keep_start", proto::Truncation::TruncateRight),
        ("error", proto::Truncation::Error),
    ];
    for (name, truncation) in known {
        assert_eq!(supervised(&format!("truncation: {name}\n")).truncation(), truncation);
    }
    let changed = supervised("span_shuffle: 0.2\nparaphrase_columns: [other, more]\n");
    assert_eq!((changed.span_shuffle, changed.paraphrase_columns.len()), (0.2, 2));
    assert_eq!(supervised("paraphrase_columns: other\n").paraphrase_columns, ["other"]);
    assert_eq!(supervised("").truncation(), proto::Truncation::Unspecified);
}

#[test]
fn a_mixture_of_denoisers_is_a_list() {
    use proto::{denoiser::Corruption, training_spec::Objective};
    let text = "output: tiny\nbase_model: tiny\ndataset: d\nobjective: infilling\nmax_length: 64\nmethod: full\n\
                denoisers:\n- {prefix_token: '[R]'}\n- {corruption_rate: 0.5, mean_span_length: 32, weight: 0.5}\n\
                - {continuation: true, prefix_token: '[S]'}\n";
    let Some(Objective::Infilling(infilling)) = parse(text.as_bytes()).unwrap().objective else {
        panic!("not infilling")
    };
    assert_eq!((infilling.max_length, infilling.denoisers.len()), (64, 3));
    assert_eq!(infilling.denoisers[0].corruption, Some(Corruption::Spans(proto::SpanCorruption::default())));
    assert!(matches!(infilling.denoisers[2].corruption, Some(Corruption::Continuation(_))));
    let typo = refusal(&text.replace("corruption_rate", "coruption_rate"));
    assert_eq!(typo, "unknown key denoisers[1].coruption_rate; did you mean corruption_rate?");
    let both = refusal(&text.replace("continuation: true", "continuation: true, corruption_rate: 0.1"));
    assert!(both.starts_with("denoisers[2].continuation"), "{both}");
    assert!(refusal(&format!("{LORA}denoisers: []\n")).starts_with("denoisers is only for"));
}

#[test]
fn a_mix_stands_for_the_data_set() {
    let mix = "mix:\n  datasets:\n  - {dataset: facts, weight: 3}\n  - {dataset: talks, weight: 1, prompt_template: qa_en}\n";
    let text = LORA.replace("dataset: facts\n", mix);
    let spec = parse(text.as_bytes()).unwrap();
    let mixed = spec.mix.unwrap();
    assert_eq!((spec.dataset.as_str(), mixed.datasets.len(), mixed.temperature), ("", 2, 0.0));
    assert_eq!((mixed.datasets[0].dataset.as_str(), mixed.datasets[0].weight), ("datasets/facts", 3.0));
    assert_eq!(mixed.datasets[1].prompt_template, "qa_en");
    assert!(refusal(&format!("{LORA}{mix}")).starts_with("dataset and mix exclude each other"));
    let typo = refusal(&text.replace("weight: 1", "wait: 1"));
    assert_eq!(typo, "unknown key mix.datasets[1].wait; did you mean weight?");
    assert!(
        refusal(&text.replace("dataset: talks", "dataset: Talks")).starts_with("mix.datasets[1].dataset")
    );
}

#[test]
fn stages_have_what_they_say_and_can_bring_all_data() {
    let stages = "stages:\n- {dataset: talks, max_steps: 5}\n- {mix: {datasets: [{dataset: facts}]}, warmup_steps: 0}\n";
    let spec = parse(format!("{LORA}{stages}").as_bytes()).unwrap();
    assert_eq!((spec.dataset.as_str(), spec.stages.len()), ("datasets/facts", 2));
    assert_eq!((spec.stages[0].dataset.as_str(), spec.stages[0].max_steps), ("datasets/talks", 5));
    assert_eq!((spec.stages[0].warmup_steps, spec.stages[1].warmup_steps), (None, Some(0)));
    assert_eq!(spec.stages[1].mix.as_ref().unwrap().datasets[0].dataset, "datasets/facts");
    let without = LORA.replace("dataset: facts\n", stages);
    assert_eq!(parse(without.as_bytes()).unwrap().dataset, "");
    let typo = refusal(&without.replace("max_steps: 5", "max_step: 5"));
    assert_eq!(typo, "unknown key stages[0].max_step; did you mean max_steps?");
    let typo = refusal(&without.replace("[{dataset: facts}]", "[{data: facts}]"));
    assert_eq!(typo, "unknown key stages[1].mix.datasets[0].data; did you mean dataset?");
    let refused = refusal(&without.replace("dataset: talks", "dataset: Talks"));
    assert!(refused.starts_with("stages[0].dataset"), "{refused}");
    for key in ["max_steps", "num_train_epochs", "learning_rate"] {
        let zero = refusal(&format!("{LORA}stages: [{{}}, {{{key}: 0}}]\n"));
        assert!(zero.starts_with(&format!("stages[1].{key} is 0; write more, or leave it out")), "{zero}");
    }
    let some = without.replace("dataset: talks, ", "");
    assert!(refusal(&some).starts_with("dataset is missing"), "{some}");
}

#[test]
fn a_new_model_is_described_in_its_place() {
    let text = "output: tiny\nnew_model:\n  tokenizer: t\n  hidden_size: 32\ndataset: d\nobjective: causal\n\
                block_size: 16\nmethod: full\n";
    let spec = parse(text.as_bytes()).unwrap();
    let Some(Start::NewModel(model)) = spec.start else { panic!("no new model") };
    assert_eq!((spec.output.as_str(), model.tokenizer.as_str()), ("baseModels/tiny", "tokenizers/t"));
    let typo = refusal(&text.replace("hidden_size", "hidden_sise"));
    assert_eq!(typo, "unknown key new_model.hidden_sise; did you mean hidden_size?");
    let family = "model_type: mistral\n  head_dim: 16\n  sliding_window: 8\n  hidden_size";
    let spec = parse(text.replace("hidden_size", family).as_bytes()).unwrap();
    let Some(Start::NewModel(model)) = spec.start else { panic!("no new model") };
    assert_eq!((model.model_type.as_str(), model.head_dim, model.sliding_window), ("mistral", 16, 8));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    assert_eq!(
        refusal(&LORA.replace("learning_rate", "learning_rat")),
        "unknown key learning_rat; did you mean learning_rate?"
    );
    let nonsense = refusal(&LORA.replace("learning_rate", "xyzzy"));
    assert_eq!(nonsense, "unknown key xyzzy; `rootstock train --keys` lists those there are");
    assert!(refusal("just text").contains("must be a mapping"));
}

#[test]
fn a_value_of_the_wrong_kind_is_told_with_its_line() {
    let message = refusal(&LORA.replace("max_steps: 20", "max_steps: many"));
    assert!(message.contains("max_steps") && message.contains("line 10"), "{message}");
    let message = refusal(&LORA.replace("method: lora", "method: dora"));
    assert!(message.contains("dora") && message.contains("lora"), "{message}");
}

#[test]
fn what_is_missing_or_has_no_effect_is_told() {
    assert!(refusal(&LORA.replace("dataset: facts\n", "")).starts_with("dataset is missing"));
    assert!(refusal(&LORA.replace("method: lora", "method: full")).starts_with("r is only for method: lora"));
    assert!(refusal(&format!("{LORA}block_size: 8\n")).starts_with("block_size is only for"));
    assert!(refusal(&format!("{LORA}new_model: {{tokenizer: t}}\n")).contains("exclude each other"));
    assert!(refusal(&LORA.replace("output: greeter", "output: Greeter")).starts_with("output: "));
}
