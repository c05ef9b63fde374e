//! Every error as an RFC 9457 problem: a stable code, every reason, and nothing internal.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Reason};
use crate::storage::StoreError;

/// Seconds a caller waits when the store is busy.
const BUSY_RETRY_AFTER_S: u32 = 1;

/// What is said where nobody knows; repeating is safe, because every change is idempotent.
pub const UNKNOWN: &str = "it may or may not have been stored; send the same request again";

/// What an unsuccessful answer says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI reference naming the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// Stable code for programs.
    pub code: String,
    /// This occurrence in a sentence.
    pub detail: String,
    /// Every reason, where there are several facts to mend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Reason>,
    /// Seconds after which trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
}

impl Problem {
    /// A problem with one sentence.
    pub fn new(status: StatusCode, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    fn listing(status: StatusCode, title: &str, reasons: Vec<Reason>) -> Self {
        let code = reasons.first().map_or("invalid", |reason| reason.code.as_ref()).to_owned();
        let detail =
            reasons.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; ");
        Self { errors: reasons, ..Self::new(status, &code, title, detail) }
    }

    fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Malformed(reason) => {
                Self::listing(StatusCode::BAD_REQUEST, "The request cannot be read", vec![reason])
            }
            Error::Invalid(reasons) => {
                Self::listing(StatusCode::UNPROCESSABLE_ENTITY, "The content is wrong", reasons)
            }
            Error::Conflict(reasons) => {
                Self::listing(StatusCode::CONFLICT, "It contradicts what is stored", reasons)
            }
            Error::Precondition(reason) => {
                let title = "It was changed meanwhile";
                Self::listing(StatusCode::PRECONDITION_FAILED, title, vec![reason])
            }
            Error::Unauthenticated => {
                Self::new(StatusCode::UNAUTHORIZED, "auth.token", "Nobody is signed in", detail)
            }
            Error::Forbidden(reason) => {
                Self::listing(StatusCode::FORBIDDEN, "You may not do this", vec![reason])
            }
            Error::NotFound { what, .. } => Self::new(
                StatusCode::NOT_FOUND,
                &format!("{}.not_found", what.replace(' ', "_")),
                "There is no such thing",
                detail,
            ),
            Error::Absent(reason) => {
                Self::listing(StatusCode::NOT_FOUND, "There is no such thing", vec![reason])
            }
            Error::TooMany { retry_after_s } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "Too many requests", detail)
                    .retry_after(retry_after_s)
            }
            Error::Store(StoreError::Busy(source)) => {
                tracing::warn!(error = %source, "the store is busy");
                busy()
            }
            // Counted where it is refused: under a flood a line for each would be one more.
            Error::Store(StoreError::Full(_)) => busy(),
            Error::Store(StoreError::Lost(source)) => {
                tracing::warn!(error = %source, "the connection to the store was lost");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store.lost",
                    "The store cannot be reached",
                    format!("the connection to the store was lost: {UNKNOWN}"),
                )
                .retry_after(BUSY_RETRY_AFTER_S)
            }
            Error::Store(StoreError::NotText(_)) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "text.nul",
                "The content is wrong",
                "a text of the request holds a NUL; send it without",
            ),
            Error::Store(source) => internal(&source),
            Error::Internal(text) => {
                tracing::error!(error = text, "a defect answered a request");
                opaque()
            }
        }
    }
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "store.busy",
        "The store is busy",
        "the store is busy; send the same request again",
    )
    .retry_after(BUSY_RETRY_AFTER_S)
}

fn internal(source: &StoreError) -> Problem {
    let cause = std::error::Error::source(source).map(ToString::to_string);
    tracing::error!(error = %source, cause, "the store answered a request with a failure");
    opaque()
}

fn opaque() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Something went wrong on our side",
        format!("{UNKNOWN}; if it fails again, quote the x-request-id of this answer"),
    )
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_s;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
