//! What every fuzz target does with a file, and how an inner part becomes one.

use std::io::{Cursor, Write as _};

use swabline::instrument;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Reads a run file. Whatever the bytes are, it is refused with a reason or makes sense.
pub fn read(bytes: &[u8]) {
    let Ok(run) = instrument::read(bytes) else { return };
    assert!(!run.readings.is_empty(), "a run without a reading was let in");
    let size = run.plate_size.expect("a run with readings has a plate");
    for reading in &run.readings {
        assert!(size.contains(reading.well), "{} lies off the plate", reading.well);
    }
    for curve in &run.curves {
        assert!(size.contains(curve.well), "the curve of {} lies off the plate", curve.well);
        assert!(curve.points.iter().all(|point| point.signal.is_finite()), "{:?}", curve.well);
    }
}

/// A zip with these members, stored as they are, so that a fuzzer changes what is inside and not
/// the checksum around it.
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, content) in members {
        zip.start_file(*name, stored).expect("a short name");
        zip.write_all(content).expect("memory takes it");
    }
    zip.finish().expect("memory takes it").into_inner()
}
