//! What changed since when, in memory.

use std::cmp::Reverse;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{ChatChanges, ChatId, Epoch, SyncPage, SyncPlan, SyncRange, SyncRequest, UserId, Weights};
use mango_domain::ports::Changes;

use super::MemoryStore;
use super::chats::{active_at, seen_by};
use super::store::{Entry, Room, State};

/// The name of every store in memory.
const EPOCH: &str = "memory";

#[async_trait]
impl Changes for MemoryStore {
    async fn since(&self, user: UserId, request: SyncRequest) -> Result<SyncPage, Failure> {
        let state = self.enter("sync")?;
        let mut rooms: Vec<&Room> = state.chats.values().filter(|room| room.members.contains(&user)).collect();
        rooms.sort_by_key(|room| Reverse((active_at(room), room.record.id)));
        let versions: Vec<_> = rooms.iter().map(|room| (room.record.id, room.record.version)).collect();
        let epoch = Epoch::new(EPOCH.to_owned());
        let mut plan = request.plan(&epoch, &versions);
        fit(&state, &mut plan, user);
        let chats = plan.ranges.into_iter().filter_map(|range| changes(&state, range, user)).collect();
        let pinned = state.chats.values().filter(|room| room.pins.contains(&user)).map(|room| room.record.id).collect();
        let member_of = versions.into_iter().map(|(chat, _)| chat).collect();
        Ok(SyncPage { epoch, reset: plan.reset, chats, gone: plan.gone, pinned, member_of, more: plan.more })
    }

    async fn epoch(&self) -> Result<Epoch, Failure> {
        drop(self.enter("read epoch")?);
        Ok(Epoch::new(EPOCH.to_owned()))
    }
}

/// Keeps the plan to the size of an answer.
fn fit(state: &State, plan: &mut SyncPlan, user: UserId) {
    let members = |chat: &ChatId| state.room(*chat, user).map_or(0, |room| room.members.len());
    while plan.whole().iter().map(members).sum::<usize>() > SyncRequest::MAX_MEMBERS {
        plan.halve();
    }
    let mut weights = Weights::default();
    let weight = |entry: &Entry| entry.message.body.content().len();
    for (range, room) in plan.ranges.iter().filter_map(|range| Some((range, state.room(range.chat, user)?))) {
        let changed = changed(room, range).map(|entry| (entry.message.version, weight(entry)));
        weights.last.extend(room.messages.last().map(|entry| (range.chat, weight(entry))));
        weights.messages.insert(range.chat, changed.collect());
    }
    plan.keep_to_bytes(&weights);
}

/// The messages in a range, in order of version.
fn changed<'a>(room: &'a Room, range: &SyncRange) -> impl Iterator<Item = &'a Entry> {
    let inside = |version| version > range.after && version <= range.reached;
    let mut changed: Vec<_> = room.messages.iter().filter(|entry| inside(entry.message.version)).collect();
    changed.sort_by_key(|entry| entry.message.version);
    changed.into_iter()
}

fn changes(state: &State, range: SyncRange, user: UserId) -> Option<ChatChanges> {
    let room = state.room(range.chat, user)?;
    Some(ChatChanges {
        id: range.chat,
        version: range.reached,
        more: range.more,
        chat: range.has_chat().then(|| seen_by(state, room, user)),
        messages: changed(room, &range).map(|entry| state.posted(entry)).collect(),
    })
}
