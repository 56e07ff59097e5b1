//! The fuzz targets (`fuzz/targets`), fed for twelve seconds each with their seeds and with what chance makes of these. `cargo xtask fuzz` does
//! better, as it sees which branches an input takes, but it has to build everything anew for that; this is what every run of the tests can have.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a target that fails should fail its test")]

use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mango_domain::ports::Random as _;
use mango_testkit::memory::SeededRandom;

/// Makes a function of a target that would be a program under libFuzzer.
macro_rules! fuzz_target {
    (|$data:ident: &[u8]| $body:block) => {
        pub(super) fn run($data: &[u8]) $body
    };
}

#[path = "../../../fuzz/targets/events.rs"]
mod events;
#[path = "../../../fuzz/targets/images.rs"]
mod images;
#[path = "../../../fuzz/targets/multipart.rs"]
mod multipart;
#[path = "../../../fuzz/targets/texts.rs"]
mod texts;
#[path = "../../../fuzz/targets/tokens.rs"]
mod tokens;

/// How long a target is fed.
const TIME: Duration = Duration::from_secs(12);
/// How long one input may take, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest input.
const MOST: usize = 64 * 1024;
/// What readers look for, or stumble over.
const WORDS: [&[u8]; 16] = [
    b"{",
    b"}",
    b"[",
    b"\"",
    b"\\u0000",
    b"\xf0\x9f\xa5\xad",
    b"null",
    b"-1",
    b"9007199254740993",
    b"1e999",
    b"\r\n",
    b"--B",
    b"--B--",
    b"\xff\xd8\xff",
    b".",
    b"+",
];

/// Chance.
struct Dice(SeededRandom);

impl Dice {
    /// A number below a bound, 0 when that is 0.
    fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes).unwrap();
        usize::try_from(u32::from_le_bytes(bytes)).unwrap().checked_rem(bound).unwrap_or(0)
    }

    fn byte(&self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    /// Changes a seed in some places.
    fn change(&self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(8) {
            let (at, end) = (self.below(input.len() + 1), self.below(input.len() + 1));
            let (from, to) = (at.min(end), at.max(end));
            match self.below(7) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 if at < input.len() => input[at] = self.byte(),
                2 => input.insert(at, self.byte()),
                3 => drop(input.drain(from..to.min(from + 64))),
                4 => drop(input.splice(at..at, input[from..to].to_vec())),
                5 => drop(input.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied())),
                _ => {
                    let other = &seeds[self.below(seeds.len())];
                    input.truncate(at);
                    input.extend(&other[at.min(other.len())..]);
                }
            }
            input.truncate(MOST);
        }
        input
    }
}

/// Feeds a target with its seeds, then with changes of them.
fn feed(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let seeds: Vec<_> = fs::read_dir(folder).unwrap().map(|seed| fs::read(seed.unwrap().path()).unwrap()).collect();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
    let dice = Dice(SeededRandom::new(seed));
    let begun = Instant::now();
    let mut inputs = 0_u32;
    let changed = std::iter::repeat_with(|| dice.change(&seeds)).take_while(|_| begun.elapsed() < TIME);
    for input in seeds.iter().cloned().chain(changed) {
        let before = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| target(&input)));
        let taken = before.elapsed();
        assert!(
            result.is_ok() && taken <= PATIENCE,
            "after {taken:?}, this input of {name} is to become a seed and a test: {}",
            hexadecimal(&input)
        );
        inputs += 1;
    }
    assert!(inputs > 100, "too few to find anything: {inputs}");
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn events_are_read_or_refused() {
    feed("events", events::run);
}

#[test]
fn images_are_made_or_refused() {
    feed("images", images::run);
}

#[test]
fn forms_are_read_or_refused() {
    feed("multipart", multipart::run);
}

#[test]
fn texts_are_taken_as_they_are_or_refused() {
    feed("texts", texts::run);
}

#[test]
fn tokens_of_others_are_refused() {
    feed("tokens", tokens::run);
}
