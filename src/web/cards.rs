//! Cards for people with a scanner in one hand and a tube in the other: what a key or a button does
//! at a station, as a barcode to be printed and hung up there.

use askama::Template;
use axum::response::Html;

use super::receive::REASONS;
use super::{Page, html};
use crate::barcode::label::word_svg;
use crate::error::Result;

/// What is scanned, and the key of the text that says what it does.
struct Card {
    command: String,
    does: &'static str,
}

/// The cards of one station.
struct Sheet {
    /// Key of its name.
    station: &'static str,
    cards: Vec<Card>,
}

#[derive(Template)]
#[template(path = "cards.html")]
struct Cards {
    page: Page,
    sheets: Vec<Sheet>,
}

impl Cards {
    fn bars(command: &str) -> String {
        word_svg(command)
    }
}

fn sheet(station: &'static str, commands: &[(&str, &'static str)]) -> Sheet {
    let card =
        |(command, does): &(&str, &'static str)| Card { command: (*command).to_owned(), does };
    Sheet { station, cards: commands.iter().map(card).collect() }
}

/// Every sheet, in the order of a tube's way.
fn sheets() -> Vec<Sheet> {
    let mut receive = sheet("start-receive", &[("FINISH", "cards-finish"), ("UNDO", "cards-undo")]);
    let refuse =
        |reason: &super::receive::Reason| Card { command: reason.command(), does: reason.text };
    receive.cards.extend(REASONS.iter().map(refuse));
    vec![
        sheet(
            "start-collect",
            &[
                ("TUBE", "cards-tube"),
                ("SEAL", "cards-seal"),
                ("PRINT", "cards-print"),
                ("BOX", "cards-box"),
                ("UNDO", "cards-undo"),
            ],
        ),
        receive,
        sheet(
            "start-plate",
            &[
                ("SAVE", "cards-save"),
                ("FREEZE", "cards-freeze"),
                ("EMPTY", "cards-empty"),
                ("UNDO", "cards-undo"),
            ],
        ),
        sheet("start-run", &[("ACCEPT", "cards-accept")]),
    ]
}

/// The page.
pub async fn cards_get(page: Page) -> Result<Html<String>> {
    html(&Cards { page, sheets: sheets() })
}
