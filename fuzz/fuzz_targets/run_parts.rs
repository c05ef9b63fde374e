#![no_main]

use libfuzzer_sys::fuzz_target;
use swabline::instrument::{Mappings, read_run};

// The files of one run; the order in which they come does not matter.
fuzz_target!(|bytes: &[u8]| {
    let mut files = swabline_fuzz::parts(bytes);
    let read = read_run(&files, Mappings::shipped(), None);
    files.reverse();
    let other = read_run(&files, Mappings::shipped(), None);
    match (read, other) {
        (Ok(run), Ok(other)) => {
            swabline_fuzz::makes_sense(&run, bytes.len());
            assert_eq!(run, other, "the order of the files matters");
        }
        (Err(faults), Err(others)) => assert!(!faults.is_empty() && !others.is_empty()),
        (run, other) => panic!("the order decides: {:?} {:?}", run.is_ok(), other.is_ok()),
    }
});
