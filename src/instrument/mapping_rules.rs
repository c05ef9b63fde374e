//! What a mapping must and must not say: every fault with the key it is about.

use std::collections::BTreeMap;

use super::mapping::{Above, Definition, Fact, Mark, OneFilePer, Separator, plain};
use crate::plate::PlateSize;

/// Rows a header may be looked for in.
const WITHIN_MAX: usize = 200;

/// Every fault of a definition whose keys and kinds of values are right.
pub(super) fn faults(mapping: &Definition) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, message: &str| faults.push((key.to_owned(), message.to_owned()));
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=40).contains(&mapping.name.len()) || !mapping.name.bytes().all(allowed) {
        fault("name", "a name has 1 to 40 of a-z, 0-9 and `-`; choose another");
    }
    if mapping.instrument.trim().is_empty() || mapping.instrument.chars().count() > 100 {
        fault("instrument", "name the instrument in at most 100 characters");
    }
    if mapping.proven_on.trim().is_empty() {
        fault("proven_on", "say which files it was tried on, or where its headings are from");
    }
    if mapping.plate.is_some_and(|wells| PlateSize::from_wells(wells).is_none()) {
        fault("plate", "a plate has 96 or 384 wells");
    }
    if !(1..=WITHIN_MAX).contains(&mapping.header.within) {
        fault("header.within", "the header is looked for in the first 1 to 200 rows");
    }
    if mapping.header.needs.is_empty() && mapping.header.says.is_empty() {
        fault("header.needs", "nothing tells its files from others; name headings they need");
    }
    if mapping.wells.numbers.is_some() && mapping.plate.is_none() {
        fault("wells.numbers", "numbered wells need the size of the plate; add `plate`");
    }
    let comma = (Separator::Comma, Mark::Comma);
    if (mapping.file.separator, mapping.file.decimal_mark) == comma {
        fault("file.decimal_mark", "a comma cannot both end a cell and begin a fraction");
    }
    faults.extend(key_faults(mapping));
    faults.extend(word_faults(mapping));
    faults
}

/// Faults about what tells one target from another.
fn key_faults(mapping: &Definition) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, message: &str| faults.push((key.to_owned(), message.to_owned()));
    let sources = |fact: Fact, above: Above, fixed: &str| {
        [mapping.columns.contains_key(&fact), mapping.above.contains_key(&above), !fixed.is_empty()]
    };
    let count = |sources: [bool; 3]| sources.into_iter().filter(|is_there| *is_there).count();
    let dye = sources(Fact::Dye, Above::Dye, &mapping.fixed.dye);
    let target = sources(Fact::Target, Above::Target, &mapping.fixed.target);
    if count(dye) + count(target) == 0 {
        fault("columns", "nothing tells one target from another; name a column for target or dye");
    }
    for (name, sources) in [("dye", dye), ("target", target)] {
        if count(sources) > 1 {
            let message = format!(
                "the {name} comes from a column, from above the header or is fixed; keep one of them"
            );
            fault(&format!("columns.{name}"), &message);
        }
    }
    let (one, [_, above, fixed]) = match mapping.file.one_file_per {
        Some(OneFilePer::Dye) => ("dye", dye),
        Some(OneFilePer::Target) => ("target", target),
        None => return faults,
    };
    if !above && !fixed {
        let message = format!("one file for each {one}, but nothing says which; add `above.{one}`");
        fault("file.one_file_per", &message);
    }
    faults
}

