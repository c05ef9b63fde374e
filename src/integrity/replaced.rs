//! Positives that were analysed again, or made void and tested again, until they were gone.

use sqlx::query_as;

use super::store::Scope;
use super::{Check, Sign};
use crate::clock::Span;
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
/// `$1` laboratory (all when null), `$2` and `$3` bounds of import, `$4` how far back, in
/// microseconds: runs that count, and how many of their tubes are negative that a usable run of
/// another plate called detected or inconclusive before it was made void. What was found in a pool
/// is gone only if nothing was found in any of its tubes since: that most of them are negative is
/// what pools are for.
pub const VOIDED: &str = "select r.id, p.laboratory_code, count(distinct c.tube_code) as tubes
    from run o cross join call b cross join call c cross join run r cross join plate p
    where o.imported_us >= cast($2 as bigint) - cast($4 as bigint) and o.imported_us < $3
        and o.state = 'void' and o.usable = 1
        and b.run_id = o.id and b.outcome in ('detected', 'inconclusive')
        and c.tube_code = b.tube_code and c.outcome = 'not_detected'
        and r.id = c.run_id and r.state <> 'void' and r.plate_code <> o.plate_code
        and r.imported_us >= $2 and r.imported_us < $3 and r.imported_us > o.imported_us
        and p.code = r.plate_code
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
        and not exists (select 1 from pool_tube m join call f on f.tube_code = m.tube_code
                join run q on q.id = f.run_id
            where m.pool_code = b.pool_code and q.state <> 'void'
                and f.outcome in ('detected', 'inconclusive'))
    group by r.id, p.laboratory_code order by r.id";
/// How long a void run is looked back for: its tubes are tested again within days.
const LOOK_BACK: Span = Span::days(14);
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("SILENCED", SILENCED), ("VOIDED", VOIDED)];

/// Every run of the period that is silent where an earlier one was not.
pub(super) async fn replaced(tx: &mut Tx, scope: &Scope) -> Result<Vec<Sign>> {
    let silenced: Vec<Row> = on!(tx, c => query_as(SILENCED)
        .bind(&scope.laboratory).bind(scope.from).bind(scope.until).fetch_all(c).await)?;
    let voided: Vec<Row> = on!(tx, c => query_as(VOIDED).bind(&scope.laboratory)
        .bind(scope.from).bind(scope.until).bind(LOOK_BACK.us()).fetch_all(c).await)?;
    let silenced = silenced.into_iter().map(sign("an earlier analysis of the same plate called"));
    let voided = voided.into_iter().map(sign("a run that was made void called"));
    Ok(silenced.chain(voided).collect())
}

/// A run, its laboratory, and how many tubes are negative.
type Row = (String, String, i64);

fn sign(what: &str) -> impl Fn(Row) -> Sign {
    move |(run, laboratory, tubes)| {
        let message = format!(
            "{tubes} tubes are negative that {what} detected or inconclusive; open the files of \
             both runs and compare"
        );
        Sign::new(Check::Replaced, &laboratory, &run, message)
    }
}
