//! Turned, mirrored and shifted plates, and what the controls can say about them (R12).
//!
//! What a well is expected to show, dye by dye:
//!
//! - A control shows what the kit's rule for it says: a positive control amplifies, a negative
//!   one stays silent, an extraction control amplifies its internal control only.
//! - A tube is unknown, and so is a pool, which is meant wherever a tube is. In a screening round
//!   nearly all are negative, so for a *layout* a tube counts as silent in the pathogen's dyes; its internal control may or may not amplify.
//! - An empty well shows nothing, and so does a well whose content was moved off the plate.
//!
//! A fault goes **unnoticed** when every control well could still show what is expected of it,
//! given what the fault puts there. The must-amplify control decides: wherever it is read from a
//! tube, a negative control or an empty well, it fails. A silent control alone decides little,
//! because a negative tube in its place is silent too. So `A1` positive with `H12` negative is
//! accepted (turned, the positive control's well shows the negative control), while two positive
//! controls at `A1` and `H12` are refused: turning the plate swaps them and nobody sees it.
//!
//! Internal controls are never counted in favour of a layout, since a single tube may lack
//! its own. After the *run* they do count: nearly every tube shows its internal control, so
//! a negative control's well that shows one, and a tube's well that does not, are the traces of
//! the second kind. They find the case in which a positive tube comes to lie in the place of the
//! positive control (at 5 % prevalence, one plate in twenty). On a part-filled plate that needs a
//! negative control among the first tubes, which the embedded templates have: were it to
//! change places with an empty well, it would see nothing amiss.
//!
//! A plate of 384 that is stamped from four of 96 can suffer faults of its own: two of the four are
//! exchanged, or one is turned ([`Transform::STAMPING`]).

use std::collections::{BTreeMap, BTreeSet};

use super::{Content, Expectation, Layout, Plan, PlateSize, TargetRole, Transform, WellPosition};

/// What a content shows in one dye.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// A control that must amplify.
    Surely,
    /// The internal control of a tube.
    Usually,
    /// The pathogen in a tube: seldom, and never to be relied upon.
    Seldom,
    /// The kit does not look.
    Unknown,
    /// A control that must be silent, or nothing.
    Never,
}

impl Signal {
    /// Whether a channel that is expected to show this showed the contrary.
    const fn contradicts(self, amplified: bool) -> bool {
        match self {
            Self::Surely | Self::Usually => !amplified,
            Self::Never => amplified,
            Self::Seldom | Self::Unknown => false,
        }
    }
}

fn signal(content: &Content, dye: &str, plan: &Plan) -> Signal {
    let channel = content
        .reaction()
        .and_then(|code| plan.reaction(code))
        .and_then(|reaction| reaction.channels.iter().find(|channel| channel.dye == dye));
    match (content, channel.map(|channel| channel.role)) {
        (_, None) | (Content::Nothing, _) => Signal::Never,
        (Content::Tube { .. } | Content::Pool { .. }, Some(TargetRole::Pathogen)) => Signal::Seldom,
        (Content::Tube { .. } | Content::Pool { .. }, Some(TargetRole::InternalControl)) => {
            Signal::Usually
        }
        (Content::Control { control, .. }, Some(role)) => {
            match plan.control_rule(*control).map(|rule| rule.expects(role)) {
                Some(Expectation::Amplify) => Signal::Surely,
                Some(Expectation::Silent) => Signal::Never,
                Some(Expectation::Any) | None => Signal::Unknown,
            }
        }
    }
}

/// The faults that would leave every control as expected; a layout with one is refused.
pub fn unnoticed(layout: &Layout, plan: &Plan) -> Vec<Transform> {
    unnoticed_among(&Transform::ALL, layout, plan)
}

/// The faults of stamping that would leave every control as expected; a plate that is stamped is
/// refused with one. Quadrants without content cannot be at fault.
pub fn unnoticed_in_stamping(layout: &Layout, plan: &Plan) -> Vec<Transform> {
    let mut unnoticed = unnoticed_among(&Transform::STAMPING, layout, plan);
    unnoticed.retain(|transform| {
        let moves = |well: &WellPosition| transform.read_at(*well, layout.size()) != Some(*well);
        layout.wells().keys().any(moves)
    });
    unnoticed
}

fn unnoticed_among(faults: &[Transform], layout: &Layout, plan: &Plan) -> Vec<Transform> {
    let dyes = plan.dyes();
    let satisfied = |expected: &Content, found: &Content| {
        dyes.iter().all(|dye| match (signal(expected, dye, plan), signal(found, dye, plan)) {
            (Signal::Surely, shown) => !matches!(shown, Signal::Seldom | Signal::Never),
            (Signal::Never, shown) => shown != Signal::Surely,
            (Signal::Usually | Signal::Seldom | Signal::Unknown, _) => true,
        })
    };
    let is_control = |content: &Content| matches!(content, Content::Control { .. });
    let hides = |transform: Transform| {
        let mut controls = layout.wells().iter().filter(|(_, content)| is_control(content));
        controls.all(|(well, expected)| satisfied(expected, moved(layout, Some(transform), *well)))
    };
    faults.iter().copied().filter(|transform| hides(*transform)).collect()
}

