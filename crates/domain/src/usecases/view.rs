//! The joining of what is stored with who is online.

use std::collections::HashSet;

use crate::Result;
use crate::model::{Chat, ChatMember, UserBrief, UserId};
use crate::ports::{Presence, StoredChat};

/// Adds to each chat which of its members are online, with one question for all of them.
pub(super) async fn chats(presence: &dyn Presence, stored: Vec<StoredChat>) -> Result<Vec<Chat>> {
    let members: HashSet<UserId> = stored.iter().flat_map(member_ids).collect();
    let online = presence.online(&members.into_iter().collect::<Vec<_>>()).await?;
    Ok(stored.into_iter().map(|chat| joined(chat, &online)).collect())
}

/// The same for chats of which some are not told.
pub(super) async fn optional_chats(
    presence: &dyn Presence,
    stored: Vec<Option<StoredChat>>,
) -> Result<Vec<Option<Chat>>> {
    let members: HashSet<UserId> = stored.iter().flatten().flat_map(member_ids).collect();
    let online = presence.online(&members.into_iter().collect::<Vec<_>>()).await?;
    Ok(stored.into_iter().map(|chat| chat.map(|chat| joined(chat, &online))).collect())
}

/// Adds to one chat which of its members are online.
pub(super) async fn chat(presence: &dyn Presence, stored: StoredChat) -> Result<Chat> {
    let online = presence.online(&member_ids(&stored).collect::<Vec<_>>()).await?;
    Ok(joined(stored, &online))
}

fn member_ids(chat: &StoredChat) -> impl Iterator<Item = UserId> {
    chat.members.iter().map(|user| user.id)
}

fn joined(stored: StoredChat, online: &HashSet<UserId>) -> Chat {
    let member = |user: UserBrief| ChatMember { online: online.contains(&user.id), user };
    Chat {
        record: stored.record,
        members: stored.members.into_iter().map(member).collect(),
        last_message: stored.last_message,
        pinned: stored.pinned,
    }
}
