//! Versions of kits that people propose, approve and withdraw.

use sqlx::{FromRow, query, query_as, query_scalar};

use super::rules::{Changed, Standing, State};
use super::{Definition, Kit};
use crate::clock::Time;
use crate::error::Result;
use crate::storage::{StoreError, Tx};

/// Code, version, definition, from, until, who, when.
pub const VERSION_ADD: &str = "insert into kit_version (code, version, definition, effective_us,
        until_us, proposed_by, proposed_us)
    values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
/// `$1` code, `$2` version.
pub const VERSION_FIND: &str = "select code, version, definition, effective_us, until_us,
        proposed_by, proposed_us, approved_by, approved_us, changed_calls, changed_verdicts,
        withdrawn_by, withdrawn_us, withdrawn_reason
    from kit_version where code = $1 and version = $2";
/// Nothing: two people write each of these rows by hand, so there are few.
pub const VERSIONS: &str = "select code, version, definition, effective_us, until_us,
        proposed_by, proposed_us, approved_by, approved_us, changed_calls, changed_verdicts,
        withdrawn_by, withdrawn_us, withdrawn_reason
    from kit_version order by code, version";
/// Code, version; changes nothing and keeps everybody else from changing it.
pub const VERSION_LOCK: &str =
    "update kit_version set version = version where code = $1 and version = $2";
/// Code, version, who, when, changed calls and verdicts seen; once, before it is withdrawn.
pub const VERSION_APPROVE: &str = "update kit_version set approved_by = $3, approved_us = $4,
        changed_calls = $5, changed_verdicts = $6
    where code = $1 and version = $2 and approved_by is null and withdrawn_by is null";
/// Code, version, who, when, why; once.
pub const VERSION_WITHDRAW: &str = "update kit_version set withdrawn_by = $3, withdrawn_us = $4,
        withdrawn_reason = $5
    where code = $1 and version = $2 and withdrawn_by is null";
/// `$1` code: whether any version of it was ever proposed.
pub const CODE_FIND: &str = "select count(*) from kit_version where code = $1";
/// Code, version, who, when, why: a version that came with the program; once.
pub const WITHDRAWAL_ADD: &str = "insert into kit_withdrawal (code, version, withdrawn_by,
        withdrawn_us, reason) values ($1, $2, $3, $4, $5) on conflict do nothing";
/// `$1` code, `$2` version.
pub const WITHDRAWAL_FIND: &str = "select code, version, withdrawn_by, reason from kit_withdrawal
    where code = $1 and version = $2";
/// Nothing: there are no more of them than versions that came with the program.
pub const WITHDRAWALS: &str = "select code, version, withdrawn_by, reason from kit_withdrawal
    order by code, version";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("VERSION_ADD", VERSION_ADD),
    ("VERSION_FIND", VERSION_FIND),
    ("VERSIONS", VERSIONS),
    ("VERSION_LOCK", VERSION_LOCK),
    ("VERSION_APPROVE", VERSION_APPROVE),
    ("VERSION_WITHDRAW", VERSION_WITHDRAW),
    ("CODE_FIND", CODE_FIND),
    ("WITHDRAWAL_ADD", WITHDRAWAL_ADD),
    ("WITHDRAWAL_FIND", WITHDRAWAL_FIND),
    ("WITHDRAWALS", WITHDRAWALS),
];

/// A version that was proposed here.
#[derive(Debug, Clone, FromRow)]
pub struct StoredVersion {
    /// Code of the kit.
    pub code: String,
    /// The version.
    pub version: String,
    definition: String,
    /// From when on plates may be made for it.
    #[sqlx(rename = "effective_us")]
    pub effective: Time,
    /// Until when.
    #[sqlx(rename = "until_us")]
    pub until: Option<Time>,
    /// Who proposed it.
    pub proposed_by: String,
    /// When.
    #[sqlx(rename = "proposed_us")]
    pub proposed: Time,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When.
    #[sqlx(rename = "approved_us")]
    pub approved: Option<Time>,
    /// Changed calls the approver had seen.
    pub changed_calls: Option<i64>,
    /// Changed verdicts of plates the approver had seen.
    pub changed_verdicts: Option<i64>,
    /// Who withdrew it.
    pub withdrawn_by: Option<String>,
    /// When.
    #[sqlx(rename = "withdrawn_us")]
    pub withdrawn: Option<Time>,
    /// Why.
    pub withdrawn_reason: Option<String>,
}

/// That a version which came with the program was withdrawn here.
#[derive(Debug, Clone, FromRow)]
pub struct Withdrawal {
    code: String,
    version: String,
    /// Who withdrew it.
    pub withdrawn_by: String,
    /// Why.
    pub reason: String,
}

impl Withdrawal {
    /// Whether it is this version that was withdrawn.
    pub fn is_of(&self, kit: &Definition) -> bool {
        self.code == kit.code && self.version == kit.version
    }
}

impl StoredVersion {
    /// What its approver had seen change.
    pub fn seen(&self) -> Option<Changed> {
        let verdicts = self.changed_verdicts.unwrap_or_default();
        self.changed_calls.map(|calls| Changed { calls, verdicts })
    }

