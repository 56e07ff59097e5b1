//! Phones are normalised to E.164.

use mango_domain::model::Phone;
use proptest::prelude::*;

use super::check_refused;

#[test]
fn what_a_human_types_is_normalised() {
    for (typed, expected) in [
        ("+31612345678", "+31612345678"),
        ("31612345678", "+31612345678"),
        (" 31612345678", "+31612345678"),
        ("0031612345678", "+31612345678"),
        ("+31 6 1234 5678", "+31612345678"),
        ("+31-6-12.34.56.78", "+31612345678"),
        ("\t+31 (6) 12345678\n", "+31612345678"),
        ("00 31 6 12345678", "+31612345678"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("1/415/555/2671", "+14155552671"),
        ("+(31) (0)6 12345678", "+31612345678"),
        ("+39 06 698 12345", "+390669812345"),
        ("+44 20 7946 0958", "+442079460958"),
        ("+998 90 123 45 67", "+998901234567"),
        ("+49 30 901820", "+4930901820"),
        // As phones and pages copy them.
        ("\u{202a}+49 151 23456789\u{202c}", "+4915123456789"),
        ("\u{200e}\u{feff}+49\u{ad}151\u{200b}23456789\u{2069}", "+4915123456789"),
        ("tel:+49-151-23456789", "+4915123456789"),
        (" TEL: +49 151 23456789", "+4915123456789"),
        ("+49\u{a0}151\u{202f}234\u{2009}567\u{3000}89", "+4915123456789"),
        ("+49\u{2011}151\u{2010}234\u{2013}567\u{2212}89", "+4915123456789"),
        ("(+49) 151 23456789", "+4915123456789"),
        ("\u{202a}(+49)\u{a0}151\u{a0}23456789\u{202c}", "+4915123456789"),
        ("(0049) 151 23456789", "+4915123456789"),
    ] {
        match Phone::parse(typed) {
            Ok(phone) => assert_eq!(phone.as_str(), expected, "{typed:?}"),
            Err(error) => assert_eq!(error.message, expected, "{typed:?}"),
        }
    }
}

#[test]
fn what_is_no_international_number_is_refused() {
    let endless = format!("+31{}612345678", " ".repeat(64));
    for typed in [
        "",
        " ",
        "+",
        "00",
        "phone",
        "+31 six",
        "+31612345678 ext. 9",
        "+31612345678;phone-context=x",
        "tel:+31612345678;ext=9",
        "tel:",
        "tel:tel:+31612345678",
        "sip:+31612345678",
        "((+31) 612345678",
        "+(+31) 612345678",
        "++31612345678",
        "+31+612345678",
        "+3161234567８",
        "٣١٦١٢٣٤٥٦٧٨",
        "+0612345678",
        "+1",
        "+31612",
        "+3161234567890123456",
        "+999123456789",
        "'; DROP TABLE users; --",
        "+31612345678\0",
        &endless,
    ] {
        check_refused(Phone::parse(typed), "phone", &typed);
    }
}

proptest! {
    #[test]
    fn anything_is_refused_or_normalised_for_good(typed in r"(\+|00)?[0-9 ().-]{0,24}|\PC{0,70}") {
        if let Ok(phone) = Phone::parse(&typed) {
            let e164 = phone.as_str();
            let digits = e164.strip_prefix('+').expect("a plus");
            prop_assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()), "{e164}");
            prop_assert_eq!(Phone::parse(e164), Ok(phone.clone()));
        }
    }

    #[test]
    fn separators_do_not_matter(subscriber in 10_000_000..99_999_999_u32, gaps in prop::collection::vec("[ .()/-]{0,2}", 11)) {
        let plain = format!("316{subscriber}");
        let typed: String = plain.chars().zip(gaps).map(|(digit, gap)| format!("{digit}{gap}")).collect();
        prop_assert_eq!(Phone::parse(&format!("+{typed}")), Phone::parse(&plain));
        prop_assert!(Phone::parse(&plain).is_ok());
    }
}
