//! Boxes, their manifests and their custody.

use std::collections::BTreeMap;

use sqlx::{FromRow, query, query_as, query_scalar};

use super::{BoxState, Celsius, Custody, Handover, Manifest, Signature, Taker};
use crate::auth::{Actor, Role};
use crate::barcode::{BoxCode, TubeCode};
use crate::clock::Time;
use crate::collection::TubeState;
use crate::error::Result;
use crate::seal::KeyRing;
use crate::storage::{StoreError, Tx, codes, ensure_rows};

/// `$1` box.
pub const BOX_FIND: &str = "select code, site_code, seal, tubes, content_tag, sealed_us, state,
    holder, laboratory_code from box where code = $1";
/// `$1` box; with the moment its first member was swabbed, by our clock.
pub const BOX_TUBES: &str = "select t.code, t.state, coalesce((select min(m.taken_us)
        from member m where m.tube_code = t.code), t.sealed_us) as taken_us
    from box_tube b join tube t on t.code = b.tube_code where b.box_code = $1 order by t.code";
/// `$1` box: the codes alone, as its manifest has them.
pub const BOX_CODES: &str = "select tube_code from box_tube where box_code = $1 order by tube_code";
/// `$1` tubes; the newest seal, by the device's clock or by ours, whichever says less.
pub const TUBES_NEWEST: &str = "select max(case when device_skew_us < 0
        then sealed_us + device_skew_us else sealed_us end)
    from tube where code in (select e.value ->> 'code' from jsonb_each($1) e)";
/// `$1` tubes.
pub const BOXES_OF_TUBES: &str = "select tube_code, box_code from box_tube
    where tube_code in (select e.value ->> 'code' from jsonb_each($1) e)";
/// Code, site, seal, tubes, tag, sealed, recorded, account; a double in a race inserts nothing.
pub const BOX_ADD: &str = "insert into box (code, site_code, seal, tubes, content_tag, sealed_us,
        recorded_us, recorded_by, state, holder)
    values ($1, $2, $3, $4, $5, $6, $7, $8, 'sealed', $8) on conflict do nothing";
/// `$1` tubes, `$2` box; a tube in another box inserts nothing. 200 of them take PostgreSQL 2.5 ms, and
/// 2.1 as a list (`benches/statements.rs`).
pub const BOX_TUBES_ADD: &str = "insert into box_tube (tube_code, box_code)
    select e.value ->> 'code', $2 from jsonb_each($1) e where true on conflict do nothing";
/// `$1` box; makes whoever else changes this box wait until the transaction ends.
pub const BOX_LOCK: &str = "update box set holder = holder where code = $1";
/// Box, new holder, old holder.
pub const BOX_PASS: &str = "update box set holder = $2, state = 'in_transit'
    where code = $1 and holder = $3 and state <> 'arrived'";
/// Box, receiver, laboratory; nothing when it arrived at another.
pub const BOX_ARRIVE: &str = "update box set holder = $2, state = 'arrived', laboratory_code = $3
    where code = $1 and (laboratory_code is null or laboratory_code = $3)";
/// `$1` box.
pub const HANDOVERS: &str = "select step, given_by, given_name, given_us, place, temperature_cdeg,
    taken_by, taken_name, taken_us, withdrawn_us from handover where box_code = $1 order by step";
/// Box, step, giver, giver's name, time, place, temperature, taker.
pub const HANDOVER_ADD: &str = "insert into handover (box_code, step, given_by, given_name,
    given_us, place, temperature_cdeg, taken_by) values ($1, $2, $3, $4, $5, $6, $7, $8)";
/// Box, step, taker's name, time; only once.
pub const HANDOVER_ACCEPT: &str = "update handover set taken_name = $3, taken_us = $4
    where box_code = $1 and step = $2 and taken_us is null and withdrawn_us is null";
/// Box, step, time; only what is open.
pub const HANDOVER_WITHDRAW: &str = "update handover set withdrawn_us = $3
    where box_code = $1 and step = $2 and taken_us is null and withdrawn_us is null";
/// `$1` account.
pub const TAKER_ROLE: &str = "select role from account where id = $1 and disabled_us is null";

#[derive(FromRow)]
struct BoxRow {
    code: BoxCode,
    site_code: String,
    seal: String,
    tubes: i64,
    content_tag: String,
    #[sqlx(rename = "sealed_us")]
    sealed: Time,
    state: BoxState,
    holder: String,
    laboratory_code: Option<String>,
}

/// A tube lying in a box.
#[derive(Debug, Clone, FromRow)]
pub struct BoxTube {
    /// Its code.
    pub code: TubeCode,
    /// Where it is on its way.
    pub state: TubeState,
    /// When its first member was swabbed, the device's skew taken off.
    #[sqlx(rename = "taken_us")]
    pub taken: Time,
}

#[derive(FromRow)]
struct HandoverRow {
    step: i64,
    given_by: String,
    given_name: String,
    given_us: Time,
    place: String,
    temperature_cdeg: Option<Celsius>,
    taken_by: String,
    taken_name: Option<String>,
    taken_us: Option<Time>,
    withdrawn_us: Option<Time>,
}

