//! Alarms: raised once, open until somebody acknowledges them with a reason, and kept.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{FromRow, query, query_as, query_scalar};
use utoipa::ToSchema;

use super::rules::Signal;
use super::{Direction, Facts, Measure, Scope, held};
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::clock::{Clock, Time};
use crate::error::{Error, Result};
use crate::storage::Tx;

/// Id, laboratory, scope, subject, measure, kit, target, direction, tube, run, plates, since, now.
pub const RAISE: &str = "insert into quality_alarm (id, laboratory_code, scope, subject, measure,
        kit, target, direction, tube, run_id, plates, since_us, opened_us)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict do nothing";
/// What is open, without seeded tubes.
pub const OPEN: &str = "select count(*) from quality_alarm
    where acknowledged_us is null and measure not in ('seeded', 'seeded_recall')";
/// Laboratory or null for all, whether seeded tubes are among them, acknowledged ones too, the cursor, rows.
pub const LIST: &str = "select id, laboratory_code, scope, subject, measure, kit, target,
        direction, tube, run_id, plates, since_us, opened_us, acknowledged_us, acknowledged_by,
        reason
    from quality_alarm
    where (cast($1 as text) is null or laboratory_code = $1)
        and (cast($2 as bigint) = 1 or measure not in ('seeded', 'seeded_recall'))
        and (acknowledged_us is null or cast($3 as bigint) = 1) and (opened_us, id) > ($4, $5)
    order by opened_us, id limit $6";
/// `$1` alarm.
pub const FIND: &str = "select id, laboratory_code, scope, subject, measure, kit, target,
        direction, tube, run_id, plates, since_us, opened_us, acknowledged_us, acknowledged_by,
        reason
    from quality_alarm where id = $1";
/// Alarm, who, when, reason.
pub const ACKNOWLEDGE: &str = "update quality_alarm set acknowledged_by = $2,
        acknowledged_us = $3, reason = $4
    where id = $1 and acknowledged_us is null";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("RAISE", RAISE),
    ("OPEN", OPEN),
    ("LIST", LIST),
    ("FIND", FIND),
    ("ACKNOWLEDGE", ACKNOWLEDGE),
];

/// What was found and done about an alarm; coded, because free text invites names (R29).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, clap::ValueEnum, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum AlarmReason {
    /// The instrument was repaired or calibrated: what is usual is learnt anew.
    InstrumentServiced,
    /// A reagent or a control material was replaced: what is usual is learnt anew.
    ReagentReplaced,
    /// Somebody was shown how to do it.
    OperatorTrained,
    /// The people tested really are different: a laboratory is compared with itself from then on.
    /// Only somebody of no laboratory may say so.
    PopulationDiffers,
    /// The tubes were tested again.
    Retested,
    /// Nothing was found.
    NoCauseFound,
}

impl AlarmReason {
    /// Whether nobody of the laboratory may say so: from then on its positives are measured by what
    /// it says itself.
    pub(super) const fn is_of_the_city(self) -> bool {
        matches!(self, Self::PopulationDiffers)
    }

    /// Whether the share of positives that was usual before is no longer.
    pub(super) const fn changes_the_people(self) -> bool {
        self.changes_the_usual() || matches!(self, Self::PopulationDiffers)
    }

    /// Whether what was usual before is no longer.
    pub(super) const fn changes_the_usual(self) -> bool {
        matches!(self, Self::InstrumentServiced | Self::ReagentReplaced)
    }
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, Deserialize, ToSchema)]
pub struct Alarm {
    /// Its id.
    pub id: String,
    /// The laboratory it is about.
    #[serde(rename = "laboratory")]
    pub laboratory_code: String,
    /// Whose points gave it away.
    pub scope: Scope,
    /// Code, serial number, lot or account.
    pub subject: String,
    /// What is off.
    pub measure: Measure,
    /// Kit and version, for a Ct.
    pub kit: String,
    /// Target, for a Ct.
    pub target: String,
    /// Which way.
    pub direction: Direction,
    /// The seeded tube, if it is about one.
    pub tube: String,
    /// The run that gave cause for it.
    #[serde(rename = "run")]
    pub run_id: String,
    /// Plates that went that way.
    pub plates: i64,
    /// Since when.
    #[sqlx(rename = "since_us")]
    pub since: Time,
    /// When it was raised.
    #[sqlx(rename = "opened_us")]
    #[serde(rename = "opened_at")]
    pub opened: Time,
    /// When somebody acknowledged it.
    #[sqlx(rename = "acknowledged_us")]
    #[serde(rename = "acknowledged_at")]
    pub acknowledged: Option<Time>,
    /// Who.
    pub acknowledged_by: Option<String>,
    /// What was found.
    pub reason: Option<AlarmReason>,
}

