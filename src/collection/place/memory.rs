//! Sessions with what their rounds ask, without asking the store each time: neither changes once
//! it is put.

use std::collections::HashMap;
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::Shift;
use super::store::shifts_find;
use crate::barcode::PlaceCode;
use crate::error::Result;
use crate::storage::Db;

/// Sessions remembered at most: some days of a city.
const SESSIONS_MAX: usize = 50_000;

/// Sessions that were asked for lately. One that did not exist is asked for again.
pub struct Shifts(Cache<PlaceCode, Arc<Shift>>);

impl Default for Shifts {
    fn default() -> Self {
        Self(Cache::new(SESSIONS_MAX))
    }
}

impl std::fmt::Debug for Shifts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shifts(...)")
    }
}

impl Shifts {
    /// The sessions among `wanted` that exist.
    pub async fn find<'a>(
        &self,
        db: &Db,
        wanted: impl IntoIterator<Item = &'a PlaceCode>,
    ) -> Result<HashMap<PlaceCode, Arc<Shift>>> {
        let mut found: HashMap<PlaceCode, Arc<Shift>> = HashMap::new();
        let mut unknown = Vec::new();
        for session in wanted {
            if found.contains_key(session) {
                continue;
            }
            match self.0.get(session) {
                Some(shift) => drop(found.insert(session.clone(), shift)),
                None => unknown.push(session),
            }
        }
        if !unknown.is_empty() {
            let mut tx = db.read("session.find").await?;
            for shift in shifts_find(&mut tx, unknown).await? {
                let (session, shift) = (shift.session.clone(), Arc::new(shift));
                self.0.insert(session.clone(), Arc::clone(&shift));
                found.insert(session, shift);
            }
        }
        Ok(found)
    }
}
