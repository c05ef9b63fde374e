//! Boxes of sealed tubes and who has them: a box is sealed over its manifest and passes from hand
//! to hand only by two signatures, with hold time and temperature watched (`domain.md` A3).

pub mod api;
mod celsius;
pub mod custody;
pub mod rules;
pub mod store;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use celsius::Celsius;

use crate::auth::Role;
use crate::barcode::{BoxCode, TubeCode};
use crate::clock::Time;
use crate::error::Reason;
use crate::seal::KeyRing;

/// Where a box is on its way; the schema's trigger allows the same moves and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum BoxState {
    /// Shut over its manifest, with whoever sealed it.
    Sealed,
    /// Handed over at least once.
    InTransit,
    /// A laboratory took it in.
    Arrived,
}

impl BoxState {
    /// Every stage.
    pub const ALL: [Self; 3] = [Self::Sealed, Self::InTransit, Self::Arrived];

    /// Whether a box may go from here to `next`.
    pub const fn may_become(self, next: Self) -> bool {
        use BoxState::{Arrived, InTransit, Sealed};
        matches!((self, next), (Sealed, InTransit | Arrived) | (InTransit, Arrived))
    }
}

/// What the site says is in a box; sealed with it and never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The box.
    pub code: BoxCode,
    /// The site that sealed it.
    pub site: String,
    /// The number on its seal.
    pub seal: String,
    /// When it was sealed, by the device's clock.
    pub sealed: Time,
    /// What it holds, in order of code, none twice.
    pub tubes: Vec<TubeCode>,
}

impl Manifest {
    /// A fingerprint of every field, so that a row altered behind our back shows.
    pub fn tag(&self, keys: &KeyRing) -> String {
        let tubes: Vec<_> = self.tubes.iter().map(TubeCode::as_str).collect();
        let fields = [self.code.as_str(), &self.site, &self.seal, &tubes.join(",")];
        let mut covered = self.sealed.us().to_string();
        for field in fields {
            covered.push('|');
            covered.push_str(&field.len().to_string());
            covered.push(':');
            covered.push_str(field);
        }
        keys.tag("box", covered.as_bytes())
    }
}

/// A name under a custody step, with its moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The account that signed.
    pub account: String,
    /// Its printed name.
    pub name: String,
    /// When, by the signer's device.
    pub at: Time,
}

/// Who is to take a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taker {
    /// The account.
    pub account: String,
    /// What that account does; none when there is no such live account.
    pub role: Option<Role>,
}

/// The first signature under a custody step: the holder gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Who gives.
    pub given: Signature,
    /// Who is to take.
    pub to: Taker,
    /// Where.
    pub place: String,
    /// What the box's thermometer showed.
    pub temperature: Option<Celsius>,
}

/// One custody step; custody passes with the second signature and not before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// Its number within the box, from 1.
    pub step: i64,
    /// The first signature.
    pub given: Signature,
    /// The account named to take it.
    pub to: String,
    /// Where.
    pub place: String,
    /// What the box's thermometer showed.
    pub temperature: Option<Celsius>,
    /// The second signature.
    pub taken: Option<Signature>,
    /// When the giver took the offer back, by our clock; the box then stayed where it was.
    pub withdrawn: Option<Time>,
}

impl Handover {
    /// Whether the second signature is still awaited.
    pub const fn is_open(&self) -> bool {
        self.taken.is_none() && self.withdrawn.is_none()
    }
}

/// Who has a box, and how it came there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custody {
    /// The box.
    pub code: BoxCode,
    /// Where it is on its way.
    pub state: BoxState,
    /// The account that has it: at first whoever sealed it.
    pub holder: String,
    /// The laboratory that took it in; none while it is on its way.
    pub laboratory: Option<String>,
    /// When it was sealed, by the device's clock.
    pub sealed: Time,
    /// Every step in order; only the last may still await its second signature.
    pub steps: Vec<Handover>,
}

/// What an acceptance did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// The second signature is fresh: custody passes.
    Fresh(Handover),
    /// The same taker signed before: the same answer again.
    Repeated(Handover),
}

impl Custody {
    /// The moment of the newest signature, or of the seal when nobody signed yet.
    pub fn latest(&self) -> Time {
        let signatures =
            self.steps.iter().flat_map(|step| std::iter::once(&step.given).chain(&step.taken));
        signatures.map(|signature| signature.at).fold(self.sealed, Time::max)
    }

    /// The step that still awaits its second signature.
    pub fn open(&self) -> Option<&Handover> {
        self.steps.iter().find(|step| step.is_open())
    }

    /// The next step with its first signature, or every reason against it.
    ///
    /// An open step before it is withdrawn with it: whoever was to take the box may be ill or
    /// gone, and only the holder can say who takes it instead.
    pub fn offer(self, offer: Offer) -> Result<Handover, Vec<Reason>> {
        let reasons = rules::offer_faults(&self, &offer);
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let Offer { given, to, place, temperature } = offer;
        let step = self.steps.last().map_or(0, |last| last.step) + 1;
        Ok(Handover {
            step,
            given,
            to: to.account,
            place,
            temperature,
            taken: None,
            withdrawn: None,
        })
    }

    /// The step with its second signature, or every reason against it; `None` when there is no
    /// such step.
    pub fn accept(self, step: i64, by: Signature) -> Option<Result<Acceptance, Vec<Reason>>> {
        let handover = self.steps.iter().find(|handover| handover.step == step)?;
        let reasons = rules::accept_faults(&self, handover, &by);
        if !reasons.is_empty() {
            return Some(Err(reasons));
        }
        let handover = handover.clone();
        Some(Ok(match handover.taken {
            Some(_) => Acceptance::Repeated(handover),
            None => Acceptance::Fresh(Handover { taken: Some(by), ..handover }),
        }))
    }
}
