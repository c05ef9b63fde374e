//! Everything the stages of the day share, and a wave of people on its way through them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Plan;
use super::city::City;
use super::codes::CodeBook;
use super::connection::{Connection, Node};
use super::line::{Habit, Line, Parcel};
use super::phase::{Pace, Phase};
use super::road::OnBench;
use super::staff::{Staff, laboratory, site};
use super::traffic::Traffic;
use crate::barcode::{Kind, TubeCode};
use crate::clock::{Clock, Time};
use crate::simulation::Failure;

/// Surprises that are told in full; the others are counted.
const SURPRISES_MAX: usize = 20;
/// Tubes a plate of 384 has a place for.
pub(super) const PLACES: u32 = 382;
/// One person in so many asks for themselves.
const ASKING: u32 = 100;

/// The day while it is played.
pub(super) struct Day {
    pub(super) plan: Plan,
    pub(super) clock: Clock,
    /// When it began to be played.
    pub(super) begins: Time,
    pub(super) city: City,
    pub(super) staff: Staff,
    pub(super) traffic: Arc<Traffic>,
    pub(super) bar: ProgressBar,
    nodes: Arc<[Node]>,
    connections: AtomicU64,
    surprises: Mutex<(u64, Vec<String>)>,
    /// Pick-up codes of those who will ask for themselves.
    pub(super) slips: Mutex<Vec<(u32, String)>>,
    /// The people of the run that was released last.
    pub(super) newest: Mutex<Vec<u32>>,
}

/// What was counted on the way; each number is compared with what was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Tubes sealed and stored.
    pub tubes: u64,
    /// Tubes that were sent again.
    pub sent_twice: u64,
    /// Tubes that were answered as stored before.
    pub duplicates: u64,
    /// Boxes sealed.
    pub boxes: u64,
    /// Tubes accepted by a laboratory.
    pub accepted: u64,
    /// Tubes refused.
    pub refused: u64,
    /// Tubes missing.
    pub missing: u64,
    /// Plates frozen and run.
    pub plates: u64,
    /// Calls made, one for each tube of a run.
    pub calls: u64,
    /// Tubes whose members were told a result.
    pub released: u64,
    /// Tubes whose members were recalled on release.
    pub recalled: u64,
    /// Times a tube went back to be tested again, because of a positive neighbour (R19).
    pub retested: u64,
}

/// One wave of people on its way through the stages.
pub(super) struct Wave {
    pub(super) line: Line,
    pub(super) tubes: CodeBook,
    pub(super) boxes: CodeBook,
    /// The plate codes of each laboratory, and how many are used.
    plates: Vec<(CodeBook, AtomicU32)>,
    pub(super) stages: Stages,
    pub(super) pace: Pace,
    /// When the first of it is swabbed.
    pub(super) begins: Time,
    /// Boxes in the order in which their devices send: those without a network last.
    queue: Mutex<VecDeque<u32>>,
    /// The box whose tubes are scanned one by one, and those of them that are left.
    scanning: Mutex<(u32, Range<u32>)>,
    /// Tubes of each box that are not stored yet.
    unstored: Vec<AtomicU32>,
    /// Tubes that are to be tested again.
    pub(super) back: Mutex<Vec<OnBench>>,
    counts: Mutex<Counts>,
}

/// The phases a wave goes through.
pub(super) struct Stages {
    pub(super) collect: Phase,
    pub(super) transport: Phase,
    pub(super) receive: Phase,
    pub(super) plate: Phase,
    pub(super) import: Phase,
    pub(super) release: Phase,
}

impl Stages {
    /// Stages nobody went through yet.
    pub(super) fn new(bar: &ProgressBar) -> Self {
        let phase = |name| Phase::new(name, bar);
        Self {
            collect: phase("collect"),
            transport: phase("transport"),
            receive: phase("receive"),
            plate: phase("plate"),
            import: phase("import"),
            release: phase("release"),
        }
    }

    /// In the order of the way.
    pub(super) fn all(&self) -> [&Phase; 6] {
        [&self.collect, &self.transport, &self.receive, &self.plate, &self.import, &self.release]
    }
}

impl Day {
    /// A day that has not begun.
    pub(super) fn new(
        (plan, clock): (Plan, Clock),
        city: City,
        (staff, nodes): (Staff, Arc<[Node]>),
        bar: &ProgressBar,
    ) -> Self {
        let begins = clock.now();
        Self {
            plan,
            clock,
            begins,
            city,
            staff,
            nodes,
            traffic: Arc::default(),
            bar: bar.clone(),
            connections: AtomicU64::new(0),
            surprises: Mutex::default(),
            slips: Mutex::default(),
            newest: Mutex::default(),
        }
    }

    /// A connection of one's own.
    pub(super) fn connect(&self) -> Connection {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        Connection::new(self.nodes.clone(), self.traffic.clone(), (self.plan.seed, number))
    }

    /// A connection to each node, in the nodes' order.
    pub(super) fn connect_to_each(&self) -> Vec<Connection> {
        (0..self.nodes.len()).map(|node| self.connect().at_node(node)).collect()
    }

    /// Writes down an answer that is not what the simulation knows.
    pub(super) fn surprise(&self, what: impl FnOnce() -> String) {
        let (count, told) = &mut *lock(&self.surprises);
        *count += 1;
        if told.len() < SURPRISES_MAX {
            told.push(what());
        }
    }

    /// How many surprises there were, and the first of them.
    pub(super) fn surprises(&self) -> (u64, Vec<String>) {
        lock(&self.surprises).clone()
    }

