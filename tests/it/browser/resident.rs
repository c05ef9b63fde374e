//! A resident asks on a phone: with document and code, with the link on the slip, wrongly until
//! blocked; and takes the report home.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use swabline::clock::Span;

use super::{Browser, Size};
use crate::laboratory::{self as lab, POSITIVE};
use crate::world::{Person, World, people, person, seal_tube, tube, world};

/// One pool is negative, one positive; both are released. A third is in a laboratory.
async fn released(browser: &Browser) -> World {
    let app = &browser.app;
    let world = world(app).await;
    for n in 0..3 {
        seal_tube(app, &world, n, &people(n * 10, 10)).await.expect(201);
    }
    let codes = [tube(0), tube(1)];
    lab::deliver(app, &world, 0, &codes).await;
    let plate = lab::load(app, &world, 0, &codes).await;
    let file = lab::run_file(&plate, &BTreeMap::from([(tube(1), POSITIVE)]), false);
    let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
    lab::release(app, &world, run["id"].as_str().unwrap()).await;
    world
}

/// Types document and code as somebody does, and sends them.
async fn ask(browser: &Browser, who: &Person, code: &str) {
    browser.goto("/r").await;
    let fill = "document.querySelector('#number').value = arguments[0];
        document.querySelector('#code').focus();";
    browser.client.execute(fill, vec![json!(who.number)]).await.unwrap();
    browser.scan(code).await;
    browser.wait_for_value("document.readyState === 'complete' && performance.getEntriesByType('navigation')[0].type", &json!("navigate")).await;
}

fn code(browser: &Browser, tube_number: u64, position: u8) -> String {
    browser.app.app.keys.pickup_code("W01", &tube(tube_number), position).as_str().to_owned()
}

/// The report that the page offers, as bytes.
async fn report(browser: &Browser) -> Vec<u8> {
    let fetch = "const done = arguments[0];
        const link = document.querySelector('form[action=\"/r/report\"] input').value;
        fetch('/r/report', { method: 'POST', body: new URLSearchParams({ link }) })
            .then(answer => answer.arrayBuffer())
            .then(bytes => done(btoa(String.fromCharCode(...new Uint8Array(bytes)))));";
    let sent = browser.client.execute_async(fetch, Vec::new()).await.unwrap();
    data_encoding::BASE64.decode(sent.as_str().unwrap().as_bytes()).unwrap()
}

