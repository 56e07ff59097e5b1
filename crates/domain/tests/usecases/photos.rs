//! Pictures that become photos, and files that must not be left behind nor go too soon.

use chrono::TimeDelta;
use mango_domain::model::{Client, Epoch, PhotoFile, PhotoId, Principal};
use mango_domain::ports::{Clock as _, Media as _};
use mango_domain::usecases::register::NewAccount;
use mango_domain::usecases::update_user::ProfileEdit;
use mango_testkit::build::phone;
use mango_testkit::memory::{FakeImages, picture};

use crate::{House, account, check_refused};

fn too_large() -> Vec<u8> {
    let mut bytes = picture();
    bytes.resize(FakeImages::MAX + 1, 0);
    bytes
}

fn with_picture(n: u32, picture: Vec<u8>) -> NewAccount {
    NewAccount { picture: Some(picture), ..account(n) }
}

fn new_picture(picture: Option<Vec<u8>>) -> ProfileEdit {
    ProfileEdit { picture: Some(picture), ..ProfileEdit::default() }
}

async fn photo_of(house: &House, user: &Principal) -> Option<PhotoId> {
    house.cases.get_user.run(user, user.user).await.expect("get").user.photo
}

#[tokio::test]
async fn a_picture_at_sign_up_becomes_the_photo() {
    let house = House::new();
    let profile = house.cases.register.run(with_picture(1, picture()), None).await.expect("register");
    let photo = profile.user.photo.expect("a photo");
    assert_eq!(house.memory.media.photos(), std::slice::from_ref(&photo));
    for file in PhotoFile::ALL {
        assert!(house.memory.media.path(&photo, file).is_file(), "{file:?}");
    }
    let second = house.cases.register.run(with_picture(2, picture()), None).await.expect("register");
    assert_ne!(second.user.photo, Some(photo), "names are random, not made of the picture");
}

#[tokio::test]
async fn a_sign_up_that_is_refused_leaves_neither_user_nor_files() {
    let house = House::new();
    for bad in [b"<svg/>".to_vec(), Vec::new(), too_large()] {
        check_refused(house.cases.register.run(with_picture(1, bad), None).await, "invalid photo");
    }
    house.user(1).await;
    let taken = NewAccount { phone: phone(1), ..with_picture(2, picture()) };
    check_refused(house.cases.register.run(taken, None).await, "phone taken");
    assert_eq!(house.memory.media.photos(), []);
}

#[tokio::test]
async fn a_replaced_photo_goes_and_a_refused_one_leaves_the_old() {
    let house = House::new();
    let [me, _other] = house.users().await;
    let update = |edit| house.cases.update_user.run(&me, me.user, edit, None);

    let first = update(new_picture(Some(picture()))).await.expect("edit").user.photo.expect("a photo");
    assert_eq!(house.memory.media.photos(), std::slice::from_ref(&first));

    check_refused(update(new_picture(Some(b"GIF?".to_vec()))).await, "invalid photo");
    check_refused(update(new_picture(Some(too_large()))).await, "invalid photo");
    let taken = ProfileEdit { phone: Some(phone(2)), ..new_picture(Some(picture())) };
    check_refused(update(taken).await, "phone taken");
    assert_eq!(
        house.memory.media.photos(),
        std::slice::from_ref(&first),
        "nothing new is left, the old is still there"
    );
    assert_eq!(photo_of(&house, &me).await, Some(first.clone()));

    let second = update(new_picture(Some(picture()))).await.expect("edit").user.photo.expect("a photo");
    assert_ne!(second, first);
    assert_eq!(house.memory.media.photos(), [second]);

    assert_eq!(update(new_picture(None)).await.expect("edit").user.photo, None);
    assert_eq!(house.memory.media.photos(), []);
    update(new_picture(None)).await.expect("removing what is not there");
}

#[tokio::test]
async fn an_edit_of_other_fields_keeps_the_photo() {
    let house = House::new();
    let me = house.user(1).await;
    house.cases.update_user.run(&me, me.user, new_picture(Some(picture())), None).await.expect("edit");
    let photo = photo_of(&house, &me).await.expect("a photo");
    let edit = ProfileEdit { name: Some(None), ..ProfileEdit::default() };
    house.cases.update_user.run(&me, me.user, edit, None).await.expect("edit");
    assert_eq!(photo_of(&house, &me).await, Some(photo.clone()));
    assert_eq!(house.memory.media.photos(), [photo]);
}

/// Makes the photos look as if they had been stored this long ago.
fn age(house: &House, photos: &[PhotoId], by: TimeDelta) {
    for photo in photos {
        house.memory.media.date(photo, house.memory.clock.now() - by);
    }
}

