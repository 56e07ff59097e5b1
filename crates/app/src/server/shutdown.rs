//! The end of the server: no more connections, answers to what was asked, the end of the sockets, and a deadline.

use std::future::Future;
use std::io;
use std::time::Duration;

use actix_server::{Server, ServerHandle};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::sockets::Sockets;

/// A server that runs until it is stopped.
pub struct Running {
    server: JoinHandle<io::Result<()>>,
    handle: ServerHandle,
    sockets: Sockets,
    within: Duration,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Everything was answered and closed.
    Clean,
    /// Time ran out with this many sockets open, or with other requests unanswered.
    Cut {
        /// Upgraded connections and polling requests that were still open.
        sockets: usize,
    },
}

impl Running {
    pub(super) fn new(server: Server, sockets: Sockets, within: Duration) -> Self {
        let handle = server.handle();
        Self { server: tokio::spawn(server), handle, sockets, within }
    }

    /// Waits for the server to end by itself, which it does only when it fails.
    pub async fn failed(&mut self) -> io::Error {
        match (&mut self.server).await {
            Ok(Ok(())) => io::Error::other("the server stopped by itself"),
            Ok(Err(error)) => error,
            Err(error) => io::Error::other(error),
        }
    }

    /// Stops accepting, lets requests in flight finish, breaks the sockets off once `finish` has done what they asked for, and
    /// waits for all of it until the time-out.
    pub async fn stop(self, finish: impl Future<Output = ()>) -> Stopped {
        let Self { mut server, handle, sockets, within } = self;
        // From here on a request for a new socket is refused, so that nobody joins after the others have gone.
        sockets.closing().cancel();
        sockets.tracker().close();
        let stopping = handle.stop(true);
        let all = async {
            tokio::join!(stopping, async {
                finish.await;
                sockets.hang_up().cancel();
                sockets.tracker().wait().await;
            });
            (&mut server).await
        };
        match timeout(within, all).await {
            Ok(_) => Stopped::Clean,
            Err(_) => {
                server.abort();
                Stopped::Cut { sockets: sockets.open() }
            }
        }
    }
}
