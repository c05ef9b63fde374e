//! Everybody works at one place: what is called by name at S01 and L01 is closed to the same role
//! at S02 and L02 (R36). The routes come from the policy, so that none is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::auth::policy::{Access, RULES, Rule};
use swabline::clock::Span;
use swabline::on;

use crate::app::{Answer, Client, TestApp};
use crate::each_engine;
use crate::laboratory;
use crate::world::{box_, people, plate, pool, seal_tube, session, tube, tube_body, world};

/// Routes that name nothing of one place, each with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("PUT", "/v1/code-patterns/{prefix}", "a maker's codes are the city's"),
    ("PUT", "/v1/laboratories/{code}", "places are the city's, and never overwritten"),
    ("PUT", "/v1/sites/{code}", "places are the city's, and never overwritten"),
    ("PUT", "/v1/rounds/{code}", "a round is the city's, and never overwritten"),
    ("POST", "/v1/tubes/batch", "each tube of a batch has an answer of its own"),
    ("GET", "/v1/kits", "a kit is the city's"),
    ("GET", "/v1/kits/{code}/versions/{version}", "a kit is the city's"),
    ("PUT", "/v1/kits/{code}/versions/{version}", "a kit is the city's"),
    ("POST", "/v1/kits/{code}/versions/{version}/shadow", "walked in a story of its own"),
    ("POST", "/v1/kits/{code}/versions/{version}/approve", "a kit is the city's"),
    ("POST", "/v1/kits/{code}/versions/{version}/withdraw", "a kit is the city's"),
    ("GET", "/v1/lots", "it lists the asker's own laboratory"),
    ("GET", "/v1/reviews", "it lists the asker's own laboratory"),
    ("GET", "/v1/switches/{name}", "the switch is the city's"),
    ("PUT", "/v1/switches/{name}", "the switch is the city's"),
    ("POST", "/v1/status/batch", "a service asks for people wherever they were swabbed"),
    ("GET", "/v1/feed", "a service follows the whole city"),
    ("GET", "/v1/plan", "a plan is arithmetic, of nobody's people"),
    ("GET", "/v1/plates/{code}/slots", "a template's wells, whatever is stored of the plate"),
    ("GET", "/v1/integrity", "walked for each place in a story of its own"),
    ("GET", "/v1/integrity/earlier", "an officer and an auditor ask across laboratories"),
    ("GET", "/v1/integrity/root", "the root stands for the whole trail"),
    ("GET", "/v1/session", "it names whoever asks"),
    ("POST", "/v1/session/proof", "it is about whoever asks"),
    ("GET", "/v1/audit", "an auditor reads the whole trail"),
    ("POST", "/v1/allotments", "walked for each place in a story of its own"),
    ("PUT", "/v1/seeded/{code}", "seeded tubes are the city's"),
    ("GET", "/v1/seeded", "seeded tubes are the city's"),
    ("GET", "/v1/seeded.svg", "seeded tubes are the city's"),
    ("GET", "/v1/devices/gaps", "walked for a site in a story of its own"),
    ("GET", "/v1/ledger", "walked for each place in a story of its own"),
    ("GET", "/v1/figures", "walked for each place in a story of its own"),
    ("GET", "/v1/figures/live", "it shows what the figures show"),
    ("GET", "/v1/figures/flow.svg", "it shows what the figures show"),
    ("GET", "/v1/figures/turnaround.svg", "it shows what the figures show"),
];

/// Things of S01 and L01 that are called by an id.
struct Things {
    allotment: String,
    recall: String,
    arrival: String,
    run: String,
    alarm: String,
    file: Vec<u8>,
    log: String,
}

