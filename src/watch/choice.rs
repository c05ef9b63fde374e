//! Which files are runs, which belong together, and which plate they are of: pure decisions.

use std::collections::BTreeMap;

use super::folder::Content;
use crate::barcode::{LENGTH, PlateCode};
use crate::instrument::{MAX_FILE_BYTES, Mappings, Refusal, read_part};

/// A file and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// SHA-256 of its content.
    pub sha256: String,
    /// What it is.
    pub verdict: Verdict,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A run, or one channel of a run.
    Run {
        /// Code of its plate.
        plate: String,
        /// The experiment's title, where the instrument writes a file for each channel.
        part_of: Option<String>,
    },
    /// Not a run file, and why.
    NotARun(String),
    /// A run file that cannot be read, and why.
    Spoiled(String),
    /// A run, but of which plate?
    NoPlate(PlateFault),
}

/// Why nobody can tell which plate a file is of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlateFault {
    /// Nothing says it.
    #[error(
        "neither the file nor its name says which plate it is of; let the name begin with the \
         plate's code, such as {}_run.txt",
        example()
    )]
    Unknown,
    /// File and name say different things.
    #[error(
        "the file says plate {file} and its name {name}; find out which is right and rename it"
    )]
    Ambiguous {
        /// The plate in the file.
        file: String,
        /// The plate in its name.
        name: String,
    },
}

fn example() -> PlateCode {
    PlateCode::numbered(0).expect("nought is a number of a code")
}

/// The plate of a run file: by the barcode in the file where that is a code of ours, and by the
/// beginning of its name; where both speak they must agree.
pub fn plate_of(name: &str, barcode: Option<&str>) -> Result<PlateCode, PlateFault> {
    let in_file = barcode.and_then(|code| PlateCode::parse(code).ok());
    match (in_file, named(name)) {
        (Some(file), Some(name)) if file != name => {
            Err(PlateFault::Ambiguous { file: file.to_string(), name: name.to_string() })
        }
        (Some(plate), _) | (None, Some(plate)) => Ok(plate),
        (None, None) => Err(PlateFault::Unknown),
    }
}

/// The plate code a name begins with; what follows must not be a letter or a digit.
fn named(name: &str) -> Option<PlateCode> {
    let (code, rest) = name.split_at_checked(LENGTH)?;
    let ends = !rest.starts_with(char::is_alphanumeric);
    ends.then(|| PlateCode::parse(code).ok()).flatten()
}

/// Reads a file as far as needed to know what to do with it.
pub fn judge(content: &Content, mappings: &Mappings) -> Judged {
    let Content { name, sha256, bytes } = content;
    let read = match bytes {
        Some(bytes) => read_part(bytes, mappings, None),
        None => Err(Refusal::TooLarge { bytes: MAX_FILE_BYTES + 1 }),
    };
    let verdict = match read {
        Err(refusal) if refusal.is_of_a_run() => Verdict::Spoiled(refusal.to_string()),
        // An export that ended before it began; somebody waits for what its name says.
        Err(Refusal::Empty) if named(name).is_some() => {
            Verdict::Spoiled(Refusal::Empty.to_string())
        }
        Err(refusal) => Verdict::NotARun(refusal.to_string()),
        Ok(part) => match plate_of(name, part.run.plate_barcode.as_deref()) {
            Err(fault) => Verdict::NoPlate(fault),
            Ok(plate) => {
                let part_of = part.of.map(|of| of.title);
                Verdict::Run { plate: plate.to_string(), part_of }
            }
        },
    };
    Judged { name: name.clone(), sha256: sha256.clone(), verdict }
}

/// The files of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    /// Code of its plate.
    pub plate: String,
    /// Name and SHA-256 of each, by digest; a copy under another name is left out.
    pub files: Vec<(String, String)>,
    /// A file that is still being written and may belong to the run.
    pub waits_for: Option<String>,
}

impl Set {
    /// What identifies the set: the digests of its files.
    pub fn key(&self) -> String {
        self.files.iter().map(|(_, sha256)| sha256.as_str()).collect::<Vec<_>>().join("+")
    }