    /// Whether the first member of this tube will ask for their result themselves.
    pub(super) fn asks(&self, line: &Line, tube: u32) -> bool {
        let every = (ASKING / u32::from(self.plan.tube_size)).max(1);
        !line.is_again() && tube.is_multiple_of(every)
    }

    /// A wave that is about to come: codes are allotted, nobody is swabbed yet.
    pub(super) async fn wave(
        &self,
        connection: &mut Connection,
        line: Line,
        stages: Stages,
    ) -> Result<Wave, Failure> {
        let keeper = &self.staff.administrator;
        let (mut tubes, mut boxes) = (CodeBook::default(), CodeBook::default());
        let mut in_laboratory = vec![0_u32; self.staff.crews.len()];
        for (number, range) in line.tubes_of_sites().enumerate() {
            let (count, place) = (range.end - range.start, site(number)?);
            let parcels = line.parcels().iter().filter(|parcel| parcel.site == number).count();
            let parcels = u32::try_from(parcels).unwrap_or(u32::MAX);
            tubes.order((keeper, connection), (Kind::Tube, &place), count).await?;
            boxes.order((keeper, connection), (Kind::Box, &place), parcels).await?;
            in_laboratory[self.staff.laboratory_of(number)] += count;
        }
        let mut plates = Vec::new();
        for (number, tubes) in in_laboratory.into_iter().enumerate() {
            let (mut book, place) = (CodeBook::default(), laboratory(number)?);
            // As many again for tubes that are tested again; what is not used costs nothing.
            let count = tubes.div_ceil(PLACES) * 2;
            book.order((keeper, connection), (Kind::Plate, &place), count).await?;
            plates.push((book, AtomicU32::new(0)));
        }
        let pace = Pace::new(self.plan.rate);
        let queue = Mutex::new(in_order(&line));
        let of_box = |parcel: &Parcel| AtomicU32::new(parcel.tubes.end - parcel.tubes.start);
        Ok(Wave {
            unstored: line.parcels().iter().map(of_box).collect(),
            scanning: Mutex::new((0, 0..0)),
            begins: self.clock.now(),
            counts: Mutex::default(),
            back: Mutex::default(),
            line,
            tubes,
            boxes,
            plates,
            stages,
            pace,
            queue,
        })
    }
}

/// Boxes whose devices have a network, then the others.
fn in_order(line: &Line) -> VecDeque<u32> {
    let (offline, online): (Vec<_>, Vec<_>) =
        line.parcels().iter().partition(|parcel| parcel.habit() == Habit::Offline);
    online.into_iter().chain(offline).map(|parcel| parcel.number).collect()
}

impl Wave {
    /// The next box to be filled; none when all are.
    pub(super) fn next_parcel(&self) -> Option<u32> {
        lock(&self.queue).pop_front()
    }

    /// The box with that number.
    pub(super) fn parcel(&self, number: u32) -> &Parcel {
        &self.line.parcels()[usize::try_from(number).unwrap_or(0)]
    }

    /// The next tube that is sent by itself, with the number of its box; none when all are. Whoever
    /// is free takes it, whatever its box, so that no box is left to a single device in the end.
    pub(super) fn next_scan(&self) -> Option<(u32, u32)> {
        let mut scanning = lock(&self.scanning);
        loop {
            let (number, tubes) = &mut *scanning;
            if let Some(tube) = tubes.next() {
                return Some((*number, tube));
            }
            let number = self.next_parcel()?;
            *scanning = (number, self.parcel(number).tubes.clone());
        }
    }

    /// Counts a tube of a box as stored; says whether it was the last.
    pub(super) fn completes(&self, number: u32) -> bool {
        let left = &self.unstored[usize::try_from(number).unwrap_or(0)];
        left.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// The next plate code of a laboratory.
    pub(super) fn next_plate(&self, laboratory: usize) -> u64 {
        let (book, used) = &self.plates[laboratory];
        book.number(used.fetch_add(1, Ordering::Relaxed))
    }

    /// The code of a tube.
    pub(super) fn code(&self, tube: u32) -> Result<TubeCode, Failure> {
        let code = TubeCode::numbered(self.tubes.number(tube));
        code.ok_or_else(|| Failure::Stuck("no tube code is left".to_owned()))
    }

    /// The codes of several tubes.
    pub(super) fn codes(&self, tubes: impl Iterator<Item = u32>) -> Result<Vec<String>, Failure> {
        tubes.map(|tube| self.code(tube).map(|code| code.as_str().to_owned())).collect()
    }

    /// People in these tubes.
    pub(super) fn people(&self, tubes: impl IntoIterator<Item = u32>) -> u64 {
        tubes.into_iter().map(|tube| u64::from(self.line.count(tube))).sum()
    }

    /// Whether the virus is seen in that tube.
    pub(super) fn is_detected(&self, city: &City, tube: u32) -> bool {
        city.ct(self.line.members(tube)).is_some()
    }

    /// Whether everybody of that tube is asked to come again when it is released.
    pub(super) fn is_recalled(&self, city: &City, tube: u32) -> bool {
        self.line.count(tube) > 1 && self.is_detected(city, tube)
    }

    /// Adds to what was counted.
    pub(super) fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut lock(&self.counts));
    }

    /// Everything that was counted.
    pub(super) fn counted(&self) -> Counts {
        *lock(&self.counts)
    }
}

/// What is behind a lock; nobody leaves half a change behind.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where several workers take their next piece of work from.
pub(super) type Inbox<T> = Arc<tokio::sync::Mutex<UnboundedReceiver<T>>>;

/// The next piece of work; none when whoever gives it out is done.
pub(super) async fn take<T>(inbox: &Inbox<T>) -> Option<T> {
    inbox.lock().await.recv().await
}
