//! Message types and the content that fits them.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use mango_domain::model::{MessageBody, MessageType};
use proptest::prelude::*;

use super::check_refused;

const MAX: usize = 64 * 1024;

/// The 25 types of the contract: name, media type, and whether the content is base64 of bytes.
const TYPES: [(&str, &str, bool); 25] = [
    ("text", "text/plain", false),
    ("html", "text/html", false),
    ("json", "application/json", false),
    ("xml", "application/xml", false),
    ("binary", "application/octet-stream", true),
    ("image", "image/jpeg", true),
    ("pdf", "application/pdf", true),
    ("csv", "text/csv", false),
    ("excel", "application/vnd.ms-excel", true),
    ("word", "application/msword", true),
    ("zip", "application/zip", true),
    ("gzip", "application/gzip", true),
    ("tar", "application/x-tar", true),
    ("audio", "audio/mpeg", true),
    ("video", "video/mp4", true),
    ("rtf", "application/rtf", false),
    ("yaml", "application/yaml", false),
    ("javascript", "text/javascript", false),
    ("css", "text/css", false),
    ("svg", "image/svg+xml", false),
    ("markdown", "text/markdown", false),
    ("protobuf", "application/protobuf", true),
    ("avro", "application/avro", true),
    ("parquet", "application/vnd.apache.parquet", true),
    ("orc", "application/orc", true),
];

fn parse(kind: MessageType, content: &str) -> Result<MessageBody, mango_domain::FieldError> {
    MessageBody::parse(kind, content.to_owned(), MAX)
}

#[track_caller]
fn check_taken(kind: MessageType, content: &str) {
    match parse(kind, content) {
        Ok(body) => assert_eq!((body.message_type(), body.content()), (kind, content)),
        Err(error) => assert_eq!(error.message, "taken", "{kind} {content:.40?}"),
    }
}

fn types(binary: bool) -> impl Iterator<Item = MessageType> {
    MessageType::ALL.into_iter().filter(move |kind| kind.is_binary() == binary)
}

#[test]
fn the_types_are_those_of_the_contract() {
    let all = MessageType::ALL.map(|kind| (kind.name(), kind.media_type(), kind.is_binary()));
    assert_eq!(all, TYPES);
    for kind in MessageType::ALL {
        assert_eq!(MessageType::parse(kind.name()), Ok(kind));
        assert_eq!(kind.to_string(), kind.name());
    }
}

#[test]
fn an_unknown_type_is_refused_with_all_names() {
    for raw in ["", "Text", "TEXT", " text", "text ", "text/plain", "png", "тext"] {
        check_refused(MessageType::parse(raw), "message.message_type", &raw);
    }
    let message = MessageType::parse("png").expect_err("unknown").message;
    for (name, ..) in TYPES {
        assert!(message.contains(name), "{name} is not in {message:?}");
    }
}

#[test]
fn content_is_never_empty_and_never_has_a_nul() {
    for kind in MessageType::ALL {
        check_refused(parse(kind, ""), "message.content", &kind);
        for content in ["\0", "e30=\0", "\0e30="] {
            check_refused(parse(kind, content), "message.content", &kind);
        }
    }
}

#[test]
fn the_limit_counts_bytes() {
    for (content, max, fits) in
        [("aaaa", 4, true), ("aaaa", 3, false), ("🥭", 4, true), ("🥭", 3, false), ("é", 2, true), ("é", 1, false)]
    {
        let result = MessageBody::parse(MessageType::Text, content.to_owned(), max);
        assert_eq!(result.is_ok(), fits, "{content} in {max} bytes");
    }
    for kind in MessageType::ALL {
        let largest = if kind == MessageType::Json { format!("\"{}\"", "a".repeat(MAX - 2)) } else { "a".repeat(MAX) };
        check_taken(kind, &largest);
        check_refused(parse(kind, &format!("{largest}aaaa")), "message.content", &kind);
    }
}

#[test]
fn content_of_text_types_is_kept_as_it_is() {
    for kind in types(false).filter(|kind| *kind != MessageType::Json) {
        for content in [" ", "  \r\n", "not base64!", "{not json", "\u{202E}🥭\u{1}", "<svg onload=alert(1)>"] {
            check_taken(kind, content);
        }
    }
}

#[test]
fn content_of_binary_types_is_base64() {
    for kind in types(true) {
        for content in ["AA==", "AA", "AAA=", "AAA", "AAAA", "+/+/", "aGVsbG8gd29ybGQ="] {
            check_taken(kind, content);
        }
        for content in ["A", "AAAAA", "A===", "AA==AA==", "-_-_", "AA AA", "AAAA\n", "=", "\u{e9}AAA", "AB=="] {
            check_refused(parse(kind, content), "message.content", &(kind, content));
        }
    }
}

#[test]
fn content_of_json_is_json() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    for content in [
        "{}",
        "[]",
        "null",
        "0",
        "-1.5e9",
        "\"\"",
        " {\"a\": [1, 2, {\"b\": \"\\u00e9\"}]}\n",
        "{\"a\":1,\"a\":2}",
        &deep,
    ] {
        check_taken(MessageType::Json, content);
    }
    for content in
        [" ", "{", "[1,]", "{a:1}", "{'a':1}", "NaN", "1 2", "01", "\"\t\"", "// note\n1", "\u{feff}1", "[1]]", "nul"]
    {
        check_refused(parse(MessageType::Json, content), "message.content", &content);
    }
}

proptest! {
    #[test]
    fn any_bytes_can_be_sent_as_any_binary_type(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        for kind in types(true) {
            for content in [BASE64_STANDARD.encode(&bytes), BASE64_STANDARD_NO_PAD.encode(&bytes)] {
                prop_assert!(parse(kind, &content).is_ok(), "{kind} {content}");
            }
        }
    }

    #[test]
    fn any_text_can_be_sent_as_json(text in any::<String>(), number in any::<i64>()) {
        let content = serde_json::json!({ "text": text, "numbers": [number] }).to_string();
        prop_assert!(parse(MessageType::Json, &content).is_ok(), "{content}");
    }

    #[test]
    fn any_text_can_be_sent_as_text(content in "[^\0]{1,200}") {
        let body = parse(MessageType::Text, &content).expect("a text");
        prop_assert_eq!(body.content(), content);
    }
}
