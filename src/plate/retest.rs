//! Tubes that wait to be tested again, gathered from many plates onto the next, and the list by which a
//! person finds them.
//!
//! A tube waits when it is received and has been on a plate that is closed: its call sent it back,
//! or the run was void. Whose result is due first comes first. A tube whose laboratory pool went
//! back to open waits with its pool.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query_as};
use utoipa::{IntoParams, ToSchema};

use super::pool_rules::against_making as against_pools;
use super::worklist::csv::neutral;
use super::{Plan, PlateSize, WellPosition, store, tubes};
use crate::app::App;
use crate::auth::Actor;
use crate::barcode::{PlateCode, store as codes};
use crate::clock::Time;
use crate::collection::tubes_find;
use crate::error::Result;
use crate::http::extract::{Json, Path, Query};
use crate::http::page::Limit;
use crate::http::problem::Problem;
use crate::pooling::store::pools_find;
use crate::storage::{StoreError, Tx};

/// Most tubes that are listed at once.
const LISTED_MAX: u32 = 1000;
/// People in the largest tube.
const PEOPLE_MAX: i64 = 20;

/// `$1` laboratory, `$2` how many, `$3` most people in a tube.
pub const RETESTS: &str =
    "select l.code, l.members, l.attempt, l.sealed_us, l.due_us, l.plate_code,
        (select min(w.well) from well w where w.plate_code = l.plate_code
            and (w.tube_code = l.code or w.pool_code in
                (select m.pool_code from pool_tube m where m.tube_code = l.code))) as well,
        (select p.size from plate p where p.code = l.plate_code) as size,
        (select b.box_code from box_tube b where b.tube_code = l.code) as box_code,
        (select m.pool_code from pool_tube m join pool p on p.code = m.pool_code
            where m.tube_code = l.code and p.state = 'open') as pool_code
    from (select t.code, t.members, t.attempt, t.sealed_us,
            t.sealed_us + coalesce(r.result_hours, 0) * 3600000000 as due_us,
            (select s.plate_code from
                (select w.plate_code from well w where w.tube_code = t.code
                union select w.plate_code from pool_tube m
                    join well w on w.pool_code = m.pool_code where m.tube_code = t.code) s
                join plate o on o.code = s.plate_code
                where o.state = 'closed'
                order by o.frozen_us desc, o.code desc limit 1) as plate_code
        from tube_again g cross join tube t left join round r on r.code = t.round_code
        where t.code = g.tube_code and t.laboratory_code = $1 and t.state = 'received' and t.members <= $3
            and not exists (select 1 from pool_tube m join pool p on p.code = m.pool_code
                where m.tube_code = t.code and (p.state = 'plated' or p.state = 'open'
                    and not exists (select 1 from well w join plate o on o.code = w.plate_code
                        where w.pool_code = p.code and o.state = 'closed')))) l
    where l.plate_code is not null
    order by l.due_us, l.sealed_us, l.code limit $2";
/// `$1` plate: its tubes with the plate each was on before.
pub const PICKLIST: &str = "select h.well as here, h.tube_code as code, h.depth as members,
        t.attempt, l.plate_code, l.well, l.size, b.box_code
    from (select w.tube_code, w.depth, min(w.well) as well from well w
            where w.plate_code = $1 and w.tube_code is not null
            group by w.tube_code, w.depth) h
        join tube t on t.code = h.tube_code
        left join box_tube b on b.tube_code = h.tube_code
        left join (select s.tube_code, s.plate_code, s.well, p.size, row_number() over
                (partition by s.tube_code order by p.frozen_us desc, p.code desc, s.well) as latest
            from (select w.tube_code, w.plate_code, w.well, o.frozen_us
                    from plate o join well n on n.plate_code = o.code
                        join well w on w.tube_code = n.tube_code and w.plate_code <> o.code
                    where o.code = $1
                union select m.tube_code, w.plate_code, w.well, o.frozen_us
                    from plate o join well n on n.plate_code = o.code
                        join pool_tube m on m.tube_code = n.tube_code
                        join well w on w.pool_code = m.pool_code and w.plate_code <> o.code
                    where o.code = $1) s
                cross join plate p
            where p.code = s.plate_code and p.state <> 'draft'
                and (s.frozen_us is null or p.frozen_us < s.frozen_us)) l on l.tube_code = h.tube_code and l.latest = 1
    order by h.well";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("RETESTS", RETESTS), ("PICKLIST", PICKLIST)];

#[derive(FromRow)]
struct WaitingRow {
    code: String,
    members: i64,
    attempt: i64,
    sealed_us: Time,
    due_us: Time,
    plate_code: PlateCode,
    well: i64,
    size: i64,
    box_code: Option<String>,
    pool_code: Option<String>,
}

