//! Allotments, their labels, and makers' patterns.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::allot::Allotment;
use super::label::{LABELS_MAX, Label, LabelError, PER_PAGE, pages, sheet_pdf, sheet_svg, zpl};
use super::store::{self, Allotted, Asked};
use super::{Alphabet, Kind, Pattern, PlaceCode};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Path, Query};
use crate::http::idempotency::{self, Attempt, IdempotencyKey};
use crate::http::problem::Problem;

/// A range of codes asked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllotmentRequest {
    /// What the codes are for.
    pub kind: Kind,
    /// How many, 1 to 100,000.
    pub count: u32,
    /// The site or laboratory that will use them.
    pub place: PlaceCode,
}

/// A range of codes given out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AllotmentAnswer {
    /// The allotment's id.
    pub id: String,
    /// What the codes are for.
    pub kind: Kind,
    /// Number of the first code.
    pub first: u64,
    /// Number of the last code.
    pub last: u64,
    /// How many.
    pub count: u32,
    /// The site or laboratory.
    pub place: String,
    /// The first code as printed.
    pub first_code: String,
    /// The last code as printed.
    pub last_code: String,
}

impl AllotmentAnswer {
    fn new(allotted: &Allotted) -> Self {
        let range = allotted.range;
        let code = |number| {
            let one = Allotment::new(range.kind(), number, 1);
            let code = one.ok().and_then(|one| one.codes().next());
            code.expect("every number of an allotment has a code")
        };
        let last = range.end() - 1;
        Self {
            id: allotted.id.clone(),
            kind: range.kind(),
            first: range.first(),
            last,
            count: range.count(),
            place: allotted.place.clone(),
            first_code: code(range.first()),
            last_code: code(last),
        }
    }
}

/// Gives out the next range of codes; the same key again gives the same range.
#[utoipa::path(post, path = "/v1/allotments", tag = "barcode", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "A fresh id, the same on a retry")),
    request_body = AllotmentRequest,
    responses((status = 201, body = AllotmentAnswer), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn allotment_post(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Json(request): Json<AllotmentRequest>,
) -> Result<Response> {
    actor.at_place(request.place.as_str())?;
    let at = app.clock.now();
    let mut tx = app.db.write("allotment.make").await?;
    let fresh = match idempotency::begin(&mut tx, &actor, key, at, &request).await? {
        Attempt::Replay(answer) => return Ok(answer),
        Attempt::Fresh(fresh) => fresh,
    };
    let (id, asked) = (app.clock.id().to_string(), Asked { by: &actor.account, at });
    let wanted = (request.kind, request.count);
    let allotted = store::allot(&mut tx, id, wanted, request.place.as_str(), asked).await?;
    let answer = AllotmentAnswer::new(&allotted);
    let detail = json!({ "kind": answer.kind, "first": answer.first_code,
        "last": answer.last_code, "count": answer.count, "place": answer.place });
    let entry = Entry { at, actor: &actor, action: "allotment.make", about: &answer.id, detail };
    audit::record(&mut tx, entry).await?;
    fresh.finish(tx, StatusCode::CREATED, &answer).await
}

/// How labels are drawn.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LabelsQuery {
    /// `svg`, `pdf` or `zpl`.
    pub format: String,
    /// One sheet, counted from 1; without it an SVG is the first and the others are everything.
    pub page: Option<usize>,
    /// Where a range begins, counted from 0 within the allotment; 0 when only `count` is given.
    pub first: Option<usize>,
    /// How many labels of the range are drawn, up to 6,500 and to the allotment's end.
    pub count: Option<usize>,
}

