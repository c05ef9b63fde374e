//! What large batches send by its place stands in the column that has its name.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::query_as;
use swabline::clock::Span;
use swabline::instrument::store::exported;
use swabline::instrument::{Reading, read};
use swabline::on;
use swabline::simulation::files::quantstudio_text_with;

use crate::each_engine;
use crate::laboratory::{POSITIVE, SINGLE_TARGET, cycled, deliver, load, upload};
use crate::way::number;
use crate::world::{people, seal_tube, tube, tube_body, world};

type Texts = (String, String, String, String, String, String, String, String);
type Numbers = (i64, i64, i64, i64, i64, i64, i64, i64);
type Call = (String, String, String, String, i64, i64, i64, String, Option<String>);

each_engine! {
    async fn a_sealed_tube_stands_in_its_columns(app) {
        let world = world(app).await;
        let (sent, now) = (tube_body(app, 7, &people(0, 3)), app.now());
        seal_tube(app, &world, 7, &people(0, 3)).await.expect(201);
        let texts = "select code, round_code, site_code, session_code, event_id, device_id,
            recorded_by, state from tube";
        let numbers = "select size, members, swab_count, device_seq, device_skew_us, sealed_us,
            recorded_us, state_us from tube";
        let mut tx = app.app.db.read("test.tube").await.unwrap();
        let found: Texts = on!(tx, c => query_as(texts).fetch_one(c).await).unwrap();
        let event = sent["event_id"].as_str().unwrap();
        let by = world.sampler.actor.account.as_str();
        let (tube, session) = (tube(7), "W01");
        let named = [&found.0, &found.2, &found.3, &found.4, &found.5, &found.6, &found.7];
        assert_eq!(named, [&tube, "S01", session, event, "D01", by, "sealed"]);
        let round = "select r.code, r.code from round r join session s on s.round_code = r.code";
        let round: (String, String) = on!(tx, c => query_as(round).fetch_one(c).await).unwrap();
        assert_eq!(found.1, round.0);
        let counted: Numbers = on!(tx, c => query_as(numbers).fetch_one(c).await).unwrap();
        let (sealed, recorded) = ((now - Span::minutes(1)).us(), now.us());
        assert_eq!(counted, (10, 3, 3, 7, 0, sealed, recorded, recorded));
        drop(tx);
        // Each member by the place it was sent in, with the identity that was sealed for it.
        let taken = "select count(*) from member m
            join person p on p.key = m.person_key and p.identity_tag = m.identity_tag
            join tube t on t.code = m.tube_code
            where m.position in (1, 2, 3) and m.taken_us = t.sealed_us - 540000000";
        assert_eq!(number(app, taken).await, 3);
    }

    async fn readings_and_calls_stand_in_their_columns(app) {
        let world = world(app).await;
        for n in 0..3 {
            seal_tube(app, &world, n, &people(n * 10, 10)).await.expect(201);
        }
        let tubes: Vec<_> = (0..3).map(tube).collect();
        deliver(app, &world, 0, &tubes).await;
        let loaded = load(app, &world, 0, &tubes).await;
        let signals = BTreeMap::from([(tube(0), POSITIVE), (tube(1), SINGLE_TARGET)]);
        let file = quantstudio_text_with(&cycled(&loaded, &signals, false), &[]).into_bytes();
        let run = upload(app, &world, &loaded, file.clone()).await.expect(201).json();
        let mut tx = app.app.db.read("test.run").await.unwrap();

        let kept = exported(&mut tx, run["id"].as_str().unwrap()).await.unwrap().readings;
        let facts = |readings: Vec<Reading>| -> BTreeMap<_, _> {
            let named = |r: &Reading| if r.sample.starts_with('T') { r.sample.clone() } else { String::new() };
            readings.into_iter().map(|r| ((r.well, r.target.clone()), Reading { sample: named(&r), ..r })).collect()
        };
        let sent = read(&file).unwrap().readings;
        assert!(sent.iter().any(|reading| reading.amp_status.is_some()), "the file says it");
        assert_eq!(facts(kept), facts(sent));

        let sql = "select tube_code, outcome, rule, disposition, members, attempt, clean, detail,
            pool_code from call order by tube_code";
        let calls: Vec<Call> = on!(tx, c => query_as(sql).fetch_all(c).await).unwrap();
        let clean: Vec<_> = calls.iter().map(|call| call.6).collect();
        assert_eq!(clean, [0, 0, 1], "the third tube alone is negative");
        let answered = run["calls"].as_array().unwrap();
        assert_eq!(answered.len(), calls.len());
        for (tube, outcome, rule, disposition, members, attempt, _, detail, pool) in calls {
            let told = answered.iter().find(|call| call["tube"] == *tube).unwrap();
            let named = [&tube, &outcome, &rule].map(String::as_str);
            assert_eq!(named, ["tube", "outcome", "rule"].map(|field| told[field].as_str().unwrap()));
            assert_eq!(disposition, told["disposition"]["action"].as_str().unwrap());
            assert_eq!((members, attempt, pool), (10, 1, None));
            // Beside them stands what no column says, in its order.
            let detail: Value = serde_json::from_str(&detail).unwrap();
            let targets = told["targets"].as_array().unwrap();
            assert_eq!((&detail[0], &detail[1]), (&told["reason"], &Value::Bool(false)));
            let of = |target: &Value| ["target", "role", "well", "ct", "raw_ct", "state"].map(|f| target[f].clone());
            let expected: Vec<_> = targets.iter().map(|target| Value::from(of(target).to_vec())).collect();
            assert_eq!(detail[2], Value::from(expected));
        }
    }
}
