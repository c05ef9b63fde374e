//! May this plate be used? The controls decide, and every reason is given.
//!
//! A fault in any control voids the whole run (CDC-006-00019). What "silent" means: a pathogen
//! target of a silent control shows no Ct at all, however late. A Ct outside every cut-off is
//! passed over where the instrument says that nothing amplified; one within a cut-off is a signal
//! whatever it says. An internal control only counts within its cut-off where the leaflet does not
//! say (practice of the Broad Institute, `formats.md` 14). Where it states other limits for a control
//! than for a tube, as "none at all", the kit has them as `control_limits`.

use serde::{Deserialize, Serialize};

use super::Outcome;
use super::calls::{Call, TargetCall, TargetState};
use super::gather::{Gathered, TargetReading};
use super::kit::{ControlLimit, Kit, KitReaction};
use super::neighbours::{self, Surroundings};
use super::targets;
use crate::error::Reason;
use crate::plate::{
    Content, Control, Expectation, Layout, Observed, TargetRole, WellPosition, suspected_transform,
};

/// Fewest tubes without any signal that void a plate, whatever their share.
const INVALID_TUBES_MIN: usize = 3;

/// May the plate be used, every reason why not, and what keeps it from release by rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether there is no reason against it.
    pub usable: bool,
    /// Every reason why the plate may not be used.
    pub reasons: Vec<VerdictReason>,
    /// What a person must look at before anything is released.
    pub flags: Vec<VerdictReason>,
}

impl Verdict {
    /// Every reason and flag as it is said of this plate.
    pub fn as_reasons(&self, plate: &str) -> Vec<Reason> {
        let said = |reason: &VerdictReason| {
            let code = serde_json::to_value(reason.code).unwrap_or_default();
            let code = format!("run.{}", code.as_str().unwrap_or("controls"));
            let about = reason.well.map_or_else(|| plate.to_owned(), |well| well.to_string());
            Reason { code: code.into(), about, message: reason.message.clone() }
        };
        self.reasons.iter().chain(&self.flags).map(said).collect()
    }
}

/// One reason or flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictReason {
    /// Stable code.
    pub code: VerdictCode,
    /// The well it was seen in, if it was one.
    pub well: Option<WellPosition>,
    /// What else it is about, in codes and figures that every language reads: `N1 Ct 39.02`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub figures: String,
    /// What, which, and what to do next.
    pub message: String,
}

/// What can be wrong with a plate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictCode {
    /// A control the kit requires is not on the plate.
    ControlMissing,
    /// A control the kit has no rule for is on the plate.
    ControlUnknown,
    /// A positive control did not amplify.
    PositiveControlSilent,
    /// A positive control showed what it must not.
    PositiveControlAmplified,
    /// A negative control showed a signal.
    NegativeControlAmplified,
    /// The extraction control shows the pathogen: everything extracted with it is void.
    ExtractionControlContaminated,
    /// The extraction control lacks its internal control: extraction failed.
    ExtractionControlSilent,
    /// A fault in handling the plate explains the run better (R12).
    SuspectedTransform,
    /// Too many tubes show no signal at all.
    InternalControlsMissing,
    /// Flag: a weak positive beside a strong one (R19).
    WeakBesideStrong,
    /// Flag: two positives side by side on a plate with hardly any other (R19).
    AdjacentPositives,
    /// Flag: a control breaks Westgard's rules on its chart (R18).
    ControlRejected,
    /// Flag: the run is another analysis in the place of one that was brought in before.
    Replaces,
}

