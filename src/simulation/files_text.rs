//! Files of instruments that write plain tables: Design & Analysis 2, LightCycler 480, the UK
//! Lighthouse list, and the cyclers that are read by a mapping, as far as their files are known.

use std::collections::BTreeSet;
use std::fmt::Write;

use encoding_rs::GB18030;

use super::files::{SimulatedRun, SimulatedWell};
use crate::instrument::Ct;

/// Result table of Design & Analysis 2 as CSV: every field in quotation marks, rows end in CRLF.
pub fn design_analysis_csv(run: &SimulatedRun) -> String {
    let mut text = String::new();
    for (key, value) in [
        ("Barcode", run.plate_barcode.as_str()),
        ("Instrument Type", &run.instrument),
        ("Block Type", run.block()),
        ("Instrument Serial Number", &run.serial),
        ("Plate Run End Date/Time", &run.run_ended),
        ("Quantification Cycle Method", "Cq"),
    ] {
        line(&mut text, format_args!("# {key}: {value}\r\n"));
    }
    let mut row = |cells: [&str; 10]| {
        let cells = cells.map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")));
        line(&mut text, format_args!("{}\r\n", cells.join(",")));
    };
    row([
        "Well",
        "Well Position",
        "Omit",
        "Sample",
        "Target",
        "Task",
        "Reporter",
        "Quencher",
        "Amp Status",
        "Cq",
    ]);
    for SimulatedWell { well, sample, target, dye, task, ct } in &run.wells {
        let number = (well.index(run.plate_size) + 1).to_string();
        let (well, cq) = (well.to_string(), written(*ct, "Undetermined"));
        let amplified = if ct.is_some() { "Amp" } else { "No Amp" };
        row([&number, &well, "false", sample, target, task, dye, "NFQ-MGB", amplified, &cq]);
    }
    text
}

/// Cp export of a LightCycler 480: a file for each dye, bare CR at its line ends.
pub fn lightcycler_480(run: &SimulatedRun) -> Vec<String> {
    per_dye(run, |dye, wells| {
        let mut text =
            format!("Experiment: {}  Selected Filter: {dye} (465-510)\t\t\r", run.serial);
        text.push_str("Include\tColor\tPos\tName\tCp\tConcentration\tStandard\tStatus\r");
        for SimulatedWell { well, sample, ct, .. } in wells {
            let color = if ct.is_some() { 255 } else { 65280 };
            let cp = written(*ct, "");
            line(&mut text, format_args!("True\t{color}\t{well}\t{sample}\t{cp}\t\t0\t\r"));
        }
        text
    })
}

/// Result list of a UK Lighthouse laboratory with four channels; rows end in CRLF.
pub fn lighthouse(run: &SimulatedRun) -> String {
    let mut text =
        "Root Sample ID,Viral Prep ID,RNA ID,RNA-PCR ID,Result,Date Tested,Lab ID".to_owned();
    for channel in 1..=4 {
        let c = format_args!(",CH{channel}-Target,CH{channel}-Result,CH{channel}-Cq").to_string();
        text.push_str(&c);
    }
    text.push_str("\r\n");
    let wells: BTreeSet<_> = run.wells.iter().map(|one| one.well).collect();
    for well in wells {
        let here: Vec<_> = run.wells.iter().filter(|one| one.well == well).collect();
        let row = char::from(b'A' + well.row());
        let column = well.column() + 1;
        let name = here.first().map_or("", |one| one.sample.as_str());
        let any = if here.iter().any(|one| one.ct.is_some()) { "Positive" } else { "Negative" };
        let (plate, ended) = (&run.plate_barcode, &run.run_ended);
        let id = format!("{plate}_{row}{column:02}");
        line(&mut text, format_args!("{},1,{id},PCR_{id},{any},{ended},SIM", quoted(name)));
        for at in 0..4 {
            match here.get(at) {
                Some(SimulatedWell { target, ct, .. }) => {
                    let call = if ct.is_some() { "Positive" } else { "Negative" };
                    line(&mut text, format_args!(",{target},{call},{}", written(*ct, "")));
                }
                None => text.push_str(",,,"),
            }
        }
        text.push_str("\r\n");
    }
    text
}

