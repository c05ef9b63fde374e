//! What the server refuses stays on the device, with its reasons, until somebody settles it.

use serde_json::json;
use swabline::barcode::TubeCode;

use super::{all_sent, sampler, scan_person, seal_one, stored};
use crate::browser::{Browser, Size};
use crate::world::{person, tube};

/// Seals a tube whose label was never given out.
async fn seal_unknown(browser: &Browser, n: u64) -> String {
    let code = TubeCode::numbered(90_000 + n).unwrap().to_string();
    scan_person(browser, n, "1 / 10").await;
    browser.scan(&code).await;
    browser.wait_for_text("#tube-code", &code).await;
    browser.scan("SEAL").await;
    browser.wait_for_value("document.activeElement.id", &json!("swabs")).await;
    browser.scan("1").await;
    browser.wait_for_text(".feedback.wrong", &code).await;
    code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_tube_is_mended_and_sealed_anew() {
    let Some(browser) = Browser::open(Size::Phone, "zh-CN").await else { return };
    sampler(&browser).await;
    let code = seal_unknown(&browser, 1).await;
    browser.wait_for_text("#net", "1 项被拒绝").await;
    // Others are not held up by it.
    seal_one(&browser, 2).await;
    browser.wait_for_text("#slip-list", &tube(2)).await;
    assert_eq!(stored(&browser).await, 1);
    browser.goto("/collect").await;
    browser.click("[data-mode=waiting]").await;
    browser.wait_for_text("#refused-list", &code).await;
    browser.wait_for_text("#refused-list", "从未发放").await;
    browser.check("collect-refused").await;
    browser.click("#refused-list .primary").await;
    browser.wait_for_text("#tally", "1 / 10").await;
    browser.click("#tube-other").await;
    browser.scan(&tube(1)).await;
    browser.wait_for_text("#tube-code", &tube(1)).await;
    browser.scan(&tube(1)).await;
    browser.wait_for_value("document.activeElement.id", &json!("swabs")).await;
    browser.scan("1").await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    all_sent(&browser).await;
    assert_eq!(stored(&browser).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test --long"]
async fn giving_up_leaves_paper_and_a_note() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    sampler(&browser).await;
    let code = seal_unknown(&browser, 1).await;
    browser.click("[data-mode=waiting]").await;
    browser.wait_for_text("#refused-list", "never given out").await;
    browser.click("#refused-list .danger").await;
    browser.wait_for_text("#paper-rows", &person(1).number).await;
    browser.check("collect-paper").await;
    browser.click("#paper-done").await;
    browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
    browser.click("dialog .actions button[type=button]").await;
    browser.wait_for_text("#waiting-count", "1").await;
    browser.click("#paper-done").await;
    browser.click("dialog .primary").await;
    all_sent(&browser).await;
    browser.wait_for_text("#given-list", &code).await;
    assert_eq!(browser.text("#paper-rows").await, "", "no number stays in the page");
    browser.check("collect-given-up").await;
    assert_eq!(stored(&browser).await, 0);
}
