//! The compound file (MS-CFB 2.x) that an `.xls` is wrapped in: gives the `Workbook` stream.
//!
//! Own reader, because the file comes from outside: calamine 0.38 follows sector chains without a
//! bound and reserves memory by sizes the file states, which a forged file turns into an abort.

use super::Refusal;

/// First bytes of every compound file.
pub(super) const SIGNATURE: [u8; 8] = [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];

const HEADER_BYTES: usize = 512;
const DIRECTORY_ENTRY_BYTES: usize = 128;
const MINI_SECTOR_BYTES: usize = 64;
/// Streams shorter than this lie in the mini stream.
const MINI_CUTOFF: usize = 4096;
/// Sector numbers from here on mean "end" or "free".
const LAST_SECTOR: u32 = 0xFFFF_FFFA;
const END_OF_CHAIN: u32 = 0xFFFF_FFFE;
const STREAM_ENTRY: u8 = 2;

/// The workbook stream of an `.xls`.
pub(super) fn workbook_stream(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let file = Compound::open(bytes).ok_or_else(broken)?;
    let directory = file.chain(file.directory_start, usize::MAX).ok_or_else(broken)?;
    let entries: Vec<&[u8]> = directory.chunks_exact(DIRECTORY_ENTRY_BYTES).collect();
    let named = |name: &str| {
        entries.iter().find(|entry| entry[66] == STREAM_ENTRY && entry_name(entry) == name)
    };
    let Some(entry) = named("workbook").or_else(|| named("book")) else {
        return Err(Refusal::NotOurs { looked_like: "an Office file without a workbook" });
    };
    file.stream(entry, entries[0]).ok_or_else(broken)
}

fn broken() -> Refusal {
    Refusal::cut("the .xls workbook misses some of its sectors")
}

struct Compound<'a> {
    bytes: &'a [u8],
    sector_bytes: usize,
    directory_start: u32,
    mini_fat_start: u32,
    fat: Vec<u32>,
}

impl<'a> Compound<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let sector_bytes = match u16_at(bytes, 30)? {
            9 => 512,
            12 => 4096,
            _ => return None,
        };
        let mut file = Self {
            bytes,
            sector_bytes,
            directory_start: u32_at(bytes, 48)?,
            mini_fat_start: u32_at(bytes, 60)?,
            fat: Vec::new(),
        };
        let mut fat_sectors = words(bytes.get(76..HEADER_BYTES)?);
        let mut next = u32_at(bytes, 68)?;
        // The list of FAT sectors goes on in sectors of its own; each may be visited once.
        for _ in 0..file.sectors() {
            if next >= LAST_SECTOR {
                break;
            }
            let mut more = words(file.sector(next)?);
            next = more.pop()?;
            fat_sectors.append(&mut more);
        }
        fat_sectors.retain(|sector| *sector < LAST_SECTOR);
        if fat_sectors.len() > file.sectors() {
            return None;
        }
        for sector in fat_sectors {
            let part = words(file.sector(sector)?);
            file.fat.extend(part);
        }
        Some(file)
    }

    /// How many sectors the file can have; no chain is longer.
    fn sectors(&self) -> usize {
        self.bytes.len() / self.sector_bytes + 1
    }

    /// One sector; the last one of a file may be short.
    fn sector(&self, number: u32) -> Option<&'a [u8]> {
        let start = usize::try_from(number).ok()?.checked_add(1)?.checked_mul(self.sector_bytes)?;
        let end = start.checked_add(self.sector_bytes)?.min(self.bytes.len());
        self.bytes.get(start..end).filter(|part| !part.is_empty())
    }

    /// The chain from `start`, up to `length` bytes; all of it must be there.
    fn chain(&self, start: u32, length: usize) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        let mut next = start;
        for _ in 0..self.sectors() {
            if next == END_OF_CHAIN || content.len() >= length {
                break;
            }
            content.extend_from_slice(self.sector(next)?);
            next = *self.fat.get(usize::try_from(next).ok()?)?;
        }
        let ended = next == END_OF_CHAIN && length == usize::MAX;
        (ended || content.len() >= length).then(|| {
            content.truncate(length);
            content
        })
    }

    fn stream(&self, entry: &[u8], root: &[u8]) -> Option<Vec<u8>> {
        let start = u32_at(entry, 116)?;
        let length = usize::try_from(u32_at(entry, 120)?).ok()?;
        if length >= MINI_CUTOFF {
            return self.chain(start, length);
        }
        let mini_fat = words(&self.chain(self.mini_fat_start, usize::MAX)?);
        let mini_stream = self.chain(u32_at(root, 116)?, usize::MAX)?;
        let mut content = Vec::new();
        let mut next = usize::try_from(start).ok()?;
        while content.len() < length {
            let at = next.checked_mul(MINI_SECTOR_BYTES)?;
            content.extend_from_slice(mini_stream.get(at..at + MINI_SECTOR_BYTES)?);
            next = usize::try_from(*mini_fat.get(next)?).ok()?;
        }
        content.truncate(length);
        Some(content)
    }
}

