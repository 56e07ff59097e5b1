ALTER TABLE sessions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval(pg_get_serial_sequence('sessions', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM sessions), false);
