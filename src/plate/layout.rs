//! Which tube and which control lies in which well.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::rules::{self, LayoutRefusal};
use super::{Content, PlateSize, Template, WellPosition, pool_rules};
use crate::plate::Plan;

/// What waits for its wells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// A tube, alone in each of its wells.
    Tube(PlacedTube),
    /// A laboratory pool.
    Pool(PlacedPool),
}

impl Placed {
    /// Its code.
    pub fn code(&self) -> &str {
        match self {
            Self::Tube(tube) => &tube.code,
            Self::Pool(pool) => &pool.code,
        }
    }

    fn listed_twice(&self) -> LayoutRefusal {
        match self {
            Self::Tube(tube) => LayoutRefusal::TubeListedTwice { tube: tube.code.clone() },
            Self::Pool(pool) => LayoutRefusal::PoolListedTwice { pool: pool.code.clone() },
        }
    }

    /// What a well of that reaction holds of it.
    fn content(&self, reaction: &str) -> Content {
        let reaction = reaction.to_owned();
        match self {
            Self::Tube(tube) => {
                Content::Tube { tube: tube.code.clone(), depth: tube.depth, reaction }
            }
            Self::Pool(PlacedPool { code, tubes }) => {
                Content::Pool { pool: code.clone(), tubes: tubes.clone(), reaction }
            }
        }
    }
}

impl From<PlacedTube> for Placed {
    fn from(tube: PlacedTube) -> Self {
        Self::Tube(tube)
    }
}

/// A laboratory pool that waits for its wells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedPool {
    /// Code of the pool.
    pub code: String,
    /// Codes of its tubes.
    pub tubes: Vec<String>,
}

/// A tube that waits for its wells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedTube {
    /// Code of the tube.
    pub code: String,
    /// People in it.
    pub depth: u16,
}

/// The content of every well; wells not named hold nothing.
///
/// Each tube has one depth and sits at most once in a reaction: both are checked whenever a
/// layout is made, also when it is read back from JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LayoutParts")]
pub struct Layout {
    size: PlateSize,
    wells: BTreeMap<WellPosition, Content>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stamped: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayoutParts {
    size: PlateSize,
    wells: BTreeMap<WellPosition, Content>,
    #[serde(default)]
    stamped: bool,
}

impl TryFrom<LayoutParts> for Layout {
    type Error = String;

    fn try_from(parts: LayoutParts) -> Result<Self, String> {
        let layout = Self::explicit(parts.size, parts.wells.into_iter().collect());
        let layout = layout.map_err(|reasons| {
            reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })?;
        Ok(if parts.stamped { layout.of_sources() } else { layout })
    }
}

impl Layout {
    /// A layout stated well by well.
    ///
    /// Judges only what holds for every kit: wells exist and are named once, tubes have a code,
    /// one depth, and one well a reaction. [`rules::refusals`] adds what the kit asks for.
    pub fn explicit(
        size: PlateSize,
        wells: Vec<(WellPosition, Content)>,
    ) -> Result<Self, Vec<LayoutRefusal>> {
        let mut reasons = Vec::new();
        let mut kept = BTreeMap::new();
        let mut named = BTreeSet::new();
        for (well, content) in wells {
            if !size.contains(well) {
                reasons.push(LayoutRefusal::OffPlate { well });
            }
            if !named.insert(well) {
                reasons.push(LayoutRefusal::WellTwice { well });
            } else if content != Content::Nothing {
                kept.insert(well, content);
            }
        }
        reasons.extend(rules::tube_refusals(&kept));
        reasons.extend(pool_rules::pool_refusals(&kept));
        if reasons.is_empty() {
            Ok(Self { size, wells: kept, stamped: false })
        } else {
            Err(reasons)
        }
    }

    /// The same on a plate of 384 that was stamped from plates of 96.
    #[must_use]
    pub fn of_sources(self) -> Self {
        let stamped = self.size == PlateSize::P384;
        Self { stamped, ..self }
    }

    /// Whether it was stamped from plates of 96, on which its tubes were pipetted.
    pub const fn is_stamped(&self) -> bool {
        self.stamped
    }

