//! RDML 1.0 to 1.4, as `LightCycler` 96, `StepOne`, Bio-Rad CFX and this program write it
//! (`formats.md` section 6; rdml.org).

use std::collections::{HashMap, HashSet};

use super::block::{Block, needed_size};
use super::rdml_document::{Data, Document, React, Run, Sample};
use super::results::{DecimalMark, ct_of};
use super::undetermined::{Cycles, Habit};
use super::{Ct, Curve, Format, Point, Reading, Refusal, RunFile, rdml_write};
use crate::error::Reason;
use crate::plate::WellPosition;

/// The member's name by the standard; Bio-Rad writes another.
pub(super) const MEMBER: &str = "rdml_data.xml";
/// Names by which Applied Biosystems' programs and instruments are known.
const APPLIED: [&str; 6] = ["applied biosystems", "stepone", "quantstudio", "viia", "7500", "sds"];

/// Reads the XML of an RDML file.
pub(super) fn read(xml: &[u8], mut detected_by: Vec<Reason>) -> Result<RunFile, Refusal> {
    let document = Document::read(xml)?;
    let version = shortened(&document.version);
    let message = format!("it states RDML version {version}");
    detected_by.push(Reason::new("format.version", version, message));
    let names = Names::of(&document);
    let runs: Vec<&Run> = document.runs.iter().filter(|run| has_amplification(run)).collect();
    let Some(first) = runs.first() else {
        return Err(Refusal::NoResults {
            missing: "the RDML holds no amplification, only an empty plate or melting curves",
        });
    };
    if runs.len() > 1 {
        one_plate(&runs, &names)?;
    }
    let mut found = Found::default();
    for run in &runs {
        found.take(run, &names)?;
    }
    let Found { mut readings, curves, block, .. } = found;
    let cycles = Cycles::of(&curves, document.repeats);
    let mut warnings = cycles.settle(habit(first), &mut readings)?;
    if !document.runs.iter().flat_map(data).any(|data| data.cq.is_some()) {
        let message = "no reading has a Cq; was the run analysed before it was saved";
        warnings.push(Reason::new("file.no_cq", "cq", message));
    }
    let plate_size = block.and_then(Block::size);
    if block.is_some() && plate_size.is_none() {
        let message = "the block is no plate of 96 or 384; its size was taken from the wells";
        warnings.push(Reason::new("file.block", "pcrFormat", message));
    }
    let wells = readings.iter().map(|reading| reading.well);
    let said = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(RunFile {
        format: Format::Rdml,
        detected_by,
        plate_size: Some(plate_size.unwrap_or_else(|| needed_size(wells))),
        instrument: said(&first.instrument),
        serial: serial(&first.instrument),
        run_ended: said(&first.date),
        plate_barcode: None,
        readings,
        curves,
        warnings,
    })
}

fn data(run: &Run) -> impl Iterator<Item = &Data> {
    run.reacts.iter().flat_map(|react| &react.data)
}

fn has_amplification(run: &Run) -> bool {
    data(run).any(|data| data.cq.is_some() || !data.points.is_empty())
}

/// How the program behind a run writes that there is no Cq.
fn habit(run: &Run) -> Habit {
    let known = format!("{} {}", run.instrument, run.software).to_lowercase();
    if known.contains("lightcycler") || known.starts_with("lc96") {
        Habit::Hundred
    } else if APPLIED.iter().any(|name| known.contains(name)) {
        Habit::CycleCount
    } else {
        Habit::Unknown
    }
}

/// The serial number in an instrument's name, as in `LC96SN11301` or `Cycler SN: CC009466, ...`.
fn serial(instrument: &str) -> Option<String> {
    let (_, behind) = instrument.split_once("SN")?;
    let number = behind.trim_start_matches([':', ' ']);
    let marked = number.len() < behind.len() || behind.starts_with(|c: char| c.is_ascii_digit());
    let number: String = number.chars().take_while(char::is_ascii_alphanumeric).collect();
    (marked && !number.is_empty()).then_some(number)
}

/// Readings and curves of the runs taken so far.
#[derive(Default)]
struct Found {
    readings: Vec<Reading>,
    curves: Vec<Curve>,
    seen: HashSet<(WellPosition, String, String)>,
    block: Option<Block>,
}

