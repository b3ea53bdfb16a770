-- Who is kept out. kind: 1 user, 2 token, 3 tokens of a user. Times: Unix seconds.
CREATE TABLE exclusion (
    kind INTEGER NOT NULL,
    subject TEXT NOT NULL,
    channel TEXT NOT NULL,
    issued_before INTEGER NOT NULL,
    expire_at INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (kind, subject, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX exclusion_expire_at ON exclusion (expire_at) WHERE expire_at IS NOT NULL;
