//! One arrival in one transaction: compare, store, move, recall, tell.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::rules::{self, Comparison};
use super::store::{self, Arrival};
use super::{Finding, Findings, Found, Known, Scan};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::{BoxCode, TubeCode};
use crate::clock::{Span, Time};
use crate::collection::{self, TubeRow, TubeState, TubesMove};
use crate::error::{Error, Result, refuse_if_any};
use crate::recall::store::{recalls_collected, recalls_open, recalls_reopen};
use crate::recall::{Opening, RecallReason};
use crate::storage::Tx;
use crate::storage::outbox::{self, Change};
use crate::transport::Celsius;
use crate::transport::rules::{Keeping, keeping_warnings, sequence_fault};
use crate::transport::store::{StoredBox, box_arrive, box_find, box_lock};

/// A box on the bench, scanned.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The box.
    pub code: BoxCode,
    /// The laboratory it came to.
    pub laboratory: String,
    /// When.
    pub arrived: Time,
    /// What its thermometer showed.
    pub temperature: Option<Celsius>,
    /// Whether its seal was whole.
    pub seal_intact: bool,
    /// Every tube in it.
    pub scanned: Vec<Scan>,
}

/// Takes a box in and says what was found.
///
/// Whoever else takes in the same box waits; two boxes that claim the same tube are told apart
/// by the count of tubes moved, and the later request is to be sent again. Every arrival is
/// recorded later than the ones before it of the same box and tubes, whatever the clock says, for
/// a tube's last finding is the one recorded last.
pub async fn arrive(
    tx: &mut Tx,
    app: &App,
    actor: &Actor,
    delivery: Delivery,
) -> Result<(Arrival, Vec<Found>)> {
    let stored = box_locked(tx, app, &delivery.code).await?;
    if let Some(reason) = rules::elsewhere(&stored.custody, &delivery.laboratory) {
        return Err(Error::Conflict(vec![reason]));
    }
    let (before, now) = (stored.custody.latest(), app.clock.now());
    refuse_if_any(
        sequence_fault("arrived_at", delivery.arrived, before, now).into_iter().collect(),
    )?;
    let findings = compare(tx, &stored, &delivery).await?;
    let at = after_the_newest(tx, &delivery.code, &findings, now).await?;
    let warnings = warnings(&stored, &delivery, &findings, &actor.account);
    let Findings { found, .. } = findings;
    let arrival = Arrival {
        id: app.clock.id().to_string(),
        box_code: delivery.code,
        site: stored.manifest.site,
        laboratory: delivery.laboratory,
        arrived: delivery.arrived,
        temperature: delivery.temperature,
        seal_intact: delivery.seal_intact,
        warnings,
    };
    box_arrive(tx, &arrival.box_code, &actor.account, &arrival.laboratory).await?;
    store::arrival_add(tx, &arrival, &actor.account, at).await?;
    store::arrival_tubes_add(tx, &arrival.id, &found).await?;
    tubes_move(tx, &found, &arrival.laboratory, at).await?;
    tubes_follow_up(tx, app, &found, at).await?;
    let with = |finding| {
        let found = found.iter().filter(|one| one.finding == finding);
        found.map(|one| one.tube.as_str()).collect::<Vec<_>>()
    };
    let detail = json!({
        "box": arrival.box_code, "accepted": with(Finding::Accepted),
        "refused": with(Finding::Refused), "missing": with(Finding::Missing),
        "unexpected": with(Finding::Unexpected),
    });
    let (about, action) = (arrival.id.as_str(), "arrival.record");
    let entry = Entry { at, actor, action, about, detail };
    let tubes = found.iter().map(|one| one.tube.as_str());
    audit::record_about(tx, entry, tubes.chain([arrival.box_code.as_str()])).await?;
    Ok((arrival, found))
}

async fn box_locked(tx: &mut Tx, app: &App, code: &BoxCode) -> Result<StoredBox> {
    box_lock(tx, code).await?;
    box_find(tx, &app.keys, code).await?.ok_or_else(|| {
        Error::invalid(
            "box.unknown",
            "box",
            format!("box {code} has no manifest yet; ask its site to send it, and keep it cool"),
        )
    })
}

