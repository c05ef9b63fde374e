//! RDML 1.3 from readings and curves (schema `RDML_v1_3_REC.xsd`, rdml.org).
//!
//! Everything a reading says goes in. Ids must be unique and not empty, so where a name had to
//! give way the element's description holds it; [`read`](super::read) takes it back from there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;

use super::block::needed_size;
use super::rdml_stored::Stored;
use super::{Curve, Reading, RunFile, rdml};
use crate::plate::{PlateSize, WellPosition};

/// Who wrote the file.
pub(super) const PUBLISHER: &str = "Swabline";
/// The annotation with the role of a sample as its instrument wrote it.
pub(super) const TASK: &str = "task";
/// What the note of a reading says before its amplification status.
pub(super) const AMP_STATUS: &str = "amp status: ";
/// What the note of a reading says before the instrument's call.
pub(super) const CALL: &str = "call: ";

/// The annotation with the role of a sample for one target.
pub(super) fn task_of(target: &str) -> String {
    format!("{TASK} of {target}")
}

/// What goes into an RDML file.
#[derive(Debug, Clone, Copy)]
pub struct Export<'a> {
    /// Size of the plate; a larger one is taken where a well needs it.
    pub plate_size: PlateSize,
    /// The instrument as its file named it; empty when it did not.
    pub instrument: &'a str,
    /// What was read.
    pub readings: &'a [Reading],
    /// Curves of these readings; one without its reading is left out.
    pub curves: &'a [Curve],
    /// Which run it is, where it was stored.
    pub run: Option<&'a Stored>,
}

/// A run that RDML has no form for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWritable {
    /// RDML has one sample for each place.
    #[error(
        "well {0} has two sample names and RDML has one for each well; correct the sample setup"
    )]
    TwoNames(WellPosition),
    /// RDML has one data element for each target of a place.
    #[error("well {0} has a second reading of one target and dye; export one analysis only")]
    Twice(WellPosition),
}

impl<'a> From<&'a RunFile> for Export<'a> {
    fn from(run: &'a RunFile) -> Self {
        let wells = || run.readings.iter().map(|reading| reading.well);
        Self {
            plate_size: run.plate_size.unwrap_or_else(|| needed_size(wells())),
            instrument: run.instrument.as_deref().unwrap_or_default(),
            readings: &run.readings,
            curves: &run.curves,
            run: None,
        }
    }
}

/// The run as an RDML 1.3 file, the same bytes for the same run.
///
/// Refused where RDML has no form for it, see [`NotWritable`].
pub fn write(run: Export<'_>) -> Result<Vec<u8>, NotWritable> {
    let xml = xml(run)?;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let pack = |zip: &mut zip::ZipWriter<Cursor<Vec<u8>>>| {
        zip.start_file(rdml::MEMBER, SimpleFileOptions::default())?;
        zip.write_all(xml.as_bytes())?;
        Ok::<_, zip::result::ZipError>(())
    };
    pack(&mut zip).expect("a zip in memory takes a member");
    Ok(zip.finish().expect("a zip in memory can be ended").into_inner())
}

/// Key of a target: name and dye.
type Key<'a> = (&'a str, &'a str);

/// Ids given out so far.
#[derive(Default)]
struct Ids(BTreeSet<String>);

impl Ids {
    /// The wish itself, or with a number behind it when it is taken.
    fn give(&mut self, wish: &str) -> String {
        let mut id = wish.to_owned();
        let mut number = 2;
        while !self.0.insert(id.clone()) {
            id = format!("{wish} #{number}");
            number += 1;
        }
        id
    }
}

/// A sample of the file: one name in one set of roles.
struct SampleOut<'a> {
    id: String,
    name: &'a str,
    /// Role by target id.
    tasks: BTreeMap<String, &'a str>,
}

/// A run with its ids.
struct Plan<'a> {
    dyes: BTreeMap<&'a str, String>,
    targets: BTreeMap<Key<'a>, String>,
    samples: Vec<SampleOut<'a>>,
    /// Sample and readings of each well.
    wells: BTreeMap<WellPosition, (usize, Vec<&'a Reading>)>,
}

fn xml(run: Export<'_>) -> Result<String, NotWritable> {
    let plan = Plan::of(run)?;
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <rdml xmlns=\"http://www.rdml.org\" version=\"1.3\">\n",
    );
    let version = env!("CARGO_PKG_VERSION");
    put(
        &mut xml,
        format_args!(
            "<id><publisher>{PUBLISHER}</publisher><serialNumber>{version}</serialNumber></id>\n"
        ),
    );
    for (dye, id) in &plan.dyes {
        put(&mut xml, format_args!("<dye id=\"{}\">{}</dye>\n", safe(id), described(id, dye)));
    }
    for sample in &plan.samples {
        sample.write(&mut xml);
    }
    for ((name, dye), id) in &plan.targets {
        let (dye, description) = (safe(&plan.dyes[dye]), described(id, name));
        put(
            &mut xml,
            format_args!(
                "<target id=\"{}\">{description}<type>toi</type><dyeId id=\"{dye}\"/></target>\n",
                safe(id)
            ),
        );
    }
    plan.write_run(&mut xml, run);
    xml.push_str("</rdml>\n");
    Ok(xml)
}

