//! Review: the exceptions of a plate by keyboard, two people for a release, and an amendment that
//! shows before and after.

use std::collections::BTreeMap;

use fantoccini::Locator;
use serde_json::json;

use super::calls::{hold, hold_answers, hold_no_more, refuse, release, wait_held};
use super::{Browser, PASSWORD, Size};
use crate::laboratory::{self as lab, POSITIVE, SINGLE_TARGET};
use crate::world::{World, people, plate, seal_tube, tube, world};

/// A plate of two pools and twenty single tubes, one of them positive and one doubtful.
async fn waiting(browser: &Browser) -> (World, String) {
    let app = &browser.app;
    let world = world(app).await;
    for n in 0..2 {
        seal_tube(app, &world, n, &people(n * 10, 10)).await.expect(201);
    }
    for n in 2..22 {
        seal_tube(app, &world, n, &people(100 + n, 1)).await.expect(201);
    }
    let codes: Vec<_> = (0..22).map(tube).collect();
    lab::deliver(app, &world, 0, &codes).await;
    let plate = lab::load(app, &world, 0, &codes).await;
    let signals =
        BTreeMap::from([(tube(1), POSITIVE), (tube(7), POSITIVE), (tube(9), SINGLE_TARGET)]);
    let file = lab::run_file_with_curves(&plate, &signals);
    let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
    browser.give(&world.reviewer, "hou").await;
    browser.give(&world.second_reviewer, "sun").await;
    (world, run["id"].as_str().unwrap().to_owned())
}

/// The next person sits down, and waits until there is one of these.
async fn change_to(browser: &Browser, login: &str, one: &str) {
    browser.click("form[action='/sign-out'] button").await;
    browser
        .wait_for_value(
            "document.querySelector('form[action=\"/sign-out\"]') === null",
            &json!(true),
        )
        .await;
    browser.enter(login).await;
    browser.goto("/review").await;
    wait_for_one(browser, one).await;
}

async fn wait_for_one(browser: &Browser, css: &str) {
    let count = format!("document.querySelectorAll('{css}').length");
    browser.wait_for_value(&count, &json!(1)).await;
}

/// Types the password where a signature asks for it.
async fn prove(browser: &Browser) {
    wait_for_one(browser, "#dialog-password").await;
    browser.scan(PASSWORD).await;
}

async fn pictures(browser: &Browser) {
    let loaded = "[...document.querySelectorAll('#work img')].filter(i => !i.complete || !i.naturalWidth).length";
    let eager = "document.querySelectorAll('#work img').forEach(i => { i.loading = 'eager'; })";
    browser.client.execute(eager, Vec::new()).await.unwrap();
    browser.wait_for_value(loaded, &json!(0)).await;
}

