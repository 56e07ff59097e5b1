//! The tables, written once. The two databases differ in nothing but the SQL type of a point in time.

/// Declares the tables with the given SQL type for points in time.
macro_rules! schema {
    ($Time:ident) => {
        /// The tables of `migrations/` as Diesel sees them.
        pub(crate) mod schema {
            diesel::table! {
                use diesel::sql_types::*;
                users (id) {
                    id -> BigInt,
                    phone -> Text,
                    password_hash -> Text,
                    name -> Nullable<Text>,
                    photo -> Nullable<Text>,
                    description -> Nullable<Text>,
                    last_seen_at -> Nullable<$Time>,
                    created_at -> $Time,
                    version -> BigInt,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                sessions (id) {
                    id -> BigInt,
                    user_id -> BigInt,
                    base_token -> Binary,
                    created_at -> $Time,
                    revoked_at -> Nullable<$Time>,
                    device -> Nullable<Text>,
                    address -> Nullable<Text>,
                    last_used_at -> $Time,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                refresh_tokens (hash) {
                    hash -> Binary,
                    session_id -> BigInt,
                    parent -> Nullable<Binary>,
                    expires_at -> $Time,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                chats (id) {
                    id -> BigInt,
                    kind -> Text,
                    name -> Nullable<Text>,
                    creator_id -> BigInt,
                    direct_low -> Nullable<BigInt>,
                    direct_high -> Nullable<BigInt>,
                    last_seq -> BigInt,
                    version -> BigInt,
                    last_activity_at -> $Time,
                    created_at -> $Time,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                members (chat_id, user_id) {
                    chat_id -> BigInt,
                    user_id -> BigInt,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                pins (user_id, chat_id) {
                    user_id -> BigInt,
                    chat_id -> BigInt,
                    created_at -> $Time,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                messages (id) {
                    id -> BigInt,
                    chat_id -> BigInt,
                    seq -> BigInt,
                    version -> BigInt,
                    sender_id -> BigInt,
                    client_id -> Nullable<Text>,
                    message_type -> Text,
                    content -> Text,
                    created_at -> $Time,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                likes (message_id, user_id) {
                    message_id -> BigInt,
                    user_id -> BigInt,
                    created_at -> $Time,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                audit_log (id) {
                    id -> BigInt,
                    at -> $Time,
                    event -> Text,
                    user_id -> Nullable<BigInt>,
                    session_id -> Nullable<BigInt>,
                    address -> Nullable<Text>,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                profile_changes (one) {
                    one -> Bool,
                    last -> BigInt,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                epoch (name) {
                    name -> Text,
                    one -> Bool,
                }
            }

            diesel::table! {
                use diesel::sql_types::*;
                __diesel_schema_migrations (version) {
                    version -> Text,
                }
            }

            diesel::joinable!(refresh_tokens -> sessions (session_id));
            diesel::joinable!(members -> chats (chat_id));
            diesel::joinable!(members -> users (user_id));
            diesel::joinable!(likes -> users (user_id));
            diesel::allow_tables_to_appear_in_same_query!(
                users,
                sessions,
                refresh_tokens,
                chats,
                members,
                pins,
                messages,
                likes
            );
        }
    };
}

pub(crate) use schema;
