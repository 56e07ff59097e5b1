//! What a device knows of its chats, from events, acknowledgements and the answers of `sync`, as a client keeps it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What a device knows, or what there is to know. Likes and members are ids, since names are kept once.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Knowledge {
    /// The versions of chats.
    pub versions: BTreeMap<i64, i64>,
    /// The names of chats and the ids of their members.
    pub chats: BTreeMap<i64, (Value, Vec<i64>)>,
    /// Messages by their ids.
    pub messages: BTreeMap<i64, Value>,
    pub pinned: BTreeSet<i64>,
    /// The versions and names of users.
    pub users: BTreeMap<i64, (i64, Value)>,
}

impl Knowledge {
    /// Takes a user, unless a newer state of them is known.
    pub fn meet(&mut self, user: &Value) {
        let (id, version) = (number(user, "id"), number(user, "version"));
        if self.users.get(&id).is_none_or(|(known, _)| *known < version) {
            self.users.insert(id, (version, user["name"].clone()));
        }
    }

    /// Takes a chat as it is shown.
    pub fn show(&mut self, chat: &Value) {
        let members = chat["members_array"].as_array().unwrap();
        members.iter().for_each(|member| self.meet(member));
        let ids = members.iter().map(|member| number(member, "id")).collect();
        self.chats.insert(number(chat, "id"), (chat["name"].clone(), ids));
    }

    /// Takes a message, unless a newer state of it is known.
    pub fn put(&mut self, mut message: Value) {
        let id = number(&message, "id");
        let version = |message: &Value| message["version"].as_i64();
        if self.messages.get(&id).is_some_and(|known| version(known) >= version(&message)) {
            return;
        }
        for user in message["likes_array"].as_array().unwrap().clone() {
            self.meet(&user);
        }
        message["likes_array"] =
            message["likes_array"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect();
        self.messages.insert(id, message);
    }

    /// Applies a change of a chat if it is the next one; whether there was one before it that is not known.
    pub fn learn(&mut self, chat: i64, version: i64, apply: impl FnOnce(&mut Self)) -> bool {
        let known = self.versions.get(&chat).copied().unwrap_or_default();
        if version == known + 1 && self.chats.contains_key(&chat) {
            self.versions.insert(chat, version);
            apply(self);
            return false;
        }
        version > known
    }

    /// Takes a like that is the next change of its chat.
    pub fn like(&mut self, told: &Value, user: i64) {
        let message = self.messages.get_mut(&number(told, "message_id")).expect("a message that is known");
        let mut likes: BTreeSet<i64> =
            message["likes_array"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
        let changed = if told["liked"] == true { likes.insert(user) } else { likes.remove(&user) };
        assert!(changed, "{told} of {message}");
        assert_eq!(told["likes"], likes.len());
        message["likes_array"] = json!(likes);
        message["version"] = told["version"].clone();
    }

    /// Takes an answer of `sync`.
    pub fn apply(&mut self, page: &Value) {
        assert_eq!(page["reset"], false, "nothing was lost that a client knew");
        assert_eq!(page["gone"], json!([]));
        page["users"].as_array().unwrap().iter().for_each(|user| self.meet(user));
        for told in page["chats"].as_array().unwrap() {
            if told["chat"].is_object() {
                self.show(&told["chat"]);
            }
            for message in told["messages"].as_array().unwrap() {
                self.put(message.clone());
            }
            let known = self.versions.entry(number(told, "id")).or_default();
            *known = number(told, "version").max(*known);
        }
        self.pinned = page["pinned"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
    }
}

/// A number of an object.
pub fn number(object: &Value, key: &str) -> i64 {
    object[key].as_i64().unwrap_or_else(|| panic!("no {key} in {object}"))
}
