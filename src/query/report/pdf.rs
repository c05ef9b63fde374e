//! A sheet of labelled facts as a PDF document of A4 pages.
//!
//! As on labels, no font is embedded: Latin-1 is in Helvetica, everything else in the standard
//! Chinese face `STSong-Light` (ISO 32000-1, table 118), for which viewers bring a font of theirs.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, TextStr};

use crate::paper::{CHINESE, chinese_face, latin, latin_face, write};

/// A document, in words.
#[derive(Debug, Default)]
pub struct Sheet {
    /// The language, as `zh-CN`.
    pub language: String,
    /// Whose paper it is, and where they are.
    pub head: (String, String),
    /// What the document is.
    pub title: String,
    /// Preliminary, final or amended.
    pub standing: String,
    /// The one fact it is for: its name and what it says.
    pub result: (String, String),
    /// Everything else.
    pub rows: Vec<Row>,
    /// What one must know to read it.
    pub notes: Vec<String>,
    /// That nothing follows.
    pub end: String,
    /// What stands on every page, before its number.
    pub foot: String,
    /// `Page {page} of {pages}`.
    pub page_of: String,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub label: String,
    /// What it says.
    pub value: String,
}

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const HELVETICA: Ref = Ref::new(3);
const HELVETICA_BOLD: Ref = Ref::new(4);
const SONG: Ref = Ref::new(5);
const SONG_CID: Ref = Ref::new(6);
const SONG_DESCRIPTOR: Ref = Ref::new(7);
const INFO: Ref = Ref::new(8);
const FIRST_PAGE: i32 = 9;
const LATIN: Name<'static> = Name(b"L");
const BOLD: Name<'static> = Name(b"B");

/// An A4 page in points, and its margins.
const PAGE: (f32, f32) = (595.28, 841.89);
const MARGIN: f32 = 56.0;
const FOOT: f32 = 44.0;
/// Where values begin.
const VALUES: f32 = 236.0;
/// Text of facts.
const SIZE: f32 = 10.5;
const LEADING: f32 = 15.0;
/// Ink, quiet ink and the one colour, as shares of red, green and blue.
const INK: [f32; 3] = [0.09, 0.19, 0.18];
const SOFT: [f32; 3] = [0.29, 0.38, 0.37];
const DEEP: [f32; 3] = [0.06, 0.3, 0.29];

/// Draws it.
pub fn pdf(sheet: &Sheet) -> Vec<u8> {
    let pages = Pen::write(sheet);
    let mut pdf = Pdf::new();
    let refs = (FIRST_PAGE..).step_by(2).map(Ref::new).take(pages.len());
    let kids: Vec<Ref> = refs.collect();
    pdf.catalog(CATALOG).pages(PAGES).lang(TextStr(&sheet.language));
    pdf.document_info(INFO).title(TextStr(&sheet.title)).creator(TextStr("Swabline"));
    pdf.pages(PAGES)
        .kids(kids.iter().copied())
        .count(i32::try_from(kids.len()).unwrap_or(i32::MAX));
    fonts(&mut pdf);
    let count = pages.len();
    for (number, (id, mut content)) in (1..).zip(kids.into_iter().zip(pages)) {
        let page_of = sheet.page_of.replace("{page}", &number.to_string());
        let foot = format!("{}    {}", sheet.foot, page_of.replace("{pages}", &count.to_string()));
        show(&mut content, (MARGIN, FOOT), (LATIN, 8.5, SOFT), &foot);
        let contents = id.next();
        let mut page = pdf.page(id);
        page.parent(PAGES).contents(contents);
        page.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1));
        page.resources().fonts().pairs([
            (LATIN, HELVETICA),
            (BOLD, HELVETICA_BOLD),
            (CHINESE, SONG),
        ]);
        page.finish();
        pdf.stream(contents, &content.finish());
    }
    pdf.finish()
}

fn fonts(pdf: &mut Pdf) {
    latin_face(pdf, HELVETICA, Name(b"Helvetica"));
    latin_face(pdf, HELVETICA_BOLD, Name(b"Helvetica-Bold"));
    chinese_face(pdf, [SONG, SONG_CID, SONG_DESCRIPTOR]);
}

/// Where the next line goes.
struct Pen {
    pages: Vec<Content>,
    at: f32,
}

impl Pen {
    /// Writes the whole sheet; gives the content of each page.
    fn write(sheet: &Sheet) -> Vec<Content> {
        let mut pen = Self { pages: vec![Content::new()], at: PAGE.1 - MARGIN };
        pen.lines(&sheet.head.0, MARGIN, (BOLD, 13.0, INK));
        pen.lines(&sheet.head.1, MARGIN, (LATIN, 9.5, SOFT));
        pen.rule(DEEP, 2.0);
        pen.at -= 14.0;
        pen.lines(&sheet.title, MARGIN, (BOLD, 18.0, INK));
        pen.lines(&sheet.standing, MARGIN, (BOLD, SIZE, DEEP));
        pen.at -= 8.0;
        pen.result(&sheet.result);
        for row in &sheet.rows {
            pen.row(row);
        }
        pen.at -= 10.0;
        for note in &sheet.notes {
            pen.lines(note, MARGIN, (LATIN, 9.5, SOFT));
            pen.at -= 3.0;
        }
        pen.at -= 8.0;
        pen.lines(&sheet.end, MARGIN, (BOLD, 9.5, INK));
        pen.pages
    }

