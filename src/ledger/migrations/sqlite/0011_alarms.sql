-- Version 11: alarms. One is open until it is cleared; while it is open no second one of its kind and subject is raised.

CREATE TABLE alarm (
    no           INTEGER PRIMARY KEY,
    kind         TEXT NOT NULL,
    issuer       TEXT,
    subject      TEXT NOT NULL,
    feed         TEXT,
    source       TEXT,
    file         TEXT,
    what         TEXT NOT NULL,
    next         TEXT NOT NULL,
    raised_at    INTEGER NOT NULL,
    cleared_at   INTEGER,
    -- Whether the command was told that it was raised, and that it was cleared.
    told_raised  INTEGER NOT NULL DEFAULT 0,
    told_cleared INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX alarm_open ON alarm (kind, subject) WHERE cleared_at IS NULL;
CREATE INDEX alarm_to_tell ON alarm (no) WHERE told_raised = 1 AND told_cleared = 0 AND cleared_at IS NOT NULL;
