//! Where a scanner is tried, which is a station like every other.

use std::process::Command;
use std::time::Duration;

use fantoccini::key::Key;
use serde_json::{Value, json};
use swabline::auth::Role;

use super::plate::at_plate;
use super::{Browser, Size};
use crate::labels::{can_run, read_back, run};
use crate::laboratory::{self, KIT};
use crate::world::{plate, tube, world};

/// The template that is chosen before the lists are tried.
const TEMPLATE: &str = "one-well-94-moving-columns";
/// What is chosen for a plate.
const CHOSEN: &str = "['kit', 'lot', 'template'].map(id => document.querySelector('#' + id).value)";
/// A lot that begins as the codes of plates do; `window.changes` counts what the page hears of lots.
const LOT: &str = "const list = document.querySelector('#lot');
    list.add(new Option('P 1', 'P1'));
    window.changes = 0;
    list.addEventListener('change', () => { window.changes += 1; })";

/// At the plate page with all there is to choose from, and the lot; gives a tube that can be placed.
async fn at_lists(browser: &Browser) -> String {
    let world = world(&browser.app).await;
    let mut tubes = laboratory::receive(&browser.app, &world, 0, 0..1).await;
    at_plate(browser, &world, TEMPLATE).await;
    // Answered when all is loaded.
    browser.scan(&tubes[0]).await;
    browser.wait_for_text(".feedback.wrong", &tubes[0]).await;
    browser.wait_for_value(CHOSEN, &chosen("")).await;
    browser.client.execute(LOT, Vec::new()).await.unwrap();
    tubes.remove(0)
}

/// Kit and template as they were, with this lot.
fn chosen(lot: &str) -> Value {
    json!([format!("{} {}", KIT.0, KIT.1), lot, TEMPLATE])
}

