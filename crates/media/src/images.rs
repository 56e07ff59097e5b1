//! The images port: makes the files of photos, a bounded number at a time.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use image::DynamicImage;
use mango_domain::Failure;
use mango_domain::model::{Client, Room};
use mango_domain::ports::{ImageError, Images, PhotoSet};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::budget::Budget;
use crate::decode::{self, Picture};
use crate::limits::ImageLimits;
use crate::resize::{Fault, shrink, square, to_8_bits};
use crate::{colour, encode};

/// The longer side of the original, at most.
const ORIGINAL_SIDE: u32 = 2048;
/// The sides of the squares.
const SQUARES: [u32; 3] = [400, 100, 50];
/// What a caller is told when the queue is full: about as long as the queue takes to half empty.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How many pictures are worked on, how many wait, and what memory they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Pictures worked on at the same time, each on a thread of its own; at least 1.
    pub running: NonZeroUsize,
    /// Pictures that wait for their turn. One more is told to come back later, and so is whoever has a share of the places already.
    pub waiting: usize,
    /// Bytes that the pictures in work may need together. One that needs more is worked on alone.
    pub memory: u64,
}

impl Default for PoolSize {
    /// One picture a core, 64 that wait, and 768 MiB: two of the largest pictures, or ten of a telephone.
    fn default() -> Self {
        let running = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { running, waiting: 64, memory: 768 << 20 }
    }
}

/// Processes pictures on tokio's threads for blocking work, never more of them at once than was agreed.
pub struct ImageProcessor {
    limits: ImageLimits,
    /// A place for each picture that is here at all.
    places: Room,
    /// A permit for each picture that is worked on. Those who wait get theirs in order.
    threads: Arc<Semaphore>,
    /// The memory of those that are worked on. What a picture needs is known when its header has been read.
    budget: Arc<Budget>,
    /// Whose threads do the work; without one, those of the caller's runtime.
    runtime: Option<Handle>,
}

impl ImageProcessor {
    /// Makes a processor with limits for each picture and for all at once.
    #[must_use]
    pub fn new(limits: ImageLimits, size: PoolSize) -> Self {
        let running = size.running.get();
        Self {
            limits,
            places: Room::new(running.saturating_add(size.waiting)),
            threads: Arc::new(Semaphore::new(running.min(Semaphore::MAX_PERMITS))),
            budget: Arc::new(Budget::new(size.memory)),
            runtime: None,
        }
    }

    /// Works on the threads of this runtime for blocking work, rather than on those of each caller's runtime.
    #[must_use]
    pub fn on(self, runtime: Handle) -> Self {
        Self { runtime: Some(runtime), ..self }
    }

    /// Runs work on a picture when its turn has come.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        (picture, by): (Vec<u8>, Client),
        work: impl FnOnce(Vec<u8>, &ImageLimits, &Budget) -> Result<T, ImageError> + Send + 'static,
    ) -> Result<T, ImageError> {
        self.limits.check_bytes(picture.len())?;
        let place = self.places.hold(by, 1).ok_or_else(|| Failure::busy(operation, RETRY_AFTER))?;
        let thread =
            Arc::clone(&self.threads).acquire_owned().await.map_err(|error| Failure::broken(operation, error))?;
        let (limits, budget) = (self.limits.clone(), Arc::clone(&self.budget));
        let started = Instant::now();
        let work = move || {
            // The work holds its places itself: a caller who goes away cannot end it, and must not make room for more.
            let _places = (place, thread);
            work(picture, &limits, &budget)
        };
        let working = match &self.runtime {
            Some(runtime) => runtime.spawn_blocking(work),
            None => tokio::task::spawn_blocking(work),
        };
        let done = working.await.map_err(|error| Failure::broken(operation, error))?;
        metrics::histogram!("mango_image_duration_seconds", "operation" => operation).record(started.elapsed());
        done
    }
}

#[async_trait]
impl Images for ImageProcessor {
    async fn process(&self, picture: Vec<u8>, by: Client) -> Result<PhotoSet, ImageError> {
        const OPERATION: &str = "process picture";
        self.run(OPERATION, (picture, by), |picture, limits, budget| {
            let decoded = decode::decode(&picture, limits, budget)?;
            drop(picture);
            make_files(decoded).map_err(|fault| Failure::broken(OPERATION, fault).into())
        })
        .await
    }

    async fn check(&self, picture: Vec<u8>, by: Client) -> Result<Vec<u8>, ImageError> {
        self.run("check picture", (picture, by), |picture, limits, budget| {
            decode::decode(&picture, limits, budget)?;
            Ok(picture)
        })
        .await
    }
}

/// Makes the files of a decoded picture. What costs much is done once: all the rest starts from the small original.
fn make_files(Picture { pixels, orientation, profile, share: _share }: Picture) -> Result<PhotoSet, Fault> {
    let finish = |pixels: DynamicImage| {
        let mut finished = to_8_bits(pixels);
        if let Some(profile) = &profile {
            finished = colour::to_srgb(finished, profile);
        }
        finished.apply_orientation(orientation);
        finished
    };
    let [large, medium, small] = SQUARES;

    let (width, height) = fit(pixels.width(), pixels.height());
    let (original, square_large) = if (width, height) == (pixels.width(), pixels.height()) {
        (finish(pixels), None)
    } else {
        let shrunk = shrink(&pixels, width, height)?;
        // The short side of a very long picture shrinks to next to nothing; its square is made of the whole picture.
        let square_large = if width.min(height) < large { Some(square(&pixels, large)?) } else { None };
        drop(pixels);
        (finish(shrunk), square_large.map(&finish))
    };
    let square_large = match square_large {
        Some(square) => square,
        None => square(&original, large)?,
    };
    // A small picture is enlarged for the large square; the others are better made of the picture itself.
    let source = if original.width().min(original.height()) < medium { &original } else { &square_large };
    Ok(PhotoSet {
        original: encode::jpeg(&original)?,
        square400: encode::webp(&square_large)?,
        square100: encode::webp(&square(source, medium)?)?,
        square50: encode::webp(&square(source, small)?)?,
    })
}

/// The size of the original: as it is, or with its longer side shortened to the allowed length.
fn fit(width: u32, height: u32) -> (u32, u32) {
    let longer = width.max(height);
    if longer <= ORIGINAL_SIDE {
        return (width, height);
    }
    let scaled = |side: u32| {
        let rounded = (u64::from(side) * u64::from(ORIGINAL_SIDE) + u64::from(longer) / 2) / u64::from(longer);
        u32::try_from(rounded).unwrap_or(ORIGINAL_SIDE).max(1)
    };
    (scaled(width), scaled(height))
}
