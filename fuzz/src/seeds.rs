//! A small corpus for each target: files of a simulated run of a few wells, as our own simulation
//! writes them, and the fixtures of the repository.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use rust_decimal::Decimal;
use swabline::instrument::Ct;
use swabline::plate::{PlateSize, WellPosition};
use swabline::simulation::curves::curves;
use swabline::simulation::files::{self, SimulatedRun, SimulatedWell};
use swabline::simulation::workbook::DesignAnalysis;
use swabline::simulation::workbook_xls::compound;
use swabline::simulation::{files_text, workbook, zipped};

use super::inputs::BETWEEN;

/// What a target starts from.
pub struct Seed {
    /// The target.
    pub target: &'static str,
    /// Names it among the target's.
    pub name: String,
    /// The input itself.
    pub bytes: Vec<u8>,
}

/// All of them, of the fixtures in that folder.
pub fn seeds(fixtures: &Path) -> Vec<Seed> {
    let run = run(6);
    let mut corpus = Corpus { fixtures: fixtures.to_owned(), seeds: Vec::new() };
    texts(&mut corpus, &run);
    workbooks(&mut corpus, &run);
    zips(&mut corpus, &run);
    mappings(&mut corpus, &run);
    plates(&mut corpus);
    for (name, bytes) in corpus.fixtures("instrument") {
        corpus.put("run_file", &name, &bytes);
    }
    corpus.seeds
}

/// What has been gathered.
struct Corpus {
    fixtures: PathBuf,
    seeds: Vec<Seed>,
}

impl Corpus {
    /// One more input of a target.
    fn put(&mut self, target: &'static str, name: &str, bytes: &[u8]) {
        self.seeds.push(Seed { target, name: name.to_owned(), bytes: bytes.to_owned() });
    }

    /// Every file under a folder of the fixtures, its name with the folders before it.
    fn fixtures(&self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.fixtures.join(folder)).expect("the fixtures are there") {
            let path = entry.expect("the fixtures are there").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                let inner = self.fixtures(&format!("{folder}/{name}")).into_iter();
                found.extend(inner.map(|(file, bytes)| (format!("{name}-{file}"), bytes)));
            } else {
                found.push((name, fs::read(&path).expect("a fixture can be read")));
            }
        }
        found
    }

    /// The fixtures of an instrument.
    fn put_fixtures(&mut self, target: &'static str, folder: &str) {
        for (name, bytes) in self.fixtures(&format!("instrument/{folder}")) {
            self.put(target, &name, &bytes);
        }
    }
}

/// A run of so many wells and two targets, every third of them without a Ct.
fn run(wells: u16) -> SimulatedRun {
    let ct = Ct::try_from(Decimal::new(3_125, 2)).expect("a Ct");
    let well = |index: u16, (target, dye): (&str, &str)| SimulatedWell {
        well: WellPosition::from_index(index, PlateSize::P96).expect("a few wells"),
        sample: format!("S{index}"),
        target: target.to_owned(),
        dye: dye.to_owned(),
        task: if index == 0 { "NTC" } else { "UNKNOWN" }.to_owned(),
        ct: (!index.is_multiple_of(3)).then_some(ct),
    };
    SimulatedRun {
        plate_size: PlateSize::P96,
        plate_barcode: "P-1".into(),
        instrument: "QuantStudio(TM) 7 Flex System".into(),
        serial: "2788".into(),
        run_ended: "2020-05-18 17:50:29 PM PDT".into(),
        wells: (0..wells)
            .flat_map(|index| [("N1", "FAM"), ("RP", "VIC")].map(|target| well(index, target)))
            .collect(),
    }
}

