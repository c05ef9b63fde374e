//! What is in work on a device is lost to nobody, and is nobody else's.

use serde_json::json;
use swabline::auth::Role;

use super::refused::seal_unknown;
use super::{all_sent, sampler, scan_person, seal, seal_one, sign_out, stored};
use crate::browser::{Browser, Size};
use crate::world::{box_, person, session, tube};

/// From here on the device has no room for a record that would wait.
const NO_ROOM: &str = "window.add = IDBObjectStore.prototype.add;
    IDBObjectStore.prototype.add = function (...record) {
        queueMicrotask(() => this.transaction.abort());
        return window.add.apply(this, record);
    }";
const ROOM: &str = "IDBObjectStore.prototype.add = window.add";

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_room_says_so_and_keeps_what_is_in_work() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    browser.client.execute(NO_ROOM, Vec::new()).await.unwrap();
    scan_person(&browser, 1, "1 / 10").await;
    seal(&browser, 1, "1").await;
    browser.wait_for_text(".feedback.wrong", "no room").await;
    browser.check("collect-no-room").await;
    // The next scan, which keeps the work anew, still finds the first person in it.
    scan_person(&browser, 2, "2 / 10").await;
    browser.wait_for_text("#tube-code", &tube(1)).await;
    browser.client.execute(ROOM, Vec::new()).await.unwrap();
    browser.scan(&tube(1)).await;
    browser.wait_for_value("document.activeElement.id", &json!("swabs")).await;
    browser.scan("2").await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    assert_eq!(stored(&browser).await, 1);

    browser.scan("BOX").await;
    browser.scan(&box_(0)).await;
    browser.wait_for_text("#box-code", &box_(0)).await;
    browser.scan(&tube(1)).await;
    browser.scan("seal-1").await;
    browser.wait_for_text(".feedback.right", "seal-1").await;
    browser.client.execute(NO_ROOM, Vec::new()).await.unwrap();
    browser.scan(&box_(0)).await;
    browser.wait_for_text(".feedback.wrong", "no room").await;
    browser.client.execute(ROOM, Vec::new()).await.unwrap();
    browser.wait_for_text("#box-count", "1").await;
    browser.scan(&box_(0)).await;
    browser.wait_for_text("#shown-code", &box_(0)).await;
    all_sent(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_tube_is_mended_in_the_session_it_was_taken_in() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = sampler(&browser).await;
    let code = seal_unknown(&browser, 1).await;
    let mut next = session(&browser.app, "R01");
    next["team"] = json!("Team 2");
    browser.app.put(&world.officer, "/v1/sessions/W02", &next).await.expect(201);
    browser.goto("/collect").await;
    browser.wait_for_text("#session-list", "Team 2").await;
    browser.scan("W02").await;
    browser.wait_for_text(".feedback.right", "Team 2").await;
    browser.click("[data-mode=waiting]").await;
    browser.wait_for_text("#refused-list", &code).await;
    browser.click("#refused-list .primary").await;
    browser.wait_for_text("#tally", "1 / 10").await;
    // Also a killed page still knows.
    browser.client.goto("about:blank").await.unwrap();
    browser.goto("/collect").await;
    browser.wait_for_text("#tally", "1 / 10").await;
    browser.click("#tube-other").await;
    seal(&browser, 1, "1").await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    // The next tube is today's again.
    seal_one(&browser, 2).await;
    browser.wait_for_text("#slip-list", &tube(2)).await;
    let mut tx = browser.app.app.db.read("test.sessions").await.unwrap();
    let sql = "select session_code from tube order by code";
    let sessions: Vec<String> =
        swabline::on!(tx, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap();
    assert_eq!(sessions, ["W01", "W02"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_work_waits_for_whoever_began_it() {
    let Some(browser) = Browser::open(Size::Phone, "zh-CN").await else { return };
    sampler(&browser).await;
    let other = browser.app.client(Role::Sampler).await;
    browser.give(&other, "jieban").await;
    scan_person(&browser, 1, "1 / 10").await;
    browser.scan(&tube(1)).await;
    browser.wait_for_text("#tube-code", &tube(1)).await;
    browser.scan("BOX").await;
    browser.scan(&box_(0)).await;
    browser.wait_for_text("#box-code", &box_(0)).await;
    sign_out(&browser).await;

    browser.enter("jieban").await;
    browser.goto("/collect").await;
    browser.wait_for_text("#session-list", "Team 1").await;
    browser.scan("W01").await;
    browser.wait_for_text(".feedback.right", "Team 1").await;
    browser.wait_for_text("#tally", "0 / 10").await;
    browser.wait_for_text("#tube-code", "尚未扫管").await;
    browser.wait_for_value("document.querySelector('#box-work').hidden", &json!(true)).await;
    seal_one(&browser, 2).await;
    all_sent(&browser).await;
    scan_person(&browser, 3, "1 / 10").await;
    sign_out(&browser).await;

    browser.enter("caiyang").await;
    browser.goto("/collect").await;
    browser.wait_for_text("#tube-code", &tube(1)).await;
    browser.wait_for_text("#tally", "1 / 10").await;
    let last = &person(1).number[14..];
    browser.wait_for_text("#members", last).await;
    browser.wait_for_text("#box-code", &box_(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tab_collects_at_a_time() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    scan_person(&browser, 1, "1 / 10").await;
    let first = browser.client.window().await.unwrap();
    let second = browser.client.new_window(true).await.unwrap();
    browser.client.switch_to_window(second.handle.clone()).await.unwrap();
    browser.goto("/collect").await;
    let seen = "document.querySelector('#second').checkVisibility()";
    browser.wait_for_value(seen, &json!(true)).await;
    browser.check("collect-second").await;
    browser.scan(&tube(5)).await;
    browser.wait_for_text(".feedback.wrong", "Another tab").await;

    browser.client.switch_to_window(first).await.unwrap();
    scan_person(&browser, 2, "2 / 10").await;
    browser.client.close_window().await.unwrap();
    browser.client.switch_to_window(second.handle).await.unwrap();
    browser.wait_for_value(seen, &json!(false)).await;
    browser.wait_for_text("#tally", "2 / 10").await;
    scan_person(&browser, 3, "3 / 10").await;
}

/// Opens the first sealed record that is asked for a while late, and says when it did.
const SLOW: &str = "const own = crypto.subtle.decrypt.bind(crypto.subtle);
    let asked = 0;
    crypto.subtle.decrypt = async (...given) => {
        asked += 1;
        if (asked > 1) return own(...given);
        await new Promise(over => setTimeout(over, 2000));
        const opened = await own(...given);
        setTimeout(() => { window.openedLate = true; }, 200);
        return opened;
    };";

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_never_shown_as_it_was_before() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    browser.client.execute(SLOW, Vec::new()).await.unwrap();
    seal_one(&browser, 1).await;
    all_sent(&browser).await;
    browser.wait_for_value("window.openedLate", &json!(true)).await;
    assert_eq!(browser.text("#waiting-count").await, "0");
    browser.wait_for_value("document.querySelector('#net').dataset.state", &json!("idle")).await;
}
