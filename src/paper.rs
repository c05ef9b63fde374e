//! What is printed is written in two faces that every reader of PDF has by name: Latin in one of the
//! fourteen standard ones, everything else in Adobe's Song (`STSong-Light`, Adobe-GB1), so that no
//! font is embedded.

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo};
use pdf_writer::{Content, Name, Pdf, Rect, Ref, Str};

/// The name of the Chinese face in a page's resources.
pub const CHINESE: Name<'static> = Name(b"C");

/// Describes a standard Latin face.
pub fn latin_face(pdf: &mut Pdf, id: Ref, name: Name<'_>) {
    pdf.type1_font(id).base_font(name).encoding_predefined(Name(b"WinAnsiEncoding"));
}

/// Describes the Chinese face: the font, its characters, and their measures.
pub fn chinese_face(pdf: &mut Pdf, [song, cid, descriptor]: [Ref; 3]) {
    pdf.type0_font(song)
        .base_font(Name(b"STSong-Light-UniGB-UTF16-H"))
        .encoding_predefined(Name(b"UniGB-UTF16-H"))
        .descendant_font(cid);
    pdf.cid_font(cid)
        .subtype(CidFontType::Type0)
        .base_font(Name(b"STSong-Light"))
        .system_info(SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"GB1"), supplement: 4 })
        .font_descriptor(descriptor)
        .default_width(1_000.0);
    pdf.font_descriptor(descriptor)
        .name(Name(b"STSong-Light"))
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(-25.0, -254.0, 1_000.0, 880.0))
        .italic_angle(0.0)
        .ascent(880.0)
        .descent(-120.0)
        .cap_height(880.0)
        .stem_v(93.0);
}

/// Writes a text where the pen is: Latin-1 in the face given and everything else in the Chinese one.
pub fn write(content: &mut Content, (face, size): (Name<'_>, f32), text: &str) {
    let characters: Vec<char> = text.chars().collect();
    for run in characters.chunk_by(|a, b| latin(*a).is_some() == latin(*b).is_some()) {
        let (face, bytes) = match run.iter().copied().map(latin).collect() {
            Some(bytes) => (face, bytes),
            None => (CHINESE, utf_16(run)),
        };
        content.set_font(face, size);
        content.show(Str(&bytes));
    }
}

/// A printing character of Latin-1, which is the same byte in `WinAnsiEncoding`.
pub fn latin(character: char) -> Option<u8> {
    u8::try_from(character).ok().filter(|byte| matches!(byte, 0x20..=0x7e | 0xa0..))
}

/// A text as `UniGB-UTF16-H` reads it.
fn utf_16(run: &[char]) -> Vec<u8> {
    run.iter().collect::<String>().encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_is_written_in_two_bytes_and_latin_in_one() {
        assert_eq!(utf_16(&['采', '样']), [0x91, 0xc7, 0x68, 0x37]);
        assert_eq!((latin('é'), latin('采'), latin('\u{85}')), (Some(0xe9), None, None));
    }
}
