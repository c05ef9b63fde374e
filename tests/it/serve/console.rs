//! What the program says at its console: settings, accounts, run files.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{SERVE, SQLITE, on_each_engine};
use crate::app::Engine;
use crate::program::{Caller, Program, city, command, finish, scan};
use crate::world::{people, tube};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/instrument");
const REALDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/realdata");

#[test]
fn check_shows_what_is_in_force_and_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("swabline.toml");
    for database in [
        "postgres://lab:canary-word@db.example/swabline",
        "postgres://lab:canary@canary-word@db.example/swabline",
        "postgres://db.example/swabline?user=lab&password=canary-word",
        "postgresql://lab@db.example/swabline?sslmode=require&password=canary-word",
        "postgres://lab:canary-word@db.example/swabline?application_name=a@b",
        "host=db.example password=canary-word",
    ] {
        std::fs::write(&file, format!("database = {database:?}\nrecall_hours = 48\n")).unwrap();
        let (mut by_option, mut by_setting, mut by_file) = (command(), command(), command());
        by_option.args(["check", "--database", database]);
        by_setting.arg("check").env("SWABLINE_DATABASE", database);
        by_file.args(["check", "--config"]).arg(&file);
        let all = [by_option, by_setting, by_file].map(|command| finish(command).expect(0));
        for said in &all {
            assert!(!said.out.contains("canary"), "{}", said.out);
            assert!(said.out.contains("request_seconds = 30"), "{}", said.out);
        }
        assert!(all[2].out.contains("recall_hours = 48"), "{}", all[2].out);
    }
    let mut ordinary = command();
    ordinary.args(["check", "--database", "postgres://lab:canary-word@db.example/swabline"]);
    let said = finish(ordinary).expect(0);
    assert!(said.out.contains("@db.example/swabline"), "one sees which store: {}", said.out);
    let mut misspelt = command();
    misspelt.arg("check").env("SWABLINE_RECALL_HOURS", "0");
    assert!(finish(misspelt).expect(1).one_line().contains("recall_hours"));
}

fn accounts(program: &Program) -> Vec<Value> {
    let said = program.run(&["user", "list", "--json"]).expect(0);
    serde_json::from_str(&said.out).unwrap()
}