impl From<HandoverRow> for Handover {
    fn from(row: HandoverRow) -> Self {
        let taken = row.taken_name.zip(row.taken_us).map(|(name, at)| Signature {
            account: row.taken_by.clone(),
            name,
            at,
        });
        Self {
            step: row.step,
            given: Signature { account: row.given_by, name: row.given_name, at: row.given_us },
            to: row.taken_by,
            place: row.place,
            temperature: row.temperature_cdeg,
            taken,
            withdrawn: row.withdrawn_us,
        }
    }
}

/// A box as it is stored.
#[derive(Debug, Clone)]
pub struct StoredBox {
    /// What was sealed.
    pub manifest: Manifest,
    /// The same tubes, with where they are.
    pub tubes: Vec<BoxTube>,
    /// Who has it.
    pub custody: Custody,
}

/// Refuses whoever works at another site than the one that sealed the box or, once it arrived, in
/// another laboratory.
fn shown(actor: &Actor, site: &str, custody: &Custody) -> Result<()> {
    actor.at_site(site)?;
    custody.laboratory.as_deref().map_or(Ok(()), |code| actor.in_laboratory(code))
}

impl StoredBox {
    /// Refuses whoever may not see it.
    pub fn shown_to(&self, actor: &Actor) -> Result<()> {
        shown(actor, &self.manifest.site, &self.custody)
    }

    /// What its thermometer showed, with where it was read.
    pub fn temperatures(&self) -> Vec<(String, Celsius)> {
        let steps = self.custody.steps.iter();
        steps.filter_map(|step| Some((format!("step {}", step.step), step.temperature?))).collect()
    }
}

async fn row_find(tx: &mut Tx, code: &BoxCode) -> Result<Option<BoxRow>> {
    Ok(on!(tx, c => query_as(BOX_FIND).bind(code).fetch_optional(c).await)?)
}

impl BoxRow {
    /// What was sealed, with these tubes; it must be what its tag was made of (R11).
    fn manifest(&self, keys: &KeyRing, tubes: Vec<TubeCode>) -> Result<Manifest, StoreError> {
        let manifest = Manifest {
            code: self.code.clone(),
            site: self.site_code.clone(),
            seal: self.seal.clone(),
            sealed: self.sealed,
            tubes,
        };
        let count = manifest.tubes.len();
        if i64::try_from(count) == Ok(self.tubes) && manifest.tag(keys) == self.content_tag {
            return Ok(manifest);
        }
        let reason = format!("{count} of its {} tubes are stored, or a field differs", self.tubes);
        Err(StoreError::Inconsistent { table: "box", id: self.code.to_string(), reason })
    }

    /// Who has it, with its hand-overs.
    async fn custody(self, tx: &mut Tx) -> Result<Custody> {
        let code = &self.code;
        let steps: Vec<HandoverRow> =
            on!(tx, c => query_as(HANDOVERS).bind(code).fetch_all(c).await)?;
        Ok(Custody {
            code: self.code,
            state: self.state,
            holder: self.holder,
            laboratory: self.laboratory_code,
            sealed: self.sealed,
            steps: steps.into_iter().map(Handover::from).collect(),
        })
    }
}

/// Who has the box, for somebody who may see it. Its manifest is checked, and its tubes are left
/// where they lie: a hand-over shows none of them.
pub async fn custody_find(
    tx: &mut Tx,
    (keys, actor): (&KeyRing, &Actor),
    code: &BoxCode,
) -> Result<Option<Custody>> {
    let Some(row) = row_find(tx, code).await? else { return Ok(None) };
    let tubes = on!(tx, c => query_scalar(BOX_CODES).bind(code).fetch_all(c).await)?;
    let Manifest { site, .. } = row.manifest(keys, tubes)?;
    let custody = row.custody(tx).await?;
    shown(actor, &site, &custody)?;
    Ok(Some(custody))
}

/// The box with its tubes and hand-overs; its manifest is checked against the tag it was sealed
/// with.
pub async fn box_find(tx: &mut Tx, keys: &KeyRing, code: &BoxCode) -> Result<Option<StoredBox>> {
    let Some(row) = row_find(tx, code).await? else { return Ok(None) };
    let tubes: Vec<BoxTube> = on!(tx, c => query_as(BOX_TUBES).bind(code).fetch_all(c).await)?;
    let manifest = row.manifest(keys, tubes.iter().map(|tube| tube.code.clone()).collect())?;
    let custody = row.custody(tx).await?;
    Ok(Some(StoredBox { manifest, tubes, custody }))
}