/// What a run showed: the wells that were read, and each well and dye that amplified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Wells with a reading; an instrument may leave out those it was told are empty.
    pub read: BTreeSet<WellPosition>,
    /// Well and dye, the dye in the kit's spelling.
    pub amplified: BTreeSet<(WellPosition, String)>,
}

/// The fault that explains a run better than the layout as it stands, if there is one.
///
/// Every well that was read is compared with what it should show, controls, internal controls
/// and empty wells alike. A fault is suspected when it leaves fewer contradictions than the plate as laid
/// out, and none in the controls that it keeps on the plate. So a plate that fits as it stands is
/// never suspected, and a contaminated control beside a positive tube is not mistaken for a turn.
/// Faults of stamping are suspected where the controls could tell: on a plate of 384 laid out
/// directly they cannot, for most of its quadrants hold none.
pub fn suspected_transform(layout: &Layout, plan: &Plan, observed: &Observed) -> Option<Transform> {
    let shown = Shown::of(layout, plan, observed);
    let as_laid_out = shown.contradictions(None, usize::MAX)?;
    if as_laid_out == 0 {
        return None;
    }
    let mut faults = Transform::ALL.to_vec();
    if layout.size() == PlateSize::P384 {
        let hidden = unnoticed_among(&Transform::STAMPING, layout, plan);
        faults.extend(Transform::STAMPING.iter().filter(|fault| !hidden.contains(fault)));
    }
    faults
        .into_iter()
        .filter_map(|fault| {
            let left = shown.contradictions(Some(fault), as_laid_out)?;
            Some((fault, left))
        })
        .min_by_key(|(_, left)| *left)
        .map(|(fault, _)| fault)
}

/// What a run showed beside what its layout expects, to be compared under many faults; dyes are in
/// the order of the plan's.
struct Shown<'a> {
    layout: &'a Layout,
    expected: BTreeMap<WellPosition, Vec<Signal>>,
    amplified: Vec<(WellPosition, Vec<bool>)>,
    nothing: Vec<Signal>,
}

impl<'a> Shown<'a> {
    fn of(layout: &'a Layout, plan: &Plan, observed: &Observed) -> Self {
        let dyes = plan.dyes();
        let expects = |content| dyes.iter().map(|dye| signal(content, dye, plan)).collect();
        let expected = layout.wells().iter().map(|(well, content)| (*well, expects(content)));
        let amplified: BTreeSet<(WellPosition, &str)> =
            observed.amplified.iter().map(|(well, dye)| (*well, dye.as_str())).collect();
        let read = observed.read.iter().filter(|well| layout.size().contains(**well));
        let seen = |well| dyes.iter().map(|dye| amplified.contains(&(well, *dye))).collect();
        Self {
            layout,
            expected: expected.collect(),
            amplified: read.map(|well| (*well, seen(*well))).collect(),
            nothing: expects(&Content::Nothing),
        }
    }

    /// Channels that showed what they should not, or not what they should, if that is fewer than
    /// `fewer`; under a fault none of them may lie where a control is expected.
    fn contradictions(&self, fault: Option<Transform>, fewer: usize) -> Option<usize> {
        let mut contradictions = 0;
        for (well, amplified) in &self.amplified {
            let source = source(self.layout, fault, *well);
            let expected = source.and_then(|source| self.expected.get(&source));
            let here = expected.unwrap_or(&self.nothing).iter().zip(amplified);
            let here = here.filter(|(expected, seen)| expected.contradicts(**seen)).count();
            contradictions += here;
            let in_control = || {
                let content = source.map(|source| self.layout.content(source));
                matches!(content, Some(Content::Control { .. }))
            };
            if contradictions >= fewer || (here > 0 && fault.is_some() && in_control()) {
                return None;
            }
        }
        Some(contradictions)
    }
}

/// What is read at `well` if the plate suffered `transform`.
fn moved(layout: &Layout, transform: Option<Transform>, well: WellPosition) -> &Content {
    let source = source(layout, transform, well);
    source.map_or(&Content::Nothing, |source| layout.content(source))
}

/// Where what is read at `well` was laid out, if the plate suffered `fault`.
fn source(layout: &Layout, fault: Option<Transform>, well: WellPosition) -> Option<WellPosition> {
    fault.map_or(Some(well), |fault| fault.put_at(well, layout.size()))
}

#[cfg(test)]
#[path = "geometry_tests.rs"]
mod tests;
