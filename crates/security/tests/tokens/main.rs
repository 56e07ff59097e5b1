//! What the port of tokens promises, and the attacks of RFC 8725.
#![expect(clippy::unwrap_used, reason = "a helper that fails should fail its test")]

mod refresh;
mod rotation;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use mango_domain::model::{SessionId, Timestamp, UserId};
use mango_domain::ports::{AccessClaims, TokenError, Tokens};
use mango_security::{JwtTokens, KeyRing, SigningKey};
use serde_json::{Value, json};
use support::counting;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const OTHER: &[u8] = b"0123456789abcdef0123456789abcdeF";
const ISSUED: i64 = 1_900_000_000;

fn tokens(secret: &[u8]) -> JwtTokens {
    JwtTokens::new(Arc::new(KeyRing::new(&SigningKey::new(secret).unwrap(), &[])), counting())
}

fn at(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn claims() -> AccessClaims {
    AccessClaims {
        user: UserId::new(7),
        session: SessionId::new(i64::MAX),
        issued_at: at(ISSUED),
        expires_at: at(ISSUED + 900),
    }
}

/// The payload of a good token.
fn payload() -> Value {
    json!({
        "iss": "mango", "aud": "mango", "sub": "7", "sid": i64::MAX.to_string(),
        "iat": ISSUED, "exp": ISSUED + 900, "typ": "access",
    })
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token with any header and payload, rightly signed.
fn signed(header: &Value, payload: &Value, algorithm: Algorithm, secret: &[u8]) -> String {
    let message = format!("{}.{}", part(header), part(payload));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn with_payload(payload: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), payload, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn check(what: &str, token: &str, expected: Result<AccessClaims, TokenError>) {
    assert_eq!(tokens(SECRET).verify(token, at(ISSUED + 1)), expected, "{what}");
}

fn refused(what: &str, token: &str) {
    check(what, token, Err(TokenError::Malformed));
}

#[test]
fn a_token_says_what_was_signed() {
    check("a good token", &tokens(SECRET).sign(&claims()).unwrap(), Ok(claims()));
    check("the same by hand", &with_payload(&payload()), Ok(claims()));
}

#[test]
fn the_payload_has_the_claims_and_nothing_else() {
    let token = tokens(SECRET).sign(&claims()).unwrap();
    let parts: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let json = |part: &[u8]| serde_json::from_slice::<Value>(part).unwrap();
    assert_eq!(json(&parts[0]), json!({"typ": "JWT", "alg": "HS256", "kid": SigningKey::new(SECRET).unwrap().id()}));
    assert_eq!(json(&parts[1]), payload());
}

#[test]
fn a_token_expires_at_its_second() {
    let token = tokens(SECRET).sign(&claims()).unwrap();
    let end = claims().expires_at;
    let micro = TimeDelta::microseconds(1);
    let table = [
        (claims().issued_at, Ok(claims())),
        (end - micro, Ok(claims())),
        (end, Err(TokenError::Expired)),
        (end + micro, Err(TokenError::Expired)),
        (end + TimeDelta::days(10_000), Err(TokenError::Expired)),
    ];
    for (now, expected) in table {
        assert_eq!(tokens(SECRET).verify(&token, now), expected, "at {now}");
    }
}

#[test]
fn an_altered_expired_token_is_malformed() {
    let token = tokens(OTHER).sign(&claims()).unwrap();
    assert_eq!(tokens(SECRET).verify(&token, at(ISSUED + 9000)), Err(TokenError::Malformed));
}

/// RFC 8725, sections 3.8 (the issuer and the subject are checked) and 3.9 (so is the audience): a claim that is not there is
/// not checked by anybody.
#[test]
fn every_claim_is_required() {
    for claim in ["iss", "aud", "sub", "sid", "iat", "exp", "typ"] {
        let mut without = payload();
        without.as_object_mut().unwrap().remove(claim).unwrap();
        refused(&format!("without {claim}"), &with_payload(&without));
        let mut null = payload();
        null[claim] = Value::Null;
        refused(&format!("{claim} null"), &with_payload(&null));
    }
}

/// RFC 8725, sections 3.8, 3.9, 3.11 and 3.12: issuer, subject, audience, and the type that keeps tokens of other kinds apart.
#[test]
fn every_claim_is_checked() {
    let table = [
        ("iss", json!("mongo")),
        ("iss", json!(["mango"])),
        ("iss", json!({"mango": null})),
        ("aud", json!("other")),
        ("aud", json!("")),
        ("aud", json!(["mango", "other"])),
        ("sub", json!(7)),
        ("sub", json!("seven")),
        ("sub", json!("")),
        ("sub", json!("9223372036854775808")),
        ("sid", json!("1.5")),
        ("sid", json!(1)),
        ("iat", json!("now")),
        ("iat", json!(1.5)),
        ("exp", json!((ISSUED + 900).to_string())),
        ("exp", json!(1e300)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("typ", json!("refresh")),
        ("typ", json!("ACCESS")),
        ("typ", json!("JWT")),
        ("typ", json!(["access"])),
    ];
    for (claim, value) in table {
        let mut wrong = payload();
        wrong[claim] = value.clone();
        refused(&format!("{claim} is {value}"), &with_payload(&wrong));
    }
}

/// RFC 8725, sections 2.1 and 3.1 (one algorithm, never `none`, whatever the header says) and 3.2.
#[test]
fn only_the_one_algorithm_and_the_one_key() {
    let hs256 = json!({"alg": "HS256", "typ": "JWT"});
    check("the good one", &signed(&hs256, &payload(), Algorithm::HS256, SECRET), Ok(claims()));
    refused("another key", &signed(&hs256, &payload(), Algorithm::HS256, OTHER));
    refused("another hash under our name", &signed(&hs256, &payload(), Algorithm::HS512, SECRET));
    for (name, algorithm) in [("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        let header = json!({"alg": name, "typ": "JWT"});
        refused(name, &signed(&header, &payload(), algorithm, SECRET));
    }
    for name in ["none", "None", "NONE", "nOnE", "", "hs256", "RS256", "ES256", "PS256", "EdDSA", "HS257"] {
        let header = json!({"alg": name, "typ": "JWT"});
        refused(&format!("alg {name:?}, signed"), &signed(&header, &payload(), Algorithm::HS256, SECRET));
        refused(&format!("alg {name:?}, unsigned"), &format!("{}.{}.", part(&header), part(&payload())));
    }
    refused("no alg", &signed(&json!({"typ": "JWT"}), &payload(), Algorithm::HS256, SECRET));
}

/// RFC 8725, section 3.10: a key that comes along, or that the token says where to get, is never used.
#[test]
fn rfc_8725_section_3_10_keys_in_the_header_are_not_looked_at() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let key = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(OTHER), "alg": "HS256"});
    for (name, value) in [
        ("jwk", key),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!([base64::engine::general_purpose::STANDARD.encode(OTHER)])),
        ("x5t", json!("dGh1bWJwcmludA")),
        ("kid", json!(url)),
        ("kid", json!("../../../dev/null")),
        ("kid", json!("' UNION SELECT '0123456789abcdef0123456789abcdeF")),
    ] {
        let header = json!({"alg": "HS256", "typ": "JWT", name: value});
        refused(&format!("{name}, another key"), &signed(&header, &payload(), Algorithm::HS256, OTHER));
    }
    assert!(listener.accept().is_err(), "nothing was fetched");
}

/// RFC 7515, section 4.1.11: a token that wants something understood that is not has to be refused, and so is an empty or a wrong list.
#[test]
fn rfc_7515_section_4_1_11_nothing_critical_is_understood() {
    for crit in [json!(["exp"]), json!(["b64"]), json!(["kid"]), json!([]), json!("exp"), json!(null)] {
        let header = json!({"alg": "HS256", "typ": "JWT", "crit": crit, "exp": ISSUED + 900, "b64": true});
        refused(&format!("crit {crit}"), &signed(&header, &payload(), Algorithm::HS256, SECRET));
        let header = json!({"alg": "HS256", "typ": "JWT", "crit": crit});
        refused(&format!("crit {crit} alone"), &signed(&header, &payload(), Algorithm::HS256, SECRET));
    }
}

/// RFC 8725, section 3.10: nothing of a header is taken that could be made use of, not even from somebody who has the key. The good header
/// with each member that Mango never writes, and each that it does twice.
#[test]
fn rfc_8725_section_3_10_a_header_holds_what_ours_holds_and_nothing_else() {
    let kid = SigningKey::new(SECRET).unwrap().id();
    let ours = json!({"alg": "HS256", "typ": "JWT", "kid": kid});
    check("ours", &signed(&ours, &payload(), Algorithm::HS256, SECRET), Ok(claims()));
    let key = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET), "alg": "HS256"});
    for (name, value) in [
        ("jku", json!("https://mango.example/keys")),
        ("jwk", key),
        ("x5u", json!("https://mango.example/certificate")),
        ("x5c", json!([base64::engine::general_purpose::STANDARD.encode(SECRET)])),
        ("x5t", json!("dGh1bWJwcmludA")),
        ("x5t#S256", json!("dGh1bWJwcmludA")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
        ("zip", json!("DEF")),
        ("b64", json!(false)),
        ("sub", json!("7")),
        ("unheard-of", json!(null)),
    ] {
        let mut more = ours.clone();
        more[name] = value;
        refused(name, &signed(&more, &payload(), Algorithm::HS256, SECRET));
    }
    for twice in [r#"{"alg":"none","#, r#"{"typ":"JWT","#, r#"{"kid":"another","#] {
        let header = ours.to_string().replacen('{', twice, 1);
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), part(&payload()));
        let key = EncodingKey::from_secret(SECRET);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        refused(twice, &format!("{message}.{signature}"));
    }
}

