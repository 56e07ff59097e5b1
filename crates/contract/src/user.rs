//! Users: sign-up, changes, and how they are shown.

use mango_domain::model::{Description, Password, Phone, Profile, UserBrief, UserName};
use mango_domain::usecases::register::NewAccount;
use mango_domain::usecases::update_user::ProfileEdit;
use mango_domain::{Error, FieldError};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::decode::Faults;
use crate::picture;
use crate::time::WireTime;

/// Who signs up.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"phone": "+31612345678", "password": "correct horse battery", "name": "Ada"}))]
pub struct CreateUserRequest {
    /// A phone number in international form.
    #[serde(default)]
    #[schema(required = true, value_type = String)]
    pub phone: Option<String>,
    /// 8 to 128 characters.
    #[serde(default)]
    #[schema(required = true, value_type = String, min_length = 8, max_length = 128)]
    pub password: Option<String>,
    /// Base64 of a JPEG, PNG, WebP or GIF, with or without a `data:` prefix.
    #[serde(default)]
    pub photo: Option<String>,
    /// 1 to 255 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// At most 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub description: Option<String>,
}

impl CreateUserRequest {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all fields that are at fault.
    pub fn into_domain(self) -> Result<NewAccount, Error> {
        let mut faults = Faults::default();
        let phone = faults.take(required("phone", self.phone).and_then(|phone| Phone::parse(&phone)));
        let password = faults.take(required("password", self.password).and_then(Password::parse));
        let name = faults.take_option(self.name.as_deref().map(UserName::parse));
        let description = faults.take_option(parse_description(self.description.as_deref()));
        let picture = faults.take_option(parse_photo(self.photo.as_deref()));
        match (phone, password) {
            (Some(phone), Some(password)) => {
                faults.check()?;
                Ok(NewAccount { phone, password, name, description, picture })
            }
            _ => Err(faults.into_error()),
        }
    }
}

/// What to change of your own profile, as a JSON merge patch (RFC 7396): what is absent stays, `null` empties `name`, `photo` or
/// `description`. `null` for `phone`, `password` or `current_password`, which cannot be empty, is as if it were absent.
#[derive(Default, Deserialize, ToSchema)]
#[schema(example = json!({"name": "Ada Lovelace", "description": null}))]
pub struct UpdateUserRequest {
    /// A phone number in international form.
    #[serde(default)]
    pub phone: Option<String>,
    /// 8 to 128 characters. It ends all other sessions.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 128)]
    pub password: Option<String>,
    /// The password of now, for a new password or a new phone: when it is wrong, nothing is changed. The server may be set up to want it with
    /// each of these.
    #[serde(default)]
    pub current_password: Option<String>,
    /// 1 to 255 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    pub name: Option<Option<String>>,
    /// Base64 of a JPEG, PNG, WebP or GIF, with or without a `data:` prefix.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub photo: Option<Option<String>>,
    /// At most 2,000 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: Option<Option<String>>,
}

impl UpdateUserRequest {
    /// Checks every field that is there.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all fields that are at fault.
    pub fn into_domain(self) -> Result<ProfileEdit, Error> {
        let mut faults = Faults::default();
        let edit = ProfileEdit {
            phone: faults.take_option(self.phone.as_deref().map(Phone::parse)),
            password: faults.take_option(self.password.map(Password::parse)),
            current_password: self.current_password.map(Password::attempt),
            name: self.name.map(|name| faults.take_option(name.as_deref().map(UserName::parse))),
            description: self.description.map(|text| faults.take_option(parse_description(text.as_deref()))),
            picture: self.photo.map(|photo| faults.take_option(parse_photo(photo.as_deref()))),
        };
        faults.check()?;
        Ok(edit)
    }
}

/// A field that must be there. To serde it is optional, so that it is told together with whatever else is wrong.
fn required(field: &str, given: Option<String>) -> Result<String, FieldError> {
    given.ok_or_else(|| FieldError::new(field, "is missing"))
}

/// An empty text says that there is no description.
fn parse_description(text: Option<&str>) -> Option<Result<Description, FieldError>> {
    text.filter(|text| !text.trim().is_empty()).map(Description::parse)
}

/// An empty text says that there is no photo.
fn parse_photo(text: Option<&str>) -> Option<Result<Vec<u8>, FieldError>> {
    text.filter(|text| !text.is_empty()).map(picture::decode)
}

/// Tells `null`, which is present, from a field that is absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Base64 of a picture that would be taken as a photo.
#[must_use]
pub fn picture_reply(picture: &[u8]) -> String {
    picture::encode(picture)
}

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": 1, "name": "Ada", "phone": "+31612345678", "photo": "0123456789abcdef0123456789abcdef", "description": "Hello",
    "online": true, "last_seen_at": "2026-01-31T09:30:00.000000Z", "created_at": "2026-01-31T09:00:00.000000Z"
}))]
pub struct UserReply {
    /// Their id.
    pub id: i64,
    /// How they want to be called, or null.
    pub name: Option<String>,
    /// Their phone in E.164 form; only shown to themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "+31612345678")]
    pub phone: Option<String>,
    /// The `{photo}` of `/static/{photo}/…`, or null.
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    pub photo: Option<String>,
    /// What they say of themselves, or null.
    pub description: Option<String>,
    /// True while any of their sockets is connected.
    pub online: bool,
    /// When their last socket came or went; null before the first.
    pub last_seen_at: Option<WireTime>,
    /// When they signed up.
    pub created_at: WireTime,
}

impl From<&Profile> for UserReply {
    fn from(profile: &Profile) -> Self {
        let user = &profile.user;
        Self {
            id: user.id.get(),
            name: user.name.as_ref().map(|name| name.as_str().to_owned()),
            phone: profile.own.then(|| user.phone.as_str().to_owned()),
            photo: user.photo.as_ref().map(ToString::to_string),
            description: user.description.as_ref().map(|text| text.as_str().to_owned()),
            online: profile.online,
            last_seen_at: user.last_seen_at.map(WireTime),
            created_at: WireTime(user.created_at),
        }
    }
}

/// A user beside a like or a chat, and in the event `user_changed`.
#[derive(Serialize, ToSchema)]
pub struct UserBriefReply {
    /// Their id.
    pub id: i64,
    /// Their name, or null.
    pub name: Option<String>,
    /// The `{photo}` of `/static/{photo}/…`, or null.
    pub photo: Option<String>,
    /// Which of two is newer: it grows with every change of the name or the photo.
    pub version: i64,
}

impl From<&UserBrief> for UserBriefReply {
    fn from(user: &UserBrief) -> Self {
        Self {
            id: user.id.get(),
            name: user.name.as_ref().map(|name| name.as_str().to_owned()),
            photo: user.photo.as_ref().map(ToString::to_string),
            version: user.version.get(),
        }
    }
}
