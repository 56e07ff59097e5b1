//! The log: on standard error, and in daily files when asked for.

use std::io::{self, IsTerminal};
use std::path::Path;

use thiserror::Error;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::{LogFormat, Settings};
use crate::folders;

/// Log files that are kept: today's and those of the fourteen days before.
const KEPT_FILES: usize = 15;

/// Libraries that write tokens, messages or the parameters of queries to their debug log. Nothing finer than `info` is taken from
/// them, whatever `MANGO_LOG` says.
const INDISCREET: [&str; 8] =
    ["actix_http", "engineioxide", "h2", "hyper", "socketioxide", "tokio_postgres", "tokio_tungstenite", "tungstenite"];

/// A library that says at `info` how it was started. Only its warnings are wanted, unless `MANGO_LOG` names it.
const TALKATIVE: &str = "actix_server";

/// Why there is no log.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter could not be read.
    #[error("MANGO_LOG cannot be used")]
    Filter(#[from] ParseError),
    /// The folder of the log files could not be made.
    #[error("the folder of the log files, MANGO_DATA_DIR with /logs, cannot be made")]
    Folder(#[from] io::Error),
    /// The log files cannot be written.
    #[error("the log files cannot be written")]
    Files(#[from] InitError),
    /// The process has a log already.
    #[error("the log is already set up")]
    Installed(#[from] TryInitError),
}

/// Sets up the log of the process, for `tracing` and for `log`. When there are log files, keep the guard to the end: dropping it
/// writes what is still in memory.
///
/// # Errors
/// See [`LogError`].
pub fn install(settings: &Settings) -> Result<Option<WorkerGuard>, LogError> {
    // https://no-color.org asks for a variable that is set and not empty.
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let (subscriber, guard) = subscriber(settings, io::stderr, io::stderr().is_terminal() && !plain)?;
    subscriber.try_init()?;
    Ok(guard)
}

fn subscriber<W>(
    settings: &Settings,
    writer: W,
    colours: bool,
) -> Result<(impl Subscriber + Send + Sync + use<W>, Option<WorkerGuard>), LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (files, guard) = match settings.log_files.then(|| open_files(&settings.log_dir())).transpose()? {
        Some((writer, guard)) => (Some(file_layer(settings.log_format, writer)), Some(guard)),
        None => (None, None),
    };
    let filter = EnvFilter::try_new(&settings.log)?;
    let finest = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let subscriber = Registry::default()
        .with(discretion(&settings.log, finest))
        .with(filter)
        .with(layer(settings.log_format, writer, colours))
        .with(files);
    Ok((subscriber, guard))
}

/// Lets through what the filter wants, but for what nobody should want. The finest level is that of the filter: the finest of any layer
/// is what libraries ask before they form a line, and with a finer one each frame of a WebSocket would cost a search of the filter.
fn discretion(filter: &str, finest: LevelFilter) -> Targets {
    let quiet = INDISCREET.map(|library| (library, finest.min(LevelFilter::INFO)));
    let calm = (!filter.contains(TALKATIVE)).then_some((TALKATIVE, LevelFilter::WARN));
    Targets::new().with_default(finest).with_targets(quiet).with_targets(calm)
}

fn layer<S, W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    match format {
        LogFormat::Text => fmt::layer().with_writer(writer).with_ansi(colours).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer).boxed(),
    }
}

fn file_layer<S>(format: LogFormat, writer: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    match format {
        LogFormat::Text => fmt::layer().fmt_fields(PlainFields).with_writer(writer).with_ansi(false).boxed(),
        LogFormat::Json => layer(format, writer, false),
    }
}

/// Fields as they are in text. The fields of a span are formatted once for all layers with formatters of one type, so with the type
/// of the terminal's layer the files would get its colours.
struct PlainFields;

impl<'w> FormatFields<'w> for PlainFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> std::fmt::Result {
        DefaultFields::new().format_fields(writer, fields)
    }
}

