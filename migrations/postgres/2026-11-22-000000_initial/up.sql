-- Every index says which queries it is for. The names in code, `Users::find`, are those of the ports of mango-domain.

CREATE TABLE users (
    id            bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    phone         text        NOT NULL,
    password_hash text        NOT NULL,
    name          text,
    photo         text,
    description   text,
    last_seen_at  timestamptz,
    created_at    timestamptz NOT NULL,
    -- Its index is for `Users::credentials`.
    CONSTRAINT users_phone_key UNIQUE (phone),
    CONSTRAINT users_phone_check CHECK (phone ~ '^\+[0-9]{7,15}$'),
    CONSTRAINT users_name_check CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT users_photo_check CHECK (photo ~ '^[0-9a-f]{32}$'),
    CONSTRAINT users_description_check CHECK (char_length(description) BETWEEN 1 AND 2000)
);

CREATE TABLE sessions (
    id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id    bigint      NOT NULL CONSTRAINT sessions_user_fkey REFERENCES users (id) ON DELETE CASCADE,
    -- The hash of the one refresh token that may be presented again and again.
    base_token bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT sessions_base_token_check CHECK (octet_length(base_token) = 32)
);

-- For `Users::update`: the live sessions that a new password ends.
CREATE INDEX sessions_user_live_idx ON sessions (user_id) WHERE revoked_at IS NULL;

CREATE TABLE refresh_tokens (
    -- Its index is for `Sessions::rotate`.
    hash       bytea       CONSTRAINT refresh_tokens_pkey PRIMARY KEY,
    session_id bigint      NOT NULL CONSTRAINT refresh_tokens_session_fkey REFERENCES sessions (id) ON DELETE CASCADE,
    -- The base token that this one was handed out for; the first token of a session has none.
    parent     bytea,
    expires_at timestamptz NOT NULL,
    CONSTRAINT refresh_tokens_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT refresh_tokens_parent_check CHECK (octet_length(parent) = 32)
);

-- For `Sessions::purge`: whether a session has a token left, and the tokens that go with a session.
CREATE INDEX refresh_tokens_session_idx ON refresh_tokens (session_id, expires_at);
-- For `Sessions::purge`: the tokens that have expired.
CREATE INDEX refresh_tokens_expires_idx ON refresh_tokens (expires_at);

CREATE TABLE chats (
    id               bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT chats_pkey PRIMARY KEY,
    kind             text        NOT NULL,
    name             text,
    creator_id       bigint      NOT NULL CONSTRAINT chats_creator_fkey REFERENCES users (id),
    direct_low       bigint      CONSTRAINT chats_direct_low_fkey REFERENCES users (id),
    direct_high      bigint      CONSTRAINT chats_direct_high_fkey REFERENCES users (id),
    -- The seq of the newest message: the last message of a chat is found by (id, last_seq) in messages_chat_seq_key.
    last_seq         bigint      NOT NULL DEFAULT 0,
    last_activity_at timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    -- Its index is for `Chats::create`: the direct chat that a pair has already.
    CONSTRAINT chats_direct_pair_key UNIQUE (direct_low, direct_high),
    CONSTRAINT chats_kind_check CHECK (
        (kind = 'direct' AND direct_low IS NOT NULL AND direct_high IS NOT NULL AND direct_low < direct_high)
        OR (kind = 'group' AND direct_low IS NULL AND direct_high IS NULL AND name IS NOT NULL)
    ),
    CONSTRAINT chats_name_check CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT chats_last_seq_check CHECK (last_seq >= 0)
-- Every message updates its chat's row: with room on the page, and no index on what changes, the update stays on the page.
) WITH (fillfactor = 70);

CREATE TABLE members (
    chat_id bigint NOT NULL CONSTRAINT members_chat_fkey REFERENCES chats (id) ON DELETE CASCADE,
    user_id bigint NOT NULL CONSTRAINT members_user_fkey REFERENCES users (id),
    -- Its index is for the members of a chat in `Chats::list` and `Chats::find`, and for every check that a user is a member.
    CONSTRAINT members_pkey PRIMARY KEY (chat_id, user_id)
);

-- For `Chats::list` and `Chats::ids_of`: the chats of a user.
CREATE INDEX members_user_idx ON members (user_id, chat_id);

CREATE TABLE pins (
    user_id    bigint      NOT NULL,
    chat_id    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    -- Its index is for `Chats::list` with pinned chats only, and for `Chats::toggle_pin`.
    CONSTRAINT pins_pkey PRIMARY KEY (user_id, chat_id),
    CONSTRAINT pins_member_fkey FOREIGN KEY (chat_id, user_id) REFERENCES members (chat_id, user_id) ON DELETE CASCADE
);

CREATE TABLE messages (
    id           bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT messages_pkey PRIMARY KEY,
    chat_id      bigint      NOT NULL CONSTRAINT messages_chat_fkey REFERENCES chats (id),
    seq          bigint      NOT NULL,
    sender_id    bigint      NOT NULL CONSTRAINT messages_sender_fkey REFERENCES users (id),
    message_type text        NOT NULL,
    content      text        NOT NULL,
    created_at   timestamptz NOT NULL,
    -- Its index is for `Messages::page`, and for the last messages in `Chats::list`.
    CONSTRAINT messages_chat_seq_key UNIQUE (chat_id, seq),
    CONSTRAINT messages_seq_check CHECK (seq >= 1),
    CONSTRAINT messages_content_check CHECK (content <> ''),
    CONSTRAINT messages_message_type_check CHECK (message_type IN (
        'text', 'html', 'json', 'xml', 'binary', 'image', 'pdf', 'csv', 'excel', 'word', 'zip', 'gzip', 'tar', 'audio',
        'video', 'rtf', 'yaml', 'javascript', 'css', 'svg', 'markdown', 'protobuf', 'avro', 'parquet', 'orc'
    ))
);

CREATE TABLE likes (
    message_id bigint      NOT NULL CONSTRAINT likes_message_fkey REFERENCES messages (id) ON DELETE CASCADE,
    user_id    bigint      NOT NULL CONSTRAINT likes_user_fkey REFERENCES users (id),
    created_at timestamptz NOT NULL,
    -- Its index is for the likes of the messages in `Messages::page` and `Chats::list`, and for `Likes::toggle`.
    CONSTRAINT likes_pkey PRIMARY KEY (message_id, user_id)
);
