//! Tubes that lie ready at a site, written straight into the store, and the requests that carry
//! them to a laboratory.

use serde_json::{Value, json};
use sqlx::query;
use swabline::auth::Role;
use swabline::clock::Time;
use swabline::collection::person::{DocumentType, Shown, identity_place, identity_row};
use swabline::on;
use swabline::seal::PersonKey;

use crate::app::{Answer, Client, TestApp};
pub use crate::world::{box_ as crate_code, tube};

/// A tube to be written: its members are numbers of invented people.
#[derive(Clone, Debug)]
pub struct Tube {
    pub number: u64,
    pub site: &'static str,
    pub size: i64,
    pub people: Vec<u64>,
}

/// A pool of three at S01 whose members nobody else shares.
pub fn pool(number: u64) -> Tube {
    Tube { number, site: "S01", size: 10, people: (number * 10..number * 10 + 3).collect() }
}

/// A single tube of this person.
pub fn single(number: u64, person: u64) -> Tube {
    Tube { number, site: "S01", size: 1, people: vec![person] }
}

pub fn person(app: &TestApp, number: u64) -> PersonKey {
    let number = &format!("X{number}");
    let shown = Shown { kind: DocumentType::Passport, issuer: Some("GBR"), number };
    shown.key(&app.app.keys)
}

/// Two sites and two laboratories.
pub async fn places(app: &TestApp) {
    let mut tx = app.app.db.write("test.places").await.unwrap();
    for sql in [
        "insert into site (code, name, area, created_us) values ('S01', 'North gate', 'A', 0),
            ('S02', 'South gate', 'A', 0)",
        "insert into laboratory (code, name, address, created_us)
            values ('L01', 'First', 'here', 0), ('L02', 'Second', 'there', 0)",
        "insert into round (code, name, area, specimen, tube_size, starts_us, ends_us,
            result_hours, created_us) values ('R01', 'Round', 'A', 'swab', 10, 0, 1, 24, 0)",
        "update code_counter set next_number = 1000",
    ] {
        on!(tx, c => query(sql).execute(c).await.map(drop)).unwrap();
    }
    tx.commit().await.unwrap();
}

const PERSON: &str = "insert into person (key, identity, identity_tag, first_seen_us)
    values ($1, $2, 'tag', 0) on conflict do nothing";
const TUBE: &str = "insert into tube (code, size, members, swab_count, round_code, site_code,
        session_code, event_id, device_id, device_seq, device_skew_us, sealed_us, recorded_us,
        recorded_by, content_tag, state, state_us)
    values ($1, $2, $3, $3, 'R01', $4, 'E01', $1, 'D01', 0, 0, $5, $5, 'test', 'tag', 'sealed',
        $5)";
const MEMBER: &str = "insert into member (tube_code, position, person_key, identity_tag, taken_us)
    values ($1, $2, $3, 'tag', $4)";

/// Seals these tubes now.
pub async fn seal(app: &TestApp, tubes: &[Tube]) {
    let now: Time = app.now();
    let mut tx = app.app.db.write("test.seal").await.unwrap();
    for Tube { number, site, size, people } in tubes {
        let code = tube(*number);
        let members = i64::try_from(people.len()).unwrap();
        on!(tx, c => query(TUBE).bind(&code).bind(*size).bind(members).bind(*site).bind(now)
            .execute(c).await.map(drop))
        .unwrap();
        for (position, number) in (1_i64..).zip(people) {
            let key = person(app, *number);
            let row = identity_row(&key, "tag");
            let identity = json!({ "name": format!("Person {number}"), "document_type": "passport",
                "issuer": "GBR",
                "number": format!("X{number}"), "phone": null, "address": null })
            .to_string();
            let sealed = app.app.keys.seal(identity_place(&row), identity.as_bytes());
            on!(tx, c => query(PERSON).bind(&key).bind(&sealed).execute(c).await.map(drop))
                .unwrap();
            on!(tx, c => query(MEMBER).bind(&code).bind(position).bind(&key).bind(now)
                .execute(c).await.map(drop))
            .unwrap();
        }
    }
    tx.commit().await.unwrap();
}

/// Packs these tubes into a box.
pub async fn pack(app: &TestApp, sampler: &Client, number: u64, tubes: &[u64]) -> Answer {
    let tubes: Vec<_> = tubes.iter().map(|number| tube(*number)).collect();
    let body = json!({ "site": "S01", "seal": "Z-1", "sealed_at": app.now(), "tubes": tubes });
    app.put(sampler, &format!("/v1/boxes/{}", crate_code(number)), &body).await
}

/// A scan of sound tubes.
pub fn scanned(tubes: &[u64]) -> Vec<Value> {
    tubes.iter().map(|number| json!({ "tube": tube(*number) })).collect()
}

/// What a receiver of L01 sends.
pub fn delivery(app: &TestApp, number: u64, scanned: &[Value]) -> Value {
    json!({ "box": crate_code(number), "laboratory": "L01", "arrived_at": app.now(),
        "seal_intact": true, "scanned": scanned })
}

/// Takes a box in at L01.
pub async fn arrive(app: &TestApp, receiver: &Client, number: u64, scanned: &[Value]) -> Answer {
    app.post(receiver, "/v1/arrivals", &delivery(app, number, scanned)).await
}

/// A site and a laboratory with somebody at each.
pub async fn people(app: &TestApp) -> (Client, Client) {
    places(app).await;
    (app.client(Role::Sampler).await, app.client(Role::Receiver).await)
}

/// The one number a statement answers with.
pub async fn number(app: &TestApp, sql: &'static str) -> i64 {
    let mut tx = app.app.db.read("test.number").await.unwrap();
    on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

/// Whether the database itself refuses a statement.
pub async fn is_refused(app: &TestApp, sql: &'static str) -> bool {
    let mut tx = app.app.db.write("test.direct").await.unwrap();
    on!(tx, c => query(sql).execute(c).await.map(drop)).is_err()
}

/// The codes of a problem's reasons with what each is about.
pub fn reasons(answer: &Answer) -> Vec<(String, String)> {
    listed(&answer.json()["errors"])
}

/// The codes of warnings with what each is about.
pub fn listed(reasons: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reasons = reasons.as_array().into_iter().flatten();
    reasons.map(|reason| (text(&reason["code"]), text(&reason["about"]))).collect()
}
