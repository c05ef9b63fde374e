//! What the pictures of a run show: curves with their targets, wells with their earliest Ct.

use std::collections::BTreeMap;

use fluent_bundle::FluentValue;

use super::gather::{Gathered, gather};
use super::kit::{Kit, Target};
use super::{Call, Outcome};
use crate::error::Reason;
use crate::instrument::picture::{
    CurvePicture, DrawnTarget, DrawnWell, Line, Mark, PlatePicture, Shown,
};
use crate::instrument::{Ct, Curve, Reading};
use crate::plate::{Content, Layout, TargetRole, WellPosition};
use crate::web::catalogue::Language;

/// A run as it is drawn.
pub struct Run<'a> {
    /// The run.
    pub id: &'a str,
    /// Its plate.
    pub plate: &'a str,
    /// Its kit.
    pub kit: &'a Kit,
    /// What lies in which well.
    pub layout: &'a Layout,
    /// Its readings; their sample names are not looked at.
    pub readings: &'a [Reading],
    /// Its calls by tube.
    pub calls: BTreeMap<&'a str, &'a Call>,
    /// May the plate be used.
    pub usable: bool,
    /// The language of its words.
    pub language: Language,
}

/// Which curves are drawn, and how.
#[derive(Debug, Default)]
pub struct Filter {
    /// One well alone.
    pub well: Option<WellPosition>,
    /// One target alone, by the name in the file or the code of the kit.
    pub target: Option<String>,
    /// By powers of ten.
    pub log: bool,
}

/// The picture of the curves; none when no curve is asked for.
pub fn curves(run: &Run<'_>, curves: Vec<Curve>, filter: &Filter) -> Option<CurvePicture> {
    let wanted = |curve: &Curve| {
        let target = known(run.kit, &curve.target, &curve.dye);
        let is_named = |name: &String| {
            *name == curve.target || target.is_some_and(|target| target.is_named(name))
        };
        filter.well.is_none_or(|well| well == curve.well)
            && filter.target.as_ref().is_none_or(is_named)
    };
    let read = |reading: &'_ Reading| reading.ct.and_then(cycles);
    let cts: BTreeMap<_, _> = run
        .readings
        .iter()
        .map(|reading| ((reading.well, &*reading.target, &*reading.dye), read(reading)))
        .collect();
    let (mut targets, mut lines): (Vec<(String, String)>, Vec<Line>) = Default::default();
    for curve in curves.into_iter().filter(wanted) {
        let key = (curve.target.clone(), curve.dye.clone());
        let target = targets.iter().position(|known| *known == key).unwrap_or_else(|| {
            targets.push(key);
            targets.len() - 1
        });
        let control = match run.layout.content(curve.well) {
            Content::Control { control, .. } => Some(*control),
            Content::Tube { .. } | Content::Pool { .. } | Content::Nothing => None,
        };
        let ct = cts.get(&(curve.well, &*curve.target, &*curve.dye)).copied().flatten();
        lines.push(Line { curve, target, control, ct });
    }
    if lines.is_empty() {
        return None;
    }
    let title = match filter.well {
        Some(well) => run.say(
            "picture-of-well",
            &[
                ("plate", run.plate.into()),
                ("well", well.to_string().into()),
                ("content", run.content(well).into()),
            ],
        ),
        None => run.say("picture-of-curves", &[("plate", run.plate.into())]),
    };
    let about = run.about();
    let targets = targets.iter().map(|(name, dye)| drawn_target(run.kit, name, dye)).collect();
    Some(CurvePicture { title, about, targets, lines, log: filter.log, language: run.language })
}

/// The kit's target that a curve is of, by its name or else by its dye.
fn known<'k>(kit: &'k Kit, target: &str, dye: &str) -> Option<&'k Target> {
    let all = || kit.targets().map(|(_, target)| target);
    all()
        .find(|known| known.is_named(target))
        .or_else(|| all().find(|known| known.is_read_in(target)))
        .or_else(|| all().find(|known| target.is_empty() && known.is_read_in(dye)))
}

fn drawn_target(kit: &Kit, name: &str, dye: &str) -> DrawnTarget {
    let known = known(kit, name, dye);
    let cut_off = known.and_then(|target| {
        let written = String::from(target.positive);
        Some((cycles(Ct::try_from(target.positive.cycles()).ok()?)?, written))
    });
    let name = match (name, dye) {
        ("", dye) => dye.to_owned(),
        (name, "") => name.to_owned(),
        (name, dye) => format!("{name} ({dye})"),
    };
    DrawnTarget { name, cut_off }
}

