//! Data before it is trained on: a seeded bad data set of which an audit finds every fault, the jobs that refuse to begin, cleaning, and
//! what becomes of rows that are too long.

use std::collections::{BTreeMap, BTreeSet};

use proto::{DataProblem, Truncation, training_event::Event, training_spec};
use rootstock_client::ErrorReason;
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};

use crate::{
    bench::{Bench, finetuning, pretraining},
    training::{bench, with},
};

pub(crate) const SEED: u64 = 20_261_126;
/// Tokens of a row; a word has five letters and about as many tokens.
const MAX_LENGTH: i32 = 400;

/// Draws words that no two texts share.
pub(crate) struct Words(pub(crate) u64);

impl Words {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn text(&mut self, words: usize) -> String {
        let mut letter = || char::from(b'a' + (self.draw() % 26) as u8);
        let mut word = || (0..5).map(|_| letter()).collect::<String>();
        (0..words).map(|_| word()).collect::<Vec<_>>().join(" ")
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.draw() as usize % (end + 1));
        }
    }
}

pub(crate) fn row(instruction: &str, output: &str) -> Vec<u8> {
    serde_json::json!({"instruction": instruction, "output": output}).to_string().into_bytes()
}

/// Faults and the rows that have them, in a data set of otherwise good rows.
struct Bad {
    train: Vec<u8>,
    validation: Vec<u8>,
    planted: BTreeMap<&'static str, i64>,
}

impl Bad {
    fn seeded(seed: u64) -> Self {
        let mut words = Words(seed);
        let good: Vec<(String, String)> = (0..60).map(|n| (words.text(10), words.text(7 + n % 3))).collect();
        let (question, answer) = &good[3];
        let mut faults = vec![
            ("malformed", format!("{{\"instruction\": \"{}\"", words.text(10)).into_bytes()),
            (
                "invalid utf-8",
                [b"{\"instruction\": \"", &b"\xff\xfe"[..], b"\", \"output\": \"x\"}"].concat(),
            ),
            ("missing field", serde_json::json!({"instruction": words.text(10)}).to_string().into_bytes()),
            (
                "wrong type",
                serde_json::json!({"instruction": words.text(10), "output": 5}).to_string().into_bytes(),
            ),
            ("empty answer", row(&words.text(10), " ")),
            ("empty prompt", row("", &words.text(8))),
            ("duplicate", row(question, answer)),
            ("near duplicate", row(&format!("{question}!"), answer)),
            ("contradiction", row(&good[7].0, &words.text(8))),
            ("short", row(&words.text(10), "x")),
            ("long", row(&words.text(10), &words.text(40))),
            ("long answer", row(&words.text(10), &words.text(90))),
            ("long prompt", row(&words.text(90), &words.text(8))),
        ];
        words.shuffle(&mut faults);
        let mut lines: Vec<Vec<u8>> = good.iter().map(|(question, answer)| row(question, answer)).collect();
        let mut planted = BTreeMap::new();
        for (fault, line) in faults {
            // Behind the rows that some of them repeat.
            let at = 10 + words.draw() as usize % (lines.len() - 10);
            for row in planted.values_mut() {
                *row += i64::from(*row > at as i64);
            }
            lines.insert(at, line);
            planted.insert(fault, at as i64 + 1);
        }
        let mut held_out: Vec<Vec<u8>> = (0..10).map(|_| row(&words.text(10), &words.text(8))).collect();
        held_out.insert(4, row(&good[9].0, &good[9].1));
        planted.insert("overlap", 5);
        Self { train: lines.join(&b'\n'), validation: held_out.join(&b'\n'), planted }
    }

    fn rows(&self, faults: &[&str]) -> BTreeSet<i64> {
        faults.iter().map(|fault| self.planted[fault]).collect()
    }
}

pub(crate) fn put(bench: &Bench, name: &str, file: &str, bytes: &[u8]) -> String {
    let alias = format!("datasets/{name}");
    bench.store.put(ArtifactKind::Dataset, &alias, &[(file, bytes)]);
    alias
}

/// A base model with room for long rows.
pub(crate) async fn wide() -> Bench {
    let bench = bench().await;
    let mut spec = with(pretraining(), |arguments| arguments.max_steps = 1);
    if let Some(training_spec::Start::NewModel(model)) = &mut spec.start {
        model.max_position_embeddings = 512;
    }
    bench.succeed("base", spec).await;
    bench
}

