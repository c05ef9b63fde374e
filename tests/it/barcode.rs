//! Codes are given out once, printed, and read back only when they were given out.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::barcode::store as codes;

use crate::app::{Client, TestApp};
use crate::each_engine;
use crate::shipment::is_refused;
use crate::world::{person, seal_tube, tube, tube_body, world};

fn wanted(kind: &str, count: u32) -> Value {
    json!({ "kind": kind, "count": count, "place": "S01" })
}

async fn allot_with_key(
    app: &TestApp,
    client: &Client,
    key: &str,
    body: &Value,
) -> crate::app::Answer {
    let request = Request::post("/v1/allotments")
        .header("authorization", format!("Bearer {}", client.token))
        .header("idempotency-key", key)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    app.send(request).await
}

each_engine! {
    async fn ranges_asked_for_at_once_are_disjoint_and_leave_no_gap(app) {
        let officer = app.client(Role::Officer).await;
        let body = wanted("tube", 7);
        let mut asking = tokio::task::JoinSet::new();
        for n in 0..20 {
            let request = Request::post("/v1/allotments")
                .header("authorization", format!("Bearer {}", officer.token))
                .header("idempotency-key", format!("k{n}"))
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())).unwrap();
            let router = swabline::http::router(app.app.clone());
            asking.spawn(tower::ServiceExt::oneshot(router, request));
        }
        let mut ranges = Vec::new();
        while let Some(answer) = asking.join_next().await {
            let answer = answer.unwrap().unwrap();
            assert_eq!(answer.status(), 201);
            let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            ranges.push((answer["first"].as_u64().unwrap(), answer["last"].as_u64().unwrap()));
        }
        ranges.sort_unstable();
        let mut next = 0;
        for (first, last) in ranges {
            assert_eq!((first, last), (next, next + 6));
            next = last + 1;
        }
        assert_eq!(next, 140);
    }

    async fn the_same_key_again_is_the_same_range_and_for_something_else_an_error(app) {
        let officer = app.client(Role::Officer).await;
        let first = allot_with_key(app, &officer, "one", &wanted("box", 3)).await.expect(201);
        let again = allot_with_key(app, &officer, "one", &wanted("box", 3)).await.expect(201);
        assert_eq!(first.bytes, again.bytes);
        allot_with_key(app, &officer, "one", &wanted("box", 4)).await.expect(422);
        let next = allot_with_key(app, &officer, "two", &wanted("box", 3)).await.expect(201);
        assert_eq!((&next.json()["first"], &next.json()["first_code"]),
            (&json!(3), &json!("B00000000030")));
        app.post(&officer, "/v1/allotments", &wanted("box", 0)).await.expect(422);
        app.post(&officer, "/v1/allotments", &wanted("box", 100_001)).await.expect(422);
    }

    async fn labels_are_drawn_in_three_forms_and_no_other(app) {
        let officer = app.client(Role::Officer).await;
        let made = app.post(&officer, "/v1/allotments", &wanted("tube", 70)).await.expect(201);
        let path = format!("/v1/allotments/{}/labels", made.json()["id"].as_str().unwrap());
        for (format, kind) in
            [("svg", "image/svg+xml"), ("pdf", "application/pdf"), ("zpl", "application/zpl")]
        {
            let drawn = app.get(&officer, &format!("{path}?format={format}")).await.expect(200);
            assert_eq!(drawn.headers["content-type"], kind);
        }
        let second = app.get(&officer, &format!("{path}?format=svg&page=2")).await.expect(200);
        assert!(second.text().contains(&tube(65)) && !second.text().contains(&tube(64)));
        let all = app.get(&officer, &format!("{path}?format=zpl")).await.expect(200);
        assert!(all.text().contains(&tube(0)) && all.text().contains(&tube(69)));
        for wrong in ["format=svg&page=3", "format=svg&page=0", "format=png"] {
            app.get(&officer, &format!("{path}?{wrong}")).await.expect(422);
        }
        for id in ["none", "a%00b", &app.clock.id().to_string()] {
            let path = format!("/v1/allotments/{id}/labels?format=svg");
            assert_eq!(app.get(&officer, &path).await.expect(404).code(), "allotment.not_found");
        }
    }

    async fn the_labels_of_a_large_allotment_are_drawn_range_by_range(app) {
        let officer = app.client(Role::Officer).await;
        let made = app.post(&officer, "/v1/allotments", &wanted("tube", 7_000)).await.expect(201);
        let path = format!("/v1/allotments/{}/labels", made.json()["id"].as_str().unwrap());
        let whole = app.get(&officer, &format!("{path}?format=zpl")).await.expect(422);
        assert!(whole.text().contains("`first` and `count`"), "{}", whole.text());
        let mut drawn = Vec::new();
        for first in [0, 3_000, 6_000] {
            let range = format!("{path}?format=zpl&first={first}&count=3000");
            let text = app.get(&officer, &range).await.expect(200).text();
            assert!(text.contains(&tube(first)), "it begins with {first}");
            drawn.push(text.matches("^XA").count());
        }
        assert_eq!(drawn, [3_000, 3_000, 1_000]);
        let rest = app.get(&officer, &format!("{path}?format=zpl&first=6990")).await.expect(200);
        assert!(!rest.text().contains(&tube(6_989)) && rest.text().contains(&tube(6_999)));
        let page = app.get(&officer, &format!("{path}?format=zpl&page=108")).await.expect(200);
        assert!(page.text().contains(&tube(6_999)));
        app.get(&officer, &format!("{path}?format=pdf&count=65")).await.expect(200);
        for (wrong, about) in [("format=zpl&first=7000", "first"), ("format=zpl&count=0", "count"),
            ("format=zpl&count=6501", "count"), ("format=svg&first=1&count=2", "format"),
            ("format=zpl&first=1&page=1", "page")]
        {
            let refused = app.get(&officer, &format!("{path}?{wrong}")).await.expect(422);
            assert_eq!(refused.code(), "labels.range");
            assert_eq!(refused.json()["errors"][0]["about"], about, "{wrong}");
        }
    }

    async fn the_database_itself_gives_no_code_out_twice(app) {
        world(app).await;
        for sql in [
            "update code_counter set next_number = 0",
            "update code_counter set next_number = next_number - 1 where kind = 'box'",
            "update code_counter set kind = 'tube' where kind = 'box'",
            "delete from code_counter where kind = 'plate'",
            "update allotment set first_number = 7",
            "delete from allotment",
        ] {
            assert!(is_refused(app, sql).await, "{sql}");
        }
        assert!(!is_refused(app, "update code_counter set next_number = 99999").await);
    }

    async fn a_code_that_was_never_allotted_is_refused_for_every_kind(app) {
        let world = world(app).await;
        let answer = seal_tube(app, &world, 200, &[person(0)]).await.expect(422);
        assert_eq!(answer.code(), "code.never_allotted");
        assert!(answer.json()["detail"].as_str().unwrap().contains("was never allotted; scan"));
        let mut tx = app.app.db.read("test.codes").await.unwrap();
        codes::box_code(&mut tx, &crate::world::box_(49)).await.unwrap();
        codes::box_code(&mut tx, &crate::world::box_(50)).await.unwrap_err();
        codes::plate_code(&mut tx, &crate::world::plate(19)).await.unwrap();
        codes::plate_code(&mut tx, &crate::world::plate(20)).await.unwrap_err();
        codes::plate_code(&mut tx, &tube(0)).await.unwrap_err();
    }

    async fn a_maker_s_tube_is_welcome_once_its_pattern_is_registered(app) {
        let world = world(app).await;
        let put = async || {
            app.put(&world.sampler, "/v1/tubes/yk202206010001", &tube_body(app, 1, &[person(1)]))
                .await
        };
        put().await.expect(422);
        let path = "/v1/code-patterns/YK";
        let pattern = json!({ "maker": "Yocon", "length": 14, "alphabet": "digits" });
        app.put(&world.administrator, path, &pattern).await.expect(201);
        app.put(&world.administrator, path, &pattern).await.expect(200);
        let other = json!({ "maker": "Other", "length": 15, "alphabet": "digits" });
        let differs = app.put(&world.administrator, path, &other).await.expect(409);
        assert_eq!(differs.json()["errors"].as_array().unwrap().len(), 2);
        let overlap = app.put(&world.administrator, "/v1/code-patterns/YK2", &pattern).await;
        assert_eq!(overlap.expect(409).code(), "pattern.overlap");
        let wrong = json!({ "maker": "", "length": 12, "alphabet": "digits" });
        let wrong = app.put(&world.administrator, "/v1/code-patterns/T", &wrong).await.expect(422);
        assert_eq!(wrong.json()["errors"].as_array().unwrap().len(), 2);
        assert_eq!(put().await.expect(201).json()["code"], "YK202206010001");
    }

    /// Codes of pools came after the first makers were registered, and begin with M.
    async fn a_maker_who_came_before_a_kind_of_code_stays_welcome(app) {
        let world = world(app).await;
        app.direct("insert into code_pattern (prefix, maker, length, alphabet, created_us)
            values ('M', 'Maker', 12, 'alphanumeric', 0)").await;
        let put = async |code: &str| {
            let path = format!("/v1/tubes/{code}");
            app.put(&world.sampler, &path, &tube_body(app, 1, &[person(1)])).await
        };
        assert_eq!(put("MX0000000007").await.expect(201).json()["code"], "MX0000000007");
        put(swabline::barcode::PoolCode::numbered(7).unwrap().as_str()).await.expect(422);
        let today = json!({ "maker": "Maker", "length": 12, "alphabet": "digits" });
        app.put(&world.administrator, "/v1/code-patterns/M1", &today).await.expect(422);
    }
}
