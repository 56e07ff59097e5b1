//! Clients that chat: in a closed loop, where each sends its next message when one of its own is acknowledged, or paced, where messages
//! are due at fixed times whatever the server does.
//!
//! Latency is counted from the moment when a message was *due*, so that a server that stalls is charged with what had to wait meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use hdrhistogram::Histogram;

use super::packets::{self, Packet};
use super::tally::Tally;
use super::{Conduct, Outbox, Outboxes, Stamp, Swarm, micros, refuse};

/// How long answers and deliveries may take when nothing more is sent.
const DRAIN: Duration = Duration::from_secs(30);

/// A client's place.
#[derive(Debug, Clone, Copy)]
pub struct Seat {
    /// The chat that it sends to.
    pub chat: i64,
    /// Which of the chat's senders it is; `None` when it only listens.
    pub slot: Option<usize>,
    /// How many others are in the chat.
    pub others: u64,
}

/// How messages are sent.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each sender has so many on their way.
    InFlight(u64),
    /// So many a second, of the senders in turn.
    PerSecond(u32),
}

/// What to do.
pub struct Plan<'a> {
    /// The clients' places, in the order in which they were connected.
    pub seats: &'a [Seat],
    /// How many senders a chat has.
    pub senders: usize,
    /// How fast.
    pub pace: Pace,
    /// How long to go before counting.
    pub warm_up: Duration,
    /// How long to count.
    pub time: Duration,
}

/// What came of it, in the time that was counted; lost, repeated and refused messages are those of the whole run.
pub struct Outcome {
    /// Messages that were acknowledged.
    pub accepted: u64,
    /// Messages that reached somebody, once for each.
    pub deliveries: u64,
    /// How long it was.
    pub time: Duration,
    /// From due to acknowledged, in microseconds.
    pub acknowledged: Histogram<u64>,
    /// From due to delivered, in microseconds.
    pub delivered: Histogram<u64>,
    /// Deliveries that never came.
    pub lost: u64,
    /// Deliveries that came again.
    pub duplicates: u64,
    /// Messages that were answered with an error.
    pub refused: u64,
}

impl Swarm {
    /// Has the clients chat. `mark` is called when counting begins and when it ends.
    ///
    /// # Errors
    /// When a connection ends, or answers are still missing half a minute after the last message.
    pub fn chat(&mut self, plan: &Plan<'_>, mut mark: impl FnMut() -> Result<()>) -> Result<Outcome> {
        let start = self.now();
        let begin = start + micros(plan.warm_up);
        let end = begin + micros(plan.time);
        let mut chat = Chat {
            plan,
            mark: &mut mark,
            senders: plan.seats.iter().map(|_| Sender::default()).collect(),
            order: plan.seats.iter().zip(0..).filter(|(seat, _)| seat.slot.is_some()).map(|(_, place)| place).collect(),
            start,
            begin,
            end,
            last: end + micros(DRAIN),
            phase: Phase::Warm,
            paced: 0,
            expected: 0,
            tally: Tally::new(plan.seats.len(), plan.senders),
            outcome: Outcome {
                accepted: 0,
                deliveries: 0,
                time: Duration::ZERO,
                acknowledged: Histogram::new_with_bounds(1, 120_000_000, 3)?,
                delivered: Histogram::new_with_bounds(1, 120_000_000, 3)?,
                lost: 0,
                duplicates: 0,
                refused: 0,
            },
            scratch: Vec::new(),
        };
        let pacer = match plan.pace {
            Pace::PerSecond(rate) => Some(self.pacer(rate)),
            Pace::InFlight(_) => None,
        };
        let ran = self.run(&mut chat);
        if let Some(stop) = pacer {
            stop.store(true, Ordering::Relaxed);
        }
        ran?;
        let answered: u64 = chat.senders.iter().map(|sender| sender.answered).sum();
        let sent: u64 = chat.senders.iter().map(|sender| sender.sent).sum();
        ensure!(answered == sent, "{} of {sent} messages were never answered", sent - answered);
        let mut outcome = chat.outcome;
        outcome.lost = chat.expected.saturating_sub(chat.tally.distinct());
        outcome.duplicates = chat.tally.duplicates();
        Ok(outcome)
    }

    /// Wakes the loop whenever a message is due: its own timer counts in milliseconds, which is too coarse.
    fn pacer(&self, rate: u32) -> Arc<AtomicBool> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, waker, start) = (Arc::clone(&stop), Arc::clone(&self.waker), Instant::now());
        thread::spawn(move || {
            for number in 1_u32.. {
                let due = start + Duration::from_secs(u64::from(number)) / rate;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                // A loop that is gone needs nobody to wake it.
                if stopped.load(Ordering::Relaxed) || waker.wake().is_err() {
                    break;
                }
            }
        });
        stop
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Nothing was sent yet.
    Warm,
    Running,
    Counting,
    Draining,
}

