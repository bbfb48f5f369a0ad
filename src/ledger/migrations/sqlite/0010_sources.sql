-- Version 10: files that are fetched from partners' servers, and answers that are delivered there.

-- The source that a file was fetched from; none for one that lay in a directory.
ALTER TABLE file ADD COLUMN source TEXT;

-- What lies on a partner's server and was taken: written with the intent to claim, before the first byte is fetched.
CREATE TABLE remote_file (
    id      INTEGER PRIMARY KEY,
    source  TEXT NOT NULL,
    path    TEXT NOT NULL,
    size    INTEGER NOT NULL,
    mtime   INTEGER NOT NULL,          -- seconds since 1970, as the server says
    file    INTEGER NOT NULL REFERENCES file (no),
    gone_at INTEGER                    -- it no longer lies there: what comes under its name is another
) STRICT;

CREATE UNIQUE INDEX remote_file_there ON remote_file (source, path, size, mtime) WHERE gone_at IS NULL;
CREATE INDEX remote_file_of ON remote_file (file);

-- The delivery journal: a row for each file that is to go out to a partner, and when it was there. An order that is repeated
-- before it was carried out takes the earlier one's place; numbers rise in the order in which files must appear.
CREATE TABLE delivery (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT NOT NULL,
    issuer       INTEGER NOT NULL REFERENCES issuer (no),
    file         INTEGER REFERENCES file (no),
    name         TEXT NOT NULL,
    sha256       TEXT NOT NULL,
    ordered_at   INTEGER NOT NULL,
    delivered_at INTEGER,
    failed       TEXT                  -- why the last try failed
) STRICT;

CREATE UNIQUE INDEX delivery_due ON delivery (source, name) WHERE delivered_at IS NULL;
CREATE INDEX delivery_of ON delivery (file) WHERE file IS NOT NULL;

-- How it stands with each source, for whoever asks beside the daemon.
CREATE TABLE source (
    name         TEXT PRIMARY KEY,
    issuer       TEXT NOT NULL,
    state        TEXT NOT NULL,
    why          TEXT,
    since        INTEGER NOT NULL,
    last_contact INTEGER
) STRICT, WITHOUT ROWID;