/// A directory entry's name in lower case; ours are ASCII.
fn entry_name(entry: &[u8]) -> String {
    let units = entry[..64].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let name: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&name).to_lowercase()
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// The little-endian 16-bit number at `at`.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian 32-bit number at `at`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: u32 = 0xFFFF_FFFF;
    const FAT: u32 = 0xFFFF_FFFD;

    /// A compound file of four sectors and the stream: FAT, directory, then the stream's sectors.
    fn wrapped(name: &str, stream: &[u8], fat: &[u32]) -> Vec<u8> {
        let mut header = vec![0; HEADER_BYTES];
        header[..8].copy_from_slice(&SIGNATURE);
        header[30..32].copy_from_slice(&9_u16.to_le_bytes());
        for (at, word) in [(48, 1), (60, END_OF_CHAIN), (68, END_OF_CHAIN), (76, 0)] {
            header[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        header[80..].fill(0xFF);
        let mut table: Vec<u8> = fat.iter().flat_map(|word| word.to_le_bytes()).collect();
        table.resize(512, 0xFF);
        let mut directory = vec![0; 512];
        for (at, byte) in name.bytes().enumerate() {
            directory[128 + 2 * at] = byte;
        }
        directory[128 + 66] = STREAM_ENTRY;
        directory[128 + 116..128 + 120].copy_from_slice(&2_u32.to_le_bytes());
        let length = u32::try_from(stream.len()).unwrap();
        directory[128 + 120..128 + 124].copy_from_slice(&length.to_le_bytes());
        [header, table, directory, stream.to_vec()].concat()
    }

    fn chained() -> Vec<u32> {
        let stream = (3..11).chain([END_OF_CHAIN, FREE]);
        [FAT, END_OF_CHAIN].into_iter().chain(stream).collect()
    }

    #[test]
    fn the_workbook_stream_is_put_together() {
        let stream: Vec<u8> = (0..4500_u32).map(|n| n.to_le_bytes()[0]).collect();
        for name in ["Workbook", "Book"] {
            assert_eq!(workbook_stream(&wrapped(name, &stream, &chained())).unwrap(), stream);
        }
        let document = wrapped("WordDocument", &stream, &chained());
        assert!(matches!(workbook_stream(&document), Err(Refusal::NotOurs { .. })));
    }

    #[test]
    fn a_short_stream_lies_in_the_mini_stream() {
        // Mini sectors 0 and 1 of the root's stream in sector 2; their chain in sector 3.
        let mut sectors = vec![7; 512];
        sectors.extend([1, END_OF_CHAIN, FREE].iter().flat_map(|word| word.to_le_bytes()));
        sectors.resize(1024, 0xFF);
        let fat = [FAT, END_OF_CHAIN, END_OF_CHAIN, END_OF_CHAIN];
        let mut file = wrapped("Workbook", &sectors, &fat);
        file[60..64].copy_from_slice(&3_u32.to_le_bytes());
        let directory = 2 * 512;
        file[directory + 116..directory + 120].copy_from_slice(&2_u32.to_le_bytes());
        file[directory + 128 + 116..directory + 128 + 120].copy_from_slice(&[0; 4]);
        file[directory + 128 + 120..directory + 128 + 124].copy_from_slice(&100_u32.to_le_bytes());
        assert_eq!(workbook_stream(&file).unwrap(), [7; 100]);
        file[directory + 128 + 120..directory + 128 + 124].copy_from_slice(&200_u32.to_le_bytes());
        assert!(workbook_stream(&file).is_err(), "the chain ends after two mini sectors");
    }

    #[test]
    fn chains_that_bite_their_tail_or_leave_the_file_are_refused() {
        let stream = vec![7; 4500];
        let mut circle = chained();
        circle[1] = 1;
        let mut outside = chained();
        outside[4] = 5_000;
        for fat in [circle, outside, vec![]] {
            let refusal = workbook_stream(&wrapped("Workbook", &stream, &fat)).unwrap_err();
            assert!(matches!(refusal, Refusal::CutShort { .. }), "{refusal}");
        }
        let whole = wrapped("Workbook", &stream, &chained());
        assert!(workbook_stream(&whole[..whole.len() - 1]).is_err());
    }
}
