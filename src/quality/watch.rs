//! A run comes in: its points are judged by what was usual before it, kept, and summed up.

use super::alarm::{self, Alarm, NewAlarm};
use super::cusum::{self, Usual};
use super::past::{self, Past};
use super::rules::{self, Signal, Step};
use super::shares::{self, CountRow, Expected};
use super::store::{self, Ends, Stretch, WindowRow};
use super::westgard::{self, Rule};
use super::{Facts, Measure, Scope, Subjects, Value, held, seeded};
use crate::auth::Actor;
use crate::clock::Clock;
use crate::error::Result;
use crate::storage::Tx;

/// What is known of a run's values before it is written.
#[derive(Debug, Default)]
pub struct Judged {
    /// What was usual for each value, in their order; none while the instrument is being learnt.
    pub usual: Vec<Option<Usual>>,
    /// The rules each value breaks, in their order; none of what is no control.
    pub broken: Vec<Vec<Rule>>,
    /// What rejects it, for each control that breaks a rule.
    pub rejections: Vec<Rejection>,
    /// The alarms before it of each measure it leaves on a chart, and of positives.
    past: Vec<Past>,
}

impl Judged {
    fn past(&self, measure: Measure) -> &[Past] {
        let mut measures = self.past.chunk_by(|one, next| one.measure == next.measure);
        measures.find(|past| past[0].measure == measure).unwrap_or_default()
    }

    /// The points by which a value of a run is judged.
    fn stretch<'a>(&self, facts: &'a Facts, value: &'a Value) -> Stretch<'a> {
        let (instrument, kit, target) = (&facts.subjects.instrument, &facts.kit, &value.target);
        let since = past::relearnt(self.past(value.measure), (kit, target), instrument);
        Stretch { instrument, measure: value.measure, kit, target, since }
    }
}

/// A control that breaks rules that reject a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Target and rules, for every language: `N1 1-3s`.
    pub figures: String,
    /// The same in words.
    pub message: String,
}

/// Judges the values of a run by the points before it.
pub async fn judge(tx: &mut Tx, facts: &Facts) -> Result<Judged> {
    let laboratory = &facts.subjects.laboratory;
    let measures = facts.values.iter().map(|value| value.measure).chain([Measure::Positivity]);
    let past = past::alarms(tx, laboratory, &measures.collect::<Vec<_>>()).await?;
    let mut judged = Judged { past, ..Judged::default() };
    let stretches: Vec<_> = facts.values.iter().map(|value| judged.stretch(facts, value)).collect();
    let found = store::before(tx, laboratory, &stretches).await?;
    for (value, Ends { first, mut last }) in facts.values.iter().zip(found) {
        let usual = Usual::of(&first);
        last.push(value.ct);
        let distances =
            |usual: Usual| last.iter().map(|ct| usual.distance(*ct)).collect::<Vec<_>>();
        let control = usual.filter(|_| value.measure.is_control());
        let broken = control.map(|usual| westgard::broken(&distances(usual))).unwrap_or_default();
        let rules: Vec<_> = broken.iter().copied().filter(|rule| rule.rejects()).collect();
        if !rules.is_empty() {
            judged.rejections.push(rejection(value.measure, &value.target, &rules));
        }
        judged.usual.push(usual);
        judged.broken.push(broken);
    }
    Ok(judged)
}

fn rejection(measure: Measure, target: &str, rules: &[Rule]) -> Rejection {
    let rules: Vec<_> = rules.iter().map(|rule| rule.name()).collect();
    let message = format!(
        "the {measure} breaks {} for {target}; look at its chart before anything is released",
        rules.join(" and ")
    );
    Rejection { figures: format!("{target} {}", rules.join(", ")), message }
}

