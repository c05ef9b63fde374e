//! Routes of the kit: propose a version, look at all there are.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::rules::{self, Standing, State as KitState};
use super::shadow_api::ShownAnswer;
use super::store::{self, StoredVersion, Withdrawal};
use super::{Definition, Kit, Purpose};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::interpretation::KitFault;
use crate::storage::Tx;

/// A version to be proposed: its definition as JSON, or as the text of a TOML file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KitRequest {
    /// The definition as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub definition: Option<serde_json::Value>,
    /// The definition as TOML, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toml: Option<String>,
    /// From when on plates may be made for it.
    pub effective_from: Time,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_until: Option<Time>,
}

/// A version of a kit as it stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KitAnswer {
    /// Code of the kit.
    pub code: String,
    /// The version.
    pub version: String,
    /// Name as people know it.
    pub name: String,
    /// Where rules and cut-offs were taken from.
    pub source: String,
    /// `clinical`, `demonstration` or `unproven`.
    #[schema(value_type = String)]
    pub purpose: Purpose,
    /// `shipped`, `proposed`, `approved` or `withdrawn`.
    pub state: KitState,
    /// From when on plates may be made for it; always, when it was shipped.
    pub effective_from: Option<Time>,
    /// Until when.
    pub effective_until: Option<Time>,
    /// Every reason why no plate may be made for it now.
    pub refusals: Vec<Reason>,
    /// Account of the person who proposed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<String>,
    /// Account of the person who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// Changed calls that person had seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_calls: Option<i64>,
    /// Changed verdicts of plates that person had seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_verdicts: Option<i64>,
    /// Account of the person who withdrew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_reason: Option<String>,
    /// The whole definition; left out of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub definition: Option<Definition>,
    /// What its shadow runs showed together; left out of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShownAnswer>,
}

/// Every version of every kit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KitList {
    /// Those that came with the program, then those proposed here, by code and version.
    pub kits: Vec<KitAnswer>,
}

impl KitAnswer {
    /// A kit as it stands at that moment.
    fn new(app: &App, kit: &Kit, standing: &Standing, at: Time) -> Self {
        let mut refusals = rules::against_use((&kit.code, &kit.version), standing, at);
        refusals.extend(rules::against_purpose(kit, app.config.demonstration_kits));
        Self {
            code: kit.code.clone(),
            version: kit.version.clone(),
            name: kit.name.clone(),
            source: kit.source.clone(),
            purpose: kit.purpose,
            state: standing.state,
            effective_from: standing.effective,
            effective_until: standing.until,
            refusals,
            proposed_by: None,
            approved_by: None,
            changed_calls: None,
            changed_verdicts: None,
            withdrawn_by: None,
            withdrawn_reason: None,
            definition: None,
            shadow: None,
        }
    }

    /// A kit that came with the program, withdrawn or not.
    fn shipped(app: &App, kit: &Kit, withdrawal: Option<&Withdrawal>, at: Time) -> Self {
        Self {
            withdrawn_by: withdrawal.map(|found| found.withdrawn_by.clone()),
            withdrawn_reason: withdrawal.map(|found| found.reason.clone()),
            ..Self::new(app, kit, &Standing::shipped(withdrawal.is_some()), at)
        }
    }

    fn stored(app: &App, stored: StoredVersion, at: Time) -> Result<Self> {
        let answer = Self::new(app, &stored.kit()?, &stored.standing(), at);
        Ok(Self {
            proposed_by: Some(stored.proposed_by),
            approved_by: stored.approved_by,
            changed_calls: stored.changed_calls,
            changed_verdicts: stored.changed_verdicts,
            withdrawn_by: stored.withdrawn_by,
            withdrawn_reason: stored.withdrawn_reason,
            ..answer
        })
    }
}

/// Every version of every kit, and whether a plate may be made for it now.
#[utoipa::path(get, path = "/v1/kits", tag = "kit", security(("bearer" = [])),
    responses((status = 200, body = KitList)))]
pub async fn kits_get(State(app): State<App>) -> Result<Json<KitList>> {
    let mut tx = app.db.read("kit.list").await?;
    let at = app.clock.now();
    let withdrawals = store::withdrawals(&mut tx).await?;
    let shipped = |kit: &Kit| {
        let withdrawal = withdrawals.iter().find(|found| found.is_of(kit));
        KitAnswer::shipped(&app, kit, withdrawal, at)
    };
    let mut kits: Vec<_> = app.kits.iter().map(shipped).collect();
    for stored in store::versions(&mut tx).await? {
        kits.push(KitAnswer::stored(&app, stored, at)?);
    }
    Ok(Json(KitList { kits }))
}

/// A version of a kit with its definition and what its shadow runs showed.
#[utoipa::path(get, path = "/v1/kits/{code}/versions/{version}", tag = "kit",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "kit"), ("version" = String, Path)),
    responses((status = 200, body = KitAnswer), (status = 404, body = Problem)))]
pub async fn kit_get(
    State(app): State<App>,
    actor: Actor,
    Path((code, version)): Path<(String, String)>,
) -> Result<Json<KitAnswer>> {
    Error::refuse_nul("kit", &code).and_then(|()| Error::refuse_nul("kit", &version))?;
    let mut tx = app.db.read("kit.get").await?;
    Ok(Json(answer(&app, &mut tx, &actor, (&code, &version)).await?))
}

