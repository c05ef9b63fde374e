//! A log that comes when people were told results of its plate already: whose they are.
//!
//! A run is not released over an open difference, but a log may come in after the release, or after
//! the first review that released the clean negatives. Then nothing can be held any more; somebody
//! has to withdraw what was told, or to explain the log.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query_as};
use utoipa::ToSchema;

use super::Difference;
use super::store::{self, StoredLog};
use crate::error::Result;
use crate::plate::Layout;
use crate::plate::store::StoredPlate;
use crate::storage::{Tx, codes};

/// `$1` plates: the newest result of each tube that was told from a run of them, unless that was
/// withdrawn. No result of a void run stands.
pub const TOLD: &str = "select v.tube_code, v.id from run r join result v on v.run_id = r.id
    where r.plate_code in (select e.value ->> 'code' from jsonb_each($1) e) and r.state <> 'void'
        and v.outcome <> 'withdrawn' and not exists (select 1 from result n
            where n.tube_code = v.tube_code and n.version > v.version)
    order by v.tube_code";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("TOLD", TOLD)];

/// Tubes named in a sentence at most; the list beside it has all.
const NAMED_MAX: usize = 12;

/// A result that somebody goes by, and that an open difference makes doubtful.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, Deserialize, ToSchema)]
pub struct Told {
    /// The tube.
    #[sqlx(rename = "tube_code")]
    pub tube: String,
    /// Its result, to be amended to `withdrawn`.
    #[sqlx(rename = "id")]
    pub result: String,
}

/// What a log says too late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Late {
    /// What is the matter and what to do.
    pub message: String,
    /// The results, by tube.
    pub results: Vec<Told>,
}

/// Whose results differences make doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Doubtful {
    /// Those of these tubes.
    Tubes(BTreeSet<String>),
    /// Those of the whole plate.
    Plate,
}

impl Doubtful {
    fn has(&self, tube: &str) -> bool {
        match self {
            Self::Tubes(tubes) => tubes.contains(tube),
            Self::Plate => true,
        }
    }
}

/// Whose results these differences make doubtful: those of the tubes in their wells. One in the
/// well of a control, in a well the plan leaves empty or in none at all says that the plate is not
/// what it was taken for, so all of it is doubtful.
fn doubtful(layout: &Layout, open: &[&Difference]) -> Doubtful {
    let mut all = BTreeSet::new();
    for difference in open {
        let tubes = difference.well().map_or(&[][..], |well| layout.content(well).tubes());
        if tubes.is_empty() {
            return Doubtful::Plate;
        }
        all.extend(tubes.iter().cloned());
    }
    Doubtful::Tubes(all)
}

/// What the logs of a plate say too late, if they do: an open difference about a result that was
/// told and not withdrawn.
pub async fn late(tx: &mut Tx, plate: &StoredPlate, logs: &[StoredLog]) -> Result<Option<Late>> {
    let open = store::open(logs);
    if open.is_empty() {
        return Ok(None);
    }
    let doubtful = doubtful(&plate.made.layout, &open);
    let plates = codes([&plate.code].into_iter().chain(&plate.stamped_onto));
    let told: Vec<Told> = on!(tx, c => query_as(TOLD).bind(&plates).fetch_all(c).await)?;
    let results: Vec<_> = told.into_iter().filter(|told| doubtful.has(&told.tube)).collect();
    let message = message(&results);
    Ok((!results.is_empty()).then_some(Late { message, results }))
}

fn message(results: &[Told]) -> String {
    let named: Vec<&str> = results.iter().take(NAMED_MAX).map(|told| told.tube.as_str()).collect();
    let more = match results.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "the robot did something else than planned, and results were told already: of tubes \
         {}{more}; withdraw them (amend to `withdrawn`), or have a second person accept the newest \
         log with an explanation",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plate::{Content, Control, PlateSize, WellPosition};

    fn well(name: &str) -> WellPosition {
        name.parse().unwrap()
    }

    /// A tube in A1, a pool of two in B1, a control in C1.
    fn layout() -> Layout {
        let reaction = "mix".to_owned();
        let tubes = ["T2", "T3"].map(str::to_owned).to_vec();
        let wells = BTreeMap::from([
            (
                well("A1"),
                Content::Tube { tube: "T1".to_owned(), depth: 1, reaction: reaction.clone() },
            ),
            (
                well("B1"),
                Content::Pool { pool: "P1".to_owned(), tubes, reaction: reaction.clone() },
            ),
            (well("C1"), Content::Control { control: Control::Negative, reaction }),
        ]);
        Layout::explicit(PlateSize::P96, wells.into_iter().collect()).unwrap()
    }

    fn twice(at: &str) -> Difference {
        Difference::FilledTwice { well: well(at), times: 2 }
    }

    fn of(open: &[Difference]) -> Doubtful {
        doubtful(&layout(), &open.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_tubes_in_the_wells_that_differ_are_doubtful_alone_or_in_a_pool() {
        let tubes =
            |names: &[&str]| Doubtful::Tubes(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(of(&[twice("A1")]), tubes(&["T1"]));
        assert_eq!(of(&[twice("B1"), twice("A1")]), tubes(&["T1", "T2", "T3"]));
    }

    #[test]
    fn a_control_an_empty_well_and_none_at_all_make_the_whole_plate_doubtful() {
        for open in [
            twice("C1"),
            Difference::NotPlanned { well: well("D1") },
            Difference::OffPlate { log: 1, line: 1 },
            Difference::ErrorRecord { log: 1, line: 1 },
        ] {
            assert_eq!(of(&[twice("A1"), open.clone()]), Doubtful::Plate, "{open}");
        }
    }

    #[test]
    fn a_sentence_names_the_first_tubes_and_how_many_more() {
        let told = |n: usize| Told { tube: format!("T{n}"), result: format!("T{n}.1") };
        let two: Vec<_> = (0..2).map(told).collect();
        assert!(message(&two).contains("of tubes T0, T1; withdraw"), "{}", message(&two));
        let many: Vec<_> = (0..20).map(told).collect();
        assert!(message(&many).contains("T11 and 8 more; withdraw"), "{}", message(&many));
    }
}
