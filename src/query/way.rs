//! The whole way of one tube, without any person.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query_as};
use utoipa::ToSchema;

use super::ToldOutcome;
use super::way_plates::{self, WayPlate, WayWell};
use crate::clock::Time;
use crate::collection::TubeState;
use crate::error::{Error, Result};
use crate::storage::Tx;

/// Tube.
pub const TUBE_WAY: &str = "select t.code, t.size, t.members, t.round_code, t.site_code,
        t.session_code, t.sealed_us, t.recorded_us, t.state, t.state_us, t.laboratory_code,
        t.attempt
    from tube t where t.code = $1";
/// Tube.
pub const TUBE_BOX: &str = "select b.code, b.seal, b.tubes, b.state, b.sealed_us
    from box_tube bt join box b on b.code = bt.box_code where bt.tube_code = $1";
/// Tube.
pub const TUBE_HANDOVERS: &str = "select h.step, h.given_by, h.given_us, h.place,
        h.temperature_cdeg, h.taken_by, h.taken_us
    from box_tube bt join handover h on h.box_code = bt.box_code
    where bt.tube_code = $1 order by h.step";
/// Tube.
pub const TUBE_ARRIVALS: &str = "select a.id, a.box_code, a.laboratory_code, a.arrived_us,
        a.temperature_cdeg, a.seal_intact = 1 as seal_intact, f.finding, f.reason, f.swab_count
    from arrival_tube f join arrival a on a.id = f.arrival_id
    where f.tube_code = $1 order by a.recorded_us, a.id";
/// Tube.
pub const TUBE_POOLS: &str = "select p.code, p.laboratory_code, p.kit_code, p.kit_version,
        p.depth, p.made_us, p.state, p.state_us, p.outcome
    from pool_tube k join pool p on p.code = k.pool_code
    where k.tube_code = $1 order by p.made_us, p.code";
/// Tube.
pub const TUBE_CALLS: &str = "select c.run_id, r.plate_code, r.state as run_state,
        r.usable = 1 as usable, r.imported_us, c.pool_code, c.outcome, c.rule, c.disposition,
        c.attempt, c.state
    from call c join run r on r.id = c.run_id
    where c.tube_code = $1 order by r.imported_us, r.id";
/// Tube.
pub const TUBE_RESULTS: &str = "select r.id, r.version, r.outcome, r.run_id, r.rule,
        r.released_us, r.reason
    from result r where r.tube_code = $1 order by r.version";
/// Tube.
pub const TUBE_RECALLS: &str = "select r.state, count(*) as recalls from recall r
    where r.origin_tube = $1 group by r.state";

/// Everything that is known about one tube; of its members only how many they are.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TubeWay {
    /// The tube.
    #[serde(flatten)]
    pub tube: WayTube,
    /// The box it was packed into.
    pub transport: Option<WayBox>,
    /// What laboratories found, oldest first.
    pub arrivals: Vec<WayArrival>,
    /// The laboratory pools it was mixed into.
    pub pools: Vec<WayPool>,
    /// Where it stood on plates.
    pub wells: Vec<WayWell>,
    /// What became of those plates: stamped, discarded, told of by robots.
    pub plates: Vec<WayPlate>,
    /// What its runs called.
    pub calls: Vec<WayCall>,
    /// What its members were told, version by version.
    pub results: Vec<WayResult>,
    /// The recalls it opened.
    pub recalls: WayRecalls,
}

/// The tube.
#[derive(Clone, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct WayTube {
    /// Its code.
    pub code: String,
    /// People it can hold.
    pub size: i64,
    /// People it holds.
    pub members: i64,
    /// The round it belongs to.
    #[serde(rename = "round")]
    pub round_code: String,
    /// The site it was sealed at.
    #[serde(rename = "site")]
    pub site_code: String,
    /// The session it was sealed in.
    #[serde(rename = "session")]
    pub session_code: String,
    /// When it was sealed, by our clock: the device's time less what its clock was off.
    #[serde(rename = "sealed_at")]
    #[sqlx(rename = "sealed_us")]
    pub sealed: Time,
    /// When the server recorded it.
    #[serde(rename = "recorded_at")]
    #[sqlx(rename = "recorded_us")]
    pub recorded: Time,
    /// Where it is on its way.
    pub state: TubeState,
    /// Since when.
    #[sqlx(rename = "state_us")]
    pub since: Time,
    /// The laboratory that has it.
    #[serde(rename = "laboratory")]
    pub laboratory_code: Option<String>,
    /// How many runs it has been through without a result.
    pub attempt: i64,
}

/// The box and its hand-overs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WayBox {
    /// The box.
    #[serde(flatten)]
    pub carried: WayCarried,
    /// Who gave it to whom, oldest first.
    pub handovers: Vec<WayHandover>,
}

/// The box a tube was packed into.
#[derive(Clone, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct WayCarried {
    /// Its code.
    pub code: String,
    /// The number on its seal.
    pub seal: String,
    /// Tubes in it.
    pub tubes: i64,
    /// `sealed`, `in_transit` or `arrived`.
    pub state: String,
    /// When it was sealed.
    #[serde(rename = "sealed_at")]
    #[sqlx(rename = "sealed_us")]
    pub sealed: Time,
}

/// One custody step, by account.
#[derive(Clone, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct WayHandover {
    /// Its number in the box's custody.
    pub step: i64,
    /// The account that gave.
    pub given_by: String,
    /// When.
    #[serde(rename = "given_at")]
    #[sqlx(rename = "given_us")]
    pub given: Time,
    /// Where.
    pub place: String,
    /// Hundredths of a degree Celsius in the box.
    pub temperature_cdeg: Option<i64>,
    /// The account that is to take.
    pub taken_by: String,
    /// When it did.
    #[serde(rename = "taken_at")]
    #[sqlx(rename = "taken_us")]
    pub taken: Option<Time>,
}

