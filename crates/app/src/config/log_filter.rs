//! The filter of the log (`MANGO_LOG`).

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// The crates of Mango that write to its log.
const CRATES: [&str; 8] = [
    "mango",
    "mango_contract",
    "mango_domain",
    "mango_http",
    "mango_media",
    "mango_persistence",
    "mango_security",
    "mango_socketio",
];

/// A filter whose parts say their level. Without one a part would be taken for a module, to be heard of alone and at `trace`, so that a
/// slip of the pen in a level would leave no log and no word about it.
pub(super) fn parse(value: &str) -> Option<String> {
    let mut parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .all(|part| says_its_level(part) && stranger(part).is_none())
        .then(|| EnvFilter::try_new(value).ok())?
        .map(|_| value.to_owned())
}

/// The crate that was probably meant by the first one in a filter that looks like Mango's and is not.
pub(super) fn meant(value: &str) -> Option<&'static str> {
    let written = value.split(',').find_map(|part| stranger(part.trim()))?;
    let near = CRATES.into_iter().map(|name| (strsim::damerau_levenshtein(name, written), name)).min()?;
    (near.0.saturating_mul(3) <= written.len()).then_some(near.1)
}

/// The crate that a part names, if it would be one of Mango's and there is none of this name: its lines would never come.
fn stranger(part: &str) -> Option<&str> {
    let name = part.split(['[', '=', ':']).next().unwrap_or_default().trim_end();
    (name.starts_with("mango") && !CRATES.contains(&name)).then_some(name)
}

fn says_its_level(part: &str) -> bool {
    // The fields of a span, as in `module[span{field=value}]=level`, have equals signs of their own.
    let behind_a_span = part.rsplit_once(']').map_or(part, |(_, behind)| behind);
    behind_a_span.contains('=') || part.parse::<LevelFilter>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_said() {
        for good in
            ["info", "WARN", "warn,mango_http=debug", "mango=trace", "off", "info,", "warn,mango[request{a=1}]=debug"]
        {
            assert_eq!(parse(good).as_deref(), Some(good));
        }
        for bad in [
            "mango=loud",
            "info,=",
            "mango=debug=trace",
            "inof",
            "info,mango_http",
            "mango_http",
            "info,[request]",
            "info,mango[request{a=1}]",
            "mango_htp=debug",
            "info,mango_http2::routes=trace",
            "mango-http=debug",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn crates_that_are_none_are_told_with_those_that_are() {
        assert_eq!(meant("info,mango_htp=debug"), Some("mango_http"));
        assert_eq!(meant("mango-media::store=debug"), Some("mango_media"));
        assert_eq!(meant("mango_something_else=debug"), None);
        assert_eq!(meant("inof"), None);
        assert_eq!(meant("mango_http=loud"), None);
    }

    #[test]
    fn the_crates_are_those_that_mango_is_made_of() {
        let manifest = include_str!("../../Cargo.toml");
        let (_, used) = manifest.split_once("\n[dependencies]\n").unwrap();
        let used = used.split("\n[").next().unwrap().lines().filter_map(|line| line.split(['.', ' ']).next());
        let mut crates: Vec<_> =
            used.filter(|name| name.starts_with("mango-")).map(|name| name.replace('-', "_")).collect();
        crates.push("mango".to_owned());
        crates.sort();
        assert_eq!(crates, CRATES);
    }
}
