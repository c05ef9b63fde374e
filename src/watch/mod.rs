//! The watch over a folder: run files that instruments drop there are taken once each.
//!
//! It moves, changes and deletes nothing in the folder. A file counts once its size and time have
//! stood still for a while, for instruments write slowly and shares copy in pieces; it is told by
//! its content, so that a copy is no second run and a change is one. Files go to the server over
//! its public API, which judges them; the watch only tells which plate they are of.

mod choice;
mod folder;
mod memory;
mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Time};
use crate::instrument::Mappings;

pub use choice::{Judged, PlateFault, Verdict, judge, plate_of};
pub use folder::{Folder, Look};
pub use memory::{Memory, MemoryError, Record};
pub use send::{Sender, Sent};

/// What became of a file, or of the files of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The server has it as a run.
    Taken,
    /// The server refused it; it is not sent again unless that is asked for.
    Refused,
    /// No run file; never sent.
    NotARun,
    /// A run of a plate nobody can tell; never sent.
    NoPlate,
    /// It was taken before and holds something else now.
    Changed,
    /// The server is away or busy; it is tried again.
    Waiting,
}

/// One thing that happened, told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Time,
    /// What became of the files.
    pub event: Outcome,
    /// Their names.
    pub files: Vec<String>,
    /// Their plate, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
    /// The run they became.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Whether the run may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usable: Option<bool>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.event {
            Outcome::Taken => "taken",
            Outcome::Refused => "refused",
            Outcome::NotARun => "no run file",
            Outcome::NoPlate => "no plate",
            Outcome::Changed => "changed",
            Outcome::Waiting => "waiting",
        };
        // A name may hold a line end or the signs that colour a terminal.
        let files: Vec<String> =
            self.files.iter().map(|name| name.escape_debug().to_string()).collect();
        write!(f, "{} {what:<12} {}", self.at, files.join(" + "))?;
        let parts = [("plate", &self.plate), ("run", &self.run)];
        for (name, said) in parts {
            if let Some(said) = said {
                write!(f, "  {name} {said}")?;
            }
        }
        match self.usable {
            Some(true) => write!(f, "  usable")?,
            Some(false) => write!(f, "  not usable")?,
            None => {}
        }
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

/// A watch with all it needs.
#[derive(Debug)]
pub struct Watch {
    /// The folder.
    pub folder: Folder,
    /// What was taken before.
    pub memory: Memory,
    /// Who sends.
    pub sender: Sender,
    /// How files without a built-in format are read.
    pub mappings: Mappings,
    /// Time.
    pub clock: Clock,
    judged: BTreeMap<String, Judged>,
    told_waiting: BTreeSet<String>,
}

/// Why a watch cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The folder cannot be read.
    #[error("the folder cannot be read: {0}; it is tried again while watching")]
    Folder(#[source] std::io::Error),
    /// What was taken cannot be remembered, and would be sent again and again.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl Watch {
    /// A watch that has not looked yet.
    pub fn new(
        folder: Folder,
        memory: Memory,
        sender: Sender,
        mappings: Mappings,
        clock: Clock,
    ) -> Self {
        let (judged, told_waiting) = (BTreeMap::new(), BTreeSet::new());
        Self { folder, memory, sender, mappings, clock, judged, told_waiting }
    }

    /// Looks once and does what there is to do; tells everything that happened. Gives how many
    /// runs lie in the folder that were not taken.
    pub async fn sweep(
        &mut self,
        now: Instant,
        tell: &mut (dyn FnMut(Event) + Send),
    ) -> Result<usize, WatchError> {
        let look = self.folder.look(now).map_err(WatchError::Folder)?;
        self.judged.retain(|name, _| look.names.contains(name));
        for content in look.fresh {
            let judged = judge(&content, &self.mappings);
            self.told_changed(&judged, tell);
            self.judged.insert(content.name, judged);
        }
        for (name, judged) in self.judged.clone() {
            self.note(&name, &judged, tell)?;
        }
        let homeless = |judged: &&Judged| matches!(judged.verdict, Verdict::NoPlate(_));
        let mut left = self.judged.values().filter(homeless).count();
        for set in choice::sets(&self.judged, &look.unsettled) {
            if !self.memory.knows(&set.key()) {
                self.deliver(&set, tell).await?;
            }
            left += usize::from(!self.memory.took(&set.key()));
        }
        Ok(left)
    }

    /// Tells of a file that was taken under this name with another content.
    fn told_changed(&self, judged: &Judged, tell: &mut (dyn FnMut(Event) + Send)) {
        let Some(record) = self.memory.taken_as(&judged.name) else { return };
        if !self.memory.knows_file(&judged.sha256) {
            let run = record.run.clone();
            let reason = "it was taken before and holds something else now".to_owned();
            let at = self.clock.now();
            let (files, plate) = (vec![judged.name.clone()], record.plate.clone());
            let event = Outcome::Changed;
            tell(Event { at, event, files, plate, run, usable: None, reason: Some(reason) });
        }
    }

    /// Notes and tells of a file that is never sent, once.
    fn note(
        &mut self,
        name: &str,
        judged: &Judged,
        tell: &mut (dyn FnMut(Event) + Send),
    ) -> Result<(), WatchError> {
        let (outcome, reason, key) = match &judged.verdict {
            Verdict::NotARun(reason) => (Outcome::NotARun, reason.clone(), judged.sha256.clone()),
            // Another name may tell the plate of the same content.
            Verdict::NoPlate(fault) => {
                (Outcome::NoPlate, fault.to_string(), format!("{} {name}", judged.sha256))
            }
            Verdict::Run { .. } => return Ok(()),
        };
        if self.memory.knows(&key) {
            return Ok(());
        }
        let at = self.clock.now();
        let files = vec![name.to_owned()];
        let (plate, run) = (None, None);
        let record = Record { key, files, outcome, plate, run, reason: Some(reason), at };
        tell(record.event(None));
        Ok(self.memory.add(record)?)
    }

    /// Sends one run, and remembers what the server made of it.
    async fn deliver(
        &mut self,
        set: &choice::Set,
        tell: &mut (dyn FnMut(Event) + Send),
    ) -> Result<(), WatchError> {
        let (key, names) = (set.key(), set.names());
        // A file that changes under our hands is looked at again in the next sweep.
        let Some(files) = self.folder.contents(&set.files) else { return Ok(()) };
        let answer = self.sender.send(&set.plate, files).await;
        let at = self.clock.now();
        let plate = Some(set.plate.clone());
        let record = |outcome, run, reason| Record {
            key: key.clone(),
            files: names.clone(),
            outcome,
            plate: plate.clone(),
            run,
            reason,
            at,
        };
        let (record, usable) = match answer {
            Sent::Taken { run, usable, reasons } => {
                (record(Outcome::Taken, run, reasons), Some(usable))
            }
            Sent::Refused(reason) => (record(Outcome::Refused, None, Some(reason)), None),
            Sent::Away(reason) => {
                if self.told_waiting.insert(key.clone()) {
                    tell(record(Outcome::Waiting, None, Some(reason)).event(None));
                }
                return Ok(());
            }
        };
        self.told_waiting.remove(&key);
        tell(record.event(usable));
        Ok(self.memory.add(record)?)
    }
}
