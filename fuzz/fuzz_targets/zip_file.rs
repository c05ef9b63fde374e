#![no_main]

use libfuzzer_sys::fuzz_target;

// Whole zips: workbooks, RDML and both kinds of `.eds`, with whatever directory the fuzzer likes.
fuzz_target!(|bytes: &[u8]| swabline_fuzz::read(&[b"PK\x03\x04", bytes].concat()));
