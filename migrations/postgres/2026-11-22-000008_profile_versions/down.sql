DROP TABLE profile_changes;
DROP INDEX users_version_idx;
ALTER TABLE users DROP COLUMN version;
