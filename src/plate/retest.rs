//! Tubes that wait to be tested again, gathered from many plates onto the next, and the list by which a
//! person finds them.
//!
//! A tube waits when it is received and has been on a plate that is closed: its call sent it back,
//! or the run was void. Whose result is due first comes first. A tube whose laboratory pool went
//! back to open waits with its pool.

use std::collections::BTreeSet;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query_as, query_scalar};
use utoipa::{IntoParams, ToSchema};

use super::pool_rules::against_making as against_pools;
use super::{Plan, PlateSize, WellPosition, tubes};
use crate::app::App;
use crate::auth::Actor;
use crate::barcode::PlateCode;
use crate::clock::Time;
use crate::collection::tubes_find;
use crate::error::Result;
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::pooling::store::pools_find;
use crate::storage::{StoreError, Tx};

/// Most tubes that are listed at once.
const LISTED_MAX: u32 = 1000;
/// People in the largest tube.
const PEOPLE_MAX: i64 = 20;
/// When the last tube of a page is due and was sealed, and its code.
type Position = (i64, i64, String);

/// `$1` laboratory, `$2` how many, `$3` most people in a tube, `$4` the largest tube, `$5` 1 for the
/// tubes of open pools, too, then the last tube of the page before.
pub const RETESTS: &str =
    "select l.code, l.members, l.attempt, l.sealed_us, l.due_us, l.plate_code, l.pool_code,
        (select min(w.well) from well w where w.plate_code = l.plate_code
            and (w.tube_code = l.code or w.pool_code in
                (select m.pool_code from pool_tube m where m.tube_code = l.code))) as well,
        (select p.size from plate p where p.code = l.plate_code) as size,
        (select m.pool_code from pool_tube m join well w on w.pool_code = m.pool_code
            where m.tube_code = l.code and w.plate_code = l.plate_code limit 1) as last_pool,
        (select b.box_code from box_tube b where b.tube_code = l.code) as box_code
    from (select t.code, t.members, t.attempt, t.sealed_us,
            t.sealed_us + coalesce(r.result_hours, 0) * 3600000000 as due_us,
            (select m.pool_code from pool_tube m join pool p on p.code = m.pool_code
                where m.tube_code = t.code and p.state = 'open') as pool_code,
            (select s.plate_code from
                (select w.plate_code from well w where w.tube_code = t.code
                union select w.plate_code from pool_tube m
                    join well w on w.pool_code = m.pool_code where m.tube_code = t.code) s
                join plate o on o.code = s.plate_code
                where o.state = 'closed'
                order by o.frozen_us desc, o.code desc limit 1) as plate_code
        from tube_again g cross join tube t left join round r on r.code = t.round_code
        where t.code = g.tube_code and t.laboratory_code = $1 and t.state = 'received'
            and t.members <= $3 and t.size <= $4
            and not exists (select 1 from pool_tube m join pool p on p.code = m.pool_code
                where m.tube_code = t.code and (p.state = 'plated' or p.state = 'open'
                    and not exists (select 1 from well w join plate o on o.code = w.plate_code
                        where w.pool_code = p.code and o.state = 'closed')))) l
    where l.plate_code is not null and (l.pool_code is null or cast($5 as bigint) = 1)
        and (l.due_us, l.sealed_us, l.code) > ($6, $7, $8)
    order by l.due_us, l.sealed_us, l.code limit $2";
/// `$1` laboratory, `$2` kit, `$3` version, `$4` how many: pools that are open again, the one with the
/// tube whose result is due first before the others. The plates of each are counted by themselves,
/// so that no engine looks for all of them at once.
pub const POOLS_AGAIN: &str = "select l.pool_code
    from (select t.sealed_us, t.sealed_us + coalesce(r.result_hours, 0) * 3600000000 as due_us,
            (select m.pool_code from pool_tube m join pool p on p.code = m.pool_code
                where m.tube_code = t.code and p.state = 'open' and p.kit_code = $2
                    and p.kit_version = $3) as pool_code
        from tube_again g cross join tube t left join round r on r.code = t.round_code
        where t.code = g.tube_code and t.laboratory_code = $1 and t.state = 'received') l
    where l.pool_code is not null
        and (select count(*) from well w join plate o on o.code = w.plate_code
            where w.pool_code = l.pool_code and o.state = 'closed') > 0
    group by l.pool_code order by min(l.due_us), min(l.sealed_us), l.pool_code limit $4";
/// `$1` plate: those of its tubes and pools that stand on other plates, too.
pub const ELSEWHERE: &str = "select n.tube_code as code from well n
        join well w on w.tube_code = n.tube_code
    where n.plate_code = $1 and w.plate_code <> n.plate_code
    union select n.tube_code from well n
        join pool_tube m on m.tube_code = n.tube_code
        join well w on w.pool_code = m.pool_code
    where n.plate_code = $1 and w.plate_code <> n.plate_code
    union select n.pool_code from well n
        join well w on w.pool_code = n.pool_code
    where n.plate_code = $1 and w.plate_code <> n.plate_code";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] =
    &[("RETESTS", RETESTS), ("POOLS_AGAIN", POOLS_AGAIN), ("ELSEWHERE", ELSEWHERE)];

