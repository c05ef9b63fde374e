//! Where boxes are taken in: the manifest and the scan side by side.

use fantoccini::key::Key;
use serde_json::json;
use swabline::auth::Role;

use super::calls::{hold, release, wait_held};
use super::{Browser, Size};
use crate::app::TestApp;
use crate::world::{self, World, box_, people, seal_tube, tube, world};

/// Packs tubes into the `n`th box and hands it over twice; it stands before the laboratory's door.
pub async fn carry(app: &TestApp, world: &World, n: u64, tubes: &[String]) {
    let (path, now) = (format!("/v1/boxes/{}", world::box_(n)), app.now());
    let manifest = json!({ "site": "S01", "seal": format!("SEAL-{n}"), "sealed_at": now,
        "tubes": tubes });
    app.put(&world.sampler, &path, &manifest).await.expect(201);
    for (step, from, to) in
        [(1, &world.sampler, &world.courier), (2, &world.courier, &world.receiver)]
    {
        let offer = json!({ "to": to.actor.account, "at": now, "place": "gate" });
        app.post(from, &format!("{path}/handovers"), &offer).await.expect(201);
        let accept = format!("{path}/handovers/{step}/accept");
        app.post(to, &accept, &json!({ "at": now })).await.expect(200);
    }
}

/// A box of twelve tubes of ten people before the door, and a tube that is in no manifest.
async fn box_of_twelve(app: &TestApp) -> World {
    let world = world(app).await;
    for n in (0..12).chain([20]) {
        seal_tube(app, &world, n, &people(n * 10, 10)).await.expect(201);
    }
    let tubes: Vec<_> = (0..12).map(tube).collect();
    carry(app, &world, 0, &tubes).await;
    world
}

/// Signs the receiver in before the page.
async fn at_receive(browser: &Browser, world: &World) {
    browser.give(&world.receiver, "jieshou").await;
    browser.enter("jieshou").await;
    browser.goto("/receive").await;
}