impl<'a> Plan<'a> {
    fn of(run: Export<'a>) -> Result<Self, NotWritable> {
        let (mut dye_ids, mut target_ids) = (Ids::default(), Ids::default());
        let (mut dyes, mut targets) = (BTreeMap::new(), BTreeMap::new());
        let mut by_well: BTreeMap<WellPosition, Vec<&Reading>> = BTreeMap::new();
        for reading in run.readings {
            let (name, dye) = (reading.target.as_str(), reading.dye.as_str());
            dyes.entry(dye).or_insert_with(|| dye_ids.give(or(dye, "no dye")));
            targets
                .entry((name, dye))
                .or_insert_with(|| target_ids.give(or(name, or(dye, "no target"))));
            let well = by_well.entry(reading.well).or_default();
            if well.iter().any(|other| other.target == name && other.dye == dye) {
                return Err(NotWritable::Twice(reading.well));
            }
            well.push(reading);
        }
        let mut plan = Self { dyes, targets, samples: Vec::new(), wells: BTreeMap::new() };
        let mut ids = Ids::default();
        let mut named: HashMap<String, Vec<usize>> = HashMap::new();
        for (well, readings) in by_well {
            let name = one_name(well, &readings)?;
            let wish = match (name, run.run) {
                ("", Some(stored)) => stored.well(well),
                (name, _) => or(name, "no name").to_owned(),
            };
            let sample = plan.sample((name, wish), &readings, (&mut ids, &mut named));
            plan.wells.insert(well, (sample, readings));
        }
        Ok(plan)
    }

    /// The sample of that name, or of what it is called without one, whose roles agree with those
    /// of a well, or a new one.
    fn sample(
        &mut self,
        (name, wish): (&'a str, String),
        readings: &[&'a Reading],
        (ids, named): (&mut Ids, &mut HashMap<String, Vec<usize>>),
    ) -> usize {
        let id_of =
            |reading: &'a Reading| &self.targets[&(reading.target.as_str(), reading.dye.as_str())];
        let tasks: Vec<(String, &str)> = readings
            .iter()
            .map(|reading| (id_of(reading).clone(), reading.task.as_str()))
            .collect();
        let known = named.entry(wish.clone()).or_default();
        let agrees = |at: &&usize| {
            let has = &self.samples[**at].tasks;
            tasks.iter().all(|(target, task)| has.get(target).is_none_or(|other| other == task))
        };
        let at = known.iter().find(agrees).copied().unwrap_or_else(|| {
            self.samples.push(SampleOut { id: ids.give(&wish), name, tasks: BTreeMap::new() });
            known.push(self.samples.len() - 1);
            self.samples.len() - 1
        });
        self.samples[at].tasks.extend(tasks);
        at
    }

    fn write_run(&self, xml: &mut String, run: Export<'_>) {
        let stated = self.wells.keys().all(|well| run.plate_size.contains(*well));
        let size = if stated { run.plate_size } else { PlateSize::P384 };
        let curves: HashMap<(WellPosition, Key<'_>), &Curve> = run
            .curves
            .iter()
            .map(|curve| ((curve.well, (curve.target.as_str(), curve.dye.as_str())), curve))
            .collect();
        let (plate, id) = run.run.map_or(("experiment", "run"), |run| (&run.plate, &run.id));
        put(xml, format_args!("<experiment id=\"{}\">\n<run id=\"{}\">\n", safe(plate), safe(id)));
        if let Some(stored) = run.run {
            let said = safe(&stored.description());
            put(xml, format_args!("<description>{said}</description>\n"));
        }
        if !run.instrument.is_empty() {
            put(xml, format_args!("<instrument>{}</instrument>\n", safe(run.instrument)));
        }
        let (rows, columns) = (size.rows(), size.columns());
        put(
            xml,
            format_args!(
                "<pcrFormat><rows>{rows}</rows><columns>{columns}</columns><rowLabel>ABC</rowLabel>\
             <columnLabel>123</columnLabel></pcrFormat>\n"
            ),
        );
        if let Some(date) = run.run.and_then(Stored::date) {
            put(xml, format_args!("<runDate>{date}</runDate>\n"));
        }
        for (well, (sample, readings)) in &self.wells {
            let sample = safe(&self.samples[*sample].id);
            let number = well.index(size) + 1;
            put(xml, format_args!("<react id=\"{number}\"><sample id=\"{sample}\"/>\n"));
            for reading in readings {
                let key = (reading.target.as_str(), reading.dye.as_str());
                put(xml, format_args!("<data><tar id=\"{}\"/>", safe(&self.targets[&key])));
                write_data(xml, reading, curves.get(&(*well, key)).copied());
            }
            xml.push_str("</react>\n");
        }
        xml.push_str("</run>\n</experiment>\n");
    }
}

/// The one name of a well.
fn one_name<'a>(well: WellPosition, readings: &[&'a Reading]) -> Result<&'a str, NotWritable> {
    let mut names = readings.iter().map(|reading| reading.sample.as_str());
    let first = names.next().unwrap_or_default();
    if names.any(|name| name != first) { Err(NotWritable::TwoNames(well)) } else { Ok(first) }
}

