#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swabline_fuzz::targets::zip_file(bytes));
