use eservices_reference::ids::*;
use proptest::prelude::*;

fn accepts<T>(parse: fn(&str) -> Result<T, Invalid>, texts: &[&str]) {
    for text in texts {
        assert!(parse(text).is_ok(), "{text} is refused");
    }
}

fn refuses<T>(parse: fn(&str) -> Result<T, Invalid>, texts: &[&str]) {
    for text in texts {
        assert!(parse(text).is_err(), "{text} is accepted");
    }
}

#[test]
fn imb() {
    accepts(
        Imb::parse,
        &["IMB/77058/X/0218", "IMB/75109/C/2182", "IMB/77288/S/02OK", "IMB/76056/X/000O", "IMB/2A004/C/06KB"],
    );
    refuses(
        Imb::parse,
        &[
            "",
            "IMB",
            "imb/77058/X/0218",
            "IMB/77058/1/0218",
            "IMB/77058/X/021",
            "IMB/77058/X/02188",
            "IMB/7705A/X/0218",
            "IMB/2C004/X/0218",
            "IMB/77058/X/021a",
            " IMB/77058/X/0218",
            "IMB/77058/X/021é",
        ],
    );
    assert_eq!(Imb::parse("IMB/2A004/C/06KB").unwrap().insee(), Insee::parse("2A004").unwrap());
}

#[test]
fn network() {
    accepts(Pm::parse, &["FI-77058-000B", "FI-75109-00IN", "FI-49223-0009", "FI-2B033-0A0A"]);
    refuses(
        Pm::parse,
        &["FI", "FI-77058-00B", "FI-77058-000b", "FI_77058-000B", "PM-77058-000B", "FI-77058-000BB"],
    );
    accepts(Pto::parse, &["FI-0A1B-2C3D", "12-3456-7890"]);
    refuses(Pto::parse, &["FI-0A1B-2C3", "FI-0A1B2C3D", "fi-0a1b-2c3d", "F-0A1B-2C3D", "FI-0A1B-2C3DE"]);
    assert_eq!(Pm::parse("FI-75109-00IN").unwrap().insee().as_str(), "75109");
}

/// The check digits by hand: 117 = 10 × 11 + 7, so 4; 200 = 18 × 11 + 2, so 9; 0, so 11, which is 5; 12 = 11 + 1, so 10,
/// which is 0.
#[test]
fn parcels_and_equipment() {
    accepts(Parcel::parse, &["XW161155304JB", "RR473124829GB", "AA000000005FR", "AA020000000FR"]);
    refuses(
        Parcel::parse,
        &[
            "",
            "XW161155305JB",
            "XW161155314JB",
            "XW611155304JB",
            "xw161155304JB",
            "XW161155304jb",
            "X1161155304JB",
            "XW16115530 JB",
            "XW161155304J",
            "XW1611553044JB",
            "AA000000000FR",
            "AA000000001FR",
        ],
    );
    for wrong in (0..10).filter(|d| *d != 4) {
        refuses(Parcel::parse, &[&format!("XW16115530{wrong}JB")]);
    }
    accepts(OntSerial::parse, &["HWTC0172629D", "ALCLF0A1B2C3"]);
    refuses(
        OntSerial::parse,
        &["HWTC0172629", "HWTC0172629G", "hwtc0172629d", "HW1C0172629D", "HWTC0172629DD"],
    );
}

#[test]
fn companies_and_places() {
    accepts(Siren::parse, &["397480930", "380129866", "356000000", "732829320"]);
    refuses(Siren::parse, &["397480931", "39748093", "3974809300", "39748093O", "１２３"]);
    accepts(Insee::parse, &["77058", "2A004", "2B033", "97105", "69383"]);
    refuses(Insee::parse, &["7705", "770581", "2C004", "A2004", "2a004", "1A004"]);
    accepts(Rivoli::parse, &["0361", "A123", "Z999"]);
    refuses(Rivoli::parse, &["361", "03611", "03A1", "a361"]);
    assert_eq!(Insee::parse("97105").unwrap().department(), "971");
    assert_eq!(Insee::parse("2A004").unwrap().department(), "2A");
    assert_eq!(Insee::parse("77058").unwrap().department(), "77");
}

