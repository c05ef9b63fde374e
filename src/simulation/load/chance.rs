//! Chance without memory: what happens to number `n` is a function of the seed and `n`, so that a
//! city of millions need not be held to be the same city twice.

/// What is drawn; two draws about one number are independent of each other.
#[derive(Debug, Clone, Copy)]
pub(super) enum About {
    /// How a block of houses is divided into households.
    Block = 1,
    /// Whether a household caught it.
    Household,
    /// Who of it brought it home.
    First,
    /// Whether somebody of an infected household caught it too.
    Contact,
    /// How much virus a swab carries.
    Load,
    /// A name.
    Name,
    /// A day of birth.
    Birth,
    /// The id of a device's event.
    Event,
}

/// A draw: `SplitMix64` (Steele, Lea, Flood 2014) over seed, question and number.
pub(super) const fn draw(seed: u64, about: About, number: u64) -> u64 {
    let question = number.wrapping_add((about as u64) << 56);
    let mut z = seed.wrapping_add(question.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A draw below `bound`, which is small against 2^32.
pub(super) const fn below(seed: u64, about: About, number: u64, bound: u64) -> u64 {
    ((draw(seed, about, number) >> 32) * bound) >> 32
}

/// A draw from 0 to 1, the 1 not included.
pub(super) fn share(seed: u64, about: About, number: u64) -> f64 {
    f64::from(u32::try_from(draw(seed, about, number) >> 32).expect("32 bits are left")) / TWO_32
}

/// How many values 32 bits have.
const TWO_32: f64 = 4_294_967_296.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_about_one_thing_only() {
        let mut counts = [0_u32; 10];
        for number in 0..100_000 {
            counts[usize::try_from(below(7, About::Name, number, 10)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        assert_eq!(draw(7, About::Load, 3), draw(7, About::Load, 3));
        assert_ne!(draw(7, About::Load, 3), draw(8, About::Load, 3));
        assert_ne!(draw(7, About::Load, 3), draw(7, About::Name, 3));
        let mean = (0..100_000).map(|n| share(7, About::Load, n)).sum::<f64>() / 1e5;
        assert!((0.49..0.51).contains(&mean), "{mean}");
    }
}
