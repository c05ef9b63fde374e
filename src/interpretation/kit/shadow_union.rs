//! What all shadow runs of a version showed together, and which runs it can be tried on.
//!
//! The proposer chooses what is read in shadow, so nothing that was shown is forgotten: each stored
//! run counts once, as it was read last.

use std::collections::BTreeMap;

use sqlx::{FromRow, query_as, query_scalar};

use super::rules::{Changed, Shown, StoredRuns, measures_alike, reads_alike};
use super::shadow::Difference;
use super::{Kit, shadow_store, store};
use crate::auth::Actor;
use crate::error::Result;
use crate::storage::{Tx, codes};

/// `$1` kit, `$2` version: each run that was read with it in shadow, oldest shadow run first.
pub const SHOWN: &str = "select d.shadow_id, d.run_id, d.difference, p.laboratory_code, r.kit_code,
        r.kit_version, r.state
    from shadow s join shadow_run d on d.shadow_id = s.id join run r on r.id = d.run_id
        join plate p on p.code = r.plate_code
    where s.kit_code = $1 and s.kit_version = $2 order by s.ran_us, s.id";
/// The last run that is not void.
pub const RUN_ANY: &str = "select id from run where state <> 'void'
    order by imported_us desc, id desc limit 1";
/// `$1` kit, `$2` version: the last run that is not void and was called with it.
pub const RUN_OF: &str = "select id from run
    where kit_code = $1 and kit_version = $2 and state <> 'void'
    order by imported_us desc limit 1";
/// `$1` kit, `$2` version: the last run that is not void and in which something was detected.
pub const DETECTED_ANY: &str = "select r.id from run r
    where r.kit_code = $1 and r.kit_version = $2 and r.state <> 'void'
        and (select min(c.tube_code) from call c
            where c.run_id = r.id and c.outcome = 'detected') is not null
    order by r.imported_us desc limit 1";
/// `$1` runs: tubes in which something was detected.
pub const DETECTED: &str = "select count(*) from call where outcome = 'detected'
    and run_id in (select e.value ->> 'code' from jsonb_each($1) e)";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("SHOWN", SHOWN),
    ("RUN_ANY", RUN_ANY),
    ("RUN_OF", RUN_OF),
    ("DETECTED_ANY", DETECTED_ANY),
    ("DETECTED", DETECTED),
];

#[derive(FromRow)]
struct ShownRow {
    shadow_id: String,
    run_id: String,
    difference: String,
    laboratory_code: String,
    kit_code: String,
    kit_version: String,
    state: String,
}

/// A stored run as it was last read in shadow.
#[derive(Debug)]
pub struct ShownRun {
    id: String,
    /// What the version would have made of it.
    pub difference: Difference,
    /// Whether the asker may see it.
    pub is_seen: bool,
    /// Whether it is void by now.
    is_void: bool,
    kit: (String, String),
}

/// Every run that was read with this version in shadow, each once, in the order of their ids.
pub async fn shown_runs(
    tx: &mut Tx,
    actor: &Actor,
    (code, version): (&str, &str),
) -> Result<Vec<ShownRun>> {
    let rows: Vec<ShownRow> =
        on!(tx, c => query_as(SHOWN).bind(code).bind(version).fetch_all(c).await)?;
    let last: BTreeMap<String, ShownRow> =
        rows.into_iter().map(|row| (row.run_id.clone(), row)).collect();
    let read = |row: ShownRow| {
        Ok(ShownRun {
            id: row.run_id,
            difference: shadow_store::read(&row.shadow_id, &row.difference)?,
            is_seen: actor.in_laboratory(&row.laboratory_code).is_ok(),
            is_void: row.state == "void",
            kit: (row.kit_code, row.kit_version),
        })
    };
    last.into_values().map(read).collect()
}

/// What changed over all of them.
pub fn changed(runs: &[ShownRun]) -> Changed {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Changed {
        calls: count(runs.iter().map(|run| run.difference.changed.len()).sum()),
        verdicts: count(runs.iter().filter(|run| run.difference.verdict.is_some()).count()),
    }
}

/// What an approval of this kit looks at: the runs there are to try it on, and what was shown.
pub async fn evidence(
    tx: &mut Tx,
    actor: &Actor,
    shipped: &[Kit],
    kit: &Kit,
) -> Result<(StoredRuns, Shown)> {
    // Each with whether its runs could be read.
    let mut alike = BTreeMap::new();
    let mut stored = StoredRuns::None;
    let any: Option<String> = on!(tx, c => query_scalar(RUN_ANY).fetch_optional(c).await)?;
    if any.is_some() {
        stored = StoredRuns::Others;
        let mut kits = shipped.to_vec();
        for version in store::versions(tx).await? {
            kits.push(version.kit()?);
        }
        for other in kits.iter().filter(|other| reads_alike(kit, other)) {
            if has_run(tx, RUN_OF, other).await? {
                let version = (other.code.clone(), other.version.clone());
                alike.insert(version, measures_alike(kit, other));
                let detected =
                    stored == StoredRuns::AlikeDetected || has_run(tx, DETECTED_ANY, other).await?;
                stored = if detected { StoredRuns::AlikeDetected } else { StoredRuns::Alike };
            }
        }
    }
    let runs = shown_runs(tx, actor, (&kit.code, &kit.version)).await?;
    let count = |is: &dyn Fn(&ShownRun) -> bool| {
        i64::try_from(runs.iter().filter(|run| is(run)).count()).unwrap_or(i64::MAX)
    };
    // Where a run could have been read and was not, for its reactions are called otherwise, a lost
    // positive would not show. One that is measured otherwise shows that all of its calls are lost.
    let is_alike = |run: &ShownRun| {
        let readable = alike.get(&run.kit);
        let shows = |readable: &bool| run.difference.refusals.is_empty() || !readable;
        !run.is_void && readable.is_some_and(shows)
    };
    let list = codes(runs.iter().filter(|run| is_alike(run)).map(|run| &run.id));
    let detected: i64 = on!(tx, c => query_scalar(DETECTED).bind(&list).fetch_one(c).await)?;
    let shown = Shown {
        runs: count(&|run| !run.is_void),
        alike: count(&is_alike),
        detected,
        changed: changed(&runs),
        unseen: count(&|run| !run.is_seen),
    };
    Ok((stored, shown))
}

/// Whether a statement finds something of this kit.
async fn has_run(tx: &mut Tx, sql: &'static str, kit: &Kit) -> Result<bool> {
    let found: Option<String> = on!(tx, c => query_scalar(sql).bind(&kit.code).bind(&kit.version)
        .fetch_optional(c).await)?;
    Ok(found.is_some())
}
