//! Sessions at the pages: who comes in, how long they stay, what a cookie alone cannot do, and
//! the password that a signature asks for (R26, R37).

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use serde_json::json;
use swabline::auth::session::sign_in::{self, login_give};
use swabline::auth::session::store;
use swabline::auth::session::totp::{Secret, step};
use swabline::auth::{Role, administration};
use swabline::clock::Span;
use swabline::on;

use crate::app::{Answer, Client, Engine, TestApp};
use crate::each_engine;
use crate::laboratory;
use crate::world::{people, seal_tube, tube, world};

const PASSWORD: &str = "one long phrase for all";

/// A browser as far as the server can tell: a cookie, and the token its pages carry.
struct Visitor {
    cookie: String,
    csrf: String,
}

/// Gives an account a name and the password.
async fn give(app: &TestApp, client: &Client, login: &str) {
    let given = (login, PASSWORD.to_owned());
    login_give(&app.app, &client.actor, &client.actor.account, given).await.unwrap();
}

async fn form(app: &TestApp, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let body = fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+")));
    let body = body.collect::<Vec<_>>().join("&");
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie);
    app.send(request.body(Body::from(body)).unwrap()).await
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let set = headers.get("set-cookie")?.to_str().ok()?;
    set.split(';').next().map(str::to_owned)
}

async fn type_in(app: &TestApp, login: &str, password: &str) -> Answer {
    form(app, "/sign-in", "", &[("login", login), ("password", password)]).await
}

/// Signs in and reads the token from a page.
async fn visit(app: &TestApp, login: &str) -> Visitor {
    let answer = type_in(app, login, PASSWORD).await.expect(303);
    visitor(app, cookie(&answer.headers).unwrap()).await
}

async fn visitor(app: &TestApp, cookie: String) -> Visitor {
    let page = get(app, "/account", &cookie).await.expect(200).text();
    let (_, rest) = page.split_once("name=\"csrf\" content=\"").unwrap();
    let csrf = rest.split('"').next().unwrap().to_owned();
    Visitor { cookie, csrf }
}

async fn get(app: &TestApp, path: &str, cookie: &str) -> Answer {
    let request = Request::get(path).header("cookie", cookie);
    app.send(request.body(Body::empty()).unwrap()).await
}

