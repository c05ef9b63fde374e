//! Boxes sealed and looked at.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::custody::HandoverAnswer;
use super::rules::{self, Keeping};
use super::store::{self, NewBox, StoredBox};
use super::{BoxState, Manifest};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::{self, BoxCode, TubeCode};
use crate::clock::Time;
use crate::collection::{self, TubeState, TubesMove};
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::storage::Tx;

/// A box as a site seals it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxRequest {
    /// The site that seals it.
    pub site: String,
    /// The number on the seal.
    pub seal: String,
    /// When it was sealed.
    pub sealed_at: Time,
    /// The codes of its tubes, 1 to 500.
    pub tubes: Vec<String>,
}

/// A manifest as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BoxManifest {
    /// The box.
    pub code: String,
    /// The site that sealed it.
    pub site: String,
    /// The number on the seal.
    pub seal: String,
    /// When it was sealed.
    pub sealed_at: Time,
    /// The codes of its tubes, in order.
    pub tubes: Vec<String>,
}

/// A box with its whole way.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BoxAnswer {
    /// The box.
    pub code: String,
    /// The site that sealed it.
    pub site: String,
    /// The number on the seal.
    pub seal: String,
    /// When it was sealed.
    pub sealed_at: Time,
    /// Where it is on its way.
    pub state: BoxState,
    /// The account that has it.
    pub holder: String,
    /// Its tubes, in order of code.
    pub tubes: Vec<TubeInBox>,
    /// Every custody step, in order.
    pub handovers: Vec<HandoverAnswer>,
    /// Tubes kept too long, boxes kept too warm.
    pub warnings: Vec<Reason>,
}

/// A tube of a box.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TubeInBox {
    /// Its code.
    pub code: String,
    /// Where it is on its way.
    pub state: TubeState,
}

impl From<Manifest> for BoxManifest {
    fn from(manifest: Manifest) -> Self {
        Self {
            code: manifest.code.to_string(),
            site: manifest.site,
            seal: manifest.seal,
            sealed_at: manifest.sealed,
            tubes: manifest.tubes.iter().map(TubeCode::to_string).collect(),
        }
    }
}

impl BoxAnswer {
    fn at(stored: StoredBox, now: Time) -> Self {
        let waiting = stored.tubes.iter().filter(|tube| tube.state == TubeState::Packed);
        let keeping = waiting.map(|tube| Keeping { tube: &tube.code, taken: tube.taken });
        let code = &stored.manifest.code;
        let warnings = rules::keeping_warnings(code, keeping, &stored.temperatures(), now);
        let tubes = stored.tubes.iter();
        Self {
            code: code.to_string(),
            site: stored.manifest.site,
            seal: stored.manifest.seal,
            sealed_at: stored.manifest.sealed,
            state: stored.custody.state,
            holder: stored.custody.holder,
            tubes: tubes
                .map(|tube| TubeInBox { code: tube.code.to_string(), state: tube.state })
                .collect(),
            handovers: stored.custody.steps.into_iter().map(HandoverAnswer::from).collect(),
            warnings,
        }
    }
}

/// The box code in a path or a body.
pub(crate) fn box_code(text: &str) -> Result<BoxCode> {
    BoxCode::parse(text).map_err(|fault| Error::invalid("box.code", "code", fault.to_string()))
}

