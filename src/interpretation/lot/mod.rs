//! The lot: what came of a kit with one expiry, whose reactions are counted.
//!
//! A reaction is what one well is filled with. A lot is registered once, with its first delivery; a
//! further one adds its reactions, if it has the same expiry. Reactions are issued from it to the bench, and the wells of frozen plates that name it are what was used. A plate may be made
//! from a lot that nobody registered, since the reagents came before the paper; its run is held
//! until somebody does.

pub mod api;
pub mod rules;
pub mod store;

use crate::clock::Time;

/// Which lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotKey<'a> {
    /// The laboratory that has it.
    pub laboratory: &'a str,
    /// Code of the kit.
    pub kit: &'a str,
    /// The maker's lot number.
    pub lot: &'a str,
}

/// A lot and what became of its reactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotCount {
    /// When it must not be used any more.
    pub expires: Time,
    /// Reactions that came.
    pub received: i64,
    /// Reactions that were issued to the bench.
    pub issued: i64,
    /// Wells of frozen plates that were filled from it; a plate that was stamped onto another has
    /// no reactions of its own.
    pub used: i64,
}
