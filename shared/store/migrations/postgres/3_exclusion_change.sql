-- In which order exclusions were changed, so that other processes can read what is new. What was removed
-- stays for a while, marked. Every change takes the next number under the lock of this one row.
CREATE TABLE exclusion_version (n BIGINT NOT NULL);
INSERT INTO exclusion_version (n) VALUES (0);
ALTER TABLE exclusion ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exclusion ADD COLUMN removed BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX exclusion_changed ON exclusion (changed);
