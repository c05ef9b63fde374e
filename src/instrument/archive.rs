//! A zip of run-file members, unpacked one at a time within one budget.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::Refusal;
use super::table::{MAX_FILE_BYTES, MAX_UNPACKED_BYTES};

/// Most members of the zip; an `.eds` of 50 cycles has 250 pictures and 30 more.
const MAX_MEMBERS: usize = 10_000;

/// A zip and what may still be unpacked of it.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// Names in lower case with strokes, for instruments write `APLDBIO\SDS` as well.
    names: Vec<String>,
    left: u64,
    /// Longest single member; text is decoded and parsed, so it counts several times over.
    longest: u64,
}

impl<'a> Archive<'a> {
    /// Reads the directory; broken when the zip has lost its end.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|_no_end| broken())?;
        if zip.len() > MAX_MEMBERS {
            return Err(broken());
        }
        let plain = |raw: &[u8]| String::from_utf8_lossy(raw).to_lowercase().replace('\\', "/");
        let names = zip.file_names_raw().map(plain).collect();
        Ok(Self { zip, names, left: MAX_UNPACKED_BYTES, longest: MAX_FILE_BYTES as u64 })
    }

    /// Whether some name starts like that.
    pub fn has(&self, start: &str) -> bool {
        self.names.iter().any(|name| name.starts_with(start))
    }

    /// Whether the member in that place has that name.
    pub fn is_named(&self, index: usize, name: &str) -> bool {
        self.names.get(index).is_some_and(|known| known == name)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The content of the member of that name, if there is one; two of one name are refused.
    pub fn content(&mut self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let mut found = self.names.iter().enumerate().filter(|(_, known)| *known == name);
        let (first, second) = (found.next(), found.next());
        if second.is_some() {
            return Err(Refusal::cut(format!("the zip holds `{name}` twice")));
        }
        first.map(|(index, _)| index).map(|index| self.unpack(index)).transpose()
    }

    /// The content of a member by its place.
    pub fn unpack(&mut self, index: usize) -> Result<Vec<u8>, Refusal> {
        let member = self.zip.by_index(index).map_err(|_unreadable| broken())?;
        // What the directory states is neither trusted nor needed: what comes out is counted.
        let most = self.left.min(self.longest);
        if member.size() > most {
            return Err(Refusal::UnpacksTooLarge);
        }
        let mut content = Vec::new();
        member.take(most + 1).read_to_end(&mut content).map_err(|_damaged| broken())?;
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        if length > most {
            return Err(Refusal::UnpacksTooLarge);
        }
        self.left -= length;
        Ok(content)
    }

    /// The first bytes of a member, or none when they cannot be unpacked.
    pub fn beginning(&mut self, index: usize) -> Option<Vec<u8>> {
        const LOOK: u64 = 4_096;
        let mut start = Vec::new();
        self.zip.by_index(index).ok()?.take(LOOK).read_to_end(&mut start).ok()?;
        Some(start)
    }
}

fn broken() -> Refusal {
    Refusal::cut("the zip cannot be unpacked")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_member_is_found_in_any_case_and_with_either_stroke() {
        let bytes = zip(&[("APLDBIO\\SDS\\Plate_Setup.xml", b"<Plate/>")]);
        let mut archive = Archive::open(&bytes).unwrap();
        assert!(archive.has("apldbio/sds/"));
        let content = archive.content("apldbio/sds/plate_setup.xml").unwrap();
        assert_eq!(content.as_deref(), Some(&b"<Plate/>"[..]));
        assert_eq!(archive.content("apldbio/sds/experiment.xml").unwrap(), None);
    }

    #[test]
    fn two_members_of_one_name_are_refused() {
        let bytes = zip(&[("a/B.txt", b"1"), ("A\\b.txt", b"2")]);
        let refusal = Archive::open(&bytes).unwrap().content("a/b.txt").unwrap_err();
        assert!(refusal.to_string().contains("`a/b.txt` twice"), "{refusal}");
    }

    #[test]
    fn what_comes_out_is_counted_against_one_budget() {
        let bytes = zip(&[("a", &[b' '; 600]), ("b", &[b' '; 600])]);
        let mut archive = Archive::open(&bytes).unwrap();
        archive.left = 1_000;
        assert_eq!(archive.unpack(0).unwrap().len(), 600);
        assert_eq!(archive.unpack(1), Err(Refusal::UnpacksTooLarge));
        let mut archive = Archive::open(&bytes).unwrap();
        archive.longest = 599;
        assert_eq!(archive.unpack(0), Err(Refusal::UnpacksTooLarge), "one member alone");
        let mut lies = bytes.clone();
        // APPNOTE 4.3.12: the uncompressed size is 24 bytes into the directory entry.
        let entry = lies.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        lies[entry + 24..entry + 28].copy_from_slice(&1_u32.to_le_bytes());
        let mut archive = Archive::open(&lies).unwrap();
        archive.left = 500;
        assert!(archive.unpack(0).is_err(), "a directory that lies");
        assert_eq!(Archive::open(&bytes[..bytes.len() / 2]).err(), Some(broken()));
    }
}
