#![no_main]

use libfuzzer_sys::fuzz_target;
use swabline::plate::robot::{Log, Origin, Place, read};

// A log of any maker.
fuzz_target!(|bytes: &[u8]| {
    let Ok(log) = read(bytes) else { return };
    let Log { transfers, errors, detected_by, .. } = &log;
    assert!(!transfers.is_empty() || !errors.is_empty(), "a log that tells nothing was let in");
    assert!(!detected_by.is_empty(), "nobody knows why it was taken for a log");
    let letters = |place: &Place| place.label.len() + place.barcode.len() + place.tube.len();
    let mut text = 0;
    for one in transfers {
        assert!(!one.volume.is_nothing(), "a transfer of nothing");
        text += letters(&one.destination);
        if let Origin::One(from) = &one.origin {
            text += letters(from);
        }
    }
    let most = 8 * bytes.len() + 2_048 * transfers.len();
    assert!(text <= most, "{text} bytes of names out of a log of {}", bytes.len());
});
