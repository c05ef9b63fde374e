//! Positives that were analysed again, or made void and tested again, until they were gone.

use sqlx::query_as;

use super::store::Scope;
use super::{Check, Sign};
use crate::error::Result;
use crate::storage::Tx;

/// `$1` laboratory (all when null), `$2` and `$3` bounds of replacing: runs that count, and how many
/// of their tubes are negative that an earlier analysis of the plate called detected or
/// inconclusive.
pub const SILENCED: &str = "select r.id, p.laboratory_code, count(distinct c.tube_code) as tubes
    from run_replacement x cross join run o cross join run r cross join plate p
        cross join call b cross join call c
    where x.replaced_us >= $2 and x.replaced_us < $3 and o.id = x.replaces
        and r.plate_code = o.plate_code and r.state <> 'void' and p.code = r.plate_code
        and b.run_id = o.id and b.outcome in ('detected', 'inconclusive')
        and c.run_id = r.id and c.tube_code = b.tube_code and c.outcome = 'not_detected'
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    group by r.id, p.laboratory_code order by r.id";
/// `$1` laboratory (all when null), `$2` and `$3` bounds of import: runs that count, and how many
/// of their tubes are negative that a usable run of another plate called detected or inconclusive
/// before it was made void.
pub const VOIDED: &str = "select r.id, p.laboratory_code, count(distinct c.tube_code) as tubes
    from run r cross join plate p cross join call c cross join call b cross join run o
    where r.imported_us >= $2 and r.imported_us < $3 and r.state <> 'void'
        and p.code = r.plate_code and c.run_id = r.id and c.outcome = 'not_detected'
        and b.tube_code = c.tube_code and b.state = 'void'
        and b.outcome in ('detected', 'inconclusive')
        and o.id = b.run_id and o.usable = 1 and o.plate_code <> r.plate_code
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    group by r.imported_us, r.id, p.laboratory_code order by r.imported_us, r.id";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("SILENCED", SILENCED), ("VOIDED", VOIDED)];

/// Every run of the period that is silent where an earlier one was not.
pub(super) async fn replaced(tx: &mut Tx, scope: &Scope) -> Result<Vec<Sign>> {
    let earlier = [
        (SILENCED, "an earlier analysis of the same plate called"),
        (VOIDED, "a run that was made void called"),
    ];
    let mut signs = Vec::new();
    for (statement, what) in earlier {
        let rows: Vec<(String, String, i64)> = on!(tx, c => query_as(statement)
            .bind(&scope.laboratory).bind(scope.from).bind(scope.until).fetch_all(c).await)?;
        signs.extend(rows.into_iter().map(|(run, laboratory, tubes)| {
            let message = format!(
                "{tubes} tubes are negative that {what} detected or inconclusive; open the files \
                 of both runs and compare"
            );
            Sign::new(Check::Replaced, &laboratory, &run, message)
        }));
    }
    Ok(signs)
}