/// Sweeps an hour later, and checks how many photos go.
async fn check_swept(house: &House, expected: u64) {
    age(house, &house.memory.media.photos(), TimeDelta::minutes(61));
    assert_eq!(house.cases.sweep_photos.run().await.expect("sweep"), expected);
}

#[tokio::test]
async fn a_sign_up_of_which_nobody_knows_keeps_its_files_until_a_sweep() {
    for (committed, swept) in [(false, 1), (true, 0)] {
        let house = House::new();
        match committed {
            true => house.memory.store.lose_next_answer("create user"),
            false => house.memory.store.fail_next("create user"),
        }
        check_refused(house.cases.register.run(with_picture(1, picture()), None).await, "failed create user");
        assert_eq!(house.memory.media.photos().len(), 1, "the row may be there");
        check_swept(&house, swept).await;
        assert_eq!(house.memory.media.photos().is_empty(), !committed);
        if committed {
            let me = house.log_in(1).await;
            assert_eq!(photo_of(&house, &me).await.as_slice(), house.memory.media.photos());
        }
    }
}

#[tokio::test]
async fn a_change_of_which_nobody_knows_keeps_both_photos_until_a_sweep() {
    for committed in [false, true] {
        let house = House::new();
        let me = house.user(1).await;
        let update = || house.cases.update_user.run(&me, me.user, new_picture(Some(picture())), None);
        let first = update().await.expect("edit").user.photo;
        match committed {
            true => house.memory.store.lose_next_answer("update user"),
            false => house.memory.store.fail_next("update user"),
        }
        check_refused(update().await, "failed update user");
        assert_eq!(house.memory.media.photos().len(), 2, "either may be the user's");
        check_swept(&house, 1).await;
        let photo = photo_of(&house, &me).await;
        assert_eq!(photo != first, committed);
        assert_eq!(house.memory.media.photos(), photo.as_slice());
    }
}

/// Stores so many photos that nobody has.
async fn orphans(house: &House, count: u16) -> Vec<PhotoId> {
    let set = house.memory.ports().images.process(picture(), Client::default()).await.expect("process");
    let mut photos = Vec::new();
    for n in 0..count {
        let mut name = [7; 16];
        name[..2].copy_from_slice(&n.to_be_bytes());
        let photo = PhotoId::from_random(name);
        house.memory.media.put(&photo, set.clone()).await.expect("put");
        photos.push(photo);
    }
    photos
}

#[tokio::test]
async fn a_sweep_leaves_what_is_younger_than_an_hour() {
    let house = House::new();
    let orphans = orphans(&house, 2).await;
    age(&house, &orphans[..1], TimeDelta::minutes(59));
    age(&house, &orphans[1..], TimeDelta::minutes(61));
    assert_eq!(house.cases.sweep_photos.run().await.expect("sweep"), 1);
    assert_eq!(house.memory.media.photos(), orphans[..1]);
}

#[tokio::test]
async fn a_sweep_removes_a_thousand_photos_at_most() {
    let house = House::new();
    house.cases.register.run(with_picture(1, picture()), None).await.expect("register");
    orphans(&house, 1005).await;
    check_swept(&house, 1000).await;
    check_swept(&house, 5).await;
    check_swept(&house, 0).await;
    assert_eq!(house.memory.media.photos().len(), 1, "that of the user");
}

#[tokio::test]
async fn a_sweep_removes_nothing_when_the_photos_are_of_another_database() {
    let house = House::new();
    assert!(house.memory.media.bind(&Epoch::new("of another database".to_owned())).await.expect("bind"));
    house.cases.register.run(with_picture(1, picture()), None).await.expect("register");
    orphans(&house, 3).await;
    check_swept(&house, 0).await;
    assert_eq!(house.memory.media.photos().len(), 4);
}

#[tokio::test]
async fn a_sweep_that_cannot_ask_removes_nothing() {
    let house = House::new();
    let orphans = orphans(&house, 1).await;
    age(&house, &orphans, TimeDelta::days(1));
    house.memory.store.fail_next("find photos");
    check_refused(house.cases.sweep_photos.run().await, "failed find photos");
    assert_eq!(house.memory.media.photos(), orphans);
}

#[tokio::test]
async fn a_checked_picture_comes_back_and_is_not_kept() {
    let house = House::new();
    assert_eq!(house.cases.check_picture.run(picture(), None).await.expect("check"), picture());
    for bad in [b"text".to_vec(), too_large()] {
        check_refused(house.cases.check_picture.run(bad, None).await, "invalid image");
    }
    assert_eq!(house.memory.media.photos(), []);
}
