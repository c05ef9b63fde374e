//! A whole day of a small city, played by the program against a server of its own or against
//! nodes that are named, and what it says when something does not add up.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::app::{Engine, fresh_database, postgres_url};
use crate::program::{Program, Said, command, finish};

/// A day of the program, with these arguments.
fn simulate(arguments: &[&str]) -> Command {
    let mut simulate = command();
    simulate.env("RUST_LOG", "warn").args(["simulate", "--json", "--seed", "7"]).args(arguments);
    simulate
}

fn report(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
}

/// What a report says, without what depends on the machine and the moment.
fn content(report: &Value) -> Value {
    let mut content = report.clone();
    for volatile in [
        "seconds",
        "per_second",
        "phases",
        "latency_ms",
        "server_cpu_s",
        "server_rss_peak_bytes",
        "generator_cpu_s",
        "store_bytes",
        "store_rows",
        "engine",
        "traffic",
        "ledger",
        "plates",
        "first",
        "again",
    ] {
        content.as_object_mut().unwrap().remove(volatile).unwrap();
    }
    content
}

#[track_caller]
fn is_sound(report: &Value) {
    assert_eq!(report["surprises"], 0, "{}", report["surprising"]);
    assert_eq!(report["ledger"]["unexplained"], 0);
    let truth = &report["truth"];
    assert_eq!(truth["asked"], report["people"]);
    assert_eq!(truth["fitting"], report["people"]);
    assert_eq!((&truth["wrongly_told"], &truth["missed"]["unexplained"]), (&0.into(), &0.into()));
    assert!(truth["infected"].as_u64() > Some(0) && truth["found"].as_u64() > Some(0), "{truth}");
    let count = |name: &str| report["first"][name].as_u64().unwrap();
    assert!(count("sent_twice") > 0 && count("sent_twice") == count("duplicates"));
    assert!(count("refused") > 0 && count("missing") > 0 && count("recalled") > 0);
    assert!(report["recalls"].as_u64() > Some(0));
    assert_eq!(report["recalls_left"], 0);
    assert!(report["residents"].as_u64() > Some(0));
    assert!(report["store_rows"].as_u64() > report["people"].as_u64());
    let phases = report["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    let expected = [
        "collect",
        "transport",
        "receive",
        "plate",
        "import",
        "release",
        "recall",
        "ask",
        "ask singly",
        "feed",
    ];
    assert_eq!(names, expected);
    feed_is_sound(report);
    // Requests of so many steps.
    for (name, requests, steps) in [
        ("collect", 1, 1),
        ("transport", 5, 2),
        ("receive", 1, 1),
        ("plate", 2, 1),
        ("import", 1, 1),
        ("release", 3, 1),
        ("ask", 1, 1),
        ("ask singly", 1, 1),
        ("feed", 1, 1),
    ] {
        let phase = phases.iter().find(|phase| phase["name"] == name).unwrap();
        let counted = |number: &Value| number.as_u64().unwrap();
        let (sent, timed) = (&phase["requests"], &phase["latency_ms"]["count"]);
        assert_eq!(counted(sent) * steps, counted(timed) * requests, "{phase}");
        assert!(phase["step"].as_str().is_some_and(|step| !step.is_empty()), "{phase}");
    }
}

/// The feed told of everything that happened, by its kinds.
#[track_caller]
fn feed_is_sound(report: &Value) {
    let told = |kind: &str| report["feed"][kind].as_u64().unwrap();
    let happened = |of: &str| -> u64 {
        [&report["first"], &report["again"]].map(|wave| wave[of].as_u64().unwrap()).iter().sum()
    };
    let expected: [(&str, u64); 7] = [
        ("sealed", happened("tubes")),
        ("received", happened("accepted")),
        ("refused", happened("refused")),
        ("released", happened("released")),
        ("amended", 0),
        ("recall_opened", happened("refused") + happened("recalled")),
        ("recall_closed", report["recalls"].as_u64().unwrap()),
    ];
    for (kind, count) in expected {
        assert_eq!(told(kind), count, "{kind}: {}", report["feed"]);
    }
    assert_eq!(told("changes"), expected.iter().map(|(_, count)| count).sum::<u64>());
    assert_eq!(told("positive"), report["truth"]["found"].as_u64().unwrap());
}

#[tokio::test]
async fn a_day_of_a_small_city_adds_up_and_is_the_same_on_both_engines() {
    let day = ["--people", "2200", "--prevalence", "0.004", "--sites", "2"];
    let here = report(&finish(simulate(&day)).expect(0));
    is_sound(&here);
    assert!(here["server_cpu_s"].as_f64() > Some(0.0));
    assert!(here["server_rss_peak_bytes"].as_u64() > Some(1 << 20));
    let Some(server) = postgres_url() else { return };
    let database = fresh_database(&server).await;
    let mut there = simulate(&day);
    there.args(["--database", &database]);
    let there = report(&finish(there).expect(0));
    is_sound(&there);
    assert_eq!(content(&there), content(&here));
    let mut again = simulate(&day);
    again.args(["--database", &database]);
    let refused = finish(again).expect(1);
    assert!(refused.one_line().contains("has accounts already"), "{}", refused.err);
}

