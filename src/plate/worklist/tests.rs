use std::collections::BTreeSet;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::barcode::{Patterns, PlateCode, TubeCode};
use crate::plate::PlateSize;
use crate::plate::rack::Rack;
use crate::plate::robot::{self, Known, Material, Origin, RackHistory};

fn tube(number: u64) -> String {
    TubeCode::numbered(number).unwrap().to_string()
}

fn plate() -> String {
    PlateCode::numbered(7).unwrap().to_string()
}

fn well(name: &str) -> WellPosition {
    name.parse().unwrap()
}

fn holding(size: PlateSize, tubes: &[(WellPosition, u64)], controls: &[(&str, Control)]) -> Layout {
    let reaction = || "mix".to_owned();
    let tubes = tubes.iter().map(|(at, number)| {
        (*at, Content::Tube { tube: tube(*number), depth: 1, reaction: reaction() })
    });
    let controls = controls.iter().map(|(at, control)| {
        (well(at), Content::Control { control: *control, reaction: reaction() })
    });
    Layout::explicit(size, tubes.chain(controls).collect()).unwrap()
}

/// Two tubes in a rack, one in none, and two controls.
fn plate_of_five() -> Layout {
    let tubes = [(well("A1"), 1), (well("B1"), 2), (well("A2"), 3)];
    holding(PlateSize::P96, &tubes, &[("C10", Control::Positive), ("D10", Control::Negative)])
}

fn seat(rack: &str, position: &str) -> Seat {
    let rack = RackCode::parse(rack).unwrap();
    Seat { rack, size: RackSize::R96, position: well(position) }
}

fn seats() -> BTreeMap<String, Seat> {
    BTreeMap::from([(tube(1), seat("FX12345678", "H1")), (tube(2), seat("FX12345678", "A2"))])
}

