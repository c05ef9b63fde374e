use std::path::Path;

use super::*;

const REALDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/realdata/sanger-limber");

fn rack(code: &str) -> RackCode {
    RackCode::parse(code).unwrap()
}

fn read(text: &str) -> Result<Vec<(String, String)>, Vec<String>> {
    read_as("FX12345678", text.as_bytes())
}

fn read_as(code: &str, bytes: &[u8]) -> Result<Vec<(String, String)>, Vec<String>> {
    let plain = |one: Scanned| (one.position.to_string(), one.text);
    scan(bytes, &rack(code), RackSize::R96)
        .map(|scanned| scanned.into_iter().map(plain).collect())
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// What must become of every scan there is: how many tubes, or every fault.
#[test]
fn every_real_scan_is_read_or_refused_with_all_its_faults() {
    if !Path::new(REALDATA).is_dir() {
        eprintln!("the folder of real scans is absent; none was tested");
        return;
    }
    let twice = |at: &str, first: u8, row: u8| {
        format!("position {at} is scanned in rows {first} and {row}; scan the rack again")
    };
    let same = |first: &str, at: &str| {
        format!("positions {first} and {at} have the same tube; scan the rack again")
    };
    let blank =
        "position C1 has no value; scan the rack again, or say `EMPTY` where no tube is".to_owned();
    let no_position =
        "row 9 names no position of this rack; check the size of the rack and scan again";
    let other = "row 9 is of another rack than FX12345678; send one rack's scan at a time";
    let files: [(&str, Result<usize, Vec<String>>); 10] = [
        ("tube_rack/tube_rack_scan_valid.csv", Ok(16)),
        ("tube_rack/tube_rack_scan_with_bom.csv", Ok(16)),
        ("tube_rack/tube_rack_scan_with_missing_tubes.csv", Ok(13)),
        (
            "tube_rack/tube_rack_scan_with_duplicate_positions.csv",
            Err(vec![twice("A2", 9, 10), twice("E2", 13, 14)]),
        ),
        (
            "tube_rack/tube_rack_scan_with_duplicate_tubes.csv",
            Err(vec![same("A2", "B2"), same("C2", "D2")]),
        ),
        ("tube_rack/tube_rack_scan_with_invalid_positions.csv", Err(vec![no_position.to_owned()])),
        ("tube_rack/tube_rack_scan_with_missing_values.csv", Err(vec![blank.clone()])),
        ("tube_rack_with_rack_barcode/tube_rack_scan_valid.csv", Ok(16)),
        (
            "tube_rack_with_rack_barcode/tube_rack_scan_with_different_rack_barcodes.csv",
            Err(vec![other.to_owned()]),
        ),
        ("tube_rack_with_rack_barcode/tube_rack_scan_with_missing_values.csv", Err(vec![blank])),
    ];
    for (name, expected) in files {
        let bytes = std::fs::read(format!("{REALDATA}/{name}")).unwrap();
        let found = read_as("FX12345678", &bytes);
        assert_eq!(found.as_ref().map(Vec::len), expected.as_ref().copied(), "{name}");
        if let Ok(tubes) = found {
            let first = ("A1".to_owned(), "AB10000001".to_owned());
            let last = ("H2".to_owned(), "AB10000016".to_owned());
            assert_eq!((&tubes[0], &tubes[tubes.len() - 1]), (&first, &last), "{name}");
        }
    }
}

#[test]
fn line_ends_padding_zeros_and_case_do_not_matter() {
    let expected = vec![
        ("A1".to_owned(), "AB10000001".to_owned()),
        ("H12".to_owned(), "AB10000002".to_owned()),
    ];
    for text in [
        "A1,AB10000001\nH12,AB10000002\n",
        "A1,AB10000001\r\nH12,AB10000002",
        " A01 , AB10000001 \n\n h12,AB10000002\n,\n",
        "\"A1\",\"AB10000001\"\nH12,AB10000002,\n",
        "FX12345678,a1,AB10000001\nFX12345678,H12,AB10000002\nFX12345678,B1,no read\n",
        "A1,AB10000001\nB1,No Tube\nC1,EMPTY\nD1,NO_READ\nH12,AB10000002\n",
    ] {
        assert_eq!(read(text), Ok(expected.clone()), "{text}");
    }
}

#[test]
fn every_fault_of_a_scan_is_named_at_once() {
    let text = "A1,T1\nA1,T2\nB1,\nI1,T3\nC1,t1\nFX1,D1,T4\nE1\n";
    assert_eq!(
        read(text).unwrap_err(),
        [
            "position A1 is scanned in rows 1 and 2; scan the rack again",
            "position B1 has no value; scan the rack again, or say `EMPTY` where no tube is",
            "row 4 names no position of this rack; check the size of the rack and scan again",
            "row 6 is of another rack than FX12345678; send one rack's scan at a time",
            "row 7 has 1 cells; a row is position and tube, or rack, position and tube",
            "positions A1 and C1 have the same tube; scan the rack again",
        ]
    );
    assert_eq!(read("").unwrap_err().len(), 1);
    assert_eq!(read("A1,EMPTY\n").unwrap_err(), [ScanFault::NoTubes.to_string()]);
    assert_eq!(read_as("FX1", b"PK\x03\x04\0").unwrap_err(), [ScanFault::Unreadable.to_string()]);
}

#[test]
fn a_rack_s_size_decides_which_positions_it_has() {
    for (size, last, beyond) in
        [(RackSize::R24, "D6", "E1"), (RackSize::R48, "F8", "A9"), (RackSize::R96, "H12", "A13")]
    {
        let row = |at: &str| format!("{at},T1\n");
        assert!(scan(row(last).as_bytes(), &rack("R1"), size).is_ok(), "{last}");
        assert!(scan(row(beyond).as_bytes(), &rack("R1"), size).is_err(), "{beyond}");
        assert_eq!(RackSize::from_positions(size.positions()), Some(size));
    }
}

#[test]
fn a_rack_s_code_can_neither_end_a_cell_nor_start_a_formula() {
    for text in ["FX12345678", "rack-7/3", " 0123456789 ", &"R".repeat(40), "B0000000001F"] {
        assert!(RackCode::parse(text).is_ok(), "{text}");
    }
    let tube = TubeCode::numbered(7).unwrap().to_string();
    for text in [
        "",
        " ",
        "=1",
        "-1",
        "@A",
        "+1",
        "a;b",
        "a,b",
        "a b",
        "a\"b",
        "a'b",
        "a\tb",
        "Ä1",
        &"R".repeat(41),
        "NTC",
        "pc",
        &tube,
        "11010519491231002X",
    ] {
        assert!(RackCode::parse(text).is_err(), "{text}");
    }
}

#[test]
fn tubes_stand_in_order_down_the_columns() {
    let tubes = [("B2", "T4"), ("A2", "T3"), ("B1", "T2"), ("A1", "T1")];
    let tubes = tubes.map(|(at, tube)| (at.parse().unwrap(), tube.to_owned()));
    let rack = Rack::of(RackSize::R96, tubes.into_iter().collect()).unwrap();
    let order: Vec<_> = rack.in_order().into_iter().map(|(_, tube)| tube).collect();
    assert_eq!(order, ["T1", "T2", "T3", "T4"]);
}
