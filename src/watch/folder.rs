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
    pub fresh: Vec<Settled>,
    /// Names of files that are still changing.
    pub unsettled: Vec<String>,
    /// Names of files that cannot be read, and why.
    pub unreadable: Vec<(String, String)>,
}

/// A file that has stood still, where it is and what it looked like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Its name.
    pub name: String,
    path: PathBuf,
    stamp: Stamp,
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
            match fs::metadata(entry.path()) {
                Ok(metadata) if !metadata.is_file() => {}
                Ok(_) if entry.file_name().to_str().is_none() => {
                    let why = "its name is not UTF-8; rename it".to_owned();
                    look.names.insert(name.clone());
                    look.unreadable.push((name, why));
                }
                Ok(metadata) => {
                    look.names.insert(name.clone());
                    self.see(name, Stamp::of(&metadata), now, &mut look);
                }
                // A file may be gone again, or be replaced while it is looked at.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    look.names.insert(name.clone());
                    look.unreadable.push((name, unreadable(&error)));
                }
            }
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
        if now.duration_since(seen.since) >= self.settle {
            look.fresh.push(Settled { path: self.path.join(&name), name, stamp });
        } else {
            look.unsettled.push(name);
        }
    }

    /// Notes that this file was read: it is fresh again only after it has changed.
    pub fn was_read(&mut self, settled: &Settled) {
        if let Some(seen) = self.seen.get_mut(&settled.name) {
            seen.was_read = seen.stamp == settled.stamp;
        }
    }

    /// Where the files of a run are.
    pub fn places(&self, files: &[(String, String)]) -> Vec<Place> {
        let place = |(name, sha256): &(String, String)| Place {
            path: self.path.join(name),
            name: name.clone(),
            sha256: sha256.clone(),
        };
        files.iter().map(place).collect()
    }
}

/// Where a file of a known content is.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    name: String,
    sha256: String,
}

/// Name and bytes of these files, if each still has its digest.
pub fn contents(places: &[Place]) -> Option<Vec<(String, Vec<u8>)>> {
    let content = |place: &Place| {
        let stamp = Stamp::of(&fs::metadata(&place.path).ok()?);
        let settled = Settled { name: place.name.clone(), path: place.path.clone(), stamp };
        let content = read(&settled).ok()??;
        let same = content.sha256 == place.sha256;
        same.then_some((content.name, content.bytes?))
    };
    places.iter().map(content).collect()
}

/// The content of a file that is the same before and after it was read; none when it has changed
/// or is gone.
pub fn read(settled: &Settled) -> Result<Option<Content>, String> {
    let Settled { name, path, stamp } = settled;
    let name = name.clone();
    let hex = |bytes: &[u8]| HEXLOWER.encode(digest(&SHA256, bytes).as_ref());
    if stamp.size > MAX_FILE_BYTES as u64 {
        let mark = format!("{name} {stamp:?}");
        return Ok(Some(Content { name, sha256: hex(mark.as_bytes()), bytes: None }));
    }
    let mut bytes = Vec::new();
    let mut whole = || {
        File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        fs::metadata(path).map(|after| Stamp::of(&after))
    };
    match whole() {
        Ok(after) if after == *stamp && bytes.len() as u64 == stamp.size => {
            Ok(Some(Content { name, sha256: hex(&bytes), bytes: Some(bytes) }))
        }
        Ok(_changed) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read: {error}; look at its rights, and at the share it lies on")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(5);

    fn fresh(look: &Look) -> Vec<&str> {
        look.fresh.iter().map(|settled| settled.name.as_str()).collect()
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
        assert_eq!(fresh(&folder.look(start + 2 * SETTLE).unwrap()), ["run.txt"], "not read yet");
        let content = read(&look.fresh[0]).unwrap().unwrap();
        folder.was_read(&look.fresh[0]);
        assert_eq!(fresh(&folder.look(start + 3 * SETTLE).unwrap()), [""; 0], "it was read");
        let known = folder.places(&[(content.name, content.sha256)]);
        assert_eq!(contents(&known).unwrap()[0].1, b"half and half");
        fs::write(&file, "another").unwrap();
        assert_eq!(read(&look.fresh[0]), Ok(None), "it is not what was looked at");
        assert_eq!(contents(&known), None, "it holds something else now");
        assert_eq!(fresh(&folder.look(start + 4 * SETTLE).unwrap()), [""; 0]);
        assert_eq!(fresh(&folder.look(start + 5 * SETTLE).unwrap()), ["run.txt"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_reason() {
        use std::os::unix::ffi::OsStrExt as _;

        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(place.path().to_owned(), Duration::ZERO);
        std::os::unix::fs::symlink("loop.txt", place.path().join("loop.txt")).unwrap();
        let odd = std::ffi::OsStr::from_bytes(b"run\xff.txt");
        fs::write(place.path().join(odd), "x").unwrap();
        let look = folder.look(Instant::now()).unwrap();
        assert!(look.fresh.is_empty() && look.unsettled.is_empty(), "{look:?}");
        let reasons: BTreeMap<_, _> = look.unreadable.into_iter().collect();
        assert!(reasons["loop.txt"].contains("cannot be read"), "{reasons:?}");
        assert!(reasons["run\u{fffd}.txt"].contains("rename it"), "{reasons:?}");
        let (name, path) = ("drawer".to_owned(), place.path().to_owned());
        let stamp = Stamp { size: 1, modified: None };
        assert!(read(&Settled { name, path, stamp }).unwrap_err().contains("cannot be read"));
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
        assert_eq!(read(&look.fresh[0]).unwrap().unwrap().bytes, None);
    }
}
