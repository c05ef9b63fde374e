//! How a person is reached: what is typed beside their document, and what is none of that.

use fantoccini::key::Key;
use serde_json::json;

use super::{opened, sampler};
use crate::browser::{Browser, Size};
use crate::world::{person, tube};

const FOCUS: &str = "document.activeElement.id";

#[tokio::test(flavor = "multi_thread")]
async fn the_next_document_is_no_phone_and_no_address_of_the_person_before() {
    for (language, size, no_phone, no_address) in [
        ("zh-CN", Size::Phone, "这是编码，不是电话", "这是编码，不是地址"),
        ("en", Size::Desktop, "not a phone number", "not an address"),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = sampler(&browser).await;
        let (first, next) = (person(1), person(2));
        browser.scan(&first.number).await;
        browser.wait_for_value(FOCUS, &json!("name")).await;
        browser.scan(&first.name).await;
        let cards = [next.number.clone(), format!("{}|{}", next.name, next.number), tube(1)];
        for (field, refused, right, end) in [
            ("phone", no_phone, &first.phone, Key::Tab),
            ("address", no_address, &first.address, Key::Enter),
        ] {
            browser.wait_for_value(FOCUS, &json!(field)).await;
            let typed = format!("document.querySelector('#{field}').value");
            for card in &cards {
                browser.scan(card).await;
                browser.wait_for_text(".feedback.wrong", refused).await;
                browser.wait_for_value(&typed, &json!("")).await;
                assert_eq!(browser.focus().await, field, "it is typed at once");
            }
            let said = browser.text("#feedback").await;
            assert!(!said.contains(&next.number), "it is shown in clear");
            assert_eq!(browser.text("#tally").await, "0 / 10");
            browser.keys(&format!("{right}{}", char::from(end))).await;
        }
        browser.wait_for_text("#tally", "1 / 10").await;
        let kept = opened(&browser, &format!("tube {}", world.sampler.actor.account)).await;
        let member = &kept["members"][0];
        assert_eq!(member["document"]["number"], json!(first.number));
        assert_eq!(member["phone"], json!(first.phone));
        assert_eq!(member["address"], json!(first.address));
        assert!(!kept.to_string().contains(&next.number), "{kept}");
    }
}
