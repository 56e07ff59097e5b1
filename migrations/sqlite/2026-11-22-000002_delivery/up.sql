-- What delivery rests on: the versions of chats, the names that clients give their messages, and the name of the database.

-- How many changes the chat has seen, its creation included.
ALTER TABLE chats ADD COLUMN version INTEGER NOT NULL DEFAULT 1 CONSTRAINT chats_version_check CHECK (version >= 1);
-- The creation, then the messages one by one; of likes it is not known when they came.
UPDATE chats SET version = last_seq + 1;

-- The chat's version at the last change of the message. It is always given: the default is there for the rows of before.
ALTER TABLE messages ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
-- What its sender calls the message.
ALTER TABLE messages ADD COLUMN client_id TEXT
    CONSTRAINT messages_client_id_check CHECK (length(client_id) BETWEEN 1 AND 64 AND client_id NOT GLOB '*[^!-~]*');
UPDATE messages SET version = seq + 1;

-- For `Changes::since`: what changed after a version.
CREATE UNIQUE INDEX messages_chat_version_key ON messages (chat_id, version);
-- For `Messages::append`: the message that was sent before under the same name.
CREATE UNIQUE INDEX messages_client_id_key ON messages (chat_id, sender_id, client_id) WHERE client_id IS NOT NULL;

-- One row: the name of this database, by which a client learns that it speaks to another one than last time.
CREATE TABLE epoch (
    name TEXT    NOT NULL CONSTRAINT epoch_pkey PRIMARY KEY,
    one  INTEGER NOT NULL DEFAULT 1 CONSTRAINT epoch_one_key UNIQUE CONSTRAINT epoch_one_check CHECK (one = 1)
) STRICT;
INSERT INTO epoch (name) VALUES (lower(hex(randomblob(16))));
