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
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Time};
use crate::instrument::Mappings;

pub use choice::{Judged, PlateFault, Verdict, judge, plate_of};
pub use folder::{Folder, Look, Settled};
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
    /// The server is away or busy, or a file of the run is still being written; it is tried again.
    Waiting,
    /// The server does not take runs from this token; said again at every look.
    Denied,
    /// The file cannot be read, or not as the run it is; it is tried again.
    Unreadable,
    /// The file is still changing.
    Unsettled,
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
            Outcome::Denied => "denied",
            Outcome::Unreadable => "unreadable",
            Outcome::Unsettled => "changing",
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
    pub mappings: Arc<Mappings>,
    /// Time.
    pub clock: Clock,
    judged: BTreeMap<String, Judged>,
    told: BTreeSet<(Vec<String>, Option<String>)>,
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

/// Who is told.
type Tell<'a> = &'a mut (dyn FnMut(Event) + Send);

impl Watch {
    /// A watch that has not looked yet.
    pub fn new(
        folder: Folder,
        memory: Memory,
        sender: Sender,
        mappings: Mappings,
        clock: Clock,
    ) -> Self {
        let (judged, told) = (BTreeMap::new(), BTreeSet::new());
        Self { folder, memory, sender, mappings: mappings.into(), clock, judged, told }
    }

    /// Looks once and does what there is to do; tells everything that happened. Gives everything
    /// that lies in the folder, may be a run and was not taken, each with its reason, whether it
    /// was told before or not.
    pub async fn sweep(&mut self, now: Instant, tell: Tell<'_>) -> Result<Vec<Event>, WatchError> {
        let look = self.folder.look(now).map_err(WatchError::Folder)?;
        self.judged.retain(|name, _| look.names.contains(name));
        let still = "it is still changing, or has not stood still for long enough";
        let (mut unsettled, mut unreadable) = (look.unsettled, look.unreadable);
        // One file at a time is in memory.
        for settled in look.fresh {
            match self.judge(&settled).await {
                Ok(Some(judged)) => {
                    self.folder.was_read(&settled);
                    self.told_changed(&judged, tell);
                    self.note(&judged, tell)?;
                    self.judged.insert(settled.name, judged);
                }
                Ok(None) => unsettled.push(settled.name),
                Err(reason) => unreadable.push((settled.name, reason)),
            }
        }
        let event = |event, name: String, reason| self.event(event, vec![name], Some(reason));
        let unreadable = unreadable
            .into_iter()
            .map(|(name, reason)| event(Outcome::Unreadable, name, reason))
            .collect::<Vec<_>>();
        let changing = unsettled
            .iter()
            .map(|name| event(Outcome::Unsettled, name.clone(), still.to_owned()))
            .collect::<Vec<_>>();
        for event in &unreadable {
            self.tell_once(event, tell);
        }
        let mut left = [unreadable, changing, self.never_sent()].concat();
        left.extend(self.send(&unsettled, tell).await?);
        Ok(left)
    }

    fn event(&self, event: Outcome, files: Vec<String>, reason: Option<String>) -> Event {
        Event { at: self.clock.now(), event, files, plate: None, run: None, usable: None, reason }
    }

    /// Tells what stays as it is for a while, the first time.
    fn tell_once(&mut self, event: &Event, tell: Tell<'_>) {
        if self.told.insert((event.files.clone(), event.reason.clone())) {
            tell(event.clone());
        }
    }

