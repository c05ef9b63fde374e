//! What was taken, refused or passed over before: one line of JSON each, in a file of its own.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Event, Outcome};
use crate::clock::Time;

/// What is remembered of a file or of the files of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The digests of the files.
    pub key: String,
    /// The names they had.
    pub files: Vec<String>,
    /// What became of them.
    pub outcome: Outcome,
    /// Their plate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
    /// The run they became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Time,
}

impl Record {
    /// The record as something that happened.
    pub(super) fn event(&self, usable: Option<bool>) -> Event {
        let Self { files, outcome, plate, run, reason, at, .. } = self.clone();
        Event { at, event: outcome, files, plate, run, usable, reason }
    }
}

/// Everything that is remembered, and the file it stands in, locked against another watch.
#[derive(Debug)]
pub struct Memory {
    file: File,
    records: BTreeMap<String, Record>,
    names: BTreeMap<String, String>,
}

/// Why the memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The file cannot be read or written.
    #[error("what was taken cannot be remembered in {0}: {1}; choose another file with --state")]
    File(String, #[source] io::Error),
    /// Another watch is using it.
    #[error("{0} is in use by another watch; stop it or choose another file with --state")]
    InUse(String),
    /// A line is not what a watch writes.
    #[error("line {line} of {file} is not what a watch writes; correct it, or choose --state")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
}

impl Memory {
    /// Opens the file, or begins it. A line that was cut off by a power failure is taken off.
    /// With `again` what was refused, and what had no plate, is forgotten.
    pub fn open(path: &Path, again: bool) -> Result<Self, MemoryError> {
        let name = path.display().to_string();
        let failed = |error| MemoryError::File(name.clone(), error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(MemoryError::InUse(name)),
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(io::SeekFrom::End(0)).map_err(failed)?;
        let mut memory = Self { file, records: BTreeMap::new(), names: BTreeMap::new() };
        for (line, text) in (1..).zip(text[..whole].lines()) {
            let record = serde_json::from_str(text)
                .map_err(|_unreadable| MemoryError::Line { file: name.clone(), line })?;
            memory.keep(record);
        }
        if again {
            let stays =
                |record: &Record| !matches!(record.outcome, Outcome::Refused | Outcome::NoPlate);
            memory.records.retain(|_, record| stays(record));
        }
        Ok(memory)
    }

    /// What became of these files.
    pub fn find(&self, key: &str) -> Option<&Record> {
        self.records.get(key)
    }

    /// Whether a file of this digest is among what something became of.
    pub fn knows_file(&self, sha256: &str) -> bool {
        self.records.keys().any(|key| key.split(['+', ' ']).any(|part| part == sha256))
    }

    /// What was last taken under that name.
    pub fn taken_as(&self, name: &str) -> Option<&Record> {
        self.records.get(self.names.get(name)?)
    }

    /// Remembers something, on disk before this returns.
    pub fn add(&mut self, record: Record) -> Result<(), MemoryError> {
        let mut line = serde_json::to_vec(&record).expect("a record has only named fields");
        line.push(b'\n');
        self.file
            .write_all(&line)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| MemoryError::File("the state file".to_owned(), error))?;
        self.keep(record);
        Ok(())
    }

    fn keep(&mut self, record: Record) {
        if record.outcome == Outcome::Taken {
            for name in &record.files {
                self.names.insert(name.clone(), record.key.clone());
            }
        }
        self.records.insert(record.key.clone(), record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(memory: &Memory, key: &str) -> bool {
        memory.find(key).is_some()
    }

    fn record(key: &str, outcome: Outcome) -> Record {
        let (key, files) = (key.to_owned(), vec![format!("{key}.txt")]);
        let at = Time::from_us(0);
        Record { key, files, outcome, plate: None, run: None, reason: None, at }
    }

    #[test]
    fn what_was_taken_is_known_after_a_restart_and_only_one_watch_has_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/state.jsonl");
        let mut memory = Memory::open(&path, false).unwrap();
        memory.add(record("a", Outcome::Taken)).unwrap();
        memory.add(record("b", Outcome::Refused)).unwrap();
        memory.add(record("c", Outcome::NotARun)).unwrap();
        assert!(matches!(Memory::open(&path, false), Err(MemoryError::InUse(_))));
        drop(memory);
        let memory = Memory::open(&path, false).unwrap();
        assert!(knows(&memory, "a") && knows(&memory, "b") && !knows(&memory, "d"));
        assert_eq!(memory.taken_as("a.txt").unwrap().key, "a");
        assert_eq!(memory.taken_as("b.txt"), None);
        assert_eq!(memory.find("b").unwrap().outcome, Outcome::Refused);
        assert!(memory.knows_file("a") && !memory.knows_file("d"));
        drop(memory);
        let again = Memory::open(&path, true).unwrap();
        assert!(knows(&again, "a") && knows(&again, "c") && !knows(&again, "b"));
    }

    #[test]
    fn a_line_cut_off_is_taken_off_and_a_foreign_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.jsonl");
        Memory::open(&path, false).unwrap().add(record("a", Outcome::Taken)).unwrap();
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"key\":\"b\",\"fil");
        fs::write(&path, &text).unwrap();
        let mut memory = Memory::open(&path, false).unwrap();
        memory.add(record("c", Outcome::Taken)).unwrap();
        drop(memory);
        let memory = Memory::open(&path, false).unwrap();
        assert!(knows(&memory, "a") && !knows(&memory, "b") && knows(&memory, "c"));
        drop(memory);
        fs::write(&path, "\nshopping list\n").unwrap();
        assert!(matches!(Memory::open(&path, false), Err(MemoryError::Line { line: 1, .. })));
    }
}
