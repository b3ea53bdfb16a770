-- In which order exclusions were changed, so that other processes can read what is new. What was removed
-- stays for a while, marked.
CREATE TABLE exclusion_version (n INTEGER NOT NULL) STRICT;
INSERT INTO exclusion_version (n) VALUES (0);
ALTER TABLE exclusion ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE exclusion ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX exclusion_changed ON exclusion (changed);
