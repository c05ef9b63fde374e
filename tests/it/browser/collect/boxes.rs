//! Boxes: packed and sealed, handed over and taken.

use fantoccini::key::Key;
use serde_json::{Value, json};

use super::{all_sent, sampler, sign_out};
use crate::browser::calls::{hold, hold_no_more, wait_held};
use crate::browser::{Browser, Size};
use crate::world::{box_, people, person, seal_tube, tube};

#[tokio::test(flavor = "multi_thread")]
async fn a_box_is_packed_sealed_handed_over_and_taken() {
    for (language, size) in [("zh-CN", Size::Phone), ("en", Size::Desktop)] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = sampler(&browser).await;
        for n in 0..3 {
            seal_tube(&browser.app, &world, n, &people(n * 10, 10)).await.expect(201);
        }
        browser.scan("BOX").await;
        browser.scan(&box_(0)).await;
        browser.wait_for_text("#box-code", &box_(0)).await;
        for n in [0, 1, 2, 1] {
            browser.scan(&tube(n)).await;
        }
        browser.wait_for_text(".feedback.already", &tube(1)).await;
        browser.wait_for_text("#box-count", "3").await;
        browser.scan("seal-77").await;
        browser.wait_for_text(".feedback.right", "seal-77").await;
        browser.check("collect-box").await;
        browser.scan(&box_(0)).await;
        browser.wait_for_text("#shown-code", &box_(0)).await;
        browser.scan(&world.courier.actor.account).await;
        browser.wait_for_value("document.activeElement.id", &json!("temperature")).await;
        browser.check("collect-give").await;
        browser.scan("4.5").await;
        browser.wait_for_value("document.querySelector('#box-shown').hidden", &json!(true)).await;
        all_sent(&browser).await;
        let path = format!("/v1/boxes/{}", box_(0));
        let shown = browser.app.get(&world.courier, &path).await.expect(200).json();
        assert_eq!(shown["tubes"].as_array().unwrap().len(), 3);
        assert_eq!(shown["handovers"][0]["temperature_c"], json!(4.5));
        assert_eq!(shown["handovers"][0]["taken_by"], Value::Null);

        sign_out(&browser).await;
        browser.give(&world.courier, "yunshu").await;
        browser.enter("yunshu").await;
        browser.goto("/collect").await;
        browser
            .wait_for_value("document.querySelector('#box-idle').checkVisibility()", &json!(true))
            .await;
        browser.scan(&box_(0)).await;
        browser.wait_for_value("document.querySelector('#take').hidden", &json!(false)).await;
        browser.check("collect-take").await;
        browser.scan(&box_(0)).await;
        browser.wait_for_value("document.querySelector('#take').hidden", &json!(true)).await;
        let shown = browser.app.get(&world.courier, &path).await.expect(200).json();
        assert_eq!(shown["holder"], json!(world.courier.actor.account));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_is_pressed_twice_does_it_once() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    let world = sampler(&browser).await;
    seal_tube(&browser.app, &world, 0, &people(0, 1)).await.expect(201);
    for code in ["BOX", &box_(0), &tube(0), "seal-77"] {
        browser.scan(code).await;
    }
    browser.wait_for_text(".feedback.right", "seal-77").await;
    let seal = "const seal = document.querySelector('#box-seal'); seal.click(); seal.click();";
    browser.client.execute(seal, Vec::new()).await.unwrap();
    browser.wait_for_text("#shown-code", &box_(0)).await;
    browser.wait_for_text(".feedback.right", &box_(0)).await;
    browser.scan(&world.courier.actor.account).await;
    browser.wait_for_value("document.activeElement.id", &json!("temperature")).await;
    let give = "const give = document.querySelector('#give');
        give.requestSubmit(); give.requestSubmit();";
    browser.client.execute(give, Vec::new()).await.unwrap();
    browser.wait_for_value("document.querySelector('#box-shown').hidden", &json!(true)).await;
    all_sent(&browser).await;
    browser.wait_for_text(".feedback.right", &box_(0)).await;
    let path = format!("/v1/boxes/{}", box_(0));
    let stored = browser.app.get(&world.courier, &path).await.expect(200).json();
    assert_eq!(stored["handovers"].as_array().unwrap().len(), 1);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_is_packed_while_nobody_answers() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    let world = sampler(&browser).await;
    for n in 0..2 {
        seal_tube(&browser.app, &world, n, &people(n * 10, 10)).await.expect(201);
    }
    browser.scan("BOX").await;
    hold(&browser, "/v1/boxes/").await;
    browser.scan(&box_(0)).await;
    wait_held(&browser, 1).await;
    // What is scanned meanwhile waits for the box, and is packed into it.
    browser.scan(&tube(0)).await;
    browser.wait_for_text("#box-code", &box_(0)).await;
    browser.wait_for_text("#box-count", "1").await;
    browser.scan(&tube(1)).await;
    browser.wait_for_text("#box-count", "2").await;
    hold_no_more(&browser).await;
    browser.scan("seal-77").await;
    browser.wait_for_text(".feedback.right", "seal-77").await;
    browser.scan(&box_(0)).await;
    browser.wait_for_text("#shown-code", &box_(0)).await;
    all_sent(&browser).await;
    let path = format!("/v1/boxes/{}", box_(0));
    let stored = browser.app.get(&world.courier, &path).await.expect(200).json();
    assert_eq!(stored["tubes"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_no_seal_of_a_box() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    browser.scan("BOX").await;
    browser.scan(&box_(0)).await;
    browser.wait_for_text("#box-code", &box_(0)).await;
    let person = person(1);
    let seal = "document.querySelector('#seal-number').value";
    for (n, card) in
        [person.number.clone(), format!("{}|{}", person.name, person.number)].iter().enumerate()
    {
        browser.scan(card).await;
        browser.wait_for_text(".feedback.wrong", "not the number of a seal").await;
        assert!(!browser.text("#feedback").await.contains(&person.number), "it is shown in clear");
        browser.wait_for_value(seal, &json!("")).await;
        browser.scan(&tube(u64::try_from(n).unwrap())).await;
        browser.wait_for_text(".feedback.right", "In the box").await;
    }
    browser.click("#seal-number").await;
    browser.keys(&person.number).await;
    browser.press(Key::Tab).await;
    browser.wait_for_text(".feedback.wrong", "not the number of a seal").await;
    browser.wait_for_value(seal, &json!("")).await;
    browser.scan("seal-77").await;
    browser.wait_for_text(".feedback.right", "seal-77").await;
    browser.wait_for_value(seal, &json!("seal-77")).await;
}
