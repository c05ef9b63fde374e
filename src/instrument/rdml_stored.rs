//! What RDML says of a run that was stored, beside its readings.

use std::collections::BTreeMap;

use super::own_end;
use crate::clock::Time;
use crate::plate::WellPosition;

/// What a stored run is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// Code of its plate.
    pub plate: String,
    /// When it ended, as its file wrote it; empty when it did not.
    pub ended: String,
    /// When its file came in.
    pub imported: Time,
    /// What stands in each well by the layout: a code, or the role of a control.
    pub wells: BTreeMap<WellPosition, String>,
}

impl Stored {
    /// What was put into the well, in words.
    pub(super) fn well(&self, well: WellPosition) -> String {
        self.wells.get(&well).cloned().unwrap_or_else(|| format!("empty well {well}"))
    }

    /// The end of the run as the schema writes a time, without a zone: files state it in a zone
    /// that nobody trusts (`formats.md` 0).
    pub(super) fn date(&self) -> Option<String> {
        let ended = own_end(&self.ended)?.to_string();
        ended.get(..19).map(str::to_owned)
    }

    /// What a person reads of the run.
    pub(super) fn description(&self) -> String {
        let imported = format!("Plate {}, file taken in {}", self.plate, self.imported);
        let ended = self.ended.trim();
        if ended.is_empty() {
            imported
        } else {
            format!("{imported}, which says that the run ended {ended}")
        }
    }
}
