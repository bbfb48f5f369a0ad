-- Version 12: expected files. Since when a feed's files are expected, and up to when its windows were looked at.

CREATE TABLE expected_feed (
    feed    TEXT PRIMARY KEY,
    since   INTEGER NOT NULL,
    checked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX file_accepted ON file (issuer, feed, accepted_at) WHERE accepted_at IS NOT NULL;
