//! Sealed tubes over HTTP: one by its code, or up to a thousand with an answer each.

use std::collections::HashSet;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::store::tubes_known;
use super::writer::SealRequest;
use super::{
    Flag, Outcome, Recorded, Recorder, SealedTube, Standing, TubeScan, is_out_of_time, seal,
};
use crate::app::App;
use crate::auth::Actor;
use crate::barcode::TubeCode;
use crate::clock::{Span, Time};
use crate::collection::TubeState;
use crate::collection::place::Shift;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path, without_values};
use crate::http::problem::Problem;

/// How many tubes a batch may hold.
pub const BATCH_MAX: usize = 1_000;

/// A stored tube with what each of its members is handed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TubeAnswer {
    /// Its code.
    pub code: String,
    /// Where it is on its way.
    pub state: TubeState,
    /// People it can hold.
    pub size: u8,
    /// When the server recorded it first.
    pub recorded_at: Time,
    /// What is worth a look.
    pub flags: Vec<Flag>,
    /// Its members in order.
    pub members: Vec<MemberAnswer>,
}

/// What one member is handed to ask for the result with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberAnswer {
    /// The place in the tube's list, from 1.
    pub position: u8,
    /// The code on the slip.
    pub pickup_code: String,
    /// A signed link token.
    pub link: String,
}

impl TubeAnswer {
    fn new(app: &App, recorded: &Recorded) -> Self {
        let expires = recorded.recorded + Span::days(app.config.link_days);
        let (session, tube) = (recorded.session.as_str(), recorded.code.as_str());
        let member = |(position, person)| MemberAnswer {
            position,
            pickup_code: app.keys.pickup_code(session, tube, position).as_str().to_owned(),
            link: app.keys.link(person, expires),
        };
        Self {
            code: recorded.code.to_string(),
            state: recorded.state,
            size: recorded.size,
            recorded_at: recorded.recorded,
            flags: recorded.flags.clone(),
            members: (1..).zip(&recorded.members).map(member).collect(),
        }
    }
}

/// Stores a sealed tube with its members; the same again changes nothing.
#[utoipa::path(put, path = "/v1/tubes/{code}", tag = "collection", security(("bearer" = [])),
    params(("code" = String, Path)), request_body = TubeScan,
    responses((status = 201, body = TubeAnswer), (status = 200, body = TubeAnswer),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn tube_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(scan): Json<TubeScan>,
) -> Result<(StatusCode, Json<TubeAnswer>)> {
    if scan.code.as_ref().is_some_and(|other| *other != code) {
        let message = "the body names another code than the path; leave it out of the body";
        return Err(Error::invalid("tube.code", "code", message));
    }
    let scan = TubeScan { code: Some(code), ..scan };
    let judged = judge(&app, &actor, vec![Ok(scan)]).await?;
    let judged = judged.into_iter().map(|(_code, tube)| tube).collect();
    let mut settled = store(&app, actor, judged, "tube.seal").await?;
    match settled.pop().expect("one tube has one fate")? {
        Outcome::Accepted(tube) => Ok((StatusCode::CREATED, Json(TubeAnswer::new(&app, &tube)))),
        Outcome::Duplicate(tube) => Ok((StatusCode::OK, Json(TubeAnswer::new(&app, &tube)))),
        Outcome::Conflict(reasons) => Err(Error::Conflict(reasons)),
    }
}

/// Up to a thousand tubes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// Each is read by itself, so that one unreadable tube spares its neighbours.
    #[schema(value_type = Vec<TubeScan>)]
    pub tubes: Vec<Box<RawValue>>,
}

/// An answer for each tube, in the order they were sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// As many as were sent.
    pub tubes: Vec<BatchItem>,
}

/// What became of one tube of a batch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchItem {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Its code; none when it could not be read.
    pub code: Option<String>,
    /// Its fate.
    pub outcome: Fate,
    /// Why it was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// The stored tube.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tube: Option<TubeAnswer>,
}

/// The fate of one tube of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Stored now.
    Accepted,
    /// The very same was stored before.
    Duplicate,
    /// Something else is stored under its code or event.
    Conflict,
    /// It breaks a rule or cannot be read.
    Rejected,
}

/// Stores sealed tubes, each with an answer of its own (R4).
#[utoipa::path(post, path = "/v1/tubes/batch", tag = "collection", security(("bearer" = [])),
    request_body = BatchRequest,
    responses((status = 200, body = BatchAnswer), (status = 422, body = Problem)))]
