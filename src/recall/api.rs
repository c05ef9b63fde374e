//! The list of people to call, and what came of the calls.

use std::collections::BTreeMap;

use axum::extract::State;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::store::{self, PageQuery, Position, RecallCounts, RecallRow, SealedIdentity};
use super::{Contact, RecallOutcome, RecallReason, RecallState, rules};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::{Actor, Role};
use crate::barcode::PlaceCode;
use crate::clock::Time;
use crate::collection::person::{Identity, identity_place, identity_row};
use crate::collection::place::store::{refuse_unknown_area, refuse_unknown_site};
use crate::error::{Error, Result, refuse_if_any};
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::seal::{KeyRing, Place};
use crate::storage::{StoreError, Tx};

/// The most recalls on one page.
const PAGE_MAX: u32 = 200;
/// Recalls on a page when nobody says.
const PAGE: u32 = 50;

/// Which recalls to list.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecallsQuery {
    /// Only in this state; without it, whatever is not closed.
    pub state: Option<RecallState>,
    /// Only of this site; a sampler sees no other than their own.
    pub site: Option<PlaceCode>,
    /// Only of the sites of this area.
    pub area: Option<String>,
    /// `next` of the page before.
    #[param(value_type = Option<String>)]
    pub after: Option<Cursor<Position>>,
    /// Recalls on the page, 1 to 200; 50 when not given.
    #[param(value_type = Option<u32>)]
    pub limit: Option<Limit<PAGE_MAX>>,
}

/// One page of recalls, the most urgent first.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecallsAnswer {
    /// The recalls.
    pub recalls: Vec<RecallAnswer>,
    /// The cursor of the next page; none on the last.
    #[schema(value_type = Option<String>)]
    pub next: Option<Cursor<Position>>,
    /// People still to be collected again, over all pages.
    pub open: i64,
    /// People collected and waiting for a result, over all pages.
    pub collected: i64,
    /// People to be collected again whose deadline is past, over all pages.
    pub overdue: i64,
}

/// One recall.
///
/// It has no `Debug`, because it may carry a name.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecallAnswer {
    /// Its id.
    pub id: String,
    /// The tube it follows up.
    pub origin_tube: String,
    /// Where that tube was sealed.
    pub site: String,
    /// Why.
    pub reason: RecallReason,
    /// Where it is.
    pub state: RecallState,
    /// Since when.
    pub opened_at: Time,
    /// By when the person is to be collected again.
    pub due_at: Time,
    /// The single tube that answers it.
    pub answer_tube: Option<String>,
    /// When it was closed.
    pub closed_at: Option<Time>,
    /// What became of it; officers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_up: Option<FollowUp>,
}

/// What an officer needs to call somebody; nobody else gets it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct FollowUp {
    /// Name, document, phone and address as they were given at the swab that is followed up;
    /// each page that shows them leaves an audit row.
    pub identity: Option<Identity>,
    /// Whether the person was reached.
    pub contact: Contact,
    /// What the officer noted.
    pub note: String,
    /// What the answering tube said.
    pub outcome: Option<RecallOutcome>,
}

/// What came of a call.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactRequest {
    /// Whether the person was reached.
    pub contact: ContactMade,
    /// At most 500 characters; kept sealed.
    #[serde(default)]
    pub note: String,
}

/// Whether a person who was called was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactMade {
    /// The person knows.
    Informed,
    /// Nobody answers.
    Unreachable,
    /// The person will not come.
    Declined,
}

impl From<ContactMade> for Contact {
    fn from(made: ContactMade) -> Self {
        match made {
            ContactMade::Informed => Self::Informed,
            ContactMade::Unreachable => Self::Unreachable,
            ContactMade::Declined => Self::Declined,
        }
    }
}

impl From<RecallRow> for RecallAnswer {
    fn from(row: RecallRow) -> Self {
        Self {
            id: row.id,
            origin_tube: row.origin_tube,
            site: row.site_code,
            reason: row.reason,
            state: row.state,
            opened_at: row.opened,
            due_at: row.due,
            answer_tube: row.answer_tube,
            closed_at: row.closed,
            follow_up: None,
        }
    }
}

