//! A sheet of labels as SVG, one document a page, and a single word for a card.

use std::fmt::{self, Write as _};

use super::sheet::{
    self, BAR_HEIGHT, CODE_SIZE, LINE_SIZE, MODULE, PAGE_HEIGHT, PAGE_WIDTH, PER_PAGE, Placed,
};
use super::{Label, LabelError, symbol};

/// How high the bars of a word are, in modules.
const WORD_HEIGHT: u16 = 40;

/// Page `page` (counted from 1) of the sheets that `labels` fill, as an SVG document of A4 size
/// to be printed at 100 %. A line is drawn in the viewer's own fonts.
pub fn sheet_svg(labels: &[Label], page: usize) -> Result<String, LabelError> {
    sheet::check(labels)?;
    let pages = sheet::pages(labels.len());
    let on_page = page
        .checked_sub(1)
        .and_then(|index| labels.chunks(PER_PAGE).nth(index))
        .ok_or(LabelError::NoSuchPage { page, pages })?;
    Ok(Page(on_page).to_string())
}

/// A word of capital letters, digits and hyphens as an SVG element: black bars on white, with the
/// quiet zones that a scanner needs, as wide and as high as it is let be.
pub fn word_svg(word: &str) -> String {
    let drawn = symbol::word(word);
    let width = drawn.modules + 2 * symbol::QUIET;
    let mut bars = String::new();
    for (at, width) in &drawn.bars {
        let at = at + symbol::QUIET;
        write!(bars, "M{at} 0h{width}v{WORD_HEIGHT}h-{width}z")
            .expect("a text takes what it is given");
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 -4 {width} {}\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{word}\">\
         <rect y=\"-4\" width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
         <path fill=\"#000\" d=\"{bars}\"/></svg>",
        WORD_HEIGHT + 8
    )
}

/// The labels of one page; displayed as an SVG document.
struct Page<'a>(&'a [Label]);

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"210mm\" height=\"297mm\" \
             viewBox=\"0 0 {PAGE_WIDTH} {PAGE_HEIGHT}\" text-anchor=\"middle\" \
             font-family=\"Courier, 'Liberation Mono', monospace\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
        )?;
        for placed in sheet::place(self.0) {
            draw(f, &placed)?;
        }
        writeln!(f, "</svg>")
    }
}

fn draw(f: &mut fmt::Formatter<'_>, placed: &Placed<'_>) -> fmt::Result {
    let Placed { label, middle, bars_left, bars_top, line_foot, code_foot, .. } = placed;
    if let Some(line) = label.line().map(escaped) {
        writeln!(
            f,
            "<text x=\"{middle}\" y=\"{line_foot}\" font-size=\"{LINE_SIZE}\">{line}</text>"
        )?;
    }
    write!(f, "<path transform=\"translate({bars_left} {bars_top}) scale({MODULE} 1)\" d=\"")?;
    for (at, width) in &placed.symbol.bars {
        write!(f, "M{at} 0h{width}v{BAR_HEIGHT}h-{width}z")?;
    }
    writeln!(
        f,
        "\"/>\n<text x=\"{middle}\" y=\"{code_foot}\" font-size=\"{CODE_SIZE}\" \
         font-weight=\"bold\">{}</text>",
        label.code()
    )
}

/// A text of which no character is read as markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barcode::label::LABELS_MAX;

    fn labels(count: usize) -> Vec<Label> {
        vec![Label::new("T0000000001T", None).unwrap(); count]
    }

    #[test]
    fn a_page_holds_sixty_five_labels_and_the_next_the_rest() {
        let labels = labels(66);
        assert_eq!(sheet_svg(&labels, 1).unwrap().matches("<path").count(), 65);
        assert_eq!(sheet_svg(&labels, 2).unwrap().matches("<path").count(), 1);
    }

    #[test]
    fn no_labels_too_many_and_a_page_past_the_end_are_refused() {
        assert_eq!(sheet_svg(&[], 1), Err(LabelError::Nothing));
        let count = LABELS_MAX + 1;
        assert_eq!(sheet_svg(&labels(count), 1), Err(LabelError::TooMany { count }));
        for page in [0, 2] {
            let refusal = Err(LabelError::NoSuchPage { page, pages: 1 });
            assert_eq!(sheet_svg(&labels(1), page), refusal);
        }
    }

    #[test]
    fn a_line_cannot_break_out_of_its_element() {
        let label = Label::new("T0000000001T", Some("A&B <b>\u{1}]]>")).unwrap();
        let svg = sheet_svg(&[label], 1).unwrap();
        assert!(svg.contains(">A&amp;B &lt;b&gt; ]]&gt;</text>"), "{svg}");
    }
}