fn texts(corpus: &mut Corpus, run: &SimulatedRun) {
    let short: Vec<_> = curves(run, 1)
        .into_iter()
        .take(3)
        .map(|mut curve| {
            curve.points.truncate(5);
            curve
        })
        .collect();
    corpus.put("applied_biosystems_text", "plain", files::quantstudio_text(run).as_bytes());
    let with = files::quantstudio_text_with(run, &short);
    corpus.put("applied_biosystems_text", "curves", with.as_bytes());
    corpus.put_fixtures("applied_biosystems_text", "applied_biosystems");
    let design = files_text::design_analysis_csv(run);
    // The target itself writes the first line.
    let (_first, rest) = design.split_once("\r\n").expect("several lines");
    corpus.put("design_analysis_csv", "plain", rest.as_bytes());
    corpus.put("run_file", "design_analysis_csv", design.as_bytes());
    corpus.put_fixtures("design_analysis_csv", "design_analysis");
    corpus.put("bio_rad_cfx", "plain", files::cfx_csv(run).as_bytes());
    corpus.put_fixtures("bio_rad_cfx", "biorad_cfx");
    let filters = files_text::lightcycler_480(run);
    for (number, file) in filters.iter().enumerate() {
        corpus.put("lightcycler_480", &format!("filter-{number}"), file.as_bytes());
    }
    corpus.put_fixtures("lightcycler_480", "lightcycler_480");
    corpus.put("lighthouse", "plain", files_text::lighthouse(run).as_bytes());
    corpus.put_fixtures("lighthouse", "lighthouse");
    let joined = |files: &[String]| files.join(std::str::from_utf8(BETWEEN).expect("it is text"));
    corpus.put("run_parts", "lightcycler", joined(&filters).as_bytes());
    corpus.put("run_parts", "rotor-gene", joined(&files_text::rotor_gene(run)).as_bytes());
    corpus.put("run_parts", "alone", files::quantstudio_text(run).as_bytes());
    let pairs = [
        ["lightcycler_480/fam.txt", "lightcycler_480/hex.txt"],
        ["mapping/rotor-gene.green.csv", "mapping/rotor-gene.yellow.csv"],
    ];
    for pair in pairs {
        let [a, b] = pair.map(|name| {
            fs::read(corpus.fixtures.join("instrument").join(name)).expect("a fixture can be read")
        });
        corpus.put("run_parts", &pair[0].replace('/', "-"), &[&a[..], BETWEEN, &b].concat());
    }
}

/// What lies in a zip under that name, in any case.
fn member(zip: &[u8], name: &str) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).expect("our own zip");
    let mut content = Vec::new();
    let wanted = name.to_lowercase();
    let index = (0..zip.len()).find(|index| {
        let member = zip.by_index(*index).expect("a member of our own");
        String::from_utf8_lossy(member.name_raw()).to_lowercase().replace('\\', "/") == wanted
    });
    let index = index.expect("a member of that name");
    let mut member = zip.by_index(index).expect("a member of our own");
    member.read_to_end(&mut content).expect("a sound member");
    content
}

/// The members of a zip as one input.
fn members(zip: &[u8], names: &[&str]) -> Vec<u8> {
    names.iter().map(|name| member(zip, name)).collect::<Vec<_>>().join(BETWEEN)
}

fn zips(corpus: &mut Corpus, run: &SimulatedRun) {
    let rdml = zipped::rdml(run);
    corpus.put("rdml", "bare", &member(&rdml, "rdml_data.xml"));
    corpus.put("rdml", "zipped", &members(&rdml, &["rdml_data.xml", "module_data.xml"]));
    corpus.put_fixtures("rdml", "rdml");
    let eds = zipped::eds(run);
    let inner = ["analysis_result.txt", "plate_setup.xml", "experiment.xml"];
    let inner = inner.map(|name| format!("apldbio/sds/{name}"));
    corpus.put("eds_old", "zipped", &members(&eds, &inner.each_ref().map(String::as_str)));
    corpus.put("eds_old", "bare", &member(&eds, &inner[0]));
    corpus.put_fixtures("eds_old", "sds");
    let json = zipped::eds_json(run);
    let inner = [
        "primary/analysis_result.json",
        "setup/plate_setup.json",
        "summary.json",
        "run/run_summary.json",
    ];
    corpus.put("eds_new", "zipped", &members(&json, &inner));
    for (name, zip) in [("rdml", rdml), ("eds", eds), ("eds_json", json)] {
        // The target itself writes the first four bytes.
        corpus.put("zip_file", name, &zip[4..]);
        corpus.put("run_file", name, &zip);
    }
}

fn workbooks(corpus: &mut Corpus, run: &SimulatedRun) {
    let mut short = curves(run, 1);
    short.truncate(2);
    let book = workbook::quantstudio_workbook(run, &short);
    let none: &[u8] = b"<sst/>";
    let (sheet, traced) =
        (member(&book, "xl/worksheets/sheet2.xml"), member(&book, "xl/worksheets/sheet1.xml"));
    corpus.put("workbook_xlsx", "inline", &[&sheet, none, &traced].join(BETWEEN));
    corpus.put("workbook_xlsx", "shared", &[SHARED_SHEET, SHARED_STRINGS].join(BETWEEN));
    corpus.put("zip_file", "workbook", &book[4..]);
    corpus.put("run_file", "workbook", &book);
    for (name, program) in
        [("design_analysis", DesignAnalysis::Two), ("diomni", DesignAnalysis::Diomni)]
    {
        let book = workbook::design_analysis_workbook(run, program);
        let (sheet, calls) =
            (member(&book, "xl/worksheets/sheet1.xml"), member(&book, "xl/worksheets/sheet2.xml"));
        corpus.put("workbook_xlsx", name, &[&sheet, none, b"<worksheet/>", &calls].join(BETWEEN));
        corpus.put("zip_file", &format!("{name}_workbook"), &book[4..]);
        corpus.put("run_file", &format!("{name}_workbook"), &book);
    }
    corpus.put("workbook_xls", "curves", &workbook::quantstudio_xls(run, &short));
    let stream = stream(run);
    corpus.put("workbook_stream", "plain", &stream);
    corpus.put("workbook_xls", "plain", &compound(&stream));
}

