//! A mapping's TOML: every fault with its file and line.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mapping::{Definition, Mapping};
use super::mapping_rules::faults;

/// Longest file of a mapping, in bytes.
pub(super) const MAX_BYTES: u64 = 64 << 10;

/// One reason why a mapping is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct MappingFault {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to do next.
    pub message: String,
}

/// What may stand behind a key.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
    Words,
    OneOf(&'static [&'static str]),
}

use Kind::{Flag, Number, OneOf, Text, Words};

/// Every key there is; `*` stands for any name.
const KEYS: [(&str, Kind); 36] = [
    ("name", Text),
    ("instrument", Text),
    ("proven", Flag),
    ("proven_on", Text),
    ("plate", Number),
    ("file.encoding", OneOf(&["auto", "utf-8", "windows-1252", "gb18030", "utf-16"])),
    ("file.separator", OneOf(&["auto", "tab", "comma", "semicolon"])),
    ("file.decimal_mark", OneOf(&["auto", "point", "comma"])),
    ("file.sheets", Words),
    ("file.one_file_per", OneOf(&["dye", "target"])),
    ("header.within", Number),
    ("header.needs", Words),
    ("header.says", Words),
    ("columns.well", Words),
    ("columns.sample", Words),
    ("columns.target", Words),
    ("columns.dye", Words),
    ("columns.task", Words),
    ("columns.ct", Words),
    ("columns.amp_status", Words),
    ("columns.call", Words),
    ("columns.omitted", Words),
    ("wells.numbers", OneOf(&["by_row", "by_column"])),
    ("words.no_ct", Words),
    ("words.omitted", Words),
    ("words.kept", Words),
    ("words.unused", Words),
    ("words.ignore", Words),
    ("above.title", Words),
    ("above.plate", Words),
    ("above.serial", Words),
    ("above.ended", Words),
    ("above.dye", Words),
    ("above.target", Words),
    ("fixed.dye", Text),
    ("fixed.target", Text),
];
/// Tables whose keys are words of the laboratory's own.
const OWN_KEYS: [&str; 2] = ["tasks", "dyes"];
/// Keys without which there is no mapping.
const NEEDED: [&str; 7] =
    ["name", "instrument", "proven", "proven_on", "header", "columns.well", "columns.ct"];

impl Mapping {
    /// Reads a mapping from the text of `file`; returns every fault with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<MappingFault>> {
        let mut walk = Walk { text, faults: Vec::new(), lines: BTreeMap::new() };
        let (table, broken) = DeTable::parse_recoverable(text);
        for error in broken {
            let at = error.span().map_or(0, |span| span.start);
            walk.fault(at, format!("{}; correct the TOML", error.message()));
        }
        if walk.faults.is_empty() {
            walk.table("", table.get_ref());
        }
        if walk.faults.is_empty() {
            walk.needed();
        }
        if !walk.faults.is_empty() {
            return Err(walk.told(file));
        }
        let definition = match toml::from_str::<Definition>(text) {
            Ok(definition) => definition,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                walk.fault(at, error.message().to_owned());
                return Err(walk.told(file));
            }
        };
        for (key, message) in faults(&definition) {
            let line = walk.line_of(&key);
            walk.faults.push((line, message));
        }
        if walk.faults.is_empty() {
            let sha256 = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
            return Ok(Self::checked(definition, sha256));
        }
        Err(walk.told(file))
    }
}

/// A walk over the keys of a file, with the line of each.
struct Walk<'t> {
    text: &'t str,
    faults: Vec<(usize, String)>,
    lines: BTreeMap<String, usize>,
}

