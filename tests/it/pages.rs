//! What holds for every page: what it may load, what it weighs, and how a refusal is said.

use std::path::Path;

use axum::body::Body;
use axum::http::{HeaderMap, Request};

use crate::app::{Answer, TestApp};
use crate::each_engine;

/// What a browser says of itself.
async fn browse(app: &TestApp, path: &str, language: &str) -> Answer {
    let request = Request::get(path)
        .header("accept", "text/html,*/*;q=0.8")
        .header("accept-encoding", "gzip, deflate, br")
        .header("accept-language", language);
    app.send(request.body(Body::empty()).unwrap()).await
}

/// The value of every attribute of this name.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn is_protected(headers: &HeaderMap) -> bool {
    let policy = headers["content-security-policy"].to_str().unwrap();
    policy.starts_with("default-src 'none'; script-src 'self';")
        && !policy.contains("unsafe")
        && policy.contains("frame-ancestors 'none'")
        && headers["x-content-type-options"] == "nosniff"
        && headers["referrer-policy"] == "no-referrer"
}

/// Most bytes of the first page and everything it needs, over the wire.
const FIRST_PAGE_MAX: usize = 50_000;

each_engine! {
    async fn the_first_page_is_light_and_waits_for_one_file_alone(app) {
        for path in ["/", "/sign-in"] {
            let answer = browse(app, path, "en").await.expect(200);
            assert!(is_protected(&answer.headers), "{:?}", answer.headers);
            assert_eq!(answer.headers["cache-control"], "no-store");
            let html = answer.text();
            let mut bytes = answer.bytes.len();
            let sources = attributes(&html, "src").into_iter().chain(attributes(&html, "href"));
            for asset in sources.filter(|path| path.starts_with("/assets/")) {
                let answer = browse(app, asset, "en").await.expect(200);
                assert!(is_protected(&answer.headers));
                assert!(answer.headers["cache-control"].to_str().unwrap().contains("immutable"));
                bytes += answer.bytes.len();
            }
            assert!(bytes < FIRST_PAGE_MAX, "{path} takes {bytes} bytes");
            // The stylesheet alone holds the page up, and asks for nothing more.
            assert_eq!(html.matches("rel=\"stylesheet\"").count(), 1);
            let scripts = html.split("<script").skip(1).filter_map(|rest| rest.split('>').next());
            let held = scripts.filter(|tag| !["type=\"module\"", "type=\"application/json\""]
                .iter().any(|kind| tag.contains(kind))).count();
            assert_eq!(held, 0, "{html}");
            assert!(!html.contains("style=") && !html.contains("<style") && !html.contains(" onclick"));
            for link in attributes(&html, "src").into_iter().chain(attributes(&html, "href")) {
                assert!(link.starts_with('/') || link.starts_with('#'), "{link} leads elsewhere");
            }
        }
    }

    async fn an_asset_is_packed_for_whoever_unpacks_it_and_kept_for_ever_under_its_own_name(app) {
        let html = browse(app, "/", "en").await.text();
        let css = attributes(&html, "href")
            .into_iter()
            .find(|path| Path::new(path).extension() == Some("css".as_ref()))
            .unwrap();
        let packed = browse(app, css, "en").await.expect(200);
        assert_eq!(packed.headers["content-encoding"], "gzip");
        let request = Request::get(css).body(Body::empty()).unwrap();
        let plain = app.send(request).await.expect(200);
        assert!(!plain.headers.contains_key("content-encoding"));
        assert!(packed.bytes.len() < plain.bytes.len() / 2);
        let mut unpacked = String::new();
        let mut reader = flate2::read::GzDecoder::new(packed.bytes.as_slice());
        std::io::Read::read_to_string(&mut reader, &mut unpacked).unwrap();
        assert_eq!(unpacked.as_bytes(), plain.bytes);
        let other = browse(app, "/assets/another/style.css", "en").await.expect(200);
        assert_eq!(other.headers["cache-control"], "no-store");
        browse(app, "/assets/another/none.css", "en").await.expect(404);
        browse(app, "/assets/another/..%2Fmod.rs", "en").await.expect(404);
    }

    async fn a_refusal_is_a_page_for_people_and_a_problem_for_programs(app) {
        for (language, words) in [("en", "There is no such page"), ("zh", "没有这个页面")] {
            let lost = browse(app, "/nowhere", language).await.expect(404);
            assert!(lost.text().contains(words) && is_protected(&lost.headers));
        }
        let call = browse(app, "/v1/nowhere", "en").await.expect(404);
        assert_eq!(call.headers["content-type"], "application/problem+json");
        let request = Request::get("/nowhere").body(Body::empty()).unwrap();
        assert_eq!(app.send(request).await.expect(404).code(), "route.not_found");
        let wrong = Request::delete("/sign-in").header("accept", "text/html").body(Body::empty());
        let wrong = app.send(wrong.unwrap()).await.expect(405);
        assert!(wrong.text().contains("route.method"));
        // Whoever has no business here is led to where they sign in, with the way back.
        let led = browse(app, "/account?changed=true", "en").await.expect(303);
        assert_eq!(led.headers["location"], "/sign-in?next=%2Faccount%3Fchanged%3Dtrue");
        // A module that asks for data is refused: it would take the page for its answer.
        let fetched = Request::get("/collect/sessions").header("sec-fetch-mode", "cors");
        app.send(fetched.body(Body::empty()).unwrap()).await.expect(401);
    }

    async fn behind_tls_no_cookie_leaves_it(app) {
        let behind = app.restarted(|config| config.behind_tls = true);
        for (app, is_secure) in [(app, false), (&behind, true)] {
            let request = Request::post("/language")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from("to=en&next=//evil.example")).unwrap();
            let answer = app.send(request).await.expect(303);
            assert_eq!(answer.headers["location"], "/");
            let cookie = answer.headers["set-cookie"].to_str().unwrap();
            assert!(cookie.starts_with("lang=en;") && cookie.contains("HttpOnly"), "{cookie}");
            assert_eq!(cookie.contains("; Secure"), is_secure);
            let page = browse(app, "/", "en").await;
            assert_eq!(page.headers.contains_key("strict-transport-security"), is_secure);
        }
    }

    async fn the_viewer_of_the_api_is_let_write_its_styles_and_nothing_else(app) {
        let docs = browse(app, "/docs/", "en").await.expect(200);
        let policy = docs.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("style-src 'self' 'unsafe-inline'") && !policy.contains("script-src"));
        assert!(policy.starts_with("default-src 'self';"));
    }
}