/// One tube all the way to its result, and one that was lost.
async fn things(app: &TestApp) -> Things {
    let world = world(app).await;
    let id = |answer: Value| answer["id"].as_str().unwrap().to_owned();
    let wanted = json!({ "kind": "tube", "count": 5, "place": "L01" });
    let made = app.post(&world.officer, "/v1/allotments", &wanted).await.expect(201);
    for n in 0..2 {
        seal_tube(app, &world, n, &people(n * 20, 10)).await.expect(201);
    }
    for n in 2..4 {
        seal_tube(app, &world, n, &people(n * 20, 1)).await.expect(201);
    }
    laboratory::deliver(app, &world, 0, &[tube(0), tube(2), tube(3)]).await;
    laboratory::mix(app, &world, 0, &[tube(2), tube(3)]).await.expect(201);
    let manifest =
        json!({ "site": "S01", "seal": "S", "sealed_at": app.now(), "tubes": [tube(1)] });
    app.put(&world.sampler, &format!("/v1/boxes/{}", box_(1)), &manifest).await.expect(201);
    let arrived = app.post(&world.receiver, "/v1/arrivals", &arrival(app, 1)).await.expect(201);
    let lost = format!("/v1/tubes/{}/write-off", tube(1));
    app.post(&world.officer, &lost, &json!({ "reason": "not_found" })).await.expect(200);
    let recalls = app.get(&world.officer, "/v1/recalls").await.expect(200).json();
    let log = crate::robots::one_of_everything(app, &world).await;
    let plate = laboratory::load(app, &world, 0, &[tube(0)]).await;
    let file = laboratory::run_file_with_curves(&plate, &BTreeMap::new());
    let run = laboratory::upload(app, &world, &plate, file.clone()).await.expect(201).json();
    let run = id(run);
    laboratory::release(app, &world, &run).await;
    let alarm = alarm(app, &run).await;
    Things {
        allotment: id(made.json()),
        recall: id(recalls["recalls"][0].clone()),
        arrival: id(arrived.json()),
        run,
        alarm,
        file,
        log: id(log),
    }
}

/// An open alarm of L01.
async fn alarm(app: &TestApp, run: &str) -> String {
    let mut tx = app.app.db.write("test.alarm").await.unwrap();
    let sql = "insert into quality_alarm (id, laboratory_code, scope, subject, measure, kit, target,
            direction, tube, run_id, plates, since_us, opened_us)
        values ('ALARM', 'L01', 'laboratory', 'L01', 'positivity', '', '', 'fall', '', $1, 7, 1, 1)";
    on!(tx, c => sqlx::query(sql).bind(run).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    "ALARM".to_owned()
}

fn arrival(app: &TestApp, n: u64) -> Value {
    json!({ "box": box_(n), "laboratory": "L01", "arrived_at": app.now(), "seal_intact": true,
        "scanned": [] })
}

impl Things {
    /// The path of a rule with something of S01 or L01 for its name; none for an exception.
    fn path(&self, rule: &Rule) -> Option<String> {
        let named = |name: &str| rule.path.replace("{code}", name).replace("{id}", name);
        let kind = rule.path.split('/').nth(2)?;
        Some(match kind {
            "allotments" => format!("{}?format=zpl", named(&self.allotment)),
            "sessions" => named("W01"),
            "tubes" => named(&tube(0)),
            "boxes" => named(&box_(0)).replace("{step}", "2"),
            "recalls" if rule.method == "GET" => "/v1/recalls?site=S01".to_owned(),
            "recalls" => named(&self.recall),
            "arrivals" => named(&self.arrival),
            "racks" => format!("{}?laboratory=L01", named("FX1")),
            "plates" if rule.path.contains("{id}") => {
                rule.path.replace("{code}", &plate(9)).replace("{id}", &self.log)
            }
            "laboratories" => named("L01"),
            "pools" => named(&pool(0)),
            "pooling" if rule.method == "GET" => "/v1/pooling?laboratory=L01".to_owned(),
            "pooling" => rule.path.to_owned(),
            "plates" => named(&plate(0)),
            "runs" => named(&self.run),
            "lots" => {
                let kit = rule.path.replace("{kit}", laboratory::KIT.0);
                kit.replace("{lot}", "A1")
            }
            "quality" if rule.path.contains("charts") => {
                format!("{}?laboratory=L01&measure=positivity", rule.path)
            }
            "quality" if rule.method == "GET" => format!("{}?laboratory=L01", rule.path),
            "quality" => named(&self.alarm),
            "results" => named(&format!("{}.1", tube(0))),
            _ => return None,
        })
    }

