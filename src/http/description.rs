//! The description of the interface (OpenAPI) beyond what each route says of itself: what it is
//! about, how one signs in, and the answers that many routes have in common.

use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use super::problem::Problem;
use crate::auth::policy::{self, Access};

/// As problems are sent (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// How a session stands in for a token.
const COOKIE: &str = "The session of a page, in place of a token on every route; whatever changes \
    something sends the page's token as `x-csrf-token`. Behind TLS its name is `__Host-swabline`.";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Swabline", description = include_str!("../../docs/laboratory.md")),
    tags(
        (name = "barcode", description = "Codes are allotted, labels are printed."),
        (name = "collection", description = "People are swabbed into a tube, and it is sealed."),
        (name = "transport", description = "Tubes travel in boxes from hand to hand."),
        (name = "recall", description = "Whoever got no result is asked to come again."),
        (name = "receiving", description = "Boxes arrive, and every tube is accepted or refused."),
        (name = "pooling", description = "Pools are planned, and mixed from single tubes."),
        (name = "plate", description = "Tubes stand in racks and on plates; robots fill the wells."),
        (name = "instrument", description = "A run file is read, kept and drawn."),
        (name = "kit", description = "Cut-offs and rules, proposed by one person and approved by another."),
        (name = "lot", description = "Deliveries of a kit, their expiry, and the reactions used."),
        (name = "review", description = "One person reviews a run, another releases it."),
        (name = "quality", description = "Control charts, alarms, and tubes of known content."),
        (name = "query", description = "A person, or a health-code service, asks for a result."),
        (name = "feeds", description = "Every change, in order, for other systems."),
        (name = "ledger", description = "The proof that no tube was lost."),
        (name = "figures", description = "Where everybody is, how long it takes, what waits."),
        (name = "integrity", description = "Signs of over-pooling and of invented results."),
        (name = "audit", description = "Who did what, in a chain that shows every break."),
        (name = "session", description = "Who is signed in at a page, and proves it for a signature."),
        (name = "operation", description = "Is the service alive, ready, and how busy?"),
    ),
    modifiers(&Bearer),
    components(schemas(Problem))
)]
struct Description;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, api: &mut OpenApi) {
        use utoipa::openapi::security::{
            ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme,
        };
        let components = api.components.get_or_insert_default();
        components.security_schemes.insert(
            "bearer".into(),
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)).into(),
        );
        let cookie = ApiKeyValue::with_description("swabline", COOKIE);
        components
            .security_schemes
            .insert("cookie".into(), SecurityScheme::ApiKey(ApiKey::Cookie(cookie)).into());
    }
}

/// What is said before the routes.
pub fn begun() -> OpenApi {
    Description::openapi()
}

/// An answer that many routes give.
struct Common {
    status: &'static str,
    name: &'static str,
    meaning: &'static str,
}

/// What the guard says on routes that ask who somebody is.
const OF_THE_GUARD: [Common; 2] = [
    Common {
        status: "401",
        name: "Unauthenticated",
        meaning: "Nobody is signed in, or the token or session has ended.",
    },
    Common {
        status: "403",
        name: "Forbidden",
        meaning: "This role, site or laboratory may not do this.",
    },
];

/// What the doors of the service and of its store say on every route of the interface.
const OF_THE_DOORS: Common = Common {
    status: "503",
    name: "Busy",
    meaning: "The service is busy, or its store cannot be reached; `retry_after_s` and \
        `Retry-After` say when to send the same request again.",
};

fn common() -> impl Iterator<Item = &'static Common> {
    OF_THE_GUARD.iter().chain([&OF_THE_DOORS])
}

/// The description with what routes have in common: each that asks who somebody is may answer 401
/// and 403, each of the interface 503, and whatever is refused is sent as a problem.
pub fn completed(mut description: OpenApi) -> OpenApi {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in operations(item) {
            let rule = policy::rule(method, path);
            let asks = rule.is_some_and(|rule| matches!(rule.access, Access::Only(_)));
            let guard = OF_THE_GUARD.iter().filter(|_| asks);
            let doors = path.starts_with("/v1/").then_some(&OF_THE_DOORS);
            let responses = &mut operation.responses.responses;
            for Common { status, name, .. } in guard.chain(doors) {
                let common = RefOr::Ref(Ref::new(format!("#/components/responses/{name}")));
                responses.entry((*status).to_owned()).or_insert(common);
            }
            for (status, response) in responses {
                if let RefOr::T(response) = response {
                    complete(status, response);
                }
            }
        }
    }
    let components = description.components.get_or_insert_default();
    for Common { name, meaning, .. } in common() {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(*meaning).content(PROBLEM, content);
        components.responses.insert((*name).to_owned(), response.build().into());
    }
    description
}

/// The methods of ours that this path has.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let methods = [("GET", &mut item.get), ("PUT", &mut item.put), ("POST", &mut item.post)];
    methods.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Routes state the body of an answer; what its status means, and how a refusal is sent, is the same
/// for all. OpenAPI 3.1 demands the meaning (4.8.17).
fn complete(status: &str, response: &mut Response) {
    if response.description.is_empty() {
        meaning(status).clone_into(&mut response.description);
    }
    if status.starts_with(['4', '5']) {
        let content = std::mem::take(&mut response.content);
        response.content = content.into_values().map(|body| (PROBLEM.to_owned(), body)).collect();
    }
}

fn meaning(status: &str) -> &'static str {
    match status {
        "200" => "What was asked for, or what is there already.",
        "201" => "Made.",
        "202" => "Proposed; another person has to confirm it.",
        "204" => "Done; there is nothing to say.",
        "400" => "It cannot be read.",
        "404" => "There is no such thing, or not for whoever asks.",
        "409" => "It contradicts what is stored.",
        "412" => "It was changed meanwhile.",
        "413" => "It is too large.",
        "422" => "The content is wrong; `errors` lists every reason.",
        "429" => "Too many; `Retry-After` says when to come again.",
        _ => common().find(|common| common.status == status).map_or("", |common| common.meaning),
    }
}
