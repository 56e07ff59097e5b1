//! What hashing leaves behind: somebody who guesses passwords must not fill the memory of a server. It is measured in a process of its own.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a helper that fails should fail its test")]

use std::num::NonZeroUsize;
use std::sync::Arc;

use mango_domain::Failure;
use mango_domain::model::{Client, Password};
use mango_domain::ports::{Passwords, Random};
use mango_security::{Argon2Passwords, PoolSize};

/// Salts do not matter here.
struct Zeros;

impl Random for Zeros {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Failure> {
        buffer.fill(0);
        Ok(())
    }
}

/// The memory that is resident, in MiB (proc_pid_statm(5), in pages of 4 KiB or more).
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4 / 1024
}

#[tokio::test]
async fn the_memory_of_hashes_is_used_again() {
    let size = PoolSize { running: NonZeroUsize::MIN, waiting: 200 };
    let passwords = Arc::new(Argon2Passwords::new(size, Arc::new(Zeros)).expect("a hasher"));
    let before = resident();
    for _ in 0..3 {
        let guesses: Vec<_> = (0..60)
            .map(|_| {
                let passwords = Arc::clone(&passwords);
                let guess = Password::parse("correct horse".to_owned()).expect("a password");
                tokio::spawn(async move { passwords.verify(guess, None, Client::default()).await })
            })
            .collect();
        for guess in guesses {
            assert!(!guess.await.expect("no panic").expect("verified"));
        }
    }
    let more = resident().saturating_sub(before);
    assert!(more < 60, "180 hashes of 19 MiB, one at a time, left {more} MiB behind");
}
