//! What each target does with its input; a file of the target's name calls it.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use swabline::barcode::{Alphabet, BoxCode, Pattern, Patterns, PlaceCode, PlateCode, TubeCode};
use swabline::instrument::{self, Ct, Mapping, Mappings, own_end, read_run};
use swabline::interpretation::{CutOff, Kit};
use swabline::plate::rack::{RackCode, RackSize, scan};
use swabline::plate::robot::{self, Log, Origin, Place, Volume};
use swabline::plate::{Template, WellPosition};
use swabline::simulation::workbook_xls::compound;

use super::inputs::{makes_sense, parts, read, read_mapped, xlsx, zip};

/// What is done with an input of the fuzzer's; it panics where that should not be.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 21] = [
    ("applied_biosystems_text", applied_biosystems_text),
    ("bio_rad_cfx", bio_rad_cfx),
    ("codes", codes),
    ("design_analysis_csv", design_analysis_csv),
    ("eds_new", eds_new),
    ("eds_old", eds_old),
    ("kit_definition", kit_definition),
    ("lightcycler_480", lightcycler_480),
    ("lighthouse", lighthouse),
    ("mapping_definition", mapping_definition),
    ("mapping_file", mapping_file),
    ("plate_template", plate_template),
    ("rdml", rdml),
    ("robot_log", robot_log),
    ("run_file", run_file),
    ("run_parts", run_parts),
    ("tube_rack", tube_rack),
    ("workbook_stream", workbook_stream),
    ("workbook_xls", workbook_xls),
    ("workbook_xlsx", workbook_xlsx),
    ("zip_file", zip_file),
];

/// The first line keeps the format known, so that every try reaches the parser.
pub fn applied_biosystems_text(bytes: &[u8]) {
    read(&[b"* Block Type = 96-Well Block (0.2mL)\n", bytes].concat());
}

/// The whole file, as it comes.
pub fn bio_rad_cfx(bytes: &[u8]) {
    read(bytes);
}

/// Short texts under a scanner or in a cell; what is read is written as it is read again.
pub fn codes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let patterns = Patterns::default();
    if let Ok(code) = TubeCode::parse(text, &patterns) {
        assert_eq!(TubeCode::parse(code.as_str(), &patterns), Ok(code));
    }
    if let Ok(code) = BoxCode::parse(text) {
        assert_eq!(BoxCode::parse(code.as_str()), Ok(code));
    }
    if let Ok(code) = PlateCode::parse(text) {
        assert_eq!(PlateCode::parse(code.as_str()), Ok(code));
    }
    if let Ok(code) = PlaceCode::parse(text) {
        assert_eq!(PlaceCode::parse(code.as_str()), Ok(code));
    }
    if let Ok(code) = RackCode::parse(text) {
        assert_eq!(RackCode::parse(code.as_str()), Ok(code));
    }
    if let Ok(well) = text.parse::<WellPosition>() {
        assert_eq!(well.to_string().parse(), Ok(well));
    }
    if let Some(volume) = Volume::parse(text) {
        assert_eq!(Volume::parse(&volume.to_string()), Some(volume));
    }
    if let Ok(cut_off) = text.parse::<CutOff>() {
        assert_eq!(cut_off.to_string().parse().ok(), Some(cut_off));
    }
    if let Some(ct) = text.parse::<Decimal>().ok().and_then(|cycles| Ct::try_from(cycles).ok()) {
        assert_eq!(Ct::try_from(ct.cycles()), Ok(ct));
    }
    let _any_time = own_end(text);
    let length = u8::try_from(text.len() % 30).expect("less than 30");
    let _any_fault = Pattern::new("Maker", text, length, Alphabet::Digits);
}

/// The first line keeps the format known, so that every try reaches the parser.
pub fn design_analysis_csv(bytes: &[u8]) {
    read(&[b"# Block Type: 96-Well Block\r\n", bytes].concat());
}

/// The whole file, as it comes.
pub fn eds_new(bytes: &[u8]) {
    const MEMBERS: [&str; 4] = [
        "primary/analysis_result.json",
        "setup/plate_setup.json",
        "summary.json",
        "run/run_summary.json",
    ];

    read(&zip(&MEMBERS, &parts(bytes)));
}

/// One part is the inner result file alone, more are a zip.
pub fn eds_old(bytes: &[u8]) {
    const MEMBERS: [&str; 4] = [
        "apldbio/sds/analysis_result.txt",
        "apldbio/sds/plate_setup.xml",
        "apldbio/sds/experiment.xml",
        "apldbio/sds/tcprotocol.xml",
    ];

    match parts(bytes)[..] {
        [result] => read(result),
        ref parts => read(&zip(&MEMBERS, parts)),
    }
}

/// A kit as TOML; one that is let in can be planned with and is written and read again.
pub fn kit_definition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Kit::parse(text) {
        Err(faults) => assert!(!faults.is_empty(), "refused without a reason"),
        Ok(kit) => {
            assert!(!kit.plan().reactions.is_empty(), "a kit without a reaction was let in");
            let json = serde_json::to_string(&kit).expect("a kit can be written");
            assert_eq!(serde_json::from_str::<Kit>(&json).ok(), Some(kit), "{json}");
        }
    }
}

