//! Photos: how one is named and which files it has.

use std::fmt;

/// Names a photo: 128 random bits as 32 lower-case hexadecimal digits. The pictures under a name never change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PhotoId(String);

impl PhotoId {
    /// Makes a name of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Reads a name from a path; `None` for anything else, so that no name leads out of the media folder.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (raw.len() == 32 && raw.bytes().all(hex)).then(|| Self(raw.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhotoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The files that every photo has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhotoFile {
    /// The whole picture as JPEG, at most 2048 pixels on its long side.
    Original,
    /// A square of 400 pixels as WebP.
    Square400,
    /// A square of 100 pixels as WebP.
    Square100,
    /// A square of 50 pixels as WebP.
    Square50,
}

impl PhotoFile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Original, Self::Square400, Self::Square100, Self::Square50];

    /// The file's name under the photo.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Original => "original.jpeg",
            Self::Square400 => "400x400.webp",
            Self::Square100 => "100x100.webp",
            Self::Square50 => "50x50.webp",
        }
    }

    /// Reads a file's name; `original.jpg` is the original too.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "original.jpg" => Some(Self::Original),
            _ => Self::ALL.into_iter().find(|file| file.name() == name),
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Original => "image/jpeg",
            Self::Square400 | Self::Square100 | Self::Square50 => "image/webp",
        }
    }
}
