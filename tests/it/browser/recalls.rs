//! Recalls: an officer calls and prints, a sampler sees the tubes of their site and no name.

use std::collections::BTreeMap;

use serde_json::json;
use swabline::clock::Span;

use super::{Browser, Size};
use crate::laboratory::{self as lab, POSITIVE};
use crate::world::{people, person, seal_tube, tube, world};

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_calls_who_must_come_again_and_prints_the_list() {
    for (language, size, informed) in
        [("zh-CN", Size::Phone, "已告知"), ("en", Size::Desktop, "Informed")]
    {
        let Some(browser) = Browser::open(size, language).await else { return };
        let app = &browser.app;
        let world = world(app).await;
        for n in 0..2 {
            seal_tube(app, &world, n, &people(n * 10, 5)).await.expect(201);
        }
        for n in 0..2_u64 {
            lab::deliver(app, &world, n, &[tube(n)]).await;
            let plate = lab::load(app, &world, n, &[tube(n)]).await;
            let file = lab::run_file(&plate, &BTreeMap::from([(tube(n), POSITIVE)]), false);
            let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
            lab::release(app, &world, run["id"].as_str().unwrap()).await;
            app.pass(Span::hours(if n == 0 { 20 } else { 5 }));
        }
        browser.give(&world.officer, "wu").await;
        browser.enter("wu").await;
        browser.goto("/recalls").await;
        browser.wait_for_text(".people", &person(0).name).await;
        browser.check("recalls").await;
        assert_eq!(browser.text(".people tbody tr:first-child code").await, tube(0));
        // Names stand in neither the address nor the title.
        assert_eq!(browser.path().await, "/recalls");
        browser.click(".people tbody tr:first-child summary").await;
        browser.click(".people tbody tr:first-child button.primary").await;
        browser.wait_for_text(".people tbody tr:first-child .call", informed).await;
        browser.goto("/recalls?area=Fengtai&site=S01&state=open").await;
        browser
            .wait_for_value("document.querySelectorAll('.people tbody tr').length", &json!(10))
            .await;
        browser.cdp("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
        browser.screenshot("recalls-printed").await;
        browser.cdp("Emulation.setEmulatedMedia", json!({ "media": "" })).await;

        // Somebody comes again and is swabbed alone: at the site it is seen, without a name.
        app.pass(Span::minutes(5));
        seal_tube(app, &world, 9, &[person(0)]).await.expect(201);
        lab::deliver(app, &world, 9, &[tube(9)]).await;
        browser.click("form[action='/sign-out'] button").await;
        let signed_out = "document.querySelector('form[action=\"/sign-out\"]') === null";
        browser.wait_for_value(signed_out, &json!(true)).await;
        browser.give(&world.sampler, "cai").await;
        browser.enter("cai").await;
        browser.goto("/recalls?state=collected").await;
        browser.wait_for_text(".people", &tube(9)).await;
        assert!(!browser.client.source().await.unwrap().contains("Canary"));
        browser.check("recalls-sampler").await;
    }
}
