//! Canary persons are planted and then looked for in every byte that is kept and every answer
//! that refuses (R29).

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use serde_json::json;
use sqlx::query_scalar;
use swabline::on;
use swabline::simulation::files::quantstudio_text;

use crate::app::{Engine, TestApp};
use crate::each_engine;
use crate::laboratory;
use crate::world::{Person, people, person, plate, pool, seal_tube, tube, tube_body, world};

/// Every spelling a value could be kept in: UTF-8, UTF-16 either way, base64 at each of the
/// three offsets, and hex.
fn spellings(value: &str) -> Vec<Vec<u8>> {
    let mut spellings = vec![value.as_bytes().to_vec()];
    spellings.push(value.encode_utf16().flat_map(u16::to_le_bytes).collect());
    spellings.push(value.encode_utf16().flat_map(u16::to_be_bytes).collect());
    for offset in 0..3 {
        let mut padded = vec![b'x'; offset];
        padded.extend_from_slice(value.as_bytes());
        for encoding in [&BASE64_NOPAD, &BASE64URL_NOPAD] {
            // The first four characters and the last three also hold what stands beside the value.
            let text = encoding.encode(&padded);
            spellings.push(text.as_bytes()[4..text.len() - 3].to_vec());
        }
    }
    spellings.push(data_encoding::HEXLOWER.encode(value.as_bytes()).into_bytes());
    spellings
}

fn values(person: &Person) -> [&str; 4] {
    [&person.name, &person.number, &person.phone, &person.address]
}

/// Fails the story when a value of these people is in `bytes` in any spelling.
#[track_caller]
pub fn assert_free_of(people: &[Person], bytes: &[u8], place: &str) {
    for value in people.iter().flat_map(values) {
        for spelling in spellings(value) {
            let found = bytes.windows(spelling.len()).any(|window| window == spelling);
            assert!(!found, "{value} was found in {place}");
        }
    }
}

/// Everything that is logged, down to the last detail.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every text a table of the story holds, as bytes.
const TABLES: [(&str, &str); 11] = [
    (
        "person",
        "select cast(json_build_array(key, identity_tag, encode(identity, 'hex'), \
        encode(identity, 'escape')) as text) from person",
    ),
    ("tube", "select cast(to_json(t) as text) from tube t"),
    ("member", "select cast(to_json(t) as text) from member t"),
    ("audit", "select cast(to_json(t) as text) from audit t"),
    ("audit_subject", "select cast(to_json(t) as text) from audit_subject t"),
    ("idempotency", "select cast(to_json(t) as text) from idempotency t"),
    ("feed", "select cast(to_json(t) as text) from feed t"),
    ("allotment", "select cast(to_json(t) as text) from allotment t"),
    ("run_reading", "select cast(to_json(t) as text) from run_reading t"),
    ("curve", "select cast(to_json(t) as text) from curve t"),
    ("run_file", "select encode(content, 'hex') || encode(content, 'escape') from run_file"),
];

/// Everything the store keeps, with a name for each part.
async fn kept(app: &TestApp) -> Vec<(String, Vec<u8>)> {
    let mut parts = Vec::new();
    if app.engine == Engine::Sqlite {
        for entry in std::fs::read_dir(app.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            parts.push((path.display().to_string(), std::fs::read(path).unwrap()));
        }
        assert!(parts.iter().any(|(name, _)| name.ends_with("-wal")), "there is a log to look in");
        return parts;
    }
    for (table, sql) in TABLES {
        let mut tx = app.app.db.read("test.canaries").await.unwrap();
        let rows: Vec<String> = on!(tx, c => query_scalar(sql).fetch_all(c).await).unwrap();
        parts.push((table.to_owned(), rows.join("\n").into_bytes()));
    }
    parts
}