pub async fn tubes_post(
    State(app): State<App>,
    actor: Actor,
    Json(batch): Json<BatchRequest>,
) -> Result<Json<BatchAnswer>> {
    if !(1..=BATCH_MAX).contains(&batch.tubes.len()) {
        let message = format!("a batch holds 1 to {BATCH_MAX} tubes; send it in parts");
        return Err(Error::invalid("batch.count", "tubes", message));
    }
    let scans = batch.tubes.iter().map(|raw| read(raw)).collect();
    let judged = judge(&app, &actor, scans).await?;
    let (codes, judged): (Vec<_>, Vec<_>) = judged.into_iter().unzip();
    let settled = store(&app, actor, judged, "tube.seal_batch").await?;
    let items = settled.into_iter().zip(codes).enumerate();
    let tubes = items.map(|(index, (fate, code))| item(&app, index, code, fate)).collect();
    Ok(Json(BatchAnswer { tubes }))
}

fn read(raw: &RawValue) -> Result<TubeScan> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let message = format!("the tube cannot be read: {}", without_values(&error.to_string()));
        Error::invalid("body.shape", "tube", message)
    })
}

fn item(app: &App, index: usize, code: Option<TubeCode>, fate: Result<Outcome>) -> BatchItem {
    let (outcome, problem, tube) = match fate {
        Ok(Outcome::Accepted(tube)) => (Fate::Accepted, None, Some(tube)),
        Ok(Outcome::Duplicate(tube)) => (Fate::Duplicate, None, Some(tube)),
        Ok(Outcome::Conflict(reasons)) => (Fate::Conflict, Some(Error::Conflict(reasons)), None),
        Err(error) => (Fate::Rejected, Some(error), None),
    };
    let tube = tube.map(|tube| TubeAnswer::new(app, &tube));
    let code = code.map(|code| code.to_string());
    BatchItem { index, code, outcome, problem: problem.map(Problem::from), tube }
}

/// A tube's code, where it could be read, and the tube, where it passed the rules.
type Judged = (Option<TubeCode>, Result<SealedTube>);

/// Tubes sealed before others get their turn on this thread: each costs its people's cryptography.
const SEALED_AT_ONCE: usize = 32;

/// Judges each scan by the rules. What codes and sessions allow is remembered; whether a tube is
/// stored already matters only where the clock speaks against it, and is looked up only then.
async fn judge(app: &App, actor: &Actor, scans: Vec<Result<TubeScan>>) -> Result<Vec<Judged>> {
    let now = app.clock.now();
    let readable = || scans.iter().filter_map(|scan| scan.as_ref().ok());
    let texts: Vec<_> = readable().map(|scan| scan.code.as_deref().unwrap_or_default()).collect();
    let codes = app.codes.read(&app.db, &texts).await?;
    let shifts = app.shifts.find(&app.db, readable().map(|scan| &scan.session)).await?;
    let late = readable().zip(&codes).filter_map(|(scan, code)| {
        let shift = shifts.get(&scan.session).map(AsRef::as_ref);
        code.as_ref().ok().filter(|_code| is_out_of_time(scan, shift, now))
    });
    let known = known(app, late.collect()).await?;
    let recorder = Recorder { account: &actor.account, keys: &app.keys, now };
    let mut codes = codes.into_iter();
    let mut judged = Vec::with_capacity(scans.len());
    for scan in scans {
        if judged.len() % SEALED_AT_ONCE == SEALED_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let scan = match scan {
            Ok(scan) => scan,
            Err(error) => {
                judged.push((None, Err(error)));
                continue;
            }
        };
        let code = codes.next().expect("each readable scan has its code read");
        let shift: Option<&Shift> = shifts.get(&scan.session).map(AsRef::as_ref);
        let is_known = code.as_ref().is_ok_and(|code| known.contains(code));
        let standing = if is_known { Standing::Stored } else { Standing::New };
        let own = shift.map_or(Ok(()), |shift| actor.at_site(&shift.site));
        let readable = code.as_ref().ok().cloned();
        let sealed = || seal((code, standing), scan, shift, recorder).map_err(Error::Invalid);
        judged.push((readable, own.and_then(|()| sealed())));
    }
    Ok(judged)
}

/// Those of these codes under which a tube is stored.
async fn known(app: &App, codes: Vec<&TubeCode>) -> Result<HashSet<TubeCode>> {
    if codes.is_empty() {
        return Ok(HashSet::new());
    }
    let mut tx = app.db.read("tube.judge").await?;
    tubes_known(&mut tx, codes).await
}

/// Stores what passed and says what became of each in order.
async fn store(
    app: &App,
    actor: Actor,
    judged: Vec<Result<SealedTube>>,
    action: &'static str,
) -> Result<Vec<Result<Outcome>>> {
    let mut tubes = Vec::with_capacity(judged.len());
    let refused: Vec<_> =
        judged.into_iter().map(|tube| tube.map(|tube| tubes.push(tube)).err()).collect();
    let mut fates = if tubes.is_empty() {
        Vec::new()
    } else {
        let at = app.clock.now();
        app.tubes.seal(SealRequest { actor, action, at, tubes }).await?
    }
    .into_iter();
    let fate = |refusal: Option<Error>| match refusal {
        Some(error) => Err(error),
        None => fates.next().expect("each sound tube has a fate"),
    };
    Ok(refused.into_iter().map(fate).collect())
}
