//! From counters to what the board shows.

use std::collections::BTreeMap;

use super::{
    Amount, AreaLine, HOURS, HourLine, LaboratoryLine, Late, LoadLine, RecallFigures, ShownRound,
    Stages, Stretch, Turnaround,
};
use crate::clock::{Span, Time};
use crate::collection::TubeState;
use crate::ledger::rules::{PLATE_WITHIN, RECEIVE_WITHIN, RELEASE_WITHIN};

/// Buckets of times.
pub const BUCKETS: usize = 49;

/// Moves of one kind between the same states, summed up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// `tube`, `recall`, `plate` or `run`.
    pub kind: String,
    /// As `packed>received`; nothing before the sign where something begins.
    pub step: String,
    /// Area of the site; none for plates and runs.
    pub area: String,
    /// The laboratory; none where no laboratory has it.
    pub laboratory: String,
    /// The hour since 1970; 0 where all hours are summed up.
    pub hour: i64,
    /// How many, and how many people.
    pub amount: Amount,
}

impl Moved {
    /// The states before and after.
    pub fn ends(&self) -> (&str, &str) {
        self.step.split_once('>').unwrap_or((&self.step, ""))
    }
}

/// Takings of time in one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Took {
    /// Of which stretch.
    pub stretch: Stretch,
    /// The bucket.
    pub bucket: usize,
    /// How many.
    pub count: i64,
}

/// Tubes of one round and one hour that were sealed and have not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillOpen {
    /// The round.
    pub round: String,
    /// The hour since 1970 in which they were sealed.
    pub hour: i64,
    /// How many.
    pub amount: Amount,
}

/// The minute at which a bucket begins: every minute up to eight, then four to each doubling.
pub fn bucket_begins(bucket: usize) -> i64 {
    let bucket = i64::try_from(bucket).unwrap_or(i64::MAX);
    if bucket < 8 {
        return bucket;
    }
    let (doublings, quarter) = ((bucket - 8) / 4, (bucket - 8) % 4);
    (4 + quarter) << (doublings + 1)
}

/// The bucket of so many minutes.
pub fn bucket_of(minutes: i64) -> usize {
    let after = (0..BUCKETS).find(|&bucket| bucket_begins(bucket) > minutes.max(0));
    after.unwrap_or(BUCKETS) - 1
}

/// The minutes within which a share of all lies, interpolated within its bucket.
pub fn percentile(buckets: &[i64; BUCKETS], share: f64) -> Option<i64> {
    let total: i64 = buckets.iter().sum();
    if total <= 0 {
        return None;
    }
    let wanted = real(total) * share;
    let mut below = 0.0;
    for (bucket, &count) in buckets.iter().enumerate() {
        let within = real(count);
        if count > 0 && below + within >= wanted {
            let (from, until) = (bucket_begins(bucket), bucket_begins(bucket + 1));
            let part = ((wanted - below) / within).clamp(0.0, 1.0);
            return Some(from + whole(real(until - from) * part));
        }
        below += within;
    }
    None
}

