#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swabline_fuzz::targets::codes(bytes));
