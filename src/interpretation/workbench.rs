//! Plates and runs for the tests of this slice: what an instrument would read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::gather::TargetReading;
use super::{Kit, TubeFacts};
use crate::instrument::{Ct, Reading};
use crate::plate::{
    Content, Expectation, Layout, PlacedTube, TargetRole, Template, Transform, WellPosition,
    lay_out,
};

pub fn kit(code: &str, version: &str) -> Kit {
    Kit::find(code, version).unwrap()
}

pub fn cdc() -> Kit {
    kit("cdc-2019-ncov", "06")
}

pub fn orf() -> Kit {
    kit("orf1ab-n-ic", "1")
}

/// One well a tube, and an extraction control among those it demands.
pub fn saliva() -> Kit {
    kit("salivadirect", "2020-10-below-37")
}

pub fn codx() -> Kit {
    kit("codx-logix-smart", "1")
}

pub fn well(text: &str) -> WellPosition {
    text.parse().unwrap()
}

pub fn ct(text: &str) -> Ct {
    Ct::try_from(text.parse::<Decimal>().unwrap()).unwrap()
}

/// A reading as a file would have it; `Undetermined` without a Ct.
pub fn reading(at: &str, target: &str, dye: &str, cycles: Option<&str>) -> Reading {
    Reading {
        well: well(at),
        sample: String::new(),
        target: target.to_owned(),
        dye: dye.to_owned(),
        task: "UNKNOWN".to_owned(),
        ct: cycles.map(ct),
        raw_ct: cycles.unwrap_or("Undetermined").to_owned(),
        amp_status: None,
        instrument_call: None,
        omitted: false,
    }
}

/// The readings of one tube: target and Ct.
pub fn tube_readings(cts: &[(&str, Option<&str>)]) -> Vec<TargetReading<'static>> {
    cts.iter()
        .map(|(target, cycles)| TargetReading {
            target: Cow::Owned((*target).to_owned()),
            reading: Cow::Owned(reading("A1", target, "FAM", *cycles)),
        })
        .collect()
}

/// A plate of `count` tubes `T1`, `T2`, ... of that depth.
pub fn plate(kit: &Kit, template: &str, count: usize, depth: u16) -> Layout {
    let tubes: Vec<_> =
        (1..=count).map(|code| PlacedTube { code: format!("T{code}"), depth }).collect();
    lay_out(&Template::find(template).unwrap(), &kit.plan(), &tubes).unwrap()
}

/// Every tube of a layout, tested for the first time.
pub fn first_tests(layout: &Layout) -> BTreeMap<String, TubeFacts> {
    let tubes = layout.tubes().into_iter();
    tubes.map(|(tube, depth)| (tube.to_owned(), TubeFacts::first_test(depth))).collect()
}

/// A run in which everything works; `positive` gives the Ct of a tube's pathogen targets.
pub fn run(
    kit: &Kit,
    layout: &Layout,
    transform: Option<Transform>,
    positive: &dyn Fn(&str) -> Option<&'static str>,
) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (at, content) in layout.wells() {
        let source = match transform {
            Some(transform) => transform.put_at(*at, layout.size()),
            None => Some(*at),
        };
        let there = source.map_or(&Content::Nothing, |source| layout.content(source));
        for target in &kit.reaction(content.reaction().unwrap()).unwrap().targets {
            let cycles = shown(kit, there, target.channel(), positive);
            readings.push(reading(&at.to_string(), &target.code, target.channel(), cycles));
        }
    }
    readings
}

/// The Ct a content shows in a dye.
fn shown(
    kit: &Kit,
    content: &Content,
    dye: &str,
    positive: &dyn Fn(&str) -> Option<&'static str>,
) -> Option<&'static str> {
    let reaction = kit.reaction(content.reaction()?)?;
    let role = reaction.targets.iter().find(|target| target.channel() == dye)?.role;
    match content {
        Content::Tube { .. } | Content::Pool { .. } if role == TargetRole::Pathogen => {
            content.tubes().iter().find_map(|tube| positive(tube))
        }
        Content::Tube { .. } | Content::Pool { .. } => Some("26.5"),
        Content::Control { control, .. } => {
            let expected = kit.control_rule(*control)?.expects(role);
            (expected != Expectation::Silent).then_some("28.25")
        }
        Content::Nothing => None,
    }
}