impl Walk<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
    }

    fn fault(&mut self, at: usize, message: String) {
        self.faults.push((self.line(at), message));
    }

    /// The line of a key, or of the table it would stand in, or the first.
    fn line_of(&self, key: &str) -> usize {
        let table = key.split_once('.').map_or("", |(table, _)| table);
        self.lines.get(key).or_else(|| self.lines.get(table)).copied().unwrap_or(1)
    }

    fn told(mut self, file: &str) -> Vec<MappingFault> {
        self.faults.sort();
        let told = |(line, message)| MappingFault { file: file.to_owned(), line, message };
        self.faults.into_iter().map(told).collect()
    }

    /// Tells of every key without which there is no mapping.
    fn needed(&mut self) {
        for key in NEEDED {
            if !self.lines.contains_key(key) {
                self.fault(0, format!("`{key}` is missing; add it"));
            }
        }
    }

    fn table(&mut self, above: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let path = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
            self.lines.insert(path.clone(), self.line(key.span().start));
            self.value(above, &path, value);
        }
    }

    fn value(&mut self, above: &str, path: &str, value: &Spanned<DeValue<'_>>) {
        let is_table = above.is_empty()
            && (OWN_KEYS.contains(&path)
                || KEYS.iter().any(|(key, _)| {
                    key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
                }));
        let kind = if OWN_KEYS.contains(&above) {
            Some(Words)
        } else {
            KEYS.iter().find(|(key, _)| *key == path).map(|(_, kind)| *kind)
        };
        let at = value.span().start;
        match (kind, value.get_ref()) {
            (None, DeValue::Table(table)) if is_table => self.table(path, table),
            (None, _) if is_table => {
                self.fault(at, format!("`{path}` is a table; write `[{path}]` and its keys"));
            }
            (None, _) => self.fault(at, format!("there is no key `{path}`; remove it")),
            (Some(kind), value) => {
                if let Some(wanted) = mismatch(kind, value) {
                    self.fault(at, format!("`{path}` must be {wanted}"));
                }
            }
        }
    }
}

/// What the value should have been, when it is not.
fn mismatch(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    let is_right = match kind {
        Text => value.is_str(),
        Flag => value.is_bool(),
        Number => value.is_integer(),
        Words => value.as_array().is_some_and(|list| list.iter().all(|one| one.get_ref().is_str())),
        OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
    };
    let wanted = match kind {
        Text => "a text in quotes".to_owned(),
        Flag => "true or false".to_owned(),
        Number => "a number".to_owned(),
        Words => "a list of texts in quotes".to_owned(),
        OneOf(words) => format!("one of {}", words.join(", ")),
    };
    (!is_right).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "name = \"own\"\ninstrument = \"Own\"\nproven = true\n\
        proven_on = \"forty runs\"\n[header]\nneeds = [\"Well\"]\n[columns]\nwell = [\"Well\"]\n\
        ct = [\"Ct\"]\ndye = [\"Dye\"]\n";

    fn faults_of(text: &str) -> Vec<String> {
        let faults = Mapping::parse("own.toml", text).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_mapping_is_read_with_its_digest() {
        let mapping = Mapping::parse("own.toml", SOUND).unwrap();
        assert_eq!((mapping.name.as_str(), mapping.header.within), ("own", 60));
        assert_eq!(mapping.sha256().len(), 64);
    }

    #[test]
    fn every_wrong_key_and_value_is_told_with_its_line() {
        let text = format!(
            "{SOUND}colour = [\"x\"]\nsample = \"Name\"\n[file]\nencoding = \"latin\"\n\
            [words]\nno_ct = [1]\n[tasks]\nNTC = \"water\"\n[extra]\na = 1\n"
        );
        assert_eq!(
            faults_of(&text),
            [
                "own.toml:11: there is no key `columns.colour`; remove it",
                "own.toml:12: `columns.sample` must be a list of texts in quotes",
                "own.toml:14: `file.encoding` must be one of auto, utf-8, windows-1252, gb18030, \
                 utf-16",
                "own.toml:16: `words.no_ct` must be a list of texts in quotes",
                "own.toml:18: `tasks.NTC` must be a list of texts in quotes",
                "own.toml:19: there is no key `extra`; remove it",
            ]
        );
        let kinds = SOUND.replace("true", "\"yes\"").replace("\"Own\"", "1");
        let kinds = format!("plate = \"96\"\nwords = 1\n{kinds}");
        assert_eq!(
            faults_of(&kinds),
            [
                "own.toml:1: `plate` must be a number",
                "own.toml:2: `words` is a table; write `[words]` and its keys",
                "own.toml:4: `instrument` must be a text in quotes",
                "own.toml:5: `proven` must be true or false",
            ]
        );
    }

    #[test]
    fn broken_toml_and_missing_keys_are_told() {
        let broken = faults_of(&SOUND.replace("[columns]", "[columns"));
        assert!(broken[0].starts_with("own.toml:7: "), "{broken:?}");
        assert_eq!(faults_of("").len(), NEEDED.len());
        let huge = faults_of(&SOUND.replace("needs", "within = 99999999999999999999\nneeds"));
        assert!(huge[0].starts_with("own.toml:6: "), "{huge:?}");
    }
}
