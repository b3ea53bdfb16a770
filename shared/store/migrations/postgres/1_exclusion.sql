-- Who is kept out. kind: 1 user, 2 token, 3 tokens of a user. Times: Unix seconds.
CREATE TABLE exclusion (
    kind SMALLINT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    issued_before BIGINT NOT NULL,
    expire_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (kind, subject, channel)
);

CREATE INDEX exclusion_expire_at ON exclusion (expire_at) WHERE expire_at IS NOT NULL;