#[derive(FromRow)]
struct WaitingRow {
    code: String,
    members: i64,
    attempt: i64,
    sealed_us: Time,
    due_us: Time,
    plate_code: PlateCode,
    pool_code: Option<String>,
    well: i64,
    size: i64,
    last_pool: Option<String>,
    box_code: Option<String>,
}

/// A tube that waits to be tested again, and where it is to be found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Retest {
    /// The tube.
    pub tube: String,
    /// People in it.
    pub members: i64,
    /// Tests it has been through without a result; a void run does not count.
    pub attempt: i64,
    /// When it was sealed.
    pub sealed_at: Time,
    /// When its people were to have their result.
    pub due_at: Time,
    /// The plate it was on last.
    pub last_plate: String,
    /// Its first well there.
    pub last_well: String,
    /// The laboratory pool which that well held: the tube's own material is in the tube alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pool: Option<String>,
    /// The box it came in.
    #[serde(rename = "box")]
    pub in_box: Option<String>,
    /// The laboratory pool it is in, which was on a plate that came to nothing and is open again:
    /// the pool is tested again, not the tube alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

/// Tubes of a laboratory that wait to be tested again, most urgent first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Retests {
    /// The tubes.
    pub retests: Vec<Retest>,
    /// Give this as `after` for the next page; none at the end.
    #[schema(value_type = Option<String>)]
    pub next: Option<Cursor<Position>>,
}

/// Where the list goes on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RetestsQuery {
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor<Position>>,
    /// At most this many.
    #[param(value_type = Option<u32>)]
    limit: Option<Limit<LISTED_MAX>>,
}

/// A stored well by its name.
pub(super) fn position(plate: &str, well: i64, size: i64) -> Result<WellPosition> {
    let size = u16::try_from(size).ok().and_then(PlateSize::from_wells);
    let well = u16::try_from(well).ok();
    let at = well.zip(size).and_then(|(well, size)| WellPosition::from_index(well, size));
    let (id, reason) = (plate.to_owned(), "a well is not on its plate".to_owned());
    Ok(at.ok_or(StoreError::Inconsistent { table: "well", id, reason })?)
}

/// Which of the tubes that wait are asked for.
#[derive(Clone, Copy)]
struct Asked {
    /// Most people in a tube.
    people: i64,
    /// Most people that a tube is made for.
    size: i64,
    /// Also those of pools that are open again, which wait with their pool.
    in_pools: bool,
}

/// Before the first tube of all.
fn beginning() -> Position {
    (i64::MIN, i64::MIN, String::new())
}

/// Tubes of a laboratory that wait to be tested again, most urgent first: so many after that one.
async fn waiting(
    tx: &mut Tx,
    laboratory: &str,
    asked: Asked,
    (after, rows): (&Position, i64),
) -> Result<Vec<Retest>> {
    let rows: Vec<WaitingRow> = on!(tx, c => query_as(RETESTS).bind(laboratory).bind(rows)
        .bind(asked.people).bind(asked.size).bind(i64::from(asked.in_pools))
        .bind(after.0).bind(after.1).bind(&after.2).fetch_all(c).await)?;
    let retest = |row: WaitingRow| {
        let well = position(row.plate_code.as_str(), row.well, row.size)?;
        Ok(Retest {
            tube: row.code,
            members: row.members,
            attempt: row.attempt,
            sealed_at: row.sealed_us,
            due_at: row.due_us,
            last_plate: row.plate_code.to_string(),
            last_well: well.to_string(),
            last_pool: row.last_pool,
            in_box: row.box_code,
            pool: row.pool_code,
        })
    };
    rows.into_iter().map(retest).collect()
}

/// What goes onto the next plate first, most urgent first.
#[derive(Debug, Default)]
pub(super) struct Suitable {
    /// Tubes, each by itself.
    pub tubes: Vec<String>,
    /// Laboratory pools.
    pub pools: Vec<String>,
}

