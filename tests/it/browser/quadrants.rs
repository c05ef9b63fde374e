//! Plates of 384 that are stamped from four plates of 96: saved and gone on with, and mended in any
//! quadrant.

use fantoccini::key::Key;
use serde_json::{Value, json};

use super::plate::{at_plate, plate_of};
use super::{Browser, Size};
use crate::laboratory;
use crate::world::{World, plate, world};

/// Four frozen plates of two tubes, whose controls move with the code.
async fn four_plates(browser: &Browser, world: &World) {
    let tubes = laboratory::receive(&browser.app, world, 0, 0..8).await;
    for (n, tubes) in (0..).zip(tubes.chunks(2)) {
        laboratory::load_moving(&browser.app, world, n, tubes).await;
    }
}

/// Scans these plates, one after the other.
async fn scan_plates(browser: &Browser, plates: &[u64]) {
    for n in plates {
        browser.scan(&plate(*n)).await;
        browser.wait_for_text(".feedback.right", &plate(*n)).await;
    }
}

/// The plates of these quadrants, as they are answered.
fn quadrants(plates: [Option<u64>; 4]) -> Value {
    json!(plates.map(|n| n.map(plate)))
}

async fn undo(browser: &Browser) {
    browser.keys(&format!("{}z", char::from(Key::Control))).await;
}

