//! The name of a file that comes in, as far as it is kept in clear.
//!
//! People name files after people. A name that is made of codes of ours and of the words of this
//! list says nothing about anybody; of any other only the kind of file is kept (R29).

use super::{BoxCode, Patterns, PlateCode, TubeCode};

/// Longest name a file may come under, in characters.
pub const FILE_NAME_MAX: usize = 200;

/// Ends of names that say what a file is.
const ENDS: [&str; 17] = [
    "asc", "csv", "eds", "gwl", "htm", "html", "json", "lc480", "log", "rdml", "sds", "tsv", "txt",
    "xls", "xlsx", "xml", "zip",
];
/// Words of which names are made that instruments and laboratories give, in lower case.
const WORDS: [&str; 42] = [
    "abs",
    "amplification",
    "biomek",
    "channel",
    "copy",
    "cq",
    "cq1",
    "ct",
    "cy3",
    "cy5",
    "data",
    "dye",
    "export",
    "fam",
    "file",
    "filter",
    "hex",
    "joe",
    "log",
    "ned",
    "parts",
    "pcr",
    "plate",
    "qpcr",
    "quantification",
    "raw",
    "results",
    "robot",
    "rox",
    "run",
    "rt",
    "scan",
    "summary",
    "tamra",
    "tecan",
    "hamilton",
    "transfer",
    "transfers",
    "trace",
    "vic",
    "well",
    "worklist",
];

/// Whether a name is short enough and can be printed.
pub fn is_file_name(name: &str) -> bool {
    name.chars().count() <= FILE_NAME_MAX && !name.chars().any(char::is_control)
}

/// The name if nobody can be meant by it, else `file` with the end that says what it is.
pub fn file_name(typed: &str) -> String {
    let typed = typed.trim();
    let (stem, end) = typed.rsplit_once('.').unwrap_or((typed, ""));
    let known_end = ENDS.contains(&end.to_lowercase().as_str());
    let stem = if known_end { stem } else { typed };
    let mut words = stem.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    match (words.all(is_known), known_end) {
        (true, _) => typed.to_owned(),
        (false, true) => format!("file.{end}"),
        (false, false) => "file".to_owned(),
    }
}

fn is_known(word: &str) -> bool {
    // Two figures number the files of a run; more of them number people.
    let is_number = word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_code = PlateCode::parse(word).is_ok()
        || BoxCode::parse(word).is_ok()
        || TubeCode::parse(word, &Patterns::default()).is_ok();
    is_number || is_code || WORDS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_known_words_stay_and_what_people_type_goes() {
        let plate = PlateCode::numbered(7).unwrap();
        for kept in [
            "",
            "results.txt",
            "Run 2 (copy).XLSX",
            "parts",
            "raw_data-01.csv",
            &format!("{plate}_fam.txt"),
        ] {
            assert_eq!(file_name(&format!(" {kept} ")), kept);
        }
        for (typed, kept) in [
            ("Zhang San.xls", "file.xls"),
            ("results Zhang.csv", "file.csv"),
            ("run 110105194912310021.txt", "file.txt"),
            ("run.zhang", "file"),
            ("13800138000", "file"),
            (&format!("{plate} Li Si.eds"), "file.eds"),
            ("张三.txt", "file.txt"),
        ] {
            assert_eq!(file_name(typed), kept, "{typed}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_or_cannot_be_printed_is_none() {
        assert!(is_file_name(&"张".repeat(FILE_NAME_MAX)));
        assert!(!is_file_name(&"x".repeat(FILE_NAME_MAX + 1)) && !is_file_name("a\nb"));
    }
}
