//! What the feed tells when the day is over: of every tube exactly what happened to it.
//!
//! The service keeps its cursor and takes turns at the nodes, as a client behind a proxy does: its
//! cursors rise strictly, so that none comes twice, and each tube is told the changes it went
//! through, each once and in their order. What is held is a byte a tube.

use std::time::{Duration, Instant};

use hyper::Method;
use serde::Serialize;

use super::answers::{Changed, Page};
use super::ask::PAUSE;
use super::city::City;
use super::codes::CodeBook;
use super::connection::Ask;
use super::day::{Day, Wave};
use super::line::{Fate, Line};
use super::phase::Phase;
use crate::barcode::TubeCode;
use crate::feeds::Position;
use crate::http::page::Cursor;
use crate::query::ToldOutcome;
use crate::simulation::Failure;
use crate::simulation::client::opaque;
use crate::storage::outbox::Change;

/// Changes that are read at once.
const PAGE: usize = 10_000;
/// How long a change may take to be in the feed after the one before it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Every kind of change, in the order in which a tube goes through them.
const KINDS: [Change; 7] = [
    Change::Sealed,
    Change::Received,
    Change::Refused,
    Change::Released,
    Change::Amended,
    Change::RecallOpened,
    Change::RecallClosed,
];

/// What the service reads in the feed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FeedRead {
    /// Changes of every kind.
    pub changes: u64,
    /// Tubes that were sealed.
    pub sealed: u64,
    /// Tubes that a laboratory accepted.
    pub received: u64,
    /// Tubes that a laboratory refused.
    pub refused: u64,
    /// Tubes whose members were told a result.
    pub released: u64,
    /// Tubes whose members were told another result.
    pub amended: u64,
    /// Tubes whose members were asked to come again.
    pub recall_opened: u64,
    /// Tubes that answered a recall.
    pub recall_closed: u64,
    /// People told that they are infected.
    pub positive: u64,
}

impl FeedRead {
    fn count(&mut self, change: &Changed<'_>) {
        self.changes += 1;
        let kind = match change.change {
            Change::Sealed => &mut self.sealed,
            Change::Received => &mut self.received,
            Change::Refused => &mut self.refused,
            Change::Released => &mut self.released,
            Change::Amended => &mut self.amended,
            Change::RecallOpened => &mut self.recall_opened,
            Change::RecallClosed => &mut self.recall_closed,
        };
        *kind += 1;
        if change.change == Change::Released && change.outcome == Some(ToldOutcome::Detected) {
            self.positive += change.persons.len() as u64;
        }
    }
}

/// One kind of change, as a bit: higher for what comes later.
const fn bit(kind: Change) -> u8 {
    1 << kind as u8
}

/// The kinds whose bits are set.
fn kinds(bits: u8) -> Vec<Change> {
    KINDS.into_iter().filter(|kind| bits & bit(*kind) > 0).collect()
}

/// The changes that a tube goes through on such a day.
fn due(city: &City, line: &Line, tube: u32) -> u8 {
    let seen = || city.ct(line.members(tube)).is_some();
    let way: &[Change] = match line.fate(tube) {
        Fate::Lost => &[Change::Sealed],
        Fate::Refused => &[Change::Sealed, Change::Refused, Change::RecallOpened],
        Fate::Sound if line.is_again() => {
            &[Change::Sealed, Change::Received, Change::Released, Change::RecallClosed]
        }
        Fate::Sound if line.count(tube) > 1 && seen() => {
            &[Change::Sealed, Change::Received, Change::RecallOpened]
        }
        Fate::Sound => &[Change::Sealed, Change::Received, Change::Released],
    };
    way.iter().fold(0, |bits, kind| bits | bit(*kind))
}

/// The tubes of a wave.
struct Heard<'a> {
    line: &'a Line,
    codes: &'a CodeBook,
    /// What is still to be told of each.
    left: Vec<u8>,
}

impl Heard<'_> {
    /// Tubes of which not everything was told, and what was not.
    fn untold(&self) -> impl Iterator<Item = (u32, u8)> {
        (0..).zip(self.left.iter().copied()).filter(|(_, left)| *left > 0)
    }

    fn complain(&self, (tube, left): (u32, u8)) -> String {
        let code = TubeCode::numbered(self.codes.number(tube));
        let code = code.as_ref().map_or("a tube", TubeCode::as_str);
        format!("the feed does not tell {:?} of {code}", kinds(left))
    }
}

/// A reader of the feed.
struct Reader<'a> {
    city: &'a City,
    waves: Vec<Heard<'a>>,
    /// The newest cursor.
    last: Option<Position>,
    /// Changes that are still to be told.
    left: u64,
    /// What was counted.
    read: FeedRead,
}