/// Now, or just after the newest arrival that concerns the same box or tubes.
async fn after_the_newest(
    tx: &mut Tx,
    code: &BoxCode,
    findings: &Findings,
    now: Time,
) -> Result<Time> {
    let tubes = findings.found.iter().map(|one| &one.tube);
    let newest = store::arrival_newest(tx, code, tubes).await?;
    Ok(newest.map_or(now, |newest| now.max(newest + Span::MICROSECOND)))
}

async fn compare(tx: &mut Tx, stored: &StoredBox, delivery: &Delivery) -> Result<Findings> {
    let manifest: BTreeSet<TubeCode> = stored.manifest.tubes.iter().cloned().collect();
    let concerned: BTreeSet<_> =
        manifest.iter().chain(delivery.scanned.iter().map(|scan| &scan.tube)).collect();
    let known = collection::tubes_find(tx, concerned).await?;
    let known: BTreeMap<_, _> =
        known.into_iter().map(|row| (row.code.clone(), Known::from(row))).collect();
    let comparison = Comparison {
        code: &delivery.code,
        laboratory: &delivery.laboratory,
        manifest: &manifest,
        known: &known,
    };
    Ok(comparison.reconcile(&delivery.scanned))
}

impl From<TubeRow> for Known {
    fn from(row: TubeRow) -> Self {
        Self {
            code: row.code,
            members: row.members,
            is_single: row.size == 1,
            state: row.state,
            laboratory: row.laboratory_code,
        }
    }
}

/// Everything somebody should look into: custody, seal, warmth, age, and odd tubes.
fn warnings(
    stored: &StoredBox,
    delivery: &Delivery,
    findings: &Findings,
    receiver: &str,
) -> Vec<crate::error::Reason> {
    let taken_in: BTreeSet<_> = findings
        .found
        .iter()
        .filter(|one| matches!(one.step, Some((_, TubeState::Received))))
        .map(|one| &one.tube)
        .collect();
    let kept = stored.tubes.iter().filter(|tube| taken_in.contains(&tube.code));
    let kept = kept.map(|tube| Keeping { tube: &tube.code, taken: tube.taken });
    let mut temperatures = stored.temperatures();
    temperatures.extend(delivery.temperature.map(|celsius| ("its arrival".to_owned(), celsius)));
    let mut warnings = rules::box_warnings(&stored.custody, receiver, delivery.seal_intact);
    warnings.extend(keeping_warnings(&delivery.code, kept, &temperatures, delivery.arrived));
    warnings.extend(findings.warnings.iter().cloned());
    warnings
}

/// Moves every tube, one statement for each kind of move.
async fn tubes_move(tx: &mut Tx, found: &[Found], laboratory: &str, at: Time) -> Result<()> {
    let mut moves: BTreeMap<(TubeState, TubeState), Vec<&TubeCode>> = BTreeMap::new();
    for one in found {
        if let Some(step) = one.step {
            moves.entry(step).or_default().push(&one.tube);
        }
    }
    for ((from, to), tubes) in moves {
        let laboratory = (to != TubeState::Missing).then_some(laboratory);
        let step = TubesMove { from, to, at, laboratory };
        if collection::tubes_move(tx, &tubes, step).await? != tubes.len() as u64 {
            return Err(Error::conflict(
                "arrival.concurrent",
                "scanned",
                "another request took one of these tubes just now; send this one again",
            ));
        }
    }
    Ok(())
}

/// Recalls whoever was in a refused tube, notes whose recall a single tube answers, and tells
/// the feed.
async fn tubes_follow_up(tx: &mut Tx, app: &App, found: &[Found], at: Time) -> Result<()> {
    let moved_to =
        |state| found.iter().filter(move |one| one.step.is_some_and(|(_, to)| to == state));
    let received = moved_to(TubeState::Received);
    let singles = received.clone().filter(|one| one.is_single).map(|one| &one.tube);
    let (singles, refused): (Vec<_>, Vec<_>) =
        (singles.collect(), moved_to(TubeState::Refused).map(|one| &one.tube).collect());
    outbox::append(tx, Change::Received, received.map(|one| &one.tube), at).await?;
    outbox::append(tx, Change::Refused, &refused, at).await?;
    recalls_collected(tx, &singles).await?;
    recalls_reopen(tx, &refused).await?;
    let opening = Opening::due_in(RecallReason::Refused, at, app.config.recall_hours);
    recalls_open(tx, &app.clock, &refused, opening).await?;
    Ok(())
}
