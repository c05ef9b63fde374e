//! The start page, and what people see where they have no business.

use serde_json::json;
use swabline::auth::Role;

use super::{Browser, Size};

#[tokio::test(flavor = "multi_thread")]
async fn the_start_page_says_what_this_is_in_both_languages_and_sizes() {
    for (language, other, words) in [("zh-CN", "en", "采样"), ("en", "zh", "swab")] {
        let Some(mut browser) = Browser::open(Size::Phone, language).await else { return };
        browser.goto("/").await;
        for size in Size::BOTH {
            browser.resize(size).await;
            assert!(browser.text("main").await.to_lowercase().contains(words));
            browser.check("start").await;
        }
        browser.click(&format!("button[value={other}]")).await;
        browser.wait_for_value("document.documentElement.lang.slice(0, 2)", &json!(other)).await;
        browser.goto("/sign-in?next=/account").await;
        assert!(browser.has(&format!("html[lang^={other}]")).await, "and stays changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_is_led_to_its_own_work() {
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Service) {
        let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
        browser.sign_in(role).await;
        browser.wait_for_text("nav", "Try a scanner").await;
        browser.check(&format!("start-{role:?}").to_lowercase()).await;
        for tile in browser.paths("a.tile").await {
            browser.goto(&tile).await;
            let heading = browser.text("h1").await;
            assert_ne!(heading, "This is not open to you", "{role:?} is led to {tile}");
            assert_ne!(heading, "There is no such page", "{role:?} is led to {tile}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_lost_is_told_so_and_led_back() {
    let Some(browser) = Browser::open(Size::Phone, "zh-CN").await else { return };
    browser.goto("/nowhere").await;
    browser.wait_for_text("h1", "没有这个页面").await;
    let [told] = &browser.complaints().await[..] else { panic!("the 404 alone is told") };
    assert!(told.contains("/nowhere") && told.contains("status of 404"), "{told}");
    browser.check("lost").await;
    browser.click("main a.primary").await;
    browser.wait_for_path("/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_of_the_api_is_shown_without_a_word_from_outside() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    browser.goto("/docs/").await;
    browser.wait_for_text("#swagger-ui", "/v1/tubes/{code}").await;
    browser.screenshot("docs").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
