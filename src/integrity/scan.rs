//! One walk over the runs of a period, for the checks that compare runs with each other.

use std::collections::BTreeSet;

use super::{Copies, HiddenPools, Instruments, KeptCurve, Sign, interpolated};
use crate::clock::Time;
use crate::interpretation::Call;

/// What is known of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEvidence {
    /// The run.
    pub run: String,
    /// Its plate.
    pub plate: String,
    /// Its laboratory.
    pub laboratory: String,
    /// Type of the instrument as its file has it, else the file's format.
    pub instrument: String,
    /// Serial number of the instrument, or what it was called by whoever brought the file.
    pub serial: String,
    /// Whether it is known that the file itself states it.
    pub is_serial_stated: bool,
    /// When it ended, as its file has it.
    pub ended: String,
    /// When its plate was frozen.
    pub frozen: Option<Time>,
    /// When its file came in.
    pub imported: Time,
    /// Whether it was voided: nobody was told anything of it.
    pub is_void: bool,
    /// Whether another analysis of the same amplification is in its place.
    pub is_replaced: bool,
    /// Its calls.
    pub calls: Vec<Call>,
    /// Tubes among them that answer a recall.
    pub recalled: BTreeSet<String>,
    /// Its curves.
    pub curves: Vec<KeptCurve>,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    copies: Copies,
    hidden_pools: HiddenPools,
    instruments: Instruments,
    signs: Vec<Sign>,
}

impl Scan {
    /// Looks at one run. One from before the period is only there to be compared with.
    pub fn add(&mut self, run: &RunEvidence, in_period: bool) {
        self.copies.add(run, in_period);
        if !run.is_void {
            self.hidden_pools.add(run, in_period);
        }
        if in_period {
            self.signs.extend(interpolated(run));
        }
        // What was analysed again ran once.
        if in_period && !run.is_replaced {
            self.signs.extend(self.instruments.add(run));
        }
    }

    /// Every sign.
    pub fn close(self) -> Vec<Sign> {
        let mut signs = self.signs;
        signs.extend(self.instruments.close());
        signs.extend(self.copies.close());
        signs.extend(self.hidden_pools.close());
        signs
    }
}