/// Judges a plate by its controls, its orientation and its tubes.
pub fn verdict(
    kit: &Kit,
    (layout, around): (&Layout, &Surroundings<'_>),
    gathered: &[Gathered<'_>],
    calls: &[Call],
) -> Verdict {
    let mut reasons = missing_controls(kit, gathered);
    for well in gathered {
        if let Content::Control { control, .. } = well.content {
            reasons.extend(control_faults(kit, *control, well));
        }
    }
    reasons.extend(transform_reason(kit, layout, gathered));
    reasons.extend(invalid_tubes(kit, calls));
    Verdict { usable: reasons.is_empty(), reasons, flags: neighbours::flags(around, calls) }
}

fn missing_controls(kit: &Kit, gathered: &[Gathered<'_>]) -> Vec<VerdictReason> {
    let mut reasons = Vec::new();
    for rule in kit.controls.iter().filter(|rule| rule.required) {
        for reaction in kit.reactions.iter().flat_map(KitReaction::wells) {
            let is_there = gathered.iter().any(|well| {
                matches!(well.content, Content::Control { control, reaction: code }
                    if *control == rule.control && *code == reaction)
            });
            if !is_there {
                let control = rule.control;
                reasons.push(VerdictReason {
                    code: VerdictCode::ControlMissing,
                    well: None,
                    figures: format!("{} {reaction}", control.sign()),
                    message: format!(
                        "the plate has no {control} control for reaction {reaction}; run it again"
                    ),
                });
            }
        }
    }
    reasons
}

fn control_faults(kit: &Kit, control: Control, well: &Gathered<'_>) -> Vec<VerdictReason> {
    let Some(rule) = kit.control_rule(control) else {
        return vec![VerdictReason {
            code: VerdictCode::ControlUnknown,
            well: Some(well.well),
            figures: control.sign().to_owned(),
            message: format!("the kit has no rule for the {control} control in {}", well.well),
        }];
    };
    let targets = targets::target_calls(kit, &well.targets);
    targets
        .iter()
        .zip(&well.targets)
        .filter_map(|(target, read)| {
            let limit = kit.control_limit(control, &target.target);
            let within = |limit: &ControlLimit| target.ct.is_some_and(|ct| limit.admits(ct));
            let amplified = limit.map_or(target.state == TargetState::Amplified, |limit| {
                within(limit) && !targets::is_doubted(kit, &read.reading)
            });
            // A Ct outside every cut-off is background where the instrument says so.
            let is_background =
                target.state == TargetState::NotAmplified && targets::says_no_amp(&read.reading);
            let signal = match limit {
                Some(limit) => within(limit) && !is_background,
                None => shows_signal(target, read),
            };
            let silent = match rule.expects(target.role) {
                Expectation::Amplify if !amplified => true,
                Expectation::Silent if signal => false,
                Expectation::Amplify | Expectation::Silent | Expectation::Any => return None,
            };
            Some(fault(control, target, silent))
        })
        .collect()
}

/// Whether a target that must be silent is not.
fn shows_signal(target: &TargetCall, read: &TargetReading<'_>) -> bool {
    match target.role {
        TargetRole::InternalControl => target.state == TargetState::Amplified,
        TargetRole::Pathogen => {
            let any_ct = target.ct.is_some() && !targets::says_no_amp(&read.reading);
            any_ct || target.state != TargetState::NotAmplified
        }
    }
}

fn fault(control: Control, target: &TargetCall, silent: bool) -> VerdictReason {
    let code = match (control, silent) {
        (Control::Positive | Control::WeakPositive, true) => VerdictCode::PositiveControlSilent,
        (Control::Positive | Control::WeakPositive, false) => VerdictCode::PositiveControlAmplified,
        (Control::Negative, _) => VerdictCode::NegativeControlAmplified,
        (Control::Extraction, true) => VerdictCode::ExtractionControlSilent,
        (Control::Extraction, false) => VerdictCode::ExtractionControlContaminated,
    };
    let (well, name, raw) = (target.well, &target.target, target.raw_ct.trim());
    let what = if silent { "did not amplify" } else { "shows a signal" };
    let next = match code {
        VerdictCode::ExtractionControlContaminated => {
            "everything extracted with it is void; extract again"
        }
        _ => "the whole run is void; run it again",
    };
    let message = format!("{control} control in {well}: {name} {what} (Ct `{raw}`); {next}");
    VerdictReason { code, well: Some(well), figures: format!("{name} Ct {raw}"), message }
}

fn transform_reason(
    kit: &Kit,
    layout: &Layout,
    gathered: &[Gathered<'_>],
) -> Option<VerdictReason> {
    let mut observed = Observed::default();
    for well in gathered {
        observed.read.insert(well.well);
        for TargetReading { target, reading } in &well.targets {
            let known = kit.targets().find(|(_, known)| known.code == *target);
            let Some((_, known)) = known else { continue };
            let state = targets::state(known, kit.calls.doubtful_curve, reading);
            if state == TargetState::Amplified {
                observed.amplified.insert((well.well, known.channel().to_owned()));
            }
        }
    }
    let transform = suspected_transform(layout, &kit.plan(), &observed)?;
    Some(VerdictReason {
        code: VerdictCode::SuspectedTransform,
        well: None,
        figures: transform.sign().to_owned(),
        message: format!("the plate was probably {transform}; look at it and run it again"),
    })
}

/// Many tubes without any signal: the run failed, not the tubes.
fn invalid_tubes(kit: &Kit, calls: &[Call]) -> Option<VerdictReason> {
    let invalid = calls.iter().filter(|call| call.outcome == Outcome::Invalid).count();
    let limit = usize::from(kit.calls.internal_control_missing_percent);
    if invalid < INVALID_TUBES_MIN || invalid * 100 < calls.len() * limit {
        return None;
    }
    Some(VerdictReason {
        code: VerdictCode::InternalControlsMissing,
        well: None,
        figures: format!("{invalid}/{}", calls.len()),
        message: format!(
            "{invalid} of {} tubes show no internal control; check reagents and run it again",
            calls.len()
        ),
    })
}

#[cfg(test)]
#[path = "controls_tests.rs"]
mod tests;
