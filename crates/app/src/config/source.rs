//! Where values come from: the environment, then `.env`, then the defaults. Also the words for what is wrong with them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use url::Url;

use super::catalogue::{self, SETTINGS, Setting};

/// Most characters of a value that a message repeats.
const SHOWN: usize = 60;

const PREFIX: &str = "MANGO_";

/// The values of one place.
struct Layer {
    /// How messages name the place.
    place: String,
    values: BTreeMap<String, String>,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.place.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let values = self.values.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        Ok(Map::from([(Profile::Default, values)]))
    }
}

/// The layers on top of each other, and what turned out to be wrong so far.
pub(super) struct Source {
    values: Figment,
    /// Names that look like settings and are not, each with its place.
    strangers: Vec<(String, String)>,
    /// One line for each value that was not allowed.
    pub(super) problems: Vec<String>,
}

impl Source {
    /// Takes the environment and reads the file. The error is one line.
    pub(super) fn open(
        environment: impl IntoIterator<Item = (String, String)>,
        dotenv: Option<&Path>,
    ) -> Result<Self, String> {
        let mut layers = Vec::new();
        if let Some(path) = dotenv {
            layers.push(Layer { place: path.display().to_string(), values: read_dotenv(path)? });
        }
        layers.push(Layer { place: "the environment".to_owned(), values: environment.into_iter().collect() });

        let (mut values, mut strangers) = (Figment::new(), Vec::new());
        for mut layer in layers {
            layer.values.retain(|name, _| {
                let known = SETTINGS.iter().any(|setting| setting.name == name);
                if !known && name.starts_with(PREFIX) {
                    strangers.push((name.clone(), layer.place.clone()));
                }
                known
            });
            values = values.merge(layer);
        }
        Ok(Self { values, strangers, problems: Vec::new() })
    }

    /// The value of a setting. `None` when it is not allowed; the problem is then noted.
    pub(super) fn read<T>(&mut self, setting: &Setting, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let given = self.values.find_value(setting.name).ok().and_then(Value::into_string);
        let value = given.as_deref().filter(|value| !value.is_empty()).unwrap_or(setting.default);
        let printable = !value.contains(|c: char| c == char::REPLACEMENT_CHARACTER || c.is_control());
        let parsed = if printable { parse(value) } else { None };
        if parsed.is_none() {
            let place = self.values.find_metadata(setting.name).map_or("the defaults", |place| &place.name);
            self.problems.push(problem(setting, value, place));
        }
        parsed
    }

    /// Adds what was probably meant to what is wrong with a setting, if anything is.
    pub(super) fn hint(&mut self, setting: &Setting, meant: impl FnOnce(&str) -> Option<&'static str>) {
        let given = self.values.find_value(setting.name).ok().and_then(Value::into_string).unwrap_or_default();
        let start = format!("{}=", setting.name);
        if let Some(problem) = self.problems.iter_mut().find(|problem| problem.starts_with(&start))
            && let Some(meant) = meant(&given)
        {
            problem.push_str(&format!("; did you mean {meant}?"));
        }
    }

    /// One line for each name that looks like a setting and is not.
    pub(super) fn unknown(&self) -> Vec<String> {
        let line = |(name, place): &(String, String)| {
            let hint = match catalogue::nearest(name) {
                Some(setting) => format!("did you mean {}?", setting.name),
                None => "mango --help lists the settings".to_owned(),
            };
            format!("{} in {place} is not a setting; {hint}", shown(name))
        };
        self.strangers.iter().map(line).collect()
    }
}

fn problem(setting: &Setting, value: &str, place: &str) -> String {
    let Setting { name, allowed, secret, .. } = setting;
    if *secret {
        format!("{name} in {place} (its value is not shown) cannot be used; allowed is {allowed}")
    } else {
        format!("{name}={} in {place} cannot be used; allowed is {allowed}", shown(value))
    }
}

/// A value that fits on a line.
fn shown(value: &str) -> String {
    let short: String = value.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if value.chars().nth(SHOWN).is_some() { format!("{short}…") } else { short }
}

/// Whether a `.env` file holds a key, or a database's address with a password in it.
pub(crate) fn holds_secret(path: &Path) -> bool {
    let with_password = |value: &str| {
        let Ok(url) = Url::parse(value) else { return value.contains('@') };
        url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
    };
    let is_secret = |(name, value): (&String, &String)| {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        let secret = setting.is_some_and(|setting| setting.secret) && !value.is_empty();
        secret && (*name != catalogue::DATABASE_URL.name || with_password(value))
    };
    read_dotenv(path).is_ok_and(|values| values.iter().any(is_secret))
}

/// The values of a `.env` file; none when it does not exist. What is wrong with a line is not repeated, since it may be a secret.
fn read_dotenv(path: &Path) -> Result<BTreeMap<String, String>, String> {
    let place = path.display();
    let mut text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(e) => return Err(format!("{place} cannot be read: {e}")),
    };
    // The parser wants the last line ended, or it trips over a blank at its end.
    text.push('\n');
    let text = text.trim_start_matches('\u{feff}');
    dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(|e| match e {
        dotenvy::Error::LineParse(bad, _) => {
            // The parser does not count lines; it hands back the line, or the value alone.
            let first = bad.lines().next().unwrap_or_default();
            let is_bad = |line: &str| !line.trim_start().starts_with('#') && line.contains(first);
            let number = text.lines().take_while(|line| !is_bad(line)).count().saturating_add(1);
            format!(
                "{place} line {number} cannot be read; allowed is NAME=value, in quotes when it holds blanks, # or $"
            )
        }
        e => format!("{place} cannot be read: {e}"),
    })
}
