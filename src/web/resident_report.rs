//! A report in words: both languages beside each other, the page's own first, so that one paper is
//! read at home and abroad.

use fluent_bundle::FluentValue;

use super::catalogue::Language;
use super::resident::outcome_key;
use crate::clock::Time;
use crate::query::report::{Report, Row, Sheet};

/// What is said in both languages.
struct Both(Language);

impl Both {
    fn filled(&self, key: &str, filled: &[(&str, FluentValue<'_>)]) -> (String, String) {
        let own = self.0.say(key, filled).into_owned();
        (own, self.0.other().say(key, filled).into_owned())
    }

    /// On one line.
    fn line(&self, key: &str) -> String {
        let (own, other) = self.filled(key, &[]);
        format!("{own}  {other}")
    }

    /// On two.
    fn lines(&self, key: &str, filled: &[(&str, FluentValue<'_>)]) -> String {
        let (own, other) = self.filled(key, filled);
        format!("{own}\n{other}")
    }

    fn row(&self, key: &str, value: impl Into<String>) -> Row {
        Row { label: self.line(key), value: value.into() }
    }
}

fn moment(time: Time) -> String {
    format!("{} (UTC+8)", time.local())
}

/// The words of a report that is asked for now.
pub fn sheet(language: Language, report: &Report, now: Time) -> Sheet {
    let both = Both(language);
    let paper = format!("{}/{}", report.id, report.position);
    let standing = match (&report.reason, &report.rule) {
        (Some(_), _) => {
            both.lines("resident-report-amended", &[("version", report.version.into())])
        }
        (None, _) => both.line("resident-report-final"),
    };
    let foot = format!("{paper}    {}    {}", report.name, report.number);
    Sheet {
        language: language.tag().to_owned(),
        head: (report.laboratory.clone(), report.address.clone()),
        title: both.line("resident-report-title"),
        standing,
        result: (both.line("resident-report-result"), both.line(outcome_key(report.outcome))),
        rows: rows(&both, report, (&paper, now)),
        notes: notes(&both, report),
        end: both.line("resident-report-end"),
        foot,
        page_of: language
            .say("resident-report-page", &[("page", "{page}".into()), ("pages", "{pages}".into())])
            .into_owned(),
    }
}

fn rows(both: &Both, report: &Report, (paper, now): (&str, Time)) -> Vec<Row> {
    let received = report.received.map_or_else(String::new, moment);
    let authorised = match &report.rule {
        Some(rule) => format!("{} ({rule})", both.line("resident-report-by-rule")),
        None => report.released_by.clone(),
    };
    let mut rows = vec![
        both.row("resident-report-number", paper),
        both.row("resident-report-name", &report.name),
        both.row("resident-report-document", &report.number),
        both.row("resident-report-requester", &report.round),
        both.row("resident-report-specimen", &report.specimen),
        both.row("resident-report-tube", format!("{} / {}", report.tube, report.position)),
        both.row("resident-report-site", &report.site),
        both.row("resident-report-collected", moment(report.taken)),
        both.row("resident-report-received", received),
        both.row("resident-report-method", both.lines("resident-report-pcr", &[])),
        both.row("resident-report-kit", &report.examination),
        both.row("resident-report-targets", report.targets.join(", ")),
        both.row("resident-report-reference", both.line("resident-not-detected")),
        both.row("resident-report-reviewed", &report.reviewed_by),
        both.row("resident-report-released", authorised),
        both.row("resident-report-released-at", moment(report.released)),
        both.row("resident-report-printed", moment(now)),
    ];
    if let Some(reason) = &report.reason {
        rows.push(both.row("resident-report-why", both.line(reason_key(reason))));
    }
    for before in &report.before {
        let said = format!(
            "{}: {}, {}",
            before.version,
            both.line(outcome_key(before.outcome)),
            moment(before.released)
        );
        rows.push(both.row("resident-report-before", said));
    }
    rows
}

fn reason_key(reason: &str) -> &'static str {
    match reason {
        "mixed_up" => "resident-report-mixed-up",
        "contaminated" => "resident-report-contaminated",
        "wrong_kit" => "resident-report-wrong-kit",
        "instrument_fault" => "resident-report-instrument-fault",
        "retested_elsewhere" => "resident-report-retested-elsewhere",
        _ => "resident-report-clerical",
    }
}

fn notes(both: &Both, report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.pooled > 1 {
        notes.push(both.lines("resident-report-pooled", &[("people", report.pooled.into())]));
    }
    notes.push(both.lines("resident-report-limits", &[]));
    notes
}
