//! A signature asks for the password again, in a dialog that a keyboard is enough for (R26).

use std::collections::BTreeMap;

use serde_json::json;

use super::{Browser, PASSWORD, Size};
use crate::laboratory;
use crate::world::{people, seal_tube, tube, world};

/// Calls the API as a station does; what came of it is left in `window.answer`.
const REVIEW: &str = "import(document.querySelector('link[rel=modulepreload]').href)
    .then(station => station.api('POST', arguments[0], { decision: 'accept' }))
    .then(answer => { window.answer = answer.status; });";

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_asks_for_the_password_and_then_goes_on_by_itself() {
    for (language, size, wrong, scanned) in [
        ("zh-CN", Size::Phone, "不正确", "刚才是扫码："),
        ("en", Size::Desktop, "is wrong", "That was a scan"),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let app = &browser.app;
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 10)).await.expect(201);
        laboratory::deliver(app, &world, 0, &[tube(0)]).await;
        let plate = laboratory::load(app, &world, 0, &[tube(0)]).await;
        let file = laboratory::run_file(&plate, &BTreeMap::new(), false);
        let run = laboratory::upload(app, &world, &plate, file).await.expect(201).json();
        let path = json!(format!("/v1/runs/{}/review", run["id"].as_str().unwrap()));
        browser.give(&world.reviewer, "hou").await;
        browser.enter("hou").await;
        browser.goto("/scanner").await;

        browser.client.execute(REVIEW, vec![path]).await.unwrap();
        browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
        assert_eq!(browser.focus().await, "dialog-password");
        browser.check("signature").await;
        browser.scan("a wrong phrase").await;
        browser.wait_for_text("dialog [role=alert]", wrong).await;
        // A code that is scanned meanwhile is no password, and no try.
        browser.scan(&tube(0)).await;
        browser.wait_for_text("dialog [role=alert]", scanned).await;
        let typed = "document.querySelector('#dialog-password').value";
        browser.wait_for_value(typed, &json!("")).await;
        browser.scan(PASSWORD).await;
        browser.wait_for_value("window.answer", &json!(200)).await;
        assert!(!browser.has("dialog").await);
        assert_eq!(browser.focus().await, "scan-field", "work goes on where it was");
    }
}
