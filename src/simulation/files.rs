//! Instrument files in real vendor formats, written from a simple description of a run.
//!
//! They hold what the instrument would know: wells, names typed for them, targets, Ct. A
//! simulated well carries a tube code, never a person.

use std::fmt::Write;

use crate::instrument::{Ct, Curve};
use crate::plate::{PlateSize, WellPosition};

/// Fluorescence of an empty well against the passive dye, on which every curve stands.
pub(super) const BASELINE: f64 = 1.2;

/// One run as an instrument would export it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedRun {
    /// Size of the block.
    pub plate_size: PlateSize,
    /// Barcode of the plate; only the Applied Biosystems text has a place for it.
    pub plate_barcode: String,
    /// Instrument type, such as `QuantStudio(TM) 7 Flex System`.
    pub instrument: String,
    /// Serial number of the instrument.
    pub serial: String,
    /// End of the run, as the instrument writes it: `2020-05-18 17:50:29 PM PDT`.
    pub run_ended: String,
    /// One entry for each well and target.
    pub wells: Vec<SimulatedWell>,
}

/// One well and one target of a simulated run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedWell {
    /// Which well.
    pub well: WellPosition,
    /// Sample name: a tube code or a control's name; without tabs, line ends and quotation marks.
    pub sample: String,
    /// Target name, bound like the sample name.
    pub target: String,
    /// Reporter dye.
    pub dye: String,
    /// Role as the instrument writes it: `UNKNOWN`, `NTC`, or with Bio-Rad `Unkn-1`, `Neg Ctrl`.
    pub task: String,
    /// Cycle threshold, or none for no amplification.
    pub ct: Option<Ct>,
}

impl SimulatedRun {
    /// The block as Applied Biosystems calls it.
    pub(super) const fn block(&self) -> &'static str {
        match self.plate_size {
            PlateSize::P96 => "96-Well Block (0.2mL)",
            PlateSize::P384 => "384-Well Block",
        }
    }
}

/// The text export of a `QuantStudio` without curves: metadata, `[Sample Setup]`, `[Results]`.
pub fn quantstudio_text(run: &SimulatedRun) -> String {
    quantstudio_text_with(run, &[])
}

/// The text export of a `QuantStudio` with the curves in `[Amplification Data]`.
pub fn quantstudio_text_with(run: &SimulatedRun, curves: &[Curve]) -> String {
    let block = run.block();
    let mut text = String::new();
    for (key, value) in [
        ("Block Type", block),
        ("Calibration Background is expired ", "No"),
        ("Chemistry", "TAQMAN"),
        ("Experiment Barcode", run.plate_barcode.as_str()),
        ("Experiment Run End Time", run.run_ended.as_str()),
        ("Experiment Type", "Standard Curve"),
        ("Instrument Serial Number", run.serial.as_str()),
        ("Instrument Type", run.instrument.as_str()),
        ("Passive Reference", "ROX"),
        ("Quantification Cycle Method", "Ct"),
    ] {
        line(&mut text, format_args!("* {key} = {value}"));
    }
    line(&mut text, format_args!("\n[Sample Setup]"));
    line(
        &mut text,
        format_args!(
            "Well\tWell Position\tSample Name\tSample Color\tTarget Name\tTask\tReporter\tQuencher"
        ),
    );
    for one in &run.wells {
        let SimulatedWell { well, sample, target, dye, task, .. } = one;
        let number = well.index(run.plate_size) + 1;
        line(
            &mut text,
            format_args!(
                "{number}\t{well}\t{sample}\t\"RGB(176,23,31)\"\t{target}\t{task}\t{dye}\tNFQ-MGB"
            ),
        );
    }
    if !curves.is_empty() {
        amplification(&mut text, run.plate_size, curves);
    }
    results(&mut text, run);
    line(&mut text, format_args!("\nAnalysis Type = Singleplex"));
    text
}

