//! The catalogue is whole: the same keys in both languages, none missing, none left over, and no
//! reason that a page may show is said in English alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::*;

/// What the server's English sentences say, for other languages.
const SERVER: &str = "server.ftl";

/// Reasons that are told to programs alone, or in the words of a file, by the beginning of their
/// codes.
const OF_PROGRAMS: [&str; 31] = [
    "account.days",
    "allotment",
    "alarm",
    "arrival.scanned",
    "asset",
    "assessment",
    "batch",
    "body.",
    "device.site",
    "header.",
    "integrity",
    "kit.fault",
    "labels",
    "language",
    "ledger",
    "part",
    "pattern",
    "plan.",
    "plate.not_planned",
    "pooling",
    "qr.",
    "quality",
    "run.rdml",
    "seeded",
    "status.batch",
    "switch",
    "transfer.",
    "tube.device",
    "tube.event_id",
    "tube.event_reused",
    "wells.",
];

/// Key, and the names that are filled in, of every message of a language but what [`SERVER`] says.
fn keys(language: Language) -> BTreeMap<String, Vec<String>> {
    let mut keys = BTreeMap::new();
    for (file, source) in sources(language).into_iter().filter(|(file, _)| file != SERVER) {
        FluentResource::try_new(source.clone())
            .unwrap_or_else(|(_, errors)| panic!("{}/{file}: {errors:?}", language.code()));
        for (key, text) in messages(&source) {
            let names = variables(text).into_iter().map(str::to_owned).collect();
            assert!(keys.insert(key.to_owned(), names).is_none(), "{key} is said twice");
            let station = file.trim_end_matches(".ftl");
            let own = [format!("{station}-"), format!("js-{station}-")];
            assert!(own.iter().any(|start| key.starts_with(start)), "{file} says {key}");
        }
    }
    keys
}

#[test]
fn both_languages_say_the_same() {
    let (chinese, english) = (keys(Language::Chinese), keys(Language::English));
    assert!(chinese.len() > 50, "only {} texts were found", chinese.len());
    assert_eq!(chinese, english);
}

/// Every file that may use a text, without the tests.
fn users(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            users(&path, found);
        } else if [".rs", ".html", ".js"].iter().any(|end| name.ends_with(end))
            && !name.ends_with("catalogue_tests.rs")
        {
            let text = fs::read_to_string(path).unwrap();
            // What a comment shows is an example.
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.push((name, lines.collect::<Vec<_>>().join("\n")));
        }
    }
}

fn is_rust(file: &str) -> bool {
    Path::new(file).extension() == Some("rs".as_ref())
}

/// A code as keys spell it.
fn dashed(code: &str) -> String {
    code.replace(['.', '_'], "-")
}

/// Every code that a reason is given in the sources, those of refusals by pure rules included.
fn codes(files: &[(String, String)]) -> BTreeSet<String> {
    let mut codes = reasons(files);
    codes.extend(variants(files, "LayoutRefusal").map(|code| format!("plate.{code}")));
    codes.extend(variants(files, "ScanFault").map(|code| format!("rack.{code}")));
    codes.extend(variants(files, "MatchRefusal").map(|code| format!("run.{code}")));
    codes.extend(variants(files, "VerdictCode").map(|code| format!("run.{code}")));
    codes
}

/// Every code that the sources spell where they give a reason.
fn reasons(files: &[(String, String)]) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (_, text) in files.iter().filter(|(name, _)| is_rust(name)) {
        // Unit tests give reasons of their own.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let first =
            |part: &str| part.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned);
        for call in ["Reason::new(", "Error::invalid(", "Error::conflict(", "Error::forbidden("] {
            codes.extend(text.split(call).skip(1).filter_map(first));
        }
        let missed = text.split("Error::not_found(").skip(1).filter_map(first);
        codes.extend(missed.map(|what| format!("{}.not_found", what.replace(' ', "_"))));
        // Rules that give several reasons say each by a closure or in the arm of a match; a key of
        // a text has no stop.
        let arms = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for start in ["say(", "warn(", "=> (", "=> { ("] {
            let said = arms.split(start).skip(1).filter_map(first);
            codes.extend(said.filter(|code| code.contains('.')));
        }
    }
    codes
}

/// The variants of an enum that is serialised as a code.
fn variants<'a>(
    files: &'a [(String, String)],
    name: &str,
) -> impl Iterator<Item = String> + use<'a> {
    let start = format!("pub enum {name} {{");
    let text =
        files.iter().find_map(|(_, text)| text.split_once(&start)).expect("the enum is there");
    let body = text.1.split("\n}").next().unwrap_or_default();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let named = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    named.map(|line| {
        let mut code = String::new();
        for c in line.chars().take_while(char::is_ascii_alphanumeric) {
            if c.is_ascii_uppercase() && !code.is_empty() {
                code.push('_');
            }
            code.push(c.to_ascii_lowercase());
        }
        code
    })
}