/// RFC 8725, section 3.11: the header says of which type a token is, and a token of another type is not taken for one of ours.
#[test]
fn rfc_8725_section_3_11_the_type_of_the_header_is_checked() {
    for typ in [json!("at+jwt"), json!("secevent+jwt"), json!("jwt"), json!(""), json!(null), json!(["JWT"])] {
        let header = json!({"alg": "HS256", "typ": typ});
        refused(&format!("typ {typ}"), &signed(&header, &payload(), Algorithm::HS256, SECRET));
    }
    refused("no typ", &signed(&json!({"alg": "HS256"}), &payload(), Algorithm::HS256, SECRET));
}

/// RFC 7519, section 4.1.6: when a token was issued tells how old it is. One from the future was not issued by a clock that is right; a minute
/// is what clocks may differ by.
#[test]
fn rfc_7519_section_4_1_6_a_token_from_the_future_is_refused() {
    let token = tokens(SECRET).sign(&claims()).unwrap();
    let minute = TimeDelta::minutes(1);
    let micro = TimeDelta::microseconds(1);
    for (now, expected) in [
        (at(ISSUED) - minute, Ok(claims())),
        (at(ISSUED) - minute - micro, Err(TokenError::Malformed)),
        (at(0), Err(TokenError::Malformed)),
    ] {
        assert_eq!(tokens(SECRET).verify(&token, now), expected, "at {now}");
    }
}

