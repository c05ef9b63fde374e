#![no_main]

use libfuzzer_sys::fuzz_target;

// The first line keeps the format known, so that every try reaches the parser.
fuzz_target!(|bytes: &[u8]| {
    let title = b"Experiment: Simulated  Selected Filter: FAM (465-510)\r\n";
    swabline_fuzz::read(&[title, bytes].concat());
});