impl Run<'_> {
    fn say(&self, key: &str, filled: &[(&str, FluentValue<'_>)]) -> String {
        self.language.say(key, filled).into_owned()
    }

    /// Which run it is of, and by which kit it was read.
    fn about(&self) -> String {
        let (kit, version) = (self.kit.code.as_str(), self.kit.version.as_str());
        let facts = [("run", self.id.into()), ("kit", kit.into()), ("version", version.into())];
        self.say("picture-run", &facts)
    }

    /// What lies in a well, in words.
    fn content(&self, well: WellPosition) -> String {
        match self.layout.content(well) {
            Content::Tube { tube, .. } => {
                self.say("picture-holds-tube", &[("code", tube.as_str().into())])
            }
            Content::Pool { pool, .. } => {
                self.say("picture-holds-pool", &[("code", pool.as_str().into())])
            }
            Content::Control { control, .. } => self.say(Mark::Control(*control).key(), &[]),
            Content::Nothing => self.say("picture-empty", &[]),
        }
    }
}

/// The heat map of one target, or of the earliest among the pathogen's.
pub fn plate(run: &Run<'_>, target: Option<&str>) -> Result<PlatePicture, Reason> {
    let target = target.map(|name| find(run.kit, name)).transpose()?;
    let counts = |code: &str, role: TargetRole| match target {
        Some(target) => target.code == code,
        None => role == TargetRole::Pathogen,
    };
    let role = |code: &str| run.kit.targets().find(|(_, t)| t.code == code).map(|(_, t)| t.role);
    let gathered = gather(run.kit, run.layout, run.readings).unwrap_or_default();
    let by_well: BTreeMap<_, &Gathered<'_>> = gathered.iter().map(|one| (one.well, one)).collect();
    let shown = |well: &WellPosition| {
        let read = by_well.get(well).map_or(&[][..], |gathered| &gathered.targets);
        let read = read
            .iter()
            .filter(|one| role(&one.target).is_some_and(|role| counts(&one.target, role)));
        let cts: Vec<_> = read.map(|one| one.reading.ct.and_then(cycles)).collect();
        match cts.iter().flatten().copied().reduce(f64::min) {
            Some(ct) => Shown::Ct(ct),
            None if cts.is_empty() => Shown::Unread,
            None => Shown::Silent,
        }
    };
    let wells = run.layout.wells().iter().filter_map(|(well, content)| {
        let (tube, mark) = match content {
            Content::Tube { tube, .. } => {
                (tube.clone(), run.calls.get(tube.as_str()).map(|call| mark(call.outcome))?)
            }
            // Every tube of a pool has the outcome of its well.
            Content::Pool { pool, tubes, .. } => {
                let call = tubes.first().and_then(|tube| run.calls.get(tube.as_str()));
                (pool.clone(), call.map(|call| mark(call.outcome))?)
            }
            Content::Control { control, .. } => (String::new(), Mark::Control(*control)),
            Content::Nothing => return None,
        };
        Some((*well, DrawnWell { tube, shown: shown(well), mark }))
    });
    let what = match target {
        Some(target) => run.say("picture-ct-of", &[("target", target.code.as_str().into())]),
        None => run.say("picture-ct-earliest", &[]),
    };
    Ok(PlatePicture {
        title: run.say("picture-of-plate", &[("plate", run.plate.into())]),
        about: format!("{what} {}", run.about()),
        usable: run.usable,
        language: run.language,
        size: run.layout.size(),
        wells: wells.collect(),
    })
}

fn find<'k>(kit: &'k Kit, name: &str) -> Result<&'k Target, Reason> {
    let found = kit.targets().map(|(_, target)| target).find(|target| target.is_named(name));
    found.ok_or_else(|| {
        let codes: Vec<_> = kit.targets().map(|(_, target)| target.code.as_str()).collect();
        let message =
            format!("kit {} has no such target; choose one of {}", kit.code, codes.join(", "));
        Reason::new("run.target", "target", message)
    })
}

const fn mark(outcome: Outcome) -> Mark {
    match outcome {
        Outcome::Detected => Mark::Detected,
        Outcome::NotDetected => Mark::NotDetected,
        Outcome::Inconclusive => Mark::Inconclusive,
        Outcome::Invalid => Mark::Invalid,
    }
}

/// The Ct as a number to draw with.
fn cycles(ct: Ct) -> Option<f64> {
    ct.cycles().try_into().ok()
}

#[cfg(test)]
#[path = "drawing_tests.rs"]
mod tests;
