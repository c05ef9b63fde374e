//! Tubes to be tested again, gathered from many plates onto the next.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::clock::Span;

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{self as lab, KIT, POSITIVE, SINGLE_TARGET};
use crate::way;
use crate::world::{World, box_, plate, pool, tube, world};

fn request(tubes: &[String]) -> Value {
    json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
        "template": "one-well-94-moving-columns", "tubes": tubes, "retests": true })
}

/// Three plates of ten single tubes each, half an hour apart; tubes 3, 11, 12, 25 and 29 show one
/// target alone and are sent back.
async fn three_plates(app: &TestApp, world: &World) -> Vec<Value> {
    let mut plates = Vec::new();
    for n in 0..3 {
        let tubes = lab::receive(app, world, n, n * 10..n * 10 + 10).await;
        let loaded = lab::load_moving(app, world, n, &tubes).await;
        let again = [3, 11, 12, 25, 29].map(|n| (tube(n), SINGLE_TARGET));
        let file = lab::run_file(&loaded, &BTreeMap::from(again), false);
        let run = lab::upload(app, world, &loaded, file).await.expect(201).json();
        lab::release(app, world, run["id"].as_str().unwrap()).await;
        plates.push(loaded);
        app.pass(Span::minutes(30));
    }
    plates
}

/// The well of a tube, or of a pool, on a plate as it was answered.
fn well_of(plate: &Value, code: &str) -> String {
    let wells = plate["wells"].as_array().unwrap();
    let holds = |well: &&Value| well["tube"] == code || well["pool"] == code;
    wells.iter().find(holds).unwrap()["well"].as_str().unwrap().to_owned()
}

/// Numbers from 0 to this one, for a statement that inserts as many rows.
fn numbers(last: u32) -> String {
    format!("with recursive n (i) as (select 0 union all select i + 1 from n where i < {last})")
}

/// 1,100 tubes that came back from closed plates, each in a well by itself. They were sealed at the
/// beginning of time, so they are due before all others.
async fn crowd(app: &TestApp, (size, members): (u32, u32)) {
    let numbers = numbers(1099);
    let wells = format!(
        "insert into well (plate_code, well, reaction, tube_code, depth) {numbers}
            select 'OLD' || cast(i / 384 as text), i % 384, 'mix', 'OLDT' || i, {members} from n"
    );
    came_back(app, (size, members), &wells).await;
}

/// 1,100 tubes in 110 pools of another kit that are open again, due before all others.
async fn crowd_of_pools(app: &TestApp) {
    let (tubes, pools) = (numbers(1099), numbers(109));
    let wells = format!(
        "insert into pool (code, laboratory_code, kit_code, kit_version, depth, made_by, made_us,
                state, state_us) {pools}
            select 'OLDP' || i, 'L01', 'other', '1', 10, 'A', 1, 'open', 1 from n;
        insert into pool_tube (pool_code, tube_code) {tubes}
            select 'OLDP' || cast(i / 10 as text), 'OLDT' || i from n;
        insert into well (plate_code, well, reaction, pool_code, depth) {pools}
            select 'OLD0', i, 'mix', 'OLDP' || i, 10 from n"
    );
    came_back(app, (1, 1), &wells).await;
}

/// Tubes `OLDT0` to `OLDT1099` that were in these wells of closed plates.
async fn came_back(app: &TestApp, (size, members): (u32, u32), wells: &str) {
    let numbers = numbers(1099);
    let sql = format!(
        "insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state,
                made_by, made_us) select 'OLD' || s.n, 'L01', 'other', '1', 'explicit', 384,
                'draft', 'A', 1 from (select 0 as n union select 1 union select 2) s;
        insert into tube (code, size, members, swab_count, round_code, site_code, session_code,
                event_id, device_id, device_seq, device_skew_us, sealed_us, recorded_us,
                recorded_by, content_tag, state, state_us) {numbers}
            select 'OLDT' || i, {size}, {members}, {members}, 'R01', 'S01', 'W01', 'OLDT' || i, 'D',
                1, 0, 1, 1, 'A', '', 'sealed', 1 from n;
        {wells};
        update tube set state = 'received', laboratory_code = 'L01' where code like 'OLDT%';
        update tube set state = 'plated' where code like 'OLDT%';
        update tube set state = 'received' where code like 'OLDT%';
        update plate set state = 'frozen', frozen_us = 1 where code like 'OLD%';
        update plate set state = 'closed' where code like 'OLD%'"
    );
    let mut tx = app.app.db.write("test.crowd").await.unwrap();
    way::run(&mut tx, sql).await;
    tx.commit().await.unwrap();
}

