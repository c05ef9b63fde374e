//! Design & Analysis 2 and Diomni exports (`formats.md` section 2).

use std::collections::BTreeMap;

use super::metadata::Metadata;
use super::results::{DecimalMark, Source, ct, ct_column, named, well};
use super::table::Table;
use super::text::{Text, delimited};
use super::{Ct, Format, Refusal, RunFile};
use crate::error::Reason;
use crate::plate::WellPosition;

/// Reads the CSV export: metadata lines with `#`, then a quoted table.
pub(super) fn csv(text: &Text, detected_by: Vec<Reason>) -> Result<RunFile, Refusal> {
    let above = || text.content.split_inclusive('\n').take_while(|line| line.starts_with('#'));
    let start = above().map(str::len).sum();
    let lines = above().map(|line| line.trim_start_matches('#'));
    let rows = delimited(&text.content[start..], b',', above().count() + 1)?;
    let (_, table) = Table::split(rows, text.open_end())
        .ok_or(Refusal::NoResults { missing: "there is no results table with a well column" })?;
    Source {
        format: Format::DesignAnalysisCsv,
        detected_by,
        metadata: Metadata::from_lines(lines, ':'),
        table,
        mark: DecimalMark::Point,
        warnings: text.warning.clone().into_iter().collect(),
    }
    .read()
}

/// What the sheet `Target Call` says of one well and target.
struct TargetCall {
    call: String,
    ct: Option<Ct>,
}

/// Adds the instrument's calls to the readings: `Target Call` may omit wells, and where it has a
/// Ct of its own that must be the one of the results.
pub(super) fn add_calls(
    run: &mut RunFile,
    table: &Table,
    metadata: &Metadata,
) -> Result<(), Refusal> {
    let mut calls = calls(table, metadata)?;
    let mut differing = Vec::new();
    let mut without = Vec::new();
    for reading in &mut run.readings {
        match calls.remove(&(reading.well, reading.target.clone())) {
            Some(call) => {
                if call.ct != reading.ct {
                    differing.push(reading.well);
                }
                reading.instrument_call = Some(call.call).filter(|call| !call.is_empty());
            }
            None => without.push(reading.well),
        }
    }
    let unmatched = calls.into_keys().map(|(well, _)| well);
    let warnings = [
        (named(differing.into_iter()), "Results and Target Call differ in their Ct in"),
        (named(without.into_iter()), "Target Call says nothing of"),
        (named(unmatched), "Target Call has targets that Results has not in"),
    ];
    for (wells, what) in warnings {
        run.warnings.extend(wells.map(|wells| {
            let message = format!("{what} {wells}");
            Reason::new("file.target_call", wells, message)
        }));
    }
    Ok(())
}

fn calls(
    table: &Table,
    metadata: &Metadata,
) -> Result<BTreeMap<(WellPosition, String), TargetCall>, Refusal> {
    let columns = (
        table.first_column(&["well position", "well"]),
        table.first_column(&["target", "target name"]),
        table.column("call"),
        ct_column(table, metadata),
    );
    let (Some(at), Some(target), Some(call), Some(cycles)) = columns else {
        return Err(Refusal::NoResults {
            missing: "the sheet `Target Call` has no well, target, call and Ct",
        });
    };
    let mut calls = BTreeMap::new();
    for row in &table.rows {
        let well = well(row, at)?;
        let said = TargetCall {
            call: row.cell(call).to_owned(),
            ct: ct(row, cycles, DecimalMark::Point)?,
        };
        if calls.insert((well, row.cell(target).to_owned()), said).is_some() {
            return Err(Refusal::DuplicateReading { row: row.number, well });
        }
    }
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::table::Row;

    fn results() -> RunFile {
        let text = "# Block Type: 96-Well Block\nWell Position,Target,Reporter,Cq\nA1,N1,FAM,30.5\n\
                    A2,N1,FAM,Undetermined\n";
        csv(&Text::decode(text.as_bytes()), Vec::new()).unwrap()
    }

    fn joined(calls: &[&str]) -> Result<RunFile, Refusal> {
        let lines = ["Well,Target,Call,Cq"].into_iter().chain(calls.iter().copied());
        let split = |line: &str| line.split(',').map(str::to_owned).collect();
        let rows = (1..).zip(lines).map(|(number, line)| Row::new(number, split(line)).unwrap());
        let (_, table) = Table::split(rows.collect(), false).unwrap();
        let mut run = results();
        add_calls(&mut run, &table, &Metadata::default())?;
        Ok(run)
    }

    #[test]
    fn calls_find_their_readings_in_any_order() {
        let run = joined(&["A02,N1,Absence,UNDETERMINED", "A01,N1,Presence,30.50"]).unwrap();
        let calls: Vec<_> = run.readings.iter().map(|r| r.instrument_call.as_deref()).collect();
        assert_eq!(calls, [Some("Presence"), Some("Absence")]);
        assert!(run.warnings.is_empty(), "{:?}", run.warnings);
    }

    #[test]
    fn calls_that_do_not_fit_the_readings_are_said() {
        let run = joined(&["A1,N1,Presence,30.6", "A3,N1,Absence,"]).unwrap();
        assert_eq!(
            run.warned(),
            [
                "Results and Target Call differ in their Ct in A1",
                "Target Call says nothing of A2",
                "Target Call has targets that Results has not in A3",
            ]
        );
    }

    #[test]
    fn two_calls_for_one_target_are_refused() {
        let refusal = joined(&["A1,N1,Presence,30.5", "A1,N1,Absence,30.5"]).unwrap_err();
        assert!(matches!(refusal, Refusal::DuplicateReading { row: 3, .. }));
    }
}
