//! The city's board: where everybody is, how long it takes, what waits, and the proof. Drawn whole
//! by the server each time; the ES module fetches it anew when the stream says that something moved.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use serde::Deserialize;

use super::{Page, html};
use crate::app::App;
use crate::auth::{Actor, policy};
use crate::clock::Time;
use crate::error::Result;
use crate::figures::api::FiguresQuery;
use crate::figures::proof::Proven;
use crate::figures::store::{Choices, choices};
use crate::figures::svg::{grouped, name, span};
use crate::figures::{Amount, Figures, LaboratoryLine, Turnaround, Waiting, WaitsFor};
use crate::http::extract::Query;
use crate::review::{AUTO_RELEASE, switch_find};

/// Things that wait, shown at most.
const OLDEST_MAX: usize = 12;
/// Units of a bar's whole length.
const BAR: i64 = 1_000;

/// What is asked for; an empty field asks for everything.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    round: String,
    area: String,
    laboratory: String,
    /// For a screen on a wall: large, dark, nothing to press.
    wall: String,
}

/// One stage of the way.
struct Stage {
    key: &'static str,
    name: &'static str,
    about: &'static str,
    amount: Amount,
    /// Of all that were collected, in thousandths.
    share: i64,
}

/// How long a stretch takes.
struct Pace {
    name: &'static str,
    half: String,
    nine: String,
    limit: String,
    exceeds: bool,
}

/// A laboratory and its load, in thousandths of the highest.
struct Load {
    line: LaboratoryLine,
    load: i64,
}

/// An area, with the released of its collected in thousandths.
struct District {
    area: String,
    collected: Amount,
    under_way: i64,
    released: i64,
    share: i64,
}

/// Something that waits.
struct Waits {
    kind: &'static str,
    code: String,
    place: String,
    since: String,
    minutes: i64,
}

#[derive(Template)]
#[template(path = "board.html")]
struct Board {
    page: Page,
    asked: Asked,
    choices: Choices,
    /// Whoever works in one laboratory sees that one.
    is_bound: bool,
    /// What is asked for, as the routes of the figures take it.
    query: String,
    day: String,
    at: String,
    figures: Arc<Figures>,
    stages: Vec<Stage>,
    /// Tubes that came to an end without a result.
    otherwise: Amount,
    paces: Vec<Pace>,
    loads: Vec<Load>,
    districts: Vec<District>,
    waits: Vec<Waits>,
    may_prove: bool,
    proven: Option<Proven>,
    /// Until when clean negatives are released without a second person, where they are (R45).
    by_rule_until: Option<Time>,
}