#[expect(clippy::cast_precision_loss, reason = "counts of a city and minutes of a week")]
const fn real(count: i64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a bucket's minutes")]
fn whole(minutes: f64) -> i64 {
    minutes.round() as i64
}

/// The state of that name.
pub fn state(name: &str) -> Option<TubeState> {
    TubeState::ALL.into_iter().find(|state| state.as_str() == name)
}

/// Whether a laboratory has a tube in this state; one that is missing belongs to none.
pub const fn is_in_laboratory(state: TubeState) -> bool {
    !matches!(state, TubeState::Sealed | TubeState::Packed | TubeState::Missing)
}

impl Stages {
    /// Counts tubes that moved; `alone` is set where only a laboratory's own moves are counted, for
    /// what it took in was nobody's before.
    fn count(&mut self, moved: &Moved, alone: bool) {
        let (from, to) = moved.ends();
        if let Some(to) = state(to) {
            *self.stage(to) += moved.amount;
            self.collected += moved.amount;
        }
        if let Some(from) = state(from).filter(|&from| !alone || is_in_laboratory(from)) {
            *self.stage(from) -= moved.amount;
            self.collected -= moved.amount;
        }
    }
}

/// Where everybody is.
pub fn stages(moved: &[Moved], laboratory: bool) -> Stages {
    let mut stages = Stages::default();
    for moved in moved.iter().filter(|moved| moved.kind == "tube") {
        stages.count(moved, laboratory);
    }
    stages
}

/// Where everybody is, by the area they were swabbed in.
pub fn areas(moved: &[Moved], laboratory: bool) -> Vec<AreaLine> {
    let mut areas: BTreeMap<&str, Stages> = BTreeMap::new();
    for moved in moved.iter().filter(|moved| moved.kind == "tube") {
        areas.entry(&moved.area).or_default().count(moved, laboratory);
    }
    areas.into_iter().map(|(area, stages)| AreaLine { area: area.to_owned(), stages }).collect()
}

/// Recalls by where they are.
pub fn recalls(moved: &[Moved]) -> RecallFigures {
    let mut recalls = RecallFigures::default();
    for moved in moved.iter().filter(|moved| moved.kind == "recall") {
        let (from, to) = moved.ends();
        if from.is_empty() {
            recalls.opened += moved.amount.tubes;
        }
        for (state, sign) in [(to, 1), (from, -1)] {
            match state {
                "open" => recalls.open += sign * moved.amount.tubes,
                "collected" => recalls.collected += sign * moved.amount.tubes,
                "closed" => recalls.closed += sign * moved.amount.tubes,
                _ => {}
            }
        }
    }
    recalls
}

/// The hour a moment is in.
pub const fn hour(at: Time) -> i64 {
    at.us().div_euclid(Span::hours(1).us())
}

/// The hours of the time line, the first and the last included.
pub const fn line(now: Time) -> (i64, i64) {
    let last = hour(now);
    (last - HOURS + 1, last)
}

/// When an hour begins.
pub const fn begins(hour: i64) -> Time {
    Time::from_us(hour * Span::hours(1).us())
}

/// The time line.
pub fn hours(moved: &[Moved], now: Time) -> Vec<HourLine> {
    let (first, last) = line(now);
    let amount = Amount::default();
    let empty = |hour| HourLine {
        at: begins(hour),
        collected: amount,
        received: amount,
        plated: amount,
        released: amount,
    };
    let mut lines: Vec<HourLine> = (first..=last).map(empty).collect();
    for moved in moved.iter().filter(|moved| moved.kind == "tube") {
        let Ok(place) = usize::try_from(moved.hour - first) else { continue };
        let Some(line) = lines.get_mut(place) else { continue };
        match moved.ends() {
            ("", "sealed") => line.collected += moved.amount,
            ("sealed" | "packed" | "missing", "received") => line.received += moved.amount,
            (_, "plated") => line.plated += moved.amount,
            (_, "released") => line.released += moved.amount,
            _ => {}
        }
    }
    lines
}

/// What each laboratory has under way, by moves of all hours, and did, by moves of single hours.
pub fn laboratories(all: &[Moved], hourly: &[Moved]) -> Vec<LaboratoryLine> {
    let mut lines: BTreeMap<&str, LaboratoryLine> = BTreeMap::new();
    let named = all.iter().chain(hourly).map(|moved| &moved.laboratory);
    for laboratory in named.filter(|laboratory| !laboratory.is_empty()) {
        lines.entry(laboratory).or_insert_with(|| LaboratoryLine {
            laboratory: laboratory.clone(),
            stages: Stages::default(),
            plates: 0,
            to_review: 0,
            to_release: 0,
            hours: Vec::new(),
        });
    }
    for moved in all {
        let Some(line) = lines.get_mut(moved.laboratory.as_str()) else { continue };
        match moved.kind.as_str() {
            "tube" => line.stages.count(moved, true),
            "plate" => line.plates += signed(moved, "frozen"),
            "run" => {
                line.to_review += signed(moved, "draft");
                line.to_release += signed(moved, "reviewed");
            }
            _ => {}
        }
    }
    for (laboratory, line) in &mut lines {
        let own: Vec<_> = hourly.iter().filter(|moved| moved.laboratory == *laboratory).collect();
        line.hours = load(&own);
    }
    lines.into_values().collect()
}

/// How many more came to this state than left it.
fn signed(moved: &Moved, state: &str) -> i64 {
    let (from, to) = moved.ends();
    let n = moved.amount.tubes;
    (if to == state { n } else { 0 }) - (if from == state { n } else { 0 })
}

fn load(own: &[&Moved]) -> Vec<LoadLine> {
    let mut lines: BTreeMap<i64, LoadLine> = BTreeMap::new();
    for moved in own {
        let empty = LoadLine {
            at: begins(moved.hour),
            received: Amount::default(),
            plated: Amount::default(),
            released: Amount::default(),
            plates: 0,
            runs: 0,
        };
        let mut line = lines.get(&moved.hour).copied().unwrap_or(empty);
        match (moved.kind.as_str(), moved.ends()) {
            ("tube", ("sealed" | "packed" | "missing", "received")) => {
                line.received += moved.amount;
            }
            ("tube", (_, "plated")) => line.plated += moved.amount,
            ("tube", (_, "released")) => line.released += moved.amount,
            ("plate", (_, "frozen")) => line.plates += moved.amount.tubes,
            ("run", ("", _)) => line.runs += moved.amount.tubes,
            _ => continue,
        }
        lines.insert(moved.hour, line);
    }
    lines.into_values().collect()
}

/// Which stretch ends with this counter.
pub fn stretch(kind: &str, step: &str) -> Option<Stretch> {
    match (kind, step.split_once('>').unwrap_or((step, ""))) {
        ("tube", ("sealed" | "packed" | "missing", "received")) => Some(Stretch::Transport),
        ("tube", ("received", "plated")) => Some(Stretch::Bench),
        ("tube", ("plated", "released")) => Some(Stretch::Process),
        ("run", ("", _)) => Some(Stretch::Run),
        ("review", _) => Some(Stretch::Review),
        ("whole", ("released" | "late", _)) => Some(Stretch::Whole),
        _ => None,
    }
}

/// How long each stretch took, against its limit.
pub fn turnaround(took: &[Took], rounds: &[ShownRound]) -> Vec<Turnaround> {
    let promised = rounds.iter().map(|round| Span::hours(round.result_hours)).min();
    let stretches = [
        (Stretch::Transport, Some(RECEIVE_WITHIN)),
        (Stretch::Bench, Some(PLATE_WITHIN)),
        (Stretch::Run, None),
        (Stretch::Review, None),
        (Stretch::Process, Some(RELEASE_WITHIN)),
        (Stretch::Whole, promised),
    ];
    let of = |(stretch, limit): (Stretch, Option<Span>)| {
        let mut buckets = [0; BUCKETS];
        for took in took.iter().filter(|took| took.stretch == stretch) {
            buckets[took.bucket.min(BUCKETS - 1)] += took.count;
        }
        Turnaround {
            stretch,
            count: buckets.iter().sum(),
            p50_minutes: percentile(&buckets, 0.5),
            p90_minutes: percentile(&buckets, 0.9),
            limit_minutes: limit.map(|limit| limit.us() / Span::minutes(1).us()),
        }
    };
    stretches.into_iter().map(of).collect()
}

/// Who was told late, and who waits beyond what their round promises.
pub fn late(released: Amount, open: &[StillOpen], rounds: &[ShownRound], now: Time) -> Late {
    let mut late = Late { released, waiting: Amount::default() };
    for open in open {
        let round = rounds.iter().find(|round| round.code == open.round);
        let Some(round) = round else { continue };
        if begins(open.hour + 1) + Span::hours(round.result_hours) <= now {
            late.waiting += open.amount;
        }
    }
    late
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
