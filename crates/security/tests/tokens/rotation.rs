//! Keys that take turns.

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use mango_domain::ports::{TokenError, Tokens};
use mango_security::{JwtTokens, KeyRing, RetiredKey, SigningKey};
use serde_json::json;

use crate::support::counting;
use crate::{ISSUED, OTHER, SECRET, at, claims, payload, signed, tokens};

fn key(secret: &[u8]) -> SigningKey {
    SigningKey::new(secret).unwrap()
}

fn retired(secret: &[u8], until: Option<i64>) -> RetiredKey {
    RetiredKey { key: key(secret), until: until.map(at) }
}

#[test]
fn a_retired_key_is_good_for_its_time_and_signs_nothing() {
    let ring = Arc::new(KeyRing::new(&key(SECRET), &[]));
    let rotating = JwtTokens::new(ring.clone(), counting());
    let before = rotating.sign(&claims()).unwrap();
    ring.replace(&key(OTHER), &[retired(SECRET, Some(ISSUED + 300))]);
    let after = rotating.sign(&claims()).unwrap();
    assert_eq!(tokens(OTHER).verify(&after, at(ISSUED + 1)), Ok(claims()), "the new key signs");
    for (seconds, of_the_old) in [(1, Ok(claims())), (299, Ok(claims())), (300, Err(TokenError::Malformed))] {
        assert_eq!(rotating.verify(&before, at(ISSUED + seconds)), of_the_old, "after {seconds} s");
        assert_eq!(rotating.verify(&after, at(ISSUED + seconds)), Ok(claims()), "after {seconds} s");
    }
    ring.replace(&key(OTHER), &[retired(SECRET, None)]);
    assert_eq!(rotating.verify(&before, at(ISSUED + 899)), Ok(claims()), "for as long as it is there");
    assert_eq!(rotating.verify(&before, at(ISSUED + 900)), Err(TokenError::Expired));
    ring.replace(&key(OTHER), &[]);
    assert_eq!(rotating.verify(&before, at(ISSUED + 1)), Err(TokenError::Malformed));
}

/// RFC 8725, section 3.10: `kid` chooses among our keys and does nothing else.
#[test]
fn a_token_is_checked_with_the_key_that_it_names() {
    let ring = KeyRing::new(&key(SECRET), &[retired(OTHER, None)]);
    let both = JwtTokens::new(Arc::new(ring), counting());
    let (one, other) = (key(SECRET).id(), key(OTHER).id());
    let longer = format!("{one}0");
    for (named, secret, good) in [
        (Some(&one), SECRET, true),
        (Some(&other), OTHER, true),
        (Some(&one), OTHER, false),
        (Some(&other), SECRET, false),
        (Some(&longer), SECRET, false),
        (Some(&String::new()), SECRET, false),
        // Tokens from before keys had names.
        (None, SECRET, true),
        (None, OTHER, true),
        (None, b"a third key that is in no ring, here", false),
    ] {
        let mut header = json!({"alg": "HS256", "typ": "JWT"});
        if let Some(named) = named {
            header["kid"] = json!(named);
        }
        let token = signed(&header, &payload(), Algorithm::HS256, secret);
        let expected = if good { Ok(claims()) } else { Err(TokenError::Malformed) };
        assert_eq!(both.verify(&token, at(ISSUED + 1)), expected, "{named:?}");
    }
}
