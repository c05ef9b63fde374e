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

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Content, Expectation, Layout, Plan, PlateSize, TargetRole, WellPosition};

/// A handling fault that moves every well at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Turned by 180 degrees.
    Rotated,
    /// Left and right exchanged.
    MirroredLeftRight,
    /// Top and bottom exchanged.
    MirroredTopBottom,
    /// Every well is read one row further down.
    ShiftedDown,
    /// Every well is read one row further up.
    ShiftedUp,
    /// Every well is read one column further right.
    ShiftedRight,
    /// Every well is read one column further left.
    ShiftedLeft,
}

impl Transform {
    /// Every fault that layouts are judged by (R12).
    pub const ALL: [Self; 7] = [
        Self::Rotated,
        Self::MirroredLeftRight,
        Self::MirroredTopBottom,
        Self::ShiftedDown,
        Self::ShiftedUp,
        Self::ShiftedRight,
        Self::ShiftedLeft,
    ];

    /// Where that is read which was put into `well`; none when it leaves the plate.
    pub fn read_at(self, well: WellPosition, size: PlateSize) -> Option<WellPosition> {
        let (row, column) = (well.row(), well.column());
        let (last_row, last_column) = (size.rows() - 1, size.columns() - 1);
        let (row, column) = match self {
            Self::Rotated => (last_row.checked_sub(row)?, last_column.checked_sub(column)?),
            Self::MirroredLeftRight => (row, last_column.checked_sub(column)?),
            Self::MirroredTopBottom => (last_row.checked_sub(row)?, column),
            Self::ShiftedDown => (row + 1, column),
            Self::ShiftedUp => (row.checked_sub(1)?, column),
            Self::ShiftedRight => (row, column + 1),
            Self::ShiftedLeft => (row, column.checked_sub(1)?),
        };
        WellPosition::new(row, column).filter(|moved| size.contains(*moved))
    }

    /// Into which well that was put which is read at `well`; none when nothing was.
    pub fn put_at(self, well: WellPosition, size: PlateSize) -> Option<WellPosition> {
        let undone = match self {
            Self::ShiftedDown => Self::ShiftedUp,
            Self::ShiftedUp => Self::ShiftedDown,
            Self::ShiftedRight => Self::ShiftedLeft,
            Self::ShiftedLeft => Self::ShiftedRight,
            own_inverse => own_inverse,
        };
        undone.read_at(well, size)
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rotated => "turned by 180 degrees",
            Self::MirroredLeftRight => "mirrored left to right",
            Self::MirroredTopBottom => "mirrored top to bottom",
            Self::ShiftedDown => "shifted one row down",
            Self::ShiftedUp => "shifted one row up",
            Self::ShiftedRight => "shifted one column right",
            Self::ShiftedLeft => "shifted one column left",
        })
    }
}

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
    let dyes = plan.dyes();
    let satisfied = |expected: &Content, found: &Content| {
        dyes.iter().all(|dye| match (signal(expected, dye, plan), signal(found, dye, plan)) {
            (Signal::Surely, shown) => !matches!(shown, Signal::Seldom | Signal::Never),
            (Signal::Never, shown) => shown != Signal::Surely,
            (Signal::Usually | Signal::Seldom | Signal::Unknown, _) => true,
        })
    };
    Transform::ALL
        .into_iter()
        .filter(|transform| {
            let mut controls = layout
                .wells()
                .iter()
                .filter(|(_, content)| matches!(content, Content::Control { .. }));
            controls
                .all(|(well, expected)| satisfied(expected, moved(layout, Some(*transform), *well)))
        })
        .collect()
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
pub fn suspected_transform(layout: &Layout, plan: &Plan, observed: &Observed) -> Option<Transform> {
    let as_laid_out = misfit(layout, plan, observed, None).contradictions;
    Transform::ALL
        .into_iter()
        .map(|transform| (transform, misfit(layout, plan, observed, Some(transform))))
        .filter(|(_, fit)| fit.in_controls == 0 && fit.contradictions < as_laid_out)
        .min_by_key(|(_, fit)| fit.contradictions)
        .map(|(transform, _)| transform)
}

/// How badly a run fits a layout under one fault.
struct Misfit {
    /// Channels that showed what they should not, or not what they should.
    contradictions: usize,
    /// Those of them that lie where a control is expected.
    in_controls: usize,
}

fn misfit(
    layout: &Layout,
    plan: &Plan,
    observed: &Observed,
    transform: Option<Transform>,
) -> Misfit {
    let mut fit = Misfit { contradictions: 0, in_controls: 0 };
    let size = layout.size();
    for well in observed.read.iter().copied().filter(|well| size.contains(*well)) {
        let content = moved(layout, transform, well);
        for dye in plan.dyes() {
            let seen = observed.amplified.contains(&(well, dye.to_owned()));
            let contradicts = match signal(content, dye, plan) {
                Signal::Surely | Signal::Usually => !seen,
                Signal::Never => seen,
                Signal::Seldom | Signal::Unknown => false,
            };
            let in_control = contradicts && matches!(content, Content::Control { .. });
            fit.contradictions += usize::from(contradicts);
            fit.in_controls += usize::from(in_control);
        }
    }
    fit
}

/// What is read at `well` if the plate suffered `transform`.
fn moved(layout: &Layout, transform: Option<Transform>, well: WellPosition) -> &Content {
    let source = match transform {
        Some(transform) => transform.put_at(well, layout.size()),
        None => Some(well),
    };
    source.map_or(&Content::Nothing, |source| layout.content(source))
}

#[cfg(test)]
#[path = "geometry_tests.rs"]
mod tests;
