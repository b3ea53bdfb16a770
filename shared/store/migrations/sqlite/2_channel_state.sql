-- What became of channels that the application was not told yet. state: 1 occupied, 2 vacated.
-- at_ms: Unix milliseconds.
CREATE TABLE channel_state_event (
    generation INTEGER NOT NULL PRIMARY KEY,
    proxy TEXT NOT NULL,
    channel TEXT NOT NULL,
    state INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX channel_state_event_proxy ON channel_state_event (proxy, generation);

-- Channels in use.
CREATE TABLE channel_in_use (
    channel TEXT NOT NULL PRIMARY KEY,
    proxy TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest generation there ever was: one row.
CREATE TABLE channel_state_mark (
    only_one INTEGER NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL
) STRICT;

INSERT INTO channel_state_mark (only_one, generation) VALUES (1, 0);
