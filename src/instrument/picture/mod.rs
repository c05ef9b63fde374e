//! Pictures of a run, as SVG: its curves over the cycles, and its plate as a heat map of Ct.
//!
//! They are drawn from facts alone, whoever gathered them, and hold no name an operator typed for
//! a well. Nothing in them is loaded from elsewhere or runs: no font, no script, no style sheet.

mod axes;
pub(crate) mod colours;
mod curves;
mod plate;
pub(crate) mod sheet;

pub use curves::{CurvePicture, DrawnTarget, Line};
pub use plate::{DrawnWell, Mark, PlatePicture, Shown};

/// A picture could not be drawn; the text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("a picture cannot be drawn: {0}")]
pub struct NotDrawn(String);
