// @generated from the protobuf sources of this crate; see tests/generated.rs.
/// Response of AuditDataset.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AuditDatasetResponse {
    /// What was found in the data set to train on; not set for a mix or stages.
    #[prost(message, optional, tag = "1")]
    pub dataset: ::core::option::Option<DatasetAudit>,
    /// What was found in `spec.validation_dataset`, where there is one.
    #[prost(message, optional, tag = "2")]
    pub validation_dataset: ::core::option::Option<DatasetAudit>,
    /// Why a job of this specification would fail because of its rows: one can't be read, nothing is trained, all that validates is, or
    /// labels don't fit. Each names the field and what to do.
    #[prost(string, repeated, tag = "3")]
    pub refusals: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// What was found in the data sets of `spec.mix`, in its order, or of `spec.stages`: those of the specification's data, where a stage
    /// takes that, and of each stage's own. Rows of all that is trained on are compared across data sets, those of
    /// `replay` among them.
    #[prost(message, repeated, tag = "4")]
    pub mixed: ::prost::alloc::vec::Vec<DatasetAudit>,
    /// What was found in the data set of `spec.replay`, where there is one.
    #[prost(message, optional, tag = "5")]
    pub replay: ::core::option::Option<DatasetAudit>,
    /// What was found in the data set of `spec.retention`, where there is one.
    #[prost(message, optional, tag = "6")]
    pub retention: ::core::option::Option<DatasetAudit>,
    /// Tokens of `spec.added_tokens` that are in no row that is trained on: nothing is learned of them.
    #[prost(string, repeated, tag = "7")]
    pub unseen_tokens: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// For classification: labels that the model knows and no row that is trained on has.
    #[prost(string, repeated, tag = "8")]
    pub missing_labels: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// What an audit found in one data set.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DatasetAudit {
    /// Rows that were read, or documents; a conversation is a row for each answer.
    #[prost(int64, tag = "1")]
    pub rows: i64,
    /// Rows that are trained or validated on: those that can be read, less those left out.
    #[prost(int64, tag = "2")]
    pub kept_rows: i64,
    /// Tokens in the rows that can be read.
    #[prost(int64, tag = "3")]
    pub tokens: i64,
    /// Tokens in the kept rows that carry loss, nothing augmented; of documents all.
    #[prost(int64, tag = "4")]
    pub loss_tokens: i64,
    /// What is wrong, or suspicious, in the order of DataProblem.
    #[prost(message, repeated, tag = "5")]
    pub findings: ::prost::alloc::vec::Vec<DataFinding>,
    /// How long what is learned from is; rows by tokens. Empty for documents.
    #[prost(message, repeated, tag = "6")]
    pub prompt_lengths: ::prost::alloc::vec::Vec<LengthBucket>,
    /// How long what is learned is.
    #[prost(message, repeated, tag = "7")]
    pub answer_lengths: ::prost::alloc::vec::Vec<LengthBucket>,
    /// The first rows that can be read, as the model sees them.
    #[prost(message, repeated, tag = "8")]
    pub samples: ::prost::alloc::vec::Vec<DataExample>,
    /// The data set, as the specification names it.
    #[prost(string, tag = "9")]
    pub dataset: ::prost::alloc::string::String,
    /// The prompt template that its rows are rendered with; empty for other objectives than `supervised`.
    #[prost(string, tag = "10")]
    pub prompt_template: ::prost::alloc::string::String,
    /// For classification: how many kept rows have each label, in the order in which labels are numbered; unknown ones come last.
    #[prost(message, repeated, tag = "11")]
    pub labels: ::prost::alloc::vec::Vec<LabelRows>,
}
/// Rows with one label.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct LabelRows {
    /// The label.
    #[prost(string, tag = "1")]
    pub label: ::prost::alloc::string::String,
    /// How many kept rows have it.
    #[prost(int64, tag = "2")]
    pub rows: i64,
}
/// One kind of problem.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DataFinding {
    /// What it is.
    #[prost(enumeration = "DataProblem", tag = "1")]
    pub problem: i32,
    /// How many rows have it.
    #[prost(int64, tag = "2")]
    pub rows: i64,
    /// The first of them.
    #[prost(message, repeated, tag = "3")]
    pub examples: ::prost::alloc::vec::Vec<DataExample>,
}
/// A row of a data set.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DataExample {
    /// The file it stands in.
    #[prost(string, tag = "1")]
    pub file: ::prost::alloc::string::String,
    /// Its number among the records of the file, from 1.
    #[prost(int64, tag = "2")]
    pub row: i64,
    /// The prompt as it is rendered, cut after 1000 characters; carries no loss.
    #[prost(string, tag = "3")]
    pub prompt: ::prost::alloc::string::String,
    /// What is learned, cut in the same way.
    #[prost(string, tag = "4")]
    pub trained: ::prost::alloc::string::String,
    /// More about the problem.
    #[prost(string, tag = "5")]
    pub detail: ::prost::alloc::string::String,
    /// The row that it repeats, contradicts or overlaps: its file.
    #[prost(string, tag = "6")]
    pub other_file: ::prost::alloc::string::String,
    /// The row that it repeats, contradicts or overlaps: its number. 0 where there is none.
    #[prost(int64, tag = "7")]
    pub other_row: i64,
    /// The data set of that row, as the specification names it; empty where it is of the same data set.
    #[prost(string, tag = "8")]
    pub other_dataset: ::prost::alloc::string::String,
}
/// Rows of about one length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct LengthBucket {
    /// Rows of fewer tokens than this, and not in an earlier bucket.
    #[prost(int64, tag = "1")]
    pub below: i64,
    /// How many they are.
    #[prost(int64, tag = "2")]
    pub rows: i64,
}
/// What stays in a data set; the texts of a record count together. What is not set takes nothing out.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct Cleaning {
    /// Takes out records that say the same as an earlier one.
    #[prost(bool, tag = "1")]
    pub exact_duplicates: bool,
    /// Takes out records that are alike to an earlier one by at least this share of their runs of five characters (MinHash), from 0.7
    /// to 1; 0.8 is usual.
    #[prost(double, tag = "2")]
    pub near_duplicates: f64,
    /// Fewest characters of a record.
    #[prost(int32, tag = "3")]
    pub min_characters: i32,
    /// Most characters of a record; 0 is no limit.
    #[prost(int32, tag = "4")]
    pub max_characters: i32,
    /// Largest share of characters that are no letters, digits, punctuation, symbols or space (control characters, what stands for
    /// unreadable bytes), in \[0, 1\].
    #[prost(double, optional, tag = "5")]
    pub max_foreign_share: ::core::option::Option<f64>,
    /// Smallest share of Han characters among the letters, in \[0, 1\].
    #[prost(double, tag = "6")]
    pub min_han_share: f64,
    /// Smallest share of Latin letters among the letters, in \[0, 1\].
    #[prost(double, tag = "7")]
    pub min_latin_share: f64,
    /// Largest share of runs of ten characters that stood in the record before, in \[0, 1\].
    #[prost(double, optional, tag = "8")]
    pub max_repetition: ::core::option::Option<f64>,
}
/// Request of CleanDataset.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CleanDatasetRequest {
    /// The data set: alias or digest. Records become JSON lines; of a text (`.txt`) paragraphs are records.
    #[prost(string, tag = "1")]
    pub dataset: ::prost::alloc::string::String,
    /// What to call the result: `datasets/{id}`, moved to it.
    #[prost(string, tag = "2")]
    pub output: ::prost::alloc::string::String,
    /// What stays; something must be set.
    #[prost(message, optional, tag = "3")]
    pub cleaning: ::core::option::Option<Cleaning>,
}
/// Response of CleanDataset.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CleanDatasetResponse {
    /// Digest of the cleaned data set: the same data and the same settings give the same one.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
    /// Records read.
    #[prost(int64, tag = "2")]
    pub rows: i64,
    /// Records kept.
    #[prost(int64, tag = "3")]
    pub kept_rows: i64,
    /// Records taken out because they can't be read.
    #[prost(int64, tag = "4")]
    pub unreadable: i64,
    /// Those of what remained that are too short or too long.
    #[prost(int64, tag = "5")]
    pub length: i64,
    /// Those of what remained with too many foreign characters.
    #[prost(int64, tag = "6")]
    pub characters: i64,
    /// Those of what remained in another language.
    #[prost(int64, tag = "7")]
    pub language: i64,
    /// Those of what remained that repeat themselves.
    #[prost(int64, tag = "8")]
    pub repetition: i64,
    /// Those of what remained that say the same as an earlier one.
    #[prost(int64, tag = "9")]
    pub exact_duplicates: i64,
    /// Those of what remained that are alike to an earlier one.
    #[prost(int64, tag = "10")]
    pub near_duplicates: i64,
}
/// What is wrong, or suspicious, with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum DataProblem {
    /// Not used.
    Unspecified = 0,
    /// It is no record of its format, or no object. A job fails.
    Malformed = 1,
    /// It is not UTF-8. A job fails.
    InvalidUtf8 = 2,
    /// A field that it needs is not there. A job fails.
    MissingField = 3,
    /// A field is of another type. A job fails.
    WrongType = 4,
    /// Its answer is blank. A job fails.
    EmptyAnswer = 5,
    /// What its answer is to be learned from is blank. A job fails.
    EmptyPrompt = 6,
    /// It is too long, and a part is cut off.
    Truncated = 7,
    /// It is too long, and is left out.
    Dropped = 8,
    /// It is too long, and all that would be learned is cut off: it is left out.
    FullyMasked = 9,
    /// The end of its answer is cut off, and EOS with it: it teaches to go on.
    NoEos = 10,
    /// It says the same as an earlier row.
    Duplicate = 11,
    /// It is alike to an earlier row, four fifths or more of its runs of five characters being in both (MinHash).
    NearDuplicate = 12,
    /// It asks the same as an earlier row, whose answer is another.
    Contradiction = 13,
    /// It is a row to validate on that is trained on as well.
    Overlap = 14,
    /// What it teaches is far shorter than in the other rows: beyond three interquartile distances of the lengths' logarithms, and by a
    /// factor of four at least from the median.
    Short = 15,
    /// What it teaches is far longer, in the same way.
    Long = 16,
    /// Its label is none that is trained on, or of earlier data none that the model knows. A job fails.
    UnknownLabel = 17,
}
impl DataProblem {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "DATA_PROBLEM_UNSPECIFIED",
            Self::Malformed => "DATA_PROBLEM_MALFORMED",
            Self::InvalidUtf8 => "DATA_PROBLEM_INVALID_UTF8",
            Self::MissingField => "DATA_PROBLEM_MISSING_FIELD",
            Self::WrongType => "DATA_PROBLEM_WRONG_TYPE",
            Self::EmptyAnswer => "DATA_PROBLEM_EMPTY_ANSWER",
            Self::EmptyPrompt => "DATA_PROBLEM_EMPTY_PROMPT",
            Self::Truncated => "DATA_PROBLEM_TRUNCATED",
            Self::Dropped => "DATA_PROBLEM_DROPPED",
            Self::FullyMasked => "DATA_PROBLEM_FULLY_MASKED",
            Self::NoEos => "DATA_PROBLEM_NO_EOS",
            Self::Duplicate => "DATA_PROBLEM_DUPLICATE",
            Self::NearDuplicate => "DATA_PROBLEM_NEAR_DUPLICATE",
            Self::Contradiction => "DATA_PROBLEM_CONTRADICTION",
            Self::Overlap => "DATA_PROBLEM_OVERLAP",
            Self::Short => "DATA_PROBLEM_SHORT",
            Self::Long => "DATA_PROBLEM_LONG",
            Self::UnknownLabel => "DATA_PROBLEM_UNKNOWN_LABEL",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "DATA_PROBLEM_UNSPECIFIED" => Some(Self::Unspecified),
            "DATA_PROBLEM_MALFORMED" => Some(Self::Malformed),
            "DATA_PROBLEM_INVALID_UTF8" => Some(Self::InvalidUtf8),
            "DATA_PROBLEM_MISSING_FIELD" => Some(Self::MissingField),
            "DATA_PROBLEM_WRONG_TYPE" => Some(Self::WrongType),
            "DATA_PROBLEM_EMPTY_ANSWER" => Some(Self::EmptyAnswer),
            "DATA_PROBLEM_EMPTY_PROMPT" => Some(Self::EmptyPrompt),
            "DATA_PROBLEM_TRUNCATED" => Some(Self::Truncated),
            "DATA_PROBLEM_DROPPED" => Some(Self::Dropped),
            "DATA_PROBLEM_FULLY_MASKED" => Some(Self::FullyMasked),
            "DATA_PROBLEM_NO_EOS" => Some(Self::NoEos),
            "DATA_PROBLEM_DUPLICATE" => Some(Self::Duplicate),
            "DATA_PROBLEM_NEAR_DUPLICATE" => Some(Self::NearDuplicate),
            "DATA_PROBLEM_CONTRADICTION" => Some(Self::Contradiction),
            "DATA_PROBLEM_OVERLAP" => Some(Self::Overlap),
            "DATA_PROBLEM_SHORT" => Some(Self::Short),
            "DATA_PROBLEM_LONG" => Some(Self::Long),
            "DATA_PROBLEM_UNKNOWN_LABEL" => Some(Self::UnknownLabel),
            _ => None,
        }
    }
}
/// What an adapter must show to be published, and under which name. EvaluationService evaluates it, beside what it is compared with, and
/// publishes it if it passes and the alias has not moved meanwhile. A job whose adapter doesn't pass SUCCEEDS all the same: its result is
/// in the store, its `publication_result` says why nothing was published, and the alias has the version that it had.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Publication {
    /// `adapters/{id}`: the alias to publish under; empty is the job's `output`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Rows of instruction, input, output and keywords: alias or digest of a data set. At most 10000 rows.
    #[prost(string, tag = "2")]
    pub dataset: ::prost::alloc::string::String,
    /// `qa_zh`, `qa_en`, `alpaca` or `chat`; empty is the template of `supervised`.
    #[prost(string, tag = "3")]
    pub prompt_template: ::prost::alloc::string::String,
    /// Most tokens per answer, at most 1048576; 0 means 64.
    #[prost(int32, tag = "4")]
    pub max_tokens: i32,
    /// What is looked at.
    #[prost(enumeration = "super::super::inference::v1::EvaluationMetric", tag = "5")]
    pub metric: i32,
    /// The value to reach: at least this, in \[0, 1\]; for the perplexity at most this, from 1 on.
    #[prost(double, optional, tag = "6")]
    pub threshold: ::core::option::Option<f64>,
    /// By how much better the adapter must be than the version that the alias has when the evaluation begins, or than the base model where
    /// nothing is published; from 0 on, which is not worse, and for all but the perplexity up to 1. Unset is 0 with `max_p_value`, and
    /// otherwise compares with nothing.
    #[prost(double, optional, tag = "7")]
    pub min_improvement: ::core::option::Option<f64>,
    /// Largest p-value of that comparison, in (0, 1\]: an improvement that may be chance doesn't pass.
    #[prost(double, optional, tag = "8")]
    pub max_p_value: ::core::option::Option<f64>,
    /// Tries the adapter beside the alias's version before it is judged, and until then; it is taken back if it doesn't pass. Each of these
    /// moves raises the alias's generation. Where nothing is published, or the adapter itself is, there is no other version to stand beside,
    /// and it is judged without.
    #[prost(message, optional, tag = "9")]
    pub canary: ::core::option::Option<PublicationCanary>,
}
/// How an adapter is tried.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct PublicationCanary {
    /// The share of the requests that get it, in (0, 1).
    #[prost(double, tag = "1")]
    pub share: f64,
    /// Seconds that it stands before it is judged, at most 86400. Whoever ends the canary in that time, by RollbackAdapter or another
    /// publish, keeps the adapter from being published.
    #[prost(int32, tag = "2")]
    pub min_seconds: i32,
}
/// How far a publication has come, and how it ended.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PublicationResult {
    /// Whether the adapter was published: at `gate.published_generation`.
    #[prost(bool, tag = "1")]
    pub published: bool,
    /// Why it was not; empty if it was, and as long as that isn't known.
    #[prost(string, tag = "2")]
    pub reason: ::prost::alloc::string::String,
    /// `evaluations/{id}`: where the answers and scores are; empty before there is one.
    #[prost(string, tag = "3")]
    pub evaluation: ::prost::alloc::string::String,
    /// What the evaluation's gate said of the adapter, with the figures.
    #[prost(message, optional, tag = "4")]
    pub gate: ::core::option::Option<super::super::inference::v1::GateResult>,
    /// The generation of the alias at which the adapter became its canary; 0 if it never was.
    #[prost(int64, tag = "5")]
    pub canary_generation: i64,
}
/// A training job.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TrainingJob {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// What to do.
    #[prost(message, optional, tag = "2")]
    pub spec: ::core::option::Option<TrainingSpec>,
    /// Where it stands.
    #[prost(enumeration = "TrainingJobState", tag = "3")]
    pub state: i32,
    /// How far it has come.
    #[prost(message, optional, tag = "4")]
    pub progress: ::core::option::Option<TrainingProgress>,
    /// Digest of the artifact it made, once it has succeeded, or while that is being published: a version of `spec.output`.
    #[prost(string, tag = "5")]
    pub result_digest: ::prost::alloc::string::String,
    /// Why it failed.
    #[prost(string, tag = "6")]
    pub error: ::prost::alloc::string::String,
    /// When it was created.
    #[prost(message, optional, tag = "7")]
    pub create_time: ::core::option::Option<::prost_types::Timestamp>,
    /// When a worker first began.
    #[prost(message, optional, tag = "8")]
    pub start_time: ::core::option::Option<::prost_types::Timestamp>,
    /// When it ended.
    #[prost(message, optional, tag = "9")]
    pub end_time: ::core::option::Option<::prost_types::Timestamp>,
    /// How often a worker began it; more than once after a crash, a restart or a pause.
    #[prost(int32, tag = "10")]
    pub attempts: i32,
    /// While QUEUED: its place in the queue, from 1; no two jobs have the same. 0 otherwise.
    #[prost(int64, tag = "11")]
    pub queue_position: i64,
    /// How far the publication of its adapter has come, and how it ended, where there is one.
    #[prost(message, optional, tag = "13")]
    pub publication_result: ::core::option::Option<PublicationResult>,
    /// What was read of its data, once it was: how many rows are trained on, left out and cut.
    #[prost(message, optional, tag = "15")]
    pub data_ready: ::core::option::Option<TrainingDataReady>,
}
/// What to train, on what, and how. What is not set has the default told here, which is Hugging Face's where it has one.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TrainingSpec {
    /// The alias of the result: `adapters/{id}` for an adapter, `baseModels/{id}` for full training, `fishers/{id}` for Fisher information.
    /// It is moved when the job succeeds, but for an adapter, which is published by AdapterService or by `publication`.
    #[prost(string, tag = "1")]
    pub output: ::prost::alloc::string::String,
    /// The data set: alias or digest. Rows for `supervised` and `classification`, text for `causal`,
    /// `infilling` and `masked`. Either this or `mix`, or neither where each of the `stages` has data of its own.
    #[prost(string, tag = "2")]
    pub dataset: ::prost::alloc::string::String,
    /// Several data sets, each seen in its share; instead of `dataset`.
    #[prost(message, optional, tag = "15")]
    pub mix: ::core::option::Option<DatasetMix>,
    /// A data set to validate on; instead of `validation_split`.
    #[prost(string, tag = "3")]
    pub validation_dataset: ::prost::alloc::string::String,
    /// Share of rows (or blocks of text) held out for validation, in \[0, 0.5\].
    #[prost(double, tag = "4")]
    pub validation_split: f64,
    /// How long, how fast, how often.
    #[prost(message, optional, tag = "11")]
    pub arguments: ::core::option::Option<TrainingArguments>,
    /// Holds the weights that matter for earlier data close to the base model's. For method `full` on a `base_model`.
    #[prost(message, optional, tag = "23")]
    pub ewc: ::core::option::Option<ElasticWeightConsolidation>,
    /// Earlier data that is seen beside `dataset`.
    #[prost(message, optional, tag = "24")]
    pub replay: ::core::option::Option<Replay>,
    /// What must be left of earlier data. For a `base_model` or a `base_adapter`.
    #[prost(message, optional, tag = "28")]
    pub retention: ::core::option::Option<Retention>,
    /// Jobs with a lower number begin first, and those of one number in the order in which they came; in \[-100, 100\]. It ends nothing
    /// that has begun, and decides nothing of the result.
    #[prost(int32, tag = "26")]
    pub priority: i32,
    /// Tokens that the tokenizer shall have too (LLaMA-Factory's `add_tokens`): none special, each one id wherever it stands in a text. Their
    /// rows of embedding and head begin as the mean of the others' (transformers' `mean_resizing`, without its noise). The result is a base
    /// model with a tokenizer of its own, which is stored as a version of `tokenizers/{id of output}` too. At most 1024, each of 1 to 128
    /// bytes and no token yet. For `full` with a decoder as `base_model`.
    #[prost(string, repeated, tag = "27")]
    pub added_tokens: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Goes on with the optimizer of the job that made `base_model` (`full`) or `base_adapter` (`lora`): with its moments, and its count of
    /// steps where moments are corrected for being young. Data, schedule and steps begin anew. That job must not be deleted, must have saved
    /// the state after its last step, as jobs with `save_steps` do, and have trained the same weights with the same `optim`; a job with early
    /// stopping whose result isn't made of its last weights can't be gone on with so. Its state is kept as long as this job is.
    #[prost(bool, tag = "25")]
    pub keep_optimizer_state: bool,
    /// Has the adapter evaluated once it is stored, and published if it is good enough. For all methods that make an adapter.
    #[prost(message, optional, tag = "29")]
    pub publication: ::core::option::Option<Publication>,
    /// Stages, one after the other in this job: other data, other weights in training, another length or learning rate. At most 32; none
    /// is one stage with nothing of its own. For all methods but `fisher`, and not with `unfreeze_every_steps`.
    #[prost(message, repeated, tag = "30")]
    pub stages: ::prost::alloc::vec::Vec<TrainingStage>,
    /// Where the weights come from.
    #[prost(oneof = "training_spec::Start", tags = "5, 6, 19, 21")]
    pub start: ::core::option::Option<training_spec::Start>,
    /// What is learned.
    #[prost(oneof = "training_spec::Objective", tags = "7, 8, 12, 13, 14")]
    pub objective: ::core::option::Option<training_spec::Objective>,
    /// Which weights are trained.
    #[prost(oneof = "training_spec::Method", tags = "9, 10, 16, 17, 18, 22")]
    pub method: ::core::option::Option<training_spec::Method>,
}
/// Nested message and enum types in `TrainingSpec`.
pub mod training_spec {
    /// Where the weights come from.
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Start {
        /// A base model of the store: alias or digest.
        #[prost(string, tag = "5")]
        BaseModel(::prost::alloc::string::String),
        /// Random weights of a new model.
        #[prost(message, tag = "6")]
        NewModel(super::NewModel),
        /// An adapter of the store, alias or digest, with which LoRA goes on: the same base model and the same configuration. Of `lora`
        /// only `lora_dropout` may be set; 0 leaves it as the adapter has it. The optimizer begins anew unless `keep_optimizer_state` is set.
        #[prost(string, tag = "19")]
        BaseAdapter(::prost::alloc::string::String),
        /// Random weights of a new encoder.
        #[prost(message, tag = "21")]
        NewEncoder(super::NewEncoder),
    }
    /// What is learned.
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Objective {
        /// The next token of text.
        #[prost(message, tag = "7")]
        Causal(super::CausalObjective),
        /// The answer to an instruction.
        #[prost(message, tag = "8")]
        Supervised(super::SupervisedObjective),
        /// Spans that were cut out of text.
        #[prost(message, tag = "12")]
        Infilling(super::InfillingObjective),
        /// Tokens of text that were hidden: for encoders, which see what comes before them and after.
        #[prost(message, tag = "13")]
        Masked(super::MaskedObjective),
        /// The label of a text, for encoders.
        #[prost(message, tag = "14")]
        Classification(super::ClassificationObjective),
    }
    /// Which weights are trained.
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Method {
        /// All weights of the model.
        #[prost(message, tag = "9")]
        Full(super::FullMethod),
        /// Low-rank adapters beside frozen weights.
        #[prost(message, tag = "10")]
        Lora(super::LoraMethod),
        /// Bottlenecks behind or beside the blocks of each layer, beside frozen weights.
        #[prost(message, tag = "16")]
        Bottleneck(super::BottleneckMethod),
        /// Keys and values of every layer before each row, beside frozen weights.
        #[prost(message, tag = "17")]
        Prefix(super::PrefixTuningMethod),
        /// Rows in the place of token embeddings before each row, beside frozen weights.
        #[prost(message, tag = "18")]
        Prompt(super::PromptTuningMethod),
        /// None: how much each weight matters for the data set is measured.
        #[prost(message, tag = "22")]
        Fisher(super::FisherMethod),
    }
}
/// A part of a job's steps. What it doesn't say is the specification's, so that each stage has the specification's length where it has none
/// of its own, and its schedule with warm-up from the stage's first step to its last. A stage begins with the weights that the one before
/// ended with. The optimizer goes on with its moments and its count of steps for the weights that were trained in the stage before too, so
/// that nothing jumps where a run goes on; those of other weights begin anew. It makes the steps of a job of its own that starts from what
/// the stage before has made, with `keep_optimizer_state`, and with `seed` raised by the number of stages before.
///
/// Steps are counted through all stages, also for `logging_steps`, `eval_steps` and `save_steps`. `validation_split` holds out a share of
/// each stage's data, and a stage is validated before its first step and after its last. With `early_stopping_patience` a stage ends as
/// a job does: the next one goes on from the stage's best weights and, where these aren't the last, with a new optimizer. `ewc` holds
/// weights to the base model's in all stages, `replay` takes its share of each, and `retention` is measured before the first and after
/// the last.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TrainingStage {
    /// A data set for the same objective; instead of the specification's data, which is left out where every stage has its own.
    #[prost(string, tag = "1")]
    pub dataset: ::prost::alloc::string::String,
    /// Several data sets, each seen in its share; instead of `dataset`.
    #[prost(message, optional, tag = "2")]
    pub mix: ::core::option::Option<DatasetMix>,
    /// For `full` on a `base_model`: what the stage trains, in the place of both of the method's lists. At most 64.
    #[prost(string, repeated, tag = "3")]
    pub trainable_modules: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// What of that it doesn't train. At most 64.
    #[prost(string, repeated, tag = "4")]
    pub frozen_modules: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Optimizer steps of the stage; 0, without `num_train_epochs`, leaves its length to the specification.
    #[prost(int64, tag = "5")]
    pub max_steps: i64,
    /// Passes over its data; instead of `max_steps`.
    #[prost(double, tag = "6")]
    pub num_train_epochs: f64,
    /// Peak learning rate; 0 is the specification's.
    #[prost(double, tag = "7")]
    pub learning_rate: f64,
    /// Steps over which the learning rate rises from 0; 0 makes no warm-up where the specification does.
    #[prost(int64, optional, tag = "8")]
    pub warmup_steps: ::core::option::Option<i64>,
    /// The same as a share of the stage's steps; instead of `warmup_steps`, the stage's and the specification's.
    #[prost(double, optional, tag = "9")]
    pub warmup_ratio: ::core::option::Option<f64>,
}
/// Several data sets for one objective: multi-task training. A pass has as many rows as all of them together, or a few less so that each
/// share is whole; no row is seen again before all others of its data set were. Which row comes when is a function of `seed` and the
/// step. `validation_split` holds out that share of each data set.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DatasetMix {
    /// 1 to 64 data sets.
    #[prost(message, repeated, tag = "1")]
    pub datasets: ::prost::alloc::vec::Vec<MixedDataset>,
    /// Where there are no weights: each data set is seen in proportion to its rows to the power of one over this (Raffel et al., 2020). 1
    /// is as the rows are, and high temperatures come to equal shares; from 1 to 1e6, 0 means 1.
    #[prost(double, tag = "2")]
    pub temperature: f64,
}
/// One data set of a mix.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct MixedDataset {
    /// The data set: alias or digest.
    #[prost(string, tag = "1")]
    pub dataset: ::prost::alloc::string::String,
    /// How often its rows are seen, in proportion to the weights of the others; at most 1e6. All data sets of a mix have one, or none has.
    #[prost(double, tag = "2")]
    pub weight: f64,
    /// For `supervised`: how its rows become prompts, if not as the objective's `prompt_template` says.
    #[prost(string, tag = "3")]
    pub prompt_template: ::prost::alloc::string::String,
}
/// A decoder to be made from random weights; the names of Hugging Face's config.json.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct NewModel {
    /// Its tokenizer: alias or digest.
    #[prost(string, tag = "1")]
    pub tokenizer: ::prost::alloc::string::String,
    /// Its family: `llama`, `mistral` (a window on every layer), `qwen2` (biases on queries, keys and values) or `qwen3` (normed queries and
    /// keys); empty means `llama`.
    #[prost(string, tag = "11")]
    pub model_type: ::prost::alloc::string::String,
    /// Width of the residual stream.
    #[prost(int32, tag = "2")]
    pub hidden_size: i32,
    /// Width of the feed-forward layers.
    #[prost(int32, tag = "3")]
    pub intermediate_size: i32,
    /// Number of layers.
    #[prost(int32, tag = "4")]
    pub num_hidden_layers: i32,
    /// Number of attention heads.
    #[prost(int32, tag = "5")]
    pub num_attention_heads: i32,
    /// Number of key/value heads; 0 means as many as attention heads.
    #[prost(int32, tag = "6")]
    pub num_key_value_heads: i32,
    /// Width of a head: even, and at most 65536 over `num_attention_heads`. 0 means `hidden_size` over `num_attention_heads`, which must then
    /// be whole and even.
    #[prost(int32, tag = "12")]
    pub head_dim: i32,
    /// Longest context.
    #[prost(int32, tag = "7")]
    pub max_position_embeddings: i32,
    /// For `mistral`: tokens that a layer sees, its own included; 0 means 4096. One as wide as the longest context hides nothing.
    #[prost(int32, tag = "13")]
    pub sliding_window: i32,
    /// Base of the rotary frequencies; 0 means 10000.
    #[prost(double, tag = "8")]
    pub rope_theta: f64,
    /// Input and output embeddings are one matrix.
    #[prost(bool, tag = "9")]
    pub tie_word_embeddings: bool,
    /// Standard deviation of the random weights; 0 means 0.02.
    #[prost(double, tag = "10")]
    pub initializer_range: f64,
}
/// A BERT to be made from random weights; the names of transformers' BertConfig. Attention weights are never dropped
/// (`attention_probs_dropout_prob` is 0), because they are never all in memory.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct NewEncoder {
    /// Its tokenizer: alias or digest.
    #[prost(string, tag = "1")]
    pub tokenizer: ::prost::alloc::string::String,
    /// Width of the residual stream; a multiple of `num_attention_heads`.
    #[prost(int32, tag = "2")]
    pub hidden_size: i32,
    /// Width of the feed-forward layers.
    #[prost(int32, tag = "3")]
    pub intermediate_size: i32,
    /// Number of layers.
    #[prost(int32, tag = "4")]
    pub num_hidden_layers: i32,
    /// Number of attention heads.
    #[prost(int32, tag = "5")]
    pub num_attention_heads: i32,
    /// Longest text in tokens.
    #[prost(int32, tag = "6")]
    pub max_position_embeddings: i32,
    /// Kinds of tokens; 0 means 2. Training knows the first alone.
    #[prost(int32, tag = "7")]
    pub type_vocab_size: i32,
    /// Share of the numbers dropped after the embedding and each block while training, at most 0.99; unset means 0.1.
    #[prost(double, optional, tag = "8")]
    pub hidden_dropout_prob: ::core::option::Option<f64>,
    /// Standard deviation of the random weights; 0 means 0.02.
    #[prost(double, tag = "9")]
    pub initializer_range: f64,
    /// Added to the variance in LayerNorm; 0 means 1e-12.
    #[prost(double, tag = "10")]
    pub layer_norm_eps: f64,
}
/// Next-token prediction on text, cut into blocks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CausalObjective {
    /// Tokens per block; 0 means 128, or the model's context where that is shorter.
    #[prost(int32, tag = "1")]
    pub block_size: i32,
}
/// Masked language modelling (BERT); the names of transformers' DataCollatorForLanguageModeling. Of the chosen tokens 80 % become the
/// mask, 10 % another token, and 10 % stay; which are chosen is drawn anew each time a block is seen, and for validation once. For
/// encoders with a head for masked tokens, method `full`; the tokenizer must have a mask (`mask_token` in tokenizer_config.json).
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct MaskedObjective {
    /// Share of the tokens that are chosen, between 0 and 1; 0 means 0.15.
    #[prost(double, tag = "1")]
    pub mlm_probability: f64,
    /// Tokens of one word are chosen together: letters and digits in a row are a word, and so is each ideograph and any other character.
    #[prost(bool, tag = "2")]
    pub whole_word_mask: bool,
    /// Tokens per block of text with the special tokens around it; no block holds text of two documents. At least 8; 0 means 128, or the
    /// model's context where that is shorter.
    #[prost(int32, tag = "3")]
    pub block_size: i32,
}
/// Classification of texts by an encoder: rows of `text` and `label` (a string or a whole number). The result is a
/// BertForSequenceClassification whose `id2label` are the labels of the training rows, in order, whole numbers by their size. A base
/// model with these labels goes on with its head; otherwise the head is new, and so is the pooler where the base has none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ClassificationObjective {
    /// Longest text in tokens, with the special tokens around it; longer ones are left out and counted. At least 8; 0 means 512, or the
    /// model's context where that is shorter.
    #[prost(int32, tag = "1")]
    pub max_length: i32,
    /// Trains the head alone, the pooler with it, on a frozen encoder; needs `base_model`.
    #[prost(bool, tag = "2")]
    pub freeze_encoder: bool,
}
/// Prediction of what was cut out of text (T5, UL2), laid out for a decoder: first the text with a sentinel for each span, then the
/// first sentinel again, which asks for the spans, and each span after its sentinel, with the loss on these alone. The tokenizer must
/// have the sentinels `<extra_id_0>`, `<extra_id_1>` and so on, as many as a row may have spans (a row has no more), and an EOS, which
/// ends each row. No row holds text of two documents; those with sentinels or prefix tokens of their own are left out and counted.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct InfillingObjective {
    /// Longest row in tokens, with what is put in; documents are cut into texts that fit. At least 8; 0 means 128, or the model's
    /// context where that is shorter.
    #[prost(int32, tag = "1")]
    pub max_length: i32,
    /// What is cut out, drawn anew each time a row is seen; at most 16. Empty means spans with their defaults.
    #[prost(message, repeated, tag = "2")]
    pub denoisers: ::prost::alloc::vec::Vec<Denoiser>,
}
/// One way to cut something out. UL2's mixture is R, spans of mean length 3 at a rate of 0.15; X, spans of mean length 32 at 0.5;
/// and S, a continuation.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Denoiser {
    /// How often it is drawn, in proportion to the others; 0 means 1.
    #[prost(double, tag = "3")]
    pub weight: f64,
    /// A token that begins its rows and says which denoiser is meant, such as `\[R\]`; the tokenizer must have it. Empty is none.
    #[prost(string, tag = "4")]
    pub prefix_token: ::prost::alloc::string::String,
    /// What is cut out.
    #[prost(oneof = "denoiser::Corruption", tags = "1, 2")]
    pub corruption: ::core::option::Option<denoiser::Corruption>,
}
/// Nested message and enum types in `Denoiser`.
pub mod denoiser {
    /// What is cut out.
    #[derive(Clone, Copy, PartialEq, ::prost::Oneof)]
    pub enum Corruption {
        /// Spans all over the text.
        #[prost(message, tag = "1")]
        Spans(super::SpanCorruption),
        /// All from some token on: the text is continued.
        #[prost(message, tag = "2")]
        Continuation(super::ContinuationCorruption),
    }
}
/// Spans all over a text, never its first token; lengths and places are drawn as T5 draws them.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct SpanCorruption {
    /// Share of the tokens that are cut out, between 0 and 1; 0 means 0.15.
    #[prost(double, tag = "1")]
    pub corruption_rate: f64,
    /// Mean length of a span in tokens, at least 1; 0 means 3.
    #[prost(double, tag = "2")]
    pub mean_span_length: f64,
}
/// The rest of a text from a token on that is drawn evenly.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ContinuationCorruption {}
/// Rows of instruction, input and output, or of messages, with the loss on the output alone.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SupervisedObjective {
    /// `qa_zh`, `qa_en`, `alpaca`, or `chat` for the tokenizer's chat template. Rows that are conversations (`messages` of `role` and
    /// `content`, or ShareGPT's `conversations` of `from` and `value`) become one row for each answer, with what was said before it,
    /// for which only `chat` has a place.
    #[prost(string, tag = "1")]
    pub prompt_template: ::prost::alloc::string::String,
    /// Longest row in tokens; `truncation` says what becomes of longer ones. 0 means 512, or the model's context where that is shorter.
    #[prost(int32, tag = "2")]
    pub max_length: i32,
    /// Probability that a token of the instruction is left out of the prompt, drawn anew each time the row is seen:
    /// augmentation against overfitting to one wording. In \[0, 0.9\].
    #[prost(double, tag = "3")]
    pub instruction_token_dropout: f64,
    /// What becomes of rows that are too long.
    #[prost(enumeration = "Truncation", tag = "4")]
    pub truncation: i32,
    /// Probability that a span of three tokens of the instruction is moved: it changes places with the next one. Drawn anew each time the
    /// row is seen, before tokens are left out. In \[0, 0.9\].
    #[prost(double, tag = "5")]
    pub span_shuffle: f64,
    /// Columns that hold other wordings of the instruction: a text, a list of texts, or nothing. Each time a row is seen, one of its
    /// wordings is drawn, the instruction among them. Where one of them is too long the row keeps the others. At most 16.
    #[prost(string, repeated, tag = "6")]
    pub paraphrase_columns: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Full training: of all weights, or of some. The others stay as they are, bit for bit: nothing is computed or kept for them, and the