const SHARED_SHEET: &[u8] = br#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row><row r="3"><c r="A3" t="s"><v>2</v></c><c r="B3" t="s"><v>3</v></c><c r="C3" t="s"><v>4</v></c><c r="D3" t="s"><v>5</v></c></row><row r="4"><c r="A4"><v>1</v></c><c r="B4" t="s"><v>6</v></c><c r="C4" t="str"><f>A1</f><v>N1</v></c><c r="D4"><v>31.25</v></c></row></sheetData></worksheet>"#;
const SHARED_STRINGS: &[u8] = br#"<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="7" uniqueCount="7"><si><t>Block Type</t></si><si><t>96-Well Block (0.2mL)</t></si><si><t>Well</t></si><si><t>Well Position</t></si><si><t>Target Name</t></si><si><t>CT</t></si><si><r><t>A</t></r><r><t>1</t></r></si></sst>"#;

/// A BIFF8 stream with the sheet `Results`: shared strings, numbers, a formula (MS-XLS 2.4).
fn stream(run: &SimulatedRun) -> Vec<u8> {
    let mut strings: Vec<String> =
        ["Block Type", "96-Well Block (0.2mL)"].map(str::to_owned).into();
    let header = ["Well", "Well Position", "Sample Name", "Target Name", "Reporter", "Task", "CT"];
    strings.extend(header.map(str::to_owned));
    let mut sheet = record(0x0809, &[0, 6, 0x10, 0]);
    let mut cell = |row: u16, column: u16, text: &str| {
        let at = strings.iter().position(|known| known == text).unwrap_or(strings.len());
        if at == strings.len() {
            strings.push(text.to_owned());
        }
        let index = u32::try_from(at).expect("a few strings").to_le_bytes();
        sheet.extend(record(0x00FD, &[&place(row, column)[..], &index].concat()));
    };
    cell(0, 0, "Block Type");
    cell(0, 1, "96-Well Block (0.2mL)");
    for (column, text) in (0..).zip(header) {
        cell(2, column, text);
    }
    for (row, one) in (3..).zip(&run.wells) {
        let well = one.well.to_string();
        let texts = [&well, &one.sample, &one.target, &one.dye, &one.task];
        for (column, text) in (1..).zip(texts) {
            cell(row, column, text);
        }
        if one.ct.is_none() {
            cell(row, 6, "Undetermined");
        }
    }
    for (row, one) in (3..).zip(&run.wells) {
        let number = 31.25_f64.to_le_bytes();
        match (one.ct, row % 2) {
            (None, _) => {}
            (Some(_), 0) => sheet.extend(record(0x0203, &[&place(row, 6)[..], &number].concat())),
            (Some(_), _) => sheet.extend(record(0x0006, &[&place(row, 6)[..], &number].concat())),
        }
        let rk = u32::from(row) << 2 | 2;
        sheet.extend(record(0x027E, &[&place(row, 0)[..], &rk.to_le_bytes()].concat()));
    }
    sheet.extend(record(0x000A, &[]));

    let count = u32::try_from(strings.len()).expect("a few strings").to_le_bytes();
    let mut shared = [count, count].concat();
    for text in &strings {
        let length = u16::try_from(text.len()).expect("a short string").to_le_bytes();
        shared.extend([&length[..], &[0], text.as_bytes()].concat());
    }
    let start = record(0x0809, &[0, 6, 5, 0]);
    let rest = [record(0x00FC, &shared), record(0x000A, &[])].concat();
    let name = b"\x07\0Results";
    let at = start.len() + 4 + 6 + name.len() + rest.len();
    let at = u32::try_from(at).expect("a short stream").to_le_bytes();
    let bound = record(0x0085, &[&at[..], &[0, 0], name].concat());
    [start, bound, rest, sheet].concat()
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a short record");
    [&kind.to_le_bytes(), &length.to_le_bytes(), data].concat()
}

/// Row, column and format of a cell.
fn place(row: u16, column: u16) -> Vec<u8> {
    [row, column, 0].into_iter().flat_map(u16::to_le_bytes).collect()
}

