//! The ledger: it closes over honest work, and names what does not fit.

use serde_json::json;
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::ledger::store::{Scope, ledger};
use swabline::ledger::{Ledger, Report, Step};

use crate::app::{Engine, TestApp};
use crate::each_engine;
use crate::way;

async fn whole(app: &TestApp) -> Report {
    let mut tx = app.app.db.read("test.ledger").await.unwrap();
    ledger(&mut tx, app.now(), &Scope::default()).await.unwrap()
}

/// One tube of three in every state, and a second run and a second swab on the way.
async fn a_morning(app: &TestApp) {
    way::places(app).await;
    way::seal(app, "SEALED", 10..13).await;
    way::seal(app, "PACKED", 20..23).await;
    way::seal(app, "RECEIVED", 30..33).await;
    way::seal(app, "REFUSED", 40..43).await;
    way::seal(app, "MISSING", 50..53).await;
    way::seal(app, "PLATED", 60..63).await;
    way::seal(app, "AGAIN", 90..93).await;
    for tube in ["PACKED", "RECEIVED", "REFUSED", "MISSING", "PLATED", "AGAIN"] {
        way::pack(app, tube).await;
    }
    for (tube, finding) in [
        ("RECEIVED", "accepted"),
        ("REFUSED", "refused"),
        ("MISSING", "missing"),
        ("PLATED", "accepted"),
        ("AGAIN", "accepted"),
    ] {
        way::arrive(app, tube, finding).await;
    }
    way::plate(app, "PLATED", "P1").await;
    way::plate(app, "AGAIN", "P2").await;
    way::release(app, "AGAIN", "P2", ("inconclusive", "retest")).await;
    way::plate(app, "AGAIN", "P3").await;
    way::negative(app, "RELEASED", 70..73).await;
    way::positive_pool(app, "CLOSED", 80..83).await;
}

/// The ledger after somebody with the database's own rights changed something; then undone.
async fn tampered(app: &TestApp, guards: &[&str], sql: &str) -> Report {
    let mut tx = app.app.db.write("test.tamper").await.unwrap();
    for guard in guards {
        let (table, _) = guard.rsplit_once('_').unwrap();
        let on =
            if app.engine == Engine::Postgres { format!(" on {table}") } else { String::new() };
        way::run(&mut tx, format!("drop trigger {guard}{on}")).await;
    }
    way::run(&mut tx, sql.to_owned()).await;
    ledger(&mut tx, app.now(), &Scope::default()).await.unwrap()
}

