//! What clients send over Socket.IO and as JSON bodies: whatever the text, it is read or refused, and what is read keeps the rules.

#![cfg_attr(not(test), no_main)]

#[cfg(not(test))]
use libfuzzer_sys::fuzz_target;
use mango_contract::auth::RefreshRequest;
use mango_contract::chat::{CreateChatPayload, TogglePinPayload};
use mango_contract::decode_str;
use mango_contract::event::AuthenticatePayload;
use mango_contract::message::{PostMessageBody, SendMessagePayload, ToggleLikePayload};
use mango_contract::sync::SyncPayload;
use mango_contract::user::{CreateUserRequest, UpdateUserRequest};
use mango_domain::model::{ChatId, ConnectionId, Origin};

fn origin() -> Origin {
    Origin { connection: ConnectionId("fuzz.1".to_owned()), request: 1 }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, json)) = data.split_first() else { return };
    let Ok(json) = str::from_utf8(json) else { return };
    match kind % 9 {
        0 => drop(decode_str::<CreateChatPayload>(json).map(|payload| payload.into_domain(origin()))),
        1 => drop(decode_str::<SendMessagePayload>(json).map(|payload| payload.into_domain(origin()))),
        2 => drop(decode_str::<ToggleLikePayload>(json).map(ToggleLikePayload::into_domain)),
        3 => drop(decode_str::<TogglePinPayload>(json).map(TogglePinPayload::into_domain)),
        4 => drop(decode_str::<SyncPayload>(json).map(SyncPayload::into_domain)),
        5 => drop(decode_str::<AuthenticatePayload>(json)),
        6 => drop(decode_str::<CreateUserRequest>(json).map(CreateUserRequest::into_domain)),
        7 => drop(decode_str::<UpdateUserRequest>(json).map(UpdateUserRequest::into_domain)),
        _ => {
            drop(decode_str::<RefreshRequest>(json));
            drop(decode_str::<PostMessageBody>(json).map(|body| body.into_domain(ChatId::new(1), None)));
        }
    }
});
