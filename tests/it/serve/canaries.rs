//! Canary persons pass through a running server, and nothing it writes shows them (R29, R35).

use serde_json::{Value, json};
use swabline::clock::Clock;

use super::{SQLITE, on_each_engine};
use crate::app::{Answer, Engine};
use crate::collection::canaries::assert_free_of;
use crate::program::{Caller, City, Program, Server, city, scan};
use crate::world::{Person, box_, people, tube};

/// Requests that are wrong in ways that put a person where none should be.
async fn go_wrong(sampler: &Caller, nobody: &Caller, canaries: &[Person]) -> Vec<Answer> {
    let [first, second, third] = canaries else { panic!("three canaries") };
    let good = scan(5, canaries);
    let mut wrong = Vec::new();
    for (field, value) in [
        ("name", json!(format!("{}\0", first.name))),
        ("name", json!(first.name.repeat(100))),
        ("name", json!([first.name])),
        ("phone", json!({ "home": first.phone })),
        ("document", json!(first.number)),
        ("document", json!({ "type": "resident_id", "number": &first.number[..17] })),
        ("document", json!({ "type": first.name, "number": first.number })),
        ("taken_at", json!(first.address)),
    ] {
        let mut body = good.clone();
        body["members"][0][field] = value;
        wrong.push(body);
    }
    for (field, value) in [
        ("session", json!(second.name)),
        ("event_id", json!(second.number)),
        ("size", json!(second.number)),
        ("device", json!({ "id": second.name, "sequence": 1, "time": second.phone })),
        ("members", json!(second.name)),
    ] {
        let mut body = good.clone();
        body[field] = value;
        wrong.push(body);
    }
    let mut answers = Vec::new();
    let path = format!("/v1/tubes/{}", tube(5));
    for body in &wrong {
        answers.push(sampler.put(&path, body).await);
        let mut item = body.clone();
        item["code"] = json!(tube(5));
        let batch = json!({ "tubes": [item] });
        let answer = sampler.post("/v1/tubes/batch", &batch).await;
        assert_eq!(answer.json()["tubes"][0]["outcome"], "rejected", "{}", answer.text());
        answers.push(answer);
    }
    let (number, name) = (&third.number, "Canary00002%20%E9%87%87%E6%A0%B700002");
    for path in [
        format!("/v1/tubes/{number}"),
        format!("/v1/tubes/{name}"),
        format!("/v1/sessions/{name}"),
        format!("/v1/nowhere/{number}"),
        format!("/v1/tubes/{}?name={name}&number={number}", tube(6)),
    ] {
        answers.push(sampler.put(&path, &json!({ "name": third.name })).await);
        answers.push(nobody.put(&path, &json!(third.number)).await);
    }
    answers.push(sampler.get(&format!("/v1/feed?after={number}")).await);
    answers
}

/// Residents ask: with a right code, with a wrong one, and in a way that cannot be read.
async fn residents_ask(server: &Server, tube: &Value, canaries: &[Person]) -> Vec<Answer> {
    let resident = server.caller("");
    let mut answers = Vec::new();
    for (person, member) in canaries.iter().zip(tube["members"].as_array().unwrap()) {
        let document = json!({ "type": "resident_id", "number": person.number });
        let right = json!({ "document": document, "pickup_code": member["pickup_code"] });
        answers.push(resident.post("/v1/status", &right).await.expect(200));
        let link = json!({ "link": member["link"] });
        answers.push(resident.post("/v1/status", &link).await.expect(200));
        for wrong in [
            json!({ "document": document, "pickup_code": "0000000000" }),
            json!({ "document": document, "pickup_code": person.name }),
            json!({ "document": person.number, "pickup_code": person.phone }),
            json!({ "link": person.number }),
            json!({ "name": person.name, "number": person.number }),
        ] {
            let answer = resident.post("/v1/status", &wrong).await;
            assert!(answer.status.is_client_error(), "{wrong}: {}", answer.text());
            answers.push(answer);
        }
    }
    answers
}

/// An account of this role: its id and its token.
fn somebody(program: &Program, role: &str, place: &[&str]) -> (String, String) {
    let add = ["user", "add", "--name", "Test", "--role", role];
    let made = program.run(&[&add, place].concat()).expect(0);
    (made.word("account "), made.word("token "))
}

