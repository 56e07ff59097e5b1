-- What happened to accounts. The ids refer to nothing: an entry outlives its user and its session.
CREATE TABLE audit_log (
    -- It is the key of the table, for `Audit::newest`.
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT    NOT NULL,
    event      TEXT    NOT NULL,
    user_id    INTEGER,
    session_id INTEGER,
    address    TEXT,
    CONSTRAINT audit_log_event_check CHECK (length(event) BETWEEN 1 AND 64 AND event NOT GLOB '*[^a-z_]*'),
    CONSTRAINT audit_log_address_check CHECK (length(address) BETWEEN 2 AND 45 AND address NOT GLOB '*[^0-9a-f.:]*')
) STRICT;

-- For `Audit::prune`: the entries that are too old.
CREATE INDEX audit_log_at_idx ON audit_log (at);
