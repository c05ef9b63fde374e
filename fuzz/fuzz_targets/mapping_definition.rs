#![no_main]

use libfuzzer_sys::fuzz_target;
use swabline::instrument::{self, Mapping, Mappings};

// A mapping of a laboratory's own, then a file read by it.
fuzz_target!(|bytes: &[u8]| {
    let parts = swabline_fuzz::parts(bytes);
    let Ok(text) = std::str::from_utf8(parts[0]) else { return };
    match Mapping::parse("own.toml", text) {
        Err(faults) => assert!(!faults.is_empty(), "refused without a reason"),
        Ok(mapping) => {
            let file = parts.get(1).copied().unwrap_or_default();
            let read = instrument::read_part(file, Mappings::shipped(), Some(&mapping));
            if let Ok(part) = read {
                swabline_fuzz::makes_sense(&part.run, bytes.len());
            }
        }
    }
});
