#![no_main]

libfuzzer_sys::fuzz_target!(
    init: swabline_fuzz::allow_refused_workbooks(),
    |bytes: &[u8]| swabline_fuzz::targets::workbook_xlsx(bytes)
);