async fn focused(browser: &Browser) -> String {
    let script = "return document.activeElement.dataset.tube || ''";
    let tube = browser.client.execute(script, Vec::new()).await.unwrap();
    tube.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_signs_and_only_another_releases() {
    for (language, size, own, signed, released) in [
        (
            "zh-CN",
            Size::Desktop,
            "由您审核",
            "审核已签字",
            "20 管已向本人报告。\n1 管重新检测。\n1 管无结论，10 人须重新采样。",
        ),
        (
            "en",
            Size::Phone,
            "You reviewed this run",
            "Review signed",
            "20 tubes reported to their people.\n1 tubes are run again.\n1 tubes without an answer: 10 people are called again.",
        ),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let (world, _run) = waiting(&browser).await;
        browser.enter("hou").await;
        browser.goto("/review").await;
        browser.wait_for_value("document.querySelectorAll('.exception').length", &json!(3)).await;
        pictures(&browser).await;
        browser.check("review-draft").await;
        browser.keys("j").await;
        browser
            .wait_for_value("document.activeElement.className", &json!("exception detected"))
            .await;
        assert_eq!(focused(&browser).await, tube(1));
        browser.keys("j").await;
        browser.wait_for_value("document.activeElement.dataset.tube", &json!(tube(7))).await;
        browser.keys("s").await;
        prove(&browser).await;
        browser.wait_for_text(".feedback.right", signed).await;
        browser.keys("r").await;
        browser.wait_for_text(".feedback.wrong", own).await;
        assert!(!browser.has("#release").await);
        browser.check("review-own").await;

        change_to(&browser, "sun", "#work h2").await;
        browser.keys("r").await;
        prove(&browser).await;
        let reported = released.lines().next().unwrap();
        browser.wait_for_text(".feedback.right ul", reported).await;
        assert_eq!(browser.text(".feedback ul").await, released);
        browser.wait_for_text("#queue-count", "0").await;
        browser.wait_for_value("document.querySelectorAll('#queue .run').length", &json!(0)).await;
        pictures(&browser).await;
        browser.check("review-released").await;

        // The tube that was sent back is negative now, and is no plain negative.
        let again = lab::load(&browser.app, &world, 1, &[tube(9)]).await;
        let file = lab::run_file(&again, &BTreeMap::new(), false);
        lab::upload(&browser.app, &world, &again, file).await.expect(201);
        browser.goto("/review").await;
        browser.wait_for_value("document.querySelectorAll('.exception').length", &json!(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amendment_shows_before_and_after_and_waits_for_a_second_person() {
    for (language, size, proposed, done) in [
        ("zh-CN", Size::Phone, "已提出更正", "已更正"),
        ("en", Size::Desktop, "Amendment asked for", "Amended"),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let (world, run) = waiting(&browser).await;
        lab::release(&browser.app, &world, &run).await;
        browser.enter("hou").await;
        browser.goto("/review").await;
        wait_for_one(&browser, "#work .lead").await;
        // A scanner is enough to find a tube, wherever the focus is.
        browser.scan(&tube(0)).await;
        wait_for_one(&browser, "form.amend").await;
        let choose = |field: &str, value: &str| {
            format!(
                "const s = document.querySelector('#amend-{field}'); s.value = '{value}'; \
                 s.dispatchEvent(new Event('change'));"
            )
        };
        browser.client.execute(&choose("outcome", "withdrawn"), Vec::new()).await.unwrap();
        browser.client.execute(&choose("reason", "mixed_up"), Vec::new()).await.unwrap();
        browser.check("review-amend").await;
        hold(&browser, &format!("/v1/results/{}.1/amend", tube(0))).await;
        let twice = "const b = document.querySelector('form.amend button.primary'); \
                     b.click(); b.click();";
        browser.client.execute(twice, Vec::new()).await.unwrap();
        browser.click("dialog button.primary").await;
        wait_held(&browser, 1).await;
        assert!(!browser.has("dialog[open]").await, "it is asked once");
        release(&browser).await;
        prove(&browser).await;
        browser.wait_for_text(".feedback.right", proposed).await;
        assert!(!browser.has("#amend-confirm").await);

        change_to(&browser, "sun", "#queue .run").await;
        let place = browser.client.find(Locator::Css("#queue .run")).await.unwrap();
        place.click().await.unwrap();
        wait_for_one(&browser, "#amend-confirm").await;
        browser.check("review-confirm").await;
        browser.click("#amend-confirm").await;
        browser.click("dialog button.primary").await;
        prove(&browser).await;
        browser.wait_for_text(".feedback.right", done).await;
        browser.wait_for_value("document.querySelectorAll('.versions li').length", &json!(2)).await;
        browser.check("review-amended").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_never_shown_as_it_was_before_a_signature() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let (_world, _run) = waiting(&browser).await;
    browser.enter("hou").await;
    browser.goto("/review").await;
    wait_for_one(&browser, "#sign").await;
    browser.wait_for_text("#queue", "Waits for a review").await;
    hold_answers(&browser, "/v1/reviews").await;
    let seen = "document.dispatchEvent(new Event('visibilitychange'))";
    browser.client.execute(seen, Vec::new()).await.unwrap();
    wait_held(&browser, 1).await;
    hold_no_more(&browser).await;
    browser.keys("s").await;
    prove(&browser).await;
    browser.wait_for_text(".feedback.right", &plate(0)).await;
    browser.wait_for_text("#queue", "You signed").await;
    release(&browser).await;
    assert!(browser.text("#queue").await.contains("You signed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_newer_than_its_queue_is_not_called_released() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let (world, run) = waiting(&browser).await;
    browser.enter("sun").await;
    browser.goto("/review").await;
    wait_for_one(&browser, "#sign").await;
    refuse(&browser, "/v1/reviews").await;
    let (path, accept) = (format!("/v1/runs/{run}/review"), json!({ "decision": "accept" }));
    browser.app.post(&world.reviewer, &path, &accept).await.expect(200);
    browser.click("#queue .run").await;
    browser.wait_for_text("#work", "by whom cannot be told just now").await;
    assert!(!browser.text("#work").await.contains("This run is released."));
    assert!(!browser.has("#release").await);
    browser.keys("r").await;
    browser.wait_for_text(".feedback.wrong", "Not released").await;
    // Once the queue is there again, the run is opened anew and somebody else releases it.
    hold_no_more(&browser).await;
    browser.click("#queue .run").await;
    browser.wait_for_text("#work", "Reviewed by Test Reviewer").await;
    wait_for_one(&browser, "#release").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_sent_once_however_often_its_key_is_pressed() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let (_world, run) = waiting(&browser).await;
    browser.enter("hou").await;
    browser.goto("/review").await;
    wait_for_one(&browser, "#sign").await;
    hold(&browser, &format!("/v1/runs/{run}/review")).await;
    browser.keys("s").await;
    wait_held(&browser, 1).await;
    browser.click("#sign").await;
    wait_held(&browser, 1).await;
    release(&browser).await;
    prove(&browser).await;
    browser.wait_for_text(".feedback.right", &plate(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_run_in_sight_is_signed_and_the_question_names_its_plate() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let app = &browser.app;
    let (world, positive) = waiting(&browser).await;
    let tubes = lab::receive(app, &world, 1, 40..44).await;
    let second = lab::load(app, &world, 1, &tubes).await;
    let file = lab::run_file_with_curves(&second, &BTreeMap::new());
    let run = lab::upload(app, &world, &second, file).await.expect(201).json();
    browser.enter("hou").await;
    browser.goto("/review").await;
    browser.wait_for_text("#queue [aria-current]", &plate(0)).await;
    wait_for_one(&browser, "#sign").await;
    // The next run is asked for and is not there yet: nobody signs the one that is left.
    hold(&browser, &format!("/v1/runs/{}", run["id"].as_str().unwrap())).await;
    browser.keys("n").await;
    wait_held(&browser, 1).await;
    for key in ["s", "r"] {
        browser.keys(key).await;
        browser.wait_for_text(".feedback.already", "No run is open yet").await;
        let quiet = "document.querySelector('#feedback').replaceChildren()";
        browser.client.execute(quiet, Vec::new()).await.unwrap();
    }
    browser.click("#sign").await;
    browser.wait_for_text(".feedback.already", "No run is open yet").await;
    assert!(!browser.has("dialog[open]").await);
    release(&browser).await;
    browser.wait_for_text("#queue [aria-current]", &plate(1)).await;
    browser.keys("s").await;
    browser.wait_for_text("dialog[open]", &format!("Review of plate {}", plate(1))).await;
    browser.check("review-prove").await;
    prove(&browser).await;
    browser.wait_for_text(".feedback.right", &plate(1)).await;
    let state = async |id: &str| {
        let path = format!("/v1/runs/{id}");
        app.get(&world.reviewer, &path).await.expect(200).json()["state"].clone()
    };
    assert_eq!(state(&positive).await, "draft");
    assert_eq!(state(run["id"].as_str().unwrap()).await, "reviewed");
}
