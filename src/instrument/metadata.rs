//! The lines above the table: which instrument, which plate, when.

use super::table::{Row, heading};
use crate::error::Reason;
use crate::plate::PlateSize;

/// Key and value lines of one file, keys compared without case and doubled blanks.
#[derive(Debug, Default, Clone)]
pub(super) struct Metadata(Vec<(String, String)>);

/// How an instrument writes that it has nothing to say.
const NOTHING: [&str; 4] = ["", "na", "n/a", "null"];

impl Metadata {
    /// From lines such as `* Block Type = 96-Well Block` or `# Block Type: 96-Well Block`.
    pub fn from_lines<'a>(lines: impl Iterator<Item = &'a str>, separator: char) -> Self {
        Self(lines.filter_map(|line| line.split_once(separator)).map(pair).collect())
    }

    /// From the first two cells of the rows above a sheet's table.
    pub fn from_rows(rows: &[Row]) -> Self {
        Self(rows.iter().map(|row| pair((row.cell(0), row.cell(1)))).collect())
    }

    /// The value of the first of these keys that has one.
    pub fn value(&self, keys: &[&str]) -> Option<&str> {
        let of = |key: &&str| self.0.iter().find(|(name, value)| name == key && is_said(value));
        keys.iter().find_map(of).map(|(_, value)| value.as_str())
    }

    /// Whether some key starts like that, with or without a value.
    pub fn has_key_starting(&self, start: &str) -> bool {
        self.0.iter().any(|(key, _)| key.starts_with(start))
    }

    /// The instrument's type.
    pub fn instrument(&self) -> Option<String> {
        self.value(&["instrument type"]).map(str::to_owned)
    }

    /// The instrument's serial number.
    pub fn serial(&self) -> Option<String> {
        self.value(&["instrument serial number"]).map(str::to_owned)
    }

    /// The plate's barcode.
    pub fn plate_barcode(&self) -> Option<String> {
        self.value(&["plate barcode", "experiment barcode", "barcode"]).map(str::to_owned)
    }

    /// End of the run. `Data/Time` is a misspelling of Design & Analysis.
    pub fn run_ended(&self) -> Option<String> {
        const KEYS: [&str; 7] = [
            "experiment run end time",
            "plate run end date/time",
            "run end date/time",
            "run end data/time",
            "run end time",
            "experiment run stop time",
            "run stop time",
        ];
        self.value(&KEYS).map(str::to_owned)
    }

    /// The plate size the block type names, such as `Fast 96-Well Block (0.1mL)` or `96alum`.
    pub fn plate_size(&self) -> Option<PlateSize> {
        let block = self.value(&["block type"])?;
        let numbers = block.split(|c: char| !c.is_ascii_digit());
        numbers.filter_map(|number| number.parse().ok()).find_map(PlateSize::from_wells)
    }

    /// What a person should know: an unknown block, calibrations that have run out, the
    /// software's own warning.
    pub fn warnings(&self) -> Vec<Reason> {
        let mut warnings = Vec::new();
        if self.value(&["block type"]).is_some() && self.plate_size().is_none() {
            let message = "the block type names no plate size; it was taken from the wells";
            warnings.push(Reason::new("file.block", "block type", message));
        }
        let expired: Vec<&str> = self
            .0
            .iter()
            .filter(|(_, value)| value.eq_ignore_ascii_case("yes"))
            .filter_map(|(key, _)| key.strip_prefix("calibration ")?.strip_suffix(" is expired"))
            .map(|dye| dye.trim_start_matches("pure dye "))
            .collect();
        if !expired.is_empty() {
            let dyes = expired.join(", ");
            let message = format!("calibration expired: {dyes}");
            warnings.push(Reason::new("file.calibration", dyes, message));
        }
        // What it warns of is not repeated: nobody knows who wrote it (R29).
        if self.value(&["warning"]).is_some() {
            let message = "the file itself carries a warning; read it there";
            warnings.push(Reason::new("file.warning", "warning", message));
        }
        warnings
    }
}

fn pair((key, value): (&str, &str)) -> (String, String) {
    let words: Vec<&str> = key.split_whitespace().collect();
    (heading(&words.join(" ")), value.trim().to_owned())
}

fn is_said(value: &str) -> bool {
    !NOTHING.contains(&value.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(lines: &[&str]) -> Metadata {
        Metadata::from_lines(lines.iter().copied(), '=')
    }

    #[test]
    fn block_types_in_every_seen_spelling_give_the_plate_size() {
        for (block, size) in [
            ("96-Well Block (0.2mL)", Some(PlateSize::P96)),
            ("96-Well 0.2-mL Block", Some(PlateSize::P96)),
            ("Fast 96-Well Block (0.1mL)", Some(PlateSize::P96)),
            ("96alum", Some(PlateSize::P96)),
            ("384-Well Block", Some(PlateSize::P384)),
            ("48-Well Block", None),
            ("", None),
        ] {
            let metadata = metadata(&[&format!("Block Type = {block}")]);
            assert_eq!(metadata.plate_size(), size, "{block}");
            assert_eq!(metadata.warnings().len(), usize::from(block.starts_with("48")));
        }
    }

    #[test]
    fn nothing_said_is_none_and_blanks_are_taken_off() {
        let metadata = metadata(&[
            "Instrument Serial Number = null",
            "Instrument  Type =    QuantStudio 3  ",
            "Experiment Barcode = NA",
            "Experiment Run Stop Time = 03-10-2024 10:45:00 AM EST",
        ]);
        assert_eq!(metadata.serial(), None);
        assert_eq!(metadata.plate_barcode(), None);
        assert_eq!(metadata.instrument().as_deref(), Some("QuantStudio 3"));
        assert_eq!(metadata.run_ended().as_deref(), Some("03-10-2024 10:45:00 AM EST"));
    }

    #[test]
    fn expired_calibrations_are_named_in_one_warning() {
        let metadata = metadata(&[
            "Calibration Background is expired  = Yes",
            "Calibration Pure Dye FAM is expired = Yes",
            "Calibration Pure Dye VIC is expired = No",
        ]);
        let [warning] = metadata.warnings().try_into().expect("one is given");
        assert_eq!(warning.message, "calibration expired: background, fam");
    }
}