/// What a PDF says, where poppler is there to read it, and whether it could read Chinese.
fn text_of(name: &str, pdf: &[u8]) -> Option<(String, bool)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{name}.pdf"));
    std::fs::write(&file, pdf).unwrap();
    let told = Command::new("pdftotext").arg("-layout").arg(&file).arg("-").output();
    let Ok(told) = told else {
        eprintln!("the report was not read: pdftotext is missing");
        return None;
    };
    let reads_chinese = !String::from_utf8_lossy(&told.stderr).contains("language pack");
    if !reads_chinese {
        eprintln!("the Chinese of the report was not read: poppler-data is missing");
    }
    Some((String::from_utf8(told.stdout).unwrap(), reads_chinese))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_reads_what_was_measured_and_takes_the_report_home() {
    for (language, size, negative, pending, verified) in [
        ("zh-CN", Size::Phone, "未检出", "不代表阴性", "并不说明您已感染"),
        (
            "en",
            Size::Desktop,
            "Not detected",
            "does not mean negative",
            "does not mean that you are infected",
        ),
    ] {
        let Some(browser) = Browser::open(size, language).await else { return };
        let world = released(&browser).await;
        browser.goto("/r").await;
        browser.check("resident-ask").await;

        // A pool that is on its way says nothing, and above all not "negative".
        ask(&browser, &person(20), &code(&browser, 2, 1)).await;
        browser.wait_for_text(".answer.mind", pending).await;
        browser.check("resident-pending").await;
        assert_eq!(browser.paths("form[action='/r/report']").await.len(), 0);
        lab::deliver(&browser.app, &world, 1, &[tube(2)]).await;
        ask(&browser, &person(20), &code(&browser, 2, 1)).await;
        browser.wait_for_value("document.querySelectorAll('.steps .done').length", &json!(2)).await;

        // A positive pool gives nobody a result, and frightens nobody.
        ask(&browser, &person(11), &code(&browser, 1, 2)).await;
        browser.wait_for_text(".answer.mind", verified).await;
        browser.check("resident-verification").await;
        assert!(!browser.has("form[action='/r/report']").await);

        ask(&browser, &person(3), &code(&browser, 0, 4)).await;
        browser.wait_for_text(".answer.good", negative).await;
        browser.wait_for_text(".answer.good", "10").await;
        browser.check("resident-negative").await;
        let shown = browser.client.source().await.unwrap();
        assert!(!shown.contains(&person(3).number), "a number is shown again");
        let pdf = report(&browser).await;
        assert!(pdf.starts_with(b"%PDF-"));
        if let Some((text, reads_chinese)) = text_of(&format!("report-{language}"), &pdf) {
            says_everything(&text, &world);
            if reads_chinese {
                assert!(
                    text.contains("Page 1 of 1") || text.contains("第 1 页，共 1 页"),
                    "{text}"
                );
                for wanted in ["核酸检测报告", "未检出", "10 人", "采样00003", "报告结束"]
                {
                    assert!(text.contains(wanted), "{wanted} is missing from:\n{text}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_an_amended_result_says_so_why_and_what_it_said_before() {
    let Some(browser) = Browser::open(Size::Phone, "en").await else { return };
    let app = &browser.app;
    let world = world(app).await;
    seal_tube(app, &world, 0, &people(3, 1)).await.expect(201);
    lab::deliver(app, &world, 0, &[tube(0)]).await;
    let plate = lab::load(app, &world, 0, &[tube(0)]).await;
    let file = lab::run_file(&plate, &BTreeMap::new(), false);
    let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
    lab::release(app, &world, run["id"].as_str().unwrap()).await;
    let path = format!("/v1/results/{}.1/amend", tube(0));
    let wanted = json!({ "outcome": "detected", "reason": "clerical" });
    app.post(&world.reviewer, &path, &wanted).await.expect(202);
    app.post(&world.second_reviewer, &path, &wanted).await.expect(201);
    ask(&browser, &person(3), &code(&browser, 0, 1)).await;
    browser.wait_for_text(".answer", "Detected").await;
    browser.check("resident-amended").await;
    let pdf = report(&browser).await;
    let Some((text, reads_chinese)) = text_of("report-amended", &pdf) else { return };
    for wanted in [
        "Amended report (version 2), in place of the versions before",
        "A record was wrong",
        "1: Not detected",
        &format!("{}.2/1", tube(0)),
        "Detected",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing from:\n{text}");
    }
    assert!(!text.contains("Final report"), "{text}");
    if reads_chinese {
        for wanted in ["更正报告（第 2 版）", "记录有误", "此前版本"] {
            assert!(text.contains(wanted), "{wanted} is missing from:\n{text}");
        }
    }
}

/// Every field of ISO 15189:2022 7.4.1.6 stands there.
fn says_everything(text: &str, world: &World) {
    let masked = format!("999***********{}", &person(3).number[14..]);
    for wanted in [
        "Nucleic acid test report",
        "Laboratory 1",
        "1 Laboratory Road",
        "Not detected",
        "Canary00003",
        &masked,
        "oropharyngeal swab",
        "June",
        "North gate",
        &tube(0),
        &format!("{}.1/4", tube(0)),
        "ORF1ab",
        "Final report",
        &world.second_reviewer.actor.name,
        &world.reviewer.actor.name,
        "Real-time PCR",
        "10 people",
        "UTC+8",
        "End of report",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing from:\n{text}");
    }
    assert!(!text.contains(&person(3).number), "the whole number stands on paper");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_on_the_slip_is_enough_and_leaves_the_address() {
    for (language, size, negative) in
        [("zh-CN", Size::Phone, "未检出"), ("en", Size::Desktop, "Not detected")]
    {
        let Some(browser) = Browser::open(size, language).await else { return };
        released(&browser).await;
        let (keys, now) = (&browser.app.app.keys, browser.app.now());
        let of_person = keys.person_key("resident_id", &person(3).number);
        let link = keys.link(&of_person, now + Span::days(1));
        browser.goto(&format!("/r#link={link}")).await;
        browser.wait_for_text(".answer.good", negative).await;
        assert_eq!(browser.path().await, "/r");
        // An old link is answered like a wrong code.
        let old = keys.link(&of_person, now);
        browser.goto("/scanner").await;
        browser.goto(&format!("/r#link={old}")).await;
        browser.wait_for_value("document.querySelectorAll('.notice.bad').length", &json!(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_guesses_tell_nothing_and_are_stopped() {
    let Some(browser) = Browser::open(Size::Phone, "zh-CN").await else { return };
    released(&browser).await;
    let page = "return document.querySelector('main').innerText";
    let said = async |who: &Person, typed: &str| -> Value {
        ask(&browser, who, typed).await;
        browser.wait_for_value("document.querySelectorAll('.notice.bad').length", &json!(1)).await;
        browser.client.execute(page, Vec::new()).await.unwrap()
    };
    let known = said(&person(3), "00000-00000").await;
    assert_eq!(known, said(&person(555), "00000-00000").await, "somebody unknown reads otherwise");
    browser.check("resident-wrong").await;
    for _ in 0..9 {
        said(&person(3), "00000-00000").await;
        said(&person(555), "00000-00000").await;
    }
    let blocked = said(&person(3), &code(&browser, 0, 4)).await;
    assert!(blocked.as_str().unwrap().contains("尝试次数过多"), "{blocked}");
    assert_eq!(blocked, said(&person(555), "00000-00000").await);
    browser.check("resident-blocked").await;
}