    /// Sends what the rule's route takes.
    async fn call(&self, app: &TestApp, rule: &Rule, client: &Client) -> Option<Answer> {
        let path = self.path(rule)?;
        let body = match (rule.method, rule.path) {
            ("PUT", "/v1/sessions/{code}") => session(app, "R01"),
            ("PUT", "/v1/tubes/{code}") => tube_body(app, 0, &people(0, 10)),
            ("PUT", "/v1/boxes/{code}") => json!({ "site": "S01", "seal": "SEAL-0",
                "sealed_at": app.now(), "tubes": [tube(0), tube(2), tube(3)] }),
            ("POST", "/v1/boxes/{code}/handovers") => {
                json!({ "to": "X", "at": app.now(), "place": "gate" })
            }
            ("POST", "/v1/boxes/{code}/handovers/{step}/accept") => json!({ "at": app.now() }),
            ("PUT", "/v1/recalls/{id}") => json!({ "contact": "informed", "note": "called" }),
            ("POST", "/v1/arrivals") => arrival(app, 0),
            ("POST", "/v1/tubes/{code}/write-off") => json!({ "reason": "not_found" }),
            ("PUT", "/v1/pools/{code}") => json!({ "laboratory": "L01", "kit": laboratory::KIT.0,
                "kit_version": laboratory::KIT.1, "tubes": [tube(2), tube(3)] }),
            ("POST", "/v1/pooling/assessments") => json!({ "laboratory": "L01",
                "kit": laboratory::KIT.0, "kit_version": laboratory::KIT.1, "size": 5,
                "positives": 10, "found": 10 }),
            ("PUT", "/v1/plates/{code}") => json!({ "laboratory": "L01",
                "kit": laboratory::KIT.0, "kit_version": laboratory::KIT.1,
                "template": "one-well-94-columns", "tubes": [tube(0)] }),
            ("POST", "/v1/plates/{code}/runs") => {
                return Some(app.upload(client, &path, self.file.clone()).await);
            }
            ("PUT", "/v1/lots/{kit}/{lot}") | ("POST", "/v1/lots/{kit}/{lot}/deliveries") => {
                json!({ "laboratory": "L01",
                "expires_at": app.now() + Span::days(9), "reactions": 9 })
            }
            ("POST", "/v1/lots/{kit}/{lot}/issues") => {
                json!({ "laboratory": "L01", "reactions": 1 })
            }
            ("POST", "/v1/plates/{code}/transfers") => {
                let log = format!("A;PC;;;1;;5;;;\nD;{};;;1;;5;;;\n", plate(0));
                return Some(app.upload(client, &path, log.into_bytes()).await);
            }
            ("POST", "/v1/plates/{code}/transfers/{id}/accept") => {
                json!({ "explanations": ["log_mistaken"] })
            }
            ("POST", "/v1/plates/{code}/discard") => json!({ "reason": "spilled" }),
            ("POST", "/v1/runs/{id}/review") => json!({ "decision": "accept" }),
            ("POST", "/v1/quality/alarms/{id}/acknowledge") => json!({ "reason": "retested" }),
            ("POST", "/v1/results/{id}/amend") => {
                json!({ "outcome": "withdrawn", "reason": "mixed_up" })
            }
            _ => json!({}),
        };
        let method: Method = rule.method.parse().unwrap();
        let body = (method != Method::GET).then_some(&body);
        Some(app.call(method, &path, Some(client), body).await)
    }
}

/// Somebody with this role at this site and laboratory: at the one the role is bound to, or at
/// both when it could be bound to either.
async fn somebody(app: &TestApp, role: Role, site: &str, laboratory: &str) -> Client {
    let (site, laboratory) = (Some(site.to_owned()), Some(laboratory.to_owned()));
    match (role.needs_site(), role.needs_laboratory()) {
        (true, _) => app.client_at(role, site, None).await,
        (_, true) => app.client_at(role, None, laboratory).await,
        _ => app.client_at(role, site, laboratory).await,
    }
}

