-- What happened to accounts. The ids refer to nothing: an entry outlives its user and its session.
CREATE TABLE audit_log (
    -- Its index is for `Audit::newest`.
    id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_log_pkey PRIMARY KEY,
    at         timestamptz NOT NULL,
    event      text        NOT NULL,
    user_id    bigint,
    session_id bigint,
    address    text,
    CONSTRAINT audit_log_event_check CHECK (event ~ '^[a-z_]{1,64}$'),
    CONSTRAINT audit_log_address_check CHECK (address ~ '^[0-9a-f.:]{2,45}$')
);

-- For `Audit::prune`: the entries that are too old.
CREATE INDEX audit_log_at_idx ON audit_log (at);
