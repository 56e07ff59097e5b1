//! The limits of sockets.

use std::time::Duration;

/// The limits of sockets.
#[derive(Debug, Clone)]
pub struct Options {
    /// How often the server asks a client whether it is there.
    pub ping_interval: Duration,
    /// How long the client may take to answer.
    pub ping_timeout: Duration,
    /// How long a client may take from opening a connection to being let in.
    pub connect_timeout: Duration,
    /// How long the upgrade from polling to a WebSocket may take.
    pub upgrade_timeout: Duration,
    /// Most sockets that a user may have connected.
    pub max_per_user: usize,
    /// Most bytes of one packet, and of the body of one polling request.
    pub max_message: usize,
    /// How many packets may wait for a socket that reads slowly. One more, and it is hung up on.
    pub max_outgoing: usize,
    /// How many bytes the packets of over 1 KiB among them may have together. One more packet, and the socket is hung up on; while a
    /// quarter of this waits, the events that it sends are not handled.
    pub max_outgoing_bytes: usize,
    /// How many bytes may wait for all sockets together, what waits for several counted once. When there are more, those for whom most waits
    /// are hung up on; while there is half of it, the events of sockets for which anything over 1 KiB waits are not handled.
    pub max_backlog: usize,
    /// How many events of one socket may wait to be handled. From half of it on nothing more is read from the client, until a quarter is
    /// left. One more, which was read before that, is refused with a 503 in its acknowledgement, or, when it asks for none, gets the socket
    /// hung up on.
    pub max_incoming: usize,
    /// How many bytes these events, and those that are being handled, may have together; one more event is treated as above. This
    /// bounds the memory that what a socket has sent can take, and is taken only as far as it is used.
    pub max_incoming_bytes: usize,
    /// How many bytes these events of all sockets, and what has come of those that are not complete, may have together. When there are
    /// more, the connections of the users who sent most of them are closed; while there is half of it, nothing is read from a client of whom 64 KiB are there.
    pub max_intake: usize,
}

impl Options {
    /// The defaults for messages with at most this many bytes of content.
    #[must_use]
    pub const fn new(max_content: usize) -> Self {
        // JSON can write one byte as six (`\u0001`). The rest is room for everything around the content, and for the ids of a
        // group of 10,000 members.
        let max_message = max_content.saturating_mul(6).saturating_add(256 * 1024);
        // Clients that come back send at once all that they could not send meanwhile, and that is to find a place. So is what a
        // burst holds for a client that reads.
        let (least, several) = (32 * 1024 * 1024, max_message.saturating_mul(8));
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_per_user: 50,
            max_message,
            max_outgoing: 4096,
            max_outgoing_bytes: if several > least { several } else { least },
            max_backlog: 512 * 1024 * 1024,
            max_incoming: 4096,
            max_incoming_bytes: if several > least { several } else { least },
            max_intake: 256 * 1024 * 1024,
        }
    }
}