/// Lists recalls in the order of their deadlines.
///
/// Officers see whom to call, and every page that shows people leaves an audit row; samplers see
/// their site's tubes and counts.
#[utoipa::path(get, path = "/v1/recalls", tag = "recall", security(("bearer" = [])),
    params(RecallsQuery),
    responses((status = 200, body = RecallsAnswer), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn recalls_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<RecallsQuery>,
) -> Result<Json<RecallsAnswer>> {
    let named = (asked.site.clone(), asked.area.clone());
    let page = page_read(&actor, asked)?;
    refuse_unknown(&app, &named).await?;
    let now = app.clock.now();
    if actor.role != Role::Officer {
        let mut tx = app.db.read("recall.list").await?;
        let (rows, next) = page_cut(store::recalls_page(&mut tx, &page).await?, page.limit);
        let counts = store::recalls_count(&mut tx, &page, now).await?;
        let recalls = rows.into_iter().map(RecallAnswer::from).collect();
        return Ok(Json(answer(recalls, next, counts)));
    }
    let mut tx = app.db.write("recall.read").await?;
    let (rows, next) = page_cut(store::recalls_page(&mut tx, &page).await?, page.limit);
    let counts = store::recalls_count(&mut tx, &page, now).await?;
    let recalls = followed_up(&mut tx, &app.keys, rows, (&actor, now)).await?;
    tx.commit().await?;
    Ok(Json(answer(recalls, next, counts)))
}

fn answer(
    recalls: Vec<RecallAnswer>,
    next: Option<Cursor<Position>>,
    counts: RecallCounts,
) -> RecallsAnswer {
    let RecallCounts { open, collected, overdue } = counts;
    RecallsAnswer { recalls, next, open, collected, overdue }
}

/// What is asked for, within what this actor may see; one recall more than fits on the page
/// tells whether another page follows.
fn page_read(actor: &Actor, asked: RecallsQuery) -> Result<PageQuery> {
    let site = asked.site.map(|site| site.as_str().to_owned()).or_else(|| actor.site.clone());
    if let Some(site) = &site {
        actor.at_site(site)?;
    }
    if asked.area.as_deref().is_some_and(|area| area.contains('\0')) {
        let message = "the area holds a NUL; send it without";
        return Err(Error::invalid("recall.area", "area", message));
    }
    let limit = Limit::or(asked.limit, PAGE).rows() + 1;
    let after = asked.after.map_or_else(Position::start, |Cursor(position)| position);
    Ok(PageQuery { site, area: asked.area, state: asked.state, after, limit })
}

/// That there is nobody to call is said of places alone that are there. It is asked before anything is
/// written, so that nobody who writes waits for it.
async fn refuse_unknown(
    app: &App,
    (site, area): &(Option<PlaceCode>, Option<String>),
) -> Result<()> {
    if site.is_none() && area.is_none() {
        return Ok(());
    }
    let mut tx = app.db.read("recall.places").await?;
    refuse_unknown_site(&mut tx, site.as_ref().map(PlaceCode::as_str)).await?;
    refuse_unknown_area(&mut tx, area.as_deref()).await
}

/// The page without the one recall too many, and the cursor behind it.
fn page_cut(mut rows: Vec<RecallRow>, limit: i64) -> (Vec<RecallRow>, Option<Cursor<Position>>) {
    if i64::try_from(rows.len()).is_ok_and(|found| found < limit) {
        return (rows, None);
    }
    rows.pop();
    let next = rows.last().map(|row| Cursor(Position::from(row)));
    (rows, next)
}

