//! As much of a Socket.IO client as the demonstration needs: Engine.IO 4 over long-polling, the default namespace,
//! events with acknowledgements.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use super::api::Api;

const PATH: &str = "/ws/socket.io/?EIO=4&transport=polling";
/// Stands between the packets of one body.
const SEPARATOR: char = '\u{1e}';

/// A connected socket.
pub(super) struct Socket {
    api: Api,
    path: String,
    next_ack: u64,
}

/// What the server can send, of the kinds that matter here.
#[derive(Debug, PartialEq)]
enum Packet {
    Ping,
    Connected,
    Refused(Value),
    Ack(u64, Value),
    Other,
}

impl Socket {
    /// Opens an Engine.IO session and connects to the default namespace as the user of an access token.
    pub(super) fn connect(api: &Api, token: &str) -> Result<Self> {
        let opened = api.get_text(PATH)?;
        let opened: Value = serde_json::from_str(opened.strip_prefix('0').context("not an Engine.IO handshake")?)?;
        let session = opened.get("sid").and_then(Value::as_str).context("an Engine.IO handshake without a session")?;
        let mut socket = Self { api: api.clone(), path: format!("{PATH}&sid={session}"), next_ack: 0 };
        socket.send(&format!("40{}", json!({ "token": token })))?;
        socket.wait_for(|packet| match packet {
            Packet::Connected => Some(Ok(())),
            Packet::Refused(reason) => Some(Err(anyhow!("the server refused the connection: {reason}"))),
            _ => None,
        })?;
        Ok(socket)
    }

    /// Sends an event and gives its acknowledgement, which has to say that all is well.
    pub(super) fn emit(&mut self, event: &str, argument: &Value) -> Result<Value> {
        let id = self.next_ack;
        self.next_ack += 1;
        self.send(&format!("42{id}{}", json!([event, argument])))?;
        self.wait_for(|packet| match packet {
            Packet::Ack(acknowledged, answer) if acknowledged == id => match answer.get("ok") {
                Some(Value::Bool(true)) => Some(Ok(answer)),
                _ => Some(Err(anyhow!("{event} was refused: {answer}"))),
            },
            _ => None,
        })
    }

    /// Says goodbye, so that the user is not thought to be online until a time-out.
    pub(super) fn close(&mut self) -> Result<()> {
        self.send("41").and_then(|()| self.send("1"))
    }

    fn send(&mut self, packet: &str) -> Result<()> {
        self.api.post_text(&self.path, packet)
    }

    /// Polls until a packet gives an outcome. The server pings often enough that a poll never lasts long.
    fn wait_for<T>(&mut self, outcome: impl Fn(Packet) -> Option<Result<T>>) -> Result<T> {
        const POLLS: usize = 20;
        for _ in 0..POLLS {
            let body = self.api.get_text(&self.path)?;
            let mut found = None;
            for packet in body.split(SEPARATOR).map(Packet::parse) {
                match packet {
                    Packet::Ping => self.send("3")?,
                    packet => found = found.or_else(|| outcome(packet)),
                }
            }
            if let Some(found) = found {
                return found;
            }
        }
        bail!("the server did not answer within {POLLS} polls")
    }
}

impl Packet {
    fn parse(text: &str) -> Self {
        let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        if text == "2" {
            Self::Ping
        } else if text.starts_with("40") {
            Self::Connected
        } else if let Some(reason) = text.strip_prefix("44") {
            Self::Refused(json(reason))
        } else if let Some(ack) = text.strip_prefix("43") {
            let digits = ack.find('[').unwrap_or(ack.len());
            let (id, answer) = ack.split_at(digits);
            let answer = json(answer).get_mut(0).map_or(Value::Null, Value::take);
            id.parse().map_or(Self::Other, |id| Self::Ack(id, answer))
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart() {
        let check = |text: &str, expected: Packet| assert_eq!(Packet::parse(text), expected, "{text}");
        check("2", Packet::Ping);
        check(r#"40{"sid":"a"}"#, Packet::Connected);
        check(r#"44{"message":"no"}"#, Packet::Refused(json!({ "message": "no" })));
        check(r#"4312[{"ok":true}]"#, Packet::Ack(12, json!({ "ok": true })));
        check("4312[]", Packet::Ack(12, Value::Null));
        check(r#"42["new_message",{}]"#, Packet::Other);
        check("43x", Packet::Other);
        check("", Packet::Other);
    }
}
