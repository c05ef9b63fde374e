//! Sheets of labels as one PDF document.
//!
//! No font is embedded. Latin-1 is drawn in Courier, which every viewer has; other letters of
//! a line are in the standard Chinese face `STSong-Light` (ISO 32000-1, table 118), for which
//! the viewer needs some Chinese font. Letters such a font lacks come out as boxes or blanks;
//! the bars and the code never depend on it.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref};

use super::sheet::{
    self, BAR_HEIGHT, CODE_SIZE, LINE_SIZE, MODULE, PAGE_HEIGHT, PAGE_WIDTH, PER_PAGE, Placed,
};
use super::{Label, LabelError, width};
use crate::paper::{CHINESE, chinese_face, latin_face, write};

/// Points in a hundredth of a millimetre.
const POINTS: f32 = 72.0 / 2_540.0;

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const COURIER: Ref = Ref::new(3);
const COURIER_BOLD: Ref = Ref::new(4);
const SONG: Ref = Ref::new(5);
const SONG_CID: Ref = Ref::new(6);
const SONG_DESCRIPTOR: Ref = Ref::new(7);
const FIRST_PAGE: i32 = 8;

/// Names of the fonts within the document.
const LATIN: Name<'static> = Name(b"L");
const BOLD: Name<'static> = Name(b"B");

/// The sheets that `labels` fill, as one PDF document of A4 pages to be printed at 100 %.
pub fn sheet_pdf(labels: &[Label]) -> Result<Vec<u8>, LabelError> {
    sheet::check(labels)?;
    let mut pdf = Pdf::new();
    let kids: Vec<Ref> =
        (FIRST_PAGE..).step_by(2).map(Ref::new).take(sheet::pages(labels.len())).collect();
    pdf.catalog(CATALOG).pages(PAGES);
    let count = i32::try_from(kids.len())
        .map_err(|_too_large| LabelError::TooMany { count: labels.len() })?;
    pdf.pages(PAGES).kids(kids.iter().copied()).count(count);
    fonts(&mut pdf);
    for (id, on_page) in kids.into_iter().zip(labels.chunks(PER_PAGE)) {
        let contents = id.next();
        let mut page = pdf.page(id);
        page.parent(PAGES).contents(contents);
        page.media_box(Rect::new(0.0, 0.0, points(PAGE_WIDTH), points(PAGE_HEIGHT)));
        page.resources().fonts().pairs([(LATIN, COURIER), (BOLD, COURIER_BOLD), (CHINESE, SONG)]);
        page.finish();
        pdf.stream(contents, &draw(on_page));
    }
    Ok(pdf.finish())
}

fn fonts(pdf: &mut Pdf) {
    latin_face(pdf, COURIER, Name(b"Courier"));
    latin_face(pdf, COURIER_BOLD, Name(b"Courier-Bold"));
    chinese_face(pdf, [SONG, SONG_CID, SONG_DESCRIPTOR]);
}

/// The content of one page.
fn draw(on_page: &[Label]) -> Vec<u8> {
    let mut content = Content::new();
    for placed in sheet::place(on_page) {
        bars(&mut content, &placed);
        let row = Row { middle: placed.middle, foot: placed.code_foot, size: CODE_SIZE };
        row.write(&mut content, BOLD, placed.label.code());
        if let Some(line) = placed.label.line() {
            let row = Row { middle: placed.middle, foot: placed.line_foot, size: LINE_SIZE };
            row.write(&mut content, LATIN, line);
        }
    }
    content.finish().to_vec()
}

/// Draws the bars in a frame whose units are one module across and the bars' height up.
fn bars(content: &mut Content, placed: &Placed<'_>) {
    let foot = points(PAGE_HEIGHT - placed.bars_top - BAR_HEIGHT);
    let frame = [points(MODULE), 0.0, 0.0, points(BAR_HEIGHT), points(placed.bars_left), foot];
    content.save_state();
    content.transform(frame);
    for (at, width) in &placed.symbol.bars {
        content.rect(f32::from(*at), 0.0, f32::from(*width), 1.0);
    }
    content.fill_nonzero();
    content.restore_state();
}

/// A row of letters, centred.
struct Row {
    middle: u16,
    foot: u16,
    size: u16,
}

impl Row {
    /// Writes Latin-1 in the face given and everything else in the Chinese one.
    fn write(&self, content: &mut Content, face: Name<'_>, text: &str) {
        let squares: f32 = text.chars().map(|character| f32::from(width(character)) / 100.0).sum();
        let left = points(self.middle) - squares * points(self.size) / 2.0;
        content.begin_text();
        content.next_line(left, points(PAGE_HEIGHT - self.foot));
        write(content, (face, points(self.size)), text);
        content.end_text();
    }
}

fn points(hundredths: u16) -> f32 {
    f32::from(hundredths) * POINTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(pdf: &[u8], wanted: &[u8]) -> bool {
        pdf.windows(wanted.len()).any(|window| window == wanted)
    }

    #[test]
    fn every_sixty_five_labels_are_a_page() {
        let label = Label::new("T0000000001T", None).unwrap();
        for (labels, pages) in [(1, 1), (65, 1), (66, 2)] {
            let pdf = sheet_pdf(&vec![label.clone(); labels]).unwrap();
            assert!(pdf.starts_with(b"%PDF-"));
            assert!(contains(&pdf, format!("/Count {pages}").as_bytes()), "{labels} labels");
        }
        assert_eq!(sheet_pdf(&[]), Err(LabelError::Nothing));
    }

    #[test]
    fn a_line_cannot_break_out_of_its_string() {
        let label = Label::new("T0000000001T", Some(r"A) Tj \")).unwrap();
        let pdf = sheet_pdf(&[label]).unwrap();
        assert!(contains(&pdf, br"(A\) Tj \\) Tj"));
    }

    #[test]
    fn chinese_is_written_in_the_chinese_face_and_the_rest_in_courier() {
        let label = Label::new("T0000000001T", Some("Ost 采样")).unwrap();
        let pdf = sheet_pdf(&[label]).unwrap();
        let text = b"/L 6.8031497 Tf\n(Ost ) Tj\n/C 6.8031497 Tf\n";
        assert!(contains(&pdf, text), "{}", String::from_utf8_lossy(&pdf));
    }
}
