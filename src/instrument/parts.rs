//! A run made of several files: one for each filter or channel, merged by well position.
//!
//! Files that do not belong together give a plate of invented results, so everything they have
//! in common must agree, and every disagreement is told at once.

use std::collections::{BTreeMap, BTreeSet};

use super::results::named;
use super::{Format, Mapping, Mappings, Refusal, RunFile, read_part};
use crate::error::Reason;
use crate::plate::WellPosition;

/// Most files one run is made of; no instrument has more channels than six.
pub const MAX_PARTS: usize = 8;

/// What one file holds: a whole run, or one channel of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What was read from it.
    pub run: RunFile,
    /// Which channel of which experiment, where the instrument writes a file for each.
    pub of: Option<Channel>,
}

/// One channel of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel {
    /// The experiment's title as typed; empty where the file has none.
    pub title: String,
    /// The filter or channel as the file names it.
    pub name: String,
}

/// One reason why several files are not one run; names parts by their place, from 1.
///
/// No message repeats a sample name, a title or a barcode: nobody knows what was typed there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartFault {
    /// No file at all.
    #[error("there is no file; send the file of each channel")]
    None,
    /// More files than channels.
    #[error("a run is made of at most {MAX_PARTS} files; send one for each channel")]
    TooMany,
    /// A part cannot be read; of a single file nothing but the refusal is said.
    #[error("{}{refusal}", of_several(*.part))]
    Unreadable {
        /// Which part; none when there is only one.
        part: Option<usize>,
        /// Why not.
        refusal: Refusal,
    },
    /// The same content came twice.
    #[error("parts {first} and {part} are the same file; send the file of each channel once")]
    Twice {
        /// Which part.
        part: usize,
        /// The one before it.
        first: usize,
    },
    /// A file that is complete without others.
    #[error("part {part} ({format}) is a whole run by itself; send it alone")]
    Whole {
        /// Which part.
        part: usize,
        /// Its format.
        format: Format,
    },
    /// Files of different makers.
    #[error("part {part} is {format} and part 1 is not; send the files of one instrument")]
    OtherFormat {
        /// Which part.
        part: usize,
        /// Its format.
        format: Format,
    },
    /// Plates of different size.
    #[error("part {part} is of a plate of another size than part 1; send the files of one plate")]
    OtherSize {
        /// Which part.
        part: usize,
    },
    /// Wells that only one of two parts has.
    #[error(
        "parts 1 and {part} do not have the same wells: only one has {wells}; export all channels \
         with the same wells"
    )]
    OtherWells {
        /// Which part.
        part: usize,
        /// The first of the wells.
        wells: String,
    },
    /// Wells whose sample name differs.
    #[error(
        "parts 1 and {part} have other sample names in {wells}; send the files of one plate and \
         export them after the last change"
    )]
    OtherNames {
        /// Which part.
        part: usize,
        /// The first of the wells.
        wells: String,
    },
    /// A fact about the whole run that differs.
    #[error("part {part} has another {fact} than part 1; send the files of one run")]
    OtherOrigin {
        /// Which part.
        part: usize,
        /// What differs.
        fact: &'static str,
    },
    /// Two files of one channel.
    #[error("parts {first} and {part} are of the same channel; send one file for each")]
    SameChannel {
        /// Which part.
        part: usize,
        /// The one before it.
        first: usize,
    },
}

fn of_several(part: Option<usize>) -> String {
    part.map_or_else(String::new, |part| format!("part {part}: "))
}

/// Reads the files of one run, in any order, and merges them; a single file is a run by itself.
///
/// `named` is the mapping the uploader chose. Returns every reason against it.
pub fn read_run(
    files: &[&[u8]],
    mappings: &Mappings,
    named: Option<&Mapping>,
) -> Result<RunFile, Vec<PartFault>> {
    if files.len() > MAX_PARTS {
        return Err(vec![PartFault::TooMany]);
    }
    let mut faults = twice(files);
    let mut parts = Vec::new();
    for (number, bytes) in (1..).zip(files) {
        match read_part(bytes, mappings, named) {
            Ok(part) => parts.push((number, part)),
            Err(refusal) => {
                let part = (files.len() > 1).then_some(number);
                faults.push(PartFault::Unreadable { part, refusal });
            }
        }
    }
    faults.extend(mismatches(&parts));
    if !faults.is_empty() {
        return Err(faults);
    }
    merge(parts.into_iter().map(|(_, part)| part).collect()).ok_or_else(|| vec![PartFault::None])
}

