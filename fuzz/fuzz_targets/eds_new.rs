#![no_main]

use libfuzzer_sys::fuzz_target;

const MEMBERS: [&str; 4] = [
    "primary/analysis_result.json",
    "setup/plate_setup.json",
    "summary.json",
    "run/run_summary.json",
];

fuzz_target!(|bytes: &[u8]| {
    swabline_fuzz::read(&swabline_fuzz::zip(&MEMBERS, &swabline_fuzz::parts(bytes)));
});
