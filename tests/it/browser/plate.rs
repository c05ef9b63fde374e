//! Where a plate is filled, tube by tube.

use std::path::PathBuf;

use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::{Value, json};
use swabline::auth::Role;

use super::calls::{hold, release, wait_held};
use super::{Browser, Size};
use crate::laboratory::{self, KIT};
use crate::world::{World, box_, people, plate, pool, seal_tube, tube, world};

/// The formats of the lists that are offered.
const LISTS: &str = "[...document.querySelectorAll('[data-format]')]
    .filter((link) => link.checkVisibility()).map((link) => link.dataset.format)";

/// Of what waits to be tested again the first page is there; the next does not come until
/// `window.breakOff()`, and is then refused.
const HALF_A_LIST: &str = "const real = window.fetch;
    const waited = new Promise(open => { window.breakOff = open; });
    const first = { retests: [{ tube: 'TUBE', last_plate: 'PLATE', last_well: 'A1' }], next: 'more' };
    const problem = { code: 'store.busy', status: 503, detail: 'the store is busy' };
    window.fetch = async (url, ...rest) => {
        if (!String(url).includes('/retests')) return real(url, ...rest);
        if (!String(url).includes('after=')) return Response.json(first);
        await waited;
        return Response.json(problem, { status: 503 });
    }";

/// Signs the technician in before the page, with the settings of the last plate.
pub async fn at_plate(browser: &Browser, world: &World, template: &str) {
    browser.give(&world.technician, "jiyan").await;
    browser.enter("jiyan").await;
    let settings = json!([format!("{} {}", KIT.0, KIT.1), "", template]);
    let script = "localStorage.setItem('plate-settings', arguments[0])";
    browser.client.execute(script, vec![json!(settings.to_string())]).await.unwrap();
    browser.goto("/plate").await;
}

/// Gives the page the scan of a rack with these tubes down its first column, as its scanner writes
/// it; the file is there as long as the folder.
async fn give_rack(browser: &Browser, tubes: &[String]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("rack.csv");
    let rows = tubes.iter().zip('A'..).map(|(tube, row)| format!("{row}01,{tube}\n"));
    std::fs::write(&path, rows.collect::<String>()).unwrap();
    browser.click("#rack-part summary").await;
    browser.client.find(Locator::Css("#rack")).await.unwrap().send_keys("RACK7").await.unwrap();
    let field = browser.client.find(Locator::Css("#rack-file")).await.unwrap();
    field.send_keys(path.to_str().unwrap()).await.unwrap();
    folder
}

/// How long the handler of a scan took, the longest and the middle one, in milliseconds.
pub async fn scan_times(browser: &Browser) -> (usize, f64, f64) {
    let script = "return performance.getEntriesByName('scan').map(one => one.duration)";
    let found = browser.client.execute(script, Vec::new()).await.unwrap();
    let mut times: Vec<f64> = serde_json::from_value(found).unwrap();
    times.sort_by(f64::total_cmp);
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    (times.len(), times.last().copied().unwrap_or_default(), middle)
}

