//! What a client sends, looked at as it comes in, before anything is done with it.
//!
//! Events are counted by the rates of their user once they are read. What else a client can send, the packets with which Engine.IO and
//! Socket.IO keep a connection, costs the server something too: it is tolerated here as far as an honest client needs it
//! ([`Intake::tolerate`]). And what is kept of a message that is not complete is counted among what all sockets have sent.

use crate::frames::{Frames, Piece};
use crate::intake::Intake;

/// The most bytes of a packet that is no event. The largest that a client needs has its token.
const MOST_OF_OTHERS: usize = 8 * 1024;

/// The most bytes of a packet that connects to a namespace other than the default one, which is all there is. The name comes back.
const MOST_OF_NAMESPACES: usize = 512;

/// The most bytes of a message that is not complete which are not counted. Most messages come in one piece.
const SMALL: usize = 1024;

/// How many frames are read from one client before others have their turn.
const MUCH: usize = 64;

/// A packet of which not all has come, by its first bytes.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    bytes: [u8; 3],
    seen: usize,
    /// All bytes of the packet, as far as they are announced.
    length: usize,
    kind: Option<Kind>,
}

/// The kinds of packets that are treated alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An event of the default namespace. It has the limit of all packets, and the rates of its user.
    Event,
    /// What belongs to an event with attachments, which is counted when it has all of them.
    Attachment,
    /// The beginning of such an event.
    WithAttachments,
    /// A connect to another namespace.
    Namespace,
    Other,
}

impl Kind {
    /// Of a packet that begins so: with the type of Engine.IO's packet, and that of Socket.IO's in it.
    const fn of(opening: &[u8]) -> Self {
        match opening {
            [b'4', b'2', third] if *third != b'/' => Self::Event,
            [b'4', b'5' | b'6', ..] => Self::WithAttachments,
            [b'4', b'0', b'/'] => Self::Namespace,
            // So does long-polling send what is binary (Engine.IO 4).
            [b'b', ..] => Self::Attachment,
            _ => Self::Other,
        }
    }

    const fn most_bytes(self) -> usize {
        match self {
            Self::Event | Self::Attachment | Self::WithAttachments => usize::MAX,
            Self::Namespace => MOST_OF_NAMESPACES,
            Self::Other => MOST_OF_OTHERS,
        }
    }
}

impl Opening {
    /// The packet is `grows` bytes longer, and these come next; whether it may be taken.
    #[must_use]
    pub(crate) fn advance(
        &mut self,
        grows: usize,
        bytes: impl IntoIterator<Item = u8>,
        is_complete: bool,
        intake: &Intake,
    ) -> bool {
        self.length = self.length.saturating_add(grows);
        let kind = match self.kind {
            Some(kind) => kind,
            None => {
                for (place, byte) in self.bytes.iter_mut().skip(self.seen).zip(bytes) {
                    *place = byte;
                    self.seen = self.seen.saturating_add(1);
                }
                if !is_complete && self.seen < self.bytes.len() {
                    return true;
                }
                let kind = Kind::of(self.bytes.get(..self.seen).unwrap_or_default());
                self.kind = Some(kind);
                if kind != Kind::Event && !intake.tolerate() {
                    return false;
                }
                kind
            }
        };
        if is_complete {
            intake.note_attached(match kind {
                Kind::Attachment => intake.attached().saturating_add(self.length),
                Kind::WithAttachments => self.length,
                Kind::Event | Kind::Namespace | Kind::Other => 0,
            });
        }
        self.length <= kind.most_bytes()
    }
}

/// The packets that come over a WebSocket, each of them a message of its own.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    frames: Frames,
    opening: Opening,
    /// The bytes that have come of a message that is not complete.
    incomplete: usize,
    /// How many bytes of these the intake was told of.
    told: usize,
    /// How many frames have begun since others had their turn.
    frames_read: usize,
}

impl Packets {
    /// Whether the handshake is over.
    pub(crate) const fn have_begun(&self) -> bool {
        self.frames.have_begun()
    }

    /// Goes on by these bytes; whether they may be taken.
    #[must_use]
    pub(crate) fn advance(&mut self, bytes: &[u8], intake: &Intake) -> bool {
        let Self { frames, opening, incomplete, frames_read, .. } = self;
        let mut are_taken = true;
        frames.advance(bytes, |piece| {
            *frames_read = frames_read.saturating_add(usize::from(piece.is_header()));
            are_taken = are_taken && take(opening, incomplete, &piece, intake);
        });
        let kept = self.incomplete;
        self.tell(if kept > SMALL { kept } else { 0 }, intake);
        are_taken
    }

    /// Whether so many frames have come that others should have their turn before there are more.
    pub(crate) fn have_much(&mut self) -> bool {
        let have_much = self.frames_read >= MUCH;
        if have_much {
            self.frames_read = 0;
        }
        have_much
    }

    /// Takes note that nothing more comes.
    pub(crate) fn forget(&mut self, intake: &Intake) {
        self.tell(0, intake);
        intake.note_attached(0);
    }