/// Draws the labels of an allotment, of one page of it or of one range, with the code of its place on each, for those who work at
/// that place: the same label in two hands is two tubes of one code.
#[utoipa::path(get, path = "/v1/allotments/{id}/labels", tag = "barcode",
    security(("bearer" = [])), params(("id" = String, Path), LabelsQuery),
    responses((status = 200, content((String = "image/svg+xml"), (Vec<u8> = "application/pdf"),
        (String = "application/zpl"))), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn labels_get(
    State(app): State<App>,
    actor: Actor,
    Path(id): Path<String>,
    Query(asked): Query<LabelsQuery>,
) -> Result<Response> {
    let id: Uuid =
        id.parse().map_err(|_error| Error::not_found("allotment", "with the id in the path"))?;
    let mut tx = app.db.read("allotment.labels").await?;
    let allotted = store::allotment(&mut tx, &id.to_string()).await?;
    drop(tx);
    actor.at_place(&allotted.place)?;
    let (kind, document) = draw(&allotted, &asked)?;
    Ok(([(header::CONTENT_TYPE, kind)], document).into_response())
}

fn draw(allotted: &Allotted, asked: &LabelsQuery) -> Result<(&'static str, Vec<u8>)> {
    let refused = |error: LabelError| Error::invalid("labels", "page", error.to_string());
    let format = asked.format.as_str();
    let page = if format == "svg" { asked.page.or(Some(1)) } else { asked.page };
    let labels = match (asked.first, asked.count) {
        (None, None) => on_page(allotted, page).map_err(refused)?,
        (first, count) => {
            let faults = range_faults(asked, allotted.range.count() as usize);
            refuse_if_any(faults)?;
            let codes = allotted.range.codes().skip(first.unwrap_or(0));
            codes.take(count.unwrap_or(LABELS_MAX)).map(|code| label(allotted, &code)).collect()
        }
    };
    match format {
        "svg" => Ok(("image/svg+xml", sheet_svg(&labels, 1).map_err(refused)?.into_bytes())),
        "pdf" => Ok(("application/pdf", sheet_pdf(&labels).map_err(refused)?)),
        "zpl" => Ok(("application/zpl", zpl(&labels).into_bytes())),
        _ => Err(Error::invalid(
            "labels.format",
            "format",
            "labels are drawn as `svg`, `pdf` or `zpl`; ask for one of them",
        )),
    }
}

fn label(allotted: &Allotted, code: &str) -> Label {
    Label::new(code, Some(&allotted.place)).expect("an allotment holds sound codes of ours")
}

/// Everything that is wrong with a range of an allotment of so many codes.
fn range_faults(asked: &LabelsQuery, codes: usize) -> Vec<Reason> {
    let mut faults = Vec::new();
    let mut refuse = |about: &str, message: String| {
        faults.push(Reason::new("labels.range", about, message));
    };
    if asked.page.is_some() {
        refuse("page", "ask for a page or for a range, not for both".to_owned());
    }
    if asked.format == "svg" {
        let message = "a range is drawn as `pdf` or `zpl`; ask for a page of `svg`";
        refuse("format", message.to_owned());
    }
    if let Some(first) = asked.first.filter(|first| *first >= codes) {
        let message = format!(
            "there is no label {first}; the allotment's are numbered from 0 to {}",
            codes.saturating_sub(1)
        );
        refuse("first", message);
    }
    if let Some(count) = asked.count.filter(|count| !(1..=LABELS_MAX).contains(count)) {
        let message = format!("{count} labels were asked for; ask for 1 to {LABELS_MAX} at a time");
        refuse("count", message);
    }
    faults
}

/// The labels of one page, or all of them.
fn on_page(allotted: &Allotted, page: Option<usize>) -> Result<Vec<Label>, LabelError> {
    let codes = allotted.range.codes();
    let label = |code: String| label(allotted, &code);
    let count = allotted.range.count() as usize;
    let Some(page) = page else {
        let fits = count <= LABELS_MAX;
        return fits.then(|| codes.map(label).collect()).ok_or(LabelError::TooMany { count });
    };
    let pages = pages(count);
    let before = page
        .checked_sub(1)
        .filter(|&before| before < pages)
        .ok_or(LabelError::NoSuchPage { page, pages })?;
    Ok(codes.skip(before * PER_PAGE).take(PER_PAGE).map(label).collect())
}

/// A maker's pattern.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatternRequest {
    /// Who prints the codes.
    pub maker: String,
    /// How many characters a code has, prefix included.
    pub length: u8,
    /// What follows the prefix.
    pub alphabet: Alphabet,
}

/// Registers the pattern of a maker's codes.
#[utoipa::path(put, path = "/v1/code-patterns/{prefix}", tag = "barcode",
    security(("bearer" = [])), params(("prefix" = String, Path)), request_body = PatternRequest,
    responses((status = 201, body = Pattern), (status = 200, body = Pattern),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn pattern_put(
    State(app): State<App>,
    actor: Actor,
    Path(prefix): Path<String>,
    Json(request): Json<PatternRequest>,
) -> Result<(StatusCode, Json<Pattern>)> {
    let pattern = Pattern::new(&request.maker, &prefix, request.length, request.alphabet).map_err(
        |faults| {
            let reason = |fault: &super::PatternFault| {
                Reason::new("pattern.refused", "pattern", fault.to_string())
            };
            Error::Invalid(faults.iter().map(reason).collect())
        },
    )?;
    let at = app.clock.now();
    let mut tx = app.db.write("pattern.register").await?;
    if !store::pattern_register(&mut tx, &pattern, at).await? {
        return Ok((StatusCode::OK, Json(pattern)));
    }
    let detail = json!(pattern);
    let entry = Entry { at, actor: &actor, action: "pattern.register", about: &prefix, detail };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(pattern)))
}
