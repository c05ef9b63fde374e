use proptest::prelude::*;

use super::*;

fn tube(text: &str) -> Result<TubeCode, NotACode> {
    TubeCode::parse(text, &Patterns::default())
}

fn with_maker() -> Patterns {
    let mut patterns = Patterns::default();
    patterns.add(Pattern::new("Yocon", "YK", 14, Alphabet::Digits).unwrap()).unwrap();
    patterns
}

#[test]
fn a_code_is_read_with_blanks_and_in_lower_case() {
    let code = tube("  t0000000001t\r\n").unwrap();
    assert_eq!(code.as_str(), "T0000000001T");
    assert_eq!(code.number(), Some(1));
    assert_eq!(code, TubeCode::numbered(1).unwrap());
    assert_eq!(tube("t0000000048*").unwrap().to_string(), "T0000000048*");
}

#[test]
fn each_kind_has_its_own_letter() {
    assert_eq!(TubeCode::numbered(0).unwrap().as_str(), "T0000000000V");
    assert_eq!(BoxCode::numbered(0).unwrap().as_str(), "B00000000006");
    assert_eq!(PlateCode::numbered(0).unwrap().as_str(), "P00000000009");
    assert_eq!(BoxCode::parse("b00000000006").unwrap().number(), Some(0));
    assert_eq!(PlateCode::parse("p00000000009").unwrap().number(), Some(0));
}

#[test]
fn the_highest_number_has_a_code_and_the_next_has_none() {
    assert_eq!(TubeCode::numbered(NUMBER_MAX).unwrap().as_str(), "T99999999996");
    assert_eq!(TubeCode::numbered(NUMBER_MAX + 1), None);
}

#[test]
fn a_box_held_up_for_a_tube_is_named() {
    let refusal = tube(BoxCode::numbered(7).unwrap().as_str()).unwrap_err();
    assert_eq!(refusal, NotACode::WrongKind { found: Kind::Box, wanted: Kind::Tube });
    assert_eq!(refusal.to_string(), "this is a box code; scan a tube");
    let refusal = PlateCode::parse(TubeCode::numbered(7).unwrap().as_str()).unwrap_err();
    assert_eq!(refusal.to_string(), "this is a tube code; scan a plate");
}

#[test]
fn a_mistyped_code_is_refused_as_mistyped() {
    let refusal = tube("T0000000010T").unwrap_err();
    assert_eq!(refusal, NotACode::Check { code: "T0000000010T".to_owned() });
    assert!(refusal.to_string().contains("mistyped or misread"));
}

#[test]
fn every_other_fault_says_what_it_is() {
    assert_eq!(tube(" \t "), Err(NotACode::Empty));
    assert_eq!(tube("T000000001T"), Err(NotACode::Length { length: 11 }));
    assert_eq!(tube("T00000000O1T"), Err(NotACode::Shape));
    assert_eq!(tube("X0000000001T"), Err(NotACode::Shape));
    assert_eq!(tube("T000*000001T"), Err(NotACode::Shape));
    assert_eq!(tube("T00000-0001T"), Err(NotACode::Character { position: 7 }));
    assert_eq!(tube("Ｔ0000000001T"), Err(NotACode::Character { position: 1 }));
}

#[test]
fn an_identity_card_under_the_scanner_is_never_repeated() {
    // The example of GB 11643-1999.
    let card = "11010519491231002x";
    for refusal in [
        tube(card).unwrap_err(),
        TubeCode::parse(card, &with_maker()).unwrap_err(),
        BoxCode::parse(card).unwrap_err(),
    ] {
        assert_eq!(refusal, NotACode::ResidentId);
        assert!(!format!("{refusal} {refusal:?}").contains("1949"));
    }
    let passport = tube("E12345678").unwrap_err();
    assert!(!format!("{passport} {passport:?}").contains("E123"));
}

#[test]
fn a_makers_eighteen_digits_are_no_card_whatever_their_last() {
    let mut patterns = Patterns::default();
    patterns.add(Pattern::new("Yocon", "01", 18, Alphabet::Digits).unwrap()).unwrap();
    for number in 0..1_000 {
        let code = format!("0119491231{number:08}");
        assert_eq!(TubeCode::parse(&code, &patterns).unwrap().as_str(), code);
    }
    let mut others = Patterns::default();
    others.add(Pattern::new("Yocon", "1234569", 18, Alphabet::Digits).unwrap()).unwrap();
    for number in 0..1_000 {
        let code = format!("12345699123{number:07}");
        assert_eq!(TubeCode::parse(&code, &others).unwrap().as_str(), code);
    }
}

#[test]
fn a_card_has_a_region_a_birthday_and_its_check_character() {
    let card = |body: &str| format!("{body}{}", check::mod_11_2(body).unwrap());
    for body in ["11010519491231002", "82000020000229001", "99999918991231001"] {
        assert_eq!(tube(&card(body)), Err(NotACode::ResidentId), "{body}");
    }
    for body in ["01010519491231002", "11010519491331002", "11010519490229002", "11010521001231002"]
    {
        assert_eq!(tube(&card(body)), Err(NotACode::Length { length: 18 }), "{body}");
    }
    assert_eq!(tube("110105194912310021"), Err(NotACode::Length { length: 18 }));
}

#[test]
fn a_makers_code_is_a_tube_and_nothing_else() {
    let code = TubeCode::parse(" yk202206010001 ", &with_maker()).unwrap();
    assert_eq!((code.as_str(), code.number()), ("YK202206010001", None));
    assert_eq!(tube("YK202206010001"), Err(NotACode::Length { length: 14 }));
    assert_eq!(BoxCode::parse("YK202206010001"), Err(NotACode::Length { length: 14 }));
    let unknown = TubeCode::parse("ZZ2022060100", &with_maker()).unwrap_err();
    assert_eq!(unknown, NotACode::Unregistered { length: 12 });
}

#[test]
fn our_own_faults_stay_plain_when_makers_are_registered() {
    let patterns = with_maker();
    assert!(TubeCode::parse("T0000000001T", &patterns).is_ok());
    assert_eq!(TubeCode::parse("T000000001T", &patterns), Err(NotACode::Length { length: 11 }));
    assert!(matches!(TubeCode::parse("T0000000010T", &patterns), Err(NotACode::Check { .. })));
}

#[test]
fn a_code_is_written_to_json_as_plain_text() {
    let json = serde_json::to_string(&TubeCode::numbered(1).unwrap()).unwrap();
    assert_eq!(json, "\"T0000000001T\"");
    assert_eq!(serde_json::to_string(&Kind::Plate).unwrap(), "\"plate\"");
}

proptest! {
    #[test]
    fn every_number_goes_to_a_code_and_back(number in 0..=NUMBER_MAX) {
        let code = TubeCode::numbered(number).unwrap();
        prop_assert_eq!(code.as_str().len(), LENGTH);
        prop_assert_eq!(&tube(code.as_str()).unwrap(), &code);
        prop_assert_eq!(code.number(), Some(number));
    }

    #[test]
    fn no_text_panics_and_none_but_twelve_of_our_shape_is_repeated(text in "\\PC{0,200}") {
        for refusal in [tube(&text).err(), TubeCode::parse(&text, &with_maker()).err()] {
            if let Some(NotACode::Check { code }) = refusal {
                prop_assert!(own::is_shaped_as_ours(&code));
            }
        }
    }

    #[test]
    fn order_of_codes_is_order_of_numbers(low in 0..NUMBER_MAX) {
        prop_assert!(TubeCode::numbered(low).unwrap() < TubeCode::numbered(low + 1).unwrap());
    }
}
