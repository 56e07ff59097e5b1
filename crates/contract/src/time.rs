//! Times on the wire.

use chrono::{DateTime, SecondsFormat, Utc};
use mango_domain::model::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{PartialSchema, ToSchema, openapi};

/// A point in time as RFC 3339 in UTC with six digits of a second: `2026-01-31T09:30:00.000000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireTime(pub Timestamp);

impl From<Timestamp> for WireTime {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DateTime::<Utc>::deserialize(deserializer).map(Self)
    }
}

impl PartialSchema for WireTime {
    fn schema() -> openapi::RefOr<openapi::Schema> {
        openapi::ObjectBuilder::new()
            .schema_type(openapi::schema::Type::String)
            .format(Some(openapi::SchemaFormat::KnownFormat(openapi::KnownFormat::DateTime)))
            .examples(["2026-01-31T09:30:00.000000Z"])
            .into()
    }
}

impl ToSchema for WireTime {}
