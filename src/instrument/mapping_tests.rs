//! Files as the shipped mappings and a laboratory's own read them.

use super::{Chosen, Row, Sheet, Unmapped, read as read_mapped};
use crate::instrument::{Format, Mapping, Mappings, Refusal, RunFile, read, read_part, read_run};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/instrument/mapping");

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FIXTURES}/{name}")).unwrap()
}

/// Well, sample, target, dye, task and the Ct as written.
fn facts(run: &RunFile) -> Vec<[String; 6]> {
    let of = |r: &crate::instrument::Reading| {
        let text = [&r.sample, &r.target, &r.dye, &r.task, &r.raw_ct].map(String::clone);
        let [sample, target, dye, task, ct] = text;
        [r.well.to_string(), sample, target, dye, task, ct]
    };
    run.readings.iter().map(of).collect()
}

const OWN: &str = "name = \"own\"\ninstrument = \"Own\"\nproven = true\n\
    proven_on = \"forty runs\"\n[header]\nneeds = [\"Posicao\"]\n[columns]\nwell = [\"Posicao\"]\n\
    ct = [\"Ciclo\"]\ntarget = [\"Alvo\"]\nomitted = [\"Excluido\"]\n";

fn own(more: &str) -> Mapping {
    Mapping::parse("own.toml", &format!("{OWN}{more}")).unwrap()
}

fn by(mapping: &Mapping, text: &[u8]) -> Result<RunFile, Refusal> {
    read_part(text, Mappings::shipped(), Some(mapping)).map(|part| part.run)
}

#[test]
fn chinese_headings_in_gb_18030_are_read_and_the_mapping_says_it_is_unproven() {
    let run = read(&fixture("slan.gb18030.txt")).unwrap();
    assert_eq!(run.format, Format::Mapping);
    assert_eq!(run.instrument.as_deref(), Some("Hongshi SLAN-96P"));
    assert_eq!(
        facts(&run)[..3],
        [
            ["A1", "样本1", "ORF1ab", "FAM", "UNKNOWN", "31.24"],
            ["A1", "样本1", "N", "VIC", "UNKNOWN", "Undetermined"],
            ["B1", "阴性对照", "ORF1ab", "FAM", "NTC", "NoCt"],
        ]
        .map(|row| row.map(str::to_owned))
    );
    assert!(run.readings[1].ct.is_none() && run.readings[2].ct.is_none());
    let all = run.warned().join("\n");
    assert!(all.contains("hongshi-slan-96p") && all.contains("never tried"), "{all}");
    assert!(all.contains("gb18030"), "{all}");
}

#[test]
fn each_shipped_mapping_reads_the_file_it_describes() {
    for (file, instrument, rows, with_ct) in [
        ("ma-6000.csv", "MA-6000", 4, 2),
        ("qiaquant.csv", "QIAquant", 3, 2),
        ("ariamx.txt", "Agilent AriaMx", 3, 1),
        ("rotor-gene.green.csv", "Rotor-Gene", 3, 2),
    ] {
        let run = read(&fixture(file)).unwrap_or_else(|refusal| panic!("{file}: {refusal}"));
        assert_eq!(run.instrument.as_deref(), Some(instrument));
        assert_eq!(run.readings.len(), rows, "{file}: {:?}", facts(&run));
        let found = run.readings.iter().filter(|reading| reading.ct.is_some()).count();
        assert_eq!(found, with_ct, "{file}");
        assert!(
            run.warnings.iter().any(|warning| warning.message.contains("never tried")),
            "{file}"
        );
    }
}

#[test]
fn the_channels_of_a_rotor_are_merged() {
    let (green, yellow) = (fixture("rotor-gene.green.csv"), fixture("rotor-gene.yellow.csv"));
    let run = read_run(&[&yellow, &green], Mappings::shipped(), None).unwrap();
    let read: Vec<_> = facts(&run).into_iter().map(|[well, _, _, dye, ..]| (well, dye)).collect();
    let wells = ["A1", "A1", "B1", "B1", "C1", "C1"].map(str::to_owned);
    let dyes = ["FAM", "VIC"].map(str::to_owned).into_iter().cycle();
    assert_eq!(read, wells.into_iter().zip(dyes).collect::<Vec<_>>());
    assert!(
        run.warnings.iter().any(|warning| warning.message.contains("2 is B1")),
        "{:?}",
        run.warnings
    );
}