/// RFC 7519, section 4.1.5: a token that says since when it is good is not good before, give or take the minute that clocks may differ by. Ours do
/// not say so.
#[test]
fn rfc_7519_section_4_1_5_a_token_is_not_good_before_its_time() {
    let mut later = payload();
    later["nbf"] = json!(ISSUED + 300);
    let token = with_payload(&later);
    let begin = at(ISSUED + 300) - TimeDelta::minutes(1);
    for (now, expected) in [
        (begin - TimeDelta::microseconds(1), Err(TokenError::Malformed)),
        (begin, Ok(claims())),
        (at(ISSUED + 300), Ok(claims())),
        (at(ISSUED + 900), Err(TokenError::Expired)),
    ] {
        assert_eq!(tokens(SECRET).verify(&token, now), expected, "at {now}");
    }
    for value in [json!(i64::MAX), json!(u64::MAX), json!(1e300), json!("1900000000"), json!(true), json!(null)] {
        let mut wrong = payload();
        wrong["nbf"] = value.clone();
        refused(&format!("nbf is {value}"), &with_payload(&wrong));
    }
    for twice in [r#""nbf":0,"nbf":9999999999"#, r#""nbf":9999999999,"nbf":0"#] {
        let claims = payload().to_string().replacen('{', &format!("{{{twice},"), 1);
        let message = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), URL_SAFE_NO_PAD.encode(claims));
        let key = EncodingKey::from_secret(SECRET);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        refused(twice, &format!("{message}.{signature}"));
    }
}

