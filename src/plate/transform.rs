//! Handling faults: where the content of each well is read when a plate was turned, mirrored,
//! shifted, or stamped wrongly.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{PlateSize, WellPosition};

/// A handling fault that moves many wells at once.
///
/// The quadrants of a stamped plate of 384 are called by their first wells, `A1`, `A2`, `B1` and `B2`;
/// which source goes into which is a matter of the order ([`super::StampOrder`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Turned by 180 degrees.
    Rotated,
    /// Left and right exchanged.
    MirroredLeftRight,
    /// Top and bottom exchanged.
    MirroredTopBottom,
    /// Every well is read one row further down.
    ShiftedDown,
    /// Every well is read one row further up.
    ShiftedUp,
    /// Every well is read one column further right.
    ShiftedRight,
    /// Every well is read one column further left.
    ShiftedLeft,
    /// Stamped with the plates of these quadrants exchanged.
    ExchangedA1A2,
    /// Stamped with the plates of these quadrants exchanged.
    ExchangedA1B1,
    /// Stamped with the plates of these quadrants exchanged.
    ExchangedA1B2,
    /// Stamped with the plates of these quadrants exchanged.
    ExchangedA2B1,
    /// Stamped with the plates of these quadrants exchanged.
    ExchangedA2B2,
    /// Stamped with the plates of these quadrants exchanged.
    ExchangedB1B2,
    /// Stamped with the plate of this quadrant turned by 180 degrees.
    TurnedA1,
    /// Stamped with the plate of this quadrant turned by 180 degrees.
    TurnedA2,
    /// Stamped with the plate of this quadrant turned by 180 degrees.
    TurnedB1,
    /// Stamped with the plate of this quadrant turned by 180 degrees.
    TurnedB2,
}

/// Rows and columns from a quadrant's wells to those of `A1`.
type Quadrant = (u8, u8);
const A1: Quadrant = (0, 0);
const A2: Quadrant = (0, 1);
const B1: Quadrant = (1, 0);
const B2: Quadrant = (1, 1);

impl Transform {
    /// Every fault that layouts are judged by (R12).
    pub const ALL: [Self; 7] = [
        Self::Rotated,
        Self::MirroredLeftRight,
        Self::MirroredTopBottom,
        Self::ShiftedDown,
        Self::ShiftedUp,
        Self::ShiftedRight,
        Self::ShiftedLeft,
    ];

    /// Every fault of a stamped plate of 384; those of [`Self::ALL`] come on top.
    pub const STAMPING: [Self; 10] = [
        Self::ExchangedA1A2,
        Self::ExchangedA1B1,
        Self::ExchangedA1B2,
        Self::ExchangedA2B1,
        Self::ExchangedA2B2,
        Self::ExchangedB1B2,
        Self::TurnedA1,
        Self::TurnedA2,
        Self::TurnedB1,
        Self::TurnedB2,
    ];

    /// Where that is read which was put into `well`; none when it leaves the plate.
    pub fn read_at(self, well: WellPosition, size: PlateSize) -> Option<WellPosition> {
        let (row, column) = (well.row(), well.column());
        let (last_row, last_column) = (size.rows() - 1, size.columns() - 1);
        let (row, column) = match self {
            Self::Rotated => (last_row.checked_sub(row)?, last_column.checked_sub(column)?),
            Self::MirroredLeftRight => (row, last_column.checked_sub(column)?),
            Self::MirroredTopBottom => (last_row.checked_sub(row)?, column),
            Self::ShiftedDown => (row + 1, column),
            Self::ShiftedUp => (row.checked_sub(1)?, column),
            Self::ShiftedRight => (row, column + 1),
            Self::ShiftedLeft => (row, column.checked_sub(1)?),
            Self::ExchangedA1A2 => exchanged(A1, A2, (row, column))?,
            Self::ExchangedA1B1 => exchanged(A1, B1, (row, column))?,
            Self::ExchangedA1B2 => exchanged(A1, B2, (row, column))?,
            Self::ExchangedA2B1 => exchanged(A2, B1, (row, column))?,
            Self::ExchangedA2B2 => exchanged(A2, B2, (row, column))?,
            Self::ExchangedB1B2 => exchanged(B1, B2, (row, column))?,
            Self::TurnedA1 => turned(A1, (row, column), size)?,
            Self::TurnedA2 => turned(A2, (row, column), size)?,
            Self::TurnedB1 => turned(B1, (row, column), size)?,
            Self::TurnedB2 => turned(B2, (row, column), size)?,
        };
        WellPosition::new(row, column).filter(|moved| size.contains(*moved))
    }