/// The tube travels in a box through two hand-overs and is refused at the laboratory; gives the
/// path of the arrival.
async fn the_street(program: &Program, server: &Server, city: &City) -> String {
    let (courier, courier_token) = somebody(program, "courier", &[]);
    let (receiver, receiver_token) = somebody(program, "receiver", &["--laboratory", "L01"]);
    let [sampler, carries, takes] =
        [&city.sampler, &courier_token, &receiver_token].map(|token| server.caller(token));
    let wanted = json!({ "kind": "box", "count": 1, "place": "S01" });
    server.caller(&city.administrator).post("/v1/allotments", &wanted).await.expect(201);
    let (path, now) = (format!("/v1/boxes/{}", box_(0)), Clock::system().now());
    let manifest = json!({ "site": "S01", "seal": "SEAL", "sealed_at": now, "tubes": [tube(1)] });
    sampler.put(&path, &manifest).await.expect(201);
    for (step, from, to, account) in
        [(1, &sampler, &carries, &courier), (2, &carries, &takes, &receiver)]
    {
        let offer = json!({ "to": account, "at": now, "place": "gate" });
        from.post(&format!("{path}/handovers"), &offer).await.expect(201);
        let accept = format!("{path}/handovers/{step}/accept");
        to.post(&accept, &json!({ "at": now })).await.expect(200);
    }
    let arrival = json!({ "box": box_(0), "laboratory": "L01", "arrived_at": now,
        "seal_intact": true, "scanned": [{ "tube": tube(1), "refused": "leak" }] });
    let arrived = takes.post("/v1/arrivals", &arrival).await.expect(201).json();
    format!("/v1/arrivals/{}", arrived["id"].as_str().unwrap())
}

async fn a_day(program: &Program, server: &Server, city: &City, canaries: &[Person]) {
    let sampler = server.caller(&city.sampler);
    let path = format!("/v1/tubes/{}", tube(1));
    let taken = sampler.put(&path, &scan(1, canaries)).await.expect(201);
    let mut answers = vec![sampler.put(&path, &scan(1, &canaries[1..])).await.expect(409)];
    answers.extend(go_wrong(&sampler, &server.caller(&canaries[0].number), canaries).await);
    assert!(answers.iter().all(|answer| !answer.status.is_server_error()));
    answers.extend(residents_ask(server, &taken.json(), canaries).await);
    for answer in &answers {
        assert_free_of(canaries, &answer.bytes, &answer.text());
    }
    let arrival = the_street(program, server, city).await;
    let (officer, auditor) =
        (server.caller(&city.officer), server.caller(&program.account("auditor")));
    let (way, trail) = (path, format!("/v1/audit?about={}", tube(1)));
    let the_box = format!("/v1/boxes/{}", box_(0));
    for (caller, path) in [
        (&officer, "/metrics"),
        (&officer, "/v1/ledger"),
        (&officer, "/v1/feed"),
        (&officer, &way),
        (&officer, &the_box),
        (&officer, &arrival),
        (&sampler, "/v1/recalls"),
        (&auditor, &trail),
    ] {
        let answer = caller.get(path).await.expect(200);
        assert_free_of(canaries, &answer.bytes, path);
    }
    let trail = auditor.get(&trail).await.expect(200).json();
    assert_ne!(trail["rows"], json!([]), "there was a trail to look at");
    let recalls = sampler.get("/v1/recalls").await.expect(200).json();
    assert_eq!(recalls["recalls"].as_array().unwrap().len(), canaries.len());
    // Whoever calls people must see whom; that page alone shows them, and the log does not.
    let called = officer.get("/v1/recalls").await.expect(200);
    assert!(called.text().contains(&canaries[0].name), "an officer sees whom to call");
    if program.database.is_none() {
        for entry in std::fs::read_dir(program.data()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            assert_free_of(canaries, &bytes, &path.display().to_string());
        }
        assert!(program.data().join("swabline.db-wal").exists(), "the log was there to look at");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_with_canaries_leaves_none_in_the_log_or_in_the_folder() {
    on_each_engine(async |program| {
        let mut command = crate::program::command();
        command.env("RUST_LOG", "info,swabline=debug");
        let mut server = program.serve_under(command);
        let city = city(&program, &server, 10).await;
        let canaries = people(0, 3);
        a_day(&program, &server, &city, &canaries).await;
        crate::program::terminate(server.id());
        assert!(server.ended().success());
        let (log, output) = (server.log(), server.output());
        assert!(log.contains("/v1/tubes/{code} answered 201"), "it logs: {log}");
        let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
        assert!(first["timestamp"].is_string(), "each line is JSON: {first}");
        assert_free_of(&canaries, log.as_bytes(), "the log");
        assert_free_of(&canaries, output.as_bytes(), "the output");
        for token in [&city.sampler, &city.officer, &city.administrator] {
            assert!(!log.contains(token.as_str()), "no token is logged");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_talkative_log_shows_nobody_either() {
    let program = Program::fresh(Engine::Sqlite).await.expect(SQLITE);
    let mut command = crate::program::command();
    command.env("RUST_LOG", "trace");
    let mut server = program.serve_under(command);
    let city = city(&program, &server, 10).await;
    let canaries = people(0, 3);
    let caller = server.caller(&city.sampler);
    let path = format!("/v1/tubes/{}", tube(1));
    caller.put(&path, &scan(1, &canaries)).await.expect(201);
    crate::program::terminate(server.id());
    assert!(server.ended().success());
    assert_free_of(&canaries, server.log().as_bytes(), "the log");
}
