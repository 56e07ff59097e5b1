//! How often somebody may do something.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::model::UserId;

/// What is limited. The first four are counted by address, the last one by account, the others by user, or by address where nobody has to
/// log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    /// Signing up.
    SignUp,
    /// Logging in, whether or not the password is right.
    LogIn,
    /// Getting new tokens.
    Refresh,
    /// Opening a socket.
    Connect,
    /// Sending messages, and what else is told to all members of a chat.
    Send,
    /// Making chats, and ending sessions.
    Create,
    /// Reading.
    Read,
    /// Sending what may hold a picture.
    Upload,
    /// Taking another phone.
    ChangePhone,
    /// Trying passwords of one account, from wherever.
    LogInAccount,
}

impl Rate {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::SignUp,
        Self::LogIn,
        Self::Refresh,
        Self::Connect,
        Self::Send,
        Self::Create,
        Self::Read,
        Self::Upload,
        Self::ChangePhone,
        Self::LogInAccount,
    ];

    /// Its name, for clients and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign-up",
            Self::LogIn => "login",
            Self::Refresh => "refresh",
            Self::Connect => "connect",
            Self::Send => "send",
            Self::Create => "create",
            Self::Read => "read",
            Self::Upload => "upload",
            Self::ChangePhone => "change-phone",
            Self::LogInAccount => "login-account",
        }
    }
}

/// Who is counted. Addresses of IPv6 that share their first 64 bits are one, since a single customer has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Whoever comes from there.
    Address(IpAddr),
    /// A user, on all their devices.
    User(UserId),
}

impl Subject {
    /// The bits of an address that count.
    #[must_use]
    pub fn prefix(address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            address @ IpAddr::V4(_) => address,
        }
    }
}

/// So many at once, and one more after each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many at once.
    pub burst: NonZeroU32,
    /// After which time there is one more, at most `burst` of them.
    pub interval: Duration,
}

/// The quotas of all rates; what has none is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the quota of the rate of its name")]
pub struct Quotas {
    pub sign_up: Option<Quota>,
    pub log_in: Option<Quota>,
    pub refresh: Option<Quota>,
    pub connect: Option<Quota>,
    pub send: Option<Quota>,
    pub create: Option<Quota>,
    pub read: Option<Quota>,
    pub upload: Option<Quota>,
    pub change_phone: Option<Quota>,
    pub log_in_account: Option<Quota>,
}

impl Quotas {
    /// That of a rate.
    #[must_use]
    pub const fn of(&self, rate: Rate) -> Option<Quota> {
        match rate {
            Rate::SignUp => self.sign_up,
            Rate::LogIn => self.log_in,
            Rate::Refresh => self.refresh,
            Rate::Connect => self.connect,
            Rate::Send => self.send,
            Rate::Create => self.create,
            Rate::Read => self.read,
            Rate::Upload => self.upload,
            Rate::ChangePhone => self.change_phone,
            Rate::LogInAccount => self.log_in_account,
        }
    }
}

/// How somebody stands with a rate, after what they have just done or tried to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Which rate.
    pub rate: Rate,
    /// Its quota.
    pub quota: Quota,
    /// How many more they may do right now.
    pub left: u32,
    /// When to try again, for somebody who may not do this; `None` for who may.
    pub retry_after: Option<Duration>,
}
