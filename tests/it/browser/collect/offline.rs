//! Days without network: nothing is lost, nothing is doubled, and nothing can be read off the device
//! (R3 to R5).

use serde_json::{Value, json};
use swabline::clock::Span;

use super::net::Net;
use super::{all_sent, opened, sampler, scan_person, seal, seal_one, stored};
use crate::browser::calls::{hold_answers, hold_no_more, release};
use crate::browser::{Browser, PASSWORD, Size};
use crate::world::{person, session, tube};

/// Everything the device keeps, as text, sealed bytes as they lie there.
const KEPT: &str = "const done = arguments[arguments.length - 1];
    const plain = value => value instanceof ArrayBuffer || ArrayBuffer.isView(value)
        ? new TextDecoder('latin1').decode(value)
        : value instanceof CryptoKey ? `key, readable: ${value.extractable}`
        : value && typeof value === 'object'
        ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)])) : value;
    const request = indexedDB.open('swabline-collect');
    request.onsuccess = async () => {
        const kept = {};
        for (const name of request.result.objectStoreNames) {
            kept[name] = await new Promise(given => {
                request.result.transaction(name).objectStore(name).getAll().onsuccess =
                    event => given(event.target.result.map(plain));
            });
        }
        request.result.close();
        kept.caches = [];
        for (const name of await caches.keys()) {
            const cache = await caches.open(name);
            for (const key of await cache.keys()) {
                kept.caches.push([new URL(key.url).pathname, await (await cache.match(key)).text()]);
            }
        }
        kept.local = JSON.stringify(localStorage) + JSON.stringify(sessionStorage);
        done(kept);
    };";

async fn kept(browser: &Browser) -> Value {
    browser.client.execute_async(KEPT, Vec::new()).await.unwrap()
}

/// Nobody's name, number or phone lies there in clear, and no shell that knows who works here.
fn refuse_clear(kept: &Value, people: std::ops::Range<u64>) {
    let text = kept.to_string();
    for person in people.map(person) {
        for clear in [&person.number, &person.name, &person.phone] {
            assert!(!text.contains(clear.as_str()), "{clear} lies on the device in clear");
        }
    }
    assert!(text.contains("key, readable: false"), "the key cannot be taken away");
    let cached: Vec<(String, String)> = serde_json::from_value(kept["caches"].clone()).unwrap();
    assert!(cached.iter().any(|(path, _)| path == "/collect/shell/zh"), "the shell is kept");
    for (path, text) in cached {
        assert!(path.starts_with("/assets/") || path.starts_with("/collect/"), "{path} is kept");
        assert!(!text.contains("Test Sampler"), "{path} is nobody's");
    }
}

/// A browser behind a network that can be cut, with the page kept on the device.
pub(super) async fn behind(size: Size, language: &'static str) -> Option<(Browser, Net)> {
    let mut browser = Browser::open(size, language).await?;
    let net = Net::before(&browser.url).await;
    browser.url.clone_from(&net.url);
    Some((browser, net))
}

