#![no_main]

use libfuzzer_sys::fuzz_target;

// The fuzzer writes the workbook stream; the sectors around it are sound.
fuzz_target!(|stream: &[u8]| swabline_fuzz::read(&swabline_fuzz::xls(stream)));
