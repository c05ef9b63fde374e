//! Where people are swabbed into a tube: by wedge and keyboard, with and without network.

mod boxes;
mod camera;
mod contact;
mod in_work;
mod net;
mod offline;
mod refused;
mod shared;
mod slips;

use std::path::Path;
use std::time::Duration;

use fantoccini::key::Key;
use serde_json::{Value, json};

use super::{Browser, PATIENCE, Size};
use crate::world::{World, box_, person, tube, world};

/// A browser in whose place a sampler of the small city has signed in and chosen the session.
async fn sampler(browser: &Browser) -> World {
    let world = world(&browser.app).await;
    browser.give(&world.sampler, "caiyang").await;
    browser.enter("caiyang").await;
    browser.goto("/collect").await;
    browser.wait_for_text("#session-list", "Team 1").await;
    browser.scan("w01").await;
    browser.wait_for_text(".feedback.right", "Team 1").await;
    world
}

/// A person as a registration code gives one, in one scan.
async fn scan_person(browser: &Browser, n: u64, tally: &str) {
    let person = person(n);
    browser.scan(&format!("{}|{}|{}", person.name, person.number, person.phone)).await;
    browser.wait_for_text("#tally", tally).await;
}

/// Opens a tube by one person each and seals it early.
async fn seal_one(browser: &Browser, n: u64) {
    scan_person(browser, n, "1 / 10").await;
    seal(browser, n, "1").await;
    browser.wait_for_text("#tally", "0 / 10").await;
}

/// Scans a tube for those in work and seals it, with so many swabs counted.
async fn seal(browser: &Browser, n: u64, swabs: &str) {
    browser.scan(&tube(n)).await;
    browser.wait_for_text("#tube-code", &tube(n)).await;
    browser.scan(&tube(n)).await;
    browser.wait_for_value("document.activeElement.id", &json!("swabs")).await;
    browser.scan(swabs).await;
}

/// Signs out on the page that is shown.
async fn sign_out(browser: &Browser) {
    browser.click("form[action='/sign-out'] button").await;
    browser.wait_for_path("/").await;
}

/// How many tubes the store holds.
async fn stored(browser: &Browser) -> i64 {
    let mut tx = browser.app.app.db.read("test.count").await.unwrap();
    swabline::on!(tx, c => sqlx::query_scalar("select count(*) from tube").fetch_one(c).await)
        .unwrap()
}

