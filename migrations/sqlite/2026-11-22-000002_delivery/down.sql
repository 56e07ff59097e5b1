DROP TABLE epoch;
DROP INDEX messages_client_id_key;
DROP INDEX messages_chat_version_key;
ALTER TABLE messages DROP COLUMN client_id;
ALTER TABLE messages DROP COLUMN version;
ALTER TABLE chats DROP COLUMN version;
