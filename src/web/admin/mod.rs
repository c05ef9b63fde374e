//! Administration: accounts and keys, places and rounds, kits and templates, what is in force, and
//! the trail of one thing. Plain forms and tables, which need no script.

pub mod accounts;
pub mod kits;
pub mod places;
pub mod system;
pub mod trail;

use crate::error::{Error, Reason, Result};

/// What is wrong with what was typed; any other error is passed on.
fn told(error: Error) -> Result<Vec<Reason>> {
    match error {
        Error::Invalid(reasons) | Error::Conflict(reasons) => Ok(reasons),
        other => Err(other),
    }
}
