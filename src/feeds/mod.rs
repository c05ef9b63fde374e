//! The ordered, replayable stream of changes.
//!
//! A change is written in the transaction that makes it and gets a number before that
//! transaction commits; a reader that remembers the highest number it saw would skip whatever
//! commits later under a lower one. So every row also carries the writing transaction
//! (`epoch`), readers stay below the oldest transaction still under way, and the order is
//! (epoch, number): what lies below that horizon never changes again (R46). SQLite has one
//! writer, whose numbers are in commit order already; its epoch is always 0.

pub mod api;
pub mod store;

use serde::{Deserialize, Serialize};

/// A place in the stream; the stream is read after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The writing transaction.
    #[serde(rename = "e")]
    pub epoch: i64,
    /// The change's number.
    #[serde(rename = "s")]
    pub seq: i64,
}
