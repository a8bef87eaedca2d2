//! The table of codes: it agrees with the contract's comments, and details follow from it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rootstock_runtime::status::{DEFAULT_RETRY_AFTER, code, code_name, reason_name};
use rootstock_runtime::{ErrorReason, Failure, from_remote, status};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// `(value, code)` of each reason, as the comment above the value begins.
fn documented() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../proto/rootstock/common/v1/error.proto");
    let text = std::fs::read_to_string(path).unwrap();
    let mut codes = BTreeMap::new();
    let mut comment: Option<String> = None;
    for line in text.lines().map(str::trim).skip_while(|line| !line.starts_with("enum ErrorReason")) {
        if let Some(text) = line.strip_prefix("//") {
            comment.get_or_insert_with(|| text.trim().to_owned());
        } else if let Some((name, _)) = line.split_once(" = ") {
            let text = comment.take().unwrap_or_else(|| panic!("{name} has no comment"));
            if let Some((code, _)) = text.split_once(':') {
                codes.insert(name.to_owned(), code.to_owned());
            }
        } else {
            comment = None;
        }
    }
    codes
}

fn reasons() -> impl Iterator<Item = ErrorReason> {
    (1..200).filter_map(|number| ErrorReason::try_from(number).ok())
}

#[test]
fn every_reason_has_the_code_that_the_contract_documents() {
    let documented = documented();
    assert!(documented.len() > 20, "the proto was read: {documented:?}");
    let table: BTreeMap<String, String> = reasons()
        .map(|reason| (reason.as_str_name().to_owned(), code_name(code(reason)).to_owned()))
        .collect();
    assert_eq!(table, documented);
}

#[test]
fn every_status_carries_its_reason_and_says_when_to_retry_if_retrying_helps() {
    for reason in reasons() {
        let status = Status::from(Failure::new(reason, "so it goes"));
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason_name(reason), "rootstock"));
        assert_eq!(ErrorReason::from_str_name(&format!("ERROR_REASON_{}", info.reason)), Some(reason));
        let retry = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
        let invites = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
        assert_eq!(retry, invites.then_some(DEFAULT_RETRY_AFTER), "{reason:?}");
    }
}

#[test]
fn a_remote_failure_passes_through_with_its_reason_field_and_delay() {
    let failure = Failure::field("rows[3].output", "row 3 has no output").retry_after(Duration::from_secs(7));
    assert_eq!(from_remote(&status(failure.clone()), "tokenizer"), failure);
    let moved = Failure::new(ErrorReason::AliasMoved, "generation is 5, not 4");
    assert_eq!(from_remote(&status(moved.clone()), "checkpoint"), moved);
}

#[test]
fn a_message_of_any_length_still_fits_in_the_metadata_with_its_details() {
    // Three bytes each, which percent-encoding makes nine of.
    let status = status(Failure::field("长".repeat(10_000), "长\u{1b}[2J".repeat(100_000)));
    let mut headers = http::HeaderMap::new();
    status.add_header(&mut headers).unwrap();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    assert!(bytes < 16 << 10, "{bytes}");
    let violation = &status.get_details_bad_request().unwrap().field_violations[0];
    assert!(violation.field.ends_with('…') && violation.description == status.message());
    assert!(!status.message().contains('\u{1b}') && status.message().ends_with('…'));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "statuses as transports and foreign servers make them")]
fn a_dependency_that_is_gone_or_going_is_unavailable_to_the_client() {
    let going = from_remote(&status(Failure::new(ErrorReason::ShuttingDown, "bye")), "checkpoint");
    assert_eq!(going.reason, ErrorReason::DependencyUnavailable);
    let gone = from_remote(&Status::unavailable("tcp connect error 10.0.0.3:7400"), "checkpoint");
    assert_eq!(gone.reason, ErrorReason::DependencyUnavailable);
    assert!(gone.message.contains("checkpoint") && !gone.message.contains("10.0.0.3"), "{}", gone.message);
    let broken = from_remote(&Status::unknown("h2"), "checkpoint");
    assert_eq!(broken.reason, ErrorReason::Internal);
}