impl Found {
    fn take(&mut self, run: &Run, names: &Names<'_>) -> Result<(), Refusal> {
        let block = match (run.rows, run.columns) {
            (Some(rows), Some(columns)) => {
                Some(Block::new(rows, columns).ok_or(Refusal::NotAPlate { rows, columns })?)
            }
            _ => None,
        };
        self.block = self.block.or(block);
        for react in &run.reacts {
            let well = well(react, block)?;
            for data in &react.data {
                self.keep((well, react), data, names)?;
            }
        }
        Ok(())
    }

    fn keep(
        &mut self,
        (well, react): (WellPosition, &React),
        data: &Data,
        names: &Names<'_>,
    ) -> Result<(), Refusal> {
        let (target, dye) = names.target(&data.target);
        if !self.seen.insert((well, target.clone(), dye.clone())) {
            return Err(Refusal::bad_place(well, &data.target, "is read a second time"));
        }
        let raw_ct = data.cq.clone().unwrap_or_default();
        let (amp_status, instrument_call) = names.remarks(&data.note);
        self.readings.push(Reading {
            well,
            sample: names.sample(&react.sample),
            target: target.clone(),
            dye: dye.clone(),
            task: names.task(&react.sample, &data.target),
            ct: cq(well, &raw_ct)?,
            raw_ct,
            amp_status,
            instrument_call,
            omitted: data.excluded.as_deref().is_some_and(is_exclusion),
        });
        if !data.points.is_empty() {
            let points = in_order(well, &data.points)?;
            self.curves.push(Curve { well, target, dye, points });
        }
        Ok(())
    }
}

/// The well of a reaction: its number row by row from 1, or its name.
fn well(react: &React, block: Option<Block>) -> Result<WellPosition, Refusal> {
    let refuse = |what| Refusal::bad_place("a reaction", &react.id, what);
    if !react.id.bytes().all(|byte| byte.is_ascii_digit()) {
        let well = react.id.parse().map_err(|_no_well| refuse("is neither a well nor a number"))?;
        let outside = block.is_some_and(|block| !block.contains(well));
        return if outside { Err(refuse("is not on the plate of the run")) } else { Ok(well) };
    }
    let block =
        block.ok_or_else(|| refuse("has no well, for the run states no rows and columns"))?;
    let number: u16 = react.id.parse().map_err(|_long| refuse("is not on the plate of the run"))?;
    number
        .checked_sub(1)
        .and_then(|index| block.well(index))
        .ok_or_else(|| refuse("is not on the plate of the run"))
}

/// The Cq of a reading; -1.0 is "not available" by the schema.
fn cq(well: WellPosition, token: &str) -> Result<Option<Ct>, Refusal> {
    let is_absent = token.parse::<f64>().is_ok_and(|number| (number + 1.0).abs() < f64::EPSILON);
    if is_absent {
        return Ok(None);
    }
    ct_of(token, DecimalMark::Point).map_err(|_expected| {
        Refusal::bad_place(well, token, "is neither a Cq between 0 and 100 nor a word for none")
    })
}

/// Excluded data carry a reason; some programs write `false` against the schema's advice.
fn is_exclusion(reason: &str) -> bool {
    !["false", "0"].contains(&reason.to_lowercase().as_str())
}

/// The points of one curve by cycle.
fn in_order(well: WellPosition, points: &[Point]) -> Result<Vec<Point>, Refusal> {
    let mut points = points.to_vec();
    points.sort_by_key(|point| point.cycle);
    if let Some(pair) = points.windows(2).find(|pair| pair[0].cycle == pair[1].cycle) {
        return Err(Refusal::bad_place(
            well,
            &pair[0].cycle.to_string(),
            "comes twice in one curve",
        ));
    }
    Ok(points)
}

/// Bio-Rad writes a run for each dye, so several runs may be one plate: then one instrument read
/// them on one day, a place holds one sample in all of them, and no dye of it is read twice.
fn one_plate(runs: &[&Run], names: &Names<'_>) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::SeveralPlates { runs: runs.len(), why });
    if runs.iter().any(|run| (run.rows, run.columns) != (runs[0].rows, runs[0].columns)) {
        return refuse("their blocks differ".to_owned());
    }
    let differ = |said: fn(&Run) -> &str| {
        let said: HashSet<&str> =
            runs.iter().map(|run| said(run)).filter(|text| !text.is_empty()).collect();
        said.len() > 1
    };
    if differ(|run| &run.instrument) {
        return refuse("their instruments differ".to_owned());
    }
    if differ(day) && !within_an_hour(runs) {
        return refuse("they were made on different days".to_owned());
    }
    let (mut samples, mut dyes) = (HashMap::new(), HashSet::new());
    for react in runs.iter().flat_map(|run| &run.reacts) {
        let place = shortened(&react.id);
        if *samples.entry(&react.id).or_insert(&react.sample) != &react.sample {
            return refuse(format!("place {place} holds two samples"));
        }
        for data in &react.data {
            if !dyes.insert((&react.id, names.target(&data.target).1)) {
                return refuse(format!("place {place} is read twice in one dye"));
            }
        }
    }
    Ok(())
}

