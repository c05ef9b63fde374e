//! Where the material of a plate's tubes lies, for whoever gathers it: of each tube that stands there
//! by itself, and of each tube of its laboratory pools.
//!
//! A well that held a pool has no material of one tube. So the list says which pool the last well
//! held: a tube of a pool that was not negative, which is in none here, has to be fetched itself, from
//! the box it came in. Of a pool that stands here again its own well is fetched.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sqlx::{FromRow, query_as};

use super::retest::position;
use super::worklist::csv::neutral;
use super::{PlateSize, store};
use crate::app::App;
use crate::auth::Actor;
use crate::barcode::{PlateCode, store as codes};
use crate::error::Result;
use crate::http::extract::Path;
use crate::http::problem::Problem;

/// `$1` plate: its tubes, each with the pool it is in here, and the plate each was on before: a tube
/// by itself in any way, a tube of a pool in this pool.
pub const PICKLIST: &str = "select h.well as here, h.tube_code as code,
        coalesce(h.depth, t.members) as members, t.attempt, h.pool_code, l.plate_code, l.well, l.size,
        l.last_pool, b.box_code
    from (select w.tube_code, cast(null as text) as pool_code, w.depth, min(w.well) as well
            from well w where w.plate_code = $1 and w.tube_code is not null
            group by w.tube_code, w.depth
        union all select m.tube_code, w.pool_code, null, min(w.well)
            from well w join pool_tube m on m.pool_code = w.pool_code
            where w.plate_code = $1 group by m.tube_code, w.pool_code) h
        join tube t on t.code = h.tube_code
        left join box_tube b on b.tube_code = h.tube_code
        left join (select s.tube_code, s.pool_code, s.plate_code, s.well, s.last_pool, p.size,
                row_number() over (partition by s.tube_code, s.pool_code
                    order by p.frozen_us desc, p.code desc, s.well) as latest
            from (select w.tube_code, cast(null as text) as pool_code, w.plate_code, w.well,
                        cast(null as text) as last_pool, o.frozen_us
                    from plate o join well n on n.plate_code = o.code
                        join well w on w.tube_code = n.tube_code and w.plate_code <> o.code
                    where o.code = $1
                union select m.tube_code, null, w.plate_code, w.well, m.pool_code, o.frozen_us
                    from plate o join well n on n.plate_code = o.code
                        join pool_tube m on m.tube_code = n.tube_code
                        join well w on w.pool_code = m.pool_code and w.plate_code <> o.code
                    where o.code = $1
                union select m.tube_code, m.pool_code, w.plate_code, w.well, m.pool_code, o.frozen_us
                    from plate o join well n on n.plate_code = o.code
                        join well w on w.pool_code = n.pool_code and w.plate_code <> o.code
                        join pool_tube m on m.pool_code = n.pool_code
                    where o.code = $1) s
                cross join plate p
            where p.code = s.plate_code and p.state <> 'draft'
                and (s.frozen_us is null or p.frozen_us < s.frozen_us)) l
            on l.tube_code = h.tube_code and l.pool_code is not distinct from h.pool_code
                and l.latest = 1
    order by h.well, h.tube_code";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("PICKLIST", PICKLIST)];

/// The first row of the list.
const HEAD: [&str; 9] =
    ["well", "tube", "people", "attempt", "last_plate", "last_well", "box", "pool", "last_pool"];

#[derive(FromRow)]
struct PickRow {
    here: i64,
    code: String,
    members: i64,
    attempt: i64,
    pool_code: Option<String>,
    plate_code: Option<PlateCode>,
    well: Option<i64>,
    size: Option<i64>,
    last_pool: Option<String>,
    box_code: Option<String>,
}

/// Where the material of each tube of a plate lies, of those of its laboratory pools, too:
/// `well,tube,people,attempt,last_plate,last_well,box,pool,last_pool`, in order of the wells. `pool` is
/// the pool the tube is in on this plate, `last_pool` the one that its last well held: with `last_pool`
/// and no `pool` the tube itself is to be fetched. For a stamped plate the last plate is the source.
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
    let mut write = |cells: [&str; 9]| {
        csv.write_record(cells.map(neutral)).expect("writing to memory does not fail");
    };
    write(HEAD);
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
        let [in_box, pool, last_pool] =
            [row.box_code, row.pool_code, row.last_pool].map(Option::unwrap_or_default);
        write([
            &here,
            &row.code,
            &people,
            &attempt,
            &last_plate,
            &last_well,
            &in_box,
            &pool,
            &last_pool,
        ]);
    }
    let bytes = csv.into_inner().expect("writing to memory does not fail");
    Ok(String::from_utf8(bytes).expect("cells are UTF-8, so the rows are"))
}
