//! Results that stand although a robot's log, which came after them, says that their plate is not
//! what was planned.

use sqlx::query_as;

use super::store::Scope;
use super::{Check, Sign};
use crate::barcode::PlateCode;
use crate::error::Result;
use crate::plate::robot::late::late;
use crate::plate::robot::store::logs;
use crate::plate::store::plate_get;
use crate::storage::Tx;

/// `$1` laboratory (all when null), `$2` and `$3` bounds of reading: plates with a log that differs
/// from the plan.
pub const DIFFERING: &str = "select distinct l.plate_code, p.laboratory_code
    from transfer_log l join plate p on p.code = l.plate_code
    where l.differences <> '[]' and l.read_us >= $2 and l.read_us < $3
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    order by l.plate_code";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("DIFFERING", DIFFERING)];

/// Every plate whose log of the period has an open difference about a result that stands.
pub(super) async fn transfers(tx: &mut Tx, scope: &Scope) -> Result<Vec<Sign>> {
    let rows: Vec<(PlateCode, String)> = on!(tx, c => query_as(DIFFERING).bind(&scope.laboratory)
        .bind(scope.from).bind(scope.until).fetch_all(c).await)?;
    let mut signs = Vec::new();
    for (code, laboratory) in rows {
        let plate = plate_get(tx, &code).await?;
        let logs = logs(tx, code.as_str()).await?;
        let late = late(tx, &plate, &logs).await?;
        signs.extend(
            late.map(|late| Sign::new(Check::Transfers, &laboratory, code.as_str(), late.message)),
        );
    }
    Ok(signs)
}