/// Waits until the device has nothing left to send, and says so.
async fn all_sent(browser: &Browser) {
    const COUNT: &str = "const done = arguments[arguments.length - 1];
        indexedDB.open('swabline-collect').onsuccess = ({ target: { result: base } }) => {
            const counting = base.transaction('outbox').objectStore('outbox').count();
            counting.onsuccess = () => { base.close(); done(counting.result); };
        };";
    // The page draws what waits a moment after it is on the disk.
    for _ in 0..PATIENCE.as_millis() / 50 {
        if browser.client.execute_async(COUNT, Vec::new()).await.unwrap() == json!(0) {
            let shown = "document.querySelector('#waiting-count').textContent";
            return browser.wait_for_value(shown, &json!("0")).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the device never sent what it keeps");
}

/// What the device keeps under this name, opened.
async fn opened(browser: &Browser, name: &str) -> Value {
    let open = "const [name, done] = arguments;
        const link = [...document.querySelectorAll('link[rel=modulepreload]')]
            .find(link => link.href.endsWith('collect-vault.js'));
        import(link.href).then(({ kept }) => kept(name)).then(value => done(value ?? null));";
    browser.client.execute_async(open, vec![json!(name)]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_people_and_a_tube_by_wedge_and_keyboard_alone() {
    for (language, size) in [("zh-CN", Size::Phone), ("en", Size::Desktop)] {
        let Some(mut browser) = Browser::open_whole(size, language).await else { return };
        let world = world(&browser.app).await;
        browser.give(&world.sampler, "caiyang").await;
        browser.enter("caiyang").await;
        browser.goto("/collect").await;
        browser.wait_for_text("#session-list", "Team 1").await;
        browser.check("collect-session").await;
        browser.scan("W01").await;
        browser.wait_for_text(".feedback.right", "Team 1").await;
        browser.check("collect-ready").await;
        for n in 0..10 {
            let person = person(n);
            if n == 7 {
                browser.scan(&tube(0)).await;
                browser.wait_for_text("#tube-code", &tube(0)).await;
                browser.check("collect-seven").await;
            }
            browser.scan(&person.number).await;
            browser.wait_for_value("document.activeElement.id", &json!("name")).await;
            if n == 2 {
                browser.check("collect-person").await;
            }
            browser.scan(&person.name).await;
            browser.wait_for_value("document.activeElement.id", &json!("phone")).await;
            browser.scan(&person.phone).await;
            browser.wait_for_text("#tally", &format!("{} / 10", n + 1)).await;
            browser.wait_for_value("document.activeElement.id", &json!("scan-field")).await;
        }
        browser.check("collect-full").await;
        browser.scan(&tube(0)).await;
        browser.wait_for_text(".feedback.right", &tube(0)).await;
        browser.wait_for_text("#tally", "0 / 10").await;
        browser.wait_for_text("#slip-list", &tube(0)).await;
        all_sent(&browser).await;
        browser.check("collect-sealed").await;
        assert_eq!(stored(&browser).await, 1);

        browser.scan("PRINT").await;
        browser.wait_for_value("document.querySelector('#slip').dataset.drawn", &json!("10")).await;
        for size in Size::BOTH {
            browser.resize(size).await;
            browser.check("collect-slip").await;
        }
        let path = format!("/v1/tubes/{}", tube(0));
        let way = browser.app.get(&world.sampler, &path).await.expect(200).text();
        assert!(way.contains(&tube(0)));
        let text = browser.text("#slip-cards").await;
        assert!(!text.contains(&person(3).number), "a slip shows no number");
        browser.click("#slip-away").await;
        browser.wait_for_value("document.querySelector('#slips').hidden", &json!(true)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slip_is_what_is_printed_and_nothing_else() {
    let Some(browser) = Browser::open(Size::Desktop, "zh-CN").await else { return };
    sampler(&browser).await;
    seal_one(&browser, 3).await;
    browser.wait_for_text("#slip-list", &tube(3)).await;
    browser.click("#slip-list button").await;
    browser.wait_for_value("document.querySelector('#slip').dataset.drawn", &json!("1")).await;
    let pickup = browser.text(".slip-pickup").await;
    browser.cdp("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
    browser.screenshot("collect-slip-print").await;
    let seen = "[...document.querySelectorAll('button, .top, .scan, .modes')]
        .filter(e => e.getClientRects().length).length";
    browser.wait_for_value(seen, &json!(0)).await;
    assert!(browser.text("#slip").await.contains(&pickup));
    browser.cdp("Emulation.setEmulatedMedia", json!({ "media": "" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tube_of_one_is_full_with_one_person() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    sampler(&browser).await;
    let choose = "const size = document.querySelector('#size'); size.value = '1';
        size.dispatchEvent(new Event('change'))";
    browser.client.execute(choose, Vec::new()).await.unwrap();
    browser.wait_for_text("#tally", "0 / 1").await;
    browser.scan(&tube(1)).await;
    browser.wait_for_text("#tube-code", &tube(1)).await;
    scan_person(&browser, 1, "1 / 1").await;
    browser.scan(&format!("Somebody|{}", person(2).number)).await;
    browser.wait_for_text(".feedback.wrong", "full").await;
    browser.scan("SEAL").await;
    browser.wait_for_text(".feedback.right", "Sealed: 1").await;
    all_sent(&browser).await;
    assert_eq!(stored(&browser).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_said_at_once_and_the_last_step_is_undone() {
    let Some(browser) = Browser::open(Size::Phone, "zh-CN").await else { return };
    sampler(&browser).await;
    // A digit misread, a day that never was, a damaged tube label, a box where a person is expected.
    let number = person(1).number;
    let other = if number.ends_with('1') { '2' } else { '1' };
    browser.scan(&format!("{}{other}", &number[..17])).await;
    browser.wait_for_text(".feedback.wrong", "校验码不正确").await;
    assert!(!browser.text("#feedback").await.contains(&number[..17]), "no number in clear");
    browser.check("collect-wrong").await;
    browser.scan("T00000000010").await;
    browser.wait_for_text(".feedback.wrong", "校验字符不正确").await;
    browser.scan(&box_(1)).await;
    browser.wait_for_text(".feedback.wrong", "此编码不用于此处").await;
    browser.scan("HELLO").await;
    browser.wait_for_text(".feedback.wrong", "不是该证件的号码").await;

    scan_person(&browser, 1, "1 / 10").await;
    browser.scan(&number).await;
    browser.wait_for_text(".feedback.already", "第 1 位").await;
    // A tube scanned where a name is typed.
    browser.scan(&person(2).number).await;
    browser.wait_for_value("document.activeElement.id", &json!("name")).await;
    browser.scan(&tube(2)).await;
    browser.wait_for_text(".feedback.wrong", "这是编码，不是姓名").await;
    browser.press(Key::Escape).await;
    browser.wait_for_value("document.activeElement.id", &json!("scan-field")).await;
    assert_eq!(browser.text("#tally").await, "1 / 10");

    scan_person(&browser, 2, "2 / 10").await;
    browser.scan(&tube(2)).await;
    browser.wait_for_text("#tube-code", &tube(2)).await;
    browser.scan(&tube(5)).await;
    browser.wait_for_text(".feedback.wrong", &tube(2)).await;
    browser.scan("UNDO").await;
    browser.wait_for_text("#tube-code", "尚未扫管").await;
    browser.keys(&format!("{}z", char::from(Key::Control))).await;
    browser.wait_for_text("#tally", "1 / 10").await;
    // Sealing early needs the swabs counted.
    browser.scan(&tube(2)).await;
    browser.wait_for_text("#tube-code", &tube(2)).await;
    browser.scan(&tube(2)).await;
    browser.wait_for_value("document.activeElement.id", &json!("swabs")).await;
    browser.check("collect-early").await;
    browser.scan("2").await;
    browser.wait_for_text(".feedback.wrong", "2 支拭子，1 名人员").await;
    browser.scan("1").await;
    browser.wait_for_text(".feedback.right", &tube(2)).await;
    all_sent(&browser).await;
    assert_eq!(stored(&browser).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passport_is_taken_with_the_country_that_issued_it() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    sampler(&browser).await;
    let choose = "document.querySelector('#other-document').open = true;
        const type = document.querySelector('#document'); type.value = 'passport';
        type.dispatchEvent(new Event('change'))";
    browser.client.execute(choose, Vec::new()).await.unwrap();
    browser.scan("E12345678").await;
    browser.wait_for_text(".feedback.wrong", "Which country").await;
    browser.client.execute("document.querySelector('#issuer').focus()", Vec::new()).await.unwrap();
    browser.keys("usa").await;
    browser
        .client
        .execute("document.querySelector('#scan-field').focus()", Vec::new())
        .await
        .unwrap();
    browser.scan("E12345678").await;
    browser.wait_for_value("document.activeElement.id", &json!("name")).await;
    browser.check("collect-passport").await;
    browser.scan("Jo Doe").await;
    browser.wait_for_value("document.activeElement.id", &json!("phone")).await;
    browser.scan("").await;
    browser.wait_for_text("#tally", "1 / 10").await;
    browser.scan(&tube(4)).await;
    browser.wait_for_text("#tube-code", &tube(4)).await;
    browser.scan("SEAL").await;
    browser.wait_for_value("document.activeElement.id", &json!("swabs")).await;
    browser.scan("1").await;
    browser.wait_for_text("#slip-list", &tube(4)).await;
    assert_eq!(stored(&browser).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_is_light_and_can_be_installed() {
    let Some(browser) = Browser::open_whole(Size::Phone, "zh-CN").await else { return };
    let world = world(&browser.app).await;
    browser.give(&world.sampler, "caiyang").await;
    browser.enter("caiyang").await;
    browser.cdp("Network.clearBrowserCache", json!({})).await;
    browser.goto("/collect").await;
    browser.wait_for_text("#session-list", "Team 1").await;
    let weighed = "const parts = [...performance.getEntriesByType('navigation'),
            ...performance.getEntriesByType('resource')];
        return parts.map(e => [new URL(e.name).pathname, e.transferSize, e.initiatorType,
            e.renderBlockingStatus])";
    let parts = browser.client.execute(weighed, Vec::new()).await.unwrap();
    let parts: Vec<(String, u64, String, String)> = serde_json::from_value(parts).unwrap();
    let bytes: u64 = parts.iter().map(|(_, bytes, _, _)| bytes).sum();
    assert!(parts.len() > 10, "only {} parts were seen", parts.len());
    assert!((10_000..50_000).contains(&bytes), "the first page weighs {bytes} bytes: {parts:?}");
    eprintln!("the first page weighs {bytes} bytes");
    // Whatever the page needs is named in the page itself, so that one round trip brings it.
    let named = "return [...document.querySelectorAll('link[href], script[src]')]
        .map(e => new URL(e.href || e.src).pathname)";
    let named = browser.client.execute(named, Vec::new()).await.unwrap();
    let named: Vec<String> = serde_json::from_value(named).unwrap();
    for (path, _, _, blocking) in &parts {
        assert!(
            blocking != "blocking" || Path::new(path).extension() == Some("css".as_ref()),
            "the page waits for {path}"
        );
        assert!(!path.starts_with("/assets/") || named.contains(path), "{path} is found late");
    }
    browser.wait_for_value("!!navigator.serviceWorker.controller", &json!(true)).await;
    let faults = browser.cdp("Page.getInstallabilityErrors", json!({})).await;
    assert_eq!(faults["installabilityErrors"], json!([]));
    let manifest = browser.cdp("Page.getAppManifest", json!({})).await;
    assert_eq!(manifest["errors"], json!([]));
    assert!(manifest["data"].as_str().unwrap().contains("采样"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_judges_documents_as_the_server_does() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    browser.sign_in(swabline::auth::Role::Sampler).await;
    browser.goto("/collect").await;
    let judge = "const done = arguments[arguments.length - 1];
        const link = [...document.querySelectorAll('link[rel=modulepreload]')]
            .find(link => link.href.endsWith('collect-identity.js'));
        import(link.href).then(({ fault, payload, mask }) => done([
            arguments[0].map(number => fault('resident_id', number) ?? ''),
            payload('{\"name\":\"Jo\",\"number\":\"e1234567\",\"type\":\"passport\",\"issuer\":\"usa\"}'),
            payload(`${arguments[0][0]}|Jo`), payload('HELLO') ?? null, mask(arguments[0][0])]));";
    let numbers: Vec<_> = (0..40)
        .map(|n| person(n * 997).number)
        .chain(
            ["110105194912310021", "999999200013010011", "", "1", "44052418800101001X"]
                .map(str::to_owned),
        )
        .collect();
    let judged = browser.client.execute_async(judge, vec![json!(numbers)]).await.unwrap();
    for (number, fault) in numbers.iter().zip(judged[0].as_array().unwrap()) {
        let server = swabline::collection::person::resident_id_check(number, browser.app.now());
        let server = match server {
            Ok(()) => String::new(),
            Err(fault) => format!("{fault:?}").to_lowercase(),
        };
        assert_eq!(fault, &json!(server), "{number}");
    }
    assert_eq!(
        judged[1]["document"],
        json!({ "type": "passport", "number": "E1234567", "issuer": "USA" })
    );
    assert_eq!(judged[2]["name"], json!("Jo"));
    assert_eq!(judged[3], Value::Null);
    assert!(!judged[4].as_str().unwrap().contains(&numbers[0][..8]));
}