impl Board {
    fn is_wall(&self) -> bool {
        !self.asked.wall.is_empty()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    fn number(number: &i64) -> String {
        grouped(*number)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    fn clock(at: &Time) -> String {
        clock(*at)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    fn hour(at: &Time) -> String {
        at.local().get(11..16).unwrap_or_default().to_owned()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    fn day_of(at: &Time) -> String {
        at.local().get(..10).unwrap_or_default().to_owned()
    }

    fn is(one: &str, other: &str) -> bool {
        one == other
    }
}

/// The board, for whoever may see the figures.
pub async fn board_get(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>> {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let question = FiguresQuery {
        round: some(&asked.round),
        area: some(&asked.area),
        laboratory: some(&asked.laboratory),
    };
    let scope = question.scope(&app, &actor).await?;
    let now = app.clock.now();
    let seen = app.board.look(&app, &scope).await?;
    let mut tx = app.db.read("board").await?;
    let choices = choices(&mut tx).await?;
    let by_rule = switch_find(&mut tx, AUTO_RELEASE, now).await?;
    drop(tx);
    // The proof is of the whole city; whoever is bound to a place asks the ledger for theirs.
    let is_bound = actor.laboratory.is_some();
    let may_prove =
        !is_bound && policy::rule("GET", "/v1/ledger").is_some_and(|rule| rule.allows(actor.role));
    let proven = if may_prove { app.board.proof().look(&app).await } else { None };
    let (otherwise, stages) = (otherwise(&seen), stages(&seen));
    html(&Board {
        query: query(&asked, &page),
        day: now.day(),
        at: clock(now),
        paces: seen.turnaround.iter().map(pace).collect(),
        loads: loads(&seen),
        districts: districts(&seen),
        waits: waits(&seen, now),
        page,
        asked,
        choices,
        is_bound,
        figures: seen,
        stages,
        otherwise,
        may_prove,
        proven,
        by_rule_until: by_rule.until.filter(|_| by_rule.on),
    })
}

fn clock(at: Time) -> String {
    at.local().get(11..19).unwrap_or_default().to_owned()
}

/// What is asked for and the page's language, as a query string.
fn query(asked: &Asked, page: &Page) -> String {
    let fields =
        [("round", &asked.round), ("area", &asked.area), ("laboratory", &asked.laboratory)];
    let named = fields.into_iter().filter(|(_, text)| !text.is_empty());
    let named: Vec<(&str, &str)> = named
        .map(|(name, text)| (name, text.as_str()))
        .chain([("language", page.language.code())])
        .collect();
    serde_urlencoded::to_string(named).unwrap_or_default()
}

const fn share(part: i64, whole: i64) -> i64 {
    if whole > 0 { part * BAR / whole } else { 0 }
}

/// The way of a tube, from the swab to the result.
fn stages(figures: &Figures) -> Vec<Stage> {
    let all = &figures.stages;
    let stage = |key, name, about, amount: Amount| Stage {
        key,
        name,
        about,
        amount,
        share: share(amount.people, all.collected.people),
    };
    vec![
        stage("collected", "board-collected", "board-collected-about", all.collected),
        stage("in-transit", "board-in-transit", "board-in-transit-about", all.in_transit),
        stage("received", "board-received", "board-received-about", all.received),
        stage("in-process", "board-in-process", "board-in-process-about", all.in_process),
        stage("released", "board-released", "board-released-about", all.released),
    ]
}

fn otherwise(figures: &Figures) -> Amount {
    let mut sum = figures.stages.refused;
    sum += figures.stages.missing;
    sum += figures.stages.closed;
    sum
}

fn pace(one: &Turnaround) -> Pace {
    let told = |minutes: Option<i64>| minutes.map_or_else(|| "–".to_owned(), span);
    let exceeds = one.p90_minutes.zip(one.limit_minutes).is_some_and(|(nine, limit)| nine > limit);
    Pace {
        name: name(one.stretch),
        half: told(one.p50_minutes),
        nine: told(one.p90_minutes),
        limit: told(one.limit_minutes),
        exceeds,
    }
}

fn loads(figures: &Figures) -> Vec<Load> {
    let load = |line: &LaboratoryLine| line.stages.received.tubes + line.stages.in_process.tubes;
    let highest = figures.laboratories.iter().map(load).max().unwrap_or(0);
    let lines = figures.laboratories.iter().cloned();
    lines.map(|line| Load { load: share(load(&line), highest), line }).collect()
}

fn districts(figures: &Figures) -> Vec<District> {
    let district = |line: &crate::figures::AreaLine| {
        let stages = &line.stages;
        District {
            area: line.area.clone(),
            collected: stages.collected,
            under_way: stages.in_transit.people + stages.received.people + stages.in_process.people,
            released: stages.released.people,
            share: share(stages.released.people, stages.collected.people),
        }
    };
    figures.areas.iter().map(district).collect()
}

/// A run has an id and no code; its end tells it from others.
fn shown_code(one: &Waiting) -> String {
    let cut = match one.waits_for {
        WaitsFor::Release => one.code.len().saturating_sub(13),
        _ => 0,
    };
    one.code.get(cut..).unwrap_or(&one.code).to_owned()
}

fn waits(figures: &Figures, now: Time) -> Vec<Waits> {
    let kind = |waits_for| match waits_for {
        WaitsFor::Arrival => "board-waits-arrival",
        WaitsFor::AnotherRun => "board-waits-another-run",
        WaitsFor::Run => "board-waits-run",
        WaitsFor::Release => "board-waits-release",
        WaitsFor::Swab => "board-waits-swab",
    };
    let mut waits: Vec<Waits> = figures
        .oldest
        .iter()
        .map(|one| {
            let minutes = now.since(one.since).us().max(0) / 60_000_000;
            Waits {
                kind: kind(one.waits_for),
                code: shown_code(one),
                place: one.place.clone(),
                since: span(minutes),
                minutes,
            }
        })
        .collect();
    waits.sort_by_key(|one| std::cmp::Reverse(one.minutes));
    waits.truncate(OLDEST_MAX);
    waits
}
