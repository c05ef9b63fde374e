//! Administration: somebody new signs in, the last administrator stays, the trail of a tube.

use serde_json::json;
use swabline::auth::Role;

use super::{Browser, Size};
use crate::laboratory as lab;
use crate::world::{people, seal_tube, tube, world};

/// Sets a field as somebody does who chose it.
async fn set(browser: &Browser, field: &str, value: &str) {
    let script = "document.querySelector(arguments[0]).value = arguments[1]";
    browser.client.execute(script, vec![json!(field), json!(value)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_is_given_an_account_and_signs_in() {
    for (language, size, reviewer, last) in [
        ("zh-CN", Size::Desktop, "审核员", "最后一位"),
        ("en", Size::Phone, "Reviewer", "last administrator"),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = world(&browser.app).await;
        browser.give(&world.administrator, "guan").await;
        browser.enter("guan").await;
        browser.goto("/admin").await;
        browser.check("admin-accounts").await;
        browser.click("details.add summary").await;
        set(&browser, "#name", "Lin Yue").await;
        set(&browser, "#role", "reviewer").await;
        set(&browser, "#laboratory", "L01").await;
        set(&browser, "#login", "linyue").await;
        browser.click("details.add button.primary").await;
        browser.wait_for_text(".once", "Lin Yue").await;
        browser.check("admin-made").await;
        let password = browser.text("#secret").await;
        browser.goto("/admin").await;
        assert!(!browser.client.source().await.unwrap().contains(&password), "shown twice");

        // Nobody ends themselves, and a key is for programs.
        let own = format!("/admin/accounts/{}", world.administrator.actor.account);
        let refused = "const done = arguments[1];
            const csrf = document.querySelector('meta[name=csrf]').content;
            fetch(arguments[0], { method: 'POST', body: new URLSearchParams({ csrf, act: 'disable' }) })
                .then(async answer => done([answer.status, await answer.text()]));";
        let answer = browser.client.execute_async(refused, vec![json!(own)]).await.unwrap();
        assert_eq!(answer[0], 422);
        assert!(answer[1].as_str().unwrap().contains(last), "{}", answer[1]);

        browser.click("form[action='/sign-out'] button").await;
        let signed_out = "document.querySelector('form[action=\"/sign-out\"]') === null";
        browser.wait_for_value(signed_out, &json!(true)).await;
        browser.goto("/sign-in").await;
        browser.type_credentials("linyue", &password).await;
        browser.wait_for_text(".who", reviewer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test --long"]
async fn places_kits_and_what_is_in_force_are_seen_on_one_page_each() {
    for (language, size) in [("zh-CN", Size::Phone), ("en", Size::Desktop)] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = world(&browser.app).await;
        browser.give(&world.administrator, "guan").await;
        browser.enter("guan").await;
        browser.goto("/admin/places").await;
        set(&browser, "#site-code", "S02").await;
        set(&browser, "#site-name", "South gate").await;
        set(&browser, "#site-area", "Daxing").await;
        browser.click("form.fields button").await;
        browser.wait_for_text("main", "South gate").await;
        browser.check("admin-places").await;
        browser.goto("/admin/kits").await;
        browser.wait_for_text("main", "one-well-94-moving-columns").await;
        browser.check("admin-kits").await;
        browser.goto("/admin/system").await;
        browser.wait_for_text(".settings", "recall_hours").await;
        browser.check("admin-system").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test --long"]
async fn the_trail_of_a_tube_says_who_did_what() {
    for (language, size) in [("zh-CN", Size::Desktop), ("en", Size::Phone)] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = world(&browser.app).await;
        seal_tube(&browser.app, &world, 0, &people(0, 10)).await.expect(201);
        lab::deliver(&browser.app, &world, 0, &[tube(0)]).await;
        browser.sign_in(Role::Auditor).await;
        assert!(browser.paths("a.tile").await.contains(&"/trail".to_owned()));
        browser.goto("/trail").await;
        assert_eq!(browser.focus().await, "about");
        browser.scan(&tube(0)).await;
        browser.wait_for_text(".trail", "tube").await;
        browser.wait_for_text(".trail", &world.sampler.actor.name).await;
        browser.check("trail").await;
    }
}