    /// Into which well that was put which is read at `well`; none when nothing was.
    pub fn put_at(self, well: WellPosition, size: PlateSize) -> Option<WellPosition> {
        let undone = match self {
            Self::ShiftedDown => Self::ShiftedUp,
            Self::ShiftedUp => Self::ShiftedDown,
            Self::ShiftedRight => Self::ShiftedLeft,
            Self::ShiftedLeft => Self::ShiftedRight,
            own_inverse => own_inverse,
        };
        undone.read_at(well, size)
    }
}

/// Where a well is read when two quadrants are exchanged.
fn exchanged(one: Quadrant, other: Quadrant, (row, column): (u8, u8)) -> Option<(u8, u8)> {
    let here = (row % 2, column % 2);
    let (from, to) = match here {
        _ if here == one => (one, other),
        _ if here == other => (other, one),
        _ => return Some((row, column)),
    };
    Some(((row + to.0).checked_sub(from.0)?, (column + to.1).checked_sub(from.1)?))
}

/// Where a well is read when the source of one quadrant is turned.
fn turned(one: Quadrant, (row, column): (u8, u8), size: PlateSize) -> Option<(u8, u8)> {
    if (row % 2, column % 2) != one {
        return Some((row, column));
    }
    let (last_row, last_column) = (size.rows() - 2, size.columns() - 2);
    Some(((last_row + 2 * one.0).checked_sub(row)?, (last_column + 2 * one.1).checked_sub(column)?))
}

impl Transform {
    /// What happened to the plate or to the plates of its quadrants, in every language.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Rotated => "180°",
            Self::MirroredLeftRight => "⇄",
            Self::MirroredTopBottom => "⇅",
            Self::ShiftedDown => "↓",
            Self::ShiftedUp => "↑",
            Self::ShiftedRight => "→",
            Self::ShiftedLeft => "←",
            Self::ExchangedA1A2 => "A1 ⇄ A2",
            Self::ExchangedA1B1 => "A1 ⇄ B1",
            Self::ExchangedA1B2 => "A1 ⇄ B2",
            Self::ExchangedA2B1 => "A2 ⇄ B1",
            Self::ExchangedA2B2 => "A2 ⇄ B2",
            Self::ExchangedB1B2 => "B1 ⇄ B2",
            Self::TurnedA1 => "A1 180°",
            Self::TurnedA2 => "A2 180°",
            Self::TurnedB1 => "B1 180°",
            Self::TurnedB2 => "B2 180°",
        }
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rotated => "turned by 180 degrees",
            Self::MirroredLeftRight => "mirrored left to right",
            Self::MirroredTopBottom => "mirrored top to bottom",
            Self::ShiftedDown => "shifted one row down",
            Self::ShiftedUp => "shifted one row up",
            Self::ShiftedRight => "shifted one column right",
            Self::ShiftedLeft => "shifted one column left",
            Self::ExchangedA1A2 => "stamped with the plates of quadrants A1 and A2 exchanged",
            Self::ExchangedA1B1 => "stamped with the plates of quadrants A1 and B1 exchanged",
            Self::ExchangedA1B2 => "stamped with the plates of quadrants A1 and B2 exchanged",
            Self::ExchangedA2B1 => "stamped with the plates of quadrants A2 and B1 exchanged",
            Self::ExchangedA2B2 => "stamped with the plates of quadrants A2 and B2 exchanged",
            Self::ExchangedB1B2 => "stamped with the plates of quadrants B1 and B2 exchanged",
            Self::TurnedA1 => "stamped with the plate of quadrant A1 turned by 180 degrees",
            Self::TurnedA2 => "stamped with the plate of quadrant A2 turned by 180 degrees",
            Self::TurnedB1 => "stamped with the plate of quadrant B1 turned by 180 degrees",
            Self::TurnedB2 => "stamped with the plate of quadrant B2 turned by 180 degrees",
        })
    }
}
