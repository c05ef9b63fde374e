//! What the README, the page for laboratories and `/docs` say: it exists, and it runs as printed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::app::Engine;
use crate::program::{Program, command, finish};

const README: &str = include_str!("../../README.md");
const LABORATORY: &str = include_str!("../../docs/laboratory.md");
const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");
/// What people read before they type.
const TEXTS: [(&str, &str); 3] =
    [("README.md", README), ("docs/laboratory.md", LABORATORY), ("ARCHITECTURE.md", ARCHITECTURE)];
/// Seconds the commands of a text may take; the whole takes some five.
const SECONDS: &str = "300";

fn description() -> Value {
    serde_json::to_value(swabline::http::openapi()).unwrap()
}

/// A way to write a route in a text, up to the first character that no route has.
fn route(text: &str) -> String {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "/{}-_.$".contains(c));
    let route = text.split(ends).next().unwrap_or_default();
    route.trim_end_matches(['.', '/']).to_owned()
}

/// Every route a text names, with the method before it where there is one: as `/v1/...`, and in
/// its commands as `$URL/...`.
fn routes(text: &str) -> Vec<(Option<String>, String)> {
    let mut found = Vec::new();
    for start in ["/v1/", "$URL/"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].trim_end_matches('"');
            let word = before
                .strip_suffix(' ')
                .and_then(|before| before.rsplit([' ', '`', '\n', '(']).next());
            let method = word.filter(|word| ["GET", "PUT", "POST"].contains(word));
            let rest = route(&text[at + start.len()..]);
            found.push((method.map(str::to_owned), format!("/v1/{rest}")));
        }
    }
    found
}

/// Whether a route of the router is what was written: every `{...}` and every `$...` stands for
/// anything.
fn fits(written: &str, route: &str) -> bool {
    let (written, route): (Vec<_>, Vec<_>) =
        (written.split('/').collect(), route.split('/').collect());
    written.len() == route.len()
        && written.iter().zip(&route).all(|(written, route)| {
            written == route || (route.starts_with('{') && !written.is_empty())
        })
}

#[test]
fn every_route_in_the_texts_exists() {
    let description = description();
    let paths = description["paths"].as_object().unwrap();
    for (name, text) in TEXTS {
        let named = routes(text);
        assert!(!named.is_empty(), "{name} names no route");
        for (method, written) in named {
            let exists =
                paths.iter().filter(|(path, _)| fits(&written, path)).any(|(_, operations)| {
                    method
                        .as_ref()
                        .is_none_or(|method| !operations[method.to_lowercase()].is_null())
                });
            assert!(exists, "{name} names {} {written}", method.unwrap_or_default());
        }
    }
}

#[test]
fn a_route_that_does_not_exist_is_seen_in_a_text() {
    let text =
        "Ask `GET /v1/plates/{code}/worklist?format=csv`, or\napi $X $URL/lots/$KIT/7 -d '{}'.";
    let named = [(Some("GET"), "/v1/plates/{code}/worklist"), (None, "/v1/lots/$KIT/7")];
    let named = named.map(|(method, route)| (method.map(str::to_owned), route.to_owned()));
    assert_eq!(routes(text), named);
    assert!(fits("/v1/lots/$KIT/7", "/v1/lots/{kit}/{lot}"));
    assert!(fits("/v1/runs/{id}/curves.svg", "/v1/runs/{id}/curves.svg"));
    assert!(!fits("/v1/runs/{id}/picture", "/v1/runs/{id}/curves.svg"));
    assert!(!fits("/v1/lots", "/v1/lots/{kit}/{lot}"));
}

/// What `--help` of a command says: its commands, and its options.
fn help(words: &[&str]) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut command = command();
    command.args(words).arg("--help");
    let said = finish(command).expect(0).out;
    let (mut commands, mut options) = (BTreeSet::new(), BTreeSet::new());
    let mut in_commands = false;
    for line in said.lines() {
        if !line.starts_with(' ') {
            in_commands = line == "Commands:";
        }
        let word = line.trim_start().split([' ', ',']).next().unwrap_or_default();
        if in_commands && line.starts_with("  ") && !line.starts_with("   ") {
            commands.insert(word.to_owned());
        }
        options.extend(line.split([' ', ',']).filter(|w| w.starts_with("--")).map(str::to_owned));
    }
    (commands, options)
}

/// Every command line of the program in a text, from behind its name to where the span, the line
/// or the command ends.
fn command_lines(text: &str) -> Vec<&str> {
    let starts = text.match_indices("swabline ").map(|(at, name)| &text[at + name.len()..]);
    let ends = |c: char| "`\n|;&>)".contains(c);
    starts
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
        .map(|rest| rest.split(ends).next().unwrap_or_default())
        .collect()
}

