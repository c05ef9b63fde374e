//! Why a file was not read: one line each, saying what, which and what to do next.

use std::fmt;

use super::lighthouse::ResultList;
use super::table::{MAX_FILE_BYTES, MAX_ROWS};
use crate::plate::WellPosition;

/// How much of an offending cell a message may repeat, in characters.
const TOKEN_CHARS: usize = 40;

/// A file that gives no readings; nothing of it is used.
///
/// No message repeats anything but a single well or Ct cell, so that a list of people uploaded
/// by mistake does not end up in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No byte at all.
    #[error("the file is empty; export it again")]
    Empty,
    /// Longer than any run file.
    #[error(
        "the file has {bytes} bytes and at most {MAX_FILE_BYTES} are read; export the results \
         table alone"
    )]
    TooLarge {
        /// Length of the file.
        bytes: usize,
    },
    /// A zip that grows beyond any run file an instrument writes.
    #[error("the file unpacks to more than any run has; export the results table alone")]
    UnpacksTooLarge,
    /// Another kind of file.
    #[error(
        "not a run file this version reads: it looks like {looked_like}; export the results as \
         Applied Biosystems text or workbook, Design & Analysis CSV or workbook, Bio-Rad CFX CSV, \
         LightCycler 480 Cp values or RDML, save the .eds, or describe the file in a mapping"
    )]
    NotOurs {
        /// What it seems to be instead.
        looked_like: &'static str,
    },
    /// Damaged or incomplete.
    #[error("the file is damaged or cut short: {place}; copy or export it again")]
    CutShort {
        /// Where it breaks off.
        place: String,
    },
    /// An allelic discrimination run has no Ct.
    #[error(
        "a genotyping run has no Ct per target; export a presence/absence, standard curve or \
         comparative Ct experiment"
    )]
    Genotyping,
    /// A table of wells without the one column that matters.
    #[error(
        "the results table has no Ct, Crt or Cq column; export the results table with its Ct column"
    )]
    NoCtColumn,
    /// The export holds other tables only.
    #[error("{missing}; export the results table as well")]
    NoResults {
        /// What was looked for in vain.
        missing: &'static str,
    },
    /// A list of results without any Ct (R22).
    #[error(
        "a list of results without Ct ({holds}); results are never taken in as a list: export it \
         with the columns CH1-Cq to CH4-Cq, or send the run file of the cycler"
    )]
    ResultList {
        /// What the list holds, in counts.
        holds: ResultList,
    },
    /// A workbook with more tables than one that would be read.
    #[error("{sheets} sheets of the workbook hold results; save the one of this plate alone")]
    SeveralSheets {
        /// How many.
        sheets: usize,
    },
    /// A list of more plates than one.
    #[error("the file holds {plates} plates; export one plate to a file")]
    ListOfPlates {
        /// How many.
        plates: usize,
    },
    /// Several mappings know the headings of this file.
    #[error(
        "the mappings {} all fit this file; name the right one with `mapping`",
        names.join(", ")
    )]
    Ambiguous {
        /// Their names.
        names: Vec<String>,
    },
    /// The chosen mapping does not know this file.
    #[error("the mapping {name} does not fit: {why}; choose another mapping or correct it")]
    NotMapped {
        /// Its name.
        name: String,
        /// What was looked for in vain.
        why: &'static str,
    },
    /// More rows than any plate has readings.
    #[error("the results table has more than {MAX_ROWS} rows; export one plate to a file")]
    TooManyRows,
    /// A cell nobody can read; skipping it would lose a reading in silence.
    #[error("row {row}, column `{column}`: `{token}` is not {expected}; correct the export")]
    BadCell {
        /// Line of the text or row of the sheet, counted from one.
        row: usize,
        /// Which fact the cell should hold.
        column: &'static str,
        /// The cell, at most 40 characters of it.
        token: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// Two readings of the same target in the same well.
    #[error(
        "row {row}: well {well} has a second reading of the same target and dye; export one \
         analysis only"
    )]
    DuplicateReading {
        /// Line of the text or row of the sheet, counted from one.
        row: usize,
        /// The well in question.
        well: WellPosition,
    },
    /// A well the stated plate does not have.
    #[error(
        "row {row}: well {well} is not on a plate of {wells} wells; check the block type of the run"
    )]
    OutsidePlate {
        /// Line of the text or row of the sheet, counted from one.
        row: usize,
        /// The well in question.
        well: WellPosition,
        /// Size of the plate the file states.
        wells: u16,
    },
    /// XML that brings its own grammar, and with it entities that grow.
    #[error("the XML declares a document type, which no run file needs; export the run again")]
    DocumentType,
    /// Runs of several plates in one file: which of them is meant cannot be told.
    #[error(
        "the file holds {runs} runs that are not one plate ({why}); export each run to a file of \
         its own"
    )]
    SeveralPlates {
        /// Runs with data.
        runs: usize,
        /// Why they do not go together.
        why: String,
    },
    /// Places that are no wells of a plate, as in a rotor.
    #[error(
        "the run is laid out in {rows} rows and {columns} columns, which is no plate of 96 or 384 \
         wells; export the results as a table with wells"
    )]
    NotAPlate {
        /// Rows the file states.
        rows: i64,
        /// Columns the file states.
        columns: i64,
    },
    /// A fact of one place of the run that nobody can read.
    #[error("{place}: `{token}` {what}; correct the export")]
    BadPlace {
        /// Well or place as the file names it, at most 40 characters of it.
        place: String,
        /// The fact, at most 40 characters of it.
        token: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Refusal {
    /// Whether it is the results of a run all the same, which somebody waits for; not another file, an
    /// experiment of another kind, or one of the other tables that cyclers write beside the results.
    pub const fn is_of_a_run(&self) -> bool {
        !matches!(
            self,
            Self::Empty
                | Self::TooLarge { .. }
                | Self::UnpacksTooLarge
                | Self::NotOurs { .. }
                | Self::Genotyping
                | Self::NoCtColumn
                | Self::NoResults { .. }
                | Self::ResultList { .. }
                | Self::ListOfPlates { .. }
                | Self::DocumentType
        )
    }

    /// A bad cell, its text shortened and stripped of control characters.
    pub(super) fn bad_cell(
        row: usize,
        column: &'static str,
        token: &str,
        expected: &'static str,
    ) -> Self {
        Self::BadCell { row, column, token: short(token), expected }
    }

    /// A bad fact of a place, place and fact shortened and stripped of control characters.
    pub(super) fn bad_place(place: impl fmt::Display, token: &str, what: &'static str) -> Self {
        Self::BadPlace { place: short(&place.to_string()), token: short(token), what }
    }

    /// Damaged or cut short at `place`.
    pub(super) fn cut(place: impl Into<String>) -> Self {
        Self::CutShort { place: place.into() }
    }
}

fn short(token: &str) -> String {
    token.trim().chars().filter(|c| !c.is_control()).take(TOKEN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_one_line_that_ends_in_a_next_step() {
        let well = "A1".parse().unwrap();
        let refusals = [
            Refusal::Empty,
            Refusal::TooLarge { bytes: 1 },
            Refusal::UnpacksTooLarge,
            Refusal::NotOurs { looked_like: "a picture" },
            Refusal::cut("row 3 breaks off"),
            Refusal::Genotyping,
            Refusal::NoCtColumn,
            Refusal::NoResults { missing: "there is no [Results] section" },
            Refusal::ResultList { holds: ResultList::default() },
            Refusal::ListOfPlates { plates: 2 },
            Refusal::Ambiguous { names: vec!["a".into(), "b".into()] },
            Refusal::NotMapped { name: "a".into(), why: "it has no header" },
            Refusal::TooManyRows,
            Refusal::bad_cell(3, "Ct", "thirty", "a number"),
            Refusal::DuplicateReading { row: 3, well },
            Refusal::OutsidePlate { row: 3, well, wells: 96 },
            Refusal::DocumentType,
            Refusal::SeveralPlates { runs: 2, why: "A1 holds two samples".into() },
            Refusal::NotAPlate { rows: 72, columns: 1 },
            Refusal::bad_place("A1", "40.0", "is no Ct"),
        ];
        for refusal in refusals {
            let line = refusal.to_string();
            assert!(!line.contains('\n') && line.contains("; "), "{line}");
        }
    }

    #[test]
    fn a_bad_cell_repeats_at_most_forty_plain_characters() {
        let Refusal::BadCell { token, .. } =
            Refusal::bad_cell(1, "Ct", &format!(" \u{1b}[2J{}", "x".repeat(90)), "a number")
        else {
            unreachable!("bad_cell makes a bad cell")
        };
        assert_eq!(token.chars().count(), 40);
        assert!(!token.contains('\u{1b}'));
    }
}