#[test]
fn services() {
    accepts(Via::parse, &["VIA000000002298", "VIA000000002136"]);
    refuses(Via::parse, &["VIA00000000229", "VIA0000000022980", "via000000002298", "VIA00000000229A"]);
    accepts(Aid::parse, &["F00000021", "F00000015"]);
    refuses(Aid::parse, &["F0000015", "F000000150", "G00000015", "00000015F"]);
    accepts(Nd::parse, &["0102030405", "0472800336", "0599999999"]);
    refuses(Nd::parse, &["0602030405", "0002030405", "102030405", "01020304055", "+33102030405"]);
    accepts(
        AppointmentRef::parse,
        &[
            "ITC-DOA-20190617-000000000042-ERDV",
            "ITP-DOA-00000000-123456789012-ERDV",
            "ITL-DOA-99999999-000000000000-ERDV",
        ],
    );
    refuses(
        AppointmentRef::parse,
        &[
            "ITC-",
            "ITA-DOA-20190617-000000000042-ERDV",
            "ITC-DOA-2019061-000000000042-ERDV",
            "ITC-DOA-20190617-00000000042-ERDV",
            "ITC-DOA-20190617-000000000042-erdv",
            "ITC-DOA-20190617-000000000042-ERDVX",
            "ITC-DOB-20190617-000000000042-ERDV",
        ],
    );
}

#[test]
fn the_error_says_what_was_expected() {
    let error = Imb::parse("IMB/77058").unwrap_err();
    assert_eq!(
        error.to_string(),
        "not a valid IMB: expected IMB/<INSEE>/<letter>/<4 digits or capitals>, for instance IMB/77058/X/0218"
    );
    assert_eq!(error.kind, "IMB");
}

/// Every example in an error message is itself valid.
#[test]
fn examples_are_valid() {
    fn example(expected: &'static str) -> &'static str {
        expected.rsplit(' ').next().unwrap()
    }
    assert!(Imb::is_valid(example(Imb::EXPECTED)));
    assert!(Pto::is_valid(example(Pto::EXPECTED)));
    assert!(Pm::is_valid(example(Pm::EXPECTED)));
    assert!(Siren::is_valid(example(Siren::EXPECTED)));
    assert!(Insee::is_valid(example(Insee::EXPECTED)));
    assert!(Rivoli::is_valid(example(Rivoli::EXPECTED)));
    assert!(Aid::is_valid(example(Aid::EXPECTED)));
    assert!(Via::is_valid(example(Via::EXPECTED)));
    assert!(AppointmentRef::is_valid(example(AppointmentRef::EXPECTED)));
    assert!(Nd::is_valid(example(Nd::EXPECTED)));
}

proptest! {
    #[test]
    fn valid_texts_round_trip(text in "IMB/[0-9]{5}/[A-Z]/[0-9A-Z]{4}") {
        let imb: Imb = text.parse().unwrap();
        prop_assert_eq!(imb.to_string(), text.clone());
        prop_assert_eq!(Imb::try_from(text.clone()).unwrap(), imb.clone());
        prop_assert_eq!(String::from(imb), text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = (Imb::parse(&text), Pto::parse(&text), Pm::parse(&text), Siren::parse(&text), Insee::parse(&text));
        let _ = (Rivoli::parse(&text), Aid::parse(&text), Via::parse(&text), Nd::parse(&text));
        let _ = AppointmentRef::parse(&text);
    }

    #[test]
    fn one_wrong_digit_breaks_a_siren(place in 0usize..9, digit in 0u8..10) {
        let mut digits = *b"397480930";
        let same = digits[place] == b'0' + digit;
        digits[place] = b'0' + digit;
        prop_assert_eq!(Siren::is_valid(std::str::from_utf8(&digits).unwrap()), same);
    }
}
