-- Version 1: files, chunks, vault, payment cards.
--
-- One index a record is visited at random: vault_card(issuer, fingerprint). All other keys grow at their end, since a row's
-- number begins with its file's. Persisted rows carry a version where their form can change.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE issuer (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
) STRICT;

-- Keys of an issuer, wrapped under the key-encryption key, which is never here.
CREATE TABLE vault_key (
    issuer  INTEGER NOT NULL REFERENCES issuer (no),
    purpose TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    state   TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    key_check BLOB NOT NULL,
    PRIMARY KEY (issuer, purpose, epoch)
) STRICT, WITHOUT ROWID;

-- A file keeps the reference data it was accepted under.
CREATE TABLE reference_data (
    digest  BLOB PRIMARY KEY,
    kind    TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;

CREATE TABLE file (
    no            INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer        INTEGER NOT NULL REFERENCES issuer (no),
    name          TEXT NOT NULL,
    stem          TEXT NOT NULL,
    state         TEXT NOT NULL,
    identity      TEXT NOT NULL,
    feed          TEXT,
    service       TEXT,
    environment   TEXT,
    decision      TEXT,
    code          TEXT,
    line          INTEGER,
    description   TEXT,
    bytes         INTEGER NOT NULL,
    sha256        TEXT,
    envelope      TEXT,
    key_id        TEXT,
    header        TEXT,
    records       INTEGER,
    content_digest BLOB,
    next_sequence INTEGER,
    duplicate_of  INTEGER REFERENCES file (no),
    settings      TEXT,
    chunks        INTEGER NOT NULL DEFAULT 0,
    registered    INTEGER NOT NULL DEFAULT 0,
    already_registered INTEGER NOT NULL DEFAULT 0,
    deregistered  INTEGER NOT NULL DEFAULT 0,
    enrolled      INTEGER NOT NULL DEFAULT 0,
    rejected      INTEGER NOT NULL DEFAULT 0,
    received_at   INTEGER NOT NULL,
    accepted_at   INTEGER,
    started_at    INTEGER,
    finished_at   INTEGER,
    done_at       INTEGER,
    UNIQUE (issuer, stem)
) STRICT;

CREATE INDEX file_open ON file (state) WHERE state <> 'DONE';

-- Keys and digests of accepted files, never purged: what makes a file the same file twice.
CREATE TABLE batch (
    issuer   INTEGER NOT NULL REFERENCES issuer (no),
    service  TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    sequence INTEGER NOT NULL, -- -1 where the sender gives none
    digest   BLOB NOT NULL,
    file     INTEGER NOT NULL REFERENCES file (no),
    PRIMARY KEY (issuer, service, batch_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE content (
    issuer  INTEGER NOT NULL REFERENCES issuer (no),
    service TEXT NOT NULL,
    digest  BLOB NOT NULL,
    file    INTEGER NOT NULL REFERENCES file (no),
    PRIMARY KEY (issuer, service, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE feed_sequence (
    feed TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A chunk is one row: idempotency mark, restart point and source of every report.
-- id = file << 26 | index; outcomes = postcard of the chunk's record rows, in the form of `version`.
CREATE TABLE chunk (
    id       INTEGER PRIMARY KEY,
    version  INTEGER NOT NULL,
    records  INTEGER NOT NULL,
    outcomes BLOB NOT NULL
) STRICT;

-- A PAN is stored once an issuer, however many services refer to it; with no reference left it is erased.
-- pan_id = file << 26 | ordinal of the record that brought it.
CREATE TABLE vault_card (
    pan_id      INTEGER PRIMARY KEY,
    issuer      INTEGER NOT NULL REFERENCES issuer (no),
    fingerprint BLOB NOT NULL,
    sealed      BLOB NOT NULL,
    epoch       INTEGER NOT NULL,
    digits      INTEGER NOT NULL,
    bin6        INTEGER NOT NULL,
    last4       INTEGER NOT NULL,
    references_held INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX vault_card_fingerprint ON vault_card (issuer, fingerprint);

CREATE TABLE payment_card (
    pan_id          INTEGER PRIMARY KEY REFERENCES vault_card (pan_id),
    payment_card_id BLOB NOT NULL,
    file            INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX payment_card_by_id ON payment_card (payment_card_id);
