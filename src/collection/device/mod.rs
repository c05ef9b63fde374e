//! What is known of the devices that send tubes: where and when each was heard last, and which of
//! its running numbers never came (R5). A number that is missing is a tube that was sealed and is
//! still on the device, was given up there, or is lost.

pub mod api;
pub mod store;

pub use store::STATEMENTS;

use std::collections::BTreeMap;

use serde::Serialize;

/// What one new tube, or several, say of the device that sent them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heard<'a> {
    /// The device.
    pub device: &'a str,
    /// Where it is.
    pub site: &'a str,
    /// The lowest of its running numbers.
    pub first: u32,
    /// The highest.
    pub last: u32,
    /// How many tubes.
    pub tubes: u64,
    /// When they came, in microseconds.
    pub at: i64,
}

/// One line for each device, in order, so that writers meet in one order.
pub fn together<'a>(lines: impl Iterator<Item = Heard<'a>>) -> Vec<Heard<'a>> {
    let mut devices: BTreeMap<&str, Heard<'a>> = BTreeMap::new();
    for line in lines {
        match devices.get_mut(line.device) {
            Some(known) => {
                known.first = known.first.min(line.first);
                known.last = known.last.max(line.last);
                known.at = known.at.max(line.at);
                known.tubes += line.tubes;
            }
            None => drop(devices.insert(line.device, line)),
        }
    }
    devices.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_says_one_thing_of_each_device() {
        let line = |device, number| Heard {
            device,
            site: "S01",
            first: number,
            last: number,
            tubes: 1,
            at: i64::from(number),
        };
        let lines = [line("D2", 7), line("D1", 4), line("D2", 5)];
        let both = Heard { first: 5, last: 7, tubes: 2, at: 7, ..line("D2", 7) };
        assert_eq!(together(lines.into_iter()), [line("D1", 4), both]);
        assert_eq!(together(std::iter::empty()), []);
    }
}
