//! How many pictures are worked on at once, and what becomes of the rest.

use std::num::NonZeroUsize;
use std::task::Poll;

use futures_util::poll;
use image::ImageFormat;
use mango_domain::FailureKind;
use mango_domain::model::Client;
use mango_domain::ports::{ImageError, Images};
use mango_media::{ImageLimits, ImageProcessor, PoolSize};

use crate::samples::{encode, noise};

fn pool(running: usize, waiting: usize) -> ImageProcessor {
    let running = NonZeroUsize::new(running).unwrap();
    ImageProcessor::new(ImageLimits::default(), PoolSize { running, waiting, ..PoolSize::default() })
}

fn picture() -> Vec<u8> {
    encode(noise(600, 600), ImageFormat::Png)
}

#[tokio::test]
async fn one_more_than_may_wait_is_told_to_come_back() {
    let pool = pool(1, 1);
    let picture = picture();
    let (first, second, third) = tokio::join!(
        pool.check(picture.clone(), Client::default()),
        pool.process(picture.clone(), Client::default()),
        pool.check(picture.clone(), Client::default())
    );
    first.unwrap();
    second.unwrap();
    let Err(ImageError::Failed(failure)) = third else { panic!("{third:?}") };
    assert!(matches!(failure.kind, FailureKind::Busy { .. }), "{failure}");
    pool.check(picture, Client::default()).await.unwrap();
}

#[tokio::test]
async fn who_has_a_share_of_the_places_is_told_to_come_back_while_others_get_in() {
    let pool = pool(1, 7);
    let picture = picture();
    let check = |address: [u8; 4]| pool.check(picture.clone(), Client::at(Some(address.into())));
    let (first, second, third, other) =
        tokio::join!(check([192, 0, 2, 1]), check([192, 0, 2, 1]), check([192, 0, 2, 1]), check([192, 0, 2, 2]));
    first.and(second).and(other).unwrap();
    let Err(ImageError::Failed(failure)) = third else { panic!("{third:?}") };
    assert!(matches!(failure.kind, FailureKind::Busy { .. }), "{failure}");
    check([192, 0, 2, 1]).await.unwrap();
}

#[tokio::test]
async fn callers_who_go_away_leave_no_permits_behind() {
    let pool = pool(1, 2);
    let picture = picture();
    for _ in 0..10 {
        // One is being worked on and one waits when both callers go away.
        let mut working = Box::pin(pool.process(picture.clone(), Client::default()));
        let mut waiting = Box::pin(pool.process(picture.clone(), Client::default()));
        assert!(matches!(poll!(&mut working), Poll::Pending));
        assert!(matches!(poll!(&mut waiting), Poll::Pending));
        drop((working, waiting));
        // The work goes on and keeps its place until it is done; this one waits for it.
        pool.check(picture.clone(), Client::default()).await.unwrap();
    }
    let (first, second, third) = tokio::join!(
        pool.check(picture.clone(), Client::default()),
        pool.check(picture.clone(), Client::default()),
        pool.check(picture, Client::default())
    );
    first.and(second).and(third).unwrap();
}
