//! Routes by which pooling in use is watched, and its re-assessments recorded.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::figures::{self, Assessed, Scope};
use super::monitoring::{self, DAYS_MAX, DAYS_MIN, Figures, Standing};
use super::rules::TUBES_MIN;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Query};
use crate::http::idempotency::{self, Attempt, IdempotencyKey};
use crate::http::problem::Problem;
use crate::receiving::store::{laboratory_exists, refuse_unknown_laboratory};

/// Whose pooling, and when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PoolingQuery {
    /// The laboratory.
    laboratory: String,
    /// Days looked back, 7 to 10; 7 when nothing is said.
    days: Option<u8>,
    /// The moment looked back from, for the record of an earlier day; now when nothing is said.
    at: Option<Time>,
}

impl PoolingQuery {
    fn faults(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.laboratory.contains('\0') {
            let message = "the code holds a NUL; send it without";
            reasons.push(Reason::new("pooling.laboratory", "laboratory", message));
        }
        if self.days.is_some_and(|days| !(DAYS_MIN..=DAYS_MAX).contains(&days)) {
            let message = format!("the window is {DAYS_MIN} to {DAYS_MAX} days; ask for as many");
            reasons.push(Reason::new("pooling.days", "days", message));
        }
        reasons
    }
}

/// How pooling goes in one laboratory.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PoolingAnswer {
    /// The laboratory.
    pub laboratory: String,
    /// Days looked back.
    pub days: u8,
    /// The moment looked back from.
    pub at: Time,
    /// One for each kit of which a pool was called there by then.
    pub kits: Vec<KitPooling>,
}

/// How pooling goes with one kit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KitPooling {
    /// Code of the kit.
    pub kit: String,
    /// Its version.
    pub kit_version: String,
    /// When its first pool was called there.
    pub began_at: Time,
    /// The figures of the window.
    #[serde(flatten)]
    pub figures: Figures,
    /// May the laboratory go on?
    pub state: Standing,
    /// Why not, and what to do.
    pub reasons: Vec<Reason>,
    /// The newest re-assessment that decided something.
    pub assessment: Option<Assessed>,
}

/// The running figures of pooling: positivity of pools and of single tests, and what they ask
/// for (FDA template, October 2021). Nothing of them is ever taken away, so that every day of the
/// past can be asked for.
#[utoipa::path(get, path = "/v1/pooling", tag = "pooling", security(("bearer" = [])),
    params(PoolingQuery),
    responses((status = 200, body = PoolingAnswer), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn pooling_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<PoolingQuery>,
) -> Result<Json<PoolingAnswer>> {
    actor.in_laboratory(&asked.laboratory)?;
    refuse_if_any(asked.faults())?;
    let (days, at) = (asked.days.unwrap_or(DAYS_MIN), asked.at.unwrap_or(app.clock.now()));
    let mut tx = app.db.read("pooling.get").await?;
    refuse_unknown_laboratory(&mut tx, Some(&asked.laboratory)).await?;
    let (mut kits, mut running) = (Vec::new(), BTreeMap::new());
    // Also of a kit that was withdrawn since: what was pooled with it stays.
    let names = app.kit_names(&mut tx).await?;
    for (kit, kit_version) in &names {
        let laboratory = asked.laboratory.as_str();
        let scope = Scope { laboratory, kit: (kit, kit_version), at, days };
        let Some(began_at) = figures::began(&mut tx, scope).await? else { continue };
        let figures = figures::figures(&mut tx, scope).await?;
        let assessment = figures::assessment_last(&mut tx, scope).await?;
        if !running.contains_key(kit) {
            let versions = figures::versions(&names, kit);
            running.insert(kit, figures::running_of_all(&mut tx, scope, &versions).await?);
        }
        let (state, reasons) = monitoring::standing(&figures, &running[kit]);
        let (kit, kit_version) = (kit.clone(), kit_version.clone());
        let one = KitPooling { kit, kit_version, began_at, figures, state, reasons, assessment };
        kits.push(one);
    }
    Ok(Json(PoolingAnswer { laboratory: asked.laboratory, days, at, kits }))
}

/// Positive tubes tested again in pools.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssessmentRequest {
    /// The laboratory.
    pub laboratory: String,
    /// Code of the kit.
    pub kit: String,
    /// Version of the kit.
    pub kit_version: String,
    /// Tubes in each pool.
    pub size: u8,
    /// Positive tubes tested again: ten, or all twenty when ten more were asked for.
    pub positives: u8,
    /// Those of them found in their pools.
    pub found: u8,
}

/// Records a re-assessment and says what it decides.
#[utoipa::path(post, path = "/v1/pooling/assessments", tag = "pooling", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "a fresh id; the same on a retry")),
    request_body = AssessmentRequest,
    responses((status = 201, body = Assessed), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub async fn assessment_post(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Json(request): Json<AssessmentRequest>,
) -> Result<Response> {
    actor.in_laboratory(&request.laboratory)?;
    let at = app.clock.now();
    let mut tx = app.db.write("pooling.assess").await?;
    let plan = app.kit(&mut tx, &request.kit, &request.kit_version).await?.plan();
    let fresh = match idempotency::begin(&mut tx, &actor, key, at, &request).await? {
        Attempt::Replay(answer) => return Ok(answer),
        Attempt::Fresh(fresh) => fresh,
    };
    let mut reasons = Vec::new();
    if !(TUBES_MIN..=usize::from(plan.laboratory_pools)).contains(&usize::from(request.size)) {
        let message = format!("kit {} is not validated for pools of this size", plan.kit);
        reasons.push(Reason::new("assessment.size", "size", message));
    }
    if request.laboratory.contains('\0') || !laboratory_exists(&mut tx, &request.laboratory).await?
    {
        let message = "this laboratory is not registered; ask an administrator to register it";
        reasons.push(Reason::new("laboratory.unknown", "laboratory", message));
    }
    let decision = monitoring::assess(request.positives, request.found)
        .map_err(|more| reasons.extend(more))
        .ok();
    refuse_if_any(reasons)?;
    let decision = decision.expect("what decides nothing was refused");
    let (size, positives) = (i64::from(request.size), i64::from(request.positives));
    let assessed = Assessed { size, positives, found: request.found.into(), decision, at };
    let (laboratory, kit) = (request.laboratory.as_str(), (&*request.kit, &*request.kit_version));
    let scope = Scope { laboratory, kit, at, days: DAYS_MIN };
    let id = app.clock.id().to_string();
    figures::assessment_add(&mut tx, &id, scope, &assessed, &actor.account).await?;
    let detail = json!({ "kit": request.kit, "kit_version": request.kit_version,
        "size": size, "positives": positives, "found": request.found, "decision": decision });
    let entry = Entry { at, actor: &actor, action: "pooling.assess", about: laboratory, detail };
    audit::record(&mut tx, entry).await?;
    fresh.finish(tx, StatusCode::CREATED, &assessed).await
}
