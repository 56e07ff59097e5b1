//! What is measured, and how.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::process::Usage;
use crate::results::Figures;
use crate::swarm::Swarm;
use crate::swarm::chat::{Outcome, Pace, Plan, Seat};
use crate::swarm::requests::{self, request};
use crate::targets::{PASSWORD, Server, Target, phone};

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Before counting.
    pub warm_up: Duration,
    /// Counting.
    pub counted: Duration,
    /// With sockets that do nothing.
    pub idle: Duration,
}

/// Who is in a chat with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Shape {
    /// Ten users in a group; all send.
    A,
    /// A hundred in a group; ten send.
    B,
    /// A thousand in a group; ten send.
    C,
    /// Four hundred in pairs; all send.
    D,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];

    /// How many messages each sender has on their way in the closed loop.
    const fn in_flight(self) -> u64 {
        match self {
            Self::A | Self::B => 8,
            Self::C => 4,
            Self::D => 1,
        }
    }

    /// How many messages a second there are in the paced one.
    pub const fn rate(self) -> u32 {
        match self {
            Self::A | Self::D => 1000,
            Self::B => 300,
            Self::C => 30,
        }
    }

    /// What it is, for people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::A => "a: a group of 10, all send",
            Self::B => "b: a group of 100, 10 send",
            Self::C => "c: a group of 1000, 10 send",
            Self::D => "d: 400 users in pairs, all send",
        }
    }

    /// The places of the users, and how many senders a chat has.
    fn seats(self, target: &Target) -> (Vec<Seat>, usize) {
        let crowd = &target.crowd;
        let group = |chat: i64, size: u64| {
            (0..size).map(|user| Seat { chat, slot: slot(user, 10), others: size - 1 }).collect::<Vec<_>>()
        };
        match self {
            Self::A => (group(crowd.ten, 10), 10),
            Self::B => (group(crowd.hundred, 100), 10),
            Self::C => (group(crowd.all, 1000), 10),
            Self::D => {
                let pair = |chat: &i64| [0, 1].map(|slot| Seat { chat: *chat, slot: Some(slot), others: 1 });
                (crowd.pairs.iter().flat_map(pair).collect(), 2)
            }
        }
    }
}

fn slot(user: u64, senders: u64) -> Option<usize> {
    usize::try_from(user).ok().filter(|_| user < senders)
}

/// One thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Workload {
    /// As fast as acknowledgements come.
    Closed(Shape),
    /// At a fixed rate.
    Paced(Shape),
    /// A thousand sockets connect at once.
    Storm,
    /// Ten thousand sockets do nothing.
    Idle,
    /// Reading the newest fifty messages.
    History,
    /// Logging in.
    LogIn,
    /// Signing up with a photo.
    SignUp,
}

impl Workload {
    /// All of them, in the order of the tables.
    pub fn all() -> Vec<Self> {
        let chats = Shape::ALL.map(Self::Closed).into_iter().chain(Shape::ALL.map(Self::Paced));
        chats.chain([Self::Storm, Self::Idle, Self::History, Self::LogIn, Self::SignUp]).collect()
    }

    /// A short name, also on the command line.
    pub fn name(self) -> String {
        match self {
            Self::Closed(shape) => format!("{shape:?}").to_lowercase(),
            Self::Paced(shape) => format!("{shape:?}-paced").to_lowercase(),
            Self::Storm => "storm".to_owned(),
            Self::Idle => "idle".to_owned(),
            Self::History => "history".to_owned(),
            Self::LogIn => "login".to_owned(),
            Self::SignUp => "sign-up".to_owned(),
        }
    }

    /// Whether a server can do it.
    pub fn suits(self, target: &Target) -> bool {
        target.kind.has_http() || !matches!(self, Self::History | Self::LogIn | Self::SignUp)
    }

    /// Starts the server, measures and stops it.
    ///
    /// # Errors
    /// When the server does something that it should not.
    pub fn measure(self, target: &Target, times: Times, photo: &str) -> Result<Figures> {
        let server = target.start()?;
        match self {
            Self::Closed(shape) => chat(shape, Pace::InFlight(shape.in_flight()), target, &server, times),
            Self::Paced(shape) => chat(shape, Pace::PerSecond(shape.rate()), target, &server, times),
            Self::Storm => sockets(target, &server, 1000, Duration::from_secs(2)),
            Self::Idle => sockets(target, &server, 10_000, times.idle),
            Self::History => {
                let tokens = RefCell::new(target.crowd.tokens.iter().take(100).cycle());
                let path = format!("/message/{}?limit=50", target.crowd.hundred);
                http(&server, times, 16, 200, || {
                    let token = tokens.borrow_mut().next().map(|token| &**token);
                    request("GET", &path, server.address, token, None)
                })
            }
            Self::LogIn => {
                let mut users = (0..100).cycle();
                http(&server, times, 8, 200, || {
                    let user = phone(1, users.next().unwrap_or_default());
                    let body = serde_json::json!({ "username": user, "password": PASSWORD });
                    request("POST", "/auth/login", server.address, None, Some(&body.to_string()))
                })
            }
            Self::SignUp => http(&server, times, 4, 201, || {
                let phone = target.new_phone();
                let body = serde_json::json!({ "phone": phone, "password": PASSWORD, "name": "New", "photo": photo });
                request("POST", "/user/create", server.address, None, Some(&body.to_string()))
            }),
        }
    }
}

