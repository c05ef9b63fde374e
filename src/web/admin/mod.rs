//! Administration: accounts and keys, places and rounds, kits and templates, what is in force, and
//! the trail of one thing. Plain forms and tables, which need no script.

pub mod accounts;
pub mod kit;
pub mod kits;
pub mod places;
pub mod system;
pub mod trail;

use crate::clock::Time;
use crate::error::{Error, Reason, Result};

/// What a field for a day and a time holds, by a clock in China.
fn moment(typed: &str, code: &'static str, field: &'static str) -> Result<Time> {
    let fault = || Error::invalid(code, field, "choose a day and a time");
    format!("{typed}:00+08:00").parse().map_err(|_no_time| fault())
}

/// What is wrong with what was typed; any other error is passed on.
fn told(error: Error) -> Result<Vec<Reason>> {
    match error {
        Error::Invalid(reasons) | Error::Conflict(reasons) => Ok(reasons),
        other => Err(other),
    }
}
