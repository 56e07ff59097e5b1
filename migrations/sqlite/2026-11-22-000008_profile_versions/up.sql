-- By which clients learn of other names and photos: the changes of both, of all users, are numbered in the order of their commits.

-- The number of the user's last change, 0 for who has changed neither.
ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 0 CONSTRAINT users_version_check CHECK (version >= 0);
-- For `Changes::since`: who changed after a number.
CREATE INDEX users_version_idx ON users (version);

-- One row: the number of the last change. Who takes the next one keeps the row locked until the commit.
CREATE TABLE profile_changes (
    one  INTEGER NOT NULL DEFAULT 1 CONSTRAINT profile_changes_pkey PRIMARY KEY CONSTRAINT profile_changes_one_check CHECK (one = 1),
    last INTEGER NOT NULL CONSTRAINT profile_changes_last_check CHECK (last >= 0)
) STRICT;
INSERT INTO profile_changes (last) VALUES (0);