    /// Where it stands.
    pub const fn standing(&self) -> Standing {
        let state = match (&self.approved_by, &self.withdrawn_by) {
            (_, Some(_)) => State::Withdrawn,
            (Some(_), None) => State::Approved,
            (None, None) => State::Proposed,
        };
        Standing { state, effective: Some(self.effective), until: self.until }
    }

    /// The kit as it was proposed.
    pub fn kit(&self) -> Result<Kit> {
        let kit =
            serde_json::from_str(&self.definition).map_err(|error| StoreError::Inconsistent {
                table: "kit_version",
                id: format!("{} {}", self.code, self.version),
                reason: error.to_string(),
            })?;
        Ok(kit)
    }
}

/// The version that was proposed under that code, if one was.
pub async fn version_find(tx: &mut Tx, code: &str, version: &str) -> Result<Option<StoredVersion>> {
    Ok(on!(tx, c => query_as(VERSION_FIND).bind(code).bind(version).fetch_optional(c).await)?)
}

/// Every version that was proposed.
pub async fn versions(tx: &mut Tx) -> Result<Vec<StoredVersion>> {
    Ok(on!(tx, c => query_as(VERSIONS).fetch_all(c).await)?)
}

/// The kit of that code and version, shipped or proposed, and where it stands.
pub async fn kit_find(
    tx: &mut Tx,
    shipped: &[Kit],
    (code, version): (&str, &str),
) -> Result<Option<(Kit, Standing)>> {
    if let Some(kit) = shipped.iter().find(|kit| kit.code == code && kit.version == version) {
        let withdrawal = withdrawal_find(tx, (code, version)).await?;
        return Ok(Some((kit.clone(), Standing::shipped(withdrawal.is_some()))));
    }
    let stored = version_find(tx, code, version).await?;
    stored.map(|stored| Ok((stored.kit()?, stored.standing()))).transpose()
}

/// Whether there is a kit with that code, shipped or proposed.
pub async fn code_is_known(tx: &mut Tx, shipped: &[Kit], code: &str) -> Result<bool> {
    if shipped.iter().any(|kit| kit.code == code) {
        return Ok(true);
    }
    let versions: i64 = on!(tx, c => query_scalar(CODE_FIND).bind(code).fetch_one(c).await)?;
    Ok(versions > 0)
}

/// Writes a proposal; false when there is one under that code and version.
pub async fn version_add(
    tx: &mut Tx,
    kit: &Kit,
    (effective, until): (Time, Option<Time>),
    (account, at): (&str, Time),
) -> Result<bool> {
    let definition = written(kit);
    let added = on!(tx, c => query(VERSION_ADD).bind(&kit.code).bind(&kit.version)
        .bind(&definition).bind(effective).bind(until).bind(account).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(added == 1)
}

fn written(kit: &Kit) -> String {
    serde_json::to_string(&Definition::from(kit.clone())).expect("a kit has only named fields")
}

/// Makes everybody else wait who would approve or withdraw this version.
pub async fn version_lock(tx: &mut Tx, code: &str, version: &str) -> Result<()> {
    on!(tx, c => query(VERSION_LOCK).bind(code).bind(version).execute(c).await.map(drop))?;
    Ok(())
}

/// Approves a proposal; false when somebody did, or withdrew it.
pub async fn version_approve(
    tx: &mut Tx,
    (code, version): (&str, &str),
    (account, at): (&str, Time),
    seen: Changed,
) -> Result<bool> {
    let moved = on!(tx, c => query(VERSION_APPROVE).bind(code).bind(version).bind(account)
        .bind(at).bind(seen.calls).bind(seen.verdicts).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(moved == 1)
}

/// Withdraws a version; false when somebody did.
pub async fn version_withdraw(
    tx: &mut Tx,
    (code, version): (&str, &str),
    (account, at): (&str, Time),
    reason: &str,
) -> Result<bool> {
    let moved = on!(tx, c => query(VERSION_WITHDRAW).bind(code).bind(version).bind(account)
        .bind(at).bind(reason).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(moved == 1)
}

/// That this version, which came with the program, was withdrawn here, if it was.
pub async fn withdrawal_find(
    tx: &mut Tx,
    (code, version): (&str, &str),
) -> Result<Option<Withdrawal>> {
    Ok(on!(tx, c => query_as(WITHDRAWAL_FIND).bind(code).bind(version).fetch_optional(c).await)?)
}

/// Every version that came with the program and was withdrawn here.
pub async fn withdrawals(tx: &mut Tx) -> Result<Vec<Withdrawal>> {
    Ok(on!(tx, c => query_as(WITHDRAWALS).fetch_all(c).await)?)
}

/// Withdraws a version that came with the program; false when somebody did.
pub async fn shipped_withdraw(
    tx: &mut Tx,
    (code, version): (&str, &str),
    (account, at): (&str, Time),
    reason: &str,
) -> Result<bool> {
    let added = on!(tx, c => query(WITHDRAWAL_ADD).bind(code).bind(version).bind(account)
        .bind(at).bind(reason).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(added == 1)
}