/// The curves, cycle by cycle of one well after the other, thousands marked by commas.
fn amplification(text: &mut String, plate_size: PlateSize, curves: &[Curve]) {
    line(text, format_args!("\n[Amplification Data]\nWell\tCycle\tTarget Name\tRn\tDelta Rn"));
    for curve in curves {
        let number = curve.well.index(plate_size) + 1;
        for point in &curve.points {
            let (cycle, target) = (point.cycle, &curve.target);
            let (rn, delta) = (grouped(point.signal + BASELINE), grouped(point.signal));
            line(text, format_args!("{number}\t{cycle}\t{target}\t{rn}\t{delta}"));
        }
    }
}

/// Three decimals, and a comma before every three digits of the whole part.
fn grouped(number: f64) -> String {
    let plain = format!("{number:.3}");
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |rest| ("-", rest));
    let Some((whole, fraction)) = digits.split_once('.').filter(|(whole, _)| whole.len() > 3)
    else {
        return plain;
    };
    let mut grouped = String::new();
    for (place, digit) in (0..whole.len()).rev().zip(whole.chars()) {
        grouped.push(digit);
        if place > 0 && place % 3 == 0 {
            grouped.push(',');
        }
    }
    format!("{sign}{grouped}.{fraction}")
}

fn results(text: &mut String, run: &SimulatedRun) {
    line(text, format_args!("\n[Results]"));
    line(
        text,
        format_args!(
            "Well\tWell Position\tOmit\tSample Name\tTarget Name\tTask\tReporter\tQuencher\tCT\t\
             Ct Mean\tCt SD\tAutomatic Ct Threshold\tCt Threshold\tAmp Status\tComments"
        ),
    );
    for one in &run.wells {
        let SimulatedWell { well, sample, target, dye, task, ct } = one;
        let number = well.index(run.plate_size) + 1;
        let (cycles, status) = match ct {
            Some(ct) => (ct.to_string(), "Amp"),
            None => ("Undetermined".to_owned(), "No Amp"),
        };
        line(
            text,
            format_args!(
                "{number}\t{well}\tfalse\t{sample}\t{target}\t{task}\t{dye}\tNFQ-MGB\t{cycles}\t\
                 \t\ttrue\t0.200\t{status}\t"
            ),
        );
    }
}

/// The `Quantification Cq Results` CSV of Bio-Rad CFX Maestro: the plate once for each dye.
pub fn cfx_csv(run: &SimulatedRun) -> String {
    let mut text = String::new();
    line(
        &mut text,
        format_args!(
            ",Well,Fluor,Target,Content,Sample,Biological Set Name,Cq,Cq Mean,Cq Std. Dev,\
             Starting Quantity (SQ),Log Starting Quantity,SQ Mean,SQ Std. Dev,Set Point,Well Note"
        ),
    );
    let mut wells: Vec<&SimulatedWell> = run.wells.iter().collect();
    wells.sort_by(|a, b| (&a.dye, a.well).cmp(&(&b.dye, b.well)));
    for one in wells {
        let SimulatedWell { well, sample, target, dye, task, ct } = one;
        let row = char::from(b'A' + well.row());
        let column = well.column() + 1;
        let cycles = ct.map_or_else(|| "NaN".to_owned(), |ct| ct.to_string());
        let [target, task, sample] = [target, task, sample].map(|name| quoted(name));
        line(
            &mut text,
            format_args!(
                ",{row}{column:02},{dye},{target},{task},{sample},,{cycles},{cycles},0,\
                 NaN,NaN,NaN,0,60,"
            ),
        );
    }
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a string does not fail");
}