/// A file a day. Lines are written by a thread of its own; old files are removed when a new one is begun.
fn open_files(folder: &Path) -> Result<(NonBlocking, WorkerGuard), LogError> {
    folders::make(folder)?;
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("mango")
        .filename_suffix("log")
        .max_log_files(KEPT_FILES)
        .build(folder)?;
    Ok(tracing_appender::non_blocking(files))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use tempfile::{TempDir, tempdir};
    use tracing::subscriber::with_default;

    use super::*;

    fn settings(dir: &TempDir, set: &[(&str, &str)]) -> Settings {
        let dir = ("MANGO_DATA_DIR", dir.path().to_str().unwrap());
        let set = set.iter().chain([&dir]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(set, None).unwrap().settings
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What standard error gets, and what the log files hold once they are closed.
    fn logged(dir: &TempDir, set: &[(&str, &str)], colours: bool, work: impl FnOnce()) -> (String, Vec<String>) {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let settings = settings(dir, set);
        let (subscriber, guard) = subscriber(&settings, move || writer.clone(), colours).unwrap();
        with_default(subscriber, work);
        drop(guard);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let files = fs::read_dir(settings.log_dir()).into_iter().flatten();
        (text, files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect())
    }

    #[test]
    fn text_is_one_line_an_event() {
        let dir = tempdir().unwrap();
        let (text, files) = logged(&dir, &[], false, || {
            tracing::info!(status = 200, "a request");
            tracing::debug!("too fine");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("INFO") && text.contains("a request status=200"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colours but on a terminal");
        assert!(files.is_empty());
        assert!(!settings(&dir, &[]).log_dir().exists());
    }

    #[test]
    fn json_is_one_object_a_line() {
        let dir = tempdir().unwrap();
        let (text, _) = logged(&dir, &[("MANGO_LOG_FORMAT", "json")], true, || {
            tracing::warn_span!("request", route = "/chat").in_scope(|| tracing::warn!(status = 500, "two\nlines"));
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "two\nlines");
        assert_eq!(line["status"], 500);
        assert_eq!(line["span"]["route"], "/chat");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn files_get_what_the_terminal_gets_without_its_colours() {
        let dir = tempdir().unwrap();
        let (text, files) = logged(&dir, &[("MANGO_LOG_FILES", "true")], true, || {
            tracing::info_span!("request", route = "/chat").in_scope(|| tracing::info!(status = 200, "served"));
        });
        assert!(text.contains('\u{1b}') && text.contains("served"), "{text}");
        assert_eq!(files.len(), 1);
        assert!(
            files[0].contains("request{route=\"/chat\"}") && files[0].contains("served status=200"),
            "{}",
            files[0]
        );
        assert!(!files[0].contains('\u{1b}'), "{:?}", files[0]);
    }

    #[test]
    fn old_files_are_removed_and_others_left() {
        let dir = tempdir().unwrap();
        let logs = settings(&dir, &[]).log_dir();
        fs::create_dir_all(&logs).unwrap();
        for day in 1..=20 {
            fs::write(logs.join(format!("mango.2020-01-{day:02}.log")), "old").unwrap();
        }
        fs::write(logs.join("notes.txt"), "mine").unwrap();
        let (_, files) = logged(&dir, &[("MANGO_LOG_FILES", "true")], false, || tracing::info!("new"));
        assert_eq!(files.iter().filter(|text| *text == "old").count(), KEPT_FILES - 1);
        assert_eq!(files.iter().filter(|text| text.contains("new")).count(), 1);
        assert!(logs.join("notes.txt").exists());
    }

    #[test]
    fn the_filter_is_the_one_that_is_set() {
        let dir = tempdir().unwrap();
        let (text, _) = logged(&dir, &[("MANGO_LOG", "warn,chatty=debug")], false, || {
            tracing::info!("hidden");
            tracing::debug!(target: "chatty", "shown");
        });
        assert!(text.contains("shown") && !text.contains("hidden"), "{text}");
    }

    #[test]
    fn indiscreet_libraries_are_never_heard_below_info() {
        let dir = tempdir().unwrap();
        let (text, _) = logged(&dir, &[("MANGO_LOG", "trace,socketioxide=trace")], false, || {
            tracing::debug!(target: "socketioxide::client", "auth: secret");
            tracing::trace!(target: "engineioxide_core::payload", "sending packet: secret");
            tracing::debug!(target: "tokio_postgres::query", "with parameters: secret");
            tracing::trace!(target: "hyper_util::client", "secret");
            tracing::info!(target: "socketioxide::client", "harmless");
            tracing::trace!("ours");
        });
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains("harmless") && text.contains("ours"), "{text}");
    }

    #[test]
    fn what_the_filter_leaves_out_is_not_even_formed() {
        let dir = tempdir().unwrap();
        for (filter, finest) in [("info", LevelFilter::INFO), ("warn,mango=debug", LevelFilter::DEBUG)] {
            let settings = settings(&dir, &[("MANGO_LOG", filter)]);
            let (subscriber, _) = subscriber(&settings, io::sink, false).unwrap();
            assert_eq!(subscriber.max_level_hint(), Some(finest), "{filter}");
        }
    }

    #[test]
    fn a_talkative_library_is_heard_when_it_is_named() {
        let dir = tempdir().unwrap();
        for (filter, told) in [("info", false), ("info,actix_server=info", true)] {
            let (text, _) = logged(&dir, &[("MANGO_LOG", filter)], false, || {
                tracing::info!(target: "actix_server::server", "starting");
                tracing::warn!(target: "actix_server::accept", "trouble");
            });
            assert!(text.contains("trouble") && text.contains("starting") == told, "{filter}: {text}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("logs"), "in the way").unwrap();
        let settings = settings(&dir, &[("MANGO_LOG_FILES", "true")]);
        assert!(matches!(subscriber(&settings, io::sink, false).map(|_| ()), Err(LogError::Folder(_))));
    }
}
