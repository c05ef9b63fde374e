//! The plate: tubes and controls in wells, frozen before the run.

mod well;

pub use well::{NotAWell, PlateSize, WellPosition};