async fn freeze(browser: &Browser) {
    browser.press(Key::F9).await;
    browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
    browser.press(Key::Enter).await;
    browser.wait_for_text("#lists:not([hidden])", "Tecan").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_draft_of_a_stamped_plate_goes_on_with_its_next_quadrant() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = world(&browser.app).await;
    four_plates(&browser, &world).await;
    at_plate(&browser, &world, "stamp-n").await;
    scan_plates(&browser, &[9, 0]).await;
    browser.scan("empty").await;
    browser.wait_for_text(".feedback.right", "Quadrant left empty").await;
    scan_plates(&browser, &[1]).await;
    // Nothing else is begun before it is saved.
    browser.scan(&plate(10)).await;
    browser.wait_for_text(".feedback.wrong", &plate(10)).await;
    // Nor afterwards, as long as a quadrant waits for its plate.
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", "Draft saved").await;
    browser.scan(&plate(10)).await;
    browser.wait_for_text(".feedback.wrong", &plate(10)).await;
    browser.wait_for_text("#plate-code", &plate(9)).await;
    browser.scan("empty").await;
    browser.wait_for_text(".feedback.right", "Quadrant left empty").await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", "scan the next plate").await;
    // The next plate is no source, and the saved one is found again from there.
    scan_plates(&browser, &[10]).await;
    browser.wait_for_text("#plate-code", &plate(10)).await;
    browser.wait_for_text("#filled", "0").await;
    scan_plates(&browser, &[9]).await;
    browser.wait_for_text(".feedback.right", "A saved draft goes on").await;
    browser.wait_for_text("#filled", "4").await;

    // At another desk, where another template was chosen last.
    let forget = "sessionStorage.clear();
        localStorage.setItem('plate-settings', '[\"\", \"\", \"one-well-94-columns\"]')";
    browser.client.execute(forget, Vec::new()).await.unwrap();
    browser.goto("/plate").await;
    scan_plates(&browser, &[9]).await;
    browser.wait_for_text(".feedback.right", "Quadrant 2 of 4 is next").await;
    browser.wait_for_value("document.querySelector('#template').value", &json!("stamp-n")).await;
    browser.wait_for_text("#filled", "4").await;
    browser.check("plate-stamped-again").await;
    browser.scan("empty").await;
    browser.wait_for_text(".feedback.right", "Quadrant 4 of 4 is next").await;
    scan_plates(&browser, &[2]).await;
    browser.wait_for_text("#filled", "6").await;
    freeze(&browser).await;
    let frozen = plate_of(&browser, &world, 9).await;
    assert_eq!(frozen["state"], "frozen");
    assert_eq!(frozen["stamp"]["order"], "n");
    assert_eq!(frozen["stamp"]["quadrants"], quadrants([Some(0), None, Some(1), Some(2)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamped_plate_takes_another_template_only_while_nothing_is_in_it() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = world(&browser.app).await;
    let tubes = laboratory::receive(&browser.app, &world, 0, 0..3).await;
    laboratory::load_moving(&browser.app, &world, 0, &tubes[..2]).await;
    at_plate(&browser, &world, "stamp-z").await;
    let is_fixed = "document.querySelector('#template').disabled";
    let choose = "const field = document.querySelector('#template');
        field.value = 'one-well-94-columns';
        field.dispatchEvent(new Event('change', { bubbles: true }));";
    scan_plates(&browser, &[9]).await;
    browser.wait_for_value(is_fixed, &json!(false)).await;
    browser.scan("empty").await;
    browser.wait_for_text(".feedback.right", "Quadrant left empty").await;
    browser.wait_for_value(is_fixed, &json!(true)).await;
    scan_plates(&browser, &[0]).await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", "Draft saved").await;
    undo(&browser).await;
    browser.wait_for_text("#filled", "0").await;
    browser.wait_for_value(is_fixed, &json!(true)).await;
    undo(&browser).await;
    browser.wait_for_value(is_fixed, &json!(false)).await;
    browser.client.execute(choose, Vec::new()).await.unwrap();
    browser.wait_for_text("#places", "94").await;
    browser.scan(&tubes[2]).await;
    browser.wait_for_text(".feedback.right", &tubes[2]).await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", &plate(9)).await;
    let saved = plate_of(&browser, &world, 9).await;
    assert_eq!(saved["template"], "one-well-94-columns");
    assert_eq!(saved["stamp"], Value::Null);
    assert!(saved["wells"].to_string().contains(&tubes[2]), "{saved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_nobody_knows_never_becomes_the_plate() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = world(&browser.app).await;
    four_plates(&browser, &world).await;
    at_plate(&browser, &world, "stamp-z").await;
    for (sources, instead) in
        [(&[9][..], "choose another template first"), (&[0, 1], "leave the open quadrants empty")]
    {
        scan_plates(&browser, sources).await;
        browser.scan(&plate(10)).await;
        browser.wait_for_text(".feedback.wrong", &plate(10)).await;
        browser.wait_for_text(".feedback.wrong", "A source is frozen first").await;
        browser.wait_for_text(".feedback.wrong", instead).await;
        browser.wait_for_text("#plate-code", &plate(9)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quadrant_that_was_cleared_and_saved_still_waits_and_is_named_before_freezing() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = world(&browser.app).await;
    four_plates(&browser, &world).await;
    at_plate(&browser, &world, "stamp-z").await;
    scan_plates(&browser, &[9, 0, 1, 2]).await;
    let second = "document.querySelector('#quadrants [data-quadrant=\"1\"]').focus()";
    browser.client.execute(second, Vec::new()).await.unwrap();
    browser.press(Key::Enter).await;
    browser.wait_for_text(".feedback.right", "Quadrant 2 cleared").await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", "Draft saved").await;
    browser.client.execute("sessionStorage.clear()", Vec::new()).await.unwrap();
    browser.goto("/plate").await;
    scan_plates(&browser, &[9]).await;
    browser.wait_for_text(".feedback.right", "Quadrant 2 of 4 is next").await;
    browser.wait_for_text("#places", "2").await;
    browser.press(Key::F9).await;
    browser.wait_for_text("dialog[open]", "4 filled, quadrants left empty: 2, 4.").await;
    // Whoever says no with the mouse scans on.
    browser.click("dialog[open] button:not(.primary)").await;
    browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(0)).await;
    scan_plates(&browser, &[3]).await;
    browser.wait_for_text("#filled", "6").await;
    browser.press(Key::F9).await;
    browser.wait_for_text("dialog[open]", "6 filled, quadrants left empty: 4.").await;
    browser.press(Key::Enter).await;
    browser.wait_for_text("#lists:not([hidden])", "Tecan").await;
    let frozen = plate_of(&browser, &world, 9).await;
    assert_eq!(frozen["state"], "frozen");
    assert_eq!(frozen["stamp"]["quadrants"], quadrants([Some(0), Some(3), Some(2), None]));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_quadrant_is_cleared_and_filled_anew_by_keys_alone() {
    for (language, size, clear, next) in [
        ("zh-CN", Size::Phone, "清空第 2 象限", "第 2 象限（共 4）"),
        ("en", Size::Desktop, "Clear quadrant 2", "Quadrant 2 of 4 is next"),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = world(&browser.app).await;
        four_plates(&browser, &world).await;
        at_plate(&browser, &world, "stamp-z").await;
        scan_plates(&browser, &[9, 0, 1, 2]).await;
        browser.wait_for_text("#filled", "6").await;
        browser.check("plate-quadrants").await;
        // Taken off by mistake, and put back.
        let second =
            format!("document.querySelector('#quadrants button[aria-label^=\"{clear}\"]').focus()");
        for undone in [true, false] {
            browser.client.execute(&second, Vec::new()).await.unwrap();
            browser.press(Key::Enter).await;
            browser.wait_for_text("#filled", "4").await;
            browser.wait_for_text(".feedback.right", &plate(1)).await;
            assert_eq!(browser.focus().await, "scan-field");
            if undone {
                undo(&browser).await;
                browser.wait_for_text("#filled", "6").await;
            }
        }
        // What waits in the middle still waits when the page is loaded again.
        browser.reload().await;
        browser.wait_for_text(".feedback.already", next).await;
        browser.wait_for_text("#filled", "4").await;
        scan_plates(&browser, &[3]).await;
        browser.wait_for_text("#filled", "6").await;
        browser.scan("save").await;
        browser.wait_for_text(".feedback.right", &plate(9)).await;
        let saved = plate_of(&browser, &world, 9).await;
        let expected = quadrants([Some(0), Some(3), Some(2), None]);
        assert_eq!(saved["stamp"]["quadrants"], expected);
        // Step by step all of it can be taken off again, what was done last before the others.
        for (left, taken) in [("4", 3), ("2", 2), ("0", 0)] {
            undo(&browser).await;
            browser.wait_for_text("#filled", left).await;
            browser.wait_for_text(".feedback.already", &plate(taken)).await;
        }
        assert!(!browser.text("#undo").await.contains(&plate(0)));
        assert_eq!(plate_of(&browser, &world, 9).await["stamp"]["quadrants"], expected);
    }
}
