//! A file whose controls contradict its plate may be the file of another plate (R13): which?
//!
//! Asked only when the run could not be used anyway. The other plates are those of the laboratory
//! that were frozen in the last two days for the same kit and have no run. A plate fits when the
//! file would be a usable run of it.

use std::collections::BTreeMap;

use sqlx::query_scalar;

use super::{Kit, TubeFacts, interpret};
use crate::barcode::PlateCode;
use crate::clock::{Span, Time};
use crate::error::{Reason, Result};
use crate::instrument::Reading;
use crate::plate::store::{StoredPlate, plate_get};
use crate::storage::Tx;

/// How far back plates are looked at.
const LOOK_BACK: Span = Span::days(2);
/// Most plates that are looked at, the newest first.
const PLATES_MAX: i64 = 50;

/// `$1` laboratory, `$2` kit, `$3` version, `$4` size, `$5` since, `$6` the plate itself, `$7` how
/// many.
pub const WITHOUT_RUN: &str = "select p.code from plate p
    where p.laboratory_code = $1 and p.state = 'frozen' and p.kit_code = $2 and p.kit_version = $3
        and p.size = $4 and p.frozen_us >= $5 and p.code <> $6
        and not exists (select 1 from run r where r.plate_code = p.code and r.state <> 'void')
    order by p.frozen_us desc, p.code limit $7";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("WITHOUT_RUN", WITHOUT_RUN)];

/// The plates this file fits, where it does not fit its own; `facts` are those of the tubes that
/// the file names.
pub async fn fitting(
    tx: &mut Tx,
    kit: &Kit,
    plate: &StoredPlate,
    (readings, facts): (&[Reading], &BTreeMap<String, TubeFacts>),
    now: Time,
) -> Result<Vec<PlateCode>> {
    let made = &plate.made;
    let size = i64::from(made.layout.size().wells());
    let since = now - LOOK_BACK;
    let others: Vec<PlateCode> = on!(tx, c => query_scalar(WITHOUT_RUN).bind(&made.laboratory)
        .bind(&made.kit.0).bind(&made.kit.1).bind(size).bind(since).bind(&plate.code)
        .bind(PLATES_MAX).fetch_all(c).await)?;
    let mut fitting = Vec::new();
    for other in others {
        let layout = plate_get(tx, &other).await?.made.layout;
        let mut known = facts.clone();
        for (tube, depth) in layout.tubes() {
            known.insert(tube.to_owned(), TubeFacts::first_test(depth));
        }
        if interpret(kit, &layout, readings, &known).is_ok_and(|read| read.verdict.usable) {
            fitting.push(other);
        }
    }
    Ok(fitting)
}

/// Why the file is not taken in for this plate, when it fits others: a run would use it up.
pub fn reasons(plate: &PlateCode, fitting: &[PlateCode]) -> Vec<Reason> {
    let reason = |other: &PlateCode| {
        let message = format!(
            "the file does not fit plate {plate} and fits plate {other}, which has no run: plates or \
             files were probably exchanged; look which plate was in the instrument and upload the \
             file there"
        );
        Reason::new("run.fits_other_plate", other.as_str(), message)
    };
    fitting.iter().map(reason).collect()
}
