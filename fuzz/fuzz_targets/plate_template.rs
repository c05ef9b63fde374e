#![no_main]

use libfuzzer_sys::fuzz_target;
use swabline::plate::Template;

// A template as TOML; one that is let in lies on its plate in every one of its positions.
fuzz_target!(|text: &str| {
    match Template::parse(text) {
        Err(faults) => assert!(!faults.is_empty(), "refused without a reason"),
        Ok(template) => {
            for number in 0..8 {
                let template = template.clone().for_plate(number);
                let slots = template.tube_slots().iter();
                let wells = slots.chain(template.control_slots().iter().map(|slot| &slot.wells));
                for well in wells.flatten() {
                    assert!(template.size().contains(*well), "{well} lies off the plate");
                }
            }
        }
    }
});