/// Writes what a run leaves on the charts, and raises the alarms it gives cause for.
pub async fn keep(
    tx: &mut Tx,
    clock: &Clock,
    actor: &Actor,
    (facts, judged): (&Facts, &Judged),
) -> Result<Vec<Alarm>> {
    let people = past::people(judged.past(Measure::Positivity));
    let expected = shares::expected(tx, facts, people).await?;
    store::run_keep(tx, facts, judged).await?;
    shares::keep(tx, facts, &expected).await?;
    let mut new = seeded::answered(tx, facts).await?;
    if facts.usable {
        let judgements = judged.usual.iter().zip(&judged.broken);
        for (value, (usual, broken)) in facts.values.iter().zip(judgements) {
            let past = judged.past(value.measure);
            let mut found = shifted(tx, facts, (value, *usual), past).await?;
            if found.is_empty() && broken.iter().any(|rule| rule.rejects()) {
                found.extend(held_often(tx, facts, value, past).await?);
            }
            new.extend(found);
        }
        new.extend(other_positives(tx, facts, &expected, judged.past(Measure::Positivity)).await?);
    }
    alarm::raise(tx, clock, actor, (facts, new)).await
}

/// The alarms of sums that a Ct of this run brings to their decision line. The plates before it are
/// asked for only where it goes some way itself, by a standard deviation at least: of normal values
/// fewer than one in three do.
async fn shifted(
    tx: &mut Tx,
    facts: &Facts,
    (value, usual): (&Value, Option<Usual>),
    past: &[Past],
) -> Result<Vec<NewAlarm>> {
    let Some(shift) = value.measure.shift() else { return Ok(Vec::new()) };
    if !of_ct(store::own(facts, value, usual), facts, shift).is_going() {
        return Ok(Vec::new());
    }
    let rows = store::window(tx, facts, value).await?;
    let steps: Vec<_> = rows.into_iter().map(|row| of_ct(row, facts, shift)).collect();
    Ok(signals(past, (value.measure, &facts.kit, &value.target), &steps))
}

/// The same of what this run found positive.
async fn other_positives(
    tx: &mut Tx,
    facts: &Facts,
    expected: &[Expected],
    past: &[Past],
) -> Result<Vec<NewAlarm>> {
    if !of_positives(shares::own(facts, expected)).is_going() {
        return Ok(Vec::new());
    }
    let rows = shares::window(tx, &facts.subjects.laboratory).await?;
    let steps: Vec<_> = rows.into_iter().map(of_positives).collect();
    Ok(signals(past, (Measure::Positivity, "", ""), &steps))
}

/// The alarms these plates give cause for, oldest first.
fn signals(past: &[Past], name: (Measure, &str, &str), steps: &[Step]) -> Vec<NewAlarm> {
    let (_, kit, target) = name;
    let signals = rules::signals(steps, &past::known(past, (kit, target)));
    signals.into_iter().map(|signal: Signal| NewAlarm::of(signal, name)).collect()
}

/// The alarm of an instrument whose runs the rules hold too often for this control.
async fn held_often(
    tx: &mut Tx,
    facts: &Facts,
    value: &Value,
    past: &[Past],
) -> Result<Option<NewAlarm>> {
    let of = &facts.subjects;
    let of_target = (facts.kit.as_str(), value.target.as_str());
    let since = past::relearnt(past, of_target, &of.instrument);
    let points = store::judged(tx, facts, value, since).await?;
    let signal = held::signal(&points, of, &past::known(past, of_target));
    Ok(signal.map(|signal| NewAlarm::of(signal, (value.measure, of_target.0, of_target.1))))
}

fn subjects(
    facts: &Facts,
    (instrument, lot, operator): (String, Option<String>, String),
) -> Subjects {
    Subjects { laboratory: facts.subjects.laboratory.clone(), instrument, lot, operator }
}

fn of_ct(row: WindowRow, facts: &Facts, shift: f64) -> Step {
    let usual = store::usual(row.mean, row.sd);
    let weights = usual.map(|usual| cusum::of_ct(usual, shift, store::cycles(row.ct)));
    let subjects = subjects(facts, (row.instrument, row.lot, row.account_id));
    Step { at: row.at_us, subjects, weights: [weights; 4] }
}

fn of_positives(row: CountRow) -> Step {
    let weights = Scope::ALL.map(|scope| cusum::of_positives(&shares::found(&row.shares, scope)));
    Step { at: row.at, subjects: row.subjects, weights }
}
