//! Plates that are not frozen yet: at two desks, without network, and when what they were begun with
//! is gone.

use fantoccini::key::Key;
use serde_json::{Value, json};
use swabline::clock::Span;

use super::calls::{cut, lose_answer, mend};
use super::plate::{at_plate, plate_of};
use super::{Browser, Size};
use crate::laboratory::{self, KIT};
use crate::world::{World, plate, world};

/// The tubes of the plate as it is stored, in their order.
async fn tubes_of(browser: &Browser, world: &World, n: u64) -> Vec<String> {
    let stored = plate_of(browser, world, n).await;
    let held = |well: &Value| well["tube"].as_str().map(str::to_owned);
    stored["wells"].as_array().unwrap().iter().filter_map(held).collect()
}

/// Stores the plate with these tubes, as another desk does.
async fn store_elsewhere(browser: &Browser, world: &World, n: u64, tubes: &[String]) {
    let request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
        "template": "one-well-94-moving-columns", "tubes": tubes });
    let path = format!("/v1/plates/{}", plate(n));
    browser.app.put(&world.technician, &path, &request).await.expect(200);
}

/// Scans the plate and these tubes, one after the other.
async fn fill(browser: &Browser, n: u64, tubes: &[String]) {
    for code in [&[plate(n)], tubes].concat() {
        browser.scan(&code).await;
        browser.wait_for_text(".feedback.right", &code).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_desk_stored_is_not_written_over_and_this_desk_goes_on_from_there() {
    for (language, size, refused, changed) in [
        ("zh-CN", Size::Phone, "另一工位已更改此板", "此板已由另一工位保存"),
        ("en", Size::Desktop, "Another desk changed this plate", "Another desk saved this plate"),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = world(&browser.app).await;
        let tubes = laboratory::receive(&browser.app, &world, 0, 0..6).await;
        at_plate(&browser, &world, "one-well-94-moving-columns").await;
        fill(&browser, 2, &tubes[..1]).await;
        browser.scan("save").await;
        browser.wait_for_text(".feedback.right", &plate(2)).await;
        browser.scan(&tubes[2]).await;
        browser.wait_for_text(".feedback.right", &tubes[2]).await;
        store_elsewhere(&browser, &world, 2, &tubes[..2]).await;
        // Neither a tube nor the draft nor the frozen plate goes over it.
        for code in [&tubes[3], "save"] {
            browser.scan(code).await;
            browser.wait_for_text(".feedback.wrong", refused).await;
            browser.scan(&tubes[0]).await;
            browser.wait_for_text(".feedback.already", &tubes[0]).await;
        }
        browser.press(Key::F9).await;
        browser.wait_for_value("document.querySelectorAll('dialog[open]').length", &json!(1)).await;
        browser.press(Key::Enter).await;
        browser.wait_for_text(".feedback.wrong", refused).await;
        browser.check("plate-changed").await;
        let stored = plate_of(&browser, &world, 2).await;
        assert_eq!(
            (&stored["state"], tubes_of(&browser, &world, 2).await),
            (&json!("draft"), tubes[..2].to_vec())
        );
        // Scanned again, it is shown as it is, and names what is not on it.
        browser.scan(&plate(2)).await;
        browser.wait_for_text(".feedback.wrong", changed).await;
        assert!(browser.text(".feedback ul").await.contains(&tubes[2]));
        assert_eq!(browser.text("#filled").await, "2");
        browser.check("plate-changed-shown").await;
        browser.scan(&tubes[2]).await;
        browser.wait_for_text(".feedback.right", &tubes[2]).await;
        browser.scan("save").await;
        browser.wait_for_text(".feedback.right", &plate(2)).await;
        assert_eq!(tubes_of(&browser, &world, 2).await, tubes[..3]);
        // A page that is loaded again looks first, and begins with the template of the draft.
        browser.scan(&tubes[4]).await;
        browser.wait_for_text(".feedback.right", &tubes[4]).await;
        store_elsewhere(&browser, &world, 2, &tubes[..4]).await;
        let settings = "localStorage.setItem('plate-settings', '[\"\", \"\", \"stamp-z\"]')";
        browser.client.execute(settings, Vec::new()).await.unwrap();
        browser.reload().await;
        browser.wait_for_text(".feedback.wrong", changed).await;
        assert!(browser.text(".feedback ul").await.contains(&tubes[4]));
        assert_eq!(browser.text("#filled").await, "4");
        let template = "document.querySelector('#template').value";
        browser.wait_for_value(template, &json!("one-well-94-moving-columns")).await;
        browser.scan(&tubes[4]).await;
        browser.wait_for_text(".feedback.right", &tubes[4]).await;
        browser.scan("save").await;
        browser.wait_for_text(".feedback.right", &plate(2)).await;
        assert_eq!(tubes_of(&browser, &world, 2).await, tubes[..5]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plate_that_was_not_saved_outlives_a_page_loaded_again_without_network() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = world(&browser.app).await;
    let tubes = laboratory::receive(&browser.app, &world, 0, 0..4).await;
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    fill(&browser, 4, &tubes[..2]).await;
    cut(&browser).await;
    browser.scan(&tubes[2]).await;
    browser.wait_for_text(".feedback.wrong", &tubes[2]).await;
    browser.wait_for_text("#filled", "2").await;
    browser.reload().await;
    browser.wait_for_text(".feedback.wrong", &plate(4)).await;
    browser.wait_for_text(".feedback.wrong", "They are kept in this tab").await;
    browser.screenshot("plate-not-resumed-light").await;
    // Still nobody answers, and nothing is begun anew.
    browser.scan(&plate(4)).await;
    browser.wait_for_text(".feedback.wrong", "They are kept in this tab").await;
    browser.scan(&tubes[2]).await;
    browser.wait_for_text(".feedback.wrong", "Scan a plate first").await;
    mend(&browser).await;
    browser.scan(&plate(4)).await;
    browser.wait_for_text(".feedback.already", &plate(4)).await;
    browser.wait_for_text("#filled", "2").await;
    browser.scan(&tubes[2]).await;
    browser.wait_for_text(".feedback.right", &tubes[2]).await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", &plate(4)).await;
    assert_eq!(tubes_of(&browser, &world, 4).await, tubes[..3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_answer_to_a_save_was_lost_is_not_told_of_another_desk() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = world(&browser.app).await;
    let tubes = laboratory::receive(&browser.app, &world, 0, 0..5).await;
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    fill(&browser, 3, &tubes[..2]).await;
    lose_answer(&browser, "PUT").await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.wrong", "cannot be reached").await;
    assert_eq!(tubes_of(&browser, &world, 3).await, tubes[..2]);
    // The next tube is tried on what this desk saved itself.
    browser.scan(&tubes[2]).await;
    browser.wait_for_text(".feedback.right", &tubes[2]).await;
    lose_answer(&browser, "PUT").await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.wrong", "cannot be reached").await;
    // Nor after the page is loaded again.
    browser.reload().await;
    browser.wait_for_text(".feedback.right", &plate(3)).await;
    browser.wait_for_text("#filled", "3").await;
    // What another desk stored in between is still not written over.
    browser.scan(&tubes[3]).await;
    browser.wait_for_text(".feedback.right", &tubes[3]).await;
    lose_answer(&browser, "PUT").await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.wrong", "cannot be reached").await;
    store_elsewhere(&browser, &world, 3, &tubes[..1]).await;
    browser.scan(&tubes[4]).await;
    browser.wait_for_text(".feedback.wrong", "Another desk changed this plate").await;
    assert_eq!(tubes_of(&browser, &world, 3).await, tubes[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plate_goes_on_with_another_lot_and_not_with_another_kit() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let app = &browser.app;
    let world = world(app).await;
    let tubes = laboratory::receive(app, &world, 0, 0..4).await;
    for (lot, minutes) in [("B7", 600), ("A1", 5)] {
        let body = json!({ "laboratory": "L01", "expires_at": app.now() + Span::minutes(minutes),
            "reactions": 1000 });
        let path = format!("/v1/lots/{}/{lot}", KIT.0);
        app.put(&world.technician, &path, &body).await.expect(201);
    }
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    let lots = "document.querySelectorAll('#lot option').length";
    browser.wait_for_value(lots, &json!(3)).await;
    let choose = "document.querySelector('#lot').value = 'A1'";
    browser.client.execute(choose, Vec::new()).await.unwrap();
    fill(&browser, 5, &tubes[..2]).await;
    app.pass(Span::minutes(6));
    browser.reload().await;
    browser.wait_for_text(".feedback.wrong", "Lot A1 is not to be used any more").await;
    browser.wait_for_text(".feedback.wrong", "B7").await;
    browser.check("plate-lot-gone").await;
    assert_eq!(browser.text("#filled").await, "2");
    browser.scan(&tubes[2]).await;
    browser.wait_for_text(".feedback.right", &tubes[2]).await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", &plate(5)).await;
    assert_eq!(plate_of(&browser, &world, 5).await["lot"], "B7");
    // In another kit its tubes could stand in other wells: they stay kept, and other plates are filled.
    browser.scan(&tubes[3]).await;
    browser.wait_for_text(".feedback.right", &tubes[3]).await;
    let withdraw = format!("/v1/kits/{}/versions/{}/withdraw", KIT.0, KIT.1);
    app.post(&world.reviewer, &withdraw, &json!({ "reason": "recalled" })).await.expect(200);
    browser.reload().await;
    browser.wait_for_text(".feedback.wrong", "Take another plate for them").await;
    browser.scan(&tubes[3]).await;
    browser.wait_for_text(".feedback.wrong", "Scan a plate first").await;
    let kept = "Object.values(sessionStorage).join()";
    let kept = browser.client.execute(&format!("return {kept}"), Vec::new()).await.unwrap();
    assert!(kept.as_str().unwrap().contains(&tubes[3]), "{kept}");
    browser.scan(&plate(6)).await;
    browser.wait_for_text("#plate-code", &plate(6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_draft_frees_the_desk_and_keeps_what_is_in_its_wells() {
    for (language, size, unfinished, again, next) in [
        ("zh-CN", Size::Phone, "请先保存、锁定或清空", "恢复为已保存的内容", "扫描下一块板"),
        (
            "en",
            Size::Desktop,
            "Save, freeze or empty plate",
            "Scan it again to have it as it was saved",
            "scan the next plate",
        ),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = world(&browser.app).await;
        let tubes = laboratory::receive(&browser.app, &world, 0, 0..4).await;
        at_plate(&browser, &world, "one-well-94-moving-columns").await;
        fill(&browser, 2, &tubes[..2]).await;
        // What is not saved holds the desk.
        browser.scan(&plate(3)).await;
        browser.wait_for_text(".feedback.wrong", unfinished).await;
        browser.scan("save").await;
        browser.wait_for_text(".feedback.right", next).await;
        browser.check("plate-saved").await;
        fill(&browser, 3, &tubes[2..3]).await;
        browser.wait_for_text("#filled", "1").await;
        browser.scan(&plate(2)).await;
        browser.wait_for_text(".feedback.wrong", unfinished).await;
        browser.scan("save").await;
        browser.wait_for_text(".feedback.right", next).await;
        // What is taken off here and not saved holds the desk, too, also when nothing is left; scanned
        // again, the draft is as it was stored.
        browser.scan(&plate(2)).await;
        browser.wait_for_text(".feedback.right", &plate(2)).await;
        browser.wait_for_text("#filled", "2").await;
        for left in ["1", "0"] {
            browser.keys(&format!("{}z", char::from(Key::Control))).await;
            browser.wait_for_text("#filled", left).await;
            browser.scan(&plate(3)).await;
            browser.wait_for_text(".feedback.wrong", unfinished).await;
            assert_eq!(browser.text("#plate-code").await, plate(2));
        }
        browser.wait_for_text(".feedback.wrong", again).await;
        browser.check("plate-emptied").await;
        browser.reload().await;
        browser.wait_for_text(".feedback.already", &plate(2)).await;
        browser.scan(&plate(3)).await;
        browser.wait_for_text(".feedback.wrong", again).await;
        browser.scan(&plate(2)).await;
        browser.wait_for_text(".feedback.right", &plate(2)).await;
        browser.wait_for_text("#filled", "2").await;
        browser.scan(&plate(3)).await;
        browser.wait_for_text(".feedback.right", &plate(3)).await;
        browser.wait_for_text("#filled", "1").await;
        browser.scan(&plate(2)).await;
        browser.wait_for_text(".feedback.right", &plate(2)).await;
        browser.wait_for_text("#filled", "2").await;
        assert_eq!(tubes_of(&browser, &world, 2).await, tubes[..2]);
        assert_eq!(tubes_of(&browser, &world, 3).await, tubes[2..3]);
        // A page that is loaded again knows what is stored.
        browser.reload().await;
        browser.wait_for_text(".feedback.already", &plate(2)).await;
        browser.scan(&plate(3)).await;
        browser.wait_for_text(".feedback.right", &plate(3)).await;
        // Where the next plate is refused, the one before is not filled with what was chosen for it.
        browser.scan(&plate(999)).await;
        browser.wait_for_text(".feedback.wrong", &plate(999)).await;
        browser.scan(&tubes[3]).await;
        browser.wait_for_text(".feedback.wrong", &tubes[3]).await;
        assert_eq!(tubes_of(&browser, &world, 3).await, tubes[2..3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_nobody_answered_holds_the_desk() {
    let Some(browser) = Browser::open(Size::Desktop, "en").await else { return };
    let world = world(&browser.app).await;
    let tubes = laboratory::receive(&browser.app, &world, 0, 0..2).await;
    at_plate(&browser, &world, "one-well-94-moving-columns").await;
    fill(&browser, 2, &tubes[..1]).await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", "Draft saved").await;
    browser.scan(&tubes[1]).await;
    browser.wait_for_text(".feedback.right", &tubes[1]).await;
    lose_answer(&browser, "PUT").await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.wrong", "cannot be reached").await;
    // As it was when a save was answered last, and not as it is stored.
    browser.keys(&format!("{}z", char::from(Key::Control))).await;
    browser.wait_for_text("#filled", "1").await;
    assert_eq!(tubes_of(&browser, &world, 2).await, tubes);
    browser.scan(&plate(3)).await;
    browser.wait_for_text(".feedback.wrong", "Another plate is not finished").await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.right", "Draft saved").await;
    assert_eq!(tubes_of(&browser, &world, 2).await, tubes[..1]);
    browser.scan(&plate(3)).await;
    browser.wait_for_text(".feedback.right", &plate(3)).await;
    // Nor is a plate empty at its desk whose first save may have come through.
    browser.scan(&tubes[1]).await;
    browser.wait_for_text(".feedback.right", &tubes[1]).await;
    lose_answer(&browser, "PUT").await;
    browser.scan("save").await;
    browser.wait_for_text(".feedback.wrong", "cannot be reached").await;
    browser.keys(&format!("{}z", char::from(Key::Control))).await;
    browser.wait_for_text("#filled", "0").await;
    browser.scan(&plate(2)).await;
    browser.wait_for_text(".feedback.wrong", "Another plate is not finished").await;
    browser.scan(&plate(3)).await;
    browser.wait_for_text(".feedback.right", "A saved draft goes on").await;
    browser.wait_for_text("#filled", "1").await;
    browser.scan(&plate(2)).await;
    browser.wait_for_text(".feedback.right", &plate(2)).await;
}