impl<'a> Reader<'a> {
    fn new(city: &'a City, waves: impl Iterator<Item = (&'a Line, &'a CodeBook)>) -> Self {
        let heard = |(line, codes): (&'a Line, &'a CodeBook)| {
            let left = (0..line.tubes()).map(|tube| due(city, line, tube)).collect();
            Heard { line, codes, left }
        };
        let waves: Vec<_> = waves.map(heard).collect();
        let due = waves.iter().flat_map(|heard| &heard.left);
        let left = due.map(|bits| u64::from(bits.count_ones())).sum();
        Self { city, waves, last: None, left, read: FeedRead::default() }
    }

    /// Takes in one change, or says what is wrong with it.
    fn hear(&mut self, change: &Changed<'_>) -> Result<(), String> {
        let &Changed { change: kind, tube, cursor: Cursor(at), outcome, .. } = change;
        self.read.count(change);
        if self.last.replace(at).is_some_and(|last| last >= at) {
            return Err(format!("the feed tells {kind:?} of {tube} at no later a cursor"));
        }
        let found = self.waves.iter_mut().find_map(|heard| {
            let number = heard.codes.place(tube)?;
            let left = heard.left.get_mut(usize::try_from(number).ok()?)?;
            Some((heard.line, number, left))
        });
        let Some((line, number, left)) = found else {
            return Err(format!("the feed tells of a strange {tube}"));
        };
        let bit = bit(kind);
        if *left & bit == 0 {
            return Err(format!("the feed tells {kind:?} of {tube} twice, or it never happened"));
        }
        let before = kinds(*left & (bit - 1));
        *left &= !bit;
        self.left -= 1;
        if !before.is_empty() {
            return Err(format!("the feed tells {kind:?} of {tube} before {before:?}"));
        }
        if change.persons.len() != usize::from(line.count(number)) {
            let people = change.persons.len();
            return Err(format!("the feed tells {kind:?} of {tube} to {people} people"));
        }
        let is_seen = || self.city.ct(line.members(number)).is_some();
        let told = match kind {
            Change::Released if is_seen() => Some(ToldOutcome::Detected),
            Change::Released => Some(ToldOutcome::NotDetected),
            _ => None,
        };
        if outcome != told {
            return Err(format!("the feed tells {outcome:?} of {tube} and not {told:?}"));
        }
        Ok(())
    }

    /// Everything that was not told, of one tube after the other.
    fn untold(&self) -> impl Iterator<Item = impl FnOnce() -> String> {
        self.waves
            .iter()
            .flat_map(|heard| heard.untold().map(move |untold| move || heard.complain(untold)))
    }
}

