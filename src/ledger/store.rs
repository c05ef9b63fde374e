//! Gathering the evidence, a page of tubes at a time.

use sqlx::{FromRow, query_as};

use super::{Evidence, Finding, Report, Sum};
use crate::clock::Time;
use crate::collection::TubeState;
use crate::error::Result;
use crate::storage::Tx;

/// Tubes judged by one statement; each tube's evidence is one moment's.
const PAGE: i64 = 2_000;

/// `$1` last code seen, `$2` site, `$3` laboratory (each all when null), `$4` and `$5` bounds of
/// the time of sealing, `$6` rows.
pub const EVIDENCE: &str = "with page as (
        select t.code, t.site_code, t.laboratory_code, t.state, t.state_us, t.sealed_us,
            t.members as declared, o.result_hours, v.id as result_id, v.outcome,
            coalesce(v.version, 0) as newest
        from tube t left join round o on o.code = t.round_code
            left join result v on v.tube_code = t.code and v.tube_code > $1 and v.version =
                (select max(n.version) from result n where n.tube_code = t.code)
        where t.code > $1 and (cast($2 as text) is null or t.site_code = $2)
            and (cast($3 as text) is null or t.laboratory_code = $3)
            and t.sealed_us >= $4 and t.sealed_us < $5
        order by t.code limit $6
    ), swab as (
        select p.code, count(*) as members,
            count(case when s.tube_code = p.code then 1 end) as told,
            count(case when s.tube_code = p.code and s.result_id = p.result_id
                and s.outcome = p.outcome then 1 end) as told_newest,
            count(case when s.tube_code = p.code or s.collected_us >= m.taken_us
                or s.outcome = 'detected' then 1 end)
                as told_since
        from page p cross join member m left join status s on s.person_key = m.person_key
        where m.tube_code = p.code group by p.code
    ), stood as (
        select p.code, h.plate_code from page p cross join well h where h.tube_code = p.code
        union
        select p.code, h.plate_code from page p cross join pool_tube k
            cross join well h where k.tube_code = p.code and h.pool_code = k.pool_code
    ), plates as (
        select s.code, count(*) as plates, count(s.run_plate) as called,
            count(case when s.run_plate is null and s.state = 'closed' then 1 end) as given_up
        from (select d.code, (select l.state from plate l where l.code = d.plate_code) as state,
                (select min(r.plate_code) from call c join run r on r.id = c.run_id
                    where c.tube_code = d.code and c.state = 'released'
                    and r.plate_code = d.plate_code) as run_plate
            from stood d) s
        where s.state <> 'draft' group by s.code
    )
    select p.code, p.site_code, p.laboratory_code, p.state, p.state_us, p.sealed_us, p.declared,
        p.result_hours, p.newest, coalesce(w.members, 0) as members, coalesce(w.told, 0) as told,
        coalesce(w.told - w.told_newest, 0) as told_otherwise,
        coalesce(w.told_since, 0) as told_since,
        (select count(*) from box_tube b where b.tube_code = p.code) as boxes,
        (select f.finding from arrival_tube f join arrival a on a.id = f.arrival_id
            where f.tube_code = p.code order by a.recorded_us desc, a.id desc limit 1) as finding,
        coalesce(q.plates, 0) as plates, coalesce(q.called, 0) as called,
        coalesce(q.given_up, 0) as given_up,
        (select count(*) from call c where c.tube_code = p.code and c.state = 'released')
            as calls,
        (select count(*) from call c where c.tube_code = p.code and c.state = 'released'
            and c.disposition = 'report') as reports,
        (select count(*) from call c where c.tube_code = p.code and c.state = 'released'
            and c.disposition = 'recall') as ended,
        (select count(*) from result v where v.tube_code = p.code) as results,
        (select count(*) from result v where v.tube_code = p.code and v.outcome = 'withdrawn')
            as withdrawn,
        (select count(*) from recall l where l.origin_tube = p.code) as recalls,
        (select count(*) from recall l join member m on m.person_key = l.person_key
            and m.tube_code = l.origin_tube where l.origin_tube = p.code) as recalled,
        (select count(*) from recall l where l.origin_tube = p.code and l.reason = 'missing')
            as missed,
        (select count(*) from quality_seeded s where s.tube_code = p.code) as seeded
    from page p left join swab w on w.code = p.code left join plates q on q.code = p.code
    order by p.code";
/// Codes members name that no tube has.
pub const STRAY_MEMBERS: &str = "select m.tube_code, count(*) as people from member m
    where not exists (select 1 from tube t where t.code = m.tube_code)
    group by m.tube_code order by m.tube_code";
/// Tubes with a member whom nobody kept; how many people are in them is counted by tube.
pub const STRAY_PERSONS: &str = "select m.tube_code, cast(0 as bigint) as people from member m
    where not exists (select 1 from person p
        where p.key = m.person_key and p.identity_tag = m.identity_tag)
    group by m.tube_code order by m.tube_code";