#[test]
fn an_own_mapping_reads_an_own_language_mark_and_flag() {
    let mapping = own(
        "[words]\nno_ct = [\"nada\"]\nomitted = [\"Sim\"]\nkept = [\"Nao\"]\nignore = [\"Nota\"]\n\
         [above]\nplate = [\"Placa\"]\nserial = [\"Serie\"]\n",
    );
    let text = b"Placa: P-1;;\nSerie;77;\n\nPosicao;Alvo;Ciclo;Excluido;x\nA1;N;31,5;Nao;\n\
        \nA2;N;Nada;SIM;\nNota: fim;;;;\n";
    let run = by(&mapping, text).unwrap();
    assert_eq!((run.plate_barcode.as_deref(), run.serial.as_deref()), (Some("P-1"), Some("77")));
    assert_eq!(run.readings[0].ct.unwrap().to_string(), "31.5");
    assert_eq!((run.readings[1].ct, run.readings[1].omitted), (None, true));
    assert!(run.warnings.iter().all(|warning| !warning.message.contains("never tried")));
}

#[test]
fn a_remark_is_passed_over_and_a_sample_that_begins_like_one_is_not() {
    let mapping = own("[words]\nignore = [\"Nota\"]\n");
    let text = b"Alvo;Posicao;Ciclo\nNota-1;A1;31,5\nN;A2;30,1\nNota: fim;;\nNota;veja A3;\n";
    let run = by(&mapping, text).unwrap();
    let targets: Vec<_> = run.readings.iter().map(|reading| reading.target.as_str()).collect();
    assert_eq!(targets, ["Nota-1", "N"]);
    // A number is no well where wells have names.
    let counted = b"Posicao;Alvo;Ciclo\nA1;N;31,5\nNota;96;\n";
    let counted = [counted, &b"Alvo;Posicao;Ciclo\nN;A1;31,5\nNota;96;\n"[..]];
    for text in counted {
        assert_eq!(by(&mapping, text).unwrap().readings.len(), 1);
    }
}

/// A sheet of the own mapping with one well.
fn sheet(name: &str, well: &str) -> Sheet {
    let row = |number: usize, cells: [&str; 3]| {
        Row::new(number, cells.map(str::to_owned).to_vec()).unwrap()
    };
    let rows = vec![row(1, ["Posicao", "Alvo", "Ciclo"]), row(2, [well, "N", "31.5"])];
    Sheet { name: name.to_owned(), rows, curves: None }
}

#[test]
fn of_two_sheets_with_results_none_is_chosen_unless_the_mapping_names_it() {
    let book = || Unmapped::Book(vec![sheet("Placa 1", "A1"), sheet("Placa 2", "A2")]);
    let refusal = read_mapped(&book(), &own(""), Chosen::Named).unwrap_err();
    assert_eq!(refusal, Refusal::SeveralSheets { sheets: 2 });
    let named = own("[file]\nsheets = [\"Placa 2\"]\n");
    let run = read_mapped(&book(), &named, Chosen::Named).unwrap().run;
    assert_eq!(run.readings[0].well.to_string(), "A2");
    let mut blank = sheet("Placa 0", "A1");
    blank.rows.truncate(1);
    let beside = Unmapped::Book(vec![blank, sheet("Placa 2", "A2")]);
    let run = read_mapped(&beside, &own(""), Chosen::OnlyFit).unwrap().run;
    assert_eq!(run.readings[0].well.to_string(), "A2", "a sheet without rows is no plate");
    let one = Unmapped::Book(vec![sheet("Placa 1", "A1")]);
    assert_eq!(read_mapped(&one, &own(""), Chosen::OnlyFit).unwrap().run.readings.len(), 1);
}

#[test]
fn a_dye_above_the_table_has_an_end() {
    let mapping = own("[above]\ndye = [\"Canal\"]\n");
    let file = |dye: &str| format!("Canal\t{dye}\n\nPosicao\tCiclo\tAlvo\nA1\t31.2\tN\n");
    assert_eq!(by(&mapping, file("FAM").as_bytes()).unwrap().readings[0].dye, "FAM");
    let refusal = by(&mapping, file(&"x".repeat(5_000)).as_bytes()).unwrap_err();
    assert!(matches!(refusal, Refusal::CutShort { .. }), "{refusal}");
}