/// Empty lists, empty words and words that mean two things.
fn word_faults(mapping: &Definition) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let words = &mapping.words;
    let own = |(name, list)| (format!("tasks.{name}"), "tasks", list);
    let lists = mapping
        .columns
        .iter()
        .map(|(fact, list)| (key(*fact).to_owned(), "columns", list))
        .chain(mapping.tasks.iter().map(own))
        .chain(mapping.dyes.iter().map(|(name, list)| (format!("dyes.{name}"), "dyes", list)))
        .chain(mapping.above.iter().map(|(fact, list)| {
            (format!("above.{}", format!("{fact:?}").to_lowercase()), "above", list)
        }))
        .chain([
            ("words.omitted".to_owned(), "omission", &words.omitted),
            ("words.kept".to_owned(), "omission", &words.kept),
        ]);
    let mut meanings: BTreeMap<(&str, String), String> = BTreeMap::new();
    for (key, group, list) in lists {
        if list.is_empty() && group != "omission" {
            faults.push((key.clone(), format!("`{key}` is an empty list; remove it or fill it")));
        }
        for word in list {
            if let Some(other) = meanings.insert((group, plain(word)), key.clone()) {
                let message = format!("`{word}` stands under `{other}` and `{key}`; keep one");
                faults.push((key.clone(), message));
            }
        }
    }
    let all = [
        ("file.sheets", &mapping.file.sheets),
        ("header.needs", &mapping.header.needs),
        ("header.says", &mapping.header.says),
        ("words.ignore", &words.ignore),
    ];
    let headings = mapping.columns.iter().map(|(fact, list)| (key(*fact), list));
    for (key, list) in all.into_iter().chain(headings) {
        if list.iter().any(|word| word.trim().is_empty()) {
            faults.push((key.to_owned(), format!("`{key}` holds an empty text; remove it")));
        }
    }
    faults
}

fn key(fact: Fact) -> &'static str {
    match fact {
        Fact::Well => "columns.well",
        Fact::Sample => "columns.sample",
        Fact::Target => "columns.target",
        Fact::Dye => "columns.dye",
        Fact::Task => "columns.task",
        Fact::Ct => "columns.ct",
        Fact::AmpStatus => "columns.amp_status",
        Fact::Call => "columns.call",
        Fact::Omitted => "columns.omitted",
    }
}

#[cfg(test)]
mod tests {
    use crate::instrument::{Mapping, Mappings};

    const SOUND: &str = "name = \"own\"\ninstrument = \"Own\"\nproven = true\n\
        proven_on = \"forty runs\"\n[header]\nneeds = [\"Well\"]\n[columns]\nwell = [\"Well\"]\n\
        ct = [\"Ct\"]\ndye = [\"Dye\"]\n";

    #[test]
    fn every_fault_fires_with_its_line_and_the_sound_one_has_none() {
        assert!(Mapping::parse("own.toml", SOUND).is_ok());
        for (from, to, said) in [
            ("\"own\"", "\"Our Own\"", "own.toml:1: a name has 1 to 40"),
            ("\"Own\"", "\" \"", "own.toml:2: name the instrument"),
            ("\"forty runs\"", "\"\"", "own.toml:4: say which files"),
            ("[header]", "plate = 48\n[header]", "own.toml:5: a plate has 96 or 384"),
            ("needs", "within = 0\nneeds", "own.toml:6: the header is looked for"),
            ("needs = [\"Well\"]", "", "own.toml:5: nothing tells its files"),
            ("[header]", "[wells]\nnumbers = \"by_row\"\n[header]", "own.toml:6: numbered wells"),
            (
                "[header]",
                "[file]\nseparator = \"comma\"\ndecimal_mark = \"comma\"\n[header]",
                "own.toml:7: a comma cannot both",
            ),
            ("dye = [\"Dye\"]", "", "own.toml:7: nothing tells one target"),
            ("[header]", "[fixed]\ndye = \"FAM\"\n[header]", "own.toml:12: the dye comes from"),
            ("[header]", "[file]\none_file_per = \"dye\"\n[header]", "own.toml:6: one file for"),
            ("[\"Dye\"]", "[]", "own.toml:10: `columns.dye` is an empty list"),
            ("[\"Dye\"]", "[\"ct\"]", "own.toml:9: `Ct` stands under"),
            ("needs = [\"Well\"]", "needs = [\" \"]", "own.toml:6: `header.needs` holds an empty"),
        ] {
            let faults = Mapping::parse("own.toml", &SOUND.replace(from, to)).unwrap_err();
            let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with(said), "{told:?}");
        }
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let bad = SOUND.replace("\"own\"", "\"O\"").replace("forty runs", "").replace("Dye", "Ct");
        assert_eq!(Mapping::parse("own.toml", &bad).unwrap_err().len(), 3);
    }

    #[test]
    fn the_shipped_mappings_are_sound_and_none_claims_to_be_proven() {
        let names: Vec<_> = Mappings::shipped().iter().map(|m| m.name.as_str()).collect();
        let known = ["agilent-ariamx", "hongshi-slan-96p", "ma-6000", "qiaquant", "rotor-gene"];
        assert_eq!(names, known);
        assert!(Mappings::shipped().iter().all(|mapping| !mapping.proven));
    }
}