/// Onto this list, as long after the last key as a person takes.
async fn go_to(browser: &Browser, list: &str) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    let script = format!("document.querySelector('#{list}').focus()");
    browser.client.execute(&script, Vec::new()).await.unwrap();
    assert_eq!(browser.focus().await, list);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_alone_is_enough_and_each_answer_is_seen_and_read_out() {
    for (language, size) in [("zh-CN", Size::Phone), ("en", Size::Desktop)] {
        let Some(browser) = Browser::open(size, language).await else { return };
        browser.sign_in(Role::Sampler).await;
        browser.goto("/scanner").await;
        browser.check("scanner-ready").await;
        browser.scan(&tube(1)).await;
        browser.wait_for_text(".feedback.right", &tube(1)).await;
        browser.check("scanner-right").await;
        browser.scan(&tube(1)).await;
        browser.wait_for_text(".feedback.already", &tube(1)).await;
        browser.check("scanner-already").await;
        browser.scan("T00000000010").await;
        browser.wait_for_text(".feedback.wrong", "T00000000010").await;
        browser.check("scanner-wrong").await;
        assert_eq!(browser.focus().await, "scan-field");
        assert_eq!(browser.text("#count").await, "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_reaches_the_field_wherever_the_focus_is() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    browser.sign_in(Role::Technician).await;
    browser.goto("/scanner").await;
    // Onto the button beside the field, the checkbox, and the page itself.
    for (n, script) in [
        (1, "document.querySelector('#scan button').focus()"),
        (2, "document.querySelector('#sound').focus()"),
        (3, "document.querySelector('.mark').focus()"),
        (4, "document.activeElement.blur()"),
    ] {
        browser.client.execute(script, Vec::new()).await.unwrap();
        browser.scan(&plate(n)).await;
        browser.wait_for_text(".feedback.right", &plate(n)).await;
        assert_eq!(browser.focus().await, "scan-field");
    }
    // Nobody is held there who wants to go on by keyboard.
    browser.press(Key::Tab).await;
    assert_ne!(browser.focus().await, "scan-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_chooses_nothing_in_the_list_that_has_the_focus() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let tube = at_lists(&browser).await;
    // Its arrows choose, as everywhere.
    go_to(&browser, "template").await;
    browser.press(Key::Down).await;
    let is_other = format!("document.querySelector('#template').value !== '{TEMPLATE}'");
    browser.wait_for_value(&is_other, &json!(true)).await;
    browser.press(Key::Up).await;
    browser.wait_for_value(CHOSEN, &chosen("")).await;
    for (list, code) in [("lot", &plate(3)), ("template", &plate(4)), ("kit", &tube)] {
        go_to(&browser, list).await;
        browser.scan(code).await;
        browser.wait_for_text(".feedback.right", code).await;
        assert_eq!(browser.focus().await, "scan-field");
        browser.wait_for_value(CHOSEN, &chosen("")).await;
    }
    browser.wait_for_text("#filled", "1").await;
    // Nor does the page hear of what the first letter chose.
    browser.wait_for_value("window.changes", &json!(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_chooses_in_the_list_that_has_the_focus_and_spoils_no_scan() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    at_lists(&browser).await;
    go_to(&browser, "lot").await;
    browser.keys("p").await;
    browser.wait_for_value("window.changes", &json!(1)).await;
    browser.wait_for_value(CHOSEN, &chosen("P1")).await;
    assert_eq!(browser.focus().await, "lot");
    browser.wait_for_value("document.querySelector('#scan-field').value", &json!("")).await;
    go_to(&browser, "lot").await;
    browser.scan(&plate(3)).await;
    browser.wait_for_text(".feedback.right", &plate(3)).await;
    browser.wait_for_value(CHOSEN, &chosen("P1")).await;
    browser.wait_for_value("window.changes", &json!(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_held_down_is_no_scan() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    at_lists(&browser).await;
    for (repeat, field, focus) in [(true, "", "lot"), (false, "pp", "scan-field")] {
        go_to(&browser, "lot").await;
        let keys = format!(
            "for (const repeat of [false, {repeat}]) document.activeElement.dispatchEvent(
                new KeyboardEvent('keydown', {{ key: 'p', bubbles: true, repeat }}))"
        );
        browser.client.execute(&keys, Vec::new()).await.unwrap();
        assert_eq!(browser.focus().await, focus);
        browser.wait_for_value("document.querySelector('#scan-field').value", &json!(field)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_busy_takes_back_what_it_was_told_of_a_scan_s_first_letter() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    at_lists(&browser).await;
    go_to(&browser, "lot").await;
    // The second key was pressed at once, and comes when the page has heard of the first.
    let keys = "const [first, second] = [1, 2].map(() =>
            new KeyboardEvent('keydown', { key: 'p', bubbles: true }));
        const list = document.activeElement;
        list.dispatchEvent(first);
        list.value = 'P1';
        setTimeout(() => list.dispatchEvent(second), 1000)";
    browser.client.execute(keys, Vec::new()).await.unwrap();
    browser.wait_for_value("document.querySelector('#scan-field').value", &json!("pp")).await;
    browser.wait_for_value(CHOSEN, &chosen("")).await;
    browser.wait_for_value("window.changes", &json!(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_thing_done_is_undone_by_key_by_button_and_by_scan() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    browser.sign_in(Role::Sampler).await;
    browser.goto("/scanner").await;
    let offer = "const done = arguments[arguments.length - 1];
        import(document.querySelector('link[rel=modulepreload]').href).then(station => {
            station.undoable(arguments[0], () => { window.undone = arguments[0]; });
            done(true);
        });";
    for (n, how) in ["key", "button", "scan"].into_iter().enumerate() {
        browser.client.execute_async(offer, vec![json!(how)]).await.unwrap();
        browser.wait_for_text("#undo", &format!("Undo: {how}")).await;
        match n {
            0 => browser.keys(&format!("{}z", char::from(Key::Control))).await,
            1 => browser.click("#undo").await,
            _ => browser.scan("undo").await,
        }
        browser.wait_for_text(".feedback.already", &format!("Undone: {how}")).await;
        let undone = browser.client.execute("return window.undone", Vec::new()).await.unwrap();
        assert_eq!(undone, json!(how));
        // What was undone is not undone twice.
        assert_eq!(browser.text("#undo").await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_card_is_read_as_the_command_that_stands_under_it() {
    for (language, size) in [("zh-CN", Size::Desktop), ("en", Size::Phone)] {
        let Some(browser) = Browser::open(size, language).await else { return };
        browser.sign_in(Role::Receiver).await;
        assert!(browser.paths("a.tile").await.contains(&"/cards".to_owned()));
        browser.goto("/cards").await;
        browser.check("cards").await;
        let cards = "return [...document.querySelectorAll('.cards li')]
            .map(card => [card.querySelector('code').textContent, card.querySelector('svg').outerHTML])";
        let cards = browser.client.execute(cards, Vec::new()).await.unwrap();
        let cards: Vec<(String, String)> = serde_json::from_value(cards).unwrap();
        assert_eq!(cards.len(), 26);
        if !can_run(&["zbarimg", "rsvg-convert"]) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for (command, drawn) in cards {
            let svg = folder.path().join("card.svg");
            std::fs::write(&svg, drawn).unwrap();
            let png = folder.path().join("card.png");
            run(Command::new("rsvg-convert").args(["--width", "900", "-o"]).arg(&png).arg(&svg));
            assert_eq!(read_back(&png), [command]);
        }
    }
}