/// A name in quotation marks where a comma would split it.
fn quoted(name: &str) -> String {
    if name.contains(',') { format!("\"{name}\"") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::instrument::{Format, Reading, RunFile, read};
    use crate::simulation::curves::curves;
    use crate::simulation::files_text::design_analysis_csv;
    use crate::simulation::workbook::{
        DesignAnalysis, design_analysis_workbook, quantstudio_workbook, quantstudio_xls,
    };

    fn any_ct() -> impl Strategy<Value = Option<Ct>> {
        let cycles = (1_i64..=100_000, 0_u32..=3)
            .prop_filter_map("within 100", |(n, scale)| Ct::try_from(Decimal::new(n, scale)).ok());
        proptest::option::of(cycles)
    }

    prop_compose! {
        fn any_run()(
            big in any::<bool>(),
            places in proptest::collection::btree_map(
                (0_u16..384, "(ORF1ab|N|N1|RP|内参)", "(FAM|VIC|CY5)"),
                ("[A-Za-z0-9][A-Za-z0-9 ,.#µ\u{4e00}-\u{4e20}-]{0,12}[A-Z0-9]", any_ct()),
                1..60,
            ),
        ) -> SimulatedRun {
            let plate_size = if big { PlateSize::P384 } else { PlateSize::P96 };
            let wells = places.into_iter().filter_map(|((index, target, dye), (sample, ct))| {
                let well = WellPosition::from_index(index % plate_size.wells(), plate_size)?;
                Some(SimulatedWell { well, sample, target, dye, task: "UNKNOWN".into(), ct })
            });
            // Two indexes may fold onto one well of a plate of 96.
            let unique: BTreeMap<_, _> =
                wells.map(|w| ((w.well, w.target.clone(), w.dye.clone()), w)).collect();
            SimulatedRun {
                plate_size,
                plate_barcode: "PLATE-7".into(),
                instrument: "QuantStudio(TM) 7 Flex System".into(),
                serial: "278880034".into(),
                run_ended: "2020-05-18 17:50:29 PM PDT".into(),
                wells: unique.into_values().collect(),
            }
        }
    }

    /// The run with each target of a well in one dye only: the blocks of curves name no dye.
    fn one_dye_each(run: SimulatedRun) -> SimulatedRun {
        let wells: BTreeMap<_, _> =
            run.wells.into_iter().map(|w| ((w.well, w.target.clone()), w)).collect();
        SimulatedRun { wells: wells.into_values().collect(), ..run }
    }

    fn sorted(wells: &[SimulatedWell]) -> Vec<SimulatedWell> {
        let mut wells = wells.to_vec();
        wells.sort_by(|a, b| (a.well, &a.target, &a.dye).cmp(&(b.well, &b.target, &b.dye)));
        wells
    }

    fn wells_of(run: &RunFile) -> Vec<SimulatedWell> {
        let well = |reading: &Reading| SimulatedWell {
            well: reading.well,
            sample: reading.sample.clone(),
            target: reading.target.clone(),
            dye: reading.dye.clone(),
            task: reading.task.clone(),
            ct: reading.ct,
        };
        sorted(&run.readings.iter().map(well).collect::<Vec<_>>())
    }

    /// What a file says beside its wells, and nothing to warn of.
    fn assert_facts(read: &RunFile, run: &SimulatedRun) {
        assert_eq!(read.plate_size, Some(run.plate_size));
        assert_eq!(read.plate_barcode.as_ref(), Some(&run.plate_barcode));
        assert_eq!(read.serial.as_ref(), Some(&run.serial));
        assert_eq!(read.instrument.as_ref(), Some(&run.instrument));
        assert_eq!(read.run_ended.as_ref(), Some(&run.run_ended));
        assert!(read.warnings.is_empty(), "{:?}", read.warnings);
    }

    proptest! {
        #[test]
        fn what_was_written_as_applied_biosystems_text_is_read_back(run in any_run()) {
            let read = read(quantstudio_text(&run).as_bytes()).unwrap();
            prop_assert_eq!(read.format, Format::AppliedBiosystemsText);
            prop_assert_eq!(wells_of(&read), sorted(&run.wells));
            assert_facts(&read, &run);
        }

        #[test]
        fn what_was_written_as_bio_rad_csv_is_read_back(run in any_run()) {
            let read = read(cfx_csv(&run).as_bytes()).unwrap();
            prop_assert_eq!(read.format, Format::BioRadCfx);
            prop_assert_eq!(wells_of(&read), sorted(&run.wells));
            prop_assert!(read.warnings.is_empty(), "{:?}", read.warnings);
        }

        #[test]
        fn what_was_written_as_design_analysis_csv_is_read_back(run in any_run()) {
            let read = read(design_analysis_csv(&run).as_bytes()).unwrap();
            prop_assert_eq!(read.format, Format::DesignAnalysisCsv);
            prop_assert_eq!(wells_of(&read), sorted(&run.wells));
            assert_facts(&read, &run);
        }

        #[test]
        fn what_was_written_as_a_design_analysis_workbook_is_read_back_with_its_calls(
            run in any_run(), diomni in any::<bool>(),
        ) {
            let run = one_dye_each(run);
            let program = if diomni { DesignAnalysis::Diomni } else { DesignAnalysis::Two };
            let read = read(&design_analysis_workbook(&run, program)).unwrap();
            prop_assert_eq!(read.format, Format::DesignAnalysisWorkbook);
            prop_assert_eq!(wells_of(&read), sorted(&run.wells));
            for reading in &read.readings {
                let call = program.call(reading.ct.is_some());
                prop_assert_eq!(reading.instrument_call.as_deref(), Some(call));
            }
            assert_facts(&read, &run);
        }

        #[test]
        fn a_changed_or_cut_design_analysis_file_never_panics(
            run in any_run(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            length in any::<prop::sample::Index>(),
        ) {
            let run = one_dye_each(run);
            let books = [DesignAnalysis::Two, DesignAnalysis::Diomni];
            let books = books.map(|program| design_analysis_workbook(&run, program));
            for mut bytes in books.into_iter().chain([design_analysis_csv(&run).into_bytes()]) {
                for (at, byte) in &changes {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                bytes.truncate(length.index(bytes.len()));
                let _ = read(&bytes);
            }
        }

        #[test]
        fn the_digits_of_a_ct_survive(cycles in 1_i64..=99_999, scale in 3_u32..=10) {
            let ct = Ct::try_from(Decimal::new(cycles, scale)).unwrap();
            let mut run = one_well();
            run.wells[0].ct = Some(ct);
            for text in [quantstudio_text(&run), cfx_csv(&run), design_analysis_csv(&run)] {
                prop_assert_eq!(&read(text.as_bytes()).unwrap().readings[0].raw_ct, &ct.to_string());
            }
        }
    }

    proptest! {
        // Each case writes and reads thousands of rows twice.
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn curves_written_as_text_or_workbook_are_read_back(
            run in any_run(), seed in any::<u64>(), scale in prop::sample::select(vec![1.0, 1e5]),
        ) {
            let run = one_dye_each(run);
            let mut curves = curves(&run, seed);
            for point in curves.iter_mut().flat_map(|curve| &mut curve.points) {
                point.signal = (point.signal * scale * 1_000.0).round() / 1_000.0;
            }
            let text = read(quantstudio_text_with(&run, &curves).as_bytes()).unwrap();
            prop_assert_eq!(text.format, Format::AppliedBiosystemsText);
            let workbook = read(&quantstudio_workbook(&run, &curves)).unwrap();
            prop_assert_eq!(workbook.format, Format::AppliedBiosystemsWorkbook);
            let xls = read(&quantstudio_xls(&run, &curves)).unwrap();
            prop_assert_eq!(xls.format, Format::AppliedBiosystemsWorkbook);
            for read in [text, workbook, xls] {
                prop_assert_eq!(wells_of(&read), sorted(&run.wells));
                prop_assert_eq!(&read.curves, &curves);
                prop_assert!(read.warnings.is_empty(), "{:?}", read.warnings);
            }
        }
    }

    fn one_well() -> SimulatedRun {
        SimulatedRun {
            plate_size: PlateSize::P96,
            plate_barcode: "PLATE-7".into(),
            instrument: "QuantStudio(TM) 7 Flex System".into(),
            serial: "278880034".into(),
            run_ended: "2020-05-18 17:50:29 PM PDT".into(),
            wells: vec![SimulatedWell {
                well: "H12".parse().unwrap(),
                sample: "T0412".into(),
                target: "N1".into(),
                dye: "FAM".into(),
                task: "UNKNOWN".into(),
                ct: None,
            }],
        }
    }

    #[test]
    fn a_well_outside_the_block_is_refused_when_read_back() {
        let mut run = one_well();
        run.wells[0].well = "I13".parse().unwrap();
        let refusal = read(quantstudio_text(&run).as_bytes()).unwrap_err();
        assert!(
            refusal.to_string().contains("well I13 is not on a plate of 96 wells"),
            "{refusal}"
        );
    }
}
