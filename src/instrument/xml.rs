//! XML walked element by element within bounds: no document type, no entity of its own making.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::Refusal;
use super::table::MAX_CELL_BYTES;
use super::text::Text;

/// Deepest element read; the deepest of a real run file is the tenth.
const MAX_DEPTH: usize = 32;
/// Most elements read. 384 wells, six dyes and sixty cycles of RDML have 550,000.
const MAX_ELEMENTS: usize = 8_000_000;
/// Longest names of all open elements together, in bytes.
const MAX_PATH_BYTES: usize = 1_024;

/// What the walk meets. Paths are local names with strokes between, whatever prefix they carry.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// An element begins.
    Open {
        /// Names of the open elements, the root first.
        path: &'a str,
        /// The element's attributes.
        tag: &'a Tag<'a>,
    },
    /// An element ends.
    Close {
        /// Names of the open elements, the root first.
        path: &'a str,
        /// Its text after its last child, without blanks around it.
        text: &'a str,
    },
}

/// The start of an element.
#[derive(Debug)]
pub(super) struct Tag<'a>(BytesStart<'a>);

impl Tag<'_> {
    /// The attribute of that name without blanks around it, if there is one.
    pub fn attribute(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(found) = self.0.try_get_attribute(name).map_err(|_broken| broken())? else {
            return Ok(None);
        };
        let value = found.normalized_value(XmlVersion::Implicit1_0).map_err(|_entity| broken())?;
        if value.len() > MAX_CELL_BYTES {
            return Err(Refusal::cut("an attribute of the XML has no end"));
        }
        Ok(Some(value.trim().to_owned()))
    }
}

/// Decodes XML and walks it; the first refusal ends the walk.
pub(super) fn walk(
    bytes: &[u8],
    mut meet: impl FnMut(Step<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    // A text without a NUL in UTF-8 is walked where it lies.
    let xml = match std::str::from_utf8(bytes) {
        Ok(plain) => Cow::Borrowed(plain.trim_start_matches('\u{feff}')),
        Err(_other_encoding) => Cow::Owned(Text::decode(bytes).content),
    };
    let mut reader = Reader::from_str(&xml);
    reader.config_mut().expand_empty_elements = true;
    let mut place = Place::default();
    loop {
        match reader.read_event().map_err(|_broken| broken())? {
            Event::Start(tag) => {
                place.open(tag.local_name().into_inner())?;
                meet(Step::Open { path: &place.path, tag: &Tag(tag) })?;
            }
            Event::End(_) => {
                meet(Step::Close { path: &place.path, text: place.text.trim() })?;
                place.close();
            }
            Event::Text(text) => place.say(&text)?,
            Event::CData(text) => place.say(&text)?,
            Event::GeneralRef(reference) => place.say(resolved(&reference)?.as_ref())?,
            Event::DocType(_) => return Err(Refusal::DocumentType),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return place.is_whole(),
        }
    }
}

/// Name of the root element of XML that begins like that, if an element begins there at all.
pub(super) fn root(beginning: &[u8]) -> Option<String> {
    let text = Text::decode(beginning).content;
    let mut reader = Reader::from_str(&text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) | Event::Empty(tag) => {
                return Some(tag.local_name().into_inner().to_owned());
            }
            Event::Text(text) if !text.trim().is_empty() => return None,
            Event::Eof | Event::End(_) | Event::CData(_) | Event::GeneralRef(_) => return None,
            Event::Text(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
    }
}

fn broken() -> Refusal {
    Refusal::cut("the XML cannot be read to its end")
}

/// The character a reference stands for: one of the five of XML, or one by its number.
fn resolved(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, Refusal> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_no_character| broken())? {
        return Ok(Cow::Owned(character.to_string()));
    }
    resolve_predefined_entity(reference).map(Cow::Borrowed).ok_or_else(broken)
}

/// Where the walk stands.
#[derive(Default)]
struct Place {
    path: String,
    /// Length of the path before each open element.
    before: Vec<usize>,
    text: String,
    elements: usize,
}

