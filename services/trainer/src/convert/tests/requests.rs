//! Requests beside their specification: ids, pages, tenants, and what workers report.

use super::*;

#[test]
fn requests_are_checked_as_well() {
    let create = proto::CreateTrainingJobRequest { spec: Some(supervised()), ..Default::default() };
    let field = |request| match Create::try_from(request) {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("not refused: {other:?}"),
    };
    assert!(Create::try_from(create.clone()).is_ok());
    let id = proto::CreateTrainingJobRequest { training_job_id: "No".into(), ..create.clone() };
    assert_eq!(field(id), "training_job_id");
    let request_id = proto::CreateTrainingJobRequest { request_id: "x".repeat(65), ..create };
    assert_eq!(field(request_id), "request_id");
    assert_eq!(field(proto::CreateTrainingJobRequest::default()), "spec");
    let page = |page_size| Page::try_from(proto::ListTrainingJobsRequest { page_size, ..Default::default() });
    assert_eq!(page(0).unwrap().size, 50);
    assert_eq!(page(5000).unwrap().size, 1000);
    assert!(page(-1).is_err() && after_event_id(-1).is_err() && job_id("jobs/x").is_err());
}

#[test]
fn a_verification_names_its_job_and_a_tenant_is_an_id() {
    let verify = |name: &str, max_steps| {
        let request = proto::VerifyTrainingJobRequest { name: name.into(), max_steps, ..Default::default() };
        Verify::try_from(request).map_err(|error| error.to_string())
    };
    assert_eq!(verify("trainingJobs/a", 0).unwrap().id.as_str(), "a");
    assert!(verify("a", 0).unwrap_err().contains("trainingJobs/{id}"));
    assert!(verify("trainingJobs/a", -1).unwrap_err().contains("must not be negative"));
    let mut metadata = MetadataMap::new();
    assert_eq!(tenant(&metadata).unwrap(), "");
    metadata.insert(TENANT, "team-a".parse().unwrap());
    assert_eq!(tenant(&metadata).unwrap(), "team-a");
    metadata.insert(TENANT, "Team A".parse().unwrap());
    assert!(tenant(&metadata).is_err());
}

#[test]
fn a_report_is_refused_whole() {
    let refuse = |request| match Report::try_from(request) {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("not refused: {other:?}"),
    };
    let event = |event| proto::TrainingEvent { event: Some(event), ..Default::default() };
    let report = proto::ReportEventsRequest { first_sequence: 1, ..Default::default() };
    let change = proto::training_event::Event::StateChange(proto::TrainingStateChange::default());
    let saved = proto::training_event::Event::StateSaved(proto::TrainingStateSaved::default());
    assert_eq!(refuse(proto::ReportEventsRequest::default()), "first_sequence");
    for bad in [change, saved] {
        let events = vec![event(bad)];
        assert_eq!(refuse(proto::ReportEventsRequest { events, ..report.clone() }), "events[0].event");
    }
    let outcome = Some(proto::JobOutcome::default());
    assert_eq!(refuse(proto::ReportEventsRequest { outcome, ..report.clone() }), "outcome");
    let outcome = Some(proto::JobOutcome { result_digest: "x".into(), error: String::new() });
    assert_eq!(refuse(proto::ReportEventsRequest { outcome, ..report }), "outcome.result_digest");
}

#[test]
fn times_before_1970_are_times_too() {
    assert_eq!(timestamp(1_500_000), Timestamp { seconds: 1, nanos: 500_000_000 });
    assert_eq!(timestamp(-500_000), Timestamp { seconds: -1, nanos: 500_000_000 });
}