pub(crate) fn answers(dataset: &str, truncation: Truncation) -> proto::TrainingSpec {
    let objective = proto::SupervisedObjective {
        prompt_template: "qa_en".into(),
        max_length: MAX_LENGTH,
        truncation: truncation.into(),
        ..Default::default()
    };
    let spec = proto::TrainingSpec {
        dataset: dataset.into(),
        objective: Some(training_spec::Objective::Supervised(objective)),
        ..finetuning()
    };
    with(spec, |arguments| arguments.max_steps = 1)
}

pub(crate) async fn audit(bench: &Bench, spec: proto::TrainingSpec) -> proto::AuditDatasetResponse {
    let request = proto::AuditDatasetRequest { spec: Some(spec), max_examples: 10 };
    bench.training().audit_dataset(request).await.unwrap()
}

/// The rows of each problem.
pub(crate) fn found(audit: &proto::DatasetAudit) -> BTreeMap<DataProblem, BTreeSet<i64>> {
    let rows = |finding: &proto::DataFinding| {
        assert_eq!(finding.rows as usize, finding.examples.len());
        (finding.problem(), finding.examples.iter().map(|example| example.row).collect())
    };
    audit.findings.iter().map(rows).collect()
}

async fn ready(bench: &Bench, job: &str) -> proto::TrainingDataReady {
    let found = bench.events(job).await.into_iter().find_map(|event| match event {
        Event::DataReady(ready) => Some(ready),
        _ => None,
    });
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_every_planted_fault_and_nothing_else() {
    let bench = wide().await;
    let bad = Bad::seeded(SEED);
    println!("seed {SEED}: {:?}", bad.planted);
    let train = put(&bench, "bad", "rows.jsonl", &bad.train);
    let held_out = put(&bench, "held-out", "rows.jsonl", &bad.validation);
    let spec = |truncation| proto::TrainingSpec {
        validation_dataset: held_out.clone(),
        ..answers(&train, truncation)
    };
    let whole = audit(&bench, spec(Truncation::Drop)).await;
    let dataset = whole.dataset.unwrap();
    let always = [
        (DataProblem::Malformed, bad.rows(&["malformed"])),
        (DataProblem::InvalidUtf8, bad.rows(&["invalid utf-8"])),
        (DataProblem::MissingField, bad.rows(&["missing field"])),
        (DataProblem::WrongType, bad.rows(&["wrong type"])),
        (DataProblem::EmptyAnswer, bad.rows(&["empty answer"])),
        (DataProblem::EmptyPrompt, bad.rows(&["empty prompt"])),
        (DataProblem::Duplicate, bad.rows(&["duplicate"])),
        (DataProblem::NearDuplicate, bad.rows(&["near duplicate"])),
        (DataProblem::Contradiction, bad.rows(&["contradiction"])),
        (DataProblem::Short, bad.rows(&["short"])),
        (DataProblem::Long, bad.rows(&["long", "long answer"])),
    ];
    let expect = |more: &[(DataProblem, &[&str])]| {
        let more = more.iter().map(|(problem, faults)| (*problem, bad.rows(faults)));
        always.iter().cloned().chain(more).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(found(&dataset), expect(&[(DataProblem::Dropped, &["long answer", "long prompt"])]));
    assert_eq!((dataset.rows, dataset.kept_rows), (73, 73 - 6 - 2));
    assert!(dataset.loss_tokens > 0 && dataset.loss_tokens < dataset.tokens);
    let counted = |lengths: &[proto::LengthBucket]| lengths.iter().map(|bucket| bucket.rows).sum::<i64>();
    assert_eq!((counted(&dataset.prompt_lengths), counted(&dataset.answer_lengths)), (67, 67));
    let sample = &dataset.samples[0];
    assert!(sample.prompt.starts_with("Question: ") && sample.prompt.ends_with("\nAnswer:"), "{sample:?}");
    assert!(sample.row == 1 && sample.trained.starts_with(' '), "{sample:?}");
    let overlap = [(DataProblem::Overlap, bad.rows(&["overlap"]))].into();
    assert_eq!(found(&whole.validation_dataset.unwrap()), overlap);
    assert!(whole.refusals[0].contains("spec.dataset: rows.jsonl: row "), "{:?}", whole.refusals);
    let right = audit(&bench, spec(Truncation::TruncateRight)).await.dataset.unwrap();
    let cut: [(DataProblem, &[&str]); 3] = [
        (DataProblem::Truncated, &["long answer"]),
        (DataProblem::NoEos, &["long answer"]),
        (DataProblem::FullyMasked, &["long prompt"]),
    ];
    assert_eq!(found(&right), expect(&cut));
    let left = audit(&bench, spec(Truncation::TruncateLeft)).await.dataset.unwrap();
    assert_eq!(found(&left), expect(&[(DataProblem::Truncated, &["long answer", "long prompt"])]));
    let error = audit(&bench, spec(Truncation::Error)).await;
    let first = bad.rows(&["long answer", "long prompt"]).first().copied().unwrap();
    let told = error.refusals.iter().any(|refusal| refusal.contains(&format!("row {first} has")));
    assert!(told, "{:?}", error.refusals);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_would_train_on_nothing_or_on_the_test_does_not_begin() {
    let bench = wide().await;
    let mut words = Words(SEED);
    let lines = |rows: &[Vec<u8>]| rows.join(&b'\n');
    let long: Vec<_> = (0..4).map(|_| row(&words.text(90), &words.text(8))).collect();
    let mut good: Vec<_> = (0..12).map(|_| row(&words.text(10), &words.text(8))).collect();
    let long = put(&bench, "long", "rows.jsonl", &lines(&long));
    let train = put(&bench, "good", "rows.jsonl", &lines(&good));
    good.reverse();
    let test = put(&bench, "test", "rows.jsonl", &lines(&good[..5]));
    let same = put(&bench, "same", "rows.jsonl", &lines(&vec![good[0].clone(); 20]));
    let validated = |validation_dataset: &str| proto::TrainingSpec {
        validation_dataset: validation_dataset.into(),
        ..answers(&train, Truncation::Drop)
    };
    let split = proto::TrainingSpec { validation_split: 0.2, ..answers(&same, Truncation::Drop) };
    let refused = [
        ("dropped", answers(&long, Truncation::Drop), "NOTHING_TO_TRAIN: spec.dataset"),
        ("masked", answers(&long, Truncation::TruncateRight), "NOTHING_TO_TRAIN: spec.dataset"),
        ("test", validated(&test), "TRAINS_ON_TEST: spec.validation_dataset"),
        ("split", split, "TRAINS_ON_TEST: spec.validation_split"),
    ];
    for (id, spec, words) in refused {
        let refusals = audit(&bench, spec.clone()).await.refusals;
        assert!(refusals.len() == 1 && refusals[0].starts_with(words), "{id}: {refusals:?}");
        let error = bench.fail(id, spec).await;
        assert!(error.starts_with(words), "{id}: {error}");
        let stepped = bench.job(&format!("trainingJobs/{id}")).await.progress;
        assert!(stepped.is_none(), "{id}: a step was made");
    }
    let request = proto::CreateTrainingJobRequest { spec: Some(validated(&train)), ..Default::default() };
    let error = bench.training().create_training_job(request).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("spec.validation_dataset"), "{error}");
    let partly = put(&bench, "partly", "rows.jsonl", &lines(&[good[0].clone(), row("new", "new")]));
    bench.succeed("partly", validated(&partly)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_long_rows_is_chosen_counted_and_told_in_the_result() {
    let bench = wide().await;
    let mut words = Words(SEED);
    let rows: Vec<_> = [8, 90, 8, 90].map(|count| row(&words.text(10), &words.text(count))).into();
    let dataset = put(&bench, "mixed", "rows.jsonl", &rows.join(&b'\n'));
    for (id, truncation, kept, cut) in [
        ("drop", Truncation::Unspecified, 2, 0),
        ("left", Truncation::TruncateLeft, 4, 2),
        ("right", Truncation::TruncateRight, 4, 2),
    ] {
        let job = bench.succeed(id, answers(&dataset, truncation)).await;
        let ready = ready(&bench, &job.name).await;
        let counts = (ready.train_rows, ready.dropped_rows, ready.truncated_rows);
        assert_eq!(counts, (kept, 4 - kept, cut), "{id}");
        assert_eq!(job.data_ready.as_ref(), Some(&ready), "the job tells what its event told");
        let annotations = bench.store.artifact(&job.result_digest).unwrap().annotations;
        assert_eq!(annotations["truncated_rows"], cut.to_string());
        assert_eq!(annotations["dropped_rows"], (4 - kept).to_string());
    }
    let validation_dataset = put(&bench, "longer", "rows.jsonl", &rows[1..].join(&b'\n'));
    let few = put(&bench, "few", "rows.jsonl", &row("a", "b"));
    let spec = proto::TrainingSpec { validation_dataset, ..answers(&few, Truncation::Drop) };
    let ready = bench.succeed("validated", spec).await.data_ready.unwrap();
    let counts = (ready.validation_rows, ready.dropped_rows, ready.dropped_validation_rows);
    assert_eq!(counts, (1, 0, 2));
    let error = bench.fail("error", answers(&dataset, Truncation::Error)).await;
    assert!(
        error.contains("spec.dataset: rows.jsonl: row 2 has") && error.contains("max_length = 400"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_csv_are_trained_on_and_columns_with_other_wordings_change_what_is_seen() {
    let bench = wide().await;
    let mut words = Words(SEED);
    let line = |_| format!("\"{}\",\"{}\",\"{}\"\n", words.text(5), words.text(5), words.text(5));
    let csv = "instruction,output,again\n".to_owned() + &(0..8).map(line).collect::<String>();
    let dataset = put(&bench, "table", "rows.csv", csv.as_bytes());
    let spec = |columns: &[&str], span_shuffle| {
        let mut spec = answers(&dataset, Truncation::Drop);
        if let Some(training_spec::Objective::Supervised(supervised)) = &mut spec.objective {
            supervised.paraphrase_columns = columns.iter().map(|name| (*name).to_owned()).collect();
            supervised.span_shuffle = span_shuffle;
        }
        with(spec, |arguments| arguments.max_steps = 3)
    };
    let plain = bench.succeed("plain", spec(&[], 0.0)).await;
    assert_eq!(ready(&bench, &plain.name).await.train_rows, 8);
    let reworded = bench.succeed("reworded", spec(&["again"], 0.0)).await;
    let moved = bench.succeed("moved", spec(&[], 0.5)).await;
    let again = bench.succeed("again", spec(&["again"], 0.0)).await;
    assert_eq!(reworded.result_digest, again.result_digest);
    let different: BTreeSet<_> = [plain, reworded, moved].map(|job| job.result_digest).into();
    assert_eq!(different.len(), 3);
    let error = bench.fail("idle", spec(&["agian"], 0.0)).await;
    assert!(
        error.contains("paraphrase_columns: no row that is kept has another wording in agian"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleaned_data_set_is_a_new_version_and_the_same_each_time() {
    let bench = bench().await;
    let mut words = Words(SEED);
    let (question, answer) = (words.text(10), words.text(8));
    let rows = [
        row(&question, &answer),
        row(&words.text(10), &words.text(8)),
        row(&question, &answer),
        row(&format!("{question}!"), &answer),
        b"no json".to_vec(),
        row("a", "b"),
    ];
    let dataset = put(&bench, "raw", "rows.jsonl", &rows.join(&b'\n'));
    let cleaning = proto::Cleaning {
        exact_duplicates: true,
        near_duplicates: 0.8,
        min_characters: 5,
        ..Default::default()
    };
    let request = |cleaning| proto::CleanDatasetRequest {
        dataset: dataset.clone(),
        output: "datasets/clean".into(),
        cleaning: Some(cleaning),
    };
    let made = bench.training().clean_dataset(request(cleaning)).await.unwrap();
    let counts = [
        made.rows,
        made.kept_rows,
        made.unreadable,
        made.length,
        made.exact_duplicates,
        made.near_duplicates,
    ];
    assert_eq!(counts, [6, 2, 1, 1, 1, 1]);
    assert_eq!(bench.store.alias("datasets/clean").unwrap().0, made.digest);
    let kept = bench.store.file(&made.digest, "rows.jsonl").unwrap();
    assert_eq!(kept, [&rows[0][..], b"\n", &rows[1], b"\n"].concat());
    assert_eq!(bench.training().clean_dataset(request(cleaning)).await.unwrap(), made);
    let other = proto::Cleaning { near_duplicates: 0.0, ..cleaning };
    assert_ne!(bench.training().clean_dataset(request(other)).await.unwrap().digest, made.digest);
    for (cleaning, words) in [
        (proto::Cleaning::default(), "takes nothing out"),
        (proto::Cleaning { min_characters: 1000, ..Default::default() }, "takes out all 6 records"),
    ] {
        let error = bench.training().clean_dataset(request(cleaning)).await.unwrap_err();
        assert!(error.is(ErrorReason::InvalidField) && error.message.contains(words), "{error}");
    }
}
