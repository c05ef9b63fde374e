//! Administration: somebody new signs in, the last administrator stays, the trail of a tube.

use serde::Deserialize as _;
use serde_json::{Value, json};
use swabline::auth::Role;

use super::{Browser, Size};
use crate::kit_versions::{below_30, late_positives};
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

        // Somebody else was shown it, so the first thing to be done is to choose another.
        browser.wait_for_path("/account").await;
        browser.check("account-given").await;
        browser.goto("/review").await;
        browser.wait_for_path("/account").await;
        set(&browser, "#old", &password).await;
        set(&browser, "#new", "a phrase of my own").await;
        browser.click("form[action='/account/password'] button").await;
        browser.wait_for_path("/account?changed=true").await;
        browser.goto("/review").await;
        browser.wait_for_path("/review").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
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

/// Presses a button of the page.
async fn decide(browser: &Browser, act: &str) {
    browser.click(&format!("[name=act][value={act}]")).await;
}

/// Opens the page of a version from the list of all.
async fn open_version(browser: &Browser, version: &str) {
    browser.goto("/admin/kits").await;
    let path = format!("/admin/kits/{}/{version}", lab::KIT.0);
    browser.click(&format!("a[href='{path}']")).await;
    browser.wait_for_path(&path).await;
}

const SAID: &str =
    "[...document.querySelectorAll('[name^=changed_]')].map(field => field.value).join()";

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_approved_only_by_somebody_who_says_how_much_changed() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let (app, world) = (&browser.app, world(&browser.app).await);
    let path = |version: &str| format!("/v1/kits/{}/versions/{version}", lab::KIT.0);
    let state = async |version: &str| {
        app.get(&world.reviewer, &path(version)).await.expect(200).json()["state"].clone()
    };
    let shipped = app.get(&world.reviewer, &path("1")).await.expect(200).json();
    for version in ["7", "8"] {
        let mut definition = shipped["definition"].clone();
        definition["version"] = json!(version);
        let proposal = json!({ "definition": definition, "effective_from": app.now() });
        app.put(&world.reviewer, &path(version), &proposal).await.expect(201);
    }
    browser.give(&world.second_reviewer, "sun").await;
    browser.enter("sun").await;
    open_version(&browser, "7").await;
    // Nothing is said for somebody, and what nobody said is not sent.
    browser.wait_for_value(SAID, &json!(",")).await;
    decide(&browser, "approve").await;
    let unsaid = "document.querySelectorAll('[name^=changed_]:user-invalid').length";
    browser.wait_for_value(unsaid, &json!(2)).await;
    browser.check("admin-kit-unsaid").await;
    let send = "const [path, said, done] = arguments;
        const csrf = document.querySelector('meta[name=csrf]').content;
        fetch(path, { method: 'POST', body: new URLSearchParams({ csrf, act: 'approve', ...said }) })
            .then(async answer => done([answer.status, await answer.text()]));";
    let act = json!(format!("/admin/kits/{}/7", lab::KIT.0));
    for said in [json!({}), json!({ "changed_calls": "0", "changed_verdicts": "" })] {
        let answer = browser.client.execute_async(send, vec![act.clone(), said]).await.unwrap();
        assert_eq!(answer[0], 422);
        assert!(answer[1].as_str().unwrap().contains("you looked at"), "{}", answer[1]);
    }
    assert_eq!(state("7").await, "proposed");
    set(&browser, "[name=changed_calls]", "0").await;
    set(&browser, "[name=changed_verdicts]", "0").await;
    decide(&browser, "approve").await;
    browser.wait_for_value(SAID, &json!("")).await;
    assert_eq!(state("7").await, "approved");
    // Whoever withdraws says why, and not what changed.
    open_version(&browser, "8").await;
    set(&browser, "[name=reason]", "never run").await;
    decide(&browser, "withdraw").await;
    browser.wait_for_text("dl", "never run").await;
    assert_eq!(state("8").await, "withdrawn");
}

/// A kit's file as somebody changed it: positive below 30 and nothing grey.
fn narrowed() -> String {
    let file = include_str!("../../../fixtures/assays/orf1ab-n-ic-1.toml");
    let parsed: toml::Table = file.parse().unwrap();
    let mut kit = Value::deserialize(parsed).unwrap();
    kit["version"] = json!("narrow");
    below_30(&mut kit);
    toml::to_string(&kit).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_proposed_tried_in_shadow_and_put_in_force_by_two_people_at_a_page() {
    for (language, size, changed, told, alone) in [
        ("zh-CN", Size::Phone, "判读变化 10 个", "告知本人", "由您提出"),
        ("en", Size::Desktop, "Changed calls: 10.", "its people are told", "you proposed"),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let (app, world) = (&browser.app, world(&browser.app).await);
        late_positives(app, &world).await;
        browser.give(&world.reviewer, "li").await;
        browser.enter("li").await;
        browser.goto("/admin/kits").await;
        browser.click("details.acts summary").await;
        // What cannot be read stays in its field, and says why.
        set(&browser, "#kit-from", "2020-06-21T08:00").await;
        set(&browser, "#kit-toml", "code = 1").await;
        browser.click("form[action='/admin/kits'] button").await;
        browser
            .wait_for_value("document.querySelector('#kit-toml').value", &json!("code = 1"))
            .await;
        browser.wait_for_text("[role=alert]", "the kit cannot be read").await;
        browser.check("admin-kit-unread").await;
        set(&browser, "#kit-toml", &narrowed()).await;
        browser.click("form[action='/admin/kits'] button").await;
        browser.wait_for_path(&format!("/admin/kits/{}/narrow", lab::KIT.0)).await;
        let chosen = "document.querySelector('#tried-on').value";
        browser.wait_for_value(chosen, &json!(lab::KIT.0)).await;
        decide(&browser, "shadow").await;
        browser.wait_for_text("main", changed).await;
        browser.wait_for_text("table", &tube(9)).await;
        browser.wait_for_text("table", told).await;
        browser.check("admin-kit-shadow").await;
        set(&browser, "[name=changed_calls]", "10").await;
        set(&browser, "[name=changed_verdicts]", "0").await;
        decide(&browser, "approve").await;
        browser.wait_for_text("[role=alert]", alone).await;
        browser.click("form[action='/sign-out'] button").await;
        browser.wait_for_path("/").await;
        browser.give(&world.second_reviewer, "sun").await;
        browser.enter("sun").await;
        open_version(&browser, "narrow").await;
        set(&browser, "[name=changed_calls]", "10").await;
        set(&browser, "[name=changed_verdicts]", "0").await;
        decide(&browser, "approve").await;
        browser.wait_for_text("dl", &world.second_reviewer.actor.account).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
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
