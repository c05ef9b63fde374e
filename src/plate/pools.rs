//! The pools a plate is asked to take, found and taken.

use std::collections::BTreeSet;

use super::api::PlateRequest;
use super::pool_rules::{against_alone, against_freezing, against_making};
use super::{Content, Layout, Placed, PlacedPool};
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::pooling::store::{live_pools, pools_find, pools_move};
use crate::pooling::{PoolState, StoredPool};
use crate::storage::Tx;

/// The pools a request names, as far as they exist.
pub(super) struct WantedPools {
    codes: Vec<String>,
    found: Vec<StoredPool>,
}

impl WantedPools {
    /// Looks up every pool a request names.
    pub async fn find(tx: &mut Tx, request: &PlateRequest) -> Result<Self> {
        let stated = request.wells.iter().filter_map(|well| well.pool.as_ref());
        let codes: Vec<_> = request.pools.iter().chain(stated).cloned().collect();
        let found = pools_find(tx, &codes).await?;
        Ok(Self { codes, found })
    }

    /// Why these pools, and these tubes that are to stand alone, may not go on this plate.
    pub async fn against(
        &self,
        tx: &mut Tx,
        request: &PlateRequest,
        alone: &[String],
    ) -> Result<Vec<Reason>> {
        let at = (&*request.laboratory, (&*request.kit, &*request.kit_version));
        let mut reasons = against_making(&self.codes, &self.found, at);
        let here = self.codes.iter().map(String::as_str).collect();
        reasons.extend(against_alone(&live_pools(tx, alone).await?, &here));
        Ok(reasons)
    }

    /// Every tube in them.
    pub fn tubes(&self) -> impl Iterator<Item = String> {
        let unique: BTreeSet<_> = self.found.iter().flat_map(|pool| &pool.mixed.tubes).collect();
        unique.into_iter().cloned().collect::<Vec<_>>().into_iter()
    }

    /// Whether every one was found.
    pub fn all_there(&self) -> bool {
        self.codes.iter().all(|code| self.find_one(code).is_some())
    }

    /// The listed ones in their order, for a template's slots.
    pub fn placed(&self, request: &PlateRequest) -> impl Iterator<Item = Placed> {
        request
            .pools
            .iter()
            .map(|code| Placed::Pool(PlacedPool { code: code.clone(), tubes: self.tubes_of(code) }))
    }

    /// What a stated well of that reaction holds of a pool.
    pub fn content(&self, code: &str, reaction: String) -> Content {
        Content::Pool { pool: code.to_owned(), tubes: self.tubes_of(code), reaction }
    }

    fn tubes_of(&self, code: &str) -> Vec<String> {
        self.find_one(code).map_or_else(Vec::new, |pool| pool.mixed.tubes.clone())
    }

    fn find_one(&self, code: &str) -> Option<&StoredPool> {
        self.found.iter().find(|pool| pool.code.as_str() == code)
    }
}

/// Takes the pools of a plate that is being frozen; its tubes were moved before, so that nobody
/// mixes them meanwhile.
pub(super) async fn take(tx: &mut Tx, layout: &Layout, at: Time) -> Result<()> {
    let pools: BTreeSet<&str> = layout.pools().into_keys().collect();
    let live = live_pools(tx, layout.tubes().into_keys()).await?;
    let against = against_alone(&live, &pools);
    if !against.is_empty() {
        return Err(Error::Conflict(against));
    }
    if pools.is_empty() {
        return Ok(());
    }
    let step = (PoolState::Open, PoolState::Plated);
    if pools_move(tx, &pools, step, at).await? == pools.len() as u64 {
        return Ok(());
    }
    let found = pools_find(tx, &pools).await?;
    Err(Error::Conflict(against_freezing(&found)))
}
