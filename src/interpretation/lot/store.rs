//! Lots, what was issued of them, and what holds a run.

use std::collections::BTreeMap;

use sqlx::{FromRow, query, query_as, query_scalar};

use super::rules::{self, RunFacts};
use super::{LotCount, LotKey};
use crate::clock::Time;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::storage::{Tx, codes};

/// Laboratory, kit, lot, expiry, reactions, who, when; nothing without such a laboratory.
pub const LOT_ADD: &str = "insert into lot (laboratory_code, kit_code, lot, expires_us, reactions,
        registered_by, registered_us)
    select code, cast($2 as text), cast($3 as text), cast($4 as bigint), cast($5 as bigint),
        cast($6 as text), cast($7 as bigint)
    from laboratory where code = $1 on conflict do nothing";
/// Laboratory, kit, lot; changes nothing and keeps everybody else from filling from it.
pub const LOT_LOCK: &str = "update lot set lot = lot
    where laboratory_code = $1 and kit_code = $2 and lot = $3";
/// Laboratory, kit, lot. A draft has used nothing, nor have the wells of a plate that was stamped
/// onto another, which are not run; those of the other are counted.
pub const LOT_FIND: &str = "select l.laboratory_code, l.kit_code, l.lot, l.expires_us, l.reactions,
        (select cast(coalesce(sum(i.reactions), 0) as bigint) from lot_issue i
            where i.laboratory_code = l.laboratory_code and i.kit_code = l.kit_code
                and i.lot = l.lot) as issued,
        (select cast(coalesce(sum(d.reactions), 0) as bigint) from lot_delivery d
            where d.laboratory_code = l.laboratory_code and d.kit_code = l.kit_code
                and d.lot = l.lot) as delivered,
        (select cast(coalesce(sum(p.reactions), 0) as bigint) from plate p
            where p.laboratory_code = l.laboratory_code and p.kit_code = l.kit_code
                and p.lot = l.lot and p.reactions is not null
                and not exists (select 1 from stamp s join plate o on o.code = s.plate_code
                    where s.source_plate = p.code and o.state <> 'draft')) as used
    from lot l where l.laboratory_code = $1 and l.kit_code = $2 and l.lot = $3";
/// `$1` laboratory, then the last lot of the page before, and how many.
pub const LOTS: &str = "select l.laboratory_code, l.kit_code, l.lot, l.expires_us, l.reactions,
        (select cast(coalesce(sum(i.reactions), 0) as bigint) from lot_issue i
            where i.laboratory_code = l.laboratory_code and i.kit_code = l.kit_code
                and i.lot = l.lot) as issued,
        (select cast(coalesce(sum(d.reactions), 0) as bigint) from lot_delivery d
            where d.laboratory_code = l.laboratory_code and d.kit_code = l.kit_code
                and d.lot = l.lot) as delivered,
        (select cast(coalesce(sum(p.reactions), 0) as bigint) from plate p
            where p.laboratory_code = l.laboratory_code and p.kit_code = l.kit_code
                and p.lot = l.lot and p.reactions is not null
                and not exists (select 1 from stamp s join plate o on o.code = s.plate_code
                    where s.source_plate = p.code and o.state <> 'draft')) as used
    from lot l where (cast($1 as text) is null or l.laboratory_code = $1)
        and (l.laboratory_code, l.kit_code, l.lot) > ($2, $3, $4)
    order by l.laboratory_code, l.kit_code, l.lot limit $5";
/// Id, laboratory, kit, lot, reactions, who, when.
pub const ISSUE_ADD: &str = "insert into lot_issue (id, laboratory_code, kit_code, lot, reactions,
        issued_by, issued_us) values ($1, $2, $3, $4, $5, $6, $7)";
/// Id, laboratory, kit, lot, reactions, who, when.
pub const DELIVERY_ADD: &str = "insert into lot_delivery (id, laboratory_code, kit_code, lot,
        reactions, delivered_by, delivered_us) values ($1, $2, $3, $4, $5, $6, $7)";
/// Laboratory, kit, lot, who, when; once for each person.
pub const CONFIRMATION_ADD: &str = "insert into lot_confirmation (laboratory_code, kit_code, lot,
        confirmed_by, confirmed_us) values ($1, $2, $3, $4, $5) on conflict do nothing";
