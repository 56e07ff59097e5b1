//! HTTP requests in a closed loop: each connection sends its next request when it has the answer to the one before.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};

use super::pipe::{Input, Pipe};
use super::{SCRATCH, TICK, micros};

/// How long the last answers may take.
const DRAIN: Duration = Duration::from_secs(30);

/// What came of it.
pub struct Outcome {
    /// Answers in the time that was counted.
    pub answered: u64,
    /// How long that was.
    pub time: Duration,
    /// From request to answer, in microseconds.
    pub latency: Histogram<u64>,
}

/// A connection and when its request was sent.
struct Line {
    pipe: Pipe,
    sent: u64,
}

/// A request as it goes over the wire.
pub fn request(method: &str, path: &str, address: SocketAddr, token: Option<&str>, json: Option<&str>) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
    if let Some(token) = token {
        text += &format!("Authorization: Bearer {token}\r\n");
    }
    if let Some(json) = json {
        text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
    }
    (text + "\r\n" + json.unwrap_or_default()).into_bytes()
}

/// Sends requests for a while over as many connections; each has to be answered with the status.
///
/// # Errors
/// When one is not, or a connection ends.
pub fn run(
    address: SocketAddr,
    connections: usize,
    status: u16,
    (warm_up, time): (Duration, Duration),
    mut next: impl FnMut() -> Vec<u8>,
    mut mark: impl FnMut() -> Result<()>,
) -> Result<Outcome> {
    let mut poll = Poll::new()?;
    let open = |number| Ok(Line { pipe: Pipe::open(address, poll.registry(), Token(number))?, sent: 0 });
    let mut lines = (0..connections).map(open).collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    for line in &mut lines {
        line.pipe.outbox().extend_from_slice(&next());
    }
    let mut outcome =
        Outcome { answered: 0, time: Duration::ZERO, latency: Histogram::new_with_bounds(1, 120_000_000, 3)? };
    let (mut counting_since, mut ended, mut on_their_way) = (None, false, connections);
    let mut scratch = vec![0; SCRATCH];
    let mut events = Events::with_capacity(1024);
    while on_their_way > 0 {
        match poll.poll(&mut events, Some(TICK)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let elapsed = began.elapsed();
        if counting_since.is_none() && elapsed >= warm_up {
            mark()?;
            counting_since = Some(elapsed);
        }
        if !ended && elapsed >= warm_up + time {
            mark()?;
            outcome.time = elapsed - counting_since.unwrap_or(warm_up);
            ended = true;
        }
        ensure!(elapsed < warm_up + time + DRAIN, "{on_their_way} requests were never answered");
        for event in &events {
            let Token(number) = event.token();
            let line = lines.get_mut(number).context("an event of no connection")?;
            line.pipe.flush()?;
            loop {
                let bytes = match line.pipe.read(&mut scratch)? {
                    Input::Bytes(bytes, _) => bytes,
                    Input::Nothing => break,
                    Input::End if ended => break,
                    Input::End => bail!("the server closed a connection"),
                };
                if !is_whole(bytes, status)? {
                    line.pipe.keep(bytes);
                    continue;
                }
                let now = micros(began.elapsed());
                if counting_since.is_some() && !ended {
                    outcome.answered += 1;
                    outcome.latency.saturating_record(now.saturating_sub(line.sent));
                }
                if ended {
                    on_their_way -= 1;
                } else {
                    line.sent = now;
                    line.pipe.outbox().extend_from_slice(&next());
                    line.pipe.flush()?;
                }
            }
        }
    }
    Ok(outcome)
}

/// Whether an answer is whole. One with another status is an error that shows it.
fn is_whole(bytes: &[u8], status: u16) -> Result<bool> {
    let mut headers = [httparse::EMPTY_HEADER; 48];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else {
        return Ok(false);
    };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("an answer that does not tell its length")?;
    let length: usize = std::str::from_utf8(length.value)?.parse()?;
    if bytes.len() < head + length {
        return Ok(false);
    }
    ensure!(response.code == Some(status), "not {status}: {}", String::from_utf8_lossy(bytes));
    Ok(true)
}
