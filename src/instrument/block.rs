//! The block a run stood in: how its places are counted.

use crate::plate::{PlateSize, WellPosition};

/// Rows and columns of places, counted row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    rows: u8,
    columns: u8,
}

impl Block {
    /// A block of that many rows and columns, if its wells lie on a plate: 48, 96 or 384 wells do,
    /// the places of a rotor do not.
    pub fn new(rows: i64, columns: i64) -> Option<Self> {
        let (rows, columns) = (u8::try_from(rows).ok()?, u8::try_from(columns).ok()?);
        let fits = (1..=16).contains(&rows) && (2..=24).contains(&columns);
        fits.then_some(Self { rows, columns })
    }

    /// The block of a plate.
    pub const fn of(size: PlateSize) -> Self {
        Self { rows: size.rows(), columns: size.columns() }
    }

    /// The block of the smallest plate that has the place `index`, counted from 0: what is left to
    /// assume when a file says nothing.
    pub fn that_has(index: u16) -> Self {
        if index < PlateSize::P96.wells() {
            Self::of(PlateSize::P96)
        } else {
            Self::of(PlateSize::P384)
        }
    }

    /// The well at a zero-based place.
    pub fn well(self, index: u16) -> Option<WellPosition> {
        let columns = u16::from(self.columns);
        let row = u8::try_from(index / columns).ok().filter(|row| *row < self.rows)?;
        WellPosition::new(row, u8::try_from(index % columns).ok()?)
    }

    /// The plate of exactly these rows and columns.
    pub fn size(self) -> Option<PlateSize> {
        [PlateSize::P96, PlateSize::P384].into_iter().find(|size| Self::of(*size) == self)
    }

    /// Whether the well lies in the block.
    pub const fn contains(self, well: WellPosition) -> bool {
        well.row() < self.rows && well.column() < self.columns
    }

    /// Number of wells.
    pub const fn wells(self) -> u16 {
        self.rows as u16 * self.columns as u16
    }
}

/// The smaller plate that has all the wells, for files that state none.
pub(super) fn needed_size(wells: impl IntoIterator<Item = WellPosition>) -> PlateSize {
    let small = wells.into_iter().all(|well| PlateSize::P96.contains(well));
    if small { PlateSize::P96 } else { PlateSize::P384 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_row_by_row_in_the_blocks_own_columns() {
        let named = |rows, columns, index| {
            Block::new(rows, columns).unwrap().well(index).map(|well| well.to_string())
        };
        assert_eq!(named(8, 12, 12).as_deref(), Some("B1"));
        assert_eq!(named(16, 24, 12).as_deref(), Some("A13"));
        assert_eq!(named(6, 8, 8).as_deref(), Some("B1"));
        assert_eq!(named(8, 12, 95).as_deref(), Some("H12"));
        assert_eq!(named(8, 12, 96), None);
        assert_eq!(named(6, 8, 48), None);
    }

    #[test]
    fn rotors_and_chips_are_no_blocks_of_a_plate() {
        for (rows, columns) in [(72, 1), (-1, 1), (32, 48), (72, 72), (0, 12), (300, 12)] {
            assert_eq!(Block::new(rows, columns), None, "{rows} x {columns}");
        }
        assert_eq!(Block::new(16, 24).unwrap().size(), Some(PlateSize::P384));
        assert_eq!(Block::new(6, 8).unwrap().size(), None);
    }

    #[test]
    fn what_is_not_stated_is_the_smallest_plate() {
        assert_eq!(Block::that_has(95).size(), Some(PlateSize::P96));
        assert_eq!(Block::that_has(96).size(), Some(PlateSize::P384));
    }
}
