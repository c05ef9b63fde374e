//! The laboratory's whole way by keyboard, and the instrument's file looked at before it is kept.

use std::collections::BTreeMap;

use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::calls::{hold, release, wait_held};
use super::plate::{at_plate, plate_of, scan_times};
use super::receive::carry;
use super::{Browser, Size};
use crate::laboratory::{self, POSITIVE, SINGLE_TARGET};
use crate::world::{World, box_, people, plate, seal_tube, tube, world};

/// Scans all of them, one right after the other, as quickly as a scanner can.
async fn scan_all(browser: &Browser, codes: &[String]) {
    let enter = char::from(Key::Enter);
    browser
        .keys(&codes.iter().map(|code| format!("{code}{enter}")).collect::<Vec<_>>().concat())
        .await;
}

/// Presses Enter at the question that is shown.
async fn answer_yes(browser: &Browser) {
    browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
    browser.press(Key::Enter).await;
}

/// Scans at the field for files, of which the driver believes that only names of files are typed.
async fn scan_at_files(browser: &Browser, code: &str) {
    assert_eq!(browser.focus().await, "files");
    let enter =
        json!({ "type": "keyDown", "key": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" });
    let letters = code.chars().map(|key| json!({ "type": "keyDown", "key": key, "text": key }));
    for event in letters.chain([enter]) {
        browser.cdp("Input.dispatchKeyEvent", event).await;
    }
}

/// Gives a file to the field for it; its folder may go once it is read.
async fn give(browser: &Browser, name: &str, file: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, file).unwrap();
    let field = browser.client.find(Locator::Css("#files")).await.unwrap();
    field.send_keys(path.to_str().unwrap()).await.unwrap();
    folder
}

/// Gives a file, and waits until it is looked at.
async fn choose(browser: &Browser, name: &str, file: &[u8]) {
    let _folder = give(browser, name, file).await;
    browser.wait_for_value("document.querySelector('#verdict').hidden", &json!(false)).await;
}

/// The technician signs in, and scans the first plate.
async fn before_the_first_plate(browser: &Browser, world: &World) {
    browser.give(&world.technician, "jiyan").await;
    browser.enter("jiyan").await;
    browser.goto("/run").await;
    browser.scan(&plate(0)).await;
    browser.wait_for_text(".feedback.right", &plate(0)).await;
}

/// The runs that wait for a review.
async fn runs(browser: &Browser, world: &World) -> Vec<Value> {
    let waiting = browser.app.get(&world.technician, "/v1/reviews").await.expect(200).json();
    waiting["runs"].as_array().unwrap().clone()
}

async fn leave(browser: &Browser) {
    browser.click("form[action='/sign-out'] button").await;
    browser.wait_for_path("/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_of_93_goes_from_the_door_to_the_review_by_keyboard_alone() {
    for (language, size) in [("zh-CN", Size::Phone), ("en", Size::Desktop)] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let app = &browser.app;
        let world = world(app).await;
        let tubes: Vec<_> = (0..93).map(tube).collect();
        for n in 0..93 {
            seal_tube(app, &world, n, &people(n, 1)).await.expect(201);
        }
        carry(app, &world, 0, &tubes).await;
        browser.give(&world.receiver, "jieshou").await;
        browser.enter("jieshou").await;
        browser.goto("/receive").await;
        browser.scan(&box_(0)).await;
        browser.wait_for_text("#missing-count", "93").await;
        scan_all(&browser, &tubes).await;
        browser
            .wait_for_value("document.querySelector('#missing-count').textContent", &json!("0"))
            .await;
        browser.check("way-received").await;
        browser.press(Key::F9).await;
        browser.wait_for_text(".feedback.right", &box_(0)).await;
        leave(&browser).await;

        at_plate(&browser, &world, "one-well-94-moving-columns").await;
        browser.scan(&plate(0)).await;
        browser.wait_for_text(".feedback.right", &plate(0)).await;
        scan_all(&browser, &tubes).await;
        browser.wait_for_text(".feedback.right", &tubes[92]).await;
        let (count, most, middle) = scan_times(&browser).await;
        eprintln!("96 wells: {count} measures, longest {most:.2} ms, middle {middle:.2} ms");
        browser.check("way-plate").await;
        browser.press(Key::F9).await;
        answer_yes(&browser).await;
        browser.wait_for_text("#lists:not([hidden])", "Tecan").await;

        let frozen = plate_of(&browser, &world, 0).await;
        let read = BTreeMap::from([(tube(4), POSITIVE), (tube(40), SINGLE_TARGET)]);
        let file = laboratory::run_file_with_curves(&frozen, &read);
        browser.goto("/run").await;
        browser.scan(&plate(0)).await;
        browser.wait_for_text(".feedback.right", &plate(0)).await;
        assert_eq!(browser.focus().await, "files");
        choose(&browser, "run.txt", &file).await;
        browser.wait_for_text("#detected", "1").await;
        browser.wait_for_value("document.querySelectorAll('#controls tr').length", &json!(6)).await;
        assert_eq!(browser.focus().await, "accept");
        browser.check("run-preview").await;
        // Looking keeps nothing.
        assert_eq!(runs(&browser, &world).await.len(), 0);
        // A well by the arrows, its curves by target.
        browser.client.execute("document.querySelector('#map').focus()", Vec::new()).await.unwrap();
        for key in [Key::Down, Key::Down, Key::Down, Key::Down, Key::Right] {
            browser.press(key).await;
        }
        browser
            .wait_for_value("document.querySelectorAll('#well-curves .curve').length", &json!(6))
            .await;
        let script = "const shows = document.querySelector('#shows'); shows.selectedIndex = 1;
            shows.dispatchEvent(new Event('change'))";
        browser.client.execute(script, Vec::new()).await.unwrap();
        browser.check("run-heat").await;
        browser.press(Key::F9).await;
        browser
            .wait_for_value("document.querySelectorAll('#verdict .links a').length", &json!(4))
            .await;
        browser.check("run-accepted").await;
        assert_eq!(runs(&browser, &world).await.len(), 1);
        // The same file again is the same run.
        choose(&browser, "run.txt", &file).await;
        browser.wait_for_text(".feedback.already", &plate(0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_dropped_anywhere_and_its_warnings_are_said_in_chinese() {
    let Some(browser) = Browser::open(Size::Desktop, "zh-CN").await else { return };
    let app = &browser.app;
    let world = world(app).await;
    let tubes = laboratory::receive(app, &world, 0, 0..6).await;
    let frozen = laboratory::load_moving(app, &world, 0, &tubes).await;
    let file = laboratory::run_file(&frozen, &BTreeMap::from([(tube(2), POSITIVE)]), false);
    let text = String::from_utf8(file).unwrap();
    // As an instrument says of itself that its dyes were calibrated too long ago.
    let line = "\n* Calibration Pure Dye FAM is expired = Yes\n";
    let expired = text.replacen('\n', line, 1);
    before_the_first_plate(&browser, &world).await;
    let dropped = "const carried = new DataTransfer();
        carried.items.add(new File([arguments[0]], 'run.txt', { type: 'text/plain' }));
        const fall = kind => document.querySelector('h1').dispatchEvent(new DragEvent(kind,
            { dataTransfer: carried, bubbles: true, cancelable: true }));
        fall('dragover');
        const shown = document.body.classList.contains('dropping');
        return [shown, fall('drop'), document.body.classList.contains('dropping')]";
    let fell = browser.client.execute(dropped, vec![json!(expired)]).await.unwrap();
    // It is shown where it falls, and the browser does not open it in place of the page.
    assert_eq!(fell, json!([true, false, false]));
    browser.wait_for_text("#detected", "1").await;
    browser.wait_for_text("#verdict", "仪器的校准已过期。 fam").await;
    browser.check("run-dropped").await;
    browser.press(Key::F9).await;
    browser
        .wait_for_value("document.querySelectorAll('#verdict .links a').length", &json!(3))
        .await;
    assert_eq!(runs(&browser, &world).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_plate_shows_every_reason_and_nothing_is_kept() {
    for (language, size) in [("zh-CN", Size::Phone), ("en", Size::Desktop)] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let app = &browser.app;
        let world = world(app).await;
        let tubes = laboratory::receive(app, &world, 0, 0..24).await;
        let first = laboratory::load_moving(app, &world, 0, &tubes[..12]).await;
        laboratory::load_moving(app, &world, 1, &tubes[12..]).await;
        let file = laboratory::run_file_with_curves(&first, &BTreeMap::new());
        browser.give(&world.technician, "jiyan").await;
        browser.enter("jiyan").await;
        browser.goto("/run").await;
        browser.check("run-ready").await;
        browser.scan(&plate(1)).await;
        browser.wait_for_text(".feedback.right", &plate(1)).await;
        browser.check("run-opened").await;
        choose(&browser, "run.txt", &file).await;
        browser.wait_for_text(".feedback.wrong", &plate(1)).await;
        let said = browser.text("#verdict").await;
        assert!(said.contains(&plate(0)), "{said}");
        assert!(said.contains(&tubes[0]), "{said}");
        browser.check("run-other-plate").await;
        browser.press(Key::F9).await;
        browser
            .wait_for_value(
                "document.querySelectorAll('.feedback.wrong .feedback-code').length",
                &json!(0),
            )
            .await;
        assert_eq!(runs(&browser, &world).await.len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_looked_at_late_stays_with_its_own_plate() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let app = &browser.app;
    let world = world(app).await;
    let tubes = laboratory::receive(app, &world, 0, 0..24).await;
    let first = laboratory::load(app, &world, 0, &tubes[..12]).await;
    laboratory::load(app, &world, 1, &tubes[12..]).await;
    // Nothing in it names a plate or a tube: it would fit either.
    let file = laboratory::run_file(&first, &BTreeMap::new(), false);
    let mut text = String::from_utf8(file).unwrap().replace(&plate(0), "");
    for tube in &tubes {
        text = text.replace(tube, "");
    }
    before_the_first_plate(&browser, &world).await;
    hold(&browser, "dry_run").await;
    let _folder = give(&browser, "run.txt", text.as_bytes()).await;
    wait_held(&browser, 1).await;
    scan_at_files(&browser, &plate(1)).await;
    browser.wait_for_text("#plate-code", &plate(1)).await;
    release(&browser).await;
    for css in ["#verdict", "#accept"] {
        let hidden = format!("document.querySelector('{css}').hidden");
        browser.wait_for_value(&hidden, &json!(true)).await;
    }
    let rest = "document.querySelector('#scan-field').focus()";
    browser.client.execute(rest, Vec::new()).await.unwrap();
    browser.press(Key::F9).await;
    browser.wait_for_text(".feedback.wrong", "There is nothing to accept").await;
    assert_eq!(runs(&browser, &world).await.len(), 0);
    browser.client.execute(rest, Vec::new()).await.unwrap();
    // On its own plate it is looked at and kept.
    browser.scan(&plate(0)).await;
    browser.wait_for_text("#plate-code", &plate(0)).await;
    choose(&browser, "run.txt", text.as_bytes()).await;
    browser.press(Key::F9).await;
    browser.wait_for_text(".feedback.right", "Run accepted").await;
    let kept = runs(&browser, &world).await;
    assert_eq!(kept.iter().map(|run| &run["plate"]).collect::<Vec<_>>(), [&json!(plate(0))]);
}

/// A proxy before the server that takes nothing so large, and says so in a page of its own.
const PROXY: &str = "const real = window.fetch;
    window.fetch = async (url, ...rest) => String(url).includes('/runs')
        ? new Response('<html><h1>413 Request Entity Too Large</h1></html>',
            { status: 413, headers: { 'content-type': 'text/html' } })
        : real(url, ...rest)";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_proxy_finds_too_large_is_no_lost_network() {
    for (language, said) in [("en", "a proxy before it"), ("zh-CN", "代理不接收")] {
        let Some(browser) = Browser::open(Size::Desktop, language).await else { return };
        let world = world(&browser.app).await;
        let tubes = laboratory::receive(&browser.app, &world, 0, 0..3).await;
        let loaded = laboratory::load(&browser.app, &world, 0, &tubes).await;
        let file = laboratory::run_file(&loaded, &BTreeMap::new(), false);
        before_the_first_plate(&browser, &world).await;
        browser.client.execute(PROXY, Vec::new()).await.unwrap();
        let _folder = give(&browser, "run.txt", &file).await;
        browser.wait_for_text("#verdict", said).await;
        assert_eq!(runs(&browser, &world).await.len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_controls_failed_says_so_and_is_kept_only_when_told_twice() {
    for (language, size, silent, known) in [
        (
            "zh-CN",
            Size::Phone,
            "C11 阳性质控未扩增，请重新上机。 N Ct",
            "有这种形式的说明行： * Key",
        ),
        (
            "en",
            Size::Desktop,
            "C11 positive control in C11: N did not amplify",
            "metadata lines `* K",
        ),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let app = &browser.app;
        let world = world(app).await;
        let tubes = laboratory::receive(app, &world, 0, 0..12).await;
        let loaded = laboratory::load(app, &world, 0, &tubes).await;
        let file = laboratory::run_file(&loaded, &BTreeMap::new(), true);
        before_the_first_plate(&browser, &world).await;
        choose(&browser, "run.txt", &file).await;
        browser.wait_for_text("#verdict.unusable", silent).await;
        browser.wait_for_text("#facts", known).await;
        // A sentence of the other language stands nowhere beside the words for it.
        let english = "document.querySelectorAll('#verdict [lang=en], #facts [lang=en]').length";
        let marked = if language == "en" { "> 0" } else { "=== 0" };
        browser.wait_for_value(&format!("{english} {marked}"), &json!(true)).await;
        browser.check("run-unusable").await;
        browser.press(Key::F9).await;
        answer_yes(&browser).await;
        browser.wait_for_text(".feedback.right", &plate(0)).await;
        // A draft is told from a plate that was run.
        let draft = json!({ "laboratory": "L01", "kit": laboratory::KIT.0,
            "kit_version": laboratory::KIT.1, "template": "one-well-94-columns", "tubes": [] });
        let _made = app.put(&world.technician, &format!("/v1/plates/{}", plate(5)), &draft).await;
        browser.scan(&plate(5)).await;
        browser.wait_for_text(".feedback.wrong", &plate(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_analysis_takes_the_place_of_a_run_when_somebody_says_why() {
    for (language, size) in [("zh-CN", Size::Phone), ("en", Size::Desktop)] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let app = &browser.app;
        let world = world(app).await;
        let tubes = laboratory::receive(app, &world, 0, 0..12).await;
        let loaded = laboratory::load(app, &world, 0, &tubes).await;
        let of = |signals| {
            laboratory::run_file(&loaded, &BTreeMap::from([(tubes[0].clone(), signals)]), false)
        };
        let before =
            laboratory::upload(app, &world, &loaded, of(POSITIVE)).await.expect(201).json();
        browser.give(&world.technician, "jiyan").await;
        browser.enter("jiyan").await;
        browser.goto("/run").await;
        browser.scan(&plate(0)).await;
        browser.wait_for_text("#plate-code", &plate(0)).await;
        choose(&browser, "run.txt", &of(SINGLE_TARGET)).await;
        let offered = "document.querySelector('#replace').checkVisibility()";
        browser.wait_for_value(offered, &json!(true)).await;
        browser.check("run-replace").await;
        // Nobody replaces a run without a reason.
        browser.click("#replace button").await;
        let unsaid = "document.querySelectorAll('#replace-reason:user-invalid').length";
        browser.wait_for_value(unsaid, &json!(1)).await;
        let choose = "document.querySelector('#replace-reason').value = 'analysed_again'";
        browser.client.execute(choose, Vec::new()).await.unwrap();
        browser.click("#replace button").await;
        browser.wait_for_value("document.querySelector('#accept').hidden", &json!(false)).await;
        browser.wait_for_value(offered, &json!(false)).await;
        browser.check("run-replaces").await;
        browser.press(Key::F9).await;
        browser.wait_for_value("document.querySelector('#accept').hidden", &json!(true)).await;
        let kept = runs(&browser, &world).await;
        let [now] = &kept[..] else { panic!("one run counts: {kept:?}") };
        assert_ne!(now["id"], before["id"]);
        let path = format!("/v1/runs/{}", now["id"].as_str().unwrap());
        let stored = app.get(&world.technician, &path).await.expect(200).json();
        assert_eq!(
            (&stored["replaces"]["replaces"], &stored["replaces"]["reason"]),
            (&before["id"], &json!("analysed_again"))
        );
    }
}