/// `$1` runs. A plate that has a run is frozen; one without such a time is judged by when its run
/// came in, which is nothing for one that came in another's place.
pub const RUN_FACTS: &str = "select r.id, p.lot, l.expires_us,
        coalesce(p.frozen_us, r.imported_us) as filled_us,
        case when not exists (select 1 from run_replacement x where x.run_id = r.id)
            then r.imported_us end as came_us,
        coalesce(k.withdrawn_us, s.withdrawn_us) as withdrawn_us,
        cast(case when l.registered_us > p.frozen_us and not exists (
                select 1 from lot_confirmation c where c.laboratory_code = l.laboratory_code
                    and c.kit_code = l.kit_code and c.lot = l.lot
                    and c.confirmed_by <> r.imported_by)
            then 1 else 0 end as bigint) as unconfirmed
    from run r join plate p on p.code = r.plate_code
        left join lot l on l.laboratory_code = p.laboratory_code and l.kit_code = r.kit_code
            and l.lot = p.lot
        left join kit_version k on k.code = r.kit_code and k.version = r.kit_version
        left join kit_withdrawal s on s.code = r.kit_code and s.version = r.kit_version
    where r.id in (select e.value ->> 'code' from jsonb_each($1) e)";
/// `$1` laboratory.
pub const LABORATORY: &str = "select count(*) from laboratory where code = $1";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("LOT_ADD", LOT_ADD),
    ("LOT_LOCK", LOT_LOCK),
    ("LOT_FIND", LOT_FIND),
    ("LOTS", LOTS),
    ("ISSUE_ADD", ISSUE_ADD),
    ("DELIVERY_ADD", DELIVERY_ADD),
    ("CONFIRMATION_ADD", CONFIRMATION_ADD),
    ("RUN_FACTS", RUN_FACTS),
    ("LABORATORY", LABORATORY),
];

/// A lot with its counts.
#[derive(Debug, Clone)]
pub struct StoredLot {
    /// The laboratory that has it.
    pub laboratory: String,
    /// Code of the kit.
    pub kit: String,
    /// Its number.
    pub lot: String,
    /// Reactions it was registered with.
    pub registered: i64,
    /// What became of its reactions.
    pub count: LotCount,
}

#[derive(FromRow)]
struct LotRow {
    laboratory_code: String,
    kit_code: String,
    lot: String,
    #[sqlx(rename = "expires_us")]
    expires: Time,
    reactions: i64,
    issued: i64,
    delivered: i64,
    used: i64,
}

#[derive(FromRow)]
struct FactsRow {
    id: String,
    lot: Option<String>,
    #[sqlx(rename = "expires_us")]
    expires: Option<Time>,
    #[sqlx(rename = "filled_us")]
    filled: Time,
    #[sqlx(rename = "came_us")]
    came: Option<Time>,
    #[sqlx(rename = "withdrawn_us")]
    withdrawn: Option<Time>,
    unconfirmed: i64,
}

impl From<LotRow> for StoredLot {
    fn from(row: LotRow) -> Self {
        let LotRow { expires, reactions: registered, issued, delivered, used, .. } = row;
        let received = registered + delivered;
        Self {
            laboratory: row.laboratory_code,
            kit: row.kit_code,
            lot: row.lot,
            registered,
            count: LotCount { expires, received, issued, used },
        }
    }
}

/// The lot, if it was registered.
pub async fn lot_find(tx: &mut Tx, key: LotKey<'_>) -> Result<Option<StoredLot>> {
    let row: Option<LotRow> = on!(tx, c => query_as(LOT_FIND).bind(key.laboratory).bind(key.kit)
        .bind(key.lot).fetch_optional(c).await)?;
    Ok(row.map(StoredLot::from))
}

/// Makes everybody else wait who would fill or issue from this lot.
pub async fn lot_lock(tx: &mut Tx, key: LotKey<'_>) -> Result<()> {
    on!(tx, c => query(LOT_LOCK).bind(key.laboratory).bind(key.kit).bind(key.lot)
        .execute(c).await.map(drop))?;
    Ok(())
}