    fn tell(&mut self, kept: usize, intake: &Intake) {
        match std::mem::replace(&mut self.told, kept) {
            told if told < kept => intake.share().add(kept.saturating_sub(told)),
            told if told > kept => intake.share().remove(told.saturating_sub(kept)),
            _ => {}
        }
    }
}

/// Takes a piece of a frame; whether it may be taken.
fn take(opening: &mut Opening, incomplete: &mut usize, piece: &Piece<'_>, intake: &Intake) -> bool {
    let frame = piece.frame;
    if frame.is_control() {
        return !piece.is_header() || intake.tolerate();
    }
    let mut grows = 0;
    if piece.is_header() {
        grows = frame.size;
        if !frame.is_continuation() {
            *opening = Opening { kind: frame.is_binary().then_some(Kind::Attachment), ..Opening::default() };
            if frame.is_binary() && !intake.tolerate() {
                return false;
            }
        } else if frame.size == 0 && !frame.is_final() && !intake.tolerate() {
            // With frames of nothing a message never ends, and no limit of its size is reached.
            return false;
        }
    }
    *incomplete = incomplete.saturating_add(piece.bytes.len());
    let is_complete = frame.is_final() && piece.is_last();
    let is_taken = opening.advance(grows, piece.unmasked(), is_complete, intake);
    if is_complete {
        *incomplete = 0;
    }
    is_taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::tests::{HEAD, masked};
    use crate::sums::Sum;

    /// How many of these frames in a row are taken, and what they count for then.
    fn taken(frames: &[Vec<u8>]) -> (usize, usize) {
        let (mut packets, intake, sum) = (Packets::default(), Intake::default(), Sum::new(usize::MAX));
        intake.share().count_in(&sum);
        assert!(packets.advance(HEAD, &intake));
        let count = frames.iter().take_while(|frame| packets.advance(frame, &intake)).count();
        let size = sum.size();
        packets.forget(&intake);
        assert_eq!(sum.size(), 0);
        (count, size)
    }

    fn text(payload: &str) -> Vec<u8> {
        masked(0x81, payload.as_bytes())
    }

    #[test]
    fn events_may_be_as_many_and_as_large_as_they_like() {
        let events = [text(r#"42["a",{}]"#), text(r#"4217["a",{}]"#), text(&format!("42[{}", "x".repeat(100_000)))];
        assert_eq!(taken(&vec![events; 1000].concat()), (3000, 0));
    }

    #[test]
    fn of_other_packets_so_many_are_taken() {
        let others = ["3", "2", "41", "40", r#"40{"token":"x"}"#, "40/a,", "43[]", r#"42/a,["b"]"#, "45", "6", "", "4"];
        for other in others {
            assert_eq!(taken(&vec![text(other); 150]).0, 100, "{other}");
        }
        for first in [0x89, 0x8a, 0x82] {
            assert_eq!(taken(&vec![masked(first, b"x"); 150]).0, 100, "{first}");
        }
        let endless = [vec![masked(0x01, b"42[")], vec![masked(0x00, b""); 150]].concat();
        assert_eq!(taken(&endless).0, 101);
        let in_letters = vec![[masked(0x01, b"4"), masked(0x00, b"2"), masked(0x80, b"[]")]; 150].concat();
        assert_eq!(taken(&in_letters).0, 450, "an event in fragments");
        let in_letters = vec![[masked(0x01, b"4"), masked(0x00, b"0"), masked(0x80, b"{}")]; 150].concat();
        assert_eq!(taken(&in_letters).0, 302, "something else in fragments");
    }

    #[test]
    fn other_packets_are_small() {
        let sized = |opening: &str, size: usize| text(&format!("{opening}{}", "x".repeat(size - opening.len())));
        assert_eq!(taken(&[sized("40{", 8192), sized("40/", 512), sized("43[", 8192)]).0, 3);
        for frame in [sized("40{", 8193), sized("40/", 513), sized("43[", 8193), sized("3", 8193)] {
            assert_eq!(taken(&[frame]).0, 0);
        }
        // It is refused before the rest of it comes.
        assert_eq!(taken(&[sized("40{", 100_000)[..20].to_vec()]).0, 0);
        assert_eq!(taken(&[masked(0x01, b"40{"), masked(0x00, &[b'x'; 8000]), masked(0x80, &[b'x'; 200])]).0, 2);
    }

    #[test]
    fn what_is_not_complete_counts() {
        assert_eq!(taken(&[masked(0x01, b"42[\"a\"")]).1, 0, "it is small");
        let long = [b"42[", &[b'x'; 5000][..]].concat();
        assert_eq!(taken(&[masked(0x01, &long), masked(0x89, b"ping"), masked(0x00, &long)]).1, 10_006);
        assert_eq!(taken(&[masked(0x01, &long)[..4000].to_vec()]).1, 4000 - 8, "all but the header");
        assert_eq!(taken(&[masked(0x01, &long), masked(0x80, &long)]).1, 0);
        let event = text(r#"452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
        let size = event.len() - 6;
        assert_eq!(taken(&[event.clone(), masked(0x82, &long)]).1, long.len() + size);
        assert_eq!(taken(&[event, masked(0x82, &long), text("3")]).1, 0);
    }
}