/// Seals a box over its tubes.
///
/// The same content again is answered with 200 and the same body; other content with 409 and
/// every difference. Tubes that are unknown, in another box or at another site are all named.
#[utoipa::path(put, path = "/v1/boxes/{code}", tag = "transport", security(("bearer" = [])),
    params(("code" = String, Path, description = "the box code")), request_body = BoxRequest,
    responses((status = 201, body = BoxManifest), (status = 200, body = BoxManifest),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn box_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(request): Json<BoxRequest>,
) -> Result<impl IntoResponse> {
    actor.at_site(&request.site)?;
    let now = app.clock.now();
    let mut tx = app.db.write("box.seal").await?;
    let code = barcode::store::box_code(&mut tx, &code).await?;
    let manifest = manifest_read(&mut tx, code, request, now).await?;
    if let Some(stored) = store::box_find(&mut tx, &app.keys, &manifest.code).await? {
        let differences = rules::manifest_differences(&stored.manifest, &manifest);
        if !differences.is_empty() {
            return Err(Error::Conflict(differences));
        }
        return Ok((StatusCode::OK, Json(BoxManifest::from(stored.manifest))));
    }
    let tag = manifest.tag(&app.keys);
    box_seal(&mut tx, NewBox { manifest: &manifest, tag: &tag, by: &actor, at: now }).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(BoxManifest::from(manifest))))
}

/// The manifest a request describes, or everything that is wrong with it.
async fn manifest_read(
    tx: &mut Tx,
    code: BoxCode,
    request: BoxRequest,
    now: Time,
) -> Result<Manifest> {
    let patterns = barcode::store::patterns(tx).await?;
    let count = request.tubes.len();
    let scanned = request.tubes.iter().take(rules::TUBES_MAX).enumerate();
    let scanned = scanned.map(|(i, text)| (format!("tubes[{i}]"), text.as_str()));
    let (mut tubes, mut reasons) = match rules::tube_codes(scanned, &patterns) {
        Ok(tubes) => (tubes, Vec::new()),
        Err(reasons) => (Vec::new(), reasons),
    };
    tubes.sort();
    let BoxRequest { site, seal, sealed_at: sealed, .. } = request;
    let manifest = Manifest { code, site, seal, sealed, tubes };
    reasons.extend(rules::manifest_faults(&manifest, count, now));
    refuse_if_any(reasons)?;
    Ok(manifest)
}

/// Stores the box and packs its tubes.
async fn box_seal(tx: &mut Tx, new: NewBox<'_>) -> Result<()> {
    let NewBox { manifest, by, at, .. } = new;
    let newest = store::tubes_newest(tx, &manifest.tubes).await?;
    refuse_if_any(rules::seal_time_faults(manifest.sealed, newest, at))?;
    let known = collection::tubes_find(tx, &manifest.tubes).await?;
    let boxed = store::boxes_of_tubes(tx, &manifest.tubes).await?;
    let faults = rules::packing_faults(manifest, &known, &boxed);
    if !faults.is_empty() {
        return Err(Error::Conflict(faults));
    }
    let step = TubesMove { from: TubeState::Sealed, to: TubeState::Packed, at, laboratory: None };
    let stored = store::box_add(tx, new).await?
        && collection::tubes_move(tx, &manifest.tubes, step).await? == manifest.tubes.len() as u64;
    if !stored {
        return Err(Error::conflict(
            "box.concurrent",
            manifest.code.as_str(),
            "another request took this box or one of its tubes just now; send it again",
        ));
    }
    let detail = json!({ "site": manifest.site, "seal": manifest.seal, "tubes": manifest.tubes });
    let about = manifest.code.as_str();
    let entry = Entry { at, actor: by, action: "box.seal", about, detail };
    audit::record_about(tx, entry, &manifest.tubes).await
}

/// Shows a box: its tubes and where they are, its hand-overs, and what to worry about.
///
/// A laboratory sees every box on its way, for it may be on its way there, and of those that
/// arrived its own.
#[utoipa::path(get, path = "/v1/boxes/{code}", tag = "transport", security(("bearer" = [])),
    params(("code" = String, Path, description = "the box code")),
    responses((status = 200, body = BoxAnswer), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn box_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Json<BoxAnswer>> {
    let code = box_code(&code)?;
    let mut tx = app.db.read("box.show").await?;
    let stored = store::box_find(&mut tx, &app.keys, &code).await?;
    let stored = stored.ok_or_else(|| Error::not_found("box", code.as_str()))?;
    stored.shown_to(&actor)?;
    Ok(Json(BoxAnswer::at(stored, app.clock.now())))
}