/// A version as this person may see it.
pub(super) async fn answer(
    app: &App,
    tx: &mut Tx,
    actor: &Actor,
    (code, version): (&str, &str),
) -> Result<KitAnswer> {
    let at = app.clock.now();
    let Some(stored) = store::version_find(tx, code, version).await? else {
        let kit = app.kits.iter().find(|kit| kit.code == code && kit.version == version);
        let kit =
            kit.ok_or_else(|| Error::not_found("kit version", format!("{code} {version}")))?;
        let definition = Some(Definition::from(kit.clone()));
        let withdrawal = store::withdrawal_find(tx, (code, version)).await?;
        let answer = KitAnswer::shipped(app, kit, withdrawal.as_ref(), at);
        return Ok(KitAnswer { definition, ..answer });
    };
    let definition = Some(Definition::from(stored.kit()?));
    let shadow = ShownAnswer::seen(tx, actor, (code, version)).await?;
    Ok(KitAnswer { definition, shadow, ..KitAnswer::stored(app, stored, at)? })
}

/// Proposes a version. What was proposed never changes: another value is another version.
#[utoipa::path(put, path = "/v1/kits/{code}/versions/{version}", tag = "kit",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "kit"), ("version" = String, Path)),
    request_body = KitRequest,
    responses((status = 200, body = KitAnswer), (status = 201, body = KitAnswer),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn kit_put(
    State(app): State<App>,
    actor: Actor,
    Path((code, version)): Path<(String, String)>,
    Json(request): Json<KitRequest>,
) -> Result<(StatusCode, Json<KitAnswer>)> {
    let (name, dates) =
        ((code.as_str(), version.as_str()), (request.effective_from, request.effective_until));
    let kit = read(request)?;
    let mut tx = app.db.write("kit.propose").await?;
    if let Some(before) = proposed(&app, &mut tx, name).await? {
        refuse_another(&kit, dates, &before)?;
        return Ok((StatusCode::OK, Json(answer(&app, &mut tx, &actor, name).await?)));
    }
    let at = app.clock.now();
    refuse_if_any(rules::against_proposal(&kit, name, dates, at))?;
    if !store::version_add(&mut tx, &kit, dates, (&actor.account, at)).await? {
        let message = "somebody proposed this version a moment ago; look at it first";
        return Err(Error::conflict("kit.exists", &version, message));
    }
    let detail = json!({ "version": version, "effective_from": dates.0,
        "effective_until": dates.1, "purpose": kit.purpose });
    let entry = Entry { at, actor: &actor, action: "kit.propose", about: &code, detail };
    audit::record(&mut tx, entry).await?;
    let answer = answer(&app, &mut tx, &actor, name).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The kit a request states, or every fault of it.
fn read(request: KitRequest) -> Result<Kit> {
    let read = match (request.definition, request.toml) {
        (Some(definition), None) => serde_json::from_value(definition)
            .map_err(|error| vec![KitFault::Unreadable(error.to_string())])
            .and_then(Kit::read),
        (None, Some(toml)) => Kit::parse(&toml),
        _ => {
            let message = "state the `definition`, or the text of its file as `toml`; one of them";
            return Err(Error::invalid("kit.definition", "definition", message));
        }
    };
    read.map_err(|faults| {
        let reason = |fault: &KitFault| Reason::new("kit.fault", "definition", fault.to_string());
        Error::Invalid(faults.iter().map(reason).collect())
    })
}

/// Whether this version came with the program.
pub(super) fn is_shipped(app: &App, name: (&str, &str)) -> bool {
    app.kits.iter().any(|kit| (kit.code.as_str(), kit.version.as_str()) == name)
}

/// What was proposed under this name; a shipped version is a conflict.
async fn proposed(app: &App, tx: &mut Tx, name: (&str, &str)) -> Result<Option<StoredVersion>> {
    if is_shipped(app, name) {
        let message = "this version came with the program and never changes; choose another \
                       version";
        return Err(Error::conflict("kit.shipped", name.1, message));
    }
    store::version_find(tx, name.0, name.1).await
}

fn refuse_another(kit: &Kit, dates: (Time, Option<Time>), before: &StoredVersion) -> Result<()> {
    let differences = [
        ("definition", before.kit()? != *kit),
        ("effective_from", before.effective != dates.0),
        ("effective_until", before.until != dates.1),
    ];
    let reasons: Vec<_> = differences
        .iter()
        .filter(|(_, differs)| *differs)
        .map(|(field, _)| {
            let message = "what was proposed never changes; propose another version";
            Reason::new("kit.exists", *field, message)
        })
        .collect();
    if reasons.is_empty() { Ok(()) } else { Err(Error::Conflict(reasons)) }
}

/// A version that was proposed here, and nobody else's until the transaction ends.
pub(super) async fn locked(app: &App, tx: &mut Tx, name: (&str, &str)) -> Result<StoredVersion> {
    store::version_lock(tx, name.0, name.1).await?;
    let stored = proposed(app, tx, name).await?;
    stored.ok_or_else(|| Error::not_found("kit version", format!("{} {}", name.0, name.1)))
}
