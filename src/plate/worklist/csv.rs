//! Comma-separated lists: the plain one for a person, and the rows of the others.

use crate::plate::{Content, Layout};

/// One row a filled well, or a tube of the pool that is mixed in it: `well,tube,reaction,role`,
/// CSV after RFC 4180, row by row of the plate.
///
/// Cells that a spreadsheet would run as a formula are neutralised (R38).
///
/// # Panics
///
/// Never: writing to memory does not fail.
pub fn worklist_csv(layout: &Layout) -> String {
    let mut rows = ::csv::Writer::from_writer(Vec::new());
    let mut write = |cells: [&str; 4]| {
        rows.write_record(cells.map(neutral)).expect("writing to memory does not fail");
    };
    write(["well", "tube", "reaction", "role"]);
    for (well, content) in layout.wells() {
        let well = well.to_string();
        match content {
            Content::Tube { tube, reaction, .. } => write([&well, tube, reaction, "tube"]),
            Content::Pool { pool, tubes, reaction } => {
                let role = format!("pool {pool}");
                for tube in tubes {
                    write([&well, tube, reaction, &role]);
                }
            }
            Content::Control { control, reaction } => {
                write([&well, "", reaction, &format!("{control} control")]);
            }
            Content::Nothing => {}
        }
    }
    let bytes = rows.into_inner().expect("writing to memory does not fail");
    String::from_utf8(bytes).expect("cells are UTF-8, so the rows are")
}

/// A header and rows as a robot or an instrument takes them: RFC 4180 with its line ends, cells
/// neutralised.
pub(super) fn rows<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    quotes: ::csv::QuoteStyle,
) -> String {
    let mut list = ::csv::WriterBuilder::new()
        .quote_style(quotes)
        .terminator(::csv::Terminator::CRLF)
        .from_writer(Vec::new());
    list.write_record(header).expect("writing to memory does not fail");
    for row in rows {
        let cells = row.each_ref().map(|cell| neutral(cell));
        list.write_record(cells).expect("writing to memory does not fail");
    }
    let bytes = list.into_inner().expect("writing to memory does not fail");
    String::from_utf8(bytes).expect("cells are UTF-8, so the rows are")
}

/// The cell as it may stand in a file that a spreadsheet opens: a leading `=`, `+`, `-`, `@`, tab
/// or line end, which would start a formula, is put behind an apostrophe.
pub(in crate::plate) fn neutral(cell: &str) -> String {
    if cell.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plate::{Control, PlateSize};

    fn one_tube(code: &str) -> Layout {
        let tube = Content::Tube { tube: code.to_owned(), depth: 1, reaction: "mix".to_owned() };
        let control =
            Content::Control { control: Control::WeakPositive, reaction: "mix".to_owned() };
        let wells = vec![("B2".parse().unwrap(), tube), ("A12".parse().unwrap(), control)];
        Layout::explicit(PlateSize::P96, wells).unwrap()
    }

    #[test]
    fn a_worklist_names_every_filled_well() {
        assert_eq!(
            worklist_csv(&one_tube("T-1")),
            "well,tube,reaction,role\nA12,,mix,weak positive control\nB2,T-1,mix,tube\n"
        );
    }

    #[test]
    fn a_code_that_looks_like_a_formula_stays_text() {
        for code in ["=HYPERLINK(1)", "+1", "-1", "@A1", "\t=1", " =1"] {
            let csv = worklist_csv(&one_tube(code));
            assert!(csv.contains(&format!("'{code}")), "{csv}");
        }
        assert!(!worklist_csv(&one_tube("T=1-1+1@")).contains('\''));
    }

    #[test]
    fn commas_and_quotes_do_not_break_a_row() {
        assert!(worklist_csv(&one_tube("T,\"1\"")).contains("B2,\"T,\"\"1\"\"\",mix,tube\n"));
    }
}
