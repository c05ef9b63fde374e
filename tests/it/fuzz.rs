//! The fuzz targets fit the program: fuzzing needs another compiler and hours, this does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/inputs.rs"]
mod inputs;
#[path = "../../fuzz/src/seeds.rs"]
mod seeds;
#[path = "../../fuzz/src/targets.rs"]
mod targets;

use seeds::{Seed, seeds};
use targets::TARGETS;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_target_takes_what_it_starts_from_whole_and_cut() {
    let seeds = seeds(&Path::new(ROOT).join("fixtures"));
    for (name, target) in TARGETS {
        let own: Vec<&Seed> = seeds.iter().filter(|seed| seed.target == name).collect();
        assert!(!own.is_empty(), "{name} starts from nothing");
        for Seed { name: seed, bytes, .. } in own {
            // Seen when it panics.
            eprintln!("{name}: {seed}");
            target(bytes);
            target(&bytes[..bytes.len() / 2]);
        }
    }
    let known = TARGETS.map(|(name, _)| name);
    assert!(seeds.iter().all(|seed| known.contains(&seed.target)), "a seed is nobody's");
}

#[test]
fn every_target_has_its_program_and_every_program_its_target() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut programs = BTreeSet::new();
    for entry in fs::read_dir(Path::new(ROOT).join("fuzz/fuzz_targets")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!("swabline_fuzz::targets::{name}(")), "{name}: {text}");
        programs.insert(name);
    }
    assert_eq!(programs, known);
    let manifest = fs::read_to_string(Path::new(ROOT).join("fuzz/Cargo.toml")).unwrap();
    let missing = |name: &&String| !manifest.contains(&format!("fuzz_targets/{name}.rs"));
    assert_eq!(known.iter().find(missing), None, "cargo fuzz does not know it");
}
