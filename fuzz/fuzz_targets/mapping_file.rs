#![no_main]

use libfuzzer_sys::fuzz_target;

// The first byte names one of the shipped mappings, or none of them.
fuzz_target!(|bytes: &[u8]| {
    if let Some((number, file)) = bytes.split_first() {
        swabline_fuzz::read_mapped(file, *number);
    }
});