impl Alarm {
    /// What, which, and what to do next.
    pub fn sentence(&self) -> String {
        let (scope, subject, plates) = (self.scope, &self.subject, self.plates);
        let what = match (self.measure, self.direction) {
            (Measure::Seeded, Direction::Fall) => {
                return format!(
                    "{subject} did not find seeded tube {}, which holds virus, or is late with it; \
                     ask for its curves",
                    self.tube
                );
            }
            (Measure::Seeded, Direction::Rise) => {
                return format!(
                    "{subject} did not find seeded tube {} clean, which has no virus; look for \
                     contamination",
                    self.tube
                );
            }
            (Measure::SeededRecall, _) => {
                return format!(
                    "{subject} found too few of its last {plates} seeded tubes with virus; nothing \
                     is released there by rule until somebody acknowledges this"
                );
            }
            (Measure::Positivity, Direction::Fall) => "finds fewer positives than expected",
            (Measure::Positivity, Direction::Rise) => "finds more positives than expected",
            (_, Direction::Rise) => "amplifies later than usual",
            (_, Direction::Fall) => "amplifies earlier than usual",
        };
        let measure = match self.measure {
            Measure::Positivity => String::new(),
            measure => format!(", {measure} {} of {}", self.target, self.kit),
        };
        let extent = held::extent(self);
        let extent = extent.unwrap_or_else(|| format!("{plates} plates since {}", self.since));
        format!(
            "{scope} {subject}{measure} {what}, {extent}; look at its chart, find the cause and \
             acknowledge{}",
            self.remedy()
        )
    }

    /// The answers after which something else is usual.
    const fn remedy(&self) -> &'static str {
        match (self.measure, self.scope) {
            (Measure::Positivity, Scope::Laboratory) => {
                "; after the answer population_differs, which takes an officer who is bound to no \
                 laboratory, it is compared with itself"
            }
            (Measure::Positivity, _) => "",
            _ => {
                "; after the answers instrument_serviced and reagent_replaced its usual Ct is \
                 learnt anew"
            }
        }
    }
}

/// An alarm to be raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlarm {
    /// Whose.
    pub scope: Scope,
    /// Who.
    pub subject: String,
    /// What.
    pub measure: Measure,
    /// Kit and version, for a Ct.
    pub kit: String,
    /// Target, for a Ct.
    pub target: String,
    /// Which way.
    pub direction: Direction,
    /// The seeded tube, if it is about one.
    pub tube: String,
    /// Plates that went that way.
    pub plates: i64,
    /// Since when.
    pub since: Time,
}

impl NewAlarm {
    /// The alarm of a sum.
    pub(super) fn of(signal: Signal, (measure, kit, target): (Measure, &str, &str)) -> Self {
        Self {
            scope: signal.scope,
            subject: signal.subject,
            measure,
            kit: kit.to_owned(),
            target: target.to_owned(),
            direction: signal.direction,
            tube: String::new(),
            plates: i64::try_from(signal.plates).unwrap_or(i64::MAX),
            since: signal.since,
        }
    }
}

/// Raises what is not open already, each with its row in the audit trail.
pub(super) async fn raise(
    tx: &mut Tx,
    clock: &Clock,
    actor: &Actor,
    (facts, new): (&Facts, Vec<NewAlarm>),
) -> Result<Vec<Alarm>> {
    let mut raised = Vec::new();
    for alarm in new {
        let id = clock.id().to_string();
        let written = on!(tx, c => query(RAISE).bind(&id).bind(&facts.subjects.laboratory)
            .bind(alarm.scope).bind(&alarm.subject).bind(alarm.measure).bind(&alarm.kit)
            .bind(&alarm.target).bind(alarm.direction).bind(&alarm.tube).bind(&facts.run)
            .bind(alarm.plates).bind(alarm.since).bind(facts.at)
            .execute(c).await.map(|done| done.rows_affected()))?;
        if written == 0 {
            continue;
        }
        let detail = json!({ "scope": alarm.scope, "subject": alarm.subject,
            "measure": alarm.measure, "direction": alarm.direction, "run": facts.run,
            "tube": alarm.tube });
        let entry = Entry { at: facts.at, actor, action: "quality.alarm", about: &id, detail };
        audit::record(tx, entry).await?;
        raised.push(find(tx, &id).await?);
    }
    Ok(raised)
}

/// How many alarms are open, for the metrics, which are for everybody: none of seeded tubes.
pub async fn open(tx: &mut Tx) -> Result<i64> {
    Ok(on!(tx, c => query_scalar(OPEN).fetch_one(c).await)?)
}

/// Which alarms are asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked<'a> {
    /// Of this laboratory, or of all.
    pub laboratory: Option<&'a str>,
    /// Whether alarms about seeded tubes are among them; never for a laboratory.
    pub with_seeded: bool,
    /// Whether acknowledged ones are.
    pub with_acknowledged: bool,
}

/// Alarms, oldest first.
pub async fn list(
    tx: &mut Tx,
    asked: &Asked<'_>,
    (after, after_id): (Time, &str),
    rows: i64,
) -> Result<Vec<Alarm>> {
    Ok(on!(tx, c => query_as(LIST).bind(asked.laboratory)
        .bind(i64::from(asked.with_seeded))
        .bind(i64::from(asked.with_acknowledged)).bind(after).bind(after_id).bind(rows)
        .fetch_all(c).await)?)
}

/// An alarm.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Alarm> {
    let found: Option<Alarm> = on!(tx, c => query_as(FIND).bind(id).fetch_optional(c).await)?;
    found.ok_or_else(|| Error::not_found("alarm", id))
}

/// Acknowledges an alarm; false when somebody did so before.
pub async fn acknowledge(
    tx: &mut Tx,
    id: &str,
    (by, reason): (&str, AlarmReason),
    at: Time,
) -> Result<bool> {
    let done = on!(tx, c => query(ACKNOWLEDGE).bind(id).bind(by).bind(at).bind(reason)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(done == 1)
}