/// Result table of a Hongshi SLAN-96P: Chinese headings in GB 18030.
pub fn slan_96p(run: &SimulatedRun) -> Vec<u8> {
    let mut text =
        "实验名称\t模拟\r\n\r\n反应孔\t样本名称\t样本类型\t项目\t通道\tCt\r\n".to_owned();
    for SimulatedWell { well, sample, target, dye, task, ct } in &run.wells {
        let task = if task == "NTC" { "阴性对照" } else { "待测样本" };
        let ct = written(*ct, "NoCt");
        line(&mut text, format_args!("{well}\t{sample}\t{task}\t{target}\t{dye}\t{ct}\r\n"));
    }
    text.push_str("注:模拟数据\r\n");
    GB18030.encode(&text).0.into_owned()
}

/// Data table of an MA-6000 as CSV.
pub fn ma_6000(run: &SimulatedRun) -> String {
    let mut text = "Well,Item,Reporter,Ct,Sample Name,Type\n".to_owned();
    for SimulatedWell { well, sample, target, dye, task, ct } in &run.wells {
        let (sample, ct) = (quoted(sample), written(*ct, "-"));
        line(&mut text, format_args!("{well},{target},{dye},{ct},{sample},{task}\n"));
    }
    text
}

/// Quantitation reports of a Rotor-Gene: a quoted CSV for each channel, blank Ct for none.
pub fn rotor_gene(run: &SimulatedRun) -> Vec<String> {
    per_dye(run, |dye, wells| {
        let channel = match dye {
            "FAM" => "Green",
            "VIC" => "Yellow",
            "ROX" => "Orange",
            "CY5" => "Red",
            other => other,
        };
        let (title, ended) = (&run.plate_barcode, &run.run_ended);
        let mut text = format!(
            "\"Run Name\",\"{title}\"\r\n\"Serial No.\",\"{}\"\r\n\"Run Finish\",\"{ended}\"\r\n\
             \"Channel\",\"Cycling A.{channel}\"\r\n\r\n\"No.\",\"Colour\",\"Name\",\"Type\",\"Ct\",\
             \"Ct Comment\"\r\n",
            run.serial
        );
        for SimulatedWell { well, sample, task, ct, .. } in wells {
            let number = u16::from(well.column()) * u16::from(run.plate_size.rows())
                + u16::from(well.row())
                + 1;
            let kind = if task == "UNKNOWN" { "Unknown" } else { task };
            let ct = written(*ct, "");
            let row =
                format_args!("\"{number}\",\"255\",\"{sample}\",\"{kind}\",\"{ct}\",\"\"\r\n")
                    .to_string();
            text.push_str(&row);
        }
        text
    })
}

/// Result table of a `QIAquant`: semicolons and decimal commas, as a European computer writes it.
pub fn qiaquant(run: &SimulatedRun) -> String {
    let mut text = "Well;Gene;Sample type;Sample name;Ct;Conc. Std.\n".to_owned();
    for SimulatedWell { well, sample, target, task, ct, .. } in &run.wells {
        let kind = if task == "UNKNOWN" { "Unknown" } else { task };
        let ct = written(*ct, "No Ct").replace('.', ",");
        line(&mut text, format_args!("{well};{target};{kind};{sample};{ct};\n"));
    }
    text
}

/// Tabular results of an Agilent `AriaMx`.
pub fn aria_mx(run: &SimulatedRun) -> String {
    let mut text = "Well\tWell Name\tWell Type\tTarget\tDye\tCq (∆Rn)\tTm\n".to_owned();
    for SimulatedWell { well, sample, target, dye, task, ct } in &run.wells {
        let kind = if task == "UNKNOWN" { "Unknown" } else { task };
        let cq = written(*ct, "No Cq");
        line(&mut text, format_args!("{well}\t{sample}\t{kind}\t{target}\t{dye}\t{cq}\t\n"));
    }
    text
}

