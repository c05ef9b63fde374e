//! Rounds, sites, sessions, and people swabbed into tubes.
//!
//! A device sends a sealed tube as a [`tube::TubeScan`]; [`tube::seal`] judges it and turns it
//! into a [`tube::SealedTube`], in which nobody can be read any more, and
//! [`tube::writer`] stores those of many requests together.

pub mod device;
mod moves;
pub mod person;
pub mod place;
mod state;
pub mod tube;

pub use moves::{STATEMENTS, TubeRow, TubesMove, tubes_find, tubes_move};
pub use state::TubeState;
