//! The shape of the house: what may import what, how long a file may be, what must not be said.

use std::fs;
use std::path::{Path, PathBuf};

/// Slices in the order of a tube's way.
const WAY: &[&str] = &[
    "barcode",
    "collection",
    "transport",
    "recall",
    "receiving",
    "pooling",
    "plate",
    "instrument",
    "quality",
    "interpretation",
    "review",
    "query",
    "feeds",
    "ledger",
    "figures",
    "integrity",
];
/// Longest file, not counting its tests.
const LINES_MAX: usize = 400;

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Path below `src` and text without the tests.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 50, "only {} files were found", files.len());
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).unwrap();
        let end = text.find("\n#[cfg(test)]").unwrap_or(text.len());
        (name, text[..end].to_owned())
    };
    files.into_iter().map(read).collect()
}

#[test]
fn types_and_rules_know_nothing_of_stores_and_servers() {
    for (name, text) in sources() {
        let slice = name.split('/').next().unwrap();
        if WAY.contains(&slice) && (name.ends_with("/mod.rs") || name.ends_with("/rules.rs")) {
            for line in text.lines().filter(|line| line.starts_with("use ")) {
                for banned in ["sqlx", "axum", "tokio"] {
                    assert!(!line.contains(banned), "{name} imports {banned}: {line}");
                }
            }
        }
    }
}

#[test]
fn a_slice_calls_only_slices_before_it() {
    for (name, text) in sources() {
        let slice = name.split('/').next().unwrap().trim_end_matches(".rs");
        let Some(place) = WAY.iter().position(|step| *step == slice) else { continue };
        for later in &WAY[place + 1..] {
            assert!(!text.contains(&format!("crate::{later}")), "{name} calls {later}");
        }
    }
}

#[test]
fn no_file_is_longer_than_it_may_be() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{name} has {lines} lines; split it by thing");
    }
}

#[test]
fn nothing_is_left_for_later() {
    for (name, text) in sources() {
        // Written in halves, so that this line is not one itself.
        let marks = [
            ("to", "do!"),
            ("unimple", "mented!"),
            ("TO", "DO"),
            ("FIX", "ME"),
            ("X", "XX"),
            ("#[ig", "nore"),
        ];
        for mark in marks.map(|(first, rest)| format!("{first}{rest}")) {
            assert!(!text.contains(&mark), "{name} contains {mark}");
        }
    }
}

#[test]
fn the_house_has_few_statements_that_differ_between_engines() {
    let pairs: usize = sources()
        .iter()
        .filter(|(name, _)| !name.starts_with("storage/"))
        .map(|(_, text)| text.matches(": Sql = Sql").count())
        .sum();
    assert!(pairs < 10, "{pairs} statements differ between the engines");
}
