//! What can go wrong, free of any transport: `http::problem` turns it into RFC 9457.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::storage::StoreError;

/// Why something was refused: a stable code, the thing it is about, and a sentence that says
/// what is wrong and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// Stable, dotted, for programs: `tube.swab_count`.
    pub code: Cow<'static, str>,
    /// The field or code it is about: `members[3].document.number`, `T00000000421`.
    pub about: String,
    /// For people, without any personal data.
    pub message: String,
}

impl Reason {
    /// A reason with its code, its subject and its sentence.
    pub fn new(code: &'static str, about: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), about: about.into(), message: message.into() }
    }
}

impl Reason {
    /// The reason a pure rule gave, one whose serialised form has its code under `code` and names
    /// the tube, pool or well it is about.
    pub fn tagged(slice: &str, refusal: &(impl Serialize + std::fmt::Display)) -> Self {
        let facts = serde_json::to_value(refusal).unwrap_or_default();
        let text = |key: &str| facts.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        let code = text("code").unwrap_or_else(|| "refused".to_owned());
        let about = ["tube", "pool", "well"].into_iter().find_map(text);
        let about = about.unwrap_or_else(|| slice.to_owned());
        Self { code: Cow::Owned(format!("{slice}.{code}")), about, message: refusal.to_string() }
    }
}

/// Every way a request can fail.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The request cannot be read at all.
    #[error("{}", .0.message)]
    Malformed(Reason),
    /// The request can be read and is wrong; every reason is listed.
    #[error("{}", list(.0))]
    Invalid(Vec<Reason>),
    /// It contradicts what is stored; nothing was overwritten.
    #[error("{}", list(.0))]
    Conflict(Vec<Reason>),
    /// Another version is stored than the one the request goes on from.
    #[error("{}", .0.message)]
    Precondition(Reason),
    /// Nobody is signed in.
    #[error("no valid token; send `Authorization: Bearer ...`")]
    Unauthenticated,
    /// Somebody is signed in who may not do this.
    #[error("{}", .0.message)]
    Forbidden(Reason),
    /// There is no such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// The kind of thing, in the words of the project.
        what: &'static str,
        /// The code or id that was asked for.
        id: String,
    },
    /// What was asked for is not there, and the reason says what to do instead.
    #[error("{}", .0.message)]
    Absent(Reason),
    /// Too many wrong guesses, or too much at once.
    #[error("too many requests; try again in {retry_after_s} s")]
    TooMany {
        /// Seconds to wait.
        retry_after_s: u32,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect of ours; the text is for the log and never for the client.
    #[error("{0}")]
    Internal(String),
}

fn list(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// The result of most functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// One reason why the content is wrong.
    pub fn invalid(
        code: &'static str,
        about: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::Invalid(vec![Reason::new(code, about, message)])
    }

    /// One contradiction with what is stored.
    pub fn conflict(
        code: &'static str,
        about: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::Conflict(vec![Reason::new(code, about, message)])
    }

    /// Refuses an id that nothing can have, as something that is not there: PostgreSQL takes no text
    /// with a NUL.
    pub fn refuse_nul(kind: &'static str, id: &str) -> Result<()> {
        if id.contains('\0') { Err(Self::not_found(kind, id)) } else { Ok(()) }
    }

    /// One reason why this actor may not do it.
    pub fn forbidden(
        code: &'static str,
        about: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::Forbidden(Reason::new(code, about, message))
    }

    /// There is no such thing.
    pub fn not_found(what: &'static str, id: impl Into<String>) -> Self {
        Self::NotFound { what, id: id.into() }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(StoreError::from(error))
    }
}

/// `Ok` when there is no reason against it, every reason otherwise.
pub fn refuse_if_any(reasons: Vec<Reason>) -> Result<()> {
    if reasons.is_empty() { Ok(()) } else { Err(Error::Invalid(reasons)) }
}
