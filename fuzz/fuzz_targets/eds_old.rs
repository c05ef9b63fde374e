#![no_main]

use libfuzzer_sys::fuzz_target;

const MEMBERS: [&str; 4] = [
    "apldbio/sds/analysis_result.txt",
    "apldbio/sds/plate_setup.xml",
    "apldbio/sds/experiment.xml",
    "apldbio/sds/tcprotocol.xml",
];

// One part is the inner result file alone, more are a zip.
fuzz_target!(|bytes: &[u8]| match swabline_fuzz::parts(bytes)[..] {
    [result] => swabline_fuzz::read(result),
    ref parts => swabline_fuzz::read(&swabline_fuzz::zip(&MEMBERS, parts)),
});