/// A server asks again who holds a token after a second.
async fn refused_soon(caller: &Caller) {
    for _ in 0..500 {
        let answer = caller.get("/v1/ledger").await;
        if answer.status == 401 {
            return;
        }
        answer.expect(200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a disabled account is let in for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_listed_given_another_token_and_ended() {
    on_each_engine(async |program| {
        let server = program.serve();
        let add = ["user", "add", "--name", "Wei Officer", "--role", "officer"];
        let made = program.run(&add).expect(0);
        let (account, first) = (made.word("account "), made.word("token "));
        let known = json!([{ "account": account, "name": "Wei Officer", "role": "officer",
            "site": null, "laboratory": null }]);
        assert_eq!(json!(accounts(&program)), known);
        let list = program.run(&["user", "list"]).expect(0);
        assert!(list.out.contains(&account) && list.out.contains("Wei Officer"), "{}", list.out);
        assert!(!list.out.contains(&first), "a token is shown once");

        let second = program.run(&["user", "token", &account]).expect(0).word("token ");
        assert_ne!(first, second);
        for token in [&first, &second] {
            server.caller(token).get("/v1/ledger").await.expect(200);
        }
        program.run(&["user", "disable", &account]).expect(0);
        for token in [&first, &second] {
            refused_soon(&server.caller(token)).await;
        }
        assert_eq!(accounts(&program), Vec::<Value>::new());

        let token = ["user", "token", account.as_str()];
        let disable = ["user", "disable", account.as_str()];
        let homeless = ["user", "add", "--name", "Nobody", "--role", "sampler"];
        let nameless = ["user", "add", "--name", " ", "--role", "officer"];
        let nowhere = ["user", "add", "--name", "N", "--role", "sampler", "--site", "north gate"];
        for refused in [&token[..], &disable, &homeless, &nameless, &nowhere] {
            let said = program.run(refused).expect(1);
            assert!(!said.one_line().is_empty());
            assert_eq!(said.out, "");
        }
        assert_eq!(accounts(&program), Vec::<Value>::new());
        let there = ["user", "add", "--name", "N", "--role", "sampler", "--site", "s01"];
        program.run(&there).expect(0);
        assert_eq!(accounts(&program)[0]["site"], "S01", "a place has one spelling");
        program.run(&["audit", "verify"]).expect(0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_key_leaves_its_row_and_old_and_new_people_are_found() {
    on_each_engine(async |program| {
        let server = program.serve();
        let city = city(&program, &server, 10).await;
        let before = scan(1, &people(0, 3));
        let path = format!("/v1/tubes/{}", tube(1));
        server.caller(&city.sampler).put(&path, &before).await.expect(201);
        assert!(server.stop().success());
        program.run(&["key", "rotate"]).expect(0);
        let server = program.serve();
        let sampler = server.caller(&city.sampler);
        sampler.put(&path, &before).await.expect(200);
        let after = format!("/v1/tubes/{}", tube(2));
        sampler.put(&after, &scan(2, &people(20, 3))).await.expect(201);
        let auditor = server.caller(&program.account("auditor"));
        let trail = auditor.get("/v1/audit?about=keys").await.expect(200).json();
        assert_eq!(trail["rows"].as_array().unwrap().len(), 1, "{trail}");
        let row = &trail["rows"][0];
        assert_eq!((&row["action"], &row["account"]), (&json!("key.rotate"), &json!("console")));
        assert_eq!(row["detail"], json!({ "key": 2 }));
        program.run(&["audit", "verify"]).expect(0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn integrity_says_that_no_run_lies_in_its_period() {
    on_each_engine(async |program| {
        program.run(&["migrate"]).expect(0);
        let said = program.run(&["integrity", "--until", "2020-06-30"]).expect(0);
        let line = "no run came in from 2020-05-31 to 2020-06-30; there is none before or after";
        assert!(said.out.lines().any(|said| said == line), "{}", said.out);
    })
    .await;
}

fn inspect(file: &str, json: bool) -> crate::program::Said {
    let mut inspect = command();
    inspect.arg("inspect").arg(file).args(json.then_some("--json"));
    finish(inspect)
}

#[test]
fn whoever_stops_reading_ends_a_command_quietly() {
    let file = format!("{FIXTURES}/sds/analysis_result.txt");
    for arguments in [&["inspect", &file][..], &["inspect", &file, "--json"], &["check"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let said = command().args(arguments).stdout(writer).output().unwrap();
        let err = String::from_utf8(said.stderr).unwrap();
        assert_eq!((said.status.code(), &*err), (Some(0), ""), "{arguments:?}");
    }
    let full = std::fs::File::create("/dev/full").unwrap();
    let said = command().args(["inspect", &file]).stdout(full).output().unwrap();
    let err = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(err.contains("the output cannot be written") && err.lines().count() == 1, "{err}");
}

/// What `inspect --json` says, and no more.
const FIELDS: [&str; 10] = [
    "format",
    "plate_wells",
    "rows",
    "wells",
    "samples",
    "targets",
    "instrument",
    "serial",
    "run_ended",
    "warnings",
];

fn fields(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_run_file_is_inspected() {
    let file = format!("{FIXTURES}/applied_biosystems/presence_absence.txt");
    let said = inspect(&file, true).expect(0);
    let counts: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(fields(&counts), FIELDS.into());
    assert_eq!(
        counts,
        json!({
            "format": "applied_biosystems_text", "plate_wells": 96, "rows": 5, "wells": 3,
            "samples": 3,
            "targets": [
                { "name": "ORF1ab", "dye": "FAM", "with_ct": 2, "without_ct": 1 },
                { "name": "IC", "dye": "VIC", "with_ct": 1, "without_ct": 1 },
            ],
            "instrument": "QuantStudio(TM) 6 Flex System", "serial": "112233",
            "run_ended": "2021-03-04 15:16:17 PM CST", "warnings": ["calibration expired: fam"],
        })
    );
    let said = inspect(&file, false).expect(0);
    assert!(said.out.contains("ORF1ab (FAM): 2 with Ct, 1 without"), "{}", said.out);
    assert!(!said.out.contains("T0001"), "sample names stay out of it");
}

#[test]
fn every_run_file_written_by_hand_is_counted_or_refused() {
    for (file, rows, wells) in [
        ("biorad_cfx/quantification.csv", 4, 2),
        ("biorad_cfx/european.csv", 2, 2),
        ("design_analysis/results.csv", 3, 2),
        ("rdml/bare.xml", 4, 2),
        ("sds/analysis_result.txt", 8, 4),
    ] {
        let said = inspect(&format!("{FIXTURES}/{file}"), true).expect(0);
        let counts: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(fields(&counts), FIELDS.into(), "{file}");
        assert_eq!((&counts["rows"], &counts["wells"]), (&json!(rows), &json!(wells)), "{file}");
        for target in counts["targets"].as_array().unwrap() {
            let wanted = ["name", "dye", "with_ct", "without_ct"];
            assert_eq!(fields(target), wanted.into(), "{file}");
        }
    }
    let genotypes = format!("{FIXTURES}/applied_biosystems/genotyping.txt");
    let readme = format!("{FIXTURES}/README.md");
    let nowhere = format!("{FIXTURES}/nowhere.txt");
    for (file, why) in [
        (&genotypes, "genotyping"),
        (&readme, "not a run file"),
        (&nowhere, "No such file"),
        (&FIXTURES.to_owned(), "directory"),
    ] {
        for json in [false, true] {
            let said = inspect(file, json).expect(2);
            assert!(said.one_line().contains(why), "{}", said.err);
            assert_eq!(said.out, "", "a refusal gives no counts");
        }
    }
}

#[test]
fn what_is_inspected_is_written_as_rdml_once() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run.rdml").to_str().unwrap().to_owned();
    let file = format!("{FIXTURES}/sds/analysis_result.txt");
    let written = || {
        let mut inspect = command();
        inspect.args(["inspect", &file, "--json", "--rdml", &out]);
        finish(inspect)
    };
    let first = written().expect(0);
    assert_eq!(first.out, inspect(&file, true).expect(0).out, "the counts are said as well");
    let whole = std::fs::read(&out).unwrap();
    let read = swabline::instrument::read(&whole).unwrap();
    let named = read.readings.iter().filter(|reading| reading.sample == "5 < 6 & \"so\"").count();
    assert_eq!((read.readings.len(), read.curves.len(), named), (8, 8, 2));
    let second = written().expect(2);
    assert!(second.one_line().contains("exists"), "{}", second.err);
    assert_eq!(std::fs::read(&out).unwrap(), whole, "nothing is written over");
    let refused = format!("{FIXTURES}/applied_biosystems/genotyping.txt");
    let nothing = folder.path().join("none.rdml");
    let mut inspect = command();
    inspect.args(["inspect", &refused, "--rdml", nothing.to_str().unwrap()]);
    finish(inspect).expect(2).one_line();
    assert!(!nothing.exists());
}

#[test]
fn the_files_of_one_run_are_inspected_together() {
    let file = |name: &str| format!("{FIXTURES}/{name}");
    let both = [file("lightcycler_480/fam.txt"), file("lightcycler_480/hex.txt")];
    let mut together = command();
    together.arg("inspect").args(&both).arg("--json");
    let counts: Value = serde_json::from_str(&finish(together).expect(0).out).unwrap();
    assert_eq!((&counts["rows"], &counts["wells"]), (&json!(6), &json!(3)));
    assert_eq!(counts["targets"].as_array().unwrap().len(), 2);
    let mut strangers = command();
    strangers.arg("inspect").arg(&both[0]).arg(file("biorad_cfx/european.csv"));
    let said = finish(strangers).expect(2);
    assert!(said.one_line().contains("is a whole run by itself"), "{}", said.err);
    let said = inspect(&file("lighthouse/results_only.csv"), false).expect(2);
    assert!(
        said.one_line().contains("rows: 2, plates: 1, positive: 1, negative: 1"),
        "{}",
        said.err
    );
    let said = inspect(&file("mapping/slan.gb18030.txt"), false).expect(0);
    assert!(said.out.contains("never tried on a real file"), "{}", said.out);
}

#[test]
fn mappings_of_the_laboratory_are_checked_shown_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let own = std::fs::read_to_string(format!(
        "{}/fixtures/mappings/ma-6000.toml",
        env!("CARGO_MANIFEST_DIR")
    ));
    let own = own.unwrap().replace("\"ma-6000\"", "\"our-ma-6000\"").replace("false", "true");
    let mapping = folder.path().join("our.toml");
    std::fs::write(&mapping, &own).unwrap();
    let with = |arguments: &[&str]| {
        let mut command = command();
        command.args(arguments).env("SWABLINE_MAPPINGS", folder.path());
        command.env("SWABLINE_DATA", folder.path().join("data"));
        finish(command)
    };
    let said = with(&["check"]).expect(0);
    assert!(said.out.contains("mapping our-ma-6000: proven on"), "{}", said.out);
    assert!(said.out.contains("mapping rotor-gene: unproven"), "{}", said.out);
    let file = format!("{FIXTURES}/mapping/ma-6000.csv");
    let both = with(&["inspect", &file]).expect(2);
    assert!(both.one_line().contains("ma-6000, our-ma-6000 all fit"), "{}", both.err);
    let named = with(&["inspect", &file, "--mapping", "our-ma-6000"]).expect(0);
    assert!(!named.out.contains("never tried"), "{}", named.out);
    let unknown = with(&["inspect", &file, "--mapping", "x"]).expect(2);
    assert!(unknown.one_line().contains("there is no mapping x"), "{}", unknown.err);

    std::fs::write(&mapping, own.replace("\"Ct\"", "\"Item\"").replace("sheets", "sheet")).unwrap();
    for arguments in [&["check"][..], &SERVE] {
        let said = with(arguments).expect(1);
        assert!(
            said.one_line().contains("our.toml:9: there is no key `file.sheet`"),
            "{}",
            said.err
        );
    }
}

#[test]
fn a_real_run_file_is_inspected() {
    if !Path::new(REALDATA).is_dir() {
        eprintln!("the folder of real instrument files is absent; none was inspected");
        return;
    }
    // The row of `formats.md`, section 16, counted with other readers.
    let file = "opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls";
    let said = inspect(&format!("{REALDATA}/{file}"), true).expect(0);
    let counts: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(fields(&counts), FIELDS.into());
    assert_eq!(counts["format"], "applied_biosystems_workbook");
    let size = ["plate_wells", "rows", "wells", "samples"].map(|field| counts[field].as_u64());
    assert_eq!(size, [96, 104, 52, 12].map(Some));
    let targets = json!([
        { "name": "RNaseP", "dye": "TEXAS RED", "with_ct": 44, "without_ct": 8 },
        { "name": "SARS-CoV-2", "dye": "FAM", "with_ct": 28, "without_ct": 24 },
    ]);
    assert_eq!(counts["targets"], targets);
    assert_eq!(counts["instrument"], "sds7500");
    assert_eq!(counts["run_ended"], "2020-05-18 17:50:29 PM PDT");
    let truncated = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(format!("{REALDATA}/{file}")).unwrap();
    let half = truncated.path().join("half.xls");
    std::fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    inspect(half.to_str().unwrap(), true).expect(2).one_line();
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_said_in_one_line() {
    let program = Program::fresh(Engine::Sqlite).await.expect(SQLITE);
    std::fs::write(program.data(), b"a file where the folder should be").unwrap();
    let said = program.run(&SERVE).expect(1);
    assert!(said.one_line().contains("data folder"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_for_the_pages_is_shown_once_and_opens_them() {
    on_each_engine(async |program| {
        let server = program.serve();
        let add = ["user", "add", "--name", "Wei Officer", "--role", "officer", "--login", "Wei"];
        let made = program.run(&add).expect(0);
        let (account, first) = (made.word("account "), made.word("password "));
        let http = reqwest::Client::builder();
        let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let sign_in = async |password: &str| {
            let request = http.post(format!("{}/sign-in", server.url));
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let answer = request.body(format!("login=wei&password={password}")).send().await;
            answer.unwrap().status().as_u16()
        };
        assert_eq!(sign_in(&first).await, 303);
        let again = ["user", "password", account.as_str()];
        let second = program.run(&again).expect(0).word("password ");
        assert_eq!([sign_in(&first).await, sign_in(&second).await], [403, 303]);

        let taken = ["user", "add", "--name", "O", "--role", "officer", "--login", "a/b"];
        let unnamed = ["user", "password", "nobody"];
        let unfactored = ["user", "forget-factor", account.as_str()];
        for refused in [&taken[..], &unnamed, &unfactored] {
            let said = program.run(refused).expect(1);
            assert!(!said.one_line().is_empty());
            assert_eq!(said.out, "");
        }
        let log = server.log();
        assert!(!log.contains(&first) && !log.contains(&second), "{log}");
        program.run(&["audit", "verify"]).expect(0);
    })
    .await;
}
