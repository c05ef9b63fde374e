#![no_main]

use libfuzzer_sys::fuzz_target;

// One part is bare XML, two are a zip with another member beside it.
fuzz_target!(|bytes: &[u8]| match swabline_fuzz::parts(bytes)[..] {
    [xml] => swabline_fuzz::read(xml),
    ref parts => {
        swabline_fuzz::read(&swabline_fuzz::zip(&["rdml_data.xml", "module_data.xml"], parts));
    }
});
