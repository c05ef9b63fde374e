#![no_main]

use libfuzzer_sys::fuzz_target;
use rust_decimal::Decimal;
use swabline::barcode::{Alphabet, BoxCode, Pattern, Patterns, PlaceCode, PlateCode, TubeCode};
use swabline::instrument::Ct;
use swabline::integrity::own_end;
use swabline::interpretation::CutOff;
use swabline::plate::WellPosition;
use swabline::plate::rack::RackCode;
use swabline::plate::robot::Volume;

// Short texts under a scanner or in a cell; what is read is written as it is read again.
fuzz_target!(|text: &str| {
    let patterns = Patterns::default();
    if let Ok(code) = TubeCode::parse(text, &patterns) {
        assert_eq!(TubeCode::parse(code.as_str(), &patterns), Ok(code));
    }
    if let Ok(code) = BoxCode::parse(text) {
        assert_eq!(BoxCode::parse(code.as_str()), Ok(code));
    }
    if let Ok(code) = PlateCode::parse(text) {
        assert_eq!(PlateCode::parse(code.as_str()), Ok(code));
    }
    if let Ok(code) = PlaceCode::parse(text) {
        assert_eq!(PlaceCode::parse(code.as_str()), Ok(code));
    }
    if let Ok(code) = RackCode::parse(text) {
        assert_eq!(RackCode::parse(code.as_str()), Ok(code));
    }
    if let Ok(well) = text.parse::<WellPosition>() {
        assert_eq!(well.to_string().parse(), Ok(well));
    }
    if let Some(volume) = Volume::parse(text) {
        assert_eq!(Volume::parse(&volume.to_string()), Some(volume));
    }
    if let Ok(cut_off) = text.parse::<CutOff>() {
        assert_eq!(cut_off.to_string().parse().ok(), Some(cut_off));
    }
    if let Some(ct) = text.parse::<Decimal>().ok().and_then(|cycles| Ct::try_from(cycles).ok()) {
        assert_eq!(Ct::try_from(ct.cycles()), Ok(ct));
    }
    let _any_time = own_end(text);
    let length = u8::try_from(text.len() % 30).expect("less than 30");
    let _any_fault = Pattern::new("Maker", text, length, Alphabet::Digits);
});