/// The first line keeps the format known, so that every try reaches the parser.
pub fn lightcycler_480(bytes: &[u8]) {
    let title = b"Experiment: Simulated  Selected Filter: FAM (465-510)\r\n";
    read(&[title, bytes].concat());
}

/// The whole file, as it comes.
pub fn lighthouse(bytes: &[u8]) {
    read(bytes);
}

/// A mapping of a laboratory's own, then a file read by it.
pub fn mapping_definition(bytes: &[u8]) {
    let parts = parts(bytes);
    let Ok(text) = std::str::from_utf8(parts[0]) else { return };
    match Mapping::parse("own.toml", text) {
        Err(faults) => assert!(!faults.is_empty(), "refused without a reason"),
        Ok(mapping) => {
            let file = parts.get(1).copied().unwrap_or_default();
            let read = instrument::read_part(file, Mappings::shipped(), Some(&mapping));
            if let Ok(part) = read {
                makes_sense(&part.run, bytes.len());
            }
        }
    }
}

/// The first byte names one of the shipped mappings, or none of them.
pub fn mapping_file(bytes: &[u8]) {
    if let Some((number, file)) = bytes.split_first() {
        read_mapped(file, *number);
    }
}

/// A template as TOML; one that is let in lies on its plate in every one of its positions.
pub fn plate_template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Template::parse(text) {
        Err(faults) => assert!(!faults.is_empty(), "refused without a reason"),
        Ok(template) => {
            for number in 0..8 {
                let template = template.clone().for_plate(number);
                let slots = template.tube_slots().iter();
                let wells = slots.chain(template.control_slots().iter().map(|slot| &slot.wells));
                for well in wells.flatten() {
                    assert!(template.size().contains(*well), "{well} lies off the plate");
                }
            }
        }
    }
}

/// One part is bare XML, two are a zip with another member beside it.
pub fn rdml(bytes: &[u8]) {
    match parts(bytes)[..] {
        [xml] => read(xml),
        ref parts => {
            read(&zip(&["rdml_data.xml", "module_data.xml"], parts));
        }
    }
}

/// A log of any maker.
pub fn robot_log(bytes: &[u8]) {
    let Ok(log) = robot::read(bytes) else { return };
    let Log { transfers, errors, detected_by, .. } = &log;
    assert!(!transfers.is_empty() || !errors.is_empty(), "a log that tells nothing was let in");
    assert!(!detected_by.is_empty(), "nobody knows why it was taken for a log");
    let letters = |place: &Place| place.label.len() + place.barcode.len() + place.tube.len();
    let mut text = 0;
    for one in transfers {
        assert!(!one.volume.is_nothing(), "a transfer of nothing");
        text += letters(&one.destination);
        if let Origin::One(from) = &one.origin {
            text += letters(from);
        }
    }
    let most = 8 * bytes.len() + 2_048 * transfers.len();
    assert!(text <= most, "{text} bytes of names out of a log of {}", bytes.len());
}

/// The whole file, as it comes.
pub fn run_file(bytes: &[u8]) {
    read(bytes);
}

/// The files of one run; the order in which they come does not matter.
pub fn run_parts(bytes: &[u8]) {
    let mut files = parts(bytes);
    let read = read_run(&files, Mappings::shipped(), None);
    files.reverse();
    let other = read_run(&files, Mappings::shipped(), None);
    match (read, other) {
        (Ok(run), Ok(other)) => {
            makes_sense(&run, bytes.len());
            assert_eq!(run, other, "the order of the files matters");
        }
        (Err(faults), Err(others)) => assert!(!faults.is_empty() && !others.is_empty()),
        (run, other) => panic!("the order decides: {:?} {:?}", run.is_ok(), other.is_ok()),
    }
}

/// A scan of the rack `R1`, whose size the first byte gives.
pub fn tube_rack(bytes: &[u8]) {
    let Some((number, file)) = bytes.split_first() else { return };
    let size = [RackSize::R24, RackSize::R48, RackSize::R96][usize::from(number % 3)];
    let rack = RackCode::parse("R1").expect("a rack's code");
    match scan(file, &rack, size) {
        Err(faults) => assert!(!faults.is_empty(), "refused without a reason"),
        Ok(tubes) => {
            assert!(!tubes.is_empty(), "a rack without a tube was let in");
            assert!(tubes.iter().all(|one| size.contains(one.position) && !one.text.is_empty()));
            let places: BTreeSet<_> = tubes.iter().map(|one| one.position).collect();
            assert_eq!(places.len(), tubes.len(), "two tubes in one place");
        }
    }
}

/// The fuzzer writes the workbook stream; the sectors around it are sound.
pub fn workbook_stream(stream: &[u8]) {
    read(&compound(stream));
}

/// The whole file, as it comes.
pub fn workbook_xls(bytes: &[u8]) {
    read(bytes);
}

/// The fuzzer writes sheets and shared strings; the packing around them is sound.
pub fn workbook_xlsx(bytes: &[u8]) {
    read(&xlsx(&parts(bytes)));
}

/// Whole zips: workbooks, RDML and both kinds of `.eds`, with whatever directory the fuzzer likes.
pub fn zip_file(bytes: &[u8]) {
    read(&[b"PK\x03\x04", bytes].concat());
}