/// What a laboratory found.
#[derive(Clone, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct WayArrival {
    /// The arrival.
    pub id: String,
    /// The box that was opened.
    #[serde(rename = "box")]
    pub box_code: String,
    /// The laboratory that opened it.
    #[serde(rename = "laboratory")]
    pub laboratory_code: String,
    /// When it came.
    #[serde(rename = "arrived_at")]
    #[sqlx(rename = "arrived_us")]
    pub arrived: Time,
    /// Hundredths of a degree Celsius in the box.
    pub temperature_cdeg: Option<i64>,
    /// Whether the box's seal was whole.
    pub seal_intact: bool,
    /// `accepted`, `refused`, `missing` or `unexpected`.
    pub finding: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Swabs counted in the laboratory.
    pub swab_count: Option<i64>,
}

/// One laboratory pool it was mixed into.
#[derive(Clone, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct WayPool {
    /// Its code.
    pub code: String,
    /// The laboratory that mixed it.
    #[serde(rename = "laboratory")]
    pub laboratory_code: String,
    /// The kit it was mixed for.
    #[serde(rename = "kit")]
    pub kit_code: String,
    /// Its version.
    pub kit_version: String,
    /// People in it.
    pub depth: i64,
    /// When it was mixed.
    #[serde(rename = "made_at")]
    #[sqlx(rename = "made_us")]
    pub made: Time,
    /// `open`, `plated`, `called` or `dissolved`.
    pub state: String,
    /// Since when.
    #[sqlx(rename = "state_us")]
    pub since: Time,
    /// What its wells said, once that was released.
    pub outcome: Option<String>,
}

/// What one run called.
#[derive(Clone, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct WayCall {
    /// The run.
    #[serde(rename = "run")]
    pub run_id: String,
    /// Its plate.
    #[serde(rename = "plate")]
    pub plate_code: String,
    /// `draft`, `reviewed`, `released` or `void`.
    pub run_state: String,
    /// Whether the plate may be used.
    pub usable: bool,
    /// When the run file came in.
    #[serde(rename = "imported_at")]
    #[sqlx(rename = "imported_us")]
    pub imported: Time,
    /// The pool through which it was called.
    #[serde(rename = "pool")]
    pub pool_code: Option<String>,
    /// `detected`, `not_detected`, `inconclusive` or `invalid`.
    pub outcome: String,
    /// The rule that decided.
    pub rule: String,
    /// `report`, `retest` or `recall`.
    pub disposition: String,
    /// Which attempt it was.
    pub attempt: i64,
    /// `draft`, `released` or `void`.
    pub state: String,
}

/// One version of what its members were told.
#[derive(Clone, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct WayResult {
    /// The result.
    pub id: String,
    /// 1 is the release, later ones are amendments.
    pub version: i64,
    /// What was told.
    pub outcome: ToldOutcome,
    /// The run it stands on.
    #[serde(rename = "run")]
    pub run_id: String,
    /// The rule that released it, when no person did.
    pub rule: Option<String>,
    /// When.
    #[serde(rename = "released_at")]
    #[sqlx(rename = "released_us")]
    pub released: Time,
    /// Why it was amended.
    pub reason: Option<String>,
}

/// How many of its members are recalled, by how far their recall is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WayRecalls {
    /// To be collected again.
    pub open: i64,
    /// Collected again, without a result yet.
    pub collected: i64,
    /// Answered.
    pub closed: i64,
}

/// The tube with this code, without the rest of its way.
pub async fn tube(tx: &mut Tx, code: &str) -> Result<WayTube> {
    let row: Option<WayTube> = on!(tx, c => query_as(TUBE_WAY).bind(code).fetch_optional(c).await)?;
    row.ok_or_else(|| Error::not_found("tube", code))
}

/// Everything that is known about this tube.
pub async fn way(tx: &mut Tx, tube: WayTube) -> Result<TubeWay> {
    let code = tube.code.as_str();
    let carried: Option<WayCarried> =
        on!(tx, c => query_as(TUBE_BOX).bind(code).fetch_optional(c).await)?;
    let handovers = on!(tx, c => query_as(TUBE_HANDOVERS).bind(code).fetch_all(c).await)?;
    let arrivals = on!(tx, c => query_as(TUBE_ARRIVALS).bind(code).fetch_all(c).await)?;
    let pools = on!(tx, c => query_as(TUBE_POOLS).bind(code).fetch_all(c).await)?;
    let (wells, plates) = way_plates::of(tx, code).await?;
    let calls = on!(tx, c => query_as(TUBE_CALLS).bind(code).fetch_all(c).await)?;
    let results = on!(tx, c => query_as(TUBE_RESULTS).bind(code).fetch_all(c).await)?;
    let counts: Vec<(String, i64)> =
        on!(tx, c => query_as(TUBE_RECALLS).bind(code).fetch_all(c).await)?;
    let count = |wanted: &str| {
        counts.iter().find(|(state, _)| state == wanted).map_or(0, |(_, recalls)| *recalls)
    };
    let recalls =
        WayRecalls { open: count("open"), collected: count("collected"), closed: count("closed") };
    let transport = carried.map(|carried| WayBox { carried, handovers });
    Ok(TubeWay { tube, transport, arrivals, pools, wells, plates, calls, results, recalls })
}
