//! Phones, names and contents: whatever the text, it is taken or refused, and what was taken is taken again as the same.

#![cfg_attr(not(test), no_main)]

#[cfg(not(test))]
use libfuzzer_sys::fuzz_target;
use mango_domain::model::{ClientId, Description, MessageBody, MessageType, Phone, UserName};

/// The most bytes of a message.
const MAX_CONTENT: usize = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    let Ok(text) = str::from_utf8(text) else { return };
    match kind % 5 {
        0 => {
            if let Ok(phone) = Phone::parse(text) {
                assert_eq!(Phone::parse(phone.as_str()).as_ref(), Ok(&phone));
            }
        }
        1 => {
            if let Ok(name) = UserName::parse(text) {
                assert_eq!(UserName::parse(name.as_str()).as_ref(), Ok(&name));
            }
        }
        2 => {
            if let Ok(description) = Description::parse(text) {
                assert_eq!(Description::parse(description.as_str()).as_ref(), Ok(&description));
            }
        }
        3 => drop(ClientId::parse("client_id", text).map(|id| assert_eq!(id.as_str(), text))),
        _ => {
            for message_type in MessageType::ALL {
                let body = MessageBody::parse(message_type, text.to_owned(), MAX_CONTENT);
                drop(body.map(|body| assert_eq!(body.content(), text)));
            }
        }
    }
});
