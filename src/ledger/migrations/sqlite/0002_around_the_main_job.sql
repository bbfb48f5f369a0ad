-- Version 2: what surrounds the main job: actions on files, the audit trail, retention.

-- Where a held file goes on when an operator lets it, and why it is held.
ALTER TABLE file ADD COLUMN held_from TEXT;
ALTER TABLE file ADD COLUMN held_why TEXT;
-- An operator released its content: it may be taken a second time under another key.
ALTER TABLE file ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
-- Every file that went out for it, as JSON: [{"name", "content_sha256", "sha256"}].
ALTER TABLE file ADD COLUMN outbound TEXT;
-- Ends of the process in a row while it was in hand, without progress: by its own fault (panic, abort), by any other.
ALTER TABLE file ADD COLUMN aborts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN kills INTEGER NOT NULL DEFAULT 0;
-- When retention took its outbound files, and its chunk rows.
ALTER TABLE file ADD COLUMN outbound_purged_at INTEGER;
ALTER TABLE file ADD COLUMN results_purged_at INTEGER;

-- What retention has still to take: a row enters when its file is done and leaves when it is purged.
CREATE INDEX file_with_outbound ON file (done_at) WHERE state = 'DONE' AND outbound_purged_at IS NULL;
CREATE INDEX file_with_results ON file (done_at) WHERE state = 'DONE' AND chunks > 0;

CREATE INDEX file_by_name ON file (name);

-- Who did what, and what was done with which key: rows are added and never changed. `hash` covers the row and the hash of
-- the row before it; the newest number and hash also stand in meta and, from time to time, in the log.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    actor   TEXT NOT NULL,    -- `daemon`, or `uid N` of whoever asked
    issuer  TEXT,
    file    INTEGER,          -- an arrival's number; no reference, since the trail outlives everything
    detail  TEXT NOT NULL,    -- JSON object; never a card number
    hash    BLOB NOT NULL
) STRICT;

CREATE INDEX audit_by_file ON audit (file) WHERE file IS NOT NULL;