fn twice(files: &[&[u8]]) -> Vec<PartFault> {
    let mut seen = BTreeMap::new();
    let mut faults = Vec::new();
    for (part, bytes) in (1..).zip(files) {
        match seen.get(bytes) {
            Some(first) => faults.push(PartFault::Twice { part, first: *first }),
            None => drop(seen.insert(bytes, part)),
        }
    }
    faults
}

/// Everything in which parts of several disagree with the first of them.
fn mismatches(parts: &[(usize, Part)]) -> Vec<PartFault> {
    let Some(((_, first), others)) = parts.split_first().filter(|(_, rest)| !rest.is_empty())
    else {
        return Vec::new();
    };
    let whole = parts.iter().filter(|(_, part)| part.of.is_none());
    let mut faults: Vec<_> = whole
        .map(|(part, whole)| PartFault::Whole { part: *part, format: whole.run.format })
        .collect();
    let mut channels: BTreeMap<String, usize> = BTreeMap::new();
    for (part, other) in parts {
        let Some(of) = &other.of else { continue };
        match channels.get(&of.name.to_lowercase()) {
            Some(first) => faults.push(PartFault::SameChannel { part: *part, first: *first }),
            None => drop(channels.insert(of.name.to_lowercase(), *part)),
        }
    }
    for (part, other) in others {
        faults.extend(disagreements(*part, first, other));
    }
    faults
}

fn disagreements(part: usize, first: &Part, other: &Part) -> Vec<PartFault> {
    let (a, b) = (&first.run, &other.run);
    let mut faults = Vec::new();
    if a.format != b.format {
        faults.push(PartFault::OtherFormat { part, format: b.format });
    }
    if a.plate_size != b.plate_size {
        faults.push(PartFault::OtherSize { part });
    }
    let title = |part: &Part| part.of.as_ref().map(|of| of.title.clone());
    for (fact, differs) in [
        ("experiment", title(first) != title(other)),
        ("plate barcode", a.plate_barcode != b.plate_barcode),
        ("instrument", a.instrument != b.instrument),
        ("serial number", a.serial != b.serial),
    ] {
        if differs {
            faults.push(PartFault::OtherOrigin { part, fact });
        }
    }
    let (names, others) = (names(a), names(b));
    let wells = |names: &BTreeMap<WellPosition, &str>| names.keys().copied().collect();
    let (here, there): (BTreeSet<_>, BTreeSet<_>) = (wells(&names), wells(&others));
    if let Some(wells) = named(here.symmetric_difference(&there).copied()) {
        faults.push(PartFault::OtherWells { part, wells });
    }
    let differing = names
        .iter()
        .filter(|(well, name)| others.get(*well).is_some_and(|other| other.trim() != name.trim()));
    if let Some(wells) = super::results::named(differing.map(|(well, _)| *well)) {
        faults.push(PartFault::OtherNames { part, wells });
    }
    faults
}

fn names(run: &RunFile) -> BTreeMap<WellPosition, &str> {
    run.readings.iter().map(|reading| (reading.well, reading.sample.as_str())).collect()
}

/// One run of parts that agree, the same in whatever order they come.
fn merge(mut parts: Vec<Part>) -> Option<RunFile> {
    parts.sort_by(|a, b| a.of.cmp(&b.of));
    let channels: Vec<String> =
        parts.iter().filter_map(|part| Some(part.of.as_ref()?.name.clone())).collect();
    let mut parts = parts.into_iter().map(|part| part.run);
    let mut run = parts.next()?;
    let order: BTreeMap<_, _> = run
        .readings
        .iter()
        .rev()
        .zip((0..run.readings.len()).rev())
        .map(|(r, n)| (r.well, n))
        .collect();
    for other in parts {
        run.readings.extend(other.readings);
        run.curves.extend(other.curves);
        run.run_ended = run.run_ended.max(other.run_ended);
        add_fresh(&mut run.detected_by, other.detected_by);
        add_fresh(&mut run.warnings, other.warnings);
    }
    if channels.len() > 1 {
        let (count, each) = (channels.len(), channels.join(", "));
        let message = format!("{count} files, one for each of {each}");
        run.detected_by.push(Reason::new("format.channels", each, message));
        run.readings.sort_by_key(|reading| order.get(&reading.well).copied());
    }
    Some(run)
}

