//! A thousand devices whose network comes and goes: nothing is lost or doubled, and every number
//! that never came is listed (R5).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::collection::device::api::{Gap, GapsAnswer};

use crate::app::{Client, TestApp};
use crate::each_engine;
use crate::world::{TUBES, World, person, tube, world};

const DEVICES: u64 = 1_000;
/// Tubes of each device, numbered from 1.
const EACH: u64 = 3;

/// The tube that a device sealed under this number.
fn sealed(app: &TestApp, device: u64, number: u64) -> Value {
    let (n, now) = (device * EACH + number - 1, app.now());
    let event = uuid::Builder::from_unix_timestamp_millis(1, &[0; 10]).into_uuid().as_u128();
    let somebody = person(n);
    let document = json!({ "type": "resident_id", "number": somebody.number });
    json!({
        "code": tube(TUBES + n), "event_id": uuid::Uuid::from_u128(event + u128::from(n) + 1),
        "session": "W01", "size": 10, "swab_count": 1, "underfilled": true,
        "sealed_at": now - Span::minutes(1),
        "device": { "id": format!("D{device:04}"), "sequence": number, "time": now },
        "members": [{ "document": document, "name": somebody.name, "phone": somebody.phone,
            "taken_at": now - Span::minutes(2) }],
    })
}

/// Sends tubes, a box at a time; gives how many were stored and how many were there before.
async fn send(app: &TestApp, world: &World, tubes: &[Value]) -> (usize, usize) {
    let (mut stored, mut known) = (0, 0);
    for share in tubes.chunks(200) {
        let body = json!({ "tubes": share });
        let answer = app.post(&world.sampler, "/v1/tubes/batch", &body).await.expect(200).json();
        for item in answer["tubes"].as_array().unwrap() {
            match item["outcome"].as_str().unwrap() {
                "accepted" => stored += 1,
                "duplicate" => known += 1,
                other => panic!("{other}: {item}"),
            }
        }
    }
    (stored, known)
}

async fn gaps(app: &TestApp, by: &Client, query: &str) -> BTreeMap<String, Vec<Gap>> {
    let answer = app.get(by, &format!("/v1/devices/gaps{query}")).await.expect(200).json();
    let answer: GapsAnswer = serde_json::from_value(answer).unwrap();
    assert!(!answer.more);
    for one in &answer.devices {
        let listed: i64 = one.gaps.iter().map(|gap| gap.to - gap.from + 1).sum();
        assert_eq!((one.missing, one.site.as_str()), (listed, "S01"), "{one:?}");
    }
    answer.devices.into_iter().map(|one| (one.device, one.gaps)).collect()
}

each_engine! {
    async fn a_thousand_devices_lose_nothing_and_every_gap_is_listed(app) {
        let world = world(app).await;
        let wanted = json!({ "kind": "tube", "count": DEVICES * EACH, "place": "S01" });
        app.post(&world.administrator, "/v1/allotments", &wanted).await.expect(201);
        // What became of each device's second tube: it never came, it came late, it came twice.
        let (lost, late, twice) = (|d| d % 97 == 5, |d| d % 10 == 1, |d| d % 10 == 2);
        let all = || (0..DEVICES).flat_map(|d| (1..=EACH).map(move |n| (d, n)));
        let first: Vec<_> = all()
            .filter(|&(d, n)| n != 2 || !(lost(d) || late(d)))
            .map(|(d, n)| sealed(app, d, n))
            .collect();
        assert_eq!(send(app, &world, &first).await, (first.len(), 0));
        let name = |d: u64| format!("D{d:04}");
        let second = vec![Gap { from: 2, to: 2 }];
        let expected = |is_missing: &dyn Fn(u64) -> bool| -> BTreeMap<_, _> {
            (0..DEVICES).filter(|&d| is_missing(d)).map(|d| (name(d), second.clone())).collect()
        };
        let seen = gaps(app, &world.officer, "").await;
        assert_eq!(seen, expected(&|d| lost(d) || late(d)));

        // The network is back: what waited comes, and some send all of it again.
        let again: Vec<_> = all()
            .filter(|&(d, n)| (late(d) && !lost(d) && n == 2) || twice(d))
            .filter(|&(d, n)| !(lost(d) && n == 2))
            .collect();
        let known = again.iter().filter(|&&(d, _)| twice(d)).count();
        let again: Vec<_> = again.into_iter().map(|(d, n)| sealed(app, d, n)).collect();
        assert_eq!(send(app, &world, &again).await, (again.len() - known, known));
        assert_eq!(gaps(app, &world.auditor, "").await, expected(&lost));
        let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
        assert_eq!(ledger["whole"]["tubes"]["collected"], json!(first.len() + again.len() - known));
        assert_eq!(ledger["unexplained"], 0);
    }

    async fn gaps_are_told_of_ones_own_site_and_of_devices_heard_of_late(app) {
        let world = world(app).await;
        let wanted = json!({ "kind": "tube", "count": 9, "place": "S01" });
        app.post(&world.administrator, "/v1/allotments", &wanted).await.expect(201);
        // Numbers begin at 0 or 1: of the first nothing is missing, of the second two are.
        let [mut zero, mut three] = [sealed(app, 0, 1), sealed(app, 1, 1)];
        zero["device"]["sequence"] = json!(0);
        three["device"]["sequence"] = json!(3);
        assert_eq!(send(app, &world, &[zero, three]).await, (2, 0));
        let missing = BTreeMap::from([("D0001".to_owned(), vec![Gap { from: 1, to: 2 }])]);
        assert_eq!(gaps(app, &world.officer, "?site=S01").await, missing);
        let nowhere = app.get(&world.officer, "/v1/devices/gaps?site=S02").await.expect(404);
        assert_eq!(nowhere.code(), "site.not_found");
        let second = json!({ "name": "South gate", "area": "Daxing" });
        app.put(&world.officer, "/v1/sites/S02", &second).await.expect(201);
        assert_eq!(gaps(app, &world.officer, "?site=S02").await, BTreeMap::new());
        let here = app.client_at(Role::Officer, Some("S01".to_owned()), None).await;
        assert_eq!(gaps(app, &here, "").await, missing);
        let refused = app.get(&here, "/v1/devices/gaps?site=S02").await.expect(403);
        assert_eq!(refused.code(), "auth.site");
        // A device that was not heard for a week is an old story; it can still be asked for.
        let since = app.now() - Span::minutes(5);
        app.pass(Span::days(7));
        assert_eq!(gaps(app, &world.officer, "").await, BTreeMap::new());
        let query = format!("?since={}", serde_json::to_value(since).unwrap().as_str().unwrap());
        assert_eq!(gaps(app, &world.officer, &query).await, missing);
    }
}
