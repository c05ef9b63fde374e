//! The words an instrument writes by itself, as far as they are kept in clear.
//!
//! What stands in these columns may also have been typed by an operator (a CFX `Content` is free
//! text), and operators type what they like, also names. The sealed file keeps every byte; the
//! store keeps in clear only what is on these lists (R29).

/// Roles of a well, amplification statuses and calls, in lower case and without a number at the end.
const WORDS: [&str; 45] = [
    "",
    "unknown",
    "ntc",
    "nac",
    "ntp",
    "std",
    "standard",
    "ipc",
    "blockedipc",
    "blocked_ipc",
    "positive_control",
    "negative_control",
    "endogenous_control",
    "target",
    "unkn",
    "neg ctrl",
    "pos ctrl",
    "nrt",
    "pos",
    "neg",
    "opt",
    "amp",
    "no amp",
    "no_amp",
    "inconclusive",
    ">",
    "true",
    "false",
    "positive",
    "negative",
    "void",
    "limit of detection",
    "detected",
    "not detected",
    "undetermined",
    "invalid",
    "valid",
    "present",
    "absent",
    "presence",
    "absence",
    "no call",
    "sample",
    "calibrator",
    "empty",
];
/// Most figures behind a word.
const NUMBER_MAX: usize = 4;
/// Figures of a date without strokes.
const DATE_MAX: usize = 8;
/// Characters of a model's name: a CFX writes its block and the firmware of each part.
const MODEL_MAX: usize = 300;
/// Longest serial number kept.
const SERIAL_MAX: usize = 40;
/// Most figures in what a person calls an instrument: fewer than a telephone or an ID number has.
const FIGURES_MAX: usize = 10;

/// Dyes by which instruments name their channels, in lower case.
const DYES: [&str; 30] = [
    "abf",
    "alexa fluor 546",
    "alexa fluor 594",
    "alexa fluor 647",
    "atto 425",
    "cal fluor gold 540",
    "cal fluor orange 560",
    "cal fluor red 610",
    "cy3",
    "cy3.5",
    "cy5",
    "cy5.5",
    "fam",
    "fret",
    "hex",
    "jun",
    "joe",
    "mustang purple",
    "ned",
    "passive",
    "quasar 670",
    "quasar 705",
    "red 610",
    "red 640",
    "rox",
    "sybr",
    "tamra",
    "tet",
    "texas red",
    "vic",
];

/// Whether this is the name of a dye, or names of several with strokes between them.
pub fn is_dye(name: &str) -> bool {
    name.split('/').all(|dye| DYES.contains(&dye.trim().to_lowercase().as_str()))
}

/// The word if an instrument writes it by itself, alone or numbered: else nothing. A number of more
/// figures than a plate has wells is not the word's but somebody's.
pub(super) fn word(text: &str) -> &str {
    let plain = text.trim().to_lowercase();
    let unnumbered = plain.trim_end_matches(|c: char| c.is_ascii_digit());
    let figures = plain.len() - unnumbered.len();
    let stem = unnumbered.trim_end_matches(['-', ' ']);
    let is_numbered = figures <= NUMBER_MAX && !stem.is_empty() && WORDS.contains(&stem);
    if is_numbered || WORDS.contains(&plain.as_str()) { text } else { "" }
}

/// A moment as instruments write it, with its zone, else nothing: it begins with a figure, and no
/// part of it is as long as the number of a person.
pub(super) fn moment(text: &str) -> &str {
    let moment = text.trim();
    let is_zone = |word: &str| word.len() <= 4 && word.bytes().all(|b| b.is_ascii_uppercase());
    let is_clock = |word: &str| {
        word.bytes().all(|b| b.is_ascii_digit() || b":-/.,+TZ".contains(&b))
            && longest_number(word) <= DATE_MAX
    };
    let is_moment = moment.starts_with(|c: char| c.is_ascii_digit())
        && moment.split_whitespace().all(|word| is_zone(word) || is_clock(word));
    if is_moment && moment.len() <= SERIAL_MAX { moment } else { "" }
}