/// At most `places` of the tubes and pools that wait and that this kit may test, the tubes first; the
/// others wait for a plate of another kit.
pub(super) async fn suitable(
    tx: &mut Tx,
    (laboratory, kit): (&str, (&str, &str)),
    plan: &Plan,
    places: usize,
) -> Result<Suitable> {
    // What waits for another kit, however much of it, is not to crowd these out; nor are the tubes
    // of pools, for a pool takes one place.
    let size = if plan.field_pools { PEOPLE_MAX } else { 1 };
    let alone = Asked { people: plan.validated_depth.into(), size, in_pools: false };
    let rows = i64::from(LISTED_MAX);
    let waiting = waiting(tx, laboratory, alone, (&beginning(), rows)).await?;
    let mut pools: Vec<String> = on!(tx, c => query_scalar(POOLS_AGAIN).bind(laboratory)
        .bind(kit.0).bind(kit.1).bind(rows).fetch_all(c).await)?;
    let found = pools_find(tx, &pools).await?;
    let refused = against_pools(&pools, &found, (laboratory, kit)).into_iter();
    let refused: BTreeSet<String> = refused.map(|reason| reason.about).collect();
    pools.retain(|pool| !refused.contains(pool));
    let mut codes: Vec<String> = waiting.into_iter().map(|retest| retest.tube).collect();
    let rows = tubes_find(tx, &codes).await?;
    let against = tubes::against_making(&codes, &rows, laboratory, plan);
    let refused: BTreeSet<String> = against.into_iter().map(|reason| reason.about).collect();
    codes.retain(|code| !refused.contains(code));
    codes.truncate(places);
    pools.truncate(places - codes.len());
    Ok(Suitable { tubes: codes, pools })
}

/// Those of a plate's tubes and pools that stand on other plates, too.
pub(super) async fn elsewhere(tx: &mut Tx, plate: &PlateCode) -> Result<BTreeSet<String>> {
    let codes: Vec<String> = on!(tx, c => query_scalar(ELSEWHERE).bind(plate).fetch_all(c).await)?;
    Ok(codes.into_iter().collect())
}

/// What a frozen plate took before what its request names, of all that was placed, in its order.
///
/// A named one that waited then stands among the first, and is told from the others by having been
/// on another plate (`again`). So the same request finds the same order again; one whose named ones
/// stand in another order does not.
pub(super) fn taken(
    (placed, named): (&[String], &[String]),
    again: &BTreeSet<String>,
) -> Vec<String> {
    let waited = |code: &String| !named.contains(code) || again.contains(code);
    let fits = |first: &[String]| {
        named.iter().filter(|code| !first.contains(code)).eq(&placed[first.len()..])
    };
    let mut firsts = (0..=placed.len())
        .map(|count| &placed[..count])
        .take_while(|first| first.last().is_none_or(waited));
    match firsts.find(|first| fits(first)) {
        Some(first) => first.to_vec(),
        None => placed.iter().filter(|code| !named.contains(code)).cloned().collect(),
    }
}

/// Tubes that wait to be tested again in a laboratory, and where each is to be found.
#[utoipa::path(get, path = "/v1/laboratories/{code}/retests", tag = "plate",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "laboratory"), RetestsQuery),
    responses((status = 200, body = Retests), (status = 403, body = Problem)))]
pub async fn retests_get(
    State(app): State<App>,
    actor: Actor,
    Path(laboratory): Path<String>,
    Query(query): Query<RetestsQuery>,
) -> Result<Json<Retests>> {
    actor.in_laboratory(&laboratory)?;
    let rows = Limit::or(query.limit, LISTED_MAX).rows();
    let Cursor(after) = query.after.unwrap_or_else(|| Cursor(beginning()));
    let every = Asked { people: PEOPLE_MAX, size: PEOPLE_MAX, in_pools: true };
    let mut tx = app.db.read("plate.retests").await?;
    let retests = waiting(&mut tx, &laboratory, every, (&after, rows)).await?;
    let full = i64::try_from(retests.len()).is_ok_and(|count| count == rows);
    let next = retests.last().filter(|_last| full);
    let next = next.map(|last| Cursor((last.due_at.us(), last.sealed_at.us(), last.tube.clone())));
    Ok(Json(Retests { retests, next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was taken before the named ones, each of one letter; small ones were never elsewhere.
    fn first(placed: &str, named: &str) -> String {
        let letters = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        let placed = letters(placed);
        let again = placed.iter().filter(|code| code.as_str() < "a").cloned().collect();
        taken((&placed, &letters(named)), &again).concat()
    }

    #[test]
    fn named_retests_stand_among_the_first_however_they_are_named() {
        for (placed, named, expected) in [
            ("ABab", "ab", "AB"),
            ("ABab", "", "ABab"),
            ("ABCab", "Bab", "ABC"),
            ("ABCab", "aBb", "ABC"),
            ("ABCab", "abC", "ABC"),
            ("AB", "BA", "A"),
            ("ab", "ab", ""),
            ("", "", ""),
        ] {
            assert_eq!(first(placed, named), expected, "{placed} {named}");
        }
    }

    #[test]
    fn another_order_or_another_tube_is_another_request() {
        for (placed, named, unnamed) in
            [("ABab", "ba", "AB"), ("ABCab", "bBa", "AC"), ("ab", "ba", ""), ("ABa", "ac", "AB")]
        {
            let first = first(placed, named);
            let rest: String = named.chars().filter(|code| !first.contains(*code)).collect();
            assert_eq!(first, unnamed, "{placed} {named}");
            assert_ne!(format!("{first}{rest}"), placed);
        }
    }
}
