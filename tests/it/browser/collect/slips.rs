//! Slips go to the people of their own tube, however slow the network is.

use serde_json::json;

use super::{all_sent, sampler, scan_person, seal_one};
use crate::browser::calls::{hold, hold_no_more, release, wait_held};
use crate::browser::{Browser, Size};
use crate::world::tube;

const LINK: &str = "document.querySelector('.slip-qr').innerHTML";
const DRAWN: &str = "document.querySelector('#slip').dataset.drawn";

/// Opens the slips of a tube from the list.
async fn open(browser: &Browser, n: u64) {
    let press = "[...document.querySelectorAll('#slip-list button')]
        .find(button => button.textContent === arguments[0]).click()";
    browser.client.execute(press, vec![json!(tube(n))]).await.unwrap();
    browser.wait_for_text("#slip-code", &tube(n)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_drawn_late_stays_with_its_own_tube() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    sampler(&browser).await;
    for n in [1, 2] {
        seal_one(&browser, n).await;
        browser.wait_for_text("#slip-list", &tube(n)).await;
    }
    open(&browser, 2).await;
    browser.wait_for_value(DRAWN, &json!("1")).await;
    let script = format!("return {LINK}");
    let own = browser.client.execute(&script, Vec::new()).await.unwrap();
    assert!(own.as_str().unwrap().contains("<svg"));
    browser.click("#slip-close").await;

    hold(&browser, "/collect/qr").await;
    open(&browser, 1).await;
    wait_held(&browser, 1).await;
    browser.click("#slip-close").await;
    hold_no_more(&browser).await;
    open(&browser, 2).await;
    browser.wait_for_value(DRAWN, &json!("1")).await;
    release(&browser).await;
    assert_eq!(browser.client.execute(&script, Vec::new()).await.unwrap(), own);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_never_the_tube_before() {
    let Some(browser) = Browser::open(Size::Phone, "zh-CN").await else { return };
    sampler(&browser).await;
    let watch = "window.printed = [];
        window.print = () => window.printed.push(document.querySelector('#slip-code').textContent)";
    browser.client.execute(watch, Vec::new()).await.unwrap();
    seal_one(&browser, 1).await;
    browser.wait_for_text("#slip-list", &tube(1)).await;
    // The slips of the first are still open when the second is sealed and the network is slow.
    browser.scan("PRINT").await;
    browser.wait_for_value("window.printed", &json!([tube(1)])).await;
    hold(&browser, "/v1/tubes/batch").await;
    let choose = "const size = document.querySelector('#size'); size.value = '1';
        size.dispatchEvent(new Event('change'))";
    browser.client.execute(choose, Vec::new()).await.unwrap();
    scan_person(&browser, 2, "1 / 1").await;
    browser.scan(&tube(2)).await;
    browser.wait_for_text("#tube-code", &tube(2)).await;
    browser.scan("SEAL").await;
    browser.wait_for_text("#tally", "0 / 10").await;
    browser.scan("PRINT").await;
    browser.wait_for_text(".feedback.wrong", &tube(2)).await;
    browser.wait_for_text(".feedback.wrong", "尚未生成").await;
    browser.check("collect-slip-later").await;
    release(&browser).await;
    browser.wait_for_text("#slip-list", &tube(2)).await;
    all_sent(&browser).await;
    browser.scan("PRINT").await;
    browser.wait_for_value("window.printed", &json!([tube(1), tube(2)])).await;
}
