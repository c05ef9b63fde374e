//! A mapping: how to read the files of a cycler without a built-in format, as data.
//!
//! Where the header is found, which headings in which language mean which fact, which words mean
//! "no Ct". A mapping that was never tried on a real file says so, and so does every run read by it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::plate::PlateSize;

/// A checked mapping; made by [`Mapping::parse`] alone. Reads as its definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    definition: Definition,
    sha256: String,
}

/// A mapping as its file states it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name, for `?mapping=`; lower-case letters, digits and hyphens.
    pub name: String,
    /// The instrument as people know it.
    pub instrument: String,
    /// Whether it has read real files of that instrument.
    pub proven: bool,
    /// On which files, or where the headings were taken from.
    pub proven_on: String,
    /// Wells of the block, where there is only one kind.
    #[serde(default)]
    pub plate: Option<u16>,
    /// Text and sheets.
    #[serde(default)]
    pub file: FileShape,
    /// How the header is found.
    pub header: Header,
    /// Headings of each fact, the preferred one first.
    pub columns: BTreeMap<Fact, Vec<String>>,
    /// How wells are written.
    #[serde(default)]
    pub wells: Wells,
    /// Words in cells.
    #[serde(default)]
    pub words: Words,
    /// Words of the task column for each role.
    #[serde(default)]
    pub tasks: BTreeMap<String, Vec<String>>,
    /// Names of the channel for each dye.
    #[serde(default)]
    pub dyes: BTreeMap<String, Vec<String>>,
    /// Keys of facts about the whole run, looked for above the header.
    #[serde(default)]
    pub above: BTreeMap<Above, Vec<String>>,
    /// What holds for every row of a file.
    #[serde(default)]
    pub fixed: Fixed,
}

/// How the bytes become rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileShape {
    /// Encoding of a text.
    pub encoding: TextEncoding,
    /// What stands between the cells of a text.
    pub separator: Separator,
    /// What stands between whole cycles and their fraction.
    pub decimal_mark: Mark,
    /// A part of the sheet's name, any of these; every sheet is looked at when empty.
    pub sheets: Vec<String>,
    /// Set where a run is made of several files.
    pub one_file_per: Option<OneFilePer>,
}

/// Encoding of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextEncoding {
    /// By byte order mark, else UTF-8, else GB 18030 where that gives Chinese, else Windows-1252.
    #[default]
    Auto,
    /// UTF-8.
    #[serde(rename = "utf-8")]
    Utf8,
    /// Windows-1252.
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// GB 18030, which holds GBK and GB 2312.
    Gb18030,
    /// UTF-16, little-endian where no byte order mark says otherwise.
    #[serde(rename = "utf-16")]
    Utf16,
}

/// What stands between the cells of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Separator {
    /// Whichever gives a header.
    #[default]
    Auto,
    /// A tab.
    Tab,
    /// A comma.
    Comma,
    /// A semicolon.
    Semicolon,
}

/// What stands between whole cycles and their fraction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A point; in files not separated by commas a comma as well.
    #[default]
    Auto,
    /// A point.
    Point,
    /// A comma.
    Comma,
}

/// What the instrument writes a file of its own for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OneFilePer {
    /// Each dye.
    Dye,
    /// Each target.
    Target,
}

/// How the header is found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// In how many first rows.
    #[serde(default = "usual_depth")]
    pub within: usize,
    /// Headings that must all be there.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Texts that must stand somewhere above it.
    #[serde(default)]
    pub says: Vec<String>,
}

fn usual_depth() -> usize {
    60
}

/// A fact of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Which well.
    Well,
    /// Name typed for it.
    Sample,
    /// Target name.
    Target,
    /// Dye or channel.
    Dye,
    /// Role of the well.
    Task,
    /// Cycle threshold.
    Ct,
    /// Amplification status.
    AmpStatus,
    /// The instrument's call.
    Call,
    /// Taken out of the analysis.
    Omitted,
}

impl Fact {
    /// The heading of this fact in a results table.
    pub(super) const fn heading(self) -> &'static str {
        match self {
            Self::Well => "well position",
            Self::Sample => "sample name",
            Self::Target => "target name",
            Self::Dye => "reporter",
            Self::Task => "task",
            Self::Ct => "ct",
            Self::AmpStatus => "amp status",
            Self::Call => "call",
            Self::Omitted => "omit",
        }
    }
}

