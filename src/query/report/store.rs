//! What a report is made of, as it is stored.

use sqlx::{FromRow, query_as};

use super::Version;
use crate::clock::Time;
use crate::error::Result;
use crate::query::ToldOutcome;
use crate::seal::PersonKey;
use crate::storage::Tx;

/// `$1` person: the result they were told last, with where it comes from.
pub const REPORT_FIND: &str = "select v.id, v.version, v.outcome, v.reason, v.rule, v.released_us,
        v.tube_code as tube, m.position, m.taken_us, m.identity_tag, p.identity,
        coalesce(o.specimen, '') as specimen, coalesce(o.name || ', ' || o.area, '') as round,
        coalesce(i.name || ', ' || i.area, t.site_code) as site,
        coalesce(l.name, '') as laboratory, coalesce(l.address, '') as address,
        r.kit_code, r.kit_version, coalesce(s.pooled, t.members) as pooled,
        (select min(a.arrived_us) from arrival_tube f join arrival a on a.id = f.arrival_id
            where f.tube_code = v.tube_code and f.finding in ('accepted', 'unexpected'))
            as received_us,
        (select g.signer from signature g where g.id = v.signature_id) as released_by,
        coalesce((select g.signer from signature g where g.about = v.run_id
            and g.meaning = 'review' order by g.signed_us desc, g.id desc limit 1), '')
            as reviewed_by
    from status s
        join result v on v.id = s.result_id
        join tube t on t.code = v.tube_code
        join member m on m.person_key = s.person_key and m.tube_code = v.tube_code
        join person p on p.key = m.person_key and p.identity_tag = m.identity_tag
        join run r on r.id = v.run_id
        join plate b on b.code = r.plate_code
        left join laboratory l on l.code = b.laboratory_code
        left join site i on i.code = t.site_code
        left join round o on o.code = t.round_code
    where s.person_key = $1";
/// `$1` tube, `$2` version: those before it.
pub const VERSIONS_BEFORE: &str = "select version, outcome, released_us from result
    where tube_code = $1 and version < $2 order by version";
/// Every statement of this file, by name.
pub const STATEMENTS: &[(&str, &str)] =
    &[("REPORT_FIND", REPORT_FIND), ("VERSIONS_BEFORE", VERSIONS_BEFORE)];

/// One report as it is stored; the identity is sealed.
#[derive(FromRow)]
pub(super) struct ReportRow {
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) outcome: ToldOutcome,
    pub(super) reason: Option<String>,
    pub(super) rule: Option<String>,
    #[sqlx(rename = "released_us")]
    pub(super) released: Time,
    pub(super) tube: String,
    pub(super) position: i64,
    #[sqlx(rename = "taken_us")]
    pub(super) taken: Time,
    pub(super) identity_tag: String,
    pub(super) identity: Vec<u8>,
    pub(super) specimen: String,
    pub(super) round: String,
    pub(super) site: String,
    pub(super) laboratory: String,
    pub(super) address: String,
    pub(super) kit_code: String,
    pub(super) kit_version: String,
    pub(super) pooled: i64,
    #[sqlx(rename = "received_us")]
    pub(super) received: Option<Time>,
    pub(super) released_by: String,
    pub(super) reviewed_by: String,
}

/// What a report on this person's last result is made of.
pub(super) async fn report_find(tx: &mut Tx, person: &PersonKey) -> Result<Option<ReportRow>> {
    let person = person.as_str();
    Ok(on!(tx, c => query_as(REPORT_FIND).bind(person).fetch_optional(c).await)?)
}

/// The versions of a tube's result before this one, oldest first.
pub(super) async fn versions_before(
    tx: &mut Tx,
    (tube, version): (&str, i64),
) -> Result<Vec<Version>> {
    Ok(on!(tx, c => query_as(VERSIONS_BEFORE).bind(tube).bind(version).fetch_all(c).await)?)
}
