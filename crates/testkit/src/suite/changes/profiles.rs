//! Changes of names and photos.

use std::collections::BTreeMap;

use mango_domain::model::{
    Description, Event, PhotoId, ProfileVersion, SyncPage, SyncRequest, UserBrief, UserChange, UserId, UserName,
};

use super::recording;
use crate::Stores;
use crate::build::{direct, group, moment, phone, photo, unheard, users};
use crate::suite::together;

type Known = BTreeMap<UserId, UserBrief>;

/// Who shares a chat with a user is told of another name or photo, once, and so is the user; strangers are not. Who does not ask is told
/// from where on to ask.
pub async fn a_changed_profile_is_told_to_those_who_see_it(stores: Stores) {
    let ids = users(&stores, 4).await;
    let (ann, bob, cat, stranger) = (ids[0], ids[1], ids[2], ids[3]);
    group(ann, &[bob, cat]).add(&stores).await;
    direct(ann, bob).create(&stores).await;
    let start = since(&stores, ann, None).await;
    assert_eq!((start.users, start.users_since.get()), (vec![], 0));
    assert_eq!(since(&stores, ann, Some(0)).await.users, []);
    rename(&stores, bob, "Bobby").await;
    rename(&stores, stranger, "Nobody").await;
    show(&stores, ann, Some(photo(1))).await;
    let bobby = UserBrief { id: bob, name: Some(name("Bobby")), photo: None, version: ProfileVersion::new(1) };
    for reader in [ann, bob, cat] {
        let page = since(&stores, reader, Some(0)).await;
        let told: Vec<UserId> = page.users.iter().map(|user| user.id).collect();
        assert_eq!((told, page.users_since.get(), page.more), (vec![bob, ann], 3, false), "{reader}");
        assert_eq!(page.users[0], bobby);
        assert_eq!(page.users[1].photo, Some(photo(1)));
        let rest = since(&stores, reader, Some(1)).await.users;
        assert_eq!(rest.iter().map(|user| user.id).collect::<Vec<_>>(), [ann]);
        assert_eq!(since(&stores, reader, Some(3)).await.users, []);
        let silent = since(&stores, reader, None).await;
        assert_eq!((silent.users, silent.users_since.get()), (vec![], 3));
    }
    let own = since(&stores, stranger, Some(0)).await.users;
    assert_eq!(own.iter().map(|user| user.id).collect::<Vec<_>>(), [stranger]);
    show(&stores, ann, None).await;
    let told = since(&stores, bob, Some(3)).await.users;
    assert_eq!((told.len(), &told[0].photo, told[0].version.get()), (1, &None, 4), "the present state");
    let whole = since(&stores, bob, None).await.chats.swap_remove(0).chat.expect("the chat");
    assert!(whole.members.contains(&bobby) && whole.members.contains(&told[0]), "a chat has the same");
}

/// Many changes are told in several answers, each of which leads on to the next.
pub async fn changed_profiles_are_told_in_pages(stores: Stores) {
    let max = usize::try_from(SyncRequest::MAX_USERS).expect("a small number");
    let ids = users(&stores, u32::try_from(max + 1).expect("a small number")).await;
    group(ids[0], &ids).add(&stores).await;
    for id in &ids {
        rename(&stores, *id, "Another").await;
    }
    let first = since(&stores, ids[0], Some(0)).await;
    assert_eq!((first.users.len(), first.users_since.get(), first.more), (max, 200, true));
    let rest = since(&stores, ids[0], Some(first.users_since.get())).await;
    assert_eq!((rest.users.len(), rest.users_since.get(), rest.more), (1, 201, false));
    let told = first.users.iter().chain(&rest.users).map(|user| user.id);
    assert_eq!(told.collect::<Vec<_>>(), ids);
}