#[test]
fn a_named_mapping_that_does_not_fit_says_why() {
    let sound = "Posicao,Alvo,Ciclo\nA1,N,31.5\n";
    for (more, text, why) in [
        ("", "Well,Target\n", "no row has the headings"),
        ("", "Well\0", "is no text"),
        ("[file]\nencoding = \"utf-8\"\n", "Posicao\u{e9}", "another encoding"),
        ("[file]\nseparator = \"tab\"\n", sound, "no row has the headings"),
        ("[above]\ndye = [\"Canal\"]\n", sound, "do not name the dye"),
    ] {
        let bytes: Vec<u8> = match why {
            "another encoding" => b"Posicao\xe9".to_vec(),
            _ => text.as_bytes().to_vec(),
        };
        let refusal = by(&own(more), &bytes).unwrap_err().to_string();
        assert!(refusal.contains(why), "{refusal}");
    }
    assert_eq!(by(&own(""), b""), Err(Refusal::Empty));
}

#[test]
fn rows_that_cannot_be_read_are_refused_with_their_number() {
    for (row, message) in [
        ("A1,N,31,5,1", "row 2 has more cells than the header"),
        ("Z9,N,31.5,", "row 2, column `Well`: `Z9`"),
        ("A1,N,much,", "row 2, column `Ct`: `much`"),
        ("A1,N,31.5,perhaps", "row 2, column `Omit`"),
    ] {
        let text = format!("Posicao,Alvo,Ciclo,Excluido\n{row}\n");
        let refusal = by(&own(""), text.as_bytes()).unwrap_err().to_string();
        assert!(refusal.contains(message), "{refusal}");
    }
    let cut = by(&own(""), b"Posicao,Alvo,Ciclo\nA1,N,31.5\nA2,N,3").unwrap_err();
    assert!(matches!(cut, Refusal::CutShort { .. }), "{cut}");
    let numbered = OWN.replace("[header]", "plate = 96\n[wells]\nnumbers = \"by_row\"\n[header]");
    let numbered = Mapping::parse("own.toml", &numbered).unwrap();
    for (number, well) in [("1", Some("A1")), ("13", Some("B1")), ("0", None), ("97", None)] {
        let text = format!("Posicao,Alvo,Ciclo\n{number},N,31.5\n");
        let read = by(&numbered, text.as_bytes());
        assert_eq!(read.ok().map(|run| run.readings[0].well.to_string()).as_deref(), well);
    }
}

#[test]
fn two_mappings_that_fit_are_refused_by_name_and_a_named_one_decides() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.toml"), OWN).unwrap();
    std::fs::write(folder.path().join("b.toml"), OWN.replace("\"own\"", "\"twin\"")).unwrap();
    let mappings = Mappings::with_folder(folder.path()).unwrap();
    let text = b"Posicao,Alvo,Ciclo\nA1,N,31.5\n";
    let refusal = read_part(text, &mappings, None).unwrap_err();
    assert_eq!(refusal, Refusal::Ambiguous { names: vec!["own".into(), "twin".into()] });
    assert!(read_part(text, &mappings, mappings.get("twin")).is_ok());
}

#[test]
fn what_begins_like_a_maker_s_text_and_is_cut_as_such_is_tried_with_the_mappings() {
    let folder = tempfile::tempdir().unwrap();
    let table = b"* Block Type = 96\nPosicao;Alvo;Ciclo\nA1;N;31,5\nA2;N;30,1\nfim;;";
    let by_folder = |more: &str| {
        std::fs::write(folder.path().join("a.toml"), format!("{OWN}{more}")).unwrap();
        let mappings = Mappings::with_folder(folder.path()).unwrap();
        read_part(table, &mappings, None).map(|part| part.run.readings.len())
    };
    assert_eq!(by_folder("[words]\nignore = [\"fim\"]\n"), Ok(2));
    // Where no mapping reads it, it is told as what it began like.
    let refusal = by_folder("").unwrap_err();
    assert!(matches!(refusal, Refusal::CutShort { .. }), "{refusal}");
}

#[test]
fn a_built_in_format_comes_first_and_texts_of_the_run_can_be_asked_for() {
    let cfx = b",Well,Fluor,Target,Content,Sample,Cq\n,A01,FAM,N,Unkn,T1,30\n";
    let greedy = OWN.replace("Posicao", "Well").replace("Ciclo", "Cq");
    let greedy = greedy.replace("needs", "says = [\"batch\"]\nneeds");
    let greedy = Mapping::parse("own.toml", &greedy).unwrap();
    assert_eq!(read(cfx).unwrap().format, Format::BioRadCfx);
    assert!(by(&greedy, cfx).is_err(), "the text it needs is not there");
    let said = [b"A batch,7\n", &cfx[..]].concat();
    assert_eq!(by(&greedy, &said).unwrap().format, Format::Mapping);
}
