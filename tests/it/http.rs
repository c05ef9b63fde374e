//! What holds for every request: problems, limits, identities, and the table of routes and roles.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;
use swabline::auth::Role;
use swabline::auth::policy::{self, Access};
use swabline::clock::Span;

use crate::each_engine;

each_engine! {
    async fn the_service_is_alive_and_ready(app) {
        for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
            app.call(Method::GET, path, None, None).await.expect(200);
        }
    }

    async fn a_head_is_answered_like_its_get(app) {
        let officer = app.client(Role::Officer).await;
        let sampler = app.client(Role::Sampler).await;
        for path in ["/healthz", "/readyz", "/metrics"] {
            let answer = app.call(Method::HEAD, path, None, None).await.expect(200);
            assert!(answer.bytes.is_empty());
        }
        app.call(Method::HEAD, "/v1/ledger", Some(&officer), None).await.expect(200);
        app.call(Method::HEAD, "/v1/ledger", Some(&sampler), None).await.expect(403);
        app.call(Method::HEAD, "/v1/ledger", None, None).await.expect(401);
        app.call(Method::HEAD, "/v1/status", None, None).await.expect(405);
    }

    async fn the_scheme_of_a_token_is_written_in_either_case(app) {
        let officer = app.client(Role::Officer).await;
        let send = |value: String| {
            let request = Request::get("/v1/ledger").header("authorization", value);
            app.send(request.body(Body::empty()).unwrap())
        };
        for scheme in ["Bearer ", "bearer ", "BEARER  "] {
            send(format!("{scheme}{}", officer.token)).await.expect(200);
        }
        for scheme in ["", "Bearer", "Basic ", "Bearer x"] {
            send(format!("{scheme}{}", officer.token)).await.expect(401);
        }
    }

    async fn a_made_up_method_leaves_no_word_of_its_own_in_the_figures(app) {
        swabline::http::health::recorder();
        for word in ["BREW-ONE", "BREW-TWO"] {
            app.call(word.parse().unwrap(), "/healthz", None, None).await.expect(405);
        }
        let figures = app.call(Method::GET, "/metrics", None, None).await.expect(200).text();
        assert!(figures.contains("method=\"other\"") && !figures.contains("BREW"), "{figures}");
    }

    async fn whatever_the_framework_refuses_is_a_problem_too(app) {
        let officer = app.client(Role::Officer).await;
        let lost = app.get(&officer, "/v1/nowhere").await.expect(404);
        assert_eq!(lost.code(), "route.not_found");
        let wrong = app.call(Method::DELETE, "/v1/status", None, None).await.expect(405);
        assert_eq!(wrong.code(), "route.method");
        for answer in [lost, wrong] {
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            assert!(answer.headers.contains_key("x-request-id"));
        }
        let bearer = format!("Bearer {}", officer.token);
        let send = |content_type: &'static str, body: &'static str| {
            let request = Request::put("/v1/sites/S09").header("authorization", &bearer)
                .header("content-type", content_type).body(Body::from(body)).unwrap();
            app.send(request)
        };
        assert_eq!(send("text/plain", "{}").await.expect(415).code(), "body.media_type");
        assert_eq!(send("application/json", "{").await.expect(400).code(), "body.json");
        assert_eq!(send("application/json", "[]").await.expect(422).code(), "body.shape");
    }

    async fn a_body_that_is_too_large_is_told_the_limit_of_its_route(app) {
        let technician = app.client_at(Role::Technician, None, Some("L01".to_owned())).await;
        let mib = |n: usize| vec![b'x'; (n << 20) + 1];
        for (route, most) in [("transfers?volume=5", 16), ("runs", 64)] {
            let path = format!("/v1/plates/P/{route}");
            let answer = app.upload(&technician, &path, mib(most)).await.expect(413);
            assert_eq!(answer.code(), "body.too_large");
            let said = format!("the file is larger than {most} MiB");
            assert!(answer.text().contains(&said), "{}", answer.text());
        }
        let several = [("a", &mib(32)[..]), ("b", &mib(32)[..])];
        let answer = app.upload_form(&technician, "/v1/plates/P/runs", &several).await.expect(413);
        assert!(answer.text().contains("larger than 64 MiB together"), "{}", answer.text());
        let officer = app.client(Role::Officer).await;
        let answer = app.put(&officer, "/v1/sites/S09", &json!("x".repeat(17 << 20))).await.expect(413);
        assert!(answer.text().contains("the body is larger than 16 MiB"), "{}", answer.text());
    }

    async fn whoever_only_asks_leaves_room_for_others(app) {
        let small = app.restarted(|config| config.requests_at_once = 2);
        let service = app.client(Role::Service).await;
        let waits = small.get(&service, "/v1/feed?wait=1");
        let others = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let refused = small.get(&service, "/v1/feed").await;
            let served = small.get(&service, "/healthz").await;
            // Residents and whoever signs in are not refused for the feed's sake.
            let asked = small.get(&service, "/r").await;
            let tried = small.get(&service, "/sign-in").await;
            (refused, [served, asked, tried])
        };
        let (waited, (refused, served)) = tokio::join!(waits, others);
        waited.expect(200);
        assert_eq!(refused.expect(503).code(), "request.too_many");
        for answer in served {
            answer.expect(200);
        }
        // The place is free again.
        small.get(&service, "/v1/feed").await.expect(200);
    }

    async fn a_walk_over_the_store_may_take_longer_than_any_other_request(app) {
        let officer = app.client(Role::Officer).await;
        let patient = app.restarted(|config| config.request_seconds = 1);
        let hurried = app.restarted(|config| config.walk_seconds = 1);
        for (node, status) in [(&patient, 200), (&hurried, 503)] {
            for path in ["/v1/ledger", "/v1/integrity"] {
                // Others walk meanwhile, so that it takes as long as one wants.
                let others = [app.app.walk().await.unwrap(), app.app.walk().await.unwrap()];
                let done = async {
                    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
                    drop(others);
                };
                let (answer, ()) = tokio::join!(node.get(&officer, path), done);
                let answer = answer.expect(status);
                assert!(status == 200 || answer.code() == "request.timeout", "{path}");
            }
        }
    }

    async fn nothing_has_a_name_or_a_reason_with_a_nul(app) {
        let reviewer = app.client(Role::Reviewer).await;
        app.get(&reviewer, "/v1/runs/%00").await.expect(404);
        let accept = json!({ "decision": "accept" });
        app.post(&reviewer, "/v1/runs/%00/review", &accept).await.expect(404);
        let withdraw = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        app.post(&reviewer, "/v1/results/%00/amend", &withdraw).await.expect(404);
        app.get(&reviewer, "/v1/runs/%00/file").await.expect(404);
        app.get(&reviewer, "/v1/kits/%00/versions/x").await.expect(404);
        let officer = app.client(Role::Officer).await;
        app.get(&officer, "/v1/quality/alarms?laboratory=%00").await.expect(404);
        app.get(&officer, "/v1/ledger?site=%00").await.expect(422);
        app.get(&officer, "/v1/recalls?area=%00").await.expect(422);
        let seen = json!({ "reason": "no_cause_found" });
        app.post(&officer, "/v1/quality/alarms/%00/acknowledge", &seen).await.expect(404);
        let on = json!({ "on": true, "reason": "a\u{0}b" });
        let refused = app.put(&reviewer, "/v1/switches/auto_release", &on).await.expect(422);
        assert_eq!(refused.code(), "switch.reason");
    }

    async fn every_route_has_a_rule_and_every_rule_a_route(_app) {
        let description = serde_json::to_value(swabline::http::openapi()).unwrap();
        let mut described = BTreeSet::from([("GET".to_owned(), "/openapi.json".to_owned())]);
        for (path, operations) in description["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                described.insert((method.to_uppercase(), path.clone()));
            }
        }
        for (method, path) in swabline::web::PAGES {
            described.insert((method.to_uppercase(), (*path).to_owned()));
        }
        let ruled: BTreeSet<_> = policy::RULES.iter()
            .map(|rule| (rule.method.to_owned(), rule.path.to_owned())).collect();
        assert_eq!(ruled, described);
    }

    async fn the_description_says_what_many_routes_answer_and_how_a_refusal_is_sent(_app) {
        let description = serde_json::to_value(swabline::http::openapi()).unwrap();
        for (path, operations) in description["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let rule = policy::rule(&method.to_uppercase(), path).unwrap();
                let asks = matches!(rule.access, Access::Only(_));
                let named: BTreeSet<_> = path.split('/')
                    .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let in_path: BTreeSet<_> = parameters.filter(|parameter| parameter["in"] == "path")
                    .filter_map(|parameter| parameter["name"].as_str()).collect();
                assert_eq!(in_path, named, "{method} {path}");
                let responses = operation["responses"].as_object().unwrap();
                assert_eq!(responses.contains_key("401"), asks, "{method} {path}");
                assert!(responses.contains_key("403") || !asks, "{method} {path}");
                assert_eq!(responses.contains_key("503"), path.starts_with("/v1/") || path == "/readyz");
                for (status, answer) in responses {
                    let named = answer["$ref"].as_str().map(|way| way.trim_start_matches('#'));
                    let answer = named.map_or(Some(answer), |way| description.pointer(way));
                    // OpenAPI 3.1 demands a word about each.
                    let said = answer.and_then(|answer| answer["description"].as_str());
                    assert!(said.is_some_and(|said| !said.is_empty()), "{method} {path} {status}");
                    if status.as_str() < "400" {
                        continue;
                    }
                    let sent = answer.and_then(|answer| answer["content"].as_object());
                    let sent = sent.unwrap_or_else(|| panic!("{method} {path} {status}"));
                    assert_eq!(sent.keys().collect::<Vec<_>>(), ["application/problem+json"],
                        "{method} {path} {status}");
                    assert_eq!(sent["application/problem+json"]["schema"]["$ref"],
                        "#/components/schemas/Problem", "{method} {path} {status}");
                }
            }
        }
    }

    async fn every_route_is_walked_with_no_identity_and_with_every_role(app) {
        let mut clients = Vec::new();
        for role in Role::ALL {
            clients.push(app.client(role).await);
        }
        for rule in policy::RULES {
            let Access::Only(_) = rule.access else { continue };
            let method: Method = rule.method.parse().unwrap();
            let path = rule.path.replace("{code}", "X").replace("{id}", "X")
                .replace("{step}", "1").replace("{name}", "X").replace("{prefix}", "X")
                .replace("{version}", "X").replace("{kit}", "X").replace("{lot}", "X");
            let body = json!({});
            let nobody = app.call(method.clone(), &path, None, Some(&body)).await;
            let is_page = swabline::web::PAGES.iter().any(|(_, page)| *page == rule.path);
            if is_page {
                // Whoever looks with a browser is led to where they sign in, and back.
                let way = nobody.expect(303).headers["location"].to_str().unwrap().to_owned();
                assert!(way.starts_with("/sign-in?next="), "{way}");
            } else {
                assert_eq!(nobody.expect(401).code(), "auth.token");
            }
            for client in &clients {
                let answer = app.call(method.clone(), &path, Some(client), Some(&body)).await;
                let says = || if is_page { answer.text().contains("auth.role") } else { answer.code() == "auth.role" };
                let refused = answer.status == 403 && says();
                assert_eq!(refused, !rule.allows(client.actor.role),
                    "{} {} as {:?}: {}", rule.method, rule.path, client.actor.role, answer.text());
            }
        }
    }

    async fn a_token_that_is_made_up_or_ended_opens_nothing(app) {
        let mut officer = app.client(Role::Officer).await;
        app.get(&officer, "/v1/ledger").await.expect(200);
        let mut tx = app.app.db.write("test.disable").await.unwrap();
        let account = officer.actor.account.clone();
        swabline::auth::account_disable(&mut tx, &account, app.now()).await.unwrap();
        tx.commit().await.unwrap();
        // Each node asks again after a second at most.
        app.pass(Span::seconds(1));
        app.get(&officer, "/v1/ledger").await.expect(401);
        "swl_made_up".clone_into(&mut officer.token);
        app.get(&officer, "/v1/ledger").await.expect(401);
    }
}