/// What others see is published with the chats where they see it, and nothing else is.
pub async fn a_changed_profile_is_published(stores: Stores) {
    let ids = users(&stores, 2).await;
    let ann = ids[0];
    let (one, two) = (group(ann, &[]).add(&stores).await, group(ids[1], &[ann]).add(&stores).await);
    group(ids[1], &[]).add(&stores).await;
    let (recorded, announcer) = recording();
    let text = Description::parse("Text").expect("a description");
    let named = || Some(Some(name("Ada")));
    for (change, version) in [
        (UserChange { name: named(), ..UserChange::default() }, Some(1)),
        (UserChange { name: named(), ..UserChange::default() }, None),
        (UserChange { name: named(), photo: Some(Some(photo(1))), ..UserChange::default() }, Some(2)),
        (UserChange { phone: Some(phone(99)), description: Some(Some(text)), ..UserChange::default() }, None),
        (UserChange::default(), None),
        (UserChange { photo: Some(None), ..UserChange::default() }, Some(3)),
    ] {
        stores.users.update(ann, change, moment(1), announcer.clone()).await.expect("update").expect("the user exists");
        let told = recorded.take();
        match version {
            None => assert!(told.is_empty(), "{told:?}"),
            Some(version) => {
                let [Event::UserChanged { user, chats }] = &told[..] else { panic!("{told:?}") };
                assert_eq!((user.version.get(), &chats[..]), (version, &[one, two][..]));
                assert_eq!(*user, stores.users.briefs(&[ann]).await.expect("briefs")[0]);
            }
        }
    }
}

/// However changes and answers overlap, who goes on from one answer to the next is told of every change in the end: no number is seen before
/// a smaller one.
pub async fn no_change_of_a_profile_is_skipped(stores: Stores) {
    let ids = users(&stores, 8).await;
    group(ids[0], &ids).add(&stores).await;
    let (recorded, announcer) = recording();
    let known = together((0..16).map(|n| {
        let (stores, announcer, id) = (stores.clone(), announcer.clone(), ids[n % 8]);
        async move {
            if n < 8 {
                for n in 0..10 {
                    let change = UserChange { name: Some(Some(name(&format!("Name {n}")))), ..UserChange::default() };
                    stores.users.update(id, change, moment(1), announcer.clone()).await.expect("update");
                }
                return None;
            }
            let (mut known, mut after) = (Known::new(), 0);
            while after < 80 {
                tokio::task::yield_now().await;
                let page = since(&stores, id, Some(after)).await;
                known.extend(page.users.into_iter().map(|user| (user.id, user)));
                after = page.users_since.get();
            }
            Some(known)
        }
    }))
    .await;
    let known: Vec<Known> = known.into_iter().flatten().collect();
    let now: Known = stores.users.briefs(&ids).await.expect("briefs").into_iter().map(|user| (user.id, user)).collect();
    assert_eq!(known, vec![now.clone(); ids.len()]);
    let mut heard: Known = BTreeMap::new();
    for event in recorded.take() {
        let Event::UserChanged { user, .. } = event else { panic!("{event:?}") };
        if heard.get(&user.id).is_none_or(|before| before.version < user.version) {
            heard.insert(user.id, user);
        }
    }
    assert_eq!(heard, now, "the newest of what is published is what there is");
}

/// Who knows of changes that there are not has to begin anew.
pub async fn a_client_from_a_future_of_profiles_is_reset(stores: Stores) {
    let ids = users(&stores, 1).await;
    rename(&stores, ids[0], "Ada").await;
    for (known, reset, told) in [(0, false, 1), (1, false, 0), (2, true, 0)] {
        let page = since(&stores, ids[0], Some(known)).await;
        assert_eq!((page.reset, page.users.len(), page.users_since.get()), (reset, told, 1), "{known}");
    }
}

fn name(name: &str) -> UserName {
    UserName::parse(name).expect("a name")
}

async fn rename(stores: &Stores, id: UserId, to: &str) {
    let change = UserChange { name: Some(Some(name(to))), ..UserChange::default() };
    stores.users.update(id, change, moment(1), unheard()).await.expect("update").expect("the user exists");
}

async fn show(stores: &Stores, id: UserId, photo: Option<PhotoId>) {
    let change = UserChange { photo: Some(photo), ..UserChange::default() };
    stores.users.update(id, change, moment(1), unheard()).await.expect("update").expect("the user exists");
}

async fn since(stores: &Stores, user: UserId, known: Option<i64>) -> SyncPage {
    let request = SyncRequest::parse([].into(), None, None).expect("a valid request");
    let request = request.with_users_since(known.map(ProfileVersion::new)).expect("a valid request");
    stores.changes.since(user, request).await.expect("sync")
}