/// backward pass ends above the layers below which nothing is trained.
///
/// An entry of `trainable_modules` or `frozen_modules` is a name or, after `re:`, a regular expression (linear-time syntax: no
/// look-around, no back-references). A name stands for each module whose path is the name or ends in `.` and the name, as in PEFT's
/// lists; an expression for each whose whole path it matches. Paths are those of transformers, such as `model.layers.3.mlp.up_proj`; a
/// module includes all below it, and a single weight or bias can be named like a module. An entry that stands for nothing is refused.
/// Examples: `\[lm_head\]` trains the head alone (`\[embed_tokens\]` where the head is the embedding); `\[layers.10, layers.11, model.norm,  lm_head\]` the last two of twelve layers and the head; `\[bias\]` biases alone (BitFit); `frozen_modules: \[embed_tokens\]` all but the
/// embedding; `\["re:model\\.layers\\.[0-9\]+\\.mlp"]` the feed-forward blocks.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct FullMethod {
    /// What is trained; empty is everything. At most 64. Both lists are for a base model: a new one has random weights to train.
    #[prost(string, repeated, tag = "1")]
    pub trainable_modules: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// What of that is not trained. At most 64.
    #[prost(string, repeated, tag = "2")]
    pub frozen_modules: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Gradual unfreezing (Howard & Ruder, 2018, ULMFiT): the first steps train the head, the last norm and the top layer, and each time
    /// after so many steps the next lower layer joins, at last the embedding (also where it is the head). An optimizer counts a weight's
    /// steps from its first one. Stages without anything to train are left out. 0 trains everything from the beginning.
    #[prost(int64, tag = "3")]
    pub unfreeze_every_steps: i64,
}
/// The diagonal of a base model's Fisher information on a data set, which `ewc` reads: for each weight the mean over rows of the squared
/// gradient of a row's log-likelihood, the sum over its labels. It is the empirical Fisher information: labels are the data set's. Rows
/// are taken one at a time and as they are, without dropout; of `arguments` only `seed`, `logging_steps`, `weight_dtype`,
/// `gradient_checkpointing` and `activation_memory_bytes` may be set, and steps are rows. What was measured before a pause or restart is
/// measured again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct FisherMethod {
    /// How many rows, drawn by the seed; 0, or more than there are, takes all.
    #[prost(int64, tag = "1")]
    pub max_rows: i64,
}
/// Elastic weight consolidation (Kirkpatrick et al., 2017): `lambda / 2 * sum F_i (w_i - w*_i)^2` is added to the loss of each step, where
/// w\* are the weights of the base model and F is its Fisher information on earlier data. Weights that F knows nothing of, such as a new
/// head, are free.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ElasticWeightConsolidation {
    /// The Fisher information: `fishers/{id}`, a version of it, or a digest; measured on the base model that training starts from.
    #[prost(string, tag = "1")]
    pub fisher: ::prost::alloc::string::String,
    /// How strongly weights are held; above 0, at most 1e12. A model that knows its data well has small F, and needs much: 1e3 to 1e6 is
    /// where to begin.
    #[prost(double, tag = "2")]
    pub lambda: f64,
}
/// Replay of earlier data: of the rows of each step this share, spread evenly over them, is of the earlier data instead. Which they are is
/// a function of `seed` and the step; none comes again before all others came. A pass over `dataset` leaves as many of its rows out, others
/// each time.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Replay {
    /// The earlier data: rows or text for the same objective; alias or digest.
    #[prost(string, tag = "1")]
    pub dataset: ::prost::alloc::string::String,
    /// Its share of the rows, above 0 and below 1.
    #[prost(double, tag = "2")]
    pub ratio: f64,
}
/// A check against forgetting: the mean loss on earlier data, without label smoothing, is measured before the first step and on the result.
/// What is left is the first over the second: 1 is all, and 0.5 a loss that has doubled; the artifact tells it as its annotation
/// `retention`. It is a score of losses; EvaluationService scores answers.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Retention {
    /// The earlier data: rows or text for the same objective; alias or digest.
    #[prost(string, tag = "1")]
    pub dataset: ::prost::alloc::string::String,
    /// How much must be left, from 0 to 1; with less the job fails and stores no result. 0 only measures.
    #[prost(double, tag = "2")]
    pub min_ratio: f64,
}
/// LoRA; the names of PEFT's LoraConfig.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct LoraMethod {
    /// Rank; 0 means 8.
    #[prost(int32, tag = "1")]
    pub r: i32,
    /// Numerator of the scale `lora_alpha / r`; 0 means 8.
    #[prost(double, tag = "2")]
    pub lora_alpha: f64,
    /// Dropout before the low-rank product, in \[0, 1).
    #[prost(double, tag = "3")]
    pub lora_dropout: f64,
    /// Modules to adapt, among q_proj k_proj v_proj o_proj gate_proj up_proj down_proj embed_tokens lm_head; empty means q_proj and
    /// v_proj; at most 64 entries. Where lm_head is among them, `lora_dropout` must be 0.
    #[prost(string, repeated, tag = "4")]
    pub target_modules: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Scale by `lora_alpha / sqrt(r)` instead.
    #[prost(bool, tag = "5")]
    pub use_rslora: bool,
    /// DoRA (Liu et al., 2024): a learned magnitude for each output of an adapted module; not with embed_tokens. As in PEFT, the norms
    /// that the magnitudes are over are constants of the backward pass.
    #[prost(bool, tag = "6")]
    pub use_dora: bool,
    /// Other ranks, by a regular expression for the end of a module's path from one of its dots on. A map has no order, so that patterns
    /// with different values for one module are refused. At most 64 entries.
    #[prost(btree_map = "string, int32", tag = "7")]
    pub rank_pattern: ::prost::alloc::collections::BTreeMap<
        ::prost::alloc::string::String,
        i32,
    >,
    /// Other numerators of the scale, in the same way.
    #[prost(btree_map = "string, double", tag = "8")]
    pub alpha_pattern: ::prost::alloc::collections::BTreeMap<
        ::prost::alloc::string::String,
        f64,
    >,
    /// Modules that are not adapted although `target_modules` names them: names or ends of paths, such as `layers.0.self_attn.q_proj`;
    /// at most 64 entries.
    #[prost(string, repeated, tag = "9")]
    pub exclude_modules: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Numbers of the layers whose modules are adapted, from 0; empty is all. Both ends of the model lie in none. At most 1024 entries.
    #[prost(int32, repeated, tag = "10")]
    pub layers_to_transform: ::prost::alloc::vec::Vec<i32>,
    /// Modules that are trained whole and go with the adapter: embed_tokens, lm_head. Each takes as much memory as the base's own.
    #[prost(string, repeated, tag = "11")]
    pub modules_to_save: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// How the matrices A start: empty is PEFT's default (Kaiming), `gaussian` draws them from N(0, 1/r^2).
    #[prost(string, tag = "12")]
    pub init_lora_weights: ::prost::alloc::string::String,
    /// Which of the base's biases are trained too and take its place where the adapter is served: `none`, `all`, or `lora_only`, those of
    /// adapted modules; empty means none. Refused where the base model has none there.
    #[prost(string, tag = "13")]
    pub bias: ::prost::alloc::string::String,
}
/// Bottleneck adapters; the names of the `adapters` library's BnConfig, whose format the result has. Neither place set means
/// `output_adapter`, as in SeqBnConfig with `original_ln_before` (Pfeiffer) and ParBnConfig with `is_parallel`; DoubleSeqBnConfig
/// (Houlsby) sets both places.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BottleneckMethod {
    /// One behind the attention of each layer.
    #[prost(bool, tag = "1")]
    pub mh_adapter: bool,
    /// One behind the feed-forward block of each layer.
    #[prost(bool, tag = "2")]
    pub output_adapter: bool,
    /// The model's width over the bottleneck's, from 0.0625 to 65536; 0 means 16.
    #[prost(double, tag = "3")]
    pub reduction_factor: f64,
    /// `relu`, `gelu` or `swish`; empty means relu.
    #[prost(string, tag = "4")]
    pub non_linearity: ::prost::alloc::string::String,
    /// Multiplies what is added, at most 1e6 in size; 0 means 1.
    #[prost(double, tag = "5")]
    pub scaling: f64,
    /// It reads the residual stream behind the block, not the block's output alone. Not with `is_parallel`.
    #[prost(bool, tag = "6")]
    pub original_ln_before: bool,
    /// It stands beside the block and reads the residual stream before it.
    #[prost(bool, tag = "7")]
    pub is_parallel: bool,
}
/// Prompt tuning; the names of PEFT's PromptTuningConfig. Virtual tokens take positions before each row, which must fit the model's
/// context with them; they have no loss, and no token is predicted from them.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PromptTuningMethod {
    /// How many virtual tokens; at most 4096; 0 means 20.
    #[prost(int32, tag = "1")]
    pub num_virtual_tokens: i32,
    /// What they begin as.
    #[prost(enumeration = "PromptTuningInit", tag = "2")]
    pub prompt_tuning_init: i32,
    /// TEXT: the text, whose tokens' embeddings they begin as, over and over or as many as there is room for. Unset otherwise.
    #[prost(string, tag = "3")]
    pub prompt_tuning_init_text: ::prost::alloc::string::String,
}
/// Prefix tuning; the names of PEFT's PrefixTuningConfig. The keys of virtual tokens are not rotated; the first token of a row has the
/// position after them. They take positions and have no loss, as with prompt tuning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PrefixTuningMethod {
    /// How many virtual tokens; at most 4096; 0 means 20.
    #[prost(int32, tag = "1")]
    pub num_virtual_tokens: i32,
    /// Two layers make the keys and values while training, and are trained in their place; the result holds what they made in the end.
    #[prost(bool, tag = "2")]
    pub prefix_projection: bool,
    /// Width between the two; at most 65536; 0 means the width of a layer's keys. Only with `prefix_projection`.
    #[prost(int32, tag = "3")]
    pub encoder_hidden_size: i32,
}
/// What only some schedules have; the names of transformers' `lr_scheduler_kwargs`.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct LrSchedulerKwargs {
    /// COSINE, COSINE_WITH_MIN_LR, and WARMUP_STABLE_DECAY with a cosine: waves; 0 means 0.5. COSINE_WITH_RESTARTS: how often it
    /// falls; 0 means 1.
    #[prost(double, tag = "1")]
    pub num_cycles: f64,
    /// COSINE_WITH_MIN_LR: lowest learning rate.
    #[prost(double, optional, tag = "2")]
    pub min_lr: ::core::option::Option<f64>,
    /// COSINE_WITH_MIN_LR: the same as a share of the peak.
    #[prost(double, optional, tag = "3")]
    pub min_lr_rate: ::core::option::Option<f64>,
    /// POLYNOMIAL: the power; 0 means 1.
    #[prost(double, tag = "4")]
    pub power: f64,
    /// POLYNOMIAL: last learning rate; unset means 1e-7.
    #[prost(double, optional, tag = "5")]
    pub lr_end: ::core::option::Option<f64>,
    /// INVERSE_SQRT: steps after which the rate is that of 1 over the root of 2; 0 means as many as warm-up has, or 10000.
    #[prost(int64, tag = "6")]
    pub timescale: i64,
    /// WARMUP_STABLE_DECAY: steps over which the rate falls.
    #[prost(int64, tag = "7")]
    pub num_decay_steps: i64,
    /// WARMUP_STABLE_DECAY: steps before that; unset means all that remain.
    #[prost(int64, optional, tag = "8")]
    pub num_stable_steps: ::core::option::Option<i64>,
    /// WARMUP_STABLE_DECAY: how it rises, `linear`, `cosine` or `1-sqrt`; empty means linear.
    #[prost(string, tag = "9")]
    pub warmup_type: ::prost::alloc::string::String,
    /// WARMUP_STABLE_DECAY: how it falls, `linear`, `cosine` or `1-sqrt`; empty means cosine.
    #[prost(string, tag = "10")]
    pub decay_type: ::prost::alloc::string::String,
    /// WARMUP_STABLE_DECAY: share of the peak at both ends.
    #[prost(double, tag = "11")]
    pub min_lr_ratio: f64,
}
/// What only some optimizers have; the names of transformers' `optim_args`.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct OptimArgs {
    /// SGD: share of the last update that is made again, in \[0, 1).
    #[prost(double, tag = "1")]
    pub momentum: f64,
    /// SGD: looks ahead by one more update; needs `momentum`.
    #[prost(bool, tag = "2")]
    pub nesterov: bool,
}
/// The names of Hugging Face's TrainingArguments.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TrainingArguments {
    /// Peak learning rate; 0 means 5e-5.
    #[prost(double, tag = "1")]
    pub learning_rate: f64,
    /// Passes over the data; 0 means 3. Not used when `max_steps` is set.
    #[prost(double, tag = "2")]
    pub num_train_epochs: f64,
    /// Optimizer steps; 0 leaves it to `num_train_epochs`.
    #[prost(int64, tag = "3")]
    pub max_steps: i64,
    /// Rows per forward pass; 0 means 8.
    #[prost(int32, tag = "4")]
    pub per_device_train_batch_size: i32,
    /// Forward passes per optimizer step; 0 means 1. The loss is a mean over all their tokens, as in one large batch.
    #[prost(int32, tag = "5")]
    pub gradient_accumulation_steps: i32,
    /// Steps over which the learning rate rises from 0.
    #[prost(int64, tag = "6")]
    pub warmup_steps: i64,
    /// The same as a share of all steps; only when `warmup_steps` is 0.
    #[prost(double, tag = "7")]
    pub warmup_ratio: f64,
    /// What the learning rate does then.
    #[prost(enumeration = "LrSchedulerType", tag = "8")]
    pub lr_scheduler_type: i32,
    /// Weight decay of all that is trained but norms and biases.
    #[prost(double, tag = "9")]
    pub weight_decay: f64,
    /// AdamW and Lion: first moment's decay; unset means 0.9.
    #[prost(double, optional, tag = "10")]
    pub adam_beta1: ::core::option::Option<f64>,
    /// AdamW and Lion: second moment's decay (Lion's only moment, for which its authors take 0.99); unset means 0.999.
    #[prost(double, optional, tag = "11")]
    pub adam_beta2: ::core::option::Option<f64>,
    /// AdamW: added to the root of the second moment; unset means 1e-8.
    #[prost(double, optional, tag = "12")]
    pub adam_epsilon: ::core::option::Option<f64>,
    /// Global norm to which gradients are clipped; unset means 1, 0 turns clipping off.
    #[prost(double, optional, tag = "13")]
    pub max_grad_norm: ::core::option::Option<f64>,
    /// Seed of everything random; unset means 42.
    #[prost(uint64, optional, tag = "14")]
    pub seed: ::core::option::Option<u64>,
    /// Steps between log events; 0 means 10.
    #[prost(int64, tag = "15")]
    pub logging_steps: i64,
    /// Steps between validations; 0 validates only at the beginning and at the end.
    #[prost(int64, tag = "16")]
    pub eval_steps: i64,
    /// Steps between saved states; the state after the last step is saved too. 0 saves none.
    #[prost(int64, tag = "17")]
    pub save_steps: i64,
    /// How many saved states to keep; 0 keeps 2.
    #[prost(int32, tag = "18")]
    pub save_total_limit: i32,
    /// Validations without improvement after which training ends; 0 never. Needs `eval_steps` and validation data; the
    /// result is then the best state seen.
    #[prost(int32, tag = "19")]
    pub early_stopping_patience: i32,
    /// How much better counts as improvement.
    #[prost(double, tag = "20")]
    pub early_stopping_threshold: f64,
    /// Number format in which weights are multiplied.
    #[prost(enumeration = "WeightDtype", tag = "21")]
    pub weight_dtype: i32,
    /// Layers keep only their inputs and run again in the backward pass: least memory and the same result, for about a quarter more
    /// time where all weights are trained, two fifths where an adapter is.
    #[prost(bool, tag = "22")]
    pub gradient_checkpointing: bool,
    /// Most bytes of activations that layers keep for the backward pass; those whose activations don't fit run again. 0 is no limit.
    /// Not with `gradient_checkpointing`, which needs no limit.
    #[prost(int64, tag = "23")]
    pub activation_memory_bytes: i64,
    /// What makes steps of gradients.
    #[prost(enumeration = "Optimizer", tag = "24")]
    pub optim: i32,
    /// What only some optimizers have.
    #[prost(message, optional, tag = "25")]
    pub optim_args: ::core::option::Option<OptimArgs>,
    /// Factor of the learning rate from each layer to the one below, in (0, 1\]: the head and the last norm have the whole rate, layer
    /// i of L has `layerwise_lr_decay^(L - i)`, counted from 0, and the embedding `layerwise_lr_decay^(L + 1)`, also where it is the
    /// head. 0 means 1.
    #[prost(double, tag = "26")]
    pub layerwise_lr_decay: f64,
    /// LoRA+ (Hayou et al., 2024): how many times the learning rate of A the matrices B have, from 1 to 1000. 0 means 1.
    #[prost(double, tag = "27")]
    pub loraplus_lr_ratio: f64,
    /// What only some schedules have.
    #[prost(message, optional, tag = "28")]
    pub lr_scheduler_kwargs: ::core::option::Option<LrSchedulerKwargs>,
    /// Share of each target that is spread evenly over the vocabulary, in \[0, 1). The losses of validations are without it.
    #[prost(double, tag = "29")]
    pub label_smoothing_factor: f64,
    /// NEFTune (Jain et al., 2023): noise on the embeddings while training, drawn evenly from +-alpha / sqrt(tokens of the row x width).
    #[prost(double, tag = "30")]
    pub neftune_noise_alpha: f64,
    /// Where a loss or a gradient is not finite, goes back to the last saved state, or to the beginning, and from there on multiplies in
    /// F32, once. Otherwise, and when it happens again, the job fails and names step and tensor.
    #[prost(bool, tag = "32")]
    pub retry_in_f32: bool,
}
/// How far a job has come.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct TrainingProgress {
    /// Optimizer steps done.
    #[prost(int64, tag = "1")]
    pub step: i64,
    /// Optimizer steps in all, those of all stages; 0 while not yet known, and fewer once a stage has ended early.
    #[prost(int64, tag = "2")]
    pub total_steps: i64,
    /// Passes over the data, or over the stage's.
    #[prost(double, tag = "3")]
    pub epoch: f64,
    /// Mean loss per token, or per row for classification, since the last log event, with label smoothing and the penalty of `ewc` if there
    /// are some; without that of skipped steps.
    #[prost(double, tag = "4")]
    pub loss: f64,
    /// Mean validation loss per token, once there is one.
    #[prost(double, optional, tag = "5")]
    pub eval_loss: ::core::option::Option<f64>,
    /// Learning rate of the last step.
    #[prost(double, tag = "6")]
    pub learning_rate: f64,
    /// Global norm of the last step's gradient, before clipping; 0 where it was skipped.
    #[prost(double, tag = "7")]
    pub grad_norm: f64,
    /// Tokens computed per second since the last log event.
    #[prost(double, tag = "8")]
    pub tokens_per_second: f64,
    /// Seconds to go, estimated.
    #[prost(double, tag = "9")]
    pub eta_seconds: f64,
    /// Steps that were skipped because their gradients were not finite; only with WEIGHT_DTYPE_F16.
    #[prost(int64, tag = "10")]
    pub skipped_steps: i64,
    /// What the loss is multiplied by for the gradients of the next step; 0 where it is not.
    #[prost(double, tag = "11")]
    pub loss_scale: f64,
    /// Bytes of memory that the worker process has resident; 0 where the system doesn't tell.
    #[prost(int64, tag = "13")]
    pub resident_bytes: i64,
    /// The stage of the last step, from 1; 0 where the job has none.
    #[prost(int64, tag = "14")]
    pub stage: i64,
}
/// One event of a job.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TrainingEvent {
    /// Counts up within the job, from 1.
    #[prost(int64, tag = "1")]
    pub event_id: i64,
    /// When.
    #[prost(message, optional, tag = "2")]
    pub time: ::core::option::Option<::prost_types::Timestamp>,
    /// What happened.
    #[prost(oneof = "training_event::Event", tags = "3, 4, 5, 6, 7, 8, 9, 10, 11, 12")]
    pub event: ::core::option::Option<training_event::Event>,
}
/// Nested message and enum types in `TrainingEvent`.
pub mod training_event {
    /// What happened.
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Event {
        /// The job's state changed.
        #[prost(message, tag = "3")]
        StateChange(super::TrainingStateChange),
        /// Steps were made.
        #[prost(message, tag = "4")]
        Progress(super::TrainingProgress),
        /// A state was saved and is durable.
        #[prost(message, tag = "5")]
        StateSaved(super::TrainingStateSaved),
        /// A worker goes on from a saved state.
        #[prost(message, tag = "6")]
        Resumed(super::TrainingResumed),
        /// The data was read.
        #[prost(message, tag = "7")]
        DataReady(super::TrainingDataReady),
        /// The held-out loss was measured.
        #[prost(message, tag = "8")]
        Evaluated(super::TrainingEvaluated),
        /// The worker does something else now.
        #[prost(message, tag = "9")]
        PhaseChange(super::TrainingPhaseChange),
        /// The result is in the store, and is to be published.
        #[prost(message, tag = "10")]
        ResultStored(super::TrainingResultStored),
        /// The publication has come further, or has ended.
        #[prost(message, tag = "11")]
        Publication(super::PublicationResult),
        /// A stage begins.
        #[prost(message, tag = "12")]
        StageChange(super::TrainingStageChange),
    }
}
/// A worker's new phase.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TrainingPhaseChange {
    /// The phase.
    #[prost(enumeration = "TrainingPhase", tag = "1")]
    pub phase: i32,
}
/// A stage that begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TrainingStageChange {
    /// Its number, from 1.
    #[prost(int64, tag = "1")]
    pub stage: i64,
    /// Stages in all.
    #[prost(int64, tag = "2")]
    pub stages: i64,
    /// Optimizer steps done before it.
    #[prost(int64, tag = "3")]
    pub step: i64,
    /// Optimizer steps that it has.
    #[prost(int64, tag = "4")]
    pub stage_steps: i64,
    /// Rows, or blocks of text, that it trains on.
    #[prost(int64, tag = "5")]
    pub train_rows: i64,
    /// Parameters that it trains.
    #[prost(int64, tag = "6")]
    pub trainable_parameters: i64,
}
/// A job's new state.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TrainingStateChange {
    /// The state.
    #[prost(enumeration = "TrainingJobState", tag = "1")]
    pub state: i32,
    /// Why, where there is something to say.
    #[prost(string, tag = "2")]
    pub message: ::prost::alloc::string::String,
}
/// A saved training state.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TrainingStateSaved {
    /// Optimizer steps done in it.
    #[prost(int64, tag = "1")]
    pub step: i64,
    /// Its artifact.
    #[prost(string, tag = "2")]
    pub digest: ::prost::alloc::string::String,
    /// The chain over all steps so far: of each step the SHA-256 of the link before, the step's number, its rows (of those replayed
    /// their places alone), and the bits of its loss, gradient norm and learning rate; the state holds it too.
    #[prost(string, tag = "3")]
    pub chain_digest: ::prost::alloc::string::String,
}
/// A stored result.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TrainingResultStored {
    /// Its artifact.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
}
/// A job that goes on.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TrainingResumed {
    /// The step it goes on after.
    #[prost(int64, tag = "1")]
    pub step: i64,
    /// The saved state.
    #[prost(string, tag = "2")]
    pub digest: ::prost::alloc::string::String,
}
/// What was read. Data that several stages have counts once.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TrainingDataReady {
    /// Rows, or blocks of text, to train on.
    #[prost(int64, tag = "1")]
    pub train_rows: i64,
    /// Rows, or blocks of text, to validate on.
    #[prost(int64, tag = "2")]
    pub validation_rows: i64,
    /// Tokens in the training rows.
    #[prost(int64, tag = "3")]
    pub train_tokens: i64,
    /// Tokens in them that carry loss.
    #[prost(int64, tag = "4")]
    pub loss_tokens: i64,
    /// Rows left out because they are too long, or would teach nothing once cut; for infilling, texts left out because they hold
    /// sentinels or prefix tokens.
    #[prost(int64, tag = "5")]
    pub dropped_rows: i64,
    /// Parameters that are trained, in whatever stage.
    #[prost(int64, tag = "6")]
    pub trainable_parameters: i64,
    /// Parameters in all.
    #[prost(int64, tag = "7")]
    pub total_parameters: i64,
    /// The data sets of a mix, or those of all stages' mixes, in their order.
    #[prost(message, repeated, tag = "8")]
    pub mixed: ::prost::alloc::vec::Vec<MixedRows>,
    /// Rows of `validation_dataset` that are left out. Those that `validation_split` holds out are counted in `dropped_rows`.
    #[prost(int64, tag = "9")]
    pub dropped_validation_rows: i64,
    /// Rows of `validation_dataset` of which a part was cut off.
    #[prost(int64, tag = "10")]
    pub truncated_validation_rows: i64,
    /// Rows of the data sets of `replay` and `retention` that are left out.
    #[prost(int64, tag = "11")]
    pub dropped_earlier_rows: i64,
    /// Rows of the data sets of `replay` and `retention` of which a part was cut off.
    #[prost(int64, tag = "12")]
    pub truncated_earlier_rows: i64,
    /// Rows of which a part was cut off.
    #[prost(int64, tag = "20")]
    pub truncated_rows: i64,
}
/// What was read of a data set of a mix.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct MixedRows {
    /// The data set, as the mix names it.
    #[prost(string, tag = "1")]
    pub dataset: ::prost::alloc::string::String,
    /// Rows, or blocks of text, to train on.
    #[prost(int64, tag = "2")]
    pub train_rows: i64,
    /// Rows, or blocks of text, to validate on.
    #[prost(int64, tag = "3")]
    pub validation_rows: i64,
    /// How many of its rows a pass over the mix sees.
    #[prost(int64, tag = "4")]
    pub rows_per_pass: i64,
    /// Rows that were left out.
    #[prost(int64, tag = "5")]
    pub dropped_rows: i64,
    /// Rows of which a part was cut off.
    #[prost(int64, tag = "6")]
    pub truncated_rows: i64,
}
/// A measured validation.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct TrainingEvaluated {
    /// Optimizer steps done; 0 is before training.
    #[prost(int64, tag = "1")]
    pub step: i64,
    /// Mean loss per token.
    #[prost(double, tag = "2")]
    pub eval_loss: f64,
    /// Whether it is the best so far.
    #[prost(bool, tag = "3")]
    pub best: bool,
}
/// Request of CreateTrainingJob.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateTrainingJobRequest {
    /// The id to give it; empty lets the server choose.
    #[prost(string, tag = "1")]
    pub training_job_id: ::prost::alloc::string::String,
    /// What to do.
    #[prost(message, optional, tag = "2")]
    pub spec: ::core::option::Option<TrainingSpec>,
    /// Makes the call idempotent: the same id returns the job that the first call made. At most 64 characters.
    #[prost(string, tag = "3")]
    pub request_id: ::prost::alloc::string::String,
    /// Checks everything and creates nothing.
    #[prost(bool, tag = "4")]
    pub validate_only: bool,
}
/// Response of CreateTrainingJob.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateTrainingJobResponse {
    /// The job.
    #[prost(message, optional, tag = "1")]
    pub training_job: ::core::option::Option<TrainingJob>,
}
/// Request of GetTrainingJob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetTrainingJobRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of GetTrainingJob.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetTrainingJobResponse {
    /// The job.
    #[prost(message, optional, tag = "1")]
    pub training_job: ::core::option::Option<TrainingJob>,
}
/// Request of ListTrainingJobs.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListTrainingJobsRequest {
    /// How many to return.
    #[prost(int32, tag = "1")]
    pub page_size: i32,
    /// Where to go on.
    #[prost(string, tag = "2")]
    pub page_token: ::prost::alloc::string::String,
}
/// Response of ListTrainingJobs.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListTrainingJobsResponse {
    /// The jobs, newest first.
    #[prost(message, repeated, tag = "1")]
    pub training_jobs: ::prost::alloc::vec::Vec<TrainingJob>,
    /// Empty at the end.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Request of CancelTrainingJob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CancelTrainingJobRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of CancelTrainingJob.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CancelTrainingJobResponse {
    /// The job, cancelled.
    #[prost(message, optional, tag = "1")]
    pub training_job: ::core::option::Option<TrainingJob>,
}
/// Request of PauseTrainingJob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PauseTrainingJobRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of PauseTrainingJob.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PauseTrainingJobResponse {
    /// The job, PAUSED or still PAUSING.
    #[prost(message, optional, tag = "1")]
    pub training_job: ::core::option::Option<TrainingJob>,
}
/// Request of ResumeTrainingJob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ResumeTrainingJobRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of ResumeTrainingJob.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ResumeTrainingJobResponse {
    /// The job, queued.
    #[prost(message, optional, tag = "1")]
    pub training_job: ::core::option::Option<TrainingJob>,
}
/// Request of VerifyTrainingJob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct VerifyTrainingJobRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Begins with random weights or the base model instead of the oldest state that is kept.
    #[prost(bool, tag = "2")]
    pub from_beginning: bool,
    /// Most steps that are made again; 0 is no limit.
    #[prost(int64, tag = "3")]
    pub max_steps: i64,
}
/// Response of VerifyTrainingJob.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct VerifyTrainingJobResponse {
    /// What was compared, in order; nothing is compared after the first difference.
    #[prost(message, repeated, tag = "1")]
    pub checks: ::prost::alloc::vec::Vec<TrainingCheck>,
}
/// One comparison of what was made again with what there is.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TrainingCheck {
    /// Optimizer steps done.
    #[prost(int64, tag = "1")]
    pub step: i64,
    /// What was compared.
    #[prost(enumeration = "TrainingCheckSubject", tag = "2")]
    pub subject: i32,
    /// The artifact compared with, where there is one.
    #[prost(string, tag = "3")]
    pub digest: ::prost::alloc::string::String,
    /// Where the two differ first: file, tensor, number and both values. Empty when all bits are the same.
    #[prost(string, tag = "4")]
    pub difference: ::prost::alloc::string::String,
}
/// Request of DeleteTrainingJob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteTrainingJobRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of DeleteTrainingJob.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteTrainingJobResponse {}
/// Request of WatchTrainingJob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WatchTrainingJobRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Go on after this event; 0 begins with the first.
    #[prost(int64, tag = "2")]
    pub after_event_id: i64,
}
/// One event of WatchTrainingJob.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchTrainingJobResponse {
    /// The event.
    #[prost(message, optional, tag = "1")]
    pub event: ::core::option::Option<TrainingEvent>,
}
/// Request of AuditDataset.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AuditDatasetRequest {
    /// What a job would be created with: its data sets are audited as this job would see them.
    #[prost(message, optional, tag = "1")]
    pub spec: ::core::option::Option<TrainingSpec>,
    /// Most examples of each problem, and of rows without; 0 means 3, and more than 10 are 10.
    #[prost(int32, tag = "2")]
    pub max_examples: i32,
}
/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum TrainingJobState {
    /// Not used.
    Unspecified = 0,
    /// Waits for a worker.
    Queued = 1,
    /// A worker computes it.
    Running = 2,
    /// Done; the result is in the store.
    Succeeded = 3,
    /// Ended by an error, which `error` tells.
    Failed = 4,
    /// Ended by CancelTrainingJob.
    Cancelled = 5,
    /// Rests until ResumeTrainingJob; no process has anything of it in memory.
    Paused = 6,
    /// On the way from RUNNING to PAUSED: computes no more, and saves the state after its last whole step.
    Pausing = 7,
}
impl TrainingJobState {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "TRAINING_JOB_STATE_UNSPECIFIED",
            Self::Queued => "TRAINING_JOB_STATE_QUEUED",
            Self::Running => "TRAINING_JOB_STATE_RUNNING",
            Self::Succeeded => "TRAINING_JOB_STATE_SUCCEEDED",
            Self::Failed => "TRAINING_JOB_STATE_FAILED",
            Self::Cancelled => "TRAINING_JOB_STATE_CANCELLED",
            Self::Paused => "TRAINING_JOB_STATE_PAUSED",
            Self::Pausing => "TRAINING_JOB_STATE_PAUSING",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "TRAINING_JOB_STATE_UNSPECIFIED" => Some(Self::Unspecified),
            "TRAINING_JOB_STATE_QUEUED" => Some(Self::Queued),
            "TRAINING_JOB_STATE_RUNNING" => Some(Self::Running),
            "TRAINING_JOB_STATE_SUCCEEDED" => Some(Self::Succeeded),
            "TRAINING_JOB_STATE_FAILED" => Some(Self::Failed),
            "TRAINING_JOB_STATE_CANCELLED" => Some(Self::Cancelled),
            "TRAINING_JOB_STATE_PAUSED" => Some(Self::Paused),
            "TRAINING_JOB_STATE_PAUSING" => Some(Self::Pausing),
            _ => None,
        }
    }
}
/// What becomes of rows that are too long. LLaMA-Factory cuts the end (`cutoff_len`), and so does TRL (`truncation_mode: keep_start`),
/// whose `keep_end` is TRUNCATE_LEFT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Truncation {
    /// DROP.
    Unspecified = 0,
    /// They are left out and counted: half an answer teaches to stop anywhere.
    Drop = 1,
    /// Their beginning is cut: of the prompt, and where the answer alone is too long, of the answer.
    TruncateLeft = 2,
    /// Their end is cut, EOS with it. Those whose prompt leaves no room for an answer are left out and counted.
    TruncateRight = 3,
    /// The job fails and names the first.
    Error = 4,
}
impl Truncation {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "TRUNCATION_UNSPECIFIED",
            Self::Drop => "TRUNCATION_DROP",
            Self::TruncateLeft => "TRUNCATION_TRUNCATE_LEFT",
            Self::TruncateRight => "TRUNCATION_TRUNCATE_RIGHT",
            Self::Error => "TRUNCATION_ERROR",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "TRUNCATION_UNSPECIFIED" => Some(Self::Unspecified),
            "TRUNCATION_DROP" => Some(Self::Drop),
            "TRUNCATION_TRUNCATE_LEFT" => Some(Self::TruncateLeft),
            "TRUNCATION_TRUNCATE_RIGHT" => Some(Self::TruncateRight),
            "TRUNCATION_ERROR" => Some(Self::Error),
            _ => None,
        }
    }
}
/// What the rows of a prompt begin as; the names of PEFT's PromptTuningInit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum PromptTuningInit {
    /// RANDOM.
    Unspecified = 0,
    /// Numbers from N(0, 1).
    Random = 1,
    /// The embeddings of a text's tokens.
    Text = 2,
}
impl PromptTuningInit {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "PROMPT_TUNING_INIT_UNSPECIFIED",
            Self::Random => "PROMPT_TUNING_INIT_RANDOM",
            Self::Text => "PROMPT_TUNING_INIT_TEXT",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "PROMPT_TUNING_INIT_UNSPECIFIED" => Some(Self::Unspecified),
            "PROMPT_TUNING_INIT_RANDOM" => Some(Self::Random),
            "PROMPT_TUNING_INIT_TEXT" => Some(Self::Text),
            _ => None,
        }
    }
}
/// Schedule of the learning rate after warm-up; the names and formulas of transformers' `get_scheduler`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum LrSchedulerType {
    /// Linear.
    Unspecified = 0,
    /// Falls to 0 in a straight line.
    Linear = 1,
    /// Falls to 0 along half a cosine, or `num_cycles` of one.
    Cosine = 2,
    /// Stays. Warm-up comes before it where it is asked for, as with CONSTANT_WITH_WARMUP.
    Constant = 3,
    /// Falls to 0 along half a cosine and begins anew, `num_cycles` times in all.
    CosineWithRestarts = 4,
    /// Falls to `lr_end` as a power of what remains.
    Polynomial = 5,
    /// Stays.
    ConstantWithWarmup = 6,
    /// Falls as one over the root of the step, without end.
    InverseSqrt = 7,
    /// As COSINE, down to `min_lr` or `min_lr_rate`, of which one must be set.
    CosineWithMinLr = 8,
    /// Stays, and falls over the last `num_decay_steps`, which must be set.
    WarmupStableDecay = 9,
}
impl LrSchedulerType {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "LR_SCHEDULER_TYPE_UNSPECIFIED",
            Self::Linear => "LR_SCHEDULER_TYPE_LINEAR",
            Self::Cosine => "LR_SCHEDULER_TYPE_COSINE",
            Self::Constant => "LR_SCHEDULER_TYPE_CONSTANT",
            Self::CosineWithRestarts => "LR_SCHEDULER_TYPE_COSINE_WITH_RESTARTS",
            Self::Polynomial => "LR_SCHEDULER_TYPE_POLYNOMIAL",
            Self::ConstantWithWarmup => "LR_SCHEDULER_TYPE_CONSTANT_WITH_WARMUP",
            Self::InverseSqrt => "LR_SCHEDULER_TYPE_INVERSE_SQRT",
            Self::CosineWithMinLr => "LR_SCHEDULER_TYPE_COSINE_WITH_MIN_LR",
            Self::WarmupStableDecay => "LR_SCHEDULER_TYPE_WARMUP_STABLE_DECAY",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "LR_SCHEDULER_TYPE_UNSPECIFIED" => Some(Self::Unspecified),
            "LR_SCHEDULER_TYPE_LINEAR" => Some(Self::Linear),
            "LR_SCHEDULER_TYPE_COSINE" => Some(Self::Cosine),
            "LR_SCHEDULER_TYPE_CONSTANT" => Some(Self::Constant),
            "LR_SCHEDULER_TYPE_COSINE_WITH_RESTARTS" => Some(Self::CosineWithRestarts),
            "LR_SCHEDULER_TYPE_POLYNOMIAL" => Some(Self::Polynomial),
            "LR_SCHEDULER_TYPE_CONSTANT_WITH_WARMUP" => Some(Self::ConstantWithWarmup),
            "LR_SCHEDULER_TYPE_INVERSE_SQRT" => Some(Self::InverseSqrt),
            "LR_SCHEDULER_TYPE_COSINE_WITH_MIN_LR" => Some(Self::CosineWithMinLr),
            "LR_SCHEDULER_TYPE_WARMUP_STABLE_DECAY" => Some(Self::WarmupStableDecay),
            _ => None,
        }
    }
}
/// What makes steps of gradients; the names of transformers' OptimizerNames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Optimizer {
    /// AdamW.
    Unspecified = 0,
    /// AdamW (`adamw_torch`): two moments for each number.
    Adamw = 1,
    /// Adafactor (`adafactor`), with `scale_parameter` and `relative_step` off: of a matrix only means of rows and columns are kept.
    Adafactor = 2,
    /// Stochastic gradient descent (`sgd`). Its weight decay is added to the gradient, as torch does.
    Sgd = 3,
    /// Lion (`lion_32bit`): one moment for each number; wants a learning rate three to ten times lower than AdamW.
    Lion = 4,
}
impl Optimizer {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "OPTIMIZER_UNSPECIFIED",
            Self::Adamw => "OPTIMIZER_ADAMW",
            Self::Adafactor => "OPTIMIZER_ADAFACTOR",
            Self::Sgd => "OPTIMIZER_SGD",
            Self::Lion => "OPTIMIZER_LION",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "OPTIMIZER_UNSPECIFIED" => Some(Self::Unspecified),
            "OPTIMIZER_ADAMW" => Some(Self::Adamw),
            "OPTIMIZER_ADAFACTOR" => Some(Self::Adafactor),
            "OPTIMIZER_SGD" => Some(Self::Sgd),
            "OPTIMIZER_LION" => Some(Self::Lion),
            _ => None,
        }
    }
}
/// Number format in which weights are multiplied. Frozen weights are held in it. Weights in training are f32 whatever it is, as are
/// activations, sums and the optimizer's moments: with BF16 and F16 the factors of each product are rounded to bf16 or f16, those of
/// adapters in training excepted. Processors with bf16 dot products multiply twice as many of them as of f32; f16 is as fast as f32 and
/// takes as much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum WeightDtype {
    /// As stored for frozen weights, F32 for weights in training.
    Unspecified = 0,
    /// 32-bit.
    F32 = 1,
    /// bfloat16.
    Bf16 = 2,
    /// float16, with dynamic loss scaling as `torch.amp.GradScaler` does it: the scale begins at 65536, is halved and the step skipped when
    /// gradients are not finite, and is doubled after 2000 steps in a row. A skipped step counts as a step and takes its rows; schedule,
    /// unfreezing and optimizer stand still, as in transformers. A job whose gradients are not finite at a scale below 1/16384 fails.
    F16 = 3,
}
impl WeightDtype {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "WEIGHT_DTYPE_UNSPECIFIED",
            Self::F32 => "WEIGHT_DTYPE_F32",
            Self::Bf16 => "WEIGHT_DTYPE_BF16",
            Self::F16 => "WEIGHT_DTYPE_F16",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "WEIGHT_DTYPE_UNSPECIFIED" => Some(Self::Unspecified),
            "WEIGHT_DTYPE_F32" => Some(Self::F32),
            "WEIGHT_DTYPE_BF16" => Some(Self::Bf16),
            "WEIGHT_DTYPE_F16" => Some(Self::F16),
            _ => None,
        }
    }
}
/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum TrainingPhase {
    /// Not used.
    Unspecified = 0,
    /// Fetches model, adapter and tokenizer.
    Downloading = 1,
    /// Fetches the data and has it tokenized.
    Tokenizing = 2,
    /// Reads the weights into memory.
    Loading = 3,
    /// Makes steps.
    Training = 4,
    /// Measures the held-out loss.
    Validating = 5,
    /// Waits until a state is saved; those that are saved beside the training make no phase.
    Saving = 6,
    /// Stores the result.
    Uploading = 7,
    /// Has the adapter evaluated and published.
    Publishing = 8,
}
impl TrainingPhase {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "TRAINING_PHASE_UNSPECIFIED",
            Self::Downloading => "TRAINING_PHASE_DOWNLOADING",
            Self::Tokenizing => "TRAINING_PHASE_TOKENIZING",
            Self::Loading => "TRAINING_PHASE_LOADING",
            Self::Training => "TRAINING_PHASE_TRAINING",
            Self::Validating => "TRAINING_PHASE_VALIDATING",
            Self::Saving => "TRAINING_PHASE_SAVING",
            Self::Uploading => "TRAINING_PHASE_UPLOADING",
            Self::Publishing => "TRAINING_PHASE_PUBLISHING",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "TRAINING_PHASE_UNSPECIFIED" => Some(Self::Unspecified),
            "TRAINING_PHASE_DOWNLOADING" => Some(Self::Downloading),
            "TRAINING_PHASE_TOKENIZING" => Some(Self::Tokenizing),
            "TRAINING_PHASE_LOADING" => Some(Self::Loading),
            "TRAINING_PHASE_TRAINING" => Some(Self::Training),
            "TRAINING_PHASE_VALIDATING" => Some(Self::Validating),
            "TRAINING_PHASE_SAVING" => Some(Self::Saving),
            "TRAINING_PHASE_UPLOADING" => Some(Self::Uploading),
            "TRAINING_PHASE_PUBLISHING" => Some(Self::Publishing),
            _ => None,
        }
    }
}
/// What a check compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum TrainingCheckSubject {
    /// Not used.
    Unspecified = 0,
    /// Gradient norm and learning rate of a step, with those of a progress event.
    Progress = 1,
    /// Weights, moments and chain after a step, with those of a saved state.
    State = 2,
    /// The files of the result.
    Result = 3,
}
impl TrainingCheckSubject {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "TRAINING_CHECK_SUBJECT_UNSPECIFIED",
            Self::Progress => "TRAINING_CHECK_SUBJECT_PROGRESS",
            Self::State => "TRAINING_CHECK_SUBJECT_STATE",
            Self::Result => "TRAINING_CHECK_SUBJECT_RESULT",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "TRAINING_CHECK_SUBJECT_UNSPECIFIED" => Some(Self::Unspecified),
            "TRAINING_CHECK_SUBJECT_PROGRESS" => Some(Self::Progress),
            "TRAINING_CHECK_SUBJECT_STATE" => Some(Self::State),
            "TRAINING_CHECK_SUBJECT_RESULT" => Some(Self::Result),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod training_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Creates and follows training jobs. A job outlives the server: after a restart it goes on from its last saved state. Metadata
    /// `rootstock-tenant` (an id) of CreateTrainingJob says whose a job is: tenants have bounds of their own for jobs that wait and jobs that
    /// are computed. Jobs created without it are one tenant's.
    #[derive(Debug, Clone)]
    pub struct TrainingServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl TrainingServiceClient<tonic::transport::Channel> {
        /// Attempt to create a new client by connecting to a given endpoint.
        pub async fn connect<D>(dst: D) -> Result<Self, tonic::transport::Error>
        where
            D: TryInto<tonic::transport::Endpoint>,
            D::Error: Into<StdError>,
        {
            let conn = tonic::transport::Endpoint::new(dst)?.connect().await?;
            Ok(Self::new(conn))
        }
    }
    impl<T> TrainingServiceClient<T>
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: Body<Data = Bytes> + std::marker::Send + 'static,
        <T::ResponseBody as Body>::Error: Into<StdError> + std::marker::Send,
    {
        pub fn new(inner: T) -> Self {
            let inner = tonic::client::Grpc::new(inner);
            Self { inner }
        }
        pub fn with_origin(inner: T, origin: Uri) -> Self {
            let inner = tonic::client::Grpc::with_origin(inner, origin);
            Self { inner }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> TrainingServiceClient<InterceptedService<T, F>>
        where
            F: tonic::service::Interceptor,
            T::ResponseBody: Default,
            T: tonic::codegen::Service<
                http::Request<tonic::body::Body>,
                Response = http::Response<
                    <T as tonic::client::GrpcService<tonic::body::Body>>::ResponseBody,
                >,
            >,
            <T as tonic::codegen::Service<
                http::Request<tonic::body::Body>,
            >>::Error: Into<StdError> + std::marker::Send + std::marker::Sync,
        {
            TrainingServiceClient::new(InterceptedService::new(inner, interceptor))
        }
        /// Compress requests with the given encoding.
        ///
        /// This requires the server to support it otherwise it might respond with an
        /// error.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.send_compressed(encoding);
            self
        }
        /// Enable decompressing responses.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.accept_compressed(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_decoding_message_size(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_encoding_message_size(limit);
            self
        }
        /// Checks the specification, stores the job and queues it. Errors: INVALID_FIELD, NOT_FOUND (model, tokenizer or
        /// data set), ALREADY_EXISTS, TOKENIZER_MISMATCH, WRONG_STATE (`publication` without an inference service), OVERLOADED (too many
        /// queued), DEPENDENCY_UNAVAILABLE.
        pub async fn create_training_job(
            &mut self,
            request: impl tonic::IntoRequest<super::CreateTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CreateTrainingJobResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/CreateTrainingJob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "CreateTrainingJob",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Returns one job. Errors: INVALID_FIELD, NOT_FOUND.
        pub async fn get_training_job(
            &mut self,
            request: impl tonic::IntoRequest<super::GetTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetTrainingJobResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/GetTrainingJob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "GetTrainingJob",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Lists jobs, newest first. Errors: INVALID_FIELD.
        pub async fn list_training_jobs(
            &mut self,
            request: impl tonic::IntoRequest<super::ListTrainingJobsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListTrainingJobsResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/ListTrainingJobs",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "ListTrainingJobs",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Stops a job; its states saved so far stay. While its adapter is being published, the alias gets back the version that it had: soon
        /// afterwards, and as often as it takes. Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE.
        pub async fn cancel_training_job(
            &mut self,
            request: impl tonic::IntoRequest<super::CancelTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CancelTrainingJobResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/CancelTrainingJob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "CancelTrainingJob",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Stops computing a job until it is resumed, whatever it is doing. The step in progress is dropped; the job is PAUSED, and its
        /// memory free, once the state after the last whole step is durable. Its evaluation ends too, and begins anew when it is resumed; its
        /// canary stands meanwhile. A job that is paused already is returned as it is.
        /// Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (it has ended).
        pub async fn pause_training_job(
            &mut self,
            request: impl tonic::IntoRequest<super::PauseTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::PauseTrainingJobResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/PauseTrainingJob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "PauseTrainingJob",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Queues a paused job again, in the place that it had; it goes on after its last whole step, and its result has the bits of a job
        /// that was never paused. Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (it is not PAUSED, or what it is made from is not in the
        /// store any more: it stays PAUSED), OVERLOADED (too many queued).
        pub async fn resume_training_job(
            &mut self,
            request: impl tonic::IntoRequest<super::ResumeTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ResumeTrainingJobResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/ResumeTrainingJob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "ResumeTrainingJob",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Makes the steps between saved states again, in a process of its own, and compares bits: gradient norms and learning rates with
        /// those that were reported, states with those that were saved, and the result with the one in the store. Takes as long as the
        /// steps took; one at a time. Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (it is queued or running: pause it first), OVERLOADED
        /// (another verification runs), INTERNAL (the process failed).
        pub async fn verify_training_job(
            &mut self,
            request: impl tonic::IntoRequest<super::VerifyTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::VerifyTrainingJobResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/VerifyTrainingJob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "VerifyTrainingJob",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Forgets a job that has ended, its events and its saved states; its result stays. Errors: INVALID_FIELD, NOT_FOUND,
        /// WRONG_STATE (it has not ended, or its adapter is still being taken back).
        pub async fn delete_training_job(
            &mut self,
            request: impl tonic::IntoRequest<super::DeleteTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::DeleteTrainingJobResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/DeleteTrainingJob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "DeleteTrainingJob",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Streams the job's events, first those that were, then each as it happens, and ends after the last one of an ended
        /// job. `after_event_id` goes on without loss. Errors: INVALID_FIELD, NOT_FOUND.
        pub async fn watch_training_job(
            &mut self,
            request: impl tonic::IntoRequest<super::WatchTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<tonic::codec::Streaming<super::WatchTrainingJobResponse>>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/WatchTrainingJob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "WatchTrainingJob",
                    ),
                );
            self.inner.server_streaming(req, path, codec).await
        }
        /// Reads all data of a specification as its job would, goes on after what is wrong, and tells that and what is suspicious. Takes as
        /// long as encoding does, and ends with the call. Errors: INVALID_FIELD (also of more than 256 MiB or 1,000,000 rows together),
        /// NOT_FOUND, TOKENIZER_MISMATCH, OVERLOADED (others are audited or cleaned), DEPENDENCY_UNAVAILABLE.
        pub async fn audit_dataset(
            &mut self,
            request: impl tonic::IntoRequest<super::AuditDatasetRequest>,
        ) -> std::result::Result<
            tonic::Response<super::AuditDatasetResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/AuditDataset",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "AuditDataset",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Makes a new version of a data set without the records that filters take out, and counts them. Errors: INVALID_FIELD (also of data
        /// sets above 256 MiB, and where nothing is left), NOT_FOUND, OVERLOADED (others are audited or cleaned), DEPENDENCY_UNAVAILABLE.
        pub async fn clean_dataset(
            &mut self,
            request: impl tonic::IntoRequest<super::CleanDatasetRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CleanDatasetResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingService/CleanDataset",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingService",
                        "CleanDataset",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod training_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with TrainingServiceServer.
    #[async_trait]
    pub trait TrainingService: std::marker::Send + std::marker::Sync + 'static {
        /// Checks the specification, stores the job and queues it. Errors: INVALID_FIELD, NOT_FOUND (model, tokenizer or
        /// data set), ALREADY_EXISTS, TOKENIZER_MISMATCH, WRONG_STATE (`publication` without an inference service), OVERLOADED (too many
        /// queued), DEPENDENCY_UNAVAILABLE.
        async fn create_training_job(
            &self,
            request: tonic::Request<super::CreateTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CreateTrainingJobResponse>,
            tonic::Status,
        >;
        /// Returns one job. Errors: INVALID_FIELD, NOT_FOUND.
        async fn get_training_job(
            &self,
            request: tonic::Request<super::GetTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetTrainingJobResponse>,
            tonic::Status,
        >;
        /// Lists jobs, newest first. Errors: INVALID_FIELD.
        async fn list_training_jobs(
            &self,
            request: tonic::Request<super::ListTrainingJobsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListTrainingJobsResponse>,
            tonic::Status,
        >;
        /// Stops a job; its states saved so far stay. While its adapter is being published, the alias gets back the version that it had: soon
        /// afterwards, and as often as it takes. Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE.
        async fn cancel_training_job(
            &self,
            request: tonic::Request<super::CancelTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CancelTrainingJobResponse>,
            tonic::Status,
        >;
        /// Stops computing a job until it is resumed, whatever it is doing. The step in progress is dropped; the job is PAUSED, and its
        /// memory free, once the state after the last whole step is durable. Its evaluation ends too, and begins anew when it is resumed; its
        /// canary stands meanwhile. A job that is paused already is returned as it is.
        /// Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (it has ended).
        async fn pause_training_job(
            &self,
            request: tonic::Request<super::PauseTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::PauseTrainingJobResponse>,
            tonic::Status,
        >;
        /// Queues a paused job again, in the place that it had; it goes on after its last whole step, and its result has the bits of a job
        /// that was never paused. Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (it is not PAUSED, or what it is made from is not in the
        /// store any more: it stays PAUSED), OVERLOADED (too many queued).
        async fn resume_training_job(
            &self,
            request: tonic::Request<super::ResumeTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ResumeTrainingJobResponse>,
            tonic::Status,
        >;
        /// Makes the steps between saved states again, in a process of its own, and compares bits: gradient norms and learning rates with
        /// those that were reported, states with those that were saved, and the result with the one in the store. Takes as long as the
        /// steps took; one at a time. Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (it is queued or running: pause it first), OVERLOADED
        /// (another verification runs), INTERNAL (the process failed).
        async fn verify_training_job(
            &self,
            request: tonic::Request<super::VerifyTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::VerifyTrainingJobResponse>,
            tonic::Status,
        >;
        /// Forgets a job that has ended, its events and its saved states; its result stays. Errors: INVALID_FIELD, NOT_FOUND,
        /// WRONG_STATE (it has not ended, or its adapter is still being taken back).
        async fn delete_training_job(
            &self,
            request: tonic::Request<super::DeleteTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::DeleteTrainingJobResponse>,
            tonic::Status,
        >;
        /// Server streaming response type for the WatchTrainingJob method.
        type WatchTrainingJobStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<
                    super::WatchTrainingJobResponse,
                    tonic::Status,
                >,
            >
            + std::marker::Send
            + 'static;
        /// Streams the job's events, first those that were, then each as it happens, and ends after the last one of an ended
        /// job. `after_event_id` goes on without loss. Errors: INVALID_FIELD, NOT_FOUND.
        async fn watch_training_job(
            &self,
            request: tonic::Request<super::WatchTrainingJobRequest>,
        ) -> std::result::Result<
            tonic::Response<Self::WatchTrainingJobStream>,
            tonic::Status,
        >;
        /// Reads all data of a specification as its job would, goes on after what is wrong, and tells that and what is suspicious. Takes as
        /// long as encoding does, and ends with the call. Errors: INVALID_FIELD (also of more than 256 MiB or 1,000,000 rows together),
        /// NOT_FOUND, TOKENIZER_MISMATCH, OVERLOADED (others are audited or cleaned), DEPENDENCY_UNAVAILABLE.
        async fn audit_dataset(
            &self,
            request: tonic::Request<super::AuditDatasetRequest>,
        ) -> std::result::Result<
            tonic::Response<super::AuditDatasetResponse>,
            tonic::Status,
        >;
        /// Makes a new version of a data set without the records that filters take out, and counts them. Errors: INVALID_FIELD (also of data
        /// sets above 256 MiB, and where nothing is left), NOT_FOUND, OVERLOADED (others are audited or cleaned), DEPENDENCY_UNAVAILABLE.
        async fn clean_dataset(
            &self,
            request: tonic::Request<super::CleanDatasetRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CleanDatasetResponse>,
            tonic::Status,
        >;
    }
    /// Creates and follows training jobs. A job outlives the server: after a restart it goes on from its last saved state. Metadata
    /// `rootstock-tenant` (an id) of CreateTrainingJob says whose a job is: tenants have bounds of their own for jobs that wait and jobs that
    /// are computed. Jobs created without it are one tenant's.
    #[derive(Debug)]
    pub struct TrainingServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> TrainingServiceServer<T> {
        pub fn new(inner: T) -> Self {
            Self::from_arc(Arc::new(inner))
        }
        pub fn from_arc(inner: Arc<T>) -> Self {
            Self {
                inner,
                accept_compression_encodings: Default::default(),
                send_compression_encodings: Default::default(),
                max_decoding_message_size: None,
                max_encoding_message_size: None,
            }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> InterceptedService<Self, F>
        where
            F: tonic::service::Interceptor,
        {
            InterceptedService::new(Self::new(inner), interceptor)
        }
        /// Enable decompressing requests with the given encoding.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.accept_compression_encodings.enable(encoding);
            self
        }
        /// Compress responses with the given encoding, if the client supports it.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.send_compression_encodings.enable(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.max_decoding_message_size = Some(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.max_encoding_message_size = Some(limit);
            self
        }
    }
    impl<T, B> tonic::codegen::Service<http::Request<B>> for TrainingServiceServer<T>
    where
        T: TrainingService,
        B: Body + std::marker::Send + 'static,
        B::Error: Into<StdError> + std::marker::Send + 'static,
    {
        type Response = http::Response<tonic::body::Body>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<Self::Response, Self::Error>;
        fn poll_ready(
            &mut self,
            _cx: &mut Context<'_>,
        ) -> Poll<std::result::Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, req: http::Request<B>) -> Self::Future {
            match req.uri().path() {
                "/rootstock.training.v1.TrainingService/CreateTrainingJob" => {
                    #[allow(non_camel_case_types)]
                    struct CreateTrainingJobSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::CreateTrainingJobRequest>
                    for CreateTrainingJobSvc<T> {
                        type Response = super::CreateTrainingJobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CreateTrainingJobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::create_training_job(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = CreateTrainingJobSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/GetTrainingJob" => {
                    #[allow(non_camel_case_types)]
                    struct GetTrainingJobSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::GetTrainingJobRequest>
                    for GetTrainingJobSvc<T> {
                        type Response = super::GetTrainingJobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetTrainingJobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::get_training_job(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = GetTrainingJobSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/ListTrainingJobs" => {
                    #[allow(non_camel_case_types)]
                    struct ListTrainingJobsSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::ListTrainingJobsRequest>
                    for ListTrainingJobsSvc<T> {
                        type Response = super::ListTrainingJobsResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListTrainingJobsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::list_training_jobs(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = ListTrainingJobsSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/CancelTrainingJob" => {
                    #[allow(non_camel_case_types)]
                    struct CancelTrainingJobSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::CancelTrainingJobRequest>
                    for CancelTrainingJobSvc<T> {
                        type Response = super::CancelTrainingJobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CancelTrainingJobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::cancel_training_job(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = CancelTrainingJobSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/PauseTrainingJob" => {
                    #[allow(non_camel_case_types)]
                    struct PauseTrainingJobSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::PauseTrainingJobRequest>
                    for PauseTrainingJobSvc<T> {
                        type Response = super::PauseTrainingJobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::PauseTrainingJobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::pause_training_job(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = PauseTrainingJobSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/ResumeTrainingJob" => {
                    #[allow(non_camel_case_types)]
                    struct ResumeTrainingJobSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::ResumeTrainingJobRequest>
                    for ResumeTrainingJobSvc<T> {
                        type Response = super::ResumeTrainingJobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ResumeTrainingJobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::resume_training_job(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = ResumeTrainingJobSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/VerifyTrainingJob" => {
                    #[allow(non_camel_case_types)]
                    struct VerifyTrainingJobSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::VerifyTrainingJobRequest>
                    for VerifyTrainingJobSvc<T> {
                        type Response = super::VerifyTrainingJobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::VerifyTrainingJobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::verify_training_job(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = VerifyTrainingJobSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/DeleteTrainingJob" => {
                    #[allow(non_camel_case_types)]
                    struct DeleteTrainingJobSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::DeleteTrainingJobRequest>
                    for DeleteTrainingJobSvc<T> {
                        type Response = super::DeleteTrainingJobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::DeleteTrainingJobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::delete_training_job(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = DeleteTrainingJobSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/WatchTrainingJob" => {
                    #[allow(non_camel_case_types)]
                    struct WatchTrainingJobSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::ServerStreamingService<
                        super::WatchTrainingJobRequest,
                    > for WatchTrainingJobSvc<T> {
                        type Response = super::WatchTrainingJobResponse;
                        type ResponseStream = T::WatchTrainingJobStream;
                        type Future = BoxFuture<
                            tonic::Response<Self::ResponseStream>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::WatchTrainingJobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::watch_training_job(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = WatchTrainingJobSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.server_streaming(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/AuditDataset" => {
                    #[allow(non_camel_case_types)]
                    struct AuditDatasetSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::AuditDatasetRequest>
                    for AuditDatasetSvc<T> {
                        type Response = super::AuditDatasetResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::AuditDatasetRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::audit_dataset(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = AuditDatasetSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingService/CleanDataset" => {
                    #[allow(non_camel_case_types)]
                    struct CleanDatasetSvc<T: TrainingService>(pub Arc<T>);
                    impl<
                        T: TrainingService,
                    > tonic::server::UnaryService<super::CleanDatasetRequest>
                    for CleanDatasetSvc<T> {
                        type Response = super::CleanDatasetResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CleanDatasetRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingService>::clean_dataset(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = CleanDatasetSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                _ => {
                    Box::pin(async move {
                        let mut response = http::Response::new(
                            tonic::body::Body::default(),
                        );
                        let headers = response.headers_mut();
                        headers
                            .insert(
                                tonic::Status::GRPC_STATUS,
                                (tonic::Code::Unimplemented as i32).into(),
                            );
                        headers
                            .insert(
                                http::header::CONTENT_TYPE,
                                tonic::metadata::GRPC_CONTENT_TYPE,
                            );
                        Ok(response)
                    })
                }
            }
        }
    }
    impl<T> Clone for TrainingServiceServer<T> {
        fn clone(&self) -> Self {
            let inner = self.inner.clone();
            Self {
                inner,
                accept_compression_encodings: self.accept_compression_encodings,
                send_compression_encodings: self.send_compression_encodings,
                max_decoding_message_size: self.max_decoding_message_size,
                max_encoding_message_size: self.max_encoding_message_size,
            }
        }
    }
    /// Generated gRPC service name
    pub const SERVICE_NAME: &str = "rootstock.training.v1.TrainingService";
    impl<T> tonic::server::NamedService for TrainingServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
/// Request of LeaseJob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct LeaseJobRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// The token that the worker was started with.
    #[prost(string, tag = "2")]
    pub lease_token: ::prost::alloc::string::String,
}
/// Response of LeaseJob.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct LeaseJobResponse {
    /// The job.
    #[prost(message, optional, tag = "1")]
    pub training_job: ::core::option::Option<TrainingJob>,
    /// Digest of the data set's artifact; empty for a mix or stages.
    #[prost(string, tag = "2")]
    pub dataset_digest: ::prost::alloc::string::String,
    /// Digest of the validation data set's artifact, where there is one.
    #[prost(string, tag = "3")]
    pub validation_dataset_digest: ::prost::alloc::string::String,
    /// Digest of the base model's artifact, where there is one.
    #[prost(string, tag = "4")]
    pub base_digest: ::prost::alloc::string::String,
    /// Digest of the artifact that the tokenizer lies in.
    #[prost(string, tag = "5")]
    pub tokenizer_artifact_digest: ::prost::alloc::string::String,
    /// Digest of tokenizer, chat template and special tokens together.
    #[prost(string, tag = "6")]
    pub tokenizer_digest: ::prost::alloc::string::String,
    /// The saved state to go on from; empty to begin.
    #[prost(string, tag = "7")]
    pub resume_digest: ::prost::alloc::string::String,
    /// The step of that state.
    #[prost(int64, tag = "8")]
    pub resume_step: i64,
    /// Digests of the artifacts of a mix's data sets, in its order; of a job with stages those of the specification's data, where a stage
    /// takes that, and of each stage's own.
    #[prost(string, repeated, tag = "9")]
    pub mix_digests: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Digest of the adapter's artifact that training goes on with, where there is one.
    #[prost(string, tag = "19")]
    pub adapter_digest: ::prost::alloc::string::String,
    /// Digest of the Fisher information's artifact, where there is one.
    #[prost(string, tag = "10")]
    pub fisher_digest: ::prost::alloc::string::String,
    /// Digest of the artifact of earlier data that is seen again, where there is some.
    #[prost(string, tag = "11")]
    pub replay_digest: ::prost::alloc::string::String,
    /// Digest of the artifact of earlier data of which something must be left, where there is some.
    #[prost(string, tag = "12")]
    pub retention_digest: ::prost::alloc::string::String,
    /// The state of an earlier job whose optimizer is gone on with, where there is one.
    #[prost(string, tag = "25")]
    pub optimizer_digest: ::prost::alloc::string::String,
}
/// Request of Heartbeat.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct HeartbeatRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// The token that the worker was started with.
    #[prost(string, tag = "2")]
    pub lease_token: ::prost::alloc::string::String,
}
/// Response of Heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct HeartbeatResponse {
    /// The job was cancelled: stop.
    #[prost(bool, tag = "1")]
    pub cancel: bool,
    /// The job is to be paused: compute no more, save the state after the last whole step, and end.
    #[prost(bool, tag = "2")]
    pub pause: bool,
}
/// Request of ReportEvents.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ReportEventsRequest {
    /// `trainingJobs/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// The token that the worker was started with.
    #[prost(string, tag = "2")]
    pub lease_token: ::prost::alloc::string::String,
    /// Number of the first event in this report, counted by the worker from 1.
    #[prost(int64, tag = "3")]
    pub first_sequence: i64,
    /// The events, without id; at most 256.
    #[prost(message, repeated, tag = "4")]
    pub events: ::prost::alloc::vec::Vec<TrainingEvent>,
    /// Set on the last report.
    #[prost(message, optional, tag = "5")]
    pub outcome: ::core::option::Option<JobOutcome>,
}
/// How a job ended.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct JobOutcome {
    /// Digest of the artifact made; empty after a failure.
    #[prost(string, tag = "1")]
    pub result_digest: ::prost::alloc::string::String,
    /// Why it failed; empty after success.
    #[prost(string, tag = "2")]
    pub error: ::prost::alloc::string::String,
}
/// Response of ReportEvents.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ReportEventsResponse {}
/// What a worker that verifies a job reads from its standard input.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct VerificationOrder {
    /// The job, as the worker got it that trained it; `resume_digest` is the state to begin with.
    #[prost(message, optional, tag = "1")]
    pub lease: ::core::option::Option<LeaseJobResponse>,
    /// The states that are kept, by step.
    #[prost(message, repeated, tag = "2")]
    pub states: ::prost::alloc::vec::Vec<TrainingStateSaved>,
    /// What was reported of steps; a step may be there more than once.
    #[prost(message, repeated, tag = "3")]
    pub progress: ::prost::alloc::vec::Vec<TrainingProgress>,
    /// The result, where there is one.
    #[prost(string, tag = "4")]
    pub result_digest: ::prost::alloc::string::String,
    /// Most steps that are made again; 0 is no limit.
    #[prost(int64, tag = "5")]
    pub max_steps: i64,
}
/// What a worker that verifies a job writes to its standard output.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct VerificationAnswer {
    /// What was compared.
    #[prost(message, repeated, tag = "1")]
    pub checks: ::prost::alloc::vec::Vec<TrainingCheck>,
    /// Why the steps can't be made again; empty when they were.
    #[prost(string, tag = "2")]
    pub error: ::prost::alloc::string::String,
}
/// Generated client implementations.
pub mod training_worker_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// What a worker says and asks. Internal: only workers that the training service started may call it; each call carries
    /// the token that the worker was started with.
    #[derive(Debug, Clone)]
    pub struct TrainingWorkerServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl TrainingWorkerServiceClient<tonic::transport::Channel> {
        /// Attempt to create a new client by connecting to a given endpoint.
        pub async fn connect<D>(dst: D) -> Result<Self, tonic::transport::Error>
        where
            D: TryInto<tonic::transport::Endpoint>,
            D::Error: Into<StdError>,
        {
            let conn = tonic::transport::Endpoint::new(dst)?.connect().await?;
            Ok(Self::new(conn))
        }
    }
    impl<T> TrainingWorkerServiceClient<T>
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: Body<Data = Bytes> + std::marker::Send + 'static,
        <T::ResponseBody as Body>::Error: Into<StdError> + std::marker::Send,
    {
        pub fn new(inner: T) -> Self {
            let inner = tonic::client::Grpc::new(inner);
            Self { inner }
        }
        pub fn with_origin(inner: T, origin: Uri) -> Self {
            let inner = tonic::client::Grpc::with_origin(inner, origin);
            Self { inner }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> TrainingWorkerServiceClient<InterceptedService<T, F>>
        where
            F: tonic::service::Interceptor,
            T::ResponseBody: Default,
            T: tonic::codegen::Service<
                http::Request<tonic::body::Body>,
                Response = http::Response<
                    <T as tonic::client::GrpcService<tonic::body::Body>>::ResponseBody,
                >,
            >,
            <T as tonic::codegen::Service<
                http::Request<tonic::body::Body>,
            >>::Error: Into<StdError> + std::marker::Send + std::marker::Sync,
        {
            TrainingWorkerServiceClient::new(InterceptedService::new(inner, interceptor))
        }
        /// Compress requests with the given encoding.
        ///
        /// This requires the server to support it otherwise it might respond with an
        /// error.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.send_compressed(encoding);
            self
        }
        /// Enable decompressing responses.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.accept_compressed(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_decoding_message_size(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_encoding_message_size(limit);
            self
        }
        /// Takes the job: its specification, with every name resolved to a digest, and the state to go on from.
        /// Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (another worker has it, or it has ended).
        pub async fn lease_job(
            &mut self,
            request: impl tonic::IntoRequest<super::LeaseJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::LeaseJobResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingWorkerService/LeaseJob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingWorkerService",
                        "LeaseJob",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Says that the worker lives; brings what it shall do. A lease without a heartbeat for 30 s is lost.
        /// Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (the lease is lost: stop at once).
        pub async fn heartbeat(
            &mut self,
            request: impl tonic::IntoRequest<super::HeartbeatRequest>,
        ) -> std::result::Result<
            tonic::Response<super::HeartbeatResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingWorkerService/Heartbeat",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingWorkerService",
                        "Heartbeat",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Appends events to the job, in order; a sequence number seen before is passed over. The last report ends the job.
        /// Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE.
        pub async fn report_events(
            &mut self,
            request: impl tonic::IntoRequest<super::ReportEventsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ReportEventsResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.training.v1.TrainingWorkerService/ReportEvents",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.training.v1.TrainingWorkerService",
                        "ReportEvents",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod training_worker_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with TrainingWorkerServiceServer.
    #[async_trait]
    pub trait TrainingWorkerService: std::marker::Send + std::marker::Sync + 'static {
        /// Takes the job: its specification, with every name resolved to a digest, and the state to go on from.
        /// Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (another worker has it, or it has ended).
        async fn lease_job(
            &self,
            request: tonic::Request<super::LeaseJobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::LeaseJobResponse>,
            tonic::Status,
        >;
        /// Says that the worker lives; brings what it shall do. A lease without a heartbeat for 30 s is lost.
        /// Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE (the lease is lost: stop at once).
        async fn heartbeat(
            &self,
            request: tonic::Request<super::HeartbeatRequest>,
        ) -> std::result::Result<
            tonic::Response<super::HeartbeatResponse>,
            tonic::Status,
        >;
        /// Appends events to the job, in order; a sequence number seen before is passed over. The last report ends the job.
        /// Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE.
        async fn report_events(
            &self,
            request: tonic::Request<super::ReportEventsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ReportEventsResponse>,
            tonic::Status,
        >;
    }
    /// What a worker says and asks. Internal: only workers that the training service started may call it; each call carries
    /// the token that the worker was started with.
    #[derive(Debug)]
    pub struct TrainingWorkerServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> TrainingWorkerServiceServer<T> {
        pub fn new(inner: T) -> Self {
            Self::from_arc(Arc::new(inner))
        }
        pub fn from_arc(inner: Arc<T>) -> Self {
            Self {
                inner,
                accept_compression_encodings: Default::default(),
                send_compression_encodings: Default::default(),
                max_decoding_message_size: None,
                max_encoding_message_size: None,
            }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> InterceptedService<Self, F>
        where
            F: tonic::service::Interceptor,
        {
            InterceptedService::new(Self::new(inner), interceptor)
        }
        /// Enable decompressing requests with the given encoding.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.accept_compression_encodings.enable(encoding);
            self
        }
        /// Compress responses with the given encoding, if the client supports it.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.send_compression_encodings.enable(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.max_decoding_message_size = Some(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.max_encoding_message_size = Some(limit);
            self
        }
    }
    impl<T, B> tonic::codegen::Service<http::Request<B>>
    for TrainingWorkerServiceServer<T>
    where
        T: TrainingWorkerService,
        B: Body + std::marker::Send + 'static,
        B::Error: Into<StdError> + std::marker::Send + 'static,
    {
        type Response = http::Response<tonic::body::Body>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<Self::Response, Self::Error>;
        fn poll_ready(
            &mut self,
            _cx: &mut Context<'_>,
        ) -> Poll<std::result::Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, req: http::Request<B>) -> Self::Future {
            match req.uri().path() {
                "/rootstock.training.v1.TrainingWorkerService/LeaseJob" => {
                    #[allow(non_camel_case_types)]
                    struct LeaseJobSvc<T: TrainingWorkerService>(pub Arc<T>);
                    impl<
                        T: TrainingWorkerService,
                    > tonic::server::UnaryService<super::LeaseJobRequest>
                    for LeaseJobSvc<T> {
                        type Response = super::LeaseJobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::LeaseJobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingWorkerService>::lease_job(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = LeaseJobSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingWorkerService/Heartbeat" => {
                    #[allow(non_camel_case_types)]
                    struct HeartbeatSvc<T: TrainingWorkerService>(pub Arc<T>);
                    impl<
                        T: TrainingWorkerService,
                    > tonic::server::UnaryService<super::HeartbeatRequest>
                    for HeartbeatSvc<T> {
                        type Response = super::HeartbeatResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::HeartbeatRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingWorkerService>::heartbeat(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = HeartbeatSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.training.v1.TrainingWorkerService/ReportEvents" => {
                    #[allow(non_camel_case_types)]
                    struct ReportEventsSvc<T: TrainingWorkerService>(pub Arc<T>);
                    impl<
                        T: TrainingWorkerService,
                    > tonic::server::UnaryService<super::ReportEventsRequest>
                    for ReportEventsSvc<T> {
                        type Response = super::ReportEventsResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ReportEventsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TrainingWorkerService>::report_events(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = ReportEventsSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                _ => {
                    Box::pin(async move {
                        let mut response = http::Response::new(
                            tonic::body::Body::default(),
                        );
                        let headers = response.headers_mut();
                        headers
                            .insert(
                                tonic::Status::GRPC_STATUS,
                                (tonic::Code::Unimplemented as i32).into(),
                            );
                        headers
                            .insert(
                                http::header::CONTENT_TYPE,
                                tonic::metadata::GRPC_CONTENT_TYPE,
                            );
                        Ok(response)
                    })
                }
            }
        }
    }
    impl<T> Clone for TrainingWorkerServiceServer<T> {
        fn clone(&self) -> Self {
            let inner = self.inner.clone();
            Self {
                inner,
                accept_compression_encodings: self.accept_compression_encodings,
                send_compression_encodings: self.send_compression_encodings,
                max_decoding_message_size: self.max_decoding_message_size,
                max_encoding_message_size: self.max_encoding_message_size,
            }
        }
    }
    /// Generated gRPC service name
    pub const SERVICE_NAME: &str = "rootstock.training.v1.TrainingWorkerService";
    impl<T> tonic::server::NamedService for TrainingWorkerServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
