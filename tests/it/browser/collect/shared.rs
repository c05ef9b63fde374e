//! One phone, one sampler after another: nobody is taken for somebody else, or shown their people.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use swabline::auth::Role;

use super::offline::{behind, ready_for_offline};
use super::refused::seal_unknown;
use super::{all_sent, sampler, scan_person, seal, seal_one, sign_out, stored};
use crate::browser::calls::refuse;
use crate::browser::{Browser, PASSWORD, Size};
use crate::world::{person, tube};

/// The server is slow to say who is signed in, on every page from here on.
const SLOW: &str = "const real = window.fetch;
    window.fetch = async (url, ...rest) => {
        if (url === '/session') await new Promise(done => setTimeout(done, 3000));
        return real(url, ...rest);
    }";
const NO_SLIPS: &str = "document.querySelector('#slips').hidden";
/// None of our pages is shown: the browser says that nobody answers.
const GONE: &str = "document.querySelector('#main') === null";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signed_out_is_forgotten_by_the_device() {
    let Some((browser, net)) = behind(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    ready_for_offline(&browser).await;
    seal_one(&browser, 1).await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    for from in ["/collect", "/account"] {
        if from == "/account" {
            browser.enter("caiyang").await;
            browser.goto("/collect").await;
            browser.wait_for_text("#slip-list", &tube(1)).await;
            browser.goto("/account").await;
        }
        sign_out(&browser).await;
        // Nobody need go on to sign in.
        net.cut();
        browser.goto("/collect").await;
        browser.scan(&person(2).number).await;
        browser.wait_for_text(".feedback.wrong", "Nobody has signed in").await;
        browser.wait_for_value(NO_SLIPS, &json!(true)).await;
        net.mend();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_left_without_network_is_signed_out_once_there_is_one() {
    let Some((browser, net)) = behind(Size::Phone, "en").await else { return };
    let world = sampler(&browser).await;
    ready_for_offline(&browser).await;
    let session = browser.client.get_named_cookie("swabline").await.unwrap();
    let session = format!("{}={}", session.name(), session.value());
    let account = async || {
        let asked = Request::get("/session").header("cookie", &session);
        let answer = browser.app.send(asked.body(Body::empty()).unwrap()).await;
        answer.expect(200).json()["account"].clone()
    };
    net.cut();
    browser.click("form[action='/sign-out'] button").await;
    browser.wait_for_value(GONE, &json!(true)).await;
    browser.goto("/collect").await;
    browser.scan(&person(1).number).await;
    browser.wait_for_text(".feedback.wrong", "Nobody has signed in").await;
    assert_eq!(account().await, json!(world.sampler.actor.account), "the server was not told yet");
    net.mend();
    browser.wait_for_text("#net", "Sign in again").await;
    assert!(!browser.has(".top .who").await, "nobody came back by themselves");
    assert_eq!(account().await, Value::Null);
    // Whoever signs in after that stays.
    browser.enter("caiyang").await;
    browser.goto("/collect").await;
    scan_person(&browser, 1, "1 / 10").await;
    browser.wait_for_text(".top .who", "Test Sampler").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_forgotten_for_a_sign_in_that_the_server_has_no_time_for() {
    let Some((browser, net)) = behind(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    ready_for_offline(&browser).await;
    browser.client.delete_all_cookies().await.unwrap();
    browser.goto("/sign-in?next=/collect").await;
    refuse(&browser, "/session").await;
    net.cut();
    browser.type_credentials("caiyang", PASSWORD).await;
    browser.wait_for_text("#away", "No server can be reached").await;
    assert_eq!(browser.path().await, "/sign-in?next=/collect", "nothing was sent");
    browser.goto("/collect").await;
    scan_person(&browser, 1, "1 / 10").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_to_sign_in_seals_in_their_own_name_from_the_first_scan() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    let other = browser.app.client(Role::Sampler).await;
    browser.give(&other, "next").await;
    seal_one(&browser, 1).await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    // The session of the first is over, and the next signs in where the page asks for it.
    browser.client.delete_all_cookies().await.unwrap();
    browser.goto("/sign-in?next=/collect").await;
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": SLOW })).await;
    browser.type_credentials("next", PASSWORD).await;
    browser.wait_for_path("/collect").await;
    scan_person(&browser, 2, "1 / 10").await;
    browser.wait_for_value(NO_SLIPS, &json!(true)).await;
    seal(&browser, 2, "1").await;
    browser.wait_for_text("#slip-list", &tube(2)).await;
    all_sent(&browser).await;
    assert_eq!(stored(&browser).await, 2);
    assert!(!browser.text("#slip-list").await.contains(&tube(1)), "the slips of another are shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_shown_whole_only_to_whoever_sealed_it() {
    let Some(browser) = Browser::open(Size::Phone, "zh-CN").await else { return };
    let world = sampler(&browser).await;
    let code = seal_unknown(&browser, 1).await;
    sign_out(&browser).await;
    browser.give(&world.courier, "yunshu").await;
    browser.enter("yunshu").await;
    browser.goto("/collect").await;
    browser
        .wait_for_value("document.querySelector('#box-idle').checkVisibility()", &json!(true))
        .await;
    // A courier fills no tubes, whatever card they scan.
    browser.scan("TUBE").await;
    browser.wait_for_text(".feedback.wrong", "只有采样员").await;
    browser.click("[data-mode=waiting]").await;
    browser.wait_for_text("#refused-list", &code).await;
    browser.wait_for_text("#refused-list", "由封管人").await;
    let buttons = "document.querySelectorAll('#refused-list button').length";
    browser.wait_for_value(buttons, &json!(0)).await;
    browser.check("collect-refused-other").await;
    sign_out(&browser).await;
    browser.enter("caiyang").await;
    browser.goto("/collect").await;
    browser.click("[data-mode=waiting]").await;
    browser.wait_for_value(buttons, &json!(2)).await;
}