/// RFC 8725, section 2.1: what is public elsewhere, such as the key that checks another algorithm, is no secret here.
#[test]
fn rfc_8725_section_2_1_no_key_is_confused_with_another() {
    let hs256 = json!({"alg": "HS256", "typ": "JWT"});
    for public in ["-----BEGIN PUBLIC KEY-----", "", "mango", "access"] {
        refused(public, &signed(&hs256, &payload(), Algorithm::HS256, public.as_bytes()));
    }
}

/// RFC 8725, section 3.5: a key has as much entropy as the hash that it is for. RFC 7518, section 3.2, counts 256 bits.
#[test]
fn rfc_8725_section_3_5_a_short_key_is_refused() {
    assert!(SigningKey::new(&SECRET[..31]).is_err());
    assert!(SigningKey::new(SECRET).is_ok());
}

/// RFC 8725, section 3.3: every cryptographic operation is validated, and nothing is taken of a token that does not pass.
#[test]
fn an_altered_token_is_malformed() {
    let good = tokens(SECRET).sign(&claims()).unwrap();
    for position in 0..good.len() {
        for other in ['A', 'Q', '.', '=', ' '] {
            let mut altered = good.clone();
            altered.replace_range(position..=position, &other.to_string());
            if altered != good {
                refused(&format!("{other:?} at {position}"), &altered);
            }
        }
        refused(&format!("cut at {position}"), &good[..position]);
    }
    // The last character of a signature carries two bits that no byte needs; a decoder that ignores them takes four tokens for one.
    let (head, last) = good.split_at(good.len() - 1);
    for other in ('A'..='Z').chain('a'..='z').chain('0'..='9').map(String::from).filter(|other| other != last) {
        refused("another last character", &format!("{head}{other}"));
    }
}

#[test]
fn garbage_is_malformed() {
    let good = tokens(SECRET).sign(&claims()).unwrap();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let table = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "garbage".to_owned(),
        "🥭.🥭.🥭".to_owned(),
        "\0".repeat(100),
        "a".repeat(10 * 1024),
        ".".repeat(10 * 1024),
        format!("Bearer {good}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}\n"),
        format!("{good}="),
        format!("{message}."),
        message.to_owned(),
        format!("{message}..{signature}"),
        part(&json!({"payload": message, "signature": signature})),
    ];
    for token in table {
        refused(&format!("{token:?}"), &token);
    }
    let mut long = payload();
    long["more"] = json!("a".repeat(10 * 1024));
    refused("10 KiB, rightly signed", &with_payload(&long));
}

/// RFC 8725, section 3.10: received claims are not trusted; RFC 7519, section 4, lets a parser refuse names that are there twice.
#[test]
fn a_claim_given_twice_is_refused() {
    let payload = payload().to_string().replacen('{', r#"{"sub":"1","#, 1);
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let message = format!("{}.{}", part(&header), URL_SAFE_NO_PAD.encode(payload));
    let key = EncodingKey::from_secret(SECRET);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    refused("sub twice", &format!("{message}.{signature}"));
}
