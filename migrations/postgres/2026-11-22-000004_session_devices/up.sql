-- What users see of their sessions: on which device, from where, and when they were last used.

ALTER TABLE sessions
    -- What the device said of itself at the login.
    ADD COLUMN device text CONSTRAINT sessions_device_check CHECK (char_length(device) BETWEEN 1 AND 255),
    -- An IPv4 or IPv6 address, without a port.
    ADD COLUMN address text CONSTRAINT sessions_address_check CHECK (address ~ '^[0-9a-f.:]{2,45}$'),
    -- When the session last got tokens. The list of a user's sessions, `Sessions::list`, finds its rows by sessions_user_live_idx and
    -- sorts them: an index on this column would have to be written at every refresh.
    ADD COLUMN last_used_at timestamptz;
-- Of older sessions no more is known than when they began.
UPDATE sessions SET last_used_at = created_at;
ALTER TABLE sessions ALTER COLUMN last_used_at SET NOT NULL;
