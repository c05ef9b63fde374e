//! RDML as it stands in the file: samples, targets, runs and reactions, before any of it is judged.

use std::collections::HashMap;

use super::table::{MAX_ROWS, check_name};
use super::xml::{Step, Tag, walk};
use super::{Point, Refusal};

/// Most cycles of one curve; no kit runs more than 60.
pub(super) const MAX_CYCLES: u16 = 200;

/// Most samples, roles, targets and runs together; a plate of 384 wells needs a few thousand.
const MAX_DECLARED: usize = 200_000;

/// What an RDML file says.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// `1.0` to `1.4`.
    pub version: String,
    /// Who wrote it, where it says so.
    pub publisher: String,
    /// Samples by id.
    pub samples: HashMap<String, Sample>,
    /// Targets by id.
    pub targets: HashMap<String, Target>,
    /// Descriptions of dyes by id.
    pub dyes: HashMap<String, String>,
    /// Most repetitions of any loop of the thermal protocols.
    pub repeats: Option<u16>,
    /// Runs of every experiment.
    pub runs: Vec<Run>,
}

/// What was put into reactions.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// Free text, if there is any element for it.
    pub description: Option<String>,
    /// Roles by the target they are restricted to; of several the first.
    pub types: HashMap<Option<String>, String>,
    /// Values by property; of several the first.
    pub annotations: HashMap<String, String>,
}

/// What is amplified.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// Free text, if there is any element for it.
    pub description: Option<String>,
    /// Id of its dye; empty when none is named.
    pub dye: String,
}

/// One run of an instrument.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// The instrument as written.
    pub instrument: String,
    /// The program that collected the data.
    pub software: String,
    /// Rows of the block, where it has any.
    pub rows: Option<i64>,
    /// Columns of the block, where it has any.
    pub columns: Option<i64>,
    /// When the data were acquired.
    pub date: String,
    /// Its reactions.
    pub reacts: Vec<React>,
}

/// Declarations whose texts every reading of theirs repeats.
const NAMES: [&str; 3] = ["rdml/sample/", "rdml/target/", "rdml/dye/"];

/// One place of the block.
#[derive(Debug, Default)]
pub(super) struct React {
    /// Number from 1 row by row, or `A1`.
    pub id: String,
    /// Id of the sample in it.
    pub sample: String,
    /// One for each target.
    pub data: Vec<Data>,
}

/// One target of one reaction.
#[derive(Debug, Default)]
pub(super) struct Data {
    /// Id of the target.
    pub target: String,
    /// The Cq as written, if there is any element for it.
    pub cq: Option<String>,
    /// Why it is not to be evaluated, if it is not.
    pub excluded: Option<String>,
    /// Remarks.
    pub note: String,
    /// Fluorescence by cycle.
    pub points: Vec<Point>,
}

impl Document {
    /// Reads the XML of an RDML file.
    pub fn read(xml: &[u8]) -> Result<Self, Refusal> {
        let mut builder = Builder::default();
        walk(xml, |step| match step {
            Step::Open { path, tag } => builder.open(path, tag),
            Step::Close { path, text } => builder.close(path, text),
        })?;
        Ok(builder.document)
    }
}

/// A document in the making, and the element that is open at each level.
#[derive(Default)]
struct Builder {
    document: Document,
    id: String,
    sample: Sample,
    target: Target,
    type_for: Option<String>,
    property: String,
    run: Run,
    react: React,
    data: Data,
    cycle: String,
    signal: String,
    readings: usize,
    declared: usize,
}

