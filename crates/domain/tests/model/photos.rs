//! Names of photos and of their files.

use mango_domain::model::{PhotoFile, PhotoId};
use proptest::prelude::*;

#[test]
fn only_32_lower_case_hexadecimal_digits_name_a_photo() {
    let name = "0123456789abcdef0123456789abcdef";
    assert_eq!(PhotoId::parse(name).map(|photo| photo.to_string()).as_deref(), Some(name));
    for raw in [
        "",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789ABCDEF0123456789ABCDEF",
        "0123456789abcdef0123456789abcdeg",
        "../../../../../../../etc/passwd\0",
        "../0123456789abcdef0123456789abc",
        "0123456789abcdef/123456789abcdef",
        "..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\..",
        "%2e%2e%2f9abcdef0123456789abcdef",
        "０１２３４５６７８９a",
    ] {
        assert_eq!(PhotoId::parse(raw), None, "{raw:?}");
    }
}

#[test]
fn files_are_read_by_their_names_and_the_original_by_its_alias() {
    for (name, expected, media_type) in [
        ("original.jpeg", PhotoFile::Original, "image/jpeg"),
        ("original.jpg", PhotoFile::Original, "image/jpeg"),
        ("400x400.webp", PhotoFile::Square400, "image/webp"),
        ("100x100.webp", PhotoFile::Square100, "image/webp"),
        ("50x50.webp", PhotoFile::Square50, "image/webp"),
    ] {
        assert_eq!(PhotoFile::parse(name), Some(expected), "{name}");
        assert_eq!(expected.media_type(), media_type);
    }
    for raw in ["", "original", "original.png", "Original.jpeg", "400x400.jpeg", "200x200.webp", "../original.jpeg"] {
        assert_eq!(PhotoFile::parse(raw), None, "{raw:?}");
    }
    for file in PhotoFile::ALL {
        assert_eq!(PhotoFile::parse(file.name()), Some(file));
    }
}

proptest! {
    #[test]
    fn a_name_made_of_random_bytes_is_read_again(bytes: [u8; 16]) {
        let photo = PhotoId::from_random(bytes);
        prop_assert_eq!(PhotoId::parse(photo.as_str()), Some(photo));
    }

    #[test]
    fn no_name_leads_out_of_a_folder(raw in "[0-9a-f./\\\\]{30,34}") {
        if let Some(photo) = PhotoId::parse(&raw) {
            prop_assert!(photo.as_str().bytes().all(|b| b.is_ascii_alphanumeric()));
        }
    }
}
