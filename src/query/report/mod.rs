//! The report of a released result, with every field of ISO 15189:2022 7.4.1.6 and, where it was
//! amended, all its versions (7.4.1.8).
//!
//! A report is made when somebody asks for it and proves that it is theirs; it is stored nowhere.

mod pdf;
mod store;

pub use pdf::{Row, Sheet, pdf};
pub use store::STATEMENTS;

use serde_json::json;

use super::ToldOutcome;
use super::lookup::resident;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::clock::Time;
use crate::collection::person::{Identity, identity_place, identity_row};
use crate::error::{Error, Result};
use crate::interpretation::Target;
use crate::plate::TargetRole;
use crate::seal::PersonKey;
use crate::storage::{Channel, StoreError};

/// What stands on a report.
///
/// It has no `Debug`, because it carries a name.
pub struct Report {
    /// The result: `T0000000001T.1`.
    pub id: String,
    /// Which version of it.
    pub version: i64,
    /// What it says.
    pub outcome: ToldOutcome,
    /// The code of the reason, where it is an amendment.
    pub reason: Option<String>,
    /// The rule that released it, where none of the two people did.
    pub rule: Option<String>,
    /// When it was released.
    pub released: Time,
    /// Whoever released it.
    pub released_by: String,
    /// Whoever reviewed the run.
    pub reviewed_by: String,
    /// The specimen.
    pub tube: String,
    /// The person's place in it.
    pub position: i64,
    /// What was taken.
    pub specimen: String,
    /// Who asked for it: the round.
    pub round: String,
    /// Where it was taken.
    pub site: String,
    /// When it was taken.
    pub taken: Time,
    /// When the laboratory received it.
    pub received: Option<Time>,
    /// The laboratory.
    pub laboratory: String,
    /// Where that is.
    pub address: String,
    /// The kit, with its version.
    pub examination: String,
    /// The targets that were looked for.
    pub targets: Vec<String>,
    /// People whose swabs were read together.
    pub pooled: i64,
    /// The name in the document.
    pub name: String,
    /// The document's number, all but its ends hidden.
    pub number: String,
    /// Every version there was before, oldest first.
    pub before: Vec<Version>,
}

/// An earlier version of a result.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Version {
    /// Its number.
    pub version: i64,
    /// What it said.
    pub outcome: ToldOutcome,
    /// When it was released.
    #[sqlx(rename = "released_us")]
    pub released: Time,
}

/// The report of what this person was told last; it leaves an audit row, because it shows a name
/// (R32). None where nothing was told.
pub async fn report(app: &App, person: &PersonKey) -> Result<Option<Report>> {
    let gone = |_closed| Error::Internal("reports are not read any more".to_owned());
    let turn = app.report_reads.acquire().await.map_err(gone)?;
    let mut tx = app.db.ask("status.report").await?;
    let Some(row) = store::report_find(&mut tx, person).await? else { return Ok(None) };
    let before = store::versions_before(&mut tx, (&row.tube, row.version)).await?;
    let kit = app.kit(&mut tx, &row.kit_code, &row.kit_version).await?;
    drop((tx, turn));
    let sealed_for = identity_row(person, &row.identity_tag);
    let spoiled = |reason: String| StoreError::Inconsistent {
        table: "person",
        id: sealed_for.clone(),
        reason,
    };
    let clear = app
        .keys
        .open(identity_place(&sealed_for), &row.identity)
        .map_err(|fault| spoiled(fault.to_string()))?;
    let identity: Identity = serde_json::from_slice(&clear)
        .map_err(|_may_quote| spoiled("it is no identity".to_owned()))?;
    let actor = resident();
    let detail = json!({ "result": row.id });
    let (at, about) = (app.clock.now(), person.as_str());
    let mut tx = app.db.write_on(Channel::Query, "status.report").await?;
    audit::record(&mut tx, Entry { at, actor: &actor, action: "status.report", about, detail })
        .await?;
    tx.commit().await?;
    let pathogen = |target: &&Target| target.role == TargetRole::Pathogen;
    let targets = kit.targets().map(|(_, target)| target).filter(pathogen);
    let targets = targets.map(|target| target.code.clone()).collect();
    Ok(Some(Report {
        examination: format!("{} ({} {})", kit.name, kit.code, kit.version),
        targets,
        id: row.id,
        version: row.version,
        outcome: row.outcome,
        reason: row.reason,
        rule: row.rule,
        released: row.released,
        released_by: row.released_by,
        reviewed_by: row.reviewed_by,
        tube: row.tube,
        position: row.position,
        specimen: row.specimen,
        round: row.round,
        site: row.site,
        taken: row.taken,
        received: row.received,
        laboratory: row.laboratory,
        address: row.address,
        pooled: row.pooled,
        name: identity.name,
        number: masked(&identity.number),
        before,
    }))
}

/// A number with nothing but its first three and last four characters, and of a short one the last
/// two.
fn masked(number: &str) -> String {
    let characters: Vec<char> = number.chars().collect();
    let (start, end) = if characters.len() >= 12 { (3, 4) } else { (0, 2) };
    let hidden = characters.len().saturating_sub(end);
    let shown = |(at, c): (usize, &char)| if at < start || at >= hidden { *c } else { '*' };
    characters.iter().enumerate().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_on_paper_shows_its_ends_alone() {
        assert_eq!(masked("110105194912310021"), "110***********0021");
        assert_eq!(masked("P1234567"), "******67");
        assert_eq!(masked("7"), "7");
        assert_eq!(masked(""), "");
    }
}
