//! What a cycler would see: amplification of the truth, with the noise of a good day.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;

use crate::instrument::Ct;

/// Ct of one infected person's swab alone, at the least and at the most, in thousandths.
const SINGLE_CT: std::ops::Range<i64> = 22_000..31_000;
/// Ct of the human internal control, in thousandths.
const INTERNAL_CT: std::ops::Range<i64> = 24_000..29_000;
/// Ct of a positive control, in thousandths.
const CONTROL_CT: std::ops::Range<i64> = 25_500..27_500;

/// Cycles that mixing so many tubes costs, in thousandths; the last is for all larger pools.
const DILUTION: [i64; 11] = [0, 0, 1000, 1585, 2000, 2322, 2585, 2807, 3000, 3170, 3322];

/// The virus an infected person's swab carries, as its Ct alone, in thousandths of a cycle.
pub fn load(rng: &mut ChaCha8Rng) -> i64 {
    rng.random_range(SINGLE_CT)
}

/// Ct of a viral target in a tube of `members` people of whom one carries `load`.
///
/// Swab pools share one volume, so dilution shifts the Ct by at most log2 of the pool
/// (`domain.md` section C); measured swab pools lose far less, two cycles at ten.
pub fn viral_ct(rng: &mut ChaCha8Rng, load: i64, members: usize) -> Ct {
    let diluted = i64::from(members.ilog2()) * 600;
    thousandths(load + diluted + rng.random_range(-250..250))
}

/// Ct of a viral target in a laboratory pool of single tubes of which one carries `load`.
///
/// Equal volumes are mixed, so that a pool of n shifts the Ct by log2 n (`domain.md` section C).
pub fn mixed_ct(rng: &mut ChaCha8Rng, load: i64, tubes: usize) -> Ct {
    let diluted = DILUTION[tubes.min(DILUTION.len() - 1)];
    thousandths(load + diluted + rng.random_range(-250..250))
}

/// Ct of the internal control in a well that holds human material.
pub fn internal_ct(rng: &mut ChaCha8Rng) -> Ct {
    thousandths(rng.random_range(INTERNAL_CT))
}

/// Ct of a positive control.
pub fn control_ct(rng: &mut ChaCha8Rng) -> Ct {
    thousandths(rng.random_range(CONTROL_CT))
}

/// A Ct of that many thousandths of a cycle.
pub(super) fn thousandths(value: i64) -> Ct {
    Ct::try_from(Decimal::new(value, 3)).expect("every simulated Ct lies between 0 and 100")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_pool_of_ten_amplifies_later_than_a_single_tube_and_is_still_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let limit = Decimal::from(38);
        for _ in 0..1_000 {
            let load = load(&mut rng);
            let (single, pool) = (viral_ct(&mut rng, load, 1), viral_ct(&mut rng, load, 10));
            assert!(single < pool);
            assert!(pool.cycles() < limit, "{pool}");
        }
    }
}
