//! The filter of the log (`MANGO_LOG`).

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// A filter whose parts say their level. Without one a part would be taken for a module, to be heard of alone and at `trace`, so that a
/// slip of the pen in a level would leave no log and no word about it.
pub(super) fn parse(value: &str) -> Option<String> {
    let mut parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.all(says_its_level).then(|| EnvFilter::try_new(value).ok())?.map(|_| value.to_owned())
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
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
