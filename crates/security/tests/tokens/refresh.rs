//! Refresh tokens.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mango_domain::model::RefreshToken;
use mango_domain::ports::Tokens;
use mango_security::{JwtTokens, KeyRing, SigningKey};

use crate::support::Dry;
use crate::{SECRET, tokens};

#[test]
fn a_refresh_token_is_256_random_bits() {
    let tokens = tokens(SECRET);
    let (one, hash_of_one) = tokens.new_refresh().unwrap();
    let (two, hash_of_two) = tokens.new_refresh().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(one.expose()).unwrap(), [1; 32]);
    assert_eq!(URL_SAFE_NO_PAD.decode(two.expose()).unwrap(), [2; 32]);
    assert!(hash_of_one == tokens.hash_refresh(&one) && hash_of_one != hash_of_two);
}

#[test]
fn a_refresh_token_is_stored_as_its_sha256() {
    // The example of FIPS 180-4 for a message of one block.
    let hash = tokens(SECRET).hash_refresh(&RefreshToken::new("abc".to_owned()));
    let hex: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn without_randomness_there_is_no_refresh_token() {
    let tokens = JwtTokens::new(Arc::new(KeyRing::new(&SigningKey::new(SECRET).unwrap(), &[])), Arc::new(Dry));
    assert!(tokens.new_refresh().is_err());
}
