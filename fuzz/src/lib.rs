//! What every fuzz target does with its input, and the inputs it starts from.
//!
//! The program's own tests take these modules too, so that what fits it no longer is seen there.

pub mod inputs;
pub mod seeds;
pub mod targets;

use std::{panic, process};

/// Lets a panic inside the reader of workbooks pass, which is caught and becomes a refusal; any
/// other panic ends the process before it unwinds, caught or not.
pub fn allow_refused_workbooks() {
    panic::set_hook(Box::new(|panicked| {
        if !panicked.location().is_some_and(|at| at.file().contains("/calamine-")) {
            eprintln!("{panicked}");
            process::abort();
        }
    }));
}
