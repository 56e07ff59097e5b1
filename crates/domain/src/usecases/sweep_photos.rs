//! The removal of photos that no user has.
//!
//! A photo's files are stored before the row that names them and removed after the row that replaces them. Whatever is interrupted
//! between the two, or does not learn whether its row was committed, leaves files that nobody has. They are found here.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::Result;
use crate::model::PhotoId;
use crate::ports::{Changes, Clock, Media, Users};
use crate::usecases::photos;

/// How long a photo may wait for the row that names it, which is far longer than any store takes to commit.
const GRACE: TimeDelta = TimeDelta::hours(1);
/// How many photos are looked up with one query.
const BATCH: usize = 1000;
/// How many photos are removed at a time. The rest has time until the next sweep, and an operator time to notice.
const MOST: usize = 1000;

/// Removes photos that no user has.
pub struct SweepPhotos {
    media: Arc<dyn Media>,
    users: Arc<dyn Users>,
    changes: Arc<dyn Changes>,
    clock: Arc<dyn Clock>,
}

impl SweepPhotos {
    pub(super) fn new(
        media: Arc<dyn Media>,
        users: Arc<dyn Users>,
        changes: Arc<dyn Changes>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { media, users, changes, clock }
    }

    /// Removes photos that were stored more than an hour ago and that no user has, a thousand at most, and what writes and removals
    /// left half done by then; how many went. The first sweep binds the photos to the database. No photo goes when they are bound to
    /// another: its users may have them.
    ///
    /// # Errors
    /// Only failures of ports. A single photo that cannot be removed is logged.
    pub async fn run(&self) -> Result<u64> {
        let before = self.clock.now() - GRACE;
        let mut gone = self.media.remove_leftovers(before).await?;
        if !self.media.bind(&self.changes.epoch().await?).await? {
            tracing::warn!("the photos are of another database: none was removed");
            return Ok(gone);
        }
        let mut walk = self.media.stored_before(before);
        let mut unnamed: Vec<PhotoId> = Vec::new();
        while unnamed.len() < MOST {
            let photos = walk.next(BATCH).await?;
            if photos.is_empty() {
                break;
            }
            let named: HashSet<PhotoId> = self.users.named_photos(&photos).await?.into_iter().collect();
            unnamed.extend(photos.into_iter().filter(|photo| !named.contains(photo)));
            unnamed.truncate(MOST);
        }
        for photo in unnamed {
            gone += u64::from(photos::discard(&*self.media, &photo).await);
        }
        Ok(gone)
    }
}