/// Registers a lot; false when it was, and not found without such a laboratory.
pub async fn lot_add(
    tx: &mut Tx,
    key: LotKey<'_>,
    (expires, reactions): (Time, i64),
    (account, at): (&str, Time),
) -> Result<bool> {
    let laboratories: i64 =
        on!(tx, c => query_scalar(LABORATORY).bind(key.laboratory).fetch_one(c).await)?;
    if laboratories == 0 {
        return Err(Error::not_found("laboratory", key.laboratory));
    }
    let added = on!(tx, c => query(LOT_ADD).bind(key.laboratory).bind(key.kit).bind(key.lot)
        .bind(expires).bind(reactions).bind(account).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(added == 1)
}

/// Lots after this one, of one laboratory or of all.
pub async fn lots(
    tx: &mut Tx,
    laboratory: Option<&str>,
    after: LotKey<'_>,
    rows: i64,
) -> Result<Vec<StoredLot>> {
    let found: Vec<LotRow> = on!(tx, c => query_as(LOTS).bind(laboratory).bind(after.laboratory)
        .bind(after.kit).bind(after.lot).bind(rows).fetch_all(c).await)?;
    Ok(found.into_iter().map(StoredLot::from).collect())
}

/// Keeps that somebody read the lot's label too; false when they had.
pub async fn lot_confirm(
    tx: &mut Tx,
    key: LotKey<'_>,
    (account, at): (&str, Time),
) -> Result<bool> {
    let added = on!(tx, c => query(CONFIRMATION_ADD).bind(key.laboratory).bind(key.kit)
        .bind(key.lot).bind(account).bind(at).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(added == 1)
}

/// Which way reactions of a lot go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booking {
    /// A further delivery came in.
    Delivery,
    /// They leave for the bench.
    Issue,
}

/// Books reactions on a lot.
pub async fn booking_add(
    tx: &mut Tx,
    id: &str,
    key: LotKey<'_>,
    (booking, reactions): (Booking, i64),
    (account, at): (&str, Time),
) -> Result<()> {
    let sql = match booking {
        Booking::Delivery => DELIVERY_ADD,
        Booking::Issue => ISSUE_ADD,
    };
    on!(tx, c => query(sql).bind(id).bind(key.laboratory).bind(key.kit).bind(key.lot)
        .bind(reactions).bind(account).bind(at).execute(c).await.map(drop))?;
    Ok(())
}

/// Why so many wells may not be filled from this lot now. A lot nobody registered is no reason: its
/// run is held.
pub async fn against_filling(
    tx: &mut Tx,
    key: LotKey<'_>,
    wells: usize,
    at: Time,
) -> Result<Vec<Reason>> {
    let wells = i64::try_from(wells).unwrap_or(i64::MAX);
    let found = lot_find(tx, key).await?;
    Ok(found
        .map_or_else(Vec::new, |found| rules::against_filling(key.lot, &found.count, wells, at)))
}

/// Why a run is held.
pub async fn holds(tx: &mut Tx, run: &str, lot_keeping: bool) -> Result<Vec<Reason>> {
    let held = holds_of(tx, &[run], lot_keeping).await?.remove(run);
    held.ok_or_else(|| Error::not_found("run", run))
}

/// Why each of these runs is held.
pub async fn holds_of(
    tx: &mut Tx,
    runs: &[&str],
    lot_keeping: bool,
) -> Result<BTreeMap<String, Vec<Reason>>> {
    let list = codes(runs);
    let rows: Vec<FactsRow> = on!(tx, c => query_as(RUN_FACTS).bind(&list).fetch_all(c).await)?;
    let held = |FactsRow { id, lot, expires, filled, came, withdrawn, unconfirmed }| {
        let unconfirmed = unconfirmed == 1;
        let facts = RunFacts { lot, expires, unconfirmed, filled, came, withdrawn };
        (id, rules::holds(&facts, lot_keeping))
    };
    Ok(rows.into_iter().map(held).collect())
}

/// Refuses to go on with a run that is held, with every reason.
pub async fn refuse_held(tx: &mut Tx, run: &str, lot_keeping: bool) -> Result<()> {
    refuse_if_any(holds(tx, run, lot_keeping).await?)
}
