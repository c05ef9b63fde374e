//! May this be asked? Every reason why not.

use super::Question;
use super::question::{BOUNDS, SchemeName};
use crate::error::Reason;

/// Every reason why a question has no answer.
pub(super) fn refusals(question: &Question) -> Vec<Reason> {
    let mut reasons = share_refusals(question);
    reasons.extend(size_refusals(question));
    reasons.extend(dilution_refusals(question));
    reasons.extend(second_refusals(question));
    reasons.extend(crowd_refusals(question));
    reasons
}

fn share_refusals(question: &Question) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if !(0.0..=1.0).contains(&question.prevalence) {
        let message = "a prevalence is a share between 0 and 1; write 0.001 for one in a thousand";
        reasons.push(Reason::new("plan.share", "prevalence", message));
    }
    let accuracies = [
        ("sensitivity", Some(question.sensitivity)),
        ("specificity", Some(question.specificity)),
        ("pool_sensitivity", question.pool_sensitivity),
        ("pool_specificity", question.pool_specificity),
    ];
    for (name, value) in accuracies {
        if value.is_some_and(|value| !(value > 0.0 && value <= 1.0)) {
            let message = format!("the {name} is a share above 0 and up to 1; write 0.95 for 95 %");
            reasons.push(Reason::new("plan.share", name, message));
        }
    }
    reasons
}

fn size_refusals(question: &Question) -> Vec<Reason> {
    let (size_max, _) = BOUNDS;
    let mut reasons = Vec::new();
    for (name, value) in [("size", question.size), ("part", question.part)] {
        if value.is_some_and(|value| value == 0 || value > size_max) {
            let message = format!("the {name} of a pool lies between 1 and {size_max}");
            reasons.push(Reason::new("plan.size", name, message));
        }
    }
    if question.max_size == Some(0) {
        reasons.push(Reason::new("plan.size", "max_size", "a well holds at least one person"));
    }
    match (question.size, question.part) {
        (None, Some(_)) => {
            reasons.push(Reason::new("plan.size", "part", "state the size of the pool as well"));
        }
        (Some(size), Some(part)) if part == 0 || !size.is_multiple_of(part) => {
            let message = format!("parts of {part} do not divide a pool of {size}");
            reasons.push(Reason::new("plan.size", "part", message));
        }
        _ => {}
    }
    if let (Some(SchemeName::ThreeStage), Some(size), None) =
        (question.scheme, question.size, question.part)
        && !(2..=size / 2).any(|part| size.is_multiple_of(part))
    {
        let message = format!("a pool of {size} has no equal parts; choose another size");
        reasons.push(Reason::new("plan.size", "size", message));
    }
    let (size, most) = (question.size.unwrap_or(1), question.max_size.unwrap_or(u32::MAX));
    if size > most {
        let message = format!("a pool of {size} is more than the {most} that are allowed");
        reasons.push(Reason::new("plan.size", "size", message));
    }
    reasons
}

fn dilution_refusals(question: &Question) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if question.dilution.is_some_and(|efficiency| !(efficiency > 0.0 && efficiency <= 1.0)) {
        let message = "the efficiency of a cycle lies above 0 and up to 1; 1 doubles each time";
        reasons.push(Reason::new("plan.dilution", "dilution", message));
    }
    let cycles =
        [("ct_mean", question.ct_mean), ("ct_sd", question.ct_sd), ("cut_off", question.cut_off)];
    for (name, value) in cycles {
        if !(value > 0.0 && value <= 100.0) {
            let message = format!("`{name}` is a number of cycles above 0 and up to 100");
            reasons.push(Reason::new("plan.dilution", name, message));
        }
    }
    let dilution = question.dilution_given();
    if reasons.is_empty() && dilution.is_some_and(|dilution| !dilution.finds_anything()) {
        let message = "with this `ct_mean` and `ct_sd` hardly anybody lies below the cut-off; \
                       state the Ct of people a single test finds";
        reasons.push(Reason::new("plan.dilution", "ct_mean", message));
    }
    reasons
}

fn second_refusals(question: &Question) -> Vec<Reason> {
    let Some(joint) = question.joint() else { return Vec::new() };
    let mut reasons = Vec::new();
    // Four shares given as three: what is left may miss nothing by a rounding.
    let parts = [joint.neither, joint.first, joint.second, joint.both];
    if !parts.iter().all(|part| (-1e-12..=1.0).contains(part)) {
        let message = "people with both infections are among those with each; the shares of the \
                       two do not fit together";
        reasons.push(Reason::new("plan.second", "second_prevalence", message));
    }
    let offered = [None, Some(SchemeName::Single), Some(SchemeName::TwoStage)];
    if !offered.contains(&question.scheme) {
        let message = "two infections are planned for single and two-stage testing only";
        reasons.push(Reason::new("plan.second", "scheme", message));
    }
    let pooled = [question.pool_sensitivity, question.pool_specificity, question.dilution];
    if pooled.iter().any(Option::is_some) {
        let message = "for two infections a pool's test is as good as a person's; leave out \
                       `dilution` and what is said of pools";
        reasons.push(Reason::new("plan.second", "second_prevalence", message));
    }
    reasons
}

fn crowd_refusals(question: &Question) -> Vec<Reason> {
    let (_, people_max) = BOUNDS;
    let mut reasons = Vec::new();
    if question.people.is_some_and(|people| people > people_max) {
        let message = format!("at most {people_max} people can be planned for");
        reasons.push(Reason::new("plan.crowd", "people", message));
    }
    let counts = [
        ("wells_per_plate", question.wells_per_plate, 384),
        ("plates_at_once", question.plates_at_once, 1_000_000),
        ("minutes_per_run", question.minutes_per_run, 1_440),
    ];
    for (name, value, most) in counts {
        if value == 0 || value > most {
            let message = format!("`{name}` lies between 1 and {most}");
            reasons.push(Reason::new("plan.crowd", name, message));
        }
    }
    reasons
}
