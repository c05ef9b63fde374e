//! The amplification curve of one well and target, where the file has it.

use serde::{Deserialize, Serialize};

use crate::plate::WellPosition;

/// Fluorescence over the cycles, as the instrument exported it.
///
/// Kept for people who would rather look than read, and because a copied or drawn curve is how an
/// invented result shows (`domain.md` E). Calls are never made from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Which well.
    pub well: WellPosition,
    /// Target name as in the readings; empty when the dye is the only key.
    pub target: String,
    /// Reporter dye; empty when the file names none.
    pub dye: String,
    /// One for each cycle, in the order of the cycles.
    pub points: Vec<Point>,
}

/// One cycle of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The cycle, from 1.
    pub cycle: u16,
    /// Fluorescence in the instrument's own unit, baseline taken off where the file gives that.
    pub signal: f64,
}