#[test]
fn every_reason_that_a_page_may_show_is_said_in_chinese() {
    let mut files = Vec::new();
    users(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let codes = codes(&files);
    assert!(codes.len() > 200, "only {} codes were found", codes.len());
    let is_shown = |code: &&String| !OF_PROGRAMS.iter().any(|start| code.starts_with(start));
    let unsaid = |code: &&String| Language::Chinese.problem(code).is_none();
    let missing: Vec<_> = codes.iter().filter(is_shown).filter(unsaid).collect();
    assert!(missing.is_empty(), "Chinese has no words for {missing:?}");
    let said = sources(Language::Chinese).into_iter().find(|(file, _)| file == SERVER);
    let (_, source) = said.expect("the file is there");
    let known: BTreeSet<_> = files
        .iter()
        .flat_map(|(_, text)| quoted(text))
        .chain(codes.clone())
        .chain(variants(&files, "Difference").map(|code| format!("transfer.{code}")))
        .map(|code| format!("server-{}", dashed(&code)))
        .collect();
    let left: Vec<_> =
        messages(&source).into_iter().filter(|(key, _)| !known.contains(*key)).collect();
    assert!(left.is_empty(), "nobody gives the reasons of {left:?}");
}

#[test]
fn the_collect_page_has_words_for_all_that_it_may_be_told() {
    let mut files = Vec::new();
    for slice in ["barcode", "collection/tube", "transport"] {
        users(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(slice), &mut files);
    }
    let texts: BTreeMap<String, String> =
        serde_json::from_str(&Language::Chinese.texts("collect")).unwrap();
    let reasons = reasons(&files);
    assert!(reasons.len() > 30, "only {} codes were found", reasons.len());
    let is_told = |code: &&String| !OF_PROGRAMS.iter().any(|start| code.starts_with(start));
    let is_said = |code: &String| {
        CODED.iter().any(|start| texts.contains_key(&format!("{start}{}", dashed(code))))
    };
    let missing: Vec<_> = reasons.iter().filter(is_told).filter(|code| !is_said(code)).collect();
    assert!(missing.is_empty(), "a phone has no words for {missing:?}");
}

/// Every word in double quotes that looks like a key, and every problem's code made into one.
fn quoted(text: &str) -> BTreeSet<String> {
    let is_key = |word: &&str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    };
    text.split('"').filter(is_key).map(str::to_owned).collect()
}

/// What goes without saying before a key: an ES module says its own, those of the page it works
/// for (`review-run.js` those of `review.js`), or those of every station.
fn starts(file: &str) -> Vec<String> {
    let Some(module) = Path::new(file).file_name().and_then(|name| name.to_str()) else {
        return Vec::new();
    };
    let Some(module) = module.strip_suffix(".js") else { return vec![String::new()] };
    let ends = module.match_indices('-').map(|(end, _)| end).chain([module.len()]);
    let own = ends.map(|end| format!("js-{}-", &module[..end]));
    own.chain(["js-station-".to_owned()]).collect()
}

#[test]
fn every_text_that_is_used_is_there_and_every_text_is_used() {
    let mut files = Vec::new();
    users(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let keys = keys(Language::English);
    let mut used = BTreeSet::new();
    for (name, text) in &files {
        let words = quoted(text);
        used.extend(words.iter().map(|word| format!("problem-{}", dashed(word))));
        for call in ["say(\"", ".with(\"", "key: \""] {
            for part in text.split(call).skip(1) {
                let key = part.split('"').next().unwrap_or_default();
                let starts = starts(name);
                let mut spelled = starts.iter().map(|start| format!("{start}{key}"));
                let found = spelled.find(|key| keys.contains_key(key));
                let in_pages = name.contains("/web/");
                assert!(!in_pages || found.is_some(), "{name} says {key}, which is missing");
                used.extend(found);
            }
        }
        used.extend(words);
    }
    let left: Vec<_> = keys.keys().filter(|key| !used.contains(*key)).collect();
    assert!(left.is_empty(), "nobody says {left:?}");
}

#[test]
fn a_missing_text_would_be_seen() {
    let source = "# A comment.\na-b = One { $n }\n    and { $m } more\nc = Two\n";
    let found = messages(source);
    assert_eq!(found, [("a-b", "One { $n }\n    and { $m } more"), ("c", "Two")]);
    assert_eq!(variables(found[0].1), ["m", "n"]);
}

#[test]
fn a_browser_is_answered_in_the_language_it_prefers() {
    let of = |cookie: &str, accept: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", cookie.parse().unwrap());
        headers.insert("accept-language", accept.parse().unwrap());
        Language::of(&headers)
    };
    assert_eq!(of("", "en-GB,en;q=0.9,zh;q=0.8"), Language::English);
    assert_eq!(of("", "en;q=0.2, zh-CN;q=0.8"), Language::Chinese);
    assert_eq!(of("", "fr"), Language::Chinese);
    assert_eq!(of("lang=en", "zh"), Language::English);
    assert_eq!(of("lang=xx", "en"), Language::English);
}

#[test]
fn what_an_es_module_says_cannot_end_its_element() {
    for language in Language::ALL {
        let texts = language.texts("scanner");
        assert!(!texts.contains('<'), "{texts}");
        let texts: BTreeMap<String, String> = serde_json::from_str(&texts).unwrap();
        assert!(texts.contains_key("js-station-lost") && !texts.contains_key("start-title"));
    }
}
