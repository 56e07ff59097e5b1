//! Clients that ask for something once and read the answer.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::packets::Packet;
use super::{Conduct, Outbox, Outboxes, Swarm, refuse};

struct Questions<'a> {
    events: &'a [String],
    asked: bool,
    chats: Vec<Option<i64>>,
}

impl Swarm {
    /// Has each client emit one event that asks for a chat, and gives the ids of the chats.
    ///
    /// # Errors
    /// When an answer holds none.
    pub fn ask(&mut self, events: &[String]) -> Result<Vec<i64>> {
        let mut questions = Questions { events, asked: false, chats: vec![None; events.len()] };
        self.run(&mut questions)?;
        questions.chats.into_iter().map(|chat| chat.context("no answer")).collect()
    }
}

impl Conduct for Questions<'_> {
    fn packet(&mut self, client: usize, packet: Packet<'_>, _: u64, _: &mut Outbox<'_>) -> Result<()> {
        let Packet::Ack(_, body) = packet else {
            return refuse(&packet);
        };
        let answer: Value = serde_json::from_slice(body)?;
        let (Some(chat), Some(place)) =
            (answer.pointer("/0/chat/id").and_then(Value::as_i64), self.chats.get_mut(client))
        else {
            bail!("no chat: {answer}");
        };
        *place = Some(chat);
        Ok(())
    }

    fn tick(&mut self, _: u64, outboxes: &mut Outboxes<'_>) -> Result<()> {
        if !self.asked {
            self.asked = true;
            for (client, event) in self.events.iter().enumerate() {
                outboxes.send(client, format!("420{event}").as_bytes())?;
            }
        }
        Ok(())
    }

    fn is_over(&self, _: u64) -> bool {
        self.chats.iter().all(Option::is_some)
    }
}
