#![no_main]

use libfuzzer_sys::fuzz_target;

// The first line keeps the format known, so that every try reaches the parser.
fuzz_target!(|bytes: &[u8]| {
    swabline_fuzz::read(&[b"* Block Type = 96-Well Block (0.2mL)\n", bytes].concat());
});
