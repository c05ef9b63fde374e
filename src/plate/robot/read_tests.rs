use std::path::Path;

use super::*;

const REALDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/realdata");

/// A real log, or none with a plain sentence when the folder is absent.
fn real(name: &str) -> Option<Log> {
    if !Path::new(REALDATA).is_dir() {
        eprintln!("the folder of real robot logs is absent; {name} was not tested");
        return None;
    }
    let bytes = std::fs::read(format!("{REALDATA}/{name}")).unwrap();
    Some(read(&bytes).unwrap_or_else(|refusal| panic!("{name}: {refusal}")))
}

fn log(text: &str) -> Log {
    read(text.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}: {text}"))
}

/// One transfer in a line: source place, well, destination place, volume.
fn told(transfer: &Transfer, source: (u8, u8)) -> String {
    let from = match &transfer.origin {
        Origin::One(place) => {
            let at = place.spot.on(source).map_or("off".to_owned(), |well| well.to_string());
            format!("{}/{} {at}", place.label, place.barcode)
        }
        other => format!("{other:?}"),
    };
    let Place { label, barcode, spot, .. } = &transfer.destination;
    let to = spot.on((8, 12)).map_or("off".to_owned(), |well| well.to_string());
    format!("{from} > {label}/{barcode} {to}: {}", transfer.volume)
}

/// Transfers of more than nothing, reagents expanded, and their nanolitres together; counted by a
/// Python script of 25 lines that splits the records itself.
#[test]
fn every_real_tecan_worklist_has_the_transfers_counted_elsewhere() {
    for (name, transfers, nanolitres, label) in [
        ("TECAN_dilute.gwl", 141, 1_859_580, "96 Well[001]"),
        ("basic_96well.gwl", 180, 1_125_000, "96 Well[008]"),
        ("basic_96well_win.gwl", 180, 1_125_000, "96 Well[008]"),
        ("multi_dispense.gwl", 2, 10_000, "384 Well[001]"),
        ("reagent_dispense.gwl", 96, 1_920_000, "96 Well Skirted PCR[003]"),
    ] {
        let Some(log) = real(&format!("tecan-gwl/{name}")) else { return };
        let sum: u32 = log.transfers.iter().map(|transfer| transfer.volume.nl()).sum();
        assert_eq!((log.transfers.len(), sum), (transfers, nanolitres), "{name}");
        assert_eq!(log.errors, Vec::<usize>::new(), "{name}");
        for transfer in &log.transfers {
            assert_eq!(transfer.destination.label, label, "{name}");
            assert!(matches!(transfer.origin, Origin::One(_)), "{name}: {transfer:?}");
            assert_eq!(transfer.is_reagent, name == "reagent_dispense.gwl");
            assert_eq!(transfer.earlier, [], "{name}: every tip is washed");
        }
    }
    let Some(unix) = real("tecan-gwl/basic_96well.gwl") else { return };
    assert_eq!(Some(&unix), real("tecan-gwl/basic_96well_win.gwl").as_ref());
    let Some(multi) = real("tecan-gwl/multi_dispense.gwl") else { return };
    let wells: Vec<_> = multi.transfers.iter().map(|one| told(one, (8, 12))).collect();
    assert_eq!(
        wells,
        [
            "96 Well Skirted PCR[002]/ A1 > 384 Well[001]/ A1: 5",
            "96 Well Skirted PCR[002]/ A1 > 384 Well[001]/ B1: 5",
        ]
    );
}

