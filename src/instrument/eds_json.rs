//! New `.eds` of Design & Analysis 2: a zip of JSON (`formats.md` section 3).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::archive::Archive;
use super::block::Block;
use super::eds_setup::moment;
use super::rdml_document::MAX_CYCLES;
use super::results::{DecimalMark, ct_of, named};
use super::table::{MAX_ROWS, check_name};
use super::{Ct, Curve, Format, Point, Reading, Refusal, RunFile};
use crate::error::Reason;
use crate::plate::{PlateSize, WellPosition};

/// The plate as it was set up.
pub(super) const SETUP: &str = "setup/plate_setup.json";
/// What the analysis found.
pub(super) const RESULT: &str = "primary/analysis_result.json";
/// Experiment, instrument and block.
const SUMMARY: &str = "summary.json";
/// The instrument's own account of the run.
const RUN: &str = "run/run_summary.json";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    instrument_type: Option<String>,
    block_type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunSummary {
    instrument_serial_number: Option<String>,
    end_time: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Setup {
    block_type: Option<String>,
    plate_barcode: Option<String>,
    targets: Few<Target, MAX_ROWS>,
    wells: Few<Well, MAX_ROWS>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Target {
    name: String,
    reporter: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Well {
    index: u16,
    sample_name: Option<String>,
    omitted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Analysis<'a> {
    #[serde(borrow)]
    well_results: Few<WellResult<'a>, MAX_ROWS>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WellResult<'a> {
    well_index: u16,
    sample_name: Option<String>,
    #[serde(borrow, default)]
    reaction_results: Few<Reaction<'a>, 64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reaction<'a> {
    target_name: Option<String>,
    task: Option<String>,
    #[serde(default)]
    omitted: bool,
    #[serde(borrow)]
    amplification_result: Option<Amplification<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Amplification<'a> {
    #[serde(borrow)]
    cq: Option<&'a RawValue>,
    amp_status: Option<String>,
    rn: Option<Signals>,
    delta_rn: Option<Signals>,
}

/// One signal for each cycle, none where there is a gap.
type Signals = Few<Option<f64>, { MAX_CYCLES as usize }>;

/// A list that ends with a refusal before it takes all memory.
struct Few<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Default for Few<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Few<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Most::<T, MOST>(PhantomData)).map(Self)
    }
}

struct Most<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Most<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut taken = Vec::new();
        while let Some(one) = list.next_element()? {
            if taken.len() == MOST {
                return Err(A::Error::custom("a list without end"));
            }
            taken.push(one);
        }
        Ok(taken)
    }
}

/// Reads a zipped experiment.
pub(super) fn zipped(
    archive: &mut Archive<'_>,
    detected_by: Vec<Reason>,
) -> Result<RunFile, Refusal> {
    let analysed = archive.content(RESULT)?.ok_or(Refusal::NoResults {
        missing: "the .eds holds no analysis, for the run was saved before it was analysed",
    })?;
    let summary: Summary = optional(archive, SUMMARY)?;
    let run: RunSummary = optional(archive, RUN)?;
    let setup: Setup = optional(archive, SETUP)?;
    let analysed = valid(&analysed)?;
    let analysis: Analysis<'_> = parsed(&analysed, RESULT)?;
    let stated = setup.block_type.as_deref().or(summary.block_type.as_deref());
    let mut found = Found::new(&setup, stated.and_then(plate_size), &analysis);
    for well in &analysis.well_results.0 {
        found.take(well)?;
    }
    if found.readings.is_empty() {
        return Err(Refusal::NoResults {
            missing: "no well of the .eds has an amplification result",
        });
    }
    let said = |fact: Option<String>| fact.filter(|fact| !fact.trim().is_empty());
    Ok(RunFile {
        format: Format::DesignAnalysisEds,
        detected_by,
        plate_size: found.block.size(),
        instrument: said(summary.instrument_type),
        serial: said(run.instrument_serial_number),
        run_ended: run.end_time.and_then(|ms| moment(&ms.to_string())),
        plate_barcode: said(setup.plate_barcode.clone()),
        warnings: found.warnings(stated.and_then(plate_size)),
        readings: found.readings,
        curves: found.curves,
    })
}

/// The plate of a block such as `BLOCK_96W_02ML`.
fn plate_size(block: &str) -> Option<PlateSize> {
    let numbers = block.split(|c: char| !c.is_ascii_digit());
    numbers.filter_map(|number| number.parse().ok()).find_map(PlateSize::from_wells)
}

fn optional<T: Default + DeserializeOwned>(
    archive: &mut Archive<'_>,
    name: &str,
) -> Result<T, Refusal> {
    match archive.content(name)? {
        Some(bytes) => parsed(&valid(&bytes)?, name),
        None => Ok(T::default()),
    }
}

fn parsed<'a, T: Deserialize<'a>>(json: &'a str, name: &str) -> Result<T, Refusal> {
    serde_json::from_str(json)
        .map_err(|error| Refusal::cut(format!("`{name}`, line {}, is no such JSON", error.line())))
}

