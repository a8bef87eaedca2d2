//! The names that other trainers have for a key: LLaMA-Factory's, PEFT's and those of older transformers. What can be done is taken by
//! its other name; what can't is refused with what to write instead.
use serde::{Deserialize, Serialize};

use super::file::{Method, Names, Objective, Optimizer, TrainFile};

/// Names that mean the same as one of ours, which has them as serde's aliases.
pub(super) const ALIASES: [(&str, &str); 10] = [
    ("model_name_or_path", "base_model"),
    ("adapter_name_or_path", "base_adapter"),
    ("output_dir", "output"),
    ("eval_dataset", "validation_dataset"),
    ("val_size", "validation_split"),
    ("max_seq_length", "max_length"),
    ("lora_rank", "r"),
    ("per_gpu_train_batch_size", "per_device_train_batch_size"),
    ("label_smoothing", "label_smoothing_factor"),
    ("prefix_length", "num_virtual_tokens"),
];

/// Names of what can't be done, or is done another way, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("batch_size", "write per_device_train_batch_size"),
    ("dataloader_num_workers", TOGETHER),
    ("dataset_dir", "data sets are in the store: rootstock data import"),
    ("deepspeed", ONE_PROCESS),
    ("do_eval", "set validation_split or validation_dataset"),
    ("do_predict", "evaluate with rootstock evaluate"),
    ("epochs", "write num_train_epochs"),
    ("fan_in_fan_out", "no family has weights that lie the other way round; take it out"),
    ("freeze_trainable_layers", CHOSEN),
    ("freeze_trainable_modules", CHOSEN),
    ("fsdp", ONE_PROCESS),
    ("gradient_checkpointing_kwargs", "gradient_checkpointing needs none; take it out"),
    ("greater_is_better", BEST),
    ("group_by_length", PACKED),
    ("interleave_probs", MIX),
    ("layers_pattern", "layers_to_transform counts the layers of every family; take it out"),
    ("load_best_model_at_end", "write early_stopping_patience, with which the best state is the result"),
    ("load_in_4bit", QUANTIZED),
    ("load_in_8bit", QUANTIZED),
    ("logging_dir", WATCHED),
    ("lr", "write learning_rate"),
    ("max_samples", "import fewer rows"),
    ("metric_for_best_model", BEST),
    ("mix_strategy", MIX),
    ("model", "write base_model"),
    ("overwrite_cache", TOGETHER),
    ("overwrite_output_dir", "each result is a new version of output; take it out"),
    ("packing", PACKED),
    ("per_device_eval_batch_size", VALIDATED),
    ("per_gpu_eval_batch_size", VALIDATED),
    ("pissa_init", "pairs begin as init_lora_weights says; take it out"),
    ("plot_loss", "rootstock train FILE.yaml --plot loss.svg draws it; take it out"),
    ("preprocessing_num_workers", TOGETHER),
    ("quantization_bit", QUANTIZED),
    ("report_to", WATCHED),
    ("resume_from_checkpoint", "a job goes on by itself from its last saved state; write save_steps"),
    ("run_name", "rootstock train --id NAME names the job"),
    ("save_only_model", "saved states are for going on; take it out"),
    ("train_on_prompt", "only answers are learnt; take it out"),
];

const BEST: &str = "the validation loss decides; take it out";
const CHOSEN: &str = "write method: full and trainable_modules";
const MIX: &str = "write mix, with weights or a temperature";
const ONE_PROCESS: &str = "a job is computed by one process; take it out";
const PACKED: &str = "rows are computed without padding anyway; take it out";
const QUANTIZED: &str = "weights are multiplied as f32, bf16 or f16: write weight_dtype";
const TOGETHER: &str = "the server sees to it; take it out";
const VALIDATED: &str = "validation takes per_device_train_batch_size rows at a time; take it out";
const WATCHED: &str =
    "rootstock jobs metrics JOB --tensorboard DIR writes what TensorBoard reads; take it out";

/// What to do instead of writing this key, if it is known of other trainers and refused.
pub(super) fn instead(key: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(refused, _)| *refused == key).map(|(_, instead)| *instead)
}

/// LLaMA-Factory's stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Pt,
    Sft,
}

/// LLaMA-Factory's `finetuning_type`, and PEFT's `peft_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Tuning {
    Full,
    #[serde(alias = "LORA")]
    Lora,
    #[serde(rename = "PREFIX_TUNING")]
    Prefix,
    #[serde(rename = "PROMPT_TUNING")]
    Prompt,
}

/// When transformers' trainer does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Strategy {
    No,
    Steps,
}

/// Keys whose values are to be translated too.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct OtherNames {
    stage: Option<Stage>,
    finetuning_type: Option<Tuning>,
    peft_type: Option<Tuning>,
    template: Option<String>,
    cutoff_len: Option<i32>,
    lora_target: Option<Names>,
    additional_target: Option<Names>,
    do_train: Option<bool>,
    evaluation_strategy: Option<Strategy>,
    eval_strategy: Option<Strategy>,
    save_strategy: Option<Strategy>,
    logging_strategy: Option<Strategy>,
    adafactor: Option<bool>,
}

