//! Names, descriptions and passwords.

use mango_domain::FieldError;
use mango_domain::model::{ChatName, Description, Device, Password, UserName};
use proptest::prelude::*;

use super::check_refused;

fn user_name(raw: &str) -> Result<String, FieldError> {
    UserName::parse(raw).map(|name| name.as_str().to_owned())
}

fn chat_name(raw: &str) -> Result<String, FieldError> {
    ChatName::parse(raw).map(|name| name.as_str().to_owned())
}

fn description(raw: &str) -> Result<String, FieldError> {
    Description::parse(raw).map(|text| text.as_str().to_owned())
}

type Parse = fn(&str) -> Result<String, FieldError>;

const TEXTS: [(Parse, &str, usize); 3] =
    [(user_name, "name", 255), (chat_name, "chat.name", 255), (description, "description", 2000)];

#[test]
fn texts_have_one_to_so_many_characters() {
    for (parse, field, max) in TEXTS {
        for unit in ["a", "é", "🥭"] {
            for length in [1, 2, max - 1, max] {
                let text = unit.repeat(length);
                assert_eq!(parse(&text), Ok(text), "{length} of {unit}");
            }
            check_refused(parse(&unit.repeat(max + 1)), field, &unit);
        }
        for empty in ["", " ", "\n\t ", "\u{3000}\u{a0}"] {
            check_refused(parse(empty), field, &empty);
        }
    }
}

#[test]
fn white_space_around_texts_is_dropped_and_inside_kept() {
    for (parse, _, max) in TEXTS {
        assert_eq!(parse("  Zoë  de \u{3000}Vries\n"), Ok("Zoë  de \u{3000}Vries".to_owned()));
        let padded = format!("   {}   ", "a".repeat(max));
        assert_eq!(parse(&padded), Ok("a".repeat(max)), "it does not count");
    }
}

#[test]
fn control_characters_are_refused() {
    for (parse, field, _) in TEXTS {
        for control in ['\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}'] {
            check_refused(parse(&format!("a{control}b")), field, &control);
        }
    }
    for line_break in ['\n', '\r', '\t', '\u{2028}', '\u{2029}'] {
        let text = format!("a{line_break}b");
        check_refused(user_name(&text), "name", &line_break);
        check_refused(chat_name(&text), "chat.name", &line_break);
        assert_eq!(description(&text), Ok(text));
    }
}

/// A name that shows nothing, or that turns what stands around it, is there to be taken for another.
#[test]
fn what_cannot_be_seen_is_no_text_and_what_turns_text_around_is_refused() {
    for (parse, field, _) in TEXTS {
        for invisible in [
            "\u{200b}",
            "\u{200d}\u{200d}",
            "\u{feff} \u{2060}",
            "\u{3164}",
            "\u{ffa0}",
            "\u{34f}",
            "\u{e0020}",
            "\u{115f}",
            "\u{1160}",
            "\u{115f}\u{1160}",
            "\u{2800}\u{2800}",
            "\u{1d159}",
            "\u{fffe}",
            "\u{ffff}",
            "\u{1fffe}",
            "\u{10ffff}",
            "\u{fdd0}\u{fdef}",
        ] {
            check_refused(parse(invisible), field, &invisible.escape_unicode().to_string());
        }
        for turning in ["\u{202a}", "\u{202e}", "\u{202b}b\u{202c}", "\u{2066}", "\u{2069}", "\u{2069}b\u{2066}"] {
            let error = parse(&format!("a{turning}b")).unwrap_err();
            let what = "must not contain characters that turn the direction of text";
            assert_eq!((&*error.field, &*error.message), (field, what), "{}", turning.escape_unicode());
        }
        for fine in [
            "👩\u{200d}👩\u{200d}👧",
            "می\u{200c}خواهم",
            "שלום\u{200f}!",
            "🏴\u{e0067}\u{e0062}\u{e007f}",
            "e\u{301}",
            "한글",
            "\u{1112}\u{1161}\u{11ab}",
            "⠓⠑⠇⠇⠕",
            "⠓\u{2800}⠓",
            "नमस्ते",
            "สวัสดี",
            "𝄞",
        ] {
            assert_eq!(parse(fine), Ok(fine.to_owned()), "{}", fine.escape_unicode());
        }
    }
}

/// An isolate reaches no further than its end or its paragraph's.
#[test]
fn isolates_that_end_where_they_began_are_fine_in_texts_of_many_lines() {
    let balanced = ["call \u{2068}שלום\u{2069}!", "\u{2066}a \u{2067}ב \u{2068}c\u{2069}\u{2069}\u{2069}\nb"];
    for text in balanced {
        assert_eq!(description(text), Ok(text.to_owned()), "{}", text.escape_unicode());
        check_refused(user_name(&text.replace('\n', " ")), "name", &text.escape_unicode().to_string());
        check_refused(chat_name(&text.replace('\n', " ")), "chat.name", &text.escape_unicode().to_string());
    }
    for open in
        ["\u{2067}a\nb\u{2069}", "\u{2067}a\u{2029}b\u{2069}", "\u{2067}a\u{2069}\u{2069}", "\u{2067}\u{202e}a\u{2069}"]
    {
        check_refused(description(open), "description", &open.escape_unicode().to_string());
    }
}