    /// Reads and judges a file away from the threads that send; none when it is changing.
    async fn judge(&self, settled: &Settled) -> Result<Option<Judged>, String> {
        let (settled, mappings) = (settled.clone(), Arc::clone(&self.mappings));
        let work = move || Ok(folder::read(&settled)?.map(|content| judge(&content, &mappings)));
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_panicked| {
            Err("reading it failed; keep the file and report it".to_owned())
        })
    }

    /// The runs of plates nobody can tell, and those whose file cannot be read.
    fn never_sent(&self) -> Vec<Event> {
        let event = |(name, judged): (&String, &Judged)| {
            let (outcome, reason) = match &judged.verdict {
                Verdict::NoPlate(fault) => (Outcome::NoPlate, fault.to_string()),
                Verdict::Spoiled(reason) => (Outcome::Unreadable, reason.clone()),
                Verdict::Run { .. } | Verdict::NotARun(_) => return None,
            };
            Some(self.event(outcome, vec![name.clone()], Some(reason)))
        };
        self.judged.iter().filter_map(event).collect()
    }

    /// Sends every run that was not sent; gives those that were not taken, now or earlier.
    async fn send(
        &mut self,
        unsettled: &[String],
        tell: Tell<'_>,
    ) -> Result<Vec<Event>, WatchError> {
        let mut left = Vec::new();
        let mut refuses_all = None;
        for set in choice::sets(&self.judged, unsettled) {
            let waits = set.waits_for.as_ref().map(|name| {
                let why = format!("{} is still being written", name.escape_debug());
                (Outcome::Waiting, why)
            });
            // What was no run file when it was noted is one now that a mapping reads it.
            let was_sent = |record: &&Record| record.outcome != Outcome::NotARun;
            if let Some(record) = self.memory.find(&set.key()).filter(was_sent) {
                left.extend((record.outcome != Outcome::Taken).then(|| record.event(None)));
            } else if let Some((outcome, reason)) = waits.or_else(|| refuses_all.clone()) {
                left.push(self.event(outcome, set.names(), Some(reason)));
            } else if let Some((event, every)) = self.deliver(&set, tell).await? {
                let reason = event.reason.clone().unwrap_or_default();
                refuses_all = every.then_some((event.event, reason));
                left.push(event);
            }
        }
        Ok(left)
    }

    /// Tells of a file that was taken under this name with another content.
    fn told_changed(&self, judged: &Judged, tell: Tell<'_>) {
        let Some(record) = self.memory.taken_as(&judged.name) else { return };
        if !self.memory.knows_file(&judged.sha256) {
            let reason = "it was taken before and holds something else now".to_owned();
            let event = self.event(Outcome::Changed, vec![judged.name.clone()], Some(reason));
            let (run, plate) = (record.run.clone(), record.plate.clone());
            tell(Event { plate, run, ..event });
        }
    }

    /// Notes and tells of a file that is never sent, once.
    fn note(&mut self, judged: &Judged, tell: Tell<'_>) -> Result<(), WatchError> {
        let name = &judged.name;
        let (outcome, reason, key) = match &judged.verdict {
            Verdict::NotARun(reason) => (Outcome::NotARun, reason.clone(), judged.sha256.clone()),
            // Another name may tell the plate of the same content.
            Verdict::NoPlate(fault) => {
                (Outcome::NoPlate, fault.to_string(), format!("{} {name}", judged.sha256))
            }
            Verdict::Spoiled(reason) => {
                let (file, reason) = (vec![name.clone()], Some(reason.clone()));
                let event = self.event(Outcome::Unreadable, file, reason);
                self.tell_once(&event, tell);
                return Ok(());
            }
            Verdict::Run { .. } => return Ok(()),
        };
        if self.memory.find(&key).is_some() {
            return Ok(());
        }
        let at = self.clock.now();
        let files = vec![name.to_owned()];
        let (plate, run) = (None, None);
        let record = Record { key, files, outcome, plate, run, reason: Some(reason), at };
        tell(record.event(None));
        Ok(self.memory.add(record)?)
    }

    /// Sends one run, and remembers what the server made of it. Gives the run if it was not taken,
    /// and whether no other would be.
    async fn deliver(
        &mut self,
        set: &choice::Set,
        tell: Tell<'_>,
    ) -> Result<Option<(Event, bool)>, WatchError> {
        let (key, names, plate) = (set.key(), set.names(), Some(set.plate.clone()));
        let places = self.folder.places(&set.files);
        let files = tokio::task::spawn_blocking(move || folder::contents(&places)).await;
        let Ok(Some(files)) = files else {
            let reason = "it changed after it was read; it is looked at again".to_owned();
            return Ok(Some((self.event(Outcome::Unsettled, names, Some(reason)), false)));
        };
        let answer = self.sender.send(&set.plate, files).await;
        let left = |outcome, reason| Event {
            plate: plate.clone(),
            ..self.event(outcome, names.clone(), Some(reason))
        };
        let (outcome, run, reason, usable) = match answer {
            Sent::Taken { run, usable, reasons } => (Outcome::Taken, run, reasons, Some(usable)),
            Sent::Refused(reason) => (Outcome::Refused, None, Some(reason), None),
            Sent::Denied { reason, every } => {
                let event = left(Outcome::Denied, reason);
                tell(event.clone());
                return Ok(Some((event, every)));
            }
            Sent::Away(reason) => {
                let event = left(Outcome::Waiting, reason);
                self.tell_once(&event, tell);
                return Ok(Some((event, false)));
            }
        };
        let at = self.clock.now();
        let record = Record { key, files: names, outcome, plate, run, reason, at };
        let event = record.event(usable);
        tell(event.clone());
        self.memory.add(record)?;
        Ok((outcome != Outcome::Taken).then_some((event, false)))
    }
}
