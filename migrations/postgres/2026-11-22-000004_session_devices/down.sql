ALTER TABLE sessions DROP COLUMN device, DROP COLUMN address, DROP COLUMN last_used_at;