/// Adds whom to call, and leaves an audit row that names every person shown (R32).
async fn followed_up(
    tx: &mut Tx,
    keys: &KeyRing,
    rows: Vec<RecallRow>,
    (actor, at): (&Actor, Time),
) -> Result<Vec<RecallAnswer>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sealed = store::identities(tx, rows.iter().map(|row| &row.id)).await?;
    let sealed: BTreeMap<_, _> =
        sealed.into_iter().map(|sealed| (sealed.recall_id.clone(), sealed)).collect();
    let shown: Vec<_> = rows.iter().map(|row| row.person_key.as_str()).collect();
    let detail = json!({ "purpose": "recall", "persons": shown });
    let about = actor.site.as_deref().unwrap_or("recalls");
    let entry = Entry { at, actor, action: "recall.read", about, detail };
    audit::record_about(tx, entry, &shown).await?;
    rows.into_iter()
        .map(|row| {
            let identity = sealed.get(&row.id).map(|sealed| identity_open(keys, sealed));
            let follow_up = FollowUp {
                identity: identity.transpose()?,
                contact: row.contact,
                note: note_open(keys, &row)?,
                outcome: row.outcome,
            };
            Ok(RecallAnswer { follow_up: Some(follow_up), ..row.into() })
        })
        .collect()
}

fn identity_open(keys: &KeyRing, sealed: &SealedIdentity) -> Result<Identity> {
    let row = identity_row(&sealed.key, &sealed.identity_tag);
    let spoiled = |reason: &str| StoreError::Inconsistent {
        table: "person",
        id: row.clone(),
        reason: reason.to_owned(),
    };
    let clear = keys
        .open(identity_place(&row), &sealed.identity)
        .map_err(|fault| spoiled(&fault.to_string()))?;
    Ok(serde_json::from_slice(&clear).map_err(|_may_quote| spoiled("it is no identity"))?)
}

const fn note_place(id: &str) -> Place<'_> {
    Place { table: "recall", column: "note", row: id }
}

/// A note is sealed because officers write down whom they reached at which number.
fn note_seal(keys: &KeyRing, id: &str, note: &str) -> String {
    if note.is_empty() {
        String::new()
    } else {
        BASE64URL_NOPAD.encode(&keys.seal(note_place(id), note.as_bytes()))
    }
}

fn note_open(keys: &KeyRing, row: &RecallRow) -> Result<String> {
    if row.note.is_empty() {
        return Ok(String::new());
    }
    let sealed = BASE64URL_NOPAD.decode(row.note.as_bytes()).ok();
    let clear = sealed.and_then(|sealed| keys.open(note_place(&row.id), &sealed).ok());
    clear.and_then(|clear| String::from_utf8(clear).ok()).ok_or_else(|| {
        let reason = "its note does not open".to_owned();
        StoreError::Inconsistent { table: "recall", id: row.id.clone(), reason }.into()
    })
}

/// Notes what came of a call; it never closes a recall.
#[utoipa::path(put, path = "/v1/recalls/{id}", tag = "recall", security(("bearer" = [])),
    params(("id" = String, Path, description = "the recall's id")),
    request_body = ContactRequest,
    responses((status = 200, body = RecallAnswer), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn recall_put(
    State(app): State<App>,
    actor: Actor,
    Path(id): Path<String>,
    Json(request): Json<ContactRequest>,
) -> Result<Json<RecallAnswer>> {
    refuse_if_any(rules::note_faults(&request.note))?;
    let id =
        uuid::Uuid::try_parse(&id).map_err(|_no_id| Error::not_found("recall", "of this id"))?;
    let (id, at) = (id.to_string(), app.clock.now());
    let mut tx = app.db.write("recall.contact").await?;
    let contact = Contact::from(request.contact);
    let note = note_seal(&app.keys, &id, &request.note);
    let noted = store::recall_contact(&mut tx, &id, contact, &note).await?;
    let row = store::recall_find(&mut tx, &id).await?;
    let row = row.ok_or_else(|| Error::not_found("recall", &id))?;
    // Whatever was noted above is rolled back with the refusal.
    actor.at_site(&row.site_code)?;
    if !noted {
        return Err(Error::Conflict(rules::contact_faults(&id, row.state)));
    }
    let detail = json!({ "contact": contact });
    let entry = Entry { at, actor: &actor, action: "recall.contact", about: &id, detail };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    let outcome = row.outcome;
    let follow_up = FollowUp { identity: None, contact, note: request.note, outcome };
    Ok(Json(RecallAnswer { follow_up: Some(follow_up), ..row.into() }))
}
