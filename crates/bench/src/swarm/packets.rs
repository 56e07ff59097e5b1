//! Packets of Socket.IO v5 in those of Engine.IO v4, read as far as the generator needs them: it runs on the same cores as the servers,
//! so it looks at a few bytes of each.

use memchr::memmem::Finder;

/// A packet that came from a server.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The transport is open.
    Open,
    /// Are you there?
    Ping,
    /// The namespace is entered.
    Connected,
    /// The namespace is closed to this client, or the server ended it; with what it says.
    Refused(&'a [u8]),
    /// A message of somebody, by what its content says.
    Delivery(Stamp),
    /// The answer to an event, by the number that the event had.
    Ack(u64, &'a [u8]),
    /// Another event or packet.
    Other,
}

/// What the content of each message begins with: which one it is and when it was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which of the chat's senders sent it.
    pub slot: usize,
    /// Which of that sender's messages it is, from 0 on.
    pub number: u64,
    /// When it was to be sent, in microseconds of the generator's clock.
    pub due: u64,
}

const DELIVERY: &[u8] = b"42[\"new_message\",";
const CONTENT: &[u8] = b"\"content\":\"";
const DIGITS: [usize; 3] = [5, 10, 14];

/// Reads packets.
pub struct Reader {
    content: Finder<'static>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { content: Finder::new(CONTENT) }
    }
}

impl Reader {
    /// Reads the packet that a text message is.
    pub fn read<'a>(&self, text: &'a [u8]) -> Packet<'a> {
        match text {
            [b'0', ..] => Packet::Open,
            [b'2'] => Packet::Ping,
            [b'4', b'0', ..] => Packet::Connected,
            [b'4', b'1' | b'4', said @ ..] => Packet::Refused(said),
            [b'4', b'2', ..] => self.delivery(text).map_or(Packet::Other, Packet::Delivery),
            [b'4', b'3', rest @ ..] => {
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                match rest.split_at_checked(digits).map(|(id, body)| (number(id), body)) {
                    Some((Some(id), body)) => Packet::Ack(id, body),
                    _ => Packet::Other,
                }
            }
            _ => Packet::Other,
        }
    }

    fn delivery(&self, text: &[u8]) -> Option<Stamp> {
        let event = text.strip_prefix(DELIVERY)?;
        let content = event.get(self.content.find(event)? + CONTENT.len()..)?;
        let mut fields = content.splitn(4, |byte| *byte == b' ').map(number);
        let (slot, number, due) = (fields.next()??, fields.next()??, fields.next()??);
        Some(Stamp { slot: usize::try_from(slot).ok()?, number, due })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Writes the event that sends a message of 64 bytes.
pub fn write_message(out: &mut Vec<u8>, ack: u64, chat: i64, stamp: Stamp) {
    let [slot, number, due] = DIGITS;
    let head = format!("{:0slot$} {:0number$} {:0due$} ", stamp.slot, stamp.number, stamp.due);
    let event = format!(
        "42{ack}[\"send_message\",{{\"message\":{{\"chat_id\":{chat},\"content\":\"{head:x<64}\",\"message_type\":\"text\"}}}}]"
    );
    out.extend_from_slice(event.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_again_by_its_content() {
        let stamp = Stamp { slot: 7, number: 1234, due: 98_765_432 };
        let mut sent = Vec::new();
        write_message(&mut sent, 3, 12, stamp);
        let sent = String::from_utf8(sent).unwrap();
        let content = sent.split('"').nth(9).unwrap();
        assert_eq!(content.len(), 64, "{sent}");
        let delivered = format!("42[\"new_message\",{{\"chat\":12,\"content\":\"{content}\",\"id\":1}}]");
        assert_eq!(Reader::default().read(delivered.as_bytes()), Packet::Delivery(stamp));
    }

    #[test]
    fn packets_are_told_apart() {
        let reader = Reader::default();
        for (text, packet) in [
            ("0{\"sid\":\"x\"}", Packet::Open),
            ("2", Packet::Ping),
            ("40{\"sid\":\"x\"}", Packet::Connected),
            ("44{\"message\":\"no\"}", Packet::Refused(b"{\"message\":\"no\"}")),
            ("41", Packet::Refused(b"")),
            ("4312[{\"ok\":true}]", Packet::Ack(12, b"[{\"ok\":true}]")),
            ("42[\"ready\",{}]", Packet::Other),
            ("42[\"new_message\",{\"content\":\"hello\"}]", Packet::Other),
            ("6", Packet::Other),
        ] {
            assert_eq!(reader.read(text.as_bytes()), packet, "{text}");
        }
    }
}