#[test]
fn passwords_have_8_to_128_characters_of_any_kind() {
    for (password, fits) in [
        (String::new(), false),
        ("a".repeat(7), false),
        ("a".repeat(8), true),
        ("🥭".repeat(7), false),
        ("🥭".repeat(8), true),
        ("🥭".repeat(128), true),
        ("🥭".repeat(129), false),
        ("a".repeat(128), true),
        ("a".repeat(129), false),
        (" ".repeat(8), true),
        ("  pad me  ".to_owned(), true),
        ("\n\t\0\u{7f} four".to_owned(), true),
    ] {
        match Password::parse(password.clone()) {
            Ok(taken) => assert_eq!((taken.expose(), fits), (&*password, true), "never trimmed or changed"),
            Err(error) => assert_eq!((&*error.field, fits), ("password", false), "{password:?}"),
        }
    }
}

#[test]
fn an_attempt_is_cut_where_it_can_match_no_password_any_more() {
    for (typed, kept) in [(0, 0), (3, 3), (128, 128), (129, 129), (130, 129), (1_000_000, 129)] {
        for unit in ["a", "🥭"] {
            let attempt = Password::attempt(unit.repeat(typed));
            assert_eq!(attempt.expose(), unit.repeat(kept), "{typed} typed");
        }
    }
}

proptest! {
    #[test]
    fn a_text_that_is_taken_is_taken_unchanged_again(raw in "\\PC{0,300}|[\\s\\S]{0,20}") {
        for (parse, _, max) in TEXTS {
            if let Ok(text) = parse(&raw) {
                prop_assert!((1..=max).contains(&text.chars().count()));
                prop_assert_eq!(text.trim(), &*text);
                prop_assert_eq!(parse(&text), Ok(text));
            }
        }
    }
}

#[test]
fn of_a_device_is_kept_what_can_be_kept() {
    let longest = "🥭".repeat(Device::MAX);
    let table = [
        ("Ada's phone", Some("Ada's phone")),
        (" \t Ada's\0 ph\u{7f}o\u{9b}ne\r\n", Some("Ada's phone")),
        ("", None),
        (" \n\u{a0}\u{1}", None),
        (&longest, Some(longest.as_str())),
        (&format!("{longest}🍋"), Some(longest.as_str())),
        (&format!("{}{}", "a".repeat(Device::MAX - 1), " b"), Some(&longest.replace('🥭', "a")[1..])),
        (&"\0".repeat(1_000_000), None),
        ("Ada's ph\u{202e}enohp\u{202c}", Some("Ada's phenohp")),
        ("Bo\u{200b}b\u{2066}'s\u{2069}\u{feff} \u{ad}p\u{200d}c\u{fe0f}\u{2028}", Some("Bob's pc")),
        ("\u{200b}\u{2060}\u{115f}\u{3164}\u{e0041}", None),
        ("Телефон Ады, הטלפון של עדה, 👩🏽, é", Some("Телефон Ады, הטלפון של עדה, 👩🏽, é")),
    ];
    for (raw, kept) in table {
        assert_eq!(Device::tidy(raw).as_ref().map(Device::as_str), kept, "{:?}", raw.get(..40));
    }
}

/// The characters that turn text around, and those that nobody sees.
#[test]
fn a_device_has_no_character_that_works_unseen() {
    let unseen = ('\u{0}'..='\u{1f}')
        .chain('\u{7f}'..='\u{9f}')
        .chain('\u{200b}'..='\u{200f}')
        .chain('\u{2028}'..='\u{202e}')
        .chain('\u{2060}'..='\u{206f}')
        .chain(['\u{ad}', '\u{61c}', '\u{180e}', '\u{feff}', '\u{fff9}', '\u{1bca0}', '\u{e0001}', '\u{e007f}']);
    for c in unseen {
        let device = Device::tidy(&format!("a{c}b"));
        assert_eq!(device.as_ref().map(Device::as_str), Some("ab"), "{c:?}");
    }
}

/// `Default_Ignorable_Code_Point` of `DerivedCoreProperties.txt`, Unicode 16.
#[test]
fn a_device_has_no_character_that_unicode_shows_as_nothing() {
    let ignorable = [
        '\u{ad}'..='\u{ad}',
        '\u{34f}'..='\u{34f}',
        '\u{61c}'..='\u{61c}',
        '\u{115f}'..='\u{1160}',
        '\u{17b4}'..='\u{17b5}',
        '\u{180b}'..='\u{180f}',
        '\u{200b}'..='\u{200f}',
        '\u{202a}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{3164}'..='\u{3164}',
        '\u{fe00}'..='\u{fe0f}',
        '\u{feff}'..='\u{feff}',
        '\u{ffa0}'..='\u{ffa0}',
        '\u{fff0}'..='\u{fff8}',
        '\u{1bca0}'..='\u{1bca3}',
        '\u{1d173}'..='\u{1d17a}',
        '\u{e0000}'..='\u{e0fff}',
    ];
    for c in ignorable.into_iter().flatten() {
        let device = Device::tidy(&format!("a{c}b"));
        assert_eq!(device.as_ref().map(Device::as_str), Some("ab"), "{c:?}");
        check_refused(user_name(&c.to_string()), "name", &c.escape_unicode().to_string());
    }
}

proptest! {
    #[test]
    fn any_text_becomes_a_device_that_a_store_takes(raw in any::<String>()) {
        if let Some(device) = Device::tidy(&raw) {
            let text = device.as_str();
            prop_assert!((1..=Device::MAX).contains(&text.chars().count()));
            prop_assert!(!text.contains(char::is_control) && text.trim() == text);
            prop_assert_eq!(Device::tidy(text), Some(device.clone()));
        }
    }
}
