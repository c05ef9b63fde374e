//! Boxes: sealed once, handed on by two signatures, watched for time and warmth.

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::transport::{BoxState, store};

use crate::app::{Client, TestApp};
use crate::each_engine;
use crate::shipment::{
    self, crate_code, is_refused, listed, number, pack, people, pool, reasons, seal, tube,
};

async fn give(
    app: &TestApp,
    giver: &Client,
    to: &Client,
    celsius: Option<f64>,
) -> crate::app::Answer {
    let body = json!({ "to": to.actor.account, "at": app.now(), "place": "North gate",
        "temperature_c": celsius });
    app.post(giver, &format!("/v1/boxes/{}/handovers", crate_code(1)), &body).await
}

async fn take(app: &TestApp, taker: &Client, step: u32) -> crate::app::Answer {
    let path = format!("/v1/boxes/{}/handovers/{step}/accept", crate_code(1));
    app.post(taker, &path, &json!({ "at": app.now() })).await
}

async fn look(app: &TestApp, client: &Client) -> Value {
    app.get(client, &format!("/v1/boxes/{}", crate_code(1))).await.expect(200).json()
}

each_engine! {
    async fn a_box_is_sealed_once_and_the_same_again_is_the_same(app) {
        let (sampler, _) = people(app).await;
        seal(app, &[pool(1), pool(2)]).await;
        let first = pack(app, &sampler, 1, &[2, 1]).await.expect(201).json();
        assert_eq!(first["tubes"], json!([tube(1), tube(2)]));
        app.pass(Span::hours(1));
        let path = format!("/v1/boxes/{}", crate_code(1));
        let again = app.put(&sampler, &path, &json!({ "site": "S01", "seal": "Z-1",
            "sealed_at": first["sealed_at"], "tubes": [tube(1), tube(2)] })).await.expect(200);
        assert_eq!(again.json(), first);
        let shown = look(app, &sampler).await;
        assert_eq!(shown["state"], "sealed");
        assert_eq!(shown["holder"], json!(sampler.actor.account));
        assert_eq!(shown["tubes"][0], json!({ "code": tube(1), "state": "packed" }));
        assert_eq!(number(app, "select count(*) from audit where action = 'box.seal'").await, 1);
    }

    async fn other_content_under_the_same_code_is_refused_with_every_difference(app) {
        let (sampler, _) = people(app).await;
        seal(app, &[pool(1), pool(2), pool(3)]).await;
        pack(app, &sampler, 1, &[1, 2]).await.expect(201);
        app.pass(Span::minutes(1));
        let path = format!("/v1/boxes/{}", crate_code(1));
        let other = app.put(&sampler, &path, &json!({ "site": "S01", "seal": "Z-2",
            "sealed_at": app.now(), "tubes": [tube(1), tube(3)] })).await.expect(409);
        let about: Vec<_> = reasons(&other).into_iter().map(|(_, about)| about).collect();
        assert_eq!(about, ["seal".to_owned(), "sealed_at".to_owned(), tube(2), tube(3)]);
        assert_eq!(number(app, "select count(*) from box_tube").await, 2);
    }

    async fn tubes_that_cannot_be_packed_are_all_named_and_none_is_packed(app) {
        let (sampler, _) = people(app).await;
        let elsewhere = shipment::Tube { site: "S02", ..pool(3) };
        seal(app, &[pool(1), pool(2), elsewhere]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        let refused = pack(app, &sampler, 2, &[1, 2, 3, 4]).await.expect(409);
        assert_eq!(reasons(&refused), [
            ("tube.boxed".to_owned(), tube(1)),
            ("tube.elsewhere".to_owned(), tube(3)),
            ("tube.unknown".to_owned(), tube(4)),
        ]);
        assert!(refused.text().contains(&crate_code(1)), "it names the first box");
        assert_eq!(number(app, "select count(*) from tube where state = 'packed'").await, 1);
    }

    async fn a_manifest_that_cannot_be_is_refused_with_every_reason(app) {
        let (sampler, _) = people(app).await;
        let path = format!("/v1/boxes/{}", crate_code(1));
        let ahead = app.now() + Span::hours(1);
        let bad = app.put(&sampler, &path, &json!({ "site": "S01", "seal": " ",
            "sealed_at": ahead, "tubes": [tube(1), tube(1), "11010519491231002X"] })).await;
        let bad = bad.expect(422);
        let codes: Vec<_> = reasons(&bad).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, ["tube.twice", "tube.code", "text.shape", "time.future"]);
        assert!(!bad.text().contains("11010519491231002X"), "no card number is repeated");
        let none = app.put(&sampler, &path, &json!({ "site": "S01", "seal": "Z",
            "sealed_at": app.now(), "tubes": [] })).await.expect(422);
        assert_eq!(none.code(), "box.tubes");
        let away = app.put(&sampler, &path, &json!({ "site": "S02", "seal": "Z",
            "sealed_at": app.now(), "tubes": [tube(1)] })).await.expect(403);
        assert_eq!(away.code(), "auth.site");
        app.get(&sampler, &path).await.expect(404);
    }

    async fn a_box_passes_from_hand_to_hand_with_two_signatures(app) {
        let (sampler, receiver) = people(app).await;
        let courier = app.client(Role::Courier).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        let given = give(app, &sampler, &courier, Some(4.5)).await.expect(201).json();
        assert_eq!((&given["step"], &given["taken_by"]), (&json!(1), &Value::Null));
        let between = look(app, &courier).await;
        assert_eq!(between["holder"], json!(sampler.actor.account), "one signature moves nothing");
        assert_eq!(between["state"], "sealed");
        app.pass(Span::minutes(5));
        let taken = take(app, &courier, 1).await.expect(200).json();
        assert_eq!(taken["taken_by"]["account"], json!(courier.actor.account));
        app.pass(Span::minutes(5));
        assert_eq!(take(app, &courier, 1).await.expect(200).json(), taken, "twice is once");
        let road = look(app, &courier).await;
        assert_eq!((&road["state"], &road["holder"]),
            (&json!("in_transit"), &json!(courier.actor.account)));
        give(app, &courier, &receiver, Some(6.0)).await.expect(201);
        take(app, &receiver, 2).await.expect(200);
        let there = look(app, &receiver).await;
        assert_eq!(there["holder"], json!(receiver.actor.account));
        assert_eq!(there["handovers"].as_array().unwrap().len(), 2);
        assert_eq!(there["handovers"][0]["temperature_c"], json!(4.5));
        assert_eq!(number(app, "select count(*) from audit where action = 'box.take'").await, 2);
    }

    async fn a_hand_over_that_is_not_by_the_book_is_refused(app) {
        let (sampler, _) = people(app).await;
        let (courier, other) = (app.client(Role::Courier).await, app.client(Role::Courier).await);
        let officer = app.client(Role::Officer).await;
        seal(app, &[pool(1)]).await;
        give(app, &sampler, &courier, None).await.expect(404);
        pack(app, &sampler, 1, &[1]).await.expect(201);
        let codes = |answer: &crate::app::Answer| {
            reasons(answer).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
        };
        let stranger = give(app, &courier, &other, None).await.expect(409);
        assert_eq!(codes(&stranger), ["handover.holder"]);
        let own = give(app, &sampler, &sampler, None).await.expect(409);
        assert_eq!(codes(&own), ["handover.self", "handover.taker"]);
        let desk = give(app, &sampler, &officer, None).await.expect(409);
        assert_eq!(codes(&desk), ["handover.taker"]);
        give(app, &sampler, &courier, None).await.expect(201);
        assert_eq!(codes(&take(app, &other, 1).await.expect(409)), ["handover.not_named"]);
        take(app, &courier, 2).await.expect(404);
        take(app, &courier, 1).await.expect(200);
        assert_eq!(codes(&take(app, &other, 1).await.expect(409)), ["handover.not_named"]);
        let gone = give(app, &sampler, &other, None).await.expect(409);
        assert_eq!(codes(&gone), ["handover.holder"]);
    }

    async fn no_step_of_the_road_lies_before_the_one_before_it(app) {
        let (sampler, receiver) = people(app).await;
        let courier = app.client(Role::Courier).await;
        app.pass(Span::days(10));
        seal(app, &[pool(1)]).await;
        let (start, box_path) = (app.now(), format!("/v1/boxes/{}", crate_code(1)));
        let ago = |minutes: i64| start - Span::minutes(minutes);
        app.pass(Span::minutes(1));
        let manifest = |at| json!({ "site": "S01", "seal": "Z-1", "sealed_at": at,
            "tubes": [tube(1)] });
        let early = app.put(&sampler, &box_path, &manifest(ago(6))).await.expect(422);
        assert_eq!(early.code(), "time.early");
        let old = app.put(&sampler, &box_path, &manifest(ago(8 * 24 * 60))).await.expect(422);
        assert_eq!(reasons(&old).len(), 2, "{}", old.text());
        app.put(&sampler, &box_path, &manifest(ago(5))).await.expect(201);
        let path = format!("{box_path}/handovers");
        let offer = |at| json!({ "to": courier.actor.account, "at": at, "place": "gate" });
        let early = app.post(&sampler, &path, &offer(ago(11))).await.expect(422);
        assert_eq!(early.code(), "time.early");
        app.post(&sampler, &path, &offer(ago(0))).await.expect(201);
        let accept = format!("{path}/1/accept");
        let early = app.post(&courier, &accept, &json!({ "at": ago(6) })).await.expect(422);
        assert_eq!(early.code(), "time.early");
        app.post(&courier, &accept, &json!({ "at": ago(4) })).await.expect(200);
        let mut arrival = shipment::delivery(app, 1, &shipment::scanned(&[1]));
        arrival["arrived_at"] = json!(ago(6));
        let early = app.post(&receiver, "/v1/arrivals", &arrival).await.expect(422);
        assert_eq!(early.code(), "time.early");
        arrival["arrived_at"] = json!(ago(8 * 24 * 60));
        let old = app.post(&receiver, "/v1/arrivals", &arrival).await.expect(422);
        assert_eq!(old.code(), "time.past");
        arrival["arrived_at"] = json!(ago(3));
        app.post(&receiver, "/v1/arrivals", &arrival).await.expect(201);
        app.pass(Span::days(8));
        app.put(&sampler, &box_path, &manifest(ago(5))).await.expect(200);
    }

    async fn a_courier_who_never_signs_is_passed_over(app) {
        let (sampler, receiver) = people(app).await;
        let (ill, courier) = (app.client(Role::Courier).await, app.client(Role::Courier).await);
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        give(app, &sampler, &ill, None).await.expect(201);
        app.pass(Span::minutes(10));
        let second = give(app, &sampler, &courier, None).await.expect(201).json();
        assert_eq!((&second["step"], &second["withdrawn_at"]), (&json!(2), &Value::Null));
        let late = take(app, &ill, 1).await.expect(409);
        assert_eq!(late.code(), "handover.withdrawn");
        take(app, &courier, 2).await.expect(200);
        give(app, &courier, &receiver, None).await.expect(201);
        take(app, &receiver, 3).await.expect(200);
        let steps = look(app, &courier).await["handovers"].clone();
        assert_eq!(steps.as_array().unwrap().len(), 3, "the withdrawn step stays in the record");
        assert_eq!(steps[0]["to"], json!(ill.actor.account));
        assert!(steps[0]["withdrawn_at"].is_string() && steps[0]["taken_by"].is_null());
        assert!(steps[1]["withdrawn_at"].is_null());
    }

    async fn a_box_taken_at_the_wrong_laboratory_is_handed_on(app) {
        let (sampler, receiver) = people(app).await;
        let wrong = app.client_at(Role::Receiver, None, Some("L02".to_owned())).await;
        let courier = app.client(Role::Courier).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        give(app, &sampler, &wrong, None).await.expect(201);
        take(app, &wrong, 1).await.expect(200);
        give(app, &wrong, &courier, None).await.expect(201);
        take(app, &courier, 2).await.expect(200);
        give(app, &courier, &receiver, None).await.expect(201);
        take(app, &receiver, 3).await.expect(200);
        assert_eq!(look(app, &receiver).await["holder"], json!(receiver.actor.account));
    }

    async fn a_tube_kept_too_long_or_too_warm_is_warned_about(app) {
        let (sampler, _) = people(app).await;
        let courier = app.client(Role::Courier).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        app.pass(Span::hours(4));
        assert_eq!(look(app, &sampler).await["warnings"], json!([]));
        app.pass(Span::minutes(1));
        let late = ("box.late".to_owned(), tube(1));
        assert_eq!(listed(&look(app, &sampler).await["warnings"]), std::slice::from_ref(&late));
        give(app, &sampler, &courier, Some(5.0)).await.expect(201);
        assert_eq!(look(app, &sampler).await["warnings"], json!([]), "cooled, it keeps for 24 h");
        take(app, &courier, 1).await.expect(200);
        give(app, &courier, &app.client(Role::Receiver).await, Some(8.01)).await.expect(201);
        let warm = ("box.warm".to_owned(), crate_code(1));
        assert_eq!(listed(&look(app, &sampler).await["warnings"]), [warm, late]);
    }

    async fn two_boxes_sealed_at_once_never_share_a_tube(app) {
        let (sampler, _) = people(app).await;
        seal(app, &[pool(1), pool(2), pool(3)]).await;
        let (one, two) =
            tokio::join!(pack(app, &sampler, 1, &[1, 2]), pack(app, &sampler, 2, &[2, 3]));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
        assert_eq!(number(app, "select count(*) from box_tube").await, 2);
        assert_eq!(number(app, "select count(*) from tube where state = 'packed'").await, 2);
        assert_eq!(number(app, "select count(*) from box").await, 1);
    }

    async fn the_database_itself_refuses_what_no_box_does(app) {
        let (sampler, _) = people(app).await;
        let courier = app.client(Role::Courier).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        give(app, &sampler, &courier, None).await.expect(201);
        take(app, &courier, 1).await.expect(200);
        assert!(!BoxState::InTransit.may_become(BoxState::Sealed));
        for sql in [
            "update box set state = 'sealed'",
            "delete from box_tube",
            "update box_tube set tube_code = 'X'",
            "delete from handover",
            "insert into box_tube (tube_code, box_code) select tube_code, box_code from box_tube",
            "update handover set taken_by = given_by",
        ] {
            assert!(is_refused(app, sql).await, "{sql}");
        }
    }

    async fn the_database_itself_lets_a_hand_over_be_signed_once_and_nothing_else(app) {
        let (sampler, _) = people(app).await;
        let (courier, other) = (app.client(Role::Courier).await, app.client(Role::Courier).await);
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        give(app, &sampler, &other, Some(4.0)).await.expect(201);
        give(app, &sampler, &courier, Some(4.0)).await.expect(201);
        let first = [
            "update handover set taken_name = 'X', taken_us = 1, place = 'Y' where step = 2",
            "update handover set taken_name = 'X', taken_us = 1, given_us = 1 where step = 2",
            "update handover set taken_name = 'X', taken_us = 1, given_by = 'Y' where step = 2",
            "update handover set taken_name = 'X', taken_us = 1, given_name = 'Y' where step = 2",
            "update handover set taken_name = 'X', taken_us = 1, taken_by = 'Y' where step = 2",
            "update handover set taken_name = 'X', taken_us = 1, step = 3 where step = 2",
            "update handover set withdrawn_us = 1, temperature_cdeg = null where step = 2",
            "update handover set taken_name = 'X', taken_us = 1, withdrawn_us = 1 where step = 2",
            "update handover set place = 'Y' where step = 2",
            "update handover set taken_name = 'X', taken_us = 1 where step = 1",
            "update handover set withdrawn_us = null where step = 1",
            "insert into handover (box_code, step, given_by, given_name, given_us, place,
                taken_by, taken_name, taken_us)
            select box_code, 3, given_by, given_name, given_us, place, taken_by, 'X', 1
                from handover where step = 2",
        ];
        for sql in first {
            assert!(is_refused(app, sql).await, "{sql}");
        }
        take(app, &courier, 2).await.expect(200);
        for sql in [
            "update handover set taken_us = taken_us + 1 where step = 2",
            "update handover set taken_name = 'X' where step = 2",
            "update handover set taken_name = null, taken_us = null where step = 2",
            "update handover set taken_name = null, taken_us = null, withdrawn_us = 1
                where step = 2",
        ] {
            assert!(is_refused(app, sql).await, "{sql}");
        }
    }

    async fn a_box_altered_behind_our_back_is_noticed(app) {
        let (sampler, receiver) = people(app).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        give(app, &sampler, &receiver, None).await.expect(201);
        let mut tx = app.app.db.write("test.alter").await.unwrap();
        let sql = "update box set seal = 'Z-9'";
        swabline::on!(tx, c => sqlx::query(sql).execute(c).await.map(drop)).unwrap();
        let code = swabline::barcode::BoxCode::numbered(1).unwrap();
        let found = store::box_find(&mut tx, &app.app.keys, &code).await;
        assert!(found.unwrap_err().to_string().contains("table box"));
        tx.commit().await.unwrap();
        // Nor does it pass to anybody (R11).
        give(app, &sampler, &receiver, None).await.expect(500);
        take(app, &receiver, 1).await.expect(500);
        assert_eq!(number(app, "select count(*) from audit where action = 'box.take'").await, 0);
    }
}