impl Builder {
    fn open(&mut self, path: &str, tag: &Tag<'_>) -> Result<(), Refusal> {
        let id = || {
            let id = tag.attribute("id")?.unwrap_or_default();
            check_name(&id).map(|()| id)
        };
        match path {
            "rdml" => self.document.version = tag.attribute("version")?.unwrap_or_default(),
            "rdml/sample" => (self.id, self.sample) = (id()?, Sample::default()),
            "rdml/sample/type" => self.type_for = tag.attribute("targetId")?,
            "rdml/target" => (self.id, self.target) = (id()?, Target::default()),
            "rdml/target/dyeId" => self.target.dye = id()?,
            "rdml/dye" => self.id = id()?,
            "rdml/experiment/run" => self.run = Run::default(),
            "rdml/experiment/run/react" => self.react = React { id: id()?, ..React::default() },
            "rdml/experiment/run/react/sample" => self.react.sample = id()?,
            "rdml/experiment/run/react/data" => self.data = Data::default(),
            "rdml/experiment/run/react/data/tar" => self.data.target = id()?,
            "rdml/experiment/run/react/data/adp" => {
                self.cycle.clear();
                self.signal.clear();
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, path: &str, text: &str) -> Result<(), Refusal> {
        if let Some(within) = path.strip_prefix("rdml/experiment/run") {
            return self.close_run(within, text);
        }
        self.count(path)?;
        if NAMES.iter().any(|names| path.starts_with(names)) {
            check_name(text)?;
        }
        let id = || self.id.clone();
        let document = &mut self.document;
        match path {
            "rdml" if document.version.is_empty() => {
                return Err(Refusal::NotOurs {
                    looked_like: "XML called rdml that states no version",
                });
            }
            "rdml/id/publisher" => text.clone_into(&mut document.publisher),
            "rdml/sample/description" => self.sample.description = Some(text.to_owned()),
            "rdml/sample/type" => {
                let target = self.type_for.take();
                self.sample.types.entry(target).or_insert_with(|| text.to_owned());
            }
            "rdml/sample/annotation/property" => text.clone_into(&mut self.property),
            "rdml/sample/annotation/value" => {
                let property = self.property.clone();
                self.sample.annotations.entry(property).or_insert_with(|| text.to_owned());
            }
            "rdml/sample" => {
                document.samples.insert(id(), std::mem::take(&mut self.sample));
            }
            "rdml/target/description" => self.target.description = Some(text.to_owned()),
            // RDML 1.0 has the dye as text, later versions as an attribute.
            "rdml/target/dyeId" if !text.is_empty() => text.clone_into(&mut self.target.dye),
            "rdml/target" => {
                document.targets.insert(id(), std::mem::take(&mut self.target));
            }
            "rdml/dye/description" => {
                document.dyes.insert(id(), text.to_owned());
            }
            "rdml/thermalCyclingConditions/step/loop/repeat" => {
                document.repeats = document.repeats.max(text.parse().ok());
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends an element of a run; `within` is the path from the run on.
    fn close_run(&mut self, within: &str, text: &str) -> Result<(), Refusal> {
        match within {
            "/react/data/adp/cyc" => text.clone_into(&mut self.cycle),
            "/react/data/adp/fluor" => text.clone_into(&mut self.signal),
            "/react/data/adp" => self.point()?,
            "/react/data/cq" => self.data.cq = Some(text.to_owned()),
            "/react/data/excl" => self.data.excluded = Some(text.to_owned()),
            "/react/data/note" => text.clone_into(&mut self.data.note),
            "/react/data" => {
                self.row()?;
                self.react.data.push(std::mem::take(&mut self.data));
            }
            "/react" => {
                self.row()?;
                self.run.reacts.push(std::mem::take(&mut self.react));
            }
            "/instrument" => text.clone_into(&mut self.run.instrument),
            "/dataCollectionSoftware/name" => text.clone_into(&mut self.run.software),
            "/pcrFormat/rows" => self.run.rows = text.parse().ok(),
            "/pcrFormat/columns" => self.run.columns = text.parse().ok(),
            "/runDate" => text.clone_into(&mut self.run.date),
            "" => {
                self.row()?;
                self.document.runs.push(std::mem::take(&mut self.run));
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts what takes memory for each reading, reaction and run.
    fn row(&mut self) -> Result<(), Refusal> {
        self.readings += 1;
        if self.readings > MAX_ROWS { Err(Refusal::TooManyRows) } else { Ok(()) }
    }

    /// Counts what takes memory for each declaration.
    fn count(&mut self, path: &str) -> Result<(), Refusal> {
        let kept = [
            "rdml/sample",
            "rdml/sample/type",
            "rdml/sample/annotation/value",
            "rdml/target",
            "rdml/dye/description",
        ];
        self.declared += usize::from(kept.contains(&path));
        if self.declared > MAX_DECLARED { Err(Refusal::TooManyRows) } else { Ok(()) }
    }

    /// Keeps the point of a curve; a signal that is not a number leaves a gap.
    fn point(&mut self) -> Result<(), Refusal> {
        let refuse = |token: &str, what| Err(Refusal::bad_place(&self.react.id, token, what));
        let Some(cycle) = cycle(&self.cycle) else {
            return refuse(&self.cycle, "is not a cycle between 1 and 200");
        };
        let Ok(signal) = self.signal.parse::<f64>() else {
            return refuse(&self.signal, "is not a fluorescence");
        };
        if self.data.points.len() > usize::from(MAX_CYCLES) {
            return refuse(&self.cycle, "comes twice in one curve");
        }
        if signal.is_finite() {
            self.data.points.push(Point { cycle, signal });
        }
        Ok(())
    }
}

/// A cycle, also written `1.0` as the `StepOne` does.
fn cycle(text: &str) -> Option<u16> {
    let whole = text.split_once('.').map_or(Some(text), |(whole, zeros)| {
        zeros.bytes().all(|byte| byte == b'0').then_some(whole)
    });
    whole?.parse().ok().filter(|cycle| (1..=MAX_CYCLES).contains(cycle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_whole_and_few() {
        assert_eq!(cycle("1.0"), Some(1));
        assert_eq!(cycle("45"), Some(45));
        for odd in ["", "0", "1.5", "-1", "201", "1.x", "NaN"] {
            assert_eq!(cycle(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_dye_is_read_in_the_spelling_of_every_version() {
        let xml = "<rdml version='1.2'><target id='a'><dyeId>FAM</dyeId></target>\
                   <target id='b'><dyeId id='HEX'/></target><target id='c'/></rdml>";
        let document = Document::read(xml.as_bytes()).unwrap();
        let dyes = ["a", "b", "c"].map(|id| document.targets[id].dye.as_str());
        assert_eq!(dyes, ["FAM", "HEX", ""]);
    }

    #[test]
    fn a_name_that_every_reading_would_repeat_has_an_end() {
        let long = "x".repeat(5_000);
        for inside in [
            format!("<sample id='s'><description>{long}</description></sample>"),
            format!("<sample id='s'><type>{long}</type></sample>"),
            format!("<target id='{long}'/>"),
            format!("<target id='t'><dyeId id='{long}'/></target>"),
            format!("<dye id='d'><description>{long}</description></dye>"),
        ] {
            let xml = format!("<rdml version='1.2'>{inside}</rdml>");
            let refusal = Document::read(xml.as_bytes()).unwrap_err();
            assert!(matches!(refusal, Refusal::CutShort { .. }), "{refusal}");
        }
        let note = format!("<rdml version='1.2'><id><publisher>{long}</publisher></id></rdml>");
        assert!(Document::read(note.as_bytes()).is_ok(), "nobody repeats a publisher");
    }

    #[test]
    fn the_role_of_a_sample_may_hold_for_one_target_only() {
        let xml = "<rdml version='1.3'><sample id='s'><description/><type>unkn</type>\
                   <type targetId='a'>pos</type></sample></rdml>";
        let sample = &Document::read(xml.as_bytes()).unwrap().samples["s"];
        assert_eq!(sample.description.as_deref(), Some(""));
        let roles = [(None, "unkn".to_owned()), (Some("a".to_owned()), "pos".to_owned())];
        assert_eq!(sample.types, HashMap::from(roles));
    }

    #[test]
    fn a_point_that_is_no_number_is_refused_and_a_gap_is_not() {
        let curve = |adp: &str| {
            let xml = format!(
                "<rdml version='1.3'><experiment><run><react id='7'><data><tar id='a'/>{adp}\
                 </data></react></run></experiment></rdml>"
            );
            Document::read(xml.as_bytes())
                .map(|document| document.runs[0].reacts[0].data[0].points.len())
        };
        assert_eq!(curve("<adp><cyc>1</cyc><tmp>60</tmp><fluor>-1.5E-2</fluor></adp>"), Ok(1));
        assert_eq!(curve("<adp><cyc>1</cyc><fluor>NaN</fluor></adp>"), Ok(0));
        for bad in [
            "<adp><cyc>1</cyc><fluor>x</fluor></adp>",
            "<adp><cyc>1</cyc></adp>",
            "<adp><cyc>0</cyc><fluor>1</fluor></adp>",
        ] {
            assert!(curve(bad).unwrap_err().to_string().starts_with("7: `"), "{bad}");
        }
        let endless = "<adp><cyc>1</cyc><fluor>1</fluor></adp>".repeat(300);
        assert!(curve(&endless).unwrap_err().to_string().contains("comes twice"));
    }

    #[test]
    fn more_reactions_than_any_plate_are_refused() {
        let reacts = "<react id='1'/>".repeat(MAX_ROWS + 1);
        let xml =
            format!("<rdml version='1.3'><experiment><run>{reacts}</run></experiment></rdml>");
        assert_eq!(Document::read(xml.as_bytes()).err(), Some(Refusal::TooManyRows));
        let samples = "<sample id='1'/>".repeat(MAX_DECLARED + 1);
        let xml = format!("<rdml version='1.3'>{samples}</rdml>");
        assert_eq!(Document::read(xml.as_bytes()).err(), Some(Refusal::TooManyRows));
    }
}
