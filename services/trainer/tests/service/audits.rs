//! Audits of all that a specification names: the data sets of a mix together, earlier data, labels, added tokens; and what their jobs do.

use proto::{DataProblem, Truncation, training_spec};
use rootstock_proto::training::v1 as proto;

use crate::{
    bench::{Bench, pretraining},
    data::{SEED, Words, answers, audit, found, put, row, wide},
    encoders::{classification, labelled, on_encoder, with_bert},
};

fn mixed(dataset: &str, prompt_template: &str) -> proto::MixedDataset {
    proto::MixedDataset { dataset: dataset.into(), prompt_template: prompt_template.into(), weight: 0.0 }
}

/// Answers to questions of two data sets, the second in the words of a template of its own.
fn mix(first: &str, second: proto::MixedDataset) -> proto::TrainingSpec {
    let datasets = vec![mixed(first, ""), second];
    let mix = Some(proto::DatasetMix { datasets, temperature: 0.0 });
    proto::TrainingSpec { dataset: String::new(), mix, ..answers("", Truncation::Drop) }
}

fn good(words: &mut Words, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| row(&words.text(10), &words.text(8))).collect()
}

fn lines(rows: &[Vec<u8>]) -> Vec<u8> {
    rows.join(&b'\n')
}

/// The first example of a problem.
fn example(audit: &proto::DatasetAudit, problem: DataProblem) -> &proto::DataExample {
    let finding = audit.findings.iter().find(|finding| finding.problem() == problem);
    &finding.unwrap_or_else(|| panic!("no {problem:?} in {:?}", audit.findings)).examples[0]
}