    /// The names of its files.
    pub fn names(&self) -> Vec<String> {
        self.files.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// The runs there are: a whole run is a set by itself; channels of one experiment on one plate are
/// one set, which waits while a file whose name begins with its plate is still being written.
pub(super) fn sets(judged: &BTreeMap<String, Judged>, unsettled: &[String]) -> Vec<Set> {
    let mut sets: BTreeMap<(&str, Option<&str>, &str), BTreeMap<&str, &str>> = BTreeMap::new();
    for (name, file) in judged {
        let Verdict::Run { plate, part_of } = &file.verdict else { continue };
        let alone = if part_of.is_some() { "" } else { file.sha256.as_str() };
        let set = sets.entry((plate, part_of.as_deref(), alone)).or_default();
        set.entry(&file.sha256).or_insert(name);
    }
    let written = |plate: &str| {
        let of_plate = |name: &&String| named(name).is_some_and(|code| code.as_str() == plate);
        unsettled.iter().find(of_plate).cloned()
    };
    let set = |((plate, part_of, _), files): ((&str, Option<&str>, _), BTreeMap<&str, &str>)| Set {
        plate: plate.to_owned(),
        files: files
            .iter()
            .map(|(sha256, name)| ((*name).to_owned(), (*sha256).to_owned()))
            .collect(),
        waits_for: part_of.and_then(|_channels| written(plate)),
    };
    sets.into_iter().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(n: u64) -> String {
        PlateCode::numbered(n).unwrap().to_string()
    }

    #[test]
    fn the_plate_is_told_by_the_file_or_by_the_beginning_of_its_name() {
        let (one, two) = (code(1), code(2));
        for (name, barcode, plate) in [
            (format!("{one}_run.txt"), None, Some(&one)),
            (format!("{one}.txt"), Some("whatever"), Some(&one)),
            (format!("{}-fam.txt", one.to_lowercase()), None, Some(&one)),
            ("run.txt".to_owned(), Some(two.as_str()), Some(&two)),
            (format!("{two}.txt"), Some(two.as_str()), Some(&two)),
            (format!("{one}7.txt"), None, None),
            (format!("run_{one}.txt"), None, None),
            ("计划.txt".to_owned(), Some(""), None),
        ] {
            let found = plate_of(&name, barcode);
            assert_eq!(found.ok().map(|plate| plate.to_string()).as_ref(), plate, "{name}");
        }
        let both = plate_of(&format!("{one}.txt"), Some(&two)).unwrap_err();
        assert_eq!(both, PlateFault::Ambiguous { file: two, name: one });
        assert!(PlateFault::Unknown.to_string().contains("_run.txt"));
    }

    fn file(name: &str, sha256: &str, plate: &str, part_of: Option<&str>) -> (String, Judged) {
        let part_of = part_of.map(str::to_owned);
        let verdict = Verdict::Run { plate: plate.to_owned(), part_of };
        let (name, sha256) = (name.to_owned(), sha256.to_owned());
        (name.clone(), Judged { name, sha256, verdict })
    }

    #[test]
    fn channels_of_one_experiment_are_one_set_and_whole_runs_are_their_own() {
        let one = code(1);
        let files = BTreeMap::from([
            file("a", "1", &one, None),
            file("b", "2", &one, None),
            file("copy of a", "1", &one, None),
            file("fam", "4", &one, Some("7")),
            file("hex", "3", &one, Some("7")),
            file("other", "5", &one, Some("8")),
        ]);
        let keys: Vec<_> = sets(&files, &[]).iter().map(Set::key).collect();
        assert_eq!(keys, ["1", "2", "3+4", "5"]);
        let waiting = sets(&files, &[format!("{one}_cy5.txt")]);
        let waits: Vec<_> = waiting.iter().map(|set| set.waits_for.is_some()).collect();
        assert_eq!(waits, [false, false, true, true], "a channel is still being written");
        assert_eq!(sets(&files, &["notes.txt".to_owned()]).len(), 4);
    }

    #[test]
    fn what_is_no_run_is_told_with_its_reason() {
        let of = |bytes: Option<&[u8]>| {
            let bytes = bytes.map(<[u8]>::to_vec);
            let content = Content { name: "x".into(), sha256: "1".into(), bytes };
            judge(&content, Mappings::shipped()).verdict
        };
        assert!(matches!(of(Some(b"%PDF")), Verdict::NotARun(why) if why.contains("a PDF")));
        assert!(matches!(of(None), Verdict::NotARun(why) if why.contains("bytes")));
        let spoiled = b",Well,Fluor,Target,Content,Sample,Cq\n,A01,FAM,N,Unkn,T1,thirty\n";
        assert!(matches!(of(Some(spoiled)), Verdict::Spoiled(why) if why.contains("thirty")));
        let beside = b"# Block Type: 96\nWell,Well Position,Cycle Number,Target,Rn\n1,A1,1,N,0.5\n";
        assert!(matches!(of(Some(beside)), Verdict::NotARun(why) if why.contains("no Ct")));
        assert!(matches!(of(Some(b"")), Verdict::NotARun(_)));
        let name = format!("{}_run.csv", code(1));
        let begun = Content { name, sha256: "1".into(), bytes: Some(Vec::new()) };
        let verdict = judge(&begun, Mappings::shipped()).verdict;
        assert!(matches!(verdict, Verdict::Spoiled(_)), "somebody waits for it: {verdict:?}");
        let cfx = b",Well,Fluor,Target,Content,Sample,Cq\n,A01,FAM,N,Unkn,T1,30\n";
        assert_eq!(of(Some(cfx)), Verdict::NoPlate(PlateFault::Unknown));
    }
}
