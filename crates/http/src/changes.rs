//! The running of changes to their end.

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::error::HttpError;

/// Runs requests that change something. Actix drops the handler of a client that goes away; half of a change must not be
/// dropped with it, so changes run in tasks of their own, on a runtime that outlives the workers.
#[derive(Debug, Clone)]
pub struct Changes {
    runtime: Handle,
    tracker: TaskTracker,
}

impl Changes {
    /// Runs changes on this runtime.
    #[must_use]
    pub fn on(runtime: Handle) -> Self {
        Self { runtime, tracker: TaskTracker::new() }
    }

    /// Waits until no change is under way. To be called when no request comes in any more.
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Runs one change; dropping the returned future does not stop it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        change: impl Future<Output = mango_domain::Result<T>> + Send + 'static,
    ) -> Result<T, HttpError> {
        match self.tracker.spawn_on(change.in_current_span(), &self.runtime).await {
            Ok(outcome) => outcome.map_err(HttpError::from),
            Err(error) => Err(HttpError::Crashed(error.to_string())),
        }
    }
}