#[test]
fn every_real_biomek_log_is_read() {
    let Some(unified) = real("allotropy/biomek/example_01.csv") else { return };
    assert_eq!(unified.format, Format::BiomekUnifiedPipetting);
    let wells: Vec<_> = unified.transfers.iter().map(|one| told(one, (8, 12))).collect();
    assert_eq!(
        wells,
        [
            "Inducer/96WP001 A1 > GRP1/96WP002 A1: 98",
            "Inducer/96WP001 A1 > GRP1/96WP002 A2: 99",
            "Inducer/96WP001 A1 > GRP2/96WP003 A1: 104",
            "Inducer/96WP001 A1 > GRP2/96WP003 A2: 105",
        ]
    );
    let Some(pipetting) = real("allotropy/biomek/pipetting_example.log") else { return };
    assert_eq!(pipetting.format, Format::BiomekPipetting);
    let wells: Vec<_> = pipetting.transfers.iter().map(|one| told(one, (8, 12))).collect();
    let to = |well: &str| format!("Source1/ A1 > Dest1/ABCDX {well}: 50");
    assert_eq!(wells, ["A1", "A2", "A3", "A4", "A5", "A5", "A5"].map(to));
    let Some(transfers) = real("allotropy/biomek/UnifiedTransfer09-14-2011.log") else { return };
    assert_eq!(transfers.format, Format::BiomekUnifiedTransfer);
    let wells: Vec<_> = transfers.transfers.iter().map(|one| told(one, (8, 12))).collect();
    assert_eq!(wells, ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8"].map(to));
    for log in [unified, pipetting, transfers] {
        assert_eq!(log.errors, Vec::<usize>::new());
        assert!(!log.detected_by.is_empty());
    }
}

#[test]
fn a_hamilton_list_names_tubes_and_controls() {
    let text = "\"Deep Well Plate\",\"Deep Well Position\",\"Transfer Vol\",\
        \"Tube Rack Carrier\",\"Tube Rack Position\",\"Tube Barcode\",\"User\"\r\n\
        \"P1\",\"A1\",\"500.000000000000\",\"C1\",\"1\",\"T1\",\"\"\r\n\
        \"P1\",\"B01\",\"500.000000000000\",\"C1\",\"\",\"NTC\",\"\"\r\n";
    let log = log(text);
    assert_eq!((log.format, log.transfers.len()), (Format::Hamilton, 2));
    let [tube, control] = &log.transfers[..] else { panic!("{log:?}") };
    let names = [tube, control].map(|transfer| match &transfer.origin {
        Origin::One(place) => place.tube.as_str(),
        _ => "",
    });
    assert_eq!(names, ["T1", "NTC"]);
    assert_eq!(told(tube, (8, 12)), "C1/ A1 > P1/ A1: 500");
    assert_eq!(told(control, (8, 12)), "/ A1 > P1/ B1: 500", "no place of the carrier");
    assert_eq!((tube.line, control.line), (2, 3));
    let failed = text.replace("\"User\"", "\"Status\"").replace("\"NTC\",\"\"", "\"NTC\",\"clot\"");
    assert_eq!(self::log(&failed).errors, [3]);
    assert_eq!(self::log(&failed.replace("clot", "OK")).errors, Vec::<usize>::new());
}

#[test]
fn tecan_tips_are_followed_and_errors_kept() {
    let log = log("C;a plate\nA;R;;;2;T2;10;;;\nD;P;;;9;;5;;;\nD;P;;;10;;5;;;\nW1;\n\
        D;P;;;11;;5;;;\nC;ERROR clot in tip 3\nA;R;;;1;;5;;;\nA;R;;;2;;5;;;\nD;P;;;1;;10;;;\nF;\n\
        A;R;;;3;;0;;;\nD;P;;;12;;0.0;;;\nW;\nA;P;;;1;;9;;;\nD;P;;;1;;9;;;\nB;\n");
    let wells: Vec<_> = log.transfers.iter().map(|one| told(one, (8, 12))).collect();
    assert_eq!(
        wells,
        [
            "R/ B1 > P/ A2: 5",
            "R/ B1 > P/ B2: 5",
            "Untold > P/ C2: 5",
            "Several > P/ A1: 10",
            "P/ A1 > P/ A1: 9",
        ]
    );
    let mixing: Vec<_> = log.transfers.iter().map(Transfer::is_mixing).collect();
    assert_eq!(mixing, [false, false, false, false, true]);
    assert_eq!(log.errors, [7]);
}

/// What the tip of each dispense had taken from before.
fn earlier(text: &str) -> Vec<Vec<String>> {
    let places = |one: Transfer| one.earlier.into_iter().map(|place| place.label).collect();
    log(text).transfers.into_iter().map(places).collect()
}

#[test]
fn a_tip_of_a_worklist_that_is_not_washed_between_two_places_is_seen() {
    let none: Vec<String> = Vec::new();
    let one = |from: &str, to: u8| format!("A;{from};;;1;;5;;;\nD;P;;;{to};;5;;;\n");
    for clean in ["W;\n", "W2;\n", "WD;\n"] {
        let washed = format!("{}{clean}{}", one("T1", 1), one("T2", 2));
        assert_eq!(earlier(&washed), [none.clone(), none.clone()], "{clean}");
    }
    for idle in ["", "F;\n", "B;\n", "C;wash\n"] {
        let kept = format!("{}{idle}{}{}", one("T1", 1), one("T2", 2), one("T3", 3));
        let first = vec!["T1".to_owned()];
        let both = vec!["T1".to_owned(), "T2".to_owned()];
        assert_eq!(earlier(&kept), [none.clone(), first, both], "{idle}");
    }
    let same = format!("{}{}", one("T1", 1), one("T1", 2));
    assert_eq!(earlier(&same), [none.clone(), none.clone()]);
    let masked = "A;T1;;;1;;5;;;1\nD;P;;;1;;5;;;1\nA;T2;;;1;;5;;;2\nD;P;;;2;;5;;;2\n";
    assert_eq!(earlier(masked), [none.clone(), none.clone()]);
    // A Biomek log names a probe, not its tip.
    let biomek = "Time Stamp,Pod,Transfer Step,Deck Position,Labware Name,Labware Barcode,\
        Well Index,,Probe,Amount,Liquid Handling Technique\n\
        t,Pod1,Aspirate,T,S,B,3,,1,50,x\nt,Pod1,Dispense,T,D,P,13,,1,50,x\n\
        t,Pod1,Aspirate,T,S,B,4,,1,50,x\nt,Pod1,Dispense,T,D,P,14,,1,50,x\n";
    assert_eq!(earlier(biomek), [none.clone(), none]);
}

#[test]
fn a_tip_that_is_never_washed_is_remembered_by_a_few_places() {
    let step = |n: u16| format!("A;R;;;{n};;5;;;\nD;P;;;{n};;5;;;\n");
    let endless = (1..=96).map(step).collect::<Vec<_>>().concat();
    let all = log(&endless).transfers;
    assert!(all.iter().skip(1).all(|one| !one.earlier.is_empty() && one.earlier.len() <= 16));
}

#[test]
fn a_reagent_leaves_out_what_is_to_be_left_out() {
    let log = log("R;Trough;;;1;8;P;;;1;5;20;Water;1;5;0;2;4\n");
    let wells: Vec<_> = log.transfers.iter().map(|one| told(one, (8, 12))).collect();
    assert_eq!(wells, ["A1", "C1", "E1"].map(|well| format!("Trough/ A1 > P/ {well}: 20")));
    assert!(log.transfers.iter().all(|transfer| transfer.is_reagent));
}

#[test]
fn steps_nobody_knows_are_kept_as_errors() {
    let preamble = "Method = M\nLogged in user = U\n\n";
    let row =
        |step: &str, to: &str| format!("09/14/2011 14:02:55,Pod1,{step},P3,{to}, ,1,50,MP200\n");
    let text = format!(
        "{preamble}{}{}{}",
        row("Aspirate", "S"),
        row("Dispense", "D"),
        row("Skipped", "D")
    );
    let pipetting = log(&text);
    assert_eq!((pipetting.transfers.len(), &pipetting.errors[..]), (1, &[6][..]));
    let unified = log("Time Stamp,Pod,Transfer Step,Deck Position,Labware Name,Labware Barcode,\
        Well Index,,Probe,Amount,Liquid Handling Technique\n\
        t,Pod1,Aspirate,T,S,B,3,,1,50,x\nt,Pod1,Clot,T,S,B,3,,1,50,x\n\
        t,Pod1,Dispense,T,D,P,13,,1,50,x\nt,Pod1,Dispense,T,D,P,14,,2,50,x\n");
    assert_eq!(unified.errors, [3]);
    let wells: Vec<_> = unified.transfers.iter().map(|one| told(one, (8, 12))).collect();
    assert_eq!(wells, ["S/B A3 > D/P B1: 50", "Untold > D/P B2: 50"]);
}

#[test]
fn what_is_no_log_is_refused_and_never_repeated() {
    for (bytes, refusal) in [
        (&b""[..], LogRefusal::Empty),
        (b"C;nothing\n", LogRefusal::Empty),
        (b"Zhang San,110105\n", LogRefusal::Unknown),
        (b"PK\x03\x04\0\0", LogRefusal::Binary),
        (b"Method = M\nLogged in user = U\n", LogRefusal::Unknown),
    ] {
        assert_eq!(read(bytes), Err(refusal));
    }
    for text in [
        "A;R;;;x;;5;;;\nD;P;;;1;;5;;;\n",
        "A;R;;;1;;5;;;\nD;P;;;0;;5;;;\n",
        "A;R;;;1;;5;;;\nD;P;;;1;;five;;;\n",
        "A;R\nD;P;;;1;;5;;;\n",
        "R;T;;;1;8;P;;;1;5000;20;W;1;5;0\n",
        "Deep Well Plate,Deep Well Position,Transfer Vol,Tube Barcode\nP,A1,lots,T\n",
        "Deep Well Plate,Deep Well Position,Transfer Vol,Tube Barcode\nP,A1,5,\n",
        "SourcePosition,SourceWell,Volume,DestinationPosition,DestinationWell\nS,A1,5,P,Q99\n",
    ] {
        let refusal = read(text.as_bytes()).unwrap_err();
        assert!(matches!(refusal, LogRefusal::Row { .. }), "{text}: {refusal}");
        assert!(!refusal.to_string().contains("lots"), "{refusal}");
    }
}

#[test]
fn a_log_without_end_is_refused() {
    let label = "R".repeat(CELL_MAX + 1);
    for endless in [
        format!("A;{label};;;1;;5;;;\nD;P;;;1;;5;;;\n"),
        format!(
            "SourcePosition,SourceWell,Volume,DestinationPosition,DestinationWell\n{label},A1,5,P,1\n"
        ),
        format!("Method = M\nLogged in user = U\n\n{}\n", ",".repeat(CELLS_MAX)),
    ] {
        let refusal = read(endless.as_bytes()).unwrap_err();
        assert!(matches!(refusal, LogRefusal::Row { what: "it has no end", .. }), "{refusal}");
    }
    let mut text = "A;R;;;1;;5;;;\n".to_owned();
    text.push_str(&"D;P;;;1;;5;;;\n".repeat(ROWS_MAX + 1));
    assert_eq!(read(text.as_bytes()), Err(LogRefusal::TooLong));
    let reagents = "R;T;;;1;8;P;;;1;1536;20;W;1;5;0\n".repeat(100);
    assert_eq!(read(reagents.as_bytes()), Err(LogRefusal::TooLong));
}

#[test]
fn places_are_counted_down_columns_or_along_rows() {
    let well = |spot: Spot, shape| spot.on(shape).map(|well| well.to_string());
    for (spot, shape, expected) in [
        (Spot::ColumnMajor(9), (8, 12), Some("A2")),
        (Spot::ColumnMajor(17), (16, 24), Some("A2")),
        (Spot::ColumnMajor(97), (8, 12), None),
        (Spot::RowMajor(13), (8, 12), Some("B1")),
        (Spot::RowMajor(96), (8, 12), Some("H12")),
        (Spot::RowMajor(0), (8, 12), None),
        (Spot::Well("I1".parse().unwrap()), (8, 12), None),
        (Spot::Well("H12".parse().unwrap()), (8, 12), Some("H12")),
    ] {
        assert_eq!(well(spot, shape).as_deref(), expected, "{spot:?}");
    }
}
