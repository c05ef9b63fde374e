//! Swabline, the laboratory information system for city-scale nucleic-acid testing.

pub mod clock;

pub mod barcode;
pub mod instrument;
pub mod interpretation;
pub mod plate;
pub mod simulation;