/// Calls `/v1` as an ES module does.
async fn call(app: &TestApp, visitor: &Visitor, path: &str, body: serde_json::Value) -> Answer {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("idempotency-key", app.clock.id().to_string())
        .header("cookie", &visitor.cookie)
        .header("x-csrf-token", &visitor.csrf);
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

each_engine! {
    async fn whoever_is_signed_in_calls_the_api_as_with_a_token(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        let wei = visit(app, " WEI ").await;
        let who = get(app, "/v1/session", &wei.cookie).await.expect(200).json();
        assert_eq!(who["account"], json!(officer.actor.account));
        get(app, "/v1/ledger", &wei.cookie).await.expect(200);
        assert_eq!(get(app, "/v1/audit", &wei.cookie).await.expect(403).code(), "auth.role");
        form(app, "/sign-out", &wei.cookie, &[("csrf", &wei.csrf)]).await.expect(303);
        get(app, "/v1/ledger", &wei.cookie).await.expect(401);
    }

    async fn a_cookie_alone_changes_nothing(app) {
        let sampler = app.client(Role::Officer).await;
        give(app, &sampler, "wei").await;
        let wei = visit(app, "wei").await;
        let put = |headers: &[(&'static str, &str)]| {
            let mut request = Request::put("/v1/sites/S09").header("cookie", &wei.cookie)
                .header("content-type", "application/json").header("host", "lis.example");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let body = json!({ "name": "North gate", "area": "Fengtai" }).to_string();
            app.send(request.body(Body::from(body)).unwrap())
        };
        let token = ("x-csrf-token", wei.csrf.as_str());
        for headers in [
            &[][..],
            &[("x-csrf-token", "made-up")],
            &[token, ("sec-fetch-site", "cross-site")],
            &[token, ("origin", "https://evil.example")],
        ] {
            assert_eq!(put(headers).await.expect(403).code(), "session.csrf", "{headers:?}");
        }
        put(&[token, ("origin", "https://lis.example")]).await.expect(201);
        put(&[token, ("sec-fetch-site", "same-origin")]).await.expect(200);
        // A form of another site, and one of ours without its token.
        for fields in [&[][..], &[("csrf", "made-up")]] {
            let answer = form(app, "/sign-out", &wei.cookie, fields).await.expect(403);
            assert!(answer.text().contains("session.csrf"));
        }
        get(app, "/v1/session", &wei.cookie).await.expect(200);
    }

    async fn nobody_learns_from_an_answer_who_can_sign_in(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        for (n, login) in ["wei", "nobody"].into_iter().enumerate() {
            let mut answers = Vec::new();
            for _ in 0..7 {
                let answer = type_in(app, login, "a wrong phrase").await;
                assert_eq!(cookie(&answer.headers), None);
                answers.push((answer.status.as_u16(), answer.text().replace(login, "NAME")));
            }
            let statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
            assert_eq!(statuses, [403, 403, 403, 403, 403, 429, 429], "{n}");
        }
        // The right password does not help before its time, and does after it.
        type_in(app, "wei", PASSWORD).await.expect(429);
        app.pass(Span::minutes(14));
        type_in(app, "wei", PASSWORD).await.expect(429);
        app.pass(Span::minutes(1));
        type_in(app, "wei", PASSWORD).await.expect(303);
        // What was right begins the count anew.
        for _ in 0..2 {
            for _ in 0..4 {
                type_in(app, "wei", "a wrong phrase").await.expect(403);
            }
            type_in(app, "wei", PASSWORD).await.expect(303);
        }
    }

    async fn tries_at_the_same_moment_are_all_counted(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        let tries = (0..12).map(|_| type_in(app, "wei", "a wrong phrase"));
        let answers = futures_util::future::join_all(tries).await;
        let taken = answers.iter().filter(|answer| answer.status == 403).count();
        assert_eq!(taken, 5);
    }

    async fn a_session_ends_idle_at_last_and_with_its_account(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        let asks = |visitor: &Visitor| {
            let cookie = visitor.cookie.clone();
            async move { get(app, "/v1/session", &cookie).await.status.as_u16() }
        };
        let idle = visit(app, "wei").await;
        app.pass(Span::minutes(29));
        assert_eq!(asks(&idle).await, 200);
        app.pass(Span::minutes(29));
        assert_eq!(asks(&idle).await, 200, "its use was written down");
        app.pass(Span::minutes(30));
        assert_eq!(asks(&idle).await, 401);
        // What a page asks for by itself keeps nobody signed in.
        let left = visit(app, "wei").await;
        for minutes in [20, 20] {
            app.pass(Span::minutes(minutes));
            let request = Request::get("/v1/session").header("cookie", &left.cookie)
                .header("x-background", "1");
            app.send(request.body(Body::empty()).unwrap()).await;
        }
        assert_eq!(asks(&left).await, 401);
        let long = visit(app, "wei").await;
        for _ in 0..35 {
            app.pass(Span::minutes(20));
            assert_eq!(asks(&long).await, 200);
        }
        app.pass(Span::minutes(20));
        assert_eq!(asks(&long).await, 401, "twelve hours are over");
        let ended = visit(app, "wei").await;
        let mut tx = app.app.db.write("test.disable").await.unwrap();
        swabline::auth::account_disable(&mut tx, &officer.actor.account, app.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(asks(&ended).await, 401);
        type_in(app, "wei", PASSWORD).await.expect(403);
    }

    async fn a_new_password_ends_every_other_session(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        let (here, elsewhere) = (visit(app, "wei").await, visit(app, "wei").await);
        let change = |old: &'static str, new: &'static str| {
            let fields = [("csrf", here.csrf.as_str()), ("old", old), ("new", new)];
            let cookie = here.cookie.clone();
            async move { form(app, "/account/password", &cookie, &fields).await }
        };
        change("a wrong phrase", "another long phrase").await.expect(422);
        change(PASSWORD, "short").await.expect(422);
        get(app, "/v1/session", &elsewhere.cookie).await.expect(200);
        change(PASSWORD, "another long phrase").await.expect(303);
        get(app, "/v1/session", &here.cookie).await.expect(200);
        get(app, "/v1/session", &elsewhere.cookie).await.expect(401);
        type_in(app, "wei", PASSWORD).await.expect(403);
        type_in(app, "wei", "another long phrase").await.expect(303);
    }

    async fn whoever_signs_is_not_kept_behind_those_who_guess(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        let wei = visit(app, "wei").await;
        let node = app.beside(|config| config.query_queue = 0).await;
        let places = if app.engine == Engine::Sqlite { 1 } else { 6 };
        let mut held = Vec::new();
        for _ in 0..places {
            held.push(node.app.db.write("test.hold").await.unwrap());
        }
        type_in(&node, "wei", PASSWORD).await.expect(503);
        let proof = call(&node, &wei, "/v1/session/proof", json!({ "password": PASSWORD }));
        let work = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(held);
        };
        let (proved, ()) = tokio::join!(proof, work);
        proved.expect(204);
    }

    async fn every_coming_and_going_leaves_its_row(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        for _ in 0..5 {
            type_in(app, "wei", "a wrong phrase").await.expect(403);
        }
        app.pass(Span::minutes(15));
        let wei = visit(app, "wei").await;
        call(app, &wei, "/v1/session/proof", json!({ "password": PASSWORD })).await.expect(204);
        form(app, "/sign-out", &wei.cookie, &[("csrf", &wei.csrf)]).await.expect(303);
        let mut tx = app.app.db.read("test.actions").await.unwrap();
        let sql = "select action from audit order by seq";
        let actions: Vec<String> =
            on!(tx, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap();
        assert_eq!(actions,
            ["password.give", "sign_in.last_try", "session.begin", "session.prove", "session.end"]);
    }

    async fn a_second_factor_must_be_set_up_where_it_is_asked_for(app) {
        let strict = app.restarted(|config| config.second_factor = true);
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        let answer = type_in(&strict, "wei", PASSWORD).await.expect(303);
        assert_eq!(answer.headers["location"], "/account/second-factor");
        let wei = visitor(&strict, cookie(&answer.headers).unwrap()).await;
        let refused = get(&strict, "/v1/ledger", &wei.cookie).await.expect(403);
        assert_eq!(refused.code(), "session.second_factor");
        get(&strict, "/scanner", &wei.cookie).await.expect(303);
        get(&strict, "/account/second-factor", &wei.cookie).await.expect(200);
        let secret = secret(&strict, &officer).await;
        let code = secret.code(step(app.now()));
        let fields = [("csrf", wei.csrf.as_str()), ("code", code.as_str())];
        let answer = form(&strict, "/account/second-factor", &wei.cookie, &fields).await.expect(303);
        get(&strict, "/v1/ledger", &wei.cookie).await.expect(401);
        let whole = cookie(&answer.headers).unwrap();
        get(&strict, "/v1/ledger", &whole).await.expect(200);
    }

    async fn a_code_is_taken_once_and_a_password_alone_opens_nothing(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        let wei = visit(app, "wei").await;
        get(app, "/account/second-factor", &wei.cookie).await.expect(200);
        let secret = secret(app, &officer).await;
        let first = secret.code(step(app.now()));
        let fields = [("csrf", wei.csrf.as_str()), ("code", first.as_str())];
        form(app, "/account/second-factor", &wei.cookie, &fields).await.expect(303);

        let half = cookie(&type_in(app, "wei", PASSWORD).await.expect(303).headers).unwrap();
        get(app, "/v1/ledger", &half).await.expect(401);
        get(app, "/account", &half).await.expect(303);
        let again = form(app, "/sign-in/code", &half, &[("code", &first)]).await;
        again.expect(403);
        app.pass(Span::seconds(30));
        let next = secret.code(step(app.now()));
        let answer = form(app, "/sign-in/code", &half, &[("code", &next)]).await.expect(303);
        let whole = cookie(&answer.headers).unwrap();
        assert_ne!(half, whole, "the cookie changes with what it opens");
        get(app, "/v1/ledger", &whole).await.expect(200);
        get(app, "/v1/ledger", &half).await.expect(401);
        // A lost authenticator is taken away at the console, and nobody stays signed in.
        sign_in::factor_take(&app.app, &officer.actor, &officer.actor.account).await.unwrap();
        get(app, "/v1/ledger", &whole).await.expect(401);
        let answer = type_in(app, "wei", PASSWORD).await.expect(303);
        assert_eq!(answer.headers["location"], "/");
    }

    async fn an_administrator_comes_in_neither_as_somebody_else_nor_anew(app) {
        let world = world(app).await;
        give(app, &world.administrator, "boss").await;
        give(app, &world.reviewer, "wei").await;
        let boss = visit(app, "boss").await;
        let act = async |account: &Client, act: &str| {
            let path = format!("/admin/accounts/{}", account.actor.account);
            form(app, &path, &boss.cookie, &[("csrf", &boss.csrf), ("act", act)]).await
        };
        // A key signs without a password, so a person gets none.
        let answer = act(&world.reviewer, "key").await.expect(422);
        assert!(answer.text().contains("密钥只发给程序"), "{}", answer.text());
        let answer = act(&world.service, "key").await.expect(200);
        assert!(answer.text().contains("swl_"), "{}", answer.text());
        for own in ["password", "factor"] {
            let answer = act(&world.administrator, own).await.expect(422);
            assert!(answer.text().contains("这是您自己的账号"), "{own}: {}", answer.text());
        }
        let shown = act(&world.reviewer, "password").await.expect(200).text();
        type_in(app, "wei", PASSWORD).await.expect(403);

        // Whoever was given it chooses another before anything else.
        let (_, rest) = shown.split_once("id=\"secret\">").unwrap();
        let given = rest.split_once('<').unwrap().0;
        let answer = type_in(app, "wei", given).await.expect(303);
        assert_eq!(answer.headers["location"], "/account");
        let wei = visitor(app, cookie(&answer.headers).unwrap()).await;
        assert_eq!(get(app, "/review", &wei.cookie).await.expect(303).headers["location"], "/account");
        let refused = get(app, "/v1/reviews", &wei.cookie).await.expect(403);
        assert_eq!(refused.code(), "session.password");
        // A module that asks for data is refused, and not led to a page it would take for an answer.
        let fetched = Request::get("/review").header("cookie", &wei.cookie)
            .header("sec-fetch-mode", "cors").body(Body::empty()).unwrap();
        app.send(fetched).await.expect(403);
        let change = async |new: &str| {
            let fields = [("csrf", wei.csrf.as_str()), ("old", given), ("new", new)];
            form(app, "/account/password", &wei.cookie, &fields).await
        };
        let same = change(given).await.expect(422);
        assert!(same.text().contains("新密码与当前密码相同"), "{}", same.text());
        change("a phrase of my own").await.expect(303);
        get(app, "/v1/reviews", &wei.cookie).await.expect(200);
        let answer = type_in(app, "wei", "a phrase of my own").await.expect(303);
        assert_eq!(answer.headers["location"], "/");
    }

    async fn two_administrators_do_not_end_each_other_at_the_same_moment(app) {
        let world = world(app).await;
        give(app, &world.administrator, "boss").await;
        let second = app.client(Role::Administrator).await;
        give(app, &second, "wei").await;
        // A third would stay; still one of the two is ended, and not both.
        let third = app.client(Role::Administrator).await;
        give(app, &third, "lin").await;
        let end = async |by: &Client, whom: &Client| {
            administration::disable(&app.app, &by.actor, &whom.actor.account).await
        };
        let both = tokio::join!(end(&world.administrator, &second), end(&second, &world.administrator));
        assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    }

    async fn looking_for_a_good_password_uses_no_try_up(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        let wei = visit(app, "wei").await;
        for short in ["1", "12", "123", "1234", "12345", "123456", "1234567"] {
            let fields = [("csrf", wei.csrf.as_str()), ("old", PASSWORD), ("new", short)];
            form(app, "/account/password", &wei.cookie, &fields).await.expect(422);
        }
        type_in(app, "wei", PASSWORD).await.expect(303);
    }

    async fn what_a_person_sees_is_kept_by_no_browser(app) {
        let officer = app.client(Role::Officer).await;
        give(app, &officer, "wei").await;
        let wei = visit(app, "wei").await;
        let answer = get(app, "/v1/recalls", &wei.cookie).await.expect(200);
        assert_eq!(answer.headers["cache-control"], "no-store");
        let answer = app.get(&officer, "/v1/recalls").await.expect(200);
        assert!(!answer.headers.contains_key("cache-control"));
    }

    async fn a_signature_asks_for_the_password_again_and_each_asks_anew(app) {
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 10)).await.expect(201);
        laboratory::deliver(app, &world, 0, &[tube(0)]).await;
        let plate = laboratory::load(app, &world, 0, &[tube(0)]).await;
        let file = laboratory::run_file(&plate, &BTreeMap::new(), false);
        let run = laboratory::upload(app, &world, &plate, file).await.expect(201).json();
        let run = run["id"].as_str().unwrap();
        give(app, &world.reviewer, "first").await;
        give(app, &world.second_reviewer, "second").await;
        let (first, second) = (visit(app, "first").await, visit(app, "second").await);
        let review = format!("/v1/runs/{run}/review");
        let release = format!("/v1/runs/{run}/release");
        let accept = json!({ "decision": "accept" });
        let right = json!({ "password": PASSWORD });

        let refused = call(app, &first, &review, accept.clone()).await.expect(403);
        assert_eq!(refused.code(), "session.reauthenticate");
        let wrong = json!({ "password": "a wrong phrase" });
        let refused = call(app, &first, "/v1/session/proof", wrong).await.expect(403);
        assert_eq!(refused.code(), "sign_in.wrong");
        call(app, &first, "/v1/session/proof", right.clone()).await.expect(204);
        call(app, &first, &review, accept.clone()).await.expect(200);
        // The same again is answered again and signs nothing.
        call(app, &first, &review, accept).await.expect(200);

        call(app, &second, "/v1/session/proof", right.clone()).await.expect(204);
        app.pass(Span::minutes(10));
        assert_eq!(call(app, &second, &release, json!({})).await.expect(403).code(),
            "session.reauthenticate");
        call(app, &second, "/v1/session/proof", right).await.expect(204);
        call(app, &second, &release, json!({})).await.expect(200);
        // One proof, one signature: the next act asks again, though the ten minutes are not over.
        let wanted = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        let amend = format!("/v1/results/{}.1/amend", tube(0));
        let refused = call(app, &second, &amend, wanted.clone()).await.expect(403);
        assert_eq!(refused.code(), "session.reauthenticate");
        call(app, &second, "/v1/session/proof", json!({ "password": PASSWORD })).await.expect(204);
        call(app, &second, &amend, wanted).await.expect(202);
        // Whoever comes with a token showed it with the request.
        let wanted = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        app.post(&world.reviewer, &amend, &wanted).await.expect(201);
    }
}

async fn secret(app: &TestApp, client: &Client) -> Secret {
    let account = &client.actor.account;
    let mut tx = app.app.db.read("test.factor").await.unwrap();
    let factor = store::factor_find(&mut tx, account).await.unwrap().unwrap();
    let place = swabline::auth::session::secret_place(account);
    Secret::of(app.app.keys.open(place, &factor.secret).unwrap())
}
