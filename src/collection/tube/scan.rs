//! A sealed tube as a device sends it. None of these types can be printed: they hold people in
//! clear until [`super::seal`] consumes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::barcode::PlaceCode;
use crate::clock::Time;
use crate::collection::person::DocumentType;

/// A tube sealed at a site, with its members in the order they were swabbed.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TubeScan {
    /// The tube's code: needed in a batch; a single put has it in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The device's own id of this event, a UUID version 7; the same on every retry.
    pub event_id: Uuid,
    /// The session in which people were swabbed.
    pub session: PlaceCode,
    /// People the tube can hold: 1, 5, 10 or 20.
    pub size: u8,
    /// Swabs counted when the tube was shut.
    pub swab_count: u8,
    /// True exactly when it holds fewer people than it can.
    pub underfilled: bool,
    /// When it was shut, by the device's clock; kept and answered by the server's clock, with
    /// what `device.time` is off taken away.
    pub sealed_at: Time,
    /// The device that sends it.
    pub device: DeviceScan,
    /// Who was swabbed into it, in order.
    pub members: Vec<MemberScan>,
}

/// The device that sends a tube.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceScan {
    /// Its id, 1 to 64 of letters, digits, `.`, `_` and `-`.
    pub id: String,
    /// Its running number of this tube, from 0 or 1: tubes alone are counted, so that one that never
    /// comes is noticed; the same on every retry.
    pub sequence: u32,
    /// Its clock while sending; tells how far it is off. On a retry it is the clock then, while
    /// the other times stay as they were sent first.
    pub time: Time,
}

/// One person's swab.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberScan {
    /// What the person showed.
    pub document: DocumentScan,
    /// As in the document.
    pub name: String,
    /// Where they can be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Where they live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When they were swabbed, by the device's clock; kept and answered by the server's clock,
    /// with what `device.time` is off taken away.
    pub taken_at: Time,
}

/// An identity document.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentScan {
    /// Which document.
    #[serde(rename = "type")]
    pub kind: DocumentType,
    /// The country that issued it, in three letters (ISO 3166-1 alpha-3): needed for `passport`
    /// and `other`, refused for the types that China alone issues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Its number.
    pub number: String,
}
