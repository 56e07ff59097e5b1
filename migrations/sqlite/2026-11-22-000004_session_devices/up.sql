-- What users see of their sessions: on which device, from where, and when they were last used.

-- What the device said of itself at the login.
ALTER TABLE sessions ADD COLUMN device TEXT CONSTRAINT sessions_device_check CHECK (length(device) BETWEEN 1 AND 255);
-- An IPv4 or IPv6 address, without a port.
ALTER TABLE sessions ADD COLUMN address TEXT
    CONSTRAINT sessions_address_check CHECK (length(address) BETWEEN 2 AND 45 AND address NOT GLOB '*[^0-9a-f.:]*');
-- When the session last got tokens. It is always given: the default is there for the rows of before. The list of a user's sessions,
-- `Sessions::list`, finds its rows by sessions_user_live_idx and sorts them: an index on this column would have to be written at
-- every refresh.
ALTER TABLE sessions ADD COLUMN last_used_at TEXT NOT NULL DEFAULT '';
-- Of older sessions no more is known than when they began.
UPDATE sessions SET last_used_at = created_at;
