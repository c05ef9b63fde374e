#![no_main]

use libfuzzer_sys::fuzz_target;

// The fuzzer writes sheets and shared strings; the packing around them is sound.
fuzz_target!(|bytes: &[u8]| {
    swabline_fuzz::read(&swabline_fuzz::xlsx(&swabline_fuzz::parts(bytes)));
});
