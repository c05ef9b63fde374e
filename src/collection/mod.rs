//! Rounds, sites, sessions, and people swabbed into tubes.

mod moves;
mod state;

pub use moves::{TUBES_FIND, TUBES_MOVE, TubeRow, TubesMove, tubes_find, tubes_move};
pub use state::TubeState;
