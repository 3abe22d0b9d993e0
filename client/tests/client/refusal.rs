//! What the client reads in a refusal that came over the wire.

use std::time::Duration;

use eservices_client::{
    Code, Error, FieldViolation, PreconditionViolation, Status,
    contract::{
        appointments::v1::{Moment, SearchSlotsRequest, Slot, SlotAlternatives},
        errors::v1::Reason,
    },
    new_request_id,
};

use crate::fake::{AWAY, FIELDS, FOREIGN, Fake, NEWER, NO_ROOM, Step::Refuse};

async fn refused(code: u16, details: &'static str) -> Error {
    let client = Fake::new([Refuse(code, details)]).client();
    client.appointments().search_slots(SearchSlotsRequest::default()).await.unwrap_err().into()
}

#[tokio::test(start_paused = true)]
async fn a_full_slot_names_its_reason_its_remedy_and_its_alternatives() {
    let error = refused(9, NO_ROOM).await;
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert_eq!((error.reason(), error.reason_name()), (Some(Reason::Frdv02), Some("FRDV02")));
    assert_eq!(error.message(), "as scripted");
    assert_eq!(error.remedy(), Some("Hold one of the alternatives, or search again."));
    assert_eq!(error.request_id(), Some("req-8"));
    assert_eq!(error.metadata("slot_id"), Some("ZMLV-20261204-0800"));
    assert_eq!(error.all_metadata().unwrap().len(), 3);
    assert_eq!(
        error.precondition_violations(),
        [PreconditionViolation {
            kind: "FRDV02".to_owned(),
            subject: "ZMLV-20261204-0800".to_owned(),
            description: "no place left".to_owned(),
        }]
    );
    let slot = Slot {
        slot_id: "ZMLV-20261204-1300".to_owned(),
        day: "2026-12-04".to_owned(),
        local_start: "13:00".to_owned(),
        local_end: "17:00".to_owned(),
        moment: Moment::Afternoon.into(),
        ..Slot::default()
    };
    let alternatives = SlotAlternatives { slots: vec![slot], next_day_with_room: String::new() };
    assert_eq!(error.alternatives(), Some(alternatives));
    assert_eq!((error.field_violations(), error.retry_after()), (vec![], None));
    assert_eq!(
        error.to_string(),
        "FAILED_PRECONDITION/FRDV02: as scripted (Hold one of the alternatives, or search again.) [request req-8]"
    );
    assert_eq!(Status::from(error).code(), Code::FailedPrecondition);
}

#[tokio::test(start_paused = true)]
async fn invalid_fields_are_listed_with_their_paths() {
    let error = refused(3, FIELDS).await;
    assert_eq!(error.reason(), Some(Reason::FieldsInvalid));
    assert_eq!(error.metadata("violation_count"), Some("2"));
    let violation = |field: &str, description: &str| FieldViolation {
        field: field.to_owned(),
        description: description.to_owned(),
        code: String::new(),
    };
    assert_eq!(
        error.field_violations(),
        [violation("request_id", "not a UUID"), violation("intervention.place", "missing")]
    );
    assert_eq!((error.precondition_violations(), error.alternatives()), (vec![], None));
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_read_and_other_details_by_their_names() {
    let client = Fake::new([Refuse(14, AWAY)]);
    let client = client.builder().timeout(Duration::from_secs(1)).connect_lazy().unwrap();
    let status = client.appointments().search_slots(SearchSlotsRequest::default()).await.unwrap_err();
    let error = Error::from(status);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
    let info: tonic_types::pb::ErrorInfo = error.detail("google.rpc.ErrorInfo").unwrap();
    assert_eq!(info.reason, "TEMPORARILY_UNAVAILABLE");
    assert_eq!(error.detail::<tonic_types::pb::Help>("google.rpc.Help"), None);
}

#[tokio::test(start_paused = true)]
async fn a_reason_newer_than_the_client_keeps_its_name_and_remedy() {
    let error = refused(9, NEWER).await;
    assert_eq!((error.reason(), error.reason_name(), error.remedy()), (None, Some("FRDV99"), Some("Wait.")));
    assert_eq!(error.to_string(), "FAILED_PRECONDITION/FRDV99: as scripted (Wait.)");
}

#[tokio::test(start_paused = true)]
async fn another_domains_reason_is_not_taken_for_ours() {
    let error = refused(7, FOREIGN).await;
    assert_eq!((error.reason(), error.reason_name(), error.remedy()), (None, None, None));
    assert_eq!(error.to_string(), "PERMISSION_DENIED: as scripted");
}

#[tokio::test(start_paused = true)]
async fn a_bare_status_has_a_code_and_nothing_more() {
    let error = refused(13, "").await;
    assert_eq!((error.code(), error.reason(), error.message()), (Code::Internal, None, ""));
    // Details that do not decode are as good as none.
    let error = Error::from(Status::with_details(Code::Internal, "boom", vec![0xff].into()));
    assert_eq!((error.reason_name(), error.field_violations().len()), (None, 0));
    assert_eq!(error.to_string(), "INTERNAL: boom");
}

#[test]
fn request_ids_are_uuids_of_version_7_and_differ() {
    let (one, other) = (new_request_id(), new_request_id());
    let parsed = uuid::Uuid::parse_str(&one).unwrap();
    assert_eq!((parsed.get_version_num(), one.len()), (7, 36));
    assert_ne!(one, other);
}
