//! `docs/events.md` says of every event and every message type what the code says.

use mango_contract::catalogue::{Direction, EVENTS};
use mango_contract::event::HangUpReason;
use mango_domain::model::MessageType;

const PAGE: &str = include_str!("../../../docs/events.md");

#[test]
fn every_event_is_documented_as_the_catalogue_has_it() {
    for event in EVENTS {
        let heading = format!("### `{}`\n\n`{}`\n", event.name, event.payload);
        let (_, section) = PAGE.split_once(&heading).unwrap_or_else(|| panic!("docs/events.md lacks {heading}"));
        let section = section.split("\n##").next().unwrap_or(section);
        let promised: Vec<String> = match event.direction {
            Direction::FromClient { ack } => ack.iter().map(|key| format!("`{key}`")).collect(),
            Direction::FromServer { audience } => vec![audience.to_owned()],
        };
        for text in promised {
            assert!(section.contains(&text), "{} is documented without {text}", event.name);
        }
    }
}

#[test]
fn no_event_is_documented_that_does_not_exist() {
    let documented = PAGE.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    for name in documented {
        assert!(EVENTS.iter().any(|event| event.name == name), "there is no event {name}");
    }
}

#[test]
fn every_reason_to_hang_up_is_documented() {
    for reason in HangUpReason::ALL {
        let row = format!("| `{}` |", reason.word());
        assert!(PAGE.contains(&row), "docs/events.md lacks the row {row}");
    }
}

#[test]
fn every_message_type_is_documented_with_its_media_type() {
    for kind in MessageType::ALL {
        let content = match kind {
            _ if kind.is_binary() => "base64",
            MessageType::Json => "JSON",
            _ => "text",
        };
        let row = format!("| `{kind}` | {} | {content} |", kind.media_type());
        assert!(PAGE.contains(&row), "docs/events.md lacks the row {row}");
    }
}