pub(super) async fn ready_for_offline(browser: &Browser) {
    browser.wait_for_value("!!navigator.serviceWorker.controller", &json!(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_tubes_sealed_without_network_outlive_a_killed_page_and_arrive_once_in_order() {
    let Some((browser, net)) = behind(Size::Phone, "zh-CN").await else { return };
    let world = sampler(&browser).await;
    ready_for_offline(&browser).await;
    net.cut();
    seal_one(&browser, 1).await;
    browser.wait_for_text("#net", "无网络").await;
    seal_one(&browser, 2).await;
    // A tube is in work when the page is killed, and opens again without network.
    scan_person(&browser, 3, "1 / 10").await;
    browser.client.goto("about:blank").await.unwrap();
    browser.goto("/collect").await;
    browser.wait_for_text("#tally", "1 / 10").await;
    browser.wait_for_text("#waiting-count", "2").await;
    seal(&browser, 3, "1").await;
    browser.wait_for_text("#waiting-count", "3").await;
    browser.wait_for_text("#net", "3").await;
    browser.screenshot("collect-offline").await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser.click("[data-mode=waiting]").await;
    browser.wait_for_text("#queue-list", &tube(3)).await;
    browser.screenshot("collect-offline-waiting").await;
    assert_eq!(browser.axe().await, Vec::<String>::new());

    let waiting = kept(&browser).await;
    let sequences: Vec<_> =
        waiting["outbox"].as_array().unwrap().iter().map(|item| item["sequence"].clone()).collect();
    assert_eq!(sequences, [json!(1), json!(2), json!(3)]);
    refuse_clear(&waiting, 1..4);
    assert_eq!(stored(&browser).await, 0);

    net.mend();
    all_sent(&browser).await;
    assert_eq!(stored(&browser).await, 3);
    let mut tx = browser.app.app.db.read("test.order").await.unwrap();
    let sql = "select code from tube order by device_seq";
    let order: Vec<String> =
        swabline::on!(tx, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap();
    drop(tx);
    assert_eq!(order, [tube(1), tube(2), tube(3)]);
    let after = kept(&browser).await;
    assert_eq!(after["outbox"], json!([]), "what is acknowledged is gone from the device");
    refuse_clear(&after, 1..4);
    // The slips that could not be made before are there now.
    browser.click("[data-mode=tube]").await;
    for n in 1..4 {
        browser.wait_for_text("#slip-list", &tube(n)).await;
    }
    // No number is used again.
    seal_one(&browser, 4).await;
    browser.wait_for_text("#slip-list", &tube(4)).await;
    let path = format!("/v1/tubes/{}", tube(4));
    browser.app.get(&world.sampler, &path).await.expect(200);
    let mut tx = browser.app.app.db.read("test.order").await.unwrap();
    let highest: i64 = swabline::on!(tx, c => sqlx::query_scalar(
        "select max(device_seq) from tube").fetch_one(c).await)
    .unwrap();
    assert_eq!(highest, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_doubles_nothing() {
    let Some((browser, net)) = behind(Size::Desktop, "en").await else { return };
    sampler(&browser).await;
    net.lose(3);
    seal_one(&browser, 1).await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    all_sent(&browser).await;
    assert!(net.sends() >= 4, "it was sent {} times", net.sends());
    assert_eq!(stored(&browser).await, 1);
    assert_eq!(kept(&browser).await["outbox"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_waits_for_a_new_sign_in_and_loses_nothing() {
    let Some((browser, net)) = behind(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    ready_for_offline(&browser).await;
    net.cut();
    seal_one(&browser, 1).await;
    browser.app.pass(Span::hours(13));
    net.mend();
    browser.wait_for_text("#net", "Sign in again").await;
    browser.screenshot("collect-signed-out").await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    assert_eq!(stored(&browser).await, 0);
    browser.click("#sign-in").await;
    browser.wait_for_path("/sign-in?next=/collect").await;
    browser.type_credentials("caiyang", PASSWORD).await;
    browser.wait_for_path("/collect").await;
    all_sent(&browser).await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    assert_eq!(stored(&browser).await, 1);
}

/// Asks for the sessions as the page does: the status, and whether it was led to another page.
const ASK: &str = "const [done] = arguments;
    fetch('/collect/sessions').then(({ status, redirected }) => done([status, redirected]));";

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_to_choose_from_outlive_the_end_of_a_sign_in() {
    let Some((browser, net)) = behind(Size::Phone, "en").await else { return };
    let world = sampler(&browser).await;
    ready_for_offline(&browser).await;
    net.cut();
    browser.goto("/collect").await;
    browser.wait_for_text("#net", "No network").await;
    hold_answers(&browser, "/collect/sessions").await;
    browser.app.pass(Span::hours(13));
    net.mend();
    browser.wait_for_text("#net", "Sign in again").await;
    browser.wait_for_value("window.held > 0", &json!(true)).await;
    release(&browser).await;
    let asked = browser.client.execute_async(ASK, Vec::new()).await.unwrap();
    assert_eq!(asked, json!([401, false]));
    assert_eq!(opened(&browser, "choice").await["sessions"][0]["code"], json!("W01"));
    scan_person(&browser, 1, "1 / 10").await;
    browser.scan(&tube(1)).await;
    browser.wait_for_text("#tube-code", &tube(1)).await;

    let mut second = session(&browser.app, "R01");
    second["team"] = json!("Team 2");
    browser.app.put(&world.officer, "/v1/sessions/W02", &second).await.expect(201);
    browser.click("#sign-in").await;
    browser.wait_for_path("/sign-in?next=/collect").await;
    browser.type_credentials("caiyang", PASSWORD).await;
    browser.wait_for_path("/collect").await;
    browser.wait_for_text("#tally", "1 / 10").await;
    browser.wait_for_text("#session-list", "Team 2").await;
    browser.click("#session-other").await;
    let seen = "document.querySelector('#session-list').checkVisibility()";
    browser.wait_for_value(seen, &json!(true)).await;
}

/// From here on every call is answered with a page, as on a train before one has signed in there.
const TRAIN: &str = "window.real = window.fetch;
    const page = { headers: { 'content-type': 'text/html' } };
    window.fetch = async () => new Response('<!doctype html><p>Welcome on board', page)";

#[tokio::test(flavor = "multi_thread")]
async fn a_network_with_a_sign_in_of_its_own_is_none() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    browser.client.execute(TRAIN, Vec::new()).await.unwrap();
    seal_one(&browser, 1).await;
    browser.wait_for_text("#net", "No network; 1 waiting").await;
    hold_no_more(&browser).await;
    all_sent(&browser).await;
    assert_eq!(stored(&browser).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_was_not_sent_is_undone() {
    let Some((browser, net)) = behind(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    ready_for_offline(&browser).await;
    net.cut();
    seal_one(&browser, 1).await;
    browser.wait_for_text("#waiting-count", "1").await;
    browser.scan("UNDO").await;
    browser.wait_for_text("#tally", "1 / 10").await;
    browser.wait_for_text("#waiting-count", "0").await;
    browser.wait_for_text("#tube-code", &tube(1)).await;
    net.mend();
}