/// Tubes of a plate in the order in which they were laid out, down its columns.
fn tubes(plate: &Value) -> Vec<String> {
    let order = |well: &str| {
        let (row, column) = well.split_at(1);
        (column.parse::<u8>().unwrap(), row.to_owned())
    };
    let wells = plate["wells"].as_array().unwrap().iter();
    let mut tubes: Vec<_> = wells
        .filter_map(|well| Some((order(well["well"].as_str()?), well["tube"].as_str()?.to_owned())))
        .collect();
    tubes.sort();
    tubes.into_iter().map(|(_, tube)| tube).collect()
}

each_engine! {
    async fn the_tubes_of_a_positive_pool_come_by_themselves_onto_the_next_plate(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..8).await;
        lab::mix(app, &world, 0, &tubes[..4]).await.expect(201);
        lab::mix(app, &world, 1, &tubes[4..]).await.expect(201);
        let listed = "/v1/laboratories/L01/retests";
        let pools = [pool(0), pool(1)];
        lab::place(app, &world, 0, (&[], &pools)).await.expect(201);
        let loaded = lab::freeze_placed(app, &world, 0).await.expect(200).json();
        let file = lab::run_file(&loaded, &BTreeMap::from([(pool(1), POSITIVE)]), false);
        let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        let waiting = app.get(&world.technician, listed).await.expect(200).json();
        assert_eq!(waiting["retests"], json!([]), "nothing before the run is released");
        lab::release(app, &world, run["id"].as_str().unwrap()).await;
        let waiting = app.get(&world.technician, listed).await.expect(200).json();
        let codes = |list: &Value| -> Vec<String> {
            let rows = list.as_array().unwrap().iter();
            rows.map(|row| row["tube"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(codes(&waiting["retests"]), tubes[4..], "{waiting}");
        let mixed = waiting["retests"].as_array().unwrap();
        assert!(mixed.iter().all(|one| one["last_pool"] == pool(1)), "{waiting}");
        assert!(mixed.iter().all(|one| one.get("pool").is_none()), "{waiting}");
        let next = format!("/v1/plates/{}", plate(1));
        let made = app.put(&world.technician, &next, &request(&[])).await.expect(201).json();
        let placed = self::tubes(&made);
        assert_eq!(placed, tubes[4..], "each by itself");
        let list = app.get(&world.technician, &format!("{next}/picklist")).await.expect(200).text();
        assert_eq!(list.matches(&plate(0)).count(), 4, "where each lay before: {list}");
        let lay = format!("{},{},{}", plate(0), well_of(&loaded, &pool(1)), box_(0));
        for one in mixed {
            let (tube, attempt) = (one["tube"].as_str().unwrap(), &one["attempt"]);
            let here = well_of(&made, tube);
            let row = format!("{here},{tube},1,{attempt},{lay},,{}", pool(1));
            assert!(list.lines().any(|line| line == row), "a pool was there: {row} in {list}");
        }
    }

    async fn five_retests_of_three_plates_come_first_on_the_next(app) {
        let world = world(app).await;
        let plates = three_plates(app, &world).await;
        let waiting = app.get(&world.technician, "/v1/laboratories/L01/retests").await;
        let waiting = waiting.expect(200).json();
        let listed: Vec<_> = waiting["retests"].as_array().unwrap().iter()
            .map(|retest| retest["tube"].as_str().unwrap().to_owned()).collect();
        let first = [3, 11, 12, 25, 29].map(tube);
        assert_eq!(listed, first, "whose result is due first comes first");
        let one = &waiting["retests"][1];
        assert_eq!(one["last_plate"], plate(1));
        assert_eq!(one["last_well"], well_of(&plates[1], &tube(11)));
        assert_eq!((&one["box"], &one["attempt"]), (&json!(box_(1)), &json!(1)));

        let new = lab::receive(app, &world, 3, 30..34).await;
        let path = format!("/v1/plates/{}", plate(3));
        let drafted = app.put(&world.technician, &path, &request(&new)).await.expect(201).json();
        let expected: Vec<_> = first.iter().chain(&new).cloned().collect();
        assert_eq!(tubes(&drafted), expected);
        let again = app.put(&world.technician, &path, &request(&new)).await.expect(200).json();
        assert_eq!(again, drafted);
        let freeze = format!("{path}/freeze");
        let frozen = app.post(&world.technician, &freeze, &json!({})).await.expect(200).json();
        let again = app.put(&world.technician, &path, &request(&new)).await.expect(200).json();
        assert_eq!(again, frozen, "asked again, the plate is what it was");
        let waiting = app.get(&world.technician, "/v1/laboratories/L01/retests").await;
        assert_eq!(waiting.expect(200).json()["retests"], json!([]));

        let list = app.get(&world.technician, &format!("{path}/picklist")).await.expect(200);
        assert_eq!(list.headers["content-type"], "text/csv; charset=utf-8");
        let text = list.text();
        let rows: Vec<_> = text.lines().collect();
        assert_eq!(rows[0], "well,tube,people,attempt,last_plate,last_well,box,pool,last_pool");
        assert_eq!(rows.len(), 10);
        let lies = format!("{},{},1,1,{},{},{},,", well_of(&frozen, &tube(25)), tube(25), plate(2),
            well_of(&plates[2], &tube(25)), box_(2));
        assert!(rows.contains(&lies.as_str()), "{text}");
        let fresh = format!("{},{},1,0,,,{},,", well_of(&frozen, &tube(30)), tube(30), box_(3));
        assert!(rows.contains(&fresh.as_str()), "{text}");
    }

    async fn a_frozen_plate_that_named_some_of_its_retests_is_the_same_when_it_is_sent_again(app) {
        let world = world(app).await;
        three_plates(app, &world).await;
        let new = lab::receive(app, &world, 3, 30..32).await;
        let (technician, path) = (&world.technician, format!("/v1/plates/{}", plate(3)));
        let named = [new[0].clone(), tube(25), new[1].clone()];
        let made = app.put(technician, &path, &request(&named)).await.expect(201).json();
        let first = [3, 11, 12, 25, 29].map(tube);
        let expected: Vec<_> = first.iter().chain(&new).cloned().collect();
        assert_eq!(tubes(&made), expected, "named or not, what waits comes first");
        let freeze = format!("{path}/freeze");
        let frozen = app.post(technician, &freeze, &json!({})).await.expect(200).json();
        let again = app.put(technician, &path, &request(&named)).await.expect(200).json();
        assert_eq!(again, frozen);
        // Where else the ones that waited are named, the plate is the same; no other is.
        let moved = [tube(29), new[0].clone(), new[1].clone(), tube(3)];
        let again = app.put(technician, &path, &request(&moved)).await.expect(200).json();
        assert_eq!(again, frozen);
        let turned = [new[1].clone(), tube(25), new[0].clone()];
        for other in [&turned[..], &new[..1]] {
            let refused = app.put(technician, &path, &request(other)).await.expect(422);
            assert_eq!(refused.code(), "plate.tube_state");
        }
    }

    async fn a_frozen_plate_that_named_a_pool_of_its_retests_is_the_same_when_it_is_sent_again(app) {
        let world = world(app).await;
        let codes = lab::receive(app, &world, 0, 0..12).await;
        for (n, share) in (0..).zip(codes.chunks(4)) {
            lab::mix(app, &world, n, share).await.expect(201);
        }
        lab::place(app, &world, 0, (&[], &[pool(0)])).await.expect(201);
        let loaded = lab::freeze_placed(app, &world, 0).await.expect(200).json();
        let file = lab::run_file(&loaded, &BTreeMap::new(), true);
        let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        let review = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        app.post(&world.reviewer, &review, &json!({ "decision": "void" })).await.expect(200);
        let wanted = |pools: [u64; 3]| {
            let mut wanted = request(&[]);
            wanted["pools"] = json!(pools.map(pool));
            wanted
        };
        let frozen = lab::freeze(app, &world, 1, &wanted([1, 0, 2])).await;
        let wells = frozen["wells"].as_array().unwrap();
        let held: Vec<_> = wells.iter().filter_map(|well| well["pool"].as_str()).collect();
        assert_eq!(held, [pool(0), pool(1), pool(2)], "the one that waits comes first");
        let path = format!("/v1/plates/{}", plate(1));
        for same in [[1, 0, 2], [0, 1, 2]] {
            let again = app.put(&world.technician, &path, &wanted(same)).await.expect(200).json();
            assert_eq!(again, frozen);
        }
        let refused = app.put(&world.technician, &path, &wanted([0, 2, 1])).await.expect(422);
        assert_eq!(refused.code(), "plate.pool_state");
    }

    async fn tubes_of_a_void_run_wait_too_and_their_test_does_not_count(app) {
        let world = world(app).await;
        let codes = lab::receive(app, &world, 0, 0..3).await;
        let loaded = lab::load_moving(app, &world, 0, &codes).await;
        let file = lab::run_file(&loaded, &BTreeMap::new(), true);
        let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        let review = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        app.post(&world.reviewer, &review, &json!({ "decision": "void" })).await.expect(200);
        let waiting = app.get(&world.technician, "/v1/laboratories/L01/retests?limit=2").await;
        let waiting = waiting.expect(200).json();
        assert_eq!(waiting["retests"].as_array().unwrap().len(), 2);
        assert_eq!(waiting["retests"][0]["attempt"], 0);
        let next = lab::freeze(app, &world, 1, &request(&[])).await;
        assert_eq!(tubes(&next), codes);
    }

    async fn a_tube_this_kit_may_not_test_waits_for_another_plate(app) {
        let world = world(app).await;
        crate::world::seal_tube(app, &world, 0, &crate::world::people(0, 4)).await.expect(201);
        lab::receive(app, &world, 1, 1..2).await;
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        let loaded = lab::load_moving(app, &world, 0, &[tube(0), tube(1)]).await;
        let file = lab::run_file(&loaded, &BTreeMap::new(), true);
        let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        let review = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        app.post(&world.reviewer, &review, &json!({ "decision": "void" })).await.expect(200);
        let single = json!({ "laboratory": "L01", "kit": "codx-logix-smart", "kit_version": "1",
            "template": "one-well-94-moving-rows", "retests": true });
        let path = format!("/v1/plates/{}", plate(1));
        let made = app.put(&world.technician, &path, &single).await.expect(201).json();
        assert_eq!(tubes(&made), [tube(1)], "a kit for single tubes leaves the pool");
    }

    async fn any_number_of_deeper_tubes_that_wait_crowd_nobody_out(app) {
        let world = world(app).await;
        three_plates(app, &world).await;
        // This kit's plates may not take them, for they hold more people than it is validated for.
        crowd(app, (20, 20)).await;
        let path = "/v1/laboratories/L01/retests?limit=1000";
        let waiting = app.get(&world.technician, path).await.expect(200).json();
        let waiting = waiting["retests"].as_array().unwrap();
        assert!(waiting.iter().all(|retest| retest["members"] == 20), "they come first");
        assert_eq!(waiting.len(), 1000);
        let made = app
            .put(&world.technician, &format!("/v1/plates/{}", plate(7)), &request(&[]))
            .await
            .expect(201)
            .json();
        assert_eq!(tubes(&made), [3, 11, 12, 25, 29].map(tube));
    }

    async fn any_number_of_lone_field_pools_that_wait_crowd_nobody_out(app) {
        let world = world(app).await;
        three_plates(app, &world).await;
        // One person's swab in a tube for ten is still a field pool, which this kit is not for.
        crowd(app, (10, 1)).await;
        let single = json!({ "laboratory": "L01", "kit": "codx-logix-smart", "kit_version": "1",
            "template": "one-well-94-moving-rows", "retests": true });
        let path = format!("/v1/plates/{}", plate(7));
        let made = app.put(&world.technician, &path, &single).await.expect(201).json();
        let mut taken = tubes(&made);
        taken.sort();
        assert_eq!(taken, [3, 11, 12, 25, 29].map(tube));
    }

    async fn any_number_of_pools_that_wait_crowd_neither_tubes_nor_other_pools_out(app) {
        let world = world(app).await;
        three_plates(app, &world).await;
        let mixed = lab::receive(app, &world, 3, 30..34).await;
        lab::mix(app, &world, 0, &mixed).await.expect(201);
        lab::place(app, &world, 3, (&[], &[pool(0)])).await.expect(201);
        let loaded = lab::freeze_placed(app, &world, 3).await.expect(200).json();
        let file = lab::run_file(&loaded, &BTreeMap::new(), true);
        let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        let review = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        app.post(&world.reviewer, &review, &json!({ "decision": "void" })).await.expect(200);
        crowd_of_pools(app).await;
        let path = "/v1/laboratories/L01/retests";
        let waiting = app.get(&world.technician, path).await.expect(200).json();
        let first = waiting["retests"].as_array().unwrap();
        assert_eq!(first.len(), 1000);
        assert!(first.iter().all(|one| one["pool"].as_str().unwrap().starts_with("OLDP")));
        let path = format!("/v1/plates/{}", plate(7));
        let made = app.put(&world.technician, &path, &request(&[])).await.expect(201).json();
        assert_eq!(tubes(&made), [3, 11, 12, 25, 29].map(tube));
        assert!(!well_of(&made, &pool(0)).is_empty(), "{made}");
    }

    async fn what_waits_is_listed_page_after_page(app) {
        let world = world(app).await;
        three_plates(app, &world).await;
        let (mut listed, mut pages, mut after) = (Vec::new(), 0, String::new());
        loop {
            let path = format!("/v1/laboratories/L01/retests?limit=2{after}");
            let page = app.get(&world.technician, &path).await.expect(200).json();
            let rows = page["retests"].as_array().unwrap();
            listed.extend(rows.iter().map(|row| row["tube"].as_str().unwrap().to_owned()));
            pages += 1;
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(listed, [3, 11, 12, 25, 29].map(tube));
        assert_eq!(pages, 3);
        let forged = "/v1/laboratories/L01/retests?after=forged";
        app.get(&world.technician, forged).await.expect(400);
        crowd(app, (1, 1)).await;
        let path = "/v1/laboratories/L01/retests";
        let first = app.get(&world.technician, path).await.expect(200).json();
        assert_eq!(first["retests"].as_array().unwrap().len(), 1000);
        let path = format!("{path}?after={}", first["next"].as_str().unwrap());
        let rest = app.get(&world.technician, &path).await.expect(200).json();
        assert_eq!((rest["retests"].as_array().unwrap().len(), &rest["next"]), (105, &Value::Null));
    }

    async fn more_tubes_than_places_and_a_plate_without_a_template_are_refused(app) {
        let world = world(app).await;
        three_plates(app, &world).await;
        let new = lab::receive(app, &world, 3, 30..120).await;
        let path = format!("/v1/plates/{}", plate(3));
        let refused = app.put(&world.technician, &path, &request(&new)).await.expect(422);
        assert_eq!(refused.code(), "plate.too_many_tubes");
        let mut stated = request(&[]);
        stated.as_object_mut().unwrap().remove("template");
        let refused = app.put(&world.technician, &path, &stated).await.expect(422);
        assert_eq!(refused.code(), "plate.retests");
        let nothing = app.client_at(swabline::auth::Role::Technician, None, Some("L02".into())).await;
        app.get(&nothing, "/v1/laboratories/L01/retests").await.expect(403);
        let own = app.get(&nothing, "/v1/laboratories/L02/retests").await.expect(200).json();
        assert_eq!(own["retests"], json!([]));
    }

    async fn a_pool_that_went_back_to_open_comes_onto_the_next_plate_as_a_pool(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..9).await;
        for (n, share) in (0..).zip(tubes.chunks(4).take(2)) {
            lab::mix(app, &world, n, share).await.expect(201);
        }
        lab::place(app, &world, 0, (&tubes[8..], &[pool(0)])).await.expect(201);
        let loaded = lab::freeze_placed(app, &world, 0).await.expect(200).json();
        let file = lab::run_file(&loaded, &BTreeMap::new(), true);
        let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        let review = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        app.post(&world.reviewer, &review, &json!({ "decision": "void" })).await.expect(200);
        let listed = app.get(&world.technician, "/v1/laboratories/L01/retests").await;
        let listed = listed.expect(200).json();
        let waits: Vec<_> = listed["retests"].as_array().unwrap().iter()
            .map(|retest| (retest["tube"].clone(), retest["pool"].clone())).collect();
        // The second pool was never on a plate: whoever mixed it puts it on one.
        let mut expected: Vec<_> =
            tubes[..4].iter().map(|tube| (json!(tube), json!(pool(0)))).collect();
        expected.push((json!(tubes[8]), Value::Null));
        assert_eq!(waits, expected);

        let path = format!("/v1/plates/{}", plate(1));
        let made = app.put(&world.technician, &path, &request(&[])).await.expect(201).json();
        let held = |made: &Value, field: &str| -> Vec<Value> {
            let wells = made["wells"].as_array().unwrap().iter();
            wells.filter_map(|well| well.get(field).filter(|it| !it.is_null()).cloned()).collect()
        };
        assert_eq!(held(&made, "pool"), [json!(pool(0))]);
        assert_eq!(held(&made, "tube"), [json!(tubes[8])]);
        let list = app.get(&world.technician, &format!("{path}/picklist")).await.expect(200).text();
        let rows: Vec<_> = list.lines().skip(1).collect();
        assert_eq!(rows.len(), 5, "the tubes of the pool, too: {list}");
        let mixed = format!("{},{},{},{}", plate(0), well_of(&loaded, &pool(0)), box_(0), pool(0));
        for tube in &tubes[..4] {
            let here = well_of(&made, &pool(0));
            let row = format!("{here},{tube},1,0,{mixed},{}", pool(0));
            assert!(rows.contains(&row.as_str()), "{row} in {list}");
        }
        let alone = format!("{},{},1,0,{},{},{},,", well_of(&made, &tubes[8]), tubes[8], plate(0),
            well_of(&loaded, &tubes[8]), box_(0));
        assert!(rows.contains(&alone.as_str()), "{alone} in {list}");
        let freeze = format!("{path}/freeze");
        let frozen = app.post(&world.technician, &freeze, &json!({})).await.expect(200).json();
        let again = app.put(&world.technician, &path, &request(&[])).await.expect(200).json();
        assert_eq!(again, frozen);
        let listed = app.get(&world.technician, "/v1/laboratories/L01/retests").await;
        assert_eq!(listed.expect(200).json()["retests"], json!([]));
    }
}