#[derive(FromRow)]
struct PickRow {
    here: i64,
    code: String,
    members: i64,
    attempt: i64,
    plate_code: Option<PlateCode>,
    well: Option<i64>,
    size: Option<i64>,
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
}

/// How many are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RetestsQuery {
    /// At most this many.
    #[param(value_type = Option<u32>)]
    limit: Option<Limit<LISTED_MAX>>,
}

fn position(plate: &str, well: i64, size: i64) -> Result<WellPosition> {
    let size = u16::try_from(size).ok().and_then(PlateSize::from_wells);
    let well = u16::try_from(well).ok();
    let at = well.zip(size).and_then(|(well, size)| WellPosition::from_index(well, size));
    let (id, reason) = (plate.to_owned(), "a well is not on its plate".to_owned());
    Ok(at.ok_or(StoreError::Inconsistent { table: "well", id, reason })?)
}

/// Tubes of a laboratory with at most so many people in them that wait to be tested again, most
/// urgent first.
pub async fn waiting(
    tx: &mut Tx,
    laboratory: &str,
    (limit, people): (i64, i64),
) -> Result<Vec<Retest>> {
    let rows: Vec<WaitingRow> = on!(tx, c => query_as(RETESTS).bind(laboratory).bind(limit)
        .bind(people).fetch_all(c).await)?;
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
    // Deeper tubes wait for another kit, however many; they are not to crowd these out.
    let depth = i64::from(plan.validated_depth);
    let waiting = waiting(tx, laboratory, (LISTED_MAX.into(), depth)).await?;
    let mut pools: Vec<String> = Vec::new();
    for pool in waiting.iter().filter_map(|retest| retest.pool.as_ref()) {
        if !pools.contains(pool) {
            pools.push(pool.clone());
        }
    }
    let found = pools_find(tx, &pools).await?;
    let refused = against_pools(&pools, &found, (laboratory, kit)).into_iter();
    let refused: BTreeSet<String> = refused.map(|reason| reason.about).collect();
    pools.retain(|pool| !refused.contains(pool));
    let alone = waiting.into_iter().filter(|retest| retest.pool.is_none());
    let mut codes: Vec<String> = alone.map(|retest| retest.tube).collect();
    let rows = tubes_find(tx, &codes).await?;
    let against = tubes::against_making(&codes, &rows, laboratory, plan);
    let refused: BTreeSet<String> = against.into_iter().map(|reason| reason.about).collect();
    codes.retain(|code| !refused.contains(code));
    codes.truncate(places);
    pools.truncate(places - codes.len());
    Ok(Suitable { tubes: codes, pools })
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
    let mut tx = app.db.read("plate.retests").await?;
    let limit = Limit::or(query.limit, LISTED_MAX).rows();
    Ok(Json(Retests { retests: waiting(&mut tx, &laboratory, (limit, PEOPLE_MAX)).await? }))
}

/// Where the material of each tube of a plate lies: `well,tube,people,attempt,last_plate,last_well,box`,
/// in order of the wells. For a stamped plate the last plate is the source.
#[utoipa::path(get, path = "/v1/plates/{code}/picklist", tag = "plate",
    security(("bearer" = [])), params(("code" = String, Path, description = "plate")),
    responses((status = 200, body = String, content_type = "text/csv"),
        (status = 404, body = Problem)))]
pub async fn picklist_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Response> {
    let mut tx = app.db.read("plate.picklist").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    let plate = store::plate_get(&mut tx, &code).await?;
    actor.in_laboratory(&plate.made.laboratory)?;
    let rows: Vec<PickRow> = on!(tx, c => query_as(PICKLIST).bind(&code).fetch_all(c).await)?;
    let csv = picklist_csv(&code, plate.made.layout.size(), rows)?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response())
}

fn picklist_csv(plate: &PlateCode, size: PlateSize, rows: Vec<PickRow>) -> Result<String> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut write = |cells: [&str; 7]| {
        csv.write_record(cells.map(neutral)).expect("writing to memory does not fail");
    };
    write(["well", "tube", "people", "attempt", "last_plate", "last_well", "box"]);
    for row in rows {
        let here = position(plate.as_str(), row.here, size.wells().into())?.to_string();
        let (last_plate, last_well) = match (row.plate_code, row.well.zip(row.size)) {
            (Some(last), Some((well, size))) => {
                let well = position(last.as_str(), well, size)?.to_string();
                (last.to_string(), well)
            }
            _ => (String::new(), String::new()),
        };
        let (people, attempt) = (row.members.to_string(), row.attempt.to_string());
        let in_box = row.box_code.unwrap_or_default();
        write([&here, &row.code, &people, &attempt, &last_plate, &last_well, &in_box]);
    }
    let bytes = csv.into_inner().expect("writing to memory does not fail");
    Ok(String::from_utf8(bytes).expect("cells are UTF-8, so the rows are"))
}
