//! Which version of a plate somebody goes on from: two desks with one draft do not write over each
//! other.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use ring::digest::{SHA256, digest};

use super::api::PlateAnswer;
use super::store::StoredPlate;
use crate::barcode::PlateCode;
use crate::error::{Error, Reason, Result};
use crate::http::extract::Json;
use crate::http::problem::Problem;

/// A plate beside the tag of what it shows.
pub type Tagged = ([(HeaderName, String); 1], Json<PlateAnswer>);

/// The plate with its tag.
pub fn tagged(plate: StoredPlate) -> Result<Tagged> {
    let answer = PlateAnswer::from(plate);
    Ok(([(header::ETAG, tag(&answer)?)], Json(answer)))
}

fn tag(answer: &PlateAnswer) -> Result<String> {
    let shown = serde_json::to_vec(answer)
        .map_err(|error| Error::Internal(format!("a plate cannot be written down: {error}")))?;
    let sum = data_encoding::HEXLOWER.encode(digest(&SHA256, &shown).as_ref());
    Ok(format!("\"{}\"", &sum[..32]))
}

/// What a request expects to be stored: one of the tags of `If-Match`, none of `If-None-Match`;
/// anything where it names neither.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    only: Option<String>,
    never: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let named = |name| {
            let text = |value: &axum::http::HeaderValue| {
                // What is no text is no tag of ours, and so nothing that is stored.
                value.to_str().unwrap_or_default().to_owned()
            };
            parts.headers.get(name).map(text)
        };
        Ok(Self { only: named(header::IF_MATCH), never: named(header::IF_NONE_MATCH) })
    }
}

impl Expected {
    /// Refuses where another version is stored than whoever asks has seen.
    pub fn refuse_other(&self, code: &PlateCode, stored: Option<&StoredPlate>) -> Result<()> {
        if self.only.is_none() && self.never.is_none() {
            return Ok(());
        }
        let stored = stored.map(|plate| tag(&plate.clone().into())).transpose()?;
        let names = |tags: &String| names(tags, stored.as_deref());
        if self.only.as_ref().is_none_or(names) && !self.never.as_ref().is_some_and(names) {
            return Ok(());
        }
        let message = format!(
            "somebody else changed plate {code}, and nothing was stored; look at it as it is now \
             and go on from there"
        );
        Err(Error::Precondition(Reason::new("plate.changed", code.as_str(), message)))
    }
}

/// Whether these tags name what is stored.
fn names(tags: &str, stored: Option<&str>) -> bool {
    let Some(stored) = stored else { return false };
    // A proxy that packs an answer makes its tag a weak one; what it shows is the same.
    let alone = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == stored;
    tags.split(',').map(str::trim).any(alone)
}
