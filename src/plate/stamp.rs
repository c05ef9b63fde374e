//! Four plates of 96 stamped onto one of 384.
//!
//! The well in row `r` and column `c` of a source (from zero) goes to row `2r + a` and column
//! `2c + b`, where `a` and `b` are those of the quadrant. Which quadrant is the second differs
//! between laboratories and cannot be seen in the result, so the order is recorded with every
//! stamp and never inferred; and so is the source of each quadrant.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use super::{
    Layout, LayoutRefusal, Plan, PlateSize, WellPosition, refusals, unnoticed_in_stamping,
};
use crate::barcode::PlateCode;
use crate::error::Reason;

/// In which order quadrants are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum StampOrder {
    /// Row by row: first wells A1, A2, B1, B2.
    Z,
    /// Column by column: first wells A1, B1, A2, B2.
    N,
}

impl StampOrder {
    /// Where on the plate of 384 the well of a source comes to lie, when the source goes into
    /// this quadrant (from zero); none for a well that no plate of 96 has.
    pub fn well(self, quadrant: usize, source: WellPosition) -> Option<WellPosition> {
        if !PlateSize::P96.contains(source) {
            return None;
        }
        let (major, minor) = (u8::from(quadrant / 2 == 1), u8::from(quadrant % 2 == 1));
        let (row, column) = match self {
            Self::Z => (major, minor),
            Self::N => (minor, major),
        };
        WellPosition::new(2 * source.row() + row, 2 * source.column() + column)
    }
}

/// The well of its source from which a well of a stamped plate of 384 was filled, and which of the
/// four quadrants that is: two wells are of one source when theirs is the same, whatever the order
/// in which the quadrants were counted.
pub fn source_well(stamped: WellPosition) -> Option<((u8, u8), WellPosition)> {
    let (row, column) = (stamped.row(), stamped.column());
    let source = WellPosition::new(row / 2, column / 2)?;
    Some(((row % 2, column % 2), source))
}

/// What a plate of 384 is stamped from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// In which order the quadrants are counted.
    pub order: StampOrder,
    /// The source of each quadrant; none where it stays empty.
    pub quadrants: [Option<PlateCode>; 4],
}

impl Stamp {
    /// Every source.
    pub fn sources(&self) -> impl Iterator<Item = &PlateCode> {
        self.quadrants.iter().flatten()
    }
}

/// A plate that is to be stamped onto another, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Source {
    /// Its code.
    pub code: PlateCode,
    /// Where it stands.
    pub laboratory_code: String,
    /// Code of its kit.
    pub kit_code: String,
    /// Version of its kit.
    pub kit_version: String,
    /// Its wells.
    pub size: i64,
    /// `draft`, `frozen` or `closed`.
    pub state: String,
    /// The run it had, if that is not void.
    pub run: Option<String>,
    /// The plate it was stamped onto.
    pub stamped_onto: Option<PlateCode>,
}

/// Why these plates may not be stamped onto one that stands in this laboratory and runs this kit.
pub fn against_sources(
    stamp: &Stamp,
    found: &[Source],
    laboratory: &str,
    (kit, version): (&str, &str),
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut refuse = |code, about: &PlateCode, message: String| {
        reasons.push(Reason::new(code, about.as_str(), message));
    };
    for (place, code) in stamp.sources().enumerate() {
        if stamp.sources().take(place).any(|earlier| earlier == code) {
            let message = format!("plate {code} is named for two quadrants; name it for one");
            refuse("plate.source_twice", code, message);
            continue;
        }
        let Some(source) = found.iter().find(|source| source.code == *code) else {
            refuse(
                "plate.source_unknown",
                code,
                format!("there is no plate {code}; scan it again"),
            );
            continue;
        };
        if source.laboratory_code != laboratory {
            refuse(
                "plate.source_elsewhere",
                code,
                format!("plate {code} is in another laboratory"),
            );
            continue;
        }
        if source.size != i64::from(PlateSize::P96.wells()) {
            let message = format!("plate {code} has {} wells; only 96 are stamped", source.size);
            refuse("plate.source_size", code, message);
        }
        if (source.kit_code.as_str(), source.kit_version.as_str()) != (kit, version) {
            let message = format!(
                "plate {code} is for kit {} {}, not {kit} {version}; stamp plates of one kit",
                source.kit_code, source.kit_version
            );
            refuse("plate.source_kit", code, message);
        }
        if let Some((code_of_reason, message)) = against_state(source) {
            refuse(code_of_reason, code, message);
        }
    }
    reasons
}

/// Why a plate in this state may not be stamped.
fn against_state(source: &Source) -> Option<(&'static str, String)> {
    let code = &source.code;
    if let Some(onto) = &source.stamped_onto {
        let message = format!("plate {code} was stamped onto plate {onto} already");
        return Some(("plate.source_stamped", message));
    }
    if let Some(run) = &source.run {
        let message =
            format!("plate {code} has run {run}; its tubes cannot be run on another plate");
        return Some(("plate.source_run", message));
    }
    match source.state.as_str() {
        "frozen" => None,
        "draft" => {
            let message = format!("plate {code} is not frozen; freeze its layout first");
            Some(("plate.source_draft", message))
        }
        _ => {
            let message = format!("plate {code} is closed; put its tubes on a new plate");
            Some(("plate.source_closed", message))
        }
    }
}

/// The layout of the plate of 384, and every reason why it may not be run with the kit.
///
/// Beside what every layout is judged by, the controls must show sources that were exchanged or
/// turned: four plates of one fixed template are refused.
pub fn stamped(
    order: StampOrder,
    sources: &[Option<&Layout>; 4],
    plan: &Plan,
) -> Result<Layout, Vec<LayoutRefusal>> {
    let quadrants = sources.iter().enumerate();
    let wells = quadrants.filter_map(|(quadrant, source)| Some((quadrant, (*source)?)));
    let wells = wells.flat_map(|(quadrant, source)| {
        let wells = source.wells().iter();
        wells.filter_map(move |(at, content)| Some((order.well(quadrant, *at)?, content.clone())))
    });
    let layout = Layout::explicit(PlateSize::P384, wells.collect())?.of_sources();
    let mut reasons = refusals(&layout, plan);
    let unnoticed = unnoticed_in_stamping(&layout, plan).into_iter();
    reasons.extend(unnoticed.map(|transform| LayoutRefusal::Unnoticed { transform }));
    if reasons.is_empty() { Ok(layout) } else { Err(reasons) }
}

#[cfg(test)]
#[path = "stamp_tests.rs"]
mod tests;