/// What server and database used between two marks.
#[derive(Default)]
struct Meter(Vec<(Usage, Usage)>);

impl Meter {
    fn mark(&mut self, server: &Server) -> Result<()> {
        self.0.push((server.usage()?, server.database_usage()?));
        Ok(())
    }

    /// Microseconds of CPU, of the server and of its database.
    fn cpu(&self) -> Result<(f64, f64)> {
        let [(server, database), (server_after, database_after)] = self.0.as_slice() else {
            anyhow::bail!("it was not marked twice");
        };
        let micros = |usage: Usage| usage.cpu.as_secs_f64() * 1e6;
        Ok((micros(*server_after - *server), micros(*database_after - *database)))
    }
}

fn chat(shape: Shape, pace: Pace, target: &Target, server: &Server, times: Times) -> Result<Figures> {
    let (seats, senders) = shape.seats(target);
    let tokens = target.crowd.tokens.get(..seats.len()).context("too few users")?;
    let mut swarm = Swarm::connect(server.address, tokens)?;
    let mut meter = Meter::default();
    let Times { warm_up, counted, .. } = times;
    let plan = Plan { seats: &seats, senders, pace, warm_up, time: counted };
    let outcome = swarm.chat(&plan, || meter.mark(server))?;
    let (server_cpu, database_cpu) = meter.cpu()?;
    let Outcome { accepted, deliveries, time, acknowledged, delivered, lost, duplicates, refused } = outcome;
    let mut figures = Figures::default();
    figures.set("accepted_per_second", float(accepted) / time.as_secs_f64());
    figures.set("deliveries_per_second", float(deliveries) / time.as_secs_f64());
    latency(&mut figures, "acknowledged", &acknowledged);
    latency(&mut figures, "delivered", &delivered);
    figures.set("server_cpu_us_per_delivery", server_cpu / float(deliveries.max(1)));
    figures.set("database_cpu_us_per_delivery", database_cpu / float(deliveries.max(1)));
    figures.set("lost", float(lost));
    figures.set("duplicates", float(duplicates));
    figures.set("refused", float(refused));
    Ok(figures)
}

fn sockets(target: &Target, server: &Server, count: usize, time: Duration) -> Result<Figures> {
    // The first one makes what is made once.
    let everybody = &target.crowd.tokens;
    drop(Swarm::connect(server.address, everybody.get(..1).unwrap_or_default())?);
    let tokens: Vec<Arc<str>> = everybody.iter().cycle().take(count).cloned().collect();
    let before = server.usage()?;
    let mut swarm = Swarm::connect(server.address, &tokens)?;
    let connected = swarm.age();
    swarm.idle(time.min(Duration::from_secs(2)))?;
    let then = server.usage()?;
    let rest = time.saturating_sub(Duration::from_secs(2));
    swarm.idle(rest)?;
    let used = server.usage()? - then;
    let mut figures = Figures::default();
    figures.set("connected_ms", connected.as_secs_f64() * 1e3);
    figures.set("kib_per_socket", float((then - before).resident) / 1024.0 / float(u64::try_from(count)?));
    figures.set("resident_mib", float(then.resident) / 1024.0 / 1024.0);
    if !rest.is_zero() {
        figures.set("idle_cpu_percent", used.cpu.as_secs_f64() / rest.as_secs_f64() * 100.0);
    }
    Ok(figures)
}

fn http(
    server: &Server,
    times: Times,
    connections: usize,
    status: u16,
    next: impl FnMut() -> Vec<u8>,
) -> Result<Figures> {
    let mut meter = Meter::default();
    let Times { warm_up, counted, .. } = times;
    let outcome = requests::run(server.address, connections, status, (warm_up, counted), next, || meter.mark(server))?;
    let (server_cpu, database_cpu) = meter.cpu()?;
    let answered = float(outcome.answered.max(1));
    let mut figures = Figures::default();
    figures.set("requests_per_second", float(outcome.answered) / outcome.time.as_secs_f64());
    latency(&mut figures, "answered", &outcome.latency);
    figures.set("server_cpu_us_per_request", server_cpu / answered);
    figures.set("database_cpu_us_per_request", database_cpu / answered);
    Ok(figures)
}

fn latency(figures: &mut Figures, what: &str, histogram: &Histogram<u64>) {
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
        figures.set(&format!("{what}_{name}_ms"), float(histogram.value_at_quantile(quantile)) / 1e3);
    }
}

/// Exact below 2^53, which counts of this size are.
#[expect(clippy::as_conversions, reason = "there is no other way from 64 bits to a float")]
fn float(count: u64) -> f64 {
    count as f64
}
