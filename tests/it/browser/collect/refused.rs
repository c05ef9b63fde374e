//! What the server refuses stays on the device, with its reasons, until somebody settles it.

use serde_json::json;
use swabline::barcode::TubeCode;

use super::offline::behind;
use super::{all_sent, sampler, scan_person, seal, seal_one, stored};
use crate::browser::{Browser, Size};
use crate::world::{box_, people, person, seal_tube, tube};

/// Seals a tube whose label was never given out.
pub(super) async fn seal_unknown(browser: &Browser, n: u64) -> String {
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
    seal(&browser, 1, "1").await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    all_sent(&browser).await;
    assert_eq!(stored(&browser).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_box_is_mended_and_sealed_anew() {
    for (language, size, unknown) in
        [("zh-CN", Size::Phone, "没有这支采样管的记录"), ("en", Size::Desktop, "was not recorded")]
    {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = sampler(&browser).await;
        for n in 0..2 {
            seal_tube(&browser.app, &world, n, &people(n * 10, 10)).await.expect(201);
        }
        let stranger = TubeCode::numbered(90_001).unwrap().to_string();
        browser.scan("BOX").await;
        browser.scan(&box_(0)).await;
        browser.wait_for_text("#box-code", &box_(0)).await;
        for code in [tube(0), stranger.clone(), tube(1)] {
            browser.scan(&code).await;
        }
        browser.wait_for_text("#box-count", "3").await;
        browser.scan("seal-77").await;
        browser.wait_for_text(".feedback.right", "seal-77").await;
        browser.scan(&box_(0)).await;
        browser.wait_for_text(".feedback.wrong", &box_(0)).await;
        // It is found again after the page was closed, and says which tube it is about.
        browser.goto("/collect").await;
        browser.click("[data-mode=waiting]").await;
        browser.wait_for_text("#refused-list", &stranger).await;
        browser.wait_for_text("#refused-list", unknown).await;
        browser.check("collect-refused-box").await;
        browser.click("#refused-list .primary").await;
        browser.wait_for_text("#box-count", "3").await;
        browser
            .wait_for_value("document.querySelector('#seal-number').value", &json!("seal-77"))
            .await;
        browser.click("#box-tubes li:nth-child(2) .out").await;
        browser.wait_for_text(".feedback.already", &stranger).await;
        browser.check("collect-mended-box").await;
        browser.scan(&box_(0)).await;
        browser.wait_for_text("#shown-code", &box_(0)).await;
        all_sent(&browser).await;
        let path = format!("/v1/boxes/{}", box_(0));
        let shown = browser.app.get(&world.courier, &path).await.expect(200).json();
        assert_eq!(
            (shown["tubes"].as_array().unwrap().len(), &shown["seal"]),
            (2, &json!("seal-77"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
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

/// Makes the first record unreadable, as the loss of the key would.
const SPOIL: &str = "const done = arguments[arguments.length - 1];
    const request = indexedDB.open('swabline-collect');
    request.onsuccess = () => {
        const transaction = request.result.transaction('outbox', 'readwrite');
        const outbox = transaction.objectStore('outbox');
        outbox.getAll().onsuccess = ({ target }) => {
            const [first] = target.result;
            first.sealed.data = new Uint8Array(first.sealed.data.byteLength).buffer;
            outbox.put(first);
        };
        transaction.oncomplete = () => { request.result.close(); done(true); };
    };";

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_open_holds_no_other_up() {
    let Some((browser, net)) = behind(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    net.cut();
    seal_one(&browser, 1).await;
    seal_one(&browser, 2).await;
    browser.wait_for_text("#waiting-count", "2").await;
    browser.client.execute_async(SPOIL, Vec::new()).await.unwrap();
    net.mend();
    browser.wait_for_text("#slip-list", &tube(2)).await;
    browser.wait_for_text("#net", "1 refused").await;
    assert_eq!(stored(&browser).await, 1);
    browser.click("[data-mode=waiting]").await;
    browser.wait_for_text("#refused-list ul", "the key of this device is gone").await;
    // What the console says of the network that was cut is no fault of the page.
    browser.complaints().await;
    browser.check("collect-unreadable").await;
    browser.click("#refused-list .danger").await;
    browser.click("#paper-done").await;
    browser.click("dialog .primary").await;
    all_sent(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_own_role_may_not_send_is_refused_and_mended_later() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    sampler(&browser).await;
    let forbid = "const real = window.real = window.fetch;
        const problem = { code: 'auth.role', status: 403, detail: 'your role may not do this' };
        window.fetch = async (url, ...rest) => url !== '/v1/tubes/batch' ? real(url, ...rest)
            : Response.json(problem, { status: 403 });";
    browser.client.execute(forbid, Vec::new()).await.unwrap();
    seal_one(&browser, 1).await;
    browser.wait_for_text("#net", "1 refused").await;
    browser.client.execute("window.fetch = window.real", Vec::new()).await.unwrap();
    browser.click("[data-mode=waiting]").await;
    browser.wait_for_text("#refused-list", &tube(1)).await;
    browser.click("#refused-list .primary").await;
    browser.wait_for_text("#tally", "1 / 10").await;
    browser.scan(&tube(1)).await;
    browser.wait_for_value("document.activeElement.id", &json!("swabs")).await;
    browser.scan("1").await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    all_sent(&browser).await;
    assert_eq!(stored(&browser).await, 1);
}
