//! What the port of passwords promises, on the real hash.
#![expect(clippy::unwrap_used, reason = "a helper that fails should fail its test")]

mod support;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mango_domain::FailureKind;
use mango_domain::model::{Client, Password, PasswordHash};
use mango_domain::ports::Passwords;
use mango_security::{Argon2Passwords, PoolSize};
use support::{Dry, counting};

fn hasher(running: usize, waiting: usize) -> Arc<Argon2Passwords> {
    let size = PoolSize { running: NonZeroUsize::new(running).unwrap(), waiting };
    Arc::new(Argon2Passwords::new(size, counting()).unwrap())
}

fn password(text: &str) -> Password {
    Password::parse(text.to_owned()).unwrap()
}

#[tokio::test]
async fn a_password_is_verified_by_its_hash_and_by_no_other() {
    let passwords = hasher(2, 10);
    let longest = "🥭".repeat(Password::MAX);
    let almost_longest = format!("{}🍋", "🥭".repeat(Password::MAX - 1));
    let table = [
        ("correct horse", "correct horse", true),
        ("correct horse", "correct horsf", false),
        ("correct horse", "Correct horse", false),
        ("correct horse", "correct horse ", false),
        (" spaces count ", " spaces count ", true),
        (" spaces count ", "spaces count", false),
        ("nul\0inside", "nul\0inside", true),
        ("nul\0inside", "nul\0outside", false),
        (&longest, &longest, true),
        (&longest, &almost_longest, false),
    ];
    for (chosen, typed, expected) in table {
        let hash = passwords.hash(password(chosen), Client::default()).await.unwrap();
        let verified = passwords.verify(password(typed), Some(hash), Client::default()).await.unwrap();
        assert_eq!(verified, expected, "{chosen:?} against {typed:?}");
    }
}

#[tokio::test]
async fn a_hash_is_a_phc_string_with_its_own_salt() {
    let passwords = hasher(1, 10);
    let one = passwords.hash(password("correct horse"), Client::default()).await.unwrap();
    let two = passwords.hash(password("correct horse"), Client::default()).await.unwrap();
    assert!(one.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.expose());
    assert_ne!(one.expose(), two.expose());
    assert_eq!(format!("{one:?}"), "PasswordHash(…)");
}

/// RFC 9106, section 3.1 (the lengths of salt and tag) and section 4 (Argon2id, and the choice of parameters).
#[tokio::test]
async fn rfc_9106_section_4_the_parameters_are_those_that_were_chosen() {
    let passwords = hasher(1, 10);
    let hash = passwords.hash(password("correct horse"), Client::default()).await.unwrap();
    let parts: Vec<&str> = hash.expose().split('$').collect();
    assert_eq!(parts[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
    let bits = |base64: &str| base64.len() * 6 / 8 * 8;
    assert_eq!((bits(parts[4]), bits(parts[5])), (128, 256), "a salt of 128 bits and a tag of 256");
    assert!(!passwords.is_outdated(&hash));
}

/// RFC 9106, section 4: whatever is not as it would be made today is to be made anew.
#[test]
fn rfc_9106_section_4_a_hash_with_any_other_parameter_is_outdated() {
    let passwords = hasher(1, 10);
    let (salt, tag) = ("c2FsdHNhbHRzYWx0c2FsdA", "rAjuexKlLdAHLvqk7TeeiWZjW4OPoRGwldJXdHbTuKI");
    let todays = format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${tag}");
    assert!(!passwords.is_outdated(&PasswordHash::new(todays.clone())));
    for (part, other) in [
        ("argon2id", "argon2i"),
        ("argon2id", "argon2d"),
        ("v=19", "v=16"),
        ("v=19$", ""),
        ("m=19456", "m=19455"),
        ("m=19456", "m=65536"),
        ("t=2", "t=3"),
        ("p=1", "p=4"),
        (salt, "c2FsdHNhbHQ"),
        (tag, "rAjuexKlLdAHLvqk7TeeiQ"),
        (&*todays, "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBs"),
        (&*todays, "no hash at all"),
    ] {
        let changed = todays.replacen(part, other, 1);
        assert_ne!(changed, todays);
        assert!(passwords.is_outdated(&PasswordHash::new(changed.clone())), "{changed}");
    }
}

#[tokio::test]
async fn a_hash_with_other_parameters_still_verifies() {
    // Made with the reference implementation: echo -n "correct horse" | argon2 saltsaltsaltsalt -id -t 1 -k 64 -p 1 -l 32 -e
    let stored = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$rAjuexKlLdAHLvqk7TeeiWZjW4OPoRGwldJXdHbTuKI";
    let passwords = hasher(1, 10);
    let stored = PasswordHash::new(stored.to_owned());
    assert!(passwords.verify(password("correct horse"), Some(stored.clone()), Client::default()).await.unwrap());
    assert!(!passwords.verify(password("battery staple"), Some(stored), Client::default()).await.unwrap());
}

#[tokio::test]
async fn nobody_has_no_password() {
    let passwords = hasher(1, 10);
    for typed in ["correct horse", "\0\0\0\0\0\0\0\0", &"\u{1}".repeat(32)] {
        assert!(!passwords.verify(password(typed), None, Client::default()).await.unwrap());
    }
}

#[tokio::test]
async fn nobody_takes_as_long_as_somebody() {
    let passwords = hasher(1, 10);
    let hash = passwords.hash(password("correct horse"), Client::default()).await.unwrap();
    let (mut somebody, mut nobody) = (Vec::new(), Vec::new());
    // Taken in turns, so that a machine that is busy for a while slows both.
    for _ in 0..15 {
        for (hash, times) in [(Some(hash.clone()), &mut somebody), (None, &mut nobody)] {
            let start = Instant::now();
            assert!(!passwords.verify(password("battery staple"), hash, Client::default()).await.unwrap());
            times.push(start.elapsed());
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    let ratio = median(&mut nobody) / median(&mut somebody);
    assert!((0.5..2.0).contains(&ratio), "nobody takes {ratio:.2} times as long");
}

#[tokio::test]
async fn what_is_not_a_hash_is_a_failure() {
    let passwords = hasher(1, 10);
    for stored in
        ["", "password", "$argon2id$", "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBs"]
    {
        let stored = PasswordHash::new(stored.to_owned());
        let failure = passwords.verify(password("correct horse"), Some(stored), Client::default()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Broken);
    }
}

#[tokio::test]
async fn a_burst_beyond_the_line_is_busy() {
    let passwords = hasher(1, 1);
    let burst: Vec<_> = (0..8)
        .map(|_| {
            let passwords = Arc::clone(&passwords);
            tokio::spawn(async move { passwords.verify(password("correct horse"), None, Client::default()).await })
        })
        .collect();
    let mut busy = 0;
    for login in burst {
        match login.await.unwrap() {
            Ok(verified) => assert!(!verified),
            Err(failure) => {
                assert!(matches!(failure.kind, FailureKind::Busy { retry_after } if !retry_after.is_zero()));
                busy += 1;
            }
        }
    }
    assert_eq!(busy, 6, "one runs, one waits");
    assert!(!passwords.verify(password("correct horse"), None, Client::default()).await.unwrap(), "it recovers");
}

#[test]
fn without_randomness_there_is_no_hasher() {
    assert!(Argon2Passwords::new(PoolSize::default(), Arc::new(Dry)).is_err());
}