/// Adds what is not there yet.
fn add_fresh<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Include\tColor\tPos\tName\tCp\tConcentration\tStandard\tStatus";

    fn lc480(title: &str, filter: &str, wells: &[(&str, &str, &str)]) -> String {
        let rows = wells
            .iter()
            .map(|(well, name, cp)| format!("True\t255\t{well}\t{name}\t{cp}\t\t0\t\r\n"));
        let rows: String = rows.collect();
        format!("Experiment: {title}  Selected Filter: {filter}\r\n{HEADER}\r\n{rows}")
    }

    const WELLS: [(&str, &str, &str); 2] = [("A1", "T1", "30.10"), ("A2", "NTC", "")];
    const CFX: &str = ",Well,Fluor,Target,Content,Sample,Cq\n,A01,FAM,N,Unkn,T1,30\n";

    fn of(files: &[&str]) -> Result<RunFile, Vec<String>> {
        let bytes: Vec<&[u8]> = files.iter().map(|file| file.as_bytes()).collect();
        read_run(&bytes, Mappings::shipped(), None)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    /// The faults of two files, and whether each part of a message is among them.
    fn faults(first: &str, second: &str, wanted: &[&str]) {
        let faults = of(&[first, second]).unwrap_err();
        assert_eq!(faults.len(), wanted.len(), "{faults:?}");
        for (fault, wanted) in faults.iter().zip(wanted) {
            assert!(fault.contains(wanted), "{faults:?}");
        }
    }

    #[test]
    fn filters_are_merged_by_well_in_whatever_order_they_come() {
        let fam = lc480("7", "FAM (465-510)", &WELLS);
        let hex = lc480("7", "VIC / HEX (533-580)", &[WELLS[1], WELLS[0]]);
        let run = of(&[&fam, &hex]).unwrap();
        assert_eq!(run, of(&[&hex, &fam]).unwrap());
        let read: Vec<_> =
            run.readings.iter().map(|r| (r.well.to_string(), r.dye.as_str())).collect();
        let wells = ["A1", "A1", "A2", "A2"].map(str::to_owned);
        let dyes = ["FAM", "VIC / HEX", "FAM", "VIC / HEX"];
        assert_eq!(read, wells.into_iter().zip(dyes).collect::<Vec<_>>());
        assert!(run.detected_by.iter().any(|why| why.message.starts_with("2 files, one for each")));
    }

    #[test]
    fn a_single_file_is_a_run_by_itself() {
        assert_eq!(of(&[CFX]).unwrap(), super::super::read(CFX.as_bytes()).unwrap());
        let refusal = of(&["%PDF"]).unwrap_err();
        assert!(refusal[0].starts_with("not a run file"), "{refusal:?}");
    }

    #[test]
    fn every_disagreement_is_told() {
        let fam = lc480("7", "FAM (465-510)", &WELLS);
        faults(&fam, &lc480("7", "fam (465-510)", &WELLS), &["the same channel"]);
        faults(&fam, &lc480("8", "VIC", &WELLS), &["another experiment"]);
        faults(&fam, &lc480("7", "VIC", &[("A1", "T2", ""), WELLS[1]]), &["names in A1;"]);
        faults(&fam, &lc480("7", "VIC", &WELLS[..1]), &["only one has A2"]);
        let big = lc480("7", "VIC", &[WELLS[0], WELLS[1], ("P24", "", "")]);
        faults(&fam, &big, &["another size", "only one has P24"]);
        faults(&fam, &fam, &["the same file", "the same channel"]);
        faults(&fam, "%PDF", &["part 2: not a run file"]);
        faults(CFX, &CFX.replace("30", "31"), &["part 1 (bio_rad_cfx) is a whole", "part 2"]);
        let cfx =
            ["part 2 (bio_rad_cfx) is a whole", "part 2 is bio_rad_cfx", "another experiment"];
        faults(&lc480("7", "FAM", &WELLS[..1]), CFX, &cfx);
        let many = lc480("8", "FAM (465-510)", &[("A1", "T2", ""), ("A3", "", "")]);
        let all = ["same channel", "another experiment", "only one has A2, A3", "names in A1"];
        faults(&fam, &many, &all);
    }

    #[test]
    fn no_file_and_too_many_files_are_refused() {
        assert_eq!(of(&[]).unwrap_err().len(), 1);
        let fam = lc480("7", "FAM", &WELLS);
        assert!(of(&[fam.as_str(); MAX_PARTS + 1]).unwrap_err()[0].contains("at most 8"));
    }
}