/// A file for each dye of the run, in the order of the dyes.
fn per_dye(run: &SimulatedRun, file: impl Fn(&str, Vec<&SimulatedWell>) -> String) -> Vec<String> {
    let dyes: BTreeSet<&str> = run.wells.iter().map(|one| one.dye.as_str()).collect();
    let of = |dye: &str| run.wells.iter().filter(|one| one.dye == dye).collect();
    dyes.into_iter().map(|dye| file(dye, of(dye))).collect()
}

fn written(ct: Option<Ct>, none: &str) -> String {
    ct.map_or_else(|| none.to_owned(), |ct| ct.to_string())
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    text.write_fmt(content).expect("writing to a string does not fail");
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
    use crate::instrument::{Format, Mappings, RunFile, read, read_run};
    use crate::plate::{PlateSize, WellPosition};

    const CHANNELS: [(&str, &str); 3] = [("ORF1ab", "FAM"), ("N", "VIC"), ("IC", "CY5")];

    fn any_ct() -> impl Strategy<Value = Option<Ct>> {
        let cycles = (1_i64..=100_000, 0_u32..=3)
            .prop_filter_map("within 100", |(n, scale)| Ct::try_from(Decimal::new(n, scale)).ok());
        proptest::option::of(cycles)
    }

    prop_compose! {
        /// A run whose every well has every channel, as plates have.
        fn any_run(sizes: &'static [PlateSize])(
            size in proptest::sample::select(sizes),
            channels in 1_usize..=3,
            wells in proptest::collection::btree_map(
                0_u16..384,
                (
                    "([A-Za-z0-9][A-Za-z0-9 .#-]{0,12}[A-Z0-9]|样本[一二三]{1,3}号)",
                    any::<bool>(),
                    [any_ct(), any_ct(), any_ct()],
                ),
                1..60,
            ),
        ) -> SimulatedRun {
            let mut unique = BTreeMap::new();
            for (index, (sample, is_control, cts)) in wells {
                let Some(well) = WellPosition::from_index(index % size.wells(), size) else { continue };
                for ((target, dye), ct) in CHANNELS.into_iter().zip(cts).take(channels) {
                    let task = if is_control { "NTC" } else { "UNKNOWN" };
                    let [target, dye, task] = [target, dye, task].map(str::to_owned);
                    let sample = sample.clone();
                    unique.insert((well, dye.clone()), SimulatedWell { well, sample, target, dye, task, ct });
                }
            }
            SimulatedRun {
                plate_size: size,
                plate_barcode: "AP-123".into(),
                instrument: "Simulated".into(),
                serial: "R0912".into(),
                run_ended: "2021-03-04 15:16:17 UTC".into(),
                wells: unique.into_values().collect(),
            }
        }
    }

    const BOTH: &[PlateSize] = &[PlateSize::P96, PlateSize::P384];
    const SMALL: &[PlateSize] = &[PlateSize::P96];

    /// What a format has no place for.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Lacks {
        Nothing,
        Target,
        Dye,
    }

    type Facts = BTreeSet<(WellPosition, String, String, String, Option<Ct>)>;

    fn written_facts(run: &SimulatedRun, lacks: Lacks) -> Facts {
        let of = |one: &SimulatedWell| {
            let target = if lacks == Lacks::Target { "" } else { &one.target };
            let dye = if lacks == Lacks::Dye { "" } else { &one.dye };
            (one.well, one.sample.clone(), target.to_owned(), dye.to_owned(), one.ct)
        };
        run.wells.iter().map(of).collect()
    }

    fn read_facts(run: &RunFile) -> Facts {
        let of = |one: &crate::instrument::Reading| {
            (one.well, one.sample.clone(), one.target.clone(), one.dye.clone(), one.ct)
        };
        run.readings.iter().map(of).collect()
    }

    fn tasks(run: &RunFile) -> Vec<&str> {
        let mut tasks: Vec<_> = run.readings.iter().map(|r| (r.well, r.task.as_str())).collect();
        tasks.sort_unstable();
        tasks.into_iter().map(|(_, task)| task).collect()
    }

    fn of_parts(files: &[String]) -> RunFile {
        let parts: Vec<&[u8]> = files.iter().map(String::as_bytes).collect();
        read_run(&parts, Mappings::shipped(), None).unwrap()
    }

    fn reverse(mut files: Vec<String>) -> Vec<String> {
        files.reverse();
        files
    }

    proptest! {
        #[test]
        fn what_was_written_as_lightcycler_files_is_read_back(run in any_run(BOTH)) {
            let files = lightcycler_480(&run);
            let read = of_parts(&files);
            prop_assert_eq!(read.format, Format::LightCycler480);
            prop_assert_eq!(read_facts(&read), written_facts(&run, Lacks::Target));
            prop_assert_eq!(read.readings.len(), run.wells.len());
            prop_assert_eq!(of_parts(&reverse(files)), read);
        }

        #[test]
        fn what_was_written_as_a_lighthouse_list_is_read_back(run in any_run(BOTH)) {
            match read(lighthouse(&run).as_bytes()) {
                Ok(read) => {
                    prop_assert_eq!(read.format, Format::LighthouseCsv);
                    prop_assert_eq!(read_facts(&read), written_facts(&run, Lacks::Dye));
                    prop_assert_eq!(read.plate_barcode, Some(run.plate_barcode));
                    prop_assert_eq!(read.run_ended, Some(run.run_ended));
                }
                Err(refusal) => prop_assert!(false, "{}", refusal),
            }
        }

        #[test]
        fn what_was_written_as_a_slan_table_is_read_back(run in any_run(SMALL)) {
            let read = read(&slan_96p(&run)).unwrap();
            prop_assert_eq!(read.format, Format::Mapping);
            prop_assert_eq!(read_facts(&read), written_facts(&run, Lacks::Nothing));
            let wells: Vec<_> = run.wells.iter().map(|one| one.task.as_str()).collect();
            prop_assert_eq!(tasks(&read), wells);
        }

        #[test]
        fn what_was_written_for_the_other_mappings_is_read_back(run in any_run(SMALL)) {
            for (text, lacks) in [
                (ma_6000(&run), Lacks::Nothing),
                (aria_mx(&run), Lacks::Nothing),
                (qiaquant(&run), Lacks::Dye),
            ] {
                let read = read(text.as_bytes()).unwrap();
                prop_assert_eq!(read.format, Format::Mapping);
                prop_assert_eq!(read_facts(&read), written_facts(&run, lacks));
                let wells: Vec<_> = run.wells.iter().map(|one| one.task.as_str()).collect();
                prop_assert_eq!(tasks(&read), wells);
            }
        }

        #[test]
        fn what_was_written_as_rotor_files_is_read_back(run in any_run(SMALL)) {
            let files = rotor_gene(&run);
            let read = of_parts(&files);
            prop_assert_eq!(read_facts(&read), written_facts(&run, Lacks::Target));
            prop_assert_eq!(&read.serial, &Some(run.serial));
            prop_assert_eq!(of_parts(&reverse(files)), read);
        }

        #[test]
        fn a_changed_or_cut_file_never_panics(
            run in any_run(SMALL),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            length in any::<prop::sample::Index>(),
        ) {
            let texts = [lighthouse(&run), ma_6000(&run), qiaquant(&run), aria_mx(&run)];
            let files = texts.into_iter().chain(lightcycler_480(&run)).chain(rotor_gene(&run));
            for mut bytes in files.map(String::into_bytes).chain([slan_96p(&run)]) {
                for (at, byte) in &changes {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                bytes.truncate(length.index(bytes.len()));
                let _ = read(&bytes);
            }
        }
    }
}
