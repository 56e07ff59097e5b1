//! Sessions: one login on one device, and the tokens that keep it alive.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

use crate::model::{SessionId, Timestamp, UserId, text};

/// Who is calling, shown by a valid access token of a session that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: UserId,
    /// The session that the token belongs to.
    pub session: SessionId,
    /// When the token stops being good.
    pub expires_at: Timestamp,
}

/// What a client gets for a login or a refresh token.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Shows who is calling, for [`access_ttl`](Self::access_ttl). Never log it.
    pub access_token: AccessToken,
    /// How long the access token is good.
    pub access_ttl: Duration,
    /// Good for the next grant.
    pub refresh_token: RefreshToken,
    /// How long the refresh token is good.
    pub refresh_ttl: Duration,
}

/// A signed access token. It does not show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// Wraps a signed token.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// Who comes to log in, as far as the server can tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visit {
    /// What the client says of its device.
    pub device: Option<Device>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
}

/// A session as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The device that logged in, if it said anything of itself.
    pub device: Option<Device>,
    /// Where it was when it last used its tokens, if that is known.
    pub address: Option<IpAddr>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last got tokens, by the login or by a refresh. Requests do not count: each of them would be a write.
    pub last_used_at: Timestamp,
}

impl Session {
    /// Most sessions that a list has, so that somebody who logs in a thousand times a day gets an answer of bounded size.
    pub const MOST_LISTED: i64 = 100;

    /// Most refresh tokens that are known of a session, unless more of them were made [lately](Renewal::recent), so that a client that refreshes
    /// again and again takes little room.
    pub const MOST_TOKENS: i64 = 1024;

    /// Most refresh tokens that a session gets lately. Lately is a day, and a client that refreshes once a minute, and gets half of the answers
    /// only at the second try, uses 2,880 in a day: who wants more is none, or has gone wild.
    pub const MOST_RECENT_TOKENS: i64 = 4096;
}

/// What a device says of itself: 1 to 255 characters, each of which can be seen or is a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device(String);

impl Device {
    /// Most characters.
    pub const MAX: usize = 255;

    /// Keeps what can be kept of a text, since nobody should be kept from logging in by the name of their browser: control
    /// characters, those that turn text around or cannot be seen, and white space around it go, and so does what is too much. `None` when
    /// nothing is left. So one device cannot pass for another in the list of sessions, by a name that looks the same or is read backwards.
    #[must_use]
    pub fn tidy(raw: &str) -> Option<Self> {
        // What is looked at is bounded before the work begins. Four characters for one that stays are plenty.
        let plain: String = raw.chars().take(4 * Self::MAX).filter(|c| !is_unseen(*c)).collect();
        let kept: String = plain.trim().chars().take(Self::MAX).collect();
        let kept = kept.trim_end();
        (!kept.is_empty()).then(|| Self(kept.to_owned()))
    }

    /// Takes what the store holds.
    #[must_use]
    pub fn from_store(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character is there to do something to the others, or shows nothing though it is no space: control characters, those of
/// formatting (the zero-width ones, and all that turn the direction of text), separators of lines, blanks, and the marks that Unicode has shown as
/// nothing (`Default_Ignorable_Code_Point`): the joiner of graphemes, the inherent vowels of Khmer, and variation selectors.
fn is_unseen(c: char) -> bool {
    let category = c.general_category();
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
    ) || matches!(
        c,
        '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'
    ) || text::blank(c)
}

/// What a store needs to begin a session.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// What it is called, which no session was called before.
    pub id: SessionId,
    /// Whose session.
    pub user: UserId,
    /// What the password was checked against.
    pub password: PasswordHash,
    /// Who logged in.
    pub visit: Visit,
    /// The hash of its first refresh token.
    pub refresh: RefreshHash,
    /// When it began, in whole microseconds.
    pub created_at: Timestamp,
    /// When its first refresh token stops being good.
    pub expires_at: Timestamp,
}

/// What a store notes when a good refresh token is presented.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// The hash of the token that is handed out next.
    pub successor: RefreshHash,
    /// When that one stops being good.
    pub expires_at: Timestamp,
    /// Tokens that expire later than this, but not later than the successor, were made lately and are not forgotten: whoever has stolen a
    /// token could otherwise use up what is known of the session, and its owner would not be recognised.
    pub recent: Timestamp,
    /// The presented token has to be good now, and now the session is used.
    pub now: Timestamp,
    /// Where the client is now. The session keeps its last address when this is not known.
    pub address: Option<IpAddr>,
}

/// What came of presenting a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It was good; the successor is stored.
    Rotated {
        /// Whose session.
        user: UserId,
        /// Which session.
        session: SessionId,
    },
    /// No live session has such a token.
    Unknown,
    /// It was good, and more tokens were made lately than any client needs. The session is now revoked.
    TooOften {
        /// Whose session.
        user: UserId,
        /// The session that was revoked.
        session: SessionId,
    },
    /// It was replaced by a successor that has been used since: somebody has a copy. The session is now revoked.
    Reused {
        /// Whose session.
        user: UserId,
        /// The session that was revoked.
        session: SessionId,
    },
}

/// A refresh token as handed to the client: 256 random bits in base64url. It does not show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    /// Takes what a client sent or randomness gave.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// The SHA-256 of a refresh token, all that is stored of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RefreshHash([u8; 32]);

impl RefreshHash {
    /// Wraps a digest.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RefreshHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshHash(…)")
    }
}

/// The hash of a password in PHC string form. It does not show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes what a hasher made or the store holds.
    #[must_use]
    pub fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string, such as `$argon2id$v=19$…`. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}
