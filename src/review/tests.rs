//! The transitions of a run, without a store.

use super::*;
use crate::auth::{Actor, Role};
use crate::clock::{Clock, Time};

/// Blanks one field of a report.
type DropField = fn(&mut rules::ReportFields);

fn clock() -> Clock {
    Clock::stepped(Time::from_us(1_000_000))
}

fn person(name: &str) -> Actor {
    Actor {
        account: name.to_owned(),
        name: name.to_owned(),
        role: Role::Reviewer,
        site: None,
        laboratory: Some("L01".to_owned()),
    }
}

fn content(usable: bool) -> RunContent {
    let call = |tube: &str, outcome, disposition, clean| StoredCall {
        tube: tube.to_owned(),
        pool: None,
        outcome,
        rule: "kit.rule".to_owned(),
        disposition,
        members: 10,
        attempt: 1,
        clean,
    };
    RunContent {
        run: "run".to_owned(),
        plate: "P1".to_owned(),
        laboratory: "L01".to_owned(),
        sha256: "ab".to_owned(),
        kit: "kit 1".to_owned(),
        usable,
        calls: vec![
            call("T1", Outcome::NotDetected, Step::Report, true),
            call("T2", Outcome::NotDetected, Step::Report, false),
            call("T3", Outcome::Detected, Step::Recall, false),
        ],
    }
}

fn sign(who: &str, meaning: Meaning, content: &RunContent) -> Signature {
    Signature::new(&clock(), &person(who), meaning, content_hash(content))
}

#[test]
fn two_different_people_clear_a_run() {
    let review = sign("first", Meaning::Review, &content(true));
    let reviewed = Draft(content(true)).accept(review).unwrap();
    let cleared = reviewed.clear(sign("second", Meaning::Release, &content(true))).unwrap();
    assert_eq!((&*cleared.review.account, &*cleared.release.account), ("first", "second"));
}

#[test]
fn the_same_person_clears_nothing() {
    let review = sign("first", Meaning::Review, &content(true));
    let reviewed = Draft(content(true)).accept(review).unwrap();
    let error = reviewed.clear(sign("first", Meaning::Release, &content(true))).unwrap_err();
    assert!(error.to_string().contains("another person"), "{error}");
}

#[test]
fn a_plate_with_a_verdict_against_it_is_not_accepted() {
    let review = sign("first", Meaning::Review, &content(false));
    let error = Draft(content(false)).accept(review).unwrap_err();
    assert!(error.to_string().contains("verdict"), "{error}");
}

#[test]
fn whatever_changes_after_the_review_breaks_its_signature() {
    let review = sign("first", Meaning::Review, &content(true));
    assert!(Reviewed::restore(content(true), review.clone()).is_ok());
    let changes: [fn(&mut RunContent); 8] = [
        |content| content.sha256.push('0'),
        |content| content.kit.push('0'),
        |content| content.usable = false,
        |content| content.calls[0].outcome = Outcome::Detected,
        |content| content.calls[1].clean = true,
        |content| content.calls[2].disposition = Step::Retest,
        |content| content.calls[2].members = 9,
        |content| content.calls.truncate(2),
    ];
    for change in changes {
        let mut altered = content(true);
        change(&mut altered);
        assert!(Reviewed::restore(altered, review.clone()).is_err());
    }
}

#[test]
fn the_rule_takes_clean_negatives_of_a_usable_plate_while_its_switch_is_on() {
    let taken = |usable, on| -> Vec<String> {
        let content = content(usable);
        rules::released_by_rule(&content, on)
    };
    assert_eq!(taken(true, true), ["T1"]);
    assert_eq!(taken(true, false), [""; 0]);
    assert_eq!(taken(false, true), [""; 0]);
}

#[test]
fn a_report_that_lacks_a_field_names_it() {
    let whole = rules::ReportFields {
        tube: "T1".to_owned(),
        people: 10,
        members: 10,
        sealed_us: 5,
        specimen: Some("oropharyngeal swab".to_owned()),
        laboratory_name: Some("Laboratory".to_owned()),
        laboratory_address: Some("Street 1".to_owned()),
        examination: Some("kit 1".to_owned()),
        received_us: Some(6),
    };
    assert_eq!(rules::missing_fields(&whole, "first", "second"), []);
    let drops: [(&str, DropField); 7] = [
        ("person", |fields| fields.people = 9),
        ("collected_at", |fields| fields.sealed_us = 0),
        ("received_at", |fields| fields.received_us = None),
        ("specimen", |fields| fields.specimen = Some(" ".to_owned())),
        ("laboratory.name", |fields| fields.laboratory_name = None),
        ("laboratory.address", |fields| fields.laboratory_address = Some(String::new())),
        ("examination", |fields| fields.examination = None),
    ];
    for (name, drop) in drops {
        let mut fields = whole.clone();
        drop(&mut fields);
        let reasons = rules::missing_fields(&fields, "first", "second");
        assert_eq!(reasons.len(), 1, "{name}");
        assert_eq!(reasons[0].about, format!("T1.{name}"));
    }
    assert_eq!(rules::missing_fields(&whole, "", "second").len(), 1);
    assert_eq!(rules::missing_fields(&whole, "first", " ").len(), 1);
}

#[test]
fn an_amendment_needs_a_difference_and_gives_no_pool_a_positive() {
    use amend::AmendedOutcome::{Detected, NotDetected, Withdrawn};
    let codes = |members, present, wanted| -> Vec<String> {
        rules::against_amendment(members, present, wanted)
            .into_iter()
            .map(|reason| reason.code.into_owned())
            .collect()
    };
    assert_eq!(codes(1, "not_detected", Detected), [""; 0]);
    assert_eq!(codes(10, "not_detected", Withdrawn), [""; 0]);
    assert_eq!(codes(10, "not_detected", Detected), ["amend.pool"]);
    assert_eq!(codes(1, "detected", Detected), ["amend.same"]);
    assert_eq!(codes(1, "withdrawn", NotDetected), ["amend.withdrawn"]);
}