/// One client's messages; the number of an event is that of its message.
#[derive(Default)]
struct Sender {
    sent: u64,
    answered: u64,
    /// When those on their way were due, oldest first, by number.
    due: std::collections::VecDeque<(u64, u64)>,
}

struct Chat<'a> {
    plan: &'a Plan<'a>,
    mark: &'a mut dyn FnMut() -> Result<()>,
    senders: Vec<Sender>,
    /// The clients that send.
    order: Vec<usize>,
    start: u64,
    begin: u64,
    end: u64,
    last: u64,
    phase: Phase,
    /// How many paced messages were sent.
    paced: u64,
    /// How many deliveries are to be expected of what was accepted.
    expected: u64,
    tally: Tally,
    outcome: Outcome,
    scratch: Vec<u8>,
}

impl Chat<'_> {
    /// Writes a client's next message and gives it.
    fn next(&mut self, client: usize, due: u64) -> Result<&[u8]> {
        let (Some(seat), Some(sender)) = (self.plan.seats.get(client), self.senders.get_mut(client)) else {
            bail!("there is no client {client}");
        };
        let (number, slot) = (sender.sent, seat.slot.unwrap_or_default());
        sender.sent += 1;
        sender.due.push_back((number, due));
        self.scratch.clear();
        packets::write_message(&mut self.scratch, number, seat.chat, Stamp { slot, number, due });
        Ok(&self.scratch)
    }

    fn answered(&mut self, client: usize, number: u64, body: &[u8], now: u64) -> Result<()> {
        let (Some(seat), Some(sender)) = (self.plan.seats.get(client), self.senders.get_mut(client)) else {
            bail!("there is no client {client}");
        };
        let Some(place) = sender.due.iter().position(|(waiting, _)| *waiting == number) else {
            bail!("an answer to message {number}, which was not asked for or is there already");
        };
        let due = sender.due.remove(place).map_or(now, |(_, due)| due);
        sender.answered += 1;
        if body.starts_with(b"[{\"ok\":true") {
            self.expected += seat.others;
            if self.phase == Phase::Counting {
                self.outcome.accepted += 1;
                self.outcome.acknowledged.saturating_record(now.saturating_sub(due));
            }
        } else {
            self.outcome.refused += 1;
        }
        Ok(())
    }

    /// Moves on to where the clock is.
    fn advance(&mut self, now: u64, outboxes: &mut Outboxes<'_>) -> Result<()> {
        if self.phase == Phase::Warm {
            self.phase = Phase::Running;
            if let Pace::InFlight(count) = self.plan.pace {
                for client in self.order.clone() {
                    for _ in 0..count {
                        outboxes.send(client, self.next(client, now)?)?;
                    }
                }
            }
        }
        if self.phase == Phase::Running && now >= self.begin {
            (self.mark)()?;
            self.begin = now;
            self.phase = Phase::Counting;
        }
        if self.phase == Phase::Counting && now >= self.end {
            (self.mark)()?;
            self.outcome.time = Duration::from_micros(now - self.begin);
            self.phase = Phase::Draining;
        }
        Ok(())
    }
}

impl Conduct for Chat<'_> {
    fn packet(&mut self, client: usize, packet: Packet<'_>, now: u64, outbox: &mut Outbox<'_>) -> Result<()> {
        match packet {
            Packet::Delivery(Stamp { slot, number, due }) => {
                self.tally.note(client, slot, number);
                if self.phase == Phase::Counting {
                    self.outcome.deliveries += 1;
                    self.outcome.delivered.saturating_record(now.saturating_sub(due));
                }
            }
            Packet::Ack(number, body) => {
                self.answered(client, number, body, now)?;
                if matches!(self.plan.pace, Pace::InFlight(_)) && self.phase < Phase::Draining {
                    outbox.text(self.next(client, now)?);
                }
            }
            other => refuse(&other)?,
        }
        Ok(())
    }

    fn tick(&mut self, now: u64, outboxes: &mut Outboxes<'_>) -> Result<()> {
        self.advance(now, outboxes)?;
        let (Pace::PerSecond(rate), true) = (self.plan.pace, self.phase < Phase::Draining) else {
            return Ok(());
        };
        let senders = u64::try_from(self.order.len())?.max(1);
        loop {
            let due = self.start + self.paced * 1_000_000 / u64::from(rate);
            if due > now {
                return Ok(());
            }
            let turn = usize::try_from(self.paced % senders)?;
            let Some(client) = self.order.get(turn).copied() else { return Ok(()) };
            outboxes.send(client, self.next(client, due)?)?;
            self.paced += 1;
        }
    }

    fn is_over(&self, now: u64) -> bool {
        let waiting = || self.senders.iter().any(|sender| !sender.due.is_empty());
        let complete = || self.tally.distinct() >= self.expected && !waiting();
        self.phase == Phase::Draining && (now > self.last || complete())
    }
}
