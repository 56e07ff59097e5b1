-- SQLite counts on from the largest number that it finds.
DELETE FROM sqlite_sequence WHERE name = 'sessions';