fn write_data(xml: &mut String, reading: &Reading, curve: Option<&Curve>) {
    // The schema's "not available", so that a silent well differs from one never analysed.
    let cq = reading.ct.map_or_else(|| "-1.0".to_owned(), |ct| ct.to_string());
    put(xml, format_args!("<cq>{cq}</cq>"));
    if reading.omitted {
        xml.push_str("<excl>omitted by the operator</excl>");
    }
    let remark = |key: &str, said: &Option<String>| {
        said.as_deref().map(|said| format!("{key}{}", said.replace(';', ",")))
    };
    let remarks = [remark(AMP_STATUS, &reading.amp_status), remark(CALL, &reading.instrument_call)];
    let note: Vec<String> = remarks.into_iter().flatten().collect();
    if !note.is_empty() {
        put(xml, format_args!("<note>{}</note>", safe(&note.join("; "))));
    }
    for point in curve.map_or(&[][..], |curve| &curve.points) {
        // A float of the schema is a number here; what is not one is a gap.
        if point.signal.is_finite() {
            let (cycle, signal) = (point.cycle, point.signal);
            put(xml, format_args!("<adp><cyc>{cycle}</cyc><fluor>{signal}</fluor></adp>"));
        }
    }
    xml.push_str("</data>\n");
}

impl SampleOut<'_> {
    fn write(&self, xml: &mut String) {
        let description = described(&self.id, self.name);
        put(xml, format_args!("<sample id=\"{}\">{description}", safe(&self.id)));
        let first = self.tasks.values().next().copied().unwrap_or_default();
        let uniform = self.tasks.values().all(|task| *task == first);
        let annotate = |xml: &mut String, property: &str, task: &str| {
            put(
                xml,
                format_args!(
                    "<annotation><property>{}</property><value>{}</value></annotation>",
                    safe(property),
                    safe(task)
                ),
            );
        };
        if !uniform {
            for (target, task) in &self.tasks {
                annotate(xml, &task_of(target), task);
            }
        } else if role(first) != first {
            annotate(xml, TASK, first);
        }
        if uniform {
            put(xml, format_args!("<type>{}</type>", role(first)));
        } else {
            for (target, task) in &self.tasks {
                put(xml, format_args!("<type targetId=\"{}\">{}</type>", safe(target), role(task)));
            }
        }
        xml.push_str("</sample>\n");
    }
}

/// The schema's word for a role: unknown, no template, standard, positive, or "optional" for the
/// rest.
fn role(task: &str) -> &'static str {
    const WORDS: [&str; 8] = ["unkn", "ntc", "nac", "std", "ntp", "nrt", "pos", "opt"];
    let plain = task.to_lowercase();
    if let Some(word) = WORDS.into_iter().find(|word| *word == plain) {
        return word;
    }
    let begins = |starts: &[&str]| starts.iter().any(|start| plain.starts_with(start));
    if plain.is_empty() || begins(&["unk", "target"]) {
        "unkn"
    } else if begins(&["ntc", "neg", "no template"]) {
        "ntc"
    } else if begins(&["std", "standard"]) {
        "std"
    } else if begins(&["pos"]) {
        "pos"
    } else {
        "opt"
    }
}

/// A description where the id is not the name itself.
fn described(id: &str, name: &str) -> String {
    if id == name { String::new() } else { format!("<description>{}</description>", safe(name)) }
}

fn or<'a>(text: &'a str, instead: &'a str) -> &'a str {
    if text.is_empty() { instead } else { text }
}

/// Text without the characters XML gives a meaning or has no form for (XML 1.0, section 2.2).
fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' => safe.push_str("&#9;"),
            '\n' => safe.push_str("&#10;"),
            '\r' => safe.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            plain => safe.push(plain),
        }
    }
    safe
}

fn put(xml: &mut String, content: std::fmt::Arguments<'_>) {
    xml.write_fmt(content).expect("writing to a string does not fail");
}