    fn content(&mut self) -> &mut Content {
        self.pages.last_mut().expect("there is a first page")
    }

    /// Makes room for so many points, on the next page where this one is full.
    fn room(&mut self, points: f32) {
        if self.at - points < FOOT + 22.0 {
            self.pages.push(Content::new());
            self.at = PAGE.1 - MARGIN;
        }
    }

    /// The lines of a text from this edge to the right margin.
    fn lines(&mut self, text: &str, left: f32, (face, size, ink): Pencil) {
        for line in wrap(text, (PAGE.0 - MARGIN - left) / size) {
            self.room(size * 1.42);
            self.at -= size * 1.42;
            let at = (left, self.at);
            show(self.content(), at, (face, size, ink), &line);
        }
    }

    fn rule(&mut self, ink: [f32; 3], thick: f32) {
        self.at -= 7.0;
        let at = self.at;
        let content = self.content();
        content.set_fill_rgb(ink[0], ink[1], ink[2]);
        content.rect(MARGIN, at, PAGE.0 - 2.0 * MARGIN, thick);
        content.fill_nonzero();
    }

    /// The result, set off from everything else.
    fn result(&mut self, (name, said): &(String, String)) {
        self.lines(name, MARGIN, (LATIN, SIZE, SOFT));
        self.at -= 2.0;
        self.lines(said, MARGIN, (BOLD, 20.0, INK));
        self.rule([0.83, 0.81, 0.75], 0.8);
        self.at -= 4.0;
    }

    fn row(&mut self, row: &Row) {
        let labels = wrap(&row.label, (VALUES - MARGIN - 12.0) / SIZE);
        let values = wrap(&row.value, (PAGE.0 - MARGIN - VALUES) / SIZE);
        let lines = labels.len().max(values.len());
        #[expect(clippy::cast_precision_loss, reason = "a row has few lines")]
        self.room(lines as f32 * LEADING + 3.0);
        for line in 0..lines {
            self.at -= LEADING;
            let at = self.at;
            let content = self.content();
            if let Some(label) = labels.get(line) {
                show(content, (MARGIN, at), (LATIN, SIZE, SOFT), label);
            }
            if let Some(value) = values.get(line) {
                show(content, (VALUES, at), (LATIN, SIZE, INK), value);
            }
        }
        self.at -= 3.0;
    }
}

/// Face, size and colour.
type Pencil = (Name<'static>, f32, [f32; 3]);

/// Writes Latin-1 in the face given and everything else in the Chinese one.
fn show(content: &mut Content, (left, foot): (f32, f32), (face, size, ink): Pencil, text: &str) {
    content.set_fill_rgb(ink[0], ink[1], ink[2]);
    content.begin_text();
    content.next_line(left, foot);
    write(content, (face, size), text);
    content.end_text();
}

/// How wide a character is at most, of its size.
fn width(character: char) -> f32 {
    match character {
        ' ' | '.' | ',' | ':' | ';' | '\'' | 'i' | 'j' | 'l' | 'I' | '|' | '!' | '/' => 0.28,
        'm' | 'w' | 'M' | 'W' | '@' => 0.9,
        c if latin(c).is_none() => 1.0,
        c if c.is_ascii_uppercase() => 0.74,
        _ => 0.58,
    }
}

/// A text in lines that are no wider, cut after spaces and between Chinese characters.
fn wrap(text: &str, widest: f32) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut wide = 0.0;
        for word in words(paragraph) {
            let add: f32 = word.chars().map(width).sum();
            if wide + add > widest && !line.is_empty() {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                wide = 0.0;
            }
            line.push_str(&word);
            wide += add;
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// What is not cut: a Latin word with the spaces behind it, a single Chinese character.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut cut = true;
    for c in text.chars() {
        let alone = latin(c).is_none();
        match words.last_mut() {
            Some(word) if !cut && !alone => word.push(c),
            _ => words.push(c.to_string()),
        }
        cut = alone || c == ' ';
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_between_words_and_between_chinese_characters() {
        assert_eq!(wrap("one two three", 4.5), ["one two", "three"]);
        assert_eq!(wrap("采样采样采", 2.0), ["采样", "采样", "采"]);
        assert_eq!(wrap("a\nb", 9.0), ["a", "b"]);
        assert_eq!(wrap("", 9.0), Vec::<String>::new());
    }

    #[test]
    fn what_does_not_fit_goes_onto_a_page_of_its_own() {
        let row = Row { label: "Label".to_owned(), value: "采样 value".to_owned() };
        for (rows, pages) in [(1, 1), (80, 3)] {
            let page_of = "Page {page} of {pages}".to_owned();
            let sheet = Sheet { rows: vec![row.clone(); rows], page_of, ..Sheet::default() };
            let drawn = pdf(&sheet);
            let holds = |wanted: &str| {
                drawn.windows(wanted.len()).any(|window| window == wanted.as_bytes())
            };
            assert!(drawn.starts_with(b"%PDF-") && holds(&format!("/Count {pages}")), "{rows}");
            assert!(holds(&format!("Page {pages} of {pages}")), "{rows}");
        }
    }
}