/// The service reads every change since the beginning, page by page and each at the next node, until
/// it has read everything that happened.
pub(super) async fn read(day: &Day, waves: &[&Wave], phase: &Phase) -> Result<FeedRead, Failure> {
    let mut reader = Reader::new(&day.city, waves.iter().map(|wave| (&wave.line, &wave.tubes)));
    let (mut nodes, mut turn) = (day.connect_to_each(), 0);
    let mut since = Instant::now();
    let mut route = format!("/v1/feed?limit={PAGE}");
    loop {
        turn = (turn + 1) % nodes.len();
        let connection = &mut nodes[turn];
        let asked = Instant::now();
        let ask = Ask::json(Method::GET, &route, Some(&day.staff.service), Vec::new());
        connection.succeed(&ask).await?;
        let page: Page<'_> = connection.read(&route)?;
        if page.changes.is_empty() {
            // The feed stays below every transaction that is still open on the same server, also
            // of somebody else (R46): what is missing comes when that one ends.
            if reader.left == 0 || since.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        since = Instant::now();
        phase.answered(asked, page.changes.iter().map(|change| change.persons.len() as u64).sum());
        for change in &page.changes {
            if let Err(wrong) = reader.hear(change) {
                day.surprise(|| wrong);
            }
        }
        if reader.last != Some(page.next.0) {
            day.surprise(|| "the feed is to be read on from another change than its last".into());
        }
        route = format!("/v1/feed?limit={PAGE}&after={}", opaque(&page.next));
    }
    for untold in reader.untold() {
        day.surprise(untold);
    }
    Ok(reader.read)
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    /// A city with lost, refused, positive and negative tubes, and whoever came again.
    fn day() -> (City, [(Line, CodeBook); 2]) {
        let city = City::new(2, 3_000, 0.02);
        let line = Line::everybody(3_000, 10, 2, 20);
        let is_recalled = |tube: &u32| due(&city, &line, *tube) & bit(Change::RecallOpened) > 0;
        let recalled = (0..line.tubes()).filter(is_recalled);
        let again: Vec<u32> = recalled.flat_map(|tube| line.members(tube)).collect();
        let book = |first, line: &Line| {
            let mut codes = CodeBook::default();
            codes.add(first, line.tubes());
            codes
        };
        let again = Line::again(again, 3_000, 2, 20);
        let (first, second) = (book(0, &line), book(5_000, &again));
        (city, [(line, first), (again, second)])
    }

    /// One change as it is told.
    #[derive(Debug, Clone, PartialEq)]
    struct Told {
        seq: i64,
        change: Change,
        tube: String,
        people: usize,
        outcome: Option<ToldOutcome>,
    }

    /// Everything as it happened: what each tube goes through, one step of all after the other.
    fn told(city: &City, waves: &[(Line, CodeBook); 2]) -> Vec<Told> {
        let mut told = Vec::new();
        for (line, codes) in waves {
            for change in KINDS {
                for tube in (0..line.tubes()).filter(|n| due(city, line, *n) & bit(change) > 0) {
                    let seen = city.ct(line.members(tube)).is_some();
                    let outcome =
                        if seen { ToldOutcome::Detected } else { ToldOutcome::NotDetected };
                    told.push(Told {
                        seq: i64::try_from(told.len()).unwrap() + 1,
                        change,
                        tube: TubeCode::numbered(codes.number(tube)).unwrap().as_str().to_owned(),
                        people: line.count(tube).into(),
                        outcome: (change == Change::Released).then_some(outcome),
                    });
                }
            }
        }
        told
    }

    /// What a reader finds wrong with it, and what it was told.
    fn wrong(told: &[Told]) -> (Vec<String>, FeedRead) {
        let (city, waves) = day();
        let waves = waves.iter().map(|(line, codes)| (line, codes));
        let mut reader = Reader::new(&city, waves);
        let mut wrong = Vec::new();
        for Told { seq, change, tube, people, outcome } in told {
            let changed = Changed {
                cursor: Cursor(Position { epoch: 7, seq: *seq }),
                change: *change,
                tube,
                persons: vec![IgnoredAny; *people],
                outcome: *outcome,
            };
            wrong.extend(reader.hear(&changed).err());
        }
        wrong.extend(reader.untold().map(|untold| untold()));
        let read = reader.read;
        (wrong, read)
    }

    #[test]
    fn a_day_that_is_told_as_it_happened_is_believed_and_counted_by_its_kinds() {
        let (city, waves) = day();
        let told = told(&city, &waves);
        let (wrong, read) = wrong(&told);
        assert_eq!(wrong, Vec::<String>::new());
        let [first, again] = waves.map(|(line, _)| u64::from(line.tubes()));
        assert_eq!(read.changes, told.len() as u64);
        assert_eq!(read.sealed, first + again);
        assert_eq!((read.recall_closed, read.amended), (again, 0));
        assert_eq!(read.received + read.refused + 1, read.sealed, "one tube is lost");
        assert!(read.refused > 0 && read.recall_opened > read.refused && read.positive > 0);
        assert_eq!(read.released + read.recall_opened, read.received + read.refused);
    }

    /// What is complained of, and how a sound feed is spoiled so.
    type Case<'a> = (&'a str, &'a dyn Fn(&mut Vec<Told>));

    #[test]
    fn whatever_a_feed_does_wrong_is_found_out() {
        let (city, waves) = day();
        let sound = told(&city, &waves);
        let at = |kind| sound.iter().position(|told| told.change == kind).unwrap();
        let (received, released) = (at(Change::Received), at(Change::Released));
        let cases: [Case<'_>; 8] = [
            ("does not tell [Received]", &|told| drop(told.remove(received))),
            ("no later a cursor", &|told| told[received].seq = told[received - 1].seq),
            ("twice, or it never happened", &|told| {
                told.push(Told { seq: 1_000_000, ..told[released].clone() });
            }),
            ("before [Received]", &|told| {
                let same = |one: &Told| {
                    (one.change, &one.tube) == (Change::Received, &told[released].tube)
                };
                let before = told.iter().position(same).unwrap();
                let seqs = (told[before].seq, told[released].seq);
                told.swap(before, released);
                (told[before].seq, told[released].seq) = seqs;
            }),
            ("Amended", &|told| told[released].change = Change::Amended),
            ("strange", &|told| told[received].tube = "T9999999999X".to_owned()),
            ("people", &|told| told[received].people += 1),
            ("and not", &|told| told[released].outcome = None),
        ];
        for (about, case) in cases {
            let mut told = sound.clone();
            case(&mut told);
            let (wrong, _) = wrong(&told);
            assert!(wrong.iter().any(|text| text.contains(about)), "{about}: {wrong:?}");
        }
    }
}
