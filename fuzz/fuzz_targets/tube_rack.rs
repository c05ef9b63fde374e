#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use swabline::plate::rack::{RackCode, RackSize, scan};

// A scan of the rack `R1`, whose size the first byte gives.
fuzz_target!(|bytes: &[u8]| {
    let Some((number, file)) = bytes.split_first() else { return };
    let size = [RackSize::R24, RackSize::R48, RackSize::R96][usize::from(number % 3)];
    let rack = RackCode::parse("R1").expect("a rack's code");
    match scan(file, &rack, size) {
        Err(faults) => assert!(!faults.is_empty(), "refused without a reason"),
        Ok(tubes) => {
            assert!(!tubes.is_empty(), "a rack without a tube was let in");
            assert!(tubes.iter().all(|one| size.contains(one.position) && !one.text.is_empty()));
            let places: BTreeSet<_> = tubes.iter().map(|one| one.position).collect();
            assert_eq!(places.len(), tubes.len(), "two tubes in one place");
        }
    }
});
