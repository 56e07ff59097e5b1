//! Who chats: a thousand users, in one group of ten, one of a hundred, one of all, and in pairs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::swarm::Swarm;
use crate::swarm::chat::{Pace, Plan, Seat};

/// How many users there are.
pub const USERS: u32 = 1000;
/// How many pairs have a chat of their own.
pub const PAIRS: u32 = 200;
/// How many sign up at the same time.
const DOORS: usize = 4;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

/// The users of a server.
#[derive(Default)]
pub struct Crowd {
    /// Their tokens.
    pub tokens: Vec<Arc<str>>,
    /// The group of the first ten users.
    pub ten: i64,
    /// The group of the first hundred.
    pub hundred: i64,
    /// The group of all.
    pub all: i64,
    /// The chats of the first and the second user, of the third and the fourth, and so on.
    pub pairs: Vec<i64>,
}

/// The phone of a user, of one of several series of them.
pub fn phone(series: u32, number: u32) -> String {
    format!("+316{series}{number:07}")
}

impl Crowd {
    /// Has all sign up, makes their chats, and writes some messages.
    pub(super) fn sign_up(address: SocketAddr) -> Result<Self> {
        let numbers: Vec<u32> = (0..USERS).collect();
        let chunk = numbers.len().div_ceil(DOORS);
        let users: Vec<(i64, Arc<str>)> = thread::scope(|scope| {
            let doors: Vec<_> = numbers
                .chunks(chunk)
                .map(|numbers| scope.spawn(move || numbers.iter().map(|number| join(address, *number)).collect()))
                .collect();
            let joined = doors.into_iter().map(|door| {
                door.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread that signs users up has panicked")))
            });
            joined.collect::<Result<Vec<Vec<_>>>>().map(|users| users.concat())
        })?;
        let mut crowd = Self { tokens: users.iter().map(|(_, token)| Arc::clone(token)).collect(), ..Self::default() };
        let ids = |count: usize| users.iter().take(count).map(|(id, _)| *id).collect::<Vec<_>>();
        for (members, chat) in [(10, &mut crowd.ten), (100, &mut crowd.hundred), (1000, &mut crowd.all)] {
            let mut swarm = Swarm::connect(address, crowd.tokens.get(..1).unwrap_or_default())?;
            let made = swarm.ask(&[create(&format!("The {members}"), true, &ids(members))])?;
            *chat = made.first().copied().context("no answer")?;
        }
        let pairs = ids(usize::try_from(2 * PAIRS)?);
        let firsts: Vec<_> = crowd.tokens.iter().take(pairs.len()).step_by(2).cloned().collect();
        let asked: Vec<_> = pairs.chunks(2).map(|pair| create("", false, pair)).collect();
        crowd.pairs = Swarm::connect(address, &firsts)?.ask(&asked)?;
        crowd.write(address)?;
        Ok(crowd)
    }

    /// The crowd of a server that keeps nothing: each token is the list of the rooms of its user.
    pub(super) fn of_rooms() -> Self {
        let (ten, hundred, all) = (1, 2, 3);
        let pairs: Vec<i64> = (0..i64::from(PAIRS)).map(|pair| 10 + pair).collect();
        let rooms = |user: u32| {
            let groups = [(10, ten), (100, hundred), (USERS, all)];
            let groups = groups.into_iter().filter(move |(size, _)| user < *size).map(|(_, room)| room);
            let pair = usize::try_from(user / 2).ok().and_then(|pair| pairs.get(pair).copied());
            groups.chain(pair).map(|room| room.to_string()).collect::<Vec<_>>().join(",")
        };
        let tokens = (0..USERS).map(|user| Arc::from(rooms(user))).collect();
        Self { tokens, ten, hundred, all, pairs }
    }

    /// Writes some messages, so that the group of a hundred has a history.
    fn write(&self, address: SocketAddr) -> Result<()> {
        let seats: Vec<_> = (0..10).map(|slot| Seat { chat: self.hundred, slot: Some(slot), others: 9 }).collect();
        let mut swarm = Swarm::connect(address, self.tokens.get(..seats.len()).unwrap_or_default())?;
        let time = Duration::from_secs(1);
        let plan = Plan { seats: &seats, senders: 10, pace: Pace::InFlight(1), warm_up: Duration::ZERO, time };
        let outcome = swarm.chat(&plan, || Ok(()))?;
        ensure!(outcome.lost + outcome.duplicates == 0, "messages were lost or came twice");
        let token = self.tokens.first().context("no user")?;
        let url = format!("http://{address}/message/{}?limit=50", self.hundred);
        let mut reply = ureq::get(&url).header("authorization", format!("Bearer {token}")).call()?;
        let page: Vec<Value> = reply.body_mut().read_json()?;
        ensure!(page.len() == 50, "the history has {} messages instead of 50", page.len());
        Ok(())
    }
}

/// The event that makes a chat.
fn create(name: &str, is_group: bool, members: &[i64]) -> String {
    let name = if is_group { json!(name) } else { Value::Null };
    json!(["create_chat", { "chat": { "name": name, "is_group": is_group, "members_array": members } }]).to_string()
}

/// Signs a user up and logs them in.
fn join(address: SocketAddr, number: u32) -> Result<(i64, Arc<str>)> {
    let post = |path: &str, body: Value| -> Result<Value> {
        Ok(ureq::post(format!("http://{address}{path}")).send_json(body)?.body_mut().read_json()?)
    };
    let (phone, name) = (phone(1, number), format!("User {number}"));
    let user = post("/user/create", json!({ "phone": phone, "password": PASSWORD, "name": name }))?;
    let login = post("/auth/login", json!({ "username": phone, "password": PASSWORD }))?;
    let id = user.get("id").and_then(Value::as_i64).context("a user without an id")?;
    let token = login.get("access_token").and_then(Value::as_str).context("a login without a token")?;
    Ok((id, Arc::from(token)))
}
