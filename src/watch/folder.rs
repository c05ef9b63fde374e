//! Looks into a folder: which files have stood still, and what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use crate::instrument::MAX_FILE_BYTES;

/// A folder and what was seen in it. Folders inside of it are not looked into.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    settle: Duration,
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    since: Instant,
    was_read: bool,
}

/// By what a change is noticed; the time is only compared, for a share may have another clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// What one look found.
#[derive(Debug, Default)]
pub struct Look {
    /// The names of all files.
    pub names: BTreeSet<String>,
    /// Files that have stood still and were not read since.
    pub fresh: Vec<Content>,
    /// Names of files that are still changing.
    pub unsettled: Vec<String>,
}

/// A file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its name.
    pub name: String,
    /// SHA-256 of every byte; of name, size and time where it is too large to be read.
    pub sha256: String,
    /// Every byte; none when it is longer than any run file.
    pub bytes: Option<Vec<u8>>,
}

impl Folder {
    /// A folder that nobody looked into; a file counts after standing still for `settle`.
    pub const fn new(path: PathBuf, settle: Duration) -> Self {
        Self { path, settle, seen: BTreeMap::new() }
    }

    /// Looks at every file; hidden ones and those that offices leave behind are no run files.
    pub fn look(&mut self, now: Instant) -> io::Result<Look> {
        let mut look = Look::default();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(['.', '~']) {
                continue;
            }
            // A file may be gone again, or be replaced while it is looked at.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if !metadata.is_file() {
                continue;
            }
            look.names.insert(name.clone());
            self.see(name, Stamp::of(&metadata), now, &mut look);
        }
        self.seen.retain(|name, _| look.names.contains(name));
        Ok(look)
    }

    fn see(&mut self, name: String, stamp: Stamp, now: Instant, look: &mut Look) {
        let fresh = || Seen { stamp, since: now, was_read: false };
        let seen = self.seen.entry(name.clone()).or_insert_with(fresh);
        if seen.stamp != stamp {
            *seen = fresh();
        }
        if seen.was_read {
            return;
        }
        let stood = now.duration_since(seen.since) >= self.settle;
        match stood.then(|| read(&self.path.join(&name), &name, stamp)).flatten() {
            Some(content) => {
                seen.was_read = true;
                look.fresh.push(content);
            }
            None => look.unsettled.push(name),
        }
    }

    /// Name and bytes of these files, if each still has this digest.
    pub fn contents(&self, files: &[(String, String)]) -> Option<Vec<(String, Vec<u8>)>> {
        let content = |(name, sha256): &(String, String)| {
            let path = self.path.join(name);
            let stamp = Stamp::of(&fs::metadata(&path).ok()?);
            let content = read(&path, name, stamp).filter(|content| content.sha256 == *sha256)?;
            Some((name.clone(), content.bytes?))
        };
        files.iter().map(content).collect()
    }
}

/// The content of a file that is the same before and after it was read.
fn read(path: &std::path::Path, name: &str, stamp: Stamp) -> Option<Content> {
    let name = name.to_owned();
    let hex = |bytes: &[u8]| HEXLOWER.encode(digest(&SHA256, bytes).as_ref());
    if stamp.size > MAX_FILE_BYTES as u64 {
        let mark = format!("{name} {stamp:?}");
        return Some(Content { name, sha256: hex(mark.as_bytes()), bytes: None });
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
    let after = Stamp::of(&fs::metadata(path).ok()?);
    let whole = after == stamp && bytes.len() as u64 == stamp.size;
    whole.then(|| Content { name, sha256: hex(&bytes), bytes: Some(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(5);

    fn fresh(look: &Look) -> Vec<&str> {
        look.fresh.iter().map(|content| content.name.as_str()).collect()
    }

    #[test]
    fn a_file_counts_when_it_has_stood_still_and_only_once() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(place.path().to_owned(), SETTLE);
        let start = Instant::now();
        let file = place.path().join("run.txt");
        fs::write(&file, "half").unwrap();
        let look = folder.look(start).unwrap();
        assert_eq!((fresh(&look), look.unsettled.len()), (vec![], 1));
        fs::write(&file, "half and half").unwrap();
        assert_eq!(fresh(&folder.look(start + SETTLE).unwrap()), [""; 0], "it has grown");
        let look = folder.look(start + 2 * SETTLE).unwrap();
        assert_eq!(fresh(&look), ["run.txt"]);
        let (name, sha256) = (look.fresh[0].name.clone(), look.fresh[0].sha256.clone());
        assert_eq!(fresh(&folder.look(start + 3 * SETTLE).unwrap()), [""; 0], "it was read");
        let known = [(name, sha256)];
        assert_eq!(folder.contents(&known).unwrap()[0].1, b"half and half");
        fs::write(&file, "another").unwrap();
        assert_eq!(folder.contents(&known), None, "it holds something else now");
        assert_eq!(fresh(&folder.look(start + 4 * SETTLE).unwrap()), [""; 0]);
        assert_eq!(fresh(&folder.look(start + 5 * SETTLE).unwrap()), ["run.txt"]);
    }

    #[test]
    fn folders_hidden_files_and_what_is_gone_are_passed_over() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(place.path().to_owned(), Duration::ZERO);
        fs::create_dir(place.path().join("old")).unwrap();
        for name in [".part", "~$run.xlsx"] {
            fs::write(place.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", place.path().join("gone.txt")).unwrap();
        let look = folder.look(Instant::now()).unwrap();
        assert!(look.names.is_empty(), "{look:?}");
        let mut gone = Folder::new(place.path().join("gone"), Duration::ZERO);
        assert!(gone.look(Instant::now()).is_err());
    }

    #[test]
    fn a_file_longer_than_any_run_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        let file = File::create(place.path().join("movie.bin")).unwrap();
        file.set_len(MAX_FILE_BYTES as u64 + 1).unwrap();
        let mut folder = Folder::new(place.path().to_owned(), Duration::ZERO);
        let look = folder.look(Instant::now()).unwrap();
        assert_eq!(look.fresh[0].bytes, None);
    }
}
