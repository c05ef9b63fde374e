//! The decision tables of `domain.md` A5 and `formats.md` 14, a row for each of their lines. Here
//! is how a line is played.

mod kits;
mod limits;
mod programmes;

use super::Disposition::{Recall, Report, Retest};
use super::Outcome::{Detected, Inconclusive, Invalid, NotDetected};
use super::workbench::{kit, tube_readings};
use super::*;

const SAME: Specimen = Specimen::Same;
const ANOTHER: Specimen = Specimen::Another;

/// Target, Ct, and what the instrument says of the curve.
type Shown = (&'static str, Option<&'static str>, Option<&'static str>);
/// Rule, targets that amplified, and of which swab.
type Before = (&'static str, &'static [&'static str], Specimen);
/// What the line says.
type Says = (Outcome, &'static str, Disposition);
/// The line, what the tube shows, its earlier tests, the people in it, and what the line says.
type Line<'a> = (&'a str, &'a [Shown], &'a [Before], u16, Says);

/// The line, what the tube shows first, what its repeat shows, and what the line says of that.
type Repeat<'a> = (&'a str, &'a [Shown], &'a [Shown], Says);

/// Plays every line with a kit.
fn play(kit: &Kit, lines: &[Line<'_>]) {
    for (line, shown, before, people, says) in lines {
        let readings = readings(shown);
        let earlier: Vec<_> = before
            .iter()
            .map(|(rule, amplified, specimen)| EarlierTest {
                rule: (*rule).to_owned(),
                amplified: amplified.iter().map(|target| (*target).to_owned()).collect(),
                grey: Vec::new(),
                specimen: *specimen,
            })
            .collect();
        let tests = earlier.iter().filter(|test| test.specimen == SAME).count();
        let attempt = 1 + u8::try_from(tests).unwrap();
        let facts = TubeFacts { attempt, earlier, ..TubeFacts::first_test(*people) };
        let call = call(kit, "T1", &readings, &facts);
        let said = (call.outcome, call.rule.as_str(), call.disposition);
        assert_eq!(said, *says, "{} {}: {line}", kit.code, kit.version);
    }
}

/// Plays the tube of one person twice for every line: its first test must send it back.
fn repeat(kit: &Kit, lines: &[Repeat<'_>]) {
    for (line, first, second, says) in lines {
        let first = call(kit, "T1", &readings(first), &TubeFacts::first_test(1));
        assert_eq!(first.disposition, Retest, "{} {}: {line}", kit.code, kit.version);
        let earlier = vec![EarlierTest::of(first.rule.clone(), &first.targets, SAME)];
        let facts = TubeFacts { attempt: 2, earlier, ..TubeFacts::first_test(1) };
        let call = call(kit, "T1", &readings(second), &facts);
        let said = (call.outcome, call.rule.as_str(), call.disposition);
        assert_eq!(said, *says, "{} {}: {line}", kit.code, kit.version);
    }
}

fn readings(shown: &[Shown]) -> Vec<TargetReading<'static>> {
    let cts: Vec<_> = shown.iter().map(|(target, ct, _)| (*target, *ct)).collect();
    let mut readings = tube_readings(&cts);
    for (reading, (.., curve)) in readings.iter_mut().zip(shown) {
        reading.reading.to_mut().amp_status = curve.map(str::to_owned);
    }
    readings
}

const ORF: Option<&str> = Some("30.1");