    /// The plate's size.
    pub const fn size(&self) -> PlateSize {
        self.size
    }

    /// Every well that holds something, row by row.
    pub const fn wells(&self) -> &BTreeMap<WellPosition, Content> {
        &self.wells
    }

    /// What a well holds.
    pub fn content(&self, well: WellPosition) -> &Content {
        self.wells.get(&well).unwrap_or(&Content::Nothing)
    }

    /// Every tube on the plate with the people in it, alone or in a pool, which holds single tubes
    /// only.
    pub fn tubes(&self) -> BTreeMap<&str, u16> {
        let people = |content: &Content| if content.pool().is_some() { 1 } else { content.depth() };
        self.wells
            .values()
            .flat_map(|content| {
                content.tubes().iter().map(move |tube| (tube.as_str(), people(content)))
            })
            .collect()
    }

    /// Every pool on the plate with its tubes.
    pub fn pools(&self) -> BTreeMap<&str, &[String]> {
        let pools = self.wells.values();
        pools.filter_map(|content| content.pool().map(|pool| (pool, content.tubes()))).collect()
    }

    /// The wells of one tube, alone or in a pool, row by row.
    pub fn wells_of(&self, tube: &str) -> Vec<WellPosition> {
        self.wells
            .iter()
            .filter(|(_, content)| content.tubes().iter().any(|one| one == tube))
            .map(|(well, _)| *well)
            .collect()
    }
}

/// Puts tubes and pools into a template's slots in its fill order, controls into theirs.
///
/// Returns every reason why the plate may not be made, of the tubes, the template and the kit.
pub fn lay_out<P: Clone + Into<Placed>>(
    template: &Template,
    plan: &Plan,
    waiting: &[P],
) -> Result<Layout, Vec<LayoutRefusal>> {
    let waiting: Vec<Placed> = waiting.iter().cloned().map(Into::into).collect();
    let mut reasons = Vec::new();
    let (wells, reactions) = (template.wells_per_slot(), plan.reactions.len());
    if wells != reactions {
        reasons.push(LayoutRefusal::SlotWidth { wells, reactions });
        return Err(reasons);
    }
    let mut seen = BTreeSet::new();
    let (different, again): (Vec<_>, Vec<_>) =
        waiting.iter().partition(|one| seen.insert(one.code()));
    reasons.extend(again.into_iter().map(Placed::listed_twice));
    let places = template.tube_slots().len();
    if let Some(left_over) = different.get(places..).filter(|left_over| !left_over.is_empty()) {
        reasons.push(LayoutRefusal::TooManyTubes { tubes: different.len(), places });
        for one in left_over {
            reasons.extend(match one {
                Placed::Tube(tube) => rules::depth_refusals([(&*tube.code, tube.depth)], plan),
                Placed::Pool(pool) => {
                    pool_rules::depth_refusals([(&*pool.code, &*pool.tubes)], plan)
                }
            });
        }
    }
    match Layout::explicit(template.size(), filled(template, plan, &different)) {
        Ok(layout) => {
            reasons.extend(rules::refusals(&layout, plan));
            if reasons.is_empty() {
                return Ok(layout);
            }
        }
        Err(more) => reasons.extend(more),
    }
    Err(reasons)
}

/// The wells of the controls and of as many tubes and pools as there are slots.
fn filled(template: &Template, plan: &Plan, placed: &[&Placed]) -> Vec<(WellPosition, Content)> {
    let codes = plan.reactions.iter().map(|reaction| &reaction.code);
    let mut wells = Vec::new();
    for slot in template.control_slots() {
        for (well, reaction) in slot.wells.iter().zip(codes.clone()) {
            let content = Content::Control { control: slot.control, reaction: reaction.clone() };
            wells.push((*well, content));
        }
    }
    for (slot, one) in template.tube_slots().iter().zip(placed) {
        wells.extend(slot.iter().zip(codes.clone()).map(|(well, code)| (*well, one.content(code))));
    }
    wells
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
