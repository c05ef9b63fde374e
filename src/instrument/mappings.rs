//! The mappings in force: those that come with the program and a laboratory's own.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::LazyLock;

use super::mapping::Mapping;
use super::mapping_parse::{MAX_BYTES, MappingFault};

/// The mappings that come with the program.
const EMBEDDED: [(&str, &str); 5] = [
    ("agilent-ariamx.toml", include_str!("../../fixtures/mappings/agilent-ariamx.toml")),
    ("hongshi-slan-96p.toml", include_str!("../../fixtures/mappings/hongshi-slan-96p.toml")),
    ("ma-6000.toml", include_str!("../../fixtures/mappings/ma-6000.toml")),
    ("qiaquant.toml", include_str!("../../fixtures/mappings/qiaquant.toml")),
    ("rotor-gene.toml", include_str!("../../fixtures/mappings/rotor-gene.toml")),
];

static SHIPPED: LazyLock<Mappings> = LazyLock::new(|| {
    let parse = |(file, text): &(&str, &str)| {
        let mapping =
            Mapping::parse(file, text).expect("the shipped mappings are checked by a test");
        (mapping.name.clone(), mapping)
    };
    Mappings(EMBEDDED.iter().map(parse).collect())
});

/// Mappings by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Mappings(BTreeMap<String, Mapping>);

impl Mappings {
    /// Those that come with the program.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Those in force where `folder` holds a laboratory's own; none of its own where it is empty.
    pub fn of(folder: &Path) -> Result<Self, Vec<MappingFault>> {
        if folder.as_os_str().is_empty() {
            return Ok(Self::shipped().clone());
        }
        Self::with_folder(folder)
    }

    /// Those that come with the program and every `*.toml` of a folder. A mapping of the folder
    /// takes the place of a shipped one of its name; two of the folder may not share one.
    ///
    /// Returns every fault of every file.
    pub fn with_folder(folder: &Path) -> Result<Self, Vec<MappingFault>> {
        let mut mappings = Self::shipped().clone();
        let mut faults = Vec::new();
        let mut own: BTreeMap<String, String> = BTreeMap::new();
        for file in files(folder).map_err(|fault| vec![fault])? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let parsed = text(&file, &name)
                .map_err(|fault| vec![fault])
                .and_then(|text| Mapping::parse(&name, &text));
            match parsed {
                Err(more) => faults.extend(more),
                Ok(mapping) => {
                    if let Some(other) = own.insert(mapping.name.clone(), name.clone()) {
                        let message = format!("{other} has that name already; choose another");
                        faults.push(MappingFault { file: name, line: 1, message });
                    }
                    mappings.0.insert(mapping.name.clone(), mapping);
                }
            }
        }
        if faults.is_empty() { Ok(mappings) } else { Err(faults) }
    }

    /// The mapping of that name.
    pub fn get(&self, name: &str) -> Option<&Mapping> {
        self.0.get(name)
    }

    /// Every mapping, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Mapping> {
        self.0.values()
    }

    /// The names of all, for a message.
    pub fn names(&self) -> String {
        self.0.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}

/// The folder's mapping files in the order of their names.
fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, MappingFault> {
    let unreadable = |error: std::io::Error| MappingFault {
        file: folder.display().to_string(),
        line: 1,
        message: format!("the folder of mappings cannot be read: {error}; correct `mappings`"),
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn text(path: &Path, name: &str) -> Result<String, MappingFault> {
    let fault = |message: String| MappingFault { file: name.to_owned(), line: 1, message };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| fault(format!("the file cannot be read: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(fault(format!("a mapping has at most {MAX_BYTES} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "name = \"own\"\ninstrument = \"Own\"\nproven = true\n\
        proven_on = \"forty runs\"\n[header]\nneeds = [\"Well\"]\n[columns]\nwell = [\"Well\"]\n\
        ct = [\"Ct\"]\ndye = [\"Dye\"]\n";

    #[test]
    fn a_folder_adds_to_the_shipped_ones_and_replaces_by_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.toml"), OWN).unwrap();
        std::fs::write(folder.path().join("b.toml"), OWN.replace("\"own\"", "\"ma-6000\""))
            .unwrap();
        std::fs::write(folder.path().join("notes.txt"), "no mapping").unwrap();
        let mappings = Mappings::with_folder(folder.path()).unwrap();
        assert_eq!(mappings.iter().count(), EMBEDDED.len() + 1);
        assert!(mappings.get("ma-6000").unwrap().proven);
        assert!(mappings.names().contains("own"));
    }

    #[test]
    fn every_fault_of_every_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("a.toml", OWN.to_owned()),
            ("b.toml", OWN.to_owned()),
            ("c.toml", "proven = 1".to_owned()),
            ("d.toml", " ".repeat(70_000)),
        ] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        std::fs::write(folder.path().join("e.toml"), b"\xff\xfe").unwrap();
        let faults = Mappings::with_folder(folder.path()).unwrap_err();
        let files: Vec<_> = faults.iter().map(|fault| fault.file.as_str()).collect();
        assert_eq!(files, ["b.toml", "c.toml", "d.toml", "e.toml"], "{faults:?}");
        let gone = Mappings::with_folder(&folder.path().join("gone")).unwrap_err();
        assert!(gone[0].message.contains("cannot be read"), "{gone:?}");
    }
}
