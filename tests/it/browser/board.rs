//! The city's board: it moves while one looks, says when it does not, and keeps nobody signed in.

use serde_json::json;
use swabline::auth::Role;
use swabline::clock::Span;

use super::{Browser, Size};
use crate::app::{Engine, TestApp};
use crate::figures::a_morning;
use crate::way;

/// An officer before the board of a morning.
async fn open(size: Size, language: &'static str) -> Option<Browser> {
    let app = TestApp::start(Engine::Sqlite).await.expect("SQLite is built in");
    a_morning(&app, Span::minutes(125)).await;
    let browser = Browser::before(app, size, language).await?;
    browser.sign_in(Role::Officer).await;
    Some(browser)
}

const LIVE: &str = "document.querySelector('#live').dataset.state";
const COLLECTED: &str = "document.querySelector('[data-figure=collected]').textContent";

#[tokio::test(flavor = "multi_thread")]
async fn the_board_moves_while_one_looks_at_it() {
    for (language, live) in [("en", "Live"), ("zh-CN", "实时")] {
        let Some(mut browser) = open(Size::Desktop, language).await else { return };
        browser.goto("/board?round=R01").await;
        browser.wait_for_text("#live", live).await;
        browser.wait_for_value(COLLECTED, &json!("27")).await;
        browser
            .wait_for_value(
                "document.querySelector('#ledger.good .board-number').textContent",
                &json!("0"),
            )
            .await;
        way::seal(&browser.app, "LATE", 300..304).await;
        browser.wait_for_value(COLLECTED, &json!("31")).await;
        assert_eq!(browser.path().await, "/board?round=R01", "the page was not loaded again");
        // The pictures are those of now, and came without keeping anybody signed in.
        browser
            .wait_for_value(
                "[...document.images].every(i => i.src.startsWith('blob:') && i.naturalWidth > 0)",
                &json!(true),
            )
            .await;
        for size in Size::BOTH {
            browser.resize(size).await;
            browser.check("board").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_wall_it_fills_the_screen_and_there_is_nothing_around_it() {
    for language in ["en", "zh-CN"] {
        let Some(browser) = open(Size::Wall, language).await else { return };
        browser.goto("/board?round=R01&wall=1").await;
        browser.wait_for_value(LIVE, &json!("live")).await;
        let header = "getComputedStyle(document.querySelector('.top')).display";
        browser.wait_for_value(header, &json!("none")).await;
        let overflow = "document.documentElement.scrollHeight <= innerHeight";
        browser.screenshot("board-wall").await;
        browser.wait_for_value(overflow, &json!(true)).await;
        browser.check("board").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_said_and_found_again() {
    let Some(browser) = open(Size::Desktop, "en").await else { return };
    browser.goto("/board?round=R01").await;
    browser.wait_for_value(LIVE, &json!("live")).await;
    let network = |offline: bool| json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    browser.cdp("Network.emulateNetworkConditions", network(true)).await;
    // The stream that is open ends as it does when the service stops.
    browser.app.app.stopping.send_replace(true);
    browser.wait_for_text("#live", "Connection lost. The figures are of").await;
    browser.screenshot("board-lost").await;
    browser.app.app.stopping.send_replace(false);
    browser.cdp("Network.emulateNetworkConditions", network(false)).await;
    browser.wait_for_value(LIVE, &json!("live")).await;
    // Without network the console complains; nobody else was asked all the same.
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|said| said.starts_with("console: ")), "{complaints:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_explained_is_an_alarm() {
    let Some(browser) = open(Size::Desktop, "en").await else { return };
    browser.app.direct("update tube set state = 'released' where code = 'PLATED'").await;
    browser.goto("/board?round=R01").await;
    browser.wait_for_text("#ledger.bad", "contradicted").await;
    browser.check("board-alarm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_filtered_by_a_form_and_a_laboratory_sees_its_own() {
    let Some(browser) = open(Size::Desktop, "en").await else { return };
    let officer = browser.app.client(Role::Officer).await;
    let site = json!({ "name": "Site 2", "area": "Area 2" });
    browser.app.put(&officer, "/v1/sites/S02", &site).await.expect(201);
    browser.goto("/board?round=R01&area=Area+2&laboratory=").await;
    browser.wait_for_value(COLLECTED, &json!("0")).await;
    browser.click("#area option[value='']").await;
    browser.click(".board-filter button").await;
    browser.wait_for_value(COLLECTED, &json!("27")).await;
    assert!(browser.path().await.starts_with("/board?round=R01&area=&laboratory="));
    let Some(other) = Browser::open(Size::Desktop, "en").await else { return };
    way::places(&other.app).await;
    other.sign_in(Role::Technician).await;
    other.goto("/board").await;
    other.wait_for_text("h1", "City board").await;
    assert!(!other.has("#ledger").await && !other.has("#laboratory").await);
}
