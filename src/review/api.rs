//! Routes of review, release, amendment and the switches.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::aftermath;
use super::amend::{self, Amendment, AmendmentState, WaitingAmendment, Wanted};
use super::release::{self, Released};
use super::store::{self, Waiting};
use super::switch::{self, Switch};
use super::{Decision, Draft, Meaning, Reviewed, Signature, content_hash, rules};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::clock::{Span, Time};
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path, Proof, Query};
use crate::http::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::interpretation::CLEAN_NEGATIVE_RULE;
use crate::interpretation::lot::store::refuse_held;
use crate::plate::robot::store as robot;
use crate::quality::seeded;
use crate::storage::{Channel, Tx};

/// Most runs on one page of the queue.
const PAGE_MAX: u32 = 200;
/// Time and id of the last run of a page.
type Position = (i64, String);

/// Where the queue goes on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct QueuePage {
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor<Position>>,
    /// At most this many.
    #[param(value_type = Option<u32>)]
    limit: Option<Limit<PAGE_MAX>>,
}

/// Runs waiting for a person, oldest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// The runs.
    pub runs: Vec<Waiting>,
    /// Amendments one person asked for and another has to confirm.
    pub amendments: Vec<WaitingAmendment>,
    /// Give this as `after` for the next page; none at the end.
    #[schema(value_type = Option<String>)]
    pub next: Option<Cursor<Position>>,
}

/// Runs waiting for review or release in the actor's laboratory.
#[utoipa::path(get, path = "/v1/reviews", tag = "review", security(("bearer" = [])),
    params(QueuePage), responses((status = 200, body = Queue)))]
pub async fn reviews_get(
    State(app): State<App>,
    actor: Actor,
    Query(page): Query<QueuePage>,
) -> Result<Json<Queue>> {
    let rows = Limit::or(page.limit, PAGE_MAX).rows();
    let Cursor((time, id)) = page.after.unwrap_or(Cursor((i64::MIN, String::new())));
    let mut tx = app.db.read("review.queue").await?;
    let position = (Time::from_us(time), id.as_str());
    let asked = (rows, app.config.lot_keeping);
    let runs = store::queue(&mut tx, actor.laboratory.as_deref(), position, asked).await?;
    let full = i64::try_from(runs.len()).is_ok_and(|count| count == rows);
    let next = runs.last().filter(|_last| full);
    let next = next.map(|run| Cursor((run.imported.us(), run.id.clone())));
    let amendments = amend::waiting(&mut tx, actor.laboratory.as_deref()).await?;
    Ok(Json(Queue { runs, amendments, next }))
}

/// What a first reviewer says.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    /// Accept the calls, or void the run.
    pub decision: Decision,
}

/// What came of a review.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReviewAnswer {
    /// The run.
    pub run: String,
    /// Its state now.
    pub state: String,
    /// The reviewer's signature.
    pub signature: Signature,
    /// Clean negatives released by rule with this review.
    pub released_by_rule: Vec<String>,
    /// Tubes that go back to be run again.
    pub back: Vec<String>,
}

