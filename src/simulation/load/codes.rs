//! Codes allotted to a place, by their place in a row and back.

use super::connection::Connection;
use super::staff::Employee;
use crate::barcode::Kind;
use crate::barcode::PlaceCode;
use crate::barcode::allot::COUNT_MAX;
use crate::barcode::api::{AllotmentAnswer, AllotmentRequest};
use crate::simulation::Failure;

/// Codes of one kind in the order in which they are used.
#[derive(Debug, Default)]
pub(super) struct CodeBook {
    ranges: Vec<Range>,
    count: u32,
}

/// Consecutive numbers.
#[derive(Debug, Clone, Copy)]
struct Range {
    /// Place of its first code in the row.
    from: u32,
    /// Number of its first code.
    number: u64,
    count: u32,
}

impl CodeBook {
    /// Has that many codes more allotted to a place, and puts them at the end of the row.
    pub(super) async fn order(
        &mut self,
        (keeper, connection): (&Employee, &mut Connection),
        (kind, place): (Kind, &PlaceCode),
        count: u32,
    ) -> Result<(), Failure> {
        let mut left = count;
        while left > 0 {
            let count = left.min(COUNT_MAX);
            let wanted = AllotmentRequest { kind, count, place: place.clone() };
            let range: AllotmentAnswer = connection.post("/v1/allotments", keeper, &wanted).await?;
            self.add(range.first, range.count);
            left -= count;
        }
        Ok(())
    }

    /// Puts that many codes at the end of the row, the first of them with this number.
    pub(super) fn add(&mut self, number: u64, count: u32) {
        self.ranges.push(Range { from: self.count, number, count });
        self.count += count;
    }

    /// The number of the code at that place of the row.
    pub(super) fn number(&self, place: u32) -> u64 {
        let range = self.ranges.partition_point(|range| range.from <= place);
        let range = self.ranges[range.saturating_sub(1)];
        range.number + u64::from(place - range.from)
    }

    /// At which place of the row that code stands, if it is one of these.
    pub(super) fn place(&self, code: &str) -> Option<u32> {
        // A letter, ten figures and a check character.
        let number: u64 = code.get(1..11)?.parse().ok()?;
        let within = |range: &&Range| {
            (range.number..range.number + u64::from(range.count)).contains(&number)
        };
        let range = self.ranges.iter().find(within)?;
        u32::try_from(number - range.number).ok().map(|place| range.from + place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barcode::TubeCode;

    #[test]
    fn a_code_is_found_by_its_place_and_a_place_by_its_code() {
        let mut book = CodeBook::default();
        book.add(1_000, 10);
        book.add(50, 5);
        for (place, number) in [(0, 1_000), (9, 1_009), (10, 50), (14, 54)] {
            assert_eq!(book.number(place), number);
            let code = TubeCode::numbered(number).unwrap();
            assert_eq!(book.place(code.as_str()), Some(place));
        }
        for foreign in ["", "T", "T0000000049X", "T0000001010X", "Tabcdefghij7"] {
            assert_eq!(book.place(foreign), None, "{foreign}");
        }
    }
}
