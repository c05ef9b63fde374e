//! What becomes of the laboratory pools of a run.

use sqlx::query;

use crate::clock::Time;
use crate::error::Result;
use crate::storage::Tx;

/// `$1` run, `$2` time: pools whose calls were released, with what they said.
pub const POOLS_CALLED: &str = "update pool set state = 'called', state_us = $2, outcome =
        (select min(c.outcome) from call c where c.run_id = $1 and c.pool_code = pool.code)
    where state = 'plated' and code in
        (select c.pool_code from call c where c.run_id = $1 and c.state = 'released'
            and c.pool_code is not null)";
/// `$1` plate, `$2` time: its pools that were not called can go on another plate.
pub const POOLS_BACK: &str = "update pool set state = 'open', state_us = $2
    where state = 'plated' and code in
        (select w.pool_code from well w where w.plate_code = $1 and w.pool_code is not null)";

/// The calls of these pools were released: they are done with.
pub(super) async fn called(tx: &mut Tx, run: &str, at: Time) -> Result<()> {
    on!(tx, c => query(POOLS_CALLED).bind(run).bind(at).execute(c).await.map(drop))?;
    Ok(())
}

/// The run of this plate is void: what is left of its pools can be tested again, or dissolved.
pub(super) async fn back(tx: &mut Tx, plate: &str, at: Time) -> Result<()> {
    on!(tx, c => query(POOLS_BACK).bind(plate).bind(at).execute(c).await.map(drop))?;
    Ok(())
}
