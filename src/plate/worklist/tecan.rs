//! Tecan `.gwl`, as Freedom `EVOware` and `FluentControl` take it.

use std::fmt::Write as _;

use super::{Work, down_the_columns};

/// The records: take up, give off, change the tip; positions count from 1 down the columns.
///
/// The label of a labware is its code; liquid class, tip and mask are left to the script. No
/// field holds a semicolon: codes have none (see [`RackCode`](crate::plate::rack::RackCode)).
pub fn worklist_tecan(work: Work<'_>) -> String {
    let Work { plate, shape, volume, steps } = work;
    let mut list = format!("C;plate {plate}\r\n");
    for step in steps {
        let source = &step.source;
        let from = down_the_columns(source.position, source.shape);
        let to = down_the_columns(step.well, shape);
        let written = write!(
            list,
            "A;{};;;{from};{};{volume};;;\r\nD;{plate};;;{to};;{volume};;;\r\nW;\r\n",
            field(&source.labware),
            field(&source.name),
        );
        written.expect("writing to memory does not fail");
    }
    list
}

/// A field without what would end it, whatever a code may come to hold.
fn field(text: &str) -> String {
    text.chars().map(|c| if c == ';' || c.is_control() { '_' } else { c }).collect()
}
