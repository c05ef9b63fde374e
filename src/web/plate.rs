//! Where a plate is filled: tube by tube into the wells of a template, until it is frozen.

use std::borrow::Cow;

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use super::{Page, html};
use crate::app::App;
use crate::clock::Time;
use crate::error::Result;
use crate::plate;

/// A template to choose.
struct Choice {
    name: String,
    /// What it is, in words.
    words: Cow<'static, str>,
    size: u16,
    /// Wells of one tube: reactions of the kits it fits.
    wells: usize,
    moving: bool,
}

#[derive(Template)]
#[template(path = "plate.html")]
struct Plate {
    page: Page,
    laboratory: String,
    now: Time,
    choices: Vec<Choice>,
}

/// The page.
pub async fn plate_get(State(app): State<App>, page: Page) -> Result<Html<String>> {
    let (laboratory, now) = (page.laboratory(), app.clock.now());
    let mut choices: Vec<_> =
        plate::templates().iter().map(|template| choice(&page, template)).collect();
    // Where plates that change places are found out comes first.
    choices.sort_by_key(|choice| (choice.size, choice.wells, !choice.moving));
    html(&Plate { page, laboratory, now, choices })
}

fn choice(page: &Page, template: &plate::Template) -> Choice {
    let (size, wells) = (template.size().wells(), template.wells_per_slot());
    let slots = template.tube_slots();
    let first = |slot: usize| slots.get(slot).and_then(|wells| wells.first());
    let is_down = first(0).zip(first(1)).is_some_and(|(a, b)| a.column() == b.column());
    let moving = template.cycle() > 1;
    let order = page.say(if is_down { "plate-columns" } else { "plate-rows" });
    let controls = page.say(if moving { "plate-moving" } else { "plate-fixed" });
    let count = i64::try_from(slots.len()).unwrap_or(i64::MAX);
    let tubes = page.with("plate-tubes", [("count", count), ("size", i64::from(size))]);
    let words = Cow::Owned(format!("{tubes} · {order} · {controls}"));
    Choice { name: template.name().to_owned(), words, size, wells, moving }
}
