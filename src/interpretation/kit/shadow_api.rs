//! The route of the shadow run: stored runs read again with a proposed version, and the difference.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::locked;
use super::shadow::{Difference, PastRun, difference};
use super::shadow_store::{self, StoredShadow};
use super::{Kit, shadow_union, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path};
use crate::http::idempotency::{self, Attempt, IdempotencyKey};
use crate::http::problem::Problem;
use crate::storage::Tx;

/// Most stored runs in one shadow run: some 9,400 tubes, a day of a large laboratory.
const RUNS_MAX: usize = 100;

/// Which stored runs are read: these, or the last ones of a kit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShadowRequest {
    /// Ids of runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    /// So many of the last runs that are not void, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
    /// Of this kit; of the same one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kit: Option<String>,
}

/// What a shadow run found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ShadowAnswer {
    /// Its id.
    pub id: String,
    /// Stored runs it read.
    pub runs: i64,
    /// Calls they have.
    pub calls: i64,
    /// Calls that would have been others.
    pub changed_calls: i64,
    /// Plates that would have been judged otherwise.
    pub changed_verdicts: i64,
    /// Each run with its changed calls; those of the asker's own laboratory.
    #[schema(value_type = Vec<Object>)]
    pub differences: Vec<Difference>,
    /// Account of the person who ran it.
    pub ran_by: String,
    /// When.
    pub ran_at: Time,
}

/// What all shadow runs of a version showed together: each stored run once, as it was read last.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ShownAnswer {
    /// Stored runs that were read.
    pub runs: usize,
    /// Those of laboratories that the asker may not see; who approves has none.
    pub unseen_runs: usize,
    /// Calls that would have been others; an approval must state this number.
    pub changed_calls: i64,
    /// Plates that would have been judged otherwise; an approval must state this number.
    pub changed_verdicts: i64,
    /// Each run with its changed calls; those of the asker's own laboratory.
    #[schema(value_type = Vec<Object>)]
    pub differences: Vec<Difference>,
}

impl ShownAnswer {
    /// What was shown of a version, as this person may see it; nothing before a shadow run.
    pub(super) async fn seen(
        tx: &mut Tx,
        actor: &Actor,
        name: (&str, &str),
    ) -> Result<Option<Self>> {
        let runs = shadow_union::shown_runs(tx, actor, name).await?;
        if runs.is_empty() {
            return Ok(None);
        }
        let changed = shadow_union::changed(&runs);
        Ok(Some(Self {
            runs: runs.len(),
            unseen_runs: runs.iter().filter(|run| !run.is_seen).count(),
            changed_calls: changed.calls,
            changed_verdicts: changed.verdicts,
            differences: runs
                .into_iter()
                .filter(|run| run.is_seen)
                .map(|run| run.difference)
                .collect(),
        }))
    }
}

impl ShadowAnswer {
    /// A shadow run as this person may see it.
    pub(super) async fn seen(tx: &mut Tx, actor: &Actor, shadow: StoredShadow) -> Result<Self> {
        let laboratory = actor.laboratory.as_deref();
        Ok(Self {
            differences: shadow_store::differences(tx, &shadow.id, laboratory).await?,
            id: shadow.id,
            runs: shadow.runs,
            calls: shadow.calls,
            changed_calls: shadow.changed_calls,
            changed_verdicts: shadow.changed_verdicts,
            ran_by: shadow.ran_by,
            ran_at: shadow.ran,
        })
    }
}

/// Reads stored runs with a proposed version; nobody is told anything by it.
#[utoipa::path(post, path = "/v1/kits/{code}/versions/{version}/shadow", tag = "kit",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "kit"), ("version" = String, Path)),
    request_body = ShadowRequest,
    responses((status = 201, body = ShadowAnswer), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn shadow_post(
    State(app): State<App>,
    actor: Actor,
    Path((code, version)): Path<(String, String)>,
    key: IdempotencyKey,
    Json(request): Json<ShadowRequest>,
) -> Result<Response> {
    let name = (code.as_str(), version.as_str());
    let differences = differences(&app, &actor, name, &request).await?;
    let mut tx = app.db.write("kit.shadow").await?;
    let at = app.clock.now();
    let content = (name, &request);
    let fresh = match idempotency::begin(&mut tx, &actor, key, at, &content).await? {
        Attempt::Replay(response) => return Ok(response),
        Attempt::Fresh(fresh) => fresh,
    };
    locked(&app, &mut tx, name).await?;
    let id = app.clock.id().to_string();
    let by = (actor.account.as_str(), at);
    shadow_store::shadow_add(&mut tx, (&id, &code, &version), &differences, by).await?;
    let stored = shadow_store::shadow_last(&mut tx, &code, &version).await?;
    let stored = stored.ok_or_else(|| Error::Internal("a shadow run is gone".to_owned()))?;
    let detail = json!({ "version": version, "shadow": id, "runs": stored.runs,
        "changed_calls": stored.changed_calls, "changed_verdicts": stored.changed_verdicts });
    let entry = Entry { at, actor: &actor, action: "kit.shadow", about: &code, detail };
    audit::record(&mut tx, entry).await?;
    let answer = ShadowAnswer::seen(&mut tx, &actor, stored).await?;
    fresh.finish(tx, StatusCode::CREATED, &answer).await
}

/// What the version would have made of the chosen runs. They are read through the door for
/// reading, and worked on away from the threads that serve, so that nobody waits for it.
async fn differences(
    app: &App,
    actor: &Actor,
    (code, version): (&str, &str),
    request: &ShadowRequest,
) -> Result<Vec<Difference>> {
    let mut tx = app.db.read("kit.shadow").await?;
    let stored = store::version_find(&mut tx, code, version).await?;
    let stored = stored
        .ok_or_else(|| Error::not_found("proposed kit version", format!("{code} {version}")))?;
    let kit = stored.kit()?;
    let mut past = Vec::new();
    for run in chosen(&mut tx, actor, code, request).await? {
        let (run, laboratory) = shadow_store::past_run(&mut tx, &run).await?;
        actor.in_laboratory(&laboratory)?;
        if run.is_void {
            let message = "this run is void, so nothing is learned from its calls; name another";
            return Err(Error::invalid("kit.shadow_void", run.id, message));
        }
        past.push(run);
    }
    drop(tx);
    let work = move || compare(&kit, &past);
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(format!("a shadow run failed: {error}")))
}

fn compare(kit: &Kit, past: &[PastRun]) -> Vec<Difference> {
    past.iter().map(|run| difference(kit, run)).collect()
}

/// Ids of the runs a request chose, each once.
async fn chosen(
    tx: &mut Tx,
    actor: &Actor,
    code: &str,
    request: &ShadowRequest,
) -> Result<Vec<String>> {
    let refuse = |message: &str| Error::invalid("kit.shadow_runs", "runs", message);
    let mut runs = match (request.runs.is_empty(), request.last) {
        (false, None) => request.runs.clone(),
        (true, Some(last)) if (1..=RUNS_MAX).contains(&(last as usize)) => {
            let kit = request.kit.as_deref().unwrap_or(code);
            shadow_store::runs_last(tx, kit, actor.laboratory.as_deref(), last).await?
        }
        _ => return Err(refuse("name 1 to 100 `runs`, or how many of the `last` ones")),
    };
    runs.sort();
    runs.dedup();
    match runs.len() {
        0 => Err(refuse("no run of this kit is stored in your laboratory; name other `runs`")),
        1..=RUNS_MAX => Ok(runs),
        _ => Err(refuse("at most 100 runs are read at once; name fewer")),
    }
}