/// A fact about the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Above {
    /// Title of the experiment.
    Title,
    /// Barcode of the plate.
    Plate,
    /// Serial number.
    Serial,
    /// End of the run.
    Ended,
    /// Dye or channel of the whole file.
    Dye,
    /// Target of the whole file.
    Target,
}

/// How wells are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wells {
    /// Set where positions are numbered from 1 instead of named.
    pub numbers: Option<Numbers>,
}

/// In which order numbered positions lie on the plate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// 1 = A1, 2 = A2.
    ByRow,
    /// 1 = A1, 2 = B1.
    ByColumn,
}

/// Words in cells, compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    /// "No Ct", besides the usual spellings.
    pub no_ct: Vec<String>,
    /// Of the column `omitted`: taken out.
    pub omitted: Vec<String>,
    /// Of the column `omitted`: left in.
    pub kept: Vec<String>,
    /// Of the column `task`: nothing was in the well.
    pub unused: Vec<String>,
    /// Beginnings of rows that are no readings.
    pub ignore: Vec<String>,
}

/// What holds for every row of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fixed {
    /// The dye.
    pub dye: String,
    /// The target.
    pub target: String,
}

impl Mapping {
    /// A definition in which no fault was found, and the digest of the file it came from.
    pub(super) fn checked(definition: Definition, sha256: String) -> Self {
        Self { definition, sha256 }
    }

    /// SHA-256 of its file, so that a run tells by which version of a mapping it was read.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Size of the block, where there is only one kind.
    pub(super) fn plate_size(&self) -> Option<PlateSize> {
        self.plate.and_then(PlateSize::from_wells)
    }

    /// The dye that a name in the file means: itself, or the one whose words it is among. Of
    /// `Cycling A.Green` the part after the last point counts, too.
    pub(super) fn dye(&self, name: &str) -> String {
        let last = name.rsplit_once('.').map_or(name, |(_, last)| last);
        let known = |words: &Vec<String>| {
            words.iter().any(|word| plain(word) == plain(name) || plain(word) == plain(last))
        };
        let found = self.dyes.iter().find(|(_, words)| known(words));
        found.map_or_else(|| name.trim().to_owned(), |(dye, _)| dye.clone())
    }

    /// The role that a word of the task column means.
    pub(super) fn task(&self, word: &str) -> String {
        let known = |words: &Vec<String>| words.iter().any(|known| plain(known) == plain(word));
        let found = self.tasks.iter().find(|(_, words)| known(words));
        found.map_or_else(|| word.to_owned(), |(task, _)| task.clone())
    }
}

impl std::ops::Deref for Mapping {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        &self.definition
    }
}

/// A heading or word as we compare it: lower case, single blanks, half-width, the signs that look
/// alike made one: Cyrillic те (U+0442) as `t`, the increment (U+2206) as the Greek delta.
pub(super) fn plain(cell: &str) -> String {
    let half = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        other => other,
    };
    let folded = |c: char| match c {
        '\u{442}' => 't',
        '\u{2206}' => '\u{3b4}',
        other => other,
    };
    // Most are, and each mapping compares the whole head of a text that it may know.
    let text = if cell.is_ascii() {
        cell.to_ascii_lowercase()
    } else {
        cell.chars().map(half).flat_map(char::to_lowercase).map(folded).collect()
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::Mappings;

    #[test]
    fn headings_that_look_alike_are_one() {
        for (a, b) in [
            ("Cq (∆Rn)", " cq  (ΔRn) "),
            ("ＣＴ（Ｃｔ）", "ct(ct)"),
            ("C\u{442}", "CT"),
            ("反应孔", "\u{3000}反应孔"),
        ] {
            assert_eq!(plain(a), plain(b));
        }
        assert_ne!(plain("Ct"), plain("Cq"));
    }

    #[test]
    fn channels_and_tasks_are_known_by_any_of_their_words() {
        let mapping = Mappings::shipped().get("rotor-gene").unwrap();
        assert_eq!(mapping.dye("Cycling A.Green"), "FAM");
        assert_eq!(mapping.dye(" green "), "FAM");
        assert_eq!(mapping.dye("Infrared"), "Infrared");
        assert_eq!(mapping.task("Unknown"), "UNKNOWN");
        assert_eq!(mapping.task("Gene of Interest"), "Gene of Interest");
    }
}
