//! Codes by the camera. Chromium reads no codes itself on this system, so what reads them is made
//! up: the camera, its picture, the button and the way of what was read are the page's own.

use serde_json::json;

use super::{all_sent, stored};
use crate::browser::{Browser, Size};
use crate::world::{person, tube, world};

/// A detector that reads what `window.label` says, once there is a picture to read it from.
const DETECTOR: &str = "window.label = '';
    window.BarcodeDetector = class {
        static async getSupportedFormats() { return ['qr_code', 'code_128']; }
        constructor({ formats }) { window.formats = formats; }
        async detect(video) {
            if (!video.videoWidth) throw new Error('there is no picture yet');
            return window.label ? [{ rawValue: window.label }] : [];
        }
    };";

async fn show(browser: &Browser, label: &str) {
    browser.client.execute("window.label = arguments[0]", vec![json!(label)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_reads_people_and_tubes_by_its_camera() {
    let Some(browser) = Browser::open_whole(Size::Phone, "zh-CN").await else { return };
    let world = world(&browser.app).await;
    browser.give(&world.sampler, "caiyang").await;
    browser.enter("caiyang").await;
    let detector = json!({ "source": DETECTOR });
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", detector).await;
    browser.goto("/collect").await;
    browser.wait_for_text("#session-list", "Team 1").await;
    browser.scan("w01").await;
    browser.wait_for_text(".feedback.right", "Team 1").await;
    browser.click("#camera").await;
    browser.wait_for_value("document.querySelector('#video').videoWidth > 0", &json!(true)).await;
    browser.wait_for_value("window.formats.join()", &json!("qr_code,code_128")).await;
    // The same label counts once as long as it stays before the lens.
    let first = person(1);
    show(&browser, &format!("{}|{}|{}", first.name, first.number, first.phone)).await;
    browser.wait_for_text("#tally", "1 / 10").await;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert!(!browser.text(".feedback").await.contains("第 1 位"), "it was read twice");
    show(&browser, &tube(1)).await;
    browser.wait_for_text("#tube-code", &tube(1)).await;
    browser.check("collect-camera").await;
    browser.click("#camera").await;
    browser.wait_for_value("document.querySelector('#video').hidden", &json!(true)).await;
    let tracks =
        "document.querySelector('#video').srcObject.getTracks().map(t => t.readyState).join()";
    browser.wait_for_value(tracks, &json!("ended")).await;
    // Without the camera the label is nobody's.
    show(&browser, &tube(2)).await;
    browser.scan(&tube(1)).await;
    browser.wait_for_value("document.activeElement.id", &json!("swabs")).await;
    browser.scan("1").await;
    browser.wait_for_text(".feedback.right", &tube(1)).await;
    all_sent(&browser).await;
    assert_eq!(stored(&browser).await, 1);
}
