//! The router: every route on one page, and the layers around them from inner to outer.

pub mod cookie;
mod description;
mod durations;
pub mod extract;
pub mod guard;
pub mod health;
pub mod idempotency;
mod limits;
pub mod page;
pub mod problem;
mod request_id;

use std::future::ready;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::get;
use axum::{Router, middleware};
use tower::ServiceBuilder;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::app::App;
use crate::{
    audit, auth, barcode, collection, feeds, figures, instrument, integrity, interpretation,
    ledger, plate, pooling, quality, query, recall, receiving, review, transport, web,
};
pub use durations::Durations;
use extract::BodyMax;
pub use limits::Entrance;
use problem::Problem;
pub use request_id::RequestIds;

/// Largest body that is no instrument file: a batch of 1,000 tubes of 20 people with room to spare.
const BODY_MAX: BodyMax = BodyMax(16 * 1024 * 1024);
/// Largest instrument file.
const FILE_MAX: BodyMax = BodyMax(instrument::MAX_FILE_BYTES);

/// The routes of kits.
fn kits() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(interpretation::kit::api::kits_get))
        .routes(routes!(interpretation::kit::api::kit_put, interpretation::kit::api::kit_get))
        .routes(routes!(interpretation::kit::shadow_api::shadow_post))
        .routes(routes!(interpretation::kit::approval_api::approve_post))
        .routes(routes!(interpretation::kit::approval_api::withdraw_post))
}

/// The routes of lots.
fn lots() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(interpretation::lot::api::lots_get))
        .routes(routes!(interpretation::lot::api::lot_put))
        .routes(routes!(interpretation::lot::api::delivery_post))
        .routes(routes!(interpretation::lot::api::issue_post))
}

/// The routes of the city's board.
fn board() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(figures::api::figures_get))
        .routes(routes!(figures::api::flow_get))
        .routes(routes!(figures::api::turnaround_get))
        .routes(routes!(figures::live::live_get))
}

/// Every route and its description.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(description::begun())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        // barcode
        .routes(routes!(barcode::api::allotment_post))
        .routes(routes!(barcode::api::labels_get))
        .routes(routes!(barcode::api::pattern_put))
        // collection
        .routes(routes!(collection::place::api::laboratory_put))
        .routes(routes!(collection::place::api::site_put))
        .routes(routes!(collection::place::api::round_put))
        .routes(routes!(collection::place::api::session_put))
        .routes(routes!(collection::tube::api::tube_put, query::way_api::tube_get))
        .routes(routes!(collection::tube::api::tubes_post))
        // transport
        .routes(routes!(transport::api::box_put, transport::api::box_get))
        .routes(routes!(transport::custody::handover_post))
        .routes(routes!(transport::custody::handover_accept_post))
        // recall
        .routes(routes!(recall::api::recalls_get))
        .routes(routes!(recall::api::recall_put))
        // receiving
        .routes(routes!(receiving::api::arrival_post))
        .routes(routes!(receiving::api::arrival_get))
        .routes(routes!(receiving::write_off::write_off_post))
        // pooling
        .routes(routes!(pooling::plan::api::plan_get))
        .routes(routes!(pooling::api::pool_put, pooling::api::pool_get))
        .routes(routes!(pooling::api::dissolve_post))
        .routes(routes!(pooling::monitoring_api::pooling_get))
        .routes(routes!(pooling::monitoring_api::assessment_post))
        // plate
        .routes(routes!(plate::api::plate_put, plate::api::plate_get))
        .routes(routes!(plate::slots::slots_get))
        .routes(routes!(plate::api::freeze_post))
        .routes(routes!(plate::worklist::api::worklist_get))
        .routes(routes!(plate::picklist::picklist_get))
        .routes(routes!(plate::retest::retests_get))
        .routes(routes!(plate::rack::api::rack_put, plate::rack::api::rack_get))
        .routes(routes!(plate::robot::api::transfers_post, plate::robot::api::transfers_get))
        .routes(routes!(plate::robot::api::transfer_file_get))
        .routes(routes!(plate::robot::accept::transfer_accept_post))
        .routes(routes!(plate::discard::discard_post))
        // instrument
        .routes(routes!(interpretation::api::run_post).layer(FILE_MAX.layer()))
        .routes(routes!(interpretation::api::run_get))
        .routes(routes!(instrument::api::run_file_get))
        // kit and lot
        .merge(kits())
        .merge(lots())
        .routes(routes!(interpretation::picture_api::run_curves_get))
        .routes(routes!(interpretation::picture_api::run_curves_svg_get))
        .routes(routes!(interpretation::picture_api::run_plate_svg_get))
        .routes(routes!(instrument::api::run_rdml_get))
        // review
        .routes(routes!(review::api::reviews_get))
        .routes(routes!(review::api::review_post))
        .routes(routes!(review::api::release_post))
        .routes(routes!(review::api::amend_post))
        .routes(routes!(review::api::switch_get, review::api::switch_put))
        // quality
        .routes(routes!(quality::api::charts_get))
        .routes(routes!(quality::api::charts_svg_get))
        .routes(routes!(quality::api::alarms_get))
        .routes(routes!(quality::api::acknowledge_post))
        .routes(routes!(quality::seeded::seeded_put))
        .routes(routes!(quality::seeded_list::seeded_get))
        .routes(routes!(quality::seeded_list::seeded_svg_get))
        // query
        .routes(routes!(query::api::status_post))
        .routes(routes!(query::api::status_batch_post))
        .routes(routes!(feeds::api::feed_get))
        // city
        .routes(routes!(collection::device::api::gaps_get))
        .routes(routes!(ledger::api::ledger_get))
        .merge(board())
        .routes(routes!(integrity::api::integrity_get))
        .routes(routes!(integrity::api::earlier_get))
        .routes(routes!(integrity::root::root_get))
        .routes(routes!(audit::api::audit_get))
        // session
        .routes(routes!(auth::session::api::session_get))
        .routes(routes!(auth::session::api::proof_post))
}

/// Every route, and the whole description.
fn described() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (routes, description) = api().split_for_parts();
    (routes, description::completed(description))
}

/// The description alone, for tests and clients.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().1
}

/// The whole service.
pub fn router(app: App) -> Router {
    let (routes, description) = described();
    let docs = utoipa_swagger_ui::SwaggerUi::new("/docs")
        .config(utoipa_swagger_ui::Config::from("/openapi.json"));
    let docs =
        Router::from(docs).layer(middleware::map_response_with_state(app.clone(), docs_protect));
    let description = description.to_json().expect("a description has string keys");
    let description = Bytes::from(description);
    let description =
        get(move || ready(([(CONTENT_TYPE, "application/json")], description.clone())));
    routes
        .route("/openapi.json", description)
        .route_layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .merge(docs)
        .merge(web::router(&app))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn_with_state(app.clone(), limits::surround))
                .layer(BODY_MAX.layer()),
        )
        .with_state(app)
}

async fn docs_protect(State(app): State<App>, mut response: Response) -> Response {
    web::protect::docs(&mut response, app.config.behind_tls);
    response
}

async fn not_found(State(app): State<App>, request: Request) -> Response {
    let problem = Problem::new(
        StatusCode::NOT_FOUND,
        "route.not_found",
        "There is no such route",
        "see /docs for the routes there are",
    );
    web::refusal::outside(&app, problem, request).await
}

async fn method_not_allowed(State(app): State<App>, request: Request) -> Response {
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "route.method",
        "The route does not take this method",
        "see the `allow` header and /docs",
    );
    web::refusal::outside(&app, problem, request).await
}
