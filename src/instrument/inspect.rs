//! What is in a run file, counted: for `swabline inspect` and for a look before an upload.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::{Format, RunFile};

/// The counts of one run file; holds no sample name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Format found.
    pub format: Format,
    /// Wells of the plate, 96 or 384.
    pub plate_wells: Option<u16>,
    /// Readings, one for each well and target.
    pub rows: usize,
    /// Different wells among them.
    pub wells: usize,
    /// Different sample names among them, the empty one included.
    pub samples: usize,
    /// Counts by target and dye, in file order.
    pub targets: Vec<TargetCount>,
    /// The instrument's type.
    pub instrument: Option<String>,
    /// The instrument's serial number.
    pub serial: Option<String>,
    /// End of the run as the file writes it.
    pub run_ended: Option<String>,
    /// What a person should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Readings of one target in one dye.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetCount {
    /// Target name as typed; empty where the dye is the key.
    pub name: String,
    /// Reporter dye; empty where the file names none.
    pub dye: String,
    /// Readings with a Ct.
    pub with_ct: usize,
    /// Readings without one.
    pub without_ct: usize,
}

impl Inspection {
    /// Counts a run file.
    pub fn of(run: &RunFile) -> Self {
        let mut targets: Vec<TargetCount> = Vec::new();
        for reading in &run.readings {
            let same =
                |count: &&mut TargetCount| count.name == reading.target && count.dye == reading.dye;
            let (with_ct, without_ct) = if reading.ct.is_some() { (1, 0) } else { (0, 1) };
            if let Some(count) = targets.iter_mut().find(same) {
                count.with_ct += with_ct;
                count.without_ct += without_ct;
            } else {
                let (name, dye) = (reading.target.clone(), reading.dye.clone());
                targets.push(TargetCount { name, dye, with_ct, without_ct });
            }
        }
        let wells: HashSet<_> = run.readings.iter().map(|reading| reading.well).collect();
        let samples: HashSet<_> = run.readings.iter().map(|reading| &reading.sample).collect();
        Self {
            format: run.format,
            plate_wells: run.plate_size.map(crate::plate::PlateSize::wells),
            rows: run.readings.len(),
            wells: wells.len(),
            samples: samples.len(),
            targets,
            instrument: run.instrument.clone(),
            serial: run.serial.clone(),
            run_ended: run.run_ended.clone(),
            warnings: run.warned().into_iter().map(str::to_owned).collect(),
        }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "not stated".into());
        writeln!(f, "format       {}", self.format)?;
        let plate = self.plate_wells.map(|wells| format!("{wells} wells"));
        writeln!(f, "plate        {}", said(&plate))?;
        writeln!(f, "instrument   {}", said(&self.instrument))?;
        writeln!(f, "serial       {}", said(&self.serial))?;
        writeln!(f, "run ended    {}", said(&self.run_ended))?;
        let Self { rows, wells, samples, .. } = self;
        writeln!(f, "readings     {rows} in {wells} wells, {samples} sample names")?;
        for TargetCount { name, dye, with_ct, without_ct } in &self.targets {
            let name = if name.is_empty() { "(no target)" } else { name };
            let dye = if dye.is_empty() { String::new() } else { format!(" ({dye})") };
            writeln!(f, "  {name}{dye}: {with_ct} with Ct, {without_ct} without")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning      {warning}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::read;

    #[test]
    fn one_target_in_two_dyes_is_counted_apart() {
        let csv = ",Well,Fluor,Target,Content,Sample,Cq\n,A01,FAM,N,Unkn,T1,30\n\
                   ,A01,HEX,N,Unkn,T1,NaN\n,A02,FAM,N,Unkn,,NaN\n";
        let inspection = Inspection::of(&read(csv.as_bytes()).unwrap());
        assert_eq!((inspection.rows, inspection.wells, inspection.samples), (3, 2, 2));
        let counts: Vec<_> = inspection
            .targets
            .iter()
            .map(|count| (count.dye.as_str(), count.with_ct, count.without_ct))
            .collect();
        assert_eq!(counts, [("FAM", 1, 1), ("HEX", 0, 1)]);
        let text = inspection.to_string();
        assert!(text.contains("N (FAM): 1 with Ct, 1 without"), "{text}");
        assert!(!text.contains("T1"), "sample names stay out of it");
    }
}