/// What kind of instrument it was, if no number of a person can stand in it.
pub(super) fn model(text: &str) -> &str {
    let model = text.trim();
    let is_model = model.chars().count() <= MODEL_MAX && !holds_a_person(model);
    if is_model { model } else { "" }
}

/// Whether a number in the text is as long as that of a mobile telephone or of an identity card
/// (GB 11643: 18 places, 15 in the first generation); serial numbers of 13 figures are real.
fn holds_a_person(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit())
        .any(|number| number.len() >= 15 || number.len() == 11 && number.starts_with('1'))
}

/// Figures of the longest number in a text.
fn longest_number(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0)
}

/// The serial number if it looks like one: a code with a figure in it, without blanks between.
pub(super) fn serial(text: &str) -> &str {
    let code = text.trim();
    let is_code = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let looks_right = code.len() <= SERIAL_MAX
        && code.chars().all(is_code)
        && !holds_a_person(code)
        && code.chars().any(|c| c.is_ascii_digit());
    if looks_right { code } else { "" }
}

/// What a person calls an instrument, if it is a code and cannot be somebody's name or number.
pub(super) fn stated(text: &str) -> Option<&str> {
    let code = serial(text);
    let figures = code.bytes().filter(u8::is_ascii_digit).count();
    (1..=FIGURES_MAX).contains(&figures).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_instruments_write_stays_and_what_people_type_goes() {
        for written in
            ["UNKNOWN", "Unkn-1", "Neg Ctrl", "Std-12", "No Amp", "NO_AMP", "Positive", ""]
        {
            assert_eq!(word(written), written);
        }
        for typed in ["Canary Person", "110105194912310021", "unknown person", "A. Canary 3"] {
            assert_eq!(word(typed), "", "{typed}");
        }
        for behind_a_word in
            ["Sample 110105194912310021", "Unkn-13800138000", "pos 138 0013 8000", "Std-12345"]
        {
            assert_eq!(word(behind_a_word), "", "{behind_a_word}");
        }
        assert_eq!(serial(" 278870001 "), "278870001");
        assert_eq!(serial("2778719020015"), "2778719020015");
        assert_eq!(serial("CT-012/4"), "CT-012/4");
        for typed in
            ["Canary Person", "Canary", "null", "room 4", "13800138000", "11010519491231002X"]
        {
            assert_eq!(serial(typed), "", "{typed}");
            assert_eq!(stated(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_moment_and_a_model_hold_no_number_of_a_person() {
        for written in [
            "2020-05-18 17:50:29 PM PDT",
            "03-10-2024 10:45:00 PM EST",
            "2020-05-19T00:50:29.873Z",
            "2020-04-16 14:30:40 UTC",
            "20200416 14:30",
            "",
        ] {
            assert_eq!(moment(written), written);
        }
        for typed in ["Canary Person", "110105194912310021", "13800138000", "18 May Canary"] {
            assert_eq!(moment(typed), "", "{typed}");
        }
        let cfx =
            "Block Type \"96FX\", Cycler SN: CC009466, PXA270 Processor Firmware: 3.2.128.129";
        for written in
            ["QuantStudio(TM) 7 Flex System", "7500 Fast", "MA-6000", "LC96SN11301", cfx, ""]
        {
            assert_eq!(model(written), written);
        }
        for typed in ["CFX 110105194912310021", "13800138000", &"x".repeat(301)] {
            assert_eq!(model(typed), "", "{typed}");
        }
    }

    #[test]
    fn a_person_may_call_an_instrument_by_a_code_and_not_by_a_number_people_have() {
        assert_eq!(stated(" CFX-3 "), Some("CFX-3"));
        assert_eq!(stated("278870001"), Some("278870001"));
        for of_people in ["110105194912310021", "11010519491231002X", "13800138000", "", " "] {
            assert_eq!(stated(of_people), None, "{of_people}");
        }
        assert_eq!(stated(&format!("CFX-{}", "x".repeat(36))), None);
        assert_eq!(stated(&format!("CFX3{}", "x".repeat(37))), None);
    }
}