/// An open box of twelve of which eleven tubes were scanned.
async fn all_but_one(browser: &Browser) -> World {
    let world = box_of_twelve(&browser.app).await;
    at_receive(browser, &world).await;
    browser.scan(&box_(0)).await;
    for n in 0..11 {
        browser.scan(&tube(n)).await;
    }
    browser.wait_for_text("#here-count", "11").await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_is_taken_in_by_scans_and_keys_alone() {
    for (language, size, leak) in [("zh-CN", Size::Phone, "渗漏"), ("en", Size::Desktop, "Leaking")]
    {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = box_of_twelve(&browser.app).await;
        at_receive(&browser, &world).await;
        browser.check("receive-ready").await;
        browser.scan(&tube(0)).await;
        browser.wait_for_text(".feedback.wrong", &tube(0)).await;
        browser.scan(&box_(0)).await;
        browser.wait_for_text(".feedback.right", &box_(0)).await;
        assert_eq!(browser.text("#missing-count").await, "12");
        for n in 0..9 {
            browser.scan(&tube(n)).await;
        }
        browser.wait_for_text("#here-count", "9").await;
        browser.wait_for_text("#missing-count", "3").await;
        // A tube twice is told from a tube that is right.
        browser.scan(&tube(0)).await;
        browser.wait_for_text(".feedback.already", &tube(0)).await;
        // It is chosen, and two keys refuse it.
        browser.press(Key::F2).await;
        browser.wait_for_value("document.querySelectorAll('.armed').length", &json!(1)).await;
        browser.check("receive-reasons").await;
        browser.keys("1").await;
        browser.wait_for_text(".feedback.right", leak).await;
        browser.wait_for_text("#refused-count", "1").await;
        // Another by a card.
        browser.scan(&tube(9)).await;
        browser.scan("REFUSE-NO-SWAB").await;
        browser.wait_for_text("#refused-count", "2").await;
        // What was scanned by mistake is undone.
        browser.scan(&tube(10)).await;
        browser.wait_for_text("#missing-count", "1").await;
        browser.keys(&format!("{}z", char::from(Key::Control))).await;
        browser.wait_for_text("#missing-count", "2").await;
        browser.scan(&tube(10)).await;
        browser.scan(&tube(20)).await;
        browser.wait_for_text(".feedback.wrong", &tube(20)).await;
        browser.wait_for_text("#unexpected", &tube(20)).await;
        browser.check("receive-scanning").await;
        // A page that is loaded again goes on.
        browser.reload().await;
        browser.wait_for_text("#missing-count", "1").await;
        assert_eq!(browser.text("#refused-count").await, "2");
        assert_eq!(browser.text("#unexpected-count").await, "1");
        assert_eq!(browser.focus().await, "scan-field");
        browser.press(Key::F9).await;
        browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
        browser.check("receive-missing").await;
        browser.press(Key::Enter).await;
        browser.wait_for_text("#outcome", &tube(11)).await;
        browser.wait_for_text("#outcome .mind", "20").await;
        browser.check("receive-done").await;
        assert_eq!(browser.focus().await, "scan-field");
        for (n, state) in [(0, "refused"), (1, "received"), (11, "missing"), (20, "received")] {
            let way = browser.app.get(&world.receiver, &format!("/v1/tubes/{}", tube(n))).await;
            assert_eq!(way.expect(200).json()["state"], state, "tube {n}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_box_of_two_hundred_is_scanned_in_one_go() {
    let Some(browser) = Browser::open(Size::Desktop, "zh-CN").await else { return };
    let world = world(&browser.app).await;
    let tubes: Vec<_> = (0..200).map(tube).collect();
    for n in 0..200 {
        seal_tube(&browser.app, &world, n, &people(n, 1)).await.expect(201);
    }
    carry(&browser.app, &world, 0, &tubes).await;
    at_receive(&browser, &world).await;
    browser.scan(&box_(0)).await;
    browser.wait_for_text("#missing-count", "200").await;
    // One is left out, and another comes twice.
    let enter = char::from(Key::Enter);
    let scans = tubes.iter().skip(1).chain([&tubes[7]]).map(|code| format!("{code}{enter}"));
    browser.keys(&scans.collect::<String>()).await;
    browser.wait_for_text(".feedback.already", &tubes[7]).await;
    assert_eq!(browser.text("#here-count").await, "199");
    assert_eq!(browser.text("#missing-count").await, "1");
    browser.check("receive-200").await;
    browser.scan(&tubes[0]).await;
    browser
        .wait_for_value("document.querySelector('#missing-count').textContent", &json!("0"))
        .await;
    browser.press(Key::F9).await;
    browser.wait_for_text(".feedback.right", &box_(0)).await;
    for code in [&tubes[0], &tubes[7], &tubes[199]] {
        let path = format!("/v1/tubes/{code}");
        let known = browser.app.get(&world.receiver, &path).await.expect(200).json();
        assert_eq!(known["state"], "received", "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scanned_while_a_box_is_taken_in_is_not_thrown_away_unsaid() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = all_but_one(&browser).await;
    hold(&browser, "/v1/arrivals").await;
    browser.press(Key::F9).await;
    browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
    browser.press(Key::Enter).await;
    wait_held(&browser, 1).await;
    // The last tube after all, a reason for the one before, and the key once more.
    browser.scan(&tube(11)).await;
    browser.click("#refuse").await;
    browser.click("[data-reason=leak]").await;
    browser.press(Key::F9).await;
    wait_held(&browser, 1).await;
    release(&browser).await;
    browser.wait_for_text("#outcome", &tube(11)).await;
    browser.wait_for_text(".feedback.wrong", "refuse").await;
    let way = browser.app.get(&world.receiver, &format!("/v1/tubes/{}", tube(10))).await;
    assert_eq!(way.expect(200).json()["state"], "received", "what was said is what is stored");
    // Who scans it now is told that the box is done.
    browser.scan(&tube(11)).await;
    browser.wait_for_text(".feedback.wrong", &tube(11)).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_answers_no_question() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = all_but_one(&browser).await;
    browser.press(Key::F9).await;
    browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
    let state = async |n: u64| {
        let path = format!("/v1/tubes/{}", tube(n));
        browser.app.get(&world.receiver, &path).await.expect(200).json()["state"].clone()
    };
    browser.scan(&tube(11)).await;
    browser.wait_for_text("dialog[open] [role=alert]", "answer the question first").await;
    browser.check("receive-answer-first").await;
    assert!(browser.has("dialog[open]").await);
    assert_ne!(state(0).await, "received", "nobody took the box in");
    // A person's Enter comes by itself.
    browser.press(Key::Enter).await;
    browser.wait_for_text("#outcome", &tube(11)).await;
    assert_eq!(state(0).await, "received");
    assert_eq!(state(11).await, "missing");
}

/// On every page from here on, the first box that is asked for is refused, and the second is asked
/// for in vain.
const BUSY: &str = "const real = window.fetch;
    const problem = { code: 'store.busy', status: 503, detail: 'the store is busy' };
    const answers = [
        () => Response.json(problem, { status: 503 }),
        () => { throw new TypeError('nobody answers'); },
    ];
    window.fetch = async (url, ...rest) => {
        const answer = String(url).startsWith('/v1/boxes/') && answers.shift();
        return answer ? answer() : real(url, ...rest);
    }";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_scanned_outlives_a_page_loaded_again_while_no_box_can_be_opened() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = box_of_twelve(&browser.app).await;
    at_receive(&browser, &world).await;
    for code in [box_(0).as_str(), &tube(0), &tube(1), "refuse-leak", &tube(20)] {
        browser.scan(code).await;
    }
    browser.wait_for_text("#unexpected-count", "1").await;
    let busy = json!({ "source": BUSY });
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", busy).await;
    browser.reload().await;
    browser.wait_for_text(".feedback.wrong", "3 scanned, kept in this tab").await;
    browser.check("receive-kept").await;
    browser.scan(&box_(0)).await;
    browser.wait_for_text(".feedback.wrong", "cannot be reached").await;
    browser.scan(&box_(0)).await;
    browser.wait_for_text(".feedback.already", "Going on where you were: 3 scanned").await;
    assert_eq!(browser.text("#missing-count").await, "10");
    assert_eq!(browser.text("#refused-count").await, "1");
    assert_eq!(browser.text("#unexpected-count").await, "1");
    browser.scan(&tube(2)).await;
    browser.wait_for_text("#missing-count", "9").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_begins_like_a_reason_is_no_reason() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = box_of_twelve(&browser.app).await;
    at_receive(&browser, &world).await;
    browser.scan(&box_(0)).await;
    browser.scan(&tube(0)).await;
    browser.press(Key::F2).await;
    browser.wait_for_value("document.querySelectorAll('.armed').length", &json!(1)).await;
    browser.scan("12345678").await;
    browser.wait_for_text(".feedback.wrong", "12345678").await;
    assert_eq!(browser.text("#refused-count").await, "0");
    // A second box waits until the first is done.
    browser.scan(&box_(1)).await;
    browser.wait_for_text(".feedback.wrong", &box_(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_went_to_another_laboratory_is_explained() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let app = &browser.app;
    let world = box_of_twelve(app).await;
    let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
    app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
    let stranger = app.client_at(Role::Receiver, None, Some("L02".to_owned())).await;
    let arrival = json!({ "box": box_(0), "laboratory": "L01", "arrived_at": app.now(),
        "seal_intact": true, "scanned": [{ "tube": tube(0) }] });
    app.post(&world.receiver, "/v1/arrivals", &arrival).await.expect(201);
    browser.give(&stranger, "stranger").await;
    browser.enter("stranger").await;
    browser.goto("/receive").await;
    browser.scan(&box_(0)).await;
    browser.wait_for_text(".feedback.wrong", "another laboratory").await;
    browser.check("receive-elsewhere").await;
    // An unknown box is told from it.
    browser.scan(&box_(9)).await;
    browser.wait_for_text(".feedback.wrong", &box_(9)).await;
}
