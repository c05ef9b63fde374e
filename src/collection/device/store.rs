//! Devices in the store.

use sqlx::{FromRow, query, query_as};

use super::together;
use crate::clock::Time;
use crate::collection::tube::SealedTube;
use crate::error::Result;
use crate::storage::{Tx, codes, json};

/// `$1` lines of [`super::Heard`]. A device begins to count at 0 or 1.
pub const DEVICES_HEARD: &str = "insert into device
        (id, site_code, base_seq, last_seq, tubes, heard_us)
    select e.value ->> 'device', e.value ->> 'site',
        case when cast(e.value ->> 'first' as bigint) = 0 then -1 else 0 end,
        cast(e.value ->> 'last' as bigint), cast(e.value ->> 'tubes' as bigint),
        cast(e.value ->> 'at' as bigint)
    from jsonb_each($1) e where true
    on conflict (id) do update set site_code = excluded.site_code,
        base_seq = case when device.base_seq = 0 then excluded.base_seq else device.base_seq end,
        last_seq = case when excluded.last_seq > device.last_seq
            then excluded.last_seq else device.last_seq end,
        tubes = device.tubes
            + case when excluded.last_seq > device.base_seq then excluded.tubes else 0 end,
        heard_us = case when excluded.heard_us > device.heard_us
            then excluded.heard_us else device.heard_us end";
/// Heard since, site or nothing, most rows: devices of which fewer tubes came than they counted,
/// those heard last first.
pub const DEVICES_GAPPED: &str = "select id, site_code, last_seq, tubes, heard_us
    from device
    where heard_us >= $1 and (cast($2 as text) = '' or site_code = $2)
        and last_seq - base_seq > tubes
    order by heard_us desc, id limit $3";
/// Devices, most rows: the stretches of numbers between those that came.
pub const GAPS: &str = "select device_id, before_seq + 1 as first_seq, seq - 1 as last_seq
    from (select t.device_id, t.device_seq as seq, lag(t.device_seq, 1, d.base_seq)
            over (partition by t.device_id order by t.device_seq) as before_seq
        from jsonb_each($1) e join device d on d.id = e.value ->> 'code'
        join tube t on t.device_id = d.id and t.device_seq > d.base_seq) s
    where seq > before_seq + 1 order by device_id, seq limit $2";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] =
    &[("DEVICES_HEARD", DEVICES_HEARD), ("DEVICES_GAPPED", DEVICES_GAPPED), ("GAPS", GAPS)];

/// A device of whose numbers some never came.
#[derive(Debug, FromRow)]
pub struct Gapped {
    /// The device.
    pub id: String,
    /// Where it was heard last.
    pub site_code: String,
    /// Its highest number.
    pub last_seq: i64,
    /// Tubes of it.
    pub tubes: i64,
    /// When it was heard last.
    #[sqlx(rename = "heard_us")]
    pub heard: Time,
}

/// Numbers of a device that follow each other and never came.
#[derive(Debug, FromRow)]
pub struct Stretch {
    /// The device.
    pub device_id: String,
    /// The first of them.
    pub first_seq: i64,
    /// The last of them.
    pub last_seq: i64,
}

/// Writes down that these devices were heard, in the transaction that stores their tubes.
pub async fn devices_heard(tx: &mut Tx, tubes: &[&SealedTube]) -> Result<()> {
    let lines = json(&together(tubes.iter().map(|tube| tube.heard())));
    Ok(on!(tx, c => query(DEVICES_HEARD).bind(&lines).execute(c).await.map(drop))?)
}

/// Devices with gaps that were heard since, at one site or at all.
pub async fn devices_gapped(
    tx: &mut Tx,
    since: Time,
    site: Option<&str>,
    most: i64,
) -> Result<Vec<Gapped>> {
    let site = site.unwrap_or_default();
    Ok(on!(tx, c => query_as(DEVICES_GAPPED).bind(since).bind(site).bind(most)
        .fetch_all(c).await)?)
}

/// The gaps of these devices.
pub async fn gaps(tx: &mut Tx, devices: &[Gapped], most: i64) -> Result<Vec<Stretch>> {
    let devices = codes(devices.iter().map(|device| &device.id));
    Ok(on!(tx, c => query_as(GAPS).bind(&devices).bind(most).fetch_all(c).await)?)
}