fn written(write: fn(Work<'_>) -> String) -> String {
    let steps = steps(&plate_of_five(), &seats(), true);
    let volume = Volume::parse("2.5").unwrap();
    let work = Work { plate: &plate(), shape: (8, 12), volume, steps: &steps };
    write(work).replace("\r\n", "\\r\\n\n")
}

fn assays() -> Vec<Assay> {
    [("ORF1ab", "FAM"), ("N", "VIC")]
        .map(|(target, dye)| Assay {
            reaction: "mix".to_owned(),
            target: target.to_owned(),
            dye: dye.to_owned(),
        })
        .to_vec()
}

#[test]
fn lists_are_written_as_each_maker_takes_them() {
    assert_snapshot!("tecan", written(worklist_tecan));
    assert_snapshot!("hamilton", written(worklist_hamilton));
    assert_snapshot!("biomek", written(worklist_biomek));
    let layout = plate_of_five();
    let ends = |sheet: String| sheet.replace("\r\n", "\\r\\n\n");
    assert_snapshot!("quantstudio", ends(quantstudio(&plate(), &layout, &assays())));
    assert_snapshot!("cfx", ends(cfx(&layout, &assays())));
    let sheet = ends(lightcycler480(&layout));
    assert_eq!(sheet.lines().count(), 97);
    let filled: Vec<_> = sheet.lines().filter(|line| !line.contains("\"\"")).collect();
    assert_snapshot!("lightcycler480", filled.join("\n"));
}

#[test]
fn a_tube_in_no_rack_is_a_labware_of_its_own_and_controls_may_be_left_out() {
    let steps = steps(&plate_of_five(), &seats(), false);
    let from: Vec<_> = steps
        .iter()
        .map(|step| format!("{} {} > {}", step.source.labware, step.source.position, step.well))
        .collect();
    let expected = [
        "FX12345678 H1 > A1".to_owned(),
        "FX12345678 A2 > B1".to_owned(),
        format!("{} A1 > A2", tube(3)),
    ];
    assert_eq!(from, expected);
}

#[test]
fn nothing_in_a_list_ends_a_cell_or_starts_a_formula() {
    let evil = "=HYPERLINK(\"x\")\t;\r\nA;";
    let reaction = || "mix".to_owned();
    let content = Content::Tube { tube: evil.to_owned(), depth: 1, reaction: reaction() };
    let layout = Layout::explicit(PlateSize::P96, vec![(well("A1"), content)]).unwrap();
    let steps = steps(&layout, &BTreeMap::new(), true);
    let volume = Volume::parse("5").unwrap();
    let work = Work { plate: &plate(), shape: (8, 12), volume, steps: &steps };
    let list = worklist_tecan(work);
    assert_eq!(list.lines().count(), 4, "{list}");
    assert!(list.lines().all(|line| matches!(line.split(';').count(), 2 | 10)), "{list}");
    for list in [worklist_hamilton(work), worklist_biomek(work), cfx(&layout, &assays())] {
        let mut rows = ::csv::ReaderBuilder::new().from_reader(list.as_bytes());
        for row in rows.records() {
            assert!(row.unwrap().iter().all(|cell| !cell.starts_with('=')), "{list}");
        }
    }
    let sheet = quantstudio(&plate(), &layout, &assays());
    assert!(sheet.lines().skip(5).all(|line| line.split('\t').count() == 7), "{sheet}");
    assert!(!sheet.contains("\t="), "{sheet}");
    assert_eq!(lightcycler480(&layout).lines().count(), 97);
}

#[test]
fn a_control_is_known_by_the_name_it_is_written_under() {
    for control in Control::ALL {
        assert_eq!(control_named(control_name(control)), Some(control));
    }
    assert_eq!(control_named(" ntc "), Some(Control::Negative));
    assert_eq!(control_named("PBS"), None);
    assert_eq!(control_named(&tube(1)), None);
}

/// What is done: which tube or control into which well, and how much.
type Done = BTreeSet<(WellPosition, Material, Volume)>;

/// A list that was carried out as it stands, read by the reader of the robot's logs.
fn carried_out(list: &str, racks: &BTreeMap<String, RackHistory>, shape: (u8, u8)) -> Done {
    let log = robot::read(list.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}: {list}"));
    let patterns = Patterns::default();
    let known = Known { patterns: &patterns, racks, plates: &BTreeMap::new() };
    assert!(log.errors.is_empty());
    log.transfers
        .iter()
        .map(|transfer| {
            assert_eq!(transfer.destination.label, plate());
            assert!(matches!(transfer.origin, Origin::One(_)));
            let well = transfer.destination.spot.on(shape).unwrap();
            (well, known.material(&transfer.origin), transfer.volume)
        })
        .collect()
}

/// A well, and the rack and place of its tube if it has one.
type Seated = (u16, Option<(u8, u16)>);

/// A plate of either size with tubes anywhere, some of them anywhere in racks of any size.
fn plates() -> impl Strategy<Value = (PlateSize, Vec<Seated>)> {
    prop_oneof![Just(PlateSize::P96), Just(PlateSize::P384)].prop_flat_map(|size| {
        let seat = proptest::option::of((0..3_u8, 0..96_u16));
        let wells = proptest::collection::btree_map(0..size.wells(), seat, 1..40);
        (Just(size), wells.prop_map(|wells| wells.into_iter().collect()))
    })
}

const RACKS: [(&str, RackSize); 3] =
    [("FX12345678", RackSize::R96), ("rack-7/3", RackSize::R48), ("0042$%", RackSize::R24)];

proptest! {
    #[test]
    fn a_list_reads_back_as_the_transfers_it_was_written_for(
        (size, wells) in plates(),
        nanolitres in 1..2_000_000_u32,
        control in proptest::bool::ANY,
    ) {
        let mut racks: [BTreeMap<WellPosition, String>; 3] = Default::default();
        let (mut seats, mut tubes) = (BTreeMap::new(), Vec::new());
        let mut expected = Done::new();
        let volume = Volume::from_nl(nanolitres).unwrap();
        for (number, (index, seated)) in (1..).zip(&wells) {
            let at = WellPosition::from_index(*index, size).unwrap();
            expected.insert((at, Material::Tube(tube(number)), volume));
            tubes.push((at, number));
            let Some((rack, place)) = seated else { continue };
            let (code, of) = RACKS[usize::from(*rack)];
            let (rows, _) = of.shape();
            let place = place % of.positions();
            let down = (place % u16::from(rows), place / u16::from(rows));
            let (row, column) = (u8::try_from(down.0).unwrap(), u8::try_from(down.1).unwrap());
            let position = WellPosition::new(row, column).unwrap();
            if racks[usize::from(*rack)].insert(position, tube(number)).is_none() {
                let rack = RackCode::parse(code).unwrap();
                seats.insert(tube(number), Seat { rack, size: of, position });
            } else {
                // Somebody stands there already: this tube is in no rack.
                let kept = seats.iter().find(|(_, seat)| {
                    seat.rack.as_str() == code && seat.position == position
                });
                let kept = kept.map(|(tube, _)| tube.clone()).unwrap();
                racks[usize::from(*rack)].insert(position, kept);
            }
        }
        let layout = holding(size, &tubes, &[]);
        let mut steps = steps(&layout, &seats, true);
        if control {
            let name = control_name(Control::Extraction).to_owned();
            let free = (0..size.wells())
                .filter_map(|index| WellPosition::from_index(index, size))
                .find(|at| *layout.content(*at) == Content::Nothing)
                .unwrap();
            let source = Source { labware: name.clone(), shape: (1, 1), position: well("A1"), name };
            steps.push(Step { source, well: free });
            expected.insert((free, Material::Control(Control::Extraction), volume));
        }
        let shape = (size.rows(), size.columns());
        let work = Work { plate: &plate(), shape, volume, steps: &steps };
        let scanned = |(tubes, (code, size)): (BTreeMap<_, _>, (&str, RackSize))| {
            (code.to_owned(), RackHistory(vec![Rack::of(size, tubes).unwrap()]))
        };
        let racks: BTreeMap<_, _> = racks.into_iter().zip(RACKS).map(scanned).collect();
        for write in [worklist_tecan, worklist_hamilton, worklist_biomek] {
            let list = write(work);
            prop_assert_eq!(carried_out(&list, &racks, shape), expected.clone(), "{}", list);
            // Without the barcodes of tubes a robot knows positions only.
            let blind = match write(work) {
                list if list.starts_with("C;") => list
                    .lines()
                    .map(|line| {
                        let mut fields: Vec<_> = line.split(';').collect();
                        if fields[0] == "A" {
                            fields[5] = "";
                        }
                        fields.join(";") + "\n"
                    })
                    .collect(),
                list => list,
            };
            prop_assert_eq!(carried_out(&blind, &racks, shape), expected.clone(), "{}", blind);
        }
    }
}