fn mappings(corpus: &mut Corpus, run: &SimulatedRun) {
    let with = |number: u8, file: &[u8]| [&[b'0' + number][..], file].concat();
    let rotor = files_text::rotor_gene(run);
    // In the order of their names; `0` is 48, a multiple of 8.
    let written: [(u8, Vec<u8>); 5] = [
        (0, files_text::aria_mx(run).into_bytes()),
        (1, files_text::slan_96p(run)),
        (2, files_text::ma_6000(run).into_bytes()),
        (3, files_text::qiaquant(run).into_bytes()),
        (4, rotor[0].clone().into_bytes()),
    ];
    for (number, file) in &written {
        corpus.put("mapping_file", &format!("named-{number}"), &with(*number, file));
        corpus.put("mapping_file", &format!("found-{number}"), &with(7, file));
    }
    for (name, bytes) in corpus.fixtures("instrument/mapping") {
        corpus.put("mapping_file", &name, &with(7, &bytes));
    }
    let own = corpus.fixtures("mappings");
    for (name, text) in &own {
        corpus.put("mapping_definition", name, text);
        for (number, file) in &written {
            let both = [text, BETWEEN, file].concat();
            corpus.put("mapping_definition", &format!("{number}-{name}"), &both);
        }
    }
}

fn plates(corpus: &mut Corpus) {
    for (name, text) in corpus.fixtures("assays") {
        corpus.put("kit_definition", &name, &text);
    }
    for (name, text) in corpus.fixtures("templates") {
        corpus.put("plate_template", &name, &text);
    }
    for (name, text) in LOGS {
        corpus.put("robot_log", name, text.as_bytes());
    }
    for (name, text) in SCANS {
        corpus.put("tube_rack", name, text.as_bytes());
    }
    for (number, text) in CODES.iter().enumerate() {
        corpus.put("codes", &number.to_string(), text.as_bytes());
    }
}

const LOGS: [(&str, &str); 6] = [
    (
        "hamilton",
        "\"Deep Well Plate\",\"Deep Well Position\",\"Transfer Vol\",\"Tube Rack Carrier\",\
         \"Tube Rack Position\",\"Tube Barcode\",\"User\"\r\n\
         \"P1\",\"A1\",\"500.000000000000\",\"C1\",\"1\",\"T1\",\"\"\r\n\
         \"P1\",\"B01\",\"500.000000000000\",\"C1\",\"\",\"NTC\",\"\"\r\n",
    ),
    (
        "tecan",
        "C;a plate\nA;R;;;2;T2;10;;;\nD;P;;;9;;5;;;\nD;P;;;10;;5;;;\nW1;\nA;P;;;1;;9;;;\n\
         D;P;;;1;;9;;;\nR;Trough;;;1;8;P;;;1;5;20;Water;1;5;0;2;4\nB;\n",
    ),
    (
        "biomek_transfers",
        "SourcePosition,SourceWell,Volume,DestinationPosition,DestinationWell\n\
         S,A1,5,P,B2\nS,B1,2.19,P,13\n",
    ),
    (
        "biomek_pipetting",
        "Method = M\nLogged in user = U\n\n\
         09/14/2011 14:02:55,Pod1,Aspirate,P3,S, ,1,50,MP200\n\
         09/14/2011 14:02:56,Pod1,Dispense,P3,D, ,1,50,MP200\n\
         09/14/2011 14:02:57,Pod1,Skipped,P3,D, ,1,50,MP200\n",
    ),
    (
        "biomek_unified",
        "Time Stamp,Pod,Transfer Step,Deck Position,Labware Name,Labware Barcode,Well Index,,\
         Probe,Amount,Liquid Handling Technique\nt,Pod1,Aspirate,T,S,B,3,,1,50,x\n\
         t,Pod1,Dispense,T,D,P,13,,1,50,x\n",
    ),
    (
        "biomek_unified_transfer",
        "Method = M\nLogged in user = U\n\n\
         09/14/2011 14:02:55,Pod1,1,P3,S,ABC,1,P4,D,DEF,1,50,MP200\n",
    ),
];

const SCANS: [(&str, &str); 3] = [
    ("two", "2A1,0123456789\nA2,NO READ\nH12,T0000000016\n"),
    ("three", "2R1,A1,0123456789\r\nR1,A2,\"EMPTY\"\r\n"),
    ("small", "0A1,X1\nD6,X2,\n"),
];

const CODES: [&str; 12] = [
    "T00000000017",
    "B00000000011",
    "P00000000019",
    "RACK-17",
    "A01",
    "<= 38.00",
    "< 40",
    "31.25",
    "500.000000000000",
    "2020-05-18 17:50:29 PM PDT",
    "03-10-2024 10:00:00 AM EST",
    "11010519491231002X",
];
