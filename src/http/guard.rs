//! The guard before every route: which rule, which token, which role.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::auth::policy::{self, Access};
use crate::auth::{Actor, Token};
use crate::error::{Error, Result};

/// Lets a request through when the table says so; a route without a rule is denied.
pub async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Result<Response> {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    // A HEAD is answered like the GET of the same route, without its body (RFC 9110, 9.3.2).
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let rule = policy::rule(method.as_str(), path)
        .ok_or_else(|| Error::forbidden("auth.route", path, "this route is closed to everybody"))?;
    if let Access::Only(_) = rule.access {
        let actor = signed_in(&app, request.headers()).await?;
        if !rule.allows(actor.role) {
            return Err(Error::forbidden(
                "auth.role",
                rule.path,
                "your role may not do this; ask somebody whose role may",
            ));
        }
        request.extensions_mut().insert(actor);
    }
    Ok(next.run(request).await)
}

/// Whose token this is, now; whoever waited long asks again before it is answered.
pub async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Arc<Actor>> {
    let token = bearer(headers).ok_or(Error::Unauthenticated)?;
    app.holders.holder(&app.db, &token, app.clock.now()).await?.ok_or(Error::Unauthenticated)
}

fn bearer(headers: &HeaderMap) -> Option<Token> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    // The scheme's name may be written in either case (RFC 9110, 11.1).
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Token::presented(token.trim_start()))
}
