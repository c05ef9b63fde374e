//! The share of seeded tubes with virus that each laboratory found, day by day, as a picture.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::api::of_run;
use super::seeded::FOUND_OF_HUNDRED;
use super::seeded_list::Recall;
use super::svg::{SERIES_MAX, SIZE, UPPER, values};
use super::{ChartPoint, Measure};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::instrument::picture::colours::INK;
use crate::instrument::picture::sheet::{Area, Format, Type, sheet, write as text};

/// Draws one laboratory above the other, a point for each day on which it answered for some.
pub(super) fn svg(recall: &[Recall], (from, to): (Time, Time)) -> Result<String> {
    let mut laboratories: BTreeMap<&str, Vec<ChartPoint>> = BTreeMap::new();
    for day in recall {
        laboratories.entry(&day.laboratory).or_default().extend(point(day));
    }
    let drawn = laboratories.len().clamp(1, SERIES_MAX);
    let points = if laboratories.is_empty() { "no points" } else { "points" };
    let mut about = format!("{points} of tubes seeded between {from} and {to}");
    let left_out: Vec<_> = laboratories.keys().skip(SERIES_MAX).copied().collect();
    if !left_out.is_empty() {
        write!(about, "; not drawn, ask for them by laboratory: {}", left_out.join(", "))
            .expect("a text takes every text");
    }
    let height = UPPER * u32::try_from(drawn).unwrap_or(1);
    let format = Format { shown: (SIZE.0, height), steps: 1, name: "seeded" };
    let draw = |root: &Area<'_>| {
        if laboratories.is_empty() {
            text(root, &format!("Seeded tubes found: {about}"), (40, 50), Type::new(15, INK))?;
        }
        for ((laboratory, points), area) in laboratories.iter().zip(root.split_evenly((drawn, 1))) {
            let title = format!("Seeded tubes found - laboratory {laboratory}");
            values(&area, &title, (points, Measure::Seeded))?;
        }
        Ok(())
    };
    sheet(format, ("Seeded tubes found", &about), draw)
        .map_err(|error| Error::Internal(error.to_string()))
}

fn point(day: &Recall) -> Option<ChartPoint> {
    let (at, _) = Time::day_bounds(&day.day)?;
    let value = f64::from(day.found) / f64::from(day.answered);
    let mean = Some(f64::from(FOUND_OF_HUNDRED) / 100.0);
    Some(ChartPoint { value, mean, tubes: Some(day.answered), ..of_run(String::new(), at, true) })
}
