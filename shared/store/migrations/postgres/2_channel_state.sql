-- What became of channels that the application was not told yet. state: 1 occupied, 2 vacated.
-- at_ms: Unix milliseconds.
CREATE TABLE channel_state_event (
    generation BIGINT NOT NULL PRIMARY KEY,
    proxy TEXT NOT NULL,
    channel TEXT NOT NULL,
    state SMALLINT NOT NULL,
    at_ms BIGINT NOT NULL
);

CREATE INDEX channel_state_event_proxy ON channel_state_event (proxy, generation);

-- Channels in use.
CREATE TABLE channel_in_use (
    channel TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    proxy TEXT NOT NULL
);

-- The newest generation there ever was: one row.
CREATE TABLE channel_state_mark (
    only_one SMALLINT NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL
);

INSERT INTO channel_state_mark (only_one, generation) VALUES (1, 0);