fn is_exception(rule: &Rule) -> bool {
    EXCEPTIONS.iter().any(|(method, path, _)| (*method, *path) == (rule.method, rule.path))
}

#[test]
fn every_exception_is_a_route_and_has_a_reason() {
    let routes: BTreeSet<_> = RULES.iter().map(|rule| (rule.method, rule.path)).collect();
    for (method, path, reason) in EXCEPTIONS {
        assert!(routes.contains(&(method, path)), "{method} {path} is no route");
        assert!(!reason.is_empty());
    }
}

each_engine! {
    async fn nobody_reaches_what_belongs_to_another_place(app) {
        let things = things(app).await;
        for (site, laboratory, is_home) in [("S02", "L02", false), ("S01", "L01", true)] {
            let mut clients = Vec::new();
            for role in Role::ALL {
                clients.push(somebody(app, role, site, laboratory).await);
            }
            for rule in RULES {
                let Access::Only(roles) = rule.access else { continue };
                // A page shows what it asks of the routes that are walked here.
                let is_page = !rule.path.starts_with("/v1/");
                if is_page || is_exception(rule) {
                    continue;
                }
                for client in clients.iter().filter(|client| roles.contains(&client.actor.role)) {
                    let answer = things.call(app, rule, client).await;
                    let (method, path, role) = (rule.method, rule.path, client.actor.role);
                    let answer = answer.unwrap_or_else(|| {
                        panic!("{method} {path} is new: name something of S01 or L01 for it")
                    });
                    let is_closed = matches!(answer.status.as_u16(), 403 | 404);
                    assert_eq!(is_closed, !is_home,
                        "{method} {path} as {role:?} at {site}/{laboratory}: {} {}",
                        answer.status, answer.text());
                }
            }
        }
    }

    async fn codes_are_allotted_and_printed_at_the_asker_s_own_place(app) {
        let things = things(app).await;
        let wanted = |place: &str| json!({ "kind": "tube", "count": 1, "place": place });
        let path = "/v1/allotments";
        let cases = [
            (Role::Officer, Some("S02"), None, "S02", "S01"),
            (Role::Officer, Some("S02"), None, "S02", "L01"),
            (Role::Technician, None, Some("L02"), "L02", "L01"),
            (Role::Receiver, None, Some("L02"), "L02", "S01"),
        ];
        for (role, site, laboratory, own, other) in cases {
            let (site, laboratory) = (site.map(str::to_owned), laboratory.map(str::to_owned));
            let client = app.client_at(role, site, laboratory).await;
            app.post(&client, path, &wanted(other)).await.expect(403);
            let made = app.post(&client, path, &wanted(own)).await.expect(201).json();
            let labels = |id: &str| format!("{path}/{id}/labels?format=svg");
            app.get(&client, &labels(made["id"].as_str().unwrap())).await.expect(200);
            app.get(&client, &labels(&things.allotment)).await.expect(403);
        }
        let anywhere = app.client(Role::Officer).await;
        app.post(&anywhere, path, &wanted("S02")).await.expect(201);
    }

    async fn the_ledger_and_the_checks_of_another_place_are_closed(app) {
        things(app).await;
        for role in [Role::Officer, Role::Auditor, Role::Administrator] {
            let client = somebody(app, role, "S02", "L02").await;
            for other in ["site=S01", "laboratory=L01"] {
                app.get(&client, &format!("/v1/ledger?{other}")).await.expect(403);
            }
            app.get(&client, "/v1/integrity?laboratory=L01").await.expect(403);
            let own = app.get(&client, "/v1/integrity").await.expect(200).json();
            assert_eq!((&own["laboratory"], &own["results"]), (&json!("L02"), &json!(0)));
            let own = app.get(&client, "/v1/ledger").await.expect(200).json();
            assert_eq!(own["whole"]["tubes"]["collected"], 0);
        }
    }
}