impl Place {
    fn open(&mut self, name: &str) -> Result<(), Refusal> {
        let second_root = self.before.is_empty() && self.elements > 0;
        self.elements += 1;
        if second_root || self.before.len() == MAX_DEPTH || self.elements > MAX_ELEMENTS {
            return Err(Refusal::cut("the XML has more elements than any run file"));
        }
        self.before.push(self.path.len());
        if !self.path.is_empty() {
            self.path.push('/');
        }
        self.path.push_str(name);
        self.text.clear();
        if self.path.len() > MAX_PATH_BYTES { Err(broken()) } else { Ok(()) }
    }

    fn close(&mut self) {
        self.path.truncate(self.before.pop().unwrap_or_default());
        self.text.clear();
    }

    fn say(&mut self, text: &str) -> Result<(), Refusal> {
        if self.text.len() + text.len() > MAX_CELL_BYTES {
            return Err(Refusal::cut("a text of the XML has no end"));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn is_whole(&self) -> Result<(), Refusal> {
        if self.elements > 0 && self.before.is_empty() { Ok(()) } else { Err(broken()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path and text of every element that ends.
    fn closed(xml: &str) -> Result<Vec<(String, String)>, Refusal> {
        let mut closed = Vec::new();
        walk(xml.as_bytes(), |step| {
            if let Step::Close { path, text } = step {
                closed.push((path.to_owned(), text.to_owned()));
            }
            Ok(())
        })?;
        Ok(closed)
    }

    #[test]
    fn prefixes_are_left_away_and_references_resolved() {
        let read =
            closed("<?xml version='1.0'?><r:a xmlns:r='x'>\n<r:b>1 &lt;&#50;</r:b><c/></r:a>");
        let pair = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        assert_eq!(read.unwrap(), [pair("a/b", "1 <2"), pair("a/c", ""), pair("a", "")]);
    }

    #[test]
    fn an_attribute_is_read_by_its_name() {
        let mut found = Vec::new();
        walk(b"<a><b id=' x&amp;y ' n='1'/></a>", |step| {
            if let Step::Open { tag, .. } = step {
                found.push(tag.attribute("id")?);
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [None, Some("x&y".to_owned())]);
    }

    #[test]
    fn a_document_type_is_refused_and_with_it_every_entity() {
        let laughs = "<!DOCTYPE a [<!ENTITY b 'ha'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>";
        assert_eq!(closed(laughs).unwrap_err(), Refusal::DocumentType);
        assert!(closed("<a>&c;</a>").is_err());
        let mut seen = Ok(None);
        let _ = walk(b"<a id='&c;'/>", |step| {
            if let Step::Open { tag, .. } = step {
                seen = tag.attribute("id");
            }
            Ok(())
        });
        assert!(seen.is_err());
    }

    #[test]
    fn what_is_cut_deep_or_endless_is_refused() {
        for cut in ["", "<a>", "<a><b></a>", "<a", "a", "<a/><b/>", "<a></a><a>"] {
            assert!(closed(cut).is_err(), "{cut}");
        }
        let nested = |depth| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(closed(&nested(MAX_DEPTH)).is_ok());
        assert!(closed(&nested(MAX_DEPTH + 1)).is_err());
        let long = |length| format!("<a>{}</a>", "x".repeat(length));
        assert!(closed(&long(MAX_CELL_BYTES)).is_ok());
        assert!(closed(&long(MAX_CELL_BYTES + 1)).is_err());
        assert!(closed(&format!("<{}/>", "x".repeat(MAX_PATH_BYTES + 1))).is_err());
    }

    #[test]
    fn the_root_is_known_from_the_beginning() {
        assert_eq!(root(b"<?xml version='1.0'?>\n<!-- x --><r:rdml a='b'><c").unwrap(), "rdml");
        assert_eq!(root(b"\xef\xbb\xbf<rdml version='1.1'>").unwrap(), "rdml");
        assert_eq!(root(b"no XML <rdml>"), None);
        assert_eq!(root(b""), None);
    }
}
