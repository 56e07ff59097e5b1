//! Users: who they are, how they are called and what they log in with.

use std::fmt;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

use crate::FieldError;
use crate::model::session::PasswordHash;
use crate::model::{PhotoId, ProfileVersion, SessionId, Timestamp, UserId, text};

/// A user as stored. Whether they are online is known to [`Presence`](crate::ports::Presence), not to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their phone, shown to nobody but themselves.
    pub phone: Phone,
    /// How they want to be called, if they said so.
    pub name: Option<UserName>,
    /// Their photo, if they have one.
    pub photo: Option<PhotoId>,
    /// What they say of themselves.
    pub description: Option<Description>,
    /// When their last socket came or went; `None` before the first.
    pub last_seen_at: Option<Timestamp>,
    /// When they signed up.
    pub created_at: Timestamp,
}

/// What others see of a user beside a chat or a like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserBrief {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: Option<UserName>,
    /// Their photo.
    pub photo: Option<PhotoId>,
    /// Their last change of name or photo: of two briefs of a user, that with the higher one is the newer.
    pub version: ProfileVersion,
}

/// A user with their presence, as the use cases hand it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The user.
    pub user: User,
    /// True while any of their sockets is connected.
    pub online: bool,
    /// True when users look at themselves: only then is the phone shown.
    pub own: bool,
}

/// What a store needs to add a user.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Unique among users.
    pub phone: Phone,
    /// The hash of their password.
    pub password: PasswordHash,
    /// Their name.
    pub name: Option<UserName>,
    /// Their photo, already in the media store.
    pub photo: Option<PhotoId>,
    /// What they say of themselves.
    pub description: Option<Description>,
    /// When they signed up, in whole microseconds.
    pub created_at: Timestamp,
}

/// What a store changes of a user; `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// The new phone.
    pub phone: Option<Phone>,
    /// The hash of the new password. It ends every session of the user but `keep_session`.
    pub password: Option<PasswordHash>,
    /// The hash that the password has to have still; `None` for any.
    pub current_password: Option<PasswordHash>,
    /// The new name.
    pub name: Option<Option<UserName>>,
    /// The new photo, already in the media store.
    pub photo: Option<Option<PhotoId>>,
    /// The new description.
    pub description: Option<Option<Description>>,
    /// The session that survives a password change.
    pub keep_session: Option<SessionId>,
}

/// What a login is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whose they are.
    pub user: UserId,
    /// The stored hash.
    pub password: PasswordHash,
}

/// A phone number in E.164 form (ITU-T E.164: `+`, country code, up to 15 digits in all).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    /// Normalises what a human typed or copied: spaces, dashes, dots, slashes and brackets are dropped, as are format characters that
    /// nobody sees and a `tel:` in front (RFC 3966); `00` stands for `+`, and a missing `+` is supplied, since a form-encoded `+` that
    /// was not escaped arrives as a space.
    ///
    /// # Errors
    /// A [`FieldError`] on `phone` when it is not an international number.
    pub fn parse(raw: &str) -> Result<Self, FieldError> {
        let refused = || FieldError::new("phone", "must be a phone number in international form, such as +31612345678");
        if raw.len() > 256 {
            return Err(refused());
        }
        let typed: String = raw.chars().filter_map(as_typed).collect();
        if typed.len() > 64 {
            return Err(refused());
        }
        let trimmed = match typed.trim().split_at_checked(4) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel:") => rest.trim(),
            _ => typed.trim(),
        };
        // The country code may stand in brackets with its plus.
        let bare = trimmed.strip_prefix('(').map_or(trimmed, str::trim_start);
        let rest = bare.strip_prefix('+').or_else(|| bare.strip_prefix("00")).unwrap_or(bare);
        if !rest.chars().all(|c| c.is_ascii_digit() || " -.()/".contains(c)) {
            return Err(refused());
        }
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        let e164 = normal(format!("+{digits}")).ok_or_else(refused)?;
        // Country code and subscriber number: at most 15 digits by the standard, and no network uses fewer than 7.
        if !(8..=16).contains(&e164.len()) {
            return Err(refused());
        }
        Ok(Self(e164))
    }

    /// Takes what the store holds, which was normalised when it was written.
    #[must_use]
    pub fn from_store(e164: String) -> Self {
        Self(e164)
    }

    /// The number in E.164 form. Never log it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The form of a number that is its own normal form. Parsing drops a trunk prefix, as the zero in +44 (0)20, and what is left of a number that is
/// not in use may begin with another one.
fn normal(mut e164: String) -> Option<String> {
    /// Far more trunk prefixes than any country has.
    const ROUNDS: usize = 16;
    for _ in 0..ROUNDS {
        let parsed = phonenumber::parse(None, &e164).ok()?.format().mode(phonenumber::Mode::E164).to_string();
        if parsed == e164 {
            return Some(e164);
        }
        e164 = parsed;
    }
    None
}

/// A character of a phone as a keyboard has it: any space and any dash are one, and what only formats is nothing.
fn as_typed(c: char) -> Option<char> {
    match c.general_category() {
        GeneralCategory::Format => None,
        GeneralCategory::SpaceSeparator => Some(' '),
        GeneralCategory::DashPunctuation => Some('-'),
        _ if c == '\u{2212}' => Some('-'),
        _ => Some(c),
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

text::bounded_text! {
    /// A user's name: 1 to 255 characters without control characters, white space around it dropped.
    UserName { field: "name", max: 255, multiline: false }
}

text::bounded_text! {
    /// What a user says of themselves: 1 to 2,000 characters; line breaks and tabs are fine.
    Description { field: "description", max: 2000, multiline: true }
}

/// A password as typed: 8 to 128 characters of any kind, never trimmed. It does not show in debug output.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Fewest characters of a password.
    pub const MIN: usize = 8;
    /// Most characters of a password.
    pub const MAX: usize = 128;

    /// Checks a password that is being chosen.
    ///
    /// # Errors
    /// A [`FieldError`] on `password`.
    pub fn parse(raw: String) -> Result<Self, FieldError> {
        let length = raw.chars().count();
        if (Self::MIN..=Self::MAX).contains(&length) {
            Ok(Self(raw))
        } else {
            let message = format!("must have {} to {} characters, has {length}", Self::MIN, Self::MAX);
            Err(FieldError::new("password", message))
        }
    }

    /// Takes what somebody types at a login. More characters than a password can have are cut, which bounds the work and still
    /// matches nobody: one character more than the longest password is kept.
    #[must_use]
    pub fn attempt(mut raw: String) -> Self {
        if let Some((end, _)) = raw.char_indices().nth(Self::MAX + 1) {
            raw.truncate(end);
        }
        Self(raw)
    }

    /// The characters. Never log them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}
