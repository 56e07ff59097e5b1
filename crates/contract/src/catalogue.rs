//! The catalogue of Socket.IO events: the one list from which handlers, documentation and tests are checked.

/// Who may send an event, or who gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A client sends it and may ask for an acknowledgement.
    FromClient {
        /// What a successful acknowledgement holds beside `ok`.
        ack: &'static [&'static str],
    },
    /// The server emits it.
    FromServer {
        /// Which sockets get it.
        audience: &'static str,
    },
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSpec {
    /// Its name on the wire.
    pub name: &'static str,
    /// Who sends it to whom.
    pub direction: Direction,
    /// The keys of its one argument.
    pub payload: &'static str,
    /// What it does or tells.
    pub meaning: &'static str,
}

/// `create_chat`.
pub const CREATE_CHAT: &str = "create_chat";
/// `send_message`.
pub const SEND_MESSAGE: &str = "send_message";
/// `toggle_like_message`.
pub const TOGGLE_LIKE_MESSAGE: &str = "toggle_like_message";
/// `toggle_chat_pin`.
pub const TOGGLE_CHAT_PIN: &str = "toggle_chat_pin";
/// `authenticate`.
pub const AUTHENTICATE: &str = "authenticate";
/// `sync`.
pub const SYNC: &str = "sync";
/// `ready`.
pub const READY: &str = "ready";
/// `chat_changed`.
pub const CHAT_CHANGED: &str = "chat_changed";
/// `chat_created`.
pub const CHAT_CREATED: &str = "chat_created";
/// `new_message`.
pub const NEW_MESSAGE: &str = "new_message";
/// `message_liked`.
pub const MESSAGE_LIKED: &str = "message_liked";
/// `chat_pinned`.
pub const CHAT_PINNED: &str = "chat_pinned";
/// `chat_unpinned`.
pub const CHAT_UNPINNED: &str = "chat_unpinned";

/// `user_changed`.
pub const USER_CHANGED: &str = "user_changed";
/// `hanging_up`.
pub const HANGING_UP: &str = "hanging_up";

/// Every event there is.
pub const EVENTS: &[EventSpec] = &[
    EventSpec {
        name: CREATE_CHAT,
        direction: Direction::FromClient { ack: &["chat"] },
        payload: "{chat: {name, is_group, members_array: [user id]}}",
        meaning: "Creates a chat, or finds the direct chat that the pair has already.",
    },
    EventSpec {
        name: SEND_MESSAGE,
        direction: Direction::FromClient { ack: &["message", "duplicate"] },
        payload: "{message: {chat_id, content, message_type, client_id?}}",
        meaning: "Sends a message to a chat.",
    },
    EventSpec {
        name: TOGGLE_LIKE_MESSAGE,
        direction: Direction::FromClient { ack: &["message_id", "liked", "likes", "version"] },
        payload: "{message: {id}}",
        meaning: "Gives a like or takes it back.",
    },
    EventSpec {
        name: TOGGLE_CHAT_PIN,
        direction: Direction::FromClient { ack: &["chat", "pinned", "version"] },
        payload: "{chat: {id}}",
        meaning: "Pins a chat for the user or takes the pin away.",
    },
    EventSpec {
        name: AUTHENTICATE,
        direction: Direction::FromClient { ack: &["expires_at"] },
        payload: "{token}",
        meaning: "Gives the socket a fresh access token before the old one expires.",
    },
    EventSpec {
        name: SYNC,
        direction: Direction::FromClient {
            ack: &["epoch", "reset", "chats", "gone", "pinned", "users", "users_since", "more"],
        },
        payload: "{chats: {chat id: version}, chats_after?, chats_until?, epoch?, users_since?, limit?}",
        meaning: "Tells what changed since the versions that the client knows.",
    },
    EventSpec {
        name: READY,
        direction: Direction::FromServer { audience: "a socket that has just connected" },
        payload: "{user_id, session_id, epoch, expires_at}",
        meaning: "The socket is in its rooms: nothing that happens from now on is missed.",
    },
    EventSpec {
        name: CHAT_CREATED,
        direction: Direction::FromServer { audience: "every socket of every member, creator included" },
        payload: "{chat, name, is_group, members_array: [user id], version}",
        meaning: "There is a new chat. Asking for a direct chat that exists tells only the socket that asked.",
    },
    EventSpec {
        name: NEW_MESSAGE,
        direction: Direction::FromServer { audience: "every socket of every member except the sending socket" },
        payload: "{chat, content, message_type, id, seq, user_id, created_at, version, client_id?}",
        meaning: "A message was sent.",
    },
    EventSpec {
        name: MESSAGE_LIKED,
        direction: Direction::FromServer { audience: "every socket of every member except the sending socket" },
        payload: "{message_id, chat, user_id, liked, likes, version}",
        meaning: "A like was given or taken back.",
    },
    EventSpec {
        name: CHAT_PINNED,
        direction: Direction::FromServer { audience: "every socket of the user who pinned" },
        payload: "{chat, version}",
        meaning: "The user pinned a chat.",
    },
    EventSpec {
        name: CHAT_UNPINNED,
        direction: Direction::FromServer { audience: "every socket of the user who unpinned" },
        payload: "{chat, version}",
        meaning: "The user took the pin away.",
    },
    EventSpec {
        name: CHAT_CHANGED,
        direction: Direction::FromServer { audience: "every socket of every member" },
        payload: "{chat, version}",
        meaning: "There may be changes that were not told one by one: a client that does not have this version catches up.",
    },
    EventSpec {
        name: USER_CHANGED,
        direction: Direction::FromServer {
            audience: "every socket of everybody who shares a chat with the user, and of the user",
        },
        payload: "{id, name, photo, version}",
        meaning: "A user has another name or photo.",
    },
    EventSpec {
        name: HANGING_UP,
        direction: Direction::FromServer { audience: "a socket that is about to be disconnected" },
        payload: "{reason}",
        meaning: "The server is about to disconnect the socket, or to break all connections off.",
    },
];
