//! The command line.

use clap::{Parser, Subcommand};

use crate::config::catalogue;

/// What `mango` was asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "mango", version, about = "Mango, a chat server", long_about = None)]
#[command(after_help = catalogue::help(), disable_help_subcommand = true)]
pub struct Cli {
    /// The command, if one was given.
    #[command(subcommand)]
    command: Option<Command>,
}

/// The commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the HTTP API and the sockets until SIGTERM or Ctrl-C (the default)
    ///
    /// Migrations are applied first. Requests in flight are finished before the server stops.
    Serve,
    /// Apply the migrations of the database and exit
    Migrate {
        /// Undo this many of the newest migrations instead, with the data that they added
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        down: Option<u32>,
        /// Undo them without asking; needed where there is no terminal to ask on
        #[arg(long, requires = "down")]
        yes: bool,
    },
    /// Give the database another epoch, for which every client reads everything anew
    ///
    /// For a database that was restored from a backup, before it is served: clients may know of changes that it has lost. Applies migrations
    /// first, and is refused while a server has the database.
    RenewEpoch {
        /// End all sessions too, those among them that were ended after the backup was made; everybody has to log in again
        #[arg(long)]
        end_sessions: bool,
    },
    /// List the keys that sign access tokens, or make a new one
    Keys {
        /// What to do
        #[command(subcommand)]
        action: KeysAction,
    },
    /// Show what happened to accounts: logins, failed logins, new passwords and phones, ended sessions, stolen tokens, new keys
    ///
    /// One line each, the newest first. Entries name users and sessions by their ids and hold no phone, no token and no password.
    Audit {
        /// How many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Check the configuration, the database, the migrations, the data folder and the clock
    ///
    /// Says what to do about each that is not in order, and exits with 1 if there is any.
    Doctor,
    /// Ask the server that runs on this machine whether it is ready
    ///
    /// Calls /readyz at MANGO_BIND and exits with 0 if the server is ready, with 1 otherwise. Made for the health checks of
    /// containers.
    Healthcheck,
}

/// What to do with the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum KeysAction {
    /// Make a new key, which signs from now on
    ///
    /// A running server takes it up within seconds. What the old key signed is good until it expires; after that the next rotation
    /// removes the key.
    Rotate,
    /// Say which keys there are, by their names, and what each is good for
    List,
}

impl Cli {
    /// The command to run.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command.unwrap_or(Command::Serve)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn commands() {
        let table = [
            (vec![], Command::Serve),
            (vec!["serve"], Command::Serve),
            (vec!["migrate"], Command::Migrate { down: None, yes: false }),
            (vec!["migrate", "--down", "2"], Command::Migrate { down: Some(2), yes: false }),
            (vec!["migrate", "--down", "2", "--yes"], Command::Migrate { down: Some(2), yes: true }),
            (vec!["renew-epoch"], Command::RenewEpoch { end_sessions: false }),
            (vec!["renew-epoch", "--end-sessions"], Command::RenewEpoch { end_sessions: true }),
            (vec!["keys", "list"], Command::Keys { action: KeysAction::List }),
            (vec!["keys", "rotate"], Command::Keys { action: KeysAction::Rotate }),
            (vec!["audit"], Command::Audit { limit: 50, json: false }),
            (vec!["audit", "--limit", "7", "--json"], Command::Audit { limit: 7, json: true }),
            (vec!["doctor"], Command::Doctor),
            (vec!["healthcheck"], Command::Healthcheck),
        ];
        for (arguments, expected) in table {
            let cli = Cli::try_parse_from([vec!["mango"], arguments].concat()).unwrap();
            assert_eq!(cli.command(), expected);
        }
    }

    #[test]
    fn what_is_not_a_command_is_refused() {
        for arguments in [
            vec!["mango", "server"],
            vec!["mango", "--port"],
            vec!["mango", "migrate", "--down", "0"],
            vec!["mango", "migrate", "--yes"],
            vec!["mango", "keys"],
        ] {
            assert!(Cli::try_parse_from(arguments).unwrap_err().exit_code() != 0);
        }
    }

    #[test]
    fn help_lists_the_commands_and_the_settings() {
        let help = Cli::try_parse_from(["mango", "--help"]).unwrap_err();
        assert_eq!(help.kind(), ErrorKind::DisplayHelp);
        let help = help.to_string();
        for word in [
            "serve",
            "migrate",
            "renew-epoch",
            "keys",
            "audit",
            "doctor",
            "healthcheck",
            "DATABASE_URL",
            "MANGO_BIND",
            "127.0.0.1:5000",
        ] {
            assert!(help.contains(word), "{word} is not in\n{help}");
        }
        let version = Cli::try_parse_from(["mango", "--version"]).unwrap_err();
        assert_eq!(version.to_string(), format!("mango {}\n", env!("CARGO_PKG_VERSION")));
    }
}
