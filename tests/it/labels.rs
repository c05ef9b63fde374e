//! Printed labels read back by a real bar code reader.

use std::path::Path;
use std::process::Command;

use swabline::barcode::Kind;
use swabline::barcode::allot::Allotment;
use swabline::barcode::label::{Label, PER_PAGE, pages, sheet_pdf, sheet_svg};

/// Whether every tool is there; if not, says which is missing, and fails where tests must be
/// complete.
pub fn can_run(tools: &[&str]) -> bool {
    for tool in tools {
        if Command::new(tool).arg("--version").output().is_err() {
            let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!is_ci, "{tool} is missing; install it to read the labels back");
            eprintln!("labels are not read back: {tool} is missing");
            return false;
        }
    }
    true
}

pub fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Everything the reader finds on a picture, in order of the codes.
pub fn read_back(picture: &Path) -> Vec<String> {
    let text = run(Command::new("zbarimg").args(["--quiet", "--raw"]).arg(picture));
    let mut codes: Vec<_> = String::from_utf8(text).unwrap().lines().map(str::to_owned).collect();
    codes.sort();
    codes
}

/// A full sheet and a bit more: check characters that are letters, digits and `*`.
fn labels() -> Vec<Label> {
    let line = "Läb <1> & 采样点 (东)";
    let tubes = Allotment::new(Kind::Tube, 20, 60).unwrap();
    let boxes = Allotment::new(Kind::Box, 0, 6).unwrap();
    let plates = Allotment::new(Kind::Plate, 9_999_999_990, 8).unwrap();
    tubes
        .codes()
        .chain(boxes.codes())
        .chain(plates.codes())
        .zip([Some(line), Some("Site No. 12, North gate, hall B"), None].into_iter().cycle())
        .map(|(code, line)| Label::new(&code, line).unwrap())
        .collect()
}

fn codes(labels: &[Label]) -> Vec<String> {
    let mut codes: Vec<_> = labels.iter().map(|label| label.code().to_owned()).collect();
    codes.sort();
    codes
}

#[test]
fn an_svg_sheet_reads_back_exactly() {
    if !can_run(&["zbarimg", "rsvg-convert"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let labels = labels();
    assert!(codes(&labels).iter().any(|code| code.ends_with('*')));
    assert_eq!(pages(labels.len()), 2);
    for (page, on_page) in (1..).zip(labels.chunks(PER_PAGE)) {
        let svg = folder.path().join("sheet.svg");
        let png = folder.path().join("sheet.png");
        std::fs::write(&svg, sheet_svg(&labels, page).unwrap()).unwrap();
        // A4 at 300 dots an inch.
        run(Command::new("rsvg-convert").args(["--width", "2480", "-o"]).arg(&png).arg(&svg));
        assert_eq!(read_back(&png), codes(on_page), "page {page}");
    }
}

#[test]
fn a_pdf_sheet_reads_back_exactly() {
    if !can_run(&["zbarimg", "pdftoppm"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let labels = labels();
    let pdf = folder.path().join("sheet.pdf");
    std::fs::write(&pdf, sheet_pdf(&labels).unwrap()).unwrap();
    run(Command::new("pdftoppm")
        .args(["-png", "-r", "300"])
        .arg(&pdf)
        .arg(folder.path().join("p")));
    for (page, on_page) in (1..).zip(labels.chunks(PER_PAGE)) {
        let png = folder.path().join(format!("p-{page}.png"));
        assert_eq!(read_back(&png), codes(on_page), "page {page}");
    }
}