/// The first person's review of a run; the same person's same decision again is answered again.
#[utoipa::path(post, path = "/v1/runs/{id}/review", tag = "review", security(("bearer" = [])),
    params(("id" = String, Path, description = "run")), request_body = ReviewRequest,
    responses((status = 200, body = ReviewAnswer), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn review_post(
    State(app): State<App>,
    actor: Actor,
    proof: Proof,
    Path(run): Path<String>,
    Json(request): Json<ReviewRequest>,
) -> Result<Json<ReviewAnswer>> {
    let mut tx = app.db.write_on(Channel::Release, "review.review").await?;
    let (content, state) = store::run_find(&mut tx, &run).await?;
    actor.in_laboratory(&content.laboratory)?;
    if let Some(answer) = reviewed_before(&mut tx, &actor, (&run, &state), request.decision).await?
    {
        return Ok(Json(answer));
    }
    proof.spend(&mut tx, app.clock.now()).await?;
    let answer = match request.decision {
        Decision::Accept => accept(&app, &mut tx, &actor, Draft(content)).await?,
        Decision::Void => void(&app, &mut tx, &actor, Draft(content), &state).await?,
    };
    let detail = json!({ "decision": request.decision, "back": answer.back.len(),
        "released_by_rule": answer.released_by_rule.len(), "signature": answer.signature.id,
        "content_hash": answer.signature.content_hash });
    let at = answer.signature.signed;
    let entry = Entry { at, actor: &actor, action: "review.review", about: &run, detail };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

/// The answer to a review this person made before, with what it led to.
async fn reviewed_before(
    tx: &mut Tx,
    actor: &Actor,
    (run, state): (&str, &str),
    decision: Decision,
) -> Result<Option<ReviewAnswer>> {
    let (meaning, ends): (_, &[&str]) = match decision {
        Decision::Accept => (Meaning::Review, &["reviewed", "released"]),
        Decision::Void => (Meaning::Void, &["void"]),
    };
    let signature = store::signature_find(tx, run, meaning).await?;
    let own = |found: &Signature| ends.contains(&state) && found.account == actor.account;
    let Some(signature) = signature.filter(own) else { return Ok(None) };
    let released_by_rule = aftermath::released_by_rule(tx, run).await?;
    let back = match decision {
        Decision::Accept => Vec::new(),
        Decision::Void => aftermath::calls_in(tx, run, "void", None).await?,
    };
    let (run, state) = (run.to_owned(), state.to_owned());
    Ok(Some(ReviewAnswer { run, state, signature, released_by_rule, back }))
}

async fn accept(app: &App, tx: &mut Tx, actor: &Actor, draft: Draft) -> Result<ReviewAnswer> {
    refuse_held(tx, &draft.0.run, app.config.lot_keeping).await?;
    let hash = content_hash(&draft.0);
    let signature = Signature::new(&app.clock, actor, Meaning::Review, hash.clone());
    let reviewed = draft.accept(signature.clone())?;
    let run = reviewed.content().run.clone();
    store::run_move(tx, &run, "draft", "reviewed").await?;
    robot::refuse_open(tx, &reviewed.content().plate).await?;
    store::sign(tx, &run, &signature, None).await?;
    let held = seeded::holds(tx, &reviewed.content().laboratory).await?;
    let on = !held && switch::switch_find(tx, switch::AUTO_RELEASE, signature.signed).await?.on;
    let released_by_rule = rules::released_by_rule(reviewed.content(), on);
    if !released_by_rule.is_empty() {
        let by_rule = Signature::new(&app.clock, actor, Meaning::ReleaseByRule, hash);
        store::sign(tx, &run, &by_rule, Some(CLEAN_NEGATIVE_RULE)).await?;
        release::release_by_rule(tx, &reviewed, &by_rule, &released_by_rule).await?;
    }
    let (_, state) = store::run_find(tx, &run).await?;
    Ok(ReviewAnswer { run, state, signature, released_by_rule, back: Vec::new() })
}

async fn void(
    app: &App,
    tx: &mut Tx,
    actor: &Actor,
    draft: Draft,
    state: &str,
) -> Result<ReviewAnswer> {
    let content = draft.0;
    if !matches!(state, "draft" | "reviewed") {
        return Err(Error::conflict(
            "review.moved",
            &content.run,
            format!("run {} is {state} and cannot be made void", content.run),
        ));
    }
    store::run_move(tx, &content.run, state, "void").await?;
    aftermath::refuse_standing(tx, &content.run).await?;
    let hash = content_hash(&content);
    let signature = Signature::new(&app.clock, actor, Meaning::Void, hash);
    let back = release::void(tx, &content, signature.signed).await?;
    store::sign(tx, &content.run, &signature, None).await?;
    let (run, state) = (content.run, "void".to_owned());
    Ok(ReviewAnswer { run, state, signature, released_by_rule: Vec::new(), back })
}

/// What came of a release.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReleaseAnswer {
    /// The run.
    pub run: String,
    /// The releaser's signature.
    pub signature: Signature,
    /// What became of the tubes.
    pub released: Released,
}

/// The second, different person releases a reviewed run.
#[utoipa::path(post, path = "/v1/runs/{id}/release", tag = "review", security(("bearer" = [])),
    params(("id" = String, Path, description = "run")),
    responses((status = 200, body = ReleaseAnswer), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn release_post(
    State(app): State<App>,
    actor: Actor,
    proof: Proof,
    Path(run): Path<String>,
) -> Result<Json<ReleaseAnswer>> {
    let mut tx = app.db.write_on(Channel::Release, "review.release").await?;
    let (content, state) = store::run_find(&mut tx, &run).await?;
    actor.in_laboratory(&content.laboratory)?;
    let before = store::signature_find(&mut tx, &run, Meaning::Release).await?;
    if let Some(signature) = before.filter(|found| found.account == actor.account) {
        let released = aftermath::released(&mut tx, &run).await?;
        return Ok(Json(ReleaseAnswer { run, signature, released }));
    }
    proof.spend(&mut tx, app.clock.now()).await?;
    store::run_move(&mut tx, &run, "reviewed", "released")
        .await
        .map_err(|error| if state == "draft" { not_reviewed(&run) } else { error })?;
    refuse_held(&mut tx, &run, app.config.lot_keeping).await?;
    robot::refuse_open(&mut tx, &content.plate).await?;
    let review = store::signature_find(&mut tx, &run, Meaning::Review).await?;
    let reviewed = Reviewed::restore(content, review.ok_or_else(|| not_reviewed(&run))?)?;
    let hash = content_hash(reviewed.content());
    let cleared = reviewed.clear(Signature::new(&app.clock, &actor, Meaning::Release, hash))?;
    store::sign(&mut tx, &run, &cleared.release, None).await?;
    let due_in = Span::hours(app.config.recall_hours);
    let released = release::release(&mut tx, &app.clock, &cleared, due_in).await?;
    let detail = json!({ "reported": released.reported.len(), "retested": released.retested.len(),
        "recalled": released.recalled.len(), "signature": cleared.release.id, "content_hash": cleared.release.content_hash });
    let at = cleared.release.signed;
    let entry = Entry { at, actor: &actor, action: "review.release", about: &run, detail };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    Ok(Json(ReleaseAnswer { run, signature: cleared.release, released }))
}

fn not_reviewed(run: &str) -> Error {
    Error::conflict(
        "review.not_reviewed",
        run,
        format!("run {run} was not reviewed yet; another person has to review it first"),
    )
}

/// Asks for an amendment, or confirms the one another person asked for.
#[utoipa::path(post, path = "/v1/results/{id}/amend", tag = "review", security(("bearer" = [])),
    params(("id" = String, Path, description = "result")), request_body = Wanted,
    responses((status = 201, body = Amendment), (status = 202, body = Amendment),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn amend_post(
    State(app): State<App>,
    actor: Actor,
    proof: Proof,
    Path(result): Path<String>,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Json<Amendment>)> {
    let mut tx = app.db.write_on(Channel::Release, "review.amend").await?;
    let row = amend::result_find(&mut tx, &result).await?;
    actor.in_laboratory(row.laboratory_code.as_deref().unwrap_or_default())?;
    if let Some(amendment) = amend::repeated(&mut tx, &actor, (&row, wanted)).await? {
        return Ok((StatusCode::CREATED, Json(amendment)));
    }
    proof.spend(&mut tx, app.clock.now()).await?;
    let outcome = wanted.outcome;
    let due_in = Span::hours(app.config.recall_hours);
    let amendment = amend::amend(&mut tx, &app.clock, &actor, (row, wanted), due_in).await?;
    let detail = json!({ "outcome": outcome, "state": amendment.state,
        "amended_to": amendment.amended_to });
    let at = app.clock.now();
    let entry = Entry { at, actor: &actor, action: "review.amend", about: &result, detail };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    let status = match amendment.state {
        AmendmentState::Proposed => StatusCode::ACCEPTED,
        AmendmentState::Amended => StatusCode::CREATED,
    };
    Ok((status, Json(amendment)))
}

/// How a switch is set.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    /// On or off.
    pub on: bool,
    /// Why.
    pub reason: String,
    /// When it turns itself off; a day from now when absent, 31 days at most.
    #[serde(default)]
    pub until: Option<Time>,
}

impl SwitchRequest {
    /// Until when it is on; none when it is turned off.
    fn until(&self, now: Time) -> Result<Option<Time>> {
        if self.on {
            return switch::end(self.until, now).map(Some);
        }
        if self.until.is_none() {
            return Ok(None);
        }
        let why = "a switch that is turned off has no end; leave it out";
        Err(Error::invalid("switch.until", "until", why))
    }
}

fn known(name: &str) -> Result<()> {
    if switch::SWITCHES.contains(&name) { Ok(()) } else { Err(Error::not_found("switch", name)) }
}

/// A switch as it stands.
#[utoipa::path(get, path = "/v1/switches/{name}", tag = "review", security(("bearer" = [])),
    params(("name" = String, Path, description = "`auto_release`")),
    responses((status = 200, body = Switch), (status = 404, body = Problem)))]