fn day(run: &Run) -> &str {
    run.date.split('T').next().unwrap_or_default()
}

/// Whether runs that say when they were made were made so close to each other that midnight alone
/// lies between: the dyes of one plate are written within seconds.
fn within_an_hour(runs: &[&Run]) -> bool {
    let moments = runs.iter().filter(|run| !run.date.is_empty());
    let Ok(moments) =
        moments.map(|run| run.date.parse()).collect::<Result<Vec<jiff::civil::DateTime>, _>>()
    else {
        return false;
    };
    let (Some(first), Some(last)) = (moments.iter().min(), moments.iter().max()) else {
        return true;
    };
    last.duration_since(*first) <= jiff::SignedDuration::from_hours(1)
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(12).collect()
}

/// Ids of a document and what was typed for them.
struct Names<'a> {
    document: &'a Document,
    /// In files of our own a description is the name, where the id had to differ.
    ours: bool,
}

impl<'a> Names<'a> {
    fn of(document: &'a Document) -> Self {
        Self { document, ours: document.publisher == rdml_write::PUBLISHER }
    }

    /// What the operator typed for a sample. `LightCycler` 96 has an id of its own beside it.
    fn sample(&self, id: &str) -> String {
        let typed = self.found(id).and_then(|sample| sample.description.clone());
        match typed {
            typed if self.ours => typed.unwrap_or_else(|| id.to_owned()),
            typed if is_guid(id) => typed.unwrap_or_default(),
            _ => id.to_owned(),
        }
    }

    /// The role of a sample, for a target where it says so.
    fn task(&self, sample: &str, target: &str) -> String {
        let Some(sample) = self.found(sample) else { return String::new() };
        let annotated =
            |property: &str| sample.annotations.get(property).filter(|_| self.ours).cloned();
        let typed =
            |restricted: Option<&str>| sample.types.get(&restricted.map(str::to_owned)).cloned();
        annotated(&rdml_write::task_of(target))
            .or_else(|| annotated(rdml_write::TASK))
            .or_else(|| typed(Some(target)))
            .or_else(|| typed(None))
            .unwrap_or_default()
    }

    /// Name and dye of a target. `LightCycler` 96 writes `FAM@bACT`, and where nothing was typed
    /// an id of its own behind the dye: then the dye is the only key.
    fn target(&self, id: &str) -> (String, String) {
        let Some(target) = self.document.targets.get(id) else {
            return (id.to_owned(), String::new());
        };
        let dye = match self.document.dyes.get(&target.dye) {
            Some(typed) if self.ours => typed.clone(),
            _ => target.dye.clone(),
        };
        let name = match (&target.description, id.split_once('@')) {
            (typed, _) if self.ours => typed.clone().unwrap_or_else(|| id.to_owned()),
            (_, Some((prefix, rest))) if prefix == target.dye && is_guid(rest) => String::new(),
            (_, Some((prefix, rest))) if prefix == target.dye => rest.to_owned(),
            _ => id.to_owned(),
        };
        (name, dye)
    }

    /// Amplification status and call out of a note of our own.
    fn remarks(&self, note: &str) -> (Option<String>, Option<String>) {
        let said = |key: &str| {
            let mut parts = note.split("; ").filter(|_| self.ours);
            parts.find_map(|part| part.strip_prefix(key)).map(str::to_owned)
        };
        (said(rdml_write::AMP_STATUS), said(rdml_write::CALL))
    }

    fn found(&self, sample: &str) -> Option<&'a Sample> {
        self.document.samples.get(sample)
    }
}

/// Whether an id looks like `9c93d5da-1797-44c1-b46c-05d501af4e22`.
fn is_guid(id: &str) -> bool {
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
#[path = "rdml_tests.rs"]
mod tests;
