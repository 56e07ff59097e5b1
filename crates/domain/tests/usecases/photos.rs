//! Pictures that become photos, and files that must not be left behind.

use mango_domain::model::{PhotoFile, PhotoId, Principal};
use mango_domain::ports::Media as _;
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
    let profile = house.cases.register.run(with_picture(1, picture())).await.expect("register");
    let photo = profile.user.photo.expect("a photo");
    assert_eq!(house.memory.media.photos(), std::slice::from_ref(&photo));
    for file in PhotoFile::ALL {
        assert!(house.memory.media.path(&photo, file).is_file(), "{file:?}");
    }
    let second = house.cases.register.run(with_picture(2, picture())).await.expect("register");
    assert_ne!(second.user.photo, Some(photo), "names are random, not made of the picture");
}

#[tokio::test]
async fn a_sign_up_that_fails_leaves_neither_user_nor_files() {
    let house = House::new();
    for bad in [b"<svg/>".to_vec(), Vec::new(), too_large()] {
        check_refused(house.cases.register.run(with_picture(1, bad)).await, "invalid photo");
    }
    house.memory.store.fail_next("create user");
    check_refused(house.cases.register.run(with_picture(1, picture())).await, "failed create user");
    assert_eq!(house.memory.media.photos(), []);

    house.user(1).await;
    let taken = NewAccount { phone: phone(1), ..with_picture(2, picture()) };
    check_refused(house.cases.register.run(taken).await, "phone taken");
    assert_eq!(house.memory.media.photos(), []);
}

#[tokio::test]
async fn a_replaced_photo_goes_and_a_refused_one_leaves_the_old() {
    let house = House::new();
    let [me, _other] = house.users().await;
    let update = |edit| house.cases.update_user.run(&me, me.user, edit);

    let first = update(new_picture(Some(picture()))).await.expect("edit").user.photo.expect("a photo");
    assert_eq!(house.memory.media.photos(), std::slice::from_ref(&first));

    check_refused(update(new_picture(Some(b"GIF?".to_vec()))).await, "invalid photo");
    check_refused(update(new_picture(Some(too_large()))).await, "invalid photo");
    let taken = ProfileEdit { phone: Some(phone(2)), ..new_picture(Some(picture())) };
    check_refused(update(taken).await, "phone taken");
    house.memory.store.fail_next("update user");
    check_refused(update(new_picture(Some(picture()))).await, "failed update user");
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
    house.cases.update_user.run(&me, me.user, new_picture(Some(picture()))).await.expect("edit");
    let photo = photo_of(&house, &me).await.expect("a photo");
    let edit = ProfileEdit { name: Some(None), ..ProfileEdit::default() };
    house.cases.update_user.run(&me, me.user, edit).await.expect("edit");
    assert_eq!(photo_of(&house, &me).await, Some(photo.clone()));
    assert_eq!(house.memory.media.photos(), [photo]);
}

#[tokio::test]
async fn a_checked_picture_comes_back_and_is_not_kept() {
    let house = House::new();
    assert_eq!(house.cases.check_picture.run(picture()).await.expect("check"), picture());
    for bad in [b"text".to_vec(), too_large()] {
        check_refused(house.cases.check_picture.run(bad).await, "invalid image");
    }
    assert_eq!(house.memory.media.photos(), []);
}