/// The plate as it is stored.
pub async fn plate_of(browser: &Browser, world: &World, n: u64) -> Value {
    let path = format!("/v1/plates/{}", plate(n));
    browser.app.get(&world.technician, &path).await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plate_is_filled_undone_and_frozen_by_keys_alone() {
    for (language, size) in [("zh-CN", Size::Phone), ("en", Size::Desktop)] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let app = &browser.app;
        let world = world(app).await;
        for n in 0..20 {
            let count = if n % 3 == 0 { 10 } else { 1 };
            seal_tube(app, &world, n, &people(n * 10, count)).await.expect(201);
        }
        let tubes: Vec<_> = (0..19).map(tube).collect();
        laboratory::deliver(app, &world, 0, &tubes).await;
        at_plate(&browser, &world, "one-well-94-moving-columns").await;
        browser
            .wait_for_value("document.querySelector('#kit').value", &json!("orf1ab-n-ic 1"))
            .await;
        browser.check("plate-ready").await;
        browser.scan(&tube(0)).await;
        browser.wait_for_text(".feedback.wrong", &tube(0)).await;
        browser.scan(&plate(3)).await;
        browser.wait_for_text(".feedback.right", &plate(3)).await;
        for n in 0..18 {
            browser.scan(&tube(n)).await;
        }
        browser.wait_for_text("#filled", "18").await;
        browser.wait_for_text(".feedback.right", &tube(17)).await;
        browser.check("plate-filling").await;
        browser.scan(&tube(5)).await;
        browser.wait_for_text(".feedback.already", &tube(5)).await;
        // A tube that nobody received is refused while it is in the hand, with where it is.
        let last = browser.text("#next-well").await;
        browser.scan(&tube(19)).await;
        browser.wait_for_text(".feedback.wrong", &tube(19)).await;
        let lines = browser.text(".feedback ul").await;
        assert!(lines.lines().count() > 1, "{lines}");
        browser.check("plate-refused").await;
        assert_eq!(browser.text("#next-well").await, last);
        assert_eq!(browser.text("#filled").await, "18");
        browser.scan(&tube(18)).await;
        browser.wait_for_text("#filled", "19").await;
        browser.wait_for_text(".feedback.right", &tube(18)).await;
        browser.keys(&format!("{}z", char::from(Key::Control))).await;
        browser.wait_for_text("#filled", "18").await;
        browser.keys(&format!("{}z", char::from(Key::Control))).await;
        browser.wait_for_text("#filled", "17").await;
        // A page that is loaded again goes on.
        browser.reload().await;
        browser.wait_for_text("#filled", "17").await;
        browser.wait_for_text(".feedback.already", &plate(3)).await;
        browser.press(Key::F9).await;
        browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
        browser.check("plate-freezing").await;
        browser.press(Key::Enter).await;
        browser.wait_for_text(".feedback.right", &plate(3)).await;
        browser.wait_for_text("#lists:not([hidden])", "Tecan").await;
        browser.keys(&format!("{}z", char::from(Key::Control))).await;
        browser.check("plate-frozen").await;
        assert_eq!(browser.text("#filled").await, "17");
        assert_eq!(browser.focus().await, "scan-field");
        let frozen = plate_of(&browser, &world, 3).await;
        assert_eq!(frozen["state"], "frozen");
        let held = |well: &Value| well["tube"].as_str().map(str::to_owned);
        let wells = frozen["wells"].as_array().unwrap();
        assert_eq!(wells.iter().filter_map(held).count(), 17);
        let first = wells.iter().find(|well| well["well"] == "A1").unwrap();
        assert_eq!(first["tube"], tube(0));
        // Its lists can be fetched as the links say.
        browser.wait_for_value(&format!("{LISTS}.length"), &json!(7)).await;
        for path in browser.paths("[data-format]").await {
            let worklist = app.get(&world.technician, &path).await;
            worklist.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tube_is_placed_on_a_plate_that_is_just_being_frozen() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let app = &browser.app;
    let world = world(app).await;
    let tubes: Vec<_> = (0..3).map(tube).collect();
    for n in 0..3 {
        seal_tube(app, &world, n, &people(n, 1)).await.expect(201);
    }
    laboratory::deliver(app, &world, 0, &tubes).await;
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    browser.scan(&plate(3)).await;
    browser.scan(&tube(0)).await;
    browser.scan(&tube(1)).await;
    browser.wait_for_text("#filled", "2").await;
    hold(&browser, "/freeze").await;
    browser.press(Key::F9).await;
    browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
    browser.press(Key::Enter).await;
    wait_held(&browser, 1).await;
    browser.scan(&tube(2)).await;
    release(&browser).await;
    browser.wait_for_text(".feedback.wrong", &tube(2)).await;
    assert_eq!(browser.text("#filled").await, "2");
    let frozen = plate_of(&browser, &world, 3).await;
    assert_eq!(frozen["state"], "frozen");

    // Nor on one that is drawn anew for another template.
    browser.scan(&plate(4)).await;
    browser.wait_for_text(".feedback.right", &plate(4)).await;
    hold(&browser, "slots?template=one-well-94-columns").await;
    let chosen = "const field = document.querySelector('#template');
        field.value = 'one-well-94-columns'; field.dispatchEvent(new Event('change'));";
    browser.client.execute(chosen, Vec::new()).await.unwrap();
    wait_held(&browser, 1).await;
    browser.scan(&tube(2)).await;
    release(&browser).await;
    browser.wait_for_text("#filled", "1").await;
    browser.scan("SAVE").await;
    browser.wait_for_text(".feedback.right", "Draft saved").await;
    let saved = plate_of(&browser, &world, 4).await;
    assert_eq!(saved["template"], "one-well-94-columns");
    let held = |well: &&Value| well["tube"] == tube(2);
    assert!(saved["wells"].as_array().unwrap().iter().any(|well| held(&well)), "{saved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kit_is_offered_the_templates_that_give_a_tube_its_wells() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = world(&browser.app).await;
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    let set = json!(format!("{} {}", KIT.0, KIT.1));
    browser.wait_for_value("document.querySelector('#kit').value", &set).await;
    for (kit, template, also) in [
        ("taqpath-combo duplicates-2020", "two-wells-45-moving-rows", "stamp-z"),
        ("cdc-2019-ncov 06", "three-wells-29-moving-rows", "three-wells-21-columns"),
    ] {
        let choose = format!(
            "const field = document.querySelector('#kit');
            field.value = '{kit}'; field.dispatchEvent(new Event('change'));"
        );
        browser.client.execute(&choose, Vec::new()).await.unwrap();
        let chosen = "document.querySelector('#template').value";
        browser.wait_for_value(chosen, &json!(template)).await;
        let offered = "return [...document.querySelector('#template').options]
            .filter((option) => !option.disabled).map((option) => option.value)";
        let offered = browser.client.execute(offered, Vec::new()).await.unwrap();
        let offered = offered.as_array().unwrap();
        assert!(offered.contains(&json!(also)), "{offered:?}");
        assert!(!offered.contains(&json!("one-well-94-moving-columns")), "{offered:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tube_of_another_laboratory_and_one_on_another_plate_are_explained() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let app = &browser.app;
    let world = world(app).await;
    let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
    app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
    let receiver = app.client_at(Role::Receiver, None, Some("L02".to_owned())).await;
    for n in 0..3 {
        seal_tube(app, &world, n, &people(n, 1)).await.expect(201);
    }
    laboratory::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
    laboratory::load(app, &world, 7, &[tube(1)]).await;
    let manifest =
        json!({ "site": "S01", "seal": "S", "sealed_at": app.now(), "tubes": [tube(2)] });
    app.put(&world.sampler, &format!("/v1/boxes/{}", box_(1)), &manifest).await.expect(201);
    let arrival = json!({ "box": box_(1), "laboratory": "L02", "arrived_at": app.now(),
        "seal_intact": true, "scanned": [{ "tube": tube(2) }] });
    app.post(&receiver, "/v1/arrivals", &arrival).await.expect(201);
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    browser.scan(&plate(0)).await;
    browser.wait_for_text(".feedback.right", &plate(0)).await;
    browser.scan(&tube(2)).await;
    browser.wait_for_text(".feedback.wrong", "another laboratory").await;
    browser.check("plate-elsewhere").await;
    browser.scan(&tube(1)).await;
    browser.wait_for_text(".feedback.wrong", &plate(7)).await;
    browser.scan(&tube(199)).await;
    browser.wait_for_text(".feedback.wrong", "no such tube").await;
    assert_eq!(browser.text("#filled").await, "0");
    // A frozen plate is shown, and nothing can be put on it.
    browser.scan(&plate(7)).await;
    browser.wait_for_text(".feedback.already", &plate(7)).await;
    browser.scan(&tube(0)).await;
    browser.wait_for_text(".feedback.wrong", &tube(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_scan_waits_for_what_is_tested_again_and_a_list_broken_off_says_so() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = world(&browser.app).await;
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": HALF_A_LIST })).await;
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    browser.scan(&plate(3)).await;
    browser.wait_for_text(".feedback.right", &plate(3)).await;
    assert_eq!(browser.text("#waiting-part").await, "");
    browser.client.execute("window.breakOff()", Vec::new()).await.unwrap();
    browser.wait_for_text("#waiting-count", "1+").await;
    browser.check("plate-waiting").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_saved_and_goes_on_at_another_desk_and_a_rack_fills_a_plate() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let app = &browser.app;
    let world = world(app).await;
    let tubes = laboratory::receive(app, &world, 0, 0..6).await;
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    browser.scan(&plate(2)).await;
    browser.scan(&tubes[0]).await;
    browser.wait_for_text(".feedback.right", &tubes[0]).await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", &plate(2)).await;
    browser.client.execute("sessionStorage.clear()", Vec::new()).await.unwrap();
    browser.goto("/plate").await;
    browser.scan(&plate(2)).await;
    browser.wait_for_text("#filled", "1").await;
    browser.wait_for_value(&format!("{LISTS}.join()"), &json!("csv")).await;
    let _folder = give_rack(&browser, &tubes[1..]).await;
    browser.wait_for_text("#filled", "6").await;
    browser.check("plate-rack").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_go_behind_the_tubes_and_show_how_many_people_they_hold() {
    let Some(browser) = Browser::open(Size::Desktop, "zh-CN").await else { return };
    let app = &browser.app;
    let world = world(app).await;
    for n in 0..12 {
        seal_tube(app, &world, n, &people(n, 1)).await.expect(201);
    }
    let tubes: Vec<_> = (0..12).map(tube).collect();
    laboratory::deliver(app, &world, 0, &tubes).await;
    for (n, share) in (0..).zip(tubes[..10].chunks(5)) {
        laboratory::mix(app, &world, n, share).await.expect(201);
    }
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    browser.scan(&plate(2)).await;
    browser.wait_for_text(".feedback.right", &plate(2)).await;
    browser.scan(&tubes[10]).await;
    browser.wait_for_text(".feedback.right", &tubes[10]).await;
    browser.scan(&pool(0)).await;
    browser.wait_for_text(".feedback.right", &pool(0)).await;
    // A tube that was mixed lies on no plate of its own, nor does one go behind a pool.
    for code in [&tubes[3], &tubes[11]] {
        browser.scan(code).await;
        browser.wait_for_text(".feedback.wrong", code).await;
    }
    browser.scan(&pool(0)).await;
    browser.wait_for_text(".feedback.already", &pool(0)).await;
    browser.scan(&pool(1)).await;
    browser.wait_for_text(".feedback.right", &pool(1)).await;
    browser.wait_for_text("#filled", "3").await;
    browser.check("plate-pools").await;
    // Nor does a rack: the tubes of a plate lie before its pools.
    let _folder = give_rack(&browser, &tubes[11..]).await;
    browser.wait_for_text(".feedback.wrong", "先放采样管").await;
    browser.wait_for_text("#filled", "3").await;
    browser.press(Key::F9).await;
    browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
    browser.press(Key::Enter).await;
    browser.wait_for_text("#lists:not([hidden])", "Tecan").await;
    let frozen = plate_of(&browser, &world, 2).await;
    let wells = frozen["wells"].as_array().unwrap();
    let held: Vec<_> = wells.iter().filter(|well| well["pool"].is_string()).collect();
    assert_eq!((held.len(), &held[0]["depth"]), (2, &json!(5)), "{frozen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_plates_are_stamped_onto_one_of_384_and_a_scan_there_stays_quick() {
    let Some(mut browser) = Browser::open(Size::Desktop, "en").await else { return };
    let app = &browser.app;
    let world = world(app).await;
    let tubes = laboratory::receive(app, &world, 0, 0..40).await;
    for (n, some) in [(0, &tubes[..5]), (1, &tubes[5..10])] {
        laboratory::load_moving(app, &world, n, some).await;
    }
    at_plate(&browser, &world, "stamp-z").await;
    browser.scan(&plate(9)).await;
    browser.wait_for_text(".feedback.right", &plate(9)).await;
    browser.scan(&plate(0)).await;
    browser.wait_for_text("#filled", "5").await;
    browser.scan(&plate(1)).await;
    browser.wait_for_text("#filled", "10").await;
    browser.check("plate-stamped").await;
    browser.press(Key::F9).await;
    browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
    browser.press(Key::Enter).await;
    browser.wait_for_text("#lists:not([hidden])", "Tecan").await;
    let stamped = plate_of(&browser, &world, 9).await;
    assert_eq!(stamped["stamp"]["quadrants"][1], plate(1));
    // Tubes straight onto 384 wells.
    at_plate_again(&browser, "one-well-382-moving-columns").await;
    browser.scan(&plate(10)).await;
    let scans: Vec<_> =
        tubes[10..].iter().map(|tube| format!("{tube}{}", char::from(Key::Enter))).collect();
    browser.keys(&scans.concat()).await;
    browser.wait_for_text("#filled", "30").await;
    browser.wait_for_text(".feedback.right", &tubes[39]).await;
    let (count, most, middle) = scan_times(&browser).await;
    eprintln!("384 wells: {count} measures, longest {most:.2} ms, middle {middle:.2} ms");
    browser.check("plate-384").await;
    browser.resize(Size::Phone).await;
    browser.check("plate-384").await;
}

async fn at_plate_again(browser: &Browser, template: &str) {
    let settings = json!([format!("{} {}", KIT.0, KIT.1), "", template]);
    let script = "sessionStorage.clear(); localStorage.setItem('plate-settings', arguments[0])";
    browser.client.execute(script, vec![json!(settings.to_string())]).await.unwrap();
    browser.goto("/plate").await;
}
