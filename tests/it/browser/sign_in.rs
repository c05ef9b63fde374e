//! Coming in and going out, by keyboard alone.

use data_encoding::BASE32_NOPAD;
use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::json;
use swabline::auth::Role;
use swabline::auth::session::totp::{Secret, step};
use swabline::clock::Span;

use super::{Browser, PASSWORD, Size};

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_by_keyboard_and_out_again() {
    for language in ["zh-CN", "en"] {
        let Some(browser) = Browser::open(Size::Desktop, language).await else { return };
        let (_, login) = browser.somebody(Role::Officer).await;
        browser.goto("/account").await;
        browser.wait_for_path("/sign-in?next=%2Faccount").await;
        assert_eq!(browser.focus().await, "login", "one types at once");
        browser.check("sign-in").await;
        browser.type_credentials(&login, PASSWORD).await;
        browser.wait_for_path("/account").await;
        assert_eq!(browser.text("dd").await, "Test Officer");
        browser.check("account").await;
        browser.click("form[action='/sign-out'] button").await;
        browser.wait_for_path("/").await;
        browser.goto("/account").await;
        browser.wait_for_path("/sign-in?next=%2Faccount").await;
    }
}

/// Types a password, and waits for the page that answers: on the page before, the next would be lost.
async fn try_again(browser: &Browser, password: &str) {
    let mark = "document.body.dataset.before = 'yes'";
    browser.client.execute(mark, Vec::new()).await.unwrap();
    browser.scan(password).await;
    let answered = "document.readyState === 'complete' && !document.body.dataset.before
        && document.activeElement.id === 'password'";
    browser.wait_for_value(answered, &json!(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_and_the_sixth_try_waits() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    let (_, login) = browser.somebody(Role::Sampler).await;
    browser.goto("/sign-in").await;
    browser.type_credentials(&login, "a wrong phrase").await;
    browser.wait_for_text("[role=alert]", "wrong").await;
    assert_eq!(browser.focus().await, "password", "the name stays, the password is typed again");
    browser.check("sign-in-wrong").await;
    for _ in 0..5 {
        try_again(&browser, "a wrong phrase").await;
    }
    browser.wait_for_text("[role=alert]", "locked for 15 minutes").await;
    try_again(&browser, PASSWORD).await;
    browser.wait_for_text("[role=alert]", "locked").await;
    browser.check("sign-in-locked").await;
    browser.app.pass(Span::minutes(15));
    browser.scan(PASSWORD).await;
    browser.wait_for_path("/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_set_up_and_asked_for() {
    let Some(browser) = Browser::open(Size::Phone, "zh-CN").await else { return };
    let (_, login) = browser.somebody(Role::Reviewer).await;
    browser.goto("/sign-in?next=/account/second-factor").await;
    browser.type_credentials(&login, PASSWORD).await;
    browser.wait_for_path("/account/second-factor").await;
    assert!(browser.has(".qr svg").await);
    browser.check("second-factor").await;
    let shown = browser.text(".secret code").await.replace(' ', "");
    let secret = Secret::of(BASE32_NOPAD.decode(shown.as_bytes()).unwrap());
    let code = |browser: &Browser| secret.code(step(browser.app.now()));
    browser.scan("000000").await;
    browser.wait_for_text("[role=alert]", "不正确").await;
    browser.scan(&code(&browser)).await;
    browser.wait_for_path("/account").await;
    browser.wait_for_text(".facts", "已启用").await;
    browser.click("form[action='/sign-out'] button").await;
    browser.wait_for_path("/").await;
    browser.app.pass(Span::seconds(60));
    browser.goto("/sign-in?next=/account").await;
    browser.type_credentials(&login, PASSWORD).await;
    browser.wait_for_path("/sign-in/code?next=%2Faccount").await;
    browser.check("code").await;
    browser.scan(&code(&browser)).await;
    browser.wait_for_path("/account").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_and_a_bad_one_is_refused_with_every_reason() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    browser.sign_in(Role::Technician).await;
    browser.goto("/account").await;
    let type_passwords = async |old: &str, new: &str| {
        browser.client.find(Locator::Id("old")).await.unwrap().send_keys(old).await.unwrap();
        browser.press(Key::Tab).await;
        browser.scan(new).await;
    };
    type_passwords("a wrong phrase", "another long phrase").await;
    browser.wait_for_text("[role=alert]", "wrong").await;
    type_passwords(PASSWORD, "tttttttttttt").await;
    browser.wait_for_text("[role=alert]", "over and over").await;
    browser.check("account-refused").await;
    type_passwords(PASSWORD, "another long phrase").await;
    browser.wait_for_text("[role=status]", "changed").await;
    browser.check("account-changed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_nobody_uses_is_over_after_half_an_hour() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    browser.sign_in(Role::Receiver).await;
    for _ in 0..3 {
        browser.app.pass(Span::minutes(20));
        browser.goto("/account").await;
        browser.wait_for_path("/account").await;
    }
    browser.app.pass(Span::minutes(31));
    browser.goto("/account").await;
    browser.wait_for_path("/sign-in?next=%2Faccount").await;
}