each_engine! {
    async fn a_name_typed_at_an_instrument_is_kept_sealed_and_byte_for_byte(app) {
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 10)).await.expect(201);
        laboratory::deliver(app, &world, 0, &[tube(0)]).await;
        let plate = laboratory::load(app, &world, 0, &[tube(0)]).await;
        let file = laboratory::run_file_with_curves(&plate, &BTreeMap::new());
        let somebody = person(77);
        let typed = format!("\t{}\t", somebody.name);
        let file = String::from_utf8(file).unwrap().replace("\tPC\t", &typed).into_bytes();
        assert!(String::from_utf8_lossy(&file).contains(&somebody.name));
        let run = laboratory::upload(app, &world, &plate, file.clone()).await.expect(201).json();
        let path = format!("/v1/runs/{}/file", run["id"].as_str().unwrap());
        assert_eq!(app.get(&world.technician, &path).await.expect(200).bytes, file);
        for (place, bytes) in kept(app).await {
            assert_free_of(std::slice::from_ref(&somebody), &bytes, &place);
        }
    }

    async fn a_number_typed_behind_an_instrument_s_word_is_not_kept_in_clear(app) {
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 10)).await.expect(201);
        laboratory::deliver(app, &world, 0, &[tube(0)]).await;
        let plate = laboratory::load(app, &world, 0, &[tube(0)]).await;
        let somebody = person(79);
        let number = &somebody.number;
        let mut run = laboratory::cycled(&plate, &BTreeMap::new(), false);
        run.instrument = format!("CFX {number}");
        run.serial.clone_from(number);
        run.run_ended = format!("2020-06-21 {number}");
        for well in &mut run.wells {
            well.task = format!("{} {number}", well.task);
        }
        let file = quantstudio_text(&run).into_bytes();
        let answer = laboratory::upload(app, &world, &plate, file).await.expect(201);
        assert_free_of(std::slice::from_ref(&somebody), &answer.bytes, "the answer");
        for (place, bytes) in kept(app).await {
            assert_free_of(std::slice::from_ref(&somebody), &bytes, &place);
        }
    }

    async fn a_name_typed_where_an_instrument_writes_is_not_kept_in_clear(app) {
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 10)).await.expect(201);
        laboratory::deliver(app, &world, 0, &[tube(0)]).await;
        let plate = laboratory::load(app, &world, 0, &[tube(0)]).await;
        let file = laboratory::run_file(&plate, &BTreeMap::new(), false);
        let somebody = person(78);
        let file = String::from_utf8(file).unwrap();
        let (typed, serial) = (format!("\t{}\t", somebody.name), &somebody.name);
        let file = file.replace("\tUNKNOWN\t", &typed).replace("278870001", serial);
        assert!(file.matches(serial.as_str()).count() > 2, "{file}");
        laboratory::upload(app, &world, &plate, file.into_bytes()).await.expect(201);
        for (place, bytes) in kept(app).await {
            assert_free_of(std::slice::from_ref(&somebody), &bytes, &place);
        }
    }

    async fn nobody_is_in_clear_in_the_store_or_in_a_refusal(app) {
        let log = Log::default();
        let writer = log.clone();
        // A story on another thread that meets a line first, where nobody listens, would have it
        // marked as of no interest to anybody; somebody who listens and says nothing prevents that.
        let _already_there =
            tracing::subscriber::set_global_default(tracing_subscriber::registry()).is_err();
        let _logged = tracing::subscriber::set_default(tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish());
        let world = world(app).await;
        let canaries = people(500, 5);
        seal_tube(app, &world, 1, &canaries).await.expect(201);
        let path = format!("/v1/tubes/{}", tube(1));
        let mut refusals = Vec::new();
        let other = tube_body(app, 1, &canaries[1..]);
        refusals.push(app.put(&world.sampler, &path, &other).await.expect(409));
        let mut twice = tube_body(app, 2, &canaries);
        twice["members"][1] = twice["members"][0].clone();
        twice["members"][2]["phone"] = json!(canaries[2].name);
        twice["members"][3]["document"]["number"] = json!(canaries[3].phone);
        refusals.push(app.put(&world.sampler, &path, &twice).await.expect(422));
        for (field, value) in [
            ("document", json!(canaries[0].number)),
            ("document", json!({ "type": canaries[0].number, "number": "x" })),
            ("taken_at", json!(canaries[0].name)),
            ("name", json!({ "first": canaries[0].name })),
        ] {
            let mut broken = tube_body(app, 3, &canaries);
            broken["members"][0][field] = value;
            refusals.push(app.put(&world.sampler, &path, &broken).await.expect(422));
        }
        let scanned = format!("/v1/tubes/{}", canaries[0].number);
        let body = tube_body(app, 4, &canaries);
        refusals.push(app.put(&world.sampler, &scanned, &body).await.expect(422));
        // A card lies where tubes are scanned.
        let card = canaries[0].number.as_str();
        let bench = |tubes: &[&str]| json!({ "laboratory": "L01", "kit": laboratory::KIT.0,
            "kit_version": laboratory::KIT.1, "tubes": tubes });
        let mixed = format!("/v1/pools/{}", pool(0));
        let mut filled = bench(&[card]);
        filled["template"] = json!("one-well-94-columns");
        for (path, body) in [(mixed, bench(&[card, card])), (format!("/v1/plates/{}", plate(0)), filled)] {
            let refused = app.put(&world.technician, &path, &body).await.expect(422);
            assert_eq!(refused.json()["errors"][0]["about"], json!("tubes[0]"), "{path}");
            refusals.push(refused);
        }
        for refusal in &refusals {
            assert_free_of(&canaries, &refusal.bytes, &refusal.text());
        }
        for (place, bytes) in kept(app).await {
            assert_free_of(&canaries, &bytes, &place);
        }
        let logged = log.0.lock().unwrap().clone();
        assert!(String::from_utf8_lossy(&logged).contains("/v1/tubes/{code} answered 201"));
        assert_free_of(&canaries, &logged, "the log");
    }
}

#[test]
fn the_search_finds_a_value_in_each_of_its_spellings() {
    let planted = person(1);
    let value = planted.number.as_str();
    let utf16: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let inside = BASE64_NOPAD.encode(format!("{{\"number\":\"{value}\"}}").as_bytes());
    for bytes in [value.as_bytes(), &utf16, inside.as_bytes()] {
        let found = spellings(value)
            .iter()
            .any(|spelling| bytes.windows(spelling.len()).any(|window| window == &spelling[..]));
        assert!(found);
    }
}
