DROP TABLE epoch;
DROP INDEX messages_client_id_key;
ALTER TABLE messages DROP CONSTRAINT messages_chat_version_key, DROP COLUMN version, DROP COLUMN client_id;
ALTER TABLE chats DROP COLUMN version, ALTER COLUMN id SET GENERATED ALWAYS;
