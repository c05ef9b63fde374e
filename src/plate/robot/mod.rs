//! What a pipetting robot says it did: its log read, compared with the plan, and what follows.
//!
//! A log is read by its maker's file here, recognised by content: Biomek in three forms, Tecan
//! worklists, Hamilton lists. [`compare`] sets the transfers against the layout and names every
//! difference. A plate with a difference that nobody explained gets no run;
//! where people were told results before the log came, [`late`] says whose.

pub mod accept;
pub mod api;
mod biomek;
mod explain;
mod hamilton;
pub mod late;
mod read;
mod receive;
mod rules;
mod source;
pub mod store;
mod tecan;
mod tips;
mod volume;

use super::WellPosition;

pub use explain::{Explanation, unexplained};
pub use read::read;
pub use rules::{Difference, Fill, Planned, compare};
pub use source::{Known, Material, RackHistory};
pub use volume::{Volume, microlitres};

/// Microlitres of a tube that go into a well when neither kit nor plate say otherwise.
pub const VOLUME_DEFAULT: &str = "5";
/// Most rows and most dispenses a log may have; a plate of 384 wells needs fewer than a thousand.
const ROWS_MAX: usize = 10_000;
/// Most places in which a log may differ from the plan: several for every well of the largest plate.
const DIFFERENCES_MAX: usize = 5_000;
/// Most logs of one plate; each step of a robot's work has one, and few steps are done again.
const LOGS_MAX: usize = 50;
/// Most cells of a row: a Tecan distribution has 16 and each of 384 wells that is left out.
const CELLS_MAX: usize = 400;
/// Longest cell of a row, in bytes: every dispense repeats the labware it was taken from.
const CELL_MAX: usize = 1_024;

/// Which maker's log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Beckman Biomek, one row an aspirate or dispense, with a header and probes.
    BiomekUnifiedPipetting,
    /// Beckman Biomek, one row an aspirate or dispense, without header or probes.
    BiomekPipetting,
    /// Beckman Biomek, one row a transfer, without header.
    BiomekUnifiedTransfer,
    /// Beckman Biomek, one row a transfer, as its "transfer from file" takes it.
    BiomekTransfers,
    /// Tecan `.gwl`, taken as done.
    Tecan,
    /// Hamilton, one row a transfer.
    Hamilton,
}

impl Format {
    /// The name it is stored under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BiomekUnifiedPipetting => "biomek_unified_pipetting",
            Self::BiomekPipetting => "biomek_pipetting",
            Self::BiomekUnifiedTransfer => "biomek_unified_transfer",
            Self::BiomekTransfers => "biomek_transfers",
            Self::Tecan => "tecan",
            Self::Hamilton => "hamilton",
        }
    }
}

/// A place in a labware, in the log's own way of counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// By row and column.
    Well(WellPosition),
    /// Counted from 1 down the columns, as Tecan does.
    ColumnMajor(u16),
    /// Counted from 1 along the rows, as Biomek does.
    RowMajor(u16),
}

impl Spot {
    /// Reads `A1` or a number that counts the way of `count`.
    fn parse(text: &str, count: fn(u16) -> Self) -> Option<Self> {
        let text = text.trim();
        match text.parse::<u16>() {
            Ok(0) => None,
            Ok(number) => Some(count(number)),
            Err(_not_a_number) => text.parse().ok().map(Self::Well),
        }
    }

    /// The well it is on a labware of so many rows and columns; none outside of it.
    pub fn on(self, (rows, columns): (u8, u8)) -> Option<WellPosition> {
        let (across, down) = (u16::from(columns), u16::from(rows));
        let (row, column) = match self {
            Self::Well(well) => (u16::from(well.row()), u16::from(well.column())),
            Self::ColumnMajor(number) => {
                let index = number.checked_sub(1)?;
                (index % down, index / down)
            }
            Self::RowMajor(number) => {
                let index = number.checked_sub(1)?;
                (index / across, index % across)
            }
        };
        if row >= down || column >= across {
            return None;
        }
        WellPosition::new(u8::try_from(row).ok()?, u8::try_from(column).ok()?)
    }

    /// Whether it is the first place, the only one of a single tube.
    fn is_first(self) -> bool {
        self.on((1, 1)).is_some()
    }
}

/// Where liquid came from or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What the robot's deck calls the labware.
    pub label: String,
    /// The labware's barcode; empty when the robot did not read one.
    pub barcode: String,
    /// The place in it.
    pub spot: Spot,
    /// The barcode of the tube itself; empty when the robot did not read one.
    pub tube: String,
}

impl Place {
    /// Whether both are the same place.
    fn is(&self, other: &Self) -> bool {
        (&self.label, &self.barcode, self.spot) == (&other.label, &other.barcode, other.spot)
    }
}

/// What was in the tip that dispensed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Liquid of one place.
    One(Place),
    /// Liquid of several places.
    Several,
    /// Nothing the log tells of.
    Untold,
}

/// One dispense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Line of the log, from 1.
    pub line: usize,
    /// Where it came from.
    pub origin: Origin,
    /// Where it went.
    pub destination: Place,
    /// How much.
    pub volume: Volume,
    /// Where else the tip took from before, as far as the log says that it was neither washed nor
    /// changed since.
    pub earlier: Vec<Place>,
    /// Whether the log itself calls it the distribution of a reagent.
    pub is_reagent: bool,
}

impl Transfer {
    /// Whether liquid went back where it came from: then it was mixed, and nothing was moved.
    pub fn is_mixing(&self) -> bool {
        matches!(&self.origin, Origin::One(from) if from.is(&self.destination))
    }
}

/// A log as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Whose it is.
    pub format: Format,
    /// What in the content gave the format away.
    pub detected_by: Vec<String>,
    /// Every dispense of more than nothing, in the order of the log.
    pub transfers: Vec<Transfer>,
    /// Lines that tell of an error, or of a step nobody here knows.
    pub errors: Vec<usize>,
}

/// Why a file is no log that can be read. Cells are never repeated: operators type what they like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogRefusal {
    /// No format fits.
    #[error(
        "this is no robot log known here; send a Biomek pipetting or transfer log, a Tecan .gwl, \
         or a Hamilton list as CSV"
    )]
    Unknown,
    /// It is no text.
    #[error("this is no text; export the log as text or CSV")]
    Binary,
    /// A row that cannot be read.
    #[error("line {line} cannot be read: {what}; export the log again, whole")]
    Row {
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A log nobody writes for one plate.
    #[error("the log has more than {ROWS_MAX} rows; send the log of this plate alone")]
    TooLong,
    /// It moves nothing.
    #[error("the log moves no liquid; send the log of the finished method")]
    Empty,
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