/// The boxes those of `tubes` lie in that were packed.
pub async fn boxes_of_tubes(
    tx: &mut Tx,
    tubes: &[TubeCode],
) -> Result<BTreeMap<TubeCode, BoxCode>> {
    let tubes = codes(tubes);
    let rows: Vec<(TubeCode, BoxCode)> =
        on!(tx, c => query_as(BOXES_OF_TUBES).bind(&tubes).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

/// When the newest of these tubes was sealed.
pub async fn tubes_newest(tx: &mut Tx, tubes: &[TubeCode]) -> Result<Option<Time>> {
    let tubes = codes(tubes);
    Ok(on!(tx, c => query_scalar(TUBES_NEWEST).bind(&tubes).fetch_one(c).await)?)
}

/// A box to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewBox<'a> {
    /// What is in it.
    pub manifest: &'a Manifest,
    /// Its fingerprint.
    pub tag: &'a str,
    /// Who sealed it and has it.
    pub by: &'a Actor,
    /// The server's time.
    pub at: Time,
}

/// Stores the box and its manifest; false when another request stored the box or took one of
/// its tubes a moment before.
pub async fn box_add(tx: &mut Tx, new: NewBox<'_>) -> Result<bool> {
    let NewBox { manifest, tag, by, at } = new;
    let (tubes, count) = (codes(&manifest.tubes), manifest.tubes.len() as u64);
    let added = on!(tx, c => query(BOX_ADD).bind(&manifest.code).bind(&manifest.site)
        .bind(&manifest.seal).bind(i64::try_from(count).unwrap_or(i64::MAX)).bind(tag)
        .bind(manifest.sealed).bind(at).bind(&by.account)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if added == 0 {
        return Ok(false);
    }
    let packed = on!(tx, c => query(BOX_TUBES_ADD).bind(&tubes).bind(&manifest.code)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(packed == count)
}

/// Makes whoever else changes this box wait; false when there is no such box.
pub async fn box_lock(tx: &mut Tx, code: &BoxCode) -> Result<bool> {
    let found = on!(tx, c => query(BOX_LOCK).bind(code)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(found == 1)
}

/// The box is in the laboratory, in the hands of the account that took it in.
pub async fn box_arrive(
    tx: &mut Tx,
    code: &BoxCode,
    receiver: &str,
    laboratory: &str,
) -> Result<()> {
    let moved = on!(tx, c => query(BOX_ARRIVE).bind(code).bind(receiver).bind(laboratory)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("BOX_ARRIVE", 1, moved)?)
}

/// The account that is to take a box.
pub async fn taker_find(tx: &mut Tx, account: &str) -> Result<Taker> {
    let role: Option<Role> =
        on!(tx, c => query_scalar(TAKER_ROLE).bind(account).fetch_optional(c).await)?;
    Ok(Taker { account: account.to_owned(), role })
}

/// Stores a step with its first signature.
pub async fn handover_add(tx: &mut Tx, code: &BoxCode, handover: &Handover) -> Result<()> {
    let given = &handover.given;
    on!(tx, c => query(HANDOVER_ADD).bind(code).bind(handover.step).bind(&given.account)
        .bind(&given.name).bind(given.at).bind(&handover.place).bind(handover.temperature)
        .bind(&handover.to).execute(c).await.map(drop))?;
    Ok(())
}

/// Takes an open step back; the box stays with its holder.
pub async fn handover_withdraw(tx: &mut Tx, code: &BoxCode, step: i64, at: Time) -> Result<()> {
    let withdrawn = on!(tx, c => query(HANDOVER_WITHDRAW).bind(code).bind(step).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("HANDOVER_WITHDRAW", 1, withdrawn)?)
}

/// Puts the second signature under a step and passes custody.
pub async fn handover_accept(
    tx: &mut Tx,
    code: &BoxCode,
    handover: &Handover,
    taken: &Signature,
) -> Result<()> {
    let signed = on!(tx, c => query(HANDOVER_ACCEPT).bind(code).bind(handover.step)
        .bind(&taken.name).bind(taken.at).execute(c).await.map(|done| done.rows_affected()))?;
    ensure_rows("HANDOVER_ACCEPT", 1, signed)?;
    let passed = on!(tx, c => query(BOX_PASS).bind(code).bind(&taken.account)
        .bind(&handover.given.account).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("BOX_PASS", 1, passed)?)
}

/// Every statement of this file, so that a test can prepare each on both engines.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("BOX_FIND", BOX_FIND),
    ("BOX_TUBES", BOX_TUBES),
    ("BOX_CODES", BOX_CODES),
    ("TUBES_NEWEST", TUBES_NEWEST),
    ("BOXES_OF_TUBES", BOXES_OF_TUBES),
    ("BOX_ADD", BOX_ADD),
    ("BOX_TUBES_ADD", BOX_TUBES_ADD),
    ("BOX_LOCK", BOX_LOCK),
    ("BOX_PASS", BOX_PASS),
    ("BOX_ARRIVE", BOX_ARRIVE),
    ("HANDOVERS", HANDOVERS),
    ("HANDOVER_ADD", HANDOVER_ADD),
    ("HANDOVER_ACCEPT", HANDOVER_ACCEPT),
    ("HANDOVER_WITHDRAW", HANDOVER_WITHDRAW),
    ("TAKER_ROLE", TAKER_ROLE),
];