impl OtherNames {
    /// Writes into the file what these keys say.
    pub(super) fn apply(self, file: &mut TrainFile) -> Result<(), String> {
        let objective = self.stage.map(|stage| match stage {
            Stage::Pt => Objective::Causal,
            Stage::Sft => Objective::Supervised,
        });
        set("stage", objective, "objective", &mut file.objective)?;
        set("finetuning_type", self.finetuning_type.map(Method::from), "method", &mut file.method)?;
        set("peft_type", self.peft_type.map(Method::from), "method", &mut file.method)?;
        set("template", self.template, "prompt_template", &mut file.prompt_template)?;
        match file.objective {
            Some(Objective::Causal | Objective::Masked) => {
                set("cutoff_len", self.cutoff_len, "block_size", &mut file.block_size)?;
            }
            _ => set("cutoff_len", self.cutoff_len, "max_length", &mut file.max_length)?,
        }
        set("lora_target", self.lora_target.map(apart), "target_modules", &mut file.target_modules)?;
        let saved = self.additional_target.map(apart);
        set("additional_target", saved, "modules_to_save", &mut file.modules_to_save)?;
        if self.do_train == Some(false) {
            return Err("do_train: false trains nothing; rootstock evaluate judges what there is".to_owned());
        }
        let adafactor = self.adafactor.unwrap_or_default().then_some(Optimizer::Adafactor);
        set("adafactor", adafactor, "optim", &mut file.optim)?;
        for (key, strategy, steps, given) in [
            ("evaluation_strategy", self.evaluation_strategy, "eval_steps", file.eval_steps),
            ("eval_strategy", self.eval_strategy, "eval_steps", file.eval_steps),
            ("save_strategy", self.save_strategy, "save_steps", file.save_steps),
            ("logging_strategy", self.logging_strategy, "logging_steps", file.logging_steps),
        ] {
            match (strategy, given.unwrap_or_default()) {
                (Some(Strategy::No), 1..) => {
                    return Err(format!("{key} is no, but {steps} is set; leave one"));
                }
                (Some(Strategy::Steps), 0) => return Err(format!("{key}: steps needs {steps}")),
                _ => {}
            }
        }
        if self.logging_strategy == Some(Strategy::No) {
            return Err(
                "logging_strategy can't be no: the loss is always told; write logging_steps".to_owned()
            );
        }
        Ok(())
    }
}

/// Sets what isn't set by the name that it has here.
fn set<T>(other: &str, value: Option<T>, name: &str, slot: &mut Option<T>) -> Result<(), String> {
    match (&slot, value) {
        (_, None) => Ok(()),
        (Some(_), Some(_)) => Err(format!("{other} and {name} say the same; leave one")),
        (None, value) => {
            *slot = value;
            Ok(())
        }
    }
}

/// LLaMA-Factory's list of modules: names between commas, or `all`.
fn apart(names: Names) -> Names {
    match names {
        Names::One(all) if all == "all" => Names::One("all-linear".to_owned()),
        Names::One(names) if names.contains(',') => {
            Names::Several(names.split(',').map(|name| name.trim().to_owned()).collect())
        }
        names => names,
    }
}

impl From<Tuning> for Method {
    fn from(tuning: Tuning) -> Self {
        match tuning {
            Tuning::Full => Self::Full,
            Tuning::Lora => Self::Lora,
            Tuning::Prefix => Self::Prefix,
            Tuning::Prompt => Self::Prompt,
        }
    }
}

#[cfg(test)]
mod tests {
    use rootstock_client::proto::training::v1 as proto;
    use rootstock_client::proto::training::v1::training_spec::{Method, Objective, Start};

    use super::super::{file, spec};
    use super::*;

    /// The head of LLaMA-Factory's examples/train_lora, with our names for what lies in the store.
    const FACTORY: &str = "model_name_or_path: tiny\nstage: sft\ndo_train: true\nfinetuning_type: lora\nlora_rank: 16\n\
        lora_alpha: 32\nlora_target: all\ndataset: facts\ntemplate: qa_en\ncutoff_len: 96\noutput_dir: greeter\n\
        logging_steps: 10\nsave_steps: 500\nper_device_train_batch_size: 1\ngradient_accumulation_steps: 8\n\
        learning_rate: 1.0e-4\nnum_train_epochs: 3.0\nlr_scheduler_type: cosine\nwarmup_ratio: 0.1\nbf16: true\n\
        val_size: 0.1\neval_strategy: steps\neval_steps: 500\n";