async fn refusals(bench: &Bench, spec: proto::TrainingSpec) -> Vec<String> {
    audit(bench, spec).await.refusals
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_sets_of_a_mix_are_audited_each_by_its_template_and_all_together() {
    let bench = wide().await;
    let mut words = Words(SEED);
    let (mut first, mut second) = (good(&mut words, 12), good(&mut words, 12));
    let question = words.text(10);
    first.push(row(&question, &words.text(8)));
    second.push(row(&question, &words.text(8)));
    second.push(first[4].clone());
    second.push(b"no json".to_vec());
    let test = [first[2].clone(), second[3].clone(), row("new", "new")];
    let (one, two) =
        (put(&bench, "one", "a.jsonl", &lines(&first)), put(&bench, "two", "b.jsonl", &lines(&second)));
    let held_out = put(&bench, "test", "c.jsonl", &lines(&test));
    let spec = |template| proto::TrainingSpec {
        validation_dataset: held_out.clone(),
        ..mix(&one, mixed(&two, template))
    };
    let same = audit(&bench, spec("")).await;
    assert!(same.dataset.is_none(), "a mix has several");
    let [of_one, of_two] = same.mixed.as_slice() else { panic!("{:?}", same.mixed) };
    assert_eq!((of_one.dataset.as_str(), of_one.rows, of_two.rows), ("datasets/one", 13, 15));
    assert!(of_one.findings.is_empty(), "{:?}", of_one.findings);
    let (again, against) =
        (example(of_two, DataProblem::Duplicate), example(of_two, DataProblem::Contradiction));
    let place = |example: &proto::DataExample| {
        (example.row, example.other_dataset.clone(), example.other_file.clone(), example.other_row)
    };
    assert_eq!(place(again), (14, "datasets/one".into(), "a.jsonl".into(), 5));
    assert_eq!(place(against), (13, "datasets/one".into(), "a.jsonl".into(), 13));
    let validated = same.validation_dataset.unwrap();
    let overlap =
        validated.findings.iter().find(|finding| finding.problem() == DataProblem::Overlap).unwrap();
    let others: Vec<_> = overlap.examples.iter().map(|example| example.other_dataset.as_str()).collect();
    assert_eq!(others, ["datasets/one", "datasets/two"]);
    let [refusal] = same.refusals.as_slice() else { panic!("{:?}", same.refusals) };
    assert!(refusal.starts_with("spec.mix.datasets[1].dataset: b.jsonl: row 15"), "{refusal}");

    let apart = audit(&bench, spec("alpaca")).await;
    let templates = apart.mixed.iter().map(|audit| audit.prompt_template.as_str());
    assert_eq!(templates.collect::<Vec<_>>(), ["qa_en", "alpaca"]);
    assert!(apart.mixed[1].samples[0].prompt.contains("### Instruction"), "{:?}", apart.mixed[1].samples[0]);
    assert!(found(&apart.mixed[1]).keys().all(|problem| *problem == DataProblem::Malformed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mix_that_has_all_of_the_test_among_its_data_sets_does_not_begin() {
    let bench = wide().await;
    let mut words = Words(SEED);
    let (first, second) = (good(&mut words, 6), good(&mut words, 6));
    let (one, two) =
        (put(&bench, "one", "a.jsonl", &lines(&first)), put(&bench, "two", "b.jsonl", &lines(&second)));
    let between = put(&bench, "between", "c.jsonl", &lines(&[first[0].clone(), second[1].clone()]));
    let test = proto::TrainingSpec { validation_dataset: between, ..mix(&one, mixed(&two, "")) };
    // Each data set holds the other's rows, so that what is held out of one is trained on in the other.
    let [same, again] =
        ["same", "again"].map(|name| put(&bench, name, "d.jsonl", &lines(&vec![first[0].clone(); 10])));
    let split = proto::TrainingSpec { validation_split: 0.2, ..mix(&same, mixed(&again, "")) };
    let replay = Some(proto::Replay { dataset: two.clone(), ratio: 0.5 });
    let replayed = put(&bench, "replayed", "e.jsonl", &lines(&second[..3]));
    let replayed =
        proto::TrainingSpec { validation_dataset: replayed, replay, ..answers(&one, Truncation::Drop) };
    for (id, spec, words) in [
        ("test", test, "TRAINS_ON_TEST: spec.validation_dataset: all of its 2 rows"),
        ("split", split, "TRAINS_ON_TEST: spec.validation_split: all of its 4 rows"),
        ("replayed", replayed, "TRAINS_ON_TEST: spec.validation_dataset: all of its 3 rows"),
    ] {
        let refusals = refusals(&bench, spec.clone()).await;
        assert!(refusals.len() == 1 && refusals[0].starts_with(words), "{id}: {refusals:?}");
        let error = bench.fail(id, spec).await;
        assert!(error.starts_with(words), "{id}: {error}");
    }
    let mut other = mix(&one, mixed(&same, ""));
    other.validation_split = 0.2;
    assert_eq!(refusals(&bench, other.clone()).await, [""; 0], "some of what is held out is in no data set");
    bench.succeed("other", other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_data_is_audited_beside_the_new() {
    let bench = wide().await;
    let mut words = Words(SEED);
    let new = good(&mut words, 12);
    let earlier = [new[3].clone(), row(&words.text(10), &words.text(8))];
    let long: Vec<_> = (0..2).map(|_| row(&words.text(90), &words.text(8))).collect();
    let dataset = put(&bench, "new", "a.jsonl", &lines(&new));
    let spec = proto::TrainingSpec {
        replay: Some(proto::Replay {
            dataset: put(&bench, "earlier", "b.jsonl", &lines(&earlier)),
            ratio: 0.5,
        }),
        retention: Some(proto::Retention {
            dataset: put(&bench, "long", "c.jsonl", &lines(&long)),
            min_ratio: 0.0,
        }),
        ..answers(&dataset, Truncation::Drop)
    };
    let found = audit(&bench, spec.clone()).await;
    let (replay, retention) = (found.replay.unwrap(), found.retention.unwrap());
    let again = example(&replay, DataProblem::Duplicate);
    assert_eq!((again.row, again.other_dataset.as_str(), again.other_row), (1, "datasets/new", 4));
    assert_eq!((retention.rows, retention.kept_rows), (2, 0));
    let words = "NOTHING_TO_TRAIN: spec.retention.dataset";
    assert!(found.refusals.len() == 1 && found.refusals[0].starts_with(words), "{:?}", found.refusals);
    assert!(bench.fail("forgets", spec).await.starts_with(words));
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_counted_and_those_that_are_not_trained_on_are_named() {
    let bench = with_bert().await;
    let put = |name: &str, rows: String| put(&bench, name, "rows.jsonl", rows.as_bytes());
    bench.succeed("classifier", classification()).await;
    let strange = put("strange", labelled(&["fox", "north"], 4));
    let foxes = put("foxes", labelled(&["fox"], 6));
    let spec = proto::TrainingSpec {
        dataset: foxes.clone(),
        validation_dataset: strange.clone(),
        ..on_encoder(classification())
    };
    let found = audit(&bench, spec.clone()).await;
    let counts = |audit: &proto::DatasetAudit| {
        audit.labels.iter().map(|label| (label.label.clone(), label.rows)).collect::<Vec<_>>()
    };
    assert_eq!(counts(&found.dataset.unwrap()), [("fox".into(), 6), ("hill".into(), 0)]);
    assert_eq!(found.missing_labels, ["hill"]);
    let validated = found.validation_dataset.unwrap();
    assert_eq!(counts(&validated), [("fox".into(), 2), ("hill".into(), 0), ("north".into(), 2)]);
    assert_eq!(example(&validated, DataProblem::UnknownLabel).row, 2);
    let [refusal] = found.refusals.as_slice() else { panic!("{:?}", found.refusals) };
    assert_eq!(*refusal, bench.fail("strange", spec).await);

    // Alone its label has another number.
    let hill = put("hill", labelled(&["fox", "hill"], 2).lines().nth(1).unwrap().to_owned());
    let test = proto::TrainingSpec { validation_dataset: hill, ..classification() };
    let refused = refusals(&bench, test.clone()).await;
    assert!(refused[0].starts_with("TRAINS_ON_TEST: spec.validation_dataset"), "{refused:?}");
    assert_eq!(refused, [bench.fail("hill", test).await]);

    let one = proto::TrainingSpec { dataset: foxes, ..classification() };
    let refused = refusals(&bench, one.clone()).await;
    assert!(refused[0].contains("1 different labels"), "{refused:?}");
    assert_eq!(refused, [bench.fail("one", one).await]);
    let retention = Some(proto::Retention { dataset: strange, min_ratio: 0.0 });
    let earlier = proto::TrainingSpec { retention, ..on_encoder(classification()) };
    let refused = refusals(&bench, earlier.clone()).await;
    assert!(refused[0].contains("spec.retention.dataset: label \"north\""), "{refused:?}");
    assert_eq!(refused, [bench.fail("earlier", earlier).await]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_audited_with_the_tokens_that_a_job_adds() {
    let bench = wide().await;
    let mut words = Words(SEED);
    let mut rows = good(&mut words, 8);
    rows.push(row("what is called", "<call> and no more"));
    let dataset = put(&bench, "calls", "rows.jsonl", &lines(&rows));
    let plain = proto::TrainingSpec {
        output: "baseModels/larger".into(),
        method: pretraining().method,
        ..answers(&dataset, Truncation::Drop)
    };
    let added_tokens = ["<call>", "<unheard>"].map(str::to_owned).to_vec();
    let spec = proto::TrainingSpec { added_tokens, ..plain.clone() };
    let (before, after) = (audit(&bench, plain).await, audit(&bench, spec.clone()).await);
    assert_eq!(after.unseen_tokens, ["<unheard>"]);
    let tokens = |audit: &proto::AuditDatasetResponse| audit.dataset.as_ref().unwrap().loss_tokens;
    assert!(tokens(&after) < tokens(&before), "the added token is one");
    let ready = bench.succeed("larger", spec).await.data_ready.unwrap();
    assert_eq!(ready.loss_tokens, tokens(&after), "the job sees the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_template_is_asked_for_by_the_data_sets_that_use_it_alone() {
    let bench = wide().await;
    let mut words = Words(SEED);
    let rows = put(&bench, "rows", "a.jsonl", &lines(&good(&mut words, 6)));
    let with = |objective: &str, templates: [&str; 2]| {
        let mut spec = mix(&rows, mixed(&rows, templates[1]));
        spec.mix.as_mut().unwrap().datasets[0].prompt_template = templates[0].into();
        if let Some(training_spec::Objective::Supervised(supervised)) = &mut spec.objective {
            supervised.prompt_template = objective.into();
        }
        spec
    };
    let create = async |spec| {
        let request =
            proto::CreateTrainingJobRequest { spec: Some(spec), validate_only: true, ..Default::default() };
        bench.training().create_training_job(request).await.map_err(|error| error.field.unwrap_or_default())
    };
    create(with("chat", ["qa_en", "alpaca"])).await.unwrap();
    let field = create(with("chat", ["qa_en", ""])).await.unwrap_err();
    assert_eq!(field, "spec.supervised.prompt_template");
    let field = create(with("qa_en", ["", "chat"])).await.unwrap_err();
    assert_eq!(field, "spec.mix.datasets[1].prompt_template");
    let test = put(&bench, "test", "b.jsonl", &lines(&good(&mut words, 2)));
    let validated = proto::TrainingSpec { validation_dataset: test, ..with("chat", ["qa_en", "alpaca"]) };
    assert_eq!(create(validated).await.unwrap_err(), "spec.supervised.prompt_template");
    let turns = br#"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#;
    let turns = put(&bench, "turns", "t.jsonl", turns);
    let error = bench.fail("turns", mix(&rows, mixed(&turns, "alpaca"))).await;
    assert!(
        error.contains("spec.mix.datasets[1].prompt_template") && error.contains("conversation"),
        "{error}"
    );
    let refused = refusals(&bench, mix(&rows, mixed(&turns, "alpaca"))).await;
    assert!(refused.iter().any(|refusal| refusal.contains(&error)), "{refused:?}");
}
