//! The bounded pool on which passwords are hashed: so many at once, so many waiting, a share of the places for each client, and everybody else is
//! told to come back.
//!
//! Pictures have a pool like it in `mango-media`: no adapter knows another, the domain knows no threads, and a crate between them
//! would be more than the few lines that they would share.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use mango_domain::Failure;
use mango_domain::model::{Client, Room};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How soon a caller who found the waiting line full should come back: a full line is worked off in a few seconds.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How much work a pool takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// How many jobs run at once.
    pub running: NonZeroUsize,
    /// How many more may wait for their turn.
    pub waiting: usize,
}

impl PoolSize {
    /// So many at once, and a line of a hundred for each, which at 15 to 30 ms a hash is two or three seconds of waiting.
    #[must_use]
    pub const fn at_once(running: NonZeroUsize) -> Self {
        Self { running, waiting: running.get().saturating_mul(100) }
    }
}

impl Default for PoolSize {
    /// Half of the cores, so that the other half serves chats however many people log in.
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        Self::at_once(NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN))
    }
}

/// Runs jobs on blocking threads.
#[derive(Debug)]
pub(crate) struct Pool {
    /// One place for each job that runs or waits.
    places: Room,
    /// One permit for each job that runs.
    running: Arc<Semaphore>,
    /// Whose threads run the jobs; without one, those of the caller's runtime.
    threads: Option<Handle>,
}

impl Pool {
    pub(crate) fn new(size: PoolSize) -> Self {
        let running = size.running.get().min(Semaphore::MAX_PERMITS);
        Self {
            places: Room::for_few(running.saturating_add(size.waiting)),
            running: Arc::new(Semaphore::new(running)),
            threads: None,
        }
    }

    /// Runs the jobs on the threads of this runtime for blocking work.
    pub(crate) fn on(self, runtime: Handle) -> Self {
        Self { threads: Some(runtime), ..self }
    }