/// The text with `null` for the bare `NaN` and `Infinity` these files write, which are no JSON
/// (RFC 8259 section 6).
fn valid(bytes: &[u8]) -> Result<String, Refusal> {
    let text =
        std::str::from_utf8(bytes).map_err(|_other| Refusal::cut("the JSON is not UTF-8"))?;
    let mut plain = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text.trim_start_matches('\u{feff}');
    while let Some(character) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| rest.starts_with(word));
        if let Some(word) = word.filter(|_| !in_string) {
            plain.push_str("null");
            rest = &rest[word.len()..];
            continue;
        }
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        plain.push(character);
        rest = &rest[character.len_utf8()..];
    }
    Ok(plain)
}

/// Readings and curves taken so far.
struct Found<'a> {
    block: Block,
    dyes: HashMap<&'a str, &'a str>,
    wells: HashMap<u16, &'a Well>,
    seen: HashSet<(u16, String)>,
    unanalysed: Vec<WellPosition>,
    readings: Vec<Reading>,
    curves: Vec<Curve>,
}

impl<'a> Found<'a> {
    fn new(setup: &'a Setup, size: Option<PlateSize>, analysis: &Analysis<'_>) -> Self {
        let last = analysis.well_results.0.iter().map(|well| well.well_index).max();
        let dye = |target: &'a Target| {
            (target.name.as_str(), target.reporter.as_deref().unwrap_or_default())
        };
        Self {
            block: size.map_or_else(|| Block::that_has(last.unwrap_or_default()), Block::of),
            dyes: setup.targets.0.iter().map(dye).collect(),
            wells: setup.wells.0.iter().map(|well| (well.index, well)).collect(),
            seen: HashSet::new(),
            unanalysed: Vec::new(),
            readings: Vec::new(),
            curves: Vec::new(),
        }
    }

    fn take(&mut self, result: &WellResult<'_>) -> Result<(), Refusal> {
        let index = result.well_index;
        let refuse = |what| Refusal::bad_place("a result", &index.to_string(), what);
        let well =
            self.block.well(index).ok_or_else(|| refuse("is not a well of the plate stated"))?;
        let setup = self.wells.get(&index).copied();
        let sample = result.sample_name.as_deref();
        let sample = sample.or_else(|| setup?.sample_name.as_deref()).unwrap_or_default().trim();
        check_name(sample)?;
        for reaction in &result.reaction_results.0 {
            let target = reaction.target_name.as_deref().unwrap_or_default().trim();
            let Some(amplified) = &reaction.amplification_result else {
                self.unanalysed.push(well);
                continue;
            };
            if !self.seen.insert((index, target.to_owned())) {
                return Err(Refusal::bad_place(well, target, "is read a second time"));
            }
            if self.readings.len() == MAX_ROWS {
                return Err(Refusal::TooManyRows);
            }
            let dye = self.dyes.get(target).copied().unwrap_or_default();
            check_name(dye)?;
            let (ct, raw_ct) = cq(well, amplified.cq)?;
            let points = points(amplified);
            if !points.is_empty() {
                let (target, dye) = (target.to_owned(), dye.to_owned());
                self.curves.push(Curve { well, target, dye, points });
            }
            self.readings.push(Reading {
                well,
                sample: sample.to_owned(),
                target: target.to_owned(),
                dye: dye.to_owned(),
                task: reaction.task.clone().unwrap_or_default(),
                ct,
                raw_ct,
                amp_status: amplified.amp_status.clone().filter(|status| !status.is_empty()),
                instrument_call: None,
                omitted: reaction.omitted || setup.is_some_and(|well| well.omitted),
            });
        }
        Ok(())
    }

    fn warnings(&self, stated: Option<PlateSize>) -> Vec<Reason> {
        let unanalysed = named(self.unanalysed.iter().copied());
        let unanalysed = unanalysed.map(|wells| {
            let message = format!("a target but no amplification result in {wells}");
            Reason::new("file.no_result", wells, message)
        });
        let guessed = stated.is_none().then(|| {
            let wells = self.block.wells();
            let message =
                format!("the file names no block; wells were counted on a plate of {wells}");
            Reason::new("file.plate_size", "block", message)
        });
        unanalysed.into_iter().chain(guessed).collect()
    }
}

/// The Cq and its text; a negative number is none, as is the `NaN` that became nothing.
fn cq(well: WellPosition, written: Option<&RawValue>) -> Result<(Option<Ct>, String), Refusal> {
    let Some(token) = written.map(RawValue::get) else { return Ok((None, String::new())) };
    let plain = token.trim_matches('"');
    if plain.parse::<f64>().is_ok_and(|number| number < 0.0) {
        return Ok((None, plain.to_owned()));
    }
    let ct = ct_of(plain, DecimalMark::Point).map_err(|_expected| {
        Refusal::bad_place(well, plain, "is neither a Cq between 0 and 100 nor a word for none")
    })?;
    Ok((ct, plain.to_owned()))
}

/// The curve, baseline taken off where the file gives that.
fn points(amplified: &Amplification<'_>) -> Vec<Point> {
    let said = |signals: &&Signals| !signals.0.is_empty();
    let signals = amplified.delta_rn.as_ref().filter(said).or(amplified.rn.as_ref());
    let point = |(cycle, signal): (u16, &Option<f64>)| {
        signal.filter(|signal| signal.is_finite()).map(|signal| Point { cycle, signal })
    };
    (1..).zip(signals.map_or(&[][..], |signals| &signals.0)).filter_map(point).collect()
}

#[cfg(test)]
#[path = "eds_json_tests.rs"]
mod tests;