/// Tubes people are told a result of without being their members.
pub const STRAY_STATUSES: &str = "select s.tube_code, count(*) as people from status s
    where not exists (select 1 from member m
        where m.person_key = s.person_key and m.tube_code = s.tube_code)
    group by s.tube_code order by s.tube_code";

/// Codes manifests name that no tube has; nobody is known to be in them.
pub const STRAY_TUBES: &str = "select b.tube_code, cast(0 as bigint) as people from box_tube b
    where not exists (select 1 from tube t where t.code = b.tube_code) order by b.tube_code";

/// Which tubes a ledger is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Sealed at this site.
    pub site: Option<String>,
    /// In this laboratory.
    pub laboratory: Option<String>,
    /// Sealed within these bounds, the last not included.
    pub sealed: Option<(Time, Time)>,
    /// Whether seeded tubes are blind for the asker and counted like any other: with people who are
    /// missing from the sum, a narrow question would give them away.
    pub is_blind: bool,
}

#[derive(FromRow)]
struct EvidenceRow {
    code: String,
    site_code: String,
    laboratory_code: Option<String>,
    state: TubeState,
    #[sqlx(rename = "state_us")]
    since: Time,
    #[sqlx(rename = "sealed_us")]
    sealed: Time,
    result_hours: Option<i64>,
    declared: i64,
    members: i64,
    boxes: i64,
    finding: Option<Finding>,
    plates: i64,
    called: i64,
    given_up: i64,
    calls: i64,
    reports: i64,
    ended: i64,
    results: i64,
    newest: i64,
    withdrawn: i64,
    recalls: i64,
    recalled: i64,
    missed: i64,
    told: i64,
    told_otherwise: i64,
    told_since: i64,
    seeded: i64,
}

impl From<EvidenceRow> for Evidence {
    fn from(row: EvidenceRow) -> Self {
        Self {
            code: row.code,
            site: row.site_code,
            laboratory: row.laboratory_code,
            state: row.state,
            since: row.since,
            sealed: row.sealed,
            result_hours: row.result_hours,
            declared: row.declared,
            members: row.members,
            boxed: row.boxes > 0,
            finding: row.finding,
            plates: row.plates,
            called: row.called,
            given_up: row.given_up,
            calls: row.calls,
            reports: row.reports,
            ended: row.ended,
            results: row.results,
            newest: row.newest,
            withdrawn: row.withdrawn,
            recalls: row.recalls,
            recalled: row.recalled,
            missed: row.missed,
            told: row.told,
            told_otherwise: row.told_otherwise,
            told_since: row.told_since,
            seeded: row.seeded > 0,
        }
    }
}

/// The ledger of `scope` at `now`. What belongs to no tube, and therefore to no place and no
/// day, is looked for only when the scope is everything.
pub async fn ledger(tx: &mut Tx, now: Time, scope: &Scope) -> Result<Report> {
    let (from, until) = scope.sealed.unwrap_or((Time::from_us(i64::MIN), Time::from_us(i64::MAX)));
    let (mut sum, mut last) = (Sum::default(), String::new());
    loop {
        // Planned for each page as it is asked for: PostgreSQL's plan for any page takes ten
        // seconds where this one takes a third of one (1,084,000 people).
        let rows: Vec<EvidenceRow> = on!(tx, c => query_as(EVIDENCE).bind(&last)
            .bind(&scope.site).bind(&scope.laboratory).bind(from).bind(until).bind(PAGE)
            .persistent(false).fetch_all(c).await)?;
        let Some(newest) = rows.last() else { break };
        last.clone_from(&newest.code);
        for row in rows {
            let evidence = Evidence::from(row);
            let seeded = evidence.seeded && !scope.is_blind;
            sum.add(&Evidence { seeded, ..evidence }, now);
        }
    }
    if *scope == Scope::default() {
        for (sql, reason) in [
            (STRAY_MEMBERS, "members name it and no such tube was sealed"),
            (STRAY_PERSONS, "a member of it is nobody who was kept"),
            (STRAY_TUBES, "a box names it and no such tube was sealed"),
            (STRAY_STATUSES, "somebody is told a result of it without being its member"),
        ] {
            let strays: Vec<(String, i64)> = on!(tx, c => query_as(sql).fetch_all(c).await)?;
            for (code, people) in strays {
                sum.add_strays(code, u64::try_from(people).unwrap_or(0), reason);
            }
        }
    }
    Ok(sum.close())
}

/// Every statement of this slice, by name.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("EVIDENCE", EVIDENCE),
    ("STRAY_MEMBERS", STRAY_MEMBERS),
    ("STRAY_PERSONS", STRAY_PERSONS),
    ("STRAY_STATUSES", STRAY_STATUSES),
    ("STRAY_TUBES", STRAY_TUBES),
];