#[test]
fn every_command_in_the_texts_exists() {
    let (top, _) = help(&[]);
    let mut known: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for (name, text) in TEXTS {
        for line in command_lines(text) {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            assert!(top.contains(first), "{name}: there is no `swabline {first}`");
            let (commands, options) =
                known.entry(first.to_owned()).or_insert_with(|| help(&[first]));
            let mut options = options.clone();
            if !commands.is_empty() {
                let second = words.next().unwrap_or_default();
                assert!(
                    commands.contains(second),
                    "{name}: there is no `swabline {first} {second}`"
                );
                options.extend(help(&[first, second]).1);
            }
            for option in words.filter(|word| word.starts_with("--")) {
                assert!(options.contains(option), "{name}: `swabline {first}` has no {option}");
            }
        }
    }
    // The README's table of commands has every one, and every setting is explained.
    for command in top.iter().filter(|command| *command != "help") {
        let table = README.split("## Commands").nth(1).unwrap();
        let table = table.split("## Configuration").next().unwrap();
        assert!(table.contains(&format!("`{command}")), "README.md does not tell of `{command}`");
    }
    let settings = format!("{}", swabline::config::Config::default());
    for line in settings.lines() {
        let setting = line.split(' ').next().unwrap();
        let explained = README.contains(&format!("`{setting}`"));
        assert!(explained, "README.md does not explain `{setting}`");
    }
}

#[tokio::test]
async fn the_description_says_how_a_laboratory_sets_itself_up() {
    let Some(program) = Program::fresh(Engine::Sqlite).await else { return };
    let server = program.serve();
    let description = server.stranger().get("/openapi.json").await.expect(200).json();
    assert_eq!(description["info"]["description"], LABORATORY);
    for heading in
        ["# How a laboratory sets itself up", "## Before the first day", "## A first day, worked"]
    {
        assert!(LABORATORY.contains(heading), "{heading}");
    }
    let described: Vec<_> = description["tags"].as_array().unwrap().iter().collect();
    let names: Vec<_> = described.iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    for tag in &described {
        let line = tag["description"].as_str().unwrap();
        assert!(line.ends_with(['.', '?']) && !line.contains('\n'), "{line}");
    }
    let mut used = BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            let tags = operation["tags"].as_array().unwrap();
            assert_eq!(tags.len(), 1, "{path}");
            used.insert(tags[0].as_str().unwrap());
        }
    }
    assert_eq!(used, names.iter().copied().collect(), "every tag is described, and no other");
    let mut way =
        names.iter().filter(|name| ["collection", "receiving", "plate", "review"].contains(name));
    assert_eq!(way.next(), Some(&"collection"), "tags stand in the order of a tube's way");
    let page = server.stranger().get("/docs/").await.expect(200).text();
    assert!(page.contains("swagger-ui"), "{page}");
}

/// The commands of a text, in order.
fn shell(text: &str) -> String {
    let mut lines = Vec::new();
    let mut within = false;
    for line in text.lines() {
        match line {
            "```sh" => within = true,
            "```" => within = false,
            _ if within => lines.push(line),
            _ => {}
        }
    }
    lines.join("\n")
}

fn is_there(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        eprintln!("{tool} is not installed; the commands of the texts were not run");
    }
    found
}

/// Runs the commands of a text against a server of their own, as somebody who follows it would.
async fn follow(engine: Engine, text: &str) -> Option<String> {
    if !(is_there("bash") && is_there("curl") && is_there("timeout")) {
        return None;
    }
    let program = Program::fresh(engine).await?;
    let server = program.serve();
    let swabline = |words: &[String]| {
        let words = words.iter().map(|word| format!("'{word}' "));
        format!(
            "swabline() {{ '{}' {}\"$@\"; }}\n",
            env!("CARGO_BIN_EXE_swabline"),
            words.collect::<String>()
        )
    };
    let commands = shell(text);
    assert!(commands.contains("http://127.0.0.1:8080"), "the text says where it is served");
    let commands = commands.replace("http://127.0.0.1:8080", &server.url);
    let folder = program.beside("follow");
    std::fs::create_dir(&folder).unwrap();
    let said = Command::new("timeout")
        .args([SECONDS, "bash", "-eu", "-c"])
        .arg(swabline(&program.place()) + &commands)
        .current_dir(&folder)
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8(said.stdout).unwrap(), String::from_utf8(said.stderr).unwrap());
    assert!(said.status.success(), "{:?}\n{out}\n{err}", said.status.code());
    Some(out)
}

#[tokio::test]
async fn a_laboratorys_first_day_runs_as_it_is_printed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(out) = follow(engine, LABORATORY).await else { continue };
        for said in [
            r#""state":"approved""#,
            r#""transfers":6,"differences":[]"#,
            r#""released":{"reported":["T0000000000V","T0000000001T","T0000000002R","T0000000003P"]"#,
            "unexplained              0           0\n",
            "are whole\n2 signatures stand for their runs\n",
            "exit code 2\n",
            "the fewest tests: three stage of 10, 0.1085 a person\n",
        ] {
            assert!(out.contains(said), "{said} is not in\n{out}");
        }
        let taken =
            out.lines().find(|line| line.contains(" taken ")).expect("the watch took a run");
        assert!(taken.ends_with("usable"), "{taken}");
    }
}

#[tokio::test]
async fn the_tour_of_the_readme_runs_as_it_is_printed() {
    let tour = README.split("### A tour in five minutes").nth(1).expect("there is a tour");
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(out) = follow(engine, tour).await else { continue };
        for said in [r#""pickup_code":""#, r#""state":"sealed""#, r#""unexplained":0"#, "are whole"]
        {
            assert!(out.contains(said), "{said} is not in\n{out}");
        }
    }
}