pub async fn switch_get(State(app): State<App>, Path(name): Path<String>) -> Result<Json<Switch>> {
    known(&name)?;
    let mut tx = app.db.read("review.switch").await?;
    Ok(Json(switch::switch_find(&mut tx, &name, app.clock.now()).await?))
}

/// Sets a switch, for everything that begins afterwards. What is turned on turns itself off.
#[utoipa::path(put, path = "/v1/switches/{name}", tag = "review", security(("bearer" = [])),
    params(("name" = String, Path, description = "`auto_release`")),
    request_body = SwitchRequest,
    responses((status = 200, body = Switch), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn switch_put(
    State(app): State<App>,
    actor: Actor,
    Path(name): Path<String>,
    Json(request): Json<SwitchRequest>,
) -> Result<Json<Switch>> {
    known(&name)?;
    let reason = request.reason.trim();
    let is_text = !reason.is_empty() && !reason.contains(char::is_control);
    if !is_text || reason.chars().count() > super::rules::REASON_MAX {
        return Err(Error::invalid(
            "switch.reason",
            "reason",
            "give the reason in 1 to 500 printable characters",
        ));
    }
    let at = app.clock.now();
    let until = request.until(at)?;
    let mut tx = app.db.write("review.switch").await?;
    switch::switch_set(&mut tx, &name, until, reason, (&actor.account, at)).await?;
    let detail = json!({ "on": request.on, "reason": reason, "until": until });
    let entry = Entry { at, actor: &actor, action: "review.switch", about: &name, detail };
    audit::record(&mut tx, entry).await?;
    let set = switch::switch_find(&mut tx, &name, at).await?;
    tx.commit().await?;
    Ok(Json(set))
}
