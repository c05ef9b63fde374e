//! What handlers take from a request; whatever cannot be taken is answered as a problem.

use std::sync::Arc;

use axum::Extension;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::auth::Actor;
use crate::auth::session::Session;
use crate::auth::session::store::proof_spend;
use crate::clock::Time;
use crate::error::Error;
use crate::storage::Tx;

/// Most bytes of the bodies of a route: one number, which is kept to and which is said.
#[derive(Debug, Clone, Copy)]
pub struct BodyMax(pub usize);

impl BodyMax {
    /// Keeps to it; a layer further inside stands above one further outside.
    pub fn layer(self) -> (DefaultBodyLimit, Extension<Self>) {
        (DefaultBodyLimit::max(self.0), Extension(self))
    }

    /// The number that stands above this request, in words.
    fn of(request: &Request) -> String {
        let most = request.extensions().get::<Self>();
        most.map_or_else(|| "allowed".to_owned(), |most| format!("{} MiB", most.0 >> 20))
    }
}

/// A JSON body, in or out.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let most = BodyMax::of(&request);
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(explain_json(&rejection, &most)),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn explain_json(rejection: &JsonRejection, most: &str) -> Problem {
    let status = rejection.status();
    let code = match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "body.media_type",
        StatusCode::PAYLOAD_TOO_LARGE => "body.too_large",
        StatusCode::UNPROCESSABLE_ENTITY => "body.shape",
        _ => "body.json",
    };
    let detail = match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "send `content-type: application/json`".to_owned(),
        StatusCode::PAYLOAD_TOO_LARGE => format!("the body is larger than {most}; send less"),
        _ => without_values(&rejection.body_text()),
    };
    Problem::new(status, code, "The request cannot be read", detail)
}

/// Parser messages quote what they met, and what they met may be a name: texts in quotes and
/// the unknown word of a list are left out.
pub fn without_values(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(['"', '`']) {
        let (before, quoted) = rest.split_at(start);
        clean.push_str(before);
        let is_value = quoted.starts_with('"') || before.ends_with("unknown variant ");
        let end = match quoted.strip_prefix('"') {
            // Inside double quotes the parser escapes quotes and backslashes.
            Some(value) => 1 + end_of_string(value),
            None if is_value => quoted.rfind("`, expected").unwrap_or(quoted.len() - 1),
            None => quoted[1..].find('`').map_or(quoted.len() - 1, |end| end + 1),
        };
        let (shown, after) = quoted.split_at((end + 1).min(quoted.len()));
        clean.push_str(if is_value { "..." } else { shown });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// Where the string ends whose opening quote was read: the place of the closing one.
fn end_of_string(value: &str) -> usize {
    let mut escaped = false;
    value
        .bytes()
        .position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        })
        .unwrap_or(value.len())
}

/// Parts of the path.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection: PathRejection| {
                Problem::new(
                    rejection.status(),
                    "path",
                    "The path cannot be read",
                    rejection.body_text(),
                )
            })
    }
}

/// A form of a page.
#[derive(Debug, Clone, Copy)]
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        axum::Form::<T>::from_request(request, state)
            .await
            .map(|axum::Form(value)| Self(value))
            .map_err(|rejection: FormRejection| {
                Problem::new(
                    rejection.status(),
                    "form",
                    "The form cannot be read",
                    without_values(&rejection.body_text()),
                )
            })
    }
}

/// The query string.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection: QueryRejection| {
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    "query",
                    "The query string cannot be read",
                    rejection.body_text(),
                )
            })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let holder = parts.extensions.get::<Arc<Self>>().ok_or(Error::Unauthenticated)?;
        Ok(Self::clone(holder))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        parts.extensions.get::<Self>().cloned().ok_or(Error::Unauthenticated)
    }
}

/// What a signature needs: whoever comes with a token showed it with the request; whoever sits
/// at a page has just proven who they are (R26).
#[derive(Debug, Clone)]
pub struct Proof(Option<String>);

impl Proof {
    /// Uses the proof, in the transaction of the signature it is for.
    pub async fn spend(self, tx: &mut Tx, now: Time) -> Result<(), Error> {
        match self.0 {
            Some(session) => proof_spend(tx, &session, now).await,
            None => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Proof {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let session = parts.extensions.get::<Session>();
        Ok(Self(session.map(|session| session.hash.clone())))
    }
}

/// A body as it came: an instrument's file.
#[derive(Debug, Clone)]
pub struct Raw(pub axum::body::Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let most = BodyMax::of(&request);
        axum::body::Bytes::from_request(request, state).await.map(Self).map_err(|rejection| {
            let status = rejection.status();
            let (code, detail) = if status == StatusCode::PAYLOAD_TOO_LARGE {
                let detail = format!("the file is larger than {most}; export the results alone");
                ("body.too_large", detail)
            } else {
                ("body.cut", "the body ended too early; send it again".to_owned())
            };
            Problem::new(status, code, "The body cannot be read", detail)
        })
    }
}

/// Most files of one request; one more is taken, so that too many are told apart.
const FILES_MAX: usize = crate::instrument::MAX_PARTS;

/// One or several files: a body as it came, or every file of a `multipart/form-data`.
#[derive(Debug, Clone)]
pub struct Files(pub Vec<File>);

/// A file in a request.
#[derive(Debug, Clone)]
pub struct File {
    /// The name it was sent under; none for a body as it came.
    pub name: Option<String>,
    /// Every byte.
    pub bytes: axum::body::Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Files {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
            let Raw(bytes) = Raw::from_request(request, state).await?;
            return Ok(Self(vec![File { name: None, bytes }]));
        }
        let most = BodyMax::of(&request);
        let mut form = Multipart::from_request(request, state)
            .await
            .map_err(|rejection| unreadable_form(rejection.status(), &most))?;
        let mut files = Vec::new();
        let broken = |error: MultipartError| unreadable_form(error.status(), &most);
        while let Some(field) = form.next_field().await.map_err(broken)? {
            let name = field.file_name().map(str::to_owned);
            if name.is_none() || files.len() > FILES_MAX {
                return Err(unreadable_form(StatusCode::UNPROCESSABLE_ENTITY, &most));
            }
            files.push(File { name, bytes: field.bytes().await.map_err(broken)? });
        }
        Ok(Self(files))
    }
}

fn unreadable_form(status: StatusCode, most: &str) -> Problem {
    let (code, detail) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => (
            "body.too_large",
            format!("the files are larger than {most} together; export the results alone"),
        ),
        StatusCode::UNPROCESSABLE_ENTITY => (
            "body.files",
            format!(
                "a form of files takes at most {FILES_MAX}, each with a file name, and nothing else"
            ),
        ),
        _ => ("body.cut", "the form cannot be read or ended too early; send it again".to_owned()),
    };
    Problem::new(status, code, "The body cannot be read", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_s_message_keeps_its_sense_and_loses_its_values() {
        for (message, clean) in [
            ("type: string \"Zhang\", expected u8", "type: string ..., expected u8"),
            (r#"string "a\"Zhang", expected u8"#, "string ..., expected u8"),
            ("unknown variant `11`01`, expected `tube`", "unknown variant ..., expected `tube`"),
            ("unknown variant `1101`, there are none", "unknown variant ..."),
            ("missing field `size` at line 1", "missing field `size` at line 1"),
            ("string \"Zhang", "string ..."),
        ] {
            assert_eq!(without_values(message), clean);
        }
    }
}
