//! What was signed, held long afterwards against what is stored.

use std::collections::BTreeMap;

use serde_json::json;
use swabline::review::Meaning;
use swabline::review::verify::{Signatures, signatures_verify};

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{self as lab, POSITIVE, Signals};
use crate::way::tamper;
use crate::world::{World, people, seal_tube, tube, world};

async fn verify(app: &TestApp) -> Signatures {
    let mut tx = app.app.db.read("test.signatures").await.unwrap();
    signatures_verify(&mut tx).await.unwrap()
}

/// Tests tubes that were received and releases what comes of it; gives the run.
async fn released(
    app: &TestApp,
    world: &World,
    tubes: &[String],
    signals: &BTreeMap<String, Signals>,
) -> String {
    let plate = lab::load(app, world, 0, tubes).await;
    let file = lab::run_file(&plate, signals, false);
    let run = lab::upload(app, world, &plate, file).await.expect(201).json();
    let run = run["id"].as_str().unwrap().to_owned();
    lab::release(app, world, &run).await;
    run
}

each_engine! {
    async fn a_result_that_was_altered_is_named_and_one_that_was_amended_stands(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..2).await;
        let run = released(app, &world, &tubes, &BTreeMap::new()).await;
        let path = format!("/v1/results/{}.1/amend", tube(0));
        let withdraw = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        app.post(&world.reviewer, &path, &withdraw).await.expect(202);
        app.post(&world.second_reviewer, &path, &withdraw).await.expect(201);
        let whole = verify(app).await;
        assert_eq!((whole.compared, whole.broken), (4, None), "two of the run, two of the amendment");
        for (guards, result, told) in [
            (&["result_fixed"][..], format!("{}.1", tube(1)), "not_detected"),
            (&[][..], format!("{}.2", tube(0)), "withdrawn"),
            (&[][..], format!("{}.1", tube(0)), "not_detected"),
        ] {
            let says = |outcome: &str| {
                format!("update result set outcome = '{outcome}' where id = '{result}'")
            };
            tamper(app, guards, &says("detected")).await;
            let broken = verify(app).await.broken.unwrap();
            assert_eq!((&broken.run, broken.result.as_ref()), (&run, Some(&result)));
            assert!(broken.to_string().contains(&result), "{broken}");
            tamper(app, &[], &says(told)).await;
            assert_eq!(verify(app).await.broken, None, "{result}");
        }
        // Somebody else's name under what others signed.
        for result in [format!("{}.1", tube(1)), format!("{}.2", tube(0))] {
            for column in ["reviewed_by", "released_by"] {
                let set = |value: &str| {
                    format!("update result set {column} = {value} where id = '{result}'")
                };
                tamper(app, &[], &set(&format!("{column} || 'x'"))).await;
                let broken = verify(app).await.broken.unwrap();
                assert_eq!(broken.result.as_ref(), Some(&result), "{column}");
                tamper(app, &[], &set(&format!("substr({column}, 1, length({column}) - 1)"))).await;
                assert_eq!(verify(app).await.broken, None, "{column} of {result}");
            }
        }
        // Nobody proposed what stands.
        let gone = "delete from signature where meaning = 'propose_amendment'";
        tamper(app, &["signature_kept"], gone).await;
        let broken = verify(app).await.broken.unwrap();
        assert_eq!((broken.result, broken.meaning), (Some(format!("{}.2", tube(0))), Meaning::Amend));
    }

    async fn what_a_rule_released_is_told_from_what_a_person_did(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..2).await;
        released(app, &world, &tubes[..1], &BTreeMap::new()).await;
        let on = json!({ "on": true, "reason": "validated on 1 June" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let plate = lab::load(app, &world, 1, &tubes[1..]).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let path = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        let accept = json!({ "decision": "accept" });
        let reviewed = app.post(&world.reviewer, &path, &accept).await.expect(200).json();
        assert_eq!(reviewed["released_by_rule"], json!([tube(1)]), "{reviewed}");
        assert_eq!(verify(app).await.broken, None);
        let rule = "(select s.rule from signature s where s.rule is not null)";
        let person = "(select s.account_id from signature s where s.meaning = 'release')";
        let mut guards = &["result_fixed"][..];
        for (result, set, back) in [
            (tube(1), format!("released_by = {person}"), format!("released_by = {rule}")),
            (tube(1), "rule = null".to_owned(), format!("rule = {rule}")),
            (tube(1), "rule = 'another.1'".to_owned(), format!("rule = {rule}")),
            (tube(0), format!("rule = {rule}, released_by = {rule}"),
                format!("rule = null, released_by = {person}")),
        ] {
            let says = |set: &str| format!("update result set {set} where id = '{result}.1'");
            tamper(app, guards, &says(&set)).await;
            guards = &[];
            assert_eq!(verify(app).await.broken.unwrap().result, Some(format!("{result}.1")), "{set}");
            tamper(app, &[], &says(&back)).await;
            assert_eq!(verify(app).await.broken, None, "{back}");
        }
    }

    async fn a_released_run_whose_signature_is_gone_is_named(app) {
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 10)).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        // Of a pool that is recalled there is no result that would keep the signature.
        let positive = BTreeMap::from([(tube(0), POSITIVE)]);
        let run = released(app, &world, &[tube(0)], &positive).await;
        let whole = verify(app).await;
        assert_eq!((whole.compared, whole.broken), (2, None));
        for (guards, gone, meaning) in [
            (&["signature_kept"][..], "release", Meaning::Release),
            (&[][..], "review", Meaning::Review),
        ] {
            let delete = format!("delete from signature where meaning = '{gone}'");
            tamper(app, guards, &delete).await;
            let broken = verify(app).await.broken.unwrap();
            assert_eq!((&broken.run, broken.meaning), (&run, meaning));
            assert_eq!((broken.result, broken.signature), (None, None));
        }
    }
}
