//! What changed since when, in memory.

use std::cmp::Reverse;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{
    ChatChanges, ChatId, Epoch, ProfileVersion, SyncPage, SyncPlan, SyncRange, SyncRequest, UserBrief, UserId, Weights,
};
use mango_domain::ports::Changes;

use super::MemoryStore;
use super::chats::{active_at, seen_by};
use super::store::{Account, Entry, Room, State};

/// The name of every store in memory.
const EPOCH: &str = "memory";

#[async_trait]
impl Changes for MemoryStore {
    async fn since(&self, user: UserId, request: SyncRequest) -> Result<SyncPage, Failure> {
        let state = self.enter("sync")?;
        let mut rooms: Vec<&Room> = state.chats.values().filter(|room| room.members.contains(&user)).collect();
        rooms.retain(|room| request.asks_about(room.record.id));
        rooms.sort_by_key(|room| Reverse((active_at(room), room.record.id)));
        let versions: Vec<_> = rooms.iter().map(|room| (room.record.id, room.record.version)).collect();
        let epoch = Epoch::new(EPOCH.to_owned());
        let mut plan = request.plan(&epoch, ProfileVersion::new(state.last_profile), &versions);
        fit(&state, &mut plan, user);
        let mut users = changed_users(&state, plan.users_after, user);
        plan.keep_to_users(&mut users);
        let SyncPlan { reset, ranges, gone, users_since, more, .. } = plan;
        let chats = ranges.into_iter().filter_map(|range| changes(&state, range, user)).collect();
        let pinned = state.chats.values().filter(|room| room.pins.contains(&user)).map(|room| room.record.id).collect();
        let member_of = versions.into_iter().map(|(chat, _)| chat).collect();
        Ok(SyncPage { epoch, reset, chats, gone, pinned, member_of, users, users_since, more })
    }

    async fn epoch(&self) -> Result<Epoch, Failure> {
        drop(self.enter("read epoch")?);
        Ok(Epoch::new(EPOCH.to_owned()))
    }
}

/// Who shares a chat with the user, or is the user, and changed after that, in the order of the changes.
fn changed_users(state: &State, after: Option<ProfileVersion>, user: UserId) -> Vec<UserBrief> {
    let Some(after) = after else { return Vec::new() };
    let rooms: Vec<&Room> = state.chats.values().filter(|room| room.members.contains(&user)).collect();
    let is_seen = |id: UserId| id == user || rooms.iter().any(|room| room.members.contains(&id));
    let changed = state.users.values().filter(|account| account.version > after && is_seen(account.user.id));
    let mut briefs: Vec<_> = changed.map(Account::brief).collect();
    briefs.sort_by_key(|brief| brief.version);
    briefs
}

/// Keeps the plan to the size of an answer.
fn fit(state: &State, plan: &mut SyncPlan, user: UserId) {
    let members = |chat: &ChatId| state.room(*chat, user).map_or(0, |room| room.members.len());
    while plan.whole().iter().map(members).sum::<usize>() > SyncRequest::MAX_MEMBERS {
        plan.halve();
    }
    // The last message of a chat that comes with the chat itself does not count.
    let ones = weights(state, plan, user, |_| 1);
    plan.keep_to_limit(&Weights { messages: ones.messages, ..Weights::default() });
    plan.keep_to_bytes(&weights(state, plan, user, |entry| entry.message.body.content().len()));
    plan.keep_to_likes(&weights(state, plan, user, |entry| entry.likes.len()));
}

fn weights(state: &State, plan: &SyncPlan, user: UserId, weight: impl Fn(&Entry) -> usize) -> Weights {
    let mut weights = Weights::default();
    for (range, room) in plan.ranges.iter().filter_map(|range| Some((range, state.room(range.chat, user)?))) {
        let changed = changed(room, range).map(|entry| (entry.message.version, weight(entry)));
        weights.last.extend(room.messages.last().map(|entry| (range.chat, weight(entry))));
        weights.messages.insert(range.chat, changed.collect());
    }
    weights
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
