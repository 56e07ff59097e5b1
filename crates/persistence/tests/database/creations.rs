//! Direct chats that both of a pair open at the same time, on several writers.

use mango_domain::ports::CreateChatError;
use mango_persistence::Options;
use mango_testkit::build::{direct, group, message, unheard, users};
use mango_testkit::suite::together;

use crate::support::{Backend, stores};

/// Writers that create chats of the same pairs do not wait for each other in a circle, and messages of other chats that are in
/// their groups do not suffer.
async fn pairs_opened_from_both_sides_do_not_deadlock<B: Backend>() {
    let backend = B::with(Options::default()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 20).await;
    let ann = ids[0];
    let room = group(ann, &[]).add(&stores).await;
    let pairs = || ids.iter().enumerate().flat_map(|(n, a)| ids.iter().take(n).map(move |b| (*a, *b)));
    let both = pairs().chain(pairs().map(|(a, b)| (b, a)).collect::<Vec<_>>().into_iter().rev());
    let opening = both.map(|(a, b)| {
        let stores = stores.clone();
        async move {
            message(room, ann).add(&stores).await;
            stores.chats.create(direct(a, b).build(), unheard()).await.map(|created| created.chat.record.id)
        }
    });
    let opened: Vec<_> = together(opening)
        .await
        .into_iter()
        .map(|chat| chat.map_err(|error: CreateChatError| error.to_string()))
        .collect();
    for (one, other) in opened.iter().zip(opened.iter().rev()) {
        assert!(one.is_ok(), "{one:?}");
        assert_eq!(one, other);
    }
}

on_both! {
    pairs_opened_from_both_sides_do_not_deadlock
}