    /// Runs a job when its turn has come. A caller who goes away while waiting leaves the line; one who goes away later leaves a
    /// job that runs to its end and only then gives up its place, so that there are never more jobs than permits.
    ///
    /// # Errors
    /// Busy when the line is full, or as much of it as this client may have; broken when the job panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        by: Client,
        job: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(place) = self.places.hold(by, 1) else {
            metrics::counter!("mango_password_refused_total").increment(1);
            return Err(Failure::busy(operation, RETRY_AFTER));
        };
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|e| Failure::broken(operation, e))?;
        let job = move || {
            let _places = (place, running);
            job()
        };
        let running = match &self.threads {
            Some(runtime) => runtime.spawn_blocking(job),
            None => spawn_blocking(job),
        };
        running.await.map_err(|e| Failure::broken(operation, e))?
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::Poll;

    use mango_domain::FailureKind;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    fn pool(running: usize, waiting: usize) -> Arc<Pool> {
        Arc::new(Pool::new(PoolSize { running: NonZeroUsize::new(running).unwrap(), waiting }))
    }

    /// A job that has started and does not end before it is told to.
    struct Held {
        task: JoinHandle<Result<(), Failure>>,
        release: mpsc::Sender<()>,
    }

    async fn hold(pool: &Arc<Pool>) -> Held {
        let (release, released) = mpsc::channel();
        let (started, has_started) = oneshot::channel();
        let pool = Arc::clone(pool);
        let task = tokio::spawn(async move {
            pool.run("test", Client::default(), move || {
                started.send(()).unwrap();
                released.recv().unwrap();
                Ok(())
            })
            .await
        });
        has_started.await.unwrap();
        Held { task, release }
    }

    fn is_busy<T>(result: &Result<T, Failure>) -> bool {
        matches!(result, Err(Failure { kind: FailureKind::Busy { .. }, .. }))
    }

    #[test]
    fn the_default_leaves_cores_for_the_rest() {
        let cores = available_parallelism().unwrap().get();
        let size = PoolSize::default();
        assert_eq!(size.running.get(), (cores / 2).max(1));
        assert!(size.waiting >= 100);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn never_more_jobs_than_permits() {
        let pool = pool(3, 1000);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(0)));
        let jobs: Vec<_> = (0..200)
            .map(|i| {
                let (pool, now, most) = (Arc::clone(&pool), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    pool.run("test", Client::default(), move || {
                        let current = now.fetch_add(1, Ordering::SeqCst) + 1;
                        let mut most = most.lock().unwrap();
                        *most = current.max(*most);
                        drop(most);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                        Ok(i)
                    })
                    .await
                })
            })
            .collect();
        let mut sum = 0;
        for job in jobs {
            sum += job.await.unwrap().unwrap();
        }
        assert_eq!(sum, 199 * 200 / 2, "every job ran once");
        assert!((1..=3).contains(&*most.lock().unwrap()));
    }

    #[tokio::test]
    async fn a_full_line_is_busy_at_once() {
        let pool = pool(1, 0);
        let held = hold(&pool).await;
        assert!(is_busy(&pool.run("test", Client::default(), || Ok(())).await));
        held.release.send(()).unwrap();
        held.task.await.unwrap().unwrap();
        pool.run("test", Client::default(), || Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn who_has_a_share_of_the_line_is_busy_while_others_get_in() {
        let pool = pool(1, 99);
        let held = hold(&pool).await;
        let at = |address: [u8; 4]| Client::at(Some(address.into()));
        let mut line = Vec::new();
        for _ in 0..49 {
            let mut waiting = Box::pin(pool.run("test", at([192, 0, 2, 1]), || Ok(())));
            assert!(!is_ready(&mut waiting).await);
            line.push(waiting);
        }
        assert!(is_busy(&pool.run("test", at([192, 0, 2, 1]), || Ok(())).await), "half of 99 wait");
        let mut other = Box::pin(pool.run("test", at([192, 0, 2, 2]), || Ok(())));
        assert!(!is_ready(&mut other).await);
        held.release.send(()).unwrap();
        for waiting in line {
            waiting.await.unwrap();
        }
        other.await.unwrap();
        pool.run("test", at([192, 0, 2, 1]), || Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_cancelled_wait_leaves_the_line() {
        let pool = pool(1, 1);
        let held = hold(&pool).await;
        let mut waiting = Box::pin(pool.run("test", Client::default(), || Ok(())));
        assert!(!is_ready(&mut waiting).await, "the only permit is taken");
        assert!(is_busy(&pool.run("test", Client::default(), || Ok(())).await), "one runs and one waits");
        drop(waiting);
        let mut waiting = Box::pin(pool.run("test", Client::default(), || Ok(())));
        assert!(!is_ready(&mut waiting).await, "the place in the line is free again");
        held.release.send(()).unwrap();
        waiting.await.unwrap();
        assert!(pool.places.has(Client::default(), 2));
    }

    #[tokio::test]
    async fn a_cancelled_job_keeps_its_place_until_it_ends() {
        let pool = pool(1, 0);
        let held = hold(&pool).await;
        held.task.abort();
        assert!(held.task.await.unwrap_err().is_cancelled());
        assert!(is_busy(&pool.run("test", Client::default(), || Ok(())).await), "the thread still works");
        held.release.send(()).unwrap();
        drop(Arc::clone(&pool.running).acquire_owned().await.unwrap());
        pool.run("test", Client::default(), || Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_gives_its_place_back() {
        let pool = pool(1, 0);
        let failure = pool
            .run("test", Client::default(), || -> Result<(), Failure> { panic!("as the test wants") })
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Broken);
        pool.run("test", Client::default(), || Ok(())).await.unwrap();
    }

    /// Polls once, and says whether the future has come to its end.
    async fn is_ready<F: Future + Unpin>(future: &mut F) -> bool {
        poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_ready())).await
    }
}