    fn refusal(text: &str) -> String {
        spec::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_file_of_llama_factory_is_the_same_job() {
        let ours = "base_model: tiny\nobjective: supervised\nmethod: lora\nr: 16\nlora_alpha: 32\n\
            target_modules: all-linear\ndataset: facts\nprompt_template: qa_en\nmax_length: 96\noutput: greeter\n\
            logging_steps: 10\nsave_steps: 500\nper_device_train_batch_size: 1\ngradient_accumulation_steps: 8\n\
            learning_rate: 1.0e-4\nnum_train_epochs: 3.0\nlr_scheduler_type: cosine\nwarmup_ratio: 0.1\n\
            weight_dtype: bf16\nvalidation_split: 0.1\neval_steps: 500\n";
        assert_eq!(spec::parse(FACTORY.as_bytes()).unwrap(), spec::parse(ours.as_bytes()).unwrap());
        let few = FACTORY.replace("lora_target: all", "lora_target: q_proj, v_proj");
        let Some(Method::Lora(lora)) = spec::parse(few.as_bytes()).unwrap().method else { panic!("no LoRA") };
        assert_eq!(lora.target_modules, ["q_proj", "v_proj"]);
    }

    #[test]
    fn pre_training_is_a_stage_whose_blocks_are_cut_at_a_length() {
        let text = "model_name_or_path: tiny\nstage: pt\nfinetuning_type: full\ndataset: text\noutput_dir: other\n\
            cutoff_len: 64\nadafactor: true\nper_gpu_train_batch_size: 2\nevaluation_strategy: \"no\"\n";
        let spec = spec::parse(text.as_bytes()).unwrap();
        assert_eq!(spec.start, Some(Start::BaseModel("baseModels/tiny".into())));
        assert_eq!(spec.objective, Some(Objective::Causal(proto::CausalObjective { block_size: 64 })));
        let arguments = spec.arguments.unwrap();
        assert_eq!(arguments.optim(), proto::Optimizer::Adafactor);
        assert_eq!(arguments.per_device_train_batch_size, 2);
    }

    #[test]
    fn a_configuration_of_peft_is_taken_and_pairs_begin_as_by_default() {
        let text = "base_model: tiny\nobjective: causal\noutput: a\ndataset: text\npeft_type: LORA\nbias: none\n\
            init_lora_weights: true\nr: 4\n";
        let Some(Method::Lora(lora)) = spec::parse(text.as_bytes()).unwrap().method else {
            panic!("no LoRA")
        };
        assert_eq!((lora.r, lora.init_lora_weights.as_str()), (4, ""));
        let random = refusal(&text.replace("init_lora_weights: true", "init_lora_weights: false"));
        assert!(random.contains("init_lora_weights"), "{random}");
        let all = spec::parse(text.replace("bias: none", "bias: all").as_bytes()).unwrap();
        assert!(matches!(all.method, Some(Method::Lora(lora)) if lora.bias == "all"));
    }

    #[test]
    fn every_alias_is_one_of_our_keys() {
        let known = file::known_keys::<TrainFile>();
        for (alias, name) in ALIASES {
            assert!(known.iter().any(|key| key == name) && !known.iter().any(|key| key == alias), "{name}");
            let both = serde_yaml_ng::from_str::<TrainFile>(&format!("{name}: null\n{alias}: null\n"));
            let error = both.unwrap_err().to_string();
            assert!(error.contains("duplicate field"), "{alias} is not {name}: {error}");
        }
    }

    #[test]
    fn what_is_said_twice_is_refused() {
        let twice = refusal(&format!("{FACTORY}objective: supervised\n"));
        assert_eq!(twice, "stage and objective say the same; leave one");
        let twice = refusal(&format!("{FACTORY}max_length: 9\n"));
        assert_eq!(twice, "cutoff_len and max_length say the same; leave one");
        assert!(refusal(&format!("{FACTORY}r: 9\n")).contains("duplicate field `r`"));
    }

    #[test]
    fn strategies_go_with_their_steps() {
        let refused = |from: &str, to: &str| refusal(&FACTORY.replace(from, to));
        let none = refused("\neval_steps: 500", "");
        assert_eq!(none, "eval_strategy: steps needs eval_steps");
        let no = refused("eval_strategy: steps", "evaluation_strategy: no");
        assert_eq!(no, "evaluation_strategy is no, but eval_steps is set; leave one");
        let epoch = refused("eval_strategy: steps", "eval_strategy: epoch");
        assert!(
            epoch.contains("eval_strategy") && epoch.contains("`steps`") && epoch.contains("line"),
            "{epoch}"
        );
    }

    #[test]
    fn what_can_not_be_done_says_what_to_write_instead() {
        for (key, instead) in REFUSED {
            let refused = refusal(&format!("{FACTORY}{key}: 1\n"));
            assert_eq!(refused, format!("{key} is of another trainer: {instead}"));
        }
        assert!(refusal(&FACTORY.replace("stage: sft", "stage: dpo")).contains("`dpo`"));
        assert!(refusal(&FACTORY.replace("do_train: true", "do_train: false")).contains("do_train"));
        let near = refusal(&FACTORY.replace("cutoff_len", "cutof_len"));
        assert_eq!(near, "unknown key cutof_len; did you mean cutoff_len?");
    }
}
