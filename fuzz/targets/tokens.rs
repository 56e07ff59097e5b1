//! Access tokens: none that Mango did not sign is taken, and none that it signed once a byte of it is another.

#![cfg_attr(not(test), no_main)]

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Duration};
#[cfg(not(test))]
use libfuzzer_sys::fuzz_target;
use mango_domain::model::{RefreshToken, SessionId, UserId};
use mango_domain::ports::{AccessClaims, Tokens};
use mango_security::{JwtTokens, KeyRing, SigningKey};
use mango_testkit::memory::SeededRandom;

static TOKENS: LazyLock<JwtTokens> = LazyLock::new(|| {
    let key = SigningKey::new([7_u8; 32]).unwrap();
    JwtTokens::new(Arc::new(KeyRing::new(&key, &[])), Arc::new(SeededRandom::new(1)))
});

fuzz_target!(|data: &[u8]| {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    if let Ok(text) = str::from_utf8(data) {
        assert!(TOKENS.verify(text, now).is_err());
        let _ = TOKENS.hash_refresh(&RefreshToken::new(text.to_owned()));
    }
    let [at, with, ..] = *data else { return };
    let claims = AccessClaims {
        user: UserId::new(1),
        session: SessionId::new(1),
        issued_at: now,
        expires_at: now + Duration::minutes(15),
    };
    let mut token = TOKENS.sign(&claims).unwrap().into_bytes();
    assert_eq!(TOKENS.verify(str::from_utf8(&token).unwrap(), now), Ok(claims));
    let at = usize::from(at) % token.len();
    if token[at] != with
        && let Ok(altered) = str::from_utf8({
            token[at] = with;
            &token
        })
    {
        assert!(TOKENS.verify(altered, now).is_err(), "{altered}");
    }
});
