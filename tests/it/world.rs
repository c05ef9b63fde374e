//! A small city over HTTP: one laboratory, one site, one round, one session, somebody of every
//! role, and invented people.

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::barcode::check::mod_11_2;
use swabline::barcode::{BoxCode, PlateCode, PoolCode, TubeCode};
use swabline::clock::Span;

use crate::app::{Answer, Client, TestApp};

/// Tube codes that are allotted.
pub const TUBES: u64 = 200;
/// Box codes that are allotted.
pub const BOXES: u64 = 50;
/// Plate codes that are allotted.
pub const PLATES: u64 = 20;

/// Pool codes that are allotted.
pub const POOLS: u64 = 50;

/// Everybody who works in the small city; its places are L01, S01, R01 (10 to a tube) and W01.
pub struct World {
    pub administrator: Client,
    pub officer: Client,
    pub sampler: Client,
    pub courier: Client,
    pub receiver: Client,
    pub technician: Client,
    pub reviewer: Client,
    pub second_reviewer: Client,
    pub service: Client,
    pub auditor: Client,
}

/// Somebody invented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    /// A resident ID number that belongs to nobody: region 999999 was never assigned.
    pub number: String,
    pub phone: String,
    pub address: String,
}

/// The `n`th invented person, always the same one.
pub fn person(n: u64) -> Person {
    let (serial, day) = (n % 1000, n / 1000);
    let (year, month, day) = (1950 + day / 336 % 60, 1 + day / 28 % 12, 1 + day % 28);
    let body = format!("999999{year}{month:02}{day:02}{serial:03}");
    let check = mod_11_2(&body).expect("seventeen digits have a check character");
    Person {
        name: format!("Canary{n:05} 采样{n:05}"),
        number: format!("{body}{check}"),
        phone: format!("555-{n:08}"),
        address: format!("{n} Canary Lane {n:05}"),
    }
}

/// `count` invented people from the `from`th on.
pub fn people(from: u64, count: u64) -> Vec<Person> {
    (from..from + count).map(person).collect()
}

/// The `n`th tube code, allotted while `n` is below [`TUBES`].
pub fn tube(n: u64) -> String {
    TubeCode::numbered(n).unwrap().to_string()
}

/// The `n`th box code, allotted while `n` is below [`BOXES`].
pub fn box_(n: u64) -> String {
    BoxCode::numbered(n).unwrap().to_string()
}

/// The `n`th plate code, allotted while `n` is below [`PLATES`].
pub fn plate(n: u64) -> String {
    PlateCode::numbered(n).unwrap().to_string()
}

/// The `n`th pool code, allotted while `n` is below [`POOLS`].
pub fn pool(n: u64) -> String {
    PoolCode::numbered(n).unwrap().to_string()
}

/// Makes the small city.
pub async fn world(app: &TestApp) -> World {
    let world = World {
        administrator: app.client(Role::Administrator).await,
        officer: app.client(Role::Officer).await,
        sampler: app.client(Role::Sampler).await,
        courier: app.client(Role::Courier).await,
        receiver: app.client(Role::Receiver).await,
        technician: app.client(Role::Technician).await,
        reviewer: app.client(Role::Reviewer).await,
        second_reviewer: app.client(Role::Reviewer).await,
        service: app.client(Role::Service).await,
        auditor: app.client(Role::Auditor).await,
    };
    let (administrator, officer) = (&world.administrator, &world.officer);
    let laboratory = json!({ "name": "Laboratory 1", "address": "1 Laboratory Road" });
    app.put(administrator, "/v1/laboratories/L01", &laboratory).await.expect(201);
    let site = json!({ "name": "North gate", "area": "Fengtai" });
    app.put(administrator, "/v1/sites/S01", &site).await.expect(201);
    app.put(officer, "/v1/rounds/R01", &round(app, 10)).await.expect(201);
    app.put(officer, "/v1/sessions/W01", &session(app, "R01")).await.expect(201);
    for (kind, count, place) in [
        ("tube", TUBES, "S01"),
        ("box", BOXES, "S01"),
        ("plate", PLATES, "L01"),
        ("pool", POOLS, "L01"),
    ] {
        let wanted = json!({ "kind": kind, "count": count, "place": place });
        app.post(administrator, "/v1/allotments", &wanted).await.expect(201);
    }
    world
}

/// A round of two weeks around the present.
pub fn round(app: &TestApp, tube_size: u8) -> Value {
    let now = app.now();
    json!({
        "name": "June", "area": "Fengtai", "specimen": "oropharyngeal swab",
        "tube_size": tube_size, "starts_at": now - Span::days(4), "ends_at": now + Span::days(10),
        "result_hours": 24,
    })
}

/// A session of this morning at S01.
pub fn session(app: &TestApp, round: &str) -> Value {
    let now = app.now();
    json!({
        "round": round, "site": "S01", "team": "Team 1",
        "opens_at": now - Span::hours(1), "closes_at": now + Span::hours(11),
    })
}

/// What a device sends for the `n`th tube: one person in a tube of 1, more in a tube of 10.
/// The event's id follows from `n` and the moment, so that a retry is built the same way.
pub fn tube_body(app: &TestApp, n: u64, people: &[Person]) -> Value {
    let now = app.now();
    let millis = u64::try_from(now.us() / 1000).unwrap();
    let mut random = [7; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    let event = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    let size = if people.len() == 1 { 1 } else { 10 };
    let members: Vec<_> = people
        .iter()
        .map(|person| {
            json!({
                "document": { "type": "resident_id", "number": person.number },
                "name": person.name, "phone": person.phone, "address": person.address,
                "taken_at": now - Span::minutes(10),
            })
        })
        .collect();
    json!({
        "event_id": event, "session": "W01", "size": size, "swab_count": people.len(),
        "underfilled": people.len() < size, "sealed_at": now - Span::minutes(1),
        "device": { "id": "D01", "sequence": n, "time": now }, "members": members,
    })
}

/// Seals the `n`th tube with these people.
pub async fn seal_tube(app: &TestApp, world: &World, n: u64, people: &[Person]) -> Answer {
    let path = format!("/v1/tubes/{}", tube(n));
    app.put(&world.sampler, &path, &tube_body(app, n, people)).await
}
