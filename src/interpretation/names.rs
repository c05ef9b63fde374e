//! Tubes and pools a file names: each must be the one the layout has in that well (R14). A pool's
//! well may be named by the pool or by any of its tubes.
//!
//! Most operators type what they like, and free text says nothing. A checked code of ours, or the
//! code of any tube we know of, is no accident: in another well it means that the plate, the file
//! or the template was mistaken for another, also where every well fits.

use std::collections::{BTreeMap, BTreeSet};

use super::{MatchRefusal, TubeFacts};
use crate::barcode::{Patterns, PoolCode, TubeCode};
use crate::instrument::Reading;
use crate::plate::{Layout, WellPosition};

/// Longest name that is looked up as a tube's code, in characters.
const CODE_MAX: usize = 64;

/// The names in a file that could be codes of tubes, written as codes are.
pub fn names(readings: &[Reading]) -> BTreeSet<String> {
    let could_be = |name: &String| {
        (1..=CODE_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    let samples: BTreeSet<&str> = readings.iter().map(|reading| &*reading.sample).collect();
    samples.into_iter().map(plain).filter(could_be).collect()
}

/// Every tube and every pool the file names in a well where the layout has another or none.
///
/// `known` has every tube of the layout and every stored tube the file names.
pub(super) fn misnamed(
    layout: &Layout,
    known: &BTreeMap<String, TubeFacts>,
    readings: &[Reading],
) -> BTreeSet<MatchRefusal> {
    let here = layout.tubes();
    let mut refusals = BTreeSet::new();
    // A well has a reading for each target, and nearly always one name.
    let samples: BTreeSet<(WellPosition, &str)> =
        readings.iter().map(|reading| (reading.well, &*reading.sample)).collect();
    for (well, sample) in samples {
        refusals.extend(pool_misnamed(layout, (well, sample)));
        let Some(tube) = named(known, sample) else { continue };
        if layout.content(well).tubes().contains(&tube) {
            continue;
        }
        refusals.insert(if here.contains_key(tube.as_str()) {
            MatchRefusal::TubeElsewhere { well, tube }
        } else {
            MatchRefusal::TubeOffPlate { well, tube }
        });
    }
    refusals
}

/// A pool's code in a well where the layout has another, or none.
fn pool_misnamed(layout: &Layout, (well, sample): (WellPosition, &str)) -> Option<MatchRefusal> {
    let pool = PoolCode::parse(sample).ok()?.to_string();
    if layout.content(well).pool() == Some(pool.as_str()) {
        return None;
    }
    Some(if layout.pools().contains_key(pool.as_str()) {
        MatchRefusal::PoolElsewhere { well, pool }
    } else {
        MatchRefusal::PoolOffPlate { well, pool }
    })
}

/// The tube a name means; none for free text.
fn named(known: &BTreeMap<String, TubeFacts>, name: &str) -> Option<String> {
    let name = plain(name);
    if known.contains_key(&name) {
        return Some(name);
    }
    TubeCode::parse(&name, &Patterns::default()).ok().map(|code| code.to_string())
}

/// A name without blanks around it, in capitals, as codes are stored.
fn plain(name: &str) -> String {
    name.trim().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpretation::interpret;
    use crate::interpretation::workbench::{first_tests, orf, plate, run, well};

    /// The refusals when the file has this name in this well; `MAKER7` is a tube elsewhere.
    fn refusals(at: &str, name: &str) -> Vec<MatchRefusal> {
        let (kit, layout) = (orf(), plate(&orf(), "one-well-94-columns", 10, 10));
        let mut readings = run(&kit, &layout, None, &|_| None);
        for reading in readings.iter_mut().filter(|reading| reading.well == well(at)) {
            reading.sample = name.to_owned();
        }
        let mut known = first_tests(&layout);
        known.insert("MAKER7".to_owned(), TubeFacts::first_test(1));
        interpret(&kit, &layout, &readings, &known).err().unwrap_or_default()
    }

    #[test]
    fn a_tube_named_in_another_well_is_a_mismatch() {
        let elsewhere =
            |at| [MatchRefusal::TubeElsewhere { well: well(at), tube: "T1".to_owned() }];
        assert_eq!(refusals("C1", "T1"), elsewhere("C1"));
        assert_eq!(refusals("C11", "T1"), elsewhere("C11"));
    }

    #[test]
    fn a_tube_of_another_plate_is_a_mismatch_in_a_tubes_and_in_a_controls_well() {
        let ours = TubeCode::numbered(7).unwrap().to_string();
        for (at, name) in [("A1", ours.as_str()), ("C11", &ours), ("A1", "MAKER7")] {
            let off = MatchRefusal::TubeOffPlate { well: well(at), tube: name.to_owned() };
            assert_eq!(refusals(at, &format!(" {} ", name.to_lowercase())), [off]);
        }
    }

    #[test]
    fn the_right_tube_and_free_text_are_no_mismatch() {
        let mistyped = TubeCode::numbered(7).unwrap().to_string().replace("07", "08");
        for name in [" t1 ", "", "128 Copies/uL", "NTC", "采样 1", &mistyped] {
            assert_eq!(refusals("A1", name), [], "{name}");
        }
    }

    #[test]
    fn only_what_could_be_a_code_is_looked_up() {
        let (kit, layout) = (orf(), plate(&orf(), "one-well-94-columns", 3, 1));
        let mut readings = run(&kit, &layout, None, &|_| None);
        let long = "T".repeat(CODE_MAX + 1);
        for (reading, name) in readings.iter_mut().zip([" maker7", "a\0b", &long, ""]) {
            reading.sample = name.to_owned();
        }
        assert_eq!(names(&readings).into_iter().collect::<Vec<_>>(), ["MAKER7"]);
    }
}