#[test]
fn tubes_that_come_one_by_one_at_a_given_rate_are_the_same_day() {
    let day = ["--people", "240", "--tube-size", "1", "--prevalence", "0.02"];
    let bulk = report(&finish(simulate(&day)).expect(0));
    let mut singly = simulate(&day);
    singly.args(["--scan", "single", "--rate", "400"]);
    let singly = report(&finish(singly).expect(0));
    assert_eq!(singly["truth"], bulk["truth"]);
    assert_eq!((&singly["scan"], &singly["rate"]), (&"single".into(), &400.0.into()));
    assert_eq!(singly["truth"]["missed"]["dilution"], 0);
    let scans = &singly["latency_ms"]["count"];
    assert!(scans.as_u64() > Some(240), "one a tube, and those sent twice: {scans}");
}

#[test]
fn residents_who_refresh_while_the_day_is_written_change_nothing_of_it() {
    let day = ["--people", "600", "--prevalence", "0.01"];
    let quiet = report(&finish(simulate(&day)).expect(0));
    let mut asked = simulate(&day);
    asked.args(["--refreshing", "4"]);
    let asked = report(&finish(asked).expect(0));
    assert_eq!((&asked["truth"], &asked["surprises"]), (&quiet["truth"], &0.into()));
    let answers = |report: &Value| {
        let phases = report["phases"].as_array().unwrap().clone();
        let refresh = phases.into_iter().find(|phase| phase["name"] == "refresh")?;
        refresh["requests"].as_u64()
    };
    assert!(answers(&asked) > Some(4), "{}", asked["phases"]);
    assert_eq!(answers(&quiet), None);
}

#[test]
fn arguments_that_make_no_day_are_refused_in_one_line() {
    for (arguments, about) in [
        (&["--tube-size", "3"][..], "1, 5, 10 or 20"),
        (&["--people", "0"], "people"),
        (&["--prevalence", "0.7"], "prevalence"),
        (&["--people", "5", "--sites", "6"], "sites"),
        (&["--rate", "0"], "rate"),
        (&["--refreshing", "10001"], "refresh"),
        (&["--nodes", "http://127.0.0.1:1"], "--database"),
        (&["--nodes", "ftp://127.0.0.1:1"], "http://HOST:PORT"),
    ] {
        let said = finish(simulate(arguments)).expect(1);
        assert!(said.one_line().contains(about), "{}", said.err);
    }
}

/// Passes every byte on to a node and back, and tells what it spoils: answers in which `from` is
/// `to`.
fn spoil(node: &str, from: &'static [u8], to: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let node = node.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&node).unwrap());
            let (from_client, to_server) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || pass(from_client, to_server, (b"", b"")));
            std::thread::spawn(move || pass(server, client, (from, to)));
        }
    });
    url
}

/// Bytes from one to the other, until either is gone.
fn pass(mut from: TcpStream, mut to: TcpStream, (old, new): (&[u8], &[u8])) {
    let mut bytes = vec![0; 1 << 20];
    from.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let text = &mut bytes[..count];
        for at in 0..count.saturating_sub(old.len()) {
            if !old.is_empty() && text[at..].starts_with(old) {
                text[at..at + old.len()].copy_from_slice(new);
            }
        }
        if to.write_all(text).is_err() {
            break;
        }
    }
    to.shutdown(std::net::Shutdown::Both).ok();
}

/// A lie of the same length as what is true.
type Lie = (&'static [u8], &'static [u8]);

/// In the one answer people live by, a negative is something else.
const OF_STATUS: Lie =
    (b"\"outcome\":\"not_detected\",\"pool", b"\"outcome\":   \"withdrawn\",\"pool");
/// In the feed, tubes are released that only came to their laboratory.
const OF_FEED: Lie = (b"\"change\":\"received\"", b"\"change\":\"released\"");

#[tokio::test]
async fn a_node_that_is_named_is_played_against_and_one_that_lies_is_found_out() {
    let day = ["--people", "300", "--prevalence", "0.01"];
    for lie in [None, Some(OF_STATUS), Some(OF_FEED)] {
        let Some(program) = Program::fresh(Engine::Postgres).await else { return };
        let server = program.serve();
        let nodes = match lie {
            None => format!("{0},{0}/", server.url),
            Some((from, to)) => spoil(&server.url, from, to),
        };
        let database = program.database.clone().unwrap();
        let mut play = simulate(&day);
        play.args(["--nodes", &nodes, "--database", &database]);
        let said = finish(play).expect(if lie.is_some() { 2 } else { 0 });
        let report = report(&said);
        assert_eq!(report["server_cpu_s"], Value::Null);
        if lie.is_some() {
            assert!(said.one_line().contains("does not add up"), "{}", said.err);
            assert!(report["surprises"].as_u64() > Some(0));
        } else {
            assert_eq!((&report["surprises"], &report["nodes"]), (&0.into(), &2.into()));
            feed_is_sound(&report);
        }
        let (fitting, surprising) = (&report["truth"]["fitting"], &report["surprising"]);
        assert_eq!(*fitting == 300, lie != Some(OF_STATUS), "{fitting}");
        let feed_lied = surprising.to_string().contains("the feed tells Released");
        assert_eq!(feed_lied, lie == Some(OF_FEED), "{surprising}");
        assert!(server.stop().success());
    }
}