each_engine! {
    async fn it_closes_over_honest_work(app) {
        assert_eq!(whole(app).await, Report::default());
        a_morning(app).await;
        let report = whole(app).await;
        assert_eq!((report.unexplained, &report.reasons[..]), (0, &[][..]));
        let tubes = Ledger { collected: 9, in_transit: 2, received: 1, refused: 1, missing: 1,
            in_process: 2, released: 1, closed: 1, unexplained: 0 };
        let people = Ledger { collected: 27, in_transit: 6, received: 3, refused: 3, missing: 3,
            in_process: 6, released: 3, closed: 3, unexplained: 0 };
        assert_eq!((report.whole.tubes, report.whole.people), (tubes, people));
        assert_eq!(report.sites.len(), 1);
        assert_eq!((report.sites[0].day.as_str(), report.sites[0].place.as_deref()),
            ("2020-06-21", Some("S01")));
        assert_eq!(report.sites[0].count, report.whole);
        let laboratories: Vec<_> = report.laboratories.iter()
            .map(|line| (line.place.as_deref(), line.count.tubes.collected)).collect();
        assert_eq!(laboratories, [(None, 3), (Some("L01"), 6)]);
    }

    async fn whatever_is_tampered_with_is_named(app) {
        a_morning(app).await;
        let stranger = way::person(app, 999);
        let (stranger, sealed) = (stranger.as_str(), way::person(app, 10));
        let sealed = sealed.as_str();
        let kept = "insert into person (key, identity_tag, identity, first_seen_us)";
        let strange = format!("{kept} values ('{stranger}', 'tag', unhex('00'), 0);
            insert into member values ('LOST', 1, '{stranger}', 'tag', 0)");
        let forgotten = format!("delete from person where key = '{sealed}'");
        let invented = format!("insert into status (person_key, tube_code, result_id,
                outcome, collected_us, released_us) values
            ('{sealed}', 'SEALED', 'X', 'not_detected', 0, 0)");
        let wrong = format!("insert into status (person_key, tube_code, result_id,
                outcome, collected_us, released_us) values
            ('{stranger}', 'RELEASED', 'RELEASED.1', 'not_detected', 0, 0)");
        let cases: [(&[&str], &str, &str, &str); 16] = [
            (&[], "update tube set state = 'received' where code = 'PACKED'", "PACKED",
                "no laboratory took it in"),
            (&["tube_moves"], "update tube set state = 'packed' where code = 'RECEIVED'",
                "RECEIVED", "a laboratory has it"),
            (&[], "update tube set state = 'released' where code = 'PLATED'", "PLATED",
                "it has no result"),
            (&[], "update tube set state = 'closed' where code = 'PLATED'", "PLATED",
                "not every member is recalled"),
            (&["tube_moves"], "update tube set state = 'received' where code = 'RELEASED'",
                "RELEASED", "it has a result"),
            (&["member_kept"], "delete from member where tube_code = 'SEALED' and position = 2",
                "SEALED", "another number of members"),
            (&["box_tube_kept"], "delete from box_tube where tube_code = 'PACKED'", "PACKED",
                "no box has it"),
            (&["arrival_tube_kept"], "delete from arrival_tube where tube_code = 'REFUSED'",
                "REFUSED", "no laboratory refused it"),
            (&["recall_kept"], "delete from recall where origin_tube = 'CLOSED' and
                person_key = (select max(person_key) from recall where origin_tube = 'CLOSED')",
                "CLOSED", "not every member is recalled"),
            (&["result_kept"], "delete from result where tube_code = 'RELEASED'", "RELEASED",
                "it has no result"),
            (&[], "delete from status where person_key = (select max(person_key) from status)",
                "RELEASED", "not every member was told"),
            (&[], "update status set outcome = 'detected' where person_key =
                (select max(person_key) from status)", "RELEASED", "another version"),
            (&[], &strange, "LOST", "no such tube was sealed"),
            (&["person_kept"], &forgotten, "SEALED", "nobody who was kept"),
            (&[], &invented, "SEALED", "told a result"),
            (&[], &wrong, "RELEASED", "without being its member"),
        ];
        for (guards, sql, tube, reason) in cases {
            let report = tampered(app, guards, sql).await;
            assert_eq!(report.unexplained, 1, "{sql}: {:?}", report.reasons);
            assert_eq!(report.reasons.len(), 1);
            assert_eq!(report.reasons[0].tube, tube, "{sql}");
            let reasons = report.reasons[0].reasons.join("; ");
            assert!(reasons.contains(reason), "{sql}: {reasons}");
            let count = report.whole.tubes;
            let placed = count.in_transit + count.received + count.refused + count.missing
                + count.in_process + count.released + count.closed;
            assert_eq!(count.collected, placed + count.unexplained, "{sql}");
        }
        assert_eq!(whole(app).await.unexplained, 0);
    }

    async fn a_lost_tube_that_is_written_off_and_one_that_is_found_are_explained(app) {
        way::places(app).await;
        for tube in ["T1", "T2"] {
            way::seal(app, tube, [u32::from(tube.as_bytes()[1])]).await;
            way::pack(app, tube).await;
            way::arrive(app, tube, "missing").await;
        }
        app.pass(Span::hours(1));
        let sql = "insert into arrival select id || 'b', box_code, laboratory_code, arrived_us,
                recorded_us + 1, received_by, temperature_cdeg, seal_intact, warnings
                from arrival where box_code = 'BT1';
            insert into arrival_tube (arrival_id, tube_code, finding)
                select id, 'T1', 'accepted' from arrival where box_code = 'BT1' and id like '%b';
            update tube set state = 'received', laboratory_code = 'L01' where code = 'T1';
            insert into recall (id, person_key, origin_tube, site_code, reason, opened_us, due_us,
                contact, note, state) select 'R', person_key, 'T2', 'S01', 'missing', 0, 1, 'none',
                '', 'open' from member where tube_code = 'T2';
            update tube set state = 'closed' where code = 'T2'";
        let mut tx = app.app.db.write("test.found").await.unwrap();
        way::run(&mut tx, sql.replace("id like '%b'", "recorded_us > arrived_us")).await;
        let report = ledger(&mut tx, app.now(), &Scope::default()).await.unwrap();
        assert_eq!(report.unexplained, 0, "{:?}", report.reasons);
        assert_eq!((report.whole.tubes.received, report.whole.tubes.closed), (1, 1));
    }

    async fn late_tubes_are_listed_by_step(app) {
        a_morning(app).await;
        app.pass(Span::hours(1));
        assert_eq!(whole(app).await.overdue_tubes, 0);
        app.pass(Span::hours(2));
        let late = whole(app).await.overdue;
        let late: Vec<_> = late.iter().map(|one| (one.tube.as_str(), one.step)).collect();
        assert_eq!(late, [("SEALED", Step::Pack)]);
        app.pass(Span::hours(4));
        let late = whole(app).await.overdue;
        let late: Vec<_> = late.iter().map(|one| (one.tube.as_str(), one.step)).collect();
        assert_eq!(late, [("AGAIN", Step::Release), ("PACKED", Step::Receive),
            ("PLATED", Step::Release), ("RECEIVED", Step::Plate), ("SEALED", Step::Pack)]);
        app.pass(Span::hours(20));
        assert_eq!(whole(app).await.overdue_tubes, 6);
    }

    async fn it_is_asked_for_by_day_site_and_laboratory(app) {
        a_morning(app).await;
        app.pass(Span::days(1));
        way::seal(app, "NEXT", [1]).await;
        let officer = app.client(Role::Officer).await;
        // Nothing is lost of a place that nobody registered, and nothing is told by that.
        for query in ["?site=S02", "?laboratory=L02"] {
            app.get(&officer, &format!("/v1/ledger{query}")).await.expect(404);
        }
        let second = json!({ "name": "South gate", "area": "Daxing" });
        app.put(&officer, "/v1/sites/S02", &second).await.expect(201);
        for (query, tubes) in [("", 10), ("?day=2020-06-21", 9), ("?day=2020-06-22", 1),
            ("?day=2020-06-23", 0), ("?site=S01", 10), ("?site=S02", 0),
            ("?laboratory=L01&day=2020-06-21", 6)] {
            let report = app.get(&officer, &format!("/v1/ledger{query}")).await.expect(200).json();
            assert_eq!(report["whole"]["tubes"]["collected"], tubes, "{query}");
            assert_eq!(report["unexplained"], json!(0), "{query}");
        }
        let wrong = app.get(&officer, "/v1/ledger?day=tomorrow").await.expect(422);
        assert_eq!(wrong.code(), "ledger.scope");
        app.get(&officer, "/v1/ledger?site=%00").await.expect(422);
        let bound = app.client_at(Role::Officer, Some("S02".to_owned()), None).await;
        let own = app.get(&bound, "/v1/ledger").await.expect(200).json();
        assert_eq!(own["whole"]["tubes"]["collected"], 0);
        app.get(&bound, "/v1/ledger?site=S01").await.expect(403);
    }
}
