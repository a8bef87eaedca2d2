//! What an audit finds, and that it finds nothing else.

use rootstock_text::{AuditedRow, Fate, Finding, RowOf, Suspicion, Trained, length_histogram};

fn row(n: usize) -> AuditedRow {
    let context = format!("what is the square of {n}, and what is that of {}?", n * 7919);
    let trained = format!("the one is {} and the other {}", n * n, n * n * 7919 * 7919);
    AuditedRow { context, trained, context_tokens: 20, trained_tokens: 10 + n % 5, fate: Fate::Kept }
}

fn rows() -> Vec<AuditedRow> {
    (1..41).map(row).collect()
}

fn finding(suspicion: Suspicion, row: usize, other: Option<usize>) -> Finding {
    Finding { suspicion, row, other: other.map(|row| RowOf { set: 0, row }) }
}

fn audit(rows: &[AuditedRow]) -> Vec<Finding> {
    rootstock_text::audit(&[rows], &|| false).concat()
}

fn overlaps(train: &[AuditedRow], validation: &[AuditedRow]) -> Vec<Finding> {
    let train = train.iter().enumerate().map(|(row, audited)| (RowOf { set: 0, row }, audited));
    Trained::new(train).overlaps(validation.iter().enumerate())
}

#[test]
fn good_rows_are_not_suspected() {
    assert_eq!(audit(&rows()), []);
    assert_eq!(overlaps(&rows()[..20], &rows()[20..]), []);
    assert_eq!(audit(&[]), []);
}

#[test]
fn repetitions_and_contradictions_name_the_earlier_row() {
    let mut rows = rows();
    rows.push(AuditedRow { trained: format!(" {}\n", rows[3].trained), ..rows[3].clone() });
    rows.push(AuditedRow {
        trained: "nobody knows, and nobody will ever find out either".into(),
        ..rows[4].clone()
    });
    let long =
        "a long answer that goes on about squares and cubes and their roots for quite some time, as they do";
    rows.push(AuditedRow { context: "why?".into(), trained: long.into(), ..row(1) });
    rows.push(AuditedRow { context: "why!".into(), trained: long.into(), ..row(1) });
    assert_eq!(
        audit(&rows),
        [
            finding(Suspicion::Duplicate, 40, Some(3)),
            finding(Suspicion::NearDuplicate, 43, Some(42)),
            finding(Suspicion::Contradiction, 41, Some(4)),
        ]
    );
}

#[test]
fn what_is_lost_is_told_and_a_lost_end_twice() {
    let mut rows = rows();
    rows[1].fate = Fate::Truncated { loses_eos: true };
    rows[2].fate = Fate::Truncated { loses_eos: false };
    rows[3].fate = Fate::Dropped;
    rows[4].fate = Fate::Masked;
    let found: Vec<_> = audit(&rows).into_iter().map(|finding| (finding.suspicion, finding.row)).collect();
    let expected = [
        (Suspicion::Truncated, 1),
        (Suspicion::Truncated, 2),
        (Suspicion::Dropped, 3),
        (Suspicion::FullyMasked, 4),
        (Suspicion::NoEos, 1),
    ];
    assert_eq!(found, expected);
}

#[test]
fn rows_far_longer_or_shorter_than_the_others_are_named() {
    let mut rows = rows();
    rows[7].trained_tokens = 1;
    rows[9].trained_tokens = 400;
    assert_eq!(audit(&rows), [finding(Suspicion::Short, 7, None), finding(Suspicion::Long, 9, None)]);
}

#[test]
fn rows_to_validate_on_that_are_trained_on_are_named() {
    let (train, mut validation) = (rows(), (50..60).map(row).collect::<Vec<_>>());
    validation[2] = train[5].clone();
    assert_eq!(overlaps(&train, &validation), [finding(Suspicion::Overlap, 2, Some(5))]);
}

#[test]
fn rows_of_data_sets_that_are_trained_on_together_are_compared_across_them() {
    let (first, mut second) = (rows(), (50..60).map(row).collect::<Vec<_>>());
    second[2] = first[5].clone();
    second[4].context.clone_from(&first[6].context);
    // Long beside those of its own data set, but not beside those of the other.
    second[6].trained_tokens = 60;
    let other = |row| Some(RowOf { set: 0, row });
    let found = |suspicion, row, other| Finding { suspicion, row, other };
    let expected = [
        found(Suspicion::Duplicate, 2, other(5)),
        found(Suspicion::Contradiction, 4, other(6)),
        found(Suspicion::Long, 6, None),
    ];
    let sets = rootstock_text::audit(&[&first, &second], &|| false);
    assert_eq!((sets[0].as_slice(), sets[1].as_slice()), (&[][..], &expected[..]));
    let ended = rootstock_text::audit(&[&first, &second], &|| true);
    assert_eq!(ended[1], expected[2..], "rows are not compared once nobody waits for it");
}

#[test]
fn lengths_are_counted_by_powers_of_two() {
    assert_eq!(length_histogram([0, 1, 2, 3, 4, 7, 8].into_iter()), [1, 1, 2, 2, 1]);
    assert!(length_histogram(std::iter::empty()).is_empty());
}
